"""What a matrix may not be: the strict half of the GitHub Actions algorithm.

In: a matrix with its typed rows. Out: problems with their places. Errors, not silence: an empty axis,
a duplicate value, an exclude that removes nothing, a key that is no axis. Touches nothing.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from kiejobs.core.address import axes_text, label, label_source
from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.wording import show, suggest
from kiejobs.core.fingerprint import canonical
from kiejobs.core.matrix.axis_values import DataValues
from kiejobs.core.matrix.include_exclude import Matcher, equals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from kiejobs.core.document.nodes import Document, Json, Spot
    from kiejobs.core.expand.typed_matrix import TypedMatrix, Values
    from kiejobs.core.jobfile.jobfile import Axis, Entry

_MOST_VALUES_SHOWN = 12
_ENOUGH = 100
"""Problems of one matrix; what is wrong with the next is the same again."""


def check_matrix(document: Document, matrix: TypedMatrix, *, walk: bool) -> list[Diagnostic]:
    """What is wrong with the matrix; its rows can be walked where nothing is.

    Without `walk`, which a matrix that is far too large must not have, only what its text shows.
    """
    found = list(islice(_written(document, matrix), _ENOUGH))
    if walk and not found:
        walked = chain(
            _useless_excludes(document, matrix),
            _appended_rows(document, matrix),
            _nothing_left(document, matrix),
        )
        found = list(islice(walked, _ENOUGH))
    return found


# --- what the text shows ---------------------------------------------------------------------------


def _written(document: Document, matrix: TypedMatrix) -> Iterator[Diagnostic]:
    job = matrix.entry.name
    for axis in matrix.rows.axes:
        known: dict[str, Json] = {}
        if isinstance(axis.values, DataValues):
            yield from _data_clashes(document, matrix, axis)
            continue
        yield from _axis_problems(document, axis, job, known)
        for entry in matrix.entry.include:
            if axis.name in entry.values:
                yield from _clash(document, matrix, entry, axis.name, known)
    for entry in matrix.entry.exclude:
        yield from _exclude_problems(document, matrix, entry)


def _axis_problems(
    document: Document, axis: Axis, job: str, known: dict[str, Json]
) -> Iterator[Diagnostic]:
    """Fills `known` with the axis' values by their names in the address."""
    first: dict[str, Spot] = {}
    for value, spot in zip(axis.values, axis.spots, strict=True):
        name = label(value)
        place = document.at(spot)
        if name is None:
            message = f"job `{job}`: a mapping on axis `{axis.name}` has no `id`"
            hint = "give it `id: some-name`; it stands in the address"
            yield Diagnostic("axis-value", message, place, hint)
        elif name in known:
            message, hint = _twice(axis.name, name, known[name], value)
            also = (document.at(first[name]),)
            yield Diagnostic("duplicate-value", f"job `{job}`: {message}", place, hint, also=also)
        else:
            known[name], first[name] = value, spot


def _twice(axis: str, name: str, one: Json, other: Json) -> tuple[str, str]:
    if canonical(one) == canonical(other):
        return f"axis `{axis}` has {_shown(other)} twice", "remove one of them"
    if isinstance(one, dict) or isinstance(other, dict):
        return f"two values of axis `{axis}` have the name `{name}`", "give them different `id`s"
    message = f"axis `{axis}` has {_shown(one)} and {_shown(other)}, which have the same name"
    return message, "remove one of them"


def _clash(
    document: Document, matrix: TypedMatrix, entry: Entry, axis: str, known: Mapping[str, Json]
) -> Iterator[Diagnostic]:
    """An include's value may not share an axis value's name without being that value: 5 and "5"."""
    value = matrix.typed(axis, entry.values[axis])
    name = label(value)
    if name is not None and name in known and not equals(known[name], value):
        message = (
            f"job `{matrix.entry.name}`: include gives axis `{axis}` {_shown(value)}, "
            "which has the same name as another value of that axis"
        )
        place = document.at(entry.key_spots[axis])
        yield Diagnostic("duplicate-value", message, place, f"write it as {show(known[name])}")


def _data_clashes(document: Document, matrix: TypedMatrix, axis: Axis) -> Iterator[Diagnostic]:
    """Nothing is in data twice, but an include entry may give something else the name of a value."""
    for entry in matrix.entry.include:
        if axis.name in entry.values and isinstance(axis.values, DataValues):
            value = matrix.typed(axis.name, entry.values[axis.name])
            if axis.values.clashes(value):
                message = (
                    f"job `{matrix.entry.name}`: include gives axis `{axis.name}` {_shown(value)}, "
                    "which has the same name as another value of that axis"
                )
                place = document.at(entry.key_spots[axis.name])
                hint = "write just the name to mean that value, or choose another name"
                yield Diagnostic("duplicate-value", message, place, hint)


