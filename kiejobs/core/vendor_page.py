"""A vendor's page, as models that job files can name.

In: a page's name and text: Markdown around an OpenAPI document, the document itself as YAML or JSON, or
the answer of the vendor's discovery API. Out: `PageReading`: for each model its request schema in our
form, what had to be decided on the way, and what could not be read. Touches nothing.

A page is a stranger's text: sizes, depths and references are bounded, nothing is fetched.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.core.vendor_openapi import requests_of
from kiejobs.core.vendor_schema import model_schema
from kiejobs.core.vendor_text import documents_of

if TYPE_CHECKING:
    from kiejobs.core.vendor_openapi import Request


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """One model of a page. `notes` tell what the page left open, and how it was read."""

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
    for document in documents:
        requests, more = requests_of(name, document)
        problems += more
        for request in requests:
            made = _imported(request, digest, imported)
            models.setdefault(made.model, made)
    if not models and not problems:
        problems.append(f"{name}: no request that names a model is described here")
    return PageReading(name, tuple(models.values()), tuple(problems))


def _imported(request: Request, digest: str, imported: str) -> ImportedModel:
    schema, notes = model_schema(request, digest, imported)
    return ImportedModel(request.model, schema, tuple(notes))
