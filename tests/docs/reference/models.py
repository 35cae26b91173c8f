"""The models that there is a schema for: fields, limits, prices, where the facts are from.

In: schemas/models, schemas/prices.yaml. Out: Markdown. Touches schemas/, by reading.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kiejobs.adapters.project.models import bundled_prices
from kiejobs.core.models.rules import rules_of
from kiejobs.core.money import money
from tests.docs.reference.markdown import Schema, code, codes, kind, table
from tests.docs.regenerate import models as all_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.prices.table import ModelPrice, PriceLine


_KINDS = {
    "video": "Videos",
    "image": "Pictures",
    "audio": "Sound",
    "application": "Text, ids and other values",
}
_FIELD = re.compile(r"`([A-Za-z_]+)[`:]")


def models() -> str:
    """An index by what models make, then a chapter for each model."""
    known = all_models()
    index = "\n".join("\n".join(_index(kind, known)) for kind in _KINDS)
    return index + "\n" + "\n".join("\n".join(_chapter(name, known[name])) for name in sorted(known))


def _index(kind: str, known: dict[str, Schema]) -> Iterator[str]:
    named = [name for name in sorted(known) if _output(known[name]).startswith(f"{kind}/")]
    yield f"## {_KINDS[kind]}\n"
    yield table(("model", "needs", "credits"), [_line(name, known[name]) for name in named])


def _line(name: str, schema: Schema) -> tuple[str, str, str]:
    anchor = re.sub(r"[^a-z0-9_-]", "", name.lower())
    return (
        f"[{code(name)}](#{anchor})",
        codes(schema["properties"]["input"].get("required", ())),
        _span(bundled_prices().of(name)),
    )


def _span(price: ModelPrice | None) -> str:
    if price is None:
        return "not known"
    each = [line.credits for line in price.lines]
    least, most = money(min(each)), money(max(each))
    return f"{least if least == most else f'{least} to {most}'} a {price.unit}"


def _output(schema: Schema) -> str:
    return str(schema["x-kiejobs-output"]["media_type"])


def _chapter(name: str, schema: Schema) -> Iterator[str]:
    input_ = schema["properties"]["input"]
    yield f"## {name}\n"
    yield f"{schema['description']}\n"
    yield table(("field", "value", "meaning"), _fields("", input_))
    yield from _rules(input_)
    yield from _notes(input_)
    yield from _gives(schema["x-kiejobs-output"])
    yield from _prices(bundled_prices().of(name))
    yield from _sources(schema.get("x-kiejobs-source", ()))


def _fields(prefix: str, schema: Schema) -> Iterator[tuple[str, str, str]]:
    """Those of entries and mappings within with dotted names."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        needed = " (required)" if name in required else ""
        default = f", default {_json(field['default'])}" if "default" in field else ""
        bare = {key: value for key, value in field.items() if key != "default"}
        yield code(prefix + name) + needed, kind(bare, schema) + default, _meaning(field)
        inner = field.get("items", field)
        yield from _fields(f"{prefix}{name}{'[]' if 'items' in field else ''}.", inner)


def _meaning(field: Schema) -> str:
    words: str = field.get("description", "")
    return f"Not wanted any more. {words}".strip() if field.get("deprecated") else words


def _json(value: object) -> str:
    return code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _rules(schema: Schema) -> Iterator[str]:
    found = rules_of(schema)
    if found:
        yield "What goes together:\n"
        for rule in found:
            named = set(_FIELD.findall(rule.title or ""))
            others = [name for name in rule.fields if name not in named]
            yield f"- {rule.title}" + (f" ({codes(others)})" if others else "")
        yield ""


def _notes(schema: Schema) -> Iterator[str]:
    lines = [
        f"- {code(name)}: {note}"
        for name, field in schema["properties"].items()
        for note in field.get("x-kiejobs-note", ())
        if note not in field.get("description", "")
    ]
    if lines:
        yield "What the page says in prose only, or not at all:\n"
        yield from [*lines, ""]


def _gives(output: Schema) -> Iterator[str]:
    forms = output.get("forms", {})
    if forms:
        made = ", ".join(f"{_json(v)} {code(form['media_type'])}" for v, form in forms.items())
        yield f"What it gives is up to {code(output['by'])}: {made}.\n"
    else:
        yield f"It gives {code(output['media_type'])}, in files named {code(output['extension'])}.\n"


def _sources(sources: Sequence[Schema]) -> Iterator[str]:
    rows = [(source["facts"], source["page"], source["date"]) for source in sources]
    if rows[1:]:
        yield f"Where this is from:\n\n{table(('facts', 'source', 'date'), rows)}"
    for facts, page, date in rows if len(rows) == 1 else ():
        yield f"From {page}, {date}: {facts}.\n"


def _prices(price: ModelPrice | None) -> Iterator[str]:
    if price is None:
        yield "No price is known: the plan reports it, and a budget can't cover it.\n"
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
