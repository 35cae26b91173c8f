"""A model's whole schema in our form, from the request that a page describes.

In: a `Request`, the page's digest, a date. Out: the schema as schemas/models holds it, and notes on
what had to be decided. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiejobs.core.vendor_openapi import Request

_KEPT = (
    "type", "enum", "default", "minLength", "maxLength", "minimum", "maximum", "multipleOf",
    "minItems", "maxItems", "items", "format",
)  # fmt: skip


def model_schema(request: Request, digest: str, imported: str) -> tuple[dict[str, Any], list[str]]:
    """The schema, and notes."""
    given = request.input.get("properties", {})
    fields = {
        name: {key: field[key] for key in _KEPT if key in field} for name, field in given.items()
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kiejobs:model:{request.model}",
        "title": request.model,
        "description": f"The createTask request of {request.model}.",
        "type": "object",
        "required": ["model", "input"],
        "properties": {
            "model": {"type": "string", "enum": [request.model], "default": request.model},
            "callBackUrl": {"type": "string", "format": "uri"},
            "input": {
                "type": "object",
                "required": [name for name in request.input.get("required", ()) if name in fields],
                "properties": fields,
                "unevaluatedProperties": False,
            },
        },
        "unevaluatedProperties": False,
        "x-kiejobs-source": [{"page": request.model, "sha256": digest, "date": imported}],
    }
    return schema, list(request.notes)
