"""A grammar of Jinja, with the tricks by which sandboxes were left before.

In: a number. Out: a template's text, the same for the same number. Touches nothing. Written with plain
`random`, which is fifty times faster here than a strategy made of strategies; the worker makes what is
found smaller by itself.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from kiejobs.core.template.filters import FILTERS, TESTS

_NAMES = (
    *(
        "vars",
        "vars.brand",
        "vars.many",
        "vars.map",
        "vars.none",
        "matrix.scene",
        "matrix.duration",
    ),
    *("x", "y", "loop", "self", "super", "caller", "range", "namespace", "varargs", "kwargs", "m"),
    *("cycler", "joiner", "lipsum", "dict", "environ", "os", "request", "config", "__builtins__"),
    *("environment", "context", "resolve", "undefined", "missing", "_", "none", "true", "job"),
)
_ATTRIBUTES = (
    *("__class__", "__mro__", "__base__", "__subclasses__", "__globals__", "__init__", "__dict__"),
    *("__builtins__", "__import__", "__getattribute__", "__self__", "__func__", "__code__", "mro"),
    *("gi_frame", "f_globals", "f_back", "cr_frame", "tb_frame", "func_globals", "__module__"),
    *("format", "format_map", "encode", "translate", "environment", "_context", "parent", "blocks"),
    *(
        "get_all",
        "exported_vars",
        "name",
        "root",
        "owner",
        "function",
        "_fail_with_undefined_error",
    ),
    *(
        "index",
        "cycle",
        "changed",
        "previtem",
        "nextitem",
        "depth",
        "items",
        "keys",
        "get",
        "upper",
    ),
    *("replace", "join", "split", "zfill", "center", "count", "strip", "partition", "a", "b", "v"),
)
_FILTERS = (
    *sorted(FILTERS),
    *("attr", "groupby", "random", "pprint", "safe", "e", "xmlattr", "urlize", "filesizeformat"),
)
_TESTS = (
    *(name for name in sorted(TESTS) if name.isalpha()),
    "sameas",
    "callable",
    "escaped",
    "filter",
)
_NUMBERS = (
    "0",
    "1",
    "-1",
    "2",
    "63",
    "1000",
    "99999",
    "100000000",
    "9223372036854775807",
    "1e308",
    "0.1",
)
_TEXTS = (
    *(
        "''",
        "'a'",
        "'{}'",
        "'%s%s'",
        "'%(a)s'",
        "'%999d'",
        "'{0.__class__}'",
        r"'\ud800'",
        "'\u212a'",
    ),
    *("'__class__'", "'a,b'", "'upper'", "'attr'", "'x' * 9999", "'\U0001f3ac'", "'\\x00'"),
)
_FILES = (
    *(
        "prompts/a.j2",
        "macros.j2",
        "base.j2",
        "form.j2",
        "ring.j2",
        "inc1.j2",
        "inc2.j2",
        "again.j2",
        "pipe.j2",
        "zero.j2",
    ),
    *(
        "../canary.txt",
        "../../canary.txt",
        "/etc/passwd",
        "out.j2",
        "environ.j2",
        "folder/canary.txt",
    ),
    *(
        "circle.j2",
        ".git/config",
        "hidden.j2",
        "./inc1.j2",
        "prompts/../../../canary.txt",
        "",
        ".",
        "..",
    ),
    *(
        "prompts/..//../canary.txt",
        "..\\\\canary.txt",
        "C:canary.txt",
        "a\\x00b",
        "file:///etc/passwd",
    ),
)
_OPERATORS = (
    *("+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"),
)

TOKENS = tuple(
    token.encode("utf-8", "surrogatepass")
    for token in (
        *("{{", "}}", "{%", "%}", "{#", "#}", "{%-", "-%}", "|", "(", ")", "[", "]", ".", ":", "~"),
        *(
            "{% for x in ",
            "{% endfor %}",
            "{% if ",
            "{% raw %}",
            "{% include '",
            "loop(x)",
            "recursive",
        ),
        *(*_NAMES, *_ATTRIBUTES, *_NUMBERS, *_TEXTS, *_FILES),
    )
)


_EXPRESSIONS = (
    *(
        "(E).A",
        "(E)['A']",
        "(E)[E]",
        "(E)[E:E]",
        "(E O E)",
        "(E O E)",
        "(E|F(E))",
        "(E|F)",
        "(E|F(E, E))",
    ),
    *(
        "(E|map('F', E))",
        "(E|map(attribute='A'))",
        "(E|selectattr('A', 'T', E))",
        "(E|reject('T'))",
    ),
    *(
        "(E|sum(attribute='A.A'))",
        "(E is T(E))",
        "(E is not T)",
        "(E if E else E)",
        "N(E)",
        "(E).A(E)",
    ),
    *(
        "N(*E, **E)",
        "[E, E]",
        "(E,)",
        "{E: E, 'a': E}",
        "(not E)",
        "(-E)",
        "E.A.A",
        "N.A(E, E)",
        "(E|F|F)",
    ),
)
_STATEMENTS = (
    *(
        "{{ E }}",
        "{{ E }}",
        "{{ E }}",
        "{% set V = E %}",
        "{% include 'I' %}",
        "{% include E ignore missing %}",
    ),
    *("{% import 'I' as V with context %}", "{% from 'I' import m, v as x %}", "{% extends 'I' %}"),
    *("{% import 'I' as m %}{{ m.A }}{{ m.m(E) }}", "{% from 'I' import A, m with context %}"),
    *(
        "{% extends 'I' if E else 'I' %}",
        "{% include ['I', E, 'I'] %}",
        "{{ super.A }}{{ self.A }}",
    ),
    "{% extends 'I' %}{% block body %}S{{ super() }}{{ super.super() }}{{ self.body() }}{% endblock %}",
    "{% macro m(x) %}{{ caller.A }}{{ caller(E) }}S{% endmacro %}{% call(y) m(E) %}S{% endcall %}",
    "{% block body scoped required %}S{% endblock %}",
    *(
        "{% set ns = namespace(x=1) %}",
        "{% set ns.x = E %}",
        "{{ loop.cycle('a', E) }}",
        "{{ super() }}",
    ),
    *("{% for x in E %}S{% else %}S{% endfor %}", "{% for x in range(E) if E %}S{% endfor %}"),
    *(
        "{% for x, y in E recursive %}S{{ loop(E) }}{% endfor %}",
        "{% if E %}S{% elif E %}S{% endif %}",
    ),
    *(
        "{% macro m(x, y=E) %}S{% endmacro %}",
        "{% macro f(x) %}S{{ f(E) }}{% endmacro %}{{ f(E) }}",
    ),
    *(
        "{% call(x) m(E) %}S{% endcall %}",
        "{% block b %}S{% endblock %}{{ self.b() }}",
        "{% set V %}S{% endset %}",
    ),
    *(
        "{% with V = E %}S{% endwith %}",
        "{% filter F %}S{% endfilter %}",
        "{% raw %}S{% endraw %}",
        "words S",
    ),
    *("{% autoescape E %}S{% endautoescape %}", "{# S #}", "{% do E %}", "{{ m(E) }}", "S S"),
)
_SLOTS = {
    "A": _ATTRIBUTES,
    "F": _FILTERS,
    "I": _FILES,
    "N": _NAMES,
    "O": _OPERATORS,
    "T": _TESTS,
    "V": ("x", "y", "vars", "loop", "x, y", "ns.x", "m", "matrix", "self", "_p"),
}
_DEEPEST = 4


def templates() -> Any:
    """A strategy of whole templates."""
    return st.integers(0, 2**62).map(template)


def template(number: int) -> str:
    numbers = random.Random(number)
    return "".join(_filled(numbers.choice(_STATEMENTS), numbers, 0) for _ in range(numbers.randint(1, 4)))


def _filled(form: str, numbers: random.Random, depth: int) -> str:
    """`form` with something in the place of each capital that stands for a kind of thing."""
    return "".join(_slot(char, numbers, depth) if char in "AEFINOSTV" else char for char in form)


def _slot(kind: str, numbers: random.Random, depth: int) -> str:
    if kind == "S":
        return "" if depth > _DEEPEST else _filled(numbers.choice(_STATEMENTS), numbers, depth + 1)
    if kind != "E":
        return numbers.choice(_SLOTS[kind])
    if depth > _DEEPEST or numbers.random() < 0.4:
        return numbers.choice(numbers.choice((_NAMES, _NUMBERS, _TEXTS)))
    return _filled(numbers.choice(_EXPRESSIONS), numbers, depth + 1)
