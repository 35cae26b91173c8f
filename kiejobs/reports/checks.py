"""Checks and rulings: what `doctor`, `manifest verify` and `resolve` have to say.

In: what they found. Out: text; the documents of schemas/documents/doctor, manifest-verify and
resolve.schema.json. Touches nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.terminal import Paint, pad, plural, sanitize, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.document.nodes import Json


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that `doctor` looked at. `hint` says what to do where it is not well."""

    name: str
    ok: bool
    detail: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that `manifest verify` found; `line` counts from 1, None for the whole file."""

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


def doctor_text(checks: Sequence[Check], *, color: bool = False) -> str:
    paint = Paint(color)
    wide = max((width(sanitize(check.name)) for check in checks), default=0)
    lines = []
    for check in checks:
        sign = paint.good("ok  ") if check.ok else paint.error("FAIL")
        name = pad(sanitize(check.name), wide)
        lines.append(f"{sign}  {name}  {sanitize(check.detail)}".rstrip())
        if check.hint and not check.ok:
            lines.append(f"      {paint.bold('help')}: {sanitize(check.hint)}")
    failed = sum(not check.ok for check in checks)
    end = paint.error(f"{plural(failed, 'check')} failed") if failed else paint.good("all is well")
    return "\n".join([*lines, "", end])


def doctor_document(checks: Sequence[Check]) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "checks": [asdict(check) for check in checks],
        "ok": all(check.ok for check in checks),
    }


def verify_text(found: Sequence[Damage], *, journals: int, files: int, color: bool = False) -> str:
    """`journals` and `files` are how many were looked at."""
    paint = Paint(color)
    lines = []
    for damage in found:
        line = "" if damage.line is None else f":{damage.line}"
        where = f"{sanitize(damage.file)}{line}"
        lines.append(f"{paint.error('error')} {where}: {sanitize(damage.message)}")
    seen = f"{plural(journals, 'journal')} and {plural(files, 'file')}"
    well = paint.good(f"{seen}: whole, and as the journals say")
    failed = paint.error(f"{plural(len(found), 'problem')} in {seen}")
    return "\n".join([*lines, failed if found else well])


def verify_document(found: Sequence[Damage], *, journals: int, files: int) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "ok": not found,
        "problems": [asdict(damage) for damage in found],
        "journals": journals,
        "files": files,
    }


def ruling_text(ruling: Ruling, *, color: bool = False, flag: str = "") -> str:
    """What was ruled and why, and what follows; `flag` is added to commands that are shown."""
    paint = Paint(color)
    if ruling.ruling == "task":
        ruled = f"is task {sanitize(ruling.task_id or '')}"
        follows = f"bring its files home with `kiejobs collect{flag}`"
    else:
        ruled = "is lost: nothing was made of it"
        follows = "the next run buys it again"
    return f"{paint.bold(sanitize(ruling.address))} {ruled}\n  {sanitize(ruling.evidence)}\n  {follows}"


def ruling_document(ruling: Ruling) -> dict[str, Json]:
    return {"format_version": FORMAT_VERSION, **asdict(ruling)}
