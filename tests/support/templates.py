"""Templates to try renderers with: a context, what may be included, and attacks that must end.

In: nothing. Out: texts and values. Touches nothing.
"""

from __future__ import annotations

from typing import Any

CONTEXT: dict[str, Any] = {
    "campaign": "espresso",
    "vars": {
        "brand": "Aurora",
        "items": "cups",
        "tags": ["warm", "slow"],
        "big": "a" * 100_000,
        "rows": [{"id": f"r{number}", "text": "x" * 50} for number in range(20_000)],
    },
    "matrix": {
        "duration": 5,
        "resolution": "720p",
        "values": "v",
        "scene": {"id": "pour", "image": "https://example.com/pour.webp"},
    },
}
INCLUDED = (
    {
        "prompts/pour.j2": "Pour {{ vars.brand }} for {{ matrix.duration }}s",
        "macros.j2": "{% macro shot(what, mood='calm') %}{{ what }}, {{ mood }}{% endmacro %}",
        "counter.j2": (
            "{% set n = namespace(n=0) %}{% macro up() %}{% set n.n = n.n + 1 %}{{ n.n }}{% endmacro %}"
        ),
        "base.j2": "<{% block middle %}base{% endblock %}>",
        "slip.j2": "one\n\n{{ vars.brnd }}",
        "comment.j2": "one\n{#50 off",
        "broken.j2": "one\n{% if %}",
        "unknown.j2": "\n{{ 1 | foo }}",
        "deep.j2": "{{ " + "(" * 2_000 + "1" + ")" * 2_000 + " }}",
        "itself.j2": "{% include 'itself.j2' %}",
        "twice.j2": "{% include 'twice.j2' %}{% include 'twice.j2' %}",
        "parent.j2": "{% extends 'parent.j2' %}",
        "dots.j2": "{% macro dots(x) %}\n{{ x.name }}{% endmacro %}",
        "calls.j2": (
            "{% from 'dots.j2' import dots %}\n\n{{ dots('x') if vars is defined }}\n"
            "{% macro again() %}{{ again() }}{% endmacro %}"
        ),
        "ring1.j2": "{% include 'ring2.j2' %}",
        "ring2.j2": "{% include 'ring3.j2' %}",
        "ring3.j2": "{% include 'ring1.j2' %}",
        "form.j2": "{% block scene required %}{% endblock %}",
        "branded.j2": "{% macro mark() %}{{ vars.brand }}{% endmacro %}",
        "further.j2": "{{ vars.x }}{% if false %}{% include 'prompts/pour.j2' %}{% endif %}",
        "flood.j2": "{% for i in range(90000) %}{{ i }}" + "x" * 50 + "{% endfor %}",
    }
    | {
        f"slow{number}.j2": f"{{# {number} #}}{{% if false %}}" + "{{ a }}" * 9_000 + "{% endif %}"
        for number in range(40)
    }
    | {f"chain{number}.j2": f"{{% include 'chain{number + 1}.j2' %}}" for number in range(300)}
)


LOOP = "{% for i in range(100000) %}"
GROW = "{% set n = namespace(s=START) %}" + LOOP + "{% set n.s = MORE %}{% endfor %}{{ END }}"


def grow(start: str, more: str, end: str = "n.s | length") -> str:
    return GROW.replace("START", start).replace("MORE", more).replace("END", end)


