"""Axes that come from data, given their values: tables, ranges, names of files.

In: a JobFile as it was read, and `DataFiles` to read what lies beside it. Out: the same with values, and
problems with their places, in the job file or in a table. Touches nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.nodes import YamlSeq
from kiejobs.core.document.wording import suggest
from kiejobs.core.matrix.axis_values import DataValues, FileNames, TableRows
from kiejobs.core.matrix.glob_axis import BadGlob, glob_names
from kiejobs.core.matrix.range_axis import BadRange, read_range
from kiejobs.core.matrix.zip_axes import zip_problems
from kiejobs.core.table.table import KEY, ending, most_bytes, read_table
from kiejobs.core.table.text import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.diagnostics import Place, Problems
    from kiejobs.core.document.nodes import Source, YamlMap
    from kiejobs.core.jobfile.axes import Axis
    from kiejobs.core.jobfile.jobfile import JobEntry, JobFile
    from kiejobs.core.table.table import Table

ALWAYS_READ: Final = 100_000
"""So many values of an axis are read whatever `max_jobs` says: excludes may leave a few of them."""

_KINDS = "a table is a .csv, .tsv, .jsonl, .json or .yaml file"


class DataFiles(Protocol):
    """What lies below the job file's folder. Hidden files, and links that lead out, are not there."""

    def read(self, name: str, most: int) -> Source | str:
        """A file of at most `most` bytes, under the name that people know it by; or why not, in words."""
        ...

    def entries(self, folder: str, pattern: str) -> tuple[Sequence[str], Sequence[str]]:
        """The names of a folder's files, and of its folders; `pattern` is what they are wanted for."""
        ...


class _NoData:
    """Where nothing lies beside the job file."""

    def read(self, name: str, most: int) -> Source | str:
        del most
        return f"there is no file `{name}` here"

    def entries(self, folder: str, pattern: str) -> tuple[Sequence[str], Sequence[str]]:
        del folder, pattern
        return (), ()


NO_DATA: Final[DataFiles] = _NoData()


@dataclass(frozen=True, slots=True)
class WithData:
    """A job file whose axes have their values; `broken` are the jobs that lack some."""

    jobfile: JobFile
    broken: frozenset[str]


def with_data(jobfile: JobFile, files: DataFiles, limit: int, problems: Problems) -> WithData:
    """Reads no more of any data than a file of `limit` jobs could be made of."""
    reader = _Reader(jobfile, files, limit, problems)
    entries = [reader.entry(entry) for entry in jobfile.entries]
    return WithData(replace(jobfile, entries=tuple(entries)), frozenset(reader.broken))


class _Reader:
    """Reads each source once, however many jobs have it from `defaults`."""

    def __init__(self, jobfile: JobFile, files: DataFiles, limit: int, problems: Problems) -> None:
        self._document = jobfile.document
        self._files = files
        self._limit = limit
        self._most = max(ALWAYS_READ, 100 * limit)
        self._problems = problems
        self._tables: dict[tuple[str, str], Table | None] = {}
        self._values: dict[int, DataValues | None] = {}
        self.broken: set[str] = set()

    def entry(self, entry: JobEntry) -> JobEntry:
        found = [self._axis(axis) for axis in entry.axes]
        made = replace(entry, axes=tuple(axis for axis in found if axis is not None))
        if None not in found:
            zips = list(zip_problems(self._document, made))
            self._problems.extend(zips)
            if not zips:
                return made
        self.broken.add(entry.name)
        return replace(made, zipped=YamlSeq())

    def _axis(self, axis: Axis) -> Axis | None:
        """The axis with its values; None, and problems told, where its source is no good."""
        source = axis.source
        if source is None:
            return axis
        if id(source) not in self._values:  # the document holds it for as long as this is asked
            self._values[id(source)] = self._read(axis, source)
        values = self._values[id(source)]
        return None if values is None else replace(axis, values=values)

    def _read(self, axis: Axis, source: YamlMap) -> DataValues | None:
        kinds = [kind for kind in ("from", "range", "glob") if kind in source]
        if len(kinds) != 1:
            message = f"axis `{axis.name}` must say one of `from`, `range` and `glob`"
            hint = "a table: `{from: scenes.csv, key: id}`; numbers: `{range: [1, 10]}`"
            self._tell("axis-source", message, self._document.at(source.spot), hint)
            return None
        read = {"from": self._rows, "range": self._range, "glob": self._names}
        values = read[kinds[0]](axis, source)
        if values is not None and len(values) > self._most:
            self._too_many(axis, source)
            return None
        return values

    def _too_many(self, axis: Axis, source: YamlMap) -> None:
        message = (
            f"axis `{axis.name}` has more than {self._most:,} values; "
            f"at most {self._limit:,} jobs are allowed"
        )
        hint = "take fewer, or raise `limits: {max_jobs: …}` in the file or `--max-jobs`"
        self._tell("too-many-jobs", message, self._document.at(source.spot), hint)

    def _tell(self, code: str, message: str, place: Place, hint: str | None) -> None:
        self._problems.add(Diagnostic(code, message, place, hint))

    # --- the three kinds -------------------------------------------------------------------------

    def _range(self, axis: Axis, source: YamlMap) -> DataValues | None:
        try:
            return read_range(source["range"], self._most)
        except BadRange as bad:
            place = self._document.at(source.value_spots["range"])
            self._tell(
                "axis-range", f"the range of axis `{axis.name}` {bad.message}", place, bad.hint
            )
            return None

    def _names(self, axis: Axis, source: YamlMap) -> DataValues | None:
        pattern = source["glob"]
        try:
            return FileNames(glob_names(pattern, lambda at: self._files.entries(at, pattern)))
        except BadGlob as bad:
            place = self._document.at(source.value_spots["glob"])
            self._tell("axis-glob", f"axis `{axis.name}`: {bad.message}", place, bad.hint)
            return None

    def _rows(self, axis: Axis, source: YamlMap) -> DataValues | None:
        name, key = source["from"], source["key"]
        if (name, key) not in self._tables:
            self._tables[name, key] = self._table(source)
        table = self._tables[name, key]
        column = source.get("column")
        if table is None:
            return None
        columns = table.records.columns
        if column is not None and columns and column not in columns:
            message = f"`{name}` has no column `{column}`, which axis `{axis.name}` takes"
            hint = suggest(column, columns) or f"its columns: {', '.join(columns[:20])}"
            self._tell(KEY, message, self._document.at(source.value_spots["column"]), hint)
            return None
        return TableRows(table, column)

    def _table(self, source: YamlMap) -> Table | None:
        name = source["from"]
        place = self._document.at(source.value_spots["from"])
        most = most_bytes(name)
        if most is None:
            self._tell(
                "data-file",
                f"`{name}` is no table: it ends in `{ending(name)[:20]}`",
                place,
                _KINDS,
            )
            return None
        found = self._files.read(name, most)
        if isinstance(found, str):
            self._tell("data-file", found, place, "data lies below the job file's folder")
            return None
        table, problems = read_table(
            found, source["key"], self._most, self._document.at(source.value_spots["key"])
        )
        if table is not None:
            self._problems.lines[found.name] = table.lines
        elif problems:
            self._problems.lines[found.name] = Lines(found.data)
            self._problems.extend(problems)
        return table
