"""Charged otherwise than planned: told by run, report and status, by model, with what to do."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.adapters.project.models import bundled_prices
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.ledger import PriceDrift, latest_price_drifts, price_drifts
from kiejobs.core.ledger.records import Failure
from kiejobs.reports.markdown import report_markdown
from kiejobs.reports.run.view import RunView, drift_entry, drift_words
from tests.support.bench import MODEL, Bench
from tests.support.forked import WITHOUT_MEDIA
from tests.support.results import hash_of, ledger_of, manifest_of, record, refused, reserved

if TYPE_CHECKING:
    from pathlib import Path


def bought(number: int, planned: int | None, charged: str | None) -> list[e.Event]:
    """The events of one job that succeeded."""
    known = None if charged is None else Decimal(charged)
    attempt = hash_of(number)[:32]
    return [
        reserved(number, f"job{number}", planned),
        e.Submitted(attempt, f"task-{number}"),
        e.Succeeded(attempt, known, ()),
    ]


def drifts(*jobs: tuple[int | None, str | None]) -> tuple[PriceDrift, ...]:
    events = [event for n, (p, c) in enumerate(jobs) for event in bought(n, p, c)]
    return price_drifts(ledger_of(*events).attempts())


def test_what_was_charged_otherwise_is_summed_for_a_model() -> None:
    (found,) = drifts((16, "20"), (16, "16"), (36, "40"))
    assert found == PriceDrift("maker/model", 2, 3, Decimal(52), Decimal(60))
    assert found.percent == Decimal("15.4")
    assert drift_words(found) == "maker/model charged 60 credits instead of 52 (+15.4 %) for 2 of 3 jobs"


@pytest.mark.parametrize(
    ("planned", "charged", "words"),
    [
        (16, "12", "charged 12 credits instead of 16 (-25 %) for 1 of 1 job"),
        (16, "16.01", "charged 16.01 credits instead of 16 (+0.1 %) for 1 of 1 job"),
        (0, "5", "charged 5 credits instead of 0 for 1 of 1 job"),
        (16, "0", "charged 0 credits instead of 16 (-100 %) for 1 of 1 job"),
    ],
)
def test_a_drift_is_told_in_percent(planned: int, charged: str, words: str) -> None:
    (found,) = drifts((planned, charged))
    assert drift_words(found) == f"maker/model {words}"


@pytest.mark.parametrize(
    ("planned", "charged"),
    [(16, "16"), (16, "16.0000001"), (16, "15.995"), (16, None), (None, "16"), (None, None)],
)
def test_the_same_and_the_unknown_are_no_drift(planned: int | None, charged: str | None) -> None:
    assert drifts((planned, charged)) == ()


def test_a_failed_job_that_costs_nothing_is_no_drift() -> None:
    attempt = hash_of(1)[:32]
    failed = e.Failed(attempt, Failure("failed", "500", "no"), Decimal(0))
    ledger = ledger_of(reserved(1, "bad"), e.Submitted(attempt, "task"), failed)
    assert price_drifts(ledger.attempts()) == ()


def test_the_latest_run_of_a_model_counts_so_that_a_corrected_price_is_quiet() -> None:
    first, second = record(*bought(1, 16, "20")), record(*bought(2, 20, "20"))
    later = JournalRecord("20261123T073600Z-1f0a2b", second.events)
    ledger = fold([first, later])
    assert len(price_drifts(ledger.attempts())) == 1
    assert latest_price_drifts(ledger.attempts()) == ()


def test_a_document_has_all_of_it_as_text() -> None:
    (found,) = drifts((16, "20.5"))
    assert drift_entry(found) == {
        "model": "maker/model",
        "jobs": 1,
        "compared": 1,
        "planned": "16",
        "charged": "20.5",
        "percent": "28.1",
    }


def test_a_comment_says_what_to_do() -> None:
    events = bought(1, 16, "20")
    view = RunView(manifest_of(*events), settled=list(ledger_of(*events).attempts()))
    assert "maker/model charged 20 credits instead of 16 (+25 %) for 1 of 1 job" in report_markdown(view)
    assert "prices.yaml" in report_markdown(view)


# --- a rehearsal -----------------------------------------------------------------------------------


FAULTS = {"rules": [{"on": "create", "when": {"nth": [1]}, "do": {"charge": 20.5}}]}


@pytest.fixture
def rehearsed(tmp_path: Path) -> Bench:
    """A rehearsal of two jobs, one of them charged 20.5 credits instead of 16."""
    bench = Bench(tmp_path, "http://127.0.0.1:9")
    bench.write({"a": "a", "b": "b"})
    (tmp_path / "faults.yaml").write_text(json.dumps(FAULTS))
    return bench


def rehearse(bench: Bench, *words: str) -> Any:
    speed = ("--sandbox", "--speed", "2000", "--faults", "faults.yaml")
    return bench.do("run", "jobs.yaml", "--yes", *speed, *words, PYTHONPATH=WITHOUT_MEDIA)


SAID = f"{MODEL} charged 20.5 credits instead of 16 (+28.1 %) for 1 of 2 jobs"


def test_a_rehearsed_drift_is_told_by_every_report(rehearsed: Bench) -> None:
    ran = rehearse(rehearsed)
    assert ran.code == 0
    assert f"Price drift: {SAID}; put the current price into prices.yaml" in ran.out
    entry = {"model": MODEL, "jobs": 1, "compared": 2, "planned": "16", "charged": "20.5"}
    for verb in ("report", "status"):
        assert SAID in rehearsed.do(verb, "--sandbox").out
        document = rehearsed.do(verb, "--sandbox", "--format", "json").json
        assert refused(f"documents/{verb}", document) == []
        assert document["price_drift"] == [{**entry, "percent": "28.1"}]
    assert SAID in rehearsed.do("report", "--sandbox", "--format", "junit").out
    assert SAID in rehearsed.do("report", "--sandbox", "--format", "markdown").out


def test_what_a_detached_run_cost_is_told_by_the_collect_that_saw_its_end(rehearsed: Bench) -> None:
    assert "Price drift" not in rehearse(rehearsed, "--detach").out
    collected = rehearsed.do("collect", "--sandbox", "--speed", "2000")
    assert SAID in collected.out
    assert SAID in rehearsed.do("report", "--sandbox").out


def test_a_run_that_buys_nothing_tells_no_old_drift(rehearsed: Bench) -> None:
    rehearse(rehearsed)
    assert "Price drift" not in rehearse(rehearsed).out


def test_prices_of_the_project_are_planned_and_rehearsed_with(rehearsed: Bench) -> None:
    (rehearsed.folder / "prices.yaml").write_text(
        f"version: 1\nmodels:\n  {MODEL}: {{per: video, credits: 20.5, source: us, date: 2099-01}}\n"
    )
    ran = rehearse(rehearsed)
    assert "2 jobs to buy for 41 credits" in ran.out
    assert "prices: prices.yaml, 2099-01\n" in ran.out
    assert "Price drift" not in ran.out
    assert "2 succeeded; 41 credits charged" in ran.out


def test_a_project_s_broken_prices_stop_what_needs_them(rehearsed: Bench) -> None:
    (rehearsed.folder / "prices.yaml").write_text("version: 1\nmodels: {a/b: {per: video}}\n")
    for verb in (("plan",), ("validate",), ("run", "--yes", "--sandbox")):
        told = rehearsed.do(*verb, "jobs.yaml")
        assert told.code == 2
        assert "price-structure" in told.err
        assert "prices.yaml:2:10" in told.err


def test_doctor_tells_what_prices_there_are(rehearsed: Bench) -> None:
    def prices() -> str:
        told = rehearsed.do("doctor").out
        (line,) = [line for line in told.splitlines() if " prices " in line]
        return line

    bundled = f"{len(bundled_prices().models)} bundled; ran out: bytedance/seedance-2-fast (2026-10-07)"
    assert prices().startswith(f"ok    prices    {bundled}")
    file = rehearsed.folder / "prices.yaml"
    file.write_text("version: 1\nmodels: {a/b: {per: video, credits: 1, source: s, date: 2026-11}}\n")
    assert prices().startswith(f"ok    prices    1 of the project's own, {bundled}")
    file.write_text("version: 2\nmodels: {a/b: {per: video, credits: 1, source: s, date: 2026-11}}\n")
    assert "prices.yaml:1:10: `version`" in prices()


def test_a_lock_tells_that_a_project_s_prices_changed(rehearsed: Bench) -> None:
    assert rehearsed.do("lock", "jobs.yaml").code == 0
    (rehearsed.folder / "prices.yaml").write_text(
        f"version: 1\nmodels:\n  {MODEL}: {{per: video, credits: 20, source: us, date: 2099-01}}\n"
    )
    told = rehearsed.do("plan", "jobs.yaml", "--locked")
    assert "prices have changed: 40 credits, and 32 credits when locked" in told.err
    assert told.code == 6
