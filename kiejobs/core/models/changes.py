"""What differs between two schemas of one model.

In: both, in our form. Out: `ModelChange`s in the order of the fields. Touches nothing.

Breaking is what makes a job file that is valid today be refused, or give another request. A default that changed,
came or went is breaking, since it is always sent: adopted in silence, it would give every request that leaves the
field out another fingerprint, and buy it again. Rules between fields are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kiejobs.core.fingerprint import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json

    Form = Mapping[str, Any]
    Listed = dict[bytes, Json]

ABSENT: Final = object()
"""What a keyword is that is not there; null is a value."""

_AT_LEAST = ("minLength", "minimum", "exclusiveMinimum", "minItems")
_AT_MOST = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_OTHERS = ("format", "pattern", "uniqueItems", "multipleOf", "deprecated", "unevaluatedProperties")
_WORDS = {"title", "description", "examples", "$comment", "x-kiejobs-note", "x-kiejobs-hint"}


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One difference. `field` is a path like `shots[].prompt`, empty for the model itself.

    `kind` names the keyword, or is one of: field, values (some of an enum), file_types (some of
    media_types), choices (of forms). `was` and `now` are its values, ABSENT where there is none. `kept`: the page
    differs from a field with a source of its own, which an import leaves as it is.
    """

    field: str
    kind: str
    breaking: bool
    was: Json = ABSENT
    now: Json = ABSENT
    kept: bool = False


def model_changes(was: Form, now: Form) -> list[ModelChange]:
    """All of them; none where the two say the same of a request."""
    inputs = (schema["properties"]["input"] for schema in (was, now))
    outputs = [schema.get("x-kiejobs-output", {}) for schema in (was, now)]
    formats = [*_keyword("", "media_type", *outputs), *_keyword("", "extension", *outputs)]
    return [*_fields("", *inputs), *formats, *_keyword("", "x-kiejobs-retired", was, now)]


def _fields(path: str, was: Form, now: Form) -> Iterator[ModelChange]:
    before, after = was.get("properties", {}), now.get("properties", {})
    required = [frozenset(schema.get("required", ())) for schema in (was, now)]
    for name in [*before, *(name for name in after if name not in before)]:
        at = f"{path}.{name}" if path else name
        if name not in after:
            yield ModelChange(at, "field", breaking=True, was=True)
            continue
        field, needed = after[name], name in required[1]
        if name not in before:
            default = {"default": field["default"]} if "default" in field else {}
            new = {"required": needed, **default}
            yield ModelChange(at, "field", breaking=needed or bool(default), now=new)
            continue
        if needed != (name in required[0]):
            breaking = needed and "default" not in field
            yield ModelChange(at, "required", breaking=breaking, was=not needed, now=needed)
        yield from field_changes(at, before[name], field)


def field_changes(at: str, was: Form, now: Form) -> Iterator[ModelChange]:
    """Those of one field, and of what is within it."""
    yield from _keyword(at, "default", was, now)
    before, after = was.get("type", ABSENT), now.get("type", ABSENT)
    if before != after:
        # No type at all would let more through, but nothing would be read as text or number any more.
        wider = (before, after) == ("integer", "number")
        yield ModelChange(at, "type", breaking=not wider, was=before, now=after)
        if not wider:
            return
    yield from _list(at, "values", "enum", _listed(was), _listed(now))
    for kind in (*_AT_LEAST, *_AT_MOST, *_OTHERS):
        yield from _keyword(at, kind, was, now)
    for kind in ("anyOf", "oneOf", "additionalProperties"):
        # Which of two forms is tighter is unknown, so any change breaks.
        if _token(_bare(was.get(kind))) != _token(_bare(now.get(kind))):
            yield ModelChange(at, "choices", breaking=True)
    files = [schema.get("x-kiejobs-file", {}) for schema in (was, now)]
    # A rule that names no type takes any.
    types = [_by_token(sorted(set(rule.get("media_types", ())))) or None for rule in files]
    yield from _list(at, "file_types", "media_types", *types)
    yield from _keyword(at, "max_bytes", *files)
    if "properties" in was or "properties" in now:
        yield from _fields(at, was, now)
    if "items" in was or "items" in now:
        yield from field_changes(f"{at}[]", was.get("items", {}), now.get("items", {}))


def _keyword(at: str, kind: str, was: Form, now: Form) -> Iterator[ModelChange]:
    before, after = was.get(kind, ABSENT), now.get(kind, ABSENT)
    if _token(before) != _token(after):
        breaking = _breaks(kind, was.get(kind), now.get(kind))
        yield ModelChange(at, kind, breaking=breaking, was=before, now=after)


def _breaks(kind: str, was: Any, now: Any) -> bool:
    """Of two values that differ; None is a keyword that is not there."""
    # Another extension gives files another name, a file of another type looks damaged.
    if kind in {"default", "media_type", "extension"}:
        return True
    if kind == "unevaluatedProperties":
        return now is False
    if kind == "deprecated" or now is None or now is False:
        return False
    if was is None or kind in {"format", "pattern", "uniqueItems"}:
        return True
    if kind == "multipleOf":  # are there numbers that the old step takes and the new one does not?
        return bool(round(was / now, 9) % 1)
    return bool(now > was if kind in _AT_LEAST else now < was)


def _list(at: str, some: str, whole: str, was: Listed | None, now: Listed | None) -> Iterator[ModelChange]:
    """By what went and what came; None takes anything."""
    if was is not None and now is not None:
        gone = [value for token, value in was.items() if token not in now]
        come = [value for token, value in now.items() if token not in was]
        if gone:
            yield ModelChange(at, some, breaking=True, was=gone)
        if come:
            yield ModelChange(at, some, breaking=False, now=come)
    elif was is not None or now is not None:
        old, new = (ABSENT if one is None else list(one.values()) for one in (was, now))
        yield ModelChange(at, whole, breaking=now is not None, was=old, now=new)


def _listed(field: Form) -> Listed | None:
    """Enumerations; a `const` is one value."""
    if "const" in field:
        return _by_token([field["const"]])
    return _by_token(field["enum"]) if "enum" in field else None


def _by_token(values: Sequence[Json]) -> Listed:
    return {_token(value): value for value in values}


def _token(value: Json) -> bytes:
    """Equal for what JSON Form takes for equal: 5 and 5.0, but not 5 and "5"."""
    return b"" if value is ABSENT else canonical(value)


def _bare(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if key not in _WORDS}
    return [_bare(item) for item in value] if isinstance(value, list) else value
