"""What to do next, with the commands to type: `Step`s as data, and as lines for people. Touches nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kiejobs.core.money import UNPRICED, money
from kiejobs.core.prices.table import FILE
from kiejobs.reports.documents import money_or_null
from kiejobs.reports.run.view import JobStatus, Step
from kiejobs.reports.terminal import (
    Paint,
    credits_text,
    moment,
    plural,
    price_text,
    quoted,
    sanitize,
    shortened,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt, PriceDrift
    from kiejobs.reports.run.view import RunView

_LONGEST = 160
_were = partial(plural, noun="job was", many="jobs were")
_are = partial(plural, noun="job is", many="jobs are")

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
_NO_PRICE = "Put it into prices.yaml, or buy without a budget, then run again."
_GO_ON = "Run again to go on; nothing is bought twice."


def steps_after(view: RunView) -> list[Step]:
    """What a run leaves to do: doubts first, since they may have cost something."""
    steps = [
        doubt_step(job.address, job.job["times"]["reserved"], job.planned, job.error, view.flag)
        for job in view.jobs
        if job.status is JobStatus.IN_DOUBT
    ]
    if view.stopped is not None:
        steps.append(_stopped(view, *view.stopped))
    return [*steps, *_by_status(view.counts, view), *drift_steps(view.price_drifts)]


def _stopped(view: RunView, reason: str, why: str) -> Step:
    # `collect` buys nothing, so nothing of it leads to `run`.
    is_collect = view.manifest["command"] == "collect"
    again = f"kiejobs collect{view.flag}" if is_collect else _run(view)
    if reason == "interrupted":
        return _interrupted(view.counts, again)
    reasoned = f": {shortened(sanitize(why), _LONGEST)}" if why else ""
    unsent = view.counts[JobStatus.UNSENT]
    left = f" {_were(unsent)} not bought." if unsent else ""
    cure = _NO_PRICE if why == UNPRICED else _CURES.get(reason, _GO_ON)
    message = f"{sanitize(reason)}{reasoned}.{left} {cure}"
    return Step("stopped", message, (again,), title="Stopped")


def _interrupted(counts: Counter[JobStatus], again: str) -> Step:
    """What is left. Doubts wait for rulings, which have steps of their own, and not for another run."""
    counted = (
        (counts[JobStatus.UNSENT], _were, "not bought"),
        (counts[JobStatus.RUNNING] + counts[JobStatus.SUBMITTED], _are, "still at the API"),
        (counts[JobStatus.NOT_COLLECTED], _are, "not collected"),
    )
    left = [f"{jobs(count)} {words}" for count, jobs, words in counted if count]
    doubts = counts[JobStatus.IN_DOUBT]
    message = ", ".join([*left, *([f"{_are(doubts)} in doubt"] if doubts else [])])
    if left:
        return Step("stopped", f"Interrupted; {message}. {_GO_ON}", (again,))
    return Step("stopped", f"Interrupted; {message or 'all that was bought is here'}.")


def _by_status(count: Counter[JobStatus], view: RunView) -> Iterator[Step]:
    run, collect = _run(view), f"kiejobs collect{view.flag}"
    if at_api := count[JobStatus.RUNNING] + count[JobStatus.SUBMITTED]:
        message = f"{_are(at_api)} still at the API, paid for; bring the files home later with"
        yield Step("running", message, (collect,), title="Not here yet")
    if uncollected := count[JobStatus.NOT_COLLECTED]:
        message = f"{_are(uncollected)} bought and made, but the files are not here; try again with"
        yield Step("not_collected", message, (collect,), title="Not collected")
    if gone := count[JobStatus.GONE]:
        message = f"{_are(gone)} made and paid for, but the vendor no longer has the result; ask once more, or buy the same again with"
        yield Step("gone", message, (collect, f"{run} --retry gone"), title="Gone")
    if failed := count[JobStatus.FAILED] + count[JobStatus.REJECTED]:
        message = f"{plural(failed, 'job')}; change the input, or buy the same again with"
        yield Step("failed", message, (f"{run} --retry failed",), title="Failed")
    if (unsent := count[JobStatus.UNSENT]) and view.stopped is None:
        message = f"{_were(unsent)} not bought. {_GO_ON}"
        yield Step("not_submitted", message, (run,), title="Not submitted")


def _run(view: RunView) -> str:
    return f"kiejobs run {quoted(view.file) if view.file else 'FILE'}{view.flag}"


# --- doubts and drifts, wherever they are shown ---------------------------------------------------


def drift_steps(drifts: Iterable[PriceDrift]) -> list[Step]:
    """For each model that charged otherwise than planned."""
    cure = f"put what it costs now into {FILE}, so that plans and budgets hold."
    words = [f"{drift_words(one)}; {cure}" for one in drifts]
    return [Step("price_drift", message, title="Price drift") for message in words]


def doubt_steps(attempts: Iterable[Attempt], flag: str) -> list[Step]:
    """For attempts in doubt, from the ledger."""
    steps = []
    for one in attempts:
        stated = one.failure.message if one.failure else None
        since = one.times.get("reserved")
        steps.append(doubt_step(one.address, since, one.reserved.credits, stated, flag))
    return steps


def doubts_text(attempts: Iterable[Attempt], *, color: bool = False, flag: str = "") -> str:
    """How to rule on each of them, below a blank line; nothing where there is none."""
    return "\n".join(step_lines(doubt_steps(attempts, flag), Paint(color)))


def doubt_step(
    address: str, since: str | None, at_stake: Decimal | None, stated: str | None, flag: str
) -> Step:
    """Both ways out of one doubt; `at_stake` are the credits that it may have cost."""
    why = shortened(sanitize(stated or "the answer is unknown"), _LONGEST)
    message = f"sent {moment(since)}, may have cost {price_text(at_stake)}: {why}"
    command = f"kiejobs resolve {quoted(address)}"
    commands = (f"{command} --task TASK_ID{flag}", f"{command} --lost{flag}")
    return Step("in_doubt", message, commands, address)


def step_lines(steps: Sequence[Step], paint: Paint) -> Iterator[str]:
    """The steps for people, a blank line apart; how to rule on doubts is said once."""
    order = sorted(steps, key=lambda step: step.reason != "in_doubt")
    if order and order[0].reason == "in_doubt":
        title = paint.loud("In doubt")
        yield ""
        yield f"{title}: may have been bought, and is not bought again until you rule on it."
        yield "Look for the request in the vendor's task log: --task with the id that you find there,"
        yield "or --lost where you are sure that nothing was made."
    for step in order:
        if step.reason == "in_doubt":
            yield from (f"  {sanitize(step.address or '')}", f"    {step.message}")
        else:
            title = f"{paint.bold(step.title)}: " if step.title else ""
            yield from ("", f"{title}{step.message}")
        yield from (f"    {command}" for command in step.commands)


# --- charged otherwise than planned ---------------------------------------------------------------


def drift_words(drift: PriceDrift) -> str:
    """`a/b charged 20 credits, not 16 (+25 %), for 1 job of 4`."""
    charged, planned = price_text(drift.charged), credits_text(drift.planned)
    sign = "-" if (drift.percent or 0) < 0 else "+"
    percent = "" if drift.percent is None else f" ({sign}{money(abs(drift.percent))} %)"
    jobs = f"{plural(drift.jobs, 'job')} of {drift.compared:,}"
    return f"{sanitize(drift.model)} charged {charged}, not {planned}{percent}, for {jobs}"


def drift_entry(drift: PriceDrift) -> dict[str, Json]:
    """For a document."""
    return {
        "model": drift.model,
        "jobs": drift.jobs,
        "compared": drift.compared,
        "planned": money(drift.planned),
        "charged": money(drift.charged),
        "percent": money_or_null(drift.percent),
    }
