"""A price file, `prices.yaml`, as a table of prices.

In: a Document whose numbers are text, and the file's schema. Out: a `PriceTable`, and all that is wrong
with the file, each problem at its place. Touches nothing.

The file may be hostile: how many lines it comes to is bounded before they are compared.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.nodes import YamlMap, plain_json
from kiejobs.core.document.schema_errors import in_words
from kiejobs.core.document.wording import kind_of, show
from kiejobs.core.prices.table import ModelPrice, PriceLine, PriceTable, as_text, day_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.diagnostics import Problems
    from kiejobs.core.document.nodes import Document, Json
    from kiejobs.core.document.schema_errors import SchemaProblem

MOST_OF_A_MODEL = 100
MOST_LINES = 5_000
"""Price lines, lists of values multiplied out: of one model, and of a whole file."""


def read_prices(
    document: Document, schema: Mapping[str, Any] | None, problems: Problems, *, own: bool
) -> PriceTable | None:
    """The table, or None where the file has not the form of one; its problems are told either way.

    `own`: the project's, not the one that kiejobs brings. Without a schema the file is trusted to be
    right: ours is, tests see to that.
    """
    found = [] if schema is None else list(_refused(document, schema))
    problems.extend(found)
    if found:
        return None
    root: Mapping[str, Any] = plain_json(document.root)
    if schema is not None:
        found = [*_too_many(document, root["models"]), *_bad_dates(document, root["models"])]
        found += [] if found else _overlaps(document, root["models"])
        problems.extend(found)
    if any(problem.code == "price-structure" for problem in found):
        return None
    usd = root.get("usd_per_credit")
    file = document.name if own else None
    prices = (_price(model, said, usd, file) for model, said in root["models"].items())
    return PriceTable({price.model: price for price in prices})


def _refused(document: Document, schema: Mapping[str, Any]) -> Iterator[Diagnostic]:
    if not isinstance(document.root, YamlMap):
        message = f"a price file is a mapping, not {kind_of(document.root)}"
        yield Diagnostic("price-structure", message, document.place(()), "begin with `version: 1`")
        return
    for error in Draft202012Validator(schema).iter_errors(document.root):
        for problem in in_words(error):
            yield _diagnostic(document, problem)


def _diagnostic(document: Document, problem: SchemaProblem) -> Diagnostic:
    place = document.place(problem.path, key=problem.at_key)
    if problem.keyword != "unknown":
        return Diagnostic("price-structure", problem.message, place, problem.hint)
    at_top = len(problem.path) == 1
    message = f"`{problem.path[0]}` is no key of a price file" if at_top else problem.message
    return Diagnostic("unknown-key", message, place, problem.hint)


def _too_many(document: Document, models: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """More lines than anybody would read, found without multiplying all of them out."""
    left = MOST_LINES
    hint = "a rate by `quantity` needs fewer lines"
    for model, said in models.items():
        place = document.place(("models", model, "credits"))
        count = sum(1 for _ in islice(_numbered(said["credits"]), MOST_OF_A_MODEL + 1))
        left -= count
        if left < 0:
            message = f"the file has more than {MOST_LINES:,} price lines, lists multiplied out"
            yield Diagnostic("price-structure", message, place, hint)
            return
        if count > MOST_OF_A_MODEL:
            message = f"more than {MOST_OF_A_MODEL} price lines for `{model}`, lists multiplied out"
            yield Diagnostic("price-structure", message, place, hint)


def _bad_dates(document: Document, models: Mapping[str, Any]) -> Iterator[Diagnostic]:
    for model, said in models.items():
        try:
            day_of(said["date"])
        except ValueError:
            message = f"there is no {show(said['date'])} in the calendar"
            place = document.place(("models", model, "date"))
            hint = "write a day or a month: 2026-11-03, 2026-11"
            yield Diagnostic("price-structure", message, place, hint)


def _overlaps(document: Document, models: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """Lines of which two fit one request."""
    for model, said in models.items():
        lines = list(_numbered(said["credits"]))
        for count, (line, number) in enumerate(lines):
            other = next((n for before, n in lines[:count] if line.meets(before)), None)
            if other is not None:
                yield _overlap(document, model, number, other)


def _overlap(document: Document, model: str, number: int, other: int) -> Diagnostic:
    path = ("models", model, "credits")
    message = f"two price lines of `{model}` fit the same request"
    hint = "let each line name what sets it apart: another value, or `{given: false}`"
    first = document.place((*path, other))
    return Diagnostic(
        "price-overlap", message, document.place((*path, number)), hint, also=(first,)
    )


def _price(model: str, said: Mapping[str, Any], usd: str | None, file: str | None) -> ModelPrice:
    return ModelPrice(
        model=model,
        unit=said["per"],
        lines=tuple(line for line, _ in _numbered(said["credits"])),
        source=said["source"],
        date=said["date"],
        quantity=said.get("quantity"),
        minimum=_amount(said.get("minimum")),
        usd_per_credit=_amount(said.get("usd_per_credit", usd)),
        note=said.get("note"),
        file=file,
    )


def _numbered(credits_: str | list[Any]) -> Iterator[tuple[PriceLine, int]]:
    """The lines, lists of values multiplied out, each with the number that it has in the file."""
    if isinstance(credits_, str):
        yield PriceLine({}, Decimal(credits_)), 0
        return
    for number, said in enumerate(credits_):
        choices = [_choices(name, wanted) for name, wanted in said.get("when", {}).items()]
        for chosen in product(*choices):
            when = {name: wanted for name, wanted in chosen if isinstance(wanted, str)}
            given = {name: wanted for name, wanted in chosen if isinstance(wanted, bool)}
            yield PriceLine(when, Decimal(said["credits"]), given), number


def _choices(name: str, wanted: Json) -> list[tuple[str, str | bool]]:
    """What one field may be for a line: texts, or whether it is there."""
    if isinstance(wanted, dict):
        return [(name, wanted["given"])]
    values = wanted if isinstance(wanted, list) else [wanted]
    return [(name, as_text(value) or "") for value in values]


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
