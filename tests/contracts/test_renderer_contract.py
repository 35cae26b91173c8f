"""What every renderer does, wherever it works: `core/template/renderer.py` is the port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.adapters.templates.process import ProcessRenderer
from kiejobs.core.template.renderer import ANYTHING, Reads, TemplateProblem, Wish
from kiejobs.core.template.template import LocalRenderer

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.template.renderer import Renderer

SHARED = {"campaign": "espresso", "vars": {"brand": "Aurora", "many": [3, 1.5, None, True]}}
FILES = {
    "scene.j2": "a {{ vars.brand }} for {{ matrix.duration }}s",
    "slip.j2": "one\n\n{{ vars.brnd }}",
    "broken.j2": "\n{% if %}",
}


def local() -> Renderer:
    return LocalRenderer(SHARED, FILES.get)


class Included:
    """Templates in memory, with a way to look at one."""

    def __call__(self, name: str) -> str | None:
        return FILES.get(name)

    peek = __call__


def in_a_process() -> Renderer:
    return ProcessRenderer(SHARED, Included())


MAKERS: tuple[Callable[[], Renderer], ...] = (local, in_a_process)


@pytest.fixture(params=MAKERS, ids=lambda made: made.__name__)
def renderer(request: pytest.FixtureRequest) -> Renderer:
    made: Renderer = request.param()
    return made


def told(result: Any) -> Any:
    """A problem as comparable values; anything else as it is."""
    if not isinstance(result, TemplateProblem):
        return result
    return (result.message, result.hint, result.lineno, result.name, result.users)


def test_each_wish_has_its_text_in_order(renderer: Renderer) -> None:
    text = "{{ campaign }}: {{ vars.brand }} {{ matrix.mood }} {{ job }}"
    wishes = [Wish(text, {"matrix": {"mood": mood}, "job": "j"}) for mood in ("calm", "wild")]
    wishes.append(Wish("{{ matrix.mood | upper }}", {"matrix": {"mood": "é🎬"}}))
    wanted = ["espresso: Aurora calm j", "espresso: Aurora wild j", "É🎬"]
    assert renderer.render(wishes) == wanted
    assert renderer.render([]) == []


def test_what_is_handed_in_keeps_its_kind(renderer: Renderer) -> None:
    text = "{{ matrix.a | tojson }}{{ matrix.b is float }}{{ matrix.b }}{{ vars.many | tojson }}"
    names = {"matrix": {"a": {"z": None, "y": [1, "1", False]}, "b": 10.0}}
    wanted = '{"y": [1, "1", false], "z": null}true10.0[3, 1.5, null, true]'
    assert renderer.render([Wish(text, names)]) == [wanted]


def test_a_problem_is_a_value_in_its_place(renderer: Renderer) -> None:
    texts = ("ok {{ job }}", "\n{{ job.x }}", "{{ job", "ok again", "{% include 'slip.j2' %}")
    found = renderer.render([Wish(text, {"job": "j"}) for text in texts])
    assert [told(each) for each in found] == [
        "ok j",
        ("a text has no `x`", None, 2, None, ()),
        ("`{{` is not closed", "add `}}`; where `{{` is text, write `{% raw %}{{{% endraw %}`", 1, None, ()),
        "ok again",
        (
            "`vars.brnd` is not defined",
            "did you mean `vars.brand`?",
            3,
            "slip.j2",
            ((None, 1),),
        ),
    ]


def test_what_each_may_read_or_why_it_cannot_be_compiled(renderer: Renderer) -> None:
    texts = (
        "{% include 'scene.j2' %}{{ matrix.mood }}",
        "plain",
        "{{ 1 | uper }}",
        "{% include 'broken.j2' %}",
        "{% include vars.brand %}",
    )
    found = renderer.reads(texts)
    scene = Reads(
        frozenset(("duration", "mood")),
        frozenset(("brand",)),
        frozenset(("matrix", "vars")),
        frozenset(("scene.j2",)),
    )
    slip = ("there is no filter `uper`", "did you mean `upper`?", 1, None, ())
    assert [told(each) for each in found] == [scene, Reads(), slip, ANYTHING, ANYTHING]


def test_what_was_rendered_before_changes_nothing(renderer: Renderer) -> None:
    text = "{% set n = namespace(i=0) %}{% for x in vars.many %}{% set n.i = n.i + 1 %}{% endfor %}{{ n.i }}"
    wish = Wish(text, {})
    assert renderer.render([wish, wish]) == ["4", "4"]
    assert renderer.render([wish]) == ["4"]


def test_a_name_of_one_wish_is_none_of_the_next(renderer: Renderer) -> None:
    text = "{{ take is defined }}"
    assert renderer.render([Wish(text, {"take": 1}), Wish(text, {})]) == ["true", "false"]
