"""Problems told as a compiler tells them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.diagnostics import Diagnostic, Place, Problems, Severity
from kiejobs.reports.diagnostics import diagnostics_document, diagnostics_text
from kiejobs.reports.documents import json_text
from kiejobs.reports.terminal import sanitize, width
from tests.support.results import HOSTILE, harmless, refused, uncolored

NAME = "jobfiles/tea.yaml"
LINES = {NAME: ["version: 1", "jobs:", "  pour:", "\tprompt: 浓缩 {{ vars.brnad }}", "  pour: {}"]}
TWICE = Diagnostic(
    "duplicate-key",
    "duplicate key `pour`",
    Place(NAME, 5, 3),
    "keep one of the two",
    also=(Place(NAME, 3, 3),),
)
UNDEFINED = Diagnostic(
    "template",
    "job `pour`: `vars.brnad` is not defined",
    Place(NAME, 4, 16),
    "did you mean `vars.brand`?",
    count=4000,
    example="tea/pour[duration=5]",
)
OLD = Diagnostic("deprecated", "`tag` is `tags` now", Place(NAME, 2, 1), severity=Severity.WARNING)


def test_all_problems_are_told_with_their_lines() -> None:
    problems = Problems([TWICE, UNDEFINED, OLD])
    assert diagnostics_text(problems, LINES) == (
        """\
warning[deprecated] jobfiles/tea.yaml:2:1: `tag` is `tags` now
  |
2 | jobs:
  | ^

error[template] jobfiles/tea.yaml:4:16: job `pour`: `vars.brnad` is not defined
  |
4 |     prompt: 浓缩 {{ vars.brnad }}
  |                     ^
  = help: did you mean `vars.brand`?
  = note: hits 4,000 combinations, e.g. tea/pour[duration=5]

error[duplicate-key] jobfiles/tea.yaml:5:3: duplicate key `pour`
  |
5 |   pour: {}
  |   ^
  = help: keep one of the two
  = note: see also jobfiles/tea.yaml:3:3

2 errors, 1 warning"""
    )


def test_a_problem_without_a_place_or_beyond_the_lines_is_told_without_a_line() -> None:
    problems = [
        Diagnostic("no-file", "there is no such file", hint="look again"),
        Diagnostic("end", "the file ends too early", Place(NAME, 99, 1), example="tea/pour"),
        Diagnostic("other", "in another file", Place("prompts/a.j2", 1, 1)),
    ]
    assert diagnostics_text(problems, LINES) == (
        """\
error[no-file]: there is no such file
  = help: look again

error[end] jobfiles/tea.yaml:99:1: the file ends too early
   = note: in tea/pour

error[other] prompts/a.j2:1:1: in another file

3 errors"""
    )


def test_no_problems_are_said_to_be_none() -> None:
    assert diagnostics_text([], {}) == "no problems"
    assert diagnostics_text([OLD], {}).endswith("\n1 warning")


@given(
    st.text(st.sampled_from("ab 浓缩\té\u0301\x1b"), max_size=400),
    st.integers(0, 400),
)
def test_the_caret_stands_below_its_character_however_long_the_line(text: str, at: int) -> None:
    line = f"{text[:at]}Ω{text[at:]}"
    column = line.index("Ω") + 1
    said = diagnostics_text([Diagnostic("x", "y", Place(NAME, 1, column))], {NAME: [line]})
    _, _, source, caret, *_ = said.split("\n")
    assert width(source[: source.index("Ω")]) == caret.index("^")
    assert width(source) <= len("1 | ") + 100
    assert harmless(said)


def test_a_line_of_a_megabyte_is_cut_around_the_caret() -> None:
    line = "x" * 500_000 + "HERE" + "y" * 500_000
    place = Place(NAME, 1, 500_001)
    source = diagnostics_text([Diagnostic("x", "y", place)], {NAME: [line]}).split("\n")[2]
    assert source.startswith("1 | …xxx")
    assert "HEREyyy" in source
    assert source.endswith("y…")


def test_hostile_text_is_told_harmlessly() -> None:
    place = Place(HOSTILE, 1, 5)
    problem = Diagnostic(HOSTILE, HOSTILE, place, HOSTILE, count=2, example=HOSTILE, also=(place,))
    said = diagnostics_text([problem], {HOSTILE: [HOSTILE]})
    assert harmless(said)
    assert sanitize("[red]泡\u202e") in said


def test_a_message_that_quotes_a_prompt_is_cut() -> None:
    said = diagnostics_text([Diagnostic("x", "浓" * 10_000)], {})
    assert max(map(width, said.split("\n"))) < 520


def test_colour_changes_nothing_but_colour() -> None:
    problems = [TWICE, UNDEFINED, OLD]
    painted = diagnostics_text(problems, LINES, color=True)
    assert painted != uncolored(painted)
    assert uncolored(painted) == diagnostics_text(problems, LINES)


def test_the_document_fits_its_schema() -> None:
    hostile = Diagnostic(HOSTILE, HOSTILE)
    document = diagnostics_document(NAME, None, [TWICE, UNDEFINED, OLD, hostile])
    assert refused("documents/validate", json.loads(json_text(document))) == []
    assert document["valid"] is False
    assert document["problems"][1] == {
        "code": "template",
        "severity": "error",
        "message": "job `pour`: `vars.brnad` is not defined",
        "hint": "did you mean `vars.brand`?",
        "file": NAME,
        "line": 4,
        "column": 16,
        "count": 4000,
        "example": "tea/pour[duration=5]",
        "also": [],
    }
    assert document["problems"][0]["also"] == [{"file": NAME, "line": 3, "column": 3}]
    assert document["problems"][3]["line"] is None


def test_a_file_with_warnings_only_is_valid() -> None:
    document = diagnostics_document(NAME, 8, [OLD])
    assert refused("documents/validate", document) == []
    assert (document["valid"], document["jobs"]) == (True, 8)


def test_a_document_that_is_not_as_it_should_be_is_refused() -> None:
    document = diagnostics_document(NAME, 8, [OLD])
    assert refused("documents/validate", {**document, "jobs": -1}) == ["jobs minimum"]
    assert refused("documents/validate", {**document, "more": 1}) == ["additionalProperties"]
    bad = {**document["problems"][0], "severity": "note"}
    assert refused("documents/validate", {**document, "problems": [bad]}) == ["problems.0.severity enum"]
