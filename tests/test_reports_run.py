"""A run's report: as text, as a document, as JUnit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kiejobs.core import events as e
from kiejobs.core.types import Failure
from kiejobs.reports.documents import json_text
from kiejobs.reports.run_report import report_document, report_junit, report_text
from tests.results import (
    HOSTILE,
    harmless,
    hash_of,
    manifest_of,
    one_of_each,
    planned,
    refused,
    reserved,
    uncolored,
)

NOTES = {"tea/here[scene=浓缩]": "bought, but not collected: HTTP 404"}
OUT_OF_CREDITS = ("credits", "402: top up")


def text(*events: e.Event, stopped: tuple[str, str] | None = None, flag: str = "") -> str:
    return report_text(manifest_of(*events), {}, stopped, 0, flag=flag)


def document(*events: e.Event, stopped: tuple[str, str] | None = None) -> dict[str, Any]:
    return report_document(manifest_of(*events), {}, stopped, 0)


def reasons(found: dict[str, Any]) -> list[str]:
    return [step["reason"] for step in found["next"]]


# --- text ----------------------------------------------------------------------------------------


def test_a_run_in_which_everything_happened() -> None:
    assert report_text(manifest_of(*one_of_each()), NOTES, OUT_OF_CREDITS, 4) == (
        """\
run 20261122T073600Z-1f0a2b of tea

  state          address               credits (planned)
  succeeded      tea/good                 15.5
                 task-0  tea/good.mp4
  not collected  tea/here[scene=浓缩]       16
                 task-1  bought, but not collected: HTTP 404
  running        tea/busy                  (16)
                 task-2
  failed         tea/bad                     0
                 task-3  500: the model broke
  rejected       tea/wrong
                 422: the model broke
  in doubt       tea/doubt[d=5]            (16)
                 the model broke
  not submitted  tea/poor
                 402: the model broke
  ruled lost     tea/lost
  not submitted  tea/never

9 jobs: 1 succeeded, 1 not collected, 1 failed, 1 rejected, 1 in doubt, 1 running, \
2 not submitted, 1 ruled lost; 31.5 credits charged, 16 credits held by what is running, \
16 credits in doubt

In doubt: may have been bought, and is not bought again until you rule on it.
Look for the request in the vendor's task log: --task with the id that you find there,
or --lost where you are sure that nothing was made.
  tea/doubt[d=5]
    sent 2026-11-22 07:00:15 UTC, may have cost 16 credits: the model broke
    kiejobs resolve 'tea/doubt[d=5]' --task TASK_ID
    kiejobs resolve 'tea/doubt[d=5]' --lost

Stopped: credits: 402: top up. 2 jobs were not bought. Top up the account, then run again.
    kiejobs run 'jobs/tea time.yaml'

Running: 1 job is still at the API, paid for; bring the files home later with
    kiejobs collect

Not collected: 1 job is bought and made, but the files are not here; try again with
    kiejobs collect

