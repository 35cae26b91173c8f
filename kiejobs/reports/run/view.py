"""A run as its reports render it: its manifest, what that doesn't say, and what it leaves to do.

In: a manifest's dict, notes, why spending stopped, what the run itself sent. Out: `RunView`, whose jobs know
their states, with its sums; `Step`s as data, and as lines for people. Touches nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, partial
from itertools import starmap
from operator import attrgetter
from typing import TYPE_CHECKING

from kiejobs.core.ledger.manifest import NOT_COLLECTED
from kiejobs.core.ledger.records import State
from kiejobs.core.money import UNPRICED, credits_text, money, money_or_null, price_text
from kiejobs.core.prices.table import FILE
from kiejobs.reports.documents import by_fields
from kiejobs.reports.terminal import Paint, moment, plural, quoted, sanitize, shortened, state_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.checks import CheckResult
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt, PriceDrift
    from kiejobs.reports.picks import Decision


class JobStatus(StrEnum):
    """The state of a job, for a person: its state, and whether its files are here.

    GONE was made, and can't be had any more; NO_RESULT has ended well by the API's word, but without a result so far; UNSENT was never taken by the API in this run; LOST was ruled
    never to have been made; RESERVED is what another run is about to send.
    """

    SUCCEEDED = "succeeded"
    NOT_COLLECTED = "not_collected"
    GONE = "gone"
    FAILED = "failed"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    NO_RESULT = "no_result"
    RUNNING = "running"
    SUBMITTED = "submitted"
    RESERVED = "reserved"
    UNSENT = "not_submitted"
    LOST = "ruled_lost"


_FAILED = frozenset({JobStatus.FAILED, JobStatus.REJECTED})
_HELD = frozenset({JobStatus.NO_RESULT, JobStatus.RUNNING, JobStatus.SUBMITTED, JobStatus.RESERVED})


@dataclass(frozen=True, slots=True)
class JobView:
    """One job of the manifest. `job` is its entry there, `note` what went wrong on the way home.

    `error` is `code: message` as the API or kiejobs stated it; not cleaned. `advice`: what it means, where that is not plain.
    """

    address: str
    job: Mapping[str, Json]
    note: str | None
    status: JobStatus
    error: str | None
    advice: str | None
    planned: Decimal | None
    charged: Decimal | None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a stable `reason`, why in words, the commands; an address where it is one job's.

    `title` precedes the message where people read it; None where that says it all.
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
    to commands that are shown, and `typed` is the job file in them; `outputs` is the folder of the files and `record` the run's document, None
    where there is none. `settled` are the attempts whose charges are compared with their plan,
    which this run reserved or saw the end of; None where that is not known. `of_campaign`: credits that all runs of its campaign spent or hold; `states_of_campaign`: how many of its purchases are in each state.
    `decisions` by address, where people chose; `choice` is how many of each, in a line or none.
    `checks` are what is known of the results, by address. With `canary` the run bought the cheapest of each job first;
    `against` are the purchases that hold back the rest of their job, and whether each has a result.
    `of_jobs`: how many jobs the run had, where some are selected. `uncollected`: whose lost files could not be downloaded.
    """

    manifest: Mapping[str, Json]
    notes: Mapping[str, str] = field(default_factory=dict)
    stopped: tuple[str, str] | None = None
    exit_code: int | None = None
    attempts: Sequence[Attempt] = ()
    flag: str = ""
    typed: str | None = None
    rehearsal: bool = False
    outputs: str | None = None
    record: str | None = None
    settled: Sequence[Attempt] | None = None
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    choice: Sequence[str] = ()
    checks: Mapping[str, Sequence[CheckResult]] = field(default_factory=dict)
    of_campaign: Decimal | None = None
    states_of_campaign: Mapping[State | None, int] = field(default_factory=dict)
    canary: bool = False
    against: Mapping[str, bool] = field(default_factory=dict)
    of_jobs: int | None = None
    uncollected: Collection[str] = ()

    @cached_property
    def jobs(self) -> list[JobView]:
        """In the order of the plan."""
        return list(starmap(self._job, self.manifest["jobs"].items()))

    def _job(self, address: str, job: Mapping[str, Json]) -> JobView:
        error, text, advice = job["error"], None, None
        if error is not None:
            text = f"{error['code']}: {error['message']}" if error["code"] else error["message"]
            advice = advice_on(error["class"], error["code"], error["message"], self.typed or self.file)
        planned, charged = job["credits"]["planned"], job["credits"]["charged"]
        planned = None if planned is None else Decimal(planned)
        charged = None if charged is None else Decimal(charged)
        note, decision = self.notes.get(address), self.decisions.get(address)
        status = _status(job)
        if status is JobStatus.SUCCEEDED and address in self.uncollected:
            status = JobStatus.NOT_COLLECTED
        return JobView(address, job, note, status, text, advice, planned, charged, decision)

    @cached_property
    def counts(self) -> Counter[JobStatus]:
        return Counter(map(attrgetter("status"), self.jobs))

    @cached_property
    def unfit(self) -> frozenset[str]:
        """The addresses of results that failed a check."""
        from kiejobs.core.checks import FAILED  # noqa: PLC0415 - only where there are checks

        return frozenset(
            at for at, found in self.checks.items() if any(one.verdict == FAILED for one in found)
        )

    @cached_property
    def suspects(self) -> dict[str, bool]:
        """What seems to have held back the rest of its job, and has it a result? Canaries are on no record."""
        from kiejobs.core.plan.plan import job_address  # noqa: PLC0415 - only for a report of an earlier run

        if self.stopped is not None or self.exit_code is None:
            return {}
        left = {job_address(job.address) for job in self.jobs if job.status is JobStatus.UNSENT}
        bad = {
            job.address: job.address in self.unfit for job in self.jobs if job.status in _FAILED
        } | dict.fromkeys(sorted(self.unfit), True)
        return {address: has_result for address, has_result in bad.items() if job_address(address) in left}

    @property
    def bought(self) -> list[Attempt]:
        """What this run bought for sure, whatever became of it."""
        return list(filter(attrgetter("task_id"), self.attempts))

    @cached_property
    def price_drifts(self) -> tuple[PriceDrift, ...]:
        settled = self.settled or ()
        if all(a.charged in {None, a.reserved.credits} for a in settled):
            return ()
        from kiejobs.core.ledger.ledger import price_drifts  # noqa: PLC0415 - mostly there is none

        return price_drifts(settled)

    @property
    def file(self) -> str | None:
        """The job file, where the run had one."""
        source = self.manifest["source"]
        return None if source is None else source["file"]

    @property
    def summary(self) -> str:
        """How many jobs are in which state, and what is charged, held and in doubt."""
        jobs, counts = self.jobs, self.counts
        states = ", ".join(f"{counts[s]:,} {state_words(s)}" for s in JobStatus if counts[s])
        sums = [_charged(jobs, None if self.settled is None else {one.attempt_id for one in self.settled})]
        if not _HELD.isdisjoint(counts):
            held = _sum(job.planned for job in jobs if job.status in _HELD)
            sums.append(f"{held} held for unfinished jobs")
        if counts[JobStatus.IN_DOUBT]:
            doubted = _sum(job.planned for job in jobs if job.status is JobStatus.IN_DOUBT)
            sums.append(f"{doubted} in doubt")
        several = plural(len(jobs) if self.of_jobs is None else self.of_jobs, "job")
        part = "" if self.of_jobs is None else f"selected {len(jobs):,} of "
        return f"{part}{several}: {states or 'nothing done'}; {', '.join(sums)}"

    @property
    def bought_summary(self) -> list[str]:
        """What this run alone bought, of all its jobs; empty for `collect`, which buys nothing."""
        if self.manifest["command"] != "run":
            return []
        doubts = [attempt for attempt in self.attempts if attempt.state is State.IN_DOUBT]
        lines = [f"this run bought {_priced(self.bought) if self.bought else 'nothing'}"]
        if doubts:
            confirmed = lines[0] if self.bought else "this run has no confirmed purchases"
            lines = [f"{confirmed}; in doubt: {_priced(doubts)}"]
        own = sum((attempt.committed for attempt in self.attempts), Decimal(0))
        if self.of_campaign not in {None, own}:
            lines.append(f"all runs of the campaign: {price_text(self.of_campaign)} spent or held")
        return lines


