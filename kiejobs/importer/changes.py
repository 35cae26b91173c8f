"""The schema of a newer page: over the one in use, and what differs between the two.

In: both, in our form. Out: the page's facts with the words, rules and fields that people put in by hand, and
notes; `ModelChange`s in the order of the fields. Touches nothing.

A field of theirs names its source (`x-kiejobs-source`); a description is theirs unless it is the one that kiejobs
makes of the form. Breaking is what makes a job file that is valid today be refused, or come to another request. A
default that changed, came or went is breaking, since it is always sent: adopted in silence, it would give every
request that leaves the field out another fingerprint, and buy it again. Rules between fields are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from kiejobs.core.fingerprint import canonical
from kiejobs.core.models.descriptions import field_description, model_description
from kiejobs.importer.openapi import items_in, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.importer.openapi import Schema

    Form = Mapping[str, Any]
    Listed = dict[bytes, Json]

ABSENT: Final = object()
"""What a keyword is that is not there; null is a value."""

_AT_LEAST = ("minLength", "minimum", "exclusiveMinimum", "minItems")
_AT_MOST = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_OTHERS = ("format", "pattern", "uniqueItems", "multipleOf", "deprecated", "unevaluatedProperties")
_SOURCE = "x-kiejobs-source"
_WORDS = {"title", "description", "examples", "$comment", "x-kiejobs-note", "x-kiejobs-hint"}


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One difference. `field` is a path like `shots[].prompt`, empty for the model itself.

    `kind` names the keyword, or is one of: field, values (some of an enum), file_types (some of
    media_types), choices (of forms). `was` and `now` are its values, ABSENT where there is none. `kept`: the page
    differs from a field with a source of its own, which an import leaves as it is.
    """

    field: str
    kind: str
    breaking: bool
    was: Json = ABSENT
    now: Json = ABSENT
    kept: bool = False


def model_changes(was: Form, now: Form) -> list[ModelChange]:
    """All of them; none where the two say the same of a request."""
    inputs = (schema["properties"]["input"] for schema in (was, now))
    outputs = [schema.get("x-kiejobs-output", {}) for schema in (was, now)]
    formats = [*_keyword("", "media_type", *outputs), *_keyword("", "extension", *outputs)]
    return [*_fields("", *inputs), *formats]


def _fields(path: str, was: Form, now: Form) -> Iterator[ModelChange]:
    before, after = was.get("properties", {}), now.get("properties", {})
    required = [frozenset(schema.get("required", ())) for schema in (was, now)]
    for name in [*before, *(name for name in after if name not in before)]:
        at = f"{path}.{name}" if path else name
        if name not in after:
            yield ModelChange(at, "field", breaking=True, was=True)
            continue
        field, needed = after[name], name in required[1]
        if name not in before:
            default = {"default": field["default"]} if "default" in field else {}
            new = {"required": needed, **default}
            yield ModelChange(at, "field", breaking=needed or bool(default), now=new)
            continue
        if needed != (name in required[0]):
            breaking = needed and "default" not in field
            yield ModelChange(at, "required", breaking=breaking, was=not needed, now=needed)
        yield from _field(at, before[name], field)


def _field(at: str, was: Form, now: Form) -> Iterator[ModelChange]:
    yield from _keyword(at, "default", was, now)
    before, after = was.get("type", ABSENT), now.get("type", ABSENT)
    if before != after:
        # No type at all would let more through, but nothing would be read as text or number any more.
        wider = (before, after) == ("integer", "number")
        yield ModelChange(at, "type", breaking=not wider, was=before, now=after)
        if not wider:
            return
    yield from _list(at, "values", "enum", _listed(was), _listed(now))
    for kind in (*_AT_LEAST, *_AT_MOST, *_OTHERS):
        yield from _keyword(at, kind, was, now)
    for kind in ("anyOf", "oneOf", "additionalProperties"):
        # Which of two forms is tighter is unknown, so any change breaks.
        if _token(_bare(was.get(kind))) != _token(_bare(now.get(kind))):
            yield ModelChange(at, "choices", breaking=True)
    files = [schema.get("x-kiejobs-file", {}) for schema in (was, now)]
    # A rule that names no type takes any.
    types = [_by_token(sorted(set(rule.get("media_types", ())))) or None for rule in files]
    yield from _list(at, "file_types", "media_types", *types)
    yield from _keyword(at, "max_bytes", *files)
    if "properties" in was or "properties" in now:
        yield from _fields(at, was, now)
    if "items" in was or "items" in now:
        yield from _field(f"{at}[]", was.get("items", {}), now.get("items", {}))


def _keyword(at: str, kind: str, was: Form, now: Form) -> Iterator[ModelChange]:
    before, after = was.get(kind, ABSENT), now.get(kind, ABSENT)
    if _token(before) != _token(after):
        breaking = _breaks(kind, was.get(kind), now.get(kind))
        yield ModelChange(at, kind, breaking=breaking, was=before, now=after)


def _breaks(kind: str, was: Any, now: Any) -> bool:
    """Of two values that differ; None is a keyword that is not there."""
    # Another extension gives files another name, a file of another type looks damaged.
    if kind in {"default", "media_type", "extension"}:
        return True
    if kind == "unevaluatedProperties":
        return now is False
    if kind == "deprecated" or now is None or now is False:
        return False
    if was is None or kind in {"format", "pattern", "uniqueItems"}:
        return True
    if kind == "multipleOf":  # are there numbers that the old step takes and the new one does not?
        return bool(round(was / now, 9) % 1)
    return bool(now > was if kind in _AT_LEAST else now < was)


