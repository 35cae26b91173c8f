"""A campaign's lock: the resolved inputs of a job file when it was locked, and what differs from them now.

In: an expansion, digests of what was read next to the file, what its pictures were. Out: a `Lock` (see
schemas/lock.schema.json), its bytes, a line for each difference. Touches nothing.
The same campaign gives the same bytes: no time, no tool version, no machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NotRequired, TypeAlias, TypedDict, cast

from kiejobs.core.document.checked import validator
from kiejobs.core.fingerprint import FINGERPRINT_VERSION, canonical
from kiejobs.core.money import amount, money, price_text
from kiejobs.core.urls import bare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.expand import Expansion

Digests: TypeAlias = Mapping[str, str]

FORMAT_VERSION = "1.0"
_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
_UNKNOWN: Json = {"credits": [], "usd_per_credit": None}


class Asset(TypedDict):
    """What was found behind an input's URL: its bytes' SHA-256, their number, their type by look."""

    sha256: str
    bytes: int
    media_type: str


class LockedJob(TypedDict):
    """One job of the lock, under its address."""

    fingerprint: str
    take: int


class LockedModel(TypedDict):
    """The digest of a model's schema."""

    schema: str


class LockedPrices(TypedDict):
    """The digest of the prices that hold for the models in use, and what the campaign costs by them.

    `unpriced` counts jobs that have no price; they are left out of the sum.
    """

    sha256: str
    credits: str
    unpriced: int


class Lock(TypedDict):
    """All that a campaign depends on. An image's Asset is None where it was not fetched.

    `data_files` are the tables that its axes are made of, only there where there are some.
    """

    format_version: str
    fingerprint_version: int
    campaign: str
    jobs: Mapping[str, LockedJob]
    models: Mapping[str, LockedModel]
    prices: LockedPrices
    templates: Digests
    vars_files: Digests
    variables: Mapping[str, str]
    images: Mapping[str, Asset | None]
    data_files: NotRequired[Digests]


Explain: TypeAlias = Callable[[str, LockedJob], str | None]
"""(address, the job as it was locked) -> what changed since, where anybody knows."""


def make_lock(
    expansion: Expansion,
    images: Mapping[str, Asset | None],
    *,
    templates: Digests,
    vars_files: Digests,
    variables: Mapping[str, str],
    data_files: Digests,
) -> Lock:
    """`images` by their names (`image_name`); the digests by paths from the job file's folder."""
    lock = Lock(
        format_version=FORMAT_VERSION,
        fingerprint_version=FINGERPRINT_VERSION,
        campaign=expansion.jobfile.campaign,
        jobs={job.address: {"fingerprint": job.fingerprint, "take": job.take} for job in expansion.jobs},
        models={model: {"schema": spec.meaning} for model, spec in expansion.spec_of.items()},
        prices=_prices_of(expansion),
        templates=templates,
        vars_files=vars_files,
        variables=variables,
        images=images,
    )
    if data_files:
        lock["data_files"] = data_files
    return lock


def image_name(url: str) -> str:
    """What an image is called in a lock: its URL without what may be a signature.

    Where that takes something away, the complete URL's digest keeps them different.
    """
    shown = bare(url)
    if shown == url:
        return url
    return f"{shown} sha256:{hashlib.sha256(url.encode(errors='replace')).hexdigest()[:16]}"


def _prices_of(expansion: Expansion) -> LockedPrices:
    """Only what a job can cost, not where that is from or since when."""
    priced = [job.credits for job in expansion.jobs if job.credits is not None]
    prices = ((model, expansion.prices.of(model)) for model in expansion.spec_of)
    decides = {model: _UNKNOWN if price is None else price.as_data() for model, price in prices}
    return LockedPrices(
        sha256=hashlib.sha256(canonical(decides)).hexdigest(),
        credits=money(sum(priced, Decimal(0))),
        unpriced=len(expansion.jobs) - len(priced),
    )


# --- bytes ---------------------------------------------------------------------------------------


def to_bytes(lock: Lock) -> bytes:
    """JSON with sorted keys and LF, one job a line, so that git shows what changed."""
    parts = (f'  "{key}": {_part(value)}' for key, value in sorted(lock.items()))
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode("utf-8", "surrogatepass")