_OF_FILES = r"(?:url|image|picture|video|audio|file|media)s?"
_OF_FETCHING = r"(?:fetch|download|access|retriev|reach|inaccessible|unreachable)\w*"
_ADVICE = (
    ("rejected", "404", "", "no such endpoint or model: check --base-url and `model`"),
    ("rejected", "505", "", "the API has this model or feature switched off; the input is not at fault"),
    (
        "rejected",
        "422",
        "model name",
        "the vendor sells no model under this name: compare `model` with its page",
    ),
    ("failed", "402", "", "the account had no credits left when it ran: top up first"),
    (
        "failed",
        "",
        "try again|internal error|server is busy",
        "a fault of the API that passes; the input may be fine",
    ),
    (
        "",
        "",
        rf"^server exception|\b{_OF_FETCHING}\b.{{0,60}}\b{_OF_FILES}\b|\b{_OF_FILES}\b.{{0,60}}\b{_OF_FETCHING}\b",
        "likely an input's URL that the API can't fetch: `kiejobs validate {file} --check-assets`",
    ),
)
"""By class, code and message; empty for any. The first that fits [contract: documented and observed]."""


def advice_on(kind: str, code: str | None, message: str, file: str | None = None) -> str | None:
    """What an answer means where its own words lead to the wrong cure. `file` is the job file, where it is known."""
    for class_, number, words, advice in _ADVICE:
        if kind.startswith(class_) and number in {"", code} and re.search(words, message, re.IGNORECASE):
            return advice.format(file=quoted(file or "FILE"))
    return None


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
        return JobStatus.NO_RESULT if job.get("api_state") == _SUCCESS else JobStatus(state)
    if job["error"] is not None:
        return JobStatus.NOT_COLLECTED if job["error"]["class"] == NOT_COLLECTED else JobStatus.GONE
    return JobStatus.SUCCEEDED if job["files"] else JobStatus.NOT_COLLECTED


