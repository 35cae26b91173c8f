"""A price file, `prices.yaml`, as a table of prices; and whether it speaks of what there is.

In: a Document whose numbers are text, the file's schema, the models' specs. Out: a `PriceTable`, and all
that is wrong with the file. Touches nothing. The file may be hostile: how many lines it expands to is bounded
before they are compared. An unknown model is only a warning: a table may be ahead of the schemas.
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from kiejobs.core.diagnostics import Diagnostic, Place, Severity
from kiejobs.core.document.checked import Form, check
from kiejobs.core.document.nodes import Document, Json, plain_json
from kiejobs.core.document.wording import show, suggest
from kiejobs.core.money import or_unknown
from kiejobs.core.prices.table import PER_1000_CHARACTERS, ModelPrice, PriceLine, PriceTable, as_text, day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from kiejobs.core.models.spec import Spec

MOST_OF_A_MODEL = 100
MOST_LINES = 5_000
"""Price lines, lists of values multiplied out: of one model, and of a complete file."""

CODE = "price-structure"
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DATES = {"date": "write a day or a month: 2026-11-03, 2026-11", "until": "write a day: 2026-11-03"}
_COUNTED = frozenset({"integer", "number", "string"})


def read_prices(document: Document, schema: Mapping[str, Any]) -> tuple[PriceTable | None, list[Diagnostic]]:
    """The table, or None where the file does not have the form of one; and what is wrong with it."""
    found = check(document, Form(schema, "a price file", CODE, "begin with `version: 1`"))
    if found:
        return None, found
    root = plain_json(document.root)
    found = [*_too_many(document, root["models"]), *_bad_dates(document, root["models"])]
    if found:
        return None, found
    return price_table(root, document.name), list(_overlaps(document, root["models"]))


def price_table(root: Mapping[str, Any], file: str | None = None) -> PriceTable:
    """Of what a price file holds, its numbers as text, which is trusted to be right. `file` is the project's."""
    usd, models = root.get("usd_per_credit"), root["models"].items()
    return PriceTable({model: _price(model, said, usd, file) for model, said in models})


def check_prices(
    document: Document, models: Collection[str], spec_of: Callable[[str], Spec | None]
) -> Iterator[Diagnostic]:
    """All that no request of these models can have. A known model without a spec is a broken one."""
    for model, stated in plain_json(document.root)["models"].items():
        spec = spec_of(model)
        if spec is not None:
            yield from _of_model(document, spec, stated)
        elif model not in models:
            message = f"a price for `{model}`, which is not a known model"
            hint = suggest(model, models) or "`kiejobs models import` makes models known"
            place = document.place(("models", model), key=True)
            yield Diagnostic("price-model", message, place, hint, Severity.WARNING)


# --- what the schema can't say -------------------------------------------------------------------


