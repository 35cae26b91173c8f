"""A run's report: as text, as a document, as JUnit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.manifest import manifest
from kiejobs.core.ledger.records import Failure
from kiejobs.core.money import UNPRICED
from kiejobs.reports.documents import json_text
from kiejobs.reports.run.report import report_document, report_junit, report_text
from kiejobs.reports.run.view import RunView
from tests.support.results import (
    HOSTILE,
    RUN,
    harmless,
    hash_of,
    ledger_of,
    manifest_of,
    one_of_each,
    planned,
    record,
    refused,
    reserved,
    uncolored,
)

NOTES = {"tea/here[scene=浓缩]": "bought, but not collected: HTTP 404"}
OUT_OF_CREDITS = ("credits", "402: top up")


def view(*events: e.Event, **more: Any) -> RunView:
    """A run of these events, as its own process sees it at its end."""
    attempts = list(ledger_of(*events).attempts())
    return RunView(manifest_of(*events), exit_code=0, attempts=attempts, **more)


def everything(said: str = "the model broke", **more: Any) -> RunView:
    return view(*one_of_each(said), **{"notes": NOTES, "stopped": OUT_OF_CREDITS, **more})


def text(*events: e.Event, **more: Any) -> str:
    return report_text(view(*events, **more))


def document(*events: e.Event, **more: Any) -> dict[str, Any]:
    return report_document(view(*events, **more))


def reasons(found: dict[str, Any]) -> list[str]:
    return [step["reason"] for step in found["next"]]


# --- text ----------------------------------------------------------------------------------------


def test_a_run_in_which_everything_happened() -> None:
    assert report_text(everything()) == (
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
2 not submitted, 1 ruled lost; 31.5 credits charged, 16 credits held for unfinished jobs, \
16 credits in doubt
this run bought 4 jobs for 47.5 credits; in doubt: 1 job for 16 credits

In doubt: may have been bought; not bought again until you resolve it.
Find the request in the vendor's task log, and pass its id to --task;
use --lost only if you are sure that nothing was made.
  tea/doubt[d=5]
    sent 2026-11-22 07:00:15 UTC, may have cost 16 credits: the model broke
    kiejobs resolve 'tea/doubt[d=5]' --task TASK_ID
    kiejobs resolve 'tea/doubt[d=5]' --lost

Stopped (credits): 402: top up. 2 jobs were not bought. Top up the account, then run again.
    kiejobs run 'jobs/tea time.yaml'

Not finished: 1 job is paid for and still at the API; download the files later with
    kiejobs collect

Not collected: 1 job is paid for and made, but not all files are here; download them with
    kiejobs collect

Failed: 2 jobs; change the input, or buy the same again with
    kiejobs run 'jobs/tea time.yaml' --retry failed"""
    )


def test_a_run_that_went_well_has_nothing_more_to_say() -> None:
    good = one_of_each()
    good = [event for event in good if good_ones(event)]
    assert text(*good).split("\n")[-2:] == [
        "1 job: 1 succeeded; 15.5 credits charged",
        "this run bought 1 job for 15.5 credits",
    ]
    assert document(*good)["next"] == []


def good_ones(event: e.Event) -> bool:
    return getattr(event, "attempt_id", hash_of(0)[:32]) == hash_of(0)[:32] and (
        getattr(event, "address", "tea/good") == "tea/good"
    )


def test_a_run_without_jobs_says_so() -> None:
    assert text().split("\n")[2:] == [
        "  no jobs",
        "",
        "0 jobs: nothing done; 0 credits charged",
        "this run bought nothing",
    ]


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
        (("budget", "the next job costs 72 credits, and 10 are left"), "Raise the budget, then run again."),
        (("budget", UNPRICED), "Put the price into prices.yaml, or buy without a budget"),
        (("key", "401: no"), "`kiejobs doctor` shows what the API answers."),
        (("unreachable", "no route"), "whether the API can be reached"),
        (("doubts", "10 in a row"), "before you buy more"),
        (("journal", "disk full"), "Make it writable"),
        (("bug", "KeyError"), "a bug in kiejobs"),
    ],
)
def test_each_reason_to_stop_has_its_cure(stopped: tuple[str, str], said: str) -> None:
    found = document(planned(1, "a"), stopped=stopped)
    assert reasons(found) == ["stopped"]
    assert found["next"][0]["message"].startswith(f"{stopped[1]}. 1 job was not bought.")
    assert said in found["next"][0]["message"]
    assert found["stopped"] == {"reason": stopped[0], "why": stopped[1]}


def test_a_stop_whose_why_is_forgotten_is_still_told() -> None:
    said = text(planned(1, "a"), stopped=("budget", ""))
    assert "Stopped (budget): 1 job was not bought. Raise the budget" in said


IDS = [hash_of(number)[:32] for number in range(9)]
INTERRUPTED = ("interrupted", "Ctrl-C")


