"""Prompts and file names as Jinja templates, written by people one need not trust.

In: a template's text, and a context of plain mappings, lists and scalars. Out: the rendered text, or
a `TemplateProblem`. Touches nothing: includes come from a function, time from a clock, both handed in.

The same template with the same context always gives the same text, whatever was rendered before.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

from jinja2 import TemplateSyntaxError
from jinja2.runtime import Context

from kiejobs.core.template.environment import INCLUDE_STEPS, PromptEnvironment
from kiejobs.core.template.errors import TooMuch
from kiejobs.core.template.loading import check_name, check_source
from kiejobs.core.template.messages import compile_problem, render_problem
from kiejobs.core.template.meter import Meter
from kiejobs.core.template.references import all_reads, reads_of
from kiejobs.core.template.renderer import ANYTHING, NOTHING, Reads, TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import jinja2
    from jinja2 import nodes

    from kiejobs.core.template.meter import Clock
    from kiejobs.core.template.renderer import Wish

CACHED: Final = 1_000
"""Compiled templates that are kept, 5 kB each; a job file may write one per scene."""


class Templates:
    """Compiles the templates of one job file. For one thread; a rendering must end before the next.

    `reads` is what all that were compiled so far may read.
    """

    def __init__(
        self,
        load: Callable[[str], str | None] = lambda _name: None,
        *,
        peek: Callable[[str], str | None] | None = None,
        clock: Clock | None = None,
        seconds: float = 1.0,
        steps: int = 100_000,
        size: int = 200_000,
    ) -> None:
        """Bound each rendering to `seconds` of `clock`, `steps` of work and texts of `size` characters.

        `load` finds an included template's text by its name, a relative path with `/`, or answers
        None; `peek` the same for one that is only looked at, and perhaps never used. Without a clock
        only steps and sizes bound the work.
        """
        self._environment = PromptEnvironment(load, Meter(clock, seconds, steps, size))
        self._peek = peek or load
        self._compiled: dict[str, Template] = {}
        self._known: dict[str, Reads] = {}
        self.reads = NOTHING

    def compile(self, text: str) -> Template:
        """A template ready to be rendered many times. Raises TemplateProblem."""
        known = self._compiled.get(text)
        if known is not None:
            return known
        if len(self._compiled) >= CACHED:
            del self._compiled[next(iter(self._compiled))]
        self._compiled[text] = template = self._compile(text)
        return template

    def _compile(self, text: str) -> Template:
        env = self._environment
        env.meter.start()
        try:
            check_source(text)
            tree = env.parse(text)
            reads = self._all_reads(tree)
            code = env.from_string(tree)
        except Exception as error:
            raise compile_problem(error) from error
        finally:
            env.meter.stop()
        self.reads |= reads
        return Template(env, code, reads)

    def _all_reads(self, tree: nodes.Template) -> Reads:
        """Of the template and of those that it pulls in; what is wrong with these, rendering tells."""
        try:
            return all_reads(reads_of(tree), self._reads_of_named)
        except TooMuch:
            return ANYTHING

    def _reads_of_named(self, name: str) -> Reads:
        if name not in self._known:
            self._known[name] = self._look_at(name)
        return self._known[name]

    def _look_at(self, name: str) -> Reads:
        env = self._environment
        env.meter.spend(INCLUDE_STEPS)
        try:
            check_name(name)
            text = self._peek(name)
            if text is None:  # left out by `ignore missing`, or else told when it is rendered
                return NOTHING
            check_source(text, name)
            return reads_of(env.parse(text, name))
        except (TemplateProblem, TemplateSyntaxError, RecursionError):
            return ANYTHING


class Template:
    """One compiled template. `reads` is what it may read, and those that it pulls in."""

    def __init__(self, environment: PromptEnvironment, code: jinja2.Template, reads: Reads) -> None:
        self.reads = reads
        self._environment = environment
        self._code = code
        self._too_much: TooMuch | None = None

    def render(self, context: Mapping[str, Any]) -> str:
        """The text for this context. Raises TemplateProblem.

        Once it was too much, it is so for every context, and is not tried again.
        """
        env = self._environment
        if self._too_much is not None:
            raise copy(self._too_much)
        env.meter.start()
        try:
            # jinja2's own render() copies the globals twice, which costs more than a short prompt.
            names = Context(env, {**env.globals, **context}, None, self._code.blocks)
            text = env.concat(self._code.root_render_func(names))
        except Exception as error:
            problem = render_problem(error, context)
            self._too_much = problem if isinstance(problem, TooMuch) else None
            raise problem from error
        finally:
            env.meter.stop()
        if not text.isascii() and not _is_unicode(text):
            raise TemplateProblem(
                "half a surrogate pair is no character", "write the character itself"
            )
        return text


class LocalRenderer:
    """A `Renderer` in this process. `shared` is what every template may read (`vars`, `campaign`)."""

    def __init__(self, shared: Mapping[str, Any], templates: Templates) -> None:
        self._shared = shared
        self._templates = templates

    def reads(self, texts: Sequence[str]) -> list[Reads | TemplateProblem]:
        return [self._reads(text) for text in texts]

    def render(self, wishes: Sequence[Wish]) -> list[str | TemplateProblem]:
        return [self._render(wish) for wish in wishes]

    def _reads(self, text: str) -> Reads | TemplateProblem:
        try:
            return self._templates.compile(text).reads
        except TemplateProblem as problem:
            return _as_value(problem)

    def _render(self, wish: Wish) -> str | TemplateProblem:
        try:
            return self._templates.compile(wish.text).render({**self._shared, **wish.names})
        except TemplateProblem as problem:
            return _as_value(problem)


def _as_value(problem: TemplateProblem) -> TemplateProblem:
    """Without the frames that it came through, which would keep their contents alive."""
    problem.__cause__ = problem.__context__ = None
    return problem.with_traceback(None)


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can carry it; an escape in a template can name half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
