"""Which models of a plan follow a schema of the project's own: whoever approves it should know.

In: models, each with whether its schema is in the place of a bundled one. Out: one line, as text or as
Markdown. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.reports.markdown import code
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MANY = 10


def own_schemas_text(own: Mapping[str, bool]) -> str:
    """Empty where there are none."""
    return f"schemas of this project: {_listed(own, sanitize)}\n" if own else ""


def own_schemas_markdown(own: Mapping[str, bool]) -> str:
    """A paragraph; empty where there are none."""
    return f"\nSchemas of this project's own: {_listed(own, code)}.\n" if own else ""


def _listed(own: Mapping[str, bool], name: Callable[[str], str]) -> str:
    told = [
        f"{name(model)}{' (in place of the bundled one)' if instead else ''}"
        for model, instead in sorted(own.items())
    ]
    more = f" and {len(told) - _MANY:,} more" if len(told) > _MANY else ""
    return ", ".join(told[:_MANY]) + more
