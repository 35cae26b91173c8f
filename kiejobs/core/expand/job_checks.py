"""Is one row's job a job that may be bought?

In: a compiled job, a row's values, the request made of them. Out: problems, and the parts of a job that
are checked as they are made: its output path, always below the output folder, and its callback URL.
Touches nothing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from operator import itemgetter
from typing import TYPE_CHECKING

from kiejobs.core.address import default_output
from kiejobs.core.document.checked import is_uri
from kiejobs.core.document.schema_errors import dotted
from kiejobs.core.document.wording import shorten, show
from kiejobs.core.models.spec import extension_of
from kiejobs.core.urls import has_attempt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.document.schema_errors import SchemaProblem
    from kiejobs.core.expand.compiled_job import CompiledJob, Draft, Rendering
    from kiejobs.core.expand.job import Job
    from kiejobs.core.expand.local_files import NoFile
    from kiejobs.core.expand.row_problems import Places, RowProblem
    from kiejobs.core.expand.typed_matrix import AxisValue, Values
    from kiejobs.core.models.file_fields import Path

_LONGEST_PART = 220  # bytes: 255 less what an extension, `beside` and a partial file's ending take
_LONGEST_PATH = 1_000
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")
_UNFIT = frozenset('<>"|?*')  # what Windows takes in no name
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{n}{d}" for n in ("COM", "LPT") for d in range(1, 10))}

_BARE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_CODES = {
    "unknown": "unknown-field",
    "required": "missing-field",
    "needed": "missing-field",
    "conflict": "field-conflict",
}
_OF_ABSENCE = {"required", "needed", "conflict"}
"""Kinds of problems that a field which failed to render may only seem to have."""


# --- the request -----------------------------------------------------------------------------------


def check_request(
    job: CompiledJob, values: Values, request: Mapping[str, Json], *, failed_to_render: bool
) -> Iterator[RowProblem]:
    """Against the model's schema. A field that failed to render is not reported as missing as well."""
    for problem in job.checker.problems(request):
        if failed_to_render and problem.keyword in _OF_ABSENCE:
            continue
        if problem.keyword in {"needed", "conflict"}:
            yield _broken_rule(job, values, problem, request)
        else:
            yield _wrong_field(job, values, problem, request)


def _wrong_field(
    job: CompiledJob, values: Values, problem: SchemaProblem, request: Mapping[str, Json]
) -> RowProblem:
    field = str(problem.path[0]) if problem.path else ""
    spot = job.places.spot_of(field, values, key=problem.at_key)
    code = _CODES.get(problem.keyword, "invalid-field")
    cell = None if problem.at_key else job.cell_of(field, values)
    value = request.get(field)
    hint = _matrix_hint(job, field, value, cell) or problem.hint
    if value == "" and cell is not None:
        hint = _empty_cell_hint(job, field)
    # The message may state a value that differs from row to row.
    stated = problem.message if problem.keyword == "required" else ""
    fold = (field, problem.keyword, stated)
    return job.places.problem(code, problem.message, spot, hint, cell=cell, fold=fold)


def _broken_rule(
    job: CompiledJob, values: Values, problem: SchemaProblem, request: Mapping[str, Json]
) -> RowProblem:
    """At the first field that can be changed where it stands, with the places of the others."""
    named = (*map(str, problem.path), *problem.others)
    spots = {name: job.places.spot_if_written(name, values, key=problem.at_key) for name in named}
    written = [spot for spot in spots.values() if spot is not None] or [job.matrix.entry.spot]
    hints = [problem.hint, _exclude_hint(job, values, named)]
    hints += [
        f"`{name}` is {show(request[name])} where the job file is silent"
        for name, spot in spots.items()
        if spot is None and name in job.matrix.spec.defaults
    ]
    hint = "; ".join(filter(None, hints)) or None
    also = tuple(dict.fromkeys(spot for spot in written[1:] if spot != written[0]))
    blamed = next((name for name, spot in spots.items() if spot is not None), "")
    cell = job.cell_of(blamed, values)
    code = _CODES[problem.keyword]
    return job.places.problem(code, problem.message, written[0], hint, also=also, cell=cell)