Failed: 2 jobs; change the input, or buy the same again with
    kiejobs run 'jobs/tea time.yaml' --retry failed"""
    )


def test_a_run_that_went_well_has_nothing_more_to_say() -> None:
    good = one_of_each()
    good = [event for event in good if good_ones(event)]
    assert text(*good).split("\n")[-1] == "1 job: 1 succeeded; 15.5 credits charged"
    assert document(*good)["next"] == []


def good_ones(event: e.Event) -> bool:
    return getattr(event, "attempt_id", hash_of(0)[:32]) == hash_of(0)[:32] and (
        getattr(event, "address", "tea/good") == "tea/good"
    )


def test_a_run_without_jobs_says_so() -> None:
    assert text().split("\n")[2:] == ["  no jobs", "", "0 jobs: nothing done; 0 credits charged"]


def test_a_price_that_is_not_known_is_said_where_it_may_have_been_paid() -> None:
    doubt = e.InDoubt(hash_of(1)[:32], Failure("in_doubt", None, "no answer"))
    said = text(reserved(1, "odd", None), doubt, reserved(2, "dear"))
    assert "may have cost an unknown price: no answer" in said
    # The second one's reserve was left without an outcome.
    assert "2 in doubt; 0 credits charged, 16 credits or more in doubt\n" in said
    assert "the run ended between the reservation and the answer" in said


def test_commands_work_in_a_rehearsal() -> None:
    said = text(*one_of_each(), flag=" --sandbox", stopped=OUT_OF_CREDITS)
    commands = [line for line in said.split("\n") if line.startswith("    kiejobs ")]
    assert len(commands) == 6
    assert all("--sandbox" in command for command in commands)


@pytest.mark.parametrize(
    ("stopped", "said"),
    [
        (("budget", "the next job costs 72, and 10 is left"), "Raise the budget, then run again."),
        (("key", "401: no"), "`kiejobs doctor` tells what the API says to it."),
        (("unreachable", "no route"), "whether the API can be reached"),
        (("doubts", "10 in a row"), "before anything more is bought"),
        (("interrupted", "Ctrl-C"), "Run again to go on; nothing is bought twice."),
        (("journal", "disk full"), "room and permissions"),
        (("bug", "KeyError"), "a fault of kiejobs"),
    ],
)
def test_each_reason_to_stop_has_its_cure(stopped: tuple[str, str], said: str) -> None:
    found = document(planned(1, "a"), stopped=stopped)
    assert reasons(found) == ["stopped"]
    assert found["next"][0]["message"].startswith(
        f"{stopped[0]}: {stopped[1]}. 1 job was not bought."
    )
    assert said in found["next"][0]["message"]
    assert found["stopped"] == {"reason": stopped[0], "why": stopped[1]}


def test_a_stop_whose_why_is_forgotten_is_still_told() -> None:
    said = text(planned(1, "a"), stopped=("budget", ""))
    assert "Stopped: budget. 1 job was not bought. Raise the budget" in said


def test_what_was_not_bought_is_told_without_a_stop_as_well() -> None:
    found = document(planned(1, "a"), planned(2, "b"))
    assert reasons(found) == ["not_submitted"]
    assert found["next"][0]["message"].startswith("2 jobs were not bought.")


def test_colour_changes_nothing_but_colour() -> None:
    whole = manifest_of(*one_of_each())
    painted = report_text(whole, NOTES, OUT_OF_CREDITS, 4, color=True)
    assert painted != uncolored(painted)
    assert uncolored(painted) == report_text(whole, NOTES, OUT_OF_CREDITS, 4)


# --- the document --------------------------------------------------------------------------------


def test_the_document_fits_its_schema() -> None:
    found = report_document(
        manifest_of(*one_of_each()), NOTES, OUT_OF_CREDITS, 4, flag=" --sandbox"
    )
    assert refused("documents/report", found) == []
    standings = {job["address"]: job["standing"] for job in found["jobs"]}
    assert standings == {
        "tea/good": "succeeded",
        "tea/here[scene=浓缩]": "not_collected",
        "tea/busy": "running",
        "tea/bad": "failed",
        "tea/wrong": "rejected",
        "tea/doubt[d=5]": "in_doubt",
        "tea/poor": "not_submitted",
        "tea/lost": "ruled_lost",
        "tea/never": "not_submitted",
    }
    assert reasons(found) == ["in_doubt", "stopped", "running", "not_collected", "failed"]
    assert found["next"][0]["address"] == "tea/doubt[d=5]"
    assert found["next"][0]["commands"][1] == "kiejobs resolve 'tea/doubt[d=5]' --lost --sandbox"


def test_a_job_in_the_document_is_the_manifests_without_the_prompt() -> None:
    job = report_document(manifest_of(*one_of_each()), NOTES, None, None)["jobs"][1]
    assert job["task_id"] == "task-1"
    assert job["credits"] == {"planned": "16", "charged": "16"}
    assert job["note"] == "bought, but not collected: HTTP 404"
    assert "input" not in job


def test_documents_of_an_empty_and_an_unfinished_run_fit_the_schema() -> None:
    assert refused("documents/report", document()) == []
    unfinished = report_document(manifest_of(planned(1, "a")), {}, None, None)
    assert refused("documents/report", unfinished) == []


def test_a_document_that_is_not_as_it_should_be_is_refused() -> None:
    whole = document(planned(1, "a"))
    job = whole["jobs"][0]
    assert refused("documents/report", {**whole, "stopped": {"reason": "rain", "why": ""}}) == [
        "stopped.reason enum"
    ]
    assert refused("documents/report", {**whole, "jobs": [{**job, "state": "done"}]}) == [
        "jobs.0.state enum"
    ]
    assert refused("documents/report", {**whole, "jobs": [{**job, "credits": 16}]}) == [
        "jobs.0.credits type"
    ]
    assert refused("documents/report", {k: whole[k] for k in whole if k != "next"}) == ["required"]


# --- JUnit ---------------------------------------------------------------------------------------

SUITE = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
"""What CI servers' schemas of JUnit allow in a suite, as far as it is used here."""
CASE_PARTS = ["skipped", "error", "failure", "system-out"]


