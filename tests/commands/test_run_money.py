"""Budgets, prices that nobody knows, and confirmation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import PACKAGE, Bench

if TYPE_CHECKING:
    from tests.support.judge.server import Judge

Set = tuple["Bench", "Judge"]


def test_a_budget_on_the_command_line_holds_for_the_run(table: Set) -> None:
    bench, judge = table
    bench.write({f"j{n}": f"{n}" for n in range(5)})
    ran = bench.run("--budget", "40")
    assert ran.code == 5
    assert len(judge.creates) == 2, "16 + 16, and 8 is left"
    assert "budget" in ran.out
    assert list(bench.states().values()).count("succeeded") == 2
    assert bench.run("--budget", "0").code == 5
    assert len(judge.creates) == 2
    assert bench.run("--budget", "48").code == 0
    assert len(judge.creates) == 5


def test_a_budget_in_the_file_holds_for_the_campaign_across_runs(table: Set) -> None:
    bench, judge = table
    prompts = {f"j{n}": f"{n} [polls=2]" for n in range(5)}
    bench.write(prompts, budget={"credits": 48})
    assert bench.run("--select", "j0").code == 0
    assert bench.run("--in-flight", "1").code == 5
    assert len(judge.creates) == 3
    bench.write(prompts, budget={"credits": 48}, name="moved.yaml")
    assert bench.do("run", "moved.yaml", "--yes", "--poll", "50ms").code == 5
    assert len(judge.creates) == 3, "what earlier runs spent is spent"
    bench.write(prompts, budget={"credits": 80})
    assert bench.run().code == 0
    assert len(judge.creates) == 5


def test_what_fails_gives_its_credits_back_and_a_doubt_keeps_them(table: Set) -> None:
    bench, judge = table
    prompts = {"failed": "f [end=fail] [polls=0]", "doubt": "d [create=drop_kept]"}
    bench.write({**prompts, "a": "a", "b": "b"}, budget={"credits": 40})
    assert bench.run("--in-flight", "1").code == 4
    assert len(judge.creates) == 3, "0 for the failed one, 16 in doubt, 16 for a, and 8 is left"
    assert bench.job("a")["state"] == "succeeded"
    assert bench.job("b")["state"] is None
    bench.do("resolve", "judged/doubt", "--lost")
    assert bench.run("--select", "b").code == 0


def test_what_was_charged_counts_and_not_what_was_planned(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a [credits=30] [polls=0]", "b": "b"}, budget={"credits": 40})
    assert bench.run("--in-flight", "1").code == 5
    assert len(judge.creates) == 1
    assert bench.job("a")["credits"] == {"charged": "30", "planned": "16"}


def test_without_anybody_to_ask_nothing_is_bought(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    ran = bench.do("run", "jobs.yaml")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert judge.requests == []
    assert bench.journals() == []


def test_without_a_key_nothing_is_bought(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    ran = bench.run(KIE_API_KEY="")
    assert ran.code == 5
    assert "KIE_API_KEY" in ran.err
    assert judge.requests == []
    assert bench.journals() == []


@pytest.fixture
def priceless(tmp_path: Path, table: Set) -> Set:
    """A checkout with one more model, by one more file: its price is not known."""
    bench, judge = table
    source = Path(PACKAGE)
    checkout = tmp_path / "checkout"
    shutil.copytree(source / "kiejobs", checkout / "kiejobs", ignore=shutil.ignore_patterns("__pycache__"))
    schemas = source / "schemas"
    if schemas.is_dir():
        shutil.copytree(schemas, checkout / "schemas")
    models = next(checkout.rglob("models/bytedance")).parent
    schema = json.loads((models / "bytedance/v1-pro-fast-image-to-video.json").read_text())
    schema["properties"]["model"] |= {"enum": ["acme/dream"], "default": "acme/dream"}
    schema["$id"] = "urn:kiejobs:model:acme/dream"
    (models / "acme").mkdir()
    (models / "acme/dream.json").write_text(json.dumps(schema))
    bench.package = str(checkout)
    return bench, judge


def test_an_unknown_price_is_said_loudly_and_fits_into_no_budget(priceless: Set) -> None:
    bench, judge = priceless
    bench.write({"a": "a", "b": "b"}, defaults={"model": "acme/dream"})
    planned = bench.do("plan", "jobs.yaml")
    assert "unknown" in planned.out.lower()
    document = bench.do("plan", "jobs.yaml", "--format", "json").json
    assert [change["credits"] for change in document["changes"]] == [None, None]
    assert bench.run("--budget", "1000").code == 5
    assert judge.creates == []
    assert bench.run().code == 0
    assert len(judge.creates) == 2
    assert bench.job("a")["credits"] == {"charged": "16", "planned": None}
