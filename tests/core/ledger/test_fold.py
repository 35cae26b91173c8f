"""The fold: journals in, the ledger out, whatever the order that git left them in."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import FileRecord, State
from tests.support.histories import (
    BROKEN,
    BUSY,
    ORIGIN,
    REFUSED,
    at,
    bought,
    collected,
    failed,
    journal,
    reserved,
    submitted,
    succeeded,
    upload,
)

if TYPE_CHECKING:
    from kiejobs.core.ledger.ledger import Attempt, Ledger


def only(*journals: JournalRecord) -> Attempt:
    (attempt,) = fold(journals).attempts()
    return attempt


# --- what an attempt has come to -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([submitted("a")], State.SUBMITTED),
        ([submitted("a"), e.Running("a", "queuing")], State.RUNNING),
        ([submitted("a"), succeeded("a")], State.SUCCEEDED),
        ([submitted("a"), failed("a")], State.FAILED),
        ([e.Rejected("a", REFUSED)], State.REJECTED),
        ([e.InDoubt("a", BROKEN)], State.IN_DOUBT),
        ([e.NotAccepted("a", BUSY)], None),
        ([e.InDoubt("a", BROKEN), e.Resolved("a", "task", "t-9", "seen")], State.SUBMITTED),
        ([e.InDoubt("a", BROKEN), e.Resolved("a", "lost", None, "ruled")], None),
        ([e.Resolved("a", "lost", None, "ruled"), e.Resolved("a", "task", "t", "seen")], State.SUBMITTED),
        ([submitted("a"), failed("a"), succeeded("a")], State.SUCCEEDED),
    ],
)  # fmt: skip
def test_the_furthest_event_tells_the_state(told: list[e.Event], state: State | None) -> None:
    assert only(journal(1, reserved("a"), *told)).state is state


def test_a_reservation_without_an_outcome_is_in_doubt_once_its_run_is_dead() -> None:
    attempt = only(journal(1, reserved("a"), live=False))
    assert attempt.state is State.IN_DOUBT
    assert attempt.failure is not None
    assert "between the reservation and the answer" in attempt.failure.message


def test_a_reservation_of_a_run_at_work_is_no_doubt() -> None:
    attempt = only(journal(1, reserved("a"), live=True))
    assert (attempt.state, attempt.failure) == (State.RESERVED, None)


def test_a_later_run_goes_on_with_an_attempt_of_a_dead_one() -> None:
    attempt = only(journal(1, reserved("a"), submitted("a")), journal(2, succeeded("a"), collected("a")))
    assert attempt.run_id == "run-01"
    assert attempt.state is State.SUCCEEDED
    assert attempt.times == {
        "reserved": at(1, 1),
        "submitted": at(1, 2),
        "succeeded": at(2, 1),
        "settled": at(2, 1),
        "collected": at(2, 2),
    }


def test_two_collectors_agree_on_when_it_happened_and_on_the_newest_files() -> None:
    again = collected("a")
    attempt = only(journal(1, *bought("a")), journal(2, succeeded("a"), again))
    assert attempt.times["settled"] == at(1, 4)
    assert attempt.times["collected"] == at(2, 2)
    assert attempt.files == again.files


def test_every_task_id_ever_told_is_kept() -> None:
    told = (submitted("a", "t1"), e.Resolved("a", "task", "t2", "seen"), submitted("a", "t1"))
    attempt = only(journal(1, reserved("a"), *told))
    assert attempt.task_id == "t1"
    assert attempt.other_task_ids == {"t2"}


def test_an_attempt_ruled_lost_whose_task_shows_up_is_at_the_api() -> None:
    told = (e.InDoubt("a", BROKEN), e.Resolved("a", "lost", None, "ruled"))
    attempt = only(journal(1, reserved("a"), *told), journal(2, submitted("a", "late")))
    assert (attempt.state, attempt.task_id) == (State.SUBMITTED, "late")


def test_journals_of_another_origin_count_for_nothing() -> None:
    other = journal(1, *bought("a"), origin="http://127.0.0.1:9")
    ours = journal(2, *bought("b", "tea/pour", "f2"))
    ledger = fold([other, ours], ORIGIN)
    assert [attempt.attempt_id for attempt in ledger.attempts()] == ["b"]
    assert list(ledger.runs) == ["run-02"]
    assert len(list(fold([other, ours]).attempts())) == 2


def test_uploads_are_known_by_their_content_and_only_to_their_own_origin() -> None:
    one, two = upload("c" * 64, "https://x/1"), upload("c" * 64, "https://x/2", None)
    other = upload("d" * 64, "https://x/3")
    journals = [journal(1, one, two), journal(2, one, other), journal(3, origin="http://else")]
    ledger = fold(journals, ORIGIN)
    assert ledger.uploads == {"c" * 64: [one, two], "d" * 64: [other]}
    assert fold(reversed(journals), ORIGIN).uploads == ledger.uploads
    assert fold([journal(1, one, origin="http://else")], ORIGIN).uploads == {}


def test_a_journal_torn_before_its_first_line_is_no_journal() -> None:
    assert list(fold([JournalRecord("run-01", [])]).attempts()) == []


def test_events_of_an_attempt_that_no_journal_reserved_are_passed_over() -> None:
    assert list(fold([journal(1, submitted("ghost"), collected("ghost"))]).attempts()) == []


# --- conflicts, callbacks, results that are gone ---------------------------------------------------

TWIN = e.Conflicted("a", "twin", "a second task for one create", may_be_paid=True)
WRONG = e.Conflicted("a", "wrong", "its `prompt` differs from what was sent", may_be_paid=False)
KEPT = e.Resolved("a", "task", "task-a", "a person ruled that this is the task to keep")


def test_a_conflict_is_open_until_somebody_rules() -> None:
    told = (reserved("a"), submitted("a"), TWIN)
    (conflict,) = only(journal(1, *told)).conflicts
    assert (conflict.task_id, conflict.at, conflict.why) == ("twin", at(1, 3), TWIN.why)
    ruled = only(journal(1, *told), journal(2, KEPT))
    assert ruled.conflicts == ()
    assert ruled.task_id == "task-a"


def test_what_comes_up_after_a_ruling_is_a_conflict_of_its_own() -> None:
    attempt = only(journal(1, reserved("a"), submitted("a"), TWIN, KEPT, WRONG))
    assert [conflict.task_id for conflict in attempt.conflicts] == ["wrong"]


def test_a_claim_that_was_told_twice_is_one_conflict_with_its_latest_words() -> None:
    later = e.Conflicted("a", "twin", "in other words", may_be_paid=True)
    (conflict,) = only(journal(1, reserved("a"), submitted("a"), TWIN, later)).conflicts
    assert conflict.why == "in other words"


def test_a_doubt_with_a_claim_against_it_stays_a_doubt() -> None:
    attempt = only(journal(1, reserved("a"), e.InDoubt("a", BROKEN), WRONG))
    assert (attempt.state, attempt.task_id, attempt.other_task_ids) == (
        State.IN_DOUBT, None, frozenset(),
    )  # fmt: skip
    assert [conflict.task_id for conflict in attempt.conflicts] == ["wrong"]


def test_a_second_task_that_may_be_paid_holds_as_much_again_even_once_ruled_on() -> None:
    told = (reserved("a"), submitted("a"), succeeded("a", "15"))
    assert only(journal(1, *told)).committed == 15
    assert only(journal(1, *told, TWIN)).committed == 31
    assert only(journal(1, *told, WRONG)).committed == 15
    ruled = only(journal(1, *told, TWIN, KEPT))
    assert ruled.other_task_ids == {"twin"}
    assert ruled.committed == 31


def test_two_task_ids_on_record_for_one_create_are_a_conflict() -> None:
    told = (submitted("a", "t1"), e.Resolved("a", "task", "t2", "seen"))
    attempt = only(journal(1, reserved("a"), *told))
    assert [c.task_id for c in attempt.conflicts] == ["t2"]
    keep = e.Resolved("a", "task", "t1", "a person ruled")
    assert only(journal(1, reserved("a"), *told, keep)).conflicts == ()


def test_a_result_that_is_gone_stays_so_until_a_later_try_brings_it_home() -> None:
    told = (reserved("a"), submitted("a"), succeeded("a"), e.Gone("a", "HTTP 404"))
    gone = only(journal(1, *told))
    assert (gone.state, gone.gone) == (State.SUCCEEDED, "HTTP 404")
    assert only(journal(1, *told), journal(2, collected("a"))).gone is None
    lost_again = (
        journal(1, *told),
        journal(2, collected("a")),
        journal(3, e.Gone("a", "HTTP 403")),
    )
    assert only(*lost_again).gone == "HTTP 403"


def test_the_last_callback_is_known() -> None:
    called = e.Called("a", "task-a", signed=True)
    attempt = only(journal(1, reserved("a"), submitted("a"), called), journal(2, called))
    assert attempt.times["called"] == at(2, 1)
    assert attempt.state is State.SUBMITTED


@pytest.mark.parametrize(
    ("again", "counts"),
    [
        ((submitted("b"),), "b"),
        ((e.InDoubt("b", BROKEN),), "b"),
        ((), "b"),
        ((submitted("b"), succeeded("b")), "b"),
        ((submitted("b"), failed("b")), "a"),
        ((e.Rejected("b", REFUSED),), "a"),
    ],
)
def test_what_is_bought_again_counts_more_than_what_is_gone_unless_it_came_to_nothing(
    again: tuple[e.Event, ...], counts: str
) -> None:
    gone = (reserved("a"), submitted("a"), succeeded("a"), e.Gone("a", "HTTP 404"))
    found = fold([journal(1, *gone), journal(2, reserved("b"), *again)]).bought("f1", 1)
    assert found is not None
    assert found.attempt_id == counts


# --- what two folders bought that were apart --------------------------------------------------------


def pairs(*journals: JournalRecord) -> list[list[str]]:
    return [[a.attempt_id for a in found] for found in fold(journals).bought_twice()]


def test_what_was_bought_twice_is_named_oldest_first() -> None:
    assert pairs(journal(2, *bought("b")), journal(1, *bought("a"))) == [["a", "b"]]
    waiting = journal(2, reserved("b"), submitted("b"))
    assert pairs(journal(1, *bought("a")), waiting) == [["a", "b"]]


@pytest.mark.parametrize(
    "second",
    [
        (reserved("b"), submitted("b"), failed("b")),
        (reserved("b"), e.Rejected("b", REFUSED)),
        (reserved("b"), e.InDoubt("b", BROKEN)),
        bought("b", "tea/pour#2", "f1", take=2),
        bought("b", "tea/pour", "f2"),
    ],
)
def test_what_came_to_nothing_or_was_wanted_is_no_pair(second: tuple[e.Event, ...]) -> None:
    assert pairs(journal(1, *bought("a")), journal(2, *second)) == []


def test_what_was_bought_again_since_it_was_gone_is_no_pair() -> None:
    gone = (reserved("a"), submitted("a"), succeeded("a"), e.Gone("a", "HTTP 404"))
    assert pairs(journal(1, *gone), journal(2, *bought("b"))) == []


@pytest.mark.parametrize("kept", ["a", "b"])
def test_a_ruling_with_both_on_record_ends_it(kept: str) -> None:
    ruling = e.Resolved(kept, "task", f"task-{kept}", "a person ruled")
    both = (journal(1, *bought("a")), journal(2, *bought("b")))
    assert pairs(*both, journal(3, ruling)) == []
    assert pairs(*both, journal(3, ruling), journal(4, *bought("c"))) == [["a", "b", "c"]]


def test_a_ruling_that_only_ended_a_doubt_hides_no_pair() -> None:
    """On its own branch nobody knew of the other purchase when the doubt was ended."""
    found = (
        reserved("b"),
        e.InDoubt("b", BROKEN),
        e.Resolved("b", "task", "task-b", "its callback"),
    )
    assert pairs(journal(1, *bought("a")), journal(2, *found)) == [["a", "b"]]


# --- which attempt counts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (bought("a"), (reserved("b"), e.Rejected("b", REFUSED)), "a"),
        ((reserved("a"), e.Rejected("a", REFUSED)), bought("b"), "b"),
        ((reserved("a"), submitted("a"), failed("a")), (reserved("b"), submitted("b")), "b"),
        ((reserved("a"), submitted("a")), (reserved("b"), submitted("b"), failed("b")), "a"),
        ((reserved("a"),), (reserved("b"), e.NotAccepted("b", BUSY)), "a"),
        ((reserved("a"), e.NotAccepted("a", BUSY)), (reserved("b"), submitted("b"), failed("b")), "b"),
        (bought("a"), bought("b"), "b"),
    ],
)  # fmt: skip
def test_of_several_attempts_the_best_then_the_latest_counts(
    first: tuple[e.Event, ...], second: tuple[e.Event, ...], counts: str
) -> None:
    journals = [journal(1, *first), journal(2, *second)]
    for order in (journals, journals[::-1]):
        found = fold(order).bought("f1", 1)
        assert found is not None
        assert found.attempt_id == counts


def test_takes_are_purchases_of_their_own() -> None:
    ledger = fold([journal(1, *bought("a"), *bought("b", "tea/pour#2", "f1", take=2))])
    assert [ledger.bought("f1", take) is not None for take in (1, 2, 3)] == [True, True, False]


def test_an_address_in_doubt_is_known_by_its_oldest_doubt() -> None:
    ledger = fold([journal(1, *bought("a")), journal(2, reserved("b", "tea/pour", "f2")),
                   journal(3, reserved("c", "tea/pour", "f3"))])  # fmt: skip
    doubt = ledger.in_doubt_at("tea/pour")
    assert doubt is not None
    assert doubt.attempt_id == "b"
    assert ledger.in_doubt_at("tea/steam") is None


# --- moves -----------------------------------------------------------------------------------------


def test_an_adoption_moves_a_purchase_to_its_new_address() -> None:
    ledger = fold([journal(1, *bought("a")), journal(2, e.Adopted("tea/cup", "tea/pour", "f1", 1))])
    assert [attempt.attempt_id for attempt in ledger.at("tea/cup")] == ["a"]
    assert ledger.at("tea/pour") == []


def test_the_last_of_several_moves_counts_and_only_for_its_own_take() -> None:
    moves = (e.Adopted("tea/b", "tea/pour", "f1", 1), e.Adopted("tea/c", "tea/b", "f1", 1))
    two = bought("b", "tea/pour#2", "f1", take=2)
    ledger = fold([journal(2, *moves), journal(1, *bought("a"), *two)])
    assert {a.attempt_id: a.address for a in ledger.attempts()} == {"a": "tea/c", "b": "tea/pour#2"}


def test_what_is_bought_after_a_move_stays_where_it_was_bought() -> None:
    ledger = fold([
        journal(1, reserved("a"), submitted("a"), failed("a")),
        journal(2, e.Adopted("tea/cup", "tea/pour", "f1", 1)),
        journal(3, *bought("b", "tea/third", "f1")),
    ])  # fmt: skip
    assert {a.attempt_id: a.address for a in ledger.attempts()} == {
        "a": "tea/cup",
        "b": "tea/third",
    }


# --- money -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "held"),
    [
        ([], "16"),
        ([submitted("a")], "16"),
        ([submitted("a"), e.Running("a", "queuing")], "16"),
        ([e.InDoubt("a", BROKEN)], "16"),
        ([submitted("a"), succeeded("a", "15.5")], "15.5"),
        ([submitted("a"), succeeded("a", None)], "16"),
        ([submitted("a"), failed("a", "0")], "0"),
        ([submitted("a"), failed("a", "3")], "3"),
        ([submitted("a"), failed("a", None)], "0"),
        ([submitted("a"), e.Priced("a", Decimal(60))], "60"),
        ([submitted("a"), e.Priced("a", Decimal(60)), e.Priced("a", Decimal(5))], "5"),
        ([submitted("a"), e.Priced("a", Decimal(60)), succeeded("a", "7")], "7"),
        ([submitted("a"), e.Priced("a", Decimal(60)), e.Succeeded("a", None, ())], "60"),
        ([submitted("a"), e.Priced("a", Decimal(60)), failed("a", None)], "0"),
        ([e.Rejected("a", REFUSED)], "0"),
        ([e.NotAccepted("a", BUSY)], "0"),
        ([e.InDoubt("a", BROKEN), e.Resolved("a", "lost", None, "ruled")], "0"),
    ],
)
def test_what_an_attempt_holds_of_a_budget(told: list[e.Event], held: str) -> None:
    assert fold([journal(1, reserved("a"), *told)]).committed() == Decimal(held)


def test_an_unknown_price_holds_nothing() -> None:
    assert fold([journal(1, reserved("a", credits=None), submitted("a"))]).committed() == 0


def test_each_campaign_holds_its_own() -> None:
    ledger = fold([
        journal(1, *bought("a"), *bought("b", "tea/steam", "f2")),
        journal(2, *bought("c", "tea2/pour", "f3"), campaign="tea2"),
    ])  # fmt: skip
    assert [ledger.committed(name) for name in ("tea", "tea2", "te")] == [32, 16, 0]
    assert ledger.committed() == 48


# --- any history at all ----------------------------------------------------------------------------

ATTEMPTS = ["a", "b", "c"]
STEPS = [
    "submitted",
    "running",
    "priced",
    "succeeded",
    "failed",
    "rejected",
    "in_doubt",
    "void",
    "found",
    "lost",
    "files",
    "gone",
    "still",
    "called",
    "twin",
    "wrong",
]


def step(name: str, attempt: str, task: str) -> e.Event:
    made: dict[str, e.Event] = {
        "submitted": submitted(attempt, task),
        "running": e.Running(attempt, "generating"),
        "priced": e.Priced(attempt, Decimal(task[-1])),
        "succeeded": succeeded(attempt, task[-1]),
        "failed": failed(attempt, task[-1]),
        "rejected": e.Rejected(attempt, REFUSED),
        "in_doubt": e.InDoubt(attempt, BROKEN),
        "void": e.NotAccepted(attempt, BUSY),
        "found": e.Resolved(attempt, "task", task, "seen"),
        "lost": e.Resolved(attempt, "lost", None, "ruled"),
        "files": collected(attempt),
        "gone": e.Gone(attempt, f"HTTP 40{task[-1]}"),
        "still": e.StillMissing(attempt, "last-frame", f"https://f.example/{task}.png", "HTTP 500"),
        "called": e.Called(attempt, task, signed=True),
        "twin": e.Conflicted(attempt, task, "a second task", may_be_paid=True),
        "wrong": e.Conflicted(attempt, task, "another prompt", may_be_paid=False),
    }
    return made[name]


@st.composite
def histories(draw: st.DrawFn) -> list[JournalRecord]:
    """A few runs in any order: each attempt is reserved by one of them, and told about by any."""
    runs: list[list[Timed]] = [
        [Timed(at(n, 0), journal(n).header or e.RunFinished(0, None))] for n in range(3)
    ]
    moment = st.builds(at, st.integers(0, 2), st.integers(1, 3))
    for attempt in ATTEMPTS:
        home = draw(st.sampled_from(runs))
        where, what = draw(st.sampled_from(["tea/x", "tea/y"])), draw(st.sampled_from(["f1", "f2"]))
        home.append(Timed(draw(moment), reserved(attempt, where, what)))
        for name in draw(st.lists(st.sampled_from(STEPS), max_size=6)):
            event = step(name, attempt, draw(st.sampled_from(["t1", "t2", "t3"])))
            draw(st.sampled_from(runs)).append(Timed(draw(moment), event))
    for fingerprint in draw(st.lists(st.sampled_from(["f1", "f2"]), max_size=2)):
        move = e.Adopted(draw(st.sampled_from(["tea/x", "tea/z"])), "tea/x", fingerprint, 1)
        draw(st.sampled_from(runs)).append(Timed(draw(moment), move))
    for url in draw(st.lists(st.sampled_from(["https://x/1", "https://x/2"]), max_size=3)):
        told = Timed(draw(moment), upload(draw(st.sampled_from(["c" * 64, "d" * 64])), url))
        draw(st.sampled_from(runs)).append(told)
    lives = draw(st.lists(st.booleans(), min_size=3, max_size=3))
    return [
        JournalRecord(f"run-{n:02}", run, live) for n, (run, live) in enumerate(zip(runs, lives, strict=True))
    ]


def seen(ledger: Ledger) -> dict[str, Any]:
    """All that a ledger answers."""
    return {
        "attempts": list(ledger.attempts()),
        "current": list(ledger.current()),
        "at": {name: ledger.at(name) for name in ("tea/x", "tea/y", "tea/z")},
        "twice": list(ledger.bought_twice()),
        "committed": ledger.committed(),
        "runs": dict(ledger.runs),
        "uploads": dict(ledger.uploads),
    }


@given(histories(), st.randoms())
def test_the_order_of_journals_does_not_matter(journals: list[JournalRecord], random: Any) -> None:
    shuffled = list(journals)
    random.shuffle(shuffled)
    assert seen(fold(shuffled)) == seen(fold(journals))


@given(histories(), st.integers(0, 2))
def test_a_journal_read_twice_counts_once(journals: list[JournalRecord], which: int) -> None:
    assert seen(fold([*journals, journals[which]])) == seen(fold(journals))


@given(histories(), st.randoms())
def test_the_order_of_lines_does_not_matter_but_for_the_header(
    journals: list[JournalRecord], random: Any
) -> None:
    """Times tell what came first; a clock that steps back must not change what was bought."""
    mixed = []
    for one in journals:
        lines = list(one.events[1:])
        random.shuffle(lines)
        mixed.append(JournalRecord(one.run_id, [one.events[0], *lines], one.live))
    assert seen(fold(mixed)) == seen(fold(journals))


CLIMB: dict[State | None, int] = {
    State.RESERVED: 0, State.IN_DOUBT: 1, None: 2, State.REJECTED: 2,
    State.SUBMITTED: 3, State.RUNNING: 4, State.FAILED: 5, State.SUCCEEDED: 6,
}  # fmt: skip


@given(histories(), st.integers(0, 2), st.integers(1, 10))
def test_one_more_event_never_takes_an_attempt_back(
    journals: list[JournalRecord], which: int, cut: int
) -> None:
    lines = journals[which].events
    shorter = list(journals)
    shorter[which] = JournalRecord(f"run-{which:02}", lines[:cut], journals[which].live)
    whole = fold(journals)
    for before in fold(shorter).attempts():
        after = whole.attempt(before.attempt_id)
        assert after is not None
        assert CLIMB[before.state] <= CLIMB[after.state]
        assert ids_of(before) <= ids_of(after)


def ids_of(attempt: Attempt) -> frozenset[str]:
    return attempt.other_task_ids | ({attempt.task_id} if attempt.task_id else set())


@given(histories())
def test_no_task_id_is_ever_lost(journals: list[JournalRecord]) -> None:
    ledger = fold(journals)
    for one in journals:
        for timed in one.events:
            if isinstance(timed.event, e.Submitted | e.Resolved) and timed.event.task_id:
                attempt = ledger.attempt(timed.event.attempt_id)
                assert attempt is not None
                assert timed.event.task_id in ids_of(attempt)


@given(histories())
def test_a_task_that_may_be_paid_for_is_never_forgotten(journals: list[JournalRecord]) -> None:
    """Neither its id nor its price, whatever is ruled; and a conflict only ends by a later ruling."""
    ledger = fold(journals)
    told = [timed for one in journals for timed in one.events]
    for at_, claim in ((t.at, t.event) for t in told if isinstance(t.event, e.Conflicted)):
        attempt = ledger.attempt(claim.attempt_id)
        assert attempt is not None
        if claim.may_be_paid:
            assert claim.task_id in ids_of(attempt)
            assert attempt.committed >= 16 * len(attempt.other_task_ids)
        rulings = [t for t in told if isinstance(t.event, e.Resolved)]
        later = any(t.event.attempt_id == claim.attempt_id and t.at > at_ for t in rulings)
        assert later or claim.task_id in {conflict.task_id for conflict in attempt.conflicts}


@given(histories())
def test_a_request_that_ever_got_a_task_is_never_taken_for_unbought(
    journals: list[JournalRecord],
) -> None:
    ledger = fold(journals)
    for attempt in ledger.attempts():
        if attempt.task_id is not None:
            counts = ledger.bought(*attempt.key)
            assert counts is not None
            assert counts.state not in {None, State.REJECTED}


def test_what_was_rejected_does_not_count_for_more_because_something_says_it_is_gone() -> None:
    """No run writes that; but then the attempt that had a task would be forgotten."""
    odd = (reserved("a"), e.Rejected("a", REFUSED), e.Gone("a", "HTTP 404"))
    ledger = fold([journal(7, *odd, reserved("b"), submitted("b"), failed("b"))])
    counts = ledger.bought("f1", 1)
    assert counts is not None
    assert counts.attempt_id == "b"


@given(histories())
def test_what_is_held_adds_up(journals: list[JournalRecord]) -> None:
    ledger = fold(journals)
    assert ledger.committed() == sum((a.committed for a in ledger.attempts()), Decimal(0))
    assert ledger.committed("tea") == ledger.committed()


def test_no_two_attempts_have_one_path_whoever_came_home_first() -> None:
    there = FileRecord("x.mp4", "ab" * 32, 9, "video/mp4", "https://files.example.com/x")
    home = (*bought("a")[:-1], e.Collected("a", (there,)))
    branches = [journal(1, *home), journal(2, reserved("b"), submitted("b"))]
    first, second = fold(branches).attempts()
    assert first.output == "x.mp4"
    assert second.output == "x~b.mp4"
    open_ = [journal(1, reserved("a"), submitted("a")), journal(2, reserved("b"), submitted("b"))]
    first, second = fold(open_).attempts()
    assert (first.output, second.output) == ("x~a.mp4", "x.mp4")


def test_what_comes_back_goes_beside_what_was_bought_instead_of_it() -> None:
    lost = e.Resolved("a", "lost", None, "ruled")
    ledger = fold([journal(1, reserved("a"), lost), journal(2, *bought("b"))])
    returning, instead = ledger.attempts()
    assert ledger.place_for(returning) == "x~a.mp4"
    assert ledger.place_for(instead) == "x.mp4"


def test_a_purchase_that_two_campaigns_ask_for_is_at_an_address_in_each() -> None:
    ledger = fold(
        [
            journal(1, *bought("a")),
            journal(2, e.Adopted("mug/cup", "tea/pour", "f1", 1)),
            journal(3, e.Adopted("mug/pot", "mug/cup", "f1", 1)),
        ]
    )
    (attempt,) = ledger.attempts()
    assert (attempt.address, attempt.shared) == ("mug/pot", ("tea/pour",))
    assert [len(ledger.at(address)) for address in ("tea/pour", "mug/cup", "mug/pot")] == [1, 0, 1]
    held = [ledger.committed(campaign) for campaign in ("tea", "mug", None)]
    assert held[0] > 0
    assert held == [held[0]] * 3, "it counts for each, and once for all"
    assert ledger.committed(since="9999") == 0


def test_a_frame_is_missing_until_files_are_collected_without_a_word_of_it() -> None:
    missing = e.StillMissing("a", "last-frame", "https://f.example/l.png", "HTTP 500")
    first = journal(1, reserved("a"), submitted("a"), succeeded("a"), collected("a"), missing)
    assert only(first).missing == (missing,)
    assert not only(first).is_collected
    assert only(first, journal(2, collected("a"), missing)).missing == (missing,)
    assert only(first, journal(2, collected("a"))).is_collected
