"""Nothing is bought but what is written: templates, numbers, comments, blanks and slips, as people have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.project.files import DataFolder
from tests.support.expanding import MODEL, Expanded, expanded

if TYPE_CHECKING:
    from pathlib import Path


def made(prompt: str, body: str = "", top: str = "", data: DataFolder | None = None) -> Expanded:
    """One job of the shipped model; `body` are lines of it, `prompt` is YAML."""
    lines = [f"    {row}" for row in [f"model: {MODEL}", *body.splitlines()]]
    fields = ["    input:", "      image_url: https://example.com/a.webp", f"      prompt: {prompt}"]
    text = "\n".join(["version: 1", "campaign: h", *top.splitlines(), "jobs:", "  j:", *lines, *fields, ""])
    return expanded(text, data=data)


@pytest.mark.parametrize(
    ("prompt", "body", "top"),
    [
        ('"{{ vars.line }}"', "", 'vars: {brand: A, line: "{{ vars.brand }} in the morning"}'),
        ('"{{ vars.all.line }}"', "", 'vars: {all: {line: "{% if x %}y{% endif %}"}}'),
        ('"{{ matrix.mood }}"', 'matrix: {mood: ["a {{ vars.brand }} cup"]}', "vars: {brand: A}"),
        ('"{{ matrix.s.text }}"', 'matrix: {s: [{id: a, text: "{{ job }}"}]}', ""),
        ('"{{ matrix.light }}"', 'matrix: {mood: [a], include: [{mood: a, light: "{{ job }}"}]}', ""),
        ('"{{ matrix.resolution }}"', 'matrix: {resolution: ["{{ vars.r }}"]}', "vars: {r: 720p}"),
    ],
)
def test_a_template_that_nothing_renders_is_an_error(prompt: str, body: str, top: str) -> None:
    assert "unrendered-template" in made(prompt, body, top).codes


def test_a_template_that_is_rendered_where_it_is_or_is_no_template_is_fine() -> None:
    fills = 'matrix: {resolution: ["{{ vars.r }}"]}'
    assert not made("x", fills, "vars: {r: 720p}").problems
    assert not made('"{{ vars.brace }}"', "", "vars: {brace: 'reads {{ or {#sale}'}").problems
    anchored = 'vars: {x-line: &line "a {{ vars.brand }}", brand: A}'
    assert [job.input["prompt"] for job in made("*line", "", anchored).jobs] == ["a A"]


@pytest.mark.parametrize(
    ("prompt", "body", "top", "spelled"),
    [
        ('"{{ matrix.v }}"', "matrix: {v: [3.9, 3.10]}", "", "3.10"),
        ('"{{ matrix.agent }}"', "matrix: {agent: [007]}", "", "007"),
        ('"{{ vars.price }}"', "", "vars: {price: 19.90}", "19.90"),
        ('"{{ vars.p }}"', "", "vars: {x: &p 19.90, p: *p}", "19.90"),
        ('"{{ matrix.s.v }}"', "matrix: {s: [{id: a, v: 1e3}]}", "", "1e3"),
        ("3.10", "", "", "3.10"),
        ("5.0", "", "", "5.0"),
    ],
)
def test_a_number_is_never_bought_otherwise_than_it_is_written(
    prompt: str, body: str, top: str, spelled: str
) -> None:
    """Both ways out of the hint are followed: quotes keep it, the other spelling is what is printed."""
    problem = made(prompt, body, top).only("number-text")
    assert problem.hint is not None
    _, quoted, _ = problem.hint.split('"')
    assert quoted == spelled
    other = problem.hint.rpartition("write ")[2]
    for way in (f'"{quoted}"', other):
        parts = (part.replace(spelled, way) for part in (prompt, body, top))
        job = made(*parts).jobs[-1]
        assert str(job.input["prompt"]) == way.strip('"')


def test_a_number_that_nothing_prints_may_have_any_form() -> None:
    assert not made("x", "matrix: {duration: [5.0]}", "vars: {x-n: 1.10}").problems


@pytest.mark.parametrize(
    ("prompt", "dropped"),
    [
        ("Cup of tea #cozy", "`#cozy` is a comment"),
        ("A cap #1 red", "`#1 red` is a comment"),
        ("Cup\n        of tea #cozy", "`#cozy` is a comment"),
        ("A cup, #FF8800 orange", "`#FF8800 orange` is a comment"),
        ("Cup,\n        of tea, #cozy", "`#cozy` is a comment"),
        ("&then a dog runs", "`&then` names an anchor"),
    ],
)
def test_text_that_yaml_drops_is_a_warning(prompt: str, dropped: str) -> None:
    problem = made(prompt).only("lost-text")
    assert dropped in problem.message
    assert problem.severity == "warning"
    whole = " ".join(prompt.split())
    assert [job.input["prompt"] for job in made(f'"{whole}"').jobs] == [whole]


@pytest.mark.parametrize(
    "body",
    [
        "output: clip #1.mp4",
        "tags: [a, #b\n  c]",
        "matrix: {duration: [5, #10\n  10]}",
        "tags:\n- a\n- b #c",
        "matrix:\n  m:\n  - warm, #orange light\n  - cold",
        "matrix:\n  m: [warm, #orange light\n    cold]",
    ],
)
def test_so_it_is_elsewhere_in_a_job(body: str) -> None:
    assert "lost-text" in made("x", body).codes


@pytest.mark.parametrize("prompt", ["Cup of tea # cozy", '"Cup #cozy" #x', "tea#1", ">- #x\n        cup"])
def test_a_comment_that_is_meant_is_none(prompt: str) -> None:
    assert not made(prompt).problems


def test_a_null_with_a_comment_behind_it_says_so() -> None:
    told = made("#cozy cup").told
    assert any("there is no value here: `#cozy cup` is a comment" in line for line in told)


def test_an_anchor_that_is_used_is_no_text() -> None:
    assert not made('"{{ vars.a }}{{ vars.b }}"', "", "vars: {a: &x tea, b: *x}").problems


@pytest.mark.parametrize(
    "prompt", ['""', '"  "', '"\\u200b \\u00a0"', '"\\u2800"', '"\\u3164 "', "\"{{ '' }}\""]
)
def test_a_required_text_is_not_blank(prompt: str) -> None:
    assert "is empty" in made(prompt).only("missing-field").message


@pytest.mark.parametrize("prompt", ['"tea\\0cup"', '"a\\x1b[31m"', "\"{{ '\\\\x7f' }}\"", '"a\\u0085b"'])
def test_no_control_character_is_sent(prompt: str) -> None:
    assert "control character" in made(prompt).only("invalid-text").message
    assert made('"two\\n\\tlines"').jobs


@pytest.mark.parametrize(
    "matrix", ["resolutoin: [1080p]", "resolutoin: [1080p, 720p]", "include: [{resolutoin: 1080p}]"]
)
def test_a_slip_in_an_axis_is_an_error_whose_hint_helps(matrix: str) -> None:
    problem = made("x", f"matrix: {{{matrix}}}").only("unused-axis")
    assert problem.hint is not None
    assert problem.hint.startswith("did you mean `resolution`?")
    jobs = made("x", f"matrix: {{{matrix.replace('resolutoin', 'resolution')}}}").jobs
    assert jobs[0].input["resolution"] == "1080p"


def test_a_method_is_no_value_of_a_row() -> None:
    rows = "matrix: {s: [{id: a, items: cups}, {id: b}]}"
    assert (
        "`matrix.s.items` is not defined"
        in made('"x{% if matrix.s.items %} items{% endif %}"', rows).only("template").message
    )


def test_omit_leaves_an_optional_field_out() -> None:
    """The model's default is sent then, or nothing."""
    rows = "matrix: {s: [{id: a, length: 10}, {id: b, length: ''}, {id: c}]}"
    prompt = '"x {{ matrix.s.id }}"\n      duration: "{{ matrix.s.length | default(omit, true) }}"'
    assert [job.input["duration"] for job in made(prompt, rows).jobs] == ["10", "5", "5"]
    assert "missing" in made('"{{ omit }}"').only("missing-field").message