def _exclude_hint(job: CompiledJob, values: Values, names: Sequence[str]) -> str | None:
    """Where several axes make the combination, it can be left out."""
    several = {axis.name for axis in job.matrix.rows.axes if len(axis.values) > 1}
    axes = [name for name in names if name in several and name in values]
    if len(axes) < 2:
        return None
    entry = ", ".join(f"{name}: {_as_written(values[name])}" for name in axes)
    return f"or leave the combination out with `exclude: [{{{entry}}}]`"


def _as_written(given: AxisValue) -> str:
    """As it can be copied into a job file: a label has its odd characters escaped, for addresses."""
    if not isinstance(given.value, str) or _BARE.fullmatch(given.value):
        return given.part[1]
    return json.dumps(given.value, ensure_ascii=False)


def _matrix_hint(job: CompiledJob, field: str, value: Json, cell: Place | None) -> str | None:
    """What helps where a matrix was meant, or too much was asked of one."""
    kind = job.matrix.spec.fields.get(field, {}).get("type")
    if isinstance(value, list) and kind not in {None, "array"} and value:
        return f"for a job with each of them, write it as an axis: `matrix: {{{field}: {show(value)}}}`"
    if isinstance(value, dict) and kind not in {None, "object"} and value:
        key = next((key for key in value if key not in {"id", "name"}), "id")
        if cell is not None:
            return f"to fill it with one column of the table, add `column: {key}` to the axis"
        return f'name the axis `x`, say, and write `{field}: "{{{{ matrix.x.{key} }}}}"`'
    return None


def _empty_cell_hint(job: CompiledJob, field: str) -> str:
    """An empty cell is no missing field, which is what most people mean by it."""
    if field not in job.matrix.entry.input:
        return "the cell is empty, which is an empty text: fill it"
    return "the cell is empty, which is an empty text: fill it, or write `| default('…', true)` behind its name"


def check_files(
    job: CompiledJob, values: Values, wrong: Sequence[tuple[Path, NoFile]]
) -> Iterator[RowProblem]:
    """What is wrong with the local files of a request, each at its own place."""
    for path, no_file in wrong:
        spot, cell = job.places.spot_within(path, values), job.cell_of(str(path[0]), values)
        message = f"`{dotted(path)}` {no_file.why}"
        yield job.places.problem(no_file.code, message, spot, no_file.hint, cell=cell)


def callback_of(made: Draft) -> tuple[str | None, list[RowProblem]]:
    """The rendered `callBackUrl`, if there is one."""
    job, entry, written = made.job, made.job.matrix.entry, made.callback
    if written is None:
        return None, []
    if written.problem is not None:
        return None, [written.problem]
    url = str(written.value)
    if not (is_uri(url) and url.lower().startswith(("http://", "https://"))):
        message = f"`callBackUrl` is not an http(s) URL: {shorten(url)}"
        hint = "it must be reachable from outside: https://example.com/callback"
    elif entry.correlate and has_attempt(url):
        message = "`callBackUrl` has an `attempt` of its own in its query"
        hint = "name it otherwise, or say `correlate: false` to have the address sent as it is"
    else:
        return url, []
    return url, [job.places.problem("invalid-field", message, entry.callback_spot, hint)]


# --- the output path -------------------------------------------------------------------------------


def output_of(
    made: Draft, campaign: str, take: int, written: Rendering | None, request: Mapping[str, Json]
) -> tuple[str, list[RowProblem]]:
    """The file's path below the output folder, as `output` says or as it is by default."""
    job, entry = made.job, made.job.matrix.entry
    extension = extension_of(job.matrix.spec, request)
    problems: list[RowProblem] = []
    if written is not None and written.problem is not None:
        problems = [written.problem]
    elif written is not None:
        try:
            return safe_output(str(written.value), extension), []
        except UnsafePath as unsafe:
            message, spot, hint = str(unsafe), entry.output_spot, unsafe.hint
            problems = [job.places.problem("output-path", message, spot, hint, fold=("path",))]
    return default_output(campaign, entry.name, made.labels, take, extension), problems


