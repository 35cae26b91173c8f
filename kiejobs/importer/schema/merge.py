"""A model that is imported again, over the schema that is there.

In: what was made of the page, what is there. Out: the new schema with what people wrote into the old
one, and notes. Touches nothing.

Theirs is: titles, examples, descriptions that were not made here, the kind of output, rules over several
fields, sources of their own, and whole fields that name a source of their own (`x-kiejobs-source`),
because the page is not what they were taken from. Everything else is the page's.
"""

from __future__ import annotations

from typing import Any

from kiejobs.core.models.descriptions import field_description, model_description

Schema = dict[str, Any]

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
    whole["properties"]["input"] = _input(
        made["properties"]["input"], _mapping(_mapping(there.get("properties")).get("input")), notes
    )
    whole |= {key: value for key, value in there.items() if key.startswith("x-kiejobs-")}
    whole["x-kiejobs-source"] = _sources(made["x-kiejobs-source"], there.get("x-kiejobs-source"))
    return (there, notes) if whole == there else (whole, notes)


def _input(made: Schema, there: Schema, notes: list[str]) -> Schema:
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