def _list(at: str, some: str, whole: str, was: Listed | None, now: Listed | None) -> Iterator[ModelChange]:
    """By what went and what came; None takes anything."""
    if was is not None and now is not None:
        gone = [value for token, value in was.items() if token not in now]
        come = [value for token, value in now.items() if token not in was]
        if gone:
            yield ModelChange(at, some, breaking=True, was=gone)
        if come:
            yield ModelChange(at, some, breaking=False, now=come)
    elif was is not None or now is not None:
        old, new = (ABSENT if one is None else list(one.values()) for one in (was, now))
        yield ModelChange(at, whole, breaking=now is not None, was=old, now=new)


def _listed(field: Form) -> Listed | None:
    """Enumerations; a `const` is one value."""
    if "const" in field:
        return _by_token([field["const"]])
    return _by_token(field["enum"]) if "enum" in field else None


def _by_token(values: Sequence[Json]) -> Listed:
    return {_token(value): value for value in values}


def _token(value: Json) -> bytes:
    """Equal for what JSON Form takes for equal: 5 and 5.0, but not 5 and "5"."""
    return b"" if value is ABSENT else canonical(value)


def _bare(value: Json) -> Json:
    """Without wording."""
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if key not in _WORDS}
    return [_bare(item) for item in value] if isinstance(value, list) else value


# --- a newer page over the schema in use -------------------------------------------------------------


def page_changes(made: Schema, there: Schema) -> list[ModelChange]:
    """What an import would change in the schema in use; and where a page that is new to it differs from the fields
    that an import keeps.
    """
    changes = model_changes(there, merged(made, there)[0])
    if any(one.get("sha256") == made[_SOURCE][0]["sha256"] for one in _sources(there)):
        return changes
    ours, pages = (_properties(_input_of(one)) for one in (there, made))
    for name in [name for name in pages if _is_theirs(ours.get(name))]:
        found = _field(name, ours[name], pages[name])
        changes += [replace(one, breaking=False, kept=True) for one in found]
    return changes


def merged(made: Schema, there: Schema) -> tuple[Schema, list[str]]:
    """The schema, equal to `there` where nothing is new, and notes. Neither argument is changed."""
    forms = _laid_over(made, there)
    ours, pages = (_properties(_input_of(one)) for one in (there, made))
    kept = [name for name, form in pages.items() if _is_theirs(ours.get(name)) and ours[name] != form]
    notes = [f"{name}: kept as it is, since it names a source of its own" for name in kept]
    gone = [name for name in ours if name not in _properties(forms["input"])]
    notes += [f"{name}: the page does not have it any more; taken out" for name in gone]
    # Their rules, and those of the page that theirs don't have by title.
    rules = items_in(_input_of(there).get("allOf"))
    titles = {rule.get("title") for rule in rules if isinstance(rule, dict)}
    rules = [*rules, *(one for one in _input_of(made).get("allOf", ()) if one.get("title") not in titles)]
    closed = forms["input"].pop("unevaluatedProperties")
    forms["input"] |= {**({"allOf": rules} if rules else {}), "unevaluatedProperties": closed}
    schema = {**made, **_words(there, _model_description(there)), "properties": forms}
    schema |= {key: value for key, value in there.items() if key.startswith("x-kiejobs-")}
    schema[_SOURCE] = _sources(there)
    for source in made[_SOURCE]:
        schema[_SOURCE] = _with_page(schema[_SOURCE], source)
    return (there if schema == there else schema), notes


def _laid_over(made: Schema, there: Schema) -> Schema:
    """Their fields where those have a source of their own, the page's with their words otherwise."""
    old = _properties(there)
    fields = {name: _over(form, mapping(old.get(name))) for name, form in made["properties"].items()}
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
            form[key] = _over(form[key], mapping(there.get(key)))
    if isinstance(form.get("properties"), dict):
        form["properties"] = _laid_over(form, there)
    if "required" in form:  # of their own fields, what they require; in their order
        old, theirs, pages = _properties(there), items_in(there.get("required")), form["required"]
        names = dict.fromkeys([*theirs, *pages])
        form["required"] = [one for one in names if one in (theirs if _is_theirs(old.get(one)) else pages)]
    return form


def _words(there: Schema, generated: str | None) -> Schema:
    """Their title and examples, and their description unless it was generated."""
    words: Schema = {key: there[key] for key in ("title", "examples") if key in there}
    if "description" in there and there["description"] != generated:
        words["description"] = there["description"]
    return words


def _with_page(old: list[Schema], source: Schema) -> list[Schema]:
    """The page's entry as it is now, unless it is the same page still; all others as they are."""
    if any(entry.get("sha256") == source["sha256"] for entry in old):
        return old
    return [*(entry for entry in old if entry.get("page") != source["page"]), source]


def _model_description(there: Schema) -> str | None:
    models = mapping(_properties(there).get("model")).get("enum")
    output = mapping(there.get("x-kiejobs-output")).get("media_type")
    if not isinstance(models, list) or not models or not isinstance(output, str):
        return None
    return model_description(str(models[0]), output)


def _sources(there: Schema) -> list[Schema]:
    return [entry for entry in items_in(there.get(_SOURCE)) if isinstance(entry, dict)]


def _properties(form: Schema) -> Schema:
    return mapping(form.get("properties"))


def _input_of(schema: Schema) -> Schema:
    return mapping(_properties(schema).get("input"))


def _is_theirs(field: Any) -> bool:
    return _SOURCE in mapping(field)
