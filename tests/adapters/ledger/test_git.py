"""The ledger on a branch: clones that buy from each other's plans, remotes that vanish or refuse, clocks that are off."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
import pytest

from kiejobs.adapters.ledger.git import GitStore
from kiejobs.adapters.ledger.moved import MOVED, mark
from kiejobs.core.diagnostics import JournalProblem, StalePlan
from kiejobs.core.ledger.events import NotAccepted, RunFinished, RunStarted
from kiejobs.core.ledger.records import Failure, State
from tests.contracts.fakes import FakeClock
from tests.support.histories import ORIGIN, bought, failed, reserved, submitted
from tests.support.repositories import CHECKOUTS, as_it_is, clone, git, hook, make_remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kiejobs.core.ledger.events import Event, Reserved
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.ports import Claims, LedgerClaim, RunJournal

BRANCH = "kiejobs-ledger"
HOUR = 3600.0


@dataclass
class Buyer:
    """A run in a clone of its own, from its plan on."""

    store: GitStore
    clock: FakeClock
    journal: RunJournal
    lock: LedgerClaim

    @property
    def claims(self) -> Claims:
        claims = self.store.claims()
        assert claims is not None
        return claims

    def claim(self, *wishes: Reserved) -> Mapping[str, str]:
        return anyio.run(self.claims.claim, wishes)

    def attempts(self) -> dict[str, State | None]:
        return states(self.store)


def states(store: GitStore) -> dict[str, State | None]:
    """By attempt."""
    return {one.attempt_id: one.state for one in ledger(store).attempts()}


def ledger(store: GitStore) -> Ledger:
    return store.read().ledger(ORIGIN)


def header(run_id: str) -> RunStarted:
    return RunStarted(run_id, "run", "tea", ORIGIN, None, "kiejobs 0", 1)


class Team:
    """People with clones of one repository."""

    def __init__(self, folder: Path) -> None:
        self.remote = make_remote(folder)
        self._stack = ExitStack()

    def store(self, name: str, clock: FakeClock | None = None) -> GitStore:
        folder = self.remote.parent / name
        return GitStore(
            folder if folder.exists() else clone(self.remote, name), clock or FakeClock(), fresh=0.0
        )

    def buyer(self, name: str, *told: Event, clock: FakeClock | None = None, run: str = "") -> Buyer:
        """It holds its clone's lock, has read the ledger, and has `told` on record."""
        clock = clock or FakeClock()
        store = self.store(name, clock)
        journal = store.journal(header(run or f"run-{name}"), clock)
        lock = self._stack.enter_context(store.claim(journal.run_id, "2026-11-22T08:00:00.000Z"))
        store.read()
        journal.append(*told)
        return Buyer(store, clock, journal, lock)

    def onlooker(self) -> Ledger:
        """The ledger as a fresh clone has it."""
        return ledger(self.store(f"look-{len(list(self.remote.parent.iterdir()))}"))

    def published(self) -> dict[str, State | None]:
        return {one.attempt_id: one.state for one in self.onlooker().attempts()}

    def files(self) -> list[str]:
        return git(self.remote, "ls-tree", "-r", "--name-only", BRANCH).splitlines()

    @contextmanager
    def refusing(self, words: str = "the ledger is closed") -> Iterator[None]:
        hook(self.remote, "pre-receive", f"echo '{words}' >&2; exit 1")
        yield
        (self.remote / "hooks" / "pre-receive").unlink()

    @contextmanager
    def gone(self) -> Iterator[None]:
        self.remote.rename(self.remote.with_name("elsewhere"))
        yield
        self.remote.with_name("elsewhere").rename(self.remote)

    def edit(self, path: str, data: bytes | None, mode: str = "100644") -> None:
        """What somebody pushes by hand."""
        here = clone(self.remote, f"edit-{len(list(self.remote.parent.iterdir()))}", f"--branch={BRANCH}")
        target = here / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            git(here, "rm", "--quiet", path)
        elif mode == "120000":
            target.unlink(missing_ok=True)
            target.symlink_to(data.decode())
        else:
            target.write_bytes(data)
        git(here, "add", "--all")
        git(here, "commit", "--quiet", "-m", "by hand")
        git(here, "push", "--quiet", "origin", BRANCH)


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    return Team(tmp_path)


