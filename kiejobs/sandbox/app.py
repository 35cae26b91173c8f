"""The vendor's API imitated, as one ASGI 3 app: what stands before it, and its routes.

In: HTTP requests through ASGI. Out: answers as the service was observed to give them, and scripted
faults. Touches the two logs and the uploads in its store, and the network only through the callback
sender that it was handed.

What it does before it answers, in this order: notes what other processes have sold; turns away
clients without a User-Agent (403) and without a key (401); paces creates (429); draws faults;
acts; writes the request log.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import KW_ONLY, dataclass, field, replace
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

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
from kiejobs.sandbox.files import UploadRoutes, file_answer, no_file
from kiejobs.sandbox.jobs import Jobs
from kiejobs.sandbox.tasks import HEALTHY, Charges, TaskOutcome, iso, log_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Receive, Request, Scope, Send
    from kiejobs.sandbox.callbacks import CallbackSender, SendCallback
    from kiejobs.sandbox.faults import Faults

CALLS, SECONDS = 20, 10.0
"""Creates per account in any so many seconds (documented)."""

_LINK_LIFE = 20 * 60


@dataclass(eq=False)
class Sandbox:
    """The app. `schemas` maps model ids to JSON Schemas of the request; `store` is its memory.

    `now` and `sleep` are its clock, in epoch seconds and seconds; `speed`: simulated seconds in a real
    one. `base_url`: where result URLs point. `credits`: what the account has at the very beginning of
    the store. `prices`: what tasks cost. `api_key`: the only key that is taken; None takes any.
    `webhook_key`: callbacks are signed with it. `send_callback`: None sends none.
    """

    schemas: Mapping[str, Mapping[str, Any]]
    store: Path
    _: KW_ONLY
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    speed: float = 1.0
    faults: Faults | None = None
    base_url: str = "http://sandbox.invalid"
    credits: Decimal = Decimal(10_000)
    prices: PriceTable = NO_PRICES
    api_key: str | None = field(default=None, repr=False)
    webhook_key: str | None = field(default=None, repr=False)
    send_callback: SendCallback | None = None

    def __post_init__(self) -> None:
        self._charges = Charges(self.store)
        self._uploads = UploadRoutes(self.store)
        self.base_url = self.base_url.rstrip("/")
        self._jobs = Jobs(
            self.schemas,
            self._charges,
            self.now,
            self.speed,
            self.credits,
            self.base_url,
            self.prices,
        )
        self._creates = deque(map(attrgetter("at"), self._charges.tasks.values()), maxlen=CALLS)
        self._script = None
        if self.faults is not None:
            from kiejobs.sandbox.faults import FaultScript  # noqa: PLC0415 - most have no faults

            self._script = FaultScript(self.faults)

    def move_to(self, base_url: str, send_callback: SendCallback) -> None:
        """It is reached at `base_url` now: results are there, and callbacks can be sent."""
        self.base_url = self._jobs.base_url = base_url.rstrip("/")
        self.send_callback = self.send_callback or send_callback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Raises ConnectionLost where the connection is to die (see asgi.py).

        In the log `authorized` says whether a key came along, never which.
        """
        if scope["type"] != "http":
            raise ValueError(f"the sandbox speaks HTTP only, not {scope['type']}")
        request = await read_request(scope, receive)
        response = self._answer(request)
        line = {
            "at": iso(self.now()),
            "method": request.method,
            "path": request.path,
            "status": response.status,
            "code": response.code,
            "task_id": response.task_id,
            "fault": response.fault,
            "authorized": "authorization" in request.headers,
        }
        log_request(self.store, line)
        await deliver(response, receive, send, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        """Simulated seconds."""
        await self.sleep(seconds / self.speed)

    def _answer(self, request: Request) -> Response:
        self._charges.refresh()
        agent = request.headers.get("user-agent", "").lower()
        if not agent or agent.startswith("python-urllib"):  # observed
            return plain(403, "error code: 1010")
        if request.path.startswith(("/files/", "/uploads/")):
            return self._file(request)
        if not self._let_in(request):
            uploads = request.path.startswith("/api/file-")
            return bare(401, {**({"success": False} if uploads else {}), "msg": UNAUTHORISED})
        return self._route(request)

    def _let_in(self, request: Request) -> bool:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and bool(key.strip())
        return bearer and self.api_key in (None, key.strip())

    def _route(self, request: Request) -> Response:
        if request.path not in self._ROUTES:
            return bare(404, {"msg": MESSAGES[404]})
        method, kind, act = self._ROUTES[request.path]
        if request.method != method:
            return bare(405, {"msg": MESSAGES[405]})
        if kind == "create" and not self._admit():
            return error(429)
        if self._script is None or kind is None:
            return act(self, request, HEALTHY)
        return self._script.play(kind, self._fields(kind, request), partial(act, self, request))

    def _admit(self) -> bool:
        """Count a create, unless it is one too many. Refused ones don't count.

        Whether the service's window slides is not known; this one does, which is the stricter reading.
        """
        now = self.now()
        if len(self._creates) == CALLS and now - self._creates[0] < SECONDS / self.speed:
            return False
        self._creates.append(now)
        return True

    def _fields(self, kind: str, request: Request) -> Mapping[str, Json]:
        """The input of the task that a request is about, where it is about one."""
        if kind == "poll":
            return self._input_of(request.query.get("taskId", ""))
        body = request.json() if kind == "create" else None
        fields = body.get("input") if isinstance(body, dict) else None
        return fields if isinstance(fields, dict) else {}

    def _input_of(self, task_id: str) -> Mapping[str, Json]:
        task = self._charges.tasks.get(task_id)
        return {} if task is None else task.input

    # --- the routes ---

    def _create(self, request: Request, outcome: TaskOutcome) -> Response:
        """A task fails in the end whose file can't be fetched, unless a fault wants it otherwise.

        That the service takes such a create is a guess: it is seen to fetch only later.
        """
        body = request.json()
        may_lack = outcome.end == "success" and b"uploads" in request.body
        if may_lack and self._uploads.lacks_any(body, self.base_url, self.now()):
            outcome = replace(outcome, end="fail", fail_code="400", fail_msg=UNREACHABLE)
        response, task = self._jobs.create(body, outcome)
        if task is not None and task.callback_url and self.send_callback is not None:
            self._callbacks(self.send_callback).expect(task)
        return response

    def _poll(self, request: Request, _: TaskOutcome) -> Response:
        return self._jobs.record_info(request.query.get("taskId"))

    def _credit(self, _request: Request, _: TaskOutcome) -> Response:
        return self._jobs.balance()

    def _link(self, request: Request, _: TaskOutcome) -> Response:
        """common/download-url: a link to one of our own results that is good for 20 minutes."""
        body = request.json()
        url = body.get("url") if isinstance(body, dict) else None
        if not isinstance(url, str) or not url.startswith(f"{self.base_url}/files/"):
            return error(422, NOT_OURS)
        return success(f"{url}?expires={int(self.now()) + _LINK_LIFE}")

    def _upload(self, request: Request, _: TaskOutcome) -> Response:
        return self._uploads.answer(request, self.base_url, self.now())

    def _file(self, request: Request) -> Response:
        """A result or an upload. No key is asked for, as on the service's file hosts."""
        if request.method not in ("GET", "HEAD"):
            return bare(405, {"msg": MESSAGES[405]})
        expires = request.query.get("expires", "")
        if expires.isdecimal() and self.now() >= int(expires):
            return plain(403, "Forbidden")
        _, kind, *rest = request.path.split("/")
        if kind == "uploads":
            upload = self._uploads.find("/".join(rest), self.now())
            return no_file() if upload is None else file_answer(request, upload)
        return self._result(request, rest[0], "/".join(rest[1:]))

    def _result(self, request: Request, task_id: str, name: str) -> Response:
        content = self._jobs.result(task_id, name)
        if content is None:
            return no_file()
        fault = None
        if self._script is not None and request.method != "HEAD":
            fault = self._script.draw("download", self._input_of(task_id)).response
        if fault is None:
            return file_answer(request, content)
        answer = file_answer(request, content, keep=fault.keep, ranges=not fault.no_ranges)
        return fault.apply(answer)

    def _callbacks(self, send: SendCallback) -> CallbackSender:
        from kiejobs.sandbox.callbacks import CallbackSender  # noqa: PLC0415 - most runs want none

        return CallbackSender(
            send, self._jobs.describe, self.now, self._sleep, self.speed, self.webhook_key
        )

    _ROUTES: ClassVar[
        dict[str, tuple[str, str | None, Callable[[Sandbox, Request, TaskOutcome], Response]]]
    ] = {
        "/api/v1/jobs/createTask": ("POST", "create", _create),
        "/api/v1/jobs/recordInfo": ("GET", "poll", _poll),
        "/api/v1/chat/credit": ("GET", "credit", _credit),
        "/api/v1/common/download-url": ("POST", None, _link),
        "/api/file-stream-upload": ("POST", "upload", _upload),
        "/api/file-base64-upload": ("POST", "upload", _upload),
        "/api/file-url-upload": ("POST", "upload", _upload),
    }
    """By path: the method, the kind of request that faults are scripted for, and what answers."""
