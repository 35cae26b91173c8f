"""All jobs of one job file, each made once.

In: compiled job entries, a table of prices. Out: an `Expansion` with its `Job`s. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from kiejobs.core.address import address
from kiejobs.core.expand.field_template import RowProblem
from kiejobs.core.expand.job import Job
from kiejobs.core.expand.job_checks import (
    DuplicateJobs,
    JobName,
    callback_of,
    check_request,
    output_of,
    report_files,
)
from kiejobs.core.expand.length_warnings import LengthWarnings
from kiejobs.core.expand.local_files import FilePlacer
from kiejobs.core.expand.problem_groups import RowProblems
from kiejobs.core.fingerprint import fingerprint
from kiejobs.core.models.spec import complete

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.diagnostics import Problems
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.compiled_job import CompiledJob
    from kiejobs.core.expand.local_files import LocalFiles
    from kiejobs.core.jobfile.jobfile import JobFile
    from kiejobs.core.matrix.matrix import Row
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.prices.table import PriceTable


@dataclass(frozen=True, slots=True)
class Expansion:
    """All jobs of one job file, in the order of submission, each made once.

    `broken` are the addresses of jobs that could not be made as they are written; `job_names` those of
    entries that could be multiplied, `spec_of` the models that these use.
    """

    jobfile: JobFile
    prices: PriceTable
    jobs: tuple[Job, ...] = ()
    broken: frozenset[str] = frozenset()
    job_names: frozenset[str] = frozenset()
    spec_of: Mapping[str, Spec] = field(default_factory=dict)


def multiply(
    jobfile: JobFile,
    recipes: list[CompiledJob],
    prices: PriceTable,
    files: LocalFiles,
    problems: Problems,
) -> Expansion:
    """Render, check and identify every job."""
    specs = {recipe.spec.model: recipe.spec for recipe in recipes}
    placers = {model: FilePlacer(spec, files) for model, spec in specs.items()}
    found = RowProblems(jobfile.document)
    twins, near = DuplicateJobs(), LengthWarnings(specs)
    jobs: list[Job] = []
    broken: set[str] = set()
    for recipe in recipes:
        maker = _Maker(jobfile, recipe, prices, placers[recipe.spec.model], found)
        for row in recipe.rows:
            for job in maker.jobs(row):
                twins.check(job, found)
                near.look(job, partial(recipe.spot_of, row=row))
                jobs.append(job)
                if maker.failed:
                    broken.add(job.address)
    found.hand_over(problems)
    near.hand_over(jobfile.document, problems)
    names = frozenset(recipe.entry.name for recipe in recipes)
    return Expansion(jobfile, prices, tuple(jobs), frozenset(broken), names, specs)


class _Maker:
    """Makes the jobs of one entry, row by row; `failed` tells of the last one."""

    def __init__(
        self,
        jobfile: JobFile,
        recipe: CompiledJob,
        prices: PriceTable,
        placer: FilePlacer,
        found: RowProblems,
    ) -> None:
        self._jobfile = jobfile
        self._recipe = recipe
        self._prices = prices
        self._placer = placer
        self._found = found
        self._place = jobfile.document.at(recipe.entry.spot)
        self.failed = False

    def jobs(self, row: Row) -> Iterator[Job]:
        for take in range(1, self._recipe.entry.takes + 1):
            job = self._make(row, take)
            self.failed = self._found.hit
            yield job

    def _make(self, row: Row, take: int) -> Job:
        recipe, found = self._recipe, self._found
        campaign, labels = self._jobfile.campaign, recipe.labels(row)
        named = address(campaign, recipe.entry.name, labels, take)
        name = JobName(campaign, labels, take, named)
        found.start(recipe.entry.name, name.address)
        completed = complete(recipe.spec, recipe.input_of(row, found.slip))
        placed = self._placer.place(completed)
        request = placed.input
        check_request(recipe, row, request, found)
        report_files(recipe, row, placed.wrong, found)
        return Job(
            address=name.address,
            fingerprint=_fingerprint(recipe, request, found),
            take=take,
            campaign=campaign,
            name=recipe.entry.name,
            model=recipe.spec.model,
            input=request,
            axes=name.labels,
            tags=recipe.entry.tags,
            credits=self._prices.price(recipe.spec.model, request),
            output=output_of(recipe, row, request, name, found),
            callback_url=callback_of(recipe, row, found),
            correlate=recipe.entry.correlate,
            place=self._place,
            files=placed.files,
        )


def _fingerprint(recipe: CompiledJob, request: Mapping[str, Json], found: RowProblems) -> str:
    try:
        return fingerprint(recipe.spec.model, request)
    except ValueError:
        message = "the request holds text or a number that JSON can't carry exactly"
        hint = "look for a broken \\u escape, or a number that is too large"
        found.slip(RowProblem("invalid-text", message, recipe.entry.spot, hint))
        return "0" * 64
