"""Templates: what prompts can say, how mistakes are told, and that there is no way to Python."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiejobs.core.template.renderer import Reads, TemplateProblem, Wish, is_template
from kiejobs.core.template.template import CACHED, LocalRenderer
from tests.support.templates import CONTEXT, INCLUDED


def outcome(
    text: str, files: dict[str, str] | None = None, context: dict[str, Any] | None = None
) -> str | TemplateProblem:
    renderer = LocalRenderer({}, (INCLUDED if files is None else files).get)
    (found,) = renderer.render([Wish(text, CONTEXT if context is None else context)])
    return found


def rendered(text: str) -> str:
    found = outcome(text)
    assert isinstance(found, str), (found.message, found.hint)
    return found


NOT_DEFINED = (
    "defined here: `campaign`, `vars`, `matrix`; where it is text, write `{% raw %}{{ q }}{% endraw %}`"
)
NO_DOT = "no dot leads to a name with a blank or with a digit first"


def problem(text: str, *others: Any) -> TemplateProblem:
    found = outcome(text, *others)
    assert isinstance(found, TemplateProblem), found
    return found


# --- what prompts can say -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ vars.brand }}, {{ matrix.duration }} seconds", "Aurora, 5 seconds"),
        ("a\n", "a"),
        ("{{ 1e21 }} {{ 1e21 * 2 }} {{ 2 ** 63 }}", "1e+21 2e+21 9223372036854775808"),
        ("{{ true }} {{ false }} {{ 1.5 }} {{ 7 // 2 }} {{ 2 ** 3 }}", "true false 1.5 3 8"),
        ("{{ 'x' if false }}|{{ 'x' if true else 'y' }}", "|x"),
        ("{{ 'a' ~ 1 ~ true }} {{ 'a' + 'b' }} {{ 'ab' * 2 }}", "a1true ab abab"),
        ("{{ '%03d of %s' % (7, 'x') }} {{ '%s%%' | format(5) }}", "007 of x 5%"),
        ("{{ '%(duration)02d' % matrix }}", "05"),
        ("{{ vars.brand[:3] }} {{ vars.tags[::-1] | join(' ') }} {{ vars.tags.0 }}", "Aur slow warm warm"),
        ("{{ 3 in [1, 3] }} {{ 'ur' in vars.brand }} {{ 1 < 2 < 3 }}", "true true true"),
        ("{% if matrix.duration is odd and vars.x is not defined %}yes{% endif %}", "yes"),
        ("{% for t in vars.tags %}{{ loop.index }}/{{ loop.length }} {{ t }};{% endfor %}", "1/2 warm;2/2 slow;"),
        ("{% for t in vars.tags if t != 'warm' %}{{ t }}{{ loop.last }}{% endfor %}", "slowtrue"),
        ("{% for t in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% for n in [1, [2, 3]] recursive %}{{ n if n is number else loop(n) }}{% endfor %}", "123"),
        ("{% for k, v in matrix.scene.items() %}{{ k }}={{ v | length }} {% endfor %}", "id=4 image=29 "),
        ("{% set n = namespace(t=0) %}{% for i in range(4) %}{% set n.t = n.t + i %}{% endfor %}{{ n.t }}", "6"),
        ("{% set x %}{{ vars.brand }}!{% endset %}{{ x * 2 }}", "Aurora!Aurora!"),
        ("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}", "3"),
        ("{% filter upper %}{{ vars.brand }}{% endfilter %}", "AURORA"),
        ("{% macro m(a, b=2) %}{{ a }}{{ b }}{{ varargs | join }}{% endmacro %}{{ m(1) }} {{ m(1, 3, 4) }}", "12 134"),
        ("{% macro box() %}<{{ caller('q') }}>{% endmacro %}{% call(x) box() %}{{ x }}{% endcall %}", "<q>"),
        ("{% raw %}{{ x }}{% endraw %}{# note #}", "{{ x }}"),
        ("{% include 'prompts/pour.j2' %}", "Pour Aurora for 5s"),
        ("{% include ['none.j2', 'prompts/pour.j2'] %}", "Pour Aurora for 5s"),
        ("{% include 'none.j2' ignore missing %}-", "-"),
        ("{% from 'macros.j2' import shot %}{{ shot('steam') }}", "steam, calm"),
        ("{% import 'macros.j2' as m %}{{ m.shot('steam', mood='wild') }}", "steam, wild"),
        ("{% extends 'base.j2' %}{% block middle %}my {{ super() }}{% endblock %}", "<my base>"),
        ("{% block b %}x{% endblock %}{{ self.b() }}", "xx"),
        ("{{ '\\d' }}", "\\d"),
    ],
)  # fmt: skip
def test_jinja_says(text: str, said: str) -> None:
    assert rendered(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'aB c' | upper", "AB C"), ("'aB' | lower", "ab"), ("'a bc' | title", "A Bc"),
        ("'ab' | capitalize", "Ab"), ("'  a ' | trim", "a"), ("'aab' | replace('a', 'x', 1)", "xab"),
        ("'a' | center(3) ~ '|'", " a |"), ("'a\\nb' | indent(2)", "a\n  b"),
        ("'a b c' | wordwrap(3)", "a b\nc"), ("'a long text here' | truncate(9)", "a..."),
        ("'é x/y' | urlencode", "%C3%A9%20x/y"), ("{'b': [1, none], 'a': 'é'} | tojson", '{"a": "é", "b": [1, null]}'),
        ("'42' | int + 1", "43"), ("'x' | int(7)", "7"), ("'1.5' | float", "1.5"),
        ("(-3) | abs", "3"), ("2.567 | round(1)", "2.6"), ("2.1 | round(0, 'ceil') | int", "3"), ("5 | string ~ 'x'", "5x"),
        ("vars.none | default('d')", "d"), ("'' | d('e', true)", "e"), ("[1, 2] | join('-')", "1-2"),
        ("vars.tags | length", "2"), ("vars.tags | first", "warm"), ("vars.tags | last", "slow"),
        ("'ab' | list | join(',')", "a,b"), ("[1, 2] | reverse | join", "21"), ("'ab' | reverse", "ba"),
        ("matrix.scene | items | first | join(':')", "id:pour"), ("{'b': 1, 'a': 2} | dictsort | tojson", '[["a", 2], ["b", 1]]'),
        ("{'b': 1, 'a': 2} | dictsort(by='value') | map('first') | join", "ba"),
        ("['b', 'A', 'c'] | sort | join", "Abc"), ("['b', 'A'] | sort(true, true) | join", "bA"),
        ("[{'a': 2, 'b': 1}, {'a': 1, 'b': 2}] | sort(attribute='a') | map(attribute='b') | join", "21"),
        ("['b', 'A'] | min", "A"), ("[1, 3, 2] | max", "3"), ("['a', 'A', 'b'] | unique | join", "ab"),
        ("[1, 2.5] | sum", "3.5"), ("[{'n': 1}, {'n': 2}] | sum('n', 10)", "13"),
        ("[1, 2, 3] | batch(2, 0) | map('join') | join(' ')", "12 30"),
        ("[1, 2, 3] | slice(2) | map('join') | join(' ')", "12 3"),
        ("vars.tags | map('upper') | join", "WARMSLOW"), ("[1, 2, 3] | select('odd') | join", "13"),
        ("[1, 2, 3] | reject('divisibleby', 2) | join", "13"), ("[0, 1] | select | join", "1"),
        ("vars.rows | selectattr('id', '==', 'r7') | map(attribute='id') | first", "r7"),
        ("[{'a': 0}, {'a': 1}] | rejectattr('a') | map(attribute='a') | join", "0"),
        ("[{}] | map(attribute='x.y', default='z') | join", "z"),
        ("'a b'.split() | join('+')", "a+b"), ("'abc'.replace('b', 'x').upper()", "AXC"), ("'-'.join(vars.tags)", "warm-slow"),
        ("'7'.zfill(3)", "007"), ("' a '.strip() ~ 'b'.ljust(2) ~ '|'", "ab |"), ("'aba'.count('a')", "2"),
        ("[1, 2, 1].count(1)", "2"), ("matrix.scene.get('id')", "pour"), ("matrix.scene.get('x', 'y')", "y"),
        ("matrix.scene.keys() | join(',')", "id,image"), ("'x' is in ['x']", "true"), ("1.5 is float", "true"),
        ("'a' is lower", "true"), ("none is none", "true"), ("{} is mapping", "true"), ("2 is ge 2", "true"),
    ],
)  # fmt: skip
def test_filters_methods_and_tests_do_what_jinja_does(text: str, said: str) -> None:
    assert rendered(f"{{{{ {text} }}}}") == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{{ 10 == '10' }} {{ '10' == 10 }} {{ '10' == 10.0 }} {{ 10 != '10' }}",
            "true true true false",
        ),
        ("{{ 10 == '1' }} {{ 'auto' == 10 }} {{ true == '1' }}", "false false false"),
        ("{{ '10' in [5, 10] }} {{ 5 not in ['5'] }} {{ '7' in [5, 10] }}", "true false false"),
        ("{{ ['5', '10'] | select('eq', 10) | list | length }}", "1"),
    ],
)
def test_a_number_equals_the_text_that_it_is_written_as(text: str, said: str) -> None:
    assert rendered(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ 'with' if matrix.scene.items is defined else 'without' }}", "without"),
        ("{{ matrix.scene.keys | default('none') }}", "none"),
        ("{{ matrix.scene.items() | length }}{{ matrix.scene['items']() | length }}", "22"),
    ],
)
def test_a_name_that_is_not_called_at_once_is_a_key_or_nothing(text: str, said: str) -> None:
    assert rendered(text) == said


def test_a_column_that_a_row_has_not_is_no_method() -> None:
    found = problem("{% if matrix.scene.items %} with items{% endif %}")
    assert found.message == "`matrix.scene.items` is not defined"


@pytest.mark.parametrize("empty", ["none", "0", "false", "(1 if false)"])
@pytest.mark.parametrize("filtered", ["map('upper')", "select", "reject('odd')", "list", "length"])
def test_what_is_no_list_is_no_empty_list(empty: str, filtered: str) -> None:
    found = problem(f"{{{{ {empty} | {filtered} }}}}")
    assert "is not a list" in found.message or "evaluated to false" in found.message


def test_a_key_wins_over_a_method_of_its_name() -> None:
    assert rendered("{{ vars.items }} {{ matrix.values }} {{ vars['items'] }}") == "cups v cups"


@pytest.mark.parametrize("text", ["a {{ b }}", "{% if a %}", "{# a #}"])
def test_a_template_is_told_from_its_marks(text: str) -> None:
    assert is_template(text)
    assert not is_template(text.replace("{", "(").replace("}", ")"))


# --- what it reads --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "axes", "names"),
    [
        ("{{ matrix.a }} {{ matrix['b'].c }} {{ vars.x }}", {"a", "b"}, {"x"}),
        ("plain", set(), set()),
        (
            "{% if matrix.a is defined %}{{ vars.y | default(matrix.c) }}{% endif %}",
            {"a", "c"},
            {"y"},
        ),
        ("{{ matrix }}", None, set()),
        ("{% set m = matrix %}", None, set()),
        ("{{ matrix[vars.x] }}", None, {"x"}),
        ("{{ matrix.items() }}", None, set()),
        ("{{ matrix.0 }}", None, set()),
        ("{{ matrix == vars }}", None, None),
        ("{% for matrix in [] %}{% endfor %}", None, set()),
        ("{% macro m(vars) %}{{ vars.x }}{% endmacro %}", set(), None),
        ("{% set matrix.a = 1 %}", None, set()),
        ("{% include 'prompts/pour.j2' %}{{ matrix.a }}", {"a", "duration"}, {"brand"}),
        (
            "{% include 'further.j2' if matrix.a else 'base.j2' %}",
            {"a", "duration"},
            {"brand", "x"},
        ),
        ("{% include ['none.j2', 'prompts/pour.j2'] %}", {"duration"}, {"brand"}),
        ("{% include 'pour' ~ '.j2' %}", None, None),
        ("{% include ['base.j2', vars.look] %}", None, None),
        ("{% include 'broken.j2' %}", None, None),
        ("{% include 'deep.j2' %}", None, None),
        ("{% include '../x.j2' %}", set(), set()),
        ("{% include 'a/../x.j2' %}", None, None),
        ("{% include 'itself.j2' %}", set(), set()),
        ("{% include 'chain0.j2' %}", set(), set()),
        ("{% import 'macros.j2' as m %}", set(), set()),
        ("{% import 'macros.j2' as vars %}{{ vars.shot('x') }}", set(), {"shot"}),
        ("{% from 'further.j2' import shot %}", {"duration"}, {"brand", "x"}),
        ("{% extends 'base.j2' %}{% block middle %}{{ matrix.b }}{% endblock %}", {"b"}, set()),
    ],
)
def test_what_a_template_may_read_is_known(text: str, axes: set[str] | None, names: set[str] | None) -> None:
    (reads,) = LocalRenderer({}, INCLUDED.get).reads([text])
    assert isinstance(reads, Reads)
    assert (reads.axes, reads.vars) == (axes, names)


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{{ matrix.duraton }}", "`matrix.duraton` is not defined", "did you mean `matrix.duration`?"),
        ("{{ matrix.scene.img }}", "`matrix.scene.img` is not defined", "did you mean `matrix.scene.image`?"),
        ("{{ matrx.a }}", "`matrx` is not defined", "did you mean `matrix`?"),
        ("{{ q }}", "`q` is not defined", NOT_DEFINED),
        ("{% if q %}{% endif %}", "`q` is not defined", NOT_DEFINED),
        ("{{ q is odd }}", "`q` is not defined", NOT_DEFINED),
        ("{{ matrix[q] }}", "`q` is not defined", NOT_DEFINED),
        ("{{ '%s' % q }}", "`q` is not defined", NOT_DEFINED),
        ("{{ {[]: 1} }}", "a list can't be a key", None),
        ("{{ 1 is odd(2) }}", "`odd` does not take what is in its brackets", None),
        ("{{ 1 is eq }}", "it does not take what is in its brackets", None),
        ("{{ vars.brand.name }}", "a text has no `name`", None),
        ("{{ vars.tags[5] }}", "a list has no `5`", None),
        ("{{ vars.tags }}", "a list can't be printed", "write `| join(', ')`"),
        ("{{ matrix.scene }}", "a mapping can't be printed", "name one of its keys, or write `| tojson`"),
        ("{{ none }}", "null can't be printed", "give it a value, or write `| default('…', true)`"),
        ("{{ vars.brand.upper }}", "a text has no `upper`", "call it: write `()` behind its name"),
        ("{{ range }}", "a function can't be printed", "call it: write `()` behind its name"),
        ("{{ 'a' ~ vars.tags }}", "a list can't be printed", "write `| join(', ')`"),
        ("{{ 'a' + 1 }}", "`+` makes no sense between a text and a number", "`~` joins anything as text"),
        ("{{ 1 < 'a' }}", "`<` makes no sense between a number and a text", None),
        ("{{ 1 / 0 }}", "division by zero", None),
        ("{{ vars.brand() }}", "a text can't be called", None),
        ("{{ 'a' | upper(1) }}", "`upper` does not take what is in its brackets", None),
        ("{% for x in 5 %}{% endfor %}", "a number is not a list", None),
        ("{% for a, b in [1] %}{% endfor %}", "a number can't be taken apart into several names", None),
        ("{{ 'a' | uper }}", "there is no filter `uper`", "did you mean `upper`?"),
        ("{% if false %}{{ 'a' | uper }}{% endif %}", "there is no filter `uper`", "did you mean `upper`?"),
        ("{{ ['a'] | map('uper') | join }}", "there is no filter `uper`", "did you mean `upper`?"),
        ("{{ 1 is od }}", "there is no test `od`", "did you mean `odd`?"),
        ("{{ [] | first }}", "there is no first item: the list is empty", None),
        ("{{ vars.brand", "`{{` is not closed", "add `}}`; where `{{` is text, write `{% raw %}{{{% endraw %}`"),
        ("{{ }}", "`{{ }}` is empty", "put a name in it"),
        ("{{ 'it's' }}", "`s` is not expected before `}}`", "`~` joins texts; a name with blanks is written as `vars['Image URL']`; no text in quotes holds the same quote; where `{{` is text, write `{% raw %}{{{% endraw %}`"),
        ("{{ vars.2nd }}", "`nd` is not expected before `}}`", "write `vars['2nd']`: " + NO_DOT),
        ("{{ matrix.s.Image URL }}", "`URL` is not expected before `}}`", "write `matrix.s['Image URL']`: " + NO_DOT),
        ("\n{{ vars.a.2 b | upper }}", "`b` is not expected before `}}`", "write `vars.a['2 b']`: " + NO_DOT),
        ("{{ vars.a if vars.b c }}", "`c` is not expected before `}}`", "write `vars['b c']`: " + NO_DOT),
        ("{% if 1 %}", "`{% if %}` is not closed", "add `{% endif %}`; where `{%` is text, write `{% raw %}{%{% endraw %}`"),
        ("{%50 off%}", "`{%` is not followed by a tag", "where `{%` is text, write `{% raw %}{%{% endraw %}`"),
        ("{{ 5 ! }}", "`!` is not expected here", "where it is text, write `{% raw %}` before the brackets and `{% endraw %}` behind them"),
        ("{% for a in b %}{% endif %}", "`{% for %}` is not closed", "add `{% endfor %}`; where `{%` is text, write `{% raw %}{%{% endraw %}`"),
        ("{% endif %}", "`{% endif %}` closes nothing", None),
        ("{% loop %}", "there is no tag `loop`", "where `{%` is text, write `{% raw %}{%{% endraw %}`"),
        (
            "{# a",
            "`{#` begins a comment, which is not closed",
            "where it is text, write `{% raw %}{#{% endraw %}`; where it is a comment, end it with `#}`",
        ),
        ("{% raw %}a", "`{% raw %}` is not closed", "add `{% endraw %}`"),
        ("{% autoescape true %}{% endautoescape %}", "`{% autoescape %}` has no use in a prompt", None),
        ("{{ '\\ud800' }}", "half a surrogate pair is no character", "write the character itself"),
        ("{% include 'none.j2' %}", "there is no template `none.j2`", "included templates are looked for from the job file's folder, in its project only"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_what_to_do(text: str, message: str, hint: str | None) -> None:
    found = problem(text)
    assert (found.message, found.hint) == (message, hint)


@pytest.mark.parametrize(
    ("text", "lineno", "name"),
    [
        ("one\n\n{{ vars.brnd }}", 3, None),
        ("one\n{% if 1 %}\n{{ 1 / 0 }}{% endif %}", 3, None),
        ("one\n{{ a b }}", 2, None),
        ("one\n{{ 1 | foo }}", 2, None),
        ("\n\n{% include 'slip.j2' %}", 3, "slip.j2"),
        ("{% include 'broken.j2' %}", 2, "broken.j2"),
        ("{% include 'unknown.j2' %}", 2, "unknown.j2"),
        ("\n\n{% include 'comment.j2' %}", 2, "comment.j2"),
        ("{% include 'deep.j2' %}", 1, None),
        ("\n{% include 'none.j2' %}", 2, None),
    ],
)
def test_a_mistake_knows_its_line_and_the_included_template(
    text: str, lineno: int | None, name: str | None
) -> None:
    found = problem(text)
    assert (found.lineno, found.name) == (lineno, name)


@pytest.mark.parametrize(
    ("text", "message", "place", "users"),
    [
        ("\n{% include 'slip.j2' %}", "`vars.brnd` is not defined", ("slip.j2", 3), ((None, 2),)),
        (
            "{% include 'calls.j2' %}",
            "a text has no `name`",
            ("dots.j2", 2),
            ((None, 1), ("calls.j2", 3)),
        ),
        (
            "{% include 'ring1.j2' %}",
            "`ring1.j2`, `ring2.j2`, `ring3.j2` include or extend one another without end",
            ("ring3.j2", 1),
            ((None, 1), ("ring1.j2", 1), ("ring2.j2", 1)),
        ),
        (
            "{% include 'itself.j2' %}",
            "`itself.j2` includes or extends itself without end",
            ("itself.j2", 1),
            ((None, 1),),
        ),
        (
            "{% extends 'parent.j2' %}",
            "`parent.j2` includes or extends itself without end",
            ("parent.j2", 1),
            ((None, 1),),
        ),
        (
            "{% from 'calls.j2' import again %}{{ again() }}",
            "the template is nested too deeply",
            ("calls.j2", 4),
            ((None, 1),),
        ),
        (
            "{% from 'macros.j2' import shut %}{{ shut() }}",
            "the template `macros.j2` has no macro `shut`",
            (None, 1),
            (),
        ),
        ("{% include [] %}", "the list of templates is empty", (None, 1), ()),
        ("{% include ['a', 'b'] %}", "there is none of the templates `a`, `b`", (None, 1), ()),
        (
            "{% extends 'base.j2' %}{% extends 'base.j2' %}",
            "a template can extend only one other",
            (None, 1),
            (),
        ),
        (
            "{% extends 'form.j2' %}",
            "the block `scene` must be given: the template that is extended requires it",
            ("form.j2", 1),
            ((None, 1),),
        ),
        (
            "{% block a %}1{% endblock %}{% block a %}2{% endblock %}",
            "the block `a` is there twice",
            (None, 1),
            (),
        ),
    ],
)
def test_a_mistake_elsewhere_knows_how_it_was_come_to(
    text: str, message: str, place: tuple[str | None, int], users: tuple[Any, ...]
) -> None:
    found = problem(text)
    assert found.message == message
    assert (found.name, found.lineno) == place
    assert found.users == users


@pytest.mark.parametrize(
    ("text", "place", "users"),
    [
        ("{% extends 'open.j2' %}{% block a %}{{ vars.nope }}{% endblock %}", (None, 1), ("open.j2", 1)),
        ("{% include 'fills.j2' %}", ("fills.j2", 1), ("open.j2", 1)),
    ],
)  # fmt: skip
def test_a_mistake_in_a_block_is_not_the_form_s(
    text: str, place: tuple[str | None, int], users: tuple[str, int]
) -> None:
    """Even where the block stands in the line of the `extends`."""
    fills = "{% extends 'open.j2' %}{% block a %}{{ vars.nope }}{% endblock %}"
    files = {"open.j2": "A {% block a %}{% endblock %} B", "fills.j2": fills}
    found = problem(text, files, {"vars": {}})
    assert (found.name, found.lineno) == place
    assert users in found.users


FORMS = {
    "open.j2": "A {% block a %}{% block inner %}{% endblock %}{% endblock %} B",
    "mid.j2": "{% extends 'open.j2' %}{% block a %}{% block own %}{% endblock %}{% endblock %}",
    "wrong.j2": "{% extends 'open.j2' %}\n{% block aa %}lost{% endblock %}",
    "self.j2": "{% extends 'self.j2' %}{% block x %}{% endblock %}",
}


@pytest.mark.parametrize(
    ("text", "message", "hint", "place"),
    [
        ("{% extends 'open.j2' %}{% block aa %}lost{% endblock %}",
         "`open.j2`, which is extended, has no block `aa`", "did you mean `a`?", (None, 1)),
        ("{% extends 'mid.j2' %}\n{% block subject %}lost{% endblock %}",
         "`mid.j2`, which is extended, has no block `subject`", "its blocks: `a`, `inner`, `own`", (None, 2)),
        ("{% include 'wrong.j2' %}",
         "`open.j2`, which is extended, has no block `aa`", "did you mean `a`?", ("wrong.j2", 2)),
        ("{% extends 'wrong.j2' %}{% block a %}x{% endblock %}",
         "`open.j2`, which is extended, has no block `aa`", "did you mean `a`?", ("wrong.j2", 2)),
        ("{% extends 'open.j2' %} lost {% block a %}x{% endblock %}",
         "text outside of blocks is dropped in a template that extends another",
         "put it into a block, or delete it", (None, 1)),
        ("{% extends vars.form %}{{ vars.form }}",
         "text outside of blocks is dropped in a template that extends another",
         "put it into a block, or delete it", (None, 1)),
        ("{% extends 'self.j2' %}", "`self.j2` includes or extends itself without end", None, ("self.j2", 1)),
    ],
)  # fmt: skip
def test_what_a_form_has_no_place_for_is_not_dropped_in_silence(
    text: str, message: str, hint: str | None, place: tuple[str | None, int]
) -> None:
    found = problem(text, FORMS, {"vars": {"form": "open.j2"}})
    assert found.message == message
    assert hint is None or found.hint == hint
    assert (found.name, found.lineno) == place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% extends 'open.j2' %}\n{# told #}\n{% set x = 1 %}{% block inner %}i{% endblock %}\n", "A i B"),
        ("{% extends 'mid.j2' %}{% block own %}o{% endblock %}", "A o B"),
        ("{% extends 'mid.j2' %}{% block inner %}unused{% endblock %}", "A  B"),
        ("{% extends 'open.j2' %}{% block a %}{% block new %}n{% endblock %}{% endblock %}", "A n B"),
        ("said {% extends 'open.j2' %}{% block a %}x{% endblock %}", "said A x B"),
        ("{% extends vars.form %}{% block a %}x{% endblock %}", "A x B"),
    ],
)  # fmt: skip
def test_what_has_its_place_in_a_form_is_said(text: str, said: str) -> None:
    assert outcome(text, FORMS, {"vars": {"form": "open.j2"}}) == said


@pytest.mark.parametrize(("name", "meant"), [("brand", "vars.brand"), ("mood", "matrix.mood")])
def test_a_variable_without_its_first_word_is_known(name: str, meant: str) -> None:
    context = {"vars": {"brand": "x"}, "matrix": {"mood": "y"}}
    assert problem(f"{{{{ {name} }}}}", {}, context).hint == f"did you mean `{meant}`?"


def test_a_macro_that_misses_the_context_is_told_how_to_get_it() -> None:
    text = "{% import 'branded.j2' as m %}{{ m.mark() }}"
    found = problem(text)
    assert found.message == "`vars` is not defined here"
    assert found.hint is not None
    assert "with context" in found.hint
    assert rendered(text.replace("as m", "as m with context")) == "Aurora"


@pytest.mark.parametrize(
    "name",
    [
        "..", "../a/../x.j2", "..//x.j2", "a/../../x.j2", "/etc/passwd", "C:/x.j2", "c:x.j2", "a\\\\b.j2", "a//b.j2", "",
        "a/", "a\\x00b", "a\\nb", "\\x1b[31m",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "tag", ["include '%s'", "import '%s' as x", "extends '%s'", "include ['%s'] ignore missing"]
)
def test_a_name_that_could_leave_the_folder_is_never_looked_for(tag: str, name: str) -> None:
    asked: list[str] = []
    renderer = LocalRenderer({}, asked.append)
    (found,) = renderer.render([Wish(f"{{% {tag % name} %}}", {})])
    assert isinstance(found, TemplateProblem)
    assert "is not allowed" in found.message
    assert "\x1b" not in found.message
    assert asked == []


def test_a_name_that_leads_up_is_for_the_loader_to_judge() -> None:
    asked: list[str] = []
    renderer = LocalRenderer({}, asked.append)
    (found,) = renderer.render([Wish("{% include '../../x.j2' %}", {})])
    assert isinstance(found, TemplateProblem)
    assert found.message == "there is no template `../../x.j2`"
    assert set(asked) == {"../../x.j2"}


# --- the same each time ---------------------------------------------------------------------------


def test_what_was_rendered_before_changes_nothing() -> None:
    counting = Wish("{% import 'counter.j2' as c %}{{ c.up() }}{{ c.up() }}", CONTEXT)
    assert LocalRenderer({}, INCLUDED.get).render([counting] * 3) == ["12", "12", "12"]


def test_the_context_is_not_changed() -> None:
    context = {"vars": {"list": [3, 1, 2]}}
    text = "{% set x = vars.list | sort %}{% set y = vars.list + [4] %}{{ x | join }}{{ y | join }}"
    assert outcome(text, {}, context) == "1233124"
    assert context == {"vars": {"list": [3, 1, 2]}}


@pytest.mark.parametrize(
    "text",
    [
        "{{ [1, 2] | random }}",
        "{{ lipsum() }}",
        "{{ now() }}",
        "{{ cycler('a') }}",
        "{{ dict(a=1) }}",
    ],
)
def test_nothing_that_differs_each_time_exists(text: str) -> None:
    assert re.search("not defined|no filter", problem(text).message)


def test_a_template_is_compiled_once_as_long_as_it_is_kept() -> None:
    peeked: list[str] = []

    def peek(name: str) -> str:
        peeked.append(name)
        return ""

    renderer = LocalRenderer({}, peek=peek)
    texts = [f"{{% include 'a{number}.j2' ignore missing %}}" for number in range(CACHED + 1)]
    renderer.reads(texts[:CACHED])
    renderer.reads(texts[:CACHED])
    assert len(peeked) == CACHED
    assert len(renderer.reads(texts)) == len(texts)


# --- no way to Python ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__",
        "''['__class__']",
        "'' | attr('__class__')",
        "[''] | map(attribute='__class__') | join",
        "'{0.__class__}'.format(1)",
        "'{0.__class__}'.format_map",
        "''.upper.__self__",
        "''.upper.owner",
        "''.encode()",
        "1 .real",
        "vars.__class__",
        "vars.pop('brand')",
        "vars.update(a=1)",
        "vars.tags.append(1)",
        "vars.tags.__len__()",
        "namespace.__init__",
        "namespace(a=1)._Namespace__attrs",
        "namespace(a=1).__class__",
        "range.__globals__",
        "cycler.__init__.__globals__",
        "self.__class__",
        "self._TemplateReference__context",
        "environment",
        "context",
        "resolve",
        "['a'] | map('<built>') | join",
        "range(_env=1)",
        "range(self=1, obj=2, context=3)",
        "'a' | upper(env=1)",
    ],
)
def test_there_is_no_way_to_python(expression: str) -> None:
    problem(f"{{{{ {expression} }}}}")


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in [1] %}{{ loop.__class__ }}{% endfor %}",
        "{% for a in [1] if a %}{{ loop._iterator.gi_frame }}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m._func }}",
        "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
        "{% macro m() %}{{ caller._environment }}{% endmacro %}{% call m() %}{% endcall %}",
        "{% import 'macros.j2' as m %}{{ m._body_stream }}",
        "{% import 'macros.j2' as m %}{{ m.__name__ }}",
        "{% from 'macros.j2' import __name__ %}",
        "{% set vars.brand = 1 %}",
    ],
)
def test_what_a_template_makes_is_closed_too(text: str) -> None:
    problem(text)


PIECES = st.sampled_from(
    [
        *(
            "{{ ",
            " }}",
            "{% ",
            " %}",
            "{#",
            "#}",
            "for x in ",
            "if ",
            "endfor",
            "endif",
            "set x = ",
        ),
        *(
            "macro m(a) ",
            "endmacro",
            "m(",
            ")",
            "(",
            "[",
            "]",
            "{",
            "}",
            "vars",
            ".",
            "brand",
            "tags",
        ),
        *(
            "matrix",
            "|",
            "upper",
            "join",
            "map(",
            "'",
            '"',
            "1",
            "1e9",
            " ~ ",
            " + ",
            " * ",
            " ** ",
        ),
        *(
            "%",
            "is ",
            "in ",
            "not ",
            ",",
            ":",
            "loop",
            "range(9)",
            "namespace(a=1)",
            "include ",
            "-",
        ),
        *(
            "block b ",
            "endblock",
            "else ",
            "\\ud800",
            "\\",
            "\n",
            "é",
            "self",
            "super()",
            "caller()",
        ),
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(),
        st.lists(PIECES).map("".join),
        st.lists(PIECES).map("".join).map("{{{{ {} }}}}".format),
    )
)
def test_any_text_renders_or_is_told_about(text: str) -> None:
    found = outcome(text)
    assert isinstance(found, TemplateProblem) or found.encode() + b"."


def test_no_warning_of_python_is_shown_to_the_author() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        rendered("{{ '\\d' }}{{ 1 if 1 else 2 }}")
    assert shown == []