def wish(attempt: str, number: int = 1) -> Reserved:
    return reserved(attempt, f"tea/{number}", f"f{number}")


# --- claims ----------------------------------------------------------------------------------------


def test_what_is_granted_is_where_every_clone_sees_it(team: Team) -> None:
    one = team.buyer("one")
    assert one.claim(wish("a1", 1), wish("a2", 2)) == {}
    assert team.published() == {"a1": State.RESERVED, "a2": State.RESERVED}
    assert one.claims.valid()


def test_of_clones_that_race_exactly_one_has_each_purchase(team: Team) -> None:
    buyers = {name: team.buyer(name) for name in "abc"}
    granted: dict[int, list[str]] = {number: [] for number in range(12)}

    async def buy(name: str, order: Sequence[int]) -> None:
        claims = buyers[name].claims
        for start in range(0, len(order), 3):
            numbers = order[start : start + 3]
            refused = await claims.claim([wish(f"{name}{number}", number) for number in numbers])
            for number in numbers:
                granted[number] += [] if f"{name}{number}" in refused else [name]

    async def race() -> None:
        async with anyio.create_task_group() as group:
            for turn, name in enumerate(buyers):
                order = [*range(12)][turn * 2 :] + [*range(12)][: turn * 2]
                group.start_soon(buy, name, order)

    anyio.run(race)
    assert [len(names) for names in granted.values()] == [1] * 12
    for buyer in buyers.values():
        buyer.store.publish()
    open_ = {attempt for attempt, state in team.published().items() if state is not None}
    assert open_ == {f"{names[0]}{number}" for number, names in granted.items()}


def test_what_another_run_has_reserved_since_the_plan_is_refused_with_its_owner(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"SERVER_URL": "https://github.example", "REPOSITORY": "o/r", "RUN_ID": "7"}
    slow = team.buyer("slow")
    for name, value in parts.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    team.buyer("fast").claim(wish("fast1", 1))
    refused = slow.claim(wish("slow1", 1), wish("slow2", 2))
    ci = "https://github.example/o/r/actions/runs/7"
    assert refused == {"slow1": f"run run-fast ({ci}) has it: reserved"}
    assert team.published() == {"fast1": State.RESERVED, "slow1": None, "slow2": State.RESERVED}


def test_what_the_plan_knew_is_bought_again_where_that_was_meant(team: Team) -> None:
    first = team.buyer("first", reserved("a1"), submitted("a1"), failed("a1"))
    first.store.publish()
    again = team.buyer("again")
    first.journal.append(*bought("a2", "tea/2", "f2"))
    first.store.publish()
    assert again.claim(reserved("b1"), reserved("b2", "tea/2", "f2")).keys() == {"b2"}


def test_what_another_run_gave_back_is_there_for_everybody(team: Team) -> None:
    slow = team.buyer("slow")
    fast = team.buyer("fast")
    fast.claim(wish("fast1"))
    fast.journal.append(NotAccepted("fast1", Failure("not_sent", None, "stopped")))
    fast.store.publish()
    assert slow.claim(wish("slow1")) == {}


def test_another_api_s_purchases_are_no_rivals(team: Team) -> None:
    slow = team.buyer("slow")
    store = team.store("fast")
    journal = store.journal(replace(header("run-fast"), origin="https://other.example"), FakeClock())
    journal.append(wish("fast1"))
    store.publish()
    assert slow.claim(wish("slow1")) == {}


def test_a_second_run_of_the_same_clone_waits_in_any_worktree(team: Team) -> None:
    team.buyer("one")
    git(team.remote.parent / "one", "worktree", "add", "--quiet", "../side")
    with pytest.raises(JournalProblem, match="is in use by run run-one"):
        team.buyer("side")


# --- what can't be published -----------------------------------------------------------------------