def _priced(attempts: Sequence[Attempt]) -> str:
    return f"{plural(len(attempts), 'job')} for {_sum(map(price_of, attempts))}"


def _charged(jobs: Sequence[JobView], mine: Collection[str] | None) -> str:
    """The charge as the API stated it, which it does not always do. What is not `mine` was charged before."""
    own = [job for job in jobs if mine is None or job.job["attempt_id"] in mine]
    charged = sum(filter(None, map(attrgetter("charged"), own)), Decimal(0))
    before = sum(filter(None, map(attrgetter("charged"), jobs)), Decimal(0)) - charged
    silent = [job for job in jobs if job.charged is None and job.job["state"] == State.SUCCEEDED]
    words = [f"{price_text(charged)} charged"] if charged or not (silent or before) else []
    if before:
        words.append(f"{credits_text(before) if words else price_text(before) + ' charged'} in earlier runs")
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


# --- what to do next, with the commands to type ---------------------------------------------------

_SUCCESS = "success"  # the API's word, for a task that may have named no result
_LONGEST = 160
_LONGEST_ANSWER = 500
_SAME = 80  # characters of an answer by which it is recognized where it is quoted
_SHOWN_PICKS = 5
_were = partial(plural, noun="job was", many="jobs were")
_are = partial(plural, noun="job is", many="jobs are")

