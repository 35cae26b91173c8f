"""The API's side of the state machine: the sandbox, and the books that are the oracle.

In: requests; what is to go wrong. Out: answers; whose create each charge was, what is over the budget,
which files are true. Touches: the sandbox's store.

The sandbox writes its charge log before it answers. That a charge is a certain attempt's is known since
the request's own coroutine says so, which the product can't see.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.project.files import read_schema
from kiejobs.adapters.project.models import bundled_prices
from kiejobs.core.ledger.callbacks import Claim, read_callback
from kiejobs.sandbox.app import NotDelivered, Sandbox
from kiejobs.sandbox.files import make_content
from kiejobs.sandbox.tasks import Charges, status_of
from tests.proofs.machine_life import SENDING, Epoch
from tests.support.bench import MODEL
from tests.support.sandbox_stage import make_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from kiejobs.sandbox.tasks import Task
    from tests.contracts.fakes import FakeCallbacks
    from tests.proofs.machine_life import Moment

_LIFETIME = 60.0  # seconds of a task: by itself it depends on a random id
_SCHEMAS = {MODEL: read_schema(f"models/{MODEL}.json")}


@dataclass(frozen=True)
class Charge:
    """`attempt_id` None where no reservation was on record when the request arrived."""

    task: Task
    attempt_id: str | None


class Booth:
    """One account. `on_charge` is told of each charge before anybody else can know of it."""

    def __init__(self, store: Path, moment: Moment, on_charge: Callable[[Charge], None]) -> None:
        self._store = store
        self._clock = Epoch(moment)
        self._on_charge = on_charge
        self._books = Charges(store)
        self._current: str | None = None
        self.charges: dict[str, Charge] = {}
        self.ear: FakeCallbacks | None = None

    def app(self, rules: Sequence[Mapping[str, Any]]) -> Callable[..., Any]:
        """Open anew, with these faults."""
        life = {"on": "create", "do": {"task": {"takes": _LIFETIME}}}
        sandbox = Sandbox(
            _SCHEMAS,
            self._store,
            now=self._clock.now,
            sleep=self._clock.sleep,
            prices=bundled_prices(),
            faults=make_faults({"rules": [*rules, life]}),
            send_callback=self._call_back,
            credits=Decimal(10**6),
        )

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            async def received() -> Any:
                message = await receive()
                self.settle()
                self._current = SENDING.get()
                return message

            try:
                await sandbox(scope, received, send)
            finally:
                self.settle()

        return watched

    def settle(self) -> None:
        """Enter what was charged since; the sandbox takes a request in without letting go."""
        self._books.refresh()
        for task_id, task in self._books.tasks.items():
            if task_id not in self.charges:
                self.charges[task_id] = Charge(task, self._current)
                self._on_charge(self.charges[task_id])

    def state(self, task_id: str) -> str:
        return status_of(self.charges[task_id].task, self._clock.now(), 1.0).state

    def digest(self, task_id: str) -> str:
        """What its file hashes to."""
        return hashlib.sha256(make_content("video/mp4", task_id).data).hexdigest()

    async def _call_back(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        """What the receiver does, but for its socket."""
        if self.ear is None:
            raise NotDelivered
        query = url.partition("?")[2]
        heard = read_callback(query, list(headers.items()), body, None, self._clock.now())
        if not isinstance(heard, Claim):
            raise NotDelivered
        self.ear.hear(heard)
