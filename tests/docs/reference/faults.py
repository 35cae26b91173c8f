"""The fault file's reference, from its schema and from the table of what faults can do.

In: schemas/faults.schema.json, the sandbox's actions. Out: Markdown. Touches schemas/, by reading.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kiejobs.sandbox.faults.actions import ACTIONS
from tests.docs.reference.markdown import Schema, code, codes, fields_table, table
from tests.docs.regenerate import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator


def rules() -> str:
    """A rule's keys, and those of its `when`."""
    schema = _schema()
    rule = schema["$defs"]["rule"]
    return fields_table({**rule, "required": ["on", "do"]}, schema)


def actions() -> str:
    """What `do` may hold, for which kinds of request, with what beside it."""
    return table(("in `do`", "on", "value", "beside it", "what happens"), _rows(_schema()))


def _rows(schema: Schema) -> Iterator[tuple[str, str, str, str, str]]:
    parts = ("answer", "onCreate", "onDownload")
    told = [schema["$defs"][part]["properties"] for part in parts]
    for name, action in ACTIONS.items():
        said = next(fields[name]["description"] for fields in told if name in fields)
        beside = codes(action.beside)
        yield code(name), ", ".join(action.kinds), action.wanted.words, beside, said


def _schema() -> Schema:
    schema: Schema = json.loads((SCHEMAS / "faults.schema.json").read_text(encoding="utf-8"))
    return schema
