"""The plan as a table and as a document."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.plan.plan import Action, Change, FieldChange
from kiejobs.reports.diff import diff_lines
from kiejobs.reports.plan import PlanRow, PlanView, plan_json, plan_text
from kiejobs.reports.terminal import Detail, Paint, fit, width
from tests.support.results import HOSTILE, LONG, harmless, hash_of, refused, totals_of, uncolored

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGEST = hash_of(7)
USD = Decimal("0.005")
DIFF = [FieldChange("prompt", f"{LONG}slow", f"{LONG}fast"), FieldChange("seed", None, 7)]


def change(
    name: str,
    action: Action,
    sign: str,
    reason: str,
    credits_: int | None = 0,
    detail: str | None = None,
) -> Change:
    price = None if credits_ is None else Decimal(credits_)
    return Change(f"tea/{name}", action, sign, reason, hash_of(1), 1, "a/b", price, detail=detail)


NEW = change("pour[d=5]", Action.SUBMIT, "+", "new", 16)
CHANGED = change("浓缩[d=5]", Action.SUBMIT, "±", "input_changed", 1000)
UNPRICED = change("odd", Action.SUBMIT, "+", "new", None)
DOUBT = change("doubt", Action.HOLD, "?", "in_doubt", detail="since noon: the connection broke")
FAILED = change("bad", Action.HOLD, "!", "failed", detail="422: no such picture")
BUSY = change("busy", Action.HOLD, "~", "in_flight", detail="run X is submitting it now")
FLYING = change("flying", Action.RESUME, "~", "in_flight")
MISSING = change("missing", Action.COLLECT, "v", "file_missing")
DONE = change("done", Action.KEEP, "=", "done")
MOVED = change("moved", Action.ADOPT, ">", "moved_from tea/old", detail="then keep")
GONE = change("gone", Action.ORPHAN, "-", "no_longer_wanted", detail="succeeded; never deleted")
ALL = [NEW, CHANGED, UNPRICED, DOUBT, FAILED, BUSY, FLYING, MISSING, DONE, MOVED, GONE]


def view_of(changes: Sequence[Change], **more: Any) -> PlanView:
    rows = [PlanRow(line, DIFF if line.reason == "input_changed" else None) for line in changes]
    return PlanView("tea", rows, totals_of(changes, DIGEST), usd_per_credit=USD, **more)


def table(changes: Sequence[Change], *, left: int | None = None, color: bool = False, **more: Any) -> str:
    budget = None if left is None else Decimal(left)
    view = view_of(changes, budget_left=budget, address_width=12, **more)
    return plan_text(view, color=color)


def document(changes: Sequence[Change]) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(plan_json(view_of(changes)))
    return whole


def test_a_plan_of_every_kind_is_a_table_with_its_sums() -> None:
    assert table(ALL) == (
        f"""\
     address       reason            credits
  +  tea/pour[d=5]  new                    16
  ±  tea/浓缩[d=5]  input_changed       1,000
       prompt: "… over the cup, slow" -> "… over the cup, fast"
       seed: (absent) -> 7
  +  tea/odd       new               unknown
  ?  tea/doubt     in_doubt
       since noon: the connection broke
  !  tea/bad       failed
       422: no such picture
  ~  tea/busy      in_flight
       run X is submitting it now
  ~  tea/flying    in_flight
  v  tea/missing   file_missing
  =  tea/done      done
  >  tea/moved     moved_from
       from tea/old, then keep
  -  tea/gone      no_longer_wanted
       succeeded; never deleted

tea: 2 jobs to buy for 1,016 credits ($5.08) and 1 at an unknown price; 1 in flight; 1 to collect; \
1 moved; 1 done; 1 failed; 1 being submitted by another run; 1 in doubt; 1 no longer wanted
  credits by job: 浓缩 1,000 (1 job); pour 16 (1 job); odd unknown (1 job)
