"""`models list` and `models show`: what there is, on 80 columns and for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.adapters.project.files import read_schema
from kiejobs.adapters.project.models import bundled_prices
from kiejobs.core.models.spec import read_spec
from kiejobs.reports.models import ModelView, field_words, price_range, show_text
from tests.core.models.test_schema_check import ID, schema
from tests.docs.regenerate import models
from tests.support.bench import MODEL, Bench

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bench import Ran


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, "http://127.0.0.1:9")


def own(bench: Bench, made: Any) -> None:
    path = bench.folder / "schemas/models/acme/clip-1.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made if isinstance(made, str) else json.dumps(made))


def fits(ran: Ran, name: str) -> Any:
    """The document, which has its form."""
    form = read_schema(f"documents/{name}.schema.json")
    assert not list(Draft202012Validator(form).iter_errors(ran.json))
    return ran.json


# --- list ------------------------------------------------------------------------------------------


def test_every_model_is_listed(bench: Bench) -> None:
    document = fits(bench.do("models", "list", "--format", "json"), "models-list")
    assert [one["model"] for one in document["models"]] == sorted(models())
    assert {one["from"] for one in document["models"]} == {"bundled"}
    lines = bench.do("models", "list").out.splitlines()
    assert len(lines) == len(models()) + 3
    assert max(map(len, lines)) <= 90


def test_a_line_tells_kind_date_origin_and_price(bench: Bench) -> None:
    lines = bench.do("models", "list", "v1-pro-fast").out.splitlines()
    assert [line.split() for line in lines] == [
        ["model", "makes", "as", "of", "from", "credits"],
        [MODEL, "video", "2026-11", "bundled", "16-72/video"],
        [],
        ["1", "model"],
    ]


def test_words_narrow(bench: Bench) -> None:
    own(bench, schema())
    chosen = {
        words: [m["model"] for m in bench.do("models", "list", *words, "--format", "json").json["models"]]
        for words in (("project",), ("ACME",), ("image", "bundled"), ("clip", "bundled"))
        if words != ("clip", "bundled")
    }  # fmt: skip
    assert chosen[("project",)] == chosen[("ACME",)] == [ID]
    assert chosen[("image", "bundled")]
    ran = bench.do("models", "list", "clip", "bundled")
    assert ran.code == 2
    assert "no model fits `clip bundled`" in ran.err


def test_a_broken_one_is_told_and_the_others_are_listed(bench: Bench) -> None:
    own(bench, "{")
    ran = bench.do("models", "list", "--format", "json")
    assert ran.code == 2
    assert [one["model"] for one in fits(ran, "models-list")["models"]] == sorted(models())
    assert "error[model-schema] schemas/models/acme/clip-1.json:1:2: " in ran.err


# --- show ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", sorted(models()))
def test_any_model_is_shown_on_80_columns(model: str) -> None:
    view = ModelView(read_spec(models()[model]), None, bundled_prices().of(model))
    told = show_text(view)
    assert max(map(len, told.splitlines())) <= 80
    for name in view.spec.fields:
        assert f"\n  {name}" in told
    for rule in view.rules:
        assert " ".join(rule.split()) in " ".join(told.split())
    assert price_range(view.price) == "unknown" or "credits" in told


def test_all_that_is_known_is_shown(bench: Bench) -> None:
    made = schema(
        seconds={
            "type": "integer",
            "enum": [4, 8],
            "default": 4,
            "x-kiejobs-note": ["From prose.", "In seconds."],
        },
        picture={
            "type": "string",
            "format": "uri",
            "description": "What it starts from.",
            "x-kiejobs-file": {
                "media_types": ["image/png"],
                "max_bytes": 10485760,
                "note": "A guess.",
            },
        },
        shots={
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "required": ["text"],
                "properties": {"text": {"type": "string"}},
            },
        },
    )
    made["title"] = "Clips"
    made["properties"]["input"]["allOf"] = [
        {"title": "`shots` needs `seconds` 8", "if": {"required": ["shots"]}, "then": {}}
    ]
    made["x-kiejobs-output"] = {"media_type": "video/mp4", "extension": ".mp4"}
    made["x-kiejobs-source"] = [{"page": "a page", "date": "2026-11"}]
    own(bench, made)
    (bench.folder / "prices.yaml").write_text(
        "version: 1\nmodels:\n  acme/clip-1:\n    per: video\n    source: a mail\n    date: 2026-11\n"
        "    credits:\n      - {when: {seconds: 4}, credits: 2.5}\n      - {when: {seconds: 8}, credits: 5}\n"
    )
    ran = bench.do("models", "show", ID)
    assert ran.code == 0, ran.err
    assert ran.out == (
        "acme/clip-1\n"
        "Clips\n"
        "\n"
        "makes  video (video/mp4, .mp4)\n"
        "from   this project, schemas/models/acme/clip-1.json\n"
        "as of  2026-11\n"
        "\n"
        "Fields (* is needed)\n"
        "  prompt *\n"
        "      text, up to 100 characters\n"
        "  seconds\n"
        "      4, 8; default 4\n"
        "      note: From prose.\n"
        "      note: In seconds.\n"
        "  picture\n"
        "      a file, by URL or path, png, at most 10 MB\n"
        "      What it starts from.\n"
        "      note: A guess.\n"
        "  shots\n"
        "      a list of mappings, up to 3 entries\n"
        "      text *\n"
        "          text\n"
        "\n"
        "Rules\n"
        "  - `shots` needs `seconds` 8\n"
        "\n"
        "Price\n"
        "  for each video\n"
        "  seconds  credits\n"
        "  4            2.5\n"
        "  8              5\n"
        "  as of 2026-11: a mail\n"
        "  from this project's prices.yaml\n"
        "\n"
        "Sources\n"
        "  - a page; 2026-11\n"
    )
    document = fits(bench.do("models", "show", ID, "--format", "json"), "models-show")
    assert [(f["name"], f["required"], f["default"]) for f in document["fields"]] == [
        ("prompt", True, None),
        ("seconds", False, 4),
        ("picture", False, None),
        ("shots", False, None),
    ]
    assert document["rules"] == ["`shots` needs `seconds` 8"]
    assert [line["credits"] for line in document["price"]["credits"]] == ["2.5", "5"]


def test_a_price_that_nobody_knows_is_said(bench: Bench) -> None:
    own(bench, schema())
    assert "unknown: the plan reports it" in bench.do("models", "show", ID).out
    document = fits(bench.do("models", "show", ID, "--format", "json"), "models-show")
    assert document["price"] is None


def test_an_unknown_model_is_2_with_what_was_probably_meant(bench: Bench) -> None:
    ran = bench.do("models", "show", "bytedance/v1-pro-fast-image-to-vidoe")
    assert (ran.code, ran.out) == (2, "")
    assert f"did you mean `{MODEL}`?" in ran.err
    assert "`kiejobs models list` shows all" in bench.do("models", "show", "x").err


def test_a_broken_one_is_2_with_its_place(bench: Bench) -> None:
    own(bench, "{")
    ran = bench.do("models", "show", ID)
    assert (ran.code, ran.out) == (2, "")
    assert "error[model-schema] schemas/models/acme/clip-1.json:1:2: " in ran.err


def test_a_stranger_s_words_don_t_steer_the_terminal(bench: Bench) -> None:
    evil = "\x1b[2J\u202e"
    made = schema(a={"enum": [evil], "default": evil, "description": evil})
    made["title"] = made["description"] = evil
    made["x-kiejobs-source"] = [{"page": evil, "date": evil}]
    own(bench, made)
    for words in (("show", ID), ("list",)):
        ran = bench.do("models", *words)
        assert ran.code == 0
        assert not {"\x1b", "\u202e"} & set(ran.out)


# --- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({}, "anything"),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 3, "maxLength": 20_000}, "text, 3 to 20,000 characters"),
        ({"type": "string", "format": "uri"}, "a URL"),
        ({"type": "integer", "minimum": 4}, "a whole number, from 4"),
        ({"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.1},
         "a number, 0 to 1, in steps of 0.1"),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 9},
         "a number, more than 0, less than 9"),
        ({"type": "boolean"}, "true or false"),
        ({"const": "x"}, "x"),
        ({"enum": list(range(15))}, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more"),
        ({"type": "string", "pattern": "^a"}, "text, like ^a"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "text or a whole number"),
        ({"type": "integer", "anyOf": [{"const": -1}, {"minimum": 4, "maximum": 15}]},
         "a whole number, 4 to 15 or -1"),
        ({"type": "array"}, "a list"),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 2},
         "a list, exactly 2 entries, each a, b"),
        ({"type": "array", "items": {"type": "string", "format": "uri"}}, "a list of URLs"),
        ({"type": "array", "items": {"type": "string", "format": "uri"},
          "x-kiejobs-file": {"media_types": []}}, "a list of files, by URL or path"),
        ({"type": "string", "format": "uri", "x-kiejobs-file": {"media_types": ["image/png"],
          "max_bytes": 5000}}, "a file, by URL or path, png, at most 5,000 bytes"),
    ],
)  # fmt: skip
def test_what_a_field_takes_in_words(field: dict[str, Any], words: str) -> None:
    assert field_words(field) == words
