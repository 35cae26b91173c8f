"""Values and names in the words of messages. JSON values and words in, short texts out; touches nothing."""

from __future__ import annotations

import json
import re
import unicodedata
from difflib import get_close_matches
from itertools import zip_longest
from types import NoneType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kiejobs.core.document.nodes import Json

HALF_A_PAIR, CHARACTER_ITSELF = "half a surrogate pair is no character", "write the character itself"
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""All but tabs and line breaks: no prompt means one, whatever file it came from."""
_SHORTEST = 3  # characters of a part that says something
_MOST = 4  # names in one suggestion
_KINDS: tuple[tuple[type, str], ...] = (
    (NoneType, "null"), (bool, "true or false"), (int, "a number"), (float, "a number"),
    (str, "text"), (list, "a list"),
)  # fmt: skip


def likely(word: str, known: Iterable[str]) -> list[str]:
    """What was probably meant, the likeliest first: what is spelt much the same, else all that hold the word or begin with
    one like it (as the ids of a family do), else what is a little like it or a part of it. Another number, size or ratio is no slip: it is another purchase.
    """
    spelt, sought = {one.casefold(): one for one in known}, word.casefold()
    found = get_close_matches(sought, spelt, n=1, cutoff=0.8)
    found = found or sorted((one for one in spelt if sought in one and len(sought) >= _SHORTEST), key=len)
    family = get_close_matches(sought, {one.partition("/")[0] for one in spelt}, n=1, cutoff=0.8)
    found = found or sorted((one for one in spelt if family and one.startswith(f"{family[0]}/")), key=len)
    found = found or get_close_matches(sought, spelt, n=1, cutoff=0.6)
    found = found or [one for one in spelt if one in sought and len(one) >= _SHORTEST][:1]
    return [spelt[one] for one in found if not word[:1].isdigit() or _digits(one) == _digits(word)]


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(likely(word, known)), None)


def suggest(word: str, known: Iterable[str], also: str = "") -> str | None:
    """`did you mean ...?` for what is likely, and what `also` can be done; None where there is neither."""
    return did_you_mean(likely(word, known), also)


def did_you_mean(names: Sequence[str], also: str = "") -> str | None:
    """As `suggest`, for what was found to be likely."""
    shown = [f"`{name}`" for name in names[: _MOST if len(names) > _MOST + 1 else None]]
    if more := len(names) - len(shown):
        shown.append(f"one of {more:,} others")
    asked = f"did you mean {listed(shown, 'or')}?" if shown else ""
    return f"{asked} {also}".strip() or None


def reference(holder: str, name: str) -> str:
    """How a template reaches a key: `vars.brand`, `vars['brand-name']`."""
    if name.isidentifier():
        return f"{holder}.{name}" if holder else name
    quote = '"' if "'" in name else "'"
    return f"{holder}[{quote}{name}{quote}]"


def unseen(text: str, other: str) -> str:
    """How two texts that look the same differ, `U+0065 … where the other has U+00E9 …`; else empty."""
    if unicodedata.normalize("NFKC", text) != unicodedata.normalize("NFKC", other):
        return ""
    pairs = zip_longest(text, other, fillvalue="")
    return next((f"{_named(one)} where the other has {_named(two)}" for one, two in pairs if one != two), "")


def _named(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip() if char else "nothing"


def listed(words: Sequence[str], last: str) -> str:
    """`5, 8 or 10`."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def kind_of(value: Json) -> str:
    """What a person would call a JSON value's type."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "a mapping")


def shorten(text: str, limit: int = 80) -> str:
    """One line of at most `limit` characters, so that a long prompt never floods a message."""
    flat = " ".join(text[: limit * 10].split())
    whole = len(flat) <= limit and len(text) <= limit * 10
    return flat if whole else flat[: limit - 1] + "…"


def show(value: Json) -> str:
    """A value as it would be written in YAML, short."""
    return shorten(json.dumps(value, ensure_ascii=False), 60)
