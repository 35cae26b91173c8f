"""`picks.yaml` as text: what is written is what is read, whatever people wrote; of two lines the newest counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.adapters.project.files import read_schema
from kiejobs.core.document.nodes import Source
from kiejobs.core.picks import (
    NO,
    NONE,
    STALE,
    YES,
    Pick,
    Picks,
    head_of,
    line_of,
    read_picks,
    take_of,
    to_text,
)

if TYPE_CHECKING:
    import random

SCHEMA = read_schema("picks.schema.json")
MARK, OTHER = "a1" * 32, "b2" * 32

texts = st.none() | st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=200).map(
    lambda text: text.rstrip("\r\n") or None  # as everywhere, line breaks at the end don't count
)
names = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=20)
marks = st.text("0123456789abcdef", min_size=64, max_size=64) | st.just("1" * 20 + "e" + "2" * 43)
times = st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M:%S}.250Z" if at.year > 999 else "")


@st.composite
def picks(draw: Any) -> Pick:
    address = f"{draw(names).replace('/', '')}x/{draw(names)}"
    verdict = draw(st.sampled_from(["pick", "reject", "none"]))
    return Pick(
        address, draw(st.integers(1, 999)), draw(marks), verdict, draw(texts), draw(texts), draw(times)
    )


def read(text: str) -> Picks:
    found, problems = read_picks(Source("picks.yaml", text.encode()), SCHEMA)
    assert found is not None, problems
    return found


@given(st.lists(picks(), max_size=8))
def test_what_is_written_is_what_is_read(made: list[Pick]) -> None:
    text = to_text(Picks(made))
    assert text.count("\n") == 2 + len(Picks(made)), "one line each"
    kept = [line_of(pick) for pick in Picks(made)]
    assert [line_of(pick) for pick in read(text)] == kept
    assert to_text(read(text)) == text


@given(st.lists(picks(), min_size=1, max_size=6), st.randoms())
def test_in_whatever_order_lines_are_the_newest_of_an_address_counts(
    made: list[Pick], order: random.Random
) -> None:
    older = [
        Pick(one.address, one.take, one.fingerprint, "reject", None, None, "1000-01-01T00:00:00Z")
        for one in made
    ]
    newest = [
        Pick(*(getattr(one, name) for name in Pick.__slots__[:-1]), "9000-01-01T00:00:00Z")
        for one in Picks(made)
    ]
    lines = [line_of(pick) for pick in (*older, *newest)]
    order.shuffle(lines)
    assert list(read("\n".join(["version: 1", "picks:", *lines, ""]))) == list(Picks(newest))


def test_a_word_says_how_a_purchase_stands() -> None:
    known = Picks(
        [
            Pick("tea/a", 1, MARK, "pick"),
            Pick("tea/b", 1, OTHER, "reject"),
            Pick("tea/c", 1, MARK, "none", "hm"),
        ]
    )
    assert known.word("tea/a", (MARK, 1)) == YES
    assert known.word("tea/a", (OTHER, 1)) == STALE
    assert known.word("tea/b", (OTHER, 1)) == NO
    assert known.word("tea/c", (OTHER, 1)) == NONE
    assert known.word("tea/renamed", (OTHER, 1)) == NO
    assert known.word("tea/new", ("c3" * 32, 1)) == NONE


@pytest.mark.parametrize(
    ("address", "take"),
    [("tea/a", 1), ("tea/a#2", 2), ("tea/a[b=%23]#12", 12), ("tea/a#x", 1), ("tea/a#999999999999", 1)],
)
def test_the_take_is_in_the_address(address: str, take: int) -> None:
    assert take_of(address) == take


def test_a_time_within_a_second_is_later_than_the_second() -> None:
    second, later = (Pick("tea/a", 1, MARK, verdict, when=when) for verdict, when in
                     (("pick", "2026-11-30T18:00:00Z"), ("none", "2026-11-30T18:00:00.5Z")))  # fmt: skip
    for lines in ((second, later), (later, second)):
        assert list(read("\n".join(["version: 1", "picks:", *map(line_of, lines)]))) == [later]


def test_the_comments_at_the_top_are_the_head() -> None:
    assert head_of("# a\n# b\nversion: 1\n# c\n") == "# a\n# b\n"
    assert head_of("# a") == "# a\n"
    assert head_of("version: 1\n") == ""


def test_an_empty_list_and_windows_line_ends_are_read() -> None:
    assert list(read("version: 1\npicks:\n")) == []
    line = line_of(Pick("tea/a", 1, MARK, "pick", when="2026-11-30T18:00:00Z"))
    older = line_of(Pick("tea/a", 1, MARK, "reject", when="2026-11-29T18:00:00Z"))
    assert [one.verdict for one in read(f"version: 1\r\npicks:\r\n{line}\r\n{older}\r\n")] == ["pick"]
