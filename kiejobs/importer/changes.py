"""What differs between two schemas of one model, and whether it breaks what people have written.

In: the schema in use and a newer one, both in our form. Out: `ModelChange`s in the order of the fields.
Touches nothing.

Breaking is what makes a job file that is valid today be refused, or come to another request. Defaults
are always sent, so a default that changed, came or went is breaking: adopted in silence, it would give
every request that leaves the field out another fingerprint, and buy it again. Rules between fields and
wording are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kiejobs.core.fingerprint import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.document.nodes import Json

    Schema = Mapping[str, Any]

ABSENT: Final = object()
"""What a keyword is that is not there; null is a value."""

_LIMITS = {
    **dict.fromkeys(("minLength", "minimum", "exclusiveMinimum", "minItems"), 1),
    **dict.fromkeys(("maxLength", "maximum", "exclusiveMaximum", "maxItems"), -1),
}
"""1 for a lower bound, of which more is tighter."""

_STRICTER_WITH = ("format", "pattern", "uniqueItems")
_CLOSING = "unevaluatedProperties"
_WORDS = {"title", "description", "examples", "$comment", "x-kiejobs-note", "x-kiejobs-hint"}


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One difference. `field` is a path like `shots[].prompt`, empty for the model as a whole.

    `kind` names the keyword, or is one of: field, values (some of an enum), file_types (some of
    media_types), choices (of forms). `was` and `now` are its values, ABSENT where there is none.
    """

    field: str
    kind: str
    breaking: bool
    was: Json = ABSENT
    now: Json = ABSENT

    @property
    def changes_requests(self) -> bool:
        """Does a job file that leaves the field out come to another request?"""
        is_new = self.kind == "field" and isinstance(self.now, dict)
        return self.kind == "default" or (is_new and "default" in self.now)


def model_changes(was: Schema, now: Schema) -> list[ModelChange]:
    """All of them; none where the two say the same of a request."""
    inputs = (schema["properties"]["input"] for schema in (was, now))
    return [*_fields("", *inputs), *_output(was, now)]


def _output(was: Schema, now: Schema) -> Iterator[ModelChange]:
    """Another extension gives files another name, and a file of another type looks damaged."""
    outputs = [schema.get("x-kiejobs-output", {}) for schema in (was, now)]
    for kind in ("media_type", "extension"):
        yield from _keyword("", kind, *outputs, breaking=True)


# --- objects ---------------------------------------------------------------------------------------


def _fields(path: str, was: Schema, now: Schema) -> Iterator[ModelChange]:
    before, after = was.get("properties", {}), now.get("properties", {})
    needed = [frozenset(schema.get("required", ())) for schema in (was, now)]
    for name in [*before, *(name for name in after if name not in before)]:
        at = f"{path}.{name}" if path else name
        if name not in after:
            yield ModelChange(at, "field", breaking=True, was=True)
        elif name not in before:
            yield _new_field(at, after[name], needed=name in needed[1])
        else:
            yield from _required(at, after[name], name in needed[0], name in needed[1])
            yield from _field(at, before[name], after[name])


def _new_field(at: str, field: Schema, *, needed: bool) -> ModelChange:
    """One with a default is sent from now on; one that is needed and has none must be written."""
    default = {"default": field["default"]} if "default" in field else {}
    breaking = needed or bool(default)
    return ModelChange(at, "field", breaking=breaking, now={"required": needed, **default})


def _required(at: str, now: Schema, was_needed: bool, is_needed: bool) -> Iterator[ModelChange]:  # noqa: FBT001
    if was_needed != is_needed:
        breaking = is_needed and "default" not in now
        yield ModelChange(at, "required", breaking=breaking, was=was_needed, now=is_needed)


# --- one field -------------------------------------------------------------------------------------


