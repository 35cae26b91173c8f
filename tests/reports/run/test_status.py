"""The ledger in words, one line of the plan explained, checks and rulings."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action, Change, FieldChange
from kiejobs.reports.checks import (
    Check,
    Damage,
    Ruling,
    doctor_document,
    doctor_text,
    ruling_document,
    ruling_text,
    verify_document,
    verify_text,
)
from kiejobs.reports.documents import json_text
from kiejobs.reports.explain import ExplainView, explain_document, explain_text
from kiejobs.reports.run.status import StatusView, status_document, status_text
from kiejobs.reports.terminal import Detail
from tests.support.results import (
    HOSTILE,
    RUN,
    harmless,
    hash_of,
    ledger_of,
    one_of_each,
    refused,
    uncolored,
)

if TYPE_CHECKING:
    from kiejobs.core.ledger.ledger import Attempt, Ledger


NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def view(ledger: Ledger, *, campaign: str | None = None, live: str | None = None) -> StatusView:
    attempts = list(ledger.attempts())
    return StatusView(
        campaign=campaign,
        origin="https://api.kie.ai",
        counts={s.value: sum(a.state is s for a in attempts) for s in State},
        open=[a for a in attempts if a.is_open],
        in_doubt=[a for a in attempts if a.state is State.IN_DOUBT],
        not_collected=[a for a in attempts if a.state is State.SUCCEEDED and not a.files],
        committed=ledger.committed(),
        runs=sorted(ledger.runs),
        now=NOW,
        live_runs=() if live is None else (live,),
    )


LEDGER = ledger_of(*one_of_each())
NOTHING = StatusView(None, "https://api.kie.ai", {}, (), (), (), Decimal(0), (), NOW)


# --- status --------------------------------------------------------------------------------------


def test_the_status_of_a_ledger_with_everything_in_it() -> None:
    assert status_text(view(LEDGER, campaign="tea", live=RUN), flag=" --sandbox") == (
        """\
tea: 1 run at https://api.kie.ai, the latest is 20261122T073600Z-1f0a2b; \
20261122T073600Z-1f0a2b is active now
  running    1
  succeeded  2
  failed     1
  rejected   1
  in doubt   1
  63.5 credits spent or held

At the API: download the files with `kiejobs collect --sandbox`
  tea/busy  task-2  since 2026-11-22 07:00:20 UTC

Not collected: made, but not all files are here; download them with `kiejobs collect --sandbox`
  tea/here[scene=浓缩]  task-1  since 2026-11-22 07:00:24 UTC

In doubt: may have been bought; not bought again until you resolve it.
Find the request in the vendor's task log, and pass its id to --task;
use --lost only if you are sure that nothing was made.
  tea/doubt[d=5]
    sent 2026-11-22 07:00:15 UTC, may have cost 16 credits: the model broke
    kiejobs resolve 'tea/doubt[d=5]' --task TASK_ID --sandbox
    kiejobs resolve 'tea/doubt[d=5]' --lost --sandbox"""
    )


def test_a_status_without_runs_says_that_nothing_was_bought() -> None:
    assert status_text(NOTHING) == "no runs at https://api.kie.ai yet; nothing was bought"


def test_the_status_of_a_rehearsal_says_so_in_its_first_line() -> None:
    first, *rest = status_text(view(LEDGER), rehearsal=True).split("\n")
    assert first.endswith("the latest is 20261122T073600Z-1f0a2b - a rehearsal, nothing is paid")
    assert rest == status_text(view(LEDGER)).split("\n")[1:]


def test_quietly_a_status_is_its_doubts_and_one_line() -> None:
    first, *_, last = status_text(view(LEDGER, campaign="tea"), detail=Detail.LINE).split("\n")
    assert first.startswith("In doubt: ")
    states = "1 running, 2 succeeded, 1 failed, 1 rejected, 1 in doubt, 1 not collected"
    assert last == f"tea: {states}; 63.5 credits spent or held"


def test_the_status_document_fits_its_schema() -> None:
    found = status_document(view(LEDGER, live=RUN))
    assert refused("documents/status", found) == []
    assert [attempt["address"] for attempt in found["open"]] == ["tea/busy"]
    assert found["in_doubt"][0]["run_id"] == RUN
    assert found["committed"] == "63.5"
    assert refused("documents/status", {**found, "counts": {}}) == ["counts required"] * len(State)


# --- explain -------------------------------------------------------------------------------------


def at(name: str) -> Attempt:
    (attempt,) = LEDGER.at(f"tea/{name}")
    return attempt


def change(name: str, action: Action, sign: str, reason: str, attempt: Attempt | None = None) -> Change:
    price = Decimal(16) if action is Action.SUBMIT else Decimal(0)
    mark = hash_of(99) if reason == "input_changed" or attempt is None else attempt.key[0]
    return Change(f"tea/{name}", action, sign, reason, mark, 1, "a/b", price, attempt=attempt)


CHANGED = change("good", Action.SUBMIT, "±", "input_changed", at("good"))
DIFF = [FieldChange("prompt", "slow", "fast")]


def test_a_changed_job_is_explained_with_what_differs_and_what_was_bought() -> None:
    assert explain_text(ExplainView(CHANGED, DIFF, [at("good")], file="tea time.yaml")) == (
        """\
