"""A job file multiplied into jobs, each made once.

In: a JobFile, the models' specs and prices, a renderer of templates, readers of data and local files. Out: an
`Expansion`, and all problems. Rows go in batches, whose templates are rendered in one call. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING

from kiejobs.core.address import address, default_output
from kiejobs.core.diagnostics import Diagnostic, Problems, Severity
from kiejobs.core.document.wording import suggest
from kiejobs.core.expand.compiled_job import compile_templates, compiled_job, drafts, render_batch
from kiejobs.core.expand.job import Job, no_files, place_files
from kiejobs.core.expand.job_checks import (
    LengthWarnings,
    callback_of,
    output_of,
    unreachable_callbacks,
    unused_variables,
)
from kiejobs.core.expand.request import Requests
from kiejobs.core.expand.row_problems import DuplicateJobs, Places, RowProblems
from kiejobs.core.expand.written import comments, idle_axes, misread, reads_of_jobs
from kiejobs.core.jobfile import how_to_allow
from kiejobs.core.models.spec import files_of
from kiejobs.core.models.validator import RequestChecker
from kiejobs.core.prices.table import NO_PRICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.expand.compiled_job import Batch, CompiledJob, Drafts
    from kiejobs.core.expand.job import LocalFiles
    from kiejobs.core.expand.model_choice import ModelChoice
    from kiejobs.core.expand.request import PlacesFiles, Request
    from kiejobs.core.expand.row_problems import RowProblem
    from kiejobs.core.expand.typed_matrix import TypedMatrix, Values
    from kiejobs.core.jobfile import JobEntry, JobFile
    from kiejobs.core.matrix.load_axes import DataFiles
    from kiejobs.core.models.spec import FileRule, Spec
    from kiejobs.core.prices.table import PriceTable
    from kiejobs.core.template.renderer import Renderer

_IMPORT = "`kiejobs models list` shows all, `kiejobs models import` adds others"
_QUICKLY_COUNTED = 1_000_000
_QUICKLY_TYPED = 20_000
_QUICKLY_WALKED = 5_000_000
_AT_ONCE = 4_000
"""Rows in one batch: many for one call, and few to be held before they are jobs."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The specs that a job file may use: known model names, one spec by its name; and the prices.

    A known model without a spec is one whose schema is broken, which was reported already. `public_only`: their
    API is out in the world, and reaches no address of a network of one's own.
    """

    models: tuple[str, ...]
    spec: Callable[[str], Spec | None]
    prices: PriceTable = NO_PRICES
    public_only: bool = False


@dataclass(frozen=True, slots=True)
class Expansion:
    """All jobs of one job file, in the order of submission.

    `broken` are the addresses of jobs that could not be made as they are written; `job_names` those of
    entries that could be multiplied, `spec_of` the models that these use.
    """

    jobfile: JobFile
    prices: PriceTable
    jobs: tuple[Job, ...] = ()
    broken: frozenset[str] = frozenset()
    job_names: frozenset[str] = frozenset()
    spec_of: Mapping[str, Spec] = field(default_factory=dict)


def expand(
    jobfile: JobFile,
    catalogue: Catalogue,
    renderer: Renderer,
    *,
    sound: bool = True,
    max_jobs: int | None = None,
    files: LocalFiles = no_files,
    data: DataFiles | None = None,
) -> tuple[Expansion, Problems]:
    """The job file's jobs, and all problems. Nothing is rendered beyond `max_jobs`.

    `files` reads the local files that requests point at, `data` what the axes are made of. What nothing
    reads is worth a warning only in a file that was `sound` so far.
    """
    limit = max_jobs if max_jobs is not None else jobfile.max_jobs
    lacking, of_data = frozenset[str](), Problems()
    if any(entry.has_matrix for entry in jobfile.entries):
        from kiejobs.core.matrix.load_axes import with_data  # noqa: PLC0415 - for a matrix only

        jobfile, lacking, of_data = with_data(jobfile, data, limit)
    far_too_many = _beyond_counting(jobfile, lacking, limit)
    if far_too_many and _listed(jobfile) > _QUICKLY_TYPED:
        return Expansion(jobfile, catalogue.prices), of_data + Problems(far_too_many)
    jobs, choices, unknown = _compiled(jobfile, catalogue, renderer, lacking, limit, walk=not far_too_many)
    far_too_many = far_too_many or _too_hard(jobfile, [(job.entry, job.matrix) for job in jobs], limit)
    whole, problems = _whole(jobs, lacking, renderer, walk=not far_too_many)
    problems = [*of_data, *unknown, *problems]
    too_many = far_too_many or _too_many(jobfile, whole, limit)
    if too_many:
        problems += too_many
        return Expansion(jobfile, catalogue.prices), Problems(problems, of_data.lines)
    _compile(whole, renderer)
    placed = partial(place_files, read=files, public_only=catalogue.public_only)
    expansion, found = _multiplied(jobfile, whole, catalogue.prices, renderer, placed)
    if catalogue.public_only:
        found += unreachable_callbacks(jobfile, expansion.jobs)
    problems += (one for choice in choices for one in choice.problems(walk=False))  # all were walked by now
    is_whole = (
        sound
        and not Problems(unknown).fatal
        and len({job.entry.name for job in whole}) == len(jobfile.entries)
    )
    problems += _as_written(jobfile, whole, found, is_whole=is_whole)
    return expansion, Problems(problems, of_data.lines)


def _as_written(
    jobfile: JobFile, jobs: Sequence[CompiledJob], found: list[Diagnostic], *, is_whole: bool
) -> list[Diagnostic]:
    """What was `found` in rows, and what the file shows that they are not."""
    document = jobfile.document
    found = [*found, *comments(document, jobs)]
    if any(job.entry.checks is not None for job in jobs):
        from kiejobs.core.expand.result_checks import useless_checks  # noqa: PLC0415 - most files have none

        found += useless_checks(document, jobs)
    has_vars = jobfile.vars or any(entry.vars is not None for entry in jobfile.entries)
    if not (has_vars or document.numbers or any(job.matrix is not None for job in jobs)):
        return found
    reads = reads_of_jobs(jobs)
    wrong = list(misread(jobfile, jobs, reads))
    is_read = not any(one.broken for job in jobs for one in (*job.templates, *job.fills.values()))
    idle = list(idle_axes(document, jobs, reads)) if is_whole and is_read else []
    if idle:  # they are why requests are alike
        found = [one for one in found if one.code != "duplicate-request"]
    found = [*found, *dict.fromkeys(wrong), *idle]  # a job may be compiled for several models
    if is_whole and not Problems(found).fatal:
        found += unused_variables(document, jobs, reads)
    return found


def wanted_files(expansion: Expansion) -> dict[str, FileRule]:
    """Each file on the web that any request points at, in the order of the jobs, and what it must be."""
    found: dict[str, FileRule] = {}
    for job in expansion.jobs:
        for url, rule in files_of(expansion.spec_of[job.model], job.input):
            if url.lower().startswith(("http://", "https://")):
                found[url] = found[url] & rule if url in found else rule
    return found


# --- job entries -----------------------------------------------------------------------------------


def _compiled(
    jobfile: JobFile,
    catalogue: Catalogue,
    renderer: Renderer,
    lacking: AbstractSet[str],
    limit: int,
    *,
    walk: bool,
) -> tuple[list[CompiledJob], list[ModelChoice], list[Diagnostic]]:
    """The entries whose model is known, their templates still to be compiled; one for each model of an entry.

    An entry whose model an axis or a template says is left out where that axis is `lacking`, or nothing is to be
    walked: there is a problem already.
    """
    found: list[CompiledJob] = []
    choices: list[ModelChoice] = []
    problems: list[Diagnostic] = []
    checkers: dict[str, RequestChecker] = {}
    for entry in jobfile.entries:
        choice = _choice(jobfile, entry, catalogue, renderer)
        if choice is not None and (entry.name in lacking or not walk):
            continue
        models, wrong = _models(jobfile, entry, choice, catalogue, limit)
        problems += wrong
        choices += [choice] if choice is not None and models else []
        for model, place in models.items():
            spec = catalogue.spec(model)
            if spec is None:
                problems += _unknown_model(model, place, catalogue)
                continue
            if spec.model not in checkers:
                checkers[spec.model] = RequestChecker(spec)
                problems += [] if spec.retired is None else [_retired(spec, place)]
            matrix, places = None, Places(jobfile.document, entry)
            if entry.has_matrix:
                from kiejobs.core.expand.typed_matrix import TypedMatrix  # noqa: PLC0415 - rarely

                matrix = TypedMatrix(entry, spec, None if choice is None else choice.is_for(model))
            said_by = None if choice is None else choice.said_by
            found.append(compiled_job(entry, spec, matrix, checkers[spec.model], places, said_by))
    return found, choices, problems


def _choice(
    jobfile: JobFile, entry: JobEntry, catalogue: Catalogue, renderer: Renderer
) -> ModelChoice | None:
    if not entry.may_choose:
        return None
    from kiejobs.core.expand.model_choice import ModelChoice, has_choice  # noqa: PLC0415 - rarely

    return ModelChoice(jobfile, entry, renderer) if has_choice(jobfile, entry, catalogue.models) else None


def _models(
    jobfile: JobFile, entry: JobEntry, choice: ModelChoice | None, catalogue: Catalogue, limit: int
) -> tuple[Mapping[str, Place], list[Diagnostic]]:
    """Those of an entry, with where each is written."""
    if choice is None and entry.model is not None:
        return {entry.model: jobfile.document.at(entry.model_spot)}, []
    if choice is None:
        message = f"job `{entry.name}` names no model, and neither do the defaults"
        hint = f"add `model: {catalogue.models[0]}`" if catalogue.models else None
        return {}, [Diagnostic("no-model", message, jobfile.document.at(entry.spot), hint)]
    hard = _too_hard(jobfile, [(entry, choice.matrix)], limit)
    broken = choice.problems(walk=False)
    if hard or broken:
        return {}, hard or broken
    models = choice.models()
    return models, [] if models else choice.problems(walk=True)


def _unknown_model(model: str, place: Place, catalogue: Catalogue) -> Iterator[Diagnostic]:
    """Nothing where its schema is broken, which was reported already."""
    if model not in catalogue.models:
        hint = suggest(model, catalogue.models, also=_IMPORT)
        yield Diagnostic("unknown-model", f"the model `{model}` is not known", place, hint)


def _retired(spec: Spec, place: Place) -> Diagnostic:
    """A warning only: the catalogue may be wrong, and what was bought is still there."""
    message = f"the model `{spec.model}` is retired: it is not in the vendor's catalogue of {spec.retired}"
    hint = "the API may refuse new jobs; jobs that were bought are still collected"
    return Diagnostic("retired-model", message, place, hint, Severity.WARNING)


def _whole(
    jobs: Sequence[CompiledJob], lacking: frozenset[str], renderer: Renderer, *, walk: bool
) -> tuple[list[CompiledJob], list[Diagnostic]]:
    """The jobs whose rows can be walked, and what can be reported of the others."""
    whole: list[CompiledJob] = []
    broken: list[CompiledJob] = []
    problems: list[Diagnostic] = []
    for job in jobs:
        wrong: list[Diagnostic] = []
        if job.matrix is not None and job.entry.name not in lacking:
            wrong = job.matrix.problems(job.places.document, walk=walk)
        problems += (one for one in wrong if one not in problems)  # a job may be compiled for several models
        (broken if wrong or job.entry.name in lacking else whole).append(job)
    _compile(broken, renderer)
    templates = (one for job in broken for one in job.templates)
    problems += [one.broken.diagnostic for one in templates if one.broken is not None]
    return whole, problems


def _compile(jobs: Sequence[CompiledJob], renderer: Renderer) -> None:
    """Without templates the renderer is not called."""
    templates = [one for job in jobs for one in (*job.templates, *job.fills.values())]
    if templates:
        compile_templates(templates, renderer)


# --- how many --------------------------------------------------------------------------------------


def _beyond_counting(jobfile: JobFile, lacking: AbstractSet[str], limit: int) -> list[Diagnostic]:
    """Where the lengths of the axes show that the rows are too many, or too many to work out excludes."""
    entries = [entry for entry in jobfile.entries if entry.name not in lacking]
    fewest = most = 0
    for entry in entries:
        size = entry.product_size * entry.takes
        fewest += 0 if entry.exclude else size
        most += size + len(entry.include) * entry.takes
    listed = _listed(jobfile)
    countable = max(_QUICKLY_COUNTED, 100 * limit) if listed <= _QUICKLY_COUNTED else limit
    if most > countable:
        wanted = f"up to {most:,}" if most < 10**15 else "more than a quadrillion"
    elif fewest > limit and listed > _QUICKLY_TYPED:
        wanted = f"{fewest:,}" if fewest == most else f"at least {fewest:,}"
    else:
        return []
    return [_over_the_limit(jobfile, entries, wanted, fewest, limit)]


def _listed(jobfile: JobFile) -> int:
    """How many values the axes of all jobs have: those of `defaults` count for each job."""
    return sum(len(axis.values) for entry in jobfile.entries for axis in entry.axes)


def _too_hard(
    jobfile: JobFile, matrices: Sequence[tuple[JobEntry, TypedMatrix | None]], limit: int
) -> list[Diagnostic]:
    """Where working out exclude and include would take long."""
    rows = [(entry, matrix.rows) for entry, matrix in matrices if matrix is not None]
    if sum(one.work for _, one in rows) <= max(_QUICKLY_WALKED, 100 * limit):
        return []
    entry, hardest = max(rows, key=lambda each: each[1].work)
    message = (
        f"job `{entry.name}`: {hardest.product_size:,} combinations against "
        f"{len(entry.exclude)} exclude and {len(entry.include)} include entries "
        "take too long to work out"
    )
    hint = "split the matrix over several jobs, each with the entries that concern it"
    return [Diagnostic("matrix-too-large", message, jobfile.document.at(entry.spot), hint)]


def _too_many(jobfile: JobFile, jobs: Sequence[CompiledJob], limit: int) -> list[Diagnostic]:
    total = sum(job.entry.takes * (job.matrix.size if job.matrix else 1) for job in jobs)
    if total <= limit:
        return []
    return [_over_the_limit(jobfile, [job.entry for job in jobs], f"{total:,}", total, limit)]


def _over_the_limit(
    jobfile: JobFile, entries: Sequence[JobEntry], wanted: str, fewest: int, limit: int
) -> Diagnostic:
    largest = max(entries, key=lambda entry: entry.product_size * entry.takes)
    message = f"the file makes {wanted} jobs; at most {limit:,} are allowed"
    hint = f"narrow a matrix, or {how_to_allow(max(fewest, limit + 1))}"
    return Diagnostic("too-many-jobs", message, jobfile.document.at(largest.spot), hint)


# --- jobs ------------------------------------------------------------------------------------------


def _multiplied(
    jobfile: JobFile,
    compiled: Sequence[CompiledJob],
    prices: PriceTable,
    renderer: Renderer,
    files: PlacesFiles,
) -> tuple[Expansion, list[Diagnostic]]:
    specs = {job.spec.model: job.spec for job in compiled}
    found, duplicates, lengths = RowProblems(), DuplicateJobs(), LengthWarnings(specs)
    requests: dict[object, Requests] = {}
    jobs: list[Job] = []
    broken: set[str] = set()
    for made in _drafts(compiled, jobfile.campaign, renderer):
        alike = made.jobs[0].alike
        if alike not in requests:
            requests[alike] = Requests(made.jobs[0], files, prices, lengths)
        ready = requests[alike].of(made)
        for at, job, problems in _jobs(made, ready, jobfile.campaign):
            if problems:
                broken.add(job.address)
            for problem in problems or duplicates.check(job, made.jobs[at].places):
                found.add(problem, (job.name, job.model), job.address)
            if ready[at][0].is_long:
                lengths.look(job, made, at)
            jobs.append(job)
    names = frozenset([job.entry.name for job in compiled])
    expansion = Expansion(jobfile, prices, tuple(jobs), frozenset(broken), names, specs)
    return expansion, [*found.folded(), *lengths.warnings(jobfile.document)]


def _drafts(compiled: Sequence[CompiledJob], campaign: str, renderer: Renderer) -> Iterator[Drafts]:
    rows: Iterator[tuple[CompiledJob, Values]] = (
        (job, values) for job in compiled for values in (({},) if job.matrix is None else job.matrix)
    )
    while some := list(islice(rows, _AT_ONCE)):
        batch: Batch = []
        groups = []
        # Rows of one job, or of jobs that are alike, that have values for the same names.
        for _, group in groupby(some, key=lambda row: (row[0].alike, *row[1])):
            jobs, values = zip(*group, strict=True)
            groups.append(drafts(jobs, values, campaign, batch))
        if batch:
            render_batch(batch, renderer)
        yield from groups


def _jobs(
    made: Drafts, ready: Sequence[tuple[Request, Sequence[RowProblem]]], campaign: str
) -> Iterator[tuple[int, Job, Sequence[RowProblem]]]:
    """The jobs of each row, one for each take, with the row's number and what is wrong with them."""
    model = made.jobs[0].spec.model
    for at, (request, of_request) in enumerate(ready):
        entry, wrong, axes, url = made.jobs[at].entry, of_request, made.axes[at], None
        name = entry.name
        if entry.callback_url is not None:
            url, of_url = callback_of(made, at)
            wrong = [*wrong, *of_url]
        body, files, mark, credits_, extension, _ = request
        for take in range(1, entry.takes + 1):
            if entry.output is None:
                path = default_output(campaign, name, axes, take, extension)
            else:
                path, of_path = output_of(made, at, campaign, take, extension)
                wrong = [*wrong, *of_path]
            # By position: by name a named tuple takes twice as long to make.
            who = address(campaign, name, axes, take), mark, take, campaign, name, model
            what = body, made.labels[at], entry.tags, credits_, path
            yield at, Job(*who, *what, url, made.jobs[at].place, entry.correlate, files), wrong
