"""Which lines of which templates an error passed through.

In: an exception that left a rendering. Out: lines, and the circle in which templates pull in one another.
Touches nothing but the exception's traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from kiejobs.core.template.renderer import Line

_MOST_TOLD: Final = 4
_LAST_LOOKED_AT: Final = 200
"""Frames; a circle of more templates than that is told without their names."""


def passed_through(error: BaseException) -> list[Line]:
    """The outermost first, each once even where it led to itself.

    A block may stand in the line of the `extends` that led to the template which calls it; then that line
    comes last, where the blame is.
    """
    frames = list(_frames(error))
    lines = list(dict.fromkeys(line for line, _ in frames))
    if frames and frames[-1][1].startswith("block_"):
        lines.remove(frames[-1][0])
        lines.append(frames[-1][0])
    return lines


def shortest(lines: Sequence[Line]) -> tuple[Line, ...]:
    """As many as a person wants to read: the outermost one and the last few."""
    if len(lines) <= _MOST_TOLD:
        return tuple(lines)
    return (lines[0], *lines[1 - _MOST_TOLD :])


def cycle(error: BaseException) -> list[str]:
    """The templates that pull in one another, in that order; nothing where it is a macro that does."""
    lately = list(_frames(error))[-_LAST_LOOKED_AT:]
    pulled = [line[0] for line, function in lately if function == "root"]
    if not pulled or lately[-1][1] != "root":
        return []
    around = list(dict.fromkeys(name for name in pulled if name is not None))
    return around if pulled.count(around[-1]) > 1 else []


def _frames(error: BaseException) -> Iterator[tuple[Line, str]]:
    """Lines of templates, each with the function that jinja2 made of the part that it stands in."""
    trace = error.__traceback__
    while trace is not None:
        frame: FrameType = trace.tb_frame
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
            yield (template.name, line), frame.f_code.co_name
        trace = trace.tb_next
