"""What holds a run back: the policy, what was approved, the lock.

In: rules that are broken, differences, a lock. Out: lines of text. Touches nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.core.urls import bare
from kiejobs.reports.terminal import Paint, plural, price_text, sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.plan.approval import Drift
    from kiejobs.core.plan.lock import Lock
    from kiejobs.core.plan.policy import Policy

# --- the policy -----------------------------------------------------------------------------------


def breaches_text(breaches: Sequence[Diagnostic], *, color: bool = False) -> str:
    """One line for each rule that is broken, with the place where it stands."""
    paint = Paint(color)
    return "\n".join(
        f"{paint.error('policy ' + breach.code)} ({sanitize(str(breach.place))}): "
        f"{sanitize(breach.message)}{_whom(breach)}"
        for breach in breaches
    )


def policy_detail(policy: Policy | None) -> str:
    """Which policy holds here, and what it rules."""
    if policy is None:
        return "none: no kiejobs.yaml here or above, up to the root of the checkout"
    rules = ", ".join(policy.places) or "no rules"
    flags = ", ".join(f"--{flag}" for flag in policy.defaults)
    return f"{policy.file}: {rules}" + (f"; defaults for {flags}" if flags else "")


def _whom(breach: Diagnostic) -> str:
    if breach.example is None:
        return ""
    example = sanitize(breach.example)
    many = f"{plural(breach.count, 'job')}, e.g. " if breach.count > 1 else ""
    return f" ({many}{example})"


# --- what differs from what was approved ----------------------------------------------------------


_MOST = 50  # lines; of 4,000 jobs that changed together the first ones say it


def drift_text(differences: Sequence[Drift], *, color: bool = False) -> str:
    paint = Paint(color)
    count = plural(len(differences), "difference")
    lines = [f"  {sanitize(one.address)}: {_words(one)}" for one in differences[:_MOST]]
    more = len(differences) - _MOST
    rest = [f"  and {more:,} more"] if more > 0 else []
    return "\n".join([paint.bold(f"{count} from what was approved"), *lines, *rest])


def _words(one: Drift) -> str:
    if one.kind == "added":
        return f"would be bought now for {_price(one.now)}, and is not in the plan"
    if one.kind == "gone":
        return f"is in the plan for {_price(one.was)}, and would not be bought now"
    if one.kind == "price":
        return f"was {_price(one.was)}, is {_price(one.now)} now"
    return f"another request: {(one.was or '')[:12]} in the plan, {(one.now or '')[:12]} now"


def _price(text: str | None) -> str:
    return price_text(None if text is None else Decimal(text))


# --- locks ----------------------------------------------------------------------------------------


def locked_text(path: str, lock: Lock, *, written: bool) -> str:
    """What is in the lock, and what is not."""
    text = f"{'wrote' if written else 'unchanged:'} {sanitize(path)}: {_content(lock)}"
    open_ = [name for name, asset in lock["images"].items() if asset is None]
    if open_:
        text += f"\n{plural(len(open_), 'image')} not fetched; --check-assets locks the bytes too"
    return text


def changes_text(found: Sequence[str], *, color: bool = False) -> str:
    """One line for each difference, the first ones where there are many."""
    return _lines("locked", found, color=color)


def assets_text(wrong: Mapping[str, str], *, color: bool = False) -> str:
    """One line for each file that can't be used."""
    found = [f"{bare(url)[:200]}: {why}" for url, why in wrong.items()]
    return _lines("file", found, color=color)


def _content(lock: Lock) -> str:
    counted = (
        (lock["jobs"], "job"),
        (lock["models"], "model"),
        (lock["templates"], "template"),
        (lock.get("data_files", {}), "table"),
        (lock["vars_files"], "variables file"),
        (lock["variables"], "variable"),
        (lock["images"], "image"),
    )
    return ", ".join(plural(len(things), noun) for things, noun in counted if things)


def _lines(lead: str, found: Sequence[str], *, color: bool) -> str:
    paint = Paint(color)
    lines = [f"{paint.error(lead)}: {sanitize(line)}" for line in found[:_MOST]]
    if len(found) > _MOST:
        lines.append(f"... and {len(found) - _MOST:,} more")
    return "\n".join(lines)
