r"""Regular expressions of a stranger, let in only where they can't take long.

In: a pattern. Out: whether it may be matched against texts of any kind. Touches nothing.

Python's matcher tries every way to divide a text among the repetitions of a pattern. So: no repeated
groups, no references, no looking around; one open-ended repetition, and then only behind `^`; few ways
through the others.
"""

from __future__ import annotations

import re

MOST_CHARACTERS = 200
MOST_WAYS = 1_000

_TOKENS = re.compile(
    r"\\(?P<escape>[^0-9kg])|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?:)?(?![?*])|(?P<close>\))"
    r"|(?P<repeat>[*+?]|\{(?P<low>\d{1,4})?(?P<comma>,)?(?P<high>\d{1,4})?\})(?P<more>[?+]?)|[^\\()\[\]{}*+?]"
)


def is_harmless(pattern: str) -> bool:
    if len(pattern) > MOST_CHARACTERS or not _compiles(pattern):
        return False
    at, ways, open_ended, after_group = 0, 1, 0, False
    while at < len(pattern):
        token = _TOKENS.match(pattern, at)
        if token is None or token.end() == at:
            return False
        repeat = token["repeat"]
        if repeat is not None:
            if after_group:
                return False
            choices = _ways(token)
            open_ended += choices is None
            ways *= choices or 1
        after_group = token["close"] is not None
        at = token.end()
    return ways <= MOST_WAYS and (not open_ended or (open_ended == 1 and pattern[0] == "^"))


def _ways(token: re.Match[str]) -> int | None:
    """How many lengths a repetition may have; None without an end."""
    repeat = token["repeat"]
    if repeat == "?":
        return 2
    if repeat in {"*", "+"}:
        return None
    if not token["comma"]:
        return 1
    return int(token["high"]) - int(token["low"] or 0) + 1 if token["high"] else None


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True
