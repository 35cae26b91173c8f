"""Does a job file buy what it shows? Templates that nothing renders, numbers that print otherwise, idle axes.

In: compiled jobs. Out: errors. Touches nothing.
Where a template may read anything at all, no axis is reported as idle.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, Place, Severity
from kiejobs.core.document.lost_text import misprints, unrendered
from kiejobs.core.document.nodes import YamlMap, leaves, plain_json
from kiejobs.core.document.tree import misprint
from kiejobs.core.document.wording import reference, suggest
from kiejobs.core.template.renderer import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Document, Json, Spot
    from kiejobs.core.expand.compiled_job import CompiledJob
    from kiejobs.core.jobfile import JobFile
    from kiejobs.core.template.renderer import Reads

_RAW = re.compile(r"\{%[-+]?\s*raw\s*-?%\}.*?\{%[-+]?\s*endraw\s*-?%\}", re.DOTALL)
_SHOWN = re.compile(r"[^\n]")
_COMMENT = re.compile(r"\{#(?=\w).*?#\}", re.DOTALL)
_NUMBERS = frozenset({"integer", "number", "boolean", "null"})
_WHOLE_NAMES = frozenset({"axes", "address"})
"""What an `output` may read in the place of all axes."""


def reads_of_jobs(jobs: Sequence[CompiledJob]) -> list[Reads]:
    """What the templates of each may read."""
    return [
        reduce(or_, (one.reads for one in (*job.templates, *job.fills.values())), NOTHING) for job in jobs
    ]


def comments(document: Document, jobs: Sequence[CompiledJob]) -> Iterator[Diagnostic]:
    """`{#sale#}` without a blank is hardly meant as a comment."""
    for job in jobs:
        for one in (*job.templates, *job.fills.values()):
            for text in one.texts:
                for found in comments_in(text, document.name):
                    yield replace(found, place=document.at(one.spot))


def comments_in(text: str, name: str) -> Iterator[Diagnostic]:
    """The first of a template, in a file of that name."""
    bare = _RAW.sub(lambda raw: _SHOWN.sub(" ", raw[0]), text) if "{#" in text else ""
    found = _COMMENT.search(bare)
    if found is not None:
        shown, before = found[0][:60], bare[: found.start()]
        message = f"`{shown}` is a comment to templates, and no part of the text"
        hint = f"where it is text, write `{{% raw %}}{shown}{{% endraw %}}`; where it is a comment, write a blank behind `{{#`"
        at = Place(name, before.count("\n") + 1, len(before) - before.rfind("\n"))
        yield Diagnostic("lost-text", message, at, hint, Severity.WARNING)


def misread(jobfile: JobFile, jobs: Sequence[CompiledJob], reads: Sequence[Reads]) -> Iterator[Diagnostic]:
    """Values that would be bought otherwise than they are written."""
    document, together = jobfile.document, reduce(or_, reads, NOTHING)
    declared = document.root.get("vars")
    for name in declared if isinstance(declared, YamlMap) else ():
        is_read = name in together.vars if together.vars is not None else not name.startswith("x-")
        if is_read:
            yield from _misread_variable(document, declared, name, jobfile.vars)
    for job, read in zip(jobs, reads, strict=True):
        own = job.entry.own_vars
        for name in own if job.entry.vars is not None else ():
            if name in read.vars if read.vars is not None else not name.startswith("x-"):
                yield from _misread_variable(document, own, name, job.entry.vars or {})
        if job.matrix is not None:
            for name, listed in job.matrix.listed():
                if name not in job.spec.fields or read.axes is None or name in read.axes:
                    yield from unrendered(f"axis `{name}`", listed.value, document.at(listed.spot))
        if document.numbers:
            yield from _numbers(document, job, read)


def _misread_variable(
    document: Document, written: YamlMap, name: str, in_force: Mapping[str, Json]
) -> Iterator[Diagnostic]:
    value, spot = written[name], written.value_spots[name]
    if in_force.get(name) == plain_json(value):  # not one of `--var`, which is data
        yield from unrendered(f"the variable `{name}`", value, document.at(spot))
        yield from misprints(document, [(value, spot)])


# --- numbers -----------------------------------------------------------------------------------------


def _numbers(document: Document, job: CompiledJob, reads: Reads) -> Iterator[Diagnostic]:
    """Of the input where its field is a text; of the matrix where it becomes one, or a template reads it."""
    written = job.entry.input
    for name, value in written.items():
        schema = job.spec.fields.get(name, {})
        if not _is_fixed(schema):
            yield from misprints(document, [(value, written.value_spots[name])])
            yield from _rounded(document, schema, value, written.value_spots[name])
    for name, values, spot in _matrix_values(document, job):
        field, is_read = job.spec.fields.get(name, {}), reads.axes is None or name in reads.axes
        if is_read or not _is_fixed(field):
            yield from misprints(document, [(values, spot)])
        yield from _rounded(document, field, values, spot)


def _is_fixed(schema: Mapping[str, Json]) -> bool:
    """A number's form doesn't matter to it: it takes numbers, or one of a few texts."""
    return schema.get("type") in _NUMBERS or "enum" in schema


def _rounded(document: Document, schema: Mapping[str, Json], value: Json, spot: Spot) -> Iterator[Diagnostic]:
    """5.0 counts as 5 where a text is one of several; it is not what a prompt says."""
    for item, at in leaves(value, spot) if schema.get("type") == "string" and "enum" not in schema else ():
        if type(item) is float and item.is_integer() and (bad := misprint(f"{item}", int(item))):
            yield Diagnostic(bad.code, bad.message, document.at(at), bad.hint)


def _matrix_values(document: Document, job: CompiledJob) -> Iterator[tuple[str, Json, Spot]]:
    """By axis, as the job and the defaults have them; those of include and exclude entries, too."""
    for body in (document.root["jobs"][job.entry.name], document.root.get("defaults")):
        matrix = body.get("matrix") if isinstance(body, YamlMap) else None
        if not isinstance(matrix, YamlMap):
            continue
        for name, values in matrix.items():
            if name in {"include", "exclude"}:
                for entry in values:
                    yield from ((key, entry[key], entry.value_spots[key]) for key in entry)
            elif name != "zip" and not isinstance(values, YamlMap):
                yield name, values, matrix.value_spots[name]


# --- axes --------------------------------------------------------------------------------------------


def idle_axes(
    document: Document, jobs: Iterable[CompiledJob], reads: Iterable[Reads]
) -> Iterator[Diagnostic]:
    """Axes, and keys of `include`, that change nothing; one in `defaults` is used where one job uses it."""
    used: set[Place] = set()
    idle: dict[Place, tuple[str, CompiledJob]] = {}
    for job, read in zip(jobs, reads, strict=True):
        axes = {axis.name: _place_of(document, job, axis.name) for axis in job.entry.axes}
        for entry in job.entry.include:
            axes |= {key: document.at(entry.key_spots[key]) for key in entry.values if key not in axes}
        for name, place in axes.items():
            if _is_used(job, read, name):
                used.add(place)
            else:
                idle[place] = name, job
    for place, (name, job) in idle.items():
        if place not in used:
            message = f"axis `{name}` changes nothing: it is no input field, and no template reads it"
            yield Diagnostic("unused-axis", message, place, _meant(name, job))


def _meant(name: str, job: CompiledJob) -> str:
    taken = {*job.entry.input, *(axis.name for axis in job.entry.axes)}
    if name == "model":
        return 'to use it as the model, write `model: "{{ matrix.model }}"`, or remove `model:`'
    values = next((axis.values for axis in job.entry.axes if axis.name == name), ())
    first, read = next(iter(values), None), reference("matrix", name)
    if isinstance(first, dict):  # which can't be printed
        read = reference(read, next((key for key in first if key != "id"), "id"))
    free = [field for field in job.spec.fields if field not in taken]
    near, otherwise = suggest(name, free), f"write `{{{{ {read} }}}}` where it is meant, or drop it"
    return f"{near} Otherwise {otherwise}" if near else otherwise


def _is_used(job: CompiledJob, reads: Reads, axis: str) -> bool:
    if (
        axis == job.says_model
        or reads.axes is None
        or reads.names is None
        or not reads.names.isdisjoint(_WHOLE_NAMES)
    ):
        return True
    # An entry that names it says by it which rows are meant.
    axes = {each.name for each in job.entry.axes}
    named = (entry.values for entry in (*job.entry.exclude, *job.entry.include) if axis in axes)
    return any(axis in names for names in (reads.axes, job.spec.fields, *named))


def _place_of(document: Document, job: CompiledJob, axis: str) -> Place:
    own = ("jobs", job.entry.name, "matrix")
    body = document.root["jobs"][job.entry.name]
    there = body.get("matrix") if isinstance(body, YamlMap) else None
    path = own if isinstance(there, YamlMap) and axis in there else ("defaults", "matrix")
    return document.place((*path, axis), key=True)
