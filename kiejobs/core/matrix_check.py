"""What a matrix may not be: the strict half of the GitHub Actions algorithm.

In: a recipe with its typed rows. Out: problems with their places. Errors, not silence: an empty axis,
a duplicate value, an exclude that removes nothing, a key that is no axis. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.address import label
from kiejobs.core.errors import Diagnostic
from kiejobs.core.identity import canonical
from kiejobs.core.matrix import Axis, Entry, equals
from kiejobs.core.schema_words import show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.errors import Problems
    from kiejobs.core.recipe import Recipe
    from kiejobs.core.types import Document, Json

_CHEAP_PRODUCT = 10_000_000


def check_matrix(document: Document, recipe: Recipe, problems: Problems) -> bool:
    """Tells what is wrong with the matrix; True where its rows can be walked."""
    found = list(_problems(document, recipe))
    problems.extend(found)
    return not found


def _problems(document: Document, recipe: Recipe) -> Iterator[Diagnostic]:
    job = recipe.entry.name
    for axis in recipe.rows.axes:
        yield from _axis_problems(document, axis, job)
    for entry in recipe.entry.exclude:
        yield from _exclude_problems(document, recipe, entry)
    yield from _include_problems(document, recipe)
    if recipe.rows.product_size > _CHEAP_PRODUCT:
        return  # counting would take long; the limit on jobs speaks next
    for number in recipe.rows.useless_excludes:
        entry = recipe.entry.exclude[number]
        yield Diagnostic(
            "useless-exclude",
            f"job `{job}`: this exclude removes nothing",
            document.at(entry.spot),
            _why_useless(recipe, number),
        )


def _axis_problems(document: Document, axis: Axis, job: str) -> Iterator[Diagnostic]:
    seen: dict[str, Json] = {}
    for value, spot in zip(axis.values, axis.spots, strict=True):
        name = label(value)
        place = document.at(spot)
        if name is None:
            message = f"job `{job}`: a mapping on axis `{axis.name}` has no `id`"
            hint = "give it `id: some-name`; it stands in the address"
            yield Diagnostic("axis-value", message, place, hint)
        elif name in seen and canonical(seen[name]) == canonical(value):
            message = f"job `{job}`: axis `{axis.name}` has {show(value)} twice"
            yield Diagnostic("duplicate-value", message, place, "remove one of them")
        elif name in seen:
            message = f"job `{job}`: two values of axis `{axis.name}` have the same name `{name}`"
            yield Diagnostic("duplicate-value", message, place, "give them different `id`s")
        else:
            seen[name] = value


def _exclude_problems(document: Document, recipe: Recipe, entry: Entry) -> Iterator[Diagnostic]:
    names = [axis.name for axis in recipe.rows.axes]
    for key in entry.values:
        if key not in names:
            message = f"job `{recipe.entry.name}`: exclude names `{key}`, which is not an axis"
            hint = suggest(key, names) or (f"axes: {', '.join(names)}" if names else None)
            place = document.at(entry.key_spots.get(key, entry.spot))
            yield Diagnostic("exclude-key", message, place, hint)


def _include_problems(document: Document, recipe: Recipe) -> Iterator[Diagnostic]:
    """An include value may not share an axis value's name without being that value."""
    for entry in recipe.entry.include:
        for key, value in entry.values.items():
            for axis in recipe.rows.axes:
                if axis.name == key and _clashes(axis, value, recipe):
                    message = (
                        f"job `{recipe.entry.name}`: include gives axis `{key}` {show(value)}, "
                        "which has the same name as another value of that axis"
                    )
                    place = document.at(entry.key_spots.get(key, entry.spot))
                    yield Diagnostic("duplicate-value", message, place, "write it the same way")
            if isinstance(value, dict) and label(value) is None and key in recipe.rows.names:
                message = f"job `{recipe.entry.name}`: a mapping for `{key}` has no `id`"
                place = document.at(entry.key_spots.get(key, entry.spot))
                yield Diagnostic("axis-value", message, place, "give it `id: some-name`")


def _clashes(axis: Axis, value: Json, recipe: Recipe) -> bool:
    field = recipe.spec.fields.get(axis.name)
    if field is not None:
        return False  # both were brought to the field's type already
    return any(label(known) == label(value) and not equals(known, value) for known in axis.values)


def _why_useless(recipe: Recipe, number: int) -> str:
    entry = recipe.entry.exclude[number]
    for axis in recipe.rows.axes:
        if axis.name in entry.values:
            known = ", ".join(label(value) or "?" for value in axis.values)
            if str(entry.values[axis.name]) not in known.split(", "):
                return f"axis `{axis.name}` has the values {known}"
    return "an earlier exclude removed the same combinations already"
