"""The job file's schema as an editor wants it, grown from the schemas of the models.

In: the hand-written schema of a job file (schemas/jobfile.structure.json, which checks a job file's
structure at run time), and the request schema of each model under its id. Out: one self-contained
schema which offers the `input` fields of the chosen model as well. Touches nothing.

Whatever is generated carries `GENERATED` as its `$comment`.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from kiejobs.importer.editor_schema.relaxed import input_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.importer.editor_schema.relaxed import Schema

GENERATED = "Generated from schemas/models by tests/docs/regenerate.py: edit the models, not this."


def editor_schema(base: Mapping[str, Any], models: Mapping[str, Schema]) -> Schema:
    """The whole schema: `base`, and what `models` add to it. `base` needs `$defs/job` and `$defs/model_id`."""
    schema = deepcopy(dict(base))
    slugs = {model: _slug(model) for model in sorted(models)}
    inputs = {slug: input_schema(models[model]) for model, slug in slugs.items()}
    definitions = schema["$defs"]
    definitions["model_id"]["anyOf"] = [_marked({"enum": list(slugs)}), _marked({})]
    definitions["job"]["allOf"] = [_when_the_job_says(*pair) for pair in slugs.items()]
    schema["allOf"] = [_model_somewhere(), *(_when_defaults_say(*p) for p in slugs.items())]
    definitions["models"] = _marked({"$defs": inputs})
    return schema


def _marked(schema: Schema) -> Schema:
    return {"$comment": GENERATED, **schema}


# --- which model, which fields -------------------------------------------------------------------


def _slug(model: str) -> str:
    """A name for `$defs` without the slash, which JSON pointers would need escaped."""
    return model.replace("/", ".")


def _when_the_job_says(model: str, slug: str) -> Schema:
    return _marked({"if": _names(model), "then": _fields_of(slug)})


def _when_defaults_say(model: str, slug: str) -> Schema:
    """Jobs without a model of their own are of the model in `defaults`."""
    inheriting = {"if": {"required": ["model"]}, "else": _fields_of(slug)}
    return _marked(
        {
            "if": {"required": ["defaults"], "properties": {"defaults": _names(model)}},
            "then": {"properties": {"jobs": {"additionalProperties": inheriting}}},
        }
    )


def _model_somewhere() -> Schema:
    """An editor should say at once that a job has no model; kiejobs itself says it with more."""
    named = {"required": ["model"]}
    return _marked(
        {
            "if": {"required": ["defaults"], "properties": {"defaults": named}},
            "else": {"properties": {"jobs": {"additionalProperties": named}}},
        }
    )


def _names(model: str) -> Schema:
    return {"required": ["model"], "properties": {"model": {"const": model}}}


def _fields_of(slug: str) -> Schema:
    """What a job of this model may hold. Axes named like a field are offered its values, no more:
    whether a value fits is known once it is coerced.
    """
    at = f"#/$defs/models/$defs/{slug}"
    return {"properties": {"input": {"$ref": at}, "matrix": {"$ref": f"{at}/$defs/matrix"}}}
