"""An input that may take one of several shapes, as one list of fields with rules over them.

In: the schema of `input` with `oneOf` or `anyOf`. Out: one object schema, and the rules that say which
fields go together, each with a title for people. Touches nothing.

A default of a field that not every shape has is dropped: always sent, it would break the other shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from kiejobs.importer.reading.refs import (
    both,
    by_name,
    fields_in,
    is_number,
    items_in,
    mapping,
    names_in,
    values_in,
)

if TYPE_CHECKING:
    from kiejobs.importer.reading.refs import Note, Schema


MOST_SHAPES = 20

_WIDER = {
    **dict.fromkeys(("minimum", "minLength", "minItems"), min),
    **dict.fromkeys(("maximum", "maxLength", "maxItems"), max),
}
_NARROWING = (
    "enum", "const", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "type",
)  # fmt: skip


def one_shape(node: Schema, note: Note) -> tuple[Schema, list[Schema]]:
    """The object with the fields of all shapes, and the rules."""
    rules: list[Schema] = []
    for key in ("oneOf", "anyOf"):
        shapes = [one for one in items_in(node.get(key)) if isinstance(one, dict)][:MOST_SHAPES]
        node = {name: value for name, value in node.items() if name != key}
        shapes = [one_shape(one, note)[0] for one in shapes if one.get("type") != "null"]
        if len(shapes) == 1:
            node = both(node, shapes[0])
        elif shapes:
            node, rule = _united(node, shapes, exclusive=key == "oneOf", note=note)
            rules += [rule] if rule else []
    rules += _dependent(mapping(node.get("dependentRequired")))
    for name in ("if", "not", "dependentSchemas", "patternProperties"):
        if name in node:
            note(f"the page's `{name}` over several fields is left out")
    return node, rules


def _united(
    node: Schema, shapes: list[Schema], *, exclusive: bool, note: Note
) -> tuple[Schema, Schema | None]:
    own, several = fields_in(node), [fields_in(shape) for shape in shapes]
    fields: Schema = dict(own)
    for shape in several:
        for name, form in shape.items():
            either = name in fields and name not in own
            fields[name] = _either(fields[name], form) if either else form
    for name in fields:
        in_all = name in own or all(name in shape for shape in several)
        if not in_all and "default" in mapping(fields[name]):
            note(
                f"{name}: its default is left out, since not every form of the input has the field"
            )
            fields[name] = {key: value for key, value in fields[name].items() if key != "default"}
    needed = names_in(node.get("required"))
    wanted = [names_in(shape.get("required")) for shape in shapes]
    always = [name for name in wanted[0] if all(name in names for names in wanted)]
    required = [*needed, *(name for name in always if name not in needed)]
    united = {**node, "type": "object", "properties": fields, "required": required}
    choices = [_choice(shape, fields, always, exclusive=exclusive) for shape in shapes]
    if not all(choices):
        return united, None
    rule = {"title": _title(choices), "anyOf": choices}
    try:
        Draft202012Validator.check_schema(rule)
    except SchemaError:  # its keywords are copied from the page as they are
        note(
            "which of its fields go together is not checked: the page's own limits of them are malformed"
        )
        return united, None
    return united, rule


def _choice(shape: Schema, fields: Schema, always: list[str], *, exclusive: bool) -> Schema:
    """What makes a request one of this shape."""
    own = fields_in(shape)
    needed = names_in(shape.get("required"))
    required = [name for name in needed if name in fields and name not in always]
    narrowed = {name: _narrower(form, fields[name]) for name, form in own.items()}
    foreign = [name for name in fields if name not in own] if exclusive and own else []
    choice: Schema = {"required": required} if required else {}
    if any(narrowed.values()):
        choice["properties"] = {name: form for name, form in narrowed.items() if form}
    if foreign:
        choice["not"] = {"anyOf": [{"required": [name]} for name in foreign]}
    return choice


def _narrower(form: Any, widest: Any) -> Schema:
    if not isinstance(form, dict) or not isinstance(widest, dict):
        return {}
    return {key: form[key] for key in _NARROWING if key in form and form[key] != widest.get(key)}


def _either(one: Any, other: Any) -> Any:
    """What takes whatever one of the two takes, as far as one schema can."""
    if not isinstance(one, dict) or not isinstance(other, dict) or one == other:
        return other if isinstance(other, dict) else one
    dropped = {"const", "enum", *_WIDER}
    if one.get("default") != other.get("default"):
        dropped.add("default")
    merged = {key: value for key, value in one.items() if key not in dropped}
    for name, wider in _WIDER.items():
        if is_number(one.get(name)) and is_number(other.get(name)):
            merged[name] = wider(one[name], other[name])
    values, others = values_in(one), values_in(other)
    if values and others:
        merged["enum"] = [*values, *(value for value in others if value not in values)]
    return merged


def _title(choices: list[Schema]) -> str:
    words = [_choice_words(choice) for choice in choices]
    return f"the fields must go together: {'; or '.join(words)}"[:400]


def _choice_words(choice: Schema) -> str:
    parts = [f"{' and '.join(choice['required'])} given"] if "required" in choice else []
    parts += [f"{name} as listed for it" for name in choice.get("properties", {})]
    if "not" in choice:
        parts.append(f"without {', '.join(one['required'][0] for one in choice['not']['anyOf'])}")
    return " ".join(parts)


def _dependent(needs: Schema) -> list[Schema]:
    rules = []
    for name, others in list(by_name(needs).items())[:50]:
        wanted = names_in(others)
        if wanted:
            title = f"{name} needs {' and '.join(wanted)}"[:300]
            rules.append({"title": title, "dependentRequired": {name: wanted}})
    return rules
