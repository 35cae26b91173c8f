"""Two versions of a text, word by word: what both have, what went, what came.

In: two texts. Out: `Piece`s, from which either text can be put together again. Touches nothing.

Texts come from strangers, and comparing two can take time by the product of their lengths. So what both
begin and end with is set aside first, and what is left is compared by words, by sentences, or not at all,
as its size allows; all comparisons of one report have one measure together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A word with the blanks behind it; of scripts that set none, each character is one.
_WORDS = re.compile(
    r"[^\W\u0e00-\u0eff\u2e80-\U0010ffff](?:[^\W\u0e00-\u0eff\u2e80-\U0010ffff]|['\u2019])*\s*|.\s*",
    re.DOTALL,
)
_ENDS = r".,;:!?\n\u3002\uff01\uff0c\uff1a\uff1b\uff1f"
_SENTENCES = re.compile(rf"[^{_ENDS}]+[{_ENDS}]*\s*|.", re.DOTALL)
_LARGEST: Final = 1_000_000
_MOST: Final = 30_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """`sign` is `=` for what both texts have, `-` for what went, `+` for what came."""

    sign: str
    text: str


class TextDiff:
    """Compares texts as long as its measure lasts, then tells only where they begin and cease to differ."""

    def __init__(self) -> None:
        self._left = _MOST

    def pieces(self, was: str, now: str) -> list[Piece]:
        one, other = _WORDS.findall(was), _WORDS.findall(now)
        before = _common(one, other)
        behind = _common(one[before:][::-1], other[before:][::-1])
        middle = (one[before : len(one) - behind], other[before : len(other) - behind])
        found = [
            Piece("=", "".join(one[:before])),
            *self._compared(*middle),
            Piece("=", "".join(one[len(one) - behind :])),
        ]
        return list(_joined(found))

    def _compared(self, one: Sequence[str], other: Sequence[str]) -> Iterator[Piece]:
        if len(one) * len(other) > _LARGEST:
            one, other = (_SENTENCES.findall("".join(words)) for words in (one, other))
        work = len(one) * len(other)
        if work > min(_LARGEST, self._left):
            yield from (Piece("-", "".join(one)), Piece("+", "".join(other)))
            return
        self._left -= work
        for tag, a, b, c, d in SequenceMatcher(None, one, other).get_opcodes():
            if tag == "equal":
                yield Piece("=", "".join(one[a:b]))
            else:
                yield Piece("-", "".join(one[a:b]))
                yield Piece("+", "".join(other[c:d]))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words both begin with."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Without empty ones; a lone blank between two changes is part of both."""
    kept = [piece for piece in pieces if piece.text]
    went = came = ""
    for at, piece in enumerate(kept):
        is_last = at == len(kept) - 1
        if piece.sign == "-":
            went += piece.text
        elif piece.sign == "+":
            came += piece.text
        elif not piece.text.strip() and (went or came) and not is_last:
            went, came = went + piece.text, came + piece.text
        else:
            yield from _changed(went, came)
            yield piece
            went = came = ""
    yield from _changed(went, came)


def _changed(went: str, came: str) -> Iterator[Piece]:
    if went:
        yield Piece("-", went)
    if came:
        yield Piece("+", came)
