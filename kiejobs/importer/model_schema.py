"""A model's schema in our form, from the request that a page describes; and over the one that is there.

In: an `ApiRequest`, the page's digest, a date. Out: the schema as schemas/models holds it, and notes on
what had to be decided. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiejobs.core.models.descriptions import field_description, model_description, model_title
from kiejobs.importer.fields.examples import against_examples
from kiejobs.importer.fields.field import FieldContext, fields_of
from kiejobs.importer.fields.output import output_of
from kiejobs.importer.fields.shapes import one_shape

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


_FIELD_KEYS = ("title", "description")


def merged(made: Schema, there: Schema) -> tuple[Schema, list[str]]:
    """The schema, equal to `there` where nothing is new, and notes. Neither argument is changed."""
    notes: list[str] = []
    whole = {
        **_kept_words(made, there, _whole_description(there)),
        "properties": dict(made["properties"]),
    }
    for name, form in _mapping(there.get("properties")).items():
        if name in whole["properties"] and name != "input":
            whole["properties"][name] = _field(made["properties"][name], form)
    whole["properties"]["input"] = _merged_input(
        made["properties"]["input"], _mapping(_mapping(there.get("properties")).get("input")), notes
    )
    whole |= {key: value for key, value in there.items() if key.startswith("x-kiejobs-")}
    whole["x-kiejobs-source"] = _sources(made["x-kiejobs-source"], there.get("x-kiejobs-source"))
    return (there, notes) if whole == there else (whole, notes)


def _merged_input(made: Schema, there: Schema, notes: list[str]) -> Schema:
    form = _kept_words(made, there, None)
    old = _mapping(there.get("properties"))
    fields = {}
    for name, field in made["properties"].items():
        fields[name] = _field(field, _mapping(old.get(name)))
        if _is_theirs(old.get(name)) and field != old[name]:
            notes.append(f"{name}: kept as it is, since it names a source of its own")
    for name, field in old.items():
        if name not in fields and _is_theirs(field):
            fields[name] = field
        elif name not in fields:
            notes.append(f"{name}: the page does not have it any more; taken out")
    form["properties"] = fields
    form["required"] = _required(made, there, old)
    rules = _rules(made.get("allOf"), there.get("allOf"))
    closed = form.pop("unevaluatedProperties")
    return {**form, **({"allOf": rules} if rules else {}), "unevaluatedProperties": closed}


def _field(made: Schema, there: Schema) -> Schema:
    """One field with the words that people gave it, and so those within it."""
    if _is_theirs(there):
        return there
    form = _kept_words(made, there, field_description(there))
    for key in ("items", "additionalProperties"):
        if isinstance(form.get(key), dict):
            form[key] = _field(form[key], _mapping(there.get(key)))
    if isinstance(form.get("properties"), dict):
        old = _mapping(there.get("properties"))
        form["properties"] = {
            name: _field(inner, _mapping(old.get(name)))
            for name, inner in form["properties"].items()
        }
    return form


def _kept_words(made: Schema, there: Schema, generated: str | None) -> Schema:
    """`made` with their title and examples, and their description unless it was generated."""
    words: Schema = {key: there[key] for key in ("title", "examples") if key in there}
    if "description" in there and there["description"] != generated:
        words["description"] = there["description"]
    first: Schema = {
        key: words.get(key, made.get(key)) for key in _FIELD_KEYS if key in made or key in words
    }
    if "$schema" in made:  # a whole schema begins with its names
        return {**made, **words}
    return {**first, **{key: value for key, value in made.items() if key not in first}, **words}


def _required(made: Schema, there: Schema, old: Schema) -> list[str]:
    """What the page requires; of their own fields, what they require. In their order."""
    theirs = [name for name in there.get("required", ()) if _is_theirs(old.get(name))]
    pages = [name for name in made["required"] if not _is_theirs(old.get(name))]
    known = [name for name in there.get("required", ()) if name in {*theirs, *pages}]
    return [*known, *(name for name in pages if name not in known)]


def _rules(made: Any, there: Any) -> list[Any]:
    """Theirs, and those of the page that theirs don't have by title."""
    old = there if isinstance(there, list) else []
    titles = {rule.get("title") for rule in old if isinstance(rule, dict)}
    return [*old, *(rule for rule in made or [] if rule.get("title") not in titles)]


def _sources(made: list[Schema], there: Any) -> list[Any]:
    """The page's entry anew, unless it is the same page still; all others as they are."""
    (source,) = made
    old = [entry for entry in there if isinstance(entry, dict)] if isinstance(there, list) else []
    if any(entry.get("sha256") == source["sha256"] for entry in old):
        return old
    return [*(entry for entry in old if entry.get("page") != source["page"]), source]


def _whole_description(there: Schema) -> str | None:
    models = _mapping(_mapping(there.get("properties")).get("model")).get("enum")
    output = _mapping(there.get("x-kiejobs-output")).get("media_type")
    if not isinstance(models, list) or not models or not isinstance(output, str):
        return None
    return model_description(str(models[0]), output)


def _is_theirs(field: Any) -> bool:
    return isinstance(field, dict) and "x-kiejobs-source" in field


def _mapping(value: Any) -> Schema:
    return value if isinstance(value, dict) else {}
