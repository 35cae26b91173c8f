"""The prices in force: the project's own `prices.yaml` over the one that comes with kiejobs.

In: the models that there are. Out: a `PriceTable`; problems. Touches: disk, by reading.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from kiejobs.adapters.project.files import find_up, read_source
from kiejobs.adapters.project.schemas import read_schema, schema_folder
from kiejobs.core.diagnostics import InvalidJobFile, Problems
from kiejobs.core.document.nodes import Source
from kiejobs.core.document.reader import read_document
from kiejobs.core.prices.file import check_prices, read_prices
from kiejobs.core.prices.table import FILE, NO_PRICES, PriceTable

if TYPE_CHECKING:
    from kiejobs.core.expand.expand import Catalogue

_LARGEST = 2**18  # bytes; ours has a tenth of that


class Prices(NamedTuple):
    """The table in force, and what is wrong in the project's own file.

    Where a problem is fatal, the table is the bundled one alone, to go on looking for others with.
    """

    table: PriceTable
    problems: Problems


def prices_in_force(catalogue: Catalogue | None = None) -> Prices:
    """Without a catalogue nobody asks whether the file's models and fields are known.

    Raises UsageProblem where the project's file can't be read.
    """
    file = find_up(FILE)
    if file is None:
        return Prices(bundled_prices(), Problems())
    own = read_price_file(file, catalogue)
    return Prices(own.table.over(bundled_prices()), own.problems)


def required_prices() -> PriceTable:
    """The table in force. Raises InvalidJobFile with all that is wrong with the project's file."""
    prices = prices_in_force()
    if prices.problems.fatal:
        raise InvalidJobFile(prices.problems)
    return prices.table


@cache
def bundled_prices() -> PriceTable:
    """The table that comes with kiejobs."""
    data = (schema_folder() / FILE).read_bytes()
    document, problems = read_document(Source(FILE, data), exact=True)
    if document is None:
        raise ValueError(f"schemas/{FILE} is damaged: {problems}")
    table, _ = read_prices(document, None, own=False)
    return table or NO_PRICES


def read_price_file(file: str, catalogue: Catalogue | None) -> Prices:
    """A project's own table, and nothing beneath it."""
    source = read_source(file, most=_LARGEST)
    document, found = read_document(source, exact=True)
    table = None
    if document is not None:
        table, refused = read_prices(document, read_schema("prices.schema.json"), own=True)
        found += refused
        if table is not None and catalogue is not None:
            found += check_prices(document, catalogue.models, catalogue.spec)
    problems = Problems(found, {file: source.lines})
    return Prices(NO_PRICES if table is None or problems.fatal else table, problems)