def from_bytes(data: bytes, schema: Mapping[str, Any]) -> Lock:
    """What `to_bytes` wrote. Raises ValueError, which says what is wrong, for anything else.

    A later version with the same first number may have more keys.
    """
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("it does not have the form of a lock") from error
    errors = list(validator(schema).iter_errors(document))
    if any(list(error.absolute_path) == ["format_version"] for error in errors):
        raise ValueError("it has a format that this kiejobs does not know")
    if any(error.validator != "additionalProperties" for error in errors):
        raise ValueError("it does not have the form of a lock")
    return cast("Lock", document)


def _part(value: Json) -> str:
    if not isinstance(value, dict) or not value:
        return _json(value)
    lines = (f"    {_json(key)}: {_json(item)}" for key, item in sorted(value.items()))
    return "{\n" + ",\n".join(lines) + "\n  }"


# --- differences ---------------------------------------------------------------------------------


def differences(was: Lock, now: Lock, explain: Explain, *, images: bool) -> Iterator[str]:
    """`was` as locked, `now` as made again; `images` on the web only where `now` has fetched them.

    What may be the cause comes first, the jobs that changed last.
    """
    if was["campaign"] != now["campaign"]:
        yield f"the campaign is called `{now['campaign']}`, and was locked as `{was['campaign']}`"
    if was["fingerprint_version"] != now["fingerprint_version"]:
        ours, locked = now["fingerprint_version"], was["fingerprint_version"]
        yield f"fingerprints are of version {ours}, the lock's of version {locked}"
    yield from _sets(was["models"], now["models"], "the schema of {}", "the model {}")
    yield from _prices(was, now)
    yield from _sets(was["templates"], now["templates"], "the template {}")
    yield from _sets(was.get("data_files", {}), now.get("data_files", {}), "the table {}")
    yield from _sets(was["vars_files"], now["vars_files"], "the variables file {}")
    yield from _sets(was["variables"], now["variables"], "--var {}")
    yield from _images(was["images"], now["images"], on_the_web=images)
    yield from _jobs(was["jobs"], now["jobs"], explain)


def _sets(
    was: Mapping[str, object], now: Mapping[str, object], changed: str, there: str | None = None
) -> Iterator[str]:
    """`changed` words a thing that differs, `there` one that came or went; `{}` is its name."""
    there = there or changed
    for name in sorted({*was, *now}):
        if name not in was:
            yield f"{there.format(name)} is in use, and is not in the lock"
        elif name not in now:
            yield f"{there.format(name)} is in the lock, and not in use any more"
        elif was[name] != now[name]:
            yield f"{changed.format(name)} has changed"


def _prices(was: Lock, now: Lock) -> Iterator[str]:
    then, today = was["prices"], now["prices"]
    if then["sha256"] == today["sha256"] or was["models"].keys() != now["models"].keys():
        return
    if then["credits"] == today["credits"]:
        yield "prices have changed, though the sum is the same"
    else:
        new, old = (price_text(amount(prices["credits"])) for prices in (today, then))
        yield f"prices have changed: {new}, and {old} when locked"


def _images(
    was: Mapping[str, Asset | None], now: Mapping[str, Asset | None], *, on_the_web: bool
) -> Iterator[str]:
    """Those that lie next to the job file have paths for names, the others URLs."""
    for name in sorted(each for each in {*was, *now} if on_the_web or "://" not in each):
        if name not in was:
            yield f"the image {name} is not in the lock"
        elif name not in now:
            yield f"the image {name} is in the lock, and not in use any more"
        elif was[name] is None:
            yield f"the image {name} was not fetched when it was locked; `lock --check-assets` does"
        elif was[name] != now[name]:
            yield f"the image {name} has changed: {_size(now[name])}, and {_size(was[name])} when locked"


def _size(asset: Asset | None) -> str:
    if asset is None:
        return "not fetched"
    return f"{asset['media_type']} of {asset['bytes']:,} bytes (sha256 {asset['sha256'][:12]})"


def _jobs(was: Mapping[str, LockedJob], now: Mapping[str, LockedJob], explain: Explain) -> Iterator[str]:
    for address in sorted({*was, *now}):
        if address not in was:
            yield f"{address} is wanted, and is not in the lock"
        elif address not in now:
            yield f"{address} is in the lock, and no longer wanted"
        elif was[address] != now[address]:
            why = explain(address, was[address])
            yield f"{address} is another request than the locked one" + (f": {why}" if why else "")
