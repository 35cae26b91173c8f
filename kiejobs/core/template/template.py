"""Prompts and file names as Jinja templates, rendered in this process.

In: templates' texts, and contexts of plain mappings, lists and scalars. Out: rendered texts, or each a
`TemplateProblem`. Touches nothing: includes come from a function, bounds of time from whoever has a clock.

The same template with the same context always gives the same text, whatever was rendered before.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from jinja2 import TemplateSyntaxError
from jinja2.runtime import Context

from kiejobs.core.template.environment import PromptEnvironment
from kiejobs.core.template.loading import check_name, check_source
from kiejobs.core.template.messages import compile_problem, render_problem
from kiejobs.core.template.references import all_reads, reads_of
from kiejobs.core.template.renderer import ANYTHING, NOTHING, Reads, TemplateProblem, TooMuch, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import jinja2

    Load: TypeAlias = Callable[[str], str | None]
    Limit: TypeAlias = Callable[[], AbstractContextManager[Any]]

CACHED: Final = 1_000
"""Compiled templates that are kept, 5 kB each; a job file may write one per scene."""


class LocalRenderer:
    """A `Renderer` in this process. For one thread; a rendering must end before the next.

    `shared` is what every template may read (`vars`, `campaign`). `load` finds an included template's
    text by its name, a relative path with `/`, or answers None; `peek` the same for one that is only
    looked at, and perhaps never used. Each compilation and each rendering is done within a `limit()`,
    which may raise `TooMuch`: such a template is not tried again, whatever the context.
    """

    def __init__(
        self,
        shared: Mapping[str, Any],
        load: Load = lambda _name: None,
        *,
        peek: Load | None = None,
        limit: Limit = nullcontext,
    ) -> None:
        self._shared = shared
        self._environment = PromptEnvironment(load)
        self._peek = peek or load
        self._limit = limit
        self._compiled: dict[str, _Compiled | TemplateProblem] = {}
        self._known: dict[str, Reads] = {}

    def reads(self, texts: Sequence[str]) -> list[Reads | TemplateProblem]:
        found = [self._compile(text) for text in texts]
        return [each if isinstance(each, TemplateProblem) else each.reads for each in found]

    def render(self, wishes: Sequence[Wish]) -> list[str | TemplateProblem]:
        return [self._render(wish) for wish in wishes]

    def _render(self, wish: Wish) -> str | TemplateProblem:
        template = self._compile(wish.text)
        if isinstance(template, TemplateProblem):
            return template
        names = {**self._shared, **wish.names}
        try:
            with self._limit():
                text = self._print(template.code, names)
        except Exception as error:  # noqa: BLE001 - whatever a template raises is the template's
            problem = _as_value(render_problem(error, names))
            if isinstance(problem, TooMuch):
                self._compiled[wish.text] = problem
            return problem
        return text if _is_unicode(text) else TemplateProblem(*_HALF_A_CHARACTER)

    def _print(self, code: jinja2.Template, names: Mapping[str, Any]) -> str:
        # jinja2's own render() copies the globals twice, which costs more than a short prompt.
        env = self._environment
        context = Context(env, {**env.globals, **names}, None, code.blocks)
        return env.concat(code.root_render_func(context))

    def _compile(self, text: str) -> _Compiled | TemplateProblem:
        known = self._compiled.get(text)
        if known is None:
            if len(self._compiled) >= CACHED:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[text] = known = self._compile_now(text)
        return known

    def _compile_now(self, text: str) -> _Compiled | TemplateProblem:
        env = self._environment
        try:
            with self._limit():
                check_source(text)
                tree = env.parse(text)
                reads = all_reads(reads_of(tree), self._reads_of_named)
                return _Compiled(env.from_string(tree), reads)
        except Exception as error:  # noqa: BLE001 - as above
            return _as_value(compile_problem(error))

    def _reads_of_named(self, name: str) -> Reads:
        """What is wrong with a template that is pulled in, rendering tells."""
        if name not in self._known:
            self._known[name] = self._look_at(name)
        return self._known[name]

    def _look_at(self, name: str) -> Reads:
        try:
            check_name(name)
            text = self._peek(name)
            if text is None:  # left out by `ignore missing`, or else told when it is rendered
                return NOTHING
            check_source(text, name)
            return reads_of(self._environment.parse(text, name))
        except TooMuch:
            raise
        except (TemplateProblem, TemplateSyntaxError, RecursionError):
            return ANYTHING


class _Compiled(NamedTuple):
    """`reads` is what the template may read, and those that it pulls in."""

    code: jinja2.Template
    reads: Reads


_HALF_A_CHARACTER = ("half a surrogate pair is no character", "write the character itself")


def _is_unicode(text: str) -> bool:
    """Whether UTF-8 can carry it; an escape in a template can name half a character."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_value(problem: TemplateProblem) -> TemplateProblem:
    """Without the frames that it came through, which would keep their contents alive."""
    problem.__cause__ = problem.__context__ = None
    return problem.with_traceback(None)