def junit(*events: e.Event, notes: dict[str, str] | None = None) -> ET.Element:
    said = report_junit(manifest_of(*events), notes)
    assert said.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>')
    suite = ET.fromstring(said.encode()).find("testsuite")
    assert suite is not None
    return suite


def test_junit_counts_what_ci_shows() -> None:
    suite = junit(*one_of_each(), notes=NOTES)
    assert suite.attrib == {
        "name": "tea",
        "tests": "9",
        "failures": "2",
        "errors": "2",
        "skipped": "4",
        "time": "51.000",  # 12 s of making, and 13 s each of three others
        "timestamp": "2026-11-22T07:00:10",
    }
    kinds = {
        case.attrib["name"]: [part.tag for part in case if part.tag != "system-out"]
        for case in suite.iter("testcase")
    }
    assert kinds == {
        "tea/good": [],
        "tea/here[scene=浓缩]": ["error"],
        "tea/busy": ["skipped"],
        "tea/bad": ["failure"],
        "tea/wrong": ["failure"],
        "tea/doubt[d=5]": ["error"],
        "tea/poor": ["skipped"],
        "tea/lost": ["skipped"],
        "tea/never": ["skipped"],
    }


def test_a_junit_case_has_its_task_its_file_and_its_time() -> None:
    good, here, *_ = junit(*one_of_each(), notes=NOTES).iter("testcase")
    assert good.attrib == {"classname": "tea", "name": "tea/good", "time": "12.000"}
    assert good.findtext("system-out") == "task task-0\nfile tea/good.mp4"
    error = here.find("error")
    assert error is not None
    assert error.attrib == {"type": "not_collected", "message": NOTES["tea/here[scene=浓缩]"]}


def test_junit_has_the_shape_that_its_schemas_want() -> None:
    suite = junit(*one_of_each(HOSTILE), notes=NOTES)
    assert set(suite.attrib) <= SUITE
    assert [part.tag for part in suite] == ["properties", *["testcase"] * 9]
    for case in suite.iter("testcase"):
        assert set(case.attrib) == {"classname", "name", "time"}
        order = [CASE_PARTS.index(part.tag) for part in case]
        assert order == sorted(order)
        for part in case:
            assert set(part.attrib) <= {"message", "type"}


def test_junit_of_an_empty_run_is_an_empty_suite() -> None:
    suite = junit()
    assert suite.attrib["tests"] == "0"
    assert "timestamp" not in suite.attrib


# --- strangers' words ----------------------------------------------------------------------------


def test_hostile_answers_are_told_harmlessly_everywhere() -> None:
    whole = manifest_of(*one_of_each(HOSTILE))
    notes = {"tea/busy": HOSTILE}
    said = report_text(whole, notes, (HOSTILE, HOSTILE), 4)
    assert harmless(said)
    assert "[red]泡" in said
    assert harmless(report_junit(whole, notes))
    found = report_document(whole, notes, None, 4)
    assert refused("documents/report", found) == []
    assert harmless(json_text(found))


def test_hostile_addresses_cannot_break_out_of_a_command() -> None:
    event = reserved(1, "a'; rm -rf ~ #\x1b[2J")
    command = document(event)["next"][0]["commands"][1]
    assert command == r"""kiejobs resolve 'tea/a'"'"'; rm -rf ~ #\x1b[2J' --lost"""


def test_an_error_of_ten_thousand_characters_is_cut_in_text_and_whole_in_the_document() -> None:
    long = "no " * 4000
    events = [reserved(1, "a"), e.Rejected(hash_of(1)[:32], Failure("rejected", None, long))]
    assert max(map(len, text(*events).split("\n"))) < 200
    assert document(*events)["jobs"][0]["error"]["message"] == long


def test_money_is_added_exactly() -> None:
    events: list[e.Event] = []
    for number in range(1, 4):
        task = hash_of(number)[:32]
        events += [reserved(number, f"j{number}"), e.Submitted(task, f"t{number}")]
        events += [e.Succeeded(task, Decimal("0.1"), ())]
    assert "; 0.3 credits charged" in text(*events)
