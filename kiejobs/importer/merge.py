"""A model's schema from a newer page, over the schema that is there.

In: the schema made of the page, the one in use. Out: the page's facts with the words, rules and fields that
people put in by hand; notes. A field of theirs names its source (`x-kiejobs-source`); a description is
theirs unless it is the one that kiejobs makes of the form. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiejobs.core.models.descriptions import field_description, model_description
from kiejobs.importer.reading.openapi import items_in, mapping

if TYPE_CHECKING:
    from kiejobs.importer.reading.openapi import Schema


def merged(made: Schema, there: Schema) -> tuple[Schema, list[str]]:
    """The schema, equal to `there` where nothing is new, and notes. Neither argument is changed."""
    input_ = mapping(mapping(there.get("properties")).get("input"))
    input_, notes = _input(made["properties"]["input"], input_)
    forms = {**_fields(made["properties"], there), "input": input_}
    schema = {**made, **_words(there, _model_description(there)), "properties": forms}
    schema |= {key: value for key, value in there.items() if key.startswith("x-kiejobs-")}
    key = "x-kiejobs-source"
    schema[key] = _sources(made[key][0], there.get(key))
    return (there if schema == there else schema), notes


def _input(made: Schema, there: Schema) -> tuple[Schema, list[str]]:
    old = mapping(there.get("properties"))
    pages, fields = made["properties"], _fields(made["properties"], there)
    notes = [
        f"{name}: kept as it is, since it names a source of its own"
        for name, form in pages.items()
        if _is_theirs(old.get(name)) and old[name] != form
    ]
    for name, field in old.items():
        if name not in fields and _is_theirs(field):
            fields[name] = field
        elif name not in fields:
            notes.append(f"{name}: the page does not have it any more; taken out")
    form = _with_words(made, there, None)
    form |= {"properties": fields, "required": _required(made, there, old)}
    # Their rules, and those of the page that theirs don't have by title.
    rules = items_in(there.get("allOf"))
    titles = {rule.get("title") for rule in rules if isinstance(rule, dict)}
    rules = [*rules, *(one for one in made.get("allOf", ()) if one.get("title") not in titles)]
    closed = form.pop("unevaluatedProperties")
    return {**form, **({"allOf": rules} if rules else {}), "unevaluatedProperties": closed}, notes


def _fields(made: Schema, there: Schema) -> Schema:
    old = mapping(there.get("properties"))
    return {name: _field(form, mapping(old.get(name))) for name, form in made.items()}


def _field(made: Schema, there: Schema) -> Schema:
    """One field with the words that people gave it, and so those within it."""
    if _is_theirs(there):
        return there
    form = _with_words(made, there, field_description(there))
    for key in ("items", "additionalProperties"):
        if isinstance(form.get(key), dict):
            form[key] = _field(form[key], mapping(there.get(key)))
    if isinstance(form.get("properties"), dict):
        form["properties"] = _fields(form["properties"], there)
    return form


def _with_words(made: Schema, there: Schema, generated: str | None) -> Schema:
    """`made` with their words; title and description come first."""
    form = {**made, **_words(there, generated)}
    first: Schema = {key: form[key] for key in ("title", "description") if key in form}
    return {**first, **form}


def _words(there: Schema, generated: str | None) -> Schema:
    """Their title and examples, and their description unless it was generated."""
    words: Schema = {key: there[key] for key in ("title", "examples") if key in there}
    if "description" in there and there["description"] != generated:
        words["description"] = there["description"]
    return words


def _required(made: Schema, there: Schema, old: Schema) -> list[str]:
    """What the page requires; of their own fields, what they require. In their order."""
    theirs, pages = there.get("required", ()), made["required"]
    names = dict.fromkeys([*theirs, *pages])
    return [one for one in names if one in (theirs if _is_theirs(old.get(one)) else pages)]


def _sources(source: Schema, there: Any) -> list[Any]:
    """The page's entry as it is now, unless it is the same page still; all others as they are."""
    old = [entry for entry in items_in(there) if isinstance(entry, dict)]
    if any(entry.get("sha256") == source["sha256"] for entry in old):
        return old
    return [*(entry for entry in old if entry.get("page") != source["page"]), source]


def _model_description(there: Schema) -> str | None:
    models = mapping(mapping(there.get("properties")).get("model")).get("enum")
    output = mapping(there.get("x-kiejobs-output")).get("media_type")
    if not isinstance(models, list) or not models or not isinstance(output, str):
        return None
    return model_description(str(models[0]), output)


def _is_theirs(field: Any) -> bool:
    return "x-kiejobs-source" in mapping(field)
