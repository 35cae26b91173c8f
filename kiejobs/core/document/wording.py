"""Values and names in the words of messages. JSON values and words in, short texts out; touches nothing."""

from __future__ import annotations

import json
from difflib import get_close_matches
from types import NoneType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kiejobs.core.document.nodes import Json

_KINDS: tuple[tuple[type, str], ...] = (
    (NoneType, "null"), (bool, "true or false"), (int, "a number"), (float, "a number"),
    (str, "text"), (list, "a list"),
)  # fmt: skip


def nearest(word: str, known: Iterable[str]) -> str | None:
    """What was probably meant, where something known is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def suggest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?` when something known is close."""
    meant = nearest(word, known)
    return f"did you mean `{meant}`?" if meant else None


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
    """A value as it would stand in YAML, short."""
    return shorten(json.dumps(value, ensure_ascii=False), 60)
