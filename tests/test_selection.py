"""`--select`: blanks add, commas narrow, `*` and `?` are wild, brackets are not."""

from __future__ import annotations

import pytest

from kiejobs.core.errors import UsageProblem
from kiejobs.core.selection import Selectable, read_selection

JOBS = [
    Selectable("tea/pour[d=5,r=720p]", "pour", ("hero",), (("d", "5"), ("r", "720p"))),
    Selectable("tea/pour[d=10,r=720p]", "pour", ("hero",), (("d", "10"), ("r", "720p"))),
    Selectable("tea/pour[d=10,r=720p]#2", "pour", ("hero",), (("d", "10"), ("r", "720p"))),
    Selectable("tea/steam[r=1080p]", "steam", ("draft", "v1:b"), (("r", "1080p"),)),
    Selectable("tea/pour-2", "pour-2", (), ()),
]


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ([], [0, 1, 2, 3, 4]),
        (["tag:hero"], [0, 1, 2]),
        (["tag:h*"], [0, 1, 2]),
        (["tag:v1:b"], [3]),
        (["tag:none"], []),
        (["job:pour"], [0, 1, 2]),
        (["pour"], [0, 1, 2]),
        (["pour*"], [0, 1, 2, 4]),
        (["pour-?"], [4]),
        (["tea/pour-2"], [4]),
        (["address:tea/pour-2"], [4]),
        (["tea/pour[d=5,r=720p]"], [0]),
        (["pour[d=5,r=720p]"], [0]),
        (["pour[d=10,r=720p]"], [1]),
        (["pour[d=10,r=720p]*"], [1, 2]),
        (["*#2"], [2]),
        (["tea/pour[*"], [0, 1, 2]),
        (["axis:d=10"], [1, 2]),
        (["r=720p"], [0, 1, 2]),
        (["r=*p"], [0, 1, 2, 3]),
        (["d=1?"], [1, 2]),
        (["tag:hero,d=5"], [0]),
        (["tag:hero,job:steam"], []),
        (["tag:draft", "d=5"], [0, 3]),
        (["tag:draft d=5"], [0, 3]),
        (["tag:draft d=10,r=720p"], [1, 2, 3]),
        (["pour[d=5,r=720p],tag:hero"], [0]),
        (["tag:hero,pour[d=10,r=720p] pour-2"], [1, 4]),
        (["P*"], []),
    ],
)
def test_what_a_selection_takes(words: list[str], taken: list[int]) -> None:
    selection = read_selection(words)
    assert [number for number, job in enumerate(JOBS) if selection.takes(job)] == taken


def test_a_method_that_is_not_known_is_said_with_those_that_are() -> None:
    with pytest.raises(UsageProblem, match="state:") as told:
        read_selection(["state:failed"])
    assert told.value.hint is not None
    assert "tag:NAME" in told.value.hint
