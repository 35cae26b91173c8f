"""The values of an axis: listed in the job file, rows of a table, a range of numbers, names of files.

In: a list, a table, a range as written, a pattern and a way to list folders. Out: `AxisValues`, which know
what each is called in an address, and which of them an entry means. Touches nothing itself. Data is data: no value that comes from it is rendered as a template, whatever it looks like.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from fnmatch import translate
from functools import cached_property
from itertools import dropwhile, groupby
from typing import TYPE_CHECKING, Final, TypeAlias

from kiejobs.core.address import label, label_source
from kiejobs.core.document.wording import show
from kiejobs.core.fingerprint import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Self

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.jobfile import Values
    from kiejobs.core.table.table import Table

MOST_DIGITS: Final = 12
"""Of a number of a range, before the point, and behind it; what a JSON number keeps exactly."""

_SHORT_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?")
_JUST_THE_NAME = "write just the name to mean that value, or choose another name"


@dataclass(frozen=True, eq=False)
class AxisValues:
    """The values that a job file lists, by position; an entry names one by itself, or by parts of it."""

    values: Values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, position: int, /) -> Json:
        return self.values[position]

    def __iter__(self) -> Iterator[Json]:
        return iter(self.values)

    def typed(self, read: Callable[[Json], Json]) -> Self:
        """The same values, each as `read` makes it."""
        return replace(self, values=tuple(map(read, self.values)))

    def label(self, position: int) -> str | None:
        """What the value is called in an address; None for a mapping without a name."""
        return label(self.values[position])

    def name(self, position: int) -> Json:
        """What an entry calls the value."""
        source = label_source(self.values[position])
        return self.values[position] if source is None else source

    def positions(self, wanted: Json) -> AbstractSet[int]:
        """Where the values are that an exclude or include entry means by `wanted`."""
        if isinstance(wanted, dict):
            return {n for n, value in enumerate(self.values) if equals(value, wanted)}
        return self._by_content.get(canonical(wanted), frozenset())

    def label_of(self, given: Json) -> str | None:
        """What a value that an include entry gives to this axis is called; None where nothing names it."""
        return label(given)

    def clash(self, given: Json) -> str | None:
        """What to do where an include entry gives the name of a value to something else: 5 and "5"."""
        known = self._by_label.get(label(given))
        return None if known is None or equals(*known, given) else f"write it as {show(*known)}"

    def cell(self, position: int, column: str | None) -> Place | None:
        """Where in a data file the value is, or what a mapping has under `column`."""
        del position, column
        return None

    @cached_property
    def _by_content(self) -> Mapping[bytes, AbstractSet[int]]:
        found: dict[bytes, set[int]] = {}
        for position, value in enumerate(self.values):
            source = label_source(value)
            if source is not None or not isinstance(value, dict):
                found.setdefault(canonical(source), set()).add(position)
        return found

    @cached_property
    def _by_label(self) -> Mapping[str | None, tuple[Json]]:
        """The first value of each label."""
        values = ((label(value), (value,)) for value in reversed(self.values))
        return {name: value for name, value in values if name is not None}


def equals(value: Json, wanted: Json) -> bool:
    """Does `value` equal every leaf that `wanted` names?

    Mappings compare key by key, naming fewer keys matches more; a plain `wanted` also names a mapping
    by its `id` or `name`. Everything else is strict: 5 is not "5", true is not 1.
    """
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            key in value and equals(value[key], leaf) for key, leaf in wanted.items()
        )
    if isinstance(value, dict):
        return label_source(value) is not None and equals(label_source(value), wanted)
    return canonical(value) == canonical(wanted)


@dataclass(frozen=True, eq=False)
class DataValues(AxisValues):
    """Values that come from data; `names` are what an entry calls them, whatever they hold."""

    names: Values

    def label(self, position: int) -> str:
        return self._labels[position]

    def name(self, position: int) -> Json:
        return self.names[position]

    def positions(self, wanted: Json) -> AbstractSet[int]:
        found = self._by_name.get(wanted) if isinstance(wanted, str) else None
        return frozenset() if found is None else {found}

    def clash(self, given: Json) -> str | None:
        is_another = self.label_of(given) in self._labels and not self.positions(given)
        return _JUST_THE_NAME if is_another else None

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        return tuple(label(name) or "?" for name in self.names)

    @cached_property
    def _by_name(self) -> Mapping[Json, int]:
        return {name: position for position, name in enumerate(self.names)}


# --- tables ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TableRows(DataValues):
    """The rows of a table, or what each has in `column`. Their keys name them."""

    table: Table
    column: str | None = None

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        return tuple(self.table.numbers)

    def positions(self, wanted: Json) -> AbstractSet[int]:
        """A plain value means the row with that key, a mapping all rows that equal what it names."""
        if isinstance(wanted, dict):
            same = _has_texts if self.table.is_text else equals
            rows = enumerate(self.table.rows)
            return {number for number, row in rows if same(row.values, wanted)}
        number = self.table.numbers.get(label(wanted) or "")
        return frozenset() if number is None else {number}

    def label_of(self, given: Json) -> str | None:
        return label(given.get(self.table.key)) if isinstance(given, dict) else label(given)

    def clash(self, given: Json) -> str | None:
        number = self.table.numbers.get(self.label_of(given) or "")
        is_another = isinstance(given, dict) and number not in {None, *self.positions(given)}
        return _JUST_THE_NAME if is_another else None

    def cell(self, position: int, column: str | None) -> Place | None:
        return self.table.place(self.table.rows[position], column or self.column)


def table_rows(table: Table, column: str | None) -> TableRows:
    """The rows as mappings, or with `column` what each has there, which may be nothing."""
    rows = [row.values for row in table.rows]
    values = tuple(row if column is None else row.get(column) for row in rows)
    return TableRows(values, tuple(row[table.key] for row in rows), table, column)


def _has_texts(row: Json, wanted: Json) -> bool:
    """As `equals`, where all that a table holds is text: its `5` is what a job file calls 5."""
    return all(
        key in row and not isinstance(leaf, dict) and label(row[key]) == label(leaf)
        for key, leaf in wanted.items()
    )


# --- ranges: `range: {from: 1, to: 10, step: 2}`, or `range: [1, 10]` ---------------------------------


@dataclass(eq=False)
class BadValues(Exception):
    """What is wrong with a range goes on after the name of its axis."""

    message: str
    hint: str


class NumberRange(DataValues):
    """Numbers: an entry may write one as text, and with zeros at its end."""

    def positions(self, wanted: Json) -> AbstractSet[int]:
        if isinstance(wanted, bool) or not _SHORT_NUMBER.fullmatch(str(wanted)):
            return frozenset()
        found = self._by_number.get(Decimal(str(wanted)))
        return frozenset() if found is None else {found}

    def clash(self, given: Json) -> None:
        del given

    @cached_property
    def _by_number(self) -> Mapping[Decimal, int]:
        return {Decimal(str(number)): position for position, number in enumerate(self.names)}


def read_range(written: Json, most: int) -> NumberRange:
    """Both ends count. At most one number more than `most`. Raises BadValues.

    Numbers are decimals, so that a step of 0.1 never ends at 0.30000000000000004.
    """
    if not isinstance(written, dict):
        written = dict(zip(("from", "to", "step"), written, strict=False))
    first, last = _number(written["from"]), _number(written["to"])
    step = _number(written.get("step", 1))
    if not step:
        raise BadValues("has a step of 0", "drop it, or say how far one number is from the next")
    if (last - first) * step < 0:
        turned = f"write `step: {-step.normalize():f}`, or the smaller number first"
        message = f"leads from {first} to {last}, which a step of {step} never reaches"
        raise BadValues(message, turned)
    values = _Numbers(first, step, min(int((last - first) // step), most) + 1)
    return NumberRange(values, values)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Numbers a step apart, each made when it is asked for: a thousand jobs may have a range each."""

    first: Decimal
    step: Decimal
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, position: int, /) -> Json:
        number = self.first + range(self.size)[position] * self.step
        return int(number) if number == int(number) else float(number)

    def __iter__(self) -> Iterator[Json]:
        return map(self.__getitem__, range(self.size))


