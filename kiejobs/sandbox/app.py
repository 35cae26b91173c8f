"""The vendor's API imitated, as one ASGI 3 app.

In: HTTP requests through ASGI. Out: answers as the service was observed to give them, and scripted
faults. Touches the two logs and the uploads in its store, and the network only through the callback
sender that it was handed.

What it does before it answers, in this order: notes what other processes have sold; turns away
clients without a User-Agent (403) and without a key (401); paces creates (429); draws faults;
acts; writes the request log.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.core.prices.table import NO_PRICES, PriceTable
from kiejobs.sandbox.asgi import (
    MESSAGES,
    NOT_OURS,
    UNAUTHORISED,
    UNREACHABLE,
    Response,
    bare,
    deliver,
    error,
    plain,
    read_request,
    success,
)
from kiejobs.sandbox.callbacks import CallbackSender, SendCallback
from kiejobs.sandbox.clock import RealClock, SandboxClock, iso
from kiejobs.sandbox.fault_script import NO_FAULTS, Faults, FaultScript
from kiejobs.sandbox.files import file_answer, no_file
from kiejobs.sandbox.jobs import Jobs
from kiejobs.sandbox.tasks import Charges, Requests
from kiejobs.sandbox.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Receive, Request, Scope, Send
    from kiejobs.sandbox.fault_script import Effect, TaskOutcome

CALLS, SECONDS = 20, 10.0
"""Creates per account in any so many seconds (documented)."""

_NOTHING = Response(200, b"")
_LINK_LIFE = 20 * 60


@dataclass(eq=False)
class Sandbox:
    """The app. `schemas` maps model ids to JSON Schemas of the request; `store` is its memory.

    `speed`: simulated seconds in a real one. `base_url`: where result URLs point. `credits`: what
    the account has at the very beginning of the store. `prices`: what tasks cost. `api_key`: the
    only key that is taken; None takes any. `webhook_key`: callbacks are signed with it.
    `send_callback`: None sends none.
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
        uploads = Uploads(self.store)
        self._router = Router(self._jobs, draws, pace, self._callbacks, self.clock, uploads)

    def move_to(self, base_url: str, send_callback: SendCallback) -> None:
        """It is reached at `base_url` now: results are there, and callbacks can be sent."""
        self.base_url = self._jobs.base_url = base_url.rstrip("/")
        self._callbacks.send = self.send_callback or send_callback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Raises ConnectionLost where the connection is to die (see asgi.py)."""
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
            return self._router.file(request)
        if not self._let_in(request):
            uploads = request.path.startswith("/api/file-")
            return bare(401, {**({"success": False} if uploads else {}), "msg": UNAUTHORISED})
        return self._router.route(request)

    def _let_in(self, request: Request) -> bool:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and bool(key.strip())
        return bearer and self.api_key in (None, key.strip())


def _nameless(request: Request) -> bool:
    """Clients that the service's front turns away (observed)."""
    agent = request.headers.get("user-agent", "").lower()
    return not agent or agent.startswith("python-urllib")


# --- the routes behind the gate --------------------------------------------------------------------


