"""Two texts compared word by word: what is said is true, readable, and said in time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.reports.diff import TextDiff


def said(was: str, now: str) -> str:
    """What both have as it is, what went in [-…-], what came in {+…+}."""
    marks = {"=": "{}", "-": "[-{}-]", "+": "{{+{}+}}"}
    return "".join(marks[piece.sign].format(piece.text) for piece in TextDiff().pieces(was, now))


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("a slow pour", "a fast pour", "a [-slow -]{+fast +}pour"),
        ("a pour", "a long pour", "a {+long +}pour"),
        ("one two three", "four", "[-one two three-]{+four+}"),
        ("don't", "don't stop", "[-don't-]{+don't stop+}"),
        ("清晨的吧台", "清晨的酒吧", "清晨的{+酒+}吧[-台-]"),
        ("a b c d e", "a x c y e", "a [-b -]{+x +}c [-d -]{+y +}e"),
        ("same", "same", "same"),
        ("", "new", "{+new+}"),
        ("old", "", "[-old-]"),
        ("", "", ""),
        ("line one\nline two", "line one\nline 2", "line one\nline [-two-]{+2+}"),
    ],
)
def test_what_differs_is_told_by_words(was: str, now: str, told: str) -> None:
    assert said(was, now) == told


TEXTS = st.text(st.sampled_from("ab é漢。,.'\n _1ש"), max_size=60)


@given(TEXTS, TEXTS)
def test_both_texts_can_be_put_together_again(was: str, now: str) -> None:
    pieces = TextDiff().pieces(was, now)
    assert "".join(piece.text for piece in pieces if piece.sign != "+") == was
    assert "".join(piece.text for piece in pieces if piece.sign != "-") == now
    assert all(piece.text for piece in pieces)
    signs = [piece.sign for piece in pieces]
    assert all(pair != pair[0] * 2 for pair in map("".join, pairwise(signs)))


@pytest.mark.parametrize(
    "text",
    [
        "a b " * 25_000,
        "é" * 50_000 + "漢" * 50_000,
        "'" * 100_000,
        ", " * 50_000,
        "\n" * 100_000,
        "漢 " * 50_000,
        "ab" * 50_000,
        "".join(f"{number} " for number in range(20_000)),
    ],
)
def test_a_comparison_of_hostile_texts_ends(text: str) -> None:
    """Compared without a measure, some of them would take hours."""
    diff = TextDiff()
    diff.pieces(text, text[::-1])
    diff.pieces(f"x{text}", f"{text}y")


def test_all_comparisons_of_a_report_have_one_measure() -> None:
    diff = TextDiff()
    one = "".join(f"a{number} " for number in range(900))
    other = "".join(f"b{number} " if number % 2 else f"a{number} " for number in range(900))
    counts = [len(diff.pieces(f"x {one} y", f"z {other} w")) for _ in range(100)]
    assert counts[0] > 100
    assert counts[-1] == 2
