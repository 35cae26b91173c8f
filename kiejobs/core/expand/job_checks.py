"""Is one row's job a job that may be bought, and does all that its entry says matter?

In: a compiled job, a row, its request. Out: problems and warnings, a job's output path (always below the output
folder) and its callback URL. Touches nothing.
Where a template may read anything at all, nothing is reported as unused: no false alarms.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

from kiejobs.core.address import default_output
from kiejobs.core.diagnostics import Diagnostic, Severity
from kiejobs.core.document.checked import dotted, is_uri
from kiejobs.core.document.nodes import YamlMap
from kiejobs.core.document.wording import reference, shorten, show
from kiejobs.core.template.renderer import OMIT
from kiejobs.core.urls import has_attempt, private_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.checked import SchemaProblem
    from kiejobs.core.document.nodes import Document, Json, Spot
    from kiejobs.core.expand.compiled_job import CompiledJob, Drafts
    from kiejobs.core.expand.job import Job, NoFile
    from kiejobs.core.expand.row_problems import RowProblem
    from kiejobs.core.expand.typed_matrix import AxisValue, Values
    from kiejobs.core.jobfile import JobFile
    from kiejobs.core.models.spec import Path, Spec
    from kiejobs.core.template.renderer import Reads

_LONGEST_PART = 220  # bytes: 255 less what an extension, `beside` and a partial file's ending take
_LONGEST_PATH = 1_000
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")
_UNFIT = frozenset('<>"|?*')  # what Windows takes in no name
_RESERVED = re.compile(r"CON|PRN|AUX|NUL|(?:COM|LPT)[1-9]", re.IGNORECASE)

_BARE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_CODES = {
    "unknown": "unknown-field",
    "required": "missing-field",
    "needed": "missing-field",
    "conflict": "field-conflict",
    "blank": "missing-field",
    "control": "invalid-text",
}
_OF_ABSENCE = {"required", "needed", "conflict"}
"""Kinds of problems that a field which failed to render may only seem to have."""

_NEAR = 0.9
_SHORTEST = 100
"""Characters; a smaller limit is that of a name or a code, where nothing grows."""


# --- the request -----------------------------------------------------------------------------------


def request_problems(
    job: CompiledJob,
    values: Values,
    refused: Sequence[SchemaProblem],
    request: Mapping[str, Json],
    *,
    failed_to_render: bool,
) -> Iterator[RowProblem]:
    """What the model's schema refuses. A field that failed to render is not reported as missing as well."""
    for problem in refused:
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
    is_nothing = value is None and field in request
    if cell is not None and (is_nothing or (isinstance(value, str) and not value.strip())):
        hint = _cell_hint(job, field, is_null=is_nothing)
    # The message may state a value that differs from row to row.
    stated = problem.message if problem.keyword == "required" else ""
    fold = (field, problem.keyword, stated)
    return job.places.problem(code, problem.message, spot, hint, cell=cell, fold=fold)


def _cell_hint(job: CompiledJob, field: str, *, is_null: bool = False) -> str:
    """What helps where a cell is empty, or has blanks only; with `is_null` it is null, or not there."""
    hint, written = "the cell is empty, which is an empty text: fill it", job.entry.input.get(field)
    hint, trim = ("the row has no value for it: write one", "") if is_null else (hint, "trim | ")
    is_template = isinstance(written, str)
    if field in job.spec.required:
        return f"{hint}, or write `| {trim}default('…', true)` behind its name" if is_template else hint
    name = (
        str(written).strip().removeprefix("{{").removesuffix("}}").strip("- ") if is_template else "matrix.x"
    )
    way = "" if is_template else "name the axis `x`, say, and write "
    return f'{hint}, or leave the field out: {way}`{field}: "{{{{ {name} | {trim}default(omit, true) }}}}"`'


def _broken_rule(
    job: CompiledJob, values: Values, problem: SchemaProblem, request: Mapping[str, Json]
) -> RowProblem:
    """At the first field that can be changed in its place, with the places of the others."""
    named = (*map(str, problem.path), *problem.others)
    spots = {name: job.places.spot_if_written(name, values, key=problem.at_key) for name in named}
    written = [spot for spot in spots.values() if spot is not None] or [job.entry.spot]
    hints = [problem.hint, _exclude_hint(job, values, named)]
    hints += [
        f"`{name}` is {show(request[name])} where the job file is silent"
        for name, spot in spots.items()
        if spot is None and name in job.spec.defaults
    ]
    hint = "; ".join(filter(None, hints)) or None
    also = tuple(dict.fromkeys(spot for spot in written[1:] if spot != written[0]))
    blamed = next((name for name, spot in spots.items() if spot is not None), "")
    cell = job.cell_of(blamed, values)
    code = _CODES[problem.keyword]
    return job.places.problem(code, problem.message, written[0], hint, also=also, cell=cell)


