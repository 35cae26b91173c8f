"""What an edit did to each request: added, gone, changed, moved, or the same.

In: a job file's jobs as they are now and as they were. Out: `Edit`s in the order of the jobs, one by
one, and their totals. Touches nothing. Jobs are rendered again only where they differ.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from kiejobs.core.plan.plan import difference, selectable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.expansion import Expansion, JobSummary
    from kiejobs.core.expand.job import Job
    from kiejobs.core.plan.plan import FieldChange
    from kiejobs.core.plan.selection import Selection


class Kind(StrEnum):
    """`unclear`: what the job was can't be told, since it wasn't valid then."""

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

    `unclear` are the names of jobs of which nothing can be told, None where that are all.
    """

    expansion: Expansion | None
    unclear: Collection[str] | None = ()

    def is_unclear(self, job: str) -> bool:
        return self.unclear is None or job in self.unclear


class RenderDiff:
    """Walk `edits` to their end, then ask for `totals`."""

    def __init__(self, now: Expansion, before: Before, selection: Selection) -> None:
        self._now = now
        self._before = before
        self._selection = selection
        self.totals: Counter[Kind] = Counter()

    def edits(self) -> Iterator[Edit]:
        """All but what is unchanged, which is only counted; what is gone comes last."""
        for edit in self._all():
            self.totals[edit.kind] += 1
            if edit.kind is not Kind.UNCHANGED:
                yield edit

    def _all(self) -> Iterator[Edit]:
        moved = set()
        for outline in self._now.outlines():
            source = self._source(outline)
            moved.add(source)
            if self._selection.takes(selectable(outline)):
                yield self._edit(outline, source)
        for address, was in self._was.items():
            is_gone = address not in self._addresses and address not in moved
            if is_gone and self._selection.takes(selectable(was)):
                yield Edit(address, Kind.GONE, self._fields(was, None), was=was.fingerprint)

    def _source(self, outline: JobSummary) -> str | None:
        """Where the same request stood, if that address is not wanted any more."""
        if outline.address in self._was or outline.address in self._broken:
            return None
        return self._left.pop((outline.fingerprint, outline.take), None)

    def _edit(self, outline: JobSummary, source: str | None) -> Edit:
        address, now = outline.address, outline.fingerprint
        was = self._was.get(address)
        if source is not None:
            return Edit(address, Kind.MOVED, source=source, was=now, now=now)
        if was is None:
            unclear = address in self._broken or self._before.is_unclear(outline.job)
            if unclear:
                return Edit(address, Kind.UNCLEAR, now=now)
            return Edit(address, Kind.ADDED, self._fields(None, outline), now=now)
        same = was.fingerprint == now
        if same and not self._has_callbacks:
            return Edit(address, Kind.UNCHANGED, was=now, now=now)
        fields = self._fields(was, outline)
        kind = Kind.CHANGED if fields else Kind.UNCHANGED
        return Edit(address, kind, fields, was=was.fingerprint, now=now)

    def _fields(self, was: JobSummary | None, now: JobSummary | None) -> tuple[FieldChange, ...]:
        jobs = (self._job_then(was), self._job_now(now))
        files = {file.ref: file.path for job in jobs if job is not None for file in job.files}
        then, current = map(_said, jobs)
        return tuple(difference(then, current, files))

    def _job_now(self, outline: JobSummary | None) -> Job | None:
        return None if outline is None else self._now.job(outline.number)

    def _job_then(self, outline: JobSummary | None) -> Job | None:
        if outline is None or self._before.expansion is None:
            return None
        return self._before.expansion.job(outline.number)

    @cached_property
    def _was(self) -> dict[str, JobSummary]:
        """What could be rendered then, by address."""
        return {
            line.address: line for line in self._lines_then() if not self._is_broken(line.number)
        }

    @cached_property
    def _broken(self) -> set[str]:
        return {line.address for line in self._lines_then() if self._is_broken(line.number)}

    @cached_property
    def _addresses(self) -> set[str]:
        return {line.address for line in self._now.outlines()}

    @cached_property
    def _left(self) -> dict[tuple[str, int], str]:
        """Addresses that nothing has any more, by what stood there."""
        return {
            (line.fingerprint, line.take): address
            for address, line in self._was.items()
            if address not in self._addresses
        }

    @cached_property
    def _has_callbacks(self) -> bool:
        """Where some job has one, all are compared whole: it is in no fingerprint."""
        both = (self._now, self._before.expansion)
        entries = [entry for one in both if one is not None for entry in one.jobfile.entries]
        return any(entry.callback_url is not None for entry in entries)

    def _lines_then(self) -> Iterator[JobSummary]:
        expansion = self._before.expansion
        return iter(()) if expansion is None else expansion.outlines()

    def _is_broken(self, number: int) -> bool:
        expansion = self._before.expansion
        return expansion is not None and number in expansion.broken


def _said(job: Job | None) -> dict[str, Json]:
    """What a job says to the API, field by field."""
    if job is None:
        return {}
    callback = {} if job.callback_url is None else {"callBackUrl": job.callback_url}
    return {"model": job.model, **callback, **job.input}
