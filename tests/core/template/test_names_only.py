"""Templates that only put in what they name are rendered as Jinja renders them, or left to it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.template import names_only
from kiejobs.core.template.renderer import Reads, TemplateProblem, Wish
from kiejobs.core.template.template import LocalRenderer

SHARED: dict[str, Any] = {"vars": {"style": "calm", "n": 3, "items": "x"}, "campaign": "tea"}
NAMES: dict[str, Any] = {
    "job": "pour",
    "matrix": {
        "scene": {"text": "a cup\n", "bad": "\ud800", "no": None},
        "word": "Ä {{ x }}",
        "five": 5,
    },
}

PIECES = st.sampled_from(
    ["{{ matrix.scene.text }}", "{{matrix.word}}", "{{ vars.style }}", "{{ campaign }}", "{{ job }}", "{{ vars.n }}",
     "{{ vars.items }}", "{{ matrix }}", "{{ matrix.scene }}", "{{ matrix.scene.bad }}", "{{ matrix.scene.no }}",
     "{{ matrix.nope }}", "{{ nope }}", "{{ loop.index }}", "{{ job.x }}", "{{- job }}", "{{ job | upper }}",
     "{% if true %}y{% endif %}", "{# no #}", "{{", "}}", "%}", "{", "\n", "\r\n", " ", "a cup", "{{ matrix.five }}",
     "{{ vars.keys }}", "{{ matrix._x }}", "{{ take }}", "{{ True }}"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=5).map("".join))
def test_what_is_rendered_here_is_what_jinja_renders(text: str) -> None:
    jinja = LocalRenderer(SHARED)
    mine, my_reads = names_only.render(text, SHARED, NAMES), names_only.reads(text)
    (theirs,), (their_reads,) = jinja.render([Wish(text, NAMES)]), jinja.reads([text])
    if mine is not None:
        assert mine == theirs
    if my_reads is not None:
        assert my_reads == their_reads


def test_a_usual_prompt_is_rendered_here() -> None:
    text = "{{ matrix.word }}, {{ vars.style }} for {{ campaign }}"
    assert names_only.render(text, SHARED, NAMES) == "Ä {{ x }}, calm for tea"
    names = frozenset({"matrix", "vars", "campaign"})
    assert names_only.reads(text) == Reads(frozenset({"word"}), frozenset({"style"}), names)
    assert names_only.is_enough(f"prompt: {text}")


@pytest.mark.parametrize(
    "text", ["{{ vars.nope }}", "{{ vars.n }}", "{{ matrix.scene.bad }}", "{{ job | upper }}", "{{ vars.style }}" * 30_000]
)  # fmt: skip
def test_what_may_go_wrong_is_left_to_jinja_within_its_limits(text: str) -> None:
    assert names_only.render(text, SHARED, NAMES) is None
    (found,) = LocalRenderer(SHARED).render([Wish(text, NAMES)])
    assert isinstance(found, str | TemplateProblem)
