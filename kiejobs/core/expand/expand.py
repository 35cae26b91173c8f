"""A job file multiplied into jobs, each made once.

In: a JobFile, the models' specs and prices, a renderer of templates, readers of data and local files. Out:
an `Expansion`, and all problems with their places. Touches nothing.

Rows are walked in batches: what their templates become is asked for first, rendered in one call, and then
put together, checked and identified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, Problems
from kiejobs.core.document.wording import suggest
from kiejobs.core.expand.compiled_job import Batch, compile_templates, compiled_job, draft, input_of
from kiejobs.core.expand.job import Job
from kiejobs.core.expand.job_checks import (
    DuplicateJobs,
    callback_of,
    check_files,
    check_request,
    output_of,
)
from kiejobs.core.expand.local_files import FilePlacer, no_files
from kiejobs.core.expand.matrix_check import check_matrix
from kiejobs.core.expand.row_problems import Places, RowProblems
from kiejobs.core.expand.typed_matrix import TypedMatrix
from kiejobs.core.expand.warnings import LengthWarnings, unused
from kiejobs.core.fingerprint import fingerprint
from kiejobs.core.matrix.load_axes import NO_DATA, with_data
from kiejobs.core.models.file_fields import files_of
from kiejobs.core.models.spec import complete
from kiejobs.core.models.validator import RequestChecker
from kiejobs.core.prices.table import NO_PRICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Document, Json
    from kiejobs.core.expand.compiled_job import CompiledJob, Draft
    from kiejobs.core.expand.local_files import LocalFiles
    from kiejobs.core.expand.row_problems import RowProblem
    from kiejobs.core.jobfile.jobfile import JobEntry, JobFile
    from kiejobs.core.matrix.load_axes import DataFiles
    from kiejobs.core.models.file_fields import FileRule
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.prices.table import PriceTable
    from kiejobs.core.template.renderer import Renderer

_QUICKLY_COUNTED = 1_000_000
_QUICKLY_WALKED = 5_000_000
_AT_ONCE = 4_000
"""Rows in one batch: many for one call, and few to be held before they are jobs."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The specs that a job file may use: known model names, one spec by its name; and the prices.

    A known model without a spec is one whose schema is broken, which was reported already.
    """

    models: tuple[str, ...]
    spec: Callable[[str], Spec | None]
    prices: PriceTable = NO_PRICES


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
    data: DataFiles = NO_DATA,
) -> tuple[Expansion, Problems]:
    """The job file's jobs, and all problems. Nothing is rendered beyond `max_jobs`.

    `files` reads the local files that requests point at, `data` what the axes are made of. What nothing
    reads is worth a warning only in a file that was `sound` so far.
    """
    limit = max_jobs if max_jobs is not None else jobfile.max_jobs
    given = with_data(jobfile, data, limit)
    jobfile, document = given.jobfile, given.jobfile.document
    matrices, unknown = _matrices(jobfile, catalogue)
    far_too_many = _beyond_counting(jobfile, matrices, limit)
    problems = [*given.problems, *unknown]
    whole: list[TypedMatrix] = []
    for matrix in matrices:
        lacks_values = matrix.entry.name in given.broken
        wrong = [] if lacks_values else check_matrix(document, matrix, walk=not far_too_many)
        problems += wrong
        if wrong or lacks_values:
            problems += _broken_templates(_compiled(document, [matrix], renderer))
        else:
            whole.append(matrix)
    too_many = far_too_many or _too_many(jobfile, whole, limit)
    if too_many:
        problems += too_many
        return Expansion(jobfile, catalogue.prices), Problems(problems, given.lines)
    compiled = _compiled(document, whole, renderer)
    expansion, found = _multiplied(jobfile, compiled, catalogue.prices, renderer, files)
    problems += found
    if sound and len(matrices) == len(jobfile.entries) and not Problems(problems).fatal:
        problems += unused(document, compiled)
    return expansion, Problems(problems, given.lines)


def wanted_files(expansion: Expansion) -> dict[str, FileRule]:
    """Each file on the web that any request points at, in the order of the jobs, and what it must be."""
    found: dict[str, FileRule] = {}
    for job in expansion.jobs:
        for url, rule in files_of(expansion.spec_of[job.model], job.input):
            if url.lower().startswith(("http://", "https://")):
                found[url] = found[url] & rule if url in found else rule
    return found


# --- job entries -----------------------------------------------------------------------------------


def _matrices(jobfile: JobFile, catalogue: Catalogue) -> tuple[list[TypedMatrix], list[Diagnostic]]:
    """Of the entries whose model is known."""
    found: list[TypedMatrix] = []
    problems: list[Diagnostic] = []
    for entry in jobfile.entries:
        spec = catalogue.spec(entry.model) if entry.model is not None else None
        if spec is not None:
            found.append(TypedMatrix(entry, spec))
        else:
            problems += _no_model(jobfile, entry, catalogue)
    return found, problems


def _no_model(jobfile: JobFile, entry: JobEntry, catalogue: Catalogue) -> Iterator[Diagnostic]:
    if entry.model is None:
        message = f"job `{entry.name}` names no model, and neither do the defaults"
        hint = f"add `model: {catalogue.models[0]}`" if catalogue.models else None
        yield Diagnostic("no-model", message, jobfile.document.at(entry.spot), hint)
    elif entry.model not in catalogue.models:
        message = f"the model `{entry.model}` is not known"
        hint = suggest(entry.model, catalogue.models) or f"known: {', '.join(catalogue.models)}"
        place = jobfile.document.at(entry.model_spot)
        yield Diagnostic("unknown-model", message, place, hint)


def _compiled(
    document: Document, matrices: Sequence[TypedMatrix], renderer: Renderer
) -> list[CompiledJob]:
    specs = {matrix.spec.model: matrix.spec for matrix in matrices}
    checkers = {model: RequestChecker(spec) for model, spec in specs.items()}
    jobs = [compiled_job(m, checkers[m.spec.model], Places(document, m.entry)) for m in matrices]
    templates = (one for job in jobs for one in (*job.templates, *job.fills.values()))
    compile_templates(templates, renderer)
    return jobs


def _broken_templates(compiled: Sequence[CompiledJob]) -> Iterator[Diagnostic]:
    """What can be said of jobs whose rows can't be walked."""
    for job in compiled:
        for template in job.templates:
            if template.ready is not None and template.ready.problem is not None:
                yield template.ready.problem.diagnostic


