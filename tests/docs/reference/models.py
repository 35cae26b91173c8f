"""The models that there is a schema for: what each needs, may have and costs, and where the facts are from.

In: schemas/models, schemas/prices.yaml. Out: Markdown: a table for each vendor's models of a kind, then those that
are retired. What each field takes is left to `kiejobs models show`. Touches schemas/, by reading.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from kiejobs.adapters.project.models import bundled_prices
from kiejobs.core.models.rules import rules_of
from kiejobs.core.money import money
from tests.docs.reference.markdown import Schema, code, codes, table
from tests.docs.regenerate import models as all_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.prices.table import ModelPrice

_KINDS = {
    "video": "Videos",
    "image": "Pictures",
    "audio": "Sound",
    "application": "Text, ids and other values",
}
_VENDOR = re.compile(r"[a-z]+")
_RETIRED = "x-kiejobs-retired"


def models() -> str:
    """How many there are, chapters by what models make, a table for each vendor; the retired ones last."""
    known = all_models()
    sold = {name: schema for name, schema in known.items() if _RETIRED not in schema}
    gone = {name: schema for name, schema in known.items() if _RETIRED in schema}
    parts = [_counts(sold), *(part for kind in _KINDS for part in _chapter(kind, sold)), *_gone(gone)]
    return "\n".join(["", *parts])


def _counts(sold: dict[str, Schema]) -> str:
    kinds = Counter(_kind(schema) for schema in sold.values())
    priced = sum(1 for name in sold if bundled_prices().of(name))
    counted = ", ".join(f"{kinds[kind]} {title.lower()}" for kind, title in _KINDS.items())
    return f"{len(sold)} models: {counted}. Of {priced} the price is known.\n"


def _kind(schema: Schema) -> str:
    return str(schema["x-kiejobs-output"]["media_type"]).partition("/")[0]


def _chapter(kind: str, sold: dict[str, Schema]) -> Iterator[str]:
    yield f"## {_KINDS[kind]}\n"
    vendors: dict[str, list[str]] = {}
    for name in sorted(name for name, schema in sold.items() if _kind(schema) == kind):
        vendors.setdefault(_VENDOR.findall(name)[0], []).append(name)
    for vendor, names in vendors.items():
        yield f"### {vendor.capitalize()}\n"
        yield table(("model", "needs", "may have", "credits", "as of"), [_line(n, sold[n]) for n in names])
        yield from _rules(names, sold)


def _line(name: str, schema: Schema) -> Sequence[str]:
    input_ = schema["properties"]["input"]
    needed = input_.get("required", ())
    others = [field for field in input_["properties"] if field not in needed]
    return code(name), codes(needed), codes(others), _span(bundled_prices().of(name)), _dated(schema)


def _span(price: ModelPrice | None) -> str:
    if price is None:
        return "not known"
    each = [line.credits for line in price.lines]
    least, most = money(min(each)), money(max(each))
    until = f" until {price.until}" if price.until else ""
    return f"{least if least == most else f'{least} to {most}'} a {price.unit}{until}"


def _dated(schema: Schema) -> str:
    return str(max(source["date"] for source in schema["x-kiejobs-source"]))


def _rules(names: Sequence[str], sold: dict[str, Schema]) -> Iterator[str]:
    """What must hold between fields, each rule once with the models that have it."""
    told: dict[str, list[str]] = {}
    for name in names:
        for rule in rules_of(sold[name]["properties"]["input"]) or ():
            told.setdefault(str(rule.title), []).append(name)
    if told:
        yield "\n".join([*(f"- {codes(having)}: {title}" for title, having in told.items()), ""])


def _gone(gone: dict[str, Schema]) -> Iterator[str]:
    yield "## Retired\n"
    yield "No longer in the vendor's catalogue. Job files that name them are still valid; `plan` warns.\n"
    rows = [(code(name), str(schema[_RETIRED])) for name, schema in sorted(gone.items())]
    yield table(("model", "not in the catalogue of"), rows)