def test_where_the_remote_refuses_nothing_may_be_sent_and_all_is_given_back(team: Team) -> None:
    one = team.buyer("one")
    with team.refusing(), pytest.raises(JournalProblem, match="the ledger is closed") as caught:
        one.claim(wish("a1", 1), wish("a2", 2))
    assert caught.value.exit_code == 7
    assert one.attempts() == {"a1": None, "a2": None}
    one.store.publish()
    assert (one.store.trouble, team.published()) == (None, {"a1": None, "a2": None})


def test_a_remote_that_vanishes_half_way_stops_the_spending_and_gets_the_rest_first_next_time(
    team: Team,
) -> None:
    one = team.buyer("one")
    one.claim(wish("a1", 1))
    with team.gone():
        with pytest.raises(JournalProblem, match="does not take what is to be bought"):
            one.claim(wish("a2", 2))
        one.journal.append(submitted("a1"))
        assert one.store.publish("run-one") == []
        assert "what happened here is not on origin/kiejobs-ledger yet" in (one.store.trouble or "")
        one.lock.release()
        one.journal.close()
        assert team.store("one").read().record("run-one") is not None, "it goes by what is known here"
    assert team.published() == {"a1": State.RESERVED}
    again = team.buyer("one", run="run-two")
    again.claim(wish("a3", 3))
    assert team.published() == {"a1": State.SUBMITTED, "a2": None, "a3": State.RESERVED}


def test_a_push_whose_answer_was_lost_counts(team: Team) -> None:
    one = team.buyer("one")
    hook(team.remote, "post-receive", "kill -9 $PPID")
    assert one.claim(wish("a1")) == {}
    assert team.published() == {"a1": State.RESERVED}


def test_a_first_push_that_was_too_late_joins_the_branch_that_is_there(team: Team) -> None:
    one, other = team.buyer("one"), team.buyer("other")
    one.claim(wish("a1", 1))
    other.claim(wish("b2", 2))
    assert team.published() == {"a1": State.RESERVED, "b2": State.RESERVED}
    assert git(team.remote, "rev-list", "--max-parents=0", "--count", BRANCH) == "1"


def test_nothing_is_bought_where_the_branch_could_not_be_fetched_just_now(team: Team) -> None:
    one = team.buyer("one")
    assert one.store.require_current() == []
    with team.gone(), pytest.raises(StalePlan, match="origin/kiejobs-ledger can't be fetched"):
        one.store.require_current()


def test_whoever_only_looks_goes_by_what_is_known_and_is_told_so(team: Team) -> None:
    team.buyer("one").claim(wish("a1"))
    here = team.store("here")
    assert (states(here), here.trouble) == ({"a1": State.RESERVED}, None)
    with team.gone():
        offline = team.store("here")
        assert states(offline) == {"a1": State.RESERVED}
        assert "can't be fetched, and others may have recorded more" in (offline.trouble or "")


def test_a_branch_that_was_deleted_is_made_again_of_what_any_clone_has(team: Team) -> None:
    team.buyer("one").claim(wish("a1", 1))
    here = team.store("here")
    here.read()
    git(team.remote, "branch", "-D", BRANCH)
    team.buyer("here").claim(wish("b2", 2))
    assert set(team.published()) == {"a1", "b2"}


# --- a run that died ---------------------------------------------------------------------------------


def test_what_a_dead_run_had_reserved_is_in_doubt_once_its_lease_is_over(team: Team) -> None:
    clock = FakeClock()
    lost = team.buyer("lost", clock=clock)
    lost.claim(wish("a1"))
    watch = FakeClock()
    looks = team.store("looks", watch)
    assert set(looks.check()[0].live_runs) == {"run-lost"}
    assert (set(looks.read().live_runs), states(looks)) == ({"run-lost"}, {"a1": State.RESERVED})
    watch.passes(121.0)
    assert (set(looks.read().live_runs), states(looks)) == (set(), {"a1": State.IN_DOUBT})