def _number(written: Json) -> Decimal:
    try:
        number = Decimal(str(written))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise BadValues(f"has `{str(written)[:40]}` for a number", "write one like 5 or 0.25")
    # By its exponent first: written out, `1e999999` has a million digits.
    is_near = -MOST_DIGITS <= number.adjusted() < MOST_DIGITS
    exact = is_near and int(number.normalize().as_tuple().exponent) >= -MOST_DIGITS
    if number and not exact:
        hint = f"at most {MOST_DIGITS} digits before the point, and behind it"
        raise BadValues(f"has a number that is too long: {str(written)[:40]}", hint)
    return number


# --- names of files: `glob: images/*.webp` ----------------------------------------------------------
#
# `*`, `?` and `[...]` match within one name, `**` any folders. Hidden files and folders are none.

MOST_SEEN: Final = 100_000
"""Files and folders that are looked at for one pattern."""

_MOST_LEVELS = 32
_LONGEST = 500
_WAY = "write a path from the job file's folder, like `images/*.webp` or `images/**/*.webp`"
_NONE = "hidden files, and what is outside the project, are not matched"
_DRIVE = re.compile(r"[A-Za-z]:")

_Steps: TypeAlias = "tuple[re.Pattern[str] | None, ...]"
"""A regular expression for each part of a path, None for `**`, which never comes last."""


