"""A template that fills in a form: what it says must find a place there.

In: the tree of a template that extends another, the blocks of that one. Out: nothing, or a
`TemplateProblem`. Touches nothing.

jinja2 drops in silence what stands beside the blocks, and a block that the form has not. Here that would
be a prompt without its subject, paid for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from kiejobs.core.template.errors import did_you_mean
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def forms_of(tree: nodes.Template) -> list[Any]:
    """The expressions that name what is extended, whatever the circumstances."""
    return [node.template for node in tree.body if isinstance(node, nodes.Extends)]


def blocks_of(tree: nodes.Template) -> frozenset[str]:
    return frozenset(block.name for block in tree.find_all(nodes.Block))


def check_beside(tree: nodes.Template) -> None:
    """Raises TemplateProblem for what stands behind the `extends` and in no block."""
    is_filling = False
    for node in tree.body:
        if is_filling and (isinstance(node, nodes.Include) or _prints(node)):
            message = "what stands beside the blocks is dropped where a template extends another"
            raise TemplateProblem(message, "put it into a block, or delete it", node.lineno)
        is_filling |= isinstance(node, nodes.Extends)


def check_blocks(tree: nodes.Template, form: str, known: Collection[str]) -> None:
    """Raises TemplateProblem for a block that has no place in the form."""
    for node in tree.body:
        if isinstance(node, nodes.Block) and node.name not in known:
            near = did_you_mean(node.name, known)
            names = ", ".join(f"`{name}`" for name in sorted(known)[:8])
            hint = f"did you mean `{near}`?" if near else f"its blocks: {names}" if names else None
            message = f"`{form[:80]}`, which is extended, has no block `{node.name[:80]}`"
            raise TemplateProblem(message, hint, node.lineno)


def _prints(node: nodes.Node) -> bool:
    if not isinstance(node, nodes.Output):
        return False
    parts: Iterable[nodes.Node] = node.nodes
    return any(not isinstance(part, nodes.TemplateData) or part.data.strip() for part in parts)
