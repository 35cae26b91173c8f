"""Axes that are walked together: `zip: [scene, mood]`, or several groups of them.

In: a job entry whose axes have their values. Out: groups of names, and what is wrong with them, with its
place. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.wording import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Document, Spot
    from kiejobs.core.jobfile.jobfile import JobEntry

CODE = "axis-zip"


def zip_groups(entry: JobEntry) -> list[list[str]]:
    """The names that each group walks together."""
    written = entry.zipped
    if any(isinstance(item, str) for item in written):
        return [list(written)]
    return [list(group) for group in written]


def zip_problems(document: Document, entry: JobEntry) -> Iterator[Diagnostic]:
    """What keeps the axes from being walked together."""
    written = entry.zipped
    if len({isinstance(item, str) for item in written}) > 1:
        yield _problem(document, entry, "`zip` has both names and lists of them", written.spot,
                       "several groups are all lists: `zip: [[a, b], [c, d]]`")  # fmt: skip
        return
    sizes = {axis.name: len(axis.values) for axis in entry.axes}
    first: dict[str, Spot] = {}
    for names, spots in _groups(entry):
        yield from _name_problems(document, entry, names, spots, first)
        known = [(name, sizes[name]) for name in names if name in sizes]
        if len(names) < 2:
            message = "`zip` walks two axes or more together"
            yield _problem(document, entry, message, spots[0], "for example `zip: [scene, mood]`")
        elif len({size for _, size in known}) > 1:
            told = ", ".join(f"`{name}` has {size:,}" for name, size in known)
            message = f"`zip` walks axes of equal length together, but {told}"
            hint = "give each as many values as the others, or take it out of `zip`"
            yield _problem(document, entry, message, spots[0], hint)


def _groups(entry: JobEntry) -> Iterator[tuple[list[str], list[Spot]]]:
    written = entry.zipped
    if any(isinstance(item, str) for item in written):
        yield list(written), written.item_spots
        return
    for group in written:
        yield list(group), group.item_spots


def _name_problems(
    document: Document, entry: JobEntry, names: list[str], spots: list[Spot], first: dict[str, Spot]
) -> Iterator[Diagnostic]:
    """Fills `first` with where each name was met."""
    known = [axis.name for axis in entry.axes]
    for name, spot in zip(names, spots, strict=True):
        if name in first:
            message = f"`zip` names the axis `{name}` twice"
            also = (document.at(first[name]),)
            yield _problem(document, entry, message, spot, "an axis is in one group", also=also)
        elif name not in known:
            hint = suggest(name, known) or "; ".join(_axes_in_words(known))
            message = f"`zip` names `{name}`, which is not an axis"
            yield _problem(document, entry, message, spot, hint)
        first.setdefault(name, spot)


def _axes_in_words(known: list[str]) -> Iterator[str]:
    if known:
        yield f"its axes: {', '.join(known)}"
    yield "a job drops a `zip` of `defaults` with `zip: []`"


def _problem(
    document: Document,
    entry: JobEntry,
    message: str,
    spot: Spot,
    hint: str,
    also: tuple[Place, ...] = (),
) -> Diagnostic:
    return Diagnostic(CODE, f"job `{entry.name}`: {message}", document.at(spot), hint, also=also)