def test_in_its_own_clone_a_dead_run_is_known_by_the_lock(team: Team) -> None:
    lost = team.buyer("lost")
    lost.claim(wish("a1"))
    assert states(team.store("lost")) == {"a1": State.RESERVED}
    lost.lock.release()
    assert states(team.store("lost")) == {"a1": State.IN_DOUBT}


def test_what_was_on_record_here_and_never_pushed_is_published_first(team: Team) -> None:
    killed = team.buyer("one", wish("a1", 1))
    killed.lock.release()
    killed.journal.close()
    team.buyer("one", run="run-two").claim(wish("a2", 2))
    assert team.published() == {"a1": State.IN_DOUBT, "a2": State.RESERVED}


def test_a_line_that_is_being_written_is_not_published(team: Team) -> None:
    one = team.buyer("one", wish("a1"))
    path = team.remote.parent / "one" / ".git" / "kiejobs" / "runs" / "run-one" / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at": "2026')
    one.store.publish()
    assert git(team.remote, "show", f"{BRANCH}:runs/run-one/journal.jsonl") == whole.decode().strip()
    assert team.published() == {"a1": State.IN_DOUBT}, "no lease was published: nothing was claimed"


# --- leases ------------------------------------------------------------------------------------------


def test_what_was_claimed_may_be_sent_as_long_as_the_lease_holds_and_a_push_renews_it(team: Team) -> None:
    clock = FakeClock()
    one = team.buyer("one", clock=clock)
    assert not one.claims.valid()
    one.claim(wish("a1", 1))
    clock.passes(100.0)
    assert one.claims.valid()
    one.claim(wish("a2", 2))
    clock.passes(100.0)
    assert one.claims.valid()
    clock.passes(10.0)
    assert not one.claims.valid()


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_hours_off_shows_a_doubt_or_none_but_nothing_is_bought_twice(
    team: Team, hours: int
) -> None:
    clock = FakeClock()
    clock.passes(hours * HOUR)
    odd = team.buyer("odd", clock=clock)
    right = team.buyer("right")
    assert odd.claim(wish("odd1", 1)) == {}
    assert right.claim(wish("right2", 2)) == {}
    assert odd.claim(wish("odd2", 2)).keys() == {"odd2"}
    assert right.claim(wish("right1", 1)).keys() == {"right1"}
    seen = State.IN_DOUBT if hours < 0 else State.RESERVED
    assert right.attempts()["odd1"] is seen


def test_the_lease_goes_once_nothing_more_is_reserved(team: Team) -> None:
    one = team.buyer("one")
    one.claim(wish("a1"))
    assert "runs/run-one/claim.json" in team.files()
    claim = json.loads(git(team.remote, "show", f"{BRANCH}:runs/run-one/claim.json"))
    assert claim["until"] == "2026-11-22T08:02:00.000Z"
    assert (claim["owner"]["run_id"], claim["owner"]["pid"]) == ("run-one", os.getpid())
    one.journal.append(submitted("a1"))
    one.lock.release()
    one.store.publish("run-one")
    assert team.files() == ["runs/run-one/journal.jsonl", "runs/run-one/manifest.json"]


def test_a_long_journal_is_on_the_branch_in_parts_of_which_only_the_last_one_changes(team: Team) -> None:
    one = team.buyer("one")
    for number in range(5):
        one.journal.append(
            reserved(f"a{number}", f"tea/{number}", f"f{number}", input={"prompt": "x" * 50_000})
        )
    one.store.publish()
    parts = [f"runs/run-one/journal{part}.jsonl" for part in ("", ".1")]
    before = [git(team.remote, "rev-parse", f"{BRANCH}:{part}") for part in parts]
    one.journal.append(*(submitted(f"a{number}") for number in range(5)))
    one.lock.release()
    one.store.publish()
    after = [git(team.remote, "rev-parse", f"{BRANCH}:{part}") for part in parts]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)
    assert set(team.published().values()) == {State.SUBMITTED}
    assert list(team.onlooker().attempts()) == list(one.store.read().ledger(ORIGIN).attempts())
    team.edit(parts[0], None)
    with pytest.raises(JournalProblem, match="has a journal that lacks a part"):
        team.onlooker()


