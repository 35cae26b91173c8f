"""A job file multiplied into jobs, each known by its number, none of them kept.

In: a JobFile, specs, a template compiler. Out: an `Expansion`: outlines (address, fingerprint, price)
in a stream, and whole jobs on demand. Only a job's 32-byte key and the number of its price are held,
so that 100,000 combinations don't become 100,000 prompts in memory. Touches nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kiejobs.core.address import address, default_output
from kiejobs.core.errors import Diagnostic, Problems
from kiejobs.core.identity import fingerprint
from kiejobs.core.matrix_check import check_matrix
from kiejobs.core.output_path import UnsafePath, safe_output
from kiejobs.core.recipe import Recipe, Slip, SlipFound
from kiejobs.core.requests import RequestChecker
from kiejobs.core.schema_words import is_uri, suggest
from kiejobs.core.spec import complete, price
from kiejobs.core.types import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from decimal import Decimal

    from kiejobs.core.jobfile import JobEntry, JobFile
    from kiejobs.core.spec import Spec
    from kiejobs.core.template import Templates
    from kiejobs.core.types import Json

_TOO_MANY_TO_COUNT = 1_000_000


@dataclass(frozen=True, slots=True)
class Outline:
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


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The specs that a job file may use: known model names, and one spec by its name."""

    models: tuple[str, ...]
    spec: Callable[[str], Spec | None]


class Expansion:
    """All jobs of one job file. `survey` must have been walked before outlines are asked for."""

    def __init__(self, jobfile: JobFile, recipes: list[Recipe]) -> None:
        self.jobfile = jobfile
        self._recipes = recipes
        self._starts = [0]
        for recipe in recipes:
            self._starts.append(self._starts[-1] + len(recipe.rows) * recipe.entry.takes)
        self._keys = bytearray()
        self._price_of = array("I")
        self._prices: list[Decimal | None] = []

    def __len__(self) -> int:
        return self._starts[-1]

    def survey(self, problems: Problems) -> None:
        """Render, check and identify every job once; keep its key and its price."""
        folded = _Folded(self.jobfile)
        requests: dict[bytes, int] = {}
        outputs: dict[str, int] = {}
        price_numbers: dict[Decimal | None, int] = {}
        for number in range(len(self)):
            job = self._make(number, folded)
            key = bytes.fromhex(job.fingerprint)
            price_number = price_numbers.setdefault(job.credits, len(price_numbers))
            self._keys += key
            self._price_of.append(price_number)
            first = requests.setdefault(key + job.take.to_bytes(2, "big"), number)
            if first != number and not folded.hit:
                folded.add(job, _same_request(self._address(first), job.address))
            first = outputs.setdefault(job.output.casefold(), number)
            if first != number and not folded.hit:
                folded.add(job, _same_output(self._address(first), job.output))
        self._prices = list(price_numbers)
        folded.hand_over(problems)

    def outlines(self) -> Iterator[Outline]:
        """In the order of submission, without rendering anything."""
        return (self.outline(number) for number in range(len(self)))

    def outline(self, number: int) -> Outline:
        recipe, row_number, take = self._locate(number)
        labels = recipe.labels(recipe.rows[row_number])
        return Outline(
            number=number,
            address=address(self.jobfile.campaign, recipe.entry.name, labels, take),
            fingerprint=self._keys[number * 32 : number * 32 + 32].hex(),
            take=take,
            job=recipe.entry.name,
            model=recipe.spec.model,
            tags=recipe.entry.tags,
            axes=labels,
            credits=self._prices[self._price_of[number]],
        )

    def job(self, number: int) -> Job:
        """One whole job, rendered now. Its problems were told by the survey."""
        return self._make(number, _Folded(self.jobfile))

    @property
    def spec_of(self) -> Mapping[str, Spec]:
        return {recipe.spec.model: recipe.spec for recipe in self._recipes}

    def _locate(self, number: int) -> tuple[Recipe, int, int]:
        which = bisect_right(self._starts, number) - 1
        recipe = self._recipes[which]
        row, take = divmod(number - self._starts[which], recipe.entry.takes)
        return recipe, row, take + 1

    def _address(self, number: int) -> str:
        recipe, row, take = self._locate(number)
        labels = recipe.labels(recipe.rows[row])
        return address(self.jobfile.campaign, recipe.entry.name, labels, take)

    def _make(self, number: int, folded: _Folded) -> Job:
        recipe, row_number, take = self._locate(number)
        row = recipe.rows[row_number]
        labels = recipe.labels(row)
        folded.start(recipe, address(self.jobfile.campaign, recipe.entry.name, labels, take))
        context = recipe.context(row)
        written = recipe.input_of(row, context, folded.slip)
        request = complete(recipe.spec, written)
        _check(recipe, request, folded)
        return Job(
            number=number,
            address=folded.address,
            fingerprint=_fingerprint(recipe, request, folded),
            take=take,
            campaign=self.jobfile.campaign,
            name=recipe.entry.name,
            model=recipe.spec.model,
            input=request,
            axes=labels,
            tags=recipe.entry.tags,
            credits=price(recipe.spec, request),
            output=self._output(recipe, row_number, labels, take, folded),
            callback_url=_callback(recipe, row_number, folded),
            place=self.jobfile.document.at(recipe.entry.spot),
        )

    def _output(
        self,
        recipe: Recipe,
        row_number: int,
        labels: tuple[tuple[str, str], ...],
        take: int,
        folded: _Folded,
    ) -> str:
        campaign, name = self.jobfile.campaign, recipe.entry.name
        path = default_output(campaign, name, labels, take, recipe.spec.extension)
        if recipe.output is None:
            return path
        row = recipe.rows[row_number]
        axes = ",".join(f"{axis}={value}" for axis, value in labels)
        context = {**recipe.context(row), "take": take, "axes": axes, "address": folded.address}
        try:
            return safe_output(str(recipe.output.render(row, context)), recipe.spec.extension)
        except SlipFound as found:
            folded.slip(found.slip)
        except UnsafePath as unsafe:
            folded.slip(Slip("output-path", str(unsafe), recipe.entry.output_spot, unsafe.hint))
        return path