_CURES = {
    "budget": "Raise the budget, then run again.",
    "failures": "Find out why they failed before buying more.",
    "credits": "Top up the account, then run again.",
    "key_limit": "The key has a spending limit of its own: raise it where the key was created, or wait for its next period. Topping up the account does not help.",
    "edge": "A proxy, a firewall or the API's edge refused this machine; the key may be fine. `kiejobs doctor` checks again.",
    "busy": "429: other programs use up the account's rate limit (20 creates in 10 s); 455: the API is under maintenance. Run again later, or with a longer --wait.",
    "key": "Check KIE_API_KEY, and with the vendor whether the key allows this machine's IP address; `kiejobs doctor` shows what the API answers.",
    "unreachable": "Check with `kiejobs doctor` whether the API can be reached, then run again.",
    "doubts": "Find out what the API made of them before you buy more.",
    "journal": "The ledger could not be written. Make it writable (disk, permissions, network), then run again.",
    "bug": "This is a bug in kiejobs. Running again is safe: nothing is bought twice.",
}
_REFILL = "The sandbox's account ran out of credits. It is filled for each command; --sandbox-credits sets its balance."
_NO_PRICE = f"Put the price into {FILE}, or buy without a budget, then run again."
_GO_ON = "Run again to continue; nothing is bought twice."


def steps_after(view: RunView, *, local: bool = False) -> list[Step]:
    """What a run leaves to do: doubts first, since they may have cost something; `local` as in `Paint`."""
    steps = [
        doubt_step(
            job.address,
            moment(job.job["times"]["reserved"], local=local),
            job.planned,
            job.error,
            job.advice,
            view.flag,
            job.job.get("answer"),
        )
        for job in view.jobs
        if job.status is JobStatus.IN_DOUBT
    ]
    if view.stopped is not None:
        steps.append(_stopped(view, *view.stopped))
    unfit = [_look(view)] if view.checks and view.unfit else []
    return [*steps, *_by_status(view.counts, view), *unfit, *drift_steps(view.price_drifts)]


def _look(view: RunView) -> Step:
    """Nothing is bought again for a check: a person looks, and decides."""
    many = "1 result fails its" if len(view.unfit) == 1 else f"{len(view.unfit):,} results fail their"
    message = f"{many} checks. They stay as they are; look at them, and decide what to buy again."
    file = f" {quoted(view.typed)}" if view.typed else ""
    return Step("checks_failed", message, (f"kiejobs check{file}{view.flag}",), title="Checks")


def _stopped(view: RunView, reason: str, why: str) -> Step:
    # `collect` buys nothing, so nothing of it leads to `run`.
    is_collect = view.manifest["command"] == "collect"
    again = f"kiejobs collect{view.flag}" if is_collect else _run(view)
    if reason == "interrupted":
        is_cancelled = view.manifest["command"] == "run" and not view.attempts
        return _interrupted(view.counts, again, is_cancelled=is_cancelled)
    unsent = view.counts[JobStatus.UNSENT]
    left = [f"{shortened(sanitize(why), _LONGEST).rstrip('.')}."] if why else []
    left += [f"{_were(unsent)} not bought."] if unsent else []
    cure = _NO_PRICE if why == UNPRICED else _CURES.get(reason, _GO_ON)
    if reason == "credits" and view.rehearsal:
        cure = _REFILL
    title = f"Stopped ({state_words(sanitize(reason))})"
    return Step("stopped", " ".join([*left, cure]), (again,), title=title)


