"""What a job file says that nothing reads: variables, and axes that change nothing.

In: a job file without errors, its recipes, what their templates read. Out: warnings with their places.
Touches nothing. Where a template may read anything at all, nothing is told: no false alarms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, Severity
from kiejobs.core.document.nodes import YamlMap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.diagnostics import Place, Problems
    from kiejobs.core.document.nodes import Document
    from kiejobs.core.expand.compiled_job import CompiledJob
    from kiejobs.core.template.renderer import Reads

_WHOLE_NAMES = frozenset({"axes", "address"})
"""What an `output` may read in the place of all axes."""


def report_unused(
    document: Document, recipes: Sequence[CompiledJob], reads: Reads, problems: Problems
) -> None:
    """`reads` is what all templates of the file may read; the rows must have been walked before."""
    problems.extend([*_unused_variables(document, reads), *_unused_axes(document, recipes)])


def _unused_variables(document: Document, reads: Reads) -> Iterator[Diagnostic]:
    declared = document.root.get("vars")
    if reads.vars is None or not isinstance(declared, YamlMap):
        return
    for name in declared:
        if name not in reads.vars and not name.startswith("x-"):
            message = f"no template reads the variable `{name}`"
            hint = (
                f"write `{{{{ vars.{name} }}}}` where it is meant, drop it, or name it `x-{name}`"
            )
            place = document.place(("vars", name), key=True)
            yield Diagnostic("unused-variable", message, place, hint, Severity.WARNING)


def _unused_axes(document: Document, recipes: Sequence[CompiledJob]) -> Iterator[Diagnostic]:
    """An axis in `defaults` counts as used where one job uses it."""
    used: set[Place] = set()
    idle: dict[Place, str] = {}
    for recipe in recipes:
        for axis in recipe.rows.axes:
            place = _place_of(document, recipe, axis.name)
            if _is_used(recipe, axis.name):
                used.add(place)
            else:
                idle[place] = axis.name
    for place, name in idle.items():
        if place not in used:
            message = (
                f"axis `{name}` changes nothing: it is no input field, and no template reads it"
            )
            hint = f"write `{{{{ matrix.{name} }}}}` where it is meant, or drop it"
            yield Diagnostic("unused-axis", message, place, hint, Severity.WARNING)


def _is_used(recipe: CompiledJob, axis: str) -> bool:
    reads = recipe.reads
    if reads.axes is None or reads.names is None or axis in reads.axes:
        return True
    if axis in recipe.spec.fields or not reads.names.isdisjoint(_WHOLE_NAMES):
        return True
    # An entry that names it says by it which rows are meant.
    return any(axis in entry.values for entry in (*recipe.entry.exclude, *recipe.entry.include))


def _place_of(document: Document, recipe: CompiledJob, axis: str) -> Place:
    own = ("jobs", recipe.entry.name, "matrix")
    there = _at(document, own)
    path = own if isinstance(there, YamlMap) and axis in there else ("defaults", "matrix")
    return document.place((*path, axis), key=True)


def _at(document: Document, path: Sequence[str]) -> object:
    node: object = document.root
    for step in path:
        node = node.get(step) if isinstance(node, YamlMap) else None
    return node
