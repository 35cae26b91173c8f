"""`models check`: pages of our own making held against the schemas in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.adapters.project.files import read_schema
from kiejobs.core.models.changes import ModelChange
from kiejobs.reports.model_pages.pages import CheckedModel, check_markdown, check_text
from tests.core.models.test_schema_check import ID, schema
from tests.support.bench import MODEL, Bench
from tests.support.raw_server import raw_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import Ran

DOCUMENT = read_schema("documents/models-check.schema.json")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, "http://127.0.0.1:9")


def page(bench: Bench, fields: dict[str, Any], model: str = ID, name: str = "page.json", **more: Any) -> str:
    """The vendor's page of a model that takes a prompt and these fields."""
    own = {"prompt": {"type": "string", "maxLength": 100}, **fields}
    body = {
        "type": "object",
        "properties": {
            "model": {"type": "string", "enum": [model]},
            "input": {"type": "object", "required": ["prompt"], "properties": own, **more},
        },
    }
    post = {"requestBody": {"content": {"application/json": {"schema": body}}}}
    document = {"openapi": "3.1.0", "paths": {"/api/v1/jobs/createTask": {"post": post}}}
    (bench.folder / name).write_text(json.dumps(document))
    return name


def imported(bench: Bench, fields: dict[str, Any]) -> None:
    """The project's own schema, made of such a page."""
    assert bench.do("models", "import", page(bench, fields)).code == 0


def check(bench: Bench, *words: str) -> Ran:
    """As JSON; the document has its form."""
    ran = bench.do("models", "check", *words, "--format", "json")
    assert not list(Draft202012Validator(DOCUMENT).iter_errors(ran.json))
    return ran


SECONDS = {"type": "integer", "enum": [4, 8], "default": 4}


def test_nothing_changed_is_0(bench: Bench) -> None:
    imported(bench, {"seconds": SECONDS})
    ran = check(bench, "page.json")
    assert ran.code == 0
    assert [(m["model"], m["from"], m["status"]) for m in ran.json["models"]] == [
        (ID, "project", "unchanged")
    ]
    assert bench.do("models", "check", "page.json").out == "1 model looked at: 1 unchanged\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"code": 401, "msg": "Unauthorized"}, "it is the API's answer 401: Unauthorized"),
        ({"code": 429, "msg": "Slow down", "data": None}, "it is the API's answer 429: Slow down"),
        ({"code": 200, "msg": "success", "data": {"model": ID, "openapi": None}}, "`openapi` is null"),
    ],
)
def test_a_saved_refusal_of_the_api_is_quoted(bench: Bench, answer: Any, said: str) -> None:
    (bench.folder / "page.json").write_text(json.dumps(answer))
    ran = check(bench, "page.json")
    assert ran.code == 2
    assert said in ran.json["problems"][0]


def test_what_breaks_nothing_is_3(bench: Bench) -> None:
    imported(bench, {"seconds": SECONDS})
    page(bench, {"seconds": {**SECONDS, "enum": [4, 8, 12]}, "mood": {"type": "string"}})
    assert check(bench, "page.json").code == 3
    assert bench.do("models", "check", "page.json").out == (
        "acme/clip-1 (schemas/models/acme/clip-1.json)\n"
        "  harmless  seconds  takes 12 too\n"
        "  harmless  mood     is new\n"
        "\n"
        "1 model looked at: 1 changed\n"
    )


def test_what_breaks_is_1_and_a_default_says_what_follows(bench: Bench) -> None:
    imported(bench, {"seconds": SECONDS})
    page(bench, {"seconds": {"type": "integer", "enum": [4, 8, 12], "default": 8}})
    ran = check(bench, "page.json")
    assert ran.code == 1
    assert ran.json["breaking"]
    (model,) = ran.json["models"]
    assert [(c["kind"], c["was"], c["now"], c["breaking"]) for c in model["changes"]] == [
        ("default", 4, 8, True),
        ("values", None, [12], False),
    ]
    told = bench.do("models", "check", "page.json").out
    assert "  breaking  seconds  has another default: 8, was 4\n" in told
    assert "would be bought again" in " ".join(told.split())


def test_nothing_is_written(bench: Bench) -> None:
    imported(bench, {"seconds": SECONDS})
    there = sorted(path for path in bench.folder.rglob("*"))
    before = (bench.folder / "schemas/models/acme/clip-1.json").read_bytes()
    page(bench, {})
    assert check(bench, "page.json").code == 1
    assert sorted(path for path in bench.folder.rglob("*")) == there
    assert (bench.folder / "schemas/models/acme/clip-1.json").read_bytes() == before


def test_a_model_without_a_schema_is_new(bench: Bench) -> None:
    ran = check(bench, page(bench, {}))
    assert ran.code == 3
    assert [(m["status"], m["from"]) for m in ran.json["models"]] == [("new", None)]
    assert "`kiejobs models import` makes one" in bench.do("models", "check", "page.json").out


def test_a_bundled_model_is_compared_where_the_project_has_none(bench: Bench) -> None:
    ran = check(bench, page(bench, {"resolution": {"enum": ["720p"]}}, MODEL))
    assert ran.code == 1
    (model,) = ran.json["models"]
    assert (model["from"], model["file"]) == ("bundled", None)
    assert {"image_url", "resolution", "duration"} <= {c["field"] for c in model["changes"]}


