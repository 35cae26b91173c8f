"""The judge's callbacks: what its tasks say to whoever gave them a URL.

In: tasks and what is to be called back for them. Out: POSTs from a thread, 0.2 s after the task was
accepted and 0.1 s apart; what was answered. Signed as the vendor's page has it where there is a key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Call:
    """One callback that was made. `status` 0 where nobody took it."""

    kind: str
    task_id: str
    status: int


class Calls:
    """Sends until `close`. A `forged` one has a wrong signature, an `unsigned` one none."""

    def __init__(self, key: str | None) -> None:
        self.made: list[Call] = []
        self._key = key
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def expect(self, url: str, kinds: list[str], name: Callable[[str], str]) -> None:
        """Call `url` once for each kind, with the task that `name` has for it."""
        thread = threading.Thread(target=self._play, args=(url, kinds, name))
        self._threads.append(thread)
        thread.start()

    def _play(self, url: str, kinds: list[str], name: Callable[[str], str]) -> None:
        self._closing.wait(0.1)
        for kind in kinds:
            if self._closing.wait(0.1):
                return
            task_id = name(kind)
            self.made.append(Call(kind, task_id, self._post(url, kind, task_id)))

    def _post(self, url: str, kind: str, task_id: str) -> int:
        parts = urlsplit(url)
        data = {"taskId": task_id, "state": "success", "resultJson": "{}"}
        body = json.dumps({"code": 200, "msg": "done", "data": data})
        headers = {"Content-Type": "application/json", **self._signature(kind, task_id)}
        try:
            wire = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=100)
            wire.request("POST", f"{parts.path or '/'}?{parts.query}", body, headers)
            status = wire.getresponse().status
            wire.close()
        except OSError:
            return 0
        return status

    def _signature(self, kind: str, task_id: str) -> dict[str, str]:
        if self._key is None or kind == "unsigned":
            return {}
        key = "another" if kind == "forged" else self._key
        stamp = str(int(time.time()))
        digest = hmac.digest(key.encode(), f"{task_id}.{stamp}".encode(), hashlib.sha256)
        signature = base64.b64encode(digest).decode()
        return {"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": signature}
