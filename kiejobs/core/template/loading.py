"""Templates that pull in others: which names may be asked for, and what a form has a place for.

In: names and trees of templates, and the function that finds a text by its name. Out: the text, or a
`TemplateProblem`. Touches nothing itself; the function handed in reads the disk.

jinja2 drops in silence what stands beside the blocks where a template extends another, and a block that
the other one has not. Here that would be a prompt without its subject, paid for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import jinja2
from jinja2 import nodes

from kiejobs.core.template.messages import did_you_mean
from kiejobs.core.template.renderer import TemplateProblem
from kiejobs.core.template.values import kind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from jinja2.environment import TemplateModule
    from jinja2.runtime import Context

MAX_SOURCE: Final = 100_000
"""Characters of a template; the longest prompt that the API takes has 10,000."""

_DRIVE = re.compile(r"[A-Za-z]:")
_WAY = "write a path below the job file's folder, like `prompts/scene.j2`"


class FreshTemplate(jinja2.Template):
    """A template whose macros are made anew for each rendering.

    jinja2 keeps the first ones, and with them whatever a `namespace` in them has counted up to: the
    second prompt would then depend on the first.
    """

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        del ctx
        return self.make_module()


def loader(load: Callable[[str], str | None]) -> jinja2.BaseLoader:
    """jinja2's way to ask `load`, which answers None where there is no template."""

    def source(name: str) -> str | None:
        text = load(name)
        if text is not None:
            check_source(text, name)
        return text

    return jinja2.FunctionLoader(source)


def check_source(text: str, name: str | None = None) -> None:
    """Raises TemplateProblem for a template that is too long to be compiled in good time."""
    if len(text) > MAX_SOURCE:
        message = f"the template has more than {MAX_SOURCE:,} characters"
        raise TemplateProblem(message, "include less", name=name)


def check_name(name: Any) -> None:
    """Raises TemplateProblem unless `name` is a plain path that stays below its folder."""
    if not isinstance(name, str):
        raise TemplateProblem(f"{kind(name)} can't be included", _WAY)
    parts = name.split("/")
    unsafe = ".." in parts or "" in parts or "\\" in name or _DRIVE.match(name)
    if unsafe or not name.isprintable():
        shown = "".join(char if char.isprintable() else "?" for char in name[:80])
        raise TemplateProblem(f"the template name `{shown}` is not allowed", _WAY)


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
