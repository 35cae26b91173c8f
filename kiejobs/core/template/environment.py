"""jinja2's immutable sandbox, as prompts need it: nothing undefined, no list printed by accident.

In: templates of strangers, a way to load the ones they include. Out: compiled code that can only read the
context, and a `TemplateProblem` for what makes no sense. Touches nothing.

Templates reach items of mappings and lists, methods called at once, the filters and tests of filters.py, `range`
and `namespace`: no clock, no chance, no environment. How much one may do its process bounds.
"""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from itertools import dropwhile
from typing import TYPE_CHECKING, Any, Final

import jinja2
from jinja2 import nodes
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace, missing, pass_context
from jinja2.visitor import NodeTransformer

from kiejobs.core.document.wording import suggest
from kiejobs.core.template.filters import FILTERS, TESTS, NoValue, fail, formatted, kind, method, text
from kiejobs.core.template.renderer import OMIT, TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from jinja2.environment import TemplateModule
    from jinja2.runtime import Context

MAX_TEXT: Final = 200_000
"""Characters that a template may print; the longest prompt that the API takes has 10,000."""

_DRIVE = re.compile(r"[A-Za-z]:")
_WAY = "write a path from the job file's folder, like `prompts/scene.j2`"

_PLAIN = (str, int, float, list, tuple, range, type(None))  # behind a dot they have methods only

_CALLED, _JOINED = "<called>", "<joined>"
"""Hidden filters, whose names nobody can write."""


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """What all templates of one job file share. `load` answers None where there is no template."""

    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def __init__(self, load: Callable[[str], str | None]) -> None:
        super().__init__(
            undefined=NoValue,
            finalize=_show,
            loader=jinja2.FunctionLoader(load),
            optimized=False,  # it would calculate while compiling, where no line is to blame
            auto_reload=False,
        )
        self._blocks: dict[str, frozenset[str] | None] = {}
        self.template_class = FreshTemplate
        self.globals = {"range": safe_range, "namespace": Namespace, "omit": OMIT}
        self.tests = dict(TESTS)
        self.filters = {**FILTERS, _CALLED: self.called, _JOINED: self.joined}

    # --- compiling -------------------------------------------------------------------------------

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        with _in(name):
            # For a text like '\d' Python warns, or raises where warnings are errors; jinja2 keeps it.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = super()._parse(source, name, filename)
            _check(tree)
        return tree

    def _generate(self, source: nodes.Template, name: str | None, *args: Any, **kwargs: Any) -> str:
        with _in(name):
            blocks = self._blocks_filled(source)
        if name is not None:
            self._blocks[name] = blocks
        _Rewriting().visit(source)
        return super()._generate(source, name, *args, **kwargs)

    def _blocks_filled(self, tree: nodes.Template) -> frozenset[str] | None:
        """All that a template that extends this one may fill; None where that can't be known."""
        _check_dropped(tree)
        blocks = frozenset(block.name for block in tree.find_all(nodes.Block))
        for extended in (node.template for node in tree.body if isinstance(node, nodes.Extends)):
            name = extended.value if isinstance(extended, nodes.Const) else None
            known = self._blocks_of(name) if isinstance(name, str) else None
            if known is None:
                return None
            _check_blocks(tree, str(name), known)
            blocks |= known
        return blocks

    def _blocks_of(self, name: str) -> frozenset[str] | None:
        """What is wrong with that template, a circle included, is reported by rendering."""
        if name not in self._blocks:
            self._blocks[name] = None
            with contextlib.suppress(TemplateProblem, jinja2.TemplateError, RecursionError):
                self._load_template(name, None)
        return self._blocks[name]

    def _load_template(self, name: Any, *args: Any) -> jinja2.Template:
        check_name(name)
        return super()._load_template(name, *args)

    # --- looking up ------------------------------------------------------------------------------

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A mapping's key. Methods are no values: `if scene.items` asks for a column, or nothing."""
        if isinstance(obj, dict):
            found = obj.get(attribute, missing)
            return self.undefined(obj=obj, name=attribute) if found is missing else found
        if isinstance(obj, _PLAIN):
            return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item; for a name, what `getattr` finds."""
        if isinstance(argument, Undefined):
            fail(argument)
        if not (argument is None or isinstance(argument, str | int | float)):
            raise TemplateProblem(f"{kind(argument)} can't be a key")
        if isinstance(obj, Undefined):
            fail(obj)
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        with contextlib.suppress(TypeError, LookupError):
            return obj[argument]
        name: Any = argument
        return self.undefined(obj=obj, name=name)

    def called(self, obj: Any, name: Any) -> Any:
        """In the place of `obj.name` in `obj.name()`: a key comes before a method."""
        found = self.getitem(obj, name)
        return (method(obj, name) or found) if isinstance(found, Undefined) else found

    # --- doing -----------------------------------------------------------------------------------

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            return formatted(left, right)
        # A list and a tuple are one thing to people.
        left, right = (list(side) if isinstance(side, tuple) else side for side in (left, right))
        try:
            return super().call_binop(context, operator, left, right)
        except TypeError as error:
            hint = "`~` joins anything as text" if operator == "+" else None
            message = f"`{operator}` makes no sense between {kind(left)} and {kind(right)}"
            raise TemplateProblem(message, hint) from error

    def call_filter(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        """Of those that `map` names."""
        _check_name(name, FILTERS, "filter")
        return super().call_filter(name, *args, **kwargs)

    def call_test(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        """Of those that `select` and the like name."""
        _check_name(name, TESTS, "test")
        return super().call_test(name, *args, **kwargs)

    def joined(self, values: list[Any]) -> str:
        """In the place of `a ~ b ~ c`."""
        return "".join(map(text, values))

    def concat(self, parts: Iterable[str]) -> str:
        """Join what a template, a block or a macro printed."""
        printed = "".join(parts)
        if len(printed) > MAX_TEXT:
            raise TemplateProblem(f"the template makes a text of more than {MAX_TEXT:,} characters")
        return printed


@pass_context  # so that jinja2 prints nothing while compiling, where no line is to blame
def _show(_context: Any, value: Any) -> str:
    return text(value)


@contextlib.contextmanager
def _in(name: str | None) -> Any:
    """Problems are those of the template of this name."""
    try:
        yield
    except TemplateProblem as problem:
        problem.name = name
        raise
    except jinja2.TemplateSyntaxError as error:
        error.name = name  # of what is never closed jinja2 doesn't say it
        raise


def _check(tree: nodes.Template) -> None:
    """Raises TemplateProblem for what prompts can't use."""
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        is_filter = isinstance(node, nodes.Filter)
        known, what = (FILTERS, "filter") if is_filter else (TESTS, "test")
        _check_name(node.name, known, what, node.lineno)
    for const in tree.find_all(nodes.Const):
        if const.value == math.inf:  # which is no name in the code that jinja2 makes
            raise TemplateProblem("a number is too large", None, const.lineno)
    for scope in tree.find_all(nodes.ScopedEvalContextModifier):
        raise TemplateProblem("`{% autoescape %}` has no use in a prompt", None, scope.lineno)