def after_an_interrupt(*events: e.Event) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = document(*events, stopped=INTERRUPTED)["next"]
    return [step for step in steps if step["reason"] == "stopped"]


def test_an_interrupt_that_left_nothing_says_that_all_is_here() -> None:
    good = [event for event in one_of_each() if good_ones(event)]
    assert text(*good, stopped=INTERRUPTED).endswith("\n\nInterrupted; all that was bought is here.")
    (step,) = after_an_interrupt(*good)
    assert step["commands"] == []


def test_an_interrupt_that_left_something_says_what_and_how_to_go_on() -> None:
    here = [reserved(1, "here"), e.Submitted(IDS[1], "t1"), e.Succeeded(IDS[1], Decimal(16), ())]
    busy = [reserved(2, "busy"), e.Submitted(IDS[2], "t2")]
    (step,) = after_an_interrupt(planned(0, "a"), *here, *busy, reserved(3, "doubt"))
    assert step["message"] == (
        "Interrupted; 1 job was not bought, 1 job is still at the API, 1 job is not collected, "
        "1 job is in doubt. Run again to continue; nothing is bought twice."
    )
    assert step["commands"] == ["kiejobs run 'jobs/tea time.yaml'"]


def test_an_interrupt_that_left_a_doubt_alone_leaves_the_word_to_the_rulings() -> None:
    (step,) = after_an_interrupt(reserved(3, "doubt"))
    assert (step["message"], step["commands"]) == ("Interrupted; 1 job is in doubt.", [])


def test_what_stopped_a_collect_leads_back_to_collect() -> None:
    events = [reserved(1, "busy"), e.Submitted(IDS[1], "t1")]
    whole = {**manifest_of(*events), "command": "collect", "source": None}
    for stopped in (INTERRUPTED, ("key", "401: no")):
        found = report_document(RunView(whole, stopped=stopped, flag=" --sandbox"))
        assert found["next"][0]["commands"] == ["kiejobs collect --sandbox"]


def test_what_was_not_bought_is_told_without_a_stop_as_well() -> None:
    found = document(planned(1, "a"), planned(2, "b"))
    assert reasons(found) == ["not_submitted"]
    assert found["next"][0]["message"].startswith("2 jobs were not bought.")


def test_what_was_only_submitted_is_not_said_to_run() -> None:
    events = [reserved(1, "new"), e.Submitted(IDS[1], "t1"), reserved(2, "busy")]
    events += [e.Submitted(IDS[2], "t2"), e.Running(IDS[2], "generating")]
    said = text(*events)
    assert "  submitted      tea/new       (16)\n" in said
    assert "  running        tea/busy      (16)\n" in said
    totals = "2 jobs: 1 running, 1 submitted; 0 credits charged, 32 credits held for unfinished jobs"
    assert totals in said.split("\n")
    assert "Not finished: 2 jobs are paid for and still at the API;" in said
    found = document(*events)
    assert refused("documents/report", found) == []
    assert [job["standing"] for job in found["jobs"]] == ["submitted", "running"]


def test_what_another_run_is_about_to_send_is_reserved_and_nothing_to_do_about() -> None:
    journal = replace(record(reserved(1, "soon")), live=True)
    found = report_document(RunView(manifest(journal, fold([journal]))))
    assert refused("documents/report", found) == []
    assert (found["jobs"][0]["standing"], found["next"]) == ("reserved", [])


# --- what this run bought, and where it lies -------------------------------------------------------


def bought(*events: e.Event, **more: Any) -> str:
    (line,) = [line for line in text(*events, **more).split("\n") if line.startswith("this run ")]
    return line


def test_what_this_run_bought_is_told_beside_what_all_runs_did() -> None:
    old, new = [reserved(1, "old"), e.Submitted(IDS[1], "t1")], [reserved(2, "new", 36)]
    new += [e.Submitted(IDS[2], "t2")]
    both = view(*old, *new)
    mine = replace(both, attempts=[a for a in both.attempts if a.address == "tea/new"])
    said = report_text(mine)
    assert "2 jobs: 2 submitted;" in said
    assert "\nthis run bought 1 job for 36 credits\n" in said
    assert report_document(mine)["run"] == {"bought": 1, "credits": "36"}
    assert report_document(both)["run"] == {"bought": 2, "credits": "52"}


def test_what_was_charged_counts_for_the_run_before_what_was_planned() -> None:
    done = [reserved(1, "a"), e.Submitted(IDS[1], "t1"), e.Succeeded(IDS[1], Decimal("15.5"), ())]
    gone = [reserved(2, "b"), e.Submitted(IDS[2], "t2")]
    gone += [e.Failed(IDS[2], Failure("failed", "500", "no"), None)]
    odd = [reserved(3, "c", None), e.Submitted(IDS[3], "t3")]
    assert bought(*done, *gone) == "this run bought 2 jobs for 15.5 credits"
    assert bought(*done, *odd) == "this run bought 2 jobs for 15.5 credits or more"
    assert bought(*odd) == "this run bought 1 job for an unknown price"
    assert document(*done, *odd)["run"] == {"bought": 2, "credits": "15.5"}