class UnsafePath(ValueError):
    """The path would leave the output folder or can't be a file's name everywhere."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def safe_output(text: str, extension: str) -> str:
    """The path below the output folder; a leading `outputs/` is taken as that folder itself.

    `extension` (with its dot) is added where the text has none. Raises UnsafePath.
    """
    path = unicodedata.normalize("NFC", text.strip())
    parts = path.split("/")
    if parts[0] == "outputs" and len(parts) > 1:
        parts = parts[1:]
    if path.startswith(("/", "~")) or "\\" in path or ":" in path:
        hint = "write a path with `/` below the output folder, like `{{ job }}/{{ axes }}`"
        raise UnsafePath(f"`output` must be a relative path: {path[:80]!r}", hint)
    for part in parts:
        _check_part(part, path)
    if len(path.encode(errors="surrogatepass")) > _LONGEST_PATH:
        raise UnsafePath("`output` gives a path of more than 1,000 bytes")
    stem, dot, ending = parts[-1].rpartition(".")
    if not (stem and _EXTENSION.fullmatch(dot + ending)):
        parts[-1] += extension  # `v1.5` and `.hidden` end in no extension
    if parts[-1].endswith(".part"):
        raise UnsafePath("`output` ends in .part, which is kept for files that are not whole yet")
    return "/".join(parts)


def _check_part(part: str, path: str) -> None:
    if part in {"", ".", ".."}:
        hint = "`..` and empty parts are not allowed; the file stays below the output folder"
        raise UnsafePath(f"`output` has a part {part!r} in {path[:80]!r}", hint)
    if any(unicodedata.category(char) in {"Cc", "Cs", "Cf"} for char in part):
        raise UnsafePath(f"`output` has a control character in {path[:80]!r}")
    if part != part.strip() or part.endswith("."):
        raise UnsafePath(
            f"`output` has a part that begins or ends in a blank, or ends in a dot: {part!r}"
        )
    unfit = sorted(_UNFIT.intersection(part))
    if unfit:
        shown = f"`{unfit[0]}`"
        raise UnsafePath(f"`output` has a {shown}, which some systems take in no name: {part!r}")
    if part.partition(".")[0].upper() in _RESERVED:
        raise UnsafePath(f"`output` has a part that some systems reserve: {part!r}")
    if len(part.encode(errors="surrogatepass")) > _LONGEST_PART:
        raise UnsafePath(f"`output` has a part of more than {_LONGEST_PART} bytes: {part[:40]!r}…")


# --- no two jobs alike -----------------------------------------------------------------------------


class DuplicateJobs:
    """Finds jobs that would buy the same request, or write the same file, as an earlier one."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], Job] = {}
        self._files: dict[str, tuple[int, Job]] = {}
        self._folders: dict[str, tuple[int, Job]] = {}

    def check(self, job: Job, places: Places) -> list[RowProblem]:
        """Asked of jobs without problems only: what a broken row would do doesn't count."""
        first = self._requests.setdefault((job.fingerprint, job.take), job)
        if first is not job:
            return [_same_request(job, first, places)]
        first = self._same_file(job)
        return [] if first is job else [_same_file(job, first, places)]

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


def _same_request(job: Job, first: Job, places: Places) -> RowProblem:
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
    spot = places.entry.spot
    return places.problem("duplicate-request", message, spot, hint, fold=("duplicate",))


def _differing(job: Job, first: Job) -> list[str]:
    """The axes in which two rows of the same job differ; none for those of different jobs."""
    if job.address.partition("[")[0] != first.address.partition("[")[0]:
        return []
    one, other = dict(job.axes), dict(first.axes)
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def _same_file(job: Job, first: Job, places: Places) -> RowProblem:
    message = f"`{first.address}` and `{job.address}` would write the same file `{job.output}`"
    hint, spot = "put an axis or `{{ take }}` into `output`", places.entry.spot
    return places.problem("output-collision", message, spot, hint, fold=("duplicate",))
