"""What makes two requests the same: canonical JSON and the fingerprint over it.

In: JSON values. Out: RFC 8785 bytes and their SHA-256. Touches nothing.
"""

from __future__ import annotations

import hashlib
import json
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

import rfc8785

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

FINGERPRINT_VERSION = 1
"""Recorded in each journal. A new version migrates records; it never makes anyone buy again."""

_LARGEST_EXACT = 2**53 - 1
_plain = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def canonical(value: Json) -> bytes:
    """The RFC 8785 form of `value`. Raises ValueError for a lone surrogate, NaN or an integer that is not exact.

    Plain sorted JSON is the same bytes wherever there is no float, no integer beyond 2^53 and no key
    outside the basic plane, and it is faster; the rfc8785 package does the rest.
    """
    if _is_plain(value):
        return _plain(value).encode()
    return rfc8785.dumps(value)


def canonical_member(name: str, value: Json) -> bytes:
    """`"name":value`, to be joined with others. Raises ValueError as above."""
    if isinstance(value, str):
        return f"{encode_basestring(name)}:{encode_basestring(value)}".encode()
    return canonical({name: value})[1:-1]


def fingerprint(model: str, request_input: Mapping[str, Json]) -> str:
    """SHA-256, in hex, over the canonical JSON of `{model, input}` as sent.

    Never over callBackUrl, tags, paths, comments, time or tool version: none may ever cause a purchase.
    """
    return hashlib.sha256(canonical({"input": dict(request_input), "model": model})).hexdigest()


def _is_plain(value: Json) -> bool:
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, int):
        return -_LARGEST_EXACT <= value <= _LARGEST_EXACT
    if isinstance(value, dict):
        return all(map(_is_plain_key, value)) and all(map(_is_plain, value.values()))
    return isinstance(value, list) and all(map(_is_plain, value))


def _is_plain_key(key: object) -> bool:
    # RFC 8785 sorts by UTF-16 units, Python by code points: the same order below the surrogates.
    return isinstance(key, str) and (key.isascii() or max(key) < "\ud800")
