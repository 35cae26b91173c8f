"""The models that job files can name, as files: the project's own before the bundled ones.

In: the current folder. Out: names, and a `ModelReading` for each. Touches: disk, by reading.

Own schemas lie below `schemas/models` of the project that we are called in. They come with pull requests
like job files do: each is held to our form when it is first asked for, links that lead out of the
project are not followed, hidden files are none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.project.files import find_up, is_shown, read_source
from kiejobs.adapters.project.schemas import model_names, read_schema, schema_folder
from kiejobs.core.diagnostics import Diagnostic, Place, Problems, UsageProblem
from kiejobs.core.models.spec import ModelReading

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "schemas/models"
_MOST_FILES = 10_000
_ENDING = ".json"


class ModelFiles:
    """Looked for once: a file that comes later is not seen.

    `folder` is where the project's own lie, None where it has none; `own` leads from their ids to the
    files; `names` are all ids, sorted. Raises UsageProblem where the folder can't be used.
    """

    def __init__(self) -> None:
        self.folder = _own_folder()
        self.own: Mapping[str, str] = dict(_files(self.folder)) if self.folder else {}
        self.names = tuple(sorted({*model_names(), *self.own}))
        self._known: dict[str, ModelReading] = {}

    def reading(self, model: str) -> ModelReading | None:
        """None for a model that there is no file for. What is wrong with a file is in the reading."""
        if model not in self._known:
            if model in self.own:
                self._known[model] = _own(self.own[model], model)
            elif model in self.names:
                self._known[model] = ModelReading(read_schema(f"models/{model}.json"))
        return self._known.get(model)

    def check_all(self) -> Problems:
        """What is wrong with any of the project's own."""
        for model in self.own:
            self.reading(model)
        return self.problems()

    def problems(self) -> Problems:
        """What is wrong with those that were read until now."""
        read = self._known.values()
        return Problems(
            [problem for reading in read for problem in reading.problems],
            {reading.file: reading.lines for reading in read if reading.file is not None},
        )


class UsableSchemas(Mapping[str, Mapping[str, Any]]):
    """Schemas by model, each read when it is asked for; a broken one of the project's is not there."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files

    def __getitem__(self, model: str) -> Mapping[str, Any]:
        reading = self._files.reading(model)
        if reading is None or reading.schema is None:
            raise KeyError(model)
        return reading.schema

    def __iter__(self) -> Iterator[str]:
        return (model for model in self._files.names if model in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _own_folder() -> str | None:
    """Raises UsageProblem where a link leads out of the project."""
    found = find_up(FOLDER)
    if found is None or _target(Path(found)) == _target(schema_folder() / "models"):
        return None  # in a checkout of kiejobs itself the bundled ones are found
    project = (Path.cwd() / found).parent.parent
    if not is_shown(_target(Path(found)), _target(project)):
        hint = "put the folder itself there, with the schemas that this project is to use"
        raise UsageProblem(f"{found} is a link that leads out of the project", hint=hint)
    return found


def _own(file: str, model: str) -> ModelReading:
    from kiejobs.core.models.schema_check import (  # noqa: PLC0415 - for a schema of the project's own
        CODE,
        MOST_BYTES,
        read_model,
    )

    try:
        source = read_source(file, most=MOST_BYTES)
    except UsageProblem as problem:
        unreadable = Diagnostic(CODE, problem.message, Place(file, 1, 1), problem.hint)
        return ModelReading(None, file, (unreadable,))
    return read_model(source, model, read_schema("model.schema.json"))


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


def _target(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError:  # links that go round in circles
        return path
