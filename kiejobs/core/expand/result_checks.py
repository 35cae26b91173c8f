"""Checks of results that can never pass, or never run: limits that exclude one another, no limit, a field that is none.

In: a job file's document and its compiled jobs. Out: diagnostics, each at the words that a person wrote. Touches
nothing. What depends on a request's values is reported when a result is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kiejobs.core.checks import DEFAULTS
from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.checked import dotted
from kiejobs.core.document.wording import shorten, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Document, Json
    from kiejobs.core.expand.compiled_job import CompiledJob

CODE = "useless-check"


class _Wrong(NamedTuple):
    """`key` is the limit that is to blame; empty for the check itself."""

    key: str
    message: str
    hint: str | None


def useless_checks(document: Document, jobs: Sequence[CompiledJob]) -> list[Diagnostic]:
    """Each once, however many jobs have it from `defaults`."""
    return list(dict.fromkeys(_useless(document, jobs)))


def _useless(document: Document, jobs: Sequence[CompiledJob]) -> Iterator[Diagnostic]:
    of_entries: dict[str, dict[str, Any]] = {}  # one may be compiled for several models
    for job in jobs:
        of_entries.setdefault(job.entry.name, {}).update(job.spec.fields)
    every = {name for fields in of_entries.values() for name in fields}
    for job in jobs:
        written, fields = job.entry.checks, of_entries[job.entry.name]
        for name, value in written.items() if isinstance(written, dict) else ():
            own = dict(value) if isinstance(value, dict) else {}
            if value is False or own.pop("off", False):
                continue
            own.pop("severity", None)
            for wrong in _wrong_with(name, own, fields):
                path = _path(document, job.entry.name, name, wrong.key)
                # `defaults` are for jobs of several models, of which one may have the field.
                if wrong.key == "field" and path[0] == "defaults" and own["field"] in every:
                    continue
                yield Diagnostic(CODE, f"`{dotted(path)}` {wrong.message}", document.place(path), wrong.hint)


def _path(document: Document, job: str, check: str, key: str) -> tuple[str, ...]:
    """Where it is written: in the job, else in the defaults; of the limit, else of the check."""
    tops = (("jobs", job), ("defaults",))
    paths = [(*top, "checks", check, *rest) for rest in ((key,), ()) if rest != ("",) for top in tops]
    return next((path for path in paths if _is_there(document.root, path)), paths[-1])


def _is_there(node: Json, path: tuple[str, ...]) -> bool:
    for step in path:
        if not isinstance(node, dict) or step not in node:
            return False
        node = node[step]
    return True


def _wrong_with(name: str, own: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[_Wrong]:
    if name == "fps" and not own.keys() & {"equals", "at_least", "at_most"}:
        yield _Wrong("", "checks nothing: it has no limit", "for example `fps: {equals: 24}`; or drop it")
    if "field" in own and own["field"] not in fields:
        message = f"is {shorten(own['field'])}, which is no input field of the model"
        yield _Wrong("field", message, suggest(own["field"], fields) or f"its fields: {', '.join(fields)}")
    yield from _of_bounds(name, own)


def _of_bounds(name: str, own: Mapping[str, Any]) -> Iterator[_Wrong]:
    limits = {**DEFAULTS[name], **own}
    goal = limits.get("seconds", limits.get("equals"))
    low, high = limits.get("at_least"), limits.get("at_most")
    if goal is not None:
        low = goal - limits["within"] if low is None else low
        high = goal + limits["within"] if high is None else high
    if name == "cuts" and "at_most" not in own:
        high = None
    if low is None or high is None or low <= high:
        return
    key = next(key for key in ("at_least", "at_most") if key in own)
    message = f"can never pass: {low:g} at least and {high:g} at most exclude each other"
    if goal is not None:
        word = "seconds" if "seconds" in limits else "equals"
        yield _Wrong(key, message, f"write `{word}:`, or `at_least:` and `at_most:`")
        return
    implied = next((key for key in ("at_least", "at_most") if key not in own), None)
    hint = "swap the two limits"
    if implied:
        hint = f"`{implied}` is {limits[implied]:g} by default: write it as well"
    yield _Wrong(key, message, hint)
