"""Prompts and file names as Jinja templates, rendered in this process; what each of them may read.

In: templates' texts, and contexts of plain mappings, lists and scalars. Out: rendered texts, the same for the
same, or each a `TemplateProblem`. Touches nothing: includes come from a function, bounds of time from a clock.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from jinja2 import TemplateSyntaxError, nodes
from jinja2.runtime import Context

from kiejobs.core.template.environment import PromptEnvironment, check_name
from kiejobs.core.template.filters import MAPPING_METHODS
from kiejobs.core.template.messages import compile_problem, render_problem
from kiejobs.core.template.renderer import ANYTHING, NOTHING, Reads, TemplateProblem, TooMuch, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import jinja2

    from kiejobs.core.template.renderer import Names

    Load: TypeAlias = Callable[[str], str | None]
    Limit: TypeAlias = Callable[[], AbstractContextManager[Any]]

CACHED: Final = 1_000
"""Compiled templates that are kept, 5 kB each; a job file may write one per scene."""

_NAMES: Final[Any] = (nodes.Name, nodes.NSRef)
_ELSEWHERE: Final[Any] = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


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
        self._compiled: dict[str, tuple[jinja2.Template, Reads] | TemplateProblem] = {}
        self._known: dict[str, Reads] = {}

    def reads(self, texts: Sequence[str]) -> list[Reads | TemplateProblem]:
        found = [self._compile(text) for text in texts]
        return [each if isinstance(each, TemplateProblem) else each[1] for each in found]

    def render(self, wishes: Sequence[Wish]) -> list[str | TemplateProblem]:
        return [self._render(wish) for wish in wishes]

    def _render(self, wish: Wish) -> str | TemplateProblem:
        template = self._compile(wish.text)
        if isinstance(template, TemplateProblem):
            return template
        env, names = self._environment, {**self._shared, **wish.names}
        try:
            with self._limit():
                # jinja2's own render() copies the globals twice, which costs more than a short prompt.
                context = Context(env, {**env.globals, **names}, None, template[0].blocks)
                text = env.concat(template[0].root_render_func(context))
                text.encode()  # an escape in a template can name half a character
                return text
        except Exception as error:  # noqa: BLE001 - whatever a template raises is the template's
            problem = self._placed(_as_value(render_problem(error, names)))
            if isinstance(problem, TooMuch):
                self._compiled[wish.text] = problem
            return problem

    def _placed(self, problem: TemplateProblem) -> TemplateProblem:
        """In a template that is pulled in, at the name of the one that it asks for."""
        if problem.name and problem.written:
            with suppress(TemplateProblem):  # too many were asked for
                line = (self._peek(problem.name) or "").splitlines()[(problem.lineno or 1) - 1 :][:1]
                problem.column = max("".join(line).find(problem.written) + 1, 1)
        return problem

    def _compile(self, text: str) -> tuple[jinja2.Template, Reads] | TemplateProblem:
        known = self._compiled.get(text)
        if known is None:
            if len(self._compiled) >= CACHED:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[text] = known = self._compile_now(text)
        return known

    def _compile_now(self, text: str) -> tuple[jinja2.Template, Reads] | TemplateProblem:
        env = self._environment
        try:
            with self._limit():
                tree = env.parse(text)
                reads = all_reads(reads_of(tree), self._reads_of_named)
                return env.from_string(tree), reads
        except Exception as error:  # noqa: BLE001 - as above
            return _as_value(compile_problem(error))

    def _reads_of_named(self, name: str) -> Reads:
        """What is wrong with a template that is pulled in is reported by rendering."""
        if name not in self._known:
            found = NOTHING  # left out by `ignore missing`, or else reported when it is rendered
            try:
                check_name(name)
                text = self._peek(name)
                if text is not None:
                    found = reads_of(self._environment.parse(text, name))
            except TooMuch:
                raise
            except (TemplateProblem, TemplateSyntaxError, RecursionError):
                found = ANYTHING
            self._known[name] = found
        return self._known[name]


def _as_value(problem: TemplateProblem) -> TemplateProblem:
    """Without the frames that it came through, which would keep their contents alive."""
    problem.__cause__ = problem.__context__ = None
    return problem.with_traceback(None)


# --- what a template may read --------------------------------------------------------------------
#
# Nothing is ever left out: where a template does what can't be followed here (all of `matrix`, an include
# whose name is worked out), it counts as reading everything.


def reads_of(tree: nodes.Template) -> Reads:
    """What the template itself may read, without those that it pulls in."""
    names = {node.name for node in tree.find_all(_NAMES)}
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
        more = reads_of_named(name)
        found |= more
        waiting += more.templates or ()
    return found if found.templates is not None else ANYTHING


def _keys(tree: nodes.Template, name: str) -> Names:
    lookups: Iterable[Any] = tree.find_all((nodes.Getattr, nodes.Getitem))
    keys: list[Any] = [
        _constant_key(node)
        for node in lookups
        if isinstance(node.node, nodes.Name) and node.node.name == name
    ]
    named = sum(node.name == name for node in tree.find_all(_NAMES))
    return None if len(keys) < named or None in keys else frozenset(keys)


def _constant_key(node: Any) -> str | None:
    is_getattr = isinstance(node, nodes.Getattr)
    key = node.attr if is_getattr else getattr(node.arg, "value", None)
    return key if isinstance(key, str) and key not in MAPPING_METHODS else None


def _templates(tree: nodes.Template) -> Names:
    elsewhere: Iterable[Any] = tree.find_all(_ELSEWHERE)
    found: set[Any] = {name for node in elsewhere for name in _named(node.template)}
    return None if None in found else frozenset(found)


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
