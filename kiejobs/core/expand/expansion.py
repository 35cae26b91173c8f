"""All jobs of one job file, each known by its number, none of them kept.

In: recipes, a table of prices. Out: outlines (address, fingerprint, price) in a stream, and whole jobs on demand. Only a
job's 32-byte key and the number of its price are held, so that 100,000 combinations don't become
100,000 prompts in memory. Touches nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
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
from kiejobs.core.expand.local_files import FilePlacer, no_files
from kiejobs.core.expand.problem_groups import RowProblems
from kiejobs.core.fingerprint import fingerprint
from kiejobs.core.models.spec import complete

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from kiejobs.core.diagnostics import Problems
    from kiejobs.core.document.nodes import Json, Spot
    from kiejobs.core.expand.compiled_job import CompiledJob
    from kiejobs.core.expand.local_files import LocalFiles
    from kiejobs.core.jobfile.jobfile import JobFile
    from kiejobs.core.matrix.matrix import Row
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.prices.table import PriceTable


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job without its request: enough to plan by."""

    number: int
    address: str
    fingerprint: str
    take: int
    job: str
    model: str
    tags: tuple[str, ...]
    axes: tuple[tuple[str, str], ...]
    credits: Decimal | None


class Expansion:
    """All jobs of one job file. `survey` must have been walked before outlines are asked for.

    `broken` are the numbers of jobs that could not be made as they are written.
    """

    def __init__(
        self,
        jobfile: JobFile,
        recipes: list[CompiledJob],
        prices: PriceTable,
        files: LocalFiles = no_files,
    ) -> None:
        self.jobfile = jobfile
        self.prices = prices
        self._recipes = recipes
        self._placers = {model: FilePlacer(spec, files) for model, spec in self.spec_of.items()}
        self._starts = [0]
        for recipe in recipes:
            self._starts.append(self._starts[-1] + len(recipe.rows) * recipe.entry.takes)
        self.broken: set[int] = set()
        self._keys = bytearray()
        self._price_of = array("I")
        self._prices: list[Decimal | None] = []

    def __len__(self) -> int:
        return self._starts[-1]

    def survey(self, problems: Problems) -> None:
        """Render, check and identify every job once; keep its key and its price."""
        found = RowProblems(self.jobfile.document)
        twins = DuplicateJobs(self._name_of)
        near = LengthWarnings(self.spec_of, self._spot_of)
        price_numbers: dict[Decimal | None, int] = {}
        for number in range(len(self)):
            job = self._make(number, found)
            self._keys += bytes.fromhex(job.fingerprint)
            self._price_of.append(price_numbers.setdefault(job.credits, len(price_numbers)))
            if found.hit:
                self.broken.add(number)
            twins.check(job, found)
            near.look(job)
        self._prices = list(price_numbers)
        found.hand_over(problems)
        near.hand_over(self.jobfile.document, problems)

    def outlines(self) -> Iterator[JobSummary]:
        """In the order of submission, without rendering anything."""
        return (self.outline(number) for number in range(len(self)))

    def outline(self, number: int) -> JobSummary:
        recipe, row, take = self._locate(number)
        name = self._name(recipe, row, take)
        return JobSummary(
            number=number,
            address=name.address,
            fingerprint=self._keys[number * 32 : number * 32 + 32].hex(),
            take=take,
            job=recipe.entry.name,
            model=recipe.spec.model,
            tags=recipe.entry.tags,
            axes=name.labels,
            credits=self._prices[self._price_of[number]],
        )

    def job(self, number: int) -> Job:
        """One whole job, rendered now. Its problems were told by the survey."""
        return self._make(number, RowProblems(self.jobfile.document))

    @property
    def job_names(self) -> set[str]:
        """Those that there are jobs of."""
        return {recipe.entry.name for recipe in self._recipes}

    @property
    def spec_of(self) -> Mapping[str, Spec]:
        return {recipe.spec.model: recipe.spec for recipe in self._recipes}

    def _locate(self, number: int) -> tuple[CompiledJob, Row, int]:
        which = bisect_right(self._starts, number) - 1
        recipe = self._recipes[which]
        row, take = divmod(number - self._starts[which], recipe.entry.takes)
        return recipe, recipe.rows[row], take + 1

    def _name_of(self, number: int) -> JobName:
        return self._name(*self._locate(number))

    def _spot_of(self, number: int, field: str) -> Spot:
        recipe, row, _ = self._locate(number)
        return recipe.spot_of(field, row)

    def _name(self, recipe: CompiledJob, row: Row, take: int) -> JobName:
        campaign, labels = self.jobfile.campaign, recipe.labels(row)
        return JobName(campaign, labels, take, address(campaign, recipe.entry.name, labels, take))

    def _make(self, number: int, found: RowProblems) -> Job:
        recipe, row, take = self._locate(number)
        name = self._name(recipe, row, take)
        found.start(recipe.entry.name, name.address)
        completed = complete(recipe.spec, recipe.input_of(row, found.slip))
        placed = self._placers[recipe.spec.model].place(completed)
        request = placed.input
        check_request(recipe, row, request, found)
        report_files(recipe, row, placed.wrong, found)
        return Job(
            number=number,
            address=name.address,
            fingerprint=_fingerprint(recipe, request, found),
            take=take,
            campaign=self.jobfile.campaign,
            name=recipe.entry.name,
            model=recipe.spec.model,
            input=request,
            axes=name.labels,
            tags=recipe.entry.tags,
            credits=self.prices.price(recipe.spec.model, request),
            output=output_of(recipe, row, request, name, found),
            callback_url=callback_of(recipe, row, found),
            correlate=recipe.entry.correlate,
            place=self.jobfile.document.at(recipe.entry.spot),
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
