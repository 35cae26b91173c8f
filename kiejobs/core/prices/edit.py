"""A price file with other prices in it, all else of its text as it was.

In: the file's text, prices. Out: the text, or None where it can't be edited in place. Touches nothing.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kiejobs.core.document.nodes import Source, plain_json
from kiejobs.core.document.reader import read_document
from kiejobs.core.money import money
from kiejobs.core.prices.file import price_table
from kiejobs.core.prices.table import FILE, PriceTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.document.nodes import Document
    from kiejobs.core.prices.table import ModelPrice, PriceLine

NEW = "# What models cost, in credits. It wins over the table that comes with kiejobs, model by model.\nversion: 1\nusd_per_credit: 0.005\nmodels:\n"
_PLAIN = re.compile(r"[A-Za-z][\w./-]*|[0-9]+[a-z]*", re.ASCII)
_COMMENT = re.compile(r"(?:^|\s)#")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off"}


def with_prices(text: str, prices: Sequence[ModelPrice]) -> str | None:
    """Entries of these models are replaced, new ones come last. None where that would change anything else."""
    before = _table(text)
    if before is None:
        return None
    returns = "\r\n" in text
    text = text.replace("\r\n", "\n")
    for price in prices:
        text = _with(text, price)
    after = _table(text)
    wanted = {**before.models, **{price.model: price for price in prices}}
    if after is None or list(after.models) != list(wanted):
        return None
    if any(after.models[model].as_data() != price.as_data() for model, price in wanted.items()):
        return None
    return text.replace("\n", "\r\n") if returns else text


def by_hand(text: str, source: str) -> set[str]:
    """Models whose entries hold what `source` does not state: another source, a note, an end, a minimum, a comment."""
    document, table = _document(text), _table(text)
    if document is None or table is None:
        return set()
    lines, starts = text.splitlines(), _starts(document)
    found = {
        one.model for one in table if one.source != source or one.note or one.until or one.minimum is not None
    }
    for model in table.models:
        begin = document.place(("models", model), key=True).line
        if any(map(_COMMENT.search, lines[begin - 1 : _end(lines, begin, starts)])):
            found.add(model)
    return found


def entry(price: ModelPrice, indent: str = "  ") -> str:
    """One model's entry, as a price file has it."""
    return "".join(f"{indent}{line}\n" for line in _entry(price))


def _table(text: str) -> PriceTable | None:
    document = _document(text)
    return None if document is None else price_table(plain_json(document.root), FILE)


def _document(text: str) -> Document | None:
    document, found = read_document(Source(FILE, text.encode()), exact=True)
    models = document.root.get("models") if document and isinstance(document.root, dict) else None
    return document if isinstance(models, dict) and not found else None


def _with(text: str, price: ModelPrice) -> str:
    """Of a text that is a price file, or it comes back as it is."""
    document = _document(text)
    if document is None:
        return text
    root = document.root
    places = [document.place(("models", model), key=True) for model in root["models"]]
    starts = _starts(document)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    indent = " " * (places[0].column - 1) if places else "  "
    block = entry(price, indent)
    if price.model in root["models"]:
        begin = document.place(("models", price.model), key=True).line
        end = _end(lines, begin, starts)
        return "".join([*lines[: begin - 1], block, *lines[end:]])
    last = max([*(place.line for place in places), document.place(("models",), key=True).line])
    end = _end(lines, last, starts)
    return "".join([*lines[:end], block, *lines[end:]])


def _starts(document: Document) -> list[int]:
    keys = [*((key,) for key in document.root), *(("models", model) for model in document.root["models"])]
    return sorted(document.place(key, key=True).line for key in keys)


def _end(lines: Sequence[str], begin: int, starts: Sequence[int]) -> int:
    """The last line of the entry that begins there; comments and blank lines after it are not its own."""
    end = next((start for start in starts if start > begin), len(lines) + 1) - 1
    while end > begin and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _entry(price: ModelPrice) -> Iterator[str]:
    yield f"{_scalar(price.model)}:"
    yield f"  per: {_scalar(price.unit)}"
    if price.quantity is not None:
        yield f"  quantity: {_scalar(price.quantity)}"
    elif price.unstated:
        yield "  quantity: {given: false}"
    if not price.lines[0].when and len(price.lines) == 1:
        yield f"  credits: {money(price.lines[0].credits)}"
    else:
        yield "  credits:"
        yield from map(_line, price.lines)
    yield f"  source: {_scalar(price.source)}"
    yield f"  date: {price.date}"
    if price.usd_per_credit is not None:
        yield f"  usd_per_credit: {money(price.usd_per_credit)}"


def _line(line: PriceLine) -> str:
    when = ", ".join(f"{_scalar(name)}: {_scalar(value)}" for name, value in line.when.items())
    return f"    - {{when: {{{when}}}, credits: {money(line.credits)}}}"


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) or text in {"true", "false"}
    return text if plain and text not in _WORDS - {"true", "false"} else json.dumps(text)
