"""An input that may take one of several shapes, as one list of fields with rules over them.

In: the schema of `input` with `oneOf` or `anyOf`. Out: one object schema, and the rules that say which
fields go together, each with a title for people. Touches nothing.

A default of a field that not every shape has is dropped: always sent, it would break the other shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiejobs.importer.reading.refs import both

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]

MOST_SHAPES = 20

_NARROWING = (
    "enum",
    "const",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "type",
)


def one_shape(node: Schema, note: Callable[[str], None]) -> tuple[Schema, list[Schema]]:
    """The object with the fields of all shapes, and the rules."""
    rules: list[Schema] = []
    for key in ("oneOf", "anyOf"):
        shapes = [one for one in _list(node.get(key)) if isinstance(one, dict)][:MOST_SHAPES]
        node = {name: value for name, value in node.items() if name != key}
        shapes = [one_shape(one, note)[0] for one in shapes if one.get("type") != "null"]
        if len(shapes) == 1:
            node = both(node, shapes[0])
        elif shapes:
            node, rule = _united(node, shapes, exclusive=key == "oneOf", note=note)
            rules += [rule] if rule else []
    needs = node.get("dependentRequired")
    rules += _dependent(needs) if isinstance(needs, dict) else []
    for name in ("if", "not", "dependentSchemas", "patternProperties"):
        if name in node:
            note(f"the page's `{name}` over several fields is left out")
    return node, rules


def _united(
    node: Schema, shapes: list[Schema], *, exclusive: bool, note: Callable[[str], None]
) -> tuple[Schema, Schema | None]:
    own = _fields(node)
    common = set.intersection(*(set(_fields(shape)) for shape in shapes))
    fields: Schema = dict(own)
    for shape in shapes:
        for name, form in _fields(shape).items():
            fields[name] = (
                _either(fields[name], form) if name in fields and name not in own else form
            )
    for name in set(fields) - common - set(own):
        if isinstance(fields[name], dict) and "default" in fields[name]:
            note(
                f"{name}: its default is left out, since not every form of the input has the field"
            )
            fields[name] = {key: value for key, value in fields[name].items() if key != "default"}
    always = [
        name for name in _required(shapes[0]) if all(name in _required(one) for one in shapes)
    ]
    united = {**node, "type": "object", "properties": fields}
    united["required"] = [
        *_required(node),
        *(name for name in always if name not in _required(node)),
    ]
    choices = [_choice(shape, fields, always, exclusive=exclusive) for shape in shapes]
    if any(not choice for choice in choices):
        return united, None
    return united, {"title": _title(choices), "anyOf": choices}


def _choice(shape: Schema, fields: Schema, always: list[str], *, exclusive: bool) -> Schema:
    """What makes a request one of this shape."""
    required = [name for name in _required(shape) if name not in always and name in fields]
    foreign = [name for name in fields if name not in _fields(shape)] if exclusive else []
    narrowed = {
        name: kept
        for name, form in _fields(shape).items()
        if isinstance(form, dict) and (kept := _narrower(form, fields[name]))
    }
    choice: Schema = {"required": required} if required else {}
    if narrowed:
        choice["properties"] = narrowed
    if foreign and _fields(shape):
        choice["not"] = {"anyOf": [{"required": [name]} for name in foreign]}
    return choice


def _narrower(form: Schema, whole: Any) -> Schema:
    if not isinstance(whole, dict):
        return {}
    return {key: form[key] for key in _NARROWING if key in form and form[key] != whole.get(key)}


def _either(one: Any, other: Any) -> Any:
    """What takes whatever one of the two takes, as far as that can be said."""
    if not isinstance(one, dict) or not isinstance(other, dict) or one == other:
        return other if isinstance(other, dict) else one
    merged = dict(one)
    for name, (wider, worth) in _WIDER.items():
        if name in one and name in other and worth(one[name]) and worth(other[name]):
            merged[name] = wider(one[name], other[name])
        else:
            merged.pop(name, None)
    if _values(one) and _values(other):
        merged.pop("const", None)
        merged["enum"] = [*_values(one), *(v for v in _values(other) if v not in _values(one))]
    else:
        merged.pop("enum", None)
        merged.pop("const", None)
    if one.get("default") != other.get("default"):
        merged.pop("default", None)
    return merged


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_WIDER = {
    **dict.fromkeys(("minimum", "minLength", "minItems"), (min, _is_number)),
    **dict.fromkeys(("maximum", "maxLength", "maxItems"), (max, _is_number)),
}


def _values(form: Schema) -> list[Any]:
    if isinstance(form.get("enum"), list):
        return list(form["enum"])
    return [form["const"]] if "const" in form else []


def _title(choices: list[Schema]) -> str:
    told = [_told(choice) for choice in choices]
    return f"the fields must go together: {'; or '.join(told)}"[:400]


def _told(choice: Schema) -> str:
    parts = [f"{' and '.join(choice['required'])} given"] if "required" in choice else []
    parts += [f"{name} as listed for it" for name in choice.get("properties", {})]
    if "not" in choice:
        parts.append(f"without {', '.join(one['required'][0] for one in choice['not']['anyOf'])}")
    return " ".join(parts)


def _dependent(needs: Schema) -> list[Schema]:
    rules = []
    for name, others in list(needs.items())[:50]:
        wanted = [str(one).strip() for one in _list(others)]
        if wanted:
            title = f"{name.strip()} needs {' and '.join(wanted)}"[:300]
            rules.append({"title": title, "dependentRequired": {name.strip(): wanted}})
    return rules


def _fields(shape: Schema) -> Schema:
    given = shape.get("properties")
    return (
        {str(name).strip(): form for name, form in given.items()} if isinstance(given, dict) else {}
    )


def _required(shape: Schema) -> list[str]:
    return [str(name).strip() for name in _list(shape.get("required"))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
