"""A model's whole schema in our form, from the request that a page describes.

In: a `Request`, the page's digest, a date. Out: the schema as schemas/models holds it, and notes on
what had to be decided. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiejobs.core.models.descriptions import model_description, model_title
from kiejobs.importer.fields.branches import one_shape
from kiejobs.importer.fields.examples import against_examples
from kiejobs.importer.fields.field import FieldContext, fields_of
from kiejobs.importer.fields.output import output_of

if TYPE_CHECKING:
    from kiejobs.importer.reading.openapi import ApiRequest

Schema = dict[str, Any]

MOST_NOTES = 200


class NoModel(Exception):
    """The request can't be said in our form; the message says why."""


def model_schema(request: ApiRequest, digest: str, imported: str) -> tuple[Schema, list[str]]:
    """The schema, and notes. Raises NoModel."""
    notes = list(request.notes)
    node, rules = one_shape(request.input, notes.append)
    around = FieldContext(request.examples, request.prose, notes.append)
    fields, required = fields_of(node, around)
    if not fields:
        raise NoModel("its `input` has no fields")
    output, guess = output_of(request, fields)
    notes += [guess] if guess else []
    schema = _whole(request, _input(fields, required, rules), output)
    schema["x-kiejobs-source"] = [_source(request, digest, imported)]
    notes += against_examples(schema, request.examples)
    return schema, [" ".join(text.split())[:400] for text in dict.fromkeys(notes)][:MOST_NOTES]


def _input(fields: Schema, required: list[str], rules: list[Schema]) -> Schema:
    form: Schema = {"title": "Input", "description": "What to generate.", "type": "object"}
    form["required"] = required
    form["properties"] = fields
    if rules:
        form["allOf"] = rules
    form["unevaluatedProperties"] = False
    return form


def _whole(request: ApiRequest, form: Schema, output: Schema) -> Schema:
    model = request.model
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kiejobs:model:{model}",
        "title": model_title(model),
        "description": model_description(model, output["media_type"]),
        "type": "object",
        "required": ["model", "input"],
        "properties": {
            "model": {
                "title": "Model",
                "description": "Names the model; this request takes no other.",
                "type": "string",
                "enum": [model],
                "default": model,
            },
            "callBackUrl": {
                "title": "Callback address",
                "description": "Where the API posts the outcome once the task is over. Without it "
                "there is only polling.",
                "type": "string",
                "format": "uri",
            },
            "input": form,
        },
        "unevaluatedProperties": False,
        "x-kiejobs-output": output,
    }


def _source(request: ApiRequest, digest: str, imported: str) -> Schema:
    form = f"OpenAPI {request.version}" if request.version else "headings and tables"
    return {
        "facts": "fields, enums, defaults, limits, file types and sizes",
        "page": f"the vendor's page for {request.model} ({form})",
        "sha256": digest,
        "date": imported,
    }