tea/good
  ± input_changed: the request differs from what was bought under this address
    prompt: "slow" -> "fast"

`run` would buy it for 16 credits.
    kiejobs run 'tea time.yaml' --select tea/good

  fingerprint  6363636363636363636363636363636363636363636363636363636363636363
  model        a/b
  take         1

  attempts, oldest first:
    2026-11-22 07:00:10 UTC  succeeded, 15.5 credits, task task-0
      request 000000000000; run 20261122T073600Z-1f0a2b
      tea/good.mp4"""
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            change("a", Action.SUBMIT, "+", "new"),
            ["never attempted", "run FILE --select tea/a --sandbox"],
        ),
        (
            change("bad", Action.SUBMIT, "+", "retry_failed", at("bad")),
            ["--select tea/bad --retry failed --sandbox", "500", "the model broke"],
        ),
        (
            change("doubt[d=5]", Action.HOLD, "?", "in_doubt", at("doubt[d=5]")),
            ["resolve 'tea/doubt[d=5]' --task TASK_ID --sandbox", "--lost --sandbox"],
        ),
        (
            change("bad", Action.HOLD, "!", "failed", at("bad")),
            ["Nothing would be bought.", "--retry failed --sandbox", "the same as now"],
        ),
        (
            change("busy", Action.HOLD, "~", "in_flight", at("busy")),
            ["Another run is submitting it now", "kiejobs status --sandbox"],
        ),
        (change("busy", Action.RESUME, "~", "in_flight", at("busy")), ["collect --sandbox"]),
        (change("good", Action.COLLECT, "v", "file_missing", at("good")), ["collect --sandbox"]),
        (change("good", Action.KEEP, "=", "done", at("good")), ["`takes: 2`"]),
        (
            change("new", Action.ADOPT, ">", "moved_from tea/good", at("good")),
            ["at no cost", "; as tea/good", "--select tea/new --sandbox"],
        ),
        (change("good", Action.ORPHAN, "-", "no_longer_wanted", at("good")), ["never deleted"]),
    ],
    ids=lambda value: value.reason if isinstance(value, Change) else None,
)
def test_each_line_says_why_and_what_would_change_it(line: Change, said: list[str]) -> None:
    history = LEDGER.at(line.address)
    view = ExplainView(line, [], history, flag=" --sandbox")
    text = explain_text(view)
    for words in said:
        assert words in text
    assert f"{line.sign} {line.reason}: " in text
    found = explain_document(view)
    assert refused("documents/explain", found) == []
    assert found["why"] != line.reason


def test_the_explaining_document_has_the_fields_that_differ_and_the_history() -> None:
    found = explain_document(ExplainView(CHANGED, DIFF, [at("good")], file="tea time.yaml"))
    assert refused("documents/explain", found) == []
    assert found["diff"] == [{"field": "prompt", "was": "slow", "now": "fast"}]
    assert [attempt["task_id"] for attempt in found["history"]] == ["task-0"]
    assert found["next"]["commands"] == ["kiejobs run 'tea time.yaml' --select tea/good"]
    assert refused("documents/explain", {**found, "sign": "*"}) == ["sign enum"]


# --- checks and rulings --------------------------------------------------------------------------

WELL = Check("key", ok=True, detail="KIE_API_KEY is set", hint="not needed")
ILL = Check("outputs 浓", ok=False, detail="can't be written", hint="fix the permissions")


def test_checks_are_a_list_with_a_verdict() -> None:
    assert doctor_text([WELL, ILL]) == (
        """\