def _field(at: str, was: Schema, now: Schema) -> Iterator[ModelChange]:
    yield from _keyword(at, "default", was, now, breaking=True)
    before, after = was.get("type", ABSENT), now.get("type", ABSENT)
    if before != after:
        # No type at all would let more through, but nothing would be read as text or number any more.
        wider = (before, after) == ("integer", "number")
        yield ModelChange(at, "type", breaking=not wider, was=before, now=after)
        if not wider:
            return
    yield from _values(at, was, now)
    for kind, sign in _LIMITS.items():
        yield from _limit(at, kind, was, now, sign)
    for kind in _STRICTER_WITH:
        yield from _keyword(at, kind, was, now, breaking=now.get(kind, False) is not False)
    yield from _keyword(at, "multipleOf", was, now, breaking=_is_coarser(was, now))
    yield from _keyword(at, "deprecated", was, now, breaking=False)
    yield from _keyword(at, _CLOSING, was, now, breaking=now.get(_CLOSING) is False)
    yield from _choices(at, was, now)
    yield from _file(at, was.get("x-kiejobs-file", {}), now.get("x-kiejobs-file", {}))
    if "properties" in was or "properties" in now:
        yield from _fields(at, was, now)
    if "items" in was or "items" in now:
        yield from _field(f"{at}[]", was.get("items", {}), now.get("items", {}))


def _keyword(
    at: str, kind: str, was: Schema, now: Schema, *, breaking: bool
) -> Iterator[ModelChange]:
    before, after = was.get(kind, ABSENT), now.get(kind, ABSENT)
    if _token(before) != _token(after):
        yield ModelChange(at, kind, breaking=breaking, was=before, now=after)


def _limit(at: str, kind: str, was: Schema, now: Schema, sign: int) -> Iterator[ModelChange]:
    before, after = was.get(kind), now.get(kind)
    tighter = after is not None and (before is None or (after - before) * sign > 0)
    yield from _keyword(at, kind, was, now, breaking=tighter)


def _is_coarser(was: Schema, now: Schema) -> bool:
    """Are there numbers that the old step takes and the new one does not?"""
    before, after = was.get("multipleOf"), now.get("multipleOf")
    if after is None:
        return False
    return before is None or round(before / after, 9) % 1 != 0


def _values(at: str, was: Schema, now: Schema) -> Iterator[ModelChange]:
    """Enumerations, by what went and what came; a `const` is one value."""
    before, after = _listed(was), _listed(now)
    if before is None and after is None:
        return
    if before is None or after is None:
        old, new = (ABSENT if one is None else list(one.values()) for one in (before, after))
        yield ModelChange(at, "enum", breaking=after is not None, was=old, now=new)
        return
    gone = [value for token, value in before.items() if token not in after]
    come = [value for token, value in after.items() if token not in before]
    yield from _gone_and_come(at, "values", gone, come)


def _gone_and_come(at: str, kind: str, gone: list[Json], come: list[Json]) -> Iterator[ModelChange]:
    if gone:
        yield ModelChange(at, kind, breaking=True, was=gone)
    if come:
        yield ModelChange(at, kind, breaking=False, now=come)


def _listed(field: Schema) -> dict[bytes, Json] | None:
    if "const" in field:
        return {_token(field["const"]): field["const"]}
    return {_token(value): value for value in field["enum"]} if "enum" in field else None


def _choices(at: str, was: Schema, now: Schema) -> Iterator[ModelChange]:
    """Forms that a value may have. Which of them is tighter is unknown, so any change breaks."""
    for kind in ("anyOf", "oneOf", "additionalProperties"):
        if _token(_bare(was.get(kind))) != _token(_bare(now.get(kind))):
            yield ModelChange(at, "choices", breaking=True)


def _file(at: str, was: Schema, now: Schema) -> Iterator[ModelChange]:
    """What kind of file a URL leads to; a rule that names no type takes any."""
    before, after = (frozenset(rule.get("media_types", ())) for rule in (was, now))
    gone, come = sorted(before - after), sorted(after - before)
    if before and after:
        yield from _gone_and_come(at, "file_types", gone, come)
    elif before or after:
        was_types, now_types = gone or ABSENT, come or ABSENT
        yield ModelChange(at, "media_types", breaking=bool(after), was=was_types, now=now_types)
    yield from _limit(at, "max_bytes", was, now, -1)


# --- comparing -------------------------------------------------------------------------------------


def _token(value: Json) -> bytes:
    """Equal for what JSON Schema takes for equal: 5 and 5.0, but not 5 and "5"."""
    return b"" if value is ABSENT else canonical(value)


def _bare(value: Json) -> Json:
    """Without wording."""
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if key not in _WORDS}
    return [_bare(item) for item in value] if isinstance(value, list) else value
