"""A campaign's lock: what a job file came to on the day it was locked.

In: an expansion, digests of what was read beside the file, what its pictures were. Out: a `Lock`, and
its bytes and back (schemas/lock.schema.json). Touches nothing.

The same campaign gives the same bytes: no time, no tool version, no machine. What differs between two
locks is told by `core/lock_changes.py`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from kiejobs.core.fingerprint import FINGERPRINT_VERSION, canonical
from kiejobs.core.money import money
from kiejobs.core.urls import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.expand import Expansion

    Digests: TypeAlias = Mapping[str, str]

FORMAT_VERSION = "1.0"
_UNKNOWN: Json = {"credits": [], "usd_per_credit": None}
_HEX = frozenset("0123456789abcdef")
_Form = TypeVar("_Form")


@dataclass(frozen=True, slots=True)
class Asset:
    """What was found behind an input's URL: its bytes' SHA-256, their number, their type by look."""

    sha256: str
    bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class LockedJob:
    """One job of the lock, under its address."""

    fingerprint: str
    take: int


@dataclass(frozen=True, slots=True)
class LockedPrices:
    """The digest of the prices that hold for the models in use, and what the campaign costs by them.

    `unpriced` counts jobs that have no price; they are left out of the sum.
    """

    sha256: str
    credits: str
    unpriced: int


@dataclass(frozen=True, slots=True)
class Lock:
    """All that a campaign depends on. An image's Asset is None where it was not fetched.

    `data_files` are the tables that its axes are made of.
    """

    campaign: str
    fingerprint_version: int
    jobs: Mapping[str, LockedJob]
    models: Digests
    prices: LockedPrices
    templates: Digests
    vars_files: Digests
    variables: Mapping[str, str]
    images: Mapping[str, Asset | None]
    data_files: Digests = field(default_factory=dict)


def make_lock(
    expansion: Expansion,
    images: Mapping[str, Asset | None],
    *,
    templates: Digests,
    vars_files: Digests,
    variables: Mapping[str, str],
    data_files: Digests | None = None,
) -> Lock:
    """`images` by their names (`image_name`); the digests by names below the job file's folder."""
    specs = expansion.spec_of
    return Lock(
        campaign=expansion.jobfile.campaign,
        fingerprint_version=FINGERPRINT_VERSION,
        jobs={line.address: LockedJob(line.fingerprint, line.take) for line in expansion.jobs},
        models={model: spec.digest for model, spec in specs.items()},
        prices=_prices(expansion),
        templates=templates,
        vars_files=vars_files,
        variables=variables,
        images=images,
        data_files=data_files or {},
    )


def _prices(expansion: Expansion) -> LockedPrices:
    """Only what a job can cost, not where that is from or since when."""
    known = [line.credits for line in expansion.jobs]
    priced = [credits_ for credits_ in known if credits_ is not None]
    prices = {model: expansion.prices.of(model) for model in expansion.spec_of}
    digest = _sha256({model: _UNKNOWN if p is None else p.as_data() for model, p in prices.items()})
    return LockedPrices(digest, money(sum(priced, Decimal(0))), len(known) - len(priced))


def image_name(url: str) -> str:
    """What an image is called in a lock: its URL without what may be a signature.

    Where that takes something away, the whole URL's digest keeps two of them apart.
    """
    shown = bare(url)
    if shown == url:
        return url
    return f"{shown} sha256:{hashlib.sha256(url.encode(errors='replace')).hexdigest()[:16]}"


# --- bytes ---------------------------------------------------------------------------------------


def to_bytes(lock: Lock) -> bytes:
    """JSON with sorted keys and LF, one job a line, so that git shows what changed."""
    document = to_document(lock)
    told = (f'  "{key}": {_value(document[key])}' for key in sorted(document))
    return ("{\n" + ",\n".join(told) + "\n}\n").encode("utf-8", "surrogatepass")


def to_document(lock: Lock) -> dict[str, Json]:
    """Ready for JSON; every key is always there, but `data_files` only where there are some."""
    data_files = {"data_files": dict(lock.data_files)} if lock.data_files else {}
    return {
        **data_files,
        "format_version": FORMAT_VERSION,
        "fingerprint_version": lock.fingerprint_version,
        "campaign": lock.campaign,
        "jobs": {
            address: {"fingerprint": job.fingerprint, "take": job.take}
            for address, job in lock.jobs.items()
        },
        "models": {model: {"schema": digest} for model, digest in lock.models.items()},
        "prices": {
            "sha256": lock.prices.sha256,
            "credits": lock.prices.credits,
            "unpriced": lock.prices.unpriced,
        },
        "templates": dict(lock.templates),
        "vars_files": dict(lock.vars_files),
        "variables": dict(lock.variables),
        "images": {name: _asset(asset) for name, asset in lock.images.items()},
    }


def from_bytes(data: bytes) -> Lock:
    """What `to_bytes` wrote. Raises ValueError, which says what is wrong, for anything else."""
    try:
        document = json.loads(data)
        if str(document["format_version"]).partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
            raise ValueError("it has a format that this kiejobs does not know")
        return _read(document)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it has not the form of a lock") from error


def _value(value: Json) -> str:
    if not isinstance(value, dict) or not value:
        return _json(value)
    told = (f"    {_json(key)}: {_json(value[key])}" for key in sorted(value))
    return "{\n" + ",\n".join(told) + "\n  }"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _asset(asset: Asset | None) -> Json:
    if asset is None:
        return None
    return {"sha256": asset.sha256, "bytes": asset.bytes, "media_type": asset.media_type}


def _read(found: dict[str, Any]) -> Lock:
    prices = found["prices"]
    return Lock(
        campaign=_text(found["campaign"]),
        fingerprint_version=_number(found["fingerprint_version"]),
        jobs=_each(
            found["jobs"], lambda job: LockedJob(_digest(job["fingerprint"]), _number(job["take"]))
        ),
        models=_each(found["models"], lambda model: _digest(model["schema"])),
        prices=LockedPrices(
            _digest(prices["sha256"]), _text(prices["credits"]), _number(prices["unpriced"])
        ),
        templates=_each(found["templates"], _digest),
        vars_files=_each(found["vars_files"], _digest),
        variables=_each(found["variables"], _text),
        images=_each(found["images"], _read_asset),
        data_files=_each(found.get("data_files", {}), _digest),
    )


def _read_asset(found: Any) -> Asset | None:
    if found is None:
        return None
    return Asset(_digest(found["sha256"]), _number(found["bytes"]), _text(found["media_type"]))


def _each(found: dict[str, Any], read: Callable[[Any], _Form]) -> dict[str, _Form]:
    return {key: read(value) for key, value in found.items()}


def _digest(found: Any) -> str:
    if len(_text(found)) != 64 or not _HEX.issuperset(found):
        raise TypeError("no SHA-256")
    return str(found)


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError("no text")
    return found


def _number(found: Any) -> int:
    if not isinstance(found, int) or isinstance(found, bool):
        raise TypeError("no number")
    return found


def _sha256(value: Json) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()
