"""Leases: until when a run may send what it has claimed on the ledger's branch.

In: a clock; `claim.json` as bytes. Out: leases, as bytes too; whether this run's own still holds. Touches: the
environment for the address of a CI run, the machine's name.

Others go by the time in a lease; its run goes by how long ago it was published, on two clocks: one that
nobody can set, and one that goes on while a machine sleeps. So a clock that is hours off shows a live run as in
doubt, or a dead one as live, and either way nobody buys what it has reserved.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kiejobs.adapters.system import ci_address
from kiejobs.core.ledger.records import utc_text

if TYPE_CHECKING:
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.ports import Clock

LEASE = "claim.json"
LENGTH = 120.0  # seconds
_MARGIN = 10.0  # seconds before its end from which on nothing is sent: a request may take that long to leave


@dataclass(frozen=True, slots=True)
class Lease:
    """`clone` distinguishes the clones of one machine: whether a run is at work here its folder's lock shows best."""

    run_id: str
    until: datetime
    ci: str | None = None
    host: str | None = None
    pid: int | None = None
    clone: str | None = None

    @property
    def owner(self) -> str:
        """In words."""
        place = self.ci or (f"on {self.host}" if self.host else None)
        return f"run {self.run_id}" + (f" ({place})" if place else "")

    def to_bytes(self) -> bytes:
        owner = {name: getattr(self, name) for name in ("run_id", "ci", "host", "pid", "clone")}
        return json.dumps({"owner": owner, "until": utc_text(self.until)}, indent=2).encode() + b"\n"


def lease_from(run_id: str, data: bytes) -> Lease | None:
    """None where it can't be read: what its run has reserved is in doubt then."""
    try:
        document = json.loads(data)
        owner, until = document["owner"], datetime.fromisoformat(document["until"])
        ci, host, clone = (_text(owner.get(name)) for name in ("ci", "host", "clone"))
        pid = owner.get("pid")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if until.tzinfo is None:
        return None
    return Lease(run_id, until, ci, host, pid if type(pid) is int else None, clone)


def _text(value: Json) -> str | None:
    return value[:200] if isinstance(value, str) and value.isprintable() else None


class RunLease:
    """The one of this process's run: none before it claims something, nor after it has let go."""

    def __init__(self, clock: Clock, common: Path) -> None:
        host = platform.node()
        self.clone = hashlib.sha256(f"{host}:{common}".encode(errors="surrogateescape")).hexdigest()[:16]
        self._clock = clock
        self._host = host
        self._run_id: str | None = None
        self._published: tuple[float, datetime] | None = None

    def begin(self, run_id: str) -> None:
        self._run_id = run_id

    def end(self) -> None:
        self._run_id = self._published = None

    def now(self) -> tuple[Lease | None, tuple[float, datetime]]:
        """As it is to be published now; and that moment, for `published`."""
        moment = (self._clock.monotonic(), self._clock.now())
        if self._run_id is None:
            return None, moment
        until = moment[1] + timedelta(seconds=LENGTH)
        return Lease(self._run_id, until, ci_address(), self._host, os.getpid(), self.clone), moment

    def published(self, moment: tuple[float, datetime]) -> None:
        if self._run_id is not None:
            self._published = moment

    def is_valid(self) -> bool:
        return self._age() < LENGTH - _MARGIN

    def is_due(self) -> bool:
        """Time to publish it again?"""
        return self._run_id is not None and self._age() >= LENGTH / 2

    def _age(self) -> float:
        if self._published is None:
            return LENGTH
        monotonic, wall = self._published
        return max(self._clock.monotonic() - monotonic, (self._clock.now() - wall).total_seconds())