# --- how many --------------------------------------------------------------------------------------


def _beyond_counting(
    jobfile: JobFile, matrices: Sequence[TypedMatrix], limit: int
) -> list[Diagnostic]:
    """Where the rows are so many that even counting them would take long."""
    most = sum(
        (matrix.rows.product_size + len(matrix.entry.include)) * matrix.entry.takes
        for matrix in matrices
    )
    if most > max(_QUICKLY_COUNTED, 100 * limit):
        wanted = f"up to {most:,}" if most < 10**15 else "more than a quadrillion"
        return [_over_the_limit(jobfile, matrices, wanted, limit)]
    if sum(matrix.rows.work for matrix in matrices) <= max(_QUICKLY_WALKED, 100 * limit):
        return []
    hardest = max(matrices, key=lambda matrix: matrix.rows.work)
    message = (
        f"job `{hardest.entry.name}`: {hardest.rows.product_size:,} combinations against "
        f"{len(hardest.entry.exclude)} exclude and {len(hardest.entry.include)} include entries "
        "take too long to work out"
    )
    hint = "split the matrix over several jobs, each with the entries that concern it"
    place = jobfile.document.at(hardest.entry.spot)
    return [Diagnostic("matrix-too-large", message, place, hint)]


def _too_many(jobfile: JobFile, matrices: Sequence[TypedMatrix], limit: int) -> list[Diagnostic]:
    total = sum(len(matrix.rows) * matrix.entry.takes for matrix in matrices)
    return [_over_the_limit(jobfile, matrices, f"{total:,}", limit)] if total > limit else []


