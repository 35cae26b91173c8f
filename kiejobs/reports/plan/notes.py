"""What else there is to say of a plan: its prices, own schemas, the policy, what was approved, the lock.

In: `AgedPrice`s, breaches, differences, a lock. Out: lines of text; the entries of a document. Touches
nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.core.prices.table import OLD_AFTER
from kiejobs.core.urls import bare
from kiejobs.reports.terminal import Paint, plural, price_text, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.plan.approval import Drift
    from kiejobs.core.plan.lock import Lock
    from kiejobs.core.plan.policy import Policy
    from kiejobs.core.prices.table import AgedPrice


BUNDLED = "bundled"
"""What the table that comes with kiejobs is called."""

_NAMED = 3  # models, in a line
_MOST = 50  # lines; of 4,000 jobs that changed together the first ones say it


def prices_words(aged: Sequence[AgedPrice]) -> str:
    """`bundled, 2026-10`; each table once, then what is old and what has none."""
    return "; ".join([*_tables(aged), *_old(aged), *_missing(aged)])


def needs_a_look(aged: Sequence[AgedPrice]) -> bool:
    """Is a price old, or not known?"""
    return any(one.old or one.price is None for one in aged)


def price_entry(one: AgedPrice) -> dict[str, Json]:
    """For a document: every key is always there. `file` is null for the bundled table."""
    price = one.price
    return {
        "date": price and price.date,
        "file": price and price.file,
        "model": one.model,
        "note": price and price.note,
        "old": one.old,
        "source": price and price.source,
    }


def _tables(aged: Sequence[AgedPrice]) -> Iterator[str]:
    dates: dict[str, list[str]] = {}
    for one in aged:
        if one.price is not None:
            dates.setdefault(one.price.file or BUNDLED, []).append(one.price.date)
    for file, known in dates.items():
        first, last = min(known), max(known)
        span = first if first == last else f"{first} to {last}"
        yield f"{sanitize(file)}, {sanitize(span)}"


def _old(aged: Sequence[AgedPrice]) -> Iterator[str]:
    old = [f"{sanitize(one.model)} ({one.price.date})" for one in aged if one.old and one.price]
    if old:
        yield f"older than {OLD_AFTER} days: {_some(old)}"


def _missing(aged: Sequence[AgedPrice]) -> Iterator[str]:
    missing = [sanitize(one.model) for one in aged if one.price is None]
    if missing:
        yield f"none for {_some(missing)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


# --- schemas of the project's own -----------------------------------------------------------------


_MANY = 10


def schemas_words(own: Mapping[str, bool], name: Callable[[str], str]) -> str:
    """The models that follow a schema of the project's own: whoever approves a plan should know."""
    names = [
        f"{name(model)}{' (in place of the bundled one)' if instead else ''}"
        for model, instead in sorted(own.items())
    ]
    more = f" and {len(names) - _MANY:,} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more


# --- the policy -----------------------------------------------------------------------------------


def breaches_text(breaches: Sequence[Diagnostic], *, color: bool = False) -> str:
    """One line for each rule that is broken, with the place where it stands."""
    paint = Paint(color)
    return "\n".join(
        f"{paint.error('policy ' + breach.code)} ({sanitize(str(breach.place))}): "
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


def _whom(breach: Diagnostic) -> str:
    if breach.example is None:
        return ""
    example = sanitize(breach.example)
    many = f"{plural(breach.count, 'job')}, e.g. " if breach.count > 1 else ""
    return f" ({many}{example})"


# --- what differs from what was approved ----------------------------------------------------------


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
    return _lines("file", [f"{_shown(url)}: {why}" for url, why in wrong.items()], color=color)


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


def _shown(url: str) -> str:
    return bare(url)[:200]
