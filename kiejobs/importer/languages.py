"""Two pages of one model, in English and in Chinese, as one: either may state limits that the other lacks.

In: readings of pages. Out: the same, with a model of two languages in the first of them only, and notes. Touches
nothing. The first page counts where the two differ. Two pages in one language stay two: the second may have the
id by mistake.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.importer.settle import Settled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.importer.facts import FieldFact, Path
    from kiejobs.importer.openapi import Schema
    from kiejobs.importer.page import ImportedModel, PageReading

_LENT = frozenset({
    "minLength", "maxLength", "minimum", "maximum", "multipleOf", "minItems", "maxItems", "enum", "special",
    "eachminLength", "eachmaxLength", "example",
})  # fmt: skip


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
    """Settled from the facts of both; those of the first page come last, and so they count."""
    also = "is a page of the same model in another language: what it states beyond the first is added"
    input_, others = (one.schema["properties"]["input"] for one in (first, other))
    extra = [name for name in others["properties"] if name not in input_["properties"]]
    notes = [f"{page} {also}", *(f"{name}: only {page} has it; left out" for name in extra)]
    files = {one.path: one.value for one in other.facts if one.key == "file"}
    own = [replace(one, value=_file(one, files)) if one.key == "file" else one for one in first.facts]
    kinds = {(one.path, one.value) for one in first.facts if one.key == "type"}
    same = {one.path for one in other.facts if one.key == "type" and (one.path, one.value) in kinds}
    facts = (*(_lent(one) for one in other.facts if one.path in same and one.key in _LENT), *own)
    settling: list[str] = []
    fields, *_ = Settled(facts, settling.append).request()
    properties = {**first.schema["properties"], "input": {**input_, "properties": fields}}
    sources = [*first.schema["x-kiejobs-source"], {**other.schema["x-kiejobs-source"][0]}]
    sources[-1]["page"] += ", in another language"
    schema = {**first.schema, "properties": properties, "x-kiejobs-source": sources}
    notes += [f"with {page}: {text}" for text in settling if text not in first.notes]
    return replace(first, schema=schema, facts=facts, notes=(*first.notes, *notes))


def _lent(fact: FieldFact) -> FieldFact:
    """A keyword of the other page counts no more than prose."""
    return replace(fact, source="Chinese") if fact.source == "schema" else fact


def _file(own: FieldFact, files: Mapping[Path, Schema]) -> Schema:
    rule, other = own.value, files.get(own.path, own.value)
    types = [one for one in rule["media_types"] if not one.endswith("/*")]
    return {**other, **rule, "media_types": types or other["media_types"] or rule["media_types"]}
