"""Warnings: what a job file says that nothing reads, and texts that hardly fit.

In: a job file's compiled jobs, its jobs one after the other. Out: warnings with their places. Touches
nothing. Where a template may read anything at all, nothing is said to be unused: no false alarms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, Severity
from kiejobs.core.document.nodes import YamlMap
from kiejobs.core.template.renderer import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Document, Spot
    from kiejobs.core.expand.compiled_job import CompiledJob
    from kiejobs.core.expand.job import Job
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.template.renderer import Reads

_WHOLE_NAMES = frozenset({"axes", "address"})
"""What an `output` may read in the place of all axes."""

_NEAR = 0.9
_SHORTEST = 100
"""Characters; a smaller limit is that of a name or a code, where nothing grows."""


# --- what nothing reads ----------------------------------------------------------------------------


def unused(document: Document, jobs: Sequence[CompiledJob]) -> list[Diagnostic]:
    """Variables that no template reads, and axes that change nothing. For a job file without errors."""
    reads = NOTHING
    for job in jobs:
        reads |= job.reads
    return [*_unused_variables(document, reads), *_unused_axes(document, jobs)]


def _unused_variables(document: Document, reads: Reads) -> Iterator[Diagnostic]:
    declared = document.root.get("vars")
    if reads.vars is None or not isinstance(declared, YamlMap):
        return
    for name in declared:
        if name not in reads.vars and not name.startswith("x-"):
            message = f"no template reads the variable `{name}`"
            hint = (
                f"write `{{{{ vars.{name} }}}}` where it is meant, drop it, or name it `x-{name}`"
            )
            place = document.place(("vars", name), key=True)
            yield Diagnostic("unused-variable", message, place, hint, Severity.WARNING)


def _unused_axes(document: Document, jobs: Sequence[CompiledJob]) -> Iterator[Diagnostic]:
    """An axis in `defaults` counts as used where one job uses it."""
    used: set[Place] = set()
    idle: dict[Place, str] = {}
    for job in jobs:
        for axis in job.matrix.rows.axes:
            place = _place_of(document, job, axis.name)
            if _is_used(job, axis.name):
                used.add(place)
            else:
                idle[place] = axis.name
    for place, name in idle.items():
        if place not in used:
            message = (
                f"axis `{name}` changes nothing: it is no input field, and no template reads it"
            )
            hint = f"write `{{{{ matrix.{name} }}}}` where it is meant, or drop it"
            yield Diagnostic("unused-axis", message, place, hint, Severity.WARNING)


def _is_used(job: CompiledJob, axis: str) -> bool:
    reads = job.reads
    if reads.axes is None or reads.names is None or axis in reads.axes:
        return True
    if axis in job.matrix.spec.fields or not reads.names.isdisjoint(_WHOLE_NAMES):
        return True
    # An entry that names it says by it which rows are meant.
    return any(
        axis in entry.values for entry in (*job.matrix.entry.exclude, *job.matrix.entry.include)
    )


def _place_of(document: Document, job: CompiledJob, axis: str) -> Place:
    own = ("jobs", job.matrix.entry.name, "matrix")
    there = _at(document, own)
    path = own if isinstance(there, YamlMap) and axis in there else ("defaults", "matrix")
    return document.place((*path, axis), key=True)


def _at(document: Document, path: Sequence[str]) -> object:
    node: object = document.root
    for step in path:
        node = node.get(step) if isinstance(node, YamlMap) else None
    return node


# --- texts that hardly fit -------------------------------------------------------------------------


class LengthWarnings:
    """The next longer word makes the API refuse them. `look` at each job, then ask for the `warnings`.

    One for each place that such a text was written at, with the longest of them as the example.
    """

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self._limits = {model: dict(_limits(spec)) for model, spec in specs.items()}
        self._found: dict[tuple[Spot, str], tuple[int, int, Job]] = {}

    def look(self, job: Job, spot_of: Callable[[str], Spot]) -> None:
        """`spot_of` is where a field of the job was written."""
        for field, most in self._limits[job.model].items():
            text = job.input.get(field)
            if isinstance(text, str) and _NEAR * most <= len(text) <= most:
                key = (spot_of(field), field)
                count, length, example = self._found.get(key, (0, 0, job))
                example = job if len(text) > length else example
                self._found[key] = (count + 1, max(length, len(text)), example)

    def warnings(self, document: Document) -> Iterator[Diagnostic]:
        for (spot, field), (count, length, example) in self._found.items():
            upto, most = "up to " if count > 1 else "", self._limits[example.model][field]
            yield Diagnostic(
                "near-limit",
                f"`{field}` has {upto}{length:,} of the {most:,} characters that it may have",
                document.at(spot),
                hint="a longer word in `vars` or on an axis makes it too long; shorten what all share",
                severity=Severity.WARNING,
                count=count,
                example=example.address,
            )


def _limits(spec: Spec) -> Iterator[tuple[str, int]]:
    for name, field in spec.fields.items():
        most = field.get("maxLength")
        if isinstance(most, int) and most >= _SHORTEST:
            yield name, most
