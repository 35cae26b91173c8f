"""What renders a job file's templates, seen from outside: texts in, texts or problems out.

In: templates and what each may read. Out: `Renderer`, a port, and the values that pass through it.
Touches nothing, and doesn't import jinja2: what implements the port may do that in another process.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Line: TypeAlias = tuple[str | None, int]
"""A line of a template, by its name; None for the text that was handed in."""

Names: TypeAlias = frozenset[str] | None
"""None means any."""


OMIT: Final = "\0omit"
"""What `{{ omit }}` prints: no request may hold it, so it is no field's text by accident."""


def is_template(text: str) -> bool:
    """Whether rendering could change `text` at all."""
    return "{{" in text or "{%" in text or "{#" in text


class Renderer(Protocol):
    """Renders the templates of one job file. What is the same for all of them it already has."""

    def reads(self, texts: Sequence[str]) -> list[Reads | TemplateProblem]:
        """What each text may read, includes followed; or why it can't be compiled. In order."""
        ...

    def render(self, wishes: Sequence[Wish]) -> list[str | TemplateProblem]:
        """The text for each wish, or why there is none. In order."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """One rendering: a template's text, and what only this rendering reads (`matrix`, `job`, ...).

    `names` holds plain mappings, lists and scalars, as JSON knows them.
    """

    text: str
    names: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reads:
    """`axes` are keys of `matrix`, `vars` those of `vars`, `names` all that is asked for by its name.

    `templates` are included, imported or extended.
    """

    axes: Names = frozenset()
    vars: Names = frozenset()
    names: Names = frozenset()
    templates: Names = frozenset()

    def __or__(self, other: Reads) -> Reads:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Reads(*(None if None in pair else pair[0] | pair[1] for pair in pairs))


NOTHING: Final = Reads()
ANYTHING: Final = Reads(None, None, None, None)


@dataclass(eq=False)
class TemplateProblem(Exception):
    """A template can't be compiled, or can't be rendered with this context.

    `lineno` counts within the template from 1, None where no line is to blame. `name` is that of a
    template that was pulled in, None for the text that was handed in. `users` are the places that led
    there, each a template's name and a line, the outermost first. `written` is a text at the place, if one is known:
    the name of the template that is asked for.
    """

    message: str
    hint: str | None = None
    lineno: int | None = None
    name: str | None = None
    users: tuple[Line, ...] = ()
    column: int = 1
    written: str | None = None

    def __str__(self) -> str:
        return self.message


class TooMuch(TemplateProblem):
    """A rendering went over its bounds; another one of the same template would too."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What templates may use, in seconds of processor time and bytes; a prompt takes microseconds.

    `seconds` are for one template, `seconds_together` for all slow ones of a job file, which may have
    thousands. After `killed_after` the process ends in which one can't be interrupted.
    """

    seconds: float = 1
    seconds_together: float = 4
    killed_after: float = 2
    memory: int = 512 * 2**20

    def too_slow(self) -> TooMuch:
        """What is wrong with one template that takes too long."""
        return TooMuch(f"the template takes longer than {self.seconds:g} seconds")

    def too_slow_together(self) -> TooMuch:
        """What is wrong with all that come after too many slow ones."""
        hint = "shorten the slow ones; a prompt takes some microseconds"
        message = f"slow templates take longer than {self.seconds_together:g} seconds together"
        return TooMuch(message, hint)
