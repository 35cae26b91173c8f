"""A run as reports look at it: its manifest, and what the manifest doesn't say.

In: a manifest's dict, notes, why spending stopped, what the run itself sent, where things lie. Out:
`RunView`, whose jobs know how they stand, with its sums and what it leaves to do, which text, JUnit and
Markdown render; the document of schemas/documents/report.schema.json. Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from kiejobs.core.ledger.price_drift import PriceDrift, price_drifts
from kiejobs.core.ledger.records import State
from kiejobs.core.money import UNPRICED, money
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.run.next_steps import Step, doubt_step, drift_entry, drift_steps
from kiejobs.reports.terminal import plural, price_text, quoted, sanitize, shortened, state_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt


class JobStatus(StrEnum):
    """How a job stands, for a person: its state, and whether its files are here.

    GONE was made, and can't be had any more; UNSENT was never taken by the API in this run; LOST was ruled never to have been made; RESERVED is
    what another run is about to send.
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
    """One job of the manifest. `job` is its entry there, `note` what went wrong on the way home."""

    address: str
    job: Mapping[str, Json]
    note: str | None

    @property
    def status(self) -> JobStatus:
        state = self.job["state"]
        if state is None:
            ruled = self.job["attempt_id"] is not None and self.job["error"] is None
            return JobStatus.LOST if ruled else JobStatus.UNSENT
        if state == State.SUCCEEDED and self.job["error"] is not None:
            return JobStatus.GONE
        if state == State.SUCCEEDED:
            return JobStatus.SUCCEEDED if self.job["files"] else JobStatus.NOT_COLLECTED
        return JobStatus(state)

    @property
    def settled_well(self) -> bool:
        return bool(self.job["state"] == State.SUCCEEDED)

    @property
    def planned(self) -> Decimal | None:
        return _credits(self.job["credits"]["planned"])

    @property
    def charged(self) -> Decimal | None:
        return _credits(self.job["credits"]["charged"])

    @property
    def error(self) -> str | None:
        """`code: message` as the API or we said it; not cleaned."""
        error = self.job["error"]
        if error is None:
            return None
        return f"{error['code']}: {error['message']}" if error["code"] else str(error["message"])


@dataclass(frozen=True, slots=True)
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

    @property
    def jobs(self) -> list[JobView]:
        """In the order of the plan."""
        entries = self.manifest["jobs"].items()
        return [JobView(address, job, self.notes.get(address)) for address, job in entries]

    @property
    def bought(self) -> list[Attempt]:
        """What this run bought for sure, whatever became of it."""
        return [attempt for attempt in self.attempts if attempt.task_id is not None]

    @property
    def doubts(self) -> list[Attempt]:
        """What this run may have bought."""
        return [attempt for attempt in self.attempts if attempt.state is State.IN_DOUBT]

    @property
    def price_drifts(self) -> tuple[PriceDrift, ...]:
        return price_drifts(self.settled)

    @property
    def file(self) -> str | None:
        """The job file, where the run had one."""
        source = self.manifest["source"]
        return None if source is None else source["file"]

    @property
    def summary(self) -> str:
        """How many jobs stand how, and what is charged, held and in doubt."""
        jobs = self.jobs
        counts = Counter(job.status for job in jobs)
        states = ", ".join(f"{counts[s]:,} {state_words(s)}" for s in JobStatus if counts[s])
        money_ = [_charged(jobs)]
        if held := [job.planned for job in jobs if job.status in _HELD]:
            money_.append(f"{_sum(held)} held by what is at the API")
        if doubted := [job.planned for job in jobs if job.status is JobStatus.IN_DOUBT]:
            money_.append(f"{_sum(doubted)} in doubt")
        return f"{plural(len(jobs), 'job')}: {states or 'nothing done'}; {', '.join(money_)}"

    @property
    def bought_summary(self) -> list[str]:
        """What this run alone bought, of all its jobs; empty for `collect`, which buys nothing."""
        if self.manifest["command"] != "run":
            return []
        stated = _priced(self.bought) if self.bought else "nothing"
        if self.doubts:
            stated += f"{'' if self.bought else ' for sure'}; in doubt: {_priced(self.doubts)}"
        return [f"this run bought {stated}"]


