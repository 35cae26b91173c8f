"""The counters behind the gate: one method a route, each with its scripted faults.

In: requests that were let in. Out: `Response`s. Touches what the jobs and the callbacks touch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kiejobs.sandbox.answers import (
    MESSAGES,
    NOT_OURS,
    UNREACHABLE,
    bare,
    error,
    plain,
    success,
)
from kiejobs.sandbox.asgi import Response
from kiejobs.sandbox.service.files import file_answer, no_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.asgi import Request
    from kiejobs.sandbox.faults.fate import TaskOutcome
    from kiejobs.sandbox.faults.rules import Effect, FaultScript
    from kiejobs.sandbox.service.callbacks import CallbackSender
    from kiejobs.sandbox.service.clock import SandboxClock
    from kiejobs.sandbox.service.jobs import Jobs
    from kiejobs.sandbox.service.rate_limit import AccountRate
    from kiejobs.sandbox.service.uploads import UploadRoutes

_NOTHING = Response(200, b"")
_LINK_LIFE = 20 * 60


@dataclass(slots=True)
class Router:
    """Routes by path, and files."""

    jobs: Jobs
    draws: FaultScript
    pace: AccountRate
    callbacks: CallbackSender
    clock: SandboxClock
    uploads: UploadRoutes

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
