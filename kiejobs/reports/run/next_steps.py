"""What to do next, with the commands to type.

In: attempts in doubt, prices that drifted. Out: `Step`s, as data for documents and as lines for people.
Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.money import money
from kiejobs.core.prices.table import FILE
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
    from collections.abc import Iterable, Iterator, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.ledger.price_drift import PriceDrift


_LONGEST = 160


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

    def document(self) -> dict[str, Json]:
        return {
            "reason": self.reason,
            "message": self.message,
            "address": self.address,
            "commands": list(self.commands),
        }


def drift_steps(drifts: Iterable[PriceDrift]) -> list[Step]:
    """For each model that charged otherwise than planned."""
    return [Step("price_drift", drift_cure(drift), title="Price drift") for drift in drifts]


def doubt_steps(attempts: Iterable[Attempt], flag: str) -> list[Step]:
    """For attempts in doubt, from the ledger."""
    return [
        doubt_step(
            attempt.address,
            since=attempt.times.get("reserved"),
            credits_at_stake=attempt.reserved.credits,
            stated=attempt.failure.message if attempt.failure else None,
            flag=flag,
        )
        for attempt in attempts
    ]


def doubts_text(attempts: Iterable[Attempt], *, color: bool = False, flag: str = "") -> str:
    """How to rule on each of them, below a blank line; nothing where there is none."""
    return "\n".join(step_lines(doubt_steps(attempts, flag), Paint(color)))


def doubt_step(
    address: str,
    *,
    since: str | None,
    credits_at_stake: Decimal | None,
    stated: str | None,
    flag: str,
) -> Step:
    """Both ways out of one doubt."""
    why = shortened(sanitize(stated or "the answer is unknown"), _LONGEST)
    message = f"sent {moment(since)}, may have cost {price_text(credits_at_stake)}: {why}"
    command = f"kiejobs resolve {quoted(address)}"
    commands = (f"{command} --task TASK_ID{flag}", f"{command} --lost{flag}")
    return Step("in_doubt", message, commands, address)


def step_lines(steps: Sequence[Step], paint: Paint) -> Iterator[str]:
    """The steps for people, a blank line apart; how to rule on doubts is said once."""
    doubts = [step for step in steps if step.reason == "in_doubt"]
    if doubts:
        yield from ("", *_how_to_rule(paint))
        for step in doubts:
            yield from (f"  {sanitize(step.address or '')}", f"    {step.message}")
            yield from (f"    {command}" for command in step.commands)
    for step in steps:
        if step.reason != "in_doubt":
            title = f"{paint.bold(step.title)}: " if step.title else ""
            yield from ("", f"{title}{step.message}")
            yield from (f"    {command}" for command in step.commands)


def _how_to_rule(paint: Paint) -> Iterator[str]:
    title = paint.loud("In doubt")
    yield f"{title}: may have been bought, and is not bought again until you rule on it."
    yield "Look for the request in the vendor's task log: --task with the id that you find there,"
    yield "or --lost where you are sure that nothing was made."


# --- charged otherwise than planned ---------------------------------------------------------------


def drift_words(drift: PriceDrift) -> str:
    """`a/b charged 20 credits, not 16 (+25 %), for 1 job of 4`."""
    charged, planned = price_text(drift.charged), credits_text(drift.planned)
    percent = "" if drift.percent is None else f" ({_signed(drift)} %)"
    jobs = f"{plural(drift.jobs, 'job')} of {drift.compared:,}"
    return f"{sanitize(drift.model)} charged {charged}, not {planned}{percent}, for {jobs}"


def drift_cure(drift: PriceDrift) -> str:
    """What to do about it."""
    return (
        f"{drift_words(drift)}; put what it costs now into {FILE}, so that plans and budgets hold."
    )


def drift_entry(drift: PriceDrift) -> dict[str, Json]:
    """For a document."""
    percent = drift.percent
    return {
        "model": drift.model,
        "jobs": drift.jobs,
        "compared": drift.compared,
        "planned": money(drift.planned),
        "charged": money(drift.charged),
        "percent": None if percent is None else money(percent),
    }


def _signed(drift: PriceDrift) -> str:
    text = money(drift.percent or drift.charged * 0)
    return text if text.startswith("-") else f"+{text}"
