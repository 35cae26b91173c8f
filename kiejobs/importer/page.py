"""A vendor's page, as models that job files can name.

In: a page's name and text: Markdown around an OpenAPI document, the document itself as YAML or JSON, or
the answer of the vendor's discovery API. Out: `PageReading`: for each model its request schema in our
form, what had to be decided on the way, and what could not be read. Touches nothing.

A page is a stranger's text: sizes, depths and references are bounded, nothing is fetched.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kiejobs.importer.model_schema import model_schema
from kiejobs.importer.reading.openapi import requests_of
from kiejobs.importer.reading.text import documents_of

if TYPE_CHECKING:
    from kiejobs.importer.reading.openapi import ApiRequest

MOST_VALUES = 100_000
"""Of all requests of a page together, references written out."""


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """One model of a page. `notes` say what the page left open, and how it was read."""

    model: str
    schema: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PageReading:
    """What a page gave. `problems` keep something from being imported; each begins with its place."""

    name: str
    models: tuple[ImportedModel, ...] = ()
    problems: tuple[str, ...] = ()


def read_page(name: str, text: str, *, imported: str) -> PageReading:
    """Every model that the page describes. `imported` is the date to write down, like 2026-11-22."""
    documents, problems = documents_of(name, text)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    models: dict[str, ImportedModel] = {}
    left = MOST_VALUES
    for document in documents:
        requests, more = requests_of(name, document)
        problems += more
        for request in requests:
            left -= request.size
            made = _imported(request, digest, imported) if left >= 0 else "the page is too large"
            if isinstance(made, str):
                problems.append(f"{name}: {request.model}: {made}")
            else:
                _take(models, made)
    return PageReading(name, tuple(models.values()), tuple(dict.fromkeys(problems)))


def _imported(request: ApiRequest, digest: str, imported: str) -> ImportedModel | str:
    """The model, or why there is none."""
    try:
        made = model_schema(request, digest, imported)
    except RecursionError:
        return "its schema is nested too deeply"
    if made is None:
        return "its `input` has no fields"
    schema, notes = made
    return ImportedModel(request.model, schema, tuple(notes))


def _take(models: dict[str, ImportedModel], made: ImportedModel) -> None:
    """Of two descriptions of one model the first counts."""
    known = models.setdefault(made.model, made)
    if known.schema["properties"] != made.schema["properties"]:
        note = "the page describes it a second time, and otherwise; the first counts"
        if note not in known.notes:
            models[made.model] = replace(known, notes=(*known.notes, note))
