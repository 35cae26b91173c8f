"""The runs on record as a table and as a document: what each did, what it bought, how it ended.

In: `RunLine`s, the latest first. Out: text; the document of schemas/documents/runs.schema.json. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import ExitCode
from kiejobs.core.money import credits_text
from kiejobs.core.plan.selection import NONE
from kiejobs.reports.documents import FORMAT_VERSION, by_fields
from kiejobs.reports.terminal import Paint, plural, sanitize, state_words, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json

_ENDS = {ExitCode.INVALID: "invalid input", ExitCode.JOURNAL: "ledger not writable"}
"""Where the name of the code says too little."""

_HEAD = ("run", "started", "command", "campaign", "jobs", "credits", "end")


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run. `jobs` counts the jobs that it bought or saw the end of, by what they are now.

    `credits` is what its own purchases cost or hold. `exit_code` is None where no end is on record, which is no
    fault of one that is `live`; `stopped` is why it bought nothing more.
    """

    run_id: str
    started: str
    command: str
    campaign: str | None
    file: str | None
    origin: str
    jobs: Mapping[str, int]
    credits: Decimal
    exit_code: int | None
    stopped: str | None
    live: bool

    @property
    def end(self) -> str:
        """How it ended, in words."""
        if self.stopped is not None:
            return f"stopped: {state_words(sanitize(self.stopped))}"
        if self.exit_code is None:
            return "active" if self.live else "no end recorded"
        if self.exit_code not in list(ExitCode):
            return f"exit {self.exit_code}"
        code = ExitCode(self.exit_code)
        return _ENDS.get(code) or state_words(code.name.lower())

    @property
    def counts(self) -> str:
        """`3 succeeded, 1 failed`."""
        bought = {state: count for state, count in self.jobs.items() if count and state != NONE}
        counted = (f"{count:,} {state_words(state)}" for state, count in bought.items())
        return ", ".join(counted) or "-"


def runs_text(
    lines: Sequence[RunLine],
    *,
    after: Sequence[str] = (),
    place: str = "",
    color: bool = False,
    wide: int | None = None,
    local: bool = False,
) -> str:
    """A line for each run, `after` below a blank line. `wide` is columns, None without end; `local` as in `Paint`."""
    if not lines:
        return f"No runs in {sanitize(place)} yet."
    paint = Paint(color, local)
    head, *rows = table(_HEAD, [_row(line, paint) for line in lines], right=frozenset({5}), wide=wide)
    return "\n".join([paint.bold(head), *rows, *([""] if after else []), *after])


def runs_footer(older: int, flag: str) -> list[str]:
    """How to see the `older` ones, which are not shown, and one in full."""
    more = [f"{plural(older, 'older run')}: --limit shows more"] if older else []
    return [*more, f"`kiejobs report RUN{flag}` shows one run; RUN is its id or a unique part of it"]


def _row(line: RunLine, paint: Paint) -> tuple[str, ...]:
    campaign = (
        f"{sanitize(line.campaign or '')} ({sanitize(line.file)})" if line.file else line.campaign or "-"
    )
    return (
        sanitize(line.run_id), paint.moment(line.started), sanitize(line.command), sanitize(campaign), line.counts,
        credits_text(line.credits), line.end,
    )  # fmt: skip


def runs_document(lines: Sequence[RunLine]) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "runs": list(map(by_fields, lines)),
    }