def _exclude_hint(job: CompiledJob, values: Values, names: Sequence[str]) -> str | None:
    """Where several axes make the combination, it can be left out."""
    several = {axis.name for axis in job.entry.axes if len(axis.values) > 1}
    axes = [name for name in names if name in several and name in values]
    if len(axes) < 2:
        return None
    entry = ", ".join(f"{name}: {_as_written(values[name])}" for name in axes)
    return f"or leave the combination out with `exclude: [{{{entry}}}]`"


def _as_written(given: AxisValue) -> str:
    """As it can be copied into a job file: a label has its odd characters escaped, for addresses."""
    is_odd = isinstance(given.value, str) and not _BARE.fullmatch(given.value)
    return json.dumps(given.value, ensure_ascii=False) if is_odd else given.part[1]


def _matrix_hint(job: CompiledJob, field: str, value: Json, cell: Place | None) -> str | None:
    """What helps where a matrix was meant, or too much was asked of one."""
    kind = job.spec.fields.get(field, {}).get("type")
    if isinstance(value, list) and kind not in {None, "array"} and value:
        return f"for a job with each of them, write it as an axis: `matrix: {{{field}: {show(value)}}}`"
    if isinstance(value, dict) and kind not in {None, "object"} and value:
        key = next((key for key in value if key not in {"id", "name"}), "id")
        if cell is not None:
            return f"to fill it with one column of the table, add `column: {key}` to the axis"
        return f'name the axis `x`, say, and write `{field}: "{{{{ matrix.x.{key} }}}}"`'
    return None


def file_problems(
    job: CompiledJob, values: Values, wrong: Sequence[tuple[Path, NoFile]]
) -> Iterator[RowProblem]:
    """What is wrong with the local files of a request, each at its own place."""
    for path, no_file in wrong:
        spot, cell = job.places.spot_within(path, values), job.cell_of(str(path[0]), values)
        message, hint = f"`{dotted(path)}` {no_file.why}", no_file.hint
        if no_file.is_blank and cell is not None:
            hint = _cell_hint(job, str(path[0]))
        elif no_file.is_blank and str(path[0]) in job.fields:
            hint = f"{hint}; write `| trim | default(omit, true)` behind a name to leave it out where it is empty"
        elif no_file.is_blank and len(path) == 1 and path[0] not in job.spec.required:
            hint = f"leave `{path[0]}` out, or {hint}"
        yield job.places.problem(no_file.code, message, spot, hint, cell=cell)


def callback_of(made: Drafts, at: int) -> tuple[str | None, list[RowProblem]]:
    """The `callBackUrl` as rendered, if there is one."""
    job, entry = made.jobs[at], made.jobs[at].entry
    written = None if made.callback is None else made.callback[at]
    if written is not None and written.problem is not None:
        return None, [written.problem]
    if written is not None and written.value == OMIT:
        return None, []
    url = str(entry.callback_url if written is None else written.value)
    if not (is_uri(url) and url.lower().startswith(("http://", "https://"))):
        message = f"`callBackUrl` is not an http(s) URL: {shorten(url)}"
        hint = "it must be reachable from outside: https://example.com/callback"
    elif entry.correlate and has_attempt(url):
        message = "`callBackUrl` has an `attempt` of its own in its query"
        hint = "rename it, or set `correlate: false` to send the URL unchanged"
    else:
        return url, []
    return url, [job.places.problem("invalid-field", message, entry.callback_spot, hint)]


def unreachable_callbacks(jobfile: JobFile, jobs: Sequence[Job]) -> Iterator[Diagnostic]:
    """A warning for each: results are collected without it, too."""
    spots = {entry.name: entry.callback_spot for entry in jobfile.entries if entry.callback_url is not None}
    urls = dict.fromkeys((job.name, job.callback_url) for job in jobs if job.name in spots) if spots else ()
    for name, url in urls:
        host = private_host(url or "")
        if host is not None:
            message = f"job `{name}`: `callBackUrl` is at {shorten(host)}, which the API can't reach"
            place, hint = jobfile.document.at(spots[name]), "write the address that leads there from outside"
            yield Diagnostic("unreachable-address", message, place, hint, Severity.WARNING)


# --- the output path -------------------------------------------------------------------------------


