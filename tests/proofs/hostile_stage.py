"""The sandbox on a port, a hostile proxy before it, and the real adapters on the other side.

In: a folder. Out: creates, polls and downloads, one by one, through the proxy; the sandbox's charge log
afterwards. Touches that folder and loopback sockets.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.kie.client import KieApi, Patience
from kiejobs.adapters.project.models import bundled_prices
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.adapters.system import Secret
from kiejobs.core.ledger import outcomes
from kiejobs.sandbox.app import Sandbox
from tests.proofs.tcp_proxy import Proxy, calm, proxying
from tests.support.sandbox_served import read_charges, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from kiejobs.core.document.nodes import Json

_Outcome = TypeVar("_Outcome")
MODEL = "proof/clip"
KEY = Secret("k-hostile-0f1e2d")
ALL_THE_TIME = Patience(connect=10.0, answer=10.0, poll=10.0)
HURRIED = Patience(connect=1.0, answer=0.15, poll=0.15)

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "model": {"const": MODEL},
        "input": {"type": "object", "properties": {"prompt": {}, "resolution": {}, "duration": {}}},
    },
    "x-kiejobs-output": {"media_type": "video/mp4", "extension": ".mp4"},
}


@dataclass
class Stage:
    """What the cases share. `sandbox` is where it is without a proxy; `reserved` is counted from the
    last `create` on.
    """

    folder: Path
    sandbox: str
    proxy: Proxy
    reserved: int = field(default=0)

    @property
    def url(self) -> str:
        return self.proxy.url

    def create(
        self,
        prompt: str,
        patience: Patience = ALL_THE_TIME,
        *,
        url: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> outcomes.CreateOutcome:
        """One attempt, by default through the proxy."""
        self.reserved = 0

        async def reserve() -> None:
            self.reserved += 1

        async def scene(api: KieApi) -> outcomes.CreateOutcome:
            return await api.create(request_body(prompt), reserve)

        return with_api(url or self.url, scene, patience, transport)

    def poll(self, task_id: str, patience: Patience = ALL_THE_TIME) -> outcomes.PollOutcome:
        return with_api(self.url, lambda api: api.poll(task_id), patience)

    def collect(self, url: str, path: str, *, hurried: bool = False) -> outcomes.CollectOutcome:
        """One try to bring a file home."""

        async def go() -> outcomes.CollectOutcome:
            artifacts = FileArtifacts(
                self.output,
                AddressRule(private_too=True),
                _Hurried() if hurried else None,
            )
            try:
                return await artifacts.collect(url, path, key=path, media_type="video/mp4")
            finally:
                await artifacts.close()

        return anyio.run(go)

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def finished_task(self) -> tuple[str, outcomes.TaskSucceeded]:
        """A task that has come to its end, and what an honest poll says of it."""
        self.proxy.script = calm
        outcome = self.create("a task to ask for")
        assert isinstance(outcome, outcomes.Accepted), outcome
        while not isinstance(told := self.poll(outcome.task_id), outcomes.TaskSucceeded):
            assert isinstance(told, outcomes.StillRunning), told
        return outcome.task_id, told

    def charges(self) -> dict[str, list[str]]:
        """Task ids by prompt, as the sandbox has them now."""
        found: dict[str, list[str]] = {}
        for task in read_charges(self.folder / "store"):
            found.setdefault(str(task.input["prompt"]), []).append(task.task_id)
        return found

    def part(self, path: str) -> int:
        """Bytes of the file that an earlier try has left, without what says which version they are of."""
        left = [found.read_bytes() for found in self.output.glob(f"{path}.*part")]
        return sum(len(data) for data in left if not data.startswith(b'["'))


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A sandbox in a hurry, with credits without end; results are behind the proxy as well."""
    sandbox = Sandbox(
        {MODEL: _SCHEMA},
        folder / "store",
        speed=1e6,
        credits=Decimal(10**9),
        prices=bundled_prices(),
    )
    with serving(sandbox) as url, proxying(url) as proxy:
        stage = Stage(folder, url, proxy)
        sandbox.move_to(stage.url, _nobody_listens)
        yield stage


def request_body(prompt: str) -> dict[str, Json]:
    """A clip as small as the sandbox makes them."""
    return {"model": MODEL, "input": {"prompt": prompt, "resolution": "100p", "duration": "1"}}


def with_api(
    url: str,
    scene: Callable[[KieApi], Awaitable[_Outcome]],
    patience: Patience = ALL_THE_TIME,
    transport: httpx.AsyncBaseTransport | None = None,
) -> _Outcome:
    """What the scene makes of the real adapter."""

    async def go() -> _Outcome:
        api = KieApi(url, KEY, patience=patience, transport=transport)
        try:
            return await scene(api)
        finally:
            await api.close()

    return anyio.run(go)


class _Hurried(httpx.AsyncHTTPTransport):
    """The same as the adapter's own, with less time."""

    def __init__(self) -> None:
        super().__init__(retries=0, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["timeout"] = {"connect": 2.0, "read": 0.15, "write": 2.0, "pool": None}
        return await super().handle_async_request(request)


async def _nobody_listens(_url: str, _body: bytes, _headers: dict[str, str]) -> None:
    """No callbacks here."""
