"""What the gallery's page shows, as data: jobs with their requests, purchases, clips, checks and picks; costs.

In: plans, ledgers, where clips can be reached. Out: JSON-ready dicts. Touches nothing.

All of it may be strangers' text; the page puts it on the screen as text only.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from kiejobs.core.address import read_label
from kiejobs.core.document.nodes import plain_json
from kiejobs.core.ledger.costs import Cost, cost_of
from kiejobs.core.money import money, money_or_null
from kiejobs.core.plan.plan import job_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.plan.plan import Change

_TIMES = ("reserved", "submitted", "settled", "collected")
_OF_ANOTHER_REQUEST = frozenset({"input_changed", "new"})
"""Reasons of lines whose attempt, if any, was made with another request: its clip is not what they ask for."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A file that the page can reach: URLs relative to the page, or `data:`. None where there is none.

    `poster` is a still picture of it; `why` says why a page has none of a file that is complete here.
    """

    src: str | None
    poster: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """One job file's plan, and all attempts of its campaign, replaced ones too."""

    name: str
    changes: Sequence[Change]
    attempts: Sequence[Attempt]
    clips: Mapping[tuple[str, str], Clip] = field(default_factory=dict)
    """By attempt id and path of the file."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Pictures of requests: URLs by their references in the input."""
    picks: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """By address: `verdict`, `note`, `who`, `when`, `fingerprint`, `take`, `stale`."""
    checks: Mapping[tuple[str, int], Sequence[Mapping[str, Json]]] = field(default_factory=dict)
    """By a purchase's address and take: `name`, `verdict`, `measured`, `expected`, `severity`, `why`."""


def gallery_document(
    campaigns: Sequence[Campaign], *, made: str, rehearsal: bool, usd_per_credit: Decimal | None = None
) -> dict[str, Json]:
    """`made` is UTC text. Jobs in the order of their files."""
    jobs = [_job(change, one) for one in campaigns for change in one.changes]
    return {
        "kiejobs_gallery": 1,
        "campaigns": [one.name for one in campaigns],
        "made": made,
        "rehearsal": rehearsal,
        "usd_per_credit": money_or_null(usd_per_credit),
        "jobs": jobs,
        "costs": _costs(campaigns),
    }


# --- one job ---------------------------------------------------------------------------------------


def _job(change: Change, campaign: Campaign) -> dict[str, Json]:
    job, attempt = change.job, own_attempt(change)
    request = job.input if job is not None else (attempt.reserved.input if attempt else {})
    tags = list(job.tags) if job is not None else []
    base, pick = change.address.partition("#")[0], campaign.picks.get(change.address)
    return {
        "address": change.address,
        "base": base,
        "campaign": campaign.name,
        "job": _name(change),
        "take": attempt.reserved.take if attempt else change.take,
        "axes": dict(_axes(change)),
        "tags": tags,
        "model": change.model,
        "fingerprint": attempt.reserved.fingerprint if attempt else change.fingerprint,
        "action": change.action.value,
        "sign": change.sign,
        "reason": change.reason,
        "detail": change.detail,
        "cost": money_or_null(change.credits) if change.spends else None,
        "price": money_or_null(change.price),
        "input": plain_json(request),
        "paths": {file.ref: file.path for file in job.files} if job is not None else {},
        "pictures": [list(pair) for pair in _pictures(request, campaign.inputs)],
        **_purchase(attempt, campaign),
        "pick": None if pick is None else dict(pick),
        "checks": _checks(attempt, campaign),
    }


def own_attempt(change: Change) -> Attempt | None:
    """The purchase of the very request that a line asks for."""
    attempt = change.attempt
    return None if change.job is not None and change.reason in _OF_ANOTHER_REQUEST else attempt


def _checks(attempt: Attempt | None, campaign: Campaign) -> list[dict[str, Json]]:
    found = campaign.checks.get((attempt.address, attempt.reserved.take), ()) if attempt else ()
    return list(map(dict, found))


def _name(change: Change) -> str:
    if change.job is not None:
        return change.job.name
    return job_address(change.address).partition("/")[2]


def _axes(change: Change) -> Iterator[tuple[str, str]]:
    """As the job file says them; of what nobody wants any more, as its address has them."""
    if change.job is not None:
        yield from ((name, read_label(text)) for name, text in change.job.axes)
        return
    for pair in change.address.partition("[")[2].partition("]")[0].split(","):
        name, equals, value = pair.partition("=")
        if equals:
            yield name, read_label(value)


def _pictures(value: Json, known: Mapping[str, str], field_: str = "") -> Iterator[tuple[str, str]]:
    """The fields that hold a picture which the page can show, with its URL."""
    if isinstance(value, str) and value in known:
        yield field_, known[value]
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _pictures(item, known, field_ or name)
    elif isinstance(value, list):
        for item in value:
            yield from _pictures(item, known, field_)


def _purchase(attempt: Attempt | None, campaign: Campaign) -> dict[str, Json]:
    """What became of it; every key is there, null or empty where there is nothing."""
    if attempt is None:
        nothing = dict.fromkeys(("state", "task_id", "planned", "charged", "run_id", "error", "gone"))
        return {**nothing, "times": {}, "files": []}
    failure = attempt.failure
    return {
        "state": attempt.state.value if attempt.state else None,
        "task_id": attempt.task_id,
        "planned": money_or_null(attempt.reserved.credits),
        "charged": money_or_null(attempt.charged),
        "run_id": attempt.run_id,
        "error": failure and {"code": failure.code, "kind": failure.kind, "message": failure.message},
        "gone": attempt.gone,
        "times": {name: attempt.times[name] for name in _TIMES if name in attempt.times},
        "files": list(_files(attempt, campaign)),
    }


def _files(attempt: Attempt, campaign: Campaign) -> Iterator[dict[str, Json]]:
    for file in attempt.files:
        clip = campaign.clips.get((attempt.attempt_id, file.path), Clip(None))
        about = {name: getattr(file, name) for name in ("path", "sha256", "bytes", "media_type")}
        yield {**about, **asdict(clip)}


# --- costs -----------------------------------------------------------------------------------------


def _costs(campaigns: Sequence[Campaign]) -> dict[str, Json]:
    """By job, tag and model: credits that were charged, that are held, that a run would add."""
    rows: dict[str, dict[str, Cost]] = {kind: defaultdict(Cost) for kind in ("job", "tag", "model")}
    for campaign in campaigns:
        tags = {change.address: change.job.tags for change in campaign.changes if change.job}
        for address, model, cost in _amounts(campaign):
            names = {"job": (job_address(address),), "tag": tags.get(address, ()), "model": (model,)}
            for kind, found in rows.items():
                for name in names[kind]:
                    found[name] += cost
    return {kind: [_row(name, cost) for name, cost in found.items()] for kind, found in rows.items()}


def _amounts(campaign: Campaign) -> Iterator[tuple[str, str, Cost]]:
    """Address, model, credits."""
    for change in campaign.changes:
        if change.spends and change.credits:
            yield change.address, change.model, Cost(to_buy=change.credits)
    for attempt in campaign.attempts:
        if attempt.committed:
            yield attempt.address, attempt.reserved.model, cost_of(attempt)


def _row(name: str, cost: Cost) -> dict[str, Json]:
    amounts = {"charged": cost.charged, "held": cost.held + cost.doubted, "to_buy": cost.to_buy}
    return {"name": name, **{key: money(amount) for key, amount in amounts.items()}}
