"""What we know of one model: its request's schema and limits.

In: a model's JSON Schema as data (schemas/models/<vendor>/<model>.json). Out: `Spec`, and what can
be asked of it: coerce a value, complete an input. No code here names a model or a field:
adding a model is adding a file. Touches nothing.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.scalars import MAX_EXACT_INT
from kiejobs.core.fingerprint import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Spec:
    """One model. `fields` in the schema's order, which is the order they are sent in.

    `defaults` are the schema's `default` keywords: they are always sent, so that the vendor changing
    a default never changes what a job file means.

    Files are named with `extension`, unless the field `output_by` asks for one of `extensions`.
    """

    model: str
    schema: Mapping[str, Any]
    fields: Mapping[str, Mapping[str, Any]]
    required: tuple[str, ...]
    defaults: Mapping[str, Json]
    media_type: str
    extension: str
    digest: str
    output_by: str | None
    extensions: Mapping[str, str]

    @property
    def input_schema(self) -> Mapping[str, Any]:
        schema: Mapping[str, Any] = self.schema["properties"]["input"]
        return schema


def read_spec(schema: Mapping[str, Any]) -> Spec:
    """A model's schema as a Spec. Raises KeyError or ValueError where the schema lacks its form."""
    request = schema["properties"]
    fields = request["input"]["properties"]
    output = schema.get("x-kiejobs-output", {})
    return Spec(
        model=_model_of(request["model"]),
        schema=schema,
        fields=fields,
        required=tuple(request["input"].get("required", ())),
        defaults={name: field["default"] for name, field in fields.items() if "default" in field},
        media_type=output.get("media_type", "application/octet-stream"),
        extension=output.get("extension", ".bin"),
        digest=hashlib.sha256(canonical(schema)).hexdigest(),
        output_by=output.get("by"),
        extensions={value: form["extension"] for value, form in output.get("forms", {}).items()},
    )


def extension_of(spec: Spec, request_input: Mapping[str, Json]) -> str:
    """How the file of one request is named; a field of the model may ask for another format."""
    wanted = request_input.get(spec.output_by) if spec.output_by else None
    return (
        spec.extensions.get(wanted, spec.extension) if isinstance(wanted, str) else spec.extension
    )


def complete(spec: Spec, request_input: Mapping[str, Json]) -> dict[str, Json]:
    """Coerced, with defaults, in the schema's order; fields that the schema lacks come last."""
    done: dict[str, Json] = {}
    for name, field in spec.fields.items():
        if name in request_input:
            done[name] = coerce(field, request_input[name])
        elif name in spec.defaults:
            done[name] = spec.defaults[name]
    done.update((name, value) for name, value in request_input.items() if name not in done)
    return done


def coerce(schema: Mapping[str, Any], value: Json) -> Json:
    """The value in the type that the schema wants, where there is exactly one way to read it so.

    `5` becomes `"5"` for a string, `"5"` becomes `5` for an integer, `"true"` becomes `True` for a
    boolean. Anything else is handed back as it is, for the schema to refuse.
    """
    if schema.get("type") == "array" and isinstance(value, list):
        return [coerce(schema.get("items", {}), item) for item in value]
    if schema.get("type") == "object" and isinstance(value, dict):
        fields = schema.get("properties", {})
        return {key: coerce(fields.get(key, {}), item) for key, item in value.items()}
    read = _READINGS.get(str(schema.get("type")))
    return value if read is None else read(value)


def _to_string(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return value
    return canonical(value).decode()


def _to_integer(value: Json) -> Json:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_INT:
        return int(value)
    return value


def _to_number(value: Json) -> Json:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        text = value.strip()
        number = int(text) if _INTEGER.fullmatch(text) else float(text)
        return number if math.isfinite(number) else value
    return value


def _to_boolean(value: Json) -> Json:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    return value


_READINGS = {
    "string": _to_string,
    "integer": _to_integer,
    "number": _to_number,
    "boolean": _to_boolean,
}


def _model_of(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return str(schema["const"])
    return str(schema["enum"][0])
