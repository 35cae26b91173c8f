"""`kiejobs costs`: groups that add up to the ledger, whatever happened; limits; FOCUS for finance tools."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.reports.costs import BY
from kiejobs.reports.focus import COLUMNS
from tests.support.results import refused

if TYPE_CHECKING:
    from tests.support.bench import Bench
    from tests.support.judge.server import Judge

PROMPTS = {
    "a": "a",
    "dear": "dear [credits=40.35]",
    "failed": "f [end=fail]",
    "doubt": "d [create=drop_kept]",
    "rejected": "r [create=422]",
}
SUMS = ("planned", "charged", "held", "in_doubt", "to_buy", "results", "picks")


@pytest.fixture
def spent(table: tuple[Bench, Judge]) -> Bench:
    """One of each end, tags on two of them, one more to be bought, and a budget."""
    bench, _ = table
    bench.write(PROMPTS)
    assert bench.run().code == 4
    bench.write({**PROMPTS, "more": "more"}, budget={"credits": 200})
    file = bench.folder / "jobs.yaml"
    document = json.loads(file.read_text())
    document["jobs"]["a"]["tags"] = ["hero", "client"]
    document["jobs"]["dear"]["tags"] = ["hero"]
    file.write_text(json.dumps(document))
    return bench


def costs(bench: Bench, *words: str) -> dict[str, Any]:
    ran = bench.do("costs", *words, "--format", "json")
    assert ran.code == 0, ran
    document = ran.json
    assert refused("documents/costs", document) == []
    return dict(document)


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in document["rows"]}


def test_every_grouping_adds_up_to_what_the_ledger_has_committed(spent: Bench) -> None:
    committed = Decimal(spent.do("status", "--format", "json").json["committed"])
    assert committed == Decimal(16) + Decimal("40.35") + 16, "a, dear, and the doubt"
    for by in BY:
        document = costs(spent, "--by", by)
        total = document["total"]
        assert Decimal(total["committed"]) == committed
        assert Decimal(total["charged"]) + Decimal(total["held"]) + Decimal(total["in_doubt"]) == committed
        if by != "tag":
            for name in SUMS:
                assert sum(Decimal(row[name]) for row in document["rows"]) == Decimal(total[name])


def test_a_row_says_what_there_is_for_the_credits(spent: Bench) -> None:
    found = rows(costs(spent))
    assert found["judged/dear"] | {"planned": "16", "charged": "40.35", "results": 1} == found["judged/dear"]
    assert found["judged/doubt"] | {"charged": "0", "in_doubt": "16", "results": 0} == found["judged/doubt"]
    assert (
        found["judged/failed"] | {"planned": "16", "charged": "0", "per_result": None}
        == found["judged/failed"]
    )
    assert found["judged/more"] | {"planned": "0", "to_buy": "16"} == found["judged/more"]
    assert "judged/rejected" not in found, "it cost nothing, and a run would not buy it"


def test_what_a_pick_costs_counts_all_that_was_tried(spent: Bench) -> None:
    spent.do("pick", "a")
    total = costs(spent)["total"]
    assert (total["results"], total["per_result"]) == (2, "28.18")
    assert (total["picks"], total["per_pick"]) == (1, "56.35")
    found = rows(costs(spent, "--by", "pick"))
    assert found["picked"]["charged"] == "16"
    assert found["undecided"]["charged"] == "40.35"


def test_a_purchase_with_two_tags_is_in_two_rows_and_once_in_the_total(spent: Bench) -> None:
    document = costs(spent, "--by", "tag")
    found = rows(document)
    assert found["hero"]["charged"] == "56.35"
    assert found["client"]["charged"] == "16"
    assert document["total"]["charged"] == "56.35"
    assert "counts it once" in spent.do("costs", "--by", "tag").out


def test_a_job_that_is_gone_from_the_job_file_keeps_its_recorded_address(spent: Bench) -> None:
    spent.write({"more": "more"})
    found = rows(costs(spent))
    assert found["judged/dear"]["charged"] == "40.35"
    assert rows(costs(spent, "--by", "tag"))["(no tag)"]["charged"] == "56.35"


def test_what_cant_be_planned_is_said_and_what_was_spent_is_shown(spent: Bench) -> None:
    (spent.folder / "jobs.yaml").write_text(
        "version: 1\ncampaign: judged\njobs: {a: {model: nobody/knows}}\n"
    )
    document = costs(spent)
    assert list(document["unplanned"]) == ["judged"]
    assert document["total"]["charged"] == "56.35"
    assert spent.do("costs", "jobs.yaml").code == 2


def test_limits_say_what_is_left(spent: Bench) -> None:
    limits = {
        "credits_per_run": 50,
        "credits_per_month": 100,
        "credits_per_project": 60,
        "credits_per_campaign": 300,
    }
    (spent.folder / "kiejobs.yaml").write_text(json.dumps({"version": 1, "limits": limits}))
    found = {limit["rule"]: (limit["used"], limit["left"]) for limit in costs(spent)["limits"]}
    assert found == {
        "credits_per_run": (None, None),
        "credits_per_month": ("72.35", "27.65"),
        "credits_per_project": ("72.35", "0"),
        "credits_per_campaign": ("72.35", "227.65"),
        "budget": ("72.35", "127.65"),
    }
    assert "72.35 of 100, 27.65 left" in spent.do("costs").out


@pytest.mark.parametrize(("since", "charged"), [("2000-01", "56.35"), ("1d", "56.35"), ("2999-01-01", "0")])
def test_since_leaves_out_what_was_bought_before(spent: Bench, since: str, charged: str) -> None:
    assert costs(spent, "--since", since)["total"]["charged"] == charged


@pytest.mark.parametrize("since", ["2026-13", "2026-02-30", "yesterday", "0d"])
def test_a_time_that_is_none_is_refused(spent: Bench, since: str) -> None:
    assert spent.do("costs", "--since", since).code == 2


def test_csv_has_a_row_for_each_group(spent: Bench) -> None:
    table = list(csv.DictReader(io.StringIO(spent.do("costs", "--format", "csv").out)))
    assert {row["job"]: row["charged"] for row in table}["judged/dear"] == "40.35"


MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
}  # fmt: skip
"""Columns that every FOCUS 1.2 dataset has."""

MAY_BE_NULL = {
    "BillingAccountName",
    "ChargeClass",
    "InvoiceId",
    "RegionId",
    "RegionName",
    "SubAccountId",
    "SubAccountName",
}


def test_focus_has_a_row_for_each_charge_that_adds_up(spent: Bench) -> None:
    exported = spent.do("costs", "--format", "focus")
    table = list(csv.DictReader(io.StringIO(exported.out)))
    assert set(COLUMNS) >= MANDATORY
    assert {name for row in table for name, value in row.items() if not value} <= MAY_BE_NULL
    by_name = {row["ResourceName"]: row for row in table}
    assert set(by_name) == {"judged/a", "judged/dear"}
    dear = by_name["judged/dear"]
    assert (dear["PricingQuantity"], dear["PricingUnit"], dear["PricingCurrency"]) == (
        "40.35",
        "Credits",
        "Credits",
    )
    assert Decimal(dear["BilledCost"]) == Decimal("40.35") * Decimal(dear["ListUnitPrice"])
    assert dear["ResourceId"] == spent.job("dear")["task_id"]
    assert json.loads(dear["Tags"])["hero"] is True
    assert json.loads(dear["Tags"])["kiejobs/job"] == "judged/dear"
    assert dear["BillingPeriodStart"] <= dear["ChargePeriodStart"] < dear["ChargePeriodEnd"]
    assert sum(Decimal(row["PricingCurrencyEffectiveCost"]) for row in table) == Decimal("56.35")
    assert exported.err == ""


def test_what_no_price_says_in_dollars_is_null_and_said(spent: Bench) -> None:
    own = {"credits": "16", "per": "video", "source": "an invoice", "date": "2026-11"}
    model = spent.job("a")["model"]
    (spent.folder / "prices.yaml").write_text(json.dumps({"version": 1, "models": {model: own}}))
    exported = spent.do("costs", "--format", "focus")
    assert {row["BilledCost"] for row in csv.DictReader(io.StringIO(exported.out))} == {""}
    assert "no price of a credit in dollars" in exported.err
