"""Values and names in the words of messages, and the one format that our schemas use.

In: JSON values, words. Out: short texts, and whether a text is a URI. Touches nothing.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jsonschema import FormatChecker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kiejobs.core.document.nodes import Json

FORMATS = FormatChecker(formats=())
"""Only `uri`, checked here: jsonschema's own needs a grammar that takes 1.5 s to import."""

_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+"
)


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    """An absolute URI by RFC 3986; http and https ones must name a host. Non-strings pass."""
    if not isinstance(value, str):
        return True
    if not _URI.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme.lower() not in {"http", "https"} or bool(parts.hostname)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """What was probably meant, where something known is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def suggest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?` when something known is close."""
    meant = nearest(word, known)
    return f"did you mean `{meant}`?" if meant else None


def kind_of(value: Json) -> str:
    """What a person would call a JSON value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def shorten(text: str, limit: int = 80) -> str:
    """One line of at most `limit` characters, so that a long prompt never floods a message."""
    flat = " ".join(text[: limit * 10].split())
    whole = len(flat) <= limit and len(text) <= limit * 10
    return flat if whole else flat[: limit - 1] + "…"


def show(value: Json) -> str:
    """A value as it would stand in YAML, short."""
    return shorten(json.dumps(value, ensure_ascii=False), 60)