def test_leases_that_ran_out_long_ago_are_swept(team: Team) -> None:
    team.buyer("lost").claim(wish("a1", 1))
    clock = FakeClock()
    clock.passes(25 * HOUR)
    team.buyer("later", clock=clock).claim(wish("b2", 2))
    assert "runs/run-lost/claim.json" not in team.files()


def test_outcomes_are_published_while_the_run_goes_on(team: Team) -> None:
    one = team.buyer("one")
    one.claim(wish("a1"))

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(one.store.keep)
            one.journal.append(submitted("a1"))
            one.store.hurry()
            while '"submitted"' not in git(team.remote, "show", f"{BRANCH}:runs/run-one/journal.jsonl"):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()

    anyio.run(run)


# --- a branch that was touched by others ---------------------------------------------------------------


def published_run(team: Team) -> bytes:
    one = team.buyer("one", *bought("a1"))
    one.journal.append(RunFinished(0, None))
    one.lock.release()
    one.store.publish("run-one")
    return git(team.remote, "show", f"{BRANCH}:runs/run-one/journal.jsonl").encode() + b"\n"


def test_a_journal_that_differs_from_the_one_here_stops_everything(team: Team) -> None:
    data = published_run(team)
    here = team.store("here")
    here.read()
    team.edit("runs/run-one/journal.jsonl", data.replace(b"task-a1", b"task-b1"))
    with pytest.raises(JournalProblem, match="a line was changed, added or removed"):
        here.read()
    with pytest.raises(JournalProblem, match="a line was changed"):
        team.onlooker()


def test_a_journal_that_was_cut_off_on_the_branch_is_published_again(team: Team) -> None:
    data = published_run(team)
    team.edit("runs/run-one/journal.jsonl", data.splitlines(keepends=True)[0])
    team.buyer("one", run="run-two").claim(wish("b2", 2))
    assert team.published() == {"a1": State.SUCCEEDED, "b2": State.RESERVED}


def test_nobody_adds_to_the_journal_of_a_run_at_work(team: Team) -> None:
    one = team.buyer("one")
    one.claim(wish("a1", 1))
    data = git(team.remote, "show", f"{BRANCH}:runs/run-one/journal.jsonl").encode() + b"\n"
    team.edit("runs/run-one/journal.jsonl", data + b'{"added": "by hand"}\n')
    with pytest.raises(JournalProblem):
        one.claim(wish("a2", 2))


@pytest.mark.parametrize(
    ("path", "mode"),
    [("runs/run-two/journal.jsonl", "120000"), ("runs/.run/journal.jsonl", "100644"),
     ("runs/journal.jsonl", "100644"), ("runs/a/b/journal.jsonl", "100644")],
)  # fmt: skip
def test_what_no_journal_can_be_is_not_passed_over(team: Team, path: str, mode: str) -> None:
    published_run(team)
    team.edit(path, b"/etc/passwd", mode)
    with pytest.raises(JournalProblem, match="that no journal has"):
        team.onlooker()


def test_other_files_on_the_branch_are_no_matter(team: Team) -> None:
    published_run(team)
    team.edit("README.md", b"# what this is")
    team.edit("runs/run-one/notes.txt", b"mine")
    team.edit("runs/run-one/manifest.json", b"/etc/passwd", "120000")
    team.edit("runs/run-one/claim.json", b"{")
    assert team.published() == {"a1": State.SUCCEEDED}


def test_a_ledger_that_moved_says_where_to(team: Team) -> None:
    published_run(team)
    team.edit(f"runs/{MOVED}", mark("the folder runs/", "ledger: folder"))
    with pytest.raises(JournalProblem, match="it moved to the folder runs/") as caught:
        team.onlooker()
    assert "ledger: folder" in (caught.value.hint or "")


# --- manifests, projects, checkouts ----------------------------------------------------------------------


