"""Templates that only put in what they name: `{{ matrix.scene.text }}, {{ vars.style }}`. Most prompts are.

In: a template's text, what it may read. Out: what it reads, its rendered text; None where Jinja has to say it (a name
that isn't there, a value that is no text, a statement or a filter anywhere). Touches nothing.
Such a text needs no process with limits: it looks keys up, and its length is bounded here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kiejobs.core.template.renderer import Reads, is_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NAME = re.compile(r"(?<!\{)\{\{ *([a-z]+(?:\.[A-Za-z][A-Za-z0-9_]*)*) *\}\}")
_OF_KEYS = frozenset({"matrix", "vars"})
_OF_TEXT = frozenset({"job", "campaign", "take", "axes", "address"})
_LONGEST = 100_000
_METHODS = frozenset(dir(dict))
"""Behind a mapping they may mean all of it."""


def is_enough(text: str) -> bool:
    """Whether all templates in a text, such as a complete job file, look like these."""
    return not is_template(text) or not is_template(_NAME.sub("", text))


def reads(text: str) -> Reads | None:
    parts = _parts(text)
    if parts is None:
        return None
    paths = parts[1::2]
    keys = {root: frozenset(path[1] for path in paths if path[0] == root) for root in _OF_KEYS}
    return Reads(keys["matrix"], keys["vars"], frozenset(path[0] for path in paths))


def render(text: str, shared: Mapping[str, Any], names: Mapping[str, Any]) -> str | None:
    parts = _parts(text)
    if parts is None:
        return None
    found: list[str] = []
    for number, part in enumerate(parts):
        value: Any = part
        if number % 2:
            value = names if part[0] in names else shared
            for key in part:
                value = value.get(key) if isinstance(value, dict) else None
        if type(value) is not str:
            return None
        found.append(value)
    printed = "".join(found)
    try:
        printed.encode()
    except UnicodeEncodeError:
        return None
    return printed if len(printed) <= _LONGEST else None


@lru_cache(maxsize=1_000)
def _parts(text: str) -> Sequence[Any] | None:
    """Texts and, between them, names by their parts; None for any other template."""
    parts: list[Any] = _NAME.split(text.removesuffix("\n"))
    parts[1::2] = [tuple(name.split(".")) for name in parts[1::2]]
    is_plain = "\r" not in text and len(text) <= _LONGEST and not any(map(is_template, parts[::2]))
    return parts if is_plain and all(map(_is_known, parts[1::2])) else None


def _is_known(path: Sequence[str]) -> bool:
    if len(path) == 1:
        return path[0] in _OF_TEXT
    return path[0] in _OF_KEYS and _METHODS.isdisjoint(path)
