"""The policy's reference, from its schema.

In: schemas/policy.schema.json. Out: Markdown. Touches it, by reading.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.docs.reference.markdown import KEYS, Schema, key_rows, kind, resolved, table
from tests.docs.regenerate import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator


def keys() -> str:
    """What may stand in a policy, but for the defaults of flags."""
    schema = _schema()
    return table(KEYS, _rows(schema, schema))


def flags() -> str:
    """The flags that a policy may have defaults for."""
    schema = _schema()
    return table(("key", "value", "of the flag"), _rows(schema["properties"]["defaults"], schema))


def _schema() -> Schema:
    schema: Schema = json.loads((SCHEMAS / "policy.schema.json").read_text(encoding="utf-8"))
    return schema


def _rows(schema: Schema, root: Schema, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    rows = key_rows(schema, root, _kind, prefix)
    for row, (name, given) in zip(rows, schema["properties"].items(), strict=True):
        yield row
        field = resolved(given, root)
        if "properties" in field and name != "defaults":
            yield from _rows(field, root, f"{prefix}{name}.")


def _kind(field: Schema, root: Schema) -> str:
    return "mapping" if field.get("type") == "object" else kind(field, root)
