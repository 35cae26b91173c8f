"""The vendor's API imitated, as one ASGI 3 app.

In: HTTP requests through ASGI. Out: answers as the service was observed to give them, and scripted
faults. Touches the two logs and the uploads in its store, and the network only through the callback sender that it
was handed.

What it does before it answers, in this order: notes what other processes have sold; turns away
clients without a User-Agent (403) and without a key (401); paces creates (429); draws faults;
acts; writes the request log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.core.prices.table import NO_PRICES, PriceTable
from kiejobs.sandbox.answers import UNAUTHORISED, bare, plain
from kiejobs.sandbox.asgi import deliver, read_request
from kiejobs.sandbox.faults.rules import NO_FAULTS, Faults, FaultScript
from kiejobs.sandbox.service.callbacks import CallbackSender, SendCallback
from kiejobs.sandbox.service.charges import Charges, Requests
from kiejobs.sandbox.service.clock import RealClock, SandboxClock, iso
from kiejobs.sandbox.service.jobs import Jobs
from kiejobs.sandbox.service.rate_limit import AccountRate
from kiejobs.sandbox.service.routes import Router
from kiejobs.sandbox.service.uploads import UploadRoutes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kiejobs.sandbox.asgi import Receive, Request, Response, Scope, Send


@dataclass(eq=False)
class Sandbox:
    """The app. `schemas` maps model ids to JSON Schemas of the request; `store` is its memory.

    `speed`: simulated seconds in a real one. `base_url`: where result URLs point. `credits`: what
    the account has at the very beginning of the store. `prices`: what tasks cost. `api_key`: the only key that is taken; None
    takes any. `webhook_key`: callbacks are signed with it. `send_callback`: None sends none.
    """

    schemas: Mapping[str, Mapping[str, Any]]
    store: Path
    clock: SandboxClock = field(default_factory=RealClock, kw_only=True)
    speed: float = field(default=1.0, kw_only=True)
    faults: Faults = field(default=NO_FAULTS, kw_only=True)
    base_url: str = field(default="http://sandbox.invalid", kw_only=True)
    credits: Decimal = field(default=Decimal(10_000), kw_only=True)
    prices: PriceTable = field(default=NO_PRICES, kw_only=True)
    api_key: str | None = field(default=None, kw_only=True, repr=False)
    webhook_key: str | None = field(default=None, kw_only=True, repr=False)
    send_callback: SendCallback | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self.base_url = self.base_url.rstrip("/")
        self._charges = Charges(self.store)
        self._requests = Requests(self.store)
        self._jobs = Jobs(
            self.schemas,
            self._charges,
            self.clock,
            self.speed,
            self.credits,
            self.base_url,
            self.prices,
        )
        self._callbacks = CallbackSender(
            self.clock, self.speed, self._sleep, self._jobs.describe, self.webhook_key
        )
        self._callbacks.send = self.send_callback
        pace = AccountRate(self.speed, (task.at for task in self._charges.tasks.values()))
        draws = FaultScript(self.faults)
        uploads = UploadRoutes(self.store)
        self._desk = Router(self._jobs, draws, pace, self._callbacks, self.clock, uploads)

    def move_to(self, base_url: str, send_callback: SendCallback) -> None:
        """It is reached at `base_url` now: results are there, and callbacks can be sent."""
        self.base_url = self._jobs.base_url = base_url.rstrip("/")
        self._callbacks.send = self.send_callback or send_callback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Raises ConnectionLost where the connection is to die (see wire.py)."""
        if scope["type"] != "http":
            raise ValueError(f"the sandbox speaks HTTP only, not {scope['type']}")
        request = await read_request(scope, receive)
        response = self._answer(request)
        self._log(request, response)
        await deliver(response, receive, send, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        """Simulated seconds."""
        await self.clock.sleep(seconds / self.speed)

    def _log(self, request: Request, response: Response) -> None:
        """`authorized` says whether a key came along, never which."""
        self._requests.append(
            {
                "at": iso(self.clock.now()),
                "method": request.method,
                "path": request.path,
                "status": response.status,
                "code": response.code,
                "task_id": response.task_id,
                "fault": response.fault,
                "authorized": "authorization" in request.headers,
            }
        )

    def _answer(self, request: Request) -> Response:
        self._charges.refresh()
        if _nameless(request):
            return plain(403, "error code: 1010")
        if request.path.startswith(("/files/", "/uploads/")):
            return self._desk.file(request)
        if not self._let_in(request):
            uploads = request.path.startswith("/api/file-")
            return bare(401, {**({"success": False} if uploads else {}), "msg": UNAUTHORISED})
        return self._desk.route(request)

    def _let_in(self, request: Request) -> bool:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and bool(key.strip())
        return bearer and self.api_key in (None, key.strip())


def _nameless(request: Request) -> bool:
    """Clients that the service's front turns away (observed)."""
    agent = request.headers.get("user-agent", "").lower()
    return not agent or agent.startswith("python-urllib")