def _check_name(name: Any, known: Collection[str], what: str, lineno: int | None = None) -> None:
    """Raises TemplateProblem unless `name` is that of a filter or test that prompts may use."""
    if isinstance(name, str) and name in known:
        return
    words = ", ".join(sorted(word for word in known if word.isalpha()))
    hint = suggest(str(name)[:80], known) or f"there are: {words}"
    raise TemplateProblem(f"there is no {what} `{str(name)[:40]}`", hint, lineno)


class _Rewriting(NodeTransformer):
    """Sends past us what jinja2 compiles to bare Python, and to which prompts give another meaning."""

    _AS_TESTS: Final = {"eq": "eq", "ne": "ne", "in": "in", "notin": "in"}

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - jinja2 finds it by this name
        self.generic_visit(node)
        if isinstance(node.node, nodes.Getattr):
            name: nodes.Expr = nodes.Const(node.node.attr, lineno=node.lineno)
        elif isinstance(node.node, nodes.Getitem) and not isinstance(node.node.arg, nodes.Slice):
            name = node.node.arg
        else:
            return node
        node.node = _filtered(node.node.node, _CALLED, [name])
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - as above
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), _JOINED, [])

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - as above
        """`a == b` alone becomes the test `a is eq(b)`, which sees both sides at once."""
        self.generic_visit(node)
        if len(node.ops) != 1 or node.ops[0].op not in self._AS_TESTS:
            return node
        test, others = self._AS_TESTS[node.ops[0].op], [node.ops[0].expr]
        seen = nodes.Test(node.expr, test, others, [], None, None, lineno=node.lineno)
        return nodes.Not(seen, lineno=node.lineno) if node.ops[0].op == "notin" else seen


def _filtered(node: Any, name: str, args: list[Any]) -> nodes.Filter:
    return nodes.Filter(node, name, args, [], None, None, lineno=node.lineno)


# --- templates that pull in others ---------------------------------------------------------------
#
# jinja2 silently drops what is outside of blocks where a template extends another, and a block that
# the other one has not. Here that would be a prompt without its subject, paid for.


class FreshTemplate(jinja2.Template):
    """A template whose macros are made again for each rendering.

    jinja2 keeps the first ones, and with them whatever a `namespace` in them has counted up to: the
    second prompt would then depend on the first.
    """

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        del ctx
        return self.make_module()


def check_name(name: Any) -> None:
    """Raises TemplateProblem unless `name` is a plain path: up first, as far as the loader allows, then down."""
    if not isinstance(name, str):
        raise TemplateProblem(f"{kind(name)} can't be included", _WAY)
    parts = list(dropwhile("..".__eq__, name.split("/"))) or [""]
    unsafe = ".." in parts or "" in parts or "\\" in name or _DRIVE.match(name)
    if unsafe or not name.isprintable():
        shown = "".join(char if char.isprintable() else "?" for char in name[:80])
        raise TemplateProblem(f"the template name `{shown}` is not allowed", _WAY, written=name)


def _check_dropped(tree: nodes.Template) -> None:
    """Raises TemplateProblem for what follows the `extends` and is in no block."""
    is_filling = False
    for node in tree.body:
        parts: Iterable[nodes.Node] = node.nodes if isinstance(node, nodes.Output) else ()
        prints = any(not isinstance(part, nodes.TemplateData) or part.data.strip() for part in parts)
        if is_filling and (isinstance(node, nodes.Include) or prints):
            message = "text outside of blocks is dropped in a template that extends another"
            raise TemplateProblem(message, "put it into a block, or delete it", node.lineno)
        is_filling |= isinstance(node, nodes.Extends)


def _check_blocks(tree: nodes.Template, form: str, known: Collection[str]) -> None:
    """Raises TemplateProblem for a block that has no place in the form."""
    names = ", ".join(f"`{name}`" for name in sorted(known)[:8])
    for node in tree.body:
        if isinstance(node, nodes.Block) and node.name not in known:
            hint = suggest(node.name, known) or (f"its blocks: {names}" if names else None)
            message = f"`{form[:80]}`, which is extended, has no block `{node.name[:80]}`"
            raise TemplateProblem(message, hint, node.lineno)
