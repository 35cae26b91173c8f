"""The models that there is a schema for: fields, limits, prices, where the facts are from.

In: schemas/models, schemas/prices.yaml. Out: Markdown. Touches schemas/, by reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.price_files import bundled_prices
from kiejobs.core.money import money
from tests.reference.markdown import Schema, code, kind, table
from tests.regenerate import models as all_models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.prices import ModelPrice, PriceLine


def models() -> str:
    """A chapter for each model."""
    return "\n".join("\n".join(_chapter(name, all_models()[name])) for name in sorted(all_models()))


def _chapter(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{schema['description']}\n"
    yield table(("field", "value", "meaning"), _fields(schema["properties"]["input"]))
    yield from _files(schema["properties"]["input"])
    output = schema.get("x-kiejobs-output")
    if output:
        yield f"It gives {code(output['media_type'])} files, named {code(output['extension'])}.\n"
    yield from _prices(bundled_prices().of(name))
    sources = schema.get("x-kiejobs-source", ())
    rows = [(source["facts"], source["page"], source["date"]) for source in sources]
    yield f"Where this is from:\n\n{table(('facts', 'source', 'date'), rows)}"


def _fields(schema: Schema) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        needed = " (required)" if name in required else ""
        default = (
            f", default {code(field['default'])}" if "enum" in field and "default" in field else ""
        )
        yield code(name) + needed, kind(field, schema) + default, field.get("description", "")


def _files(schema: Schema) -> Iterator[str]:
    for name, field in schema["properties"].items():
        file = field.get("x-kiejobs-file")
        if file:
            types = f" of type {', '.join(file['media_types'])}" if file["media_types"] else ""
            size = f", of at most {file['max_bytes'] / 2**20:g} MB" if "max_bytes" in file else ""
            yield f"{code(name)} names a file{types}{size}.\n"


def _prices(price: ModelPrice | None) -> Iterator[str]:
    if price is None:
        yield "No price is known: a plan says so, and a budget can't hold it.\n"
        return
    of = f", {code(price.quantity)} says how many" if price.quantity else ""
    per = f"one {price.unit}{of}, at {price.usd_per_credit} USD a credit"
    yield f"Price of {per} ({price.source}, {price.date}):\n"
    by = tuple(dict.fromkeys(name for line in price.lines for name in line.fields))
    rows = [(*(_condition(line, name) for name in by), money(line.credits)) for line in price.lines]
    yield table((*by, "credits"), rows)
    if price.note:
        yield f"{price.note}\n"


def _condition(line: PriceLine, name: str) -> str:
    if name in line.when:
        return code(line.when[name])
    return {True: "given", False: "not given"}.get(line.given.get(name), "any")
