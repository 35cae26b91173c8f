"""Axes that come from data, given their values: tables, ranges, names of files; then walked together.

In: a JobFile as it was read, and `DataFiles` to read what lies below its folder. Out: the same with
values, and problems with their places, in the job file or in a table. Touches nothing itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from kiejobs.core.diagnostics import Diagnostic, Problems
from kiejobs.core.document.nodes import YamlSeq
from kiejobs.core.document.wording import suggest
from kiejobs.core.jobfile import how_to_allow
from kiejobs.core.matrix.axis_values import BadValues, DataValues, files_matching, read_range, table_rows
from kiejobs.core.table.formats import MAX_BYTES, MAX_ROWS
from kiejobs.core.table.table import KEY, ending, is_table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.document.nodes import Document, Source, Spot, YamlMap
    from kiejobs.core.jobfile import Axis, JobEntry, JobFile
    from kiejobs.core.table.table import Table

CODE = "axis-zip"

ALWAYS_MADE: Final = MAX_ROWS
"""This many numbers a range may have whatever `max_jobs` says: excludes may leave a few of them."""

_KINDS = "a table is a .csv, .tsv, .jsonl, .json or .yaml file"


class DataFiles(Protocol):
    """What lies in the job file's project, by paths from its folder. Hidden files, and links that lead out, are not there."""

    def read(self, name: str, most: int) -> Source | tuple[str, str | None]:
        """A file of at most `most` bytes, under the name that people know it by; or why not, and maybe what to do."""
        ...

    def entries(self, folder: str, pattern: str) -> tuple[Sequence[str], Sequence[str]]:
        """The names of a folder's files, and of its folders; `pattern` is what they are wanted for."""
        ...


def with_data(
    jobfile: JobFile, files: DataFiles | None, limit: int
) -> tuple[JobFile, frozenset[str], Problems]:
    """The job file with all values, the names of jobs that lack some, and problems.

    Without `files` there is nothing next to the job file.
    No more is made of a range than a file of `limit` jobs could be made of.
    """
    reader = _Reader(jobfile, files, limit)
    made = replace(jobfile, entries=tuple(map(reader.entry, jobfile.entries)))
    return made, frozenset(reader.broken), Problems(reader.problems, reader.lines)


class _Reader:
    """Reads each source once, however many jobs have it from `defaults`."""

    def __init__(self, jobfile: JobFile, files: DataFiles | None, limit: int) -> None:
        self._document = jobfile.document
        self._files = files
        self._limit = limit
        self._tables: dict[tuple[str, str], Table | None] = {}
        self._columns: dict[tuple[str, str, str | None], DataValues] = {}
        self._values: dict[int, DataValues | Diagnostic | None] = {}
        self.broken: set[str] = set()
        self.problems: list[Diagnostic] = []
        self.lines: dict[str, Sequence[str]] = {}

    def entry(self, entry: JobEntry) -> JobEntry:
        found = [self._axis(axis) for axis in entry.axes]
        made = entry._replace(axes=tuple(axis for axis in found if axis is not None))
        if None not in found:
            problems = list(_zip_problems(self._document, made))
            if not problems:
                return made
            self.problems += problems
        self.broken.add(entry.name)
        return made._replace(zipped=YamlSeq())

    def _axis(self, axis: Axis) -> Axis | None:
        """The axis with its values; None, and problems kept, where its source is no good."""
        source = axis.source
        if source is None:
            return axis
        if id(source) not in self._values:  # the document holds it for as long as this is asked
            self._values[id(source)] = found = self._read(axis, source)
            self.problems += [found] if isinstance(found, Diagnostic) else []
        values = self._values[id(source)]
        return replace(axis, values=values) if isinstance(values, DataValues) else None

    def _read(self, axis: Axis, source: YamlMap) -> DataValues | Diagnostic | None:
        """None where its table is no good, which is reported once for all axes."""
        kinds = [kind for kind in ("from", "range", "glob") if kind in source]
        if len(kinds) != 1:
            message = f"axis `{axis.name}` must say one of `from`, `range` and `glob`"
            hint = "a table: `{from: scenes.csv, key: id}`; numbers: `{range: [1, 10]}`"
            return self._diagnostic("axis-source", message, source.spot, hint)
        read = {"from": self._rows, "range": self._range, "glob": self._names}
        return read[kinds[0]](axis, source)

    def _diagnostic(self, code: str, message: str, spot: Spot, hint: str | None) -> Diagnostic:
        return Diagnostic(code, message, self._document.at(spot), hint)

    # --- the three kinds -------------------------------------------------------------------------

    def _range(self, axis: Axis, source: YamlMap) -> DataValues | Diagnostic:
        most = max(ALWAYS_MADE, self._limit)
        try:
            values = read_range(source["range"], most)
        except BadValues as bad:
            message = f"the range of axis `{axis.name}` {bad.message}"
            return self._diagnostic("axis-range", message, source.value_spots["range"], bad.hint)
        if len(values) <= most:
            return values
        message = (
            f"axis `{axis.name}` has more than {most:,} values; at most {self._limit:,} jobs are allowed"
        )
        hint = f"take fewer, or {how_to_allow(len(values))}"
        return self._diagnostic("too-many-jobs", message, source.spot, hint)

    def _names(self, axis: Axis, source: YamlMap) -> DataValues | Diagnostic:
        pattern, files = source["glob"], self._files
        try:
            return files_matching(pattern, lambda at: files.entries(at, pattern) if files else ((), ()))
        except BadValues as bad:
            message = f"axis `{axis.name}`: {bad.message}"
            return self._diagnostic("axis-glob", message, source.value_spots["glob"], bad.hint)

    def _rows(self, axis: Axis, source: YamlMap) -> DataValues | Diagnostic | None:
        name, key = source["from"], source["key"]
        if (name, key) not in self._tables:
            self._tables[name, key], problems = self._table(source)
            self.problems += problems
        table = self._tables[name, key]
        column = source.get("column")
        if table is None:
            return None
        columns = table.columns
        if column is not None and columns and column not in columns:
            message = f"`{name}` has no column `{column}`, which axis `{axis.name}` takes"
            hint = suggest(column, columns) or f"its columns: {', '.join(columns[:20])}"
            return self._diagnostic(KEY, message, source.value_spots["column"], hint)
        if (name, key, column) not in self._columns:
            self._columns[name, key, column] = table_rows(table, column)
        return self._columns[name, key, column]

    def _table(self, source: YamlMap) -> tuple[Table | None, list[Diagnostic]]:
        name, spot = source["from"], source.value_spots["from"]
        if not is_table(name):
            message = f"`{name}` is not a table: its extension is `{ending(name)[:20]}`"
            return None, [self._diagnostic("data-file", message, spot, _KINDS)]
        none = f"there is no file `{name}` here", None
        found = self._files.read(name, MAX_BYTES) if self._files else none
        if isinstance(found, tuple):
            why, hint = found
            usual = "data lies in the project, and is named by its path from the job file's folder"
            return None, [self._diagnostic("data-file", why, spot, hint or usual)]
        text = found.data.decode(errors="replace").removeprefix("\ufeff")
        self.lines[found.name] = text.replace("\r\n", "\n").split("\n")
        return read_table(found, source["key"], self._document.at(source.value_spots["key"]))