def price_of(attempt: Attempt) -> Decimal | None:
    """What was charged, else what is to be; None where neither is known."""
    if attempt.charged is not None or attempt.state is State.FAILED:
        return attempt.charged or Decimal(0)
    return attempt.reserved.credits


def report_document(view: RunView) -> dict[str, Json]:
    stopped = view.stopped
    bought = [price_of(attempt) for attempt in view.bought]
    return {
        "format_version": FORMAT_VERSION,
        "run_id": view.manifest["run_id"],
        "campaign": view.manifest["campaign"],
        "exit_code": view.exit_code,
        "stopped": None if stopped is None else {"reason": stopped[0], "why": stopped[1]},
        "run": {"bought": len(bought), "credits": money(_known(bought))},
        "totals": view.manifest["totals"],
        "jobs": [_job(job) for job in view.jobs],
        "price_drift": [drift_entry(drift) for drift in view.price_drifts],
        "next": [step.document() for step in steps_after(view)],
    }


# --- what a run leaves to do ----------------------------------------------------------------------


_CURES = {
    "budget": "Raise the budget, then run again.",
    "failures": "See why they failed before buying on.",
    "credits": "Top up the account, then run again.",
    "key": "Check KIE_API_KEY; `kiejobs doctor` tells what the API says to it.",
    "unreachable": "See with `kiejobs doctor` whether the API can be reached, then run again.",
    "doubts": "Find out what the API made of them before anything more is bought.",
    "journal": "Give the runs folder room and permissions, then run again.",
    "bug": "This is a fault of kiejobs. Running again is safe: nothing is bought twice.",
}
_LONGEST = 160
_NO_PRICE = "Put it into prices.yaml, or buy without a budget, then run again."
_GO_ON = "Run again to go on; nothing is bought twice."


def steps_after(view: RunView) -> list[Step]:
    """What a run leaves to do: doubts first, since they may have cost something."""
    jobs = view.jobs
    doubts = [job for job in jobs if job.status is JobStatus.IN_DOUBT]
    steps = [_doubt_of(job, view.flag) for job in doubts]
    counts = Counter(job.status for job in jobs)
    if view.stopped is not None:
        steps.append(_stopped(view.stopped, counts, view))
    return [*steps, *_by_status(counts, view), *drift_steps(view.price_drifts)]


def _doubt_of(job: JobView, flag: str) -> Step:
    return doubt_step(
        job.address,
        since=job.job["times"]["reserved"],
        credits_at_stake=job.planned,
        stated=job.error,
        flag=flag,
    )


def _stopped(stopped: tuple[str, str], counts: Counter[JobStatus], view: RunView) -> Step:
    reason, why = stopped
    if reason == "interrupted":
        return _interrupted(counts, view)
    reasoned = f": {shortened(sanitize(why), _LONGEST)}" if why else ""
    unsent = counts[JobStatus.UNSENT]
    left = f" {_were(unsent)} not bought." if unsent else ""
    cure = _NO_PRICE if why == UNPRICED else _CURES.get(reason, _GO_ON)
    message = f"{sanitize(reason)}{reasoned}.{left} {cure}"
    return Step("stopped", message, (_again(view),), title="Stopped")


def _interrupted(counts: Counter[JobStatus], view: RunView) -> Step:
    """What is left. Doubts wait for rulings, which have steps of their own, and not for another run."""
    left = list(_left(counts))
    doubts = [f"{_are(counts[JobStatus.IN_DOUBT])} in doubt"] if counts[JobStatus.IN_DOUBT] else []
    if not left and not doubts:
        return Step("stopped", "Interrupted; all that was bought is here.")
    message = f"Interrupted; {', '.join([*left, *doubts])}."
    if not left:
        return Step("stopped", message)
    return Step("stopped", f"{message} {_GO_ON}", (_again(view),))


