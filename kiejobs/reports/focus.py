"""Charges for finance tools: FOCUS 1.2 (FinOps Open Cost and Usage Specification), as CSV.

In: attempts that were charged, the price of a credit by model, tags. Out: a row for each charge. Touches nothing. Credits
are the pricing currency and dollars the billing currency; what nobody knows is null, an empty cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kiejobs.core.money import money
from kiejobs.core.plan.plan import job_address
from kiejobs.reports.documents import json_text
from kiejobs.reports.provenance import csv_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost",
    "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
    "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
)  # fmt: skip
"""Of FOCUS 1.2: all that are mandatory, and of the others those that there is something to say in or that tools ask for."""

_CURRENCY = "Credits"


@dataclass(frozen=True, slots=True)
class Charges:
    """`usd_per_credit` by model, without those that no price says it of; `tags` by attempt id."""

    attempts: Sequence[Attempt]
    origin: str
    account: str
    usd_per_credit: Mapping[str, Decimal] = field(default_factory=dict)
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def charged(self) -> list[Attempt]:
        """What has ended and cost something; what the API named no charge for counts as planned."""
        return [one for one in self.attempts if "settled" in one.times and _credits(one)]

    @property
    def unknown(self) -> list[str]:
        """Models whose charges have no price in dollars."""
        return sorted({one.reserved.model for one in self.charged} - self.usd_per_credit.keys())


def focus_csv(charges: Charges) -> Iterator[str]:
    """The first row names the columns."""
    yield csv_row(COLUMNS)
    for attempt in charges.charged:
        known = _charge(attempt, charges)
        yield csv_row([known.get(name) for name in COLUMNS])


def _charge(attempt: Attempt, charges: Charges) -> dict[str, Json]:
    was, spent = attempt.reserved, _credits(attempt)
    price = charges.usd_per_credit.get(was.model)
    cost = None if price is None else money(spent * price)
    provider = (urlsplit(charges.origin).hostname or charges.origin).removeprefix("api.")
    begins, ends = _period(attempt)
    month = begins.replace(day=1, hour=0, minute=0, second=0)
    stated = "" if attempt.charged is not None else ", as planned: the API stated no charge"
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
        **dict.fromkeys(("ContractedUnitPrice", "ListUnitPrice"), None if price is None else money(price)),
        **dict.fromkeys(("ProviderName", "PublisherName", "InvoiceIssuerName"), provider),
        **dict.fromkeys(("SkuId", "SkuPriceId", "SkuMeter"), was.model),
        "BillingAccountId": charges.account,
        "BillingCurrency": "USD",
        "BillingPeriodStart": _text(month),
        "BillingPeriodEnd": _text((month + timedelta(days=32)).replace(day=1)),
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{attempt.address}: one result of {was.model} for {money(spent)} credits{stated}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _text(begins),
        "ChargePeriodEnd": _text(ends),
        "ConsumedQuantity": "1",
        "ConsumedUnit": "Results",
        "PricingCategory": "Standard",
        "PricingCurrency": _CURRENCY,
        "PricingCurrencyContractedUnitPrice": "1",
        "PricingCurrencyEffectiveCost": money(spent),
        "PricingCurrencyListUnitPrice": "1",
        "PricingQuantity": money(spent),
        "PricingUnit": _CURRENCY,
        "ResourceId": attempt.task_id,
        "ResourceName": attempt.address if attempt.task_id else None,
        "ResourceType": "Task" if attempt.task_id else None,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceSubcategory": "Generative AI",
        "ServiceName": f"{provider} jobs",
        "Tags": json_text(_tags(attempt, charges.tags.get(attempt.attempt_id, ())), None),
    }


def _tags(attempt: Attempt, tags: Sequence[str]) -> dict[str, Json]:
    """The job file's tags have no value, so FOCUS wants `true`; what kiejobs knows has its name in front."""
    job = job_address(attempt.address)
    ours = {"kiejobs/campaign": job.partition("/")[0], "kiejobs/job": job, "kiejobs/run": attempt.run_id}
    return {**dict.fromkeys(tags, True), **ours}


def _credits(attempt: Attempt) -> Decimal:
    twice = len(attempt.other_task_ids) * (attempt.reserved.credits or Decimal(0))
    return attempt.committed - twice


def _period(attempt: Attempt) -> tuple[datetime, datetime]:
    """From the reservation to the end, in full seconds; the end is exclusive."""
    moments = (datetime.fromisoformat(attempt.times[name]) for name in ("reserved", "settled"))
    begins, ends = (moment.astimezone(UTC).replace(microsecond=0) for moment in moments)
    return begins, max(ends, begins) + timedelta(seconds=1)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
