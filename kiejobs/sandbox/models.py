"""What the imitated service knows of a model: what it refuses, fills in, produces and charges.

In: a model's JSON Schema (`{model, callBackUrl, input}`) and the table of prices, as data. Out: `Model`,
credits. Touches nothing.

This is the service's side on purpose: it reads schema and prices on its own, with nothing shared with
what kiejobs checks and prices before it sends, so that the two can disagree and a test can see it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema.exceptions import ValidationError

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.prices.table import ModelPrice, PriceLine

UNLISTED = Decimal(10)
"""What a task costs that the table of prices has no price for."""

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
_MISSING = re.compile(r"'(.*)' is a required property|'(.*)' is a dependency of '.*'")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
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

    def output(self, request_input: Mapping[str, Json]) -> tuple[str, str]:
        """Media type and extension of a request's files: the model's, or those that a field asks for."""
        kind = self.schema.get("x-kiejobs-output", {})
        wanted = self.filled(request_input).get(kind.get("by"))
        asked = kind.get("forms", {}).get(wanted, {}) if isinstance(wanted, str) else {}
        form = {"media_type": "video/mp4", "extension": ".mp4", **kind, **asked}
        return form["media_type"], form["extension"]

    def problem(self, request_input: Json) -> str | None:
        """The first thing that is wrong with it, in the schema's order and the service's words.

        One problem a reply, and unknown fields are passed over in silence (observed).
        """
        if not isinstance(request_input, dict):
            return "input is required"
        known = {name: request_input[name] for name in self._fields if name in request_input}
        required = self.schema["properties"]["input"].get("required", ())
        for name in self._fields:
            problem = self._field_problem(name, known, required=name in required)
            if problem is not None:
                return problem
        return self._request_problem(known)

    def _field_problem(self, name: str, known: Mapping[str, Json], *, required: bool) -> str | None:
        if name not in known:
            return f"{name} is required" if required else None
        if known[name] is None or known[name] == "":
            return _EMPTY if required else None
        validator: Any = Draft202012Validator(self.schema)
        validator = validator.evolve(schema=self._fields[name])
        error = next(iter(validator.iter_errors(known[name])), None)
        return None if error is None else _said(name, error)

    def _request_problem(self, known: Mapping[str, Json]) -> str | None:
        """What only several fields together get wrong (conditionals, dependencies).

        An optional field that is null or empty is none, and one that is left out has its default.
        """
        fields: dict[str, Json] = {}
        for name, field in self._fields.items():
            if known.get(name) not in (None, ""):
                fields[name] = known[name]
            elif "default" in field:
                fields[name] = field["default"]
        request = {"model": self.name, "input": fields}
        for error in Draft202012Validator(self.schema).iter_errors(request):
            if error.validator not in _CLOSING:
                return _of_several(error)
        return None

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


def _of_several(error: ValidationError) -> str:
    """Which field the service would name is not known; here it is the one that is to blame."""
    while error.context:
        error = error.context[0]
    missing = _MISSING.fullmatch(error.message)
    if missing is not None:
        return f"{missing[1] or missing[2]} is required"
    path = [step for step in error.absolute_path if isinstance(step, str)]
    return _said(path[1] if len(path) > 1 else "input", error)


def _said(name: str, error: ValidationError) -> str:
    return _TEXTS.get(str(error.validator), _OUT_OF_RANGE).format(name)


def credits_for(price: ModelPrice | None, kept: Mapping[str, Json]) -> Decimal:
    """What a request costs whose input the service keeps like this."""
    if price is None:
        return UNLISTED
    for line in price.lines:
        if _is_about(line, kept):
            if price.quantity is None:
                return line.credits
            units = _units(kept.get(price.quantity), price.unit)
            return UNLISTED if units is None else line.credits * max(units, price.minimum or units)
    return UNLISTED


def _is_about(line: PriceLine, kept: Mapping[str, Json]) -> bool:
    for name, wanted in line.when.items():
        if _listed(kept.get(name)) != wanted:
            return False
    for name, there in line.given.items():
        if there != (kept.get(name) not in (None, "", [], {})):
            return False
    return True


def _units(value: Json, unit: str) -> Decimal | None:
    if unit == "1000 characters":
        return Decimal(len(value)) / 1000 if isinstance(value, str) else None
    written = _listed(value)
    is_number = written is not None and _NUMBER.fullmatch(written)
    return Decimal(written) if is_number and written is not None else None


def _listed(value: Json) -> str | None:
    """A value as the list of prices writes it, which has no quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int | float) else None


def shuffled(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The same fields in another order, as a hash map gives them back (observed in `param`)."""
    pairs = sorted(fields.items(), key=lambda pair: hashlib.sha256(pair[0].encode()).digest())
    if pairs == list(fields.items()):
        pairs.reverse()
    return dict(pairs)
