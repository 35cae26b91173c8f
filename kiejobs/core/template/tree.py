"""A template's syntax tree: whether it may run, and the guards planted in it.

In: jinja2's tree. Out: nothing, or a `TemplateProblem`; or the same tree with guards. Touches nothing.

The sandbox sees what happens at attributes, calls, filters and operators. What jinja2 compiles to bare
Python is sent past it here: comparisons, `in`, slices, literals, `~`, loops. Guards are hidden filters,
whose names nobody can write; tolls are statements at the head of each body that pay for one pass.
"""
# ruff: noqa: N802, N815 - jinja2 finds visitors by these names

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from kiejobs.core.template.errors import TOO_DEEP, did_you_mean
from kiejobs.core.template.meter import MAX_NUMBER
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_NODES: Final = 10_000
"""What jinja2 compiles within a second; a long prompt has 200."""

MAX_LOOPS: Final = 20
"""Loops in loops: Python compiles no more."""

BUILT, COMPARED, JOINED, LOOPED, SLICED, SPREAD = (
    f"<{name}>" for name in ("built", "compared", "joined", "looped", "sliced", "spread")
)

_AS_TESTS: Final = {"eq": "eq", "ne": "ne", "in": "in", "notin": "in"}
_NODES_PER_STEP: Final = 10
_ELSEWHERE: tuple[Any, ...] = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_BODIES = (nodes.Template, nodes.Block, nodes.For, nodes.Macro, nodes.CallBlock)
_ALLOWED = (
    *(nodes.Output, nodes.If, nodes.FilterBlock, nodes.With, nodes.Assign, nodes.AssignBlock),
    *(nodes.Name, nodes.NSRef, nodes.Literal, nodes.Pair, nodes.Keyword, nodes.CondExpr),
    *(nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice),
    *(nodes.Concat, nodes.Compare, nodes.Operand, nodes.BinExpr, nodes.UnaryExpr),
    *_ELSEWHERE,
    *_BODIES,
)


def check(tree: nodes.Template, filters: Collection[str], tests: Collection[str]) -> None:
    """Raises TemplateProblem for what prompts can't use, and for trees that would take long to compile."""
    queue: deque[tuple[nodes.Node, int]] = deque([(tree, 0)])
    count = 0
    while queue:
        node, loops = queue.popleft()
        count += 1
        loops += isinstance(node, nodes.For)
        if count > MAX_NODES:
            raise TemplateProblem("the template is too long", "move what is repeated into a macro")
        if loops > MAX_LOOPS:
            raise TemplateProblem(TOO_DEEP, "write fewer loops in loops", node.lineno)
        _check_node(node, filters, tests)
        queue.extend((child, loops) for child in node.iter_child_nodes())


def _check_node(node: nodes.Node, filters: Collection[str], tests: Collection[str]) -> None:
    if not isinstance(node, _ALLOWED):
        raise TemplateProblem("`{% autoescape %}` has no use in a prompt", None, node.lineno)
    if isinstance(node, nodes.Filter):
        check_name(node.name, filters, "filter", node.lineno)
    elif isinstance(node, nodes.Test):
        check_name(node.name, tests, "test", node.lineno)
    elif isinstance(node, nodes.Const) and isinstance(node.value, int | float):
        _check_number(node.value, node.lineno)


def _check_number(value: float, lineno: int) -> None:
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise TemplateProblem("a number is too large", None, lineno)


def check_name(name: Any, known: Collection[str], what: str, lineno: int | None = None) -> None:
    """Raises TemplateProblem unless `name` is that of a filter or test that prompts may use."""
    if isinstance(name, str) and name in known:
        return
    near = did_you_mean(str(name), known)
    words = ", ".join(sorted(word for word in known if word.isalpha()))
    hint = f"did you mean `{near}`?" if near else f"there are: {words}"
    raise TemplateProblem(f"there is no {what} `{str(name)[:40]}`", hint, lineno)


def plant_guards(tree: nodes.Template) -> None:
    """Make every pass and every size count, in place."""
    _Guards().visit(tree)


class _Guards(NodeTransformer):
    def visit_Template(self, node: Any) -> Any:
        return self._with_toll(node)

    visit_Block = visit_Macro = visit_CallBlock = visit_Template

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.test is not None:
            toll = _toll(_size([node.test]), node.lineno)
            node.test = nodes.And(toll, node.test, lineno=node.lineno)
        node = self._with_toll(node)
        node.iter = _guarded(node.iter, LOOPED)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return _guarded(self.generic_visit(node), BUILT)

    visit_Dict = visit_List

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _guarded(node, BUILT) if node.ctx == "load" else node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _guarded(nodes.List(node.nodes, lineno=node.lineno), JOINED)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """`a == b` alone becomes the test `a is eq(b)`, which sees both sides at once."""
        self.generic_visit(node)
        if len(node.ops) == 1 and node.ops[0].op in _AS_TESTS:
            test = _AS_TESTS[node.ops[0].op]
            seen = nodes.Test(
                node.expr, test, [node.ops[0].expr], [], None, None, lineno=node.lineno
            )
            return nodes.Not(seen, lineno=node.lineno) if node.ops[0].op == "notin" else seen
        node.expr = _guarded(node.expr, COMPARED)
        for operand in node.ops:
            operand.expr = _guarded(operand.expr, COMPARED)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _guarded(node.node, SLICED)
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        if node.dyn_args is not None:
            node.dyn_args = _guarded(node.dyn_args, SPREAD)
        if node.dyn_kwargs is not None:
            node.dyn_kwargs = _guarded(node.dyn_kwargs, SPREAD)
        return node

    visit_Filter = visit_Test = visit_Call

    def _with_toll(self, node: Any) -> Any:
        cost = _size([*node.body, *getattr(node, "defaults", ())])
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_toll(cost, node.lineno), lineno=node.lineno))
        return node


def _size(starts: Iterable[nodes.Node]) -> int:
    """How many nodes one pass can run; the bodies in it pay for themselves."""
    queue = list(starts)
    count = 0
    while queue:
        node = queue.pop()
        count += 1
        paid = ("body",) if isinstance(node, _BODIES) else ()
        queue.extend(node.iter_child_nodes(exclude=paid))
    return count


def _toll(count: int, lineno: int) -> nodes.Expr:
    # jinja2 writes the name as it is behind `environment.`: a call without the sandbox's detour.
    return nodes.EnvironmentAttribute(f"meter.spend({1 + count // _NODES_PER_STEP})", lineno=lineno)


def _guarded(node: Any, guard: str) -> nodes.Filter:
    return nodes.Filter(node, guard, [], [], None, None, lineno=node.lineno)
