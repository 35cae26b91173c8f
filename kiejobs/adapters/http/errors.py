"""What went wrong on the wire, for people.

In: exceptions of httpx. Out: words. Touches nothing.
"""

from __future__ import annotations

import httpx

_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "no connection in time"),
    (httpx.PoolTimeout, "no connection was free in time"),
    (httpx.ReadTimeout, "no answer in time"),
    (httpx.WriteTimeout, "the request could not be written in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.ReadError, "the connection broke before the answer was whole"),
    (httpx.WriteError, "the connection broke while the request was written"),
    (httpx.RemoteProtocolError, "the connection ended before the answer was whole"),
    (httpx.DecodingError, "the answer could not be unpacked"),
    (httpx.InvalidURL, "not a URL"),
    (TimeoutError, "no answer in time"),
)
"""The first that fits."""


def in_words(error: Exception) -> str:
    """What happened, and what the system says of it where that adds something."""
    said = str(error).strip()
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), None)
    if words is None:
        return said or type(error).__name__
    return f"{words} ({said})" if said else words
