"""The price file's reference, from its schema.

In: schemas/prices.schema.json. Out: Markdown. Touches it, by reading.
"""

from __future__ import annotations

import json

from tests.docs.reference.markdown import KEYS, Schema, code, key_rows, kind, table
from tests.docs.regenerate import SCHEMAS


def keys() -> str:
    """What stands at the top."""
    schema = _schema()
    return table(KEYS, key_rows(schema, schema, _kind))


def of_a_model() -> str:
    """What stands below a model's id, and in its lines."""
    schema = _schema()
    parts = schema["$defs"]
    rows = [
        *key_rows(parts["price"], schema, _kind),
        *key_rows(parts["line"], schema, _kind, "credits[]."),
    ]
    condition = parts["condition"]
    rows.append((code("credits[].when.FIELD"), "value, list or mapping", condition["description"]))
    return table(KEYS, rows)


def _schema() -> Schema:
    schema: Schema = json.loads((SCHEMAS / "prices.schema.json").read_text(encoding="utf-8"))
    return schema


def _kind(field: Schema, root: Schema) -> str:
    if field.get("type") == "object":
        return "mapping"
    if "else" in field:
        return "amount, or list of lines"
    if field.get("title") == "Version of the price file's format":
        return code(1)
    return "amount" if "minimum" in field else kind(field, root)