def test_what_people_put_into_a_schema_by_hand_is_no_change(bench: Bench) -> None:
    imported(bench, {"seconds": SECONDS})
    file = bench.folder / "schemas/models/acme/clip-1.json"
    own = json.loads(file.read_text())
    own["title"] = "Ours"
    own["properties"]["input"]["properties"]["seed"] = {
        "type": "integer",
        "x-kiejobs-source": [{"page": "a mail of the vendor's", "date": "2026-11"}],
    }
    file.write_text(json.dumps(own))
    assert check(bench, "page.json").code == 0


def test_all_pages_are_looked_at_whatever_is_wrong_with_one(bench: Bench) -> None:
    imported(bench, {"seconds": SECONDS})
    (bench.folder / "broken.md").write_text("# Nothing here\n")
    ran = check(bench, "nowhere.md", "broken.md", "page.json")
    assert ran.code == 2
    assert len(ran.json["problems"]) == 2
    assert [m["status"] for m in ran.json["models"]] == ["unchanged"]
    assert "error: " in bench.do("models", "check", "nowhere.md").out


def test_a_broken_schema_in_use_is_told_with_its_place(bench: Bench) -> None:
    imported(bench, {})
    (bench.folder / "schemas/models/acme/clip-1.json").write_text('{"type": "object"')
    ran = check(bench, "page.json")
    assert ran.code == 2
    assert ran.json["problems"][0].startswith("schemas/models/acme/clip-1.json:1:18: ")


def test_a_page_may_be_an_address(bench: Bench) -> None:
    imported(bench, {"seconds": SECONDS})
    data = (bench.folder / "page.json").read_bytes()
    with raw_server(lambda wire: wire.answer(data)) as server:
        ran = check(bench, f"{server.url}/page.json")
    assert ran.code == 0
    assert ran.json["models"][0]["status"] == "unchanged"


def test_markdown_is_the_body_of_an_issue(bench: Bench) -> None:
    imported(bench, {"seconds": SECONDS})
    page(bench, {"seconds": {**SECONDS, "default": 8}})
    ran = bench.do("models", "check", "page.json", "nowhere.md", "--format", "markdown")
    lines = ran.out.splitlines()
    assert lines[0].startswith("<!-- kiejobs models check")
    assert "### `acme/clip-1` (`schemas/models/acme/clip-1.json`)" in lines
    assert "| **breaking** | `seconds` | `has another default: 8, was 4` |" in lines
    assert "- `can't read nowhere.md: No such file or directory`" in lines
    assert lines[-1].startswith("Defaults are always sent.")


def test_a_stranger_s_words_break_out_of_nothing() -> None:
    evil = "`|\n<!-- @everyone [x](https://example.com) \x1b[2J"
    change = ModelChange(evil, "values", breaking=True, was=[evil])
    checked = [CheckedModel(evil, evil, (change,)), CheckedModel(evil, evil, known=False)]
    assert "\x1b" not in check_text(checked, [evil])
    told = check_markdown(checked, [evil])
    assert "\x1b" not in told
    for line in told.splitlines()[1:]:
        outside = "".join(line.split("`")[::2])
        assert "@everyone" not in outside
        assert "<!--" not in outside


def test_a_very_long_issue_is_cut() -> None:
    changes = tuple(ModelChange(f"field_{n}", "field", breaking=True, was=True) for n in range(3_000))
    checked = [CheckedModel(f"acme/{n}", "page.md", changes) for n in range(3)]
    told = check_markdown(checked, [])
    assert len(told) <= 65_536
    assert "left out: too long for a comment" in told


def test_the_schema_can_refuse(bench: Bench) -> None:
    imported(bench, {})
    document = check(bench, "page.json").json
    document["models"][0]["status"] = "fine"
    assert list(Draft202012Validator(DOCUMENT).iter_errors(document))


def test_a_hand_written_schema_is_compared_too(bench: Bench) -> None:
    path = bench.folder / "schemas/models/acme/clip-1.json"
    path.parent.mkdir(parents=True)
    output = {"media_type": "video/mp4", "extension": ".mp4"}
    path.write_text(json.dumps({**schema(), "x-kiejobs-output": output}))
    assert check(bench, page(bench, {})).code == 0


def test_a_field_with_a_source_of_its_own_is_compared_with_a_new_page(bench: Bench) -> None:
    """An import keeps it, so the page breaks nothing; people learn what the page has otherwise."""
    imported(bench, {"seconds": SECONDS})
    path = bench.folder / "schemas" / "models" / f"{ID}.json"
    ours = json.loads(path.read_text())
    theirs = ours["properties"]["input"]["properties"]["seconds"]
    theirs["enum"].append(12)
    theirs["x-kiejobs-source"] = [{"facts": "12 seconds", "page": "a task of ours", "date": "2026-11"}]
    path.write_text(json.dumps(ours))
    assert check(bench, "page.json").code == 0  # the page that the schema was made of
    ran = check(bench, page(bench, {"seconds": {**SECONDS, "description": "How long"}}))
    assert ran.code == 3
    (change,) = ran.json["models"][0]["changes"]
    assert (change["kept"], change["breaking"], change["was"]) == (True, False, [12])
    assert change["words"].startswith("takes no 12 any more, by the page; kept as it is")
    assert bench.do("models", "import", "page.json", "--force").code == 0
    assert json.loads(path.read_text())["properties"]["input"]["properties"]["seconds"] == theirs
    assert check(bench, "page.json").code == 0
