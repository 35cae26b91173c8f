"""The price file's reference, from its schema.

In: schemas/prices.schema.json. Out: Markdown. Touches it, by reading.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.reference.markdown import Schema, code, kind, resolved, table
from tests.regenerate import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = ("key", "value", "meaning")


def keys() -> str:
    """What stands at the top."""
    schema = _schema()
    return table(_HEAD, _rows(schema, schema))


def of_a_model() -> str:
    """What stands below a model's id, and in its lines."""
    schema = _schema()
    parts = schema["$defs"]
    rows = [*_rows(parts["price"], schema), *_rows(parts["line"], schema, "credits[].")]
    condition = parts["condition"]
    rows.append((code("credits[].when.FIELD"), "value, list or mapping", condition["description"]))
    return table(_HEAD, rows)


def _schema() -> Schema:
    schema: Schema = json.loads((SCHEMAS / "prices.schema.json").read_text(encoding="utf-8"))
    return schema


def _rows(schema: Schema, root: Schema, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, given in schema["properties"].items():
        field = resolved(given, root)
        needed = " (required)" if name in schema.get("required", ()) else ""
        yield code(prefix + name) + needed, _kind(field, root), field["description"]


def _kind(field: Schema, root: Schema) -> str:
    if field.get("type") == "object":
        return "mapping"
    if "else" in field:
        return "amount, or list of lines"
    if field.get("title") == "Version of the price file's format":
        return code(1)
    return "amount" if "minimum" in field else kind(field, root)
