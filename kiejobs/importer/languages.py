"""Two pages of one model, in English and in Chinese, as one: either may state limits that the other lacks.

In: readings of pages. Out: the same, with a model of two languages in the first of them only, and notes. Touches
nothing. The first page counts where the two differ. Two pages in one language stay two: the second may have the
id by mistake.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.wording import show
from kiejobs.core.models.spec import coerce
from kiejobs.importer.facts import fits
from kiejobs.importer.openapi import items_in, mapping
from kiejobs.importer.settle import with_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.importer.openapi import Note, Schema
    from kiejobs.importer.page import ImportedModel, PageReading

_LIMITS = (
    "minLength", "maxLength", "minimum", "maximum", "multipleOf", "minItems", "maxItems", "pattern", "enum", "anyOf",
)  # fmt: skip


def combined(readings: Sequence[PageReading]) -> list[PageReading]:
    """In their order."""
    # The first of each model, and what became of it.
    made: dict[str, tuple[ImportedModel, ImportedModel]] = {}
    left: list[list[ImportedModel]] = []
    for reading in readings:
        left.append([])
        for model in reading.models:
            first, completed = made.setdefault(model.model, (model, model))
            if first.chinese == model.chinese:
                left[-1].append(model)
            else:
                made[model.model] = (first, _completed(completed, model, reading.name))
    done = {id(first): completed for first, completed in made.values()}
    models = [tuple(done.get(id(one), one) for one in own) for own in left]
    return [replace(one, models=own) for one, own in zip(readings, models, strict=True)]


def _completed(first: ImportedModel, other: ImportedModel, page: str) -> ImportedModel:
    also = "is a page of the same model in another language: what it states beyond the first is added"
    notes = [f"{page} {also}"]
    input_, others = (one.schema["properties"]["input"] for one in (first, other))
    fields = dict(input_["properties"])
    notes += [f"{name}: only {page} has it; left out" for name in others["properties"] if name not in fields]
    examples = [*first.examples, *other.examples]
    for name, form in fields.items():
        shown = [one[name] for one in examples if one.get(name) not in (None, "", [])]
        taken: list[str] = []
        made = _field(form, mapping(others["properties"].get(name)), shown, taken.append)
        fields[name] = with_words(name, made)
        notes += [f"{name}: {page} {text}" for text in taken]
    properties = {**first.schema["properties"], "input": {**input_, "properties": fields}}
    sources = [*first.schema["x-kiejobs-source"], {**other.schema["x-kiejobs-source"][0]}]
    sources[-1]["page"] += ", in another language"
    schema = {**first.schema, "properties": properties, "x-kiejobs-source": sources}
    return replace(first, schema=schema, notes=(*first.notes, *notes))


def _field(form: Schema, other: Schema, shown: Sequence[Any], note: Note) -> Schema:
    """The first page's form of a field with limits of the other page's."""
    made, ranged = dict(form), form.keys() & {"minimum", "maximum"}
    given = [*shown, *([form["default"]] if "default" in form else [])]
    for key in _LIMITS if form.get("type") == other.get("type") else ():
        if key not in other or form.get(key) == other[key]:
            continue
        wider = {**made, key: other[key]}
        if key in form or (key == "anyOf" and ranged):
            own = show(form[key]) if key in form else "a range alone"
            note(f"states {key} {show(other[key])}, the first page {own}; the first counts")
        elif not form.keys() & {"enum", "anyOf"} and all(fits(wider, coerce(form, one)) for one in given):
            source = f"{key}: from the page in another language"
            made = {**wider, "x-kiejobs-note": [*made.get("x-kiejobs-note", ()), source]}
            note(f"states {key} {show(other[key])}")
    rule, others = form.get("x-kiejobs-file"), other.get("x-kiejobs-file")
    if rule and others:
        types = rule["media_types"] if any(not one.endswith("/*") for one in rule["media_types"]) else []
        made["x-kiejobs-file"] = {**others, **rule, "media_types": types or others["media_types"]}
        if made["x-kiejobs-file"] != rule:
            note("states more of its files")
    if isinstance(form.get("items"), dict):
        items = [item for value in shown for item in items_in(value)]
        made["items"] = _field(form["items"], mapping(other.get("items")), items, note)
    for name, one in mapping(form.get("properties")).items():
        inner = mapping(mapping(other.get("properties")).get(name))
        values = [value[name] for value in shown if name in mapping(value)]
        taken: list[str] = []
        field = _field(one, inner, values, taken.append)
        made["properties"] = {**made["properties"], name: with_words(name, field)}
        for text in taken:
            note(f"{text} ({name})")
    return made