def files_matching(pattern: str, entries: Callable[[str], tuple[Sequence[str], Sequence[str]]]) -> DataValues:
    """The names of the files that match, relative to the job file's folder, sorted.

    `entries` gives the names of a folder's files, and of its folders. Raises BadValues, also where no
    file matches.
    """
    start, steps = _steps(pattern)
    found = tuple(sorted(_found(start, steps, entries)))
    if not found:
        hint = f"it is looked for from the job file's folder; {_NONE}"
        raise BadValues(f"no file matches `{pattern}`", hint)
    called: dict[str, str] = {}
    for name in found:
        if not name.isprintable():
            hint = f"rename it: {ascii(name)[:80]}"
            raise BadValues("a file has a name that can't be shown", hint)
        other = called.setdefault(label(name) or "", name)
        if other != name:
            message = f"`{other}` and `{name}` have the same name in an address"
            raise BadValues(message, "rename one")
    return DataValues(found, found)


def is_match(pattern: str, name: str) -> bool:
    """Would a file of this name match, if it were there?"""
    try:
        start, steps = _steps(pattern)
    except BadValues:
        return False
    if not name.startswith(start):
        return False
    parts, reached = name.removeprefix(start).split("/"), _from(steps, 0)
    for part in parts:
        reached = _reached(steps, reached, part)
    return len(steps) in reached and not any(part.startswith(".") for part in parts)


def _found(
    start: str, steps: _Steps, entries: Callable[[str], tuple[Sequence[str], Sequence[str]]]
) -> Iterator[str]:
    """Looks into no folder in which nothing can match, and at a limited number of files and folders only."""
    waiting, seen = [(start, _from(steps, 0))], 0
    while waiting:
        folder, reached = waiting.pop()
        files, folders = entries(folder)
        seen += len(files) + len(folders)
        if seen > MOST_SEEN:
            message = f"there are more than {MOST_SEEN:,} files to look at"
            raise BadValues(message, "name the folder, like `images/*.webp`")
        for name in files:
            if len(steps) in _reached(steps, reached, name):
                yield folder + name
        if folder.count("/") < _MOST_LEVELS:
            inner = ((f"{folder}{name}/", _reached(steps, reached, name)) for name in folders)
            waiting += [(name, further) for name, further in inner if further - {len(steps)}]


def _reached(steps: _Steps, reached: AbstractSet[int], part: str) -> set[int]:
    """The steps that may come next behind `part`; their number where none needs to."""
    found: set[int] = set()
    for at in reached - {len(steps)}:
        step = steps[at]
        if step is None or step.fullmatch(unicodedata.normalize("NFC", part)):
            found |= _from(steps, at if step is None else at + 1)
    return found


def _from(steps: _Steps, at: int) -> set[int]:
    return {at, at + 1} if steps[at : at + 1] == (None,) else {at}


def _steps(pattern: str) -> tuple[str, _Steps]:
    """What leads up, such as `../`, and the steps down from there. Raises BadValues."""
    every = pattern.removeprefix("./").split("/")
    parts = list(dropwhile("..".__eq__, every)) or [""]
    if "\\" in pattern or _DRIVE.match(pattern) or {"", ".", ".."}.intersection(parts):
        raise BadValues(f"the pattern `{pattern[:80]}` is not allowed", _WAY)
    if len(pattern) > _LONGEST or len(parts) > _MOST_LEVELS:
        message = f"a pattern has at most {_LONGEST} characters and {_MOST_LEVELS} parts"
        raise BadValues(message, _WAY)
    if any(part.startswith(".") for part in parts):
        hint = "files whose names begin with `.` are not matched"
        raise BadValues(f"`{pattern}` asks for hidden files", hint)
    if any("**" in part and part != "**" for part in parts):
        raise BadValues(f"`**` must be alone between two `/`, not as in `{pattern}`", _WAY)
    kept = [part for part, same in groupby(parts) for _ in ([part] if part == "**" else same)]
    kept += ["*"] if kept[-1] == "**" else []
    steps = tuple(
        None if part == "**" else re.compile(translate(unicodedata.normalize("NFC", part))) for part in kept
    )
    return "../" * (len(every) - len(parts)), steps
