"""The fault file's reference, from its schema.

In: schemas/faults.schema.json. Out: Markdown. Touches schemas/, by reading.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.docs.reference.markdown import Schema, code, codes, fields_table, kind, table
from tests.docs.regenerate import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = {
    "create": "onCreate",
    "poll": "onAnswer",
    "upload": "onAnswer",
    "credit": "onAnswer",
    "download": "onDownload",
    "discover": "onDiscover",
}


def rules() -> str:
    """A rule's keys, and those of its `when`."""
    schema = _schema()
    rule = schema["$defs"]["rule"]
    do = {"description": schema["$defs"]["do"]["description"], "type": "object"}
    return fields_table({**rule, "properties": {**rule["properties"], "do": do}}, schema)


def actions() -> str:
    """What `do` may hold, for which kinds of request, with which other keys."""
    return table(("in `do`", "on", "value", "with it", "what happens"), _rows(_schema()))


def _rows(schema: Schema) -> Iterator[tuple[str, str, str, str, str]]:
    do = schema["$defs"]["do"]
    beside = dict(do["dependentRequired"])
    for name, needed in do["dependentSchemas"].items():
        beside[name] = needed["not"]["propertyNames"]["not"]["enum"]
    for name, field in do["properties"].items():
        if name not in beside:
            kinds = [one for one, form in _KINDS.items() if name in _allowed(schema, form)]
            others = [other for other, actions in beside.items() if name in actions]
            yield (
                code(name),
                ", ".join(kinds),
                kind(field, schema),
                codes(others),
                field["description"],
            )


def _allowed(schema: Schema, form: str) -> list[str]:
    names: list[str] = schema["$defs"][form]["propertyNames"]["enum"]
    return names


def _schema() -> Schema:
    schema: Schema = json.loads((SCHEMAS / "faults.schema.json").read_text(encoding="utf-8"))
    return schema