def expand(
    jobfile: JobFile,
    catalogue: Catalogue,
    templates: Templates,
    problems: Problems,
    *,
    max_jobs: int | None = None,
) -> Expansion:
    """The job file's jobs, all problems told. Nothing is rendered beyond `max_jobs`."""
    recipes = []
    checkers: dict[str, RequestChecker] = {}
    for entry in jobfile.entries:
        spec = _spec(jobfile, entry, catalogue, problems)
        if spec is not None:
            checker = checkers.setdefault(spec.model, RequestChecker(spec))
            recipe = _recipe(jobfile, entry, spec, checker, templates, problems)
            if check_matrix(jobfile.document, recipe, problems):
                recipes.append(recipe)
    expansion = Expansion(jobfile, _within(jobfile, recipes, max_jobs, problems))
    expansion.survey(problems)
    return expansion


def _recipe(
    jobfile: JobFile,
    entry: JobEntry,
    spec: Spec,
    checker: RequestChecker,
    templates: Templates,
    problems: Problems,
) -> Recipe:
    def slip(found: Slip) -> None:
        place = jobfile.document.at(found.spot)
        message = f"job `{entry.name}`: {found.message}"
        problems.add(Diagnostic(found.code, message, place, found.hint))

    return Recipe(entry, spec, checker, templates, jobfile.vars, jobfile.campaign, slip)


def _spec(
    jobfile: JobFile, entry: JobEntry, catalogue: Catalogue, problems: Problems
) -> Spec | None:
    if entry.model is None:
        message = f"job `{entry.name}` names no model, and neither do the defaults"
        hint = f"add `model: {catalogue.models[0]}`" if catalogue.models else None
        problems.add(Diagnostic("no-model", message, jobfile.document.at(entry.spot), hint))
        return None
    spec = catalogue.spec(entry.model)
    if spec is None:
        message = f"the model `{entry.model}` is not known"
        hint = suggest(entry.model, catalogue.models) or f"known: {', '.join(catalogue.models)}"
        place = jobfile.document.at(entry.model_spot)
        problems.add(Diagnostic("unknown-model", message, place, hint))
    return spec


