"""The ledger on a branch of git: bought once from any clone, branch, commit or runner.

In: a project's folder, the names of a branch and a remote. Out: the ports `LedgerStore` and, where there is a remote,
`Claims`. Touches: a runs folder in the git directory that all worktrees of the clone share, which is held like any
other; the branch, through `Mirror`.

Every event is durable in the folder first. What a run is about to send is on the branch before it is sent, pushed
by compare-and-swap, so that of several buyers one has it.
"""

from __future__ import annotations

import os
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio
import anyio.to_thread

from kiejobs.adapters.git import GitFailed
from kiejobs.adapters.ledger.branch import LedgerBranch
from kiejobs.adapters.ledger.folder import FolderStore, holds_journals
from kiejobs.adapters.ledger.lease import RunLease
from kiejobs.adapters.ledger.mirror import Mirror, Unpublished, read_published, tries
from kiejobs.adapters.ledger.moved import moved
from kiejobs.core.diagnostics import JournalProblem, OverLimit, StalePlan
from kiejobs.core.ledger.events import NotAccepted, Reserved
from kiejobs.core.ledger.records import Failure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.ledger.events import JournalRecord, RunStarted
    from kiejobs.core.ledger.fold import History
    from kiejobs.ports import Claims, Clock, LedgerClaim, Limits, RunJournal

BRANCH = "kiejobs-ledger"
_WINDOW = 18  # jobs: what the pace sends in about 10 s
_PERIOD = 8.0  # seconds between two pushes of what was written meanwhile
_PATIENCE = (0.5, 1.5, 3.0)  # seconds to wait for a remote that is out of reach, before spending stops
_FRESH = 5.0  # seconds for which what was fetched is as good as now


