"""Our mirrors against the vendor's own pages and recorded answers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.docs.regenerate import SCHEMAS, models
from tests.support.mirror import differences, mirror_facts, response_name, unexplained
from tests.support.vendor_pages import page_facts

API = Path(os.environ["KIEJOBS_SHARED"]) / "api"
MODEL = "bytedance/v1-pro-fast-image-to-video"
RECORDINGS = (API / "recordings.jsonl").read_text(encoding="utf-8").splitlines()


def answer(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / "responses" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "page", ["v1-pro-fast-image-to-video.zh.md", f"openapi/{MODEL}.md"], ids=["headed", "openapi"]
)
def test_the_mirror_agrees_with_the_vendor_s_page(page: str) -> None:
    said = page_facts((API / page).read_text(encoding="utf-8"))
    found = differences(said, mirror_facts(models()[MODEL], answer("create-task")))
    assert unexplained(found) == []


@pytest.mark.parametrize("number", range(len(RECORDINGS)))
def test_a_recorded_answer_fits_its_schema(number: int) -> None:
    recorded = json.loads(RECORDINGS[number])
    schema = answer(response_name(recorded["url"]))
    body = json.loads(recorded["response_body"])
    assert list(Draft202012Validator(schema).iter_errors(body)) == []