def _left(counts: Counter[JobStatus]) -> Iterator[str]:
    if counts[JobStatus.UNSENT]:
        yield f"{_were(counts[JobStatus.UNSENT])} not bought"
    if at_api := counts[JobStatus.RUNNING] + counts[JobStatus.SUBMITTED]:
        yield f"{_are(at_api)} still at the API"
    if counts[JobStatus.NOT_COLLECTED]:
        yield f"{_are(counts[JobStatus.NOT_COLLECTED])} not collected"


def _by_status(count: Counter[JobStatus], view: RunView) -> Iterator[Step]:
    collect = (f"kiejobs collect{view.flag}",)
    if at_api := count[JobStatus.RUNNING] + count[JobStatus.SUBMITTED]:
        message = f"{_are(at_api)} still at the API, paid for; bring the files home later with"
        yield Step("running", message, collect, title="Not here yet")
    if count[JobStatus.NOT_COLLECTED]:
        jobs = _are(count[JobStatus.NOT_COLLECTED])
        message = f"{jobs} bought and made, but the files are not here; try again with"
        yield Step("not_collected", message, collect, title="Not collected")
    if count[JobStatus.GONE]:
        jobs = _are(count[JobStatus.GONE])
        message = f"{jobs} made and paid for, but the vendor no longer has the result; ask once more, or buy the same again with"
        again = f"{_run(view)} --retry gone"
        yield Step("gone", message, (*collect, again), title="Gone")
    failed = count[JobStatus.FAILED] + count[JobStatus.REJECTED]
    if failed:
        message = f"{plural(failed, 'job')}; change the input, or buy the same again with"
        yield Step("failed", message, (f"{_run(view)} --retry failed",), title="Failed")
    if count[JobStatus.UNSENT] and view.stopped is None:
        message = f"{_were(count[JobStatus.UNSENT])} not bought. {_GO_ON}"
        yield Step("not_submitted", message, (_run(view),), title="Not submitted")


def _were(count: int) -> str:
    return plural(count, "job was", "jobs were")


def _are(count: int) -> str:
    return plural(count, "job is", "jobs are")


def _again(view: RunView) -> str:
    """The command that goes on: `collect` buys nothing, so nothing of it leads to `run`."""
    return f"kiejobs collect{view.flag}" if view.manifest["command"] == "collect" else _run(view)


def _run(view: RunView) -> str:
    return f"kiejobs run {quoted(view.file) if view.file else 'FILE'}{view.flag}"


# --- sums and entries -----------------------------------------------------------------------------


def _priced(attempts: Sequence[Attempt]) -> str:
    return f"{plural(len(attempts), 'job')} for {_sum(map(price_of, attempts))}"


def _charged(jobs: Sequence[JobView]) -> str:
    """What the API said that it charged; it does not always say."""
    charged = sum((job.charged or Decimal(0) for job in jobs), Decimal(0))
    unstated = [job.planned for job in jobs if job.settled_well and job.charged is None]
    if not unstated:
        return f"{price_text(charged)} charged"
    planned = f"{_sum(unstated)} planned, the API did not say what it charged"
    return f"{price_text(charged)} charged, {planned}" if charged else planned


def _sum(prices: Iterable[Decimal | None]) -> str:
    """Prices of which some may be unknown, in words."""
    every = list(prices)
    if every and all(price is None for price in every):
        return price_text(None)
    return price_text(_known(every)) + (" or more" if None in every else "")


def _known(prices: Iterable[Decimal | None]) -> Decimal:
    return sum((price for price in prices if price is not None), Decimal(0))


def _job(job: JobView) -> dict[str, Json]:
    kept = {key: value for key, value in job.job.items() if key != "input"}
    return {"address": job.address, **kept, "standing": job.status.value, "note": job.note}


def _credits(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
