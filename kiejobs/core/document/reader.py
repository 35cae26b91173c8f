"""The YAML reader.

In: a `Source`, the bytes of a job file. Out: a `Document` whose every key and value knows its line
and column, and what is wrong with the file. Touches nothing but the garbage collector's switch.

Scalars mean what YAML 1.2 says (core/scalars.py); nesting and aliases are bounded as they come
(core/yaml_tree.py); the parser's complaints are reworded (core/yaml_problems.py).
"""

from __future__ import annotations

import gc
import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.decode import decode
from kiejobs.core.document.nodes import Document
from kiejobs.core.document.syntax_errors import syntax_problem, too_deep
from kiejobs.core.document.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.document.nodes import Source

FASTEST: type[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""libyaml where PyYAML was built with it; else the parser in Python, ten times slower."""


def read_document(
    source: Source, *, parser: type[Any] = FASTEST, exact: bool = False
) -> tuple[Document | None, list[Diagnostic]]:
    """Read one YAML document, with all the problems that can be told at once.

    The Document is None when the text can't be used at all; it is there beside problems that leave
    its meaning clear (a key given twice keeps its first value, a bad number stays text), so that the
    checks that follow can tell theirs too. Only the events of `parser` are used, never its values.
    With `exact` numbers stay the text that they were written as, so that money never is a float.
    """
    text = decode(source)
    if isinstance(text, Diagnostic):
        return None, [text]
    lines = text.splitlines()
    tree = Tree(source.name, text, exact=exact)
    try:
        with _no_garbage_collection():
            tree.build(yaml.parse(text, Loader=parser))
    except yaml.YAMLError as error:
        tree.findings.usable = False
        problem = too_deep(source.name, text) or syntax_problem(source.name, lines, error)
        if problem not in tree.findings.problems:
            tree.findings.problems.append(problem)
    problems = tree.findings.problems
    if not tree.findings.usable:
        return None, problems
    if tree.root is None:
        return None, [*problems, _empty(source)]
    digest = hashlib.sha256(source.data).hexdigest()
    return Document(source.name, tree.root, lines, digest), problems


def _empty(source: Source) -> Diagnostic:
    hint = "`kiejobs init` writes one to start from"
    return Diagnostic("yaml-empty", "the file is empty", Place(source.name, 1, 1), hint)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A tree has no cycles; looking for some in a growing one costs more than building it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
