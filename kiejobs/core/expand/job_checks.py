"""Is one row's job a job that may be bought?

In: a recipe, a row, the request made of them. Out: slips, and the parts of a job that are checked as
they are made: its output path and its callback URL. Touches nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from kiejobs.core.address import default_output
from kiejobs.core.document.wording import is_uri, shorten, show
from kiejobs.core.expand.field_template import RowProblem, RowProblemFound
from kiejobs.core.expand.output_path import UnsafePath, safe_output
from kiejobs.core.models.spec import extension_of
from kiejobs.core.urls import has_attempt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.document.schema_errors import SchemaProblem
    from kiejobs.core.expand.compiled_job import CompiledJob, Labels
    from kiejobs.core.expand.job import Job
    from kiejobs.core.expand.local_files import WrongFile
    from kiejobs.core.expand.problem_groups import RowProblems
    from kiejobs.core.matrix.matrix import Row


@dataclass(frozen=True, slots=True)
class JobName:
    """What a job is called, whole and in parts."""

    campaign: str
    labels: Labels
    take: int
    address: str


_BARE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_CODES = {
    "unknown": "unknown-field",
    "required": "missing-field",
    "needed": "missing-field",
    "conflict": "field-conflict",
}
_OF_ABSENCE = {"required", "needed", "conflict"}
"""Kinds of problems that a field which failed to render may only seem to have."""


def check_request(
    recipe: CompiledJob, row: Row, request: Mapping[str, Json], found: RowProblems
) -> None:
    """Against the model's schema. A field that failed to render is not told as missing as well."""
    failed_to_render = found.hit
    for problem in recipe.checker.problems(request):
        if failed_to_render and problem.keyword in _OF_ABSENCE:
            continue
        if problem.keyword in {"needed", "conflict"}:
            found.slip(_broken_rule(recipe, row, problem, request))
            continue
        field = str(problem.path[0]) if problem.path else ""
        spot = recipe.spot_of(field, row, key=problem.at_key)
        code = _CODES.get(problem.keyword, "invalid-field")
        # The message may tell a value that differs from row to row.
        told = problem.message if problem.keyword == "required" else ""
        cell = None if problem.at_key else recipe.cell_of(field, row)
        value = request.get(field)
        hint = _matrix_hint(recipe, field, value, cell) or problem.hint
        if value == "" and cell is not None:
            hint = _empty_cell_hint(recipe, field)
        fold = (field, problem.keyword, told)
        found.slip(RowProblem(code, problem.message, spot, hint, cell=cell), fold=fold)


def _broken_rule(
    recipe: CompiledJob, row: Row, problem: SchemaProblem, request: Mapping[str, Json]
) -> RowProblem:
    """At the first field that can be changed where it stands, with the places of the others."""
    named = (*map(str, problem.path), *problem.others)
    spots = {name: recipe.spot_if_written(name, row, key=problem.at_key) for name in named}
    written = [spot for spot in spots.values() if spot is not None] or [recipe.entry.spot]
    hints = [problem.hint, _exclude_hint(recipe, row, named)]
    hints += [
        f"`{name}` is {show(request[name])} where the job file is silent"
        for name, spot in spots.items()
        if spot is None and name in recipe.spec.defaults
    ]
    hint = "; ".join(filter(None, hints)) or None
    also = tuple(dict.fromkeys(spot for spot in written[1:] if spot != written[0]))
    blamed = next((name for name, spot in spots.items() if spot is not None), "")
    cell = recipe.cell_of(blamed, row)
    return RowProblem(
        _CODES[problem.keyword], problem.message, written[0], hint, also=also, cell=cell
    )


def _exclude_hint(recipe: CompiledJob, row: Row, names: Sequence[str]) -> str | None:
    """Where several axes make the combination, it can be left out."""
    several = {axis.name for axis in recipe.rows.axes if len(axis.values) > 1}
    axes = [name for name in names if name in several and name in row.values]
    if len(axes) < 2:
        return None
    labels = dict(recipe.labels(row))
    entry = ", ".join(f"{name}: {_as_written(row.values[name], labels[name])}" for name in axes)
    return f"or leave the combination out with `exclude: [{{{entry}}}]`"


def _as_written(value: Json, label: str) -> str:
    """As it can be copied into a job file: a label has its odd characters escaped, for addresses."""
    if not isinstance(value, str) or _BARE.fullmatch(value):
        return label
    return json.dumps(value, ensure_ascii=False)


def report_files(
    recipe: CompiledJob, row: Row, wrong: Sequence[WrongFile], found: RowProblems
) -> None:
    """What is wrong with the local files of a request, each at its own place."""
    for one in wrong:
        spot, cell = recipe.spot_within(one.path, row), recipe.cell_of(str(one.path[0]), row)
        found.slip(RowProblem(one.no_file.code, one.message, spot, one.no_file.hint, cell=cell))


