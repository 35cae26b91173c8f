"""Colour, and the few words that go with it.

In: whether colour is wanted; cleaned text. Out: the same text, coloured or not. Touches nothing.
Colour only repeats what a sign or a word says already.
"""

from __future__ import annotations

_BOLD, _DIM = "1", "2"
_RED, _GREEN, _YELLOW, _BLUE, _CYAN = "31", "32", "33", "34", "36"
_LOUD = "1;35"

_SIGNS = {
    "+": _GREEN,
    "±": _YELLOW,
    "~": _CYAN,
    "?": _LOUD,
    "v": _BLUE,
    "=": _DIM,
    "!": _RED,
    ">": _CYAN,
    "-": _YELLOW,
}

_STATES = {
    "reserved": _CYAN,
    "submitted": _CYAN,
    "running": _CYAN,
    "downloading": _CYAN,
    "waiting": _YELLOW,
    "succeeded": _GREEN,
    "collected": _GREEN,
    "failed": _RED,
    "rejected": _RED,
    "in doubt": _LOUD,
    "not accepted": _YELLOW,
    "not collected": _YELLOW,
    "gone": _RED,
    "not submitted": _YELLOW,
    "ruled lost": _DIM,
}


class Paint:
    """Colours text where `color` says so. Give it cleaned text only."""

    def __init__(self, color: bool) -> None:  # noqa: FBT001 - the one thing there is to say
        self._color = color

    def bold(self, text: str) -> str:
        return self._with(_BOLD, text)

    def dim(self, text: str) -> str:
        return self._with(_DIM, text)

    def good(self, text: str) -> str:
        return self._with(_GREEN, text)

    def bad(self, text: str) -> str:
        return self._with(_RED, text)

    def loud(self, text: str) -> str:
        """For what costs money or may have: unknown prices, doubts."""
        return self._with(_LOUD, text)

    def error(self, text: str) -> str:
        return self._with(f"{_BOLD};{_RED}", text)

    def warning(self, text: str) -> str:
        return self._with(f"{_BOLD};{_YELLOW}", text)

    def gutter(self, text: str) -> str:
        return self._with(f"{_BOLD};{_BLUE}", text)

    def sign(self, sign: str) -> str:
        """A sign of the plan."""
        return self._with(_SIGNS.get(sign), sign)

    def state(self, words: str) -> str:
        """A state in words, as `state_words` has it."""
        return self._with(_STATES.get(words), words)

    def _with(self, code: str | None, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and code and text else text


def state_words(state: str | None) -> str:
    """A state as people read it: `in doubt`; None is what was never submitted."""
    return "not submitted" if state is None else state.replace("_", " ")
