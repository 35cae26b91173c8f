"""What a plain word in a job file means: YAML 1.2's core schema.

In: a scalar's text and its tag. Out: None, bool, int, float or str, or a `BadScalar` that says what
to write instead. Touches nothing.

PyYAML's own rules are YAML 1.1's, where `on` is true, `12:30` is 750 and `2026-11-22` a date; none of
that happens here (YAML 1.2.2, chapter 10.3).
"""

from __future__ import annotations

import math
import re
from typing import Any

TAG_PREFIX = "tag:yaml.org,2002:"
"""What `!!` stands for."""

MAX_EXACT_INT = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8259, section 6)."""

_WORDS: dict[str, Any] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_NUMBER_STARTS = frozenset("+-.0123456789")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_QUOTE_IT = "put it in quotes if it is meant as text"


class BadScalar(Exception):
    """`code` and `hint` are those of the Diagnostic that it becomes."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def plain(text: str) -> Any:
    """The value of an unquoted, untagged scalar. Raises BadScalar for a number that JSON can't hold."""
    if text[:1] in _NUMBER_STARTS:
        return _number_or_text(text)
    return _WORDS.get(text, text)


def words_only(text: str) -> Any:
    """As `plain`, but a number stays the text that it was written as: exact, whatever it is."""
    return _WORDS.get(text, text)


def tagged(text: str, tag: str) -> Any:
    """The value of a scalar with an explicit tag. Raises BadScalar where the two don't fit."""
    kind = tag.removeprefix(TAG_PREFIX)
    if tag == "!" or kind == "str":
        return text
    if kind not in ("int", "float", "bool", "null"):
        raise unknown_tag(tag)
    value = plain(text)
    if kind == "float" and type(value) is int:
        return float(value)
    if _KINDS.get(type(value)) != kind:
        raise BadScalar("yaml-tag", f"`{text}` is not what `!!{kind}` promises", "drop the tag")
    return value


def tagged_exactly(text: str, tag: str) -> Any:
    """As `tagged`, but a number stays the text that it was written as."""
    value = tagged(text, tag)
    return text if type(value) in (int, float) else value


def unknown_tag(tag: str) -> BadScalar:
    shown = "!!" + tag.removeprefix(TAG_PREFIX) if tag.startswith(TAG_PREFIX) else tag
    return BadScalar(
        "yaml-tag",
        f"the tag `{shown}` has no meaning in a job file",
        "drop it; a text that starts with `!` needs quotes",
    )


_KINDS = {int: "int", float: "float", bool: "bool", type(None): "null"}


def _number_or_text(text: str) -> Any:
    if _INT.fullmatch(text):
        return _exact_int(text, 10)
    if _FLOAT.fullmatch(text):
        return _finite(text)
    if _OCTAL.fullmatch(text):
        return _exact_int(text[2:], 8)
    if _HEX.fullmatch(text):
        return _exact_int(text[2:], 16)
    if _NOT_FINITE.fullmatch(text):
        raise BadScalar("yaml-number", f"JSON has no number `{text}`", _QUOTE_IT)
    return text


def _exact_int(digits: str, base: int) -> int:
    # Looked at before it is converted: Python refuses thousands of digits, and takes its time.
    if len(digits.lstrip("+-0")) <= 18:
        value = int(digits, base)
        if -MAX_EXACT_INT <= value <= MAX_EXACT_INT:
            return value
    raise BadScalar("yaml-number", "a whole number this large is not exact in JSON", _QUOTE_IT)


def _finite(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        return value
    raise BadScalar("yaml-number", f"`{text[:40]}` is too large for a number", _QUOTE_IT)
