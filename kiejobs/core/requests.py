"""Does a request obey its model's schema? Asked once per distinct value, not once per job.

In: a Spec and inputs as they would be sent. Out: `SchemaProblem`s. Touches nothing.

Much cheaper than the whole schema per job, since values repeat in a matrix. That is exact only
where the schema speaks of one field at a time, so a schema with any keyword across fields (`if`,
`allOf`, `dependentRequired`, ...) is checked whole for each distinct request.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.identity import canonical
from kiejobs.core.schema_errors import SchemaProblem, in_words
from kiejobs.core.schema_words import FORMATS, nearest, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.core.spec import Spec
    from kiejobs.core.types import Json

_ONE_FIELD_AT_A_TIME = {
    "type", "properties", "required", "unevaluatedProperties", "additionalProperties",
    "title", "description", "examples", "default", "$comment", "deprecated",
}  # fmt: skip

_REMEMBERED = 50_000
_SHORT = 64


class RequestChecker:
    """Checks the inputs of one model and remembers the verdict on each distinct value."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._whole = _validator(spec.input_schema)
        self._fields = {name: _validator(field) for name, field in spec.fields.items()}
        self._by_field = _speaks_of_one_field_at_a_time(spec.input_schema)
        self._known: dict[tuple[str, str | bytes], tuple[SchemaProblem, ...]] = {}

    def problems(self, request_input: Mapping[str, Json]) -> list[SchemaProblem]:
        """All that is wrong with `request_input`, paths relative to it."""
        if self._by_field:
            return self._field_by_field(request_input)
        found = self._remember("", dict(request_input), self._whole)
        return [self._unknown(str(p.path[0])) if _is_field(p) else p for p in found]

    def _field_by_field(self, request_input: Mapping[str, Json]) -> list[SchemaProblem]:
        unknown = [name for name in request_input if name not in self._fields]
        found = self._missing(request_input, unknown)
        for name, value in request_input.items():
            if name in self._fields:
                found.extend(self._remember(name, value, self._fields[name]))
        return [*found, *map(self._unknown, unknown)]

    def _missing(
        self, request_input: Mapping[str, Json], unknown: Sequence[str]
    ) -> list[SchemaProblem]:
        """Required fields that are not there; one that was only misspelt is told as unknown."""
        meant = {nearest(name, self._fields) for name in unknown}
        return [
            SchemaProblem(
                (), "required", f"`{name}` is missing: {self.spec.model} needs it", at_key=True
            )
            for name in self.spec.required
            if name not in request_input and name not in meant
        ]

    def _unknown(self, name: str) -> SchemaProblem:
        fields = ", ".join(self.spec.fields)
        hint = suggest(name, self.spec.fields) or f"its fields: {fields}"
        message = (
            f"`{name}` is not a field of {self.spec.model}; the API would ignore it and charge"
        )
        return SchemaProblem((name,), "unknown", message, hint, at_key=True)

    def _remember(
        self, name: str, value: Json, validator: Draft202012Validator
    ) -> tuple[SchemaProblem, ...]:
        key = (name, _token(value))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = tuple(_problems(name, value, validator))
        return known


def _is_field(problem: SchemaProblem) -> bool:
    """Is it about an unknown field of the input itself?"""
    return problem.keyword == "unknown" and len(problem.path) == 1


def _problems(name: str, value: Json, validator: Draft202012Validator) -> list[SchemaProblem]:
    errors = list(validator.iter_errors(value))
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    found: list[SchemaProblem] = []
    for error in errors:
        if error.validator != "type" and tuple(error.absolute_path) in mistyped:
            continue  # of the wrong type, so none of the values that are listed either
        if name:
            error.path.appendleft(name)
        found.extend(in_words(error))
    return found


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(dict(schema), format_checker=FORMATS)


def _speaks_of_one_field_at_a_time(schema: Mapping[str, Any]) -> bool:
    closed = False in (schema.get("unevaluatedProperties"), schema.get("additionalProperties"))
    return closed and all(
        keyword in _ONE_FIELD_AT_A_TIME or keyword.startswith("x-") for keyword in schema
    )


def _token(value: Json) -> str | bytes:
    """What stands for a value in memory: equal for equal values, short even for a long prompt."""
    if isinstance(value, str) and len(value) <= _SHORT:
        return value
    try:
        whole = canonical(value)
    except ValueError:
        whole = repr(value).encode(errors="surrogatepass")
    return whole if len(whole) <= _SHORT else hashlib.sha256(whole).digest()
