"""What an edit did to each request: added, gone, changed, moved, or the same.

In: a job file's jobs as they are now and as they were. Out: `Edit`s in the order of the jobs, and their
totals. Touches nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kiejobs.core.plan.plan import difference

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.expand import Expansion
    from kiejobs.core.expand.job import Job
    from kiejobs.core.plan.plan import FieldChange
    from kiejobs.core.plan.selection import Selection


class Kind(StrEnum):
    """`unclear`: what the job was is unknown, since it wasn't valid then."""

    ADDED = "added"
    GONE = "gone"
    CHANGED = "changed"
    MOVED = "moved"
    UNCLEAR = "unclear"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Edit:
    """One job. `source` is the address that it moved from, `was` and `now` are its fingerprints."""

    address: str
    kind: Kind
    fields: tuple[FieldChange, ...] = ()
    source: str | None = None
    was: str | None = None
    now: str | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """The jobs as they were: None where there was no job file.

    `unclear` are the names of jobs of which nothing is known, None where that are all.
    """

    expansion: Expansion | None
    unclear: Collection[str] | None = ()


@dataclass(frozen=True, slots=True)
class RequestDiff:
    """All edits but of what is unchanged, which is only counted; what is gone comes last."""

    edits: tuple[Edit, ...]
    totals: Mapping[Kind, int]


def request_diff(now: Expansion, before: Before, selection: Selection) -> RequestDiff:
    """What became of each job that the selection takes."""
    edits = list(_edits(now, before, selection))
    changed = tuple(edit for edit in edits if edit.kind is not Kind.UNCHANGED)
    return RequestDiff(changed, Counter(edit.kind for edit in edits))


def _edits(now: Expansion, before: Before, selection: Selection) -> Iterator[Edit]:
    then = () if before.expansion is None else before.expansion.jobs
    broken = frozenset[str]() if before.expansion is None else before.expansion.broken
    was = {job.address: job for job in then if job.address not in broken}
    wanted = {job.address for job in now.jobs}
    left = {(one.fingerprint, one.take): at for at, one in was.items() if at not in wanted}
    moved = set()
    for job in now.jobs:
        source = None
        if job.address not in was and job.address not in broken:
            source = left.pop((job.fingerprint, job.take), None)
        moved.add(source)
        if selection.takes_job(job):
            unclear = before.unclear is None or job.name in before.unclear or job.address in broken
            yield _edit(job, was.get(job.address), source, unclear=unclear)
    for address, job in was.items():
        if address not in wanted and address not in moved and selection.takes_job(job):
            yield Edit(address, Kind.GONE, _fields(job, None), was=job.fingerprint)


def _edit(job: Job, was: Job | None, source: str | None, *, unclear: bool) -> Edit:
    """`source` is the former address of the same request, if that address is not wanted any more."""
    address, now = job.address, job.fingerprint
    if source is not None:
        return Edit(address, Kind.MOVED, source=source, was=now, now=now)
    if was is None and unclear:
        return Edit(address, Kind.UNCLEAR, now=now)
    if was is None:
        return Edit(address, Kind.ADDED, _fields(None, job), now=now)
    fields = _fields(was, job)
    kind = Kind.CHANGED if fields else Kind.UNCHANGED
    return Edit(address, kind, fields, was=was.fingerprint, now=now)


def _fields(was: Job | None, now: Job | None) -> tuple[FieldChange, ...]:
    if was is not None and now is not None and was.fingerprint == now.fingerprint:
        # The callback's address is in no fingerprint.
        was_called, now_called = ({"callBackUrl": job.callback_url} for job in (was, now))
        return tuple(difference(was_called, now_called))
    files = {file.ref: file.path for job in (was, now) if job is not None for file in job.files}
    return tuple(difference(_said(was), _said(now), files))


def _said(job: Job | None) -> dict[str, Json]:
    if job is None:
        return {}
    callback = {} if job.callback_url is None else {"callBackUrl": job.callback_url}
    return {"model": job.model, **callback, **job.input}