# --- axes that are walked together: `zip: [scene, mood]`, or several groups of them ------------------


def _zip_problems(document: Document, entry: JobEntry) -> Iterator[Diagnostic]:
    if len({isinstance(item, str) for item in entry.zipped}) > 1:
        hint = "several groups are all lists: `zip: [[a, b], [c, d]]`"
        message = "`zip` has both names and lists of them"
        yield _zip_problem(document, entry, message, entry.zipped.spot, hint)
        return
    sizes = {axis.name: len(axis.values) for axis in entry.axes}
    first: dict[str, Spot] = {}
    for names in entry.zip_groups:
        yield from _name_problems(document, entry, names, first)
        known = [(name, sizes[name]) for name in names if name in sizes]
        if len(names) < 2:
            message = "`zip` walks two axes or more together"
            hint = "for example `zip: [scene, mood]`"
            yield _zip_problem(document, entry, message, names.item_spots[0], hint)
        elif len({size for _, size in known}) > 1:
            told = ", ".join(f"`{name}` has {size:,}" for name, size in known)
            message = f"`zip` walks axes of equal length together, but {told}"
            hint = "give each as many values as the others, or take it out of `zip`"
            yield _zip_problem(document, entry, message, names.item_spots[0], hint)


def _name_problems(
    document: Document, entry: JobEntry, names: YamlSeq, first: dict[str, Spot]
) -> Iterator[Diagnostic]:
    """Fills `first` with where each name was met."""
    known = [axis.name for axis in entry.axes]
    for name, spot in zip(names, names.item_spots, strict=True):
        if name in first:
            message = f"`zip` names the axis `{name}` twice"
            twice = _zip_problem(document, entry, message, spot, "an axis is in one group")
            yield replace(twice, also=(document.at(first[name]),))
        elif name not in known:
            axes = f"its axes: {', '.join(known)}; " if known else ""
            drop = f"{axes}a job drops a `zip` of `defaults` with `zip: []`"
            message = f"`zip` names `{name}`, which is not an axis"
            yield _zip_problem(document, entry, message, spot, suggest(name, known) or drop)
        first.setdefault(name, spot)


def _zip_problem(document: Document, entry: JobEntry, message: str, spot: Spot, hint: str) -> Diagnostic:
    return Diagnostic(CODE, f"job `{entry.name}`: {message}", document.at(spot), hint)