@pytest.mark.parametrize(
    ("prompt", "body"),
    [
        ('"a {{ omit }}"', ""),
        ('"{{ omit | upper }}"', ""),
        ('"{{ omit }}{{ omit }}"', ""),
        ("x", 'output: "{{ omit }}"'),
    ],
)
def test_omit_is_no_part_of_a_text(prompt: str, body: str) -> None:
    assert "`omit` leaves out a complete optional field" in made(prompt, body).only("template").message


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("A cap: {{ job }}", "A cap: j"),
        ("{{ job }} cap", "j cap"),
        ('say "a": {{ job }}\'s', 'say "a": j\'s'),
    ],
)
def test_a_template_without_quotes_is_told_how_to_write_it(written: str, spelled: str) -> None:
    problem = made(written).only("yaml-syntax")
    assert problem.hint is not None
    followed = made(problem.hint.removeprefix("write it as "))
    assert [job.input["prompt"] for job in followed.jobs] == [spelled]


def test_names_that_a_dot_does_not_reach_are_shown_as_they_are_written() -> None:
    problem = made('"{{ vars.brand-name }}"', "", "vars: {brand-name: A}").only("template")
    assert problem.hint == "did you mean `vars['brand-name']`?"
    assert made("\"{{ vars['brand-name'] }}\"", "", "vars: {brand-name: A}").jobs