class GitStore:
    """One process's view of the ledger on a branch, and of this clone's end of it."""

    def __init__(
        self,
        root: Path,
        clock: Clock,
        branch: str = BRANCH,
        remote: str | None = None,
        path: str | None = None,
        *,
        fresh: float = _FRESH,
    ) -> None:
        """`remote`: None for `origin`, or for none where the repository has none. `path`: of the project, on the branch,
        where it is not that of its folder. Raises JournalProblem.
        """
        self.branch = LedgerBranch(root, branch, remote, path)
        self._is_named = path is not None
        runs = Path(os.path.relpath(self.branch.common / "kiejobs" / self.branch.prefix / "runs"))
        self._folder = FolderStore(runs)
        self._mirror = Mirror(self.branch, runs, clock)
        self.lease = RunLease(clock, self.branch.common)
        self.clock = clock
        self._fresh = fresh
        self._own: RunJournal | None = None
        self._limits: Limits | None = None
        self._planned: dict[str, int] | None = None
        """How many events of each run the plan knew, once it was made under a claim."""
        self._claimed_by: str | None = None
        self._reading = threading.Lock()
        self._out_of_reach: str | None = None
        self._unpublished: str | None = None

    @property
    def trouble(self) -> str | None:
        return self._unpublished or self._out_of_reach

    @property
    def name(self) -> str:
        return str(self.branch)

    def read(self) -> History:
        self._pull()
        history = self._read_here()
        if self._planned is None and self._claimed_by is not None:
            self._planned = {one.run_id: len(one.outline) for one in history.records}
            self._mirror.news.clear()
        return history

    def check(self) -> tuple[History, Sequence[tuple[str, JournalProblem]]]:
        self._mirror.forget()
        self._pull()
        self._folder.live_elsewhere = self._mirror.live_elsewhere(self.lease.clone)
        return self._folder.check()

    def claim(self, run_id: str, since: str) -> LedgerClaim:
        return _GitClaim(self, self._folder.claim(run_id, since), run_id)

    def require_current(self) -> Sequence[str]:
        try:
            self._mirror.pull()
            self._require_here()
        except GitFailed as failed:
            message = f"{self.name} can't be fetched: {failed}; nothing was bought"
            hint = (
                "what others have bought is there: check network and access, then run the same command again"
            )
            raise StalePlan(message, hint=hint) from failed
        self._require_own_path()
        return []

    def journal(self, header: RunStarted, clock: Clock) -> RunJournal:
        self._own = self._folder.journal(header, clock)
        self._mirror.own_run = header.run_id
        return self._own

    def publish(self, run_id: str | None = None, *, every: bool = False) -> Sequence[str]:
        """Manifests too. What can't be published stays here, `trouble` says why, and it goes first next time."""
        places: dict[str, None] = {}
        unreachable = self._pull()
        try:
            for pause in tries(self.branch):
                with self._reading:
                    places.update(dict.fromkeys(self._folder.publish(run_id, every=every)))
                if unreachable is not None:
                    raise unreachable
                if self.push_onto(self._mirror.tip, manifests=True):
                    break
                time.sleep(pause)
        except GitFailed as failed:
            self._unpublished = self._not_published(failed)
        return list(places)

    def manifest(self, run_id: str) -> bytes | None:
        return self._folder.manifest(run_id)

    def place(self, run_id: str) -> str:
        return self._folder.place(run_id)

    def manifest_place(self, run_id: str) -> str:
        return self._folder.manifest_place(run_id)

    def document(self, run_id: str) -> str | None:
        return self._folder.document(run_id)

    def unwritable(self) -> str | None:
        return self._folder.unwritable()

    def journals(self) -> Iterator[tuple[str, bytes]]:
        """As they are on the branch at this moment, also where the ledger was moved from here just now."""
        try:
            self._mirror.pull()
        except GitFailed as failed:
            hint = "check network and access, then run the same command again"
            raise JournalProblem(f"{self.name} can't be fetched: {failed}", hint=hint) from failed
        yield from self._folder.journals()

    def take_in(self, run_id: str, data: bytes) -> None:
        self._folder.take_in(run_id, data)

    def mark_moved(self, mark: bytes | None) -> None:
        try:
            self._mirror.set_mark(mark)
        except GitFailed as failed:
            raise JournalProblem(f"{self.name} can't be marked: {failed}") from failed
        self._folder.mark_moved(mark)

    def owner(self, run_id: str) -> str:
        return self._mirror.owner(run_id)

    def limit(self, limits: Limits | None) -> None:
        self._limits = limits

    def claims(self) -> Claims | None:
        """Without a remote the lock on this clone's folder keeps everybody else out."""
        return None if self.branch.remote is None or self._claimed_by is None else _GitClaims(self)

    async def keep(self) -> None:
        while self.branch.remote is not None:
            with anyio.move_on_after(_PERIOD):
                await self._wake.wait()
            del self._wake
            async with self.turn:
                await anyio.to_thread.run_sync(self._catch_up)

    def hurry(self) -> None:
        self._wake.set()

    def begin(self, run_id: str) -> None:
        """The lock of this clone is this run's now."""
        self._claimed_by, self._planned = run_id, None

    def end(self) -> None:
        """It reserves nothing any more: its lease goes with the next push."""
        self._claimed_by = None
        self.lease.end()

    # --- what a run claims, and what it has written ----------------------------------------------------

    @cached_property
    def turn(self) -> anyio.Lock:
        """Of those who publish in a run: it is claimed, or caught up."""
        return anyio.Lock()

    @cached_property
    def _wake(self) -> anyio.Event:
        return anyio.Event()

    @property
    def own(self) -> RunJournal:
        if self._own is None or self._claimed_by != self._own.run_id:
            raise JournalProblem("only the run that holds the claim reserves anything")
        return self._own

    def rivals(self, wishes: Iterable[Reserved]) -> tuple[str | None, dict[str, str]]:
        """The branch's tip as known here; by attempt, who else has reserved the purchase since it was planned.

        The wishes are on record here. Raises OverLimit where, with what others bought since, they break one.
        """
        with self._reading:
            tip, grown = self._mirror.tip, frozenset(self._mirror.news)
        keys = {(wish.fingerprint, wish.take): wish.attempt_id for wish in wishes}
        if not grown or not keys:
            return tip, {}
        history = self._read_here()
        if self._limits is not None:
            room, limit = self._limits(history)
            if room < 0:
                raise OverLimit(limit)
        others = [record for record in history.records if record.run_id in grown]
        suspects = [event.attempt_id for event in self._since_planned(others) if _key(event) in keys]
        ledger = history.ledger(self.own.header.origin) if suspects else None
        held = {}
        for attempt in filter(None, map(ledger.attempt, suspects)) if ledger else ():
            if attempt.state is not None:
                owner = self._mirror.owner(attempt.run_id)
                held[keys[attempt.key]] = f"{owner} has it: {attempt.state}"
        return tip, held

    def push_onto(self, tip: str | None, *, manifests: bool = False) -> bool:
        """False where the branch is not at `tip` any more. Raises GitFailed, JournalProblem."""
        self._require_here()
        lease, moment = self.lease.now()
        message = f"kiejobs: run {self._own.run_id}" if self._own else "kiejobs"
        if not self._mirror.push_onto(tip, lease, message, manifests=manifests):
            return False
        if lease is not None:
            self.lease.published(moment)
        self._unpublished = None
        return True

    def _since_planned(self, records: Iterable[JournalRecord]) -> Iterator[Reserved]:
        for record in records:
            for timed in record.events[(self._planned or {}).get(record.run_id, 0) :]:
                if isinstance(timed.event, Reserved):
                    yield timed.event

    def _catch_up(self) -> None:
        """What fails is tried again later, and reported at the end."""
        try:
            if self.lease.is_due() or self._mirror.is_behind(self.lease.now()[0]):
                for pause in tries(self.branch):
                    if self.push_onto(self._mirror.tip):
                        return
                    time.sleep(pause)
        except (GitFailed, JournalProblem) as problem:
            self._unpublished = self._not_published(problem)

    def _not_published(self, why: Exception) -> str:
        return f"what happened here is not on {self.name} yet, and is published first next time: {why}"

    def _pull(self) -> GitFailed | None:
        """Why that can't be done now: it goes by what was fetched before then."""
        fetched = self._mirror.fetched_at
        if fetched is not None and self.clock.monotonic() - fetched < self._fresh:
            return None
        found = None
        try:
            self._mirror.pull()
            self._out_of_reach = None
        except GitFailed as failed:
            others = "others may have recorded more"
            self._out_of_reach, found = f"{self.name} can't be fetched, and {others}: {failed}", failed
        self._require_here()
        return found

    def _require_own_path(self) -> None:
        """A project that was moved or renamed in its repository would begin a ledger of its own, and buy all again."""
        tip = self._mirror.tip
        if tip is None or self._is_named or self._mirror.copies:
            return
        others = (one for one in self.branch.projects(tip) if not self.branch.is_project(one))
        lost = [one.removesuffix("/") or "." for one in others]
        if lost:
            here = self.branch.prefix.removesuffix("/") or "."
            message = f"{self.name} has purchases of `{lost[0]}`, where this checkout has no project; nothing was bought"
            hint = f"if this one was there: `ledger: {{git: {{path: {lost[0]}}}}}`; if not: `ledger: {{git: {{path: {here}}}}}`"
            raise StalePlan(message, hint=hint)

    def _require_here(self) -> None:
        """What the branch says holds for this clone's end of it, too."""
        mark = self._mirror.mark
        if self._mirror.fetched_at is not None:
            self._folder.mark_moved(mark)
        if mark is not None:
            raise moved(self.name, mark)

    def _read_here(self) -> History:
        with self._reading:
            self._folder.live_elsewhere = self._mirror.live_elsewhere(self.lease.clone)
            return self._folder.read()


