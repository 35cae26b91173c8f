"""A table as YAML: a list of mappings, read as job files are.

In: a `Source`. Out: its rows, or what is wrong. Touches nothing. It is held whole, and may be as large as
a job file; a larger table is better kept as CSV or JSONL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.nodes import YamlMap, YamlSeq
from kiejobs.core.document.reader import read_document
from kiejobs.core.document.wording import kind_of
from kiejobs.core.table.text import SYNTAX, BadRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.document.nodes import Json, Source, Spot


class YamlRecords:
    """The items of a list that was read from YAML."""

    columns: tuple[str, ...] = ()
    """Each row has its own."""

    def __init__(self, rows: YamlSeq, lines: Sequence[str]) -> None:
        self._rows = rows
        self.lines = lines

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, number: int) -> dict[str, Json]:
        """Raises RowSlip."""
        found = self._rows[number]
        if not isinstance(found, YamlMap):
            raise BadRow(f"a row is a mapping, not {kind_of(found)}", "like {id: dawn, mood: calm}")
        return found

    def spot(self, number: int, column: str | None = None, offset: int = 0) -> Spot:
        """Where a row begins, or the value of its key `column`."""
        del offset
        found, spot = self._rows[number], self._rows.item_spots[number]
        if isinstance(found, YamlMap) and column is not None:
            spot = found.value_spots.get(column, spot)
        return spot

    def heading_slips(self) -> Iterator[BadRow]:
        return iter(())

    def heading_spot(self, slip: BadRow) -> Spot:
        return 1, slip.offset + 1


def yaml_records(source: Source) -> tuple[YamlRecords | None, list[Diagnostic]]:
    """None where nothing can be read; problems beside records leave their meaning clear."""
    document, problems = read_document(source)
    if document is None:
        return None, problems
    if not isinstance(document.root, YamlSeq):
        message = f"a table is a list of mappings, not {kind_of(document.root)}"
        hint = "begin each row with `- id: some-name`"
        return None, [*problems, Diagnostic(SYNTAX, message, document.place(()), hint)]
    return YamlRecords(document.root, document.lines), problems
