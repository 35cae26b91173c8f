"""Which jobs are meant: `--select 'tag:hero pour* axis:resolution=720p,job:steam'`.

In: the words of `--select`. Out: a test for outlines. A blank or another `--select` adds (union), a
comma narrows (intersection); commas within brackets belong to an address. Touches nothing.

`*` and `?` are wild; brackets are not, since addresses are made of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.errors import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_AXIS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([^\[\]]*)")


@dataclass(frozen=True, slots=True)
class Selectable:
    """What a selection looks at."""

    address: str
    job: str
    tags: tuple[str, ...]
    axes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """A union of intersections; without any term it takes everything."""

    terms: tuple[tuple[Callable[[Selectable], bool], ...], ...]

    def takes(self, job: Selectable) -> bool:
        return not self.terms or any(all(test(job) for test in term) for term in self.terms)


def read_selection(words: Sequence[str]) -> Selection:
    """Raises UsageProblem for a method that is not known."""
    terms = [term for word in words for term in word.split()]
    return Selection(tuple(tuple(_test(part) for part in _parts(term)) for term in terms))


def wild(pattern: str) -> Callable[[str], bool]:
    """A test for whole strings in which only `*` and `?` are wild."""
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    compiled = re.compile(expression, re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def _parts(term: str) -> list[str]:
    return [part for part in re.split(r",(?![^\[]*\])", term) if part]


def _test(part: str) -> Callable[[Selectable], bool]:
    method, colon, rest = part.partition(":")
    if colon and re.fullmatch(r"[a-z]+", method):
        return _by_method(method, rest)
    axis = _AXIS.fullmatch(part)
    if axis is not None:
        return _by_axis(part)
    return _by_address(part)


def _by_method(method: str, rest: str) -> Callable[[Selectable], bool]:
    if method == "tag":
        matches = wild(rest)
        return lambda job: any(matches(tag) for tag in job.tags)
    if method == "job":
        matches = wild(rest)
        return lambda job: matches(job.job)
    if method == "axis":
        return _by_axis(rest)
    if method == "address":
        return _by_address(rest)
    raise UsageProblem(
        f"`--select {method}:…` is not known",
        hint="use tag:NAME, job:NAME, axis:NAME=VALUE, or an address pattern with * and ?",
    )


def _by_axis(text: str) -> Callable[[Selectable], bool]:
    name, _, value = text.partition("=")
    matches = wild(value)
    return lambda job: any(axis == name and matches(label) for axis, label in job.axes)


def _by_address(pattern: str) -> Callable[[Selectable], bool]:
    """The whole address, or what follows the campaign, or the job's bare name."""
    matches = wild(pattern)
    return lambda job: (
        matches(job.address) or matches(job.address.partition("/")[2]) or matches(job.job)
    )
