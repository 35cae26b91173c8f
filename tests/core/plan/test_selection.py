"""`--select`: blanks add, commas narrow, `*` and `?` are wild, brackets are not."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest

from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.plan.selection import KEYS, PICKS, RESULTS, STATES, Selectable, meant, read_selection
from tests.docs.pages import ROOT

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


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("state:failed", [0]),
        ("state:none", [1, 4]),
        ("state:new", [1, 4]),
        ("state:in_doubt state:failed", [0, 2]),
        ("state:succeeded,result:missing", [3]),
        ("result:whole", []),
        ("file:more.yaml", [3]),
        ("file:jobs/*", [3]),
        ("file:./jobs/more.yaml", [3]),
        ("file:tea.yaml", [0, 1, 2, 4]),
        ("file:tea.yaml,state:none", [1, 4]),
    ],
)
def test_what_became_of_a_job_and_where_it_comes_from(words: str, taken: list[int]) -> None:
    standings = [("failed", None), ("none", None), ("in_doubt", None), ("succeeded", "missing")]
    jobs = [
        replace(job, state=state, result=result)
        for job, (state, result) in zip(JOBS, [*standings, ("none", None)], strict=True)
    ]
    jobs[3] = replace(jobs[3], file="jobs/more.yaml")
    selection = read_selection([words], file="tea.yaml")
    assert [number for number, job in enumerate(jobs) if selection.takes(job)] == taken


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("tea/puor*", "did you mean `tea/pour*`?"),
        ("tea/pour", "did you mean `tea/pour*`?"),
        ("POUR", "did you mean `pour`?"),
        ("taa/steam*", "did you mean `tea/steam*`?"),
        ("steam[r=1080]", "did you mean `steam[r=1080p]`?"),
        ("address:puor", "did you mean `address:pour`?"),
        ("tag:hreo", "did you mean `tag:hero`?"),
        ("tag:hero,job:steem", "did you mean `job:steam`?"),
        ("r=720", "did you mean `r=720p`?"),
        ("axis:R=*", "did you mean `axis:r=*`?"),
        ("tag:hero,job:steam", None),
        ("*x", None),
    ],
)
def test_what_was_meant_takes_some_of_the_jobs(words: str, hint: str | None) -> None:
    assert meant([words], JOBS) == hint


@pytest.mark.parametrize(
    ("word", "said", "hint"),
    [
        ("stat:failed", "`--select stat:…` is not known", "did you mean `state`?"),
        ("tags:hero", "`--select tags:…` is not known", "did you mean `tag`?"),
        ("Tag:hero", "`--select Tag:…` is not known", "did you mean `tag`?"),
        ("x:y", "`--select x:…` is not known", "use tag:NAME, job:NAME"),
        ("state:fail", "there is no such state", "did you mean `failed`?"),
        ("result:missing|damaged", "there is no such result", "a blank between two terms means or"),
        ("pick:yess", "there is no such pick", "did you mean `yes`?"),
        ("axis:resolution", "names no value", "axis:NAME=VALUE"),
        ("axis:=720p", "names no value", "axis:NAME=VALUE"),
        ("tag:", "names nothing", "tag:NAME"),
    ],
)
def test_what_is_not_in_the_language_is_said_with_what_is(word: str, said: str, hint: str) -> None:
    with pytest.raises(UsageProblem) as told:
        read_selection(["pour", word])
    assert said in told.value.message
    assert hint in (told.value.hint or "")


@pytest.mark.parametrize("word", [",", "tag:hero,", ",pour", "pour,,d=5"])
def test_a_part_that_is_empty_does_not_take_everything(word: str) -> None:
    with pytest.raises(UsageProblem, match="empty part"):
        read_selection([word])


def test_a_selection_knows_whether_it_asks_what_became_of_jobs() -> None:
    assert not read_selection(["tag:hero pour*,d=5 file:tea.yaml"]).ledger_keys
    assert read_selection(["tag:hero,state:failed"]).ledger_keys
    assert read_selection(["result:gone"]).keys == {"result"}


def test_what_it_could_ever_take_is_what_it_takes_without_asking_what_became_of_jobs() -> None:
    could = read_selection(["pour-2,state:failed", "job:steam"]).without_ledger()
    assert [number for number, job in enumerate(JOBS) if could.takes(job)] == [3, 4]
    anything = read_selection(["pour-2", "state:failed"]).without_ledger()
    assert all(map(anything.takes, JOBS))


# --- the page --------------------------------------------------------------------------------------


def rows(heading: str) -> list[list[str]]:
    """The cells of the table on the page whose heading begins so, without its backticks."""
    lines = (ROOT / "docs/reference/selection.md").read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(heading))
    body = itertools.takewhile(lambda line: line.startswith("|"), lines[first + 2 :])
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in body]


def on_page(cells: list[str]) -> Selectable:
    _, address, tags, state, result, pick = cells
    inside = re.findall(r"(\w+)=(\w+)", address)
    job = re.split(r"[\[#]", address.removeprefix("tea/"))[0]
    file = "jobfiles/tea.yaml"
    known = (tuple(tags.split()), tuple(inside), state, result or None, file, pick)
    return Selectable(address, job, *known)


@pytest.mark.parametrize("row", rows("| term |"), ids=lambda row: row[0])
def test_the_page_says_what_each_term_takes(row: list[str]) -> None:
    words, _, numbers = row
    selection = read_selection([words])
    jobs = rows("| number |")
    taken = [cells[0] for cells in jobs if selection.takes(on_page(cells))]
    assert ", ".join(taken) == numbers


def test_the_page_has_every_term_every_state_and_every_result() -> None:
    words = " ".join(row[0] for row in rows("| term |"))
    assert [key for key in KEYS if f"{key}:" not in words] == []
    assert [result for result in RESULTS if f"result:{result}" not in words] == []
    assert [pick for pick in PICKS if f"pick:{pick}" not in words] == ["reject"], "the same as no"
    page = (ROOT / "docs/reference/selection.md").read_text(encoding="utf-8")
    assert [state for state in STATES if state not in page] == []
