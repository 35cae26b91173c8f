"""Callbacks: the service tells a client that a task is over.

In: accepted tasks. Out: POSTs through the sender that was handed in, to loopback addresses only. Headers are
signed as documented: base64(HMAC-SHA256(key, taskId + "." + timestamp)); the body isn't. A callback that isn't
answered with 200 is sent three more times (documented for sibling APIs), by the process that took the task.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import httpx

from kiejobs.sandbox.asgi import compact
from kiejobs.sandbox.tasks import TaskStatus, lifetime, status_of

if TYPE_CHECKING:
    from kiejobs.sandbox.asgi import Sleep
    from kiejobs.sandbox.jobs import JobsApi
    from kiejobs.sandbox.tasks import Task

SendCallback: TypeAlias = Callable[[str, bytes, dict[str, str]], Awaitable[None]]
"""POST a body with headers to a URL. Raises NotDelivered unless that was answered with 200."""

_FORGED = {"state": "success", "resultJson": '{"resultUrls":["https://forged.invalid/result.mp4"]}'}
"""A claim of success too early, with a result on a foreign host."""
_ATTEMPTS = 4
_CALLBACK_SECONDS = 15.0  # documented for the service's sibling APIs
_PAUSE = 5.0  # simulated seconds between attempts


class NotDelivered(Exception):
    """Nobody took the callback."""


@dataclass(slots=True)
class CallbackSender:
    """Sends what is due. `sleep` waits simulated seconds; `api` knows the tasks."""

    api: JobsApi
    send: SendCallback
    sleep: Sleep
    key: str | None
    _pending: set[asyncio.Task[None]] = field(default_factory=set)

    def expect(self, task: Task) -> None:
        """Have the callback of a new task sent when it is due, if one is."""
        wanted = task.fate.end in ("success", "fail") and task.fate.callback != "none"
        if wanted and task.callback_url and is_loopback(task.callback_url):
            pending = asyncio.get_running_loop().create_task(self._play(task, task.callback_url))
            self._pending.add(pending)
            pending.add_done_callback(self._pending.discard)

    async def _play(self, task: Task, url: str) -> None:
        fate, life, early = task.fate, lifetime(task), 0.0
        if fate.callback == "forged":
            early = min(fate.callback_by, life)
            await self.sleep(early)
            now = self.api.now()
            record = self.api.describe(task, status_of(task, now, self.api.speed))
            claim = _body({**record, **_FORGED, "completeTime": record["createTime"]})
            await self._post(url, claim, _signed(task, now, "forged"))
        await self.sleep(life - early + (fate.callback_by if fate.callback == "late" else 0.0))
        await self._post_end(task, url)
        if fate.callback == "doubled":
            await self.sleep(fate.callback_by)
            await self._post_end(task, url)

    async def _post_end(self, task: Task, url: str) -> None:
        ended = task.at + lifetime(task) / max(self.api.speed, task.speed)
        record = self.api.describe(task, TaskStatus(known=True, state=task.fate.end, ended=ended))
        headers = _signed(task, self.api.now(), self.key) if self.key else {}
        await self._post(url, _body(record), headers)

    async def _post(self, url: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        data = compact(body).encode("utf-8", "replace")
        headers = {"content-type": "application/json", "user-agent": "kiejobs-sandbox", **headers}
        for attempt in range(_ATTEMPTS):
            try:
                return await self.send(url, data, headers)
            except NotDelivered:
                if attempt < _ATTEMPTS - 1:
                    await self.sleep(_PAUSE)
        return None


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


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this computer, by its spelling alone: no name is looked up."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
