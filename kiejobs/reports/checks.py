"""Checks and rulings, and what holds a run back: `doctor`, `manifest verify`, `resolve`, policies, approvals, locks.

In: what was found. Out: text; the documents of schemas/documents/doctor, manifest-verify and
resolve.schema.json. Touches nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.core.money import price_text
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.terminal import Paint, columns, plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.plan.approval import Drift
    from kiejobs.core.plan.lock import Lock
    from kiejobs.core.plan.policy import Policy

_WIDEST = 120  # columns of one side of a difference
_MOST = 50  # lines; of 4,000 jobs that changed together the first ones say it


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that `doctor` looked at. `hint` says what to do where it is not well."""

    name: str
    ok: bool
    detail: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that `manifest verify` found; `line` counts from 1, None for the complete file."""

    file: str
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """How a doubt was ended: `task` with its id, or `lost`; `evidence` is what spoke for it."""

    address: str
    ruling: str
    task_id: str | None
    attempt_id: str
    evidence: str


def doctor_text(checks: Sequence[Check], *, quiet: bool = False, color: bool = False) -> str:
    """A line for each check; with `quiet` for those that failed."""
    failed = sum(not check.ok for check in checks)
    checks = [check for check in checks if not (quiet and check.ok)]
    paint = Paint(color)
    signs = {True: paint.good("ok  "), False: paint.error("FAIL")}
    rows = columns((signs[one.ok], sanitize(one.name), sanitize(one.detail)) for one in checks)
    lines = []
    for check, row in zip(checks, rows, strict=True):
        lines.append(row)
        if check.hint and not check.ok:
            lines.append(f"      {paint.bold('help')}: {sanitize(check.hint)}")
    end = paint.error(f"{plural(failed, 'check')} failed") if failed else paint.good("all is well")
    return "\n".join([*lines, *([""] if lines else []), end])


def doctor_document(checks: Sequence[Check]) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "checks": [{**asdict(check), "hint": None if check.ok else check.hint} for check in checks],
        "ok": all(check.ok for check in checks),
    }


def verify_text(found: Sequence[Damage], *, journals: int, files: int | None, color: bool = False) -> str:
    """`journals` and `files` are how many were looked at; None where no file was."""
    paint = Paint(color)
    lines = []
    for damage in found:
        line = "" if damage.line is None else f":{damage.line}"
        where = f"{sanitize(damage.file)}{line}"
        lines.append(f"{paint.error('error')} {where}: {sanitize(damage.message)}")
    seen = plural(journals, "journal") + ("" if files is None else f" and {plural(files, 'file')}")
    if not journals and not found:
        return "Nothing to verify: the ledger has no journals."
    what = "chains and manifests are intact" if files is None else "all match the ledger"
    well = paint.good(f"{seen} verified; {what}")
    end = paint.error(f"{plural(len(found), 'problem')} in {seen}") if found else well
    return "\n".join([*lines, end])


def verify_document(found: Sequence[Damage], *, journals: int, files: int | None) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "ok": not found,
        "problems": list(map(asdict, found)),
        "journals": journals,
        "files": files or 0,
    }


def ruling_text(ruling: Ruling, *, color: bool = False, flag: str = "") -> str:
    """What was ruled and why, and what follows; `flag` is added to commands that are shown."""
    ruled = "is ruled lost: nothing was made"
    follows = "the next run buys it again"
    if ruling.ruling == "task":
        ruled = f"is task {sanitize(ruling.task_id or '')}"
        follows = f"download its files with `kiejobs collect{flag}`"
    address = Paint(color).bold(sanitize(ruling.address))
    return f"{address} {ruled}\n  {sanitize(ruling.evidence)}\n  {follows}"


def ruling_document(ruling: Ruling) -> dict[str, Json]:
    return {"format_version": FORMAT_VERSION, **asdict(ruling)}


# --- a policy, an approval, a lock ----------------------------------------------------------------


def breaches_text(breaches: Sequence[Diagnostic], *, color: bool = False) -> str:
    """One line for each rule that is broken, with its place."""
    paint = Paint(color)
    lines = []
    for breach in breaches:
        many = f"{plural(breach.count, 'job')}, e.g. " if breach.count > 1 else ""
        whom = "" if breach.example is None else f" ({many}{sanitize(breach.example)})"
        rule = f"{paint.error('policy ' + breach.code)} ({sanitize(str(breach.place))})"
        lines.append(f"{rule}: {sanitize(breach.message)}{whom}")
    return "\n".join(lines)


def policy_detail(policy: Policy | None) -> str:
    if policy is None:
        return "none: the project has no kiejobs.yaml"
    rules = "; ".join(f"{layer.file}: {', '.join(layer.places) or 'no rules'}" for layer in policy.layers)
    flags = ", ".join(f"--{flag}" for flag in policy.defaults)
    return rules + (f"; defaults for {flags}" if flags else "")


def drift_text(differences: Sequence[Drift], *, color: bool = False) -> str:
    count = plural(len(differences), "difference")
    lines = [f"  {sanitize(one.address)}: {_words(one)}" for one in differences[:_MOST]]
    more = len(differences) - _MOST
    rest = [f"  and {more:,} more"] if more > 0 else []
    return "\n".join([Paint(color).bold(f"{count} from what was approved"), *lines, *rest])


def _words(one: Drift) -> str:
    if one.kind == "added":
        return f"would be bought now for {_price(one.now)}, and is not in the plan"
    if one.kind == "gone":
        return f"is in the plan for {_price(one.was)}, and would not be bought now"
    if one.kind == "price":
        return f"was {_price(one.was)}, is {_price(one.now)} now"
    if one.kind in {"callback", "budget", "model"}:
        was, now = (sanitize(side or "none")[:_WIDEST] for side in (one.was, one.now))
        what = {"callback": "called back at", "budget": "the budget", "model": "its schema"}[one.kind]
        return f"{what} was {was}, is {now} now"
    return f"another request: {(one.was or '')[:12]} in the plan, {(one.now or '')[:12]} now"


def _price(text: str | None) -> str:
    return price_text(None if text is None else Decimal(text))


def locked_text(path: str, lock: Lock, *, written: bool) -> str:
    counted = (
        (lock["jobs"], "job"),
        (lock["models"], "model"),
        (lock["templates"], "template"),
        (lock.get("data_files", {}), "table"),
        (lock["vars_files"], "variables file"),
        (lock["variables"], "variable"),
        (lock["images"], "image"),
    )
    content = ", ".join(plural(len(things), noun) for things, noun in counted if things)
    text = f"{'wrote' if written else 'unchanged:'} {sanitize(path)}: {content}"
    if missing := list(lock["images"].values()).count(None):
        text += f"\n{plural(missing, 'image')} locked by URL only; add --check-assets to lock the content too"
    return text


def changes_text(found: Sequence[str], lead: str = "locked", *, color: bool = False) -> str:
    """One line for each difference, the first ones where there are many."""
    word = Paint(color).error(lead)
    lines = [f"{word}: {sanitize(line)}" for line in found[:_MOST]]
    if len(found) > _MOST:
        lines.append(f"... and {len(found) - _MOST:,} more")
    return "\n".join(lines)
