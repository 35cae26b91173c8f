"""Inputs built from a model's schema alone: the least that it takes, and as much as it takes at once.

In: a request schema of ours. Out: inputs as a job file would hold them, defaults left out where the
schema has them. Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from kiejobs.core.models.spec import complete, read_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.models.spec import Spec

_TEXTS = ("A lantern sways over the quay", "#1A2B3C", "33.00%", "en", "a")
_ENDINGS = {"image": "png", "video": "mp4", "audio": "mp3"}


def least(schema: dict[str, Any]) -> dict[str, Any]:
    """What is required and no more; one field beyond that where a rule wants it."""
    spec = read_spec(schema)
    needed = {name: _value(spec.fields[name]) for name in spec.required}
    tries = [needed, *({**needed, name: _value(spec.fields[name])} for name in spec.fields)]
    return next(fields for fields in tries if takes(spec, fields))


def most(schema: dict[str, Any]) -> dict[str, Any]:
    """Every field that still fits beside those before it, in the schema's order."""
    spec = read_spec(schema)
    made = least(schema)
    for name, field in spec.fields.items():
        if name not in made:
            tries = ({**made, name: value} for value in _values(field))
            made = next((fields for fields in tries if takes(spec, fields)), made)
    return made


def takes(spec: Spec, fields: dict[str, Any]) -> bool:
    """Is it what may be sent? Defaults are added as they will be."""
    whole = Draft202012Validator(spec.input_schema, format_checker=formats())
    return whole.is_valid(complete(spec, fields))


def _value(field: dict[str, Any]) -> Any:
    return next(_values(field))


def _values(field: dict[str, Any]) -> Iterator[Any]:
    """Some values that the field takes, the plainest first."""
    check = Draft202012Validator(field, format_checker=formats())
    found = [*field.get("examples", ()), *_made(field)]
    fits = [value for value in found if check.is_valid(value)]
    if not fits:
        raise ValueError(f"nothing comes to mind for {field}")
    yield from fits


def _made(field: dict[str, Any]) -> Iterator[Any]:
    if "const" in field or "enum" in field:
        yield from [field["const"]] if "const" in field else field["enum"]
    elif "anyOf" in field:  # `-1`, or 4 to 30: the last is the rule, those before it are exceptions
        for one in reversed(field["anyOf"]):
            yield from _made({"type": field.get("type"), **one})
    elif field.get("type") == "array":
        yield [_value(_file_items(field)) for _ in range(max(1, field.get("minItems", 1)))]
    elif field.get("type") == "object":
        required = field.get("required", ())
        yield {name: _value(field["properties"][name]) for name in required}
    elif field.get("type") == "boolean":
        yield from (True, False)
    elif field.get("type") in {"integer", "number"}:
        low, high = field.get("minimum", 0), field.get("maximum", 1_000_000)
        yield from (low, low + 1, high)
    else:
        yield from _texts(field)


def _texts(field: dict[str, Any]) -> Iterator[str]:
    if field.get("format") == "uri":
        kinds = field.get("x-kiejobs-file", {}).get("media_types") or ["image/png"]
        yield f"https://example.com/quay.{_ENDINGS.get(kinds[0].partition('/')[0], 'bin')}"
    pattern = re.compile(field.get("pattern", ""))
    yield from (text for text in _TEXTS if pattern.search(text))


def _file_items(field: dict[str, Any]) -> dict[str, Any]:
    """A list's entries; what is said of the list's files holds for each of them."""
    rule = field.get("x-kiejobs-file")
    items: dict[str, Any] = field.get("items", {})
    return items if rule is None else {**items, "x-kiejobs-file": rule}
