"""Does a value surely have the form that a JSON Schema wants? Answered without jsonschema.

In: a schema, a value. Out: yes, or not sure. Touches nothing. Nearly all files are fine, and importing jsonschema takes
as long as planning a thousand jobs. Whatever is not known here, or odd, is for jsonschema to say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.document.nodes import Json

_NOTES = frozenset({"title", "description", "default", "examples", "if", "$schema", "$id", "$defs"})
"""What asks nothing of a value. Of `then` and `else` both must hold, so it is no matter which one counts."""

_DEFS = "#/$defs/"
_TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def is_surely(schema: Any, value: Json, root: Mapping[str, Any] | None = None) -> bool:
    """`root` is the schema that `$ref`s lead into, where this one is a part of it."""
    if not isinstance(schema, dict):
        return schema is True
    root = schema if root is None else root
    return all(_holds(schema, keyword, value, root) for keyword in schema if keyword not in _NOTES)


def _holds(schema: Mapping[str, Any], keyword: str, value: Json, root: Mapping[str, Any]) -> bool:
    """What one keyword asks. Most ask something of one kind of value only."""
    wanted = schema[keyword]
    if keyword == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        is_one = isinstance(value, tuple(map(_TYPES.__getitem__, kinds)))
        return "boolean" in kinds if isinstance(value, bool) else is_one
    if keyword in {"const", "enum"}:
        allowed = [wanted] if keyword == "const" else wanted
        return type(value) in {str, int} and any(type(one) is type(value) and one == value for one in allowed)
    if keyword in {"then", "else"}:
        return is_surely(wanted, value, root)
    if keyword == "$ref":
        found = root.get("$defs", {}).get(wanted.removeprefix(_DEFS)) if wanted.startswith(_DEFS) else None
        return is_surely(found, value, root)
    asked = _OF_KIND.get(keyword)
    if asked is None:
        return keyword.startswith("x-")
    kind, holds = asked
    return not isinstance(value, kind) or holds(schema, wanted, value, root)


def _items(_schema: Any, wanted: Any, value: Json, root: Any) -> bool:
    """Those of a list, or the names of fields."""
    return all(is_surely(wanted, item, root) for item in value)


def _properties(_schema: Any, wanted: Any, value: Json, root: Any) -> bool:
    return all(is_surely(wanted[name], value[name], root) for name in wanted if name in value)


def _pattern_properties(_schema: Any, wanted: Any, value: Json, root: Any) -> bool:
    return all(
        is_surely(schema, value[name], root)
        for form, schema in wanted.items()
        for name in value
        if re.search(form, name)
    )


def _additional_properties(schema: Any, wanted: Any, value: Json, root: Any) -> bool:
    known, forms = schema.get("properties", {}), schema.get("patternProperties", {})
    return all(
        is_surely(wanted, value[name], root)
        for name in value
        if name not in known and not any(re.search(form, name) for form in forms)
    )


_NUMBER = (int, float)
_OF_KIND: Mapping[str, tuple[Any, Callable[[Any, Any, Any, Any], bool]]] = {
    "pattern": (str, lambda _, wanted, text, __: re.search(wanted, text) is not None),
    "minLength": (str, lambda _, least, text, __: len(text) >= least),
    "maxLength": (str, lambda _, most, text, __: len(text) <= most),
    "minimum": (_NUMBER, lambda _, least, number, __: number >= least),
    "maximum": (_NUMBER, lambda _, most, number, __: number <= most),
    "exclusiveMinimum": (_NUMBER, lambda _, below, number, __: number > below),
    "minItems": (list, lambda _, least, items, __: len(items) >= least),
    "maxItems": (list, lambda _, most, items, __: len(items) <= most),
    "uniqueItems": (
        list,
        lambda _, __, items, ___: all(type(item) is str for item in items) and len(set(items)) == len(items),
    ),
    "items": (list, _items),
    "minProperties": (dict, lambda _, least, fields, __: len(fields) >= least),
    "required": (dict, lambda _, names, fields, __: fields.keys() >= set(names)),
    "dependentRequired": (
        dict,
        lambda _, needs, fields, __: all(
            fields.keys() >= set(needs[name]) for name in needs if name in fields
        ),
    ),
    "properties": (dict, _properties),
    "patternProperties": (dict, _pattern_properties),
    "additionalProperties": (dict, _additional_properties),
    "propertyNames": (dict, _items),
}
