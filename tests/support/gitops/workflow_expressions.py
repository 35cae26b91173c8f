"""GitHub's expressions, as far as our workflows use them.

In: `${{ … }}` or the text of an `if:`, and what it may ask (nested mappings). Out: its value. Touches
nothing. What it doesn't know is a KeyError or ValueError, so that no workflow quietly means something else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|!|[()]|[A-Za-z_][\w.-]*)")
_STATUS = re.compile(r"\b(?:success|failure|always|cancelled)\(\)")
_HOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True)
class Status:
    """How the job went so far."""

    failed: bool = False
    cancelled: bool = False


def holds(condition: str | None, contexts: Mapping[str, Any], status: Status) -> bool:
    """An `if:`; without a word about status it asks for success as well."""
    text = "success()" if condition is None else condition.strip()
    whole = _HOLE.fullmatch(text)
    text = whole[1] if whole else text
    if not _STATUS.search(text):
        text = f"success() && ({text})"
    return bool(_Reading(text, contexts, status).value())


def filled(text: str, contexts: Mapping[str, Any]) -> str:
    """Text with its holes filled, as `env:` and `with:` have it."""
    return _HOLE.sub(lambda hole: _shown(_Reading(hole[1], contexts, Status()).value()), text)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class _Reading:
    """`||` binds loosest, then `&&`, then comparisons, then `!`; as in GitHub's, both give an operand."""

    def __init__(self, text: str, contexts: Mapping[str, Any], status: Status) -> None:
        self._tokens = _tokens(text)
        self._contexts = contexts
        self._status = status

    def value(self) -> Any:
        found = self._either()
        if self._tokens:
            raise ValueError(self._tokens)
        return found

    def _either(self) -> Any:
        found = self._both()
        while self._take("||"):
            other = self._both()
            found = found or other
        return found

    def _both(self) -> Any:
        found = self._compared()
        while self._take("&&"):
            other = self._compared()
            found = found and other
        return found

    def _compared(self) -> Any:
        found = self._single()
        if self._take("=="):
            return found == self._single()
        if self._take("!="):
            return found != self._single()
        return found

    def _single(self) -> Any:
        if self._take("!"):
            return not self._single()
        token = self._tokens.pop(0)
        if token == "(":
            found = self._either()
            self._tokens.remove(")")
            return found
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._take("("):
            self._tokens.remove(")")
            return self._function(token)
        return self._named(token)

    def _take(self, token: str) -> bool:
        there = bool(self._tokens) and self._tokens[0] == token
        if there:
            self._tokens.pop(0)
        return there

    def _function(self, name: str) -> bool:
        failed, cancelled = self._status.failed, self._status.cancelled
        answers = {
            "always": True,
            "cancelled": cancelled,
            "failure": failed,
            "success": not (failed or cancelled),
        }
        return answers[name]

    def _named(self, name: str) -> Any:
        """`github.event.number`; the first word must be known, what is missing below is empty."""
        first, *more = name.split(".")
        found = self._contexts[first]
        for part in more:
            found = found.get(part) if isinstance(found, dict) else None
        return found


def _tokens(text: str) -> list[str]:
    found, end = [], 0
    while text[end:].strip():
        token = _TOKEN.match(text, end)
        if token is None:
            raise ValueError(text[end:])
        found.append(token[1])
        end = token.end()
    return found
