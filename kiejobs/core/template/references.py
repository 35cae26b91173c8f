"""What a template may read, found in its syntax tree without rendering it.

In: jinja2's tree; for templates that it pulls in, a way to ask for theirs. Out: `Reads`. Touches nothing.

Nothing is ever left out: where a template does what can't be followed here (`matrix` as a whole, an
include whose name is worked out), it counts as reading everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jinja2 import nodes

from kiejobs.core.template.filters import MAPPING_METHODS
from kiejobs.core.template.renderer import ANYTHING, Reads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kiejobs.core.template.renderer import Names

_ELSEWHERE: Final[tuple[Any, ...]] = (
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
)
_MOST_TEMPLATES: Final = 200
"""So many are followed from one; a campaign has some dozens."""


def reads_of(tree: nodes.Template) -> Reads:
    """What the template itself may read, without those that it pulls in."""
    names = {node.name for node in tree.find_all(nodes.Name)}
    names |= {node.name for node in tree.find_all(nodes.NSRef)}
    axes, variables = _keys(tree, "matrix"), _keys(tree, "vars")
    return Reads(axes, variables, frozenset(names), _templates(tree))


def all_reads(own: Reads, reads_of_named: Callable[[str], Reads]) -> Reads:
    """`own` and those of all templates that are pulled in, each looked at once."""
    found, seen, waiting = own, set[str](), list(own.templates or ())
    while found.templates is not None and waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if len(seen) > _MOST_TEMPLATES:
            return ANYTHING
        more = reads_of_named(name)
        found |= more
        waiting += more.templates or ()
    return found if found.templates is not None else ANYTHING


def _keys(tree: nodes.Template, name: str) -> Names:
    """The keys of the mapping `name`."""
    keys: set[str] = set()
    known: set[int] = set()
    lookups: Iterable[Any] = tree.find_all((nodes.Getattr, nodes.Getitem))
    for node in lookups:
        key = _constant_key(node)
        if key is not None and isinstance(node.node, nodes.Name) and node.node.name == name:
            keys.add(key)
            known.add(id(node.node))
    whole = any(node.name == name and id(node) not in known for node in tree.find_all(nodes.Name))
    whole = whole or any(ref.name == name for ref in tree.find_all(nodes.NSRef))
    return None if whole else frozenset(keys)


def _constant_key(node: Any) -> str | None:
    if isinstance(node, nodes.Getattr):
        return None if node.attr in MAPPING_METHODS else node.attr
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return None if node.arg.value in MAPPING_METHODS else node.arg.value
    return None


def _templates(tree: nodes.Template) -> Names:
    found: set[str] = set()
    for node in tree.find_all(_ELSEWHERE):
        for name in _named(node.template):
            if name is None:
                return None
            found.add(name)
    return frozenset(found)


def _named(node: Any) -> Iterator[str | None]:
    """The names that are written there; None for one that is worked out."""
    if isinstance(node, nodes.List | nodes.Tuple):
        for item in node.items:
            yield from _named(item)
    elif isinstance(node, nodes.CondExpr):
        yield from _named(node.expr1)
        yield from _named(node.expr2) if node.expr2 is not None else ()
    else:
        is_text = isinstance(node, nodes.Const) and isinstance(node.value, str)
        yield node.value if is_text else None
