"""Every page of the vendor's, imported; and the bundled models against their pages."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from kiejobs.core.document.nodes import Source
from kiejobs.core.models.newer import merged
from kiejobs.core.models.schema_check import read_model
from kiejobs.core.models.spec import complete, read_spec
from kiejobs.importer.openapi import requests_of
from kiejobs.importer.page import ImportedModel, read_page
from kiejobs.importer.text import documents_of
from tests.docs.regenerate import SCHEMAS, models

API = Path(os.environ["KIEJOBS_SHARED"]) / "api"
PAGES = sorted(
    path.relative_to(API).as_posix()
    for one in ("openapi", "openapi-more")
    for path in (API / one).rglob("*.md")
)
FORM = json.loads((SCHEMAS / "model.schema.json").read_text(encoding="utf-8"))
BY_HAND = "bytedance/v1-pro-fast-image-to-video"

LIMITS = (
    "type", "enum", "default", "minLength", "maxLength", "minimum", "maximum", "multipleOf",
    "minItems", "maxItems", "format", "pattern",
)  # fmt: skip

REFUSED = {
    "bytedance/v1-lite-image-to-video": "leaves an address empty",
    "hailuo/02-image-to-video-pro": "leaves an address empty",
    "ideogram/character-remix": "leaves an address empty",
    "kling/v2-1-pro": "leaves an address empty",
    "qwen/image-to-image": "leaves its picture empty",
}
"""Models whose page shows an example that their schema refuses, and why it is right to."""


def text_of(page: str) -> str:
    return (API / page).read_text(encoding="utf-8")


@cache
def imported(page: str) -> ImportedModel:
    found = read_page(page, text_of(page), imported="2026-04")
    assert found.problems == ()
    (model,) = found.models
    return model


def examples(page: str) -> list[dict[str, Any]]:
    (document,), _ = documents_of(page, text_of(page))
    (request,), _ = requests_of(page, document)
    return [{key.strip(): value for key, value in one.items()} for one in request.examples]


def essence(field: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: field[key] for key in LIMITS if key in field}
    if "items" in field:
        kept["items"] = essence(field["items"])
    if "properties" in field:
        kept["properties"] = {name: essence(form) for name, form in field["properties"].items()}
    file = field.get("x-kiejobs-file", {})
    return {**kept, **{key: file[key] for key in ("media_types", "max_bytes") if key in file}}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_gives_one_model_in_our_form(page: str) -> None:
    model = imported(page)
    Draft202012Validator.check_schema(model.schema)
    source = Source(page, json.dumps(model.schema).encode())
    assert read_model(source, model.model, FORM).problems == ()


def test_each_page_gives_a_model_of_its_own() -> None:
    ids = [imported(page).model for page in PAGES]
    assert len(set(ids)) == len(ids) == 99
    assert set(ids) <= set(models())


@pytest.mark.parametrize("page", PAGES)
def test_a_page_s_own_example_is_taken(page: str) -> None:
    model = imported(page)
    spec = read_spec(model.schema)
    checker = Draft202012Validator(spec.input_schema, format_checker=formats())
    refused = [error.message for one in examples(page) for error in checker.iter_errors(complete(spec, one))]
    assert bool(refused) == (model.model in REFUSED), refused
    if refused:
        assert any(note.startswith("the page's example") for note in model.notes)


@pytest.mark.parametrize("page", PAGES)
def test_the_bundled_model_says_what_its_page_says(page: str) -> None:
    model = imported(page)
    made, ours = (one["properties"]["input"] for one in (model.schema, models()[model.model]))
    # Fields that a newer source than the page describes otherwise, or has alone.
    newer = {name for name, form in ours["properties"].items() if "x-kiejobs-source" in form}
    assert [*made["properties"]] == [name for name in ours["properties"] if name in made["properties"]]
    assert ours["properties"].keys() - made["properties"].keys() <= newer
    assert set(made["required"]) - newer == set(ours["required"]) - newer
    for name in made["properties"].keys() - newer:
        assert essence(made["properties"][name]) == essence(ours["properties"][name]), name


@pytest.mark.parametrize("page", [page for page in PAGES if page != f"openapi/{BY_HAND}.md"])
def test_importing_again_leaves_the_bundled_model_as_it_is(page: str) -> None:
    model = imported(page)
    there = models()[model.model]
    assert merged(model.schema, there)[0] == there


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_of_a_page_is_in_the_bundled_model(page: str) -> None:
    """Sentences of eight words and more, as the page has them."""
    ours = " ".join(json.dumps(models()[imported(page).model], ensure_ascii=False).split())
    flat = " ".join(text_of(page).split())
    words = flat.split(" ")
    runs = {" ".join(words[at : at + 8]) for at in range(len(words) - 8)}
    assert [run for run in runs if run in ours] == []


def test_the_page_without_an_openapi_document_says_the_same() -> None:
    """It is of its own headings, in Chinese, and older than `nsfw_checker`."""
    page = (API / "v1-pro-fast-image-to-video.zh.md").read_text(encoding="utf-8")
    (made,) = read_page("page.md", page, imported="2026-04").models
    theirs = made.schema["properties"]["input"]
    ours = models()[BY_HAND]["properties"]["input"]
    assert made.model == BY_HAND
    assert set(theirs["required"]) == set(ours["required"])
    assert set(theirs["properties"]) == set(ours["properties"]) - {"nsfw_checker"}
    for name, form in theirs["properties"].items():
        assert essence(form).items() <= essence(ours["properties"][name]).items(), name
    files = theirs["properties"]["image_url"]["x-kiejobs-file"]
    assert files["media_types"] == ["image/jpeg", "image/png", "image/webp"]
    assert files["max_bytes"] == 10 * 2**20