def _within(
    jobfile: JobFile, recipes: list[Recipe], max_jobs: int | None, problems: Problems
) -> list[Recipe]:
    """All recipes, or none where the file makes more jobs than the limit allows."""
    limit = max_jobs if max_jobs is not None else jobfile.max_jobs
    most = max(_TOO_MANY_TO_COUNT, 100 * limit)
    products = sum(recipe.rows.work * recipe.entry.takes for recipe in recipes)
    if products > most:
        wanted = f"up to {products:,}"
    else:
        total = sum(len(recipe.rows) * recipe.entry.takes for recipe in recipes)
        if total <= limit:
            return recipes
        wanted = f"{total:,}"
    largest = max(recipes, key=lambda recipe: recipe.rows.product_size)
    message = f"the file makes {wanted} jobs; at most {limit:,} are allowed"
    hint = "narrow a matrix, or raise `limits: {max_jobs: …}` in the file or `--max-jobs`"
    place = jobfile.document.at(largest.entry.spot)
    problems.add(Diagnostic("too-many-jobs", message, place, hint))
    return []


def _check(recipe: Recipe, request: Mapping[str, Json], folded: _Folded) -> None:
    if folded.hit:
        return  # a field that failed to render would only be reported as missing as well
    for problem in recipe.checker.problems(request):
        name = str(problem.path[0]) if problem.path else ""
        spot = _spot_of(recipe, name, at_key=problem.at_key)
        code = {"unknown": "unknown-field", "required": "missing-field"}.get(
            problem.keyword, "invalid-field"
        )
        folded.slip(Slip(code, problem.message, spot, problem.hint), fold=(name, problem.keyword))


def _spot_of(recipe: Recipe, name: str, *, at_key: bool) -> tuple[int, int]:
    written = recipe.entry.input
    if name in written:
        return (written.key_spots if at_key else written.value_spots)[name]
    return recipe.axis_spot(name) if name else recipe.entry.spot


def _fingerprint(recipe: Recipe, request: Mapping[str, Json], folded: _Folded) -> str:
    try:
        return fingerprint(recipe.spec.model, request)
    except ValueError:
        message = "the request holds text or a number that JSON can't carry exactly"
        folded.slip(
            Slip("invalid-text", message, recipe.entry.spot, "look for a broken \\u escape")
        )
        return "0" * 64


def _callback(recipe: Recipe, row_number: int, folded: _Folded) -> str | None:
    if recipe.callback is None:
        return None
    row = recipe.rows[row_number]
    try:
        url = str(recipe.callback.render(row, recipe.context(row)))
    except SlipFound as found:
        folded.slip(found.slip)
        return None
    if not (is_uri(url) and url.lower().startswith(("http://", "https://"))):
        hint = "it must be reachable from outside: https://example.com/callback"
        message = "`callBackUrl` is not an http(s) URL"
        folded.slip(Slip("invalid-field", message, recipe.entry.callback_spot, hint))
    return url


def _same_request(first: str, second: str) -> Slip:
    message = f"the same request is wanted twice: `{first}` and `{second}`"
    hint = "vary the input, drop one of them, or say `takes: 2` if buying it twice is meant"
    return Slip("duplicate-request", message, (0, 0), hint)


def _same_output(first: str, path: str) -> Slip:
    message = f"two jobs would write the same file `{path}`; the other is `{first}`"
    return Slip("output-collision", message, (0, 0), "put an axis or `{{ take }}` into `output`")


class _Folded:
    """Problems of rows, told once for each place, with a count and one example address."""

    def __init__(self, jobfile: JobFile) -> None:
        self._jobfile = jobfile
        self._found: dict[tuple[object, ...], Diagnostic] = {}
        self._recipe: Recipe | None = None
        self.address = ""
        self.hit = False

    def start(self, recipe: Recipe, job_address: str) -> None:
        self._recipe = recipe
        self.address = job_address
        self.hit = False

    def slip(self, found: Slip, *, fold: tuple[object, ...] = ()) -> None:
        """Equal slips of one job entry fold; `fold` says what equal means beyond code and spot."""
        if self._recipe is None:
            return
        self.hit = True
        name = self._recipe.entry.name
        key = (found.code, found.spot, name, *(fold or (found.message,)))
        known = self._found.get(key)
        if known is not None:
            self._found[key] = replace(known, count=known.count + 1)
            return
        self._found[key] = Diagnostic(
            code=found.code,
            message=f"job `{name}`: {found.message}",
            place=self._jobfile.document.at(found.spot),
            hint=found.hint,
            example=self.address,
        )

    def add(self, job: Job, found: Slip) -> None:
        """A problem between two jobs, at the second one's place."""
        spot = (job.place.line, job.place.column)
        self.slip(replace(found, spot=spot), fold=("between", job.name))

    def hand_over(self, problems: Problems) -> None:
        for diagnostic in self._found.values():
            problems.add(diagnostic)
