"""What the sandbox's tests share: a model of our own, a clock that only jumps, a client in process."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from kiejobs.core.document.nodes import Source
from kiejobs.core.prices.table import ModelPrice, PriceLine, PriceTable
from kiejobs.sandbox.app import Sandbox
from kiejobs.sandbox.faults import read_faults

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kiejobs.sandbox.faults import Faults

MODEL = "acme/dream-image-to-video"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["model", "input"],
    "properties": {
        "model": {"enum": [MODEL]},
        "callBackUrl": {"type": "string"},
        "input": {
            "type": "object",
            "required": ["prompt", "image_url"],
            "properties": {
                "prompt": {"type": "string", "maxLength": 40},
                "image_url": {"type": "string"},
                "resolution": {"enum": ["720p", "1080p"], "default": "720p"},
                "duration": {"enum": ["5", "10"], "default": "5"},
                "seed": {"type": "integer", "minimum": 0},
                "nsfw_checker": {"type": "boolean"},
            },
            "unevaluatedProperties": False,
            "if": {"properties": {"resolution": {"const": "1080p"}}, "required": ["resolution"]},
            "then": {"properties": {"seed": {"maximum": 9}}},
        },
    },
    "unevaluatedProperties": False,
    "x-kiejobs-output": {"media_type": "video/mp4", "extension": ".mp4"},
}
PRICES = PriceTable(
    {
        MODEL: ModelPrice(
            MODEL,
            "video",
            (
                PriceLine({"resolution": "720p", "duration": "5"}, Decimal(16)),
                PriceLine({"resolution": "720p", "duration": "10"}, Decimal("36.5")),
                PriceLine({"resolution": "1080p", "duration": "5"}, Decimal(36)),
            ),
            source="made up",
            date="2026-10",
        )
    }
)
FAULTS = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "faults.schema.json").read_text())
INPUT = {"prompt": "A kettle sings", "image_url": "https://example.com/kettle.webp"}
HEADERS = {"authorization": "Bearer test-key", "user-agent": "tests"}
START = 1_800_000_000.0


class FakeClock:
    """Stands still until somebody sleeps or `passes` is called."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)

    def passes(self, seconds: float) -> None:
        self.time += seconds


class RealClock(FakeClock):
    """The computer's."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def make_faults(value: Any) -> Faults:
    """A script from what its file would hold."""
    text = json.dumps(value, ensure_ascii=False)
    faults, problems = read_faults(Source("faults.yaml", text.encode()), FAULTS)
    assert faults is not None, problems
    return faults


class Stage:
    """A sandbox on a store, and a client that speaks to it in process."""

    def __init__(self, store: Path, *rules: dict[str, Any], **settings: Any) -> None:
        self.store = store
        self.clock = settings.pop("clock", None) or FakeClock()
        schemas = settings.pop("schemas", {MODEL: SCHEMA})
        faults = make_faults({"rules": list(rules)}) if rules else None
        settings.setdefault("prices", PRICES)
        self.app = Sandbox(
            schemas, store, now=self.clock.now, sleep=self.clock.sleep, faults=faults, **settings
        )

    def play(self, scene: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        """Run a coroutine function that is handed the client."""

        async def played() -> Any:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://sandbox.invalid", headers=HEADERS
            ) as client:
                return await asyncio.wait_for(scene(client), 20)

        return asyncio.run(played())

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        answer: httpx.Response = self.play(lambda client: client.request(method, path, **how))
        return answer

    def create(self, model: str = MODEL, callback: str | None = None, **fields: Any) -> Any:
        """Create a task from INPUT and these fields; the answer's JSON."""
        return self.request("POST", CREATE, json=create_body(model, callback, **fields)).json()

    def made(self, **fields: Any) -> str:
        """The id of a new task."""
        task_id: str = self.create(**fields)["data"]["taskId"]
        return task_id

    def record(self, task_id: str) -> Any:
        return self.request("GET", RECORD, params={"taskId": task_id}).json()

    def result_url(self, **fields: Any) -> str:
        """The result's URL of a task that was made and has ended."""
        task_id = self.made(**fields)
        self.clock.passes(100)
        data = self.record(task_id)["data"]
        url: str = json.loads(data["resultJson"])["resultUrls"][0]
        return url

    def balance(self) -> float:
        left: float = self.request("GET", "/api/v1/chat/credit").json()["data"]
        return left

    def charges(self) -> list[Any]:
        return lines(self.store / "charges.jsonl")

    def requests(self) -> list[Any]:
        return lines(self.store / "requests.jsonl")


CREATE = "/api/v1/jobs/createTask"
RECORD = "/api/v1/jobs/recordInfo"


def create_body(model: str = MODEL, callback: str | None = None, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "input": {**INPUT, **fields}}
    if callback is not None:
        body["callBackUrl"] = callback
    return body


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