ok    key         KIE_API_KEY is set
FAIL  outputs 浓  can't be written
      help: fix the permissions

1 check failed"""
    )
    assert doctor_text([WELL]).endswith("\n\nall is well")


def test_damage_is_told_with_its_place() -> None:
    found = [Damage("runs/x/journal.jsonl", 3, "was edited"), Damage("a.mp4", None, "missing")]
    assert verify_text(found, journals=2, files=1) == (
        """\
error runs/x/journal.jsonl:3: was edited
error a.mp4: missing
2 problems in 2 journals and 1 file"""
    )
    assert verify_text([], journals=1, files=8) == "1 journal and 8 files verified; all match the ledger"


def test_a_ruling_says_what_follows() -> None:
    task = Ruling("tea/a[d=5]", "task", "task-1", hash_of(1)[:32], "recordInfo shows the same")
    lost = Ruling("tea/a[d=5]", "lost", None, hash_of(1)[:32], "a person ruled it")
    assert ruling_text(task, flag=" --sandbox") == (
        "tea/a[d=5] is task task-1\n  recordInfo shows the same\n"
        "  download its files with `kiejobs collect --sandbox`"
    )
    assert ruling_text(lost).endswith("  a person ruled it\n  the next run buys it again")
    assert refused("documents/resolve", ruling_document(task)) == []
    assert refused("documents/resolve", ruling_document(lost)) == []
    without = {**ruling_document(task), "task_id": None}
    assert refused("documents/resolve", without) == ["task_id type"]


def test_the_documents_of_checks_fit_their_schemas() -> None:
    found = doctor_document([WELL, ILL])
    assert refused("documents/doctor", found) == []
    assert found["ok"] is False
    damage = verify_document([Damage("a", 3, "b"), Damage("a", None, "b")], journals=1, files=0)
    assert refused("documents/manifest-verify", damage) == []
    assert damage["ok"] is False
    whole = verify_document([], journals=1, files=0)
    assert refused("documents/manifest-verify", {**whole, "files": -1}) == ["files minimum"]
    assert whole["ok"] is True


# --- all of them ---------------------------------------------------------------------------------


def texts(*, color: bool) -> list[str]:
    return [
        status_text(view(LEDGER, live=RUN), color=color),
        explain_text(ExplainView(CHANGED, DIFF, [at("good")]), color=color),
        doctor_text([WELL, ILL], color=color),
        verify_text([Damage("a", 3, "b")], journals=1, files=1, color=color),
        ruling_text(Ruling("a", "lost", None, "b", "c"), color=color),
    ]


def test_colour_changes_nothing_but_colour() -> None:
    for painted, plain in zip(texts(color=True), texts(color=False), strict=True):
        assert painted != plain
        assert uncolored(painted) == plain


def test_hostile_words_are_told_harmlessly() -> None:
    ledger = ledger_of(*one_of_each(HOSTILE))
    everything = view(ledger, campaign=HOSTILE, live=HOSTILE)
    (doubt,) = everything.in_doubt
    line = Change(HOSTILE, Action.HOLD, "?", "in_doubt", hash_of(1), 1, HOSTILE, None, attempt=doubt)
    said: list[str] = [
        status_text(everything),
        explain_text(ExplainView(line, [FieldChange(HOSTILE, HOSTILE, None)], [doubt], file=HOSTILE)),
        doctor_text([Check(HOSTILE, ok=False, detail=HOSTILE, hint=HOSTILE)]),
        verify_text([Damage(HOSTILE, 1, HOSTILE)], journals=1, files=1),
        ruling_text(Ruling(HOSTILE, "task", HOSTILE, "b", HOSTILE)),
    ]
    documents: list[Any] = [
        status_document(everything),
        explain_document(ExplainView(line, [], [doubt])),
    ]
    assert all(harmless(text) for text in [*said, *map(json_text, documents)])
