"""The plan as a table and as a document in a stream."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.plan.plan import Action, Change, FieldChange, PlanTotals
from kiejobs.reports.diff.fields import diff_lines
from kiejobs.reports.plan.text import PlanJson, PlanText
from kiejobs.reports.terminal import Paint, width
from tests.support.results import HOSTILE, LONG, harmless, hash_of, refused, totals_of, uncolored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

DIGEST = hash_of(7)
USD = Decimal("0.005")
PLAIN = False
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


def table(
    changes: Sequence[Change],
    *,
    left: int | None = None,
    color: bool = False,
    flag: str = "",
    rehearsal: bool = False,
) -> str:
    text = PlanText(color, 12, USD, flag, rehearsal=rehearsal)
    lines = [text.header()]
    lines += [text.line(line, DIFF if line is CHANGED else ()) for line in changes]
    budget = None if left is None else Decimal(left)
    return "\n".join(
        [*lines, text.footer(totals_of(changes, DIGEST), campaign="tea", budget_left=budget)]
    )


def plan_json(
    changes: Iterable[Change],
    diff_of: Callable[[Change], Sequence[FieldChange] | None],
    campaign: str,
    end: Callable[[], PlanTotals],
) -> Iterator[str]:
    words = PlanJson(campaign)
    yield words.header()
    yield from (words.line(change, diff_of(change)) for change in changes)
    yield words.footer(end())


def document(changes: Sequence[Change]) -> dict[str, Any]:
    pieces = plan_json(
        changes, lambda c: DIFF if c is CHANGED else None, "tea", lambda: totals_of(changes, DIGEST)
    )
    whole: dict[str, Any] = json.loads("".join(pieces))
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

tea: 2 to buy for 1,016 credits ($5.08) and 1 at an unknown price; 1 in flight; 1 to collect; \
1 moved; 1 done; 1 failed; 1 being submitted by another run; 1 in doubt; 1 no longer wanted
PRICE UNKNOWN for 1 job, left out of the sum: each costs the vendor's price of the day
In doubt: nothing is bought there until ruled on; `kiejobs status` tells how.
Failed: held, and not bought again without `--retry failed`.
digest: {DIGEST}"""
    )


def test_a_plan_that_only_buys_is_short() -> None:
    assert table([NEW]).split("\n")[2:] == [
        "",
        "tea: 1 to buy for 16 credits ($0.08)",
        f"digest: {DIGEST}",
    ]


def test_a_plan_with_nothing_to_buy_says_so() -> None:
    assert table([DONE, DONE]).split("\n")[-2:] == ["", "tea: 2 done. Nothing to buy."]
    assert table([]).endswith("\ntea: no jobs. Nothing to buy.")


def test_a_rehearsal_says_beside_its_price_that_nothing_is_paid() -> None:
    assert table([NEW], rehearsal=True).split("\n")[2:] == [
        "",
        "tea: 1 to buy for 16 credits ($0.08) - a rehearsal, nothing is paid",
        f"digest: {DIGEST}",
    ]
    assert table([DONE], rehearsal=True).endswith(
        "\ntea: 1 done. Nothing to buy in this rehearsal."
    )


def test_a_changed_job_may_have_more_to_say_than_what_differs() -> None:
    line = change("a", Action.SUBMIT, "±", "input_changed", 16, "what was bought is still running")
    below = PlanText(PLAIN, 5).line(line, DIFF).split("\n")[1:]
    assert below[1:] == ["       seed: (absent) -> 7", "       what was bought is still running"]


def test_an_unknown_price_is_said_loudly() -> None:
    said = table([UNPRICED])
    assert "tea: 1 to buy, at an unknown price\nPRICE UNKNOWN for 1 job" in said
    assert "no budget can hold that, so a run stops before it" in table([UNPRICED], left=100)


def test_a_budget_that_is_too_small_is_told_before_and_not_after() -> None:
    warning = "OVER BUDGET: 15 left; a run stops buying when it is used up"
    assert warning in table([NEW], left=15).split("\n")
    assert "BUDGET" not in table([NEW], left=16)
    assert "BUDGET" not in table([NEW])


def test_a_command_that_is_shown_works_in_a_rehearsal() -> None:
    assert "`kiejobs status --sandbox`" in table([DOUBT], flag=" --sandbox")


def test_a_wide_address_pushes_only_its_own_line() -> None:
    header, line, *_ = table([NEW, DONE]).split("\n")
    assert header.index("reason") == 19
    assert line.index("new") == 20
    text = PlanText(PLAIN, width("tea/浓缩[d=5]"))
    cells = [text.header(), text.line(CHANGED), text.line(DONE)]
    starts = [
        width(c[: c.index(w)])
        for c, w in zip(cells, ("reason", "input", "done  "[:4]), strict=True)
    ]
    assert starts[0] == starts[1]


def test_colour_changes_nothing_but_colour() -> None:
    painted = table(ALL, left=1, color=True)
    assert painted != uncolored(painted)
    assert uncolored(painted) == table(ALL, left=1)


def test_hostile_text_is_told_harmlessly() -> None:
    text = PlanText(PLAIN, 10)
    held = change(HOSTILE, Action.HOLD, "!", HOSTILE, detail=HOSTILE)
    differs = change(HOSTILE, Action.SUBMIT, "±", "input_changed", 1)
    diff = [FieldChange(HOSTILE, HOSTILE, {HOSTILE: [HOSTILE]}), FieldChange("p", "", HOSTILE)]
    said = [
        text.line(held),
        text.line(differs, diff),
        text.footer(totals_of([held], DIGEST), campaign=HOSTILE),
    ]
    assert harmless("\n".join(said))
    assert len(said[1].split("\n")) == 3
    found = json.loads(
        "".join(plan_json([differs], lambda _: diff, HOSTILE, lambda: totals_of([], DIGEST)))
    )
    assert found["campaign"] == HOSTILE
    assert found["changes"][0]["diff"][0] == {
        "field": HOSTILE,
        "was": HOSTILE,
        "now": {HOSTILE: [HOSTILE]},
    }
    assert harmless(
        "".join(plan_json([differs], lambda _: diff, HOSTILE, lambda: totals_of([], DIGEST)))
    )


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
    assert found["totals"] == {
        "actions": {
            "submit": 3, "resume": 1, "hold": 3, "collect": 1, "keep": 1, "adopt": 1, "orphan": 1,
        },
        "credits": "1016",
        "unpriced": 1,
        "in_doubt": 1,
    }  # fmt: skip
    assert found["digest"] == DIGEST


def test_each_change_is_in_the_document() -> None:
    first, second, third, *_, last = document(ALL)["changes"]
    assert first == {
        "address": "tea/pour[d=5]",
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


def test_the_document_is_a_stream_that_asks_for_the_totals_last() -> None:
    taken: list[str] = []

    def walked() -> Iterator[Change]:
        for line in ALL:
            taken.append(line.address)
            yield line

    asked: list[int] = []

    def asks() -> PlanTotals:
        asked.append(len(taken))
        return totals_of(ALL, DIGEST)

    pieces = plan_json(walked(), lambda _: None, "tea", asks)
    head, first = next(pieces), next(pieces)
    assert "tea/pour" not in head
    assert "tea/pour" in first
    assert (len(taken), asked) == (1, [])
    assert "".join(pieces).endswith("}\n")
    assert asked == [len(ALL)]
