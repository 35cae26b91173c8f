"""A run as its reports render it: its manifest, and what the manifest doesn't say. Touches nothing.

In: a manifest's dict, notes, why spending stopped, what the run itself sent, where things lie. Out:
`RunView`, whose jobs know how they stand, with its sums.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from itertools import starmap
from operator import attrgetter
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import State
from kiejobs.reports.terminal import plural, price_text, state_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt, PriceDrift


class JobStatus(StrEnum):
    """How a job stands, for a person: its state, and whether its files are here.

    GONE was made, and can't be had any more; UNSENT was never taken by the API in this run; LOST was ruled
    never to have been made; RESERVED is what another run is about to send.
    """

    SUCCEEDED = "succeeded"
    NOT_COLLECTED = "not_collected"
    GONE = "gone"
    FAILED = "failed"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    RUNNING = "running"
    SUBMITTED = "submitted"
    RESERVED = "reserved"
    UNSENT = "not_submitted"
    LOST = "ruled_lost"


_HELD = frozenset({JobStatus.RUNNING, JobStatus.SUBMITTED, JobStatus.RESERVED})


@dataclass(frozen=True, slots=True)
class JobView:
    """One job of the manifest. `job` is its entry there, `note` what went wrong on the way home.

    `error` is `code: message` as the API or we said it; not cleaned.
    """

    address: str
    job: Mapping[str, Json]
    note: str | None
    status: JobStatus
    error: str | None
    planned: Decimal | None
    charged: Decimal | None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a stable `reason`, why in words, the commands; an address where it is one job's.

    `title` stands before the message where people read it; None where that says it all.
    """

    reason: str
    message: str
    commands: tuple[str, ...] = ()
    address: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class RunView:
    """A run for its report.

    `notes` by address; `stopped` is a reason and its why (which may be empty), if any; `exit_code` is
    None where the run has no end on record. `attempts` are those that this run reserved. `flag` is added
    to commands that are shown; `outputs` is the folder of the files and `record` the run's document, None
    where there is none. `settled` are the attempts whose charges are compared with their plan.
    """

    manifest: Mapping[str, Json]
    notes: Mapping[str, str] = field(default_factory=dict)
    stopped: tuple[str, str] | None = None
    exit_code: int | None = None
    attempts: Sequence[Attempt] = ()
    flag: str = ""
    rehearsal: bool = False
    outputs: str | None = None
    record: str | None = None
    settled: Sequence[Attempt] = ()

    @cached_property
    def jobs(self) -> list[JobView]:
        """In the order of the plan."""
        return list(starmap(self._job, self.manifest["jobs"].items()))

    def _job(self, address: str, job: Mapping[str, Json]) -> JobView:
        error, text = job["error"], None
        if error is not None:
            text = f"{error['code']}: {error['message']}" if error["code"] else error["message"]
        planned, charged = job["credits"]["planned"], job["credits"]["charged"]
        planned = None if planned is None else Decimal(planned)
        charged = None if charged is None else Decimal(charged)
        return JobView(address, job, self.notes.get(address), _status(job), text, planned, charged)

    @cached_property
    def counts(self) -> Counter[JobStatus]:
        return Counter(map(attrgetter("status"), self.jobs))

    @property
    def bought(self) -> list[Attempt]:
        """What this run bought for sure, whatever became of it."""
        return list(filter(attrgetter("task_id"), self.attempts))

    @cached_property
    def price_drifts(self) -> tuple[PriceDrift, ...]:
        if all(a.charged in {None, a.reserved.credits} for a in self.settled):
            return ()
        from kiejobs.core.ledger.ledger import price_drifts  # noqa: PLC0415 - mostly there is none

        return price_drifts(self.settled)

    @property
    def is_complete(self) -> bool:
        """Is there nothing left to do?"""
        is_done = self.counts.keys() <= {JobStatus.SUCCEEDED}
        return is_done and self.stopped is None and not self.price_drifts

    @property
    def file(self) -> str | None:
        """The job file, where the run had one."""
        source = self.manifest["source"]
        return None if source is None else source["file"]

    @property
    def summary(self) -> str:
        """How many jobs stand how, and what is charged, held and in doubt."""
        jobs, counts = self.jobs, self.counts
        states = ", ".join(f"{counts[s]:,} {state_words(s)}" for s in JobStatus if counts[s])
        money = [_charged(jobs)]
        if not _HELD.isdisjoint(counts):
            held = _sum(job.planned for job in jobs if job.status in _HELD)
            money.append(f"{held} held by what is at the API")
        if counts[JobStatus.IN_DOUBT]:
            doubted = _sum(job.planned for job in jobs if job.status is JobStatus.IN_DOUBT)
            money.append(f"{doubted} in doubt")
        return f"{plural(len(jobs), 'job')}: {states or 'nothing done'}; {', '.join(money)}"

    @property
    def bought_summary(self) -> list[str]:
        """What this run alone bought, of all its jobs; empty for `collect`, which buys nothing."""
        if self.manifest["command"] != "run":
            return []
        doubts = [attempt for attempt in self.attempts if attempt.state is State.IN_DOUBT]
        stated = _priced(self.bought) if self.bought else "nothing"
        if doubts:
            stated += f"{'' if self.bought else ' for sure'}; in doubt: {_priced(doubts)}"
        return [f"this run bought {stated}"]


def price_of(attempt: Attempt) -> Decimal | None:
    """What was charged, else what is to be; None where neither is known."""
    if attempt.charged is not None or attempt.state is State.FAILED:
        return attempt.charged or Decimal(0)
    return attempt.reserved.credits


def _status(job: Mapping[str, Json]) -> JobStatus:
    state = job["state"]
    if state is None:
        is_ruled = job["attempt_id"] is not None and job["error"] is None
        return JobStatus.LOST if is_ruled else JobStatus.UNSENT
    if state != State.SUCCEEDED:
        return JobStatus(state)
    if job["error"] is not None:
        return JobStatus.GONE
    return JobStatus.SUCCEEDED if job["files"] else JobStatus.NOT_COLLECTED


def _priced(attempts: Sequence[Attempt]) -> str:
    return f"{plural(len(attempts), 'job')} for {_sum(map(price_of, attempts))}"


def _charged(jobs: Sequence[JobView]) -> str:
    """What the API said that it charged; it does not always say."""
    charged = sum(filter(None, map(attrgetter("charged"), jobs)), Decimal(0))
    silent = [job for job in jobs if job.charged is None and job.job["state"] == State.SUCCEEDED]
    words = [f"{price_text(charged)} charged"] if charged or not silent else []
    if silent:
        planned = _sum(job.planned for job in silent)
        words.append(f"{planned} planned, the API did not say what it charged")
    return ", ".join(words)


def _sum(prices: Iterable[Decimal | None]) -> str:
    """Prices of which some may be unknown, in words."""
    every = list(prices)
    known = [price for price in every if price is not None]
    if every and not known:
        return price_text(None)
    return price_text(sum(known, Decimal(0))) + (" or more" if len(known) < len(every) else "")