def _matrix_hint(recipe: CompiledJob, field: str, value: Json, cell: Place | None) -> str | None:
    """What helps where a matrix was meant, or too much was asked of one."""
    kind = recipe.spec.fields.get(field, {}).get("type")
    if isinstance(value, list) and kind not in {None, "array"} and value:
        return f"for a job with each of them, write it as an axis: `matrix: {{{field}: {show(value)}}}`"
    if isinstance(value, dict) and kind not in {None, "object"} and value:
        key = next((key for key in value if key not in {"id", "name"}), "id")
        if cell is not None:
            return f"to fill it with one column of the table, add `column: {key}` to the axis"
        return f'name the axis `x`, say, and write `{field}: "{{{{ matrix.x.{key} }}}}"`'
    return None


def _empty_cell_hint(recipe: CompiledJob, field: str) -> str:
    """An empty cell is no missing field, which is what most people mean by it."""
    if field not in recipe.entry.input:
        return "the cell is empty, which is an empty text: fill it"
    return "the cell is empty, which is an empty text: fill it, or write `| default('…', true)` behind its name"


def output_of(
    recipe: CompiledJob, row: Row, request: Mapping[str, Json], name: JobName, found: RowProblems
) -> str:
    """The file's path below the output folder, as `output` says or as it is by default."""
    extension, entry = extension_of(recipe.spec, request), recipe.entry
    try:
        written = recipe.output_of(row, name.labels, name.take, name.address)
        if written is not None:
            return safe_output(written, extension)
    except RowProblemFound as problem:
        found.slip(problem.slip)
    except UnsafePath as unsafe:
        slip = RowProblem("output-path", str(unsafe), entry.output_spot, unsafe.hint)
        found.slip(slip, fold=("path",))
    return default_output(name.campaign, entry.name, name.labels, name.take, extension)


def callback_of(recipe: CompiledJob, row: Row, found: RowProblems) -> str | None:
    try:
        url = recipe.callback_of(row)
    except RowProblemFound as problem:
        found.slip(problem.slip)
        return None
    if url is not None and not (is_uri(url) and url.lower().startswith(("http://", "https://"))):
        message = f"`callBackUrl` is not an http(s) URL: {shorten(url)}"
        hint = "it must be reachable from outside: https://example.com/callback"
        found.slip(RowProblem("invalid-field", message, recipe.entry.callback_spot, hint))
    elif url is not None and recipe.entry.correlate and has_attempt(url):
        message = "`callBackUrl` has an `attempt` of its own in its query"
        hint = "name it otherwise, or say `correlate: false` to have the address sent as it is"
        found.slip(RowProblem("invalid-field", message, recipe.entry.callback_spot, hint))
    return url


class DuplicateJobs:
    """Finds jobs that would buy the same request, or write the same file, as an earlier one."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], Job] = {}
        self._files: dict[str, tuple[int, Job]] = {}
        self._folders: dict[str, tuple[int, Job]] = {}

    def check(self, job: Job, found: RowProblems) -> None:
        """What a broken row would do doesn't count."""
        if found.hit:
            return
        first = self._requests.setdefault((job.fingerprint, job.take), job)
        if first is not job:
            found.slip(_same_request(job, first), fold=("twin",))
            return
        first = self._same_file(job)
        if first is not job:
            found.slip(_same_file(job, first.address), fold=("twin",))

    def _same_file(self, job: Job) -> Job:
        """The first job that is in the way of this one's file; the job itself where none is."""
        # Some file systems take `Cup.mp4` and `cup.mp4` for the same file.
        parts = job.output.casefold().split("/")
        path, own = "/".join(parts), (len(self._requests), job)
        folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        in_the_way = [self._files.setdefault(path, own), self._folders.get(path, own)]
        in_the_way += [self._files.get(folder, own) for folder in folders]
        for folder in folders:
            self._folders.setdefault(folder, own)
        return min(in_the_way, key=itemgetter(0))[1]


def _same_request(job: Job, first: Job) -> RowProblem:
    axes = _differing(job, first)
    if len(axes) == 1 and not job.files:  # which may have two names for one content
        message = (
            f"axis `{axes[0]}` makes no difference between `{first.address}` and `{job.address}`: "
            "they are the same request"
        )
        hint = f"read what differs of `matrix.{axes[0]}` in a template, drop one, or say `takes: 2` if buying it twice is meant"
    else:
        message = f"the same request is wanted twice: `{first.address}` and `{job.address}`"
        hint = "vary the input, drop one of them, or say `takes: 2` if buying it twice is meant"
    if job.files:
        hint += "; files of the same content are the same file, whatever their names"
    return RowProblem("duplicate-request", message, _spot(job), hint)


def _differing(job: Job, first: Job) -> list[str]:
    """The axes in which two rows of the same job differ; none for those of different jobs."""
    if job.address.partition("[")[0] != first.address.partition("[")[0]:
        return []
    one, other = dict(job.axes), dict(first.axes)
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def _same_file(job: Job, first: str) -> RowProblem:
    message = f"`{first}` and `{job.address}` would write the same file `{job.output}`"
    return RowProblem(
        "output-collision", message, _spot(job), "put an axis or `{{ take }}` into `output`"
    )


def _spot(job: Job) -> tuple[int, int]:
    return (job.place.line, job.place.column)