def _over_the_limit(
    jobfile: JobFile, matrices: Sequence[TypedMatrix], wanted: str, limit: int
) -> Diagnostic:
    largest = max(matrices, key=lambda matrix: matrix.rows.product_size * matrix.entry.takes)
    message = f"the file makes {wanted} jobs; at most {limit:,} are allowed"
    hint = "narrow a matrix, or raise `limits: {max_jobs: …}` in the file or `--max-jobs`"
    place = jobfile.document.at(largest.entry.spot)
    return Diagnostic("too-many-jobs", message, place, hint)


# --- jobs ------------------------------------------------------------------------------------------


def _multiplied(
    jobfile: JobFile,
    compiled: Sequence[CompiledJob],
    prices: PriceTable,
    renderer: Renderer,
    files: LocalFiles,
) -> tuple[Expansion, list[Diagnostic]]:
    specs = {job.matrix.spec.model: job.matrix.spec for job in compiled}
    placers = {model: FilePlacer(spec, files) for model, spec in specs.items()}
    found, duplicates, lengths = RowProblems(), DuplicateJobs(), LengthWarnings(specs)
    jobs: list[Job] = []
    broken: set[str] = set()
    for made in _drafts(compiled, jobfile.campaign, renderer):
        places = made.job.places
        for job, wrong in _jobs(
            made, jobfile.campaign, placers[made.job.matrix.spec.model], prices
        ):
            if wrong:
                broken.add(job.address)
            for problem in wrong or duplicates.check(job, places):
                found.add(problem, job.name, job.address)
            lengths.look(job, partial(places.spot_of, values=made.values))
            jobs.append(job)
    names = frozenset(job.matrix.entry.name for job in compiled)
    expansion = Expansion(jobfile, prices, tuple(jobs), frozenset(broken), names, specs)
    return expansion, [*found, *lengths.warnings(jobfile.document)]


def _drafts(compiled: Sequence[CompiledJob], campaign: str, renderer: Renderer) -> Iterator[Draft]:
    """All rows, their templates rendered."""
    rows = ((job, values) for job in compiled for values in job.matrix)
    while some := list(islice(rows, _AT_ONCE)):
        batch = Batch()
        drafts = [draft(job, values, campaign, batch) for job, values in some]
        batch.render(renderer)
        yield from drafts


def _jobs(
    made: Draft, campaign: str, placer: FilePlacer, prices: PriceTable
) -> Iterator[tuple[Job, list[RowProblem]]]:
    """The jobs of one row, one for each take, with what is wrong with them."""
    compiled, entry, spec = made.job, made.job.matrix.entry, made.job.matrix.spec
    written, wrong = input_of(made)
    placed = placer.place(complete(spec, written))
    request = placed.input
    wrong += check_request(compiled, made.values, request, failed_to_render=bool(wrong))
    wrong += check_files(compiled, made.values, placed.wrong)
    mark, unfit = _identity(compiled, request)
    url, of_url = callback_of(made)
    credits_, place = prices.price(spec.model, request), compiled.places.document.at(entry.spot)
    for take, (address, output) in enumerate(made.takes, 1):
        path, of_path = output_of(made, campaign, take, output, request)
        job = Job(
            address=address,
            fingerprint=mark,
            take=take,
            campaign=campaign,
            name=entry.name,
            model=spec.model,
            input=request,
            axes=made.labels,
            tags=entry.tags,
            credits=credits_,
            output=path,
            callback_url=url,
            correlate=entry.correlate,
            place=place,
            files=placed.files,
        )
        yield job, [*wrong, *unfit, *of_path, *of_url]


def _identity(compiled: CompiledJob, request: Mapping[str, Json]) -> tuple[str, list[RowProblem]]:
    try:
        return fingerprint(compiled.matrix.spec.model, request), []
    except ValueError:
        message = "the request holds text or a number that JSON can't carry exactly"
        hint = "look for a broken \\u escape, or a number that is too large"
        spot = compiled.matrix.entry.spot
        return "0" * 64, [compiled.places.problem("invalid-text", message, spot, hint)]