def _interrupted(counts: Counter[JobStatus], again: str, *, is_cancelled: bool) -> Step:
    """What is left; `is_cancelled` before anything was sent. Doubts wait for rulings, which have steps of their own, and not for another run."""
    counted = (
        (0 if is_cancelled else counts[JobStatus.UNSENT], _were, "not bought"),
        (counts[JobStatus.RUNNING] + counts[JobStatus.SUBMITTED], _are, "still at the API"),
        (counts[JobStatus.NOT_COLLECTED], _are, "not collected"),
    )
    left = [f"{jobs(count)} {words}" for count, jobs, words in counted if count]
    doubts = counts[JobStatus.IN_DOUBT]
    message = ", ".join([*left, *([f"{_are(doubts)} in doubt"] if doubts else [])])
    if is_cancelled:
        others = f" {message[0].upper()}{message[1:]}." if message else ""
        return Step("stopped", f"Cancelled; nothing was bought.{others} {_GO_ON}", (again,))
    if left:
        return Step("stopped", f"Interrupted; {message}. {_GO_ON}", (again,))
    return Step("stopped", f"Interrupted; {message or 'all that was bought is here'}.")


def _by_status(count: Counter[JobStatus], view: RunView) -> Iterator[Step]:
    run, collect = _run(view), f"kiejobs collect{view.flag}"
    if at_api := count[JobStatus.RUNNING] + count[JobStatus.SUBMITTED]:
        message = f"{_are(at_api)} paid for and still at the API; download the files later with"
        yield Step("running", message, (collect,), title="Not finished")
    if unnamed := count[JobStatus.NO_RESULT]:
        message = (
            f"{_are(unnamed)} paid for and successful, but the API named no usable result; ask again with"
        )
        yield Step("no_result", message, (collect,), title="No result")
    if uncollected := count[JobStatus.NOT_COLLECTED]:
        message = f"{_are(uncollected)} paid for and made, but not all files are here; download them with"
        yield Step("not_collected", message, (collect,), title="Not collected")
    if gone := count[JobStatus.GONE]:
        message = f"{_are(gone)} made and paid for, but the vendor no longer has the result; ask again, or buy the same again with"
        yield Step("gone", message, (collect, f"{run} --retry gone"), title="Gone")
    if failed := count[JobStatus.FAILED] + count[JobStatus.REJECTED]:
        causes = dict.fromkeys(job.advice or "" for job in view.jobs if job.status in _FAILED)
        cure = "change the input, or buy the same again with" if "" in causes else "to buy the same again:"
        message = "; ".join([plural(failed, "job"), *filter(None, causes), cure])
        yield Step("failed", message, (f"{run} --retry failed",), title="Failed")
    if (unsent := count[JobStatus.UNSENT]) and view.stopped is None:
        if view.against:
            yield _held_back(view, unsent)
        else:
            yield Step(
                "not_submitted", f"{_were(unsent)} not bought. {_GO_ON}", (run,), title="Not submitted"
            )


def _held_back(view: RunView, unsent: int) -> Step:
    """What their canaries speak against. To buy them all the same is a person's decision: no command here does it."""
    picks = [
        f"kiejobs pick {quoted(one)}{view.flag}" for one, has_result in view.against.items() if has_result
    ]
    cure = "Change the job or its checks" if picks else "Change the job, or buy what failed again"
    accept = "; or accept the result with `kiejobs pick`" if picks else ""
    message = f"{_were(unsent)} not bought, since another result of the same job did not pass. {cure}{accept}; then run again. Without --canary they are bought as they are."
    return Step("not_submitted", message, (*picks[:_SHOWN_PICKS], _run(view)), title="Held back")


def _run(view: RunView) -> str:
    canary = " --canary" if view.canary else ""
    return f"kiejobs run {quoted(view.typed or view.file or 'FILE')}{view.flag}{canary}"


# --- doubts and drifts, wherever they are shown ---------------------------------------------------


def drift_steps(drifts: Iterable[PriceDrift]) -> list[Step]:
    """For each model that charged otherwise than planned."""
    cure = f"put the current price into {FILE}, so that plans and budgets are right."
    return [Step("price_drift", f"{drift_words(one)}; {cure}", title="Price drift") for one in drifts]


