"""A project's own schemas and prices, as files.

In: a project's root, schemas and prices that were checked. Out: the names of what was written, or why not. Touches: disk,
never through a link.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.project.files import read_schema, read_source
from kiejobs.adapters.project.models import FOLDER
from kiejobs.adapters.storage.output_folder import first_link, write_atomically
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.document.nodes import Source
from kiejobs.core.models.schema_check import read_model
from kiejobs.core.prices.edit import NEW, by_hand, entry, with_prices
from kiejobs.core.prices.prose import SOURCE
from kiejobs.core.prices.table import FILE as PRICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.adapters.project.root import Root
    from kiejobs.core.prices.table import ModelPrice


def schema_bytes(schema: Mapping[str, Any]) -> bytes:
    """As `models import` writes it."""
    return (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode()


def why_not_ours(data: bytes, model: str, name: str) -> str | None:
    """What keeps a schema that was made of a page from being used; None where nothing does."""
    problems = read_model(Source(name, data), model, read_schema("model.schema.json")).problems
    return f"what was made of it is not our form: {problems[0].message}" if problems else None


def write_schema(root: Root, model: str, schema: Mapping[str, Any]) -> str:
    """Its name. Raises UsageProblem where it can't be written."""
    return _write(root, f"{FOLDER}/{model}.json", schema_bytes(schema))


def newer_prices(root: Root, prices: Sequence[ModelPrice]) -> str:
    """The text of the project's prices with these in it. Raises UsageProblem where that has to be done by hand."""
    there = _prices(root)
    wanted = "".join(map(entry, prices))
    if there is None:
        return NEW + wanted
    newer = with_prices(there, prices)
    if newer is None:
        raise UsageProblem(
            f"{root.find(PRICES)} can't be edited in place", hint=f"write these entries into it:\n{wanted}"
        )
    return newer


def prices_by_hand(root: Root) -> set[str]:
    """Models whose price in the project is more than what the vendor's API states."""
    return by_hand(_prices(root) or "", SOURCE)


def _prices(root: Root) -> str | None:
    there = root.find(PRICES)
    return None if there is None else read_source(there).data.decode("utf-8-sig", "replace")


def write_prices(root: Root, text: str) -> str:
    """Their name. Raises UsageProblem where they can't be written."""
    return _write(root, PRICES, text.encode())


def _write(root: Root, name: str, data: bytes) -> str:
    path = Path(root.seen(name))
    with writable(path, root.path):
        write_atomically(path, data)
    return path.as_posix()


@contextmanager
def writable(path: Path, top: Path) -> Iterator[None]:
    """Around writing a file. Raises UsageProblem where that fails, or would follow a link below `top`."""
    try:
        link = first_link([path], top)
        if link is not None:
            raise UsageProblem(
                f"{os.path.relpath(link)} is a symbolic link, and nothing is written through one"
            )
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go round in circles
        raise UsageProblem(f"can't write {path}: {error}") from error
