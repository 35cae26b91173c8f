"""What the policy says to a plan, and which policy holds.

In: breaches; a policy. Out: text. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.paint import Paint
from kiejobs.reports.terminal import plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.plan.policy import Policy
    from kiejobs.core.plan.policy_rules import Breach


def breaches_text(breaches: Sequence[Breach], *, color: bool = False) -> str:
    """One line for each rule that is broken, with the place where it stands."""
    paint = Paint(color)
    return "\n".join(
        f"{paint.error('policy ' + breach.rule)} ({sanitize(str(breach.place))}): "
        f"{sanitize(breach.message)}{_whom(breach)}"
        for breach in breaches
    )


def policy_detail(policy: Policy) -> str:
    """Which policy holds here, and what it rules."""
    if policy.file is None:
        return "none: no kiejobs.yaml here or above, up to the root of the checkout"
    rules = ", ".join(policy.places) or "no rules"
    flags = ", ".join(f"--{flag}" for flag in policy.defaults)
    return f"{policy.file}: {rules}" + (f"; defaults for {flags}" if flags else "")


def _whom(breach: Breach) -> str:
    if not breach.count:
        return ""
    example = sanitize(breach.example or "")
    many = f"{plural(breach.count, 'job')}, e.g. " if breach.count > 1 else ""
    return f" ({many}{example})"