def test_what_may_have_been_bought_is_not_told_as_nothing() -> None:
    doubt = reserved(1, "a")
    assert bought(doubt) == "this run has no confirmed purchases; in doubt: 1 job for 16 credits"
    assert document(doubt)["run"] == {"bought": 0, "credits": "0"}
    not_taken = e.NotAccepted(IDS[1], Failure("no_money", "402", "top up"))
    assert bought(doubt, not_taken) == "this run bought nothing"


def test_a_collect_has_nothing_to_say_about_buying() -> None:
    whole = {**manifest_of(*one_of_each()), "command": "collect"}
    assert "this run bought" not in report_text(RunView(whole))


PLACES = {"outputs": "rehearsal/outputs", "record": f"rehearsal/runs/{RUN}/manifest.json"}


def test_a_report_ends_with_where_the_files_and_the_record_are() -> None:
    told = f"files:  rehearsal/outputs\nrecord: rehearsal/runs/{RUN}/manifest.json"
    good = [event for event in one_of_each() if good_ones(event)]
    assert text(*good, **PLACES).endswith(f"\nthis run bought 1 job for 15.5 credits\n{told}")
    assert report_text(everything(**PLACES)).endswith(f" --retry failed\n\n{told}")


def test_where_there_is_no_file_or_no_record_none_is_named() -> None:
    assert text(planned(1, "a"), **PLACES).endswith(f"\n\nrecord: {PLACES['record']}")
    good = [event for event in one_of_each() if good_ones(event)]
    assert text(*good, outputs="outputs").endswith("\nfiles:  outputs")


def test_a_rehearsal_says_so_in_its_first_line() -> None:
    first = f"run {RUN} of tea - a rehearsal, nothing is paid"
    assert text(planned(1, "a"), rehearsal=True).split("\n")[0] == first
    assert text(planned(1, "a")).split("\n")[0] == f"run {RUN} of tea"


def test_colour_changes_nothing_but_colour() -> None:
    whole = everything(rehearsal=True, outputs="outputs", record="runs/x/manifest.json")
    painted = report_text(whole, color=True)
    assert painted != uncolored(painted)
    assert uncolored(painted) == report_text(whole)


# --- the document --------------------------------------------------------------------------------


def test_the_document_fits_its_schema() -> None:
    found = report_document(everything(flag=" --sandbox"))
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
    job = report_document(everything())["jobs"][1]
    assert job["task_id"] == "task-1"
    assert job["credits"] == {"planned": "16", "charged": "16"}
    assert job["note"] == "bought, but not collected: HTTP 404"
    assert "input" not in job


def test_documents_of_an_empty_and_an_unfinished_run_fit_the_schema() -> None:
    assert refused("documents/report", document()) == []
    unfinished = report_document(RunView(manifest_of(planned(1, "a"))))
    assert unfinished["exit_code"] is None
    assert refused("documents/report", unfinished) == []


def test_a_document_that_is_not_as_it_should_be_is_refused() -> None:
    whole = document(planned(1, "a"))
    job = whole["jobs"][0]
    assert refused("documents/report", {**whole, "stopped": {"reason": "rain", "why": ""}}) == [
        "stopped.reason enum"
    ]
    assert refused("documents/report", {**whole, "jobs": [{**job, "state": "done"}]}) == ["jobs.0.state enum"]
    assert refused("documents/report", {**whole, "jobs": [{**job, "credits": 16}]}) == ["jobs.0.credits type"]
    assert refused("documents/report", {k: whole[k] for k in whole if k != "next"}) == ["required"]


# --- JUnit ---------------------------------------------------------------------------------------

SUITE = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
"""What CI servers' schemas of JUnit allow in a suite, as far as it is used here."""
CASE_PARTS = ["skipped", "error", "failure", "system-out"]


def junit(*events: e.Event, **more: Any) -> ET.Element:
    said = report_junit([view(*events, **more)])
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
    notes, why = {"tea/busy": HOSTILE}, (HOSTILE, HOSTILE)
    whole = everything(HOSTILE, notes=notes, stopped=why, outputs=HOSTILE, record=HOSTILE)
    said = report_text(whole)
    assert harmless(said)
    assert "[red]泡" in said
    assert harmless(report_junit([whole]))
    found = report_document(whole)
    assert refused("documents/report", found) == ["stopped.reason enum"]
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
    assert "; 0.3 credits charged\nthis run bought 3 jobs for 0.3 credits" in text(*events)
