"""jinja2's immutable sandbox, with every door to Python closed and every size counted.

In: templates of strangers, a way to load the ones they include. Out: compiled code that can only read
the context, and a `TemplateProblem` for whatever goes too far. Touches nothing; one rendering at a
time, in one thread.

What templates reach: items of mappings and lists, the names listed in core/template_methods.py, the
filters and tests listed in their modules, `range` and `namespace`. No clock, no chance, no environment.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any, Final

import jinja2
from jinja2 import nodes
from jinja2.runtime import BlockReference, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, missing, pass_environment

from kiejobs.core.template import inheritance as forms
from kiejobs.core.template import tree as trees
from kiejobs.core.template.errors import fail, kind
from kiejobs.core.template.list_filters import LIST_FILTERS
from kiejobs.core.template.loading import FreshTemplate, check_name, loader
from kiejobs.core.template.methods import Method, attribute
from kiejobs.core.template.operators import OPERATORS, calculate
from kiejobs.core.template.renderer import TemplateProblem
from kiejobs.core.template.tests import TESTS
from kiejobs.core.template.text_filters import TEXT_FILTERS
from kiejobs.core.template.values import WALKABLE, NoValue, Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.template.meter import Meter

MAX_RANGE: Final = 100_000
INCLUDE_STEPS: Final = 20
FILTERS: Final = TEXT_FILTERS | LIST_FILTERS


class PromptEnvironment(Values, ImmutableSandboxedEnvironment):
    """What all templates of one job file share. `load` answers None where there is no template."""

    intercepted_binops = OPERATORS

    def __init__(self, load: Callable[[str], str | None], meter: Meter) -> None:
        super().__init__(
            undefined=NoValue,
            finalize=self.show,
            loader=loader(load),
            optimized=False,  # it would compute constants while compiling, where nothing is counted
            auto_reload=False,
        )
        self.meter = meter
        self._blocks: dict[str, frozenset[str] | None] = {}
        self.template_class = FreshTemplate
        self.globals = {"range": Method(None, _range), "namespace": Method(None, _namespace)}
        self.tests = {name: pass_environment(test) for name, test in TESTS.items()}
        self.filters = {name: pass_environment(_bounded(do)) for name, do in FILTERS.items()}
        self.filters |= {
            trees.BUILT: self.built,
            trees.COMPARED: self.compared,
            trees.JOINED: self.joined,
            trees.LOOPED: self.iterable,
            trees.SLICED: self.sliced,
            trees.SPREAD: self.spread,
        }

    # --- compiling -------------------------------------------------------------------------------

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        # For a text like '\d' Python warns, or raises where warnings are errors; jinja2 keeps it.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = super()._parse(source, name, filename)
        try:
            trees.check(tree, FILTERS, TESTS)
        except TemplateProblem as problem:
            problem.name = name
            raise
        return tree

    def _generate(self, source: nodes.Template, name: str | None, *args: Any, **kwargs: Any) -> str:
        try:
            blocks = self._blocks_filled(source)
        except TemplateProblem as problem:
            problem.name = name
            raise
        if name is not None:
            self._blocks[name] = blocks
        trees.plant_guards(source)
        return super()._generate(source, name, *args, **kwargs)

    def _blocks_filled(self, tree: nodes.Template) -> frozenset[str] | None:
        """All that a template that extends this one may fill; None where that can't be known."""
        forms.check_beside(tree)
        blocks = forms.blocks_of(tree)
        for form in forms.forms_of(tree):
            name = form.value if isinstance(form, nodes.Const) else None
            known = self._blocks_of(name) if isinstance(name, str) else None
            if known is None:
                return None
            forms.check_blocks(tree, str(name), known)
            blocks |= known
        return blocks

    def _blocks_of(self, name: str) -> frozenset[str] | None:
        """What is wrong with that template, a circle included, rendering tells."""
        if name not in self._blocks:
            self._blocks[name] = None
            with contextlib.suppress(TemplateProblem, jinja2.TemplateError, RecursionError):
                check_name(name)
                super()._load_template(name, None)
        return self._blocks[name]

    def _load_template(self, name: Any, *args: Any) -> jinja2.Template:
        check_name(name)
        self.meter.spend(INCLUDE_STEPS)
        return super()._load_template(name, *args)

    # --- looking up ------------------------------------------------------------------------------

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A mapping's key; only where it has none, what else the name means."""
        if isinstance(obj, dict):
            found = obj.get(attribute, missing)
            if found is not missing:
                return found
        return self._behind_dot(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item; for a name that is none, what `getattr` finds."""
        if isinstance(argument, Undefined):
            fail(argument)
        if not (argument is None or isinstance(argument, str | int | float)):
            raise TemplateProblem(f"{kind(argument)} can't be a key")
        if isinstance(obj, dict):
            found = obj.get(argument, missing)
            if found is not missing:
                return found
        elif _has_place(obj, argument):
            return obj[argument]
        return self._behind_dot(obj, argument)

    def _behind_dot(self, obj: Any, name: Any) -> Any:
        if isinstance(obj, Undefined):
            fail(obj)
        found = attribute(obj, name) if isinstance(name, str) else missing
        return self.undefined(obj=obj, name=name) if found is missing else found

    def nothing(self, why: str) -> Undefined:
        """An undefined value that fails with `why` when it is used."""
        return self.undefined(why)

    def filter_named(self, name: Any) -> Callable[..., Any]:
        trees.check_name(name, FILTERS, "filter")
        found: Callable[..., Any] = self.filters[name]
        return found

    def test_named(self, name: Any) -> Callable[..., bool]:
        trees.check_name(name, TESTS, "test")
        return TESTS[name]

    # --- doing -----------------------------------------------------------------------------------

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        del context
        for value in (left, right):
            if isinstance(value, Undefined):
                fail(value)
        return calculate(self.meter, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a macro, a block, a loop, or a method from the lists; nothing else can be called."""
        del context
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        for value in (*args, *kwargs.values()):
            self.meter.weigh(value)
        if isinstance(obj, Method):
            return self.bounded(obj(self, *args, **kwargs))
        if isinstance(obj, LoopContext):
            return obj(self.iterable(*args, **kwargs))
        if isinstance(obj, Macro | BlockReference):
            return obj(*args, **kwargs)
        if isinstance(obj, Undefined):
            fail(obj)
        raise TemplateProblem(f"{kind(obj)} can't be called")


def _has_place(obj: Any, place: Any) -> bool:
    """Whether `obj[place]` is there, for a list or a text and a number."""
    return isinstance(place, int) and isinstance(obj, WALKABLE) and -len(obj) <= place < len(obj)


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda env, /, *args, **kwargs: env.bounded(function(env, *args, **kwargs))


def _range(_env: PromptEnvironment, _owner: None, *args: int) -> range:
    numbers = range(*args)
    if len(numbers) > MAX_RANGE:
        raise TemplateProblem(f"`range` makes more than {MAX_RANGE:,} numbers")
    return numbers


def _namespace(_env: PromptEnvironment, _owner: None, **values: Any) -> Namespace:
    return Namespace(values)
