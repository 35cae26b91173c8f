"""The schemas that come with kiejobs, and the names of the models among them.

In: a path below `schemas/`. Out: schemas. Touches: disk, by reading.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def schema_folder() -> Path:
    """`schemas/`: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


@cache
def read_schema(name: str) -> Mapping[str, Any]:
    """One of our schemas by its path below `schemas/`, e.g. `jobfile.schema.json`."""
    text = (schema_folder() / name).read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


def model_names() -> tuple[str, ...]:
    """The models that there is a schema for: `<vendor>/<model>`, or `<model>` alone."""
    folder = schema_folder() / "models"
    found = folder.rglob("*.json")
    return tuple(sorted(path.relative_to(folder).with_suffix("").as_posix() for path in found))