@pytest.mark.parametrize(
    "model",
    ["google/nano-banana", "bytedance/v1-lite-image-to-video", "bytedance/v2-pro-fast-image-to-video"],
)
def test_another_model_is_never_the_only_way_out(model: str) -> None:
    text = f"version: 1\ncampaign: c\njobs: {{a: {{model: {model}, input: {{prompt: x}}}}}}\n"
    assert "models import" in str(expanded(text).only("unknown-model").hint)


def test_a_slip_of_the_pen_in_a_model_is_told() -> None:
    text = "version: 1\ncampaign: c\njobs: {a: {model: bytedance/v1-pro-fast-image-to-vidoe, input: {prompt: x}}}\n"
    assert str(expanded(text).only("unknown-model").hint).startswith(f"did you mean `{MODEL}`? `kiejobs")


def test_json_s_pairs_of_escapes_are_one_character() -> None:
    assert [job.input["prompt"] for job in made(r'"a \ud83d\ude00 \\ud83d"').jobs] == ["a 😀 \\ud83d"]
    assert [job.input["prompt"] for job in made(r"'a \ud83d\ude00'").jobs] == [r"a \ud83d\ude00"]


@pytest.mark.parametrize(
    ("url", "hint", "mended"),
    [
        ("https://example.com/a.webp ", "delete the blank at its end", "https://example.com/a.webp"),
        (" https://example.com/a.webp", "delete the blank at its beginning", "https://example.com/a.webp"),
        (
            "https://example.com/a\u200b.webp",
            "delete the invisible character U+200B",
            "https://example.com/a.webp",
        ),
        ("https://example.com/a b.webp", "write it as ", "https://example.com/a%20b.webp"),
        ("https://bücher.example/é.webp", "write it as ", "https://xn--bcher-kva.example/%C3%A9.webp"),
    ],
)
def test_each_fault_of_a_url_has_its_own_way_out(url: str, hint: str, mended: str) -> None:
    text = f"""
version: 1
campaign: c
jobs:
  j: {{model: {MODEL}, input: {{prompt: x, image_url: "{url}"}}}}
"""
    told = str(expanded(text).only("invalid-field").hint)
    assert told.startswith(hint)
    assert told == f"write it as {mended}" or not told.startswith("write")
    assert [job.input["image_url"] for job in expanded(text.replace(url, mended)).jobs] == [mended]


def test_a_url_has_an_end() -> None:
    text = f"version: 1\ncampaign: c\njobs:\n  j: {{model: {MODEL}, input: {{prompt: x, image_url: 'https://example.com/{'a' * 30_000}'}}}}\n"
    assert "at most 20,000 characters" in str(expanded(text).only("invalid-field").hint)


def test_a_comment_of_templates_that_holds_words_is_told() -> None:
    problem = made('"Neon that reads {#sale#} in the rain"').only("lost-text")
    assert problem.hint is not None
    followed = made(f'"Neon that reads {problem.hint.split("`")[1]} in the rain"')
    assert [job.input["prompt"] for job in followed.jobs] == ["Neon that reads {#sale#} in the rain"]
    assert not made('"Neon {# note #}in the rain"').problems


SPELLINGS = [
    *("0777", "0o17", "1_000", "0x1F", "1e3", "1E3", ".5", "-.5", "1.", "+1", "-0", "00", "0.10", "12:30:00"),
    *(
        "yes",
        "no",
        "on",
        "off",
        "Yes",
        "True",
        "FALSE",
        "2026-11-22",
        "0b11",
        "0o9",
        ".inf",
        "1e400",
        "~",
        "null",
    ),
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_word_that_some_yaml_takes_for_another_value_is_printed_as_it_is_written_or_refused(
    text: str, tmp_path: Path
) -> None:
    """The same in variables, on axes, in the input, and in each form of a table; a cell of CSV is always text."""
    for form, table in {
        "csv": f"id,v\na,{text}\n",
        "yaml": f"- id: a\n  v: {text}\n",
        "json": f'[{{"id": "a", "v": "{text}"}}]',
    }.items():
        (tmp_path / f"t.{form}").write_text(table)
    data = DataFolder(tmp_path)
    rows = {form: f"matrix: {{s: {{from: t.{form}, key: id}}}}" for form in ("csv", "yaml", "json")}
    tables = {form: made('"{{ matrix.s.v }}"', body, data=data) for form, body in rows.items()}
    listed = [
        made('"{{ vars.x }}"', "", f"vars: {{x: {text}}}"),
        made('"{{ matrix.x }}"', f"matrix: {{x: [{text}]}}"),
        made(text),
        tables["yaml"],
    ]
    printed = [None if one.problems.fatal else one.jobs[0].input["prompt"] for one in listed]
    assert printed in ([text] * 4, [None] * 4)
    for form in ("csv", "json"):
        assert tables[form].jobs[0].input["prompt"] == text
