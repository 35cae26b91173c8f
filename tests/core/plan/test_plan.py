"""The plan: a pure table over the ledger, of which only submit spends."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.diagnostics import Place
from kiejobs.core.expand.job import Job
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import State
from kiejobs.core.plan.plan import Action, Change, FieldChange, PlanTotals, difference, plan
from kiejobs.core.plan.selection import RESULTS, STATES, read_selection
from tests.support.histories import (
    BROKEN,
    BUSY,
    MODEL,
    REFUSED,
    bought,
    collected,
    failed,
    journal,
    reserved,
    submitted,
    succeeded,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kiejobs.core.ledger.events import JournalRecord
    from kiejobs.core.ledger.ledger import Attempt


def wanted(
    job: str = "pour",
    fingerprint: str = "f1",
    take: int = 1,
    *,
    price: str | None = "16",
    **more: Any,
) -> Job:
    address = f"tea/{job}" + (f"#{take}" if take > 1 else "")
    credits_ = None if price is None else Decimal(price)
    given = {"name": job, "tags": (), "axes": (), **more}
    return Job(
        address=address, fingerprint=fingerprint, take=take, campaign="tea", model=MODEL, input={},
        credits=credits_, output=f"{address}.mp4", callback_url=None, place=Place("f", 1, 1), **given,
    )  # fmt: skip


def planned(
    jobs: Iterable[Job],
    *journals: JournalRecord,
    condition: str | None = None,
    select: tuple[str, ...] = (),
    retry: tuple[str, ...] = (),
) -> tuple[list[Change], PlanTotals]:
    """`condition` is what is found of every file that was ever collected."""
    made = plan(
        jobs,
        fold(journals),
        lambda _attempt: condition,
        campaign="tea",
        selection=read_selection(select),
        retry=frozenset(retry),
    )
    return list(made.changes), made.totals


def lines(*given: Any, **how: Any) -> list[str]:
    """`sign address action reason credits`, one for each change."""
    changes, _ = planned(*given, **how)
    return [f"{c.sign} {c.address} {c.action} {c.reason} {c.credits}" for c in changes]


def line(*journals: JournalRecord, **how: Any) -> str:
    """The one line there is for the one job that is wanted."""
    (told,) = lines([wanted()], *journals, **how)
    return told


# --- the table -------------------------------------------------------------------------------------


def test_nothing_known_is_new() -> None:
    assert line() == "+ tea/pour submit new 16"


def test_the_same_address_with_another_request_is_changed() -> None:
    assert line(journal(1, *bought("a", "tea/pour", "f0"))) == "± tea/pour submit input_changed 16"


def test_what_is_submitted_is_in_flight() -> None:
    assert line(journal(1, reserved("a"), submitted("a"))) == "~ tea/pour resume in_flight 0"
    running = journal(1, reserved("a"), submitted("a"), e.Running("a", "queuing"))
    assert line(running) == "~ tea/pour resume in_flight 0"


def test_what_another_run_reserves_right_now_is_left_to_it() -> None:
    changes, _ = planned([wanted()], journal(1, reserved("a"), live=True))
    assert [(c.sign, c.action, c.reason) for c in changes] == [("~", Action.HOLD, "in_flight")]
    assert changes[0].detail == "run run-01 is submitting it now"


def test_doubt_holds() -> None:
    assert line(journal(1, reserved("a"))) == "? tea/pour hold in_doubt 0"
    said = journal(1, reserved("a"), e.InDoubt("a", BROKEN))
    changes, totals = planned([wanted()], said)
    assert changes[0].detail == "the connection broke"
    assert totals.in_doubt == 1


@pytest.mark.parametrize("condition", ["file_missing", "file_damaged"])
def test_what_succeeded_and_is_not_whole_here_is_collected(condition: str) -> None:
    told = line(journal(1, *bought("a")), condition=condition)
    assert told == f"v tea/pour collect {condition} 0"


def test_what_succeeded_and_was_never_collected_is_missing_whatever_lies_there() -> None:
    told = journal(1, reserved("a"), submitted("a"), succeeded("a"))
    assert line(told, condition=None) == "v tea/pour collect file_missing 0"


def test_what_is_whole_is_kept() -> None:
    assert line(journal(1, *bought("a"))) == "= tea/pour keep done 0"


GONE = (reserved("a"), submitted("a"), succeeded("a"), e.Gone("a", "HTTP 404"))


def test_what_is_gone_is_held_with_what_was_said() -> None:
    changes, totals = planned([wanted()], journal(1, *GONE), condition="file_missing")
    assert [(c.sign, c.action, c.reason) for c in changes] == [("!", Action.HOLD, "result_gone")]
    assert changes[0].detail == "HTTP 404"
    assert (totals.pending, totals.credits) == (False, 0)


def test_what_is_gone_is_bought_again_where_that_is_asked_for() -> None:
    told = journal(1, *GONE)
    assert line(told, retry=("gone",)) == "+ tea/pour submit retry_gone 16"
    assert line(told, retry=("failed",)) == "! tea/pour hold result_gone 0"
    assert line(told, journal(2, collected("a")), retry=("gone",)) == "= tea/pour keep done 0"


def test_what_is_gone_is_no_matter_where_the_file_is_here() -> None:
    here = journal(1, *bought("a"), e.Gone("a", "HTTP 404"))
    assert line(here, condition=None) == "= tea/pour keep done 0"
    assert line(here, condition="file_damaged") == "! tea/pour hold result_gone 0"


def test_what_is_gone_and_bought_again_is_planned_by_what_became_of_that() -> None:
    gone = journal(1, *GONE)
    assert line(gone, journal(2, *bought("b"))) == "= tea/pour keep done 0"
    assert line(gone, journal(2, reserved("b"))) == "? tea/pour hold in_doubt 0"
    failed_again = journal(2, reserved("b"), submitted("b"), failed("b"))
    assert line(gone, failed_again) == "! tea/pour hold result_gone 0"


def test_an_address_in_doubt_is_not_bought_again_for_what_is_gone_there() -> None:
    doubt = journal(2, reserved("b", "tea/pour", "f2"), e.InDoubt("b", BROKEN))
    assert line(journal(1, *GONE), doubt, retry=("gone",)) == "? tea/pour hold in_doubt 0"


def test_a_conflict_about_a_paid_task_changes_no_plan() -> None:
    claim = e.Conflicted("a", "twin", "a second task", may_be_paid=True)
    assert line(journal(1, *bought("a"), claim)) == "= tea/pour keep done 0"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ((submitted("a"), failed("a")), "500: the model gave up"),
        ((e.Rejected("a", REFUSED),), "422: no such size"),
    ],
)
def test_what_failed_or_was_rejected_is_held_with_what_was_said(end: tuple[e.Event, ...], said: str) -> None:
    changes, totals = planned([wanted()], journal(1, reserved("a"), *end))
    assert [(c.sign, c.action, c.reason, c.detail) for c in changes] == [("!", Action.HOLD, "failed", said)]
    assert not totals.pending


def test_what_was_bought_under_an_address_no_longer_wanted_is_adopted() -> None:
    told = lines([wanted("cup")], journal(1, *bought("a")))
    assert told == ["> tea/cup adopt moved_from tea/pour 0"]


def test_what_is_bought_and_no_longer_wanted_is_reported_last() -> None:
    told = lines([wanted("cup", "f2")], journal(1, *bought("a")))
    assert told == ["+ tea/cup submit new 16", "- tea/pour orphan no_longer_wanted 0"]


def test_what_nothing_was_made_of_is_new_again() -> None:
    assert line(journal(1, reserved("a"), e.NotAccepted("a", BUSY))) == "+ tea/pour submit new 16"
    lost = (e.InDoubt("a", BROKEN), e.Resolved("a", "lost", None, "ruled"))
    assert line(journal(1, reserved("a"), *lost)) == "+ tea/pour submit new 16"


# --- rows that meet --------------------------------------------------------------------------------


def test_an_address_in_doubt_buys_nothing_even_after_an_edit() -> None:
    assert line(journal(1, reserved("a", "tea/pour", "f0"))) == "? tea/pour hold in_doubt 0"


def test_a_request_in_doubt_buys_nothing_even_under_another_address() -> None:
    assert lines([wanted("cup")], journal(1, reserved("a"))) == ["? tea/cup hold in_doubt 0"]


def test_a_doubt_is_counted_once_though_its_address_wants_something_else_now() -> None:
    _, totals = planned([wanted()], journal(1, reserved("a", "tea/pour", "f0")))
    assert totals.in_doubt == 1


def test_a_doubt_nobody_wants_any_more_is_reported_and_counted() -> None:
    changes, totals = planned([], journal(1, reserved("a")))
    assert [(c.action, c.detail) for c in changes] == [(Action.ORPHAN, "in_doubt; kept, never deleted")]
    assert totals.in_doubt == 1


def test_a_doubt_holds_its_own_address_and_no_other() -> None:
    told = lines([wanted(), wanted("steam", "f2")], journal(1, reserved("a")))
    assert told == ["? tea/pour hold in_doubt 0", "+ tea/steam submit new 16"]


def test_a_doubt_at_the_address_does_not_hold_what_is_bought_already() -> None:
    doubt = journal(2, reserved("b", "tea/pour", "f0"))
    assert line(journal(1, *bought("a")), doubt) == "= tea/pour keep done 0"


def test_a_doubt_is_not_retried() -> None:
    assert line(journal(1, reserved("a")), retry=("failed",)) == "? tea/pour hold in_doubt 0"


def test_an_edit_taken_back_is_kept_and_so_is_the_edit() -> None:
    both = journal(1, *bought("a"), *bought("b", "tea/pour", "f2"))
    assert lines([wanted()], both) == ["= tea/pour keep done 0"]
    assert lines([wanted(fingerprint="f2")], both) == ["= tea/pour keep done 0"]


def test_a_change_says_what_was_bought_before_and_whether_it_is_still_coming() -> None:
    changes, _ = planned([wanted()], journal(1, reserved("a", "tea/pour", "f0"), submitted("a")))
    assert changes[0].attempt is not None
    assert changes[0].attempt.reserved.fingerprint == "f0"
    assert changes[0].detail == "what was bought before is still submitted"


def test_an_edited_failure_is_a_change_and_an_edited_nothing_is_new() -> None:
    failure = journal(1, reserved("a", "tea/pour", "f0"), submitted("a"), failed("a"))
    assert line(failure) == "± tea/pour submit input_changed 16"
    nothing = journal(1, reserved("a", "tea/pour", "f0"), e.NotAccepted("a", BUSY))
    assert line(nothing) == "+ tea/pour submit new 16"


@pytest.mark.parametrize(
    ("told", "condition", "then"),
    [
        (bought("a"), None, Action.KEEP),
        (bought("a"), "file_damaged", Action.COLLECT),
        ((reserved("a"), submitted("a")), None, Action.RESUME),
    ],
)
def test_an_adoption_says_what_comes_after_it(
    told: tuple[e.Event, ...], condition: str | None, then: Action
) -> None:
    changes, totals = planned([wanted("cup")], journal(1, *told), condition=condition)
    assert [(c.then, c.detail) for c in changes] == [(then, f"then {then}")]
    assert totals.pending
    assert not totals.credits


def test_an_adoption_on_record_is_kept() -> None:
    moved = journal(2, e.Adopted("tea/cup", "tea/pour", "f1", 1))
    assert lines([wanted("cup")], journal(1, *bought("a")), moved) == ["= tea/cup keep done 0"]


def test_two_jobs_that_swap_their_requests_swap_what_they_have() -> None:
    both = journal(1, *bought("a"), *bought("b", "tea/steam", "f2"))
    assert lines([wanted("pour", "f2"), wanted("steam", "f1")], both) == [
        "> tea/pour adopt moved_from tea/steam 0",
        "> tea/steam adopt moved_from tea/pour 0",
    ]


def test_a_failure_under_another_address_is_still_that_request_s_failure() -> None:
    failure = journal(1, reserved("a"), e.Rejected("a", REFUSED))
    assert lines([wanted("cup")], failure) == ["! tea/cup hold failed 0"]


def test_takes_are_bought_one_by_one() -> None:
    told = lines([wanted(), wanted(take=2), wanted(take=3)], journal(1, *bought("a")))
    assert told == [
        "= tea/pour keep done 0",
        "+ tea/pour#2 submit new 16",
        "+ tea/pour#3 submit new 16",
    ]


def test_a_take_less_leaves_an_orphan() -> None:
    two = bought("b", "tea/pour#2", "f1", take=2)
    assert lines([wanted()], journal(1, *bought("a"), *two)) == [
        "= tea/pour keep done 0",
        "- tea/pour#2 orphan no_longer_wanted 0",
    ]


# --- orphans ---------------------------------------------------------------------------------------


def test_only_what_this_campaign_bought_can_be_its_orphan() -> None:
    told = journal(
        1,
        *bought("a", "tea/old", "f5"),
        *bought("b", "tea2/old", "f6"),
        *bought("c", "t/old", "f7"),
    )
    assert lines([], told) == ["- tea/old orphan no_longer_wanted 0"]


@pytest.mark.parametrize(
    ("told", "count"),
    [
        ((submitted("a"),), 1),
        ((submitted("a"), succeeded("a")), 1),
        ((submitted("a"), failed("a")), 0),
        ((e.Rejected("a", REFUSED),), 0),
        ((e.NotAccepted("a", BUSY),), 0),
    ],
)
def test_orphans_are_what_was_paid_for(told: tuple[e.Event, ...], count: int) -> None:
    assert len(lines([], journal(1, reserved("a"), *told))) == count


def test_an_address_that_is_wanted_has_one_line_whatever_was_bought_under_it() -> None:
    told = journal(1, *bought("a", "tea/pour", "f8"), *bought("b", "tea/pour", "f9"))
    assert line(told) == "± tea/pour submit input_changed 16"


# --- what is asked for -----------------------------------------------------------------------------


def test_failures_are_bought_again_when_that_is_asked_for() -> None:
    failure = journal(1, reserved("a"), submitted("a"), failed("a"))
    rejection = journal(2, reserved("b", "tea/steam", "f2"), e.Rejected("b", REFUSED))
    both = [wanted(), wanted("steam", "f2")]
    assert lines(both, failure, rejection, retry=("failed",)) == [
        "+ tea/pour submit retry_failed 16",
        "+ tea/steam submit retry_failed 16",
    ]
    assert lines(both, failure, rejection, retry=("rejected",)) == [
        "! tea/pour hold failed 0",
        "+ tea/steam submit retry_failed 16",
    ]


def test_a_retry_that_went_well_is_not_retried_again() -> None:
    told = journal(1, reserved("a"), submitted("a"), failed("a")), journal(2, *bought("b"))
    assert line(*told, retry=("failed",)) == "= tea/pour keep done 0"


def test_a_selection_is_planned_alone_and_reports_no_orphans() -> None:
    jobs = [wanted(), wanted("steam", "f2", tags=("hero",))]
    changes, totals = planned(jobs, journal(1, *bought("a", "tea/old", "f3")), select=("tag:hero",))
    assert [c.address for c in changes] == ["tea/steam"]
    assert totals.credits == 16


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((), "state:none"),
        ((reserved("a", "tea/pour", "f0"), e.NotAccepted("a", BUSY)), "state:none"),
        (bought("a", "tea/pour", "f1")[:-1], "state:succeeded,result:missing"),
        (bought("a", "tea/pour", "f1"), "result:whole"),
        ((reserved("a", "tea/pour", "f1"), submitted("a")), "state:submitted"),
        ((reserved("a", "tea/pour", "f1"), submitted("a"), failed("a")), "state:failed"),
        ((reserved("a", "tea/pour", "f1"), e.Rejected("a", REFUSED)), "state:rejected"),
        ((reserved("a", "tea/pour", "f1"), e.InDoubt("a", BROKEN)), "state:in_doubt"),
        ((reserved("a", "tea/pour", "f0"), e.InDoubt("a", BROKEN)), "state:in_doubt"),
        (bought("a", "tea/pour", "f0"), "state:none"),
        (bought("a", "tea/before", "f1"), "state:succeeded"),
    ],
)
def test_a_selection_sees_where_a_wanted_job_stands(told: Any, words: str) -> None:
    changes, _ = planned([wanted()], journal(1, *told), select=(words,))
    assert [change.address for change in changes] == ["tea/pour"]
    key = words.partition(":")[0]
    others = [f"state:{one}" for one in STATES] + [f"result:{one}" for one in RESULTS]
    alike = {*words.split(","), *(["state:new"] if "state:none" in words else [])}
    for other in others:
        if other.startswith(key) and other not in alike:
            assert planned([wanted()], journal(1, *told), select=(other,))[0] == []


# --- totals ----------------------------------------------------------------------------------------


def test_totals_add_up_what_would_be_spent_and_say_what_has_no_price() -> None:
    jobs = [wanted(), wanted("steam", "f2", price="36.5"), wanted("foam", "f3", price=None)]
    _, totals = planned(jobs, journal(1, *bought("a")))
    assert totals.credits == Decimal("36.5")
    assert totals.unpriced == 1
    assert totals.actions == {
        "submit": 2, "resume": 0, "hold": 0, "collect": 0, "keep": 1, "adopt": 0, "orphan": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "pending"),
    [
        ((), True),
        ((reserved("a"), submitted("a")), True),
        ((reserved("a"), submitted("a"), succeeded("a")), True),
        (bought("a"), False),
        ((reserved("a"),), False),
        ((reserved("a"), submitted("a"), failed("a")), False),
    ],
)
def test_pending_is_what_a_run_would_act_on(told: tuple[e.Event, ...], pending: bool) -> None:  # noqa: FBT001
    _, totals = planned([wanted()], journal(1, *told))
    assert totals.pending is pending


def test_the_digest_is_of_what_would_be_bought_and_of_nothing_else() -> None:
    def digest(*given: Any, **how: Any) -> str:
        return planned(*given, **how)[1].digest

    both = [wanted(), wanted("steam", "f2")]
    plain = digest(both)
    assert digest(both[::-1]) == plain
    assert digest([*both, wanted("old", "f0")], journal(1, *bought("a", "tea/old", "f0"))) == plain
    assert digest([wanted("other"), both[1]]) == plain
    assert digest([wanted(price="16.0"), both[1]]) == plain
    assert digest([wanted(price="17"), both[1]]) != plain
    assert digest([wanted(price=None), both[1]]) != plain
    assert digest([wanted(fingerprint="f9"), both[1]]) != plain
    assert digest([wanted(take=2), both[1]]) != plain
    assert digest(both[:1]) != plain


# --- any ledger at all -----------------------------------------------------------------------------

ENDS: dict[str, tuple[e.Event, ...]] = {
    "reserved": (), "submitted": (submitted("A"),), "doubt": (e.InDoubt("A", BROKEN),),
    "done": (submitted("A"), succeeded("A")), "failed": (submitted("A"), failed("A")),
    "rejected": (e.Rejected("A", REFUSED),), "void": (e.NotAccepted("A", BUSY),),
    "gone": (submitted("A"), succeeded("A"), e.Gone("A", "HTTP 404")),
}  # fmt: skip


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Job], list[JournalRecord]]:
    """Some wanted jobs with requests of their own, and attempts at the same few addresses."""
    prints = draw(st.permutations(["f1", "f2", "f3", "f4"]))
    count = draw(st.integers(0, 3))
    jobs = [wanted(job, prints[n]) for n, job in enumerate("xyz"[:count])]
    attempts = st.tuples(
        st.sampled_from("xyz"),
        st.sampled_from(prints),
        st.sampled_from(sorted(ENDS)),
        st.booleans(),
    )
    journals = []
    for hour, (job, fingerprint, end, live) in enumerate(draw(st.lists(attempts, max_size=5))):
        name = f"a{hour}"
        told = [renamed(event, name) for event in ENDS[end]]
        first = reserved(name, f"tea/{job}", fingerprint)
        journals.append(journal(hour, first, *told, live=live))
    return jobs, journals


def renamed(event: Any, attempt: str) -> e.Event:
    changed = {name: getattr(event, name) for name in event.__slots__}
    return type(event)(**{**changed, "attempt_id": attempt})


RETRIES = st.sampled_from([(), ("failed",), ("gone",), ("failed", "gone")])


@given(situations(), RETRIES)
def test_no_plan_buys_what_was_bought_or_may_have_been(
    situation: tuple[list[Job], list[JournalRecord]], retry: tuple[str, ...]
) -> None:
    jobs, journals = situation
    ledger = fold(journals)
    changes, totals = planned(jobs, *journals, retry=retry)
    for change in (change for change in changes if change.spends):
        assert all(may_be_bought(attempt, change, retry) for attempt in ledger.attempts())
    assert totals.credits == sum(change.credits or 0 for change in changes)


def may_be_bought(attempt: Attempt, change: Change, retry: tuple[str, ...]) -> bool:
    safe = {None, State.FAILED, State.REJECTED}
    same = attempt.reserved.fingerprint == change.fingerprint
    doubtful = attempt.address == change.address and attempt.state is State.IN_DOUBT
    gone = attempt.gone is not None and "gone" in retry
    return not doubtful and (not same or gone or attempt.state in safe)


@given(situations())
def test_each_wanted_job_has_one_line_and_each_purchase_is_somewhere(
    situation: tuple[list[Job], list[JournalRecord]],
) -> None:
    jobs, journals = situation
    changes, _ = planned(jobs, *journals)
    addresses = [c.address for c in changes if c.action is not Action.ORPHAN]
    assert addresses == [job.address for job in jobs]
    orphans = {c.address for c in changes if c.action is Action.ORPHAN}
    assert not orphans & set(addresses)


@given(situations(), RETRIES)
def test_a_plan_carried_out_leaves_nothing_to_buy(
    situation: tuple[list[Job], list[JournalRecord]], retry: tuple[str, ...]
) -> None:
    jobs, journals = situation
    changes, _ = planned(jobs, *journals, retry=retry)
    told = [
        event
        for change in changes
        if change.spends
        for event in bought(f"new-{change.address}", change.address, change.fingerprint)
    ]
    again, totals = planned(jobs, *journals, journal(23, *told), retry=retry)
    assert not totals.credits
    assert not any(change.spends for change in again)


# --- differences -----------------------------------------------------------------------------------


def test_a_difference_names_the_fields_that_changed_came_or_went() -> None:
    before = {"prompt": "a", "duration": "5", "seed": 1, "same": [1]}
    now = {"prompt": "b", "duration": 5, "same": [1], "nsfw": False}
    assert difference(before, now) == [
        FieldChange("duration", "5", 5),
        FieldChange("nsfw", None, False),  # noqa: FBT003 - a value of JSON
        FieldChange("prompt", "a", "b"),
        FieldChange("seed", 1, None),
    ]


def test_equal_inputs_differ_in_nothing_whatever_their_order() -> None:
    assert difference({"a": 1, "b": 2.0}, {"b": 2, "a": 1}) == []
