"""Where included templates come from, and which names may be asked for at all.

In: a name from a template, and the function that finds its text. Out: the text, or a
`TemplateProblem`. Touches nothing itself; the function handed in reads the disk.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import jinja2

from kiejobs.core.template.errors import kind
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable

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