@dataclass(slots=True)
class Router:
    """Routes by path, and files."""

    jobs: Jobs
    draws: FaultScript
    pace: AccountRate
    callbacks: CallbackSender
    clock: SandboxClock
    uploads: Uploads

    def route(self, request: Request) -> Response:
        found = self._routes().get(request.path)
        if found is None:
            return bare(404, {"msg": MESSAGES[404]})
        method, handler = found
        if request.method != method:
            return bare(405, {"msg": MESSAGES[405]})
        return handler(request)

    def file(self, request: Request) -> Response:
        """A result or an upload. No key is asked for, as on the service's file hosts."""
        if request.method not in ("GET", "HEAD"):
            return bare(405, {"msg": MESSAGES[405]})
        expires = request.query.get("expires", "")
        if expires.isdecimal() and self.clock.now() >= int(expires):
            return plain(403, "Forbidden")
        _, kind, *rest = request.path.split("/")
        if kind == "uploads":
            upload = self.uploads.find("/".join(rest), self.clock.now())
            return no_file() if upload is None else file_answer(request, upload)
        return self._result(request, rest[0], "/".join(rest[1:]))

    def _routes(self) -> dict[str, tuple[str, Callable[[Request], Response]]]:
        return {
            "/api/v1/jobs/createTask": ("POST", self._create),
            "/api/v1/jobs/recordInfo": ("GET", self._poll),
            "/api/v1/chat/credit": ("GET", self._credit),
            "/api/v1/common/download-url": ("POST", self._link),
            "/api/file-stream-upload": ("POST", self._upload),
            "/api/file-base64-upload": ("POST", self._upload),
            "/api/file-url-upload": ("POST", self._upload),
        }

    def _played(
        self, kind: str, fields: Mapping[str, Json], act: Callable[[Effect], Response]
    ) -> Response:
        """The answer of `act`, unless and as far as a fault wants it otherwise."""
        effect = self.draws.draw(kind, fields)
        if effect.twist is None:
            return act(effect)
        return effect.twist.apply(act(effect) if effect.twist.accepts else _NOTHING)

    def _create(self, request: Request) -> Response:
        if not self.pace.admit(self.clock.now()):
            return error(429)
        body = request.json()
        fields = body.get("input") if isinstance(body, dict) else None

        def act(effect: Effect) -> Response:
            response, task = self.jobs.create(body, self._destiny(effect, fields))
            if task is not None:
                self.callbacks.expect(task)
            return response

        return self._played("create", fields if isinstance(fields, dict) else {}, act)

    def _destiny(self, effect: Effect, fields: Json) -> TaskOutcome:
        """A task fails in the end whose file can't be fetched, unless a fault wants it otherwise.

        That the service takes such a create is a guess: it is seen to fetch only later.
        """
        destiny = effect.destiny
        lacks = self.uploads.lacks_any(fields, self.jobs.base_url, self.clock.now())
        if lacks and destiny.end == "success":
            return replace(destiny, end="fail", fail_code="400", fail_msg=UNREACHABLE)
        return destiny

    def _poll(self, request: Request) -> Response:
        task_id = request.query.get("taskId")
        fields = self._fields(task_id or "")
        return self._played("poll", fields, lambda _: self.jobs.record_info(task_id))

    def _fields(self, task_id: str) -> Mapping[str, Json]:
        task = self.jobs.find(task_id)
        return {} if task is None else task.input

    def _credit(self, _request: Request) -> Response:
        return self._played("credit", {}, lambda _: self.jobs.balance())

    def _upload(self, request: Request) -> Response:
        now = self.clock.now()
        return self._played(
            "upload", {}, lambda _: self.uploads.answer(request, self.jobs.base_url, now)
        )

    def _link(self, request: Request) -> Response:
        """common/download-url: a link to one of our own results that is good for 20 minutes."""
        body = request.json()
        url = body.get("url") if isinstance(body, dict) else None
        if not isinstance(url, str) or not url.startswith(f"{self.jobs.base_url}/files/"):
            return error(422, NOT_OURS)
        return success(f"{url}?expires={int(self.clock.now()) + _LINK_LIFE}")

    def _result(self, request: Request, task_id: str, name: str) -> Response:
        content = self.jobs.result(task_id, name)
        if content is None:
            return no_file()
        if request.method == "HEAD":
            return file_answer(request, content)
        twist = self.draws.draw("download", self._fields(task_id)).twist
        if twist is None:
            return file_answer(request, content)
        return twist.apply(
            file_answer(request, content, keep=twist.keep, ranges=not twist.no_ranges)
        )


class AccountRate:
    """A sliding window; `speed` is how much faster than real time it slides; `calls` are
    those that were let through before, oldest first.

    Whether the service's window slides is not known; this one does, which is the stricter reading.
    """

    def __init__(self, speed: float, calls: Iterable[float] = ()) -> None:
        self._window = SECONDS / speed
        self._calls = deque(calls, maxlen=CALLS)

    def admit(self, now: float) -> bool:
        """Count a call at `now`, unless it is one too many. Refused calls don't count."""
        full = len(self._calls) == CALLS
        if full and now - self._calls[0] < self._window:
            return False
        self._calls.append(now)
        return True