def test_manifests_are_on_the_branch_and_are_corrected_by_whoever_knows_more(team: Team) -> None:
    first = team.buyer("first", reserved("a1"), submitted("a1"))
    first.lock.release()
    first.store.publish("run-first")
    later = team.store("later")
    later.read()
    journal = later.journal(replace(header("run-later"), command="collect"), FakeClock())
    journal.append(*bought("a1")[2:])
    journal.close()
    later.publish("run-later")
    shown = json.loads(git(team.remote, "show", f"{BRANCH}:runs/run-first/manifest.json"))
    assert [job["state"] for job in shown["jobs"].values()] == ["succeeded"]
    fresh = team.store("fresh")
    history = fresh.read()
    assert [fresh.manifest(one.run_id) for one in history.records] == [
        history.manifest(one) for one in history.records
    ]
    tip = git(team.remote, "rev-parse", BRANCH)
    assert list(fresh.publish(every=True)) == []
    assert git(team.remote, "rev-parse", BRANCH) == tip, "nothing has happened since"


def test_projects_in_one_repository_have_ledgers_of_their_own(team: Team) -> None:
    team.buyer("one").claim(wish("a1"))
    store = team.store("one/clips/tea")
    assert states(store) == {}
    journal = store.journal(header("run-tea"), FakeClock())
    journal.append(wish("b1"))
    store.publish()
    assert "clips/tea/runs/run-tea/journal.jsonl" in team.files()
    assert team.published() == {"a1": State.RESERVED}


def test_a_project_that_was_moved_in_its_repository_finds_its_purchases_again(team: Team) -> None:
    folder = clone(team.remote, "mover")
    tea = folder / "clips" / "tea"
    (tea / "kiejobs.yaml").write_text("version: 1\nledger: git\n")
    store = GitStore(tea, FakeClock(), fresh=0.0)
    store.journal(header("run-tea"), FakeClock()).append(wish("a1"))
    store.publish()
    git(folder, "mv", "clips/tea", "coffee")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "moved")
    moved = GitStore(folder / "coffee", FakeClock(), fresh=0.0)
    assert states(moved) == {}
    with pytest.raises(StalePlan, match="has purchases of `clips/tea`") as caught:
        moved.require_current()
    assert "`ledger: {git: {path: clips/tea}}`" in (caught.value.hint or "")
    named = GitStore(folder / "coffee", FakeClock(), path="clips/tea", fresh=0.0)
    assert (named.require_current(), states(named)) == ([], {"a1": State.IN_DOUBT})
    another = GitStore(folder / "coffee", FakeClock(), path="coffee", fresh=0.0)
    assert (another.require_current(), states(another)) == ([], {})


@pytest.mark.parametrize(
    "kind", ["shallow", "sparse", "detached", "worktree", "submodule", "bare_with_worktree"]
)
def test_a_run_leaves_work_tree_index_and_head_as_they_were(team: Team, kind: str) -> None:
    folder = CHECKOUTS[kind](team.remote)
    before = as_it_is(folder)
    store = GitStore(folder, FakeClock(), fresh=0.0)
    journal = store.journal(header("run-here"), FakeClock())
    with store.claim("run-here", "2026-11-22T08:00:00.000Z"):
        store.read()
        claims = store.claims()
        assert claims is not None
        assert anyio.run(claims.claim, [wish("a1")]) == {}
        journal.append(submitted("a1"))
    journal.close()
    store.publish("run-here")
    assert store.trouble is None
    assert as_it_is(folder) == before
    assert team.published() == {"a1": State.SUBMITTED}


def test_who_looks_on_in_a_buyer_s_clone_takes_no_rival_from_its_sight(team: Team) -> None:
    """`kiejobs status` there had taken the rival's journal in first, and the buyer passed it over."""
    anna, ben = team.buyer("anna"), team.buyer("ben")
    assert anna.claim(wish("a1", 1)) == {}
    assert ben.claim(wish("b1", 2)) == {}
    states(team.store("anna"))
    assert list(anna.claim(wish("a2", 2))) == ["a2"]