PRICE UNKNOWN for 1 job, left out of the sum: each costs the vendor's price of the day
In doubt: not bought again until resolved; `kiejobs status` shows how.
Failed: held, and not bought again without `--retry failed`.
digest: {DIGEST}"""
    )


def test_a_plan_that_only_buys_is_short() -> None:
    assert table([NEW]).split("\n")[2:] == [
        "",
        "tea: 1 job to buy for 16 credits ($0.08)",
        f"digest: {DIGEST}",
    ]


def test_a_plan_with_nothing_to_buy_says_so() -> None:
    assert table([DONE, DONE]).split("\n")[-2:] == ["", "tea: 2 done. Nothing to buy."]
    assert table([]).endswith("\ntea: no jobs. Nothing to buy.")


def test_a_rehearsal_says_beside_its_price_that_nothing_is_paid() -> None:
    assert table([NEW], rehearsal=True).split("\n")[2:] == [
        "",
        "tea: 1 job to buy for 16 credits ($0.08) - a rehearsal, nothing is paid",
        f"digest: {DIGEST}",
    ]
    assert table([DONE], rehearsal=True).endswith("\ntea: 1 done. Nothing to buy in this rehearsal.")


def test_a_changed_job_may_have_more_to_say_than_what_differs() -> None:
    line = change("a", Action.SUBMIT, "±", "input_changed", 16, "what was bought is still running")
    below = table([line]).split("\n")[3:5]
    assert below == ["       seed: (absent) -> 7", "       what was bought is still running"]


def test_an_unknown_price_is_said_loudly() -> None:
    said = table([UNPRICED])
    assert "tea: 1 job to buy at an unknown price\nPRICE UNKNOWN for 1 job" in said
    assert "no budget can hold that, so a run stops before it" in table([UNPRICED], left=100)


def test_a_budget_that_is_too_small_is_told_before_and_not_after() -> None:
    warning = "OVER BUDGET: 15 credits ($0.08) left; a run stops at the first job that does not fit"
    assert warning in table([NEW], left=15).split("\n")
    assert "BUDGET" not in table([NEW], left=16)
    assert "BUDGET" not in table([NEW])


def test_a_command_that_is_shown_works_in_a_rehearsal() -> None:
    assert "`kiejobs status --sandbox`" in table([DOUBT], flag=" --sandbox")


def test_a_wide_address_pushes_only_its_own_line() -> None:
    header, line, *_ = table([NEW, DONE]).split("\n")
    assert header.index("reason") == 19
    assert line.index("new") == 20
    view = view_of([NEW, CHANGED, DONE], address_width=width("tea/浓缩[d=5]"))
    wide = plan_text(view).split("\n")
    cells = [(wide[0], "reason"), (wide[1], "new"), (wide[2], "input"), (wide[5], "done")]
    assert {width(line[: line.rindex(word)]) for line, word in cells} == {20}


def test_colour_changes_nothing_but_colour() -> None:
    painted = table(ALL, left=1, color=True)
    assert painted != uncolored(painted)
    assert uncolored(painted) == table(ALL, left=1)


def test_hostile_text_is_told_harmlessly() -> None:
    held = change(HOSTILE, Action.HOLD, "!", HOSTILE, detail=HOSTILE)
    differs = change(HOSTILE, Action.SUBMIT, "±", "input_changed", 1)
    diff = [FieldChange(HOSTILE, HOSTILE, {HOSTILE: [HOSTILE]}), FieldChange("p", "", HOSTILE)]
    rows = [PlanRow(held), PlanRow(differs, diff)]
    view = PlanView(HOSTILE, rows, totals_of([held, differs], DIGEST))
    said = plan_text(view)
    assert harmless(said)
    assert len(said.split("\n")) == 9
    told = plan_json(view)
    found = json.loads(told)
    assert found["campaign"] == HOSTILE
    assert found["changes"][1]["diff"][0] == {
        "field": HOSTILE,
        "was": HOSTILE,
        "now": {HOSTILE: [HOSTILE]},
    }
    assert harmless(told)


# --- fields that differ --------------------------------------------------------------------------


def lines_of(was: object, now: object) -> str:
    (line,) = diff_lines([FieldChange("f", was, now)], Paint(color=False))
    return line


def test_short_values_are_shown_whole() -> None:
    assert lines_of("5", "10") == 'f: "5" -> "10"'
    assert lines_of(None, "x") == 'f: (absent) -> "x"'
    assert lines_of([1, {"a": "浓"}], 2.5) == 'f: [1, {"a": "浓"}] -> 2.5'


def test_line_breaks_and_blanks_can_be_seen() -> None:
    assert lines_of("a\n", "a ") == 'f: "a\\n" -> "a "'


def test_long_values_are_cut_around_the_difference() -> None:
    line = lines_of(f"{LONG}slow{LONG}", f"{LONG}fast{LONG}")
    assert line == (
        'f: "… over the cup, slowsteam rises over the cup, steam ris…"'
        ' -> "… over the cup, faststeam rises over the cup, steam ris…"'
    )
    assert lines_of(LONG, f"{LONG}more") == 'f: "… over the cup, " -> "… over the cup, more"'


PART = st.text(st.sampled_from('ab 浓\n\x1b\u202e"'), max_size=120)


@given(PART, PART, PART)
def test_two_texts_that_differ_never_look_the_same(head: str, tail: str, other: str) -> None:
    line = lines_of(f"{head}A{tail}", f"{head}B{other}")
    was, now = line.removeprefix("f: ").split(" -> ")
    assert was.replace("A", "B", 1) != was
    assert "B" in now
    assert width(was) <= 58
    assert width(now) <= 58
    assert harmless(line)


# --- the document --------------------------------------------------------------------------------


def test_the_document_fits_its_schema() -> None:
    found = document(ALL)
    assert refused("plan", found) == []
    assert {**found["totals"], "by_job": None, "by_model": None} == {
        "actions": {
            "submit": 3, "resume": 1, "hold": 3, "collect": 1, "keep": 1, "adopt": 1, "orphan": 1,
        },
        "credits": "1016",
        "unpriced": 1,
        "in_doubt": 1,
        "by_job": None,
        "by_model": None,
    }  # fmt: skip
    assert found["digest"] == DIGEST


def test_each_change_is_in_the_document() -> None:
    first, second, third, *_, last = document(ALL)["changes"]
    assert first == {
        "address": "tea/pour[d=5]",
        "callback_url": None,
        "action": "submit",
        "reason": "new",
        "fingerprint": hash_of(1),
        "take": 1,
        "credits": "16",
        "diff": None,
        "model": "a/b",
        "detail": None,
    }
    assert second["diff"][1] == {"field": "seed", "was": None, "now": 7}
    assert third["credits"] is None
    assert (last["action"], last["detail"]) == ("orphan", "succeeded; never deleted")


def test_an_empty_plan_is_a_document_too() -> None:
    assert refused("plan", document([])) == []


def test_each_change_has_a_line_of_the_document() -> None:
    lines = plan_json(view_of([NEW, DONE])).split("\n")
    assert lines[0] == '{"campaign": "tea", "changes": ['
    assert [json.loads(line.rstrip(","))["address"] for line in lines[1:3]] == [
        "tea/pour[d=5]", "tea/done",
    ]  # fmt: skip
    assert lines[3].startswith('], "digest": ')
    assert lines[4:] == [""]


def test_a_plan_file_has_more_keys_in_the_same_order() -> None:
    found = plan_json(view_of([NEW]), {"plan_id": "x", "made": "now"})
    keys = list(json.loads(found))
    assert keys == sorted(keys)
    assert {"plan_id", "made"} < set(keys)


# --- reading at scale ----------------------------------------------------------------------------


def many(jobs: Sequence[str], shots: int, *, diff: bool = False) -> PlanView:
    """Two lengths of each shot, for 16 and 36 credits."""
    rows = []
    for job in jobs:
        for length, credits_ in ((5, 16), (10, 36)):
            for shot in range(1, shots + 1):
                made = (Action.SUBMIT, "±", "input_changed") if diff else (Action.SUBMIT, "+", "new")
                line = change(f"{job}[duration={length},shot={shot}]", *made, credits_)
                line = line._replace(fingerprint=hash_of(len(rows)))
                was, now = f"A {shot} cup, warm light, slow {shot}", f"A {shot} cup, cold light, slow {shot}"
                rows.append(PlanRow(line, [FieldChange("prompt", was, now)] if diff else None))
    return PlanView("tea", rows, totals_of([row.change for row in rows], DIGEST))


def test_lines_of_a_job_that_are_alike_are_one_line_of_a_long_plan() -> None:
    said = plan_text(many(["pour", "steam"], 100)).split("\n")
    assert said[:9] == [
        "     address               reason            credits",
        "  +  tea/pour (200 jobs)   new                 5,200",
        "       duration 5, 10; shot 1 to 100",
        "       16 to 36 credits each",
        "  +  tea/steam (200 jobs)  new                 5,200",
        "       duration 5, 10; shot 1 to 100",
        "       16 to 36 credits each",
        "     400 jobs; --full lists each",
        "",
    ]
    assert said[9].startswith("tea: 400 jobs to buy for 10,400 credits")
    assert said[10] == "  credits by job: pour 5,200 (200 jobs); steam 5,200 (200 jobs)"
    assert len(plan_text(many(["pour", "steam"], 100), detail=Detail.FULL).split("\n")) == 400 + 5
    assert plan_text(many(["pour", "steam"], 100), detail=Detail.SUMMARY).split("\n") == said[9:]


def test_one_edit_of_many_jobs_is_shown_once_with_its_count() -> None:
    few, lots = (plan_text(many(["pour"], shots, diff=True)) for shots in (4, 18))
    for said, count in ((few, 8), (lots, 36)):
        assert said.count("warm light") == 1
        assert f"       the same change in {count} jobs" in said.split("\n")
    assert few.count("input_changed") == 8
    assert lots.count("input_changed") == 1


def test_one_edit_of_jobs_with_names_of_their_own_is_shown_once() -> None:
    said = plan_text(many([f"scene-{n}" for n in range(18)], 1, diff=True)).split("\n")
    assert said[1] == "  ±  tea (36 jobs)  input_changed         936"
    assert said[2] == "       job scene-0, scene-1, scene-2 and 15 more; duration 5, 10"
    assert "       the same change in 36 jobs" in said
    assert "\n".join(said).count("warm light") == 1


def test_what_is_left_out_of_a_fold_is_named() -> None:
    view = many(["pour"], 30)
    rows = [row for row in view.rows if not row.change.address.endswith("=3]")]
    assert "59 of 60 combinations" in plan_text(replace(view, rows=[*rows, view.rows[2]]))
    other = [PlanRow(change(f"job-{n}", Action.SUBMIT, "+", "new", 16)) for n in range(300)]
    said = plan_text(replace(view, rows=other))
    assert "  +  tea (300 jobs)" in said
    assert "job job-0, job-1, job-2 and 297 more" in said


def test_a_plan_fits_its_terminal() -> None:
    for view in (many(["pour", "steam-of-the-kettle"], 3), many(["pour"], 40, diff=True)):
        for wide in (60, 80, 120):
            said = plan_text(view, wide=wide)
            lines = fit(said, wide).split("\n")
            assert [line for line in lines if width(line) > wide and "digest" not in line] in (
                [],
                [f"  {DIGEST}"],
            )
            table_ = [line for line in said.split("\n") if line.startswith(("  +", "  ±", "     address"))]
            assert max(map(width, table_)) <= wide


def test_the_document_has_totals_by_job_and_by_model() -> None:
    found = json.loads(plan_json(many(["pour", "steam"], 2)))
    assert refused("plan", found) == []
    assert found["totals"]["by_job"] == [
        {"name": name, "submits": 4, "credits": "104", "unpriced": 0} for name in ("pour", "steam")
    ]
    assert found["totals"]["by_model"] == [{"name": "a/b", "submits": 8, "credits": "208", "unpriced": 0}]
