"""Markdown made of values: tables, and schemas as tables.

In: rows; JSON Schemas of ours. Out: text. Touches nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Schema = dict[str, Any]

KEYS = ("key", "value", "meaning")
_HINTS = {"title", "description", "$comment", "examples"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def code(text: object) -> str:
    return f"`{text}`"


def codes(values: Iterable[object]) -> str:
    return ", ".join(map(code, values))


def fields_table(schema: Schema, root: Schema, *, without: Iterable[str] = ()) -> str:
    """The fields of an object schema, those of objects within it with dotted names."""
    rows = [row for row in _rows("", schema, root, {}) if row[0].strip("`") not in set(without)]
    return table(KEYS, rows)


def key_rows(
    schema: Schema, root: Schema, kind_of: Callable[[Schema, Schema], str], prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    """A row of `KEYS` for each key of an object schema, in its order; what it needs is marked."""
    for name, given in schema["properties"].items():
        field = resolved(given, root)
        needed = " (required)" if name in schema.get("required", ()) else ""
        yield code(prefix + name) + needed, kind_of(field, root), field["description"]


def resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with what its `$ref` names laid beneath it."""
    if "$ref" not in schema:
        return schema
    found: Any = root
    for step in schema["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    own = {key: value for key, value in schema.items() if key != "$ref"}
    return {**resolved(found, root), **own}


def kind(schema: Schema, root: Schema) -> str:
    """What a value may be, in a few words."""
    schema = resolved(schema, root)
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if "enum" in schema:
        return codes("null" if value is None else value for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema['items'], root)}" if "items" in schema else "list"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(choice, root) for choice in schema["anyOf"]))
    types = schema.get("type", "any")
    words = " or ".join([types] if isinstance(types, str) else types)
    return words + _bounds(schema)


def _bounds(schema: Schema) -> str:
    told = [
        f"{words} {schema[keyword]:,}"
        for keyword, words in (
            ("minimum", "from"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "to"),
            ("maxLength", "up to"),
        )
        if keyword in schema and abs(schema[keyword]) < 2**53
    ]
    told += [f"default {code(schema['default'])}"] if "default" in schema else []
    return f", {', '.join(told)}" if told else ""


def _rows(
    prefix: str, schema: Schema, root: Schema, listed: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    """`listed`: definitions whose fields are in the table already, with the name that leads there."""
    required = schema.get("required", ())
    for name, given in schema.get("properties", {}).items():
        if given is True:
            continue
        field = resolved(given, root)
        optional = "" if not required or name in required else " (optional)"
        path = f"{prefix}{name}{'[]' if 'items' in field else ''}"
        first = listed.setdefault(field.get("items", given).get("$ref", path), path)
        inner = resolved(field.get("items", field), root)
        meaning = [field.get("description", "").removesuffix(".")]
        if "properties" in inner and first != path:
            meaning.append(f"Its fields are those of `{first}`")
        yield f"`{prefix}{name}`{optional}", kind(given, root), ". ".join(filter(None, meaning))
        if "properties" in inner and first == path:
            yield from _rows(f"{path}.", inner, root, listed)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