def _exclude_problems(
    document: Document, matrix: TypedMatrix, entry: Entry
) -> Iterator[Diagnostic]:
    names = [axis.name for axis in matrix.rows.axes]
    for key in entry.values:
        if key not in names:
            message = f"job `{matrix.entry.name}`: exclude names `{key}`, which is not an axis"
            hint = suggest(key, names) or f"its axes: {', '.join(names)}" if names else None
            place = document.at(entry.key_spots[key])
            yield Diagnostic("exclude-key", message, place, hint)


# --- what walking the rows shows -------------------------------------------------------------------


def _useless_excludes(document: Document, matrix: TypedMatrix) -> Iterator[Diagnostic]:
    for number in matrix.rows.useless_excludes:
        entry = matrix.entry.exclude[number]
        hint = _why_useless(matrix, entry)
        if _is_inherited(document, entry):
            hint = f"it comes from `defaults`: {hint}; the job can drop it with `exclude: []`"
        message = f"job `{matrix.entry.name}`: this exclude removes nothing"
        yield Diagnostic("useless-exclude", message, document.at(entry.spot), hint)


def _why_useless(matrix: TypedMatrix, entry: Entry) -> str:
    for axis in matrix.rows.axes:
        if axis.name not in entry.values:
            continue
        wanted = matrix.typed(axis.name, entry.values[axis.name])
        if not _positions(axis, wanted):
            quoted = _in_quotes(axis, wanted)
            if quoted is not None:
                return f"axis `{axis.name}` has no {_shown(wanted)}; for its {quoted}, write the quotes, too"
            return f"axis `{axis.name}` has no {_shown(wanted)}, only {_some(axis)}"
    return "another exclude removed the same combinations already"


def _some(axis: Axis) -> str:
    shown = [_called(axis, at) for at in range(min(len(axis.values), _MOST_VALUES_SHOWN))]
    return ", ".join([*shown, "…"] if len(axis.values) > len(shown) else shown)


def _in_quotes(axis: Axis, wanted: Json) -> str | None:
    """The key of a table that YAML takes for this number, unless it is quoted: 007, 1e3."""
    if not isinstance(axis.values, DataValues) or not isinstance(wanted, int | float):
        return None
    names = map(axis.values.name, range(len(axis.values)))
    return next((show(name) for name in names if _as_number(name) == wanted), None)


def _as_number(name: Json) -> float | None:
    try:
        return float(name) if isinstance(name, str) else None
    except ValueError:
        return None


def _positions(axis: Axis, wanted: Json) -> AbstractSet[int]:
    values = axis.values
    return (values if isinstance(values, DataValues) else Matcher(axis)).positions(wanted)


def _called(axis: Axis, position: int) -> str:
    if isinstance(axis.values, DataValues):
        return show(axis.values.name(position))
    return _shown(axis.values[position])


def _shown(value: Json) -> str:
    """A value short; a mapping by its name where it has one."""
    source = label_source(value)
    return show(value if source is None else source)


def _is_inherited(document: Document, entry: Entry) -> bool:
    excludes = document.root.get("defaults", {}).get("matrix", {}).get("exclude")
    return excludes is not None and entry.spot in excludes.item_spots


def _nothing_left(document: Document, matrix: TypedMatrix) -> Iterator[Diagnostic]:
    if not len(matrix.rows):
        message = f"job `{matrix.entry.name}`: its excludes leave no combination"
        place = document.at(matrix.entry.spot)
        yield Diagnostic("empty-job", message, place, "drop an exclude, or the whole job")


def _appended_rows(document: Document, matrix: TypedMatrix) -> Iterator[Diagnostic]:
    """Rows of include's own must have an address, each another one."""
    seen: dict[str, Spot] = {}
    for row in matrix.rows.appended:
        entry = matrix.entry.include[row.origin or 0]
        values = matrix.row(row)
        nameless = [key for key in matrix.rows.names if _is_nameless(values, key)]
        for key in nameless:
            message = f"job `{matrix.entry.name}`: include gives axis `{key}` no name"
            place = document.at(entry.key_spots[key])
            hint = "write a plain value, or give the mapping `id: some-name`"
            yield Diagnostic("axis-value", message, place, hint)
        name = axes_text(matrix.labels(values))
        if name in seen and not nameless:
            message = f"job `{matrix.entry.name}`: include makes the combination `{name}` twice"
            hint = "drop one of the two entries, or tell them apart by an axis"
            also = (document.at(seen[name]),)
            yield Diagnostic("duplicate-row", message, document.at(entry.spot), hint, also=also)
        seen.setdefault(name, entry.spot)


def _is_nameless(values: Values, key: str) -> bool:
    return key in values and not values[key].named
