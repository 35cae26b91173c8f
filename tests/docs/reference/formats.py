"""What kiejobs writes, field by field, from the schemas of its own formats.

In: schemas/*.schema.json and schemas/documents. Out: Markdown. Touches schemas/, by reading.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.docs.reference.markdown import Schema, fields_table, resolved
from tests.docs.regenerate import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path


def journal_line() -> str:
    """What every line of a journal has."""
    schema = _read(SCHEMAS / "event.schema.json")
    shown = {**schema, "properties": {**schema["properties"], "type": {"type": "string", **_TYPE}}}
    return fields_table(shown, schema)


def events() -> str:
    """Each type of event with the fields of its own."""
    schema = _read(SCHEMAS / "event.schema.json")
    types = schema["properties"]["type"]["anyOf"][0]["enum"]
    return "\n".join(_event(name, schema) for name in types)


def manifest() -> str:
    schema = _read(SCHEMAS / "manifest.schema.json")
    shown = {key: value for key, value in schema.items() if key != "required"}
    job = resolved(schema["properties"]["jobs"]["additionalProperties"], schema)
    own = {key: value for key, value in job.items() if key != "required"}
    return f"{fields_table(shown, schema)}\nA job:\n\n{fields_table(own, schema)}"


def plan() -> str:
    schema = _read(SCHEMAS / "plan.schema.json")
    return fields_table(schema, schema)


def lock() -> str:
    schema = _read(SCHEMAS / "lock.schema.json")
    return fields_table({key: schema[key] for key in schema if key != "required"}, schema)


def picks() -> str:
    """What there is to a decision."""
    schema = _read(SCHEMAS / "picks.schema.json")
    return fields_table(schema["$defs"]["pick"], schema)


def documents() -> str:
    """A chapter for each verb's document."""
    found = sorted((SCHEMAS / "documents").glob("*.schema.json"))
    return "\n".join(_document(_read(path)) for path in found)


_TYPE = {"description": "What happened; see below. Readers pass over types they don't know."}


def _event(name: str, schema: Schema) -> str:
    event = schema["$defs"][name]
    told = f"#### {name}\n\n{event['description']}\n\n"
    own = {key: value for key, value in event["properties"].items() if key != "type"}
    return told + fields_table({**event, "properties": own}, schema)


def _document(schema: Schema) -> str:
    return f"### {schema['title']}\n\n{schema['description']}\n\n{fields_table(schema, schema)}"


def _read(path: Path) -> Schema:
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema
