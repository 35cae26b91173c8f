"""Regular expressions that can't be made to run for ever.

In: the `pattern` of a schema that a stranger may have written. Out: why it is not taken, or None.
Touches nothing.

Python's matcher tries every way in which repetitions can share a text among them, so that a short
pattern can take years. What is taken here has a fixed beginning, no groups, one repetition without an
end, and few ways to share the rest.
"""

from __future__ import annotations

import re

_ATOM = r"(?:\\[dswDSW]|\\[^A-Za-z0-9]|\[\^?(?:\\[dswDSW]|\\[^A-Za-z0-9]|[^\]\\\[&~|])+\]|[^\\\[\](){}*+?|^$])"
_TIMES = r"(?:[*+?]|\{[0-9]{1,4}(?:,[0-9]{0,4})?\})?"
_PIECE = re.compile(f"{_ATOM}(?P<times>{_TIMES})")
_MOST_WAYS = 100


def unsafe_reason(pattern: str) -> str | None:
    """What keeps it from being used, going on after its name; None where nothing does."""
    if not pattern.startswith("^"):
        return "must begin with `^`"
    times = _repetitions(pattern[1:].removesuffix("$"))
    if times is None or "--" in pattern:
        return (
            "may hold characters, sets like `[a-z]` and how often they come, no groups or choices"
        )
    if sum(one is None for one in times) > 1:
        return "may have one repetition without an end"
    ways = 1
    for one in times:
        ways *= one or 1
    if ways > _MOST_WAYS:
        return "leaves too many ways to match a text"
    return None if _compiles(pattern) else "is no regular expression"


def _repetitions(body: str) -> list[int | None] | None:
    """For each piece the ways in which it can repeat, None without an end; None for another form."""
    found: list[int | None] = []
    at = 0
    while at < len(body):
        piece = _PIECE.match(body, at)
        if piece is None:
            return None
        found.append(_ways(piece["times"]))
        at = piece.end()
    return found


def _ways(times: str) -> int | None:
    if times in {"*", "+"}:
        return None
    if times == "?":
        return 2
    least, comma, most = times.strip("{}").partition(",")
    if comma and not most:
        return None
    return abs(int(most) - int(least)) + 1 if comma else 1


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
