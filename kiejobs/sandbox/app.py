"""The vendor's API imitated, as one ASGI 3 app: what precedes it, and its routes.

In: HTTP requests. Out: answers as they were observed, and scripted faults; callbacks through the sender that was
handed in, to loopback addresses only. Touches: its store; the network only through that sender. Before it answers it
notes what other processes have sold; turns away clients without User-Agent (403) or key (401); paces creates (429);
draws faults; acts; writes the request log. Callbacks are signed as documented: base64(HMAC-SHA256(key, taskId + "." +
timestamp)); the body isn't. One that isn't answered with 200 is sent three more times (documented for sibling APIs).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from urllib.parse import unquote

import httpx

from kiejobs.core.urls import is_loopback
from kiejobs.sandbox.asgi import (
    MESSAGES,
    NOT_OURS,
    UNAUTHORISED,
    Response,
    bare,
    compact,
    deliver,
    error,
    plain,
    read_request,
    success,
)
from kiejobs.sandbox.catalogue import PATH, asked_for, discovered
from kiejobs.sandbox.files import NO_FILE, UploadRoutes, file_answer
from kiejobs.sandbox.jobs import JobsApi
from kiejobs.sandbox.tasks import HEALTHY, TaskOutcome, TaskStatus, iso, lifetime, log_request, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Receive, Request, Scope, Send
    from kiejobs.sandbox.faults import Faults
    from kiejobs.sandbox.tasks import Task

    Post: TypeAlias = Callable[[bytes, dict[str, str]], Awaitable[None]]

CALLS, SECONDS = 20, 10.0  # creates per account in any period of this many seconds (documented)
_LINK_LIFE = 20 * 60
_FORGED = {"state": "success", "resultJson": '{"resultUrls":["https://forged.invalid/result.mp4"]}'}
"""A claim of success too early, with a result on a foreign host."""
_ATTEMPTS = 4
_CALLBACK_SECONDS = 15.0  # documented for the service's sibling APIs
_PAUSE = 5.0  # simulated seconds between attempts

SendCallback: TypeAlias = Callable[[str, bytes, dict[str, str]], Awaitable[None]]
"""POST a body with headers to a URL. Raises NotDelivered unless that was answered with 200."""


class NotDelivered(Exception):
    """Nobody took the callback."""


@dataclass(eq=False, kw_only=True)
class Sandbox(JobsApi):
    """The app. `api_key`: the only key that is taken; None takes any. `send_callback`: None sends none."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    faults: Faults | None = None
    api_key: str | None = field(default=None, repr=False)
    webhook_key: str | None = field(default=None, repr=False)
    send_callback: SendCallback | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._uploads = UploadRoutes(self.store)
        self._pending: set[asyncio.Task[None]] = set()
        self._asked = -math.inf
        self._creates = deque(map(attrgetter("at"), self.charges.tasks.values()), maxlen=CALLS)

    def move_to(self, base_url: str, send_callback: SendCallback) -> None:
        """It is reached at `base_url` now: results are there, and callbacks can be sent."""
        self.base_url = base_url.rstrip("/")
        self.send_callback = self.send_callback or send_callback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. Raises ConnectionLost. The log says in `authorized` whether a key came along, never which."""
        if scope["type"] != "http":
            raise ValueError(f"the sandbox speaks HTTP only, not {scope['type']}")
        request = await read_request(scope, receive)
        if self.draw is not None and request.path.startswith("/files/"):
            # Drawn in another thread and kept: meanwhile others are answered.
            task_id, _, name = request.path.removeprefix("/files/").partition("/")
            await asyncio.to_thread(self.result, task_id, name)
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
        self.charges.refresh()
        agent = request.headers.get("user-agent", "").lower()
        if not agent or agent.startswith("python-urllib"):  # observed
            return plain(403, "error code: 1010")
        if request.path.startswith(("/files/", "/uploads/")):
            return self._file(request)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and key.strip()
        if not bearer or self.api_key not in (None, key.strip()):
            if request.path.startswith("/api/file-"):
                return bare(401, {"success": False, "msg": UNAUTHORISED})
            return replace(bare(401, {"msg": UNAUTHORISED}), status=200 if bearer else 401)
        return self._route(request)

    def _route(self, request: Request) -> Response:
        route = PATH if request.path.startswith(PATH) else request.path
        if route not in self._ROUTES:
            return bare(404, {"msg": MESSAGES[404]})
        method, kind, act = self._ROUTES[route]
        if request.method != method:
            return bare(405, {"msg": MESSAGES[405]})
        if (kind == "create" and not self._admit()) or (kind == "discover" and not self._may_ask()):
            return error(429)
        if self.faults is None or kind is None:
            return act(self, request, HEALTHY)
        return self.faults.play(kind, self._fields(kind, request), partial(act, self, request))

    def _admit(self) -> bool:
        """Count a create, unless it is one too many. That the service's window slides, too, is a guess."""
        now = self.now()
        if len(self._creates) == CALLS and now - self._creates[0] < SECONDS / self.speed:
            return False
        self._creates.append(now)
        return True

    def _may_ask(self) -> bool:
        """One question a second about models, on all routes together (documented)."""
        now = self.now()
        early, self._asked = now - self._asked < 1 / self.speed, now
        return not early

    def upload_at(self, url: str) -> tuple[str, Path] | None:
        """The SHA-256 of what was uploaded to an address of ours, and where it is kept; None for any other."""
        own = f"{self.base_url}/uploads/"
        path = unquote(url.partition("?")[0].removeprefix(own))
        return self._uploads.kept(path) if url.startswith(own) else None

    def _fields(self, kind: str, request: Request) -> Mapping[str, Json]:
        """The input of the task that a request is about, where it is about one; of a model which, and what of it."""
        if kind == "discover":
            return dict(zip(("route", "model"), asked_for(request.path) or (), strict=False))
        if kind == "poll":
            return self._input_of(request.query.get("taskId", ""))
        body = request.json() if kind == "create" else None
        fields = body.get("input") if isinstance(body, dict) else None
        return fields if isinstance(fields, dict) else {}

    def _input_of(self, task_id: str) -> Mapping[str, Json]:
        task = self.charges.tasks.get(task_id)
        return {} if task is None else task.input

    # --- the routes ---

    def _create(self, request: Request, outcome: TaskOutcome) -> Response:
        """One whose file can't be fetched is refused, in words that don't say so (observed)."""
        body = request.json()
        if b"://" in request.body and self._uploads.lacks_any(body, self.base_url, self.now()):
            return error(500)
        response, task = self.create(body, outcome)
        if task is not None and task.callback_url and self.send_callback is not None:
            self._expect(task, partial(self.send_callback, task.callback_url))
        return response

    def _link(self, request: Request, _: TaskOutcome) -> Response:
        """common/download-url: a link to one of our own results that is good for 20 minutes."""
        body = request.json()
        url = body.get("url") if isinstance(body, dict) else None
        if not isinstance(url, str) or not url.startswith(f"{self.base_url}/files/"):
            return error(422, NOT_OURS)
        return success(f"{url}?expires={int(self.now()) + _LINK_LIFE}")

    def _discover(self, request: Request, _: TaskOutcome) -> Response:
        asked = asked_for(request.path)
        if not asked:
            return bare(404, {"msg": MESSAGES[404]})
        return discovered(*asked, self.schemas, self.prices, request.query)

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
            return NO_FILE if upload is None else file_answer(request, upload)
        return self._result(request, rest[0], "/".join(rest[1:]))

    def _result(self, request: Request, task_id: str, name: str) -> Response:
        content = self.result(task_id, name)
        if content is None:
            return NO_FILE
        fault = None
        if self.faults is not None and request.method != "HEAD":
            fault, _ = self.faults.draw("download", self._input_of(task_id))
        if fault is None:
            return file_answer(request, content)
        answer = file_answer(request, content, keep=fault.keep, ranges=not fault.no_ranges)
        return fault.apply(answer)

    # --- callbacks ---

    def _expect(self, task: Task, post: Post) -> None:
        """Have the callback of a new task sent when it is due, if one is."""
        wanted = task.fate.end in ("success", "fail") and task.fate.callback != "none"
        if wanted and is_loopback(task.callback_url or ""):
            pending = asyncio.get_running_loop().create_task(self._play(task, post))
            self._pending.add(pending)
            pending.add_done_callback(self._pending.discard)

    async def _play(self, task: Task, post: Post) -> None:
        fate, life, early = task.fate, lifetime(task), 0.0
        if fate.callback == "forged":
            early = min(fate.callback_by, life)
            await self._sleep(early)
            now = self.now()
            record = self.describe(task, status_of(task, now, self.speed))
            claim = _body({**record, **_FORGED, "completeTime": record["createTime"]})
            await self._post(post, claim, _signed(task, now, "forged"))
        await self._sleep(life - early + (fate.callback_by if fate.callback == "late" else 0.0))
        await self._post_end(task, post)
        if fate.callback == "doubled":
            await self._sleep(fate.callback_by)
            await self._post_end(task, post)

    async def _post_end(self, task: Task, post: Post) -> None:
        ended = task.at + lifetime(task) / max(self.speed, task.speed)
        record = self.describe(task, TaskStatus(known=True, state=task.fate.end, ended=ended))
        headers = _signed(task, self.now(), self.webhook_key) if self.webhook_key else {}
        await self._post(post, _body(record), headers)

    async def _post(self, post: Post, body: dict[str, Any], headers: dict[str, str]) -> None:
        data = compact(body).encode("utf-8", "replace")
        headers = {"content-type": "application/json", "user-agent": "kiejobs-sandbox", **headers}
        for attempt in range(_ATTEMPTS):
            try:
                return await post(data, headers)
            except NotDelivered:
                if attempt < _ATTEMPTS - 1:
                    await self._sleep(_PAUSE)
        return None

    _ROUTES: ClassVar[
        dict[str, tuple[str, str | None, Callable[[Sandbox, Request, TaskOutcome], Response]]]
    ] = {
        "/api/v1/jobs/createTask": ("POST", "create", _create),
        "/api/v1/jobs/recordInfo": ("GET", "poll", JobsApi.record_info),
        "/api/v1/chat/credit": ("GET", "credit", JobsApi.balance),
        PATH: ("GET", "discover", _discover),
        "/api/v1/common/download-url": ("POST", None, _link),
        "/api/file-stream-upload": ("POST", "upload", _upload),
        "/api/file-base64-upload": ("POST", "upload", _upload),
        "/api/file-url-upload": ("POST", "upload", _upload),
    }
    """By path: the method, the kind of request that faults are scripted for, and what answers."""


def _body(data: dict[str, Any]) -> dict[str, Any]:
    """The callback around a record, in the newer documented shape."""
    failed = data["state"] == "fail"
    result = {"resultJson": None} if failed else {}
    word = "failed" if failed else "completed successfully"
    return {
        "code": 501 if failed else 200,
        "msg": f"Playground task {word}.",
        "data": {**data, **result, "updateTime": data["completeTime"]},
    }


def _signed(task: Task, now: float, key: str) -> dict[str, str]:
    stamp = str(int(now))
    digest = hmac.digest(key.encode(), f"{task.task_id}.{stamp}".encode(), hashlib.sha256)
    signature = base64.b64encode(digest).decode()
    return {"x-webhook-timestamp": stamp, "x-webhook-signature": signature}


async def post_callback(url: str, body: bytes, headers: dict[str, str]) -> None:
    """Deliver a callback. Raises NotDelivered."""
    try:
        async with httpx.AsyncClient(timeout=_CALLBACK_SECONDS, trust_env=False) as client:
            answer = await client.post(url, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotDelivered from error
    if answer.status_code != 200:
        raise NotDelivered
