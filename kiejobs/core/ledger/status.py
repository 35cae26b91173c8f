"""Where a wanted job stands: its state, and its result, in the words of `--select`.

In: the attempt that counts for it, the condition of its files. Out: words. Touches nothing; the
function handed in looks at the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kiejobs.core.ledger.records import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.ledger.ledger import Attempt

NONE: Final = "none"
"""Nothing was made of it: never sent, not accepted, or ruled lost."""

STATES: Final = {**{state.value: state.value for state in State}, NONE: NONE, "new": NONE}
"""What may follow `state:`, and what is meant by it."""

RESULTS: Final = {word: word for word in ("whole", "missing", "damaged", "gone")}
"""What may follow `result:`. Only what succeeded has a result."""


def state_of(attempt: Attempt | None) -> str:
    """The state of a purchase, `none` where there is none."""
    if attempt is None or attempt.state is None:
        return NONE
    return attempt.state.value


def result_of(attempt: Attempt | None, condition: Callable[[Attempt], str | None]) -> str | None:
    """What there is of its files: `gone` where they are not whole here and not at the vendor.

    `condition` says `file_missing`, `file_damaged`, or None for whole. None where it has no result.
    """
    if attempt is None or attempt.state is not State.SUCCEEDED:
        return None
    damage = condition(attempt) if "collected" in attempt.times else "file_missing"
    if damage is None:
        return "whole"
    return "gone" if attempt.gone is not None else damage.removeprefix("file_")