TOO_MUCH = {
    "loop in a loop": LOOP * 2 + "{% endfor %}" * 2,
    "filtered loop": LOOP + "{% for j in range(100000) if false %}{% endfor %}{% endfor %}",
    "endless loop": "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "branching loop": "{% for i in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "endless macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "branching macro": "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "endless caller": "{% macro m() %}{{ caller() }}{% endmacro %}{% macro r() %}{% call m() %}{{ r() }}{% endcall %}{% endmacro %}{{ r() }}",
    "endless block": "{% block a %}{{ self.a() }}{% endblock %}",
    "endless include": "{% include 'itself.j2' %}",
    "branching include": "{% include 'twice.j2' %}",
    "endless extends": "{% extends 'parent.j2' %}",
    "many includes": LOOP + "{% include 'x' ~ i ignore missing %}{% endfor %}",
    "slow includes": "{% for i in range(40) %}{% include 'slow' ~ i ~ '.j2' ignore missing %}{% endfor %}{{ 1/0 }}",
    "huge range": "{% for i in range(10**9) %}{% endfor %}",
    "huger range": "{{ range(10**18) | length }}",
    "large ranges": LOOP + "{% set x = range(90000) | list %}{% endfor %}",
    "text times": "{{ 'a' * 10**10 }}",
    "list times": "{{ [1] * 10**9 }}",
    "power": "{{ 10 ** 10 ** 10 }}",
    "powers": "{{ 9 ** 9 ** 9 }}",
    "power of a power": "{{ 9 ** (9 ** 9) }}",
    "power in a text": "{{ '%d' % 9 ** 9999 }}",
    "infinite": "{{ 1e308 * 10 }}",
    "infinite literal": "{{ 1e999 }}",
    "not a number": "{{ 'nan' | float }}",
    "digits": "{{ " + "9" * 50_000 + " }}",
    "hex digits": "{{ 0x" + "f" * 50_000 + " }}",
    "hex text": "{{ ('f' * 100000) | int(0, 16) }}",
    "round": "{{ 5 | round(-10**9) }}",
    "ceil": "{{ 5.5 | round(10**9, 'ceil') }}",
    "ljust": "{{ 'x'.ljust(10**9) }}",
    "zfill": "{{ 'x'.zfill(10**9) }}",
    "center": "{{ 'x' | center(10**9) }}",
    "indent": "{{ 'x\ny' | indent(10**9) }}",
    "indent by text": "{{ ('x\n' * 50000) | indent('y' * 10000) }}",
    "wordwrap": "{{ vars.big | wordwrap(1, wrapstring=vars.big) }}",
    "batch": "{{ [1] | batch(10**9, 'x') | length }}",
    "slice": "{{ [1] | slice(10**9, 'x') | length }}",
    "replace": "{{ vars.big | replace('a', vars.big) }}",
    "replace nothing": "{{ vars.big.replace('', 'xxxx') }}",
    "join": "{{ ([vars.big] * 50) | join(vars.big) }}",
    "join method": "{{ vars.big.join([vars.big] * 50) }}",
    "sum of lists": "{{ [[1], [2]] | sum(start=[]) }}",
    "format width": "{{ '%1000000000d' % 1 }}",
    "format precision": "{{ '%.1000000000f' % 1.5 }}",
    "format star": "{{ '%*d' % (1000000000, 1) }}",
    "format key": "{{ '%(a(b))1000000000d' % {'a(b)': 1} }}",
    "format filter": "{{ '%999999999s' | format('a') }}",
    "format often": "{{ ('%(big)s' * 20000) % vars }}",
    "format by odd": "{{ '%1000000000d' is odd }}",
    "format by divisibleby": "{{ '%1000000000d' is divisibleby 5 }}",
    "upper": "{{ ('ß' * 190000) | upper }}",
    "doubled text": grow("'aa'", "n.s + n.s"),
    "doubled by ~": grow("'aa'", "n.s ~ n.s"),
    "doubled by set": "{% set n = namespace(s='aa') %}" + LOOP + "{% set x %}{{ n.s }}{{ n.s }}{% endset %}{% set n.s = x %}{% endfor %}",
    "doubled by macro": "{% macro m(s) %}{{ s }}{{ s }}{% endmacro %}" + grow("'aa'", "m(n.s)"),
    "doubled without a loop": "{% set a = 'aaaa' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
    "doubled lists": grow("[1]", "[n.s, n.s]", "n.s | tojson"),
    "doubled tuples": grow("(1,)", "(n.s, n.s)", "{n.s: 1} | length"),
    "doubled mappings": grow("{}", "{'a': n.s, 'b': n.s}", "n.s | tojson"),
    "doubled by +": grow("[1]", "n.s + n.s"),
    "doubled arguments": "{% macro m() %}{% set n.s = varargs %}{% endmacro %}" + grow("1", "n.s") + LOOP + "{{ m(n.s, n.s) }}{% endfor %}",
    "compared": "{% set n = namespace(s=[1], t=[1]) %}" + LOOP + "{% set n.s = [n.s, n.s] %}{% set n.t = [n.t, n.t] %}{{ n.s == n.t }}{% endfor %}",
    "nested lists": grow("[1]", "[n.s]", "n.s | tojson"),
    "nested by batch": grow("[1]", "n.s | batch(1)", "n.s | tojson"),
    "a list of itself": "{% set n = namespace() %}{% set n.a = [n] %}{{ n.a | tojson }}",
    "searched": LOOP + "{{ 'zz' in vars.rows }}{% endfor %}",
    "sorted": LOOP + "{% set x = vars.rows | sort(attribute='text') %}{% endfor %}",
    "selected": LOOP + "{% set x = range(90000) | select('odd') %}{% endfor %}",
    "split": LOOP + "{% set x = vars.big.split('a') %}{% endfor %}",
    "sliced": LOOP + "{% set x = vars.rows[:] %}{% endfor %}",
    "spread": "{% macro m() %}{% endmacro %}" + LOOP + "{{ m(*vars.rows) }}{% endfor %}",
    "defaults": "{% macro m(a=[1] * 9000) %}{% endmacro %}" + LOOP * 2 + "{{ m() }}{% endfor %}{% endfor %}",
    "as json": LOOP + "{% set x = vars.rows[:2000] | tojson %}{% endfor %}",
    "output": LOOP + "x" * 50 + "{% endfor %}",
    "included output": "{% include 'flood.j2' %}",
    "captured output": "{% set x %}" + LOOP + "{{ vars.big }}{% endfor %}{% endset %}",
    "long body": "{% set x %}" + LOOP + "{% if true %}x{% endif %}" * 2000 + "{% endfor %}{% endset %}",
    "parentheses": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "brackets": "{{ " + "[" * 20_000 + "1" + "]" * 20_000 + " }}",
    "minus": "{{ " + "-" * 30_000 + "1 }}",
    "plus": "{{ 1" + "+1" * 40_000 + " }}",
    "dots": "{{ a" + ".a" * 40_000 + " }}",
    "filters": "{{ 1" + "|abs" * 20_000 + " }}",
    "comparisons": "{{ 1" + "<2" * 30_000 + " }}",
    "names": "{{ a }}" * 14_000,
    "ifs": "{% if 1 %}" * 5_000 + "{% endif %}" * 5_000,
    "elifs": "{% if 1 %}" + "{% elif 1 %}" * 7_000 + "{% endif %}",
    "loops": "{% for a in [1] %}" * 30 + "{{ a }}" + "{% endfor %}" * 30,
    "length": "x" * 200_001,
    "braces": "{{" * 40_000,
    "tags": "{%" * 40_000,
}  # fmt: skip
