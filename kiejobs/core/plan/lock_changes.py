"""What differs between a lock and what the job file comes to now, in words.

In: two `Lock`s, and a way to say what changed in a request. Out: one line for each difference. Touches
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kiejobs.core.plan.lock_file import Asset, Lock, LockedJob

    Explain = Callable[[str, LockedJob], str | None]
    """(address, the job as it was locked) -> what changed since, where anybody knows."""


def differences(was: Lock, now: Lock, explain: Explain, *, images: bool) -> Iterator[str]:
    """`was` as locked, `now` as made anew; `images` on the web only where `now` has fetched them.

    What may be the cause comes first, the jobs that changed last.
    """
    if was.campaign != now.campaign:
        yield f"the campaign is called `{now.campaign}`, and was locked as `{was.campaign}`"
    if was.fingerprint_version != now.fingerprint_version:
        told = f"{now.fingerprint_version}, the lock's of version {was.fingerprint_version}"
        yield f"fingerprints are of version {told}"
    yield from _sets(was.models, now.models, "the schema of {}", "the model {}")
    yield from _prices(was, now)
    yield from _sets(was.templates, now.templates, "the template {}")
    yield from _sets(was.data_files, now.data_files, "the table {}")
    yield from _sets(was.vars_files, now.vars_files, "the variables file {}")
    yield from _sets(was.variables, now.variables, "--var {}")
    looked = _all if images else _local
    yield from _images(looked(was.images), looked(now.images))
    yield from _jobs(was.jobs, now.jobs, explain)


def _sets(
    was: Mapping[str, str], now: Mapping[str, str], changed: str, there: str | None = None
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
    if was.prices.sha256 == now.prices.sha256 or was.models.keys() != now.models.keys():
        return
    if was.prices.credits == now.prices.credits:
        yield "prices have changed, though the sum is the same"
    else:
        yield f"prices have changed: {now.prices.credits} credits, and {was.prices.credits} when locked"


def _all(images: Mapping[str, Asset | None]) -> Mapping[str, Asset | None]:
    return images


def _local(images: Mapping[str, Asset | None]) -> Mapping[str, Asset | None]:
    """Those that lie beside the job file: they have paths for names, the others URLs."""
    return {name: asset for name, asset in images.items() if "://" not in name}


def _images(was: Mapping[str, Asset | None], now: Mapping[str, Asset | None]) -> Iterator[str]:
    for name in sorted({*was, *now}):
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
    return f"{asset.media_type} of {asset.bytes:,} bytes (sha256 {asset.sha256[:12]})"


def _jobs(
    was: Mapping[str, LockedJob], now: Mapping[str, LockedJob], explain: Explain
) -> Iterator[str]:
    for address in sorted({*was, *now}):
        if address not in was:
            yield f"{address} is wanted, and is not in the lock"
        elif address not in now:
            yield f"{address} is in the lock, and no longer wanted"
        elif was[address] != now[address]:
            why = explain(address, was[address])
            yield f"{address} is another request than the locked one" + (f": {why}" if why else "")
