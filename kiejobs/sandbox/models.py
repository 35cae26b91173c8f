"""What the imitated service knows of a model: what it refuses, fills in, charges and produces.

In: a model's JSON Schema (`{model, callBackUrl, input}`), as data. Out: `Model`. Touches nothing.

This is the service's side on purpose: it reads the schema on its own, with nothing shared with what
kiejobs checks before it sends, so that the two can disagree and a test can see it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema.exceptions import ValidationError

    from kiejobs.core.types import Json

_TOO_LONG = "The text length cannot exceed the maximum limit"
_OUT_OF_RANGE = "Value must be within the specified range"
_EMPTY = "This field is required"

_TEXTS = {
    "enum": "{} is not within the range of allowed options",
    "const": "{} is not within the range of allowed options",
    "maxLength": _TOO_LONG,
    "minLength": _EMPTY,
    "type": _EMPTY,  # no text was ever seen for a wrong type; this one is the vaguest of theirs
    "minItems": _EMPTY,
}
_CLOSING = ("unevaluatedProperties", "additionalProperties")


@dataclass(frozen=True, slots=True)
class Model:
    """One model on offer."""

    name: str
    schema: Mapping[str, Any]

    @property
    def _fields(self) -> Mapping[str, Mapping[str, Any]]:
        fields: Mapping[str, Mapping[str, Any]] = self.schema["properties"]["input"]["properties"]
        return fields

    @property
    def media_type(self) -> str:
        return str(self.schema.get("x-kiejobs-output", {}).get("media_type", "video/mp4"))

    @property
    def extension(self) -> str:
        return str(self.schema.get("x-kiejobs-output", {}).get("extension", ".mp4"))

    def problem(self, request_input: Json) -> str | None:
        """The first thing that is wrong with it, in the schema's order and the service's words.

        One problem a reply, and unknown fields are passed over in silence (observed).
        """
        if not isinstance(request_input, dict):
            return "input is required"
        known = {name: request_input[name] for name in self._fields if name in request_input}
        required = self.schema["properties"]["input"].get("required", ())
        for name in self._fields:
            said = self._field_problem(name, known, required=name in required)
            if said is not None:
                return said
        return self._whole_problem(known)

    def _field_problem(self, name: str, known: Mapping[str, Json], *, required: bool) -> str | None:
        if name not in known:
            return f"{name} is required" if required else None
        if known[name] is None or known[name] == "":
            return _EMPTY if required else None
        validator: Any = Draft202012Validator(self.schema)
        validator = validator.evolve(schema=self._fields[name])
        return _said(name, next(iter(validator.iter_errors(known[name])), None))

    def _whole_problem(self, known: Mapping[str, Json]) -> str | None:
        """What only several fields together get wrong (conditionals, dependencies)."""
        request = {"model": self.name, "input": known}
        errors = Draft202012Validator(self.schema).iter_errors(request)
        return _said("input", next((e for e in errors if _counts(e, known)), None))

    def filled(self, request_input: Mapping[str, Json]) -> dict[str, Json]:
        """The input as the service keeps it: known fields, and defaults where they were left out.

        A boolean without a default is kept as false (observed with `nsfw_checker`).
        """
        kept: dict[str, Json] = {}
        for name, field in self._fields.items():
            if name in request_input:
                kept[name] = request_input[name]
            elif "default" in field or field.get("type") == "boolean":
                kept[name] = field.get("default", False)
        return kept

    def credits_for(self, request_input: Mapping[str, Json]) -> Decimal:
        """The list price in credits; 0 where the schema has no line for the request."""
        price = self.schema.get("x-kiejobs-price", {})
        kept = self.filled(request_input)
        for line in price.get("credits", ()):
            if all(str(kept.get(name)) == str(value) for name, value in line["when"].items()):
                per = Decimal(str(kept.get("duration", 1))) if price["unit"] == "second" else 1
                return Decimal(line["credits"]) * per
        return Decimal(0)


def _counts(error: ValidationError, known: Mapping[str, Json]) -> bool:
    """Not for a closed schema, and not for an optional field that is null or empty."""
    field = error.absolute_path[1] if len(error.absolute_path) > 1 else None
    return error.validator not in _CLOSING and known.get(str(field), True) not in (None, "")


def _said(name: str, error: ValidationError | None) -> str | None:
    if error is None:
        return None
    return _TEXTS.get(str(error.validator), _OUT_OF_RANGE).format(name)


def shuffled(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The same fields in another order, as a hash map gives them back (observed in `param`)."""
    names = sorted(fields, key=lambda name: hashlib.sha256(name.encode()).digest())
    if names == list(fields):
        names.reverse()
    return {name: fields[name] for name in names}