def doubt_steps(attempts: Iterable[Attempt], flag: str, *, local: bool = False) -> list[Step]:
    steps = []
    for one in attempts:
        stated, advice = None, None
        if one.failure:
            stated = one.failure.message
            advice = advice_on(one.failure.kind, one.failure.code, stated)
        when = moment(one.times.get("reserved"), local=local)
        kept = one.unused
        answer = None if kept is None else {"text": kept.answer, "task_id": kept.task_id}
        steps.append(doubt_step(one.address, when, one.reserved.credits, stated, advice, flag, answer))
    return steps


def doubts_text(attempts: Iterable[Attempt], paint: Paint, flag: str = "") -> str:
    """How to rule on each of them, below a blank line; nothing where there is none."""
    return "\n".join(step_lines(doubt_steps(attempts, flag, local=paint.local), paint))


def doubt_step(
    address: str,
    when: str,
    at_stake: Decimal | None,
    stated: str | None,
    advice: str | None,
    flag: str,
    answer: Mapping[str, Json] | None = None,
) -> Step:
    """Both ways out of one doubt; `at_stake` are the credits that it may have cost, `answer` what came."""
    why = shortened(sanitize(stated or "its run has ended, and the outcome is unknown"), _LONGEST)
    text = "" if answer is None else sanitize(answer["text"])
    words = [] if text and ((stated or "").partition(": ")[2] or why) in text else [why]
    words += [f"the API answered: {shortened(text, _LONGEST_ANSWER)}"] if text[:_SAME] not in why else []
    message = f"{'sent' if stated else 'reserved'} {when}, may have cost {price_text(at_stake)}: "
    message += "; ".join(words) + (f" ({advice})" if advice else "")
    named = quoted(answer["task_id"]) if answer and answer["task_id"] else "TASK_ID"
    command = f"kiejobs resolve {quoted(address)}"
    commands = (f"{command} --task {named}{flag}", f"{command} --lost{flag}")
    return Step("in_doubt", message, commands, address)


def step_lines(
    steps: Sequence[Step], paint: Paint, *, most: int | None = None, flag: str = ""
) -> Iterator[str]:
    """The steps for people, a blank line apart; how to resolve doubts is shown once, and for at most that many."""
    doubts = [step for step in steps if step.reason == "in_doubt"]
    order = [*doubts[:most], *(step for step in steps if step.reason != "in_doubt")]
    if order and order[0].reason == "in_doubt":
        title = paint.loud("In doubt")
        yield ""
        yield f"{title}: may have been bought; not bought again until you resolve it."
        yield "Find the request in the vendor's task log, and pass its id to --task;"
        yield "use --lost only if you are sure that nothing was made."
        if most is not None and len(doubts) > most:
            yield f"{most} of {len(doubts):,} jobs are listed; `kiejobs -v status{flag}` lists all."
    for step in order:
        if step.reason == "in_doubt":
            yield from (f"  {sanitize(step.address or '')}", f"    {step.message}")
        else:
            title = f"{paint.bold(step.title)}: " if step.title else ""
            yield from ("", f"{title}{step.message}")
        yield from (f"    {command}" for command in step.commands)


# --- charged otherwise than planned ---------------------------------------------------------------


def drift_words(drift: PriceDrift) -> str:
    """`a/b charged 20 credits instead of 16 (+25 %) for 1 of 4 jobs`."""
    charged, planned = price_text(drift.charged), credits_text(drift.planned)
    sign = "-" if (drift.percent or 0) < 0 else "+"
    percent = "" if drift.percent is None else f" ({sign}{money(abs(drift.percent))} %)"
    jobs = f"{drift.jobs:,} of {plural(drift.compared, 'job')}"
    return f"{sanitize(drift.model)} charged {charged} instead of {planned}{percent} for {jobs}"


def drift_entry(drift: PriceDrift) -> dict[str, Json]:
    return {**by_fields(drift), "percent": money_or_null(drift.percent)}
