"""Schemas, models and prices: the project's own before those that come with kiejobs.

In: the project's root. Out: schemas, a `PriceTable`; what is wrong with the project's own. Touches: disk. Own
schemas lie below `schemas/models`, own prices in `prices.yaml`. They come with pull requests: each schema is
held to our form, links that lead out of the project are not followed, hidden files are none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kiejobs.adapters.project.files import is_shown, model_names, read_schema, read_source, schema_folder
from kiejobs.adapters.project.root import Root, find_root
from kiejobs.core.diagnostics import Diagnostic, InvalidJobFile, Place, Problems, UsageProblem
from kiejobs.core.document.reader import read_document
from kiejobs.core.models.spec import ModelReading
from kiejobs.core.prices.file import check_prices, price_table, read_prices
from kiejobs.core.prices.table import FILE as PRICES
from kiejobs.core.prices.table import NO_PRICES, PriceTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.expand.expand import Catalogue

FOLDER = "schemas/models"
_MOST_FILES = 10_000
_ENDING = ".json"
_LARGEST_PRICES = 2**18  # bytes; ours has a tenth of that


class ModelFiles(Mapping[str, Mapping[str, Any]]):
    """Schemas by model, each read when it is asked for; a broken one of the project's is not there.

    Looked for once, in the current project where no root is given. `folder` is where the project's own lie, None where it has none; `own` leads from
    their ids to the files; `names` are all ids, sorted, with those of broken ones. Raises UsageProblem
    where the folder can't be used.
    """

    def __init__(self, root: Root | None = None) -> None:
        self.folder = _own_folder(root or find_root())
        self.own: Mapping[str, str] = dict(_files(self.folder)) if self.folder else {}
        self.names = tuple(sorted({*model_names(), *self.own}))
        self._readings: dict[str, ModelReading] = {}

    def __getitem__(self, model: str) -> Mapping[str, Any]:
        if model in self.own:
            schema = self.reading(model).schema
        else:
            schema = read_schema(f"models/{model}.json") if model in self.names else None
        if schema is None:
            raise KeyError(model)
        return schema

    def __iter__(self) -> Iterator[str]:
        return (model for model in self.names if model in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def reading(self, model: str) -> ModelReading:
        """One of the project's own, with what is wrong with it."""
        if model not in self._readings:
            self._readings[model] = _own(self.own[model], model)
        return self._readings[model]

    def check_all(self) -> Problems:
        """What is wrong with any of the project's own."""
        for model in self.own:
            self.reading(model)
        return self.problems()

    def problems(self) -> Problems:
        """What is wrong with those that were read until now."""
        found, lines = list[Diagnostic](), dict[str, Sequence[str]]()
        for model, reading in self._readings.items():
            found += reading.problems
            lines[self.own[model]] = reading.lines
        return Problems(found, lines)


def _own_folder(root: Root) -> str | None:
    """Raises UsageProblem where a link leads out of the project."""
    found = root.find(FOLDER)
    if found is None or target_of(Path(found)) == target_of(schema_folder() / "models"):
        return None  # in a checkout of kiejobs itself the bundled ones are found
    if not is_shown(target_of(Path(found)), root.path):
        hint = "put the folder itself there, with the schemas that this project is to use"
        raise UsageProblem(f"{found} is a link that leads out of the project", hint=hint)
    return found


def _own(file: str, model: str) -> ModelReading:
    from kiejobs.core.models import schema_check as form  # noqa: PLC0415 - most projects have no models

    try:
        source = read_source(file, most=form.MOST_BYTES)
    except UsageProblem as problem:
        unreadable = Diagnostic(form.CODE, problem.message, Place(file, 1, 1), problem.hint)
        return ModelReading(None, file, (unreadable,))
    return form.read_model(source, model, read_schema("model.schema.json"))


def _files(folder: str) -> Iterator[tuple[str, str]]:
    """Ids and paths. Links to folders are not followed. Raises UsageProblem where there are too many."""
    count = 0
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            count += 1
            if name.endswith(_ENDING) and not name.startswith("."):
                path = Path(at) / name
                yield path.relative_to(folder).as_posix().removesuffix(_ENDING), path.as_posix()
        if count > _MOST_FILES:
            raise UsageProblem(f"{folder} holds more than {_MOST_FILES:,} files")


def target_of(path: Path) -> Path:
    """What it leads to."""
    try:
        return path.resolve()
    except RuntimeError:  # links that go round in circles
        return path


# --- prices ------------------------------------------------------------------------------------------


class Prices(NamedTuple):
    """The table in force, and what is wrong in the project's file; where that is fatal, the bundled table."""

    table: PriceTable
    problems: Problems


def prices_in_force(catalogue: Catalogue | None = None, root: Root | None = None) -> Prices:
    """Without a catalogue models and fields are not looked up. Raises UsageProblem for what can't be read."""
    file = (root or find_root()).find(PRICES)
    if file is None:
        return Prices(bundled_prices(), Problems())
    own = read_price_file(file, catalogue)
    return Prices(own.table.over(bundled_prices()), own.problems)


def required_prices(root: Root | None = None) -> PriceTable:
    """The table in force. Raises InvalidJobFile with all that is wrong with the project's file."""
    table, problems = prices_in_force(root=root)
    if problems.fatal:
        raise InvalidJobFile(problems)
    return table


@cache
def bundled_prices() -> PriceTable:
    """The table that comes with kiejobs, from the JSON made of it: without places it is read in no time."""
    return price_table(read_schema("prices.json"))


def read_price_file(file: str, catalogue: Catalogue | None) -> Prices:
    """A project's own table, and nothing beneath it."""
    source = read_source(file, most=_LARGEST_PRICES)
    document, found = read_document(source, exact=True)
    table = None
    if document is not None:
        table, refused = read_prices(document, read_schema("prices.schema.json"))
        found += refused
        if table is not None and catalogue is not None:
            found += check_prices(document, catalogue.models, catalogue.spec)
    problems = Problems(found, {file: source.lines})
    return Prices(NO_PRICES if table is None or problems.fatal else table, problems)