def output_of(
    made: Drafts, at: int, campaign: str, take: int, extension: str
) -> tuple[str, list[RowProblem]]:
    """The file's path below the output folder, as `output` says; as it is by default where that can't be."""
    entry, rendered = made.jobs[at].entry, made.outputs[take - 1][at]
    problem = None if rendered is None else rendered.problem
    if problem is None:
        try:
            written = entry.output if rendered is None else rendered.value
            return safe_output(str(written), extension), []
        except UnsafePath as unsafe:
            message, spot, hint = str(unsafe), entry.output_spot, unsafe.hint
            problem = made.jobs[at].places.problem("output-path", message, spot, hint, fold=("path",))
    return default_output(campaign, entry.name, made.axes[at], take, extension), [problem]


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
        raise UnsafePath("`output` ends in .part, which is kept for files that are not complete yet")
    return "/".join(parts)


def _check_part(part: str, path: str) -> None:
    if part in {"", ".", ".."}:
        hint = "`..` and empty parts are not allowed; the file stays below the output folder"
        raise UnsafePath(f"`output` has a part {part!r} in {path[:80]!r}", hint)
    if any(unicodedata.category(char) in {"Cc", "Cs", "Cf"} for char in part):
        raise UnsafePath(f"`output` has a control character in {path[:80]!r}")
    if part != part.strip() or part.endswith("."):
        raise UnsafePath(f"`output` has a part that begins or ends in a blank, or ends in a dot: {part!r}")
    unfit = sorted(_UNFIT.intersection(part))
    if unfit:
        shown = f"`{unfit[0]}`"
        raise UnsafePath(f"`output` has a {shown}, which some systems don't allow in names: {part!r}")
    if _RESERVED.fullmatch(part.partition(".")[0]):
        raise UnsafePath(f"`output` has a part that some systems reserve: {part!r}")
    if len(part.encode(errors="surrogatepass")) > _LONGEST_PART:
        raise UnsafePath(f"`output` has a part of more than {_LONGEST_PART} bytes: {part[:40]!r}…")


# --- what nothing reads ----------------------------------------------------------------------------


def unused_variables(
    document: Document, jobs: Sequence[CompiledJob], reads: Sequence[Reads]
) -> Iterator[Diagnostic]:
    """Those that no template reads, of those that it could. For a job file without errors."""
    declared = document.root.get("vars")
    idle = dict(declared.key_spots) if isinstance(declared, YamlMap) else {}
    own: dict[tuple[str, Spot], bool] = {}
    for job, read in zip(jobs, reads, strict=True):
        for name, spot in job.entry.own_vars.key_spots.items():
            own[name, spot] = own.get((name, spot), False) or read.vars is None or name in read.vars
        idle = {} if read.vars is None else {name: at for name, at in idle.items() if name not in read.vars}
    for name, spot in (*idle.items(), *(key for key, is_read in own.items() if not is_read)):
        if not name.startswith("x-"):
            message = f"no template reads the variable `{name}`"
            hint = f"write `{{{{ {reference('vars', name)} }}}}` where it is meant, drop it, or name it `x-{name}`"
            yield Diagnostic("unused-variable", message, document.at(spot), hint, Severity.WARNING)


# --- texts that hardly fit -------------------------------------------------------------------------


class LengthWarnings:
    """The next longer word makes the API refuse them. `look` at each job, then ask for the `warnings`.

    One for each place that such a text was written at, with the longest of them as the example.
    """

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self._limits = {model: _limits(spec) for model, spec in specs.items()}
        self._found: dict[tuple[Spot, str], list[Job]] = {}

    def is_near(self, model: str, field: str, text: Json) -> bool:
        most = self._limits[model].get(field)
        return most is not None and isinstance(text, str) and _NEAR * most <= len(text) <= most

    def look(self, job: Job, made: Drafts, at: int) -> None:
        for field in self._limits[job.model]:
            if self.is_near(job.model, field, job.input.get(field)):
                spot = made.jobs[at].places.spot_of(field, made.rows[at])
                self._found.setdefault((spot, field), []).append(job)

    def warnings(self, document: Document) -> Iterator[Diagnostic]:
        for (spot, field), jobs in self._found.items():
            example = max(jobs, key=lambda job: len(job.input[field]))
            upto, length = "up to " if len(jobs) > 1 else "", len(example.input[field])
            most = self._limits[example.model][field]
            yield Diagnostic(
                "near-limit",
                f"`{field}` has {upto}{length:,} of the {most:,} characters that it may have",
                document.at(spot),
                hint="a longer word in `vars` or on an axis makes it too long; shorten what all share",
                severity=Severity.WARNING,
                count=len(jobs),
                example=example.address,
            )


def _limits(spec: Spec) -> dict[str, int]:
    limits = {}
    for name, field in spec.fields.items():
        most = field.get("maxLength")
        if isinstance(most, int) and most >= _SHORTEST:
            limits[name] = most
    return limits
