"""An input of several shapes, as one list of fields and the rules that say which go together.

In: a schema, references written out. Out: an object's schema; rules, each with a title for people; notes. Touches
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from kiejobs.importer.openapi import (
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
    from kiejobs.importer.openapi import Note, Schema

MOST_SHAPES = 20

_WIDER = {
    "minimum": min, "maximum": max, "minLength": min, "maxLength": max, "minItems": min, "maxItems": max,
}  # fmt: skip
_ALIKE = ("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern", "format")
_NARROWING = ("enum", "const", *_WIDER, *_ALIKE, "type")


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
    for name, others in list(by_name(node.get("dependentRequired")).items())[:50]:
        wanted = names_in(others)
        if wanted:
            title = f"{name} needs {' and '.join(wanted)}"[:300]
            rules.append({"title": title, "dependentRequired": {name: wanted}})
    for name in ("if", "not", "dependentSchemas", "patternProperties"):
        if name in node:
            note(f"the page's `{name}` over several fields is left out")
    return node, rules


def _united(
    node: Schema, shapes: list[Schema], *, exclusive: bool, note: Note
) -> tuple[Schema, Schema | None]:
    own, several = fields_in(node), [fields_in(shape) for shape in shapes]
    fields: Schema = dict(own)
    for name, form in [pair for shape in several for pair in shape.items()]:
        fields[name] = _either(fields[name], form) if name in fields and name not in own else form
    for name, form in fields.items():
        in_all = name in own or all(name in shape for shape in several)
        if not in_all and "default" in mapping(form):
            # Always sent, it would break the other shapes.
            note(f"{name}: its default is left out, since not every form of the input has the field")
            fields[name] = {key: value for key, value in form.items() if key != "default"}
    wanted = [names_in(shape.get("required")) for shape in shapes]
    always = [name for name in wanted[0] if all(name in names for names in wanted)]
    united = {**node, "type": "object", "properties": fields}
    united["required"] = list(dict.fromkeys([*names_in(node.get("required")), *always]))
    foreign = [name for name in fields if name not in own] if exclusive else []
    choices = [_choice(shape, fields, always, foreign) for shape in shapes]
    words = "; or ".join(map(_choice_words, choices))
    rule = {
        "title": f"the fields must go together: {words}"[:400],
        "oneOf" if exclusive and not foreign else "anyOf": choices,
    }
    try:
        Draft202012Validator.check_schema(rule)
    except SchemaError:  # its keywords are copied from the page as they are
        note("which fields go together is not checked: the page's own limits of them are malformed")
        return united, None
    return united, rule if all(choices) else None


def _choice(shape: Schema, fields: Schema, always: list[str], foreign: list[str]) -> Schema:
    """What makes a request one of this shape: of `foreign` fields it has its own and no other."""
    own = fields_in(shape)
    required = [name for name in names_in(shape.get("required")) if name in fields and name not in always]
    differs = {
        name: {key: form[key] for key in _NARROWING if key in form and form[key] != fields[name].get(key)}
        for name, form in own.items()
        if isinstance(form, dict) and isinstance(fields[name], dict)
    }
    narrowed = {name: limits for name, limits in differs.items() if limits}
    barred = [{"required": [name]} for name in foreign if name not in own]
    choice = {"required": required, "properties": narrowed, "not": barred and {"anyOf": barred}}
    return {key: value for key, value in choice.items() if value}


def _either(one: Any, other: Any) -> Any:
    """What takes whatever one of the two takes, as far as one schema can."""
    if not isinstance(one, dict) or not isinstance(other, dict) or one == other:
        return other if isinstance(other, dict) else one
    dropped = {
        "const",
        "enum",
        *_WIDER,
        *(key for key in (*_ALIKE, "default") if one.get(key) != other.get(key)),
    }
    merged = {key: value for key, value in one.items() if key not in dropped}
    for name, wider in _WIDER.items():
        if is_number(one.get(name)) and is_number(other.get(name)):
            merged[name] = wider(one[name], other[name])
    values, others = values_in(one), values_in(other)
    if values and others:
        merged["enum"] = [*values, *(value for value in others if value not in values)]
    return merged


def _choice_words(choice: Schema) -> str:
    parts = [f"{' and '.join(choice['required'])} given"] if "required" in choice else []
    parts += [f"{name} as listed for it" for name in choice.get("properties", {})]
    if "not" in choice:
        parts.append(f"without {', '.join(one['required'][0] for one in choice['not']['anyOf'])}")
    return " ".join(parts)
