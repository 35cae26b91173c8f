"""The matrix: GitHub Actions' algorithm, made strict."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.fingerprint import canonical
from kiejobs.core.jobfile import Entry
from kiejobs.core.matrix.axis_values import AxisValues
from kiejobs.core.matrix.matrix import Row, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

Values = dict[str, Any]

RESOLUTION = ["720p", "1080p"]
DURATION = ["5", "10"]


def rows(
    axes: dict[str, list[Any]],
    exclude: Sequence[Values] = (),
    include: Sequence[Values] = (),
) -> list[Values]:
    made = matrix(axes, exclude, include)
    return [values(made, row) for row in made]


def values(made: Rows, row: Row) -> Values:
    return {name: made.value(name, ref) for name, ref in row.items()}


def matrix(axes: dict[str, list[Any]], exclude: Sequence[Values], include: Sequence[Values]) -> Rows:
    return Rows(
        {name: AxisValues(tuple(values)) for name, values in axes.items()},
        [entry(values) for values in exclude],
        [entry(values) for values in include],
    )


def entry(values: Values) -> Entry:
    return Entry(values, (1, 1), dict.fromkeys(values, (1, 1)))


def r_d(*pairs: tuple[str, str], **extra: Any) -> list[Values]:
    return [{"r": r, "d": d, **extra} for r, d in pairs]


R_D = {"r": RESOLUTION, "d": DURATION}
P720_5, P720_10, P1080_5, P1080_10 = product(RESOLUTION, DURATION)


# --- the vectors -----------------------------------------------------------------------------------


def test_axes_multiply_in_file_order_and_the_last_varies_fastest() -> None:
    assert rows(R_D) == r_d(P720_5, P720_10, P1080_5, P1080_10)


def test_exclude_drops_the_row_that_equals_all_it_names() -> None:
    assert rows(R_D, [{"r": "1080p", "d": "10"}]) == r_d(P720_5, P720_10, P1080_5)


def test_an_include_that_points_at_an_excluded_row_brings_it_back_at_the_end() -> None:
    found = rows(R_D, [{"r": "1080p"}], [{"r": "1080p", "d": "5", "tag": "hero"}])
    assert found == [*r_d(P720_5, P720_10), *r_d(P1080_5, tag="hero")]


def test_an_include_without_axes_is_added_to_every_row() -> None:
    assert rows(R_D, [], [{"tag": "x"}]) == r_d(P720_5, P720_10, P1080_5, P1080_10, tag="x")


def test_a_later_include_overwrites_an_earlier_one_s_extra() -> None:
    found = rows(R_D, [], [{"tag": "x"}, {"r": "720p", "tag": "y"}])
    assert found == [*r_d(P720_5, P720_10, tag="y"), *r_d(P1080_5, P1080_10, tag="x")]


def test_the_order_of_includes_matters() -> None:
    found = rows(R_D, [], [{"r": "720p", "tag": "y"}, {"tag": "x"}])
    assert found == r_d(P720_5, P720_10, P1080_5, P1080_10, tag="x")


def test_an_include_that_matches_no_row_is_one_more_row_with_just_what_it_says() -> None:
    assert rows(R_D, [], [{"r": "480p"}])[4:] == [{"r": "480p"}]


def test_an_include_of_axes_alone_that_matches_adds_nothing() -> None:
    assert rows({"r": ["a"]}, [], [{"r": "a"}]) == [{"r": "a"}]


def test_without_axes_each_include_is_a_row() -> None:
    assert rows({}, [], [{"a": 1}, {"a": 1}]) == [{"a": 1}, {"a": 1}]


def test_an_include_without_axes_finds_no_row_left_and_becomes_one() -> None:
    assert rows({"r": ["a"]}, [{"r": "a"}], [{"x": 1}]) == [{"x": 1}]


def test_a_matrix_of_nothing_is_one_row() -> None:
    assert rows({}) == [{}]


def test_the_worked_example_of_extras_overwrites_and_new_rows() -> None:
    found = rows(
        {"tea": ["green", "black"], "cup": ["glass", "clay"]},
        [],
        [
            {"light": "soft"},
            {"light": "gold", "cup": "glass"},
            {"tea": "green", "steam": "thin"},
            {"tea": "white"},
            {"tea": "white", "cup": "glass"},
        ],
    )
    assert found == [
        {"tea": "green", "cup": "glass", "light": "gold", "steam": "thin"},
        {"tea": "green", "cup": "clay", "light": "soft", "steam": "thin"},
        {"tea": "black", "cup": "glass", "light": "gold"},
        {"tea": "black", "cup": "clay", "light": "soft"},
        {"tea": "white"},
        {"tea": "white", "cup": "glass"},
    ]


def test_a_row_that_an_include_made_is_not_enriched_by_the_next() -> None:
    assert rows({"r": ["a"]}, [], [{"r": "b"}, {"r": "b", "x": 1}])[1:] == [
        {"r": "b"},
        {"r": "b", "x": 1},
    ]


def test_an_include_never_overwrites_an_axis() -> None:
    """Its axis values are a filter: what does not match is another row."""
    assert rows({"r": ["a", "b"]}, [], [{"r": "a", "x": 1}]) == [{"r": "a", "x": 1}, {"r": "b"}]


# --- what equals what ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "named"),
    [(5, "5"), ("5", 5), (1, True), (True, 1), (0, False), ("a", "A"), ("true", True), (5, 5.5)],
)
def test_comparison_is_strict(value: Any, named: Any) -> None:
    assert rows({"a": [value]}, [{"a": named}]) == [{"a": value}]


@pytest.mark.parametrize("value", [5, "5", True, "Ä", 2.5, {"id": "x", "n": 1}])
def test_a_value_equals_itself(value: Any) -> None:
    assert rows({"a": [value]}, [{"a": value}]) == []


def test_five_and_five_point_nought_are_the_same_number() -> None:
    assert rows({"a": [5]}, [{"a": 5.0}]) == []


DAWN = {"id": "dawn", "sky": {"colour": "rose", "clouds": True}, "lens": 35}
DUSK = {"id": "dusk", "sky": {"colour": "rose", "clouds": False}, "lens": 50}
NOON = {"name": "noon", "sky": {"colour": "white"}, "lens": 35}


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ({"lens": 35}, [DUSK]),
        ({"sky": {"colour": "rose"}}, [NOON]),
        ({"sky": {"colour": "rose", "clouds": True}}, [DUSK, NOON]),
        ({"sky": {"clouds": False}, "lens": 50}, [DAWN, NOON]),
        ({"sky": {"clouds": False}, "lens": 35}, [DAWN, DUSK, NOON]),
        ({"id": "dawn"}, [DUSK, NOON]),
        ("dusk", [DAWN, NOON]),
        ("noon", [DAWN, DUSK]),
        ({"moon": "full"}, [DAWN, DUSK, NOON]),
        ({}, []),
    ],
)
def test_a_mapping_is_excluded_by_its_id_or_by_any_of_its_leaves(named: Any, kept: list[Values]) -> None:
    assert rows({"scene": [DAWN, DUSK, NOON]}, [{"scene": named}]) == [{"scene": s} for s in kept]


def test_a_mapping_never_equals_a_plain_value_s_leaf() -> None:
    assert rows({"scene": ["dawn"]}, [{"scene": {"id": "dawn"}}]) == [{"scene": "dawn"}]


def test_an_include_by_id_enriches_the_mapping_s_rows() -> None:
    found = rows({"scene": [DAWN, DUSK]}, [], [{"scene": "dusk", "mood": "calm"}])
    assert found == [{"scene": DAWN}, {"scene": DUSK, "mood": "calm"}]


@pytest.mark.parametrize("named", ["dusk", {"id": "dusk"}, {"lens": 50}])
def test_an_include_that_brings_a_mapping_back_brings_it_whole(named: Any) -> None:
    """`matrix.scene.lens` must mean in the new row what it means in all others."""
    found = rows({"scene": [DAWN, DUSK]}, [{"scene": "dusk"}], [{"scene": named}])
    assert found == [{"scene": DAWN}, {"scene": DUSK}]


def test_rows_hand_out_the_very_values_of_their_axes() -> None:
    made = matrix({"scene": [DAWN, DUSK]}, [{"scene": "dusk"}], [{"scene": "dusk"}])
    assert [values(made, row)["scene"] is scene for row, scene in zip(made, [DAWN, DUSK], strict=True)]


# --- errors are for typed_matrix; what it needs to know is here -------------------------------------


def test_an_exclude_that_removes_nothing_more_is_known() -> None:
    made = matrix(R_D, [{"r": "1080p"}, {"r": "480p"}, {"r": "1080p", "d": "5"}], [])
    assert made.useless_excludes == (1, 2)


def test_it_is_known_which_include_made_a_row() -> None:
    made = matrix({"r": ["a"]}, [], [{"x": 1}, {"r": "b"}, {"r": "c"}])
    assert len(made) == 3
    assert list(made.appended) == [1, 2]


def test_the_address_is_made_of_axes_or_of_whatever_include_alone_names() -> None:
    assert matrix({"r": ["a"]}, [], [{"r": "a", "x": 1}]).names == ("r",)
    assert matrix({}, [], [{"b": 1}, {"a": 1, "b": 2}]).names == ("b", "a")


# --- sizes -----------------------------------------------------------------------------------------


def test_a_huge_product_is_a_number_that_nobody_walks() -> None:
    made = matrix({f"a{n}": list(range(100)) for n in range(10)}, [], [])
    assert made.product_size == 100**10
    assert made.work == 100**10
    huge = matrix({f"a{n}": list(range(100)) for n in range(9)}, [], [])
    row = next(islice(huge, 10_203, None))
    assert values(huge, row) == {**dict.fromkeys(huge.names, 0), "a6": 1, "a7": 2, "a8": 3}


def test_the_work_of_excludes_and_includes_is_told_before_it_is_done() -> None:
    axes = {"a": list(range(1_000)), "b": list(range(1_000))}
    assert matrix(axes, [{"a": 5}], []).work == 1 + 1_000_000 + 1_000
    assert matrix(axes, [], [{"x": 1}] * 3).work == 4_000_003
    assert matrix(axes, [{"a": {"id": "x"}}] * 20_000, []).work >= 20_000_000


def test_a_thousand_axes_of_one_value_are_no_deeper_than_one() -> None:
    axes = {f"a{n}": [n] for n in range(1_500)}
    assert rows(axes, [{"a7": 7}]) == []
    assert len(matrix(axes, [], [{"a7": 7, "x": 1}])) == 1


# --- against a model that keeps lists ---------------------------------------------------------------


def model(axes: dict[str, list[Any]], exclude: list[Values], include: list[Values]) -> list[Values]:
    base = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    base = [] if not axes and include else base
    base = [row for row in base if not any(fits(row, entry) for entry in exclude)]
    made = [dict(row) for row in base]
    appended = []
    for one in include:
        filters = {key: value for key, value in one.items() if key in axes}
        hits = [n for n, row in enumerate(base) if fits(row, filters)]
        for n in hits:
            made[n].update({key: value for key, value in one.items() if key not in axes})
        if not hits:
            appended.append(one)
    return made + appended


def fits(row: Values, entry: Values) -> bool:
    return all(canonical(row[key]) == canonical(value) for key, value in entry.items())


SCALARS = st.sampled_from([0, 1, 2, 1.5, True, False, "a", "1", "true", "é"])
NAMES = ["a", "b", "c"]
AXES = st.dictionaries(st.sampled_from(NAMES), st.lists(SCALARS, min_size=1, max_size=4, unique_by=canonical))
INCLUDES = st.lists(st.dictionaries(st.sampled_from([*NAMES, "x", "y"]), SCALARS, min_size=1), max_size=4)


@st.composite
def matrices(draw: st.DrawFn) -> tuple[dict[str, list[Any]], list[Values], list[Values]]:
    axes = draw(AXES)
    keys = st.sampled_from(sorted(axes)) if axes else st.nothing()
    excludes = st.lists(st.dictionaries(keys, SCALARS, min_size=1), max_size=3) if axes else st.just([])
    return axes, draw(excludes), draw(INCLUDES)


@given(matrices())
def test_rows_are_those_of_the_model(
    parts: tuple[dict[str, Any], list[Values], list[Values]],
) -> None:
    expected = model(*parts)
    made = matrix(*parts)
    # By canonical JSON, since Python itself takes 1 and True for the same.
    assert list(map(canonical, rows(*parts))) == list(map(canonical, expected))
    assert len(made) == len(expected)


@given(matrices())
def test_the_work_told_is_never_less_than_the_rows_there_are(
    parts: tuple[dict[str, Any], list[Values], list[Values]],
) -> None:
    made = matrix(*parts)
    assert made.work >= len(made)


@given(matrices())
def test_an_exclude_is_useless_when_the_rows_are_the_same_without_it(
    parts: tuple[dict[str, Any], list[Values], list[Values]],
) -> None:
    axes, exclude, _ = parts
    useless = matrix(axes, exclude, []).useless_excludes
    for number in range(len(exclude)):
        same = len(rows(axes, exclude[:number])) == len(rows(axes, exclude[: number + 1]))
        assert (number in useless) == same