def _too_many(document: Document, models: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """More lines than anybody would read, found without multiplying all of them out."""
    left = MOST_LINES
    hint = "a rate by `quantity` needs fewer lines"
    for model, stated in models.items():
        place = document.place(("models", model, "credits"))
        count = sum(1 for _ in islice(_numbered(stated["credits"]), MOST_OF_A_MODEL + 1))
        left -= count
        if left < 0:
            message = f"the file has more than {MOST_LINES:,} price lines, lists multiplied out"
            yield Diagnostic(CODE, message, place, hint)
            return
        if count > MOST_OF_A_MODEL:
            message = f"more than {MOST_OF_A_MODEL} price lines for `{model}`, lists multiplied out"
            yield Diagnostic(CODE, message, place, hint)


def _bad_dates(document: Document, models: Mapping[str, Any]) -> Iterator[Diagnostic]:
    dates = ((model, key, stated[key]) for model, stated in models.items() for key in _DATES if key in stated)
    for model, key, written in dates:
        try:
            day_of(written)
        except ValueError:
            message = f"there is no {show(written)} in the calendar"
            yield Diagnostic(CODE, message, document.place(("models", model, key)), _DATES[key])


def _overlaps(document: Document, models: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """Lines of which two fit one request."""
    for model, stated in models.items():
        lines = list(_numbered(stated["credits"]))
        for count, (line, number) in enumerate(lines):
            other = next((n for before, n in lines[:count] if line.meets(before)), None)
            if other is None:
                continue
            message = f"two price lines of `{model}` fit the same request"
            hint = "let each line name what sets it apart: another value, or `{given: false}`"
            here, first = (document.place(("models", model, "credits", n)) for n in (number, other))
            yield Diagnostic("price-overlap", message, here, hint, also=(first,))


# --- from text to prices -------------------------------------------------------------------------


def _price(model: str, stated: Mapping[str, Any], usd: str | None, file: str | None) -> ModelPrice:
    quantity = stated.get("quantity")
    unstated = isinstance(quantity, dict)
    return ModelPrice(
        model=model,
        unit=stated["per"],
        lines=tuple(line for line, _ in _numbered(stated["credits"])),
        source=stated["source"],
        date=stated["date"],
        quantity=None if unstated else quantity,
        minimum=or_unknown(stated.get("minimum")),
        usd_per_credit=or_unknown(stated.get("usd_per_credit", usd)),
        note=stated.get("note"),
        until=stated.get("until"),
        unstated=unstated,
        file=file,
    )


def _numbered(credits_: str | list[Any]) -> Iterator[tuple[PriceLine, int]]:
    """The lines, lists of values multiplied out, each with the number that it has in the file."""
    if isinstance(credits_, str):
        yield PriceLine({}, Decimal(credits_)), 0
        return
    for number, stated in enumerate(credits_):
        choices = [_choices(name, wanted) for name, wanted in stated.get("when", {}).items()]
        for chosen in product(*choices):
            when: dict[str, str] = {}
            given: dict[str, bool] = {}
            for name, wanted in chosen:
                if isinstance(wanted, bool):
                    given[name] = wanted
                else:
                    when[name] = wanted
            yield PriceLine(when, Decimal(stated["credits"]), given), number


def _choices(name: str, wanted: Json) -> list[tuple[str, str | bool]]:
    """What one field may be for a line: texts, or whether it is there."""
    if isinstance(wanted, dict):
        return [(name, wanted["given"])]
    values = wanted if isinstance(wanted, list) else [wanted]
    return [(name, as_text(value) or "") for value in values]


# --- models, fields and values that there are ----------------------------------------------------


def _of_model(document: Document, spec: Spec, stated: Mapping[str, Any]) -> Iterator[Diagnostic]:
    path = ("models", spec.model)
    quantity = stated.get("quantity")
    if isinstance(quantity, str):
        place = document.place((*path, "quantity"))
        if quantity not in spec.fields:
            yield _unknown_field(spec, quantity, place)
        elif not _can_count(stated["per"], spec.fields[quantity]):
            message = f"`{quantity}` of {spec.model} can't say how many: {stated['per']}"
            yield Diagnostic("price-value", message, place, "name a field that holds a number")
    lines = stated["credits"] if isinstance(stated["credits"], list) else []
    for number, line in enumerate(lines):
        for name, wanted in line.get("when", {}).items():
            at = (*path, "credits", number, "when", name)
            if name not in spec.fields:
                yield _unknown_field(spec, name, document.place(at, key=True))
            else:
                yield from _values(document, spec, wanted, at)


def _unknown_field(spec: Spec, name: str, place: Place) -> Diagnostic:
    message = f"`{name}` is not a field of {spec.model}"
    hint = suggest(name, spec.fields) or f"its fields: {', '.join(spec.fields)}"
    return Diagnostic("price-field", message, place, hint)


def _values(document: Document, spec: Spec, wanted: Json, at: tuple[str | int, ...]) -> Iterator[Diagnostic]:
    """Each value that the field can never have; whether it is given can be asked of any field."""
    if isinstance(wanted, dict):
        return
    name, field = str(at[-1]), spec.fields[str(at[-1])]
    several = isinstance(wanted, list)
    for number, value in enumerate(wanted if several else [wanted]):
        text = as_text(value) or ""
        if _can_be(text, field):
            continue
        choices = [as_text(choice) or "" for choice in field.get("enum", ())]
        message = f"`{name}` of {spec.model} is never {show(text)}"
        place = document.place((*at, number) if several else at)
        hint = suggest(text, choices) or _wanted(field, choices)
        yield Diagnostic("price-value", message, place, hint)


def _can_be(text: str, field: Mapping[str, Any]) -> bool:
    if "enum" in field:
        return text in {as_text(choice) for choice in field["enum"]}
    match field.get("type"):
        case "boolean":
            return text in {"true", "false"}
        case "integer" | "number":
            if not _NUMBER.fullmatch(text):
                return False
            number = float(text)
            return bool(field.get("minimum", number) <= number <= field.get("maximum", number))
        case "array" | "object":
            return False
    return True


def _wanted(field: Mapping[str, Any], choices: list[str]) -> str:
    if choices:
        return f"its values: {', '.join(choices)}"
    kind = field.get("type")
    if kind in {"array", "object"}:
        return "ask whether it is there: `{given: true}`"
    return "true or false" if kind == "boolean" else "a number that the model takes"


def _can_count(unit: str, field: Mapping[str, Any]) -> bool:
    if unit == PER_1000_CHARACTERS:
        return bool(field.get("type") == "string" and "enum" not in field)
    if "enum" in field:
        return all(_NUMBER.fullmatch(as_text(choice) or "") for choice in field["enum"])
    return field.get("type") in _COUNTED or "type" not in field
