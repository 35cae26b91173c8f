"""The schema of a newer page over the one in use.

In: both, in our form. Out: the page's facts with the words, rules and fields that people put in by hand; what that
changes. Touches nothing. A field of theirs names its source (`x-kiejobs-source`); a description is theirs unless it
is the one that kiejobs makes of the form.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kiejobs.core.models.changes import field_changes, model_changes
from kiejobs.core.models.descriptions import field_description, model_description

if TYPE_CHECKING:
    from kiejobs.core.models.changes import ModelChange

    Schema = dict[str, Any]

_SOURCE, _CLOSED = "x-kiejobs-source", "unevaluatedProperties"


def page_changes(made: Schema, there: Schema) -> list[ModelChange]:
    """What an import would change in the schema in use; and where a page that is new to it differs from the fields
    that an import keeps.
    """
    changes = model_changes(there, merged(made, there)[0])
    if any(one.get("sha256") == made[_SOURCE][0]["sha256"] for one in _sources(there)):
        return changes
    ours, pages = (_fields(_input_of(one)) for one in (there, made))
    for name in [name for name in pages if _is_theirs(ours.get(name))]:
        found = field_changes(name, ours[name], pages[name])
        changes += [replace(one, breaking=False, kept=True) for one in found]
    return changes


def merged(made: Schema, there: Schema) -> tuple[Schema, list[str]]:
    """The schema, equal to `there` where nothing is new, and notes. Neither argument is changed."""
    forms = _laid_over(made, there)
    ours, pages = (_fields(_input_of(one)) for one in (there, made))
    kept = [name for name, form in pages.items() if _is_theirs(ours.get(name)) and ours[name] != form]
    notes = [f"{name}: kept as it is, since it names a source of its own" for name in kept]
    # Their rules, and those of the page that theirs don't have by title.
    rules = _input_of(there).get("allOf", [])
    titles = {rule.get("title") for rule in rules if isinstance(rule, dict)}
    rules = [*rules, *(one for one in _input_of(made).get("allOf", ()) if one.get("title") not in titles)]
    bare = {key: value for key, value in forms["input"].items() if key not in {"allOf", _CLOSED}}
    forms["input"] = {**bare, **({"allOf": rules} if rules else {}), _CLOSED: False}
    schema = {**made, **_words(there, _model_description(there)), "properties": forms}
    schema |= {key: value for key, value in there.items() if key.startswith("x-kiejobs-")}
    if made["x-kiejobs-output"]["media_type"] == "application/json":  # only a page shows such a result
        schema["x-kiejobs-output"] = made["x-kiejobs-output"]
    entries = _sources(there)
    for source in made[_SOURCE]:  # the page's entry as it is now, unless it is the same page still
        if all(one.get("sha256") != source["sha256"] for one in entries):
            entries = [*(one for one in entries if one.get("page") != source["page"]), source]
    schema[_SOURCE] = entries
    return (there if schema == there else schema), notes


def _laid_over(made: Schema, there: Schema) -> Schema:
    """Their fields where those have a source of their own, the page's with their words otherwise."""
    old = _fields(there)
    fields = {name: _over(form, _mapping(old.get(name))) for name, form in made["properties"].items()}
    return fields | {name: form for name, form in old.items() if _is_theirs(form)}


def _over(made: Schema, there: Schema) -> Schema:
    """One field with the words that people gave it, and so those within it."""
    if _is_theirs(there):
        return there
    form = {**made, **_words(there, field_description(there))}
    # Title and description come first.
    form = {**{key: form[key] for key in ("title", "description") if key in form}, **form}
    for key in ("items", "additionalProperties"):
        if isinstance(form.get(key), dict):
            form[key] = _over(form[key], _mapping(there.get(key)))
    if isinstance(form.get("properties"), dict):
        form["properties"] = _laid_over(form, there)
    if "required" in form:  # of their own fields, what they require; in their order
        old, theirs, pages = _fields(there), there.get("required", []), form["required"]
        names = dict.fromkeys([*theirs, *pages])
        form["required"] = [one for one in names if one in (theirs if _is_theirs(old.get(one)) else pages)]
    return form


def _words(there: Schema, generated: str | None) -> Schema:
    """Their title and examples, and their description unless it was generated."""
    words: Schema = {key: there[key] for key in ("title", "examples") if key in there}
    if "description" in there and there["description"] != generated:
        words["description"] = there["description"]
    return words


def _model_description(there: Schema) -> str | None:
    models = _fields(there).get("model", {}).get("enum")
    output = there.get("x-kiejobs-output", {}).get("media_type")
    return model_description(str(models[0]), output) if models and isinstance(output, str) else None


def _sources(there: Schema) -> list[Schema]:
    return [entry for entry in there.get(_SOURCE, []) if isinstance(entry, dict)]


def _fields(schema: Schema) -> Schema:
    return _mapping(schema.get("properties"))


def _input_of(schema: Schema) -> Schema:
    return _mapping(_fields(schema).get("input"))


def _mapping(value: Any) -> Schema:
    """A field may be `true`, which takes anything."""
    return value if isinstance(value, dict) else {}


def _is_theirs(field: Any) -> bool:
    return _SOURCE in _mapping(field)
