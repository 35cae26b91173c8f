"""What newer schemas and prices would change for the job files at hand, before they are written.

In: a project's root, the newer schemas and prices. Out: `FileEffect`s: jobs that become invalid, other requests, other
prices. Touches: disk, by reading; the process that renders templates.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kiejobs.app.load import JobFolder, KnownModels, LoadedJobFile, try_to_load
from kiejobs.app.options import JobFileOptions
from kiejobs.app.select import campaign_of, usual_files
from kiejobs.core.diagnostics import InvalidJobFile, Problems, Severity, UsageProblem
from kiejobs.core.models.spec import Spec, read_spec
from kiejobs.reports.models_sync import FileEffect, JobEffect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.adapters.project.root import Root
    from kiejobs.core.expand.expand import Catalogue
    from kiejobs.core.expand.job import Job
    from kiejobs.core.prices.table import PriceTable


class NewerModels(KnownModels):
    """The project's models with newer schemas and prices over them."""

    def __init__(self, root: Root, schemas: Mapping[str, Mapping[str, Any]], prices: PriceTable) -> None:
        super().__init__(root)
        self._newer = {model: read_spec(schema) for model, schema in schemas.items()}
        self._newer_prices = prices

    def catalogue(self) -> Catalogue:
        known = super().catalogue()
        names = tuple(sorted({*known.models, *self._newer}))
        return replace(known, models=names, prices=self._newer_prices.over(known.prices))

    def spec(self, model: str) -> Spec | None:
        return self._newer.get(model) or super().spec(model)


def effects(
    root: Root, schemas: Mapping[str, Mapping[str, Any]], prices: PriceTable
) -> tuple[list[FileEffect], set[str]]:
    """Of the job files in the usual places; and all models that they use."""
    found: list[FileEffect] = []
    used: set[str] = set()
    changed = {*schemas, *prices.models}
    for file in dict.fromkeys(usual_files(root)):
        with suppress(InvalidJobFile, UsageProblem):
            campaign_of(file)  # else it is no job file
            before, refused = _loaded(file, KnownModels(root))
            if before is None:
                continue
            uses = set(before.expansion.spec_of)
            used |= uses
            if uses & changed:
                after = _loaded(file, NewerModels(root, schemas, prices))
                effect = FileEffect(file, _new_errors(refused, after[1]), _jobs(before, after[0]))
                found += [effect] if effect.problems or effect.jobs else []
    return found, used


def _loaded(file: str, models: KnownModels) -> tuple[LoadedJobFile | None, Problems]:
    return try_to_load(JobFileOptions(file=file), JobFolder(file), models)


def _new_errors(before: Problems, after: Problems) -> tuple[str, ...]:
    known = {(one.code, one.message) for one in before}
    return tuple(
        f"{one.place}: {one.message}" if one.place else one.message
        for one in after
        if one.severity is Severity.ERROR and (one.code, one.message) not in known
    )


def _jobs(before: LoadedJobFile, after: LoadedJobFile | None) -> tuple[JobEffect, ...]:
    made: dict[str, Job] = {job.address: job for job in after.expansion.jobs} if after else {}
    jobs = []
    for job in before.expansion.jobs:
        now = made.get(job.address)
        credits_now = now and now.credits
        effect = JobEffect(job.address, job.fingerprint, now and now.fingerprint, job.credits, credits_now)
        if effect.was != effect.now or effect.credits_was != effect.credits_now:
            jobs.append(effect)
    return tuple(jobs)
