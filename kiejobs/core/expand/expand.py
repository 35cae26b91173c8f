"""A job file multiplied into jobs.

In: a JobFile, the models' specs, a template compiler. Out: an `Expansion`, and all problems with their
places. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.wording import suggest
from kiejobs.core.expand.compiled_job import CompiledJob
from kiejobs.core.expand.expansion import Expansion, multiply
from kiejobs.core.expand.field_template import RenderCache
from kiejobs.core.expand.local_files import no_files
from kiejobs.core.expand.matrix_check import check_matrix
from kiejobs.core.expand.unused import report_unused
from kiejobs.core.matrix.load_axes import NO_DATA, with_data
from kiejobs.core.models.validator import RequestChecker
from kiejobs.core.prices.table import NO_PRICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kiejobs.core.diagnostics import Problems
    from kiejobs.core.expand.local_files import LocalFiles
    from kiejobs.core.jobfile.jobfile import JobEntry, JobFile
    from kiejobs.core.matrix.load_axes import DataFiles
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.prices.table import PriceTable
    from kiejobs.core.template.template import Templates

__all__ = ["Catalogue", "Expansion", "expand"]

_QUICKLY_COUNTED = 1_000_000
_QUICKLY_WALKED = 5_000_000


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The specs that a job file may use: known model names, one spec by its name; and the prices.

    A known model without a spec is one whose schema is broken, which was told already.
    """

    models: tuple[str, ...]
    spec: Callable[[str], Spec | None]
    prices: PriceTable = NO_PRICES


def expand(
    jobfile: JobFile,
    catalogue: Catalogue,
    templates: Templates,
    problems: Problems,
    *,
    max_jobs: int | None = None,
    files: LocalFiles = no_files,
    data: DataFiles = NO_DATA,
) -> Expansion:
    """The job file's jobs, all problems told. Nothing is rendered beyond `max_jobs`.

    `files` reads the local files that requests point at, `data` what the axes are made of.
    """
    limit = max_jobs if max_jobs is not None else jobfile.max_jobs
    given = with_data(jobfile, data, limit, problems)
    jobfile = given.jobfile
    recipes = list(_recipes(jobfile, catalogue, RenderCache(templates), problems))
    walk = not _is_beyond_counting(jobfile, recipes, limit, problems)
    sound = []
    for recipe in recipes:
        whole = recipe.entry.name not in given.broken
        if whole and check_matrix(jobfile.document, recipe, problems, walk=walk):
            sound.append(recipe)
        else:
            _tell_templates(jobfile, recipe, problems)
    if not walk or _are_too_many(jobfile, sound, limit, problems):
        return Expansion(jobfile, catalogue.prices)
    expansion = multiply(jobfile, sound, catalogue.prices, files, problems)
    if not problems.fatal:
        report_unused(jobfile.document, sound, templates.reads, problems)
    return expansion


def _recipes(
    jobfile: JobFile, catalogue: Catalogue, workshop: RenderCache, problems: Problems
) -> Iterator[CompiledJob]:
    checkers: dict[str, RequestChecker] = {}
    shared = {"vars": jobfile.vars, "campaign": jobfile.campaign}
    for entry in jobfile.entries:
        spec = _spec(jobfile, entry, catalogue, problems)
        if spec is not None:
            if spec.model not in checkers:
                checkers[spec.model] = RequestChecker(spec)
            yield CompiledJob(entry, checkers[spec.model], workshop, shared)


def _spec(
    jobfile: JobFile, entry: JobEntry, catalogue: Catalogue, problems: Problems
) -> Spec | None:
    if entry.model is None:
        message = f"job `{entry.name}` names no model, and neither do the defaults"
        hint = f"add `model: {catalogue.models[0]}`" if catalogue.models else None
        problems.add(Diagnostic("no-model", message, jobfile.document.at(entry.spot), hint))
        return None
    spec = catalogue.spec(entry.model)
    if spec is None and entry.model not in catalogue.models:
        message = f"the model `{entry.model}` is not known"
        hint = suggest(entry.model, catalogue.models) or f"known: {', '.join(catalogue.models)}"
        place = jobfile.document.at(entry.model_spot)
        problems.add(Diagnostic("unknown-model", message, place, hint))
    return spec


def _tell_templates(jobfile: JobFile, recipe: CompiledJob, problems: Problems) -> None:
    """What can be said of a job whose rows can't be walked."""
    for slip in recipe.template_slips():
        message = f"job `{recipe.entry.name}`: {slip.message}"
        problems.add(Diagnostic(slip.code, message, jobfile.document.at(slip.spot), slip.hint))


# --- how many ------------------------------------------------------------------------------------


def _is_beyond_counting(
    jobfile: JobFile, recipes: list[CompiledJob], limit: int, problems: Problems
) -> bool:
    """Says so where the rows are so many that even counting them would take long."""
    most = sum(
        (recipe.rows.product_size + len(recipe.entry.include)) * recipe.entry.takes
        for recipe in recipes
    )
    if most > max(_QUICKLY_COUNTED, 100 * limit):
        wanted = f"up to {most:,}" if most < 10**15 else "more than a quadrillion"
        _tell_too_many(jobfile, recipes, wanted, limit, problems)
        return True
    if sum(recipe.rows.work for recipe in recipes) <= max(_QUICKLY_WALKED, 100 * limit):
        return False
    hardest = max(recipes, key=lambda recipe: recipe.rows.work)
    message = (
        f"job `{hardest.entry.name}`: {hardest.rows.product_size:,} combinations against "
        f"{len(hardest.entry.exclude)} exclude and {len(hardest.entry.include)} include entries "
        "take too long to work out"
    )
    hint = "split the matrix over several jobs, each with the entries that concern it"
    place = jobfile.document.at(hardest.entry.spot)
    problems.add(Diagnostic("matrix-too-large", message, place, hint))
    return True


def _are_too_many(
    jobfile: JobFile, recipes: list[CompiledJob], limit: int, problems: Problems
) -> bool:
    total = sum(len(recipe.rows) * recipe.entry.takes for recipe in recipes)
    if total > limit:
        _tell_too_many(jobfile, recipes, f"{total:,}", limit, problems)
    return total > limit


def _tell_too_many(
    jobfile: JobFile, recipes: list[CompiledJob], wanted: str, limit: int, problems: Problems
) -> None:
    largest = max(recipes, key=lambda recipe: recipe.rows.product_size * recipe.entry.takes)
    message = f"the file makes {wanted} jobs; at most {limit:,} are allowed"
    hint = "narrow a matrix, or raise `limits: {max_jobs: …}` in the file or `--max-jobs`"
    place = jobfile.document.at(largest.entry.spot)
    problems.add(Diagnostic("too-many-jobs", message, place, hint))