class _GitClaims:
    size = _WINDOW

    def __init__(self, store: GitStore) -> None:
        self._store = store

    def valid(self) -> bool:
        return self._store.lease.is_valid()

    async def claim(self, wishes: Sequence[Reserved]) -> Mapping[str, str]:
        with anyio.CancelScope(shield=True):
            async with self._store.turn:
                refused = await self._claim(wishes)
        return refused

    async def _claim(self, wishes: Sequence[Reserved]) -> Mapping[str, str]:
        self._store.lease.begin(self._store.own.run_id)
        self._store.own.append(*wishes)
        refused: dict[str, str] = {}
        try:
            await self._publish(wishes, refused)
        except OverLimit as problem:
            self._give_back_all("over_limit", wishes, refused, problem.message)
            raise
        except (GitFailed, JournalProblem) as problem:
            why = f"{self._store.name} does not take what is to be bought: {problem}"
            self._give_back_all("not_published", wishes, refused, why)
            raise JournalProblem(why, hint="nothing is bought until it can be published") from problem
        return refused

    async def _publish(self, wishes: Sequence[Reserved], refused: dict[str, str]) -> None:
        """What others have by then is refused. What they publish later is theirs to refuse: they see ours."""
        misses = iter(_PATIENCE)
        for pause in tries(self._store.branch):
            left = [wish for wish in wishes if wish.attempt_id not in refused]
            tip, held = await anyio.to_thread.run_sync(self._store.rivals, left)
            self._give_back("held", held)
            refused.update(held)
            if await self._push(tip, misses):
                return
            await self._store.clock.sleep(pause)

    async def _push(self, tip: str | None, misses: Iterator[float]) -> bool:
        try:
            return await anyio.to_thread.run_sync(self._store.push_onto, tip)
        except GitFailed as failed:  # out of reach, for a moment maybe
            wait = None if isinstance(failed, Unpublished) else next(misses, None)
            if wait is None:
                raise
            await self._store.clock.sleep(wait)
            return False

    def _give_back_all(
        self, kind: str, wishes: Iterable[Reserved], but_for: Collection[str], why: str
    ) -> None:
        self._give_back(kind, {one.attempt_id: why for one in wishes if one.attempt_id not in but_for})

    def _give_back(self, kind: str, why: Mapping[str, str]) -> None:
        if why:
            self._store.own.append(
                *(NotAccepted(one, Failure(kind, None, words)) for one, words in why.items())
            )


class _GitClaim:
    """The lock of this clone, and with it the lease."""

    def __init__(self, store: GitStore, lock: LedgerClaim, run_id: str) -> None:
        self._store = store
        self._lock = lock
        self._run_id = run_id

    def __enter__(self) -> Self:
        self._lock.__enter__()
        self._store.begin(self._run_id)
        return self

    def __exit__(self, *error: object) -> None:
        self._store.end()
        self._lock.__exit__(*error)

    def release(self) -> None:
        self._store.end()
        self._lock.release()


def is_in_force(root: Path, runs: Path, clock: Clock) -> bool:
    """Does this clone's end of a branch have journals that nobody has moved away from there?"""
    if not holds_journals(runs):
        return False
    known = read_published(runs)
    try:
        GitStore(root, clock, str(known.get("branch") or BRANCH), known.get("remote")).read()
    except JournalProblem:  # where it can't be read, it is not known to have moved
        return holds_journals(runs)
    return True


def _key(event: Reserved) -> tuple[str, int]:
    return (event.fingerprint, event.take)
