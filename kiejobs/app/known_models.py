"""The models that a job file may name, as specs with prices, and what is wrong with a project's own.

In: schemas by model, prices. Out: a `Catalogue`; problems, with the lines they stand in. Touches: disk, by reading.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kiejobs.adapters.project.models import ModelFiles, prices_in_force
from kiejobs.adapters.project.schemas import model_names
from kiejobs.core.diagnostics import Problems, UsageProblem
from kiejobs.core.expand.expand import Catalogue
from kiejobs.core.models.spec import UNKNOWN, Spec, read_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class KnownModels:
    """The models that there are schemas for, each read when it is first asked for."""

    def __init__(self) -> None:
        self._files = ModelFiles()
        self._known: dict[str, Spec | None] = {}
        self._of_prices = Problems()

    def catalogue(self, models: Iterable[str | None] = ()) -> Catalogue:
        """With the prices in force; those of `models` are read at once, so that `problems` knows of them.

        Raises UsageProblem where the project's prices can't be read.
        """
        for model in filter(None, models):
            self.spec(model)
        known = Catalogue(self._files.names, self.spec)
        prices, self._of_prices = prices_in_force(known)
        return replace(known, prices=prices)

    def problems(self) -> Problems:
        """What is wrong with the project's own prices, and with those of its schemas that were asked for."""
        return self._files.problems() + self._of_prices

    def spec(self, model: str) -> Spec | None:
        """None for a model that is not known, or whose schema is broken."""
        if model not in self._known:
            schema = self._files.get(model)
            self._known[model] = None if schema is None else read_spec(schema)
        return self._known[model]

    def own_file(self, model: str) -> str | None:
        """Where the project's own schema of a model lies; None for a bundled one."""
        return self._files.own.get(model)

    def own_of(self, models: Iterable[str]) -> dict[str, bool]:
        """Those that follow a schema of the project's own, and whether it stands in a bundled one's place."""
        bundled = model_names()
        return {model: model in bundled for model in models if model in self._files.own}


def media_types() -> Callable[[str], str]:
    """Says what the files of a model are; anything, where the model is not known any more.

    Raises nothing: what was paid for is downloaded whatever became of the schemas.
    """
    try:
        spec_of = KnownModels().spec
    except UsageProblem:
        return lambda _model: UNKNOWN

    def media_type(model: str) -> str:
        spec = spec_of(model)
        return spec.media_type if spec else UNKNOWN

    return media_type
