"""Which jobs are bought first, to see whether the rest is worth buying.

In: the plan's lines. Out: addresses. Touches nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kiejobs.core.plan.plan import Change

_DEAREST = Decimal("Infinity")


def job_address(address: str) -> str:
    """`campaign/job[axis=value]#2` -> `campaign/job`: what a canary speaks for."""
    return address.partition("[")[0].partition("#")[0]


def canaries(changes: Iterable[Change]) -> dict[str, str]:
    """For each job that would spend, the address of its cheapest line, the first where several are.

    A line without a known price counts as the dearest.
    """
    found: dict[str, Change] = {}
    for change in changes:
        if change.spends:
            job = job_address(change.address)
            best = found.get(job)
            if best is None or _price(change) < _price(best):
                found[job] = change
    return {job: change.address for job, change in found.items()}


def _price(change: Change) -> Decimal:
    return _DEAREST if change.credits is None else change.credits
