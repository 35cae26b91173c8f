"""A job file's text expanded as the commands do it, with models made up on the spot where wanted.

In: YAML as text or bytes, templates to include, further models. Out: `Expanded`: the expansion, its
jobs, and every problem in one stable line each. Touches: schemas/, by reading.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.project.models import bundled_prices
from kiejobs.core.diagnostics import Problems
from kiejobs.core.document.nodes import Source
from kiejobs.core.document.reader import read_document
from kiejobs.core.expand.expand import Catalogue, Expansion, expand
from kiejobs.core.expand.job import no_files
from kiejobs.core.jobfile import JobFile, read_jobfile
from kiejobs.core.models.spec import Spec, read_spec
from kiejobs.core.prices.table import NO_PRICES, PriceTable
from kiejobs.core.template.template import LocalRenderer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.diagnostics import Diagnostic, Place
    from kiejobs.core.expand.job import Job, LocalFiles
    from kiejobs.core.matrix.load_axes import DataFiles
    from kiejobs.core.template.renderer import Renderer

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
MODEL = "bytedance/v1-pro-fast-image-to-video"


@dataclass(frozen=True)
class Expanded:
    """What became of a job file; `expansion` is None where it could not even be multiplied."""

    jobfile: JobFile | None
    expansion: Expansion | None
    problems: Problems

    @property
    def jobs(self) -> list[Job]:
        """Every job. Asked only of files without problems."""
        assert not self.problems.fatal, self.told
        assert self.expansion is not None
        return list(self.expansion.jobs)

    @property
    def told(self) -> list[str]:
        return [line(problem) for problem in self.problems]

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems]

    def only(self, code: str) -> Diagnostic:
        """The one problem there is, which has this code."""
        assert self.codes == [code], self.told
        return next(iter(self.problems))


def expanded(
    text: str | bytes,
    *models: Mapping[str, Any],
    load: Callable[[str], str | None] = lambda _name: None,
    max_jobs: int | None = None,
    files: LocalFiles = no_files,
    prices: PriceTable = NO_PRICES,
    name: str = "job.yaml",
    data: DataFiles | None = None,
    renderer: Callable[[Mapping[str, Any]], Renderer] | None = None,
) -> Expanded:
    """`models` are request schemas, known beside the one that we ship; `prices` count over ours.

    `data` is what the axes may read; `renderer` makes another one than that in this process, without limits.
    """
    written = text if isinstance(text, bytes) else text.encode()
    document, found = read_document(Source(name, written))
    if document is None:
        return Expanded(None, None, Problems(found))
    jobfile, refused = read_jobfile(document, structure())
    problems = Problems([*found, *refused])
    if jobfile is None:
        return Expanded(None, None, problems)
    shared = {"vars": jobfile.vars, "campaign": jobfile.campaign}
    expansion, more = expand(
        jobfile,
        catalogue(*models, prices=prices),
        renderer(shared) if renderer else LocalRenderer(shared, load),
        sound=not problems.fatal,
        max_jobs=max_jobs,
        files=files,
        data=data,
    )
    problems += more
    return Expanded(jobfile, expansion, problems)


def catalogue(*models: Mapping[str, Any], prices: PriceTable = NO_PRICES) -> Catalogue:
    specs = {spec.model: spec for spec in (shipped(), *map(read_spec, models))}
    return Catalogue(tuple(specs), specs.get, prices.over(bundled_prices()))


@cache
def structure() -> dict[str, Any]:
    text = (SCHEMAS / "jobfile.structure.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def shipped() -> Spec:
    text = (SCHEMAS / "models" / f"{MODEL}.json").read_text(encoding="utf-8")
    return read_spec(json.loads(text))


def line(problem: Diagnostic) -> str:
    """`CODE line:col message | hint | xCOUNT example`, what is absent left out.

    Before the line stands the file's name, unless it is the job file.
    """
    place = _at(problem.place) if problem.place else "-"
    also = [f"also {_at(other)}" for other in problem.also]
    hits = f"x{problem.count} {problem.example}" if problem.example else None
    parts = [f"{problem.code} {place} {problem.message}", problem.hint, *also, hits]
    if problem.severity != "error":
        parts.append(str(problem.severity))
    return " | ".join(part for part in parts if part)


def _at(place: Place) -> str:
    return str(place).removeprefix("job.yaml:")
