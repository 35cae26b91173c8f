"""Decisions in words: on a terminal, in reports, on pull requests.

In: picks, states of purchases. Out: lines of text, not coloured; documents. Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.picks import NO, NONE, PICK, STALE, UNDECIDED, YES
from kiejobs.reports.terminal import plural, sanitize, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.picks import Pick

_VERDICTS = {PICK: "picked", UNDECIDED: "undecided"}
_STANDINGS = {YES: "picked", NO: "rejected", STALE: "stale"}
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class Decision:
    """A pick and the state of its purchase: one of the words of `--select pick:`."""

    pick: Pick
    word: str

    @property
    def text(self) -> str:
        """`picked by Ada <ada@example.com>: the slow one`; not cleaned."""
        verdict = _VERDICTS.get(self.pick.verdict, "rejected")
        said = "a note" if self.word == NONE else verdict
        said += f" by {self.pick.who}" if self.pick.who else ""
        said += f": {self.pick.note}" if self.pick.note else ""
        return f"stale, the purchase was replaced since: {said}" if self.word == STALE else said


def decision_words(pick: Pick) -> str:
    """One line, clean."""
    verdict = _VERDICTS.get(pick.verdict, "rejected")
    note = f"  {pick.note}" if pick.note else ""
    return shortened(sanitize(f"{verdict}  {pick.address}{note}"), _LONGEST)


def shown_files(picks: Sequence[Pick], written: Sequence[str]) -> str:
    if not picks:
        return "Nothing to change: what is on record is as new."
    return f"{plural(len(picks), 'decision')}: wrote {' and '.join(map(sanitize, dict.fromkeys(written)))}"


def count_words(words: Iterable[str]) -> str:
    """`2 picked, 1 rejected, 1 stale`; empty where nothing was decided."""
    counts = Counter(words)
    return ", ".join(f"{counts[word]:,} {said}" for word, said in _STANDINGS.items() if counts[word])


def decision_document(decision: Decision) -> dict[str, Json]:
    pick = decision.pick
    return {
        "verdict": pick.verdict,
        "stale": decision.word == STALE,
        "note": pick.note,
        "who": pick.who,
        "when": pick.when or None,
    }
