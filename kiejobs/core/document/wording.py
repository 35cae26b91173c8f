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
_WORDS = re.compile(r"[0-9]+|[^\W\d_]+")
_KINDS: tuple[tuple[type, str], ...] = (
    (NoneType, "null"), (bool, "true or false"), (int, "a number"), (float, "a number"),
    (str, "text"), (list, "a list"),
)  # fmt: skip


def nearest(word: str, known: Iterable[str]) -> str | None:
    """What was probably meant, where something known is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def slip(word: str, known: Iterable[str]) -> str | None:
    """What a slip of the pen makes `word` of: as many words and the same numbers, so no other model, say."""
    near = nearest(word, known)
    parts, meant = (_WORDS.findall(text.lower()) for text in (word, near or ""))
    alike = len(parts) == len(meant) and all(
        one == other or (one.isalpha() and get_close_matches(one, [other], cutoff=0.75))
        for one, other in zip(parts, meant, strict=True)
    )
    return near if alike else None


def suggest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?` when something known is close. Numbers and ratios are no slips: a near one is another purchase."""
    meant = nearest(word, known) if any(map(str.isalpha, word)) else None
    return f"did you mean `{meant}`?" if meant else None


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
