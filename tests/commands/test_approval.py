"""What was approved, held against what would be bought now."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.plan.approval import (
    Drift,
    PricedRow,
    digest_of,
    drift,
    is_approved,
    row_of,
    terms_drift,
)
from kiejobs.core.plan.plan import Action, Change, Terms
from tests.support.bench import Bench, judged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.judge.server import Judge

A = PricedRow("tea/a", "fa", 1, "16")
B = PricedRow("tea/b", "fb", 1, "36")
ROWS = st.builds(
    PricedRow,
    st.sampled_from(["tea/a", "tea/b", "tea/c"]),
    st.sampled_from(["f1", "f2", "f3"]),
    st.integers(1, 2),
    st.sampled_from(["16", "36", None]),
)


@given(st.lists(ROWS, max_size=5), st.randoms())
def test_a_digest_knows_no_order(rows: list[PricedRow], chance: Any) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert digest_of(shuffled) == digest_of(rows)


@given(st.lists(ROWS, min_size=1, max_size=5), ROWS)
def test_a_digest_sees_what_is_bought_besides(rows: list[PricedRow], more: PricedRow) -> None:
    assert digest_of([*rows, more]) != digest_of(rows)


@given(st.lists(ROWS, max_size=4, unique_by=lambda row: row.address))
def test_the_same_has_no_drift(rows: list[PricedRow]) -> None:
    assert list(drift(rows, list(reversed(rows)))) == []


@pytest.mark.parametrize(
    "terms",
    [
        Terms("400 credits per run", "https://a.example/", {"m": "0" * 64}),
        Terms("40 credits per campaign", "https://a.example/", {"m": "0" * 64}),
        Terms("40 credits per run", None, {"m": "0" * 64}),
        Terms("40 credits per run", "https://a.example/", {"m": "1" * 64}),
    ],
)
def test_a_digest_sees_other_terms(terms: Terms) -> None:
    approved = Terms("40 credits per run", "https://a.example/", {"m": "0" * 64})
    assert digest_of([A], terms) != digest_of([A], approved)
    assert len(list(terms_drift(approved, terms))) == 1
    assert not is_approved([to_buy(A)], digest_of([A], approved), terms)
    assert is_approved([to_buy(A)], digest_of([A], approved), approved)


def test_a_digest_sees_where_a_job_is_called_back() -> None:
    called = A._replace(callback_url="https://a.example/")
    elsewhere = A._replace(callback_url="https://b.example/")
    assert len({digest_of([A]), digest_of([called]), digest_of([elsewhere])}) == 3
    (differs,) = drift([called], [elsewhere])
    assert differs == Drift("callback", "tea/a", "https://a.example/", "https://b.example/")


def test_a_drift_says_what_differs_and_where() -> None:
    dearer, other = PricedRow("tea/a", "fa", 1, "20"), PricedRow("tea/b", "fx", 1, "36")
    new = PricedRow("tea/c", "fc", 1, None)
    assert list(drift([A, B], [dearer, other, new])) == [
        Drift("price", "tea/a", "16", "20"),
        Drift("request", "tea/b", "fb", "fx"),
        Drift("added", "tea/c", None, None),
    ]
    assert list(drift([A], [])) == [Drift("gone", "tea/a", "16", None)]


def to_buy(row: PricedRow) -> Change:
    price = None if row.price is None else Decimal(row.price)
    return Change(row.address, Action.SUBMIT, "+", "new", row.fingerprint, row.take, "m", price,
                  price=price)  # fmt: skip


def test_what_was_approved_is_approved_and_nothing_more_is() -> None:
    digest = digest_of([A, B])
    assert is_approved([to_buy(A), to_buy(B)], digest)
    assert not is_approved([to_buy(A), to_buy(B), to_buy(PricedRow("tea/c", "fc", 1, "1"))], digest)
    assert is_approved([], digest)
    assert row_of(to_buy(A)) == A


# --- on the command line -------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Iterator[tuple[Bench, Judge]]:
    bench, judge = judged(tmp_path)
    yield bench, judge
    judge.close()


PROMPTS = {"one": "a cup", "two": "a jug", "three": "a pot"}


def digest(bench: Bench) -> str:
    return str(bench.do("plan", "jobs.yaml", "--format", "json").json["digest"])


def test_a_digest_holds_for_what_is_left_after_a_partial_failure(
    table: tuple[Bench, Judge],
) -> None:
    bench, judge = table
    bench.write(PROMPTS)
    approved = digest(bench)
    assert bench.run("--expect", approved, "--budget", "20").code == 5
    assert len(judge.creates) == 1
    assert bench.run("--expect", approved).code == 0
    assert len(judge.creates) == 3
    assert bench.run("--expect", approved).code == 0
    assert len(judge.creates) == 3


def test_a_digest_of_something_else_buys_nothing(table: tuple[Bench, Judge]) -> None:
    bench, judge = table
    bench.write(PROMPTS)
    approved = digest(bench)
    bench.write({**PROMPTS, "two": "another jug"})
    ran = bench.run("--expect", approved)
    assert (ran.code, judge.creates) == (6, [])
    assert digest(bench) in ran.err
    bench.write({**PROMPTS, "four": "a pan"})
    assert bench.run("--expect", approved).code == 6
    assert bench.run("--expect", "nonsense").code == 2
    assert judge.creates == []


def test_a_plan_file_is_bought_exactly_and_once(table: tuple[Bench, Judge]) -> None:
    bench, judge = table
    bench.write(PROMPTS)
    bench.do("plan", "jobs.yaml", "--select", "job:one job:two", "--out", "plan.json")
    text = (bench.folder / "plan.json").read_text()
    document = json.loads(text)
    assert list(document) == sorted(document)
    assert document["options"]["select"] == ["job:one job:two"]
    ran = bench.do("run", "--plan", "plan.json", "--poll", "50ms", "--rate", "400/400ms")
    assert ran.code == 0
    assert len(judge.creates) == 2
    again = bench.do("run", "--plan", "plan.json")
    assert again.code == 6
    assert "used already, by run" in again.err
    assert len(judge.creates) == 2


def test_a_plan_file_that_is_stale_says_what_differs(table: tuple[Bench, Judge]) -> None:
    bench, judge = table
    bench.write(PROMPTS)
    bench.do("plan", "jobs.yaml", "--out", "plan.json")
    bench.write({"one": "a cup", "two": "another jug", "four": "a pan"})
    ran = bench.do("run", "--plan", "plan.json")
    assert (ran.code, judge.creates) == (6, [])
    assert "judged/two: another request" in ran.err
    assert "judged/three: is in the plan for 16 credits, and would not be bought now" in ran.err
    assert "judged/four: would be bought now for 16 credits, and is not in the plan" in ran.err


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda d: d["changes"].pop(), 6, "its digest doesn't match its lines"),
        (lambda d: d.update(origin="https://api.example.com"), 6, "the plan was made for"),
        (lambda d: d.pop("plan_id"), 2, "not a plan file"),
        (lambda d: d.update(format_version="2.0"), 2, "update kiejobs"),
        (lambda d: d.update(plan_id=7), 2, "plan_id"),
        (lambda d: d.clear(), 2, "has format None"),
    ],
)
def test_a_plan_file_that_was_tampered_with_buys_nothing(
    table: tuple[Bench, Judge], change: Any, code: int, words: str
) -> None:
    bench, judge = table
    bench.write(PROMPTS)
    bench.do("plan", "jobs.yaml", "--out", "plan.json")
    document = json.loads((bench.folder / "plan.json").read_text())
    change(document)
    (bench.folder / "plan.json").write_text(json.dumps(document))
    ran = bench.do("run", "--plan", "plan.json")
    assert (ran.code, judge.creates) == (code, [])
    assert words in ran.err
