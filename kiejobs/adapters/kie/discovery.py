"""The vendor's discovery routes, asked with the key: which models there are, the form of each, its price in prose.

In: an API base, a key, a pace. Out: answers as values, or why there is none, in the vendor's own words. Touches: the
network, with the key, at the API's base alone, by https unless that is this computer; a file that keeps answers, so
that what was interrupted goes on where it was. No redirect is followed, and no reference in an answer.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import httpx

from kiejobs.adapters.http.client import FETCH_ERRORS, in_words
from kiejobs.adapters.kie.client import keyed_client, without_key
from kiejobs.adapters.kie.responses import data_in, seconds_of
from kiejobs.adapters.project.root import common_git_folder
from kiejobs.adapters.system import origin_of
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger.outcomes import Unanswered
from kiejobs.core.models.spec import IS_ID
from kiejobs.core.urls import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

    from kiejobs.adapters.system import Secret
    from kiejobs.core.document.nodes import Json
    from kiejobs.ports import Clock

PATH = "/api/v1/models"
_TRIES = 5
AGAIN = {None, "429", "455", "500", "502", "503", "504"}
"""Codes that say nothing of a question. None: no answer at all."""
_END = ""  # the path of no answer: behind the last one
_PATIENCE = 45.0  # seconds for one answer
_LONGEST_PAUSE = 60.0
_FRESH = timedelta(days=1)
_MOST_KEPT = 64 * 2**20  # bytes
_MOST_MODELS = 2_000
_LONGEST_PRICE = 4_000  # characters
_LONGEST_TITLE = 200
_ELSEWHERE = {"chat"}
"""Tasks of models that other routes than createTask sell."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry of the vendor's list. `price` is prose, None where the list has none. `other`: not sold by createTask."""

    model: str
    title: str
    price: str | None
    other: bool = False


class KeptAnswers:
    """Answers of the last day from one origin, by path. What can't be kept is asked for again, and that is all.

    `complete`: the sync that kept them had all that it asked for, so that only another use of them makes sense.
    """

    def __init__(self, root: Path, origin: str) -> None:
        """`root`: the project's."""
        found = common_git_folder(root)
        folder = root / ".kiejobs" if found is None else found[0] / "kiejobs" / found[1]
        self._file, self._origin = folder / "models-sync.jsonl", origin
        self.found: dict[str, Json] = {}
        with suppress(OSError):
            if self._file.stat().st_size <= _MOST_KEPT:
                for line in self._file.read_bytes().splitlines():
                    self._take(line)
        self.complete = self.found.pop(_END, None) is not None

    def _take(self, line: bytes) -> None:
        # It may be torn, or not ours.
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            kept = json.loads(line)
            is_fresh = datetime.now(UTC) - datetime.fromisoformat(kept["at"]) < _FRESH
            if is_fresh and kept["origin"] == self._origin:
                self.found[kept["path"]] = kept["data"]

    def keep(self, path: str, data: Json) -> None:
        self.found[path] = data
        line = {"at": datetime.now(UTC).isoformat(), "origin": self._origin, "path": path, "data": data}
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            fd = os.open(self._file, flags, 0o600)
            with os.fdopen(fd, "ab") as file:
                file.write(b"\n" + json.dumps(line).encode())

    def finish(self) -> None:
        """All was asked."""
        self.keep(_END, data=True)

    def forget(self) -> None:
        """All of them were used."""
        self.found.clear()
        with suppress(OSError):
            self._file.unlink(missing_ok=True)


class Discovery:
    """Asks one question at a time, `pace` seconds apart, again where it is too early or nothing comes."""

    def __init__(
        self,
        base: str,
        key: Secret,
        clock: Clock,
        kept: KeptAnswers,
        *,
        pace: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises UsageProblem where the key would travel in plain sight."""
        if transport is None and urlsplit(base).scheme != "https" and not is_loopback(base):
            raise UsageProblem(
                f"{origin_of(base)} would get the key without TLS", hint="use an https:// base"
            )
        self._client = keyed_client(
            base, key, httpx.Timeout(30.0, connect=15.0, pool=60.0), transport, kept=1
        )
        self._key, self._clock, self._kept, self._pace = key, clock, kept, pace
        self._next = clock.monotonic()

    async def close(self) -> None:
        await self._client.aclose()

    async def offers(self) -> tuple[list[Offer], list[str]] | Unanswered:
        """What the vendor lists, each model once; and what is wrong with entries."""
        data = await self._ask(PATH)
        if isinstance(data, Unanswered):
            return data
        listed = data.get("models") if isinstance(data, dict) else None
        if not isinstance(listed, list) or not listed:
            return Unanswered("no list of models in the answer", "200")
        offers: dict[str, Offer] = {}
        wrong: list[str] = []
        for entry in listed[:_MOST_MODELS]:
            name = entry.get("model") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not IS_ID.fullmatch(name):
                wrong.append(f"not a model's id: {self._quoted(name)}")
                continue
            tasks = entry.get("taskType")
            words = {str(one).lower() for one in tasks} if isinstance(tasks, list) else set()
            title = str(entry.get("title"))[:_LONGEST_TITLE]
            offers.setdefault(name, Offer(name, title, _prose(entry), bool(words) and words <= _ELSEWHERE))
        return list(offers.values()), wrong

    async def schema(self, model: str) -> dict[str, Any] | Unanswered | None:
        """Its OpenAPI document; None where the vendor has none."""
        data = await self._about(model, "schema")
        if isinstance(data, Unanswered):
            return data
        document = data.get("openapi")
        if document is None or isinstance(document, dict):
            return document
        return Unanswered(f"the vendor has no document of it: `openapi` is {self._quoted(document)}", "200")

    async def price(self, model: str) -> str | Unanswered | None:
        """In prose; None where the vendor states none."""
        data = await self._about(model, "price")
        return data if isinstance(data, Unanswered) else _prose(data)

    async def _about(self, model: str, what: str) -> dict[str, Any] | Unanswered:
        data = await self._ask(f"{PATH}/{model}/{what}")
        if isinstance(data, Unanswered):
            return data
        if not isinstance(data, dict):
            return Unanswered(f"no {what} in the answer", "200")
        if data.get("model", model) != model:
            return Unanswered(f"the answer is about {self._quoted(data['model'])}", "200")
        return data

    async def _ask(self, path: str) -> Json | Unanswered:
        if path in self._kept.found:
            return self._kept.found[path]
        for attempt in range(_TRIES):
            await self._clock.sleep(max(self._next - self._clock.monotonic(), 0))
            data, pause = await self._once(path)
            self._next = self._clock.monotonic() + self._pace
            if not isinstance(data, Unanswered):
                self._kept.keep(path, data)
                return data
            if data.code not in AGAIN or attempt == _TRIES - 1:
                break
            wanted = pause if pause is not None else self._pace * 2 ** (attempt + 1)
            self._next += min(wanted, _LONGEST_PAUSE)
        return data

    async def _once(self, path: str) -> tuple[Json | Unanswered, float | None]:
        """The answer, and how long to wait where it asks for that."""
        try:
            with anyio.fail_after(_PATIENCE):
                status, headers, body = await self._client.exchange(self._client.request("GET", path))
        except FETCH_ERRORS as error:
            return Unanswered(without_key(in_words(error), self._key)), None
        data = data_in(status, body)
        if not isinstance(data, Unanswered):
            return data, None
        code = data.code and without_key(data.code, self._key)[:20]
        return Unanswered(without_key(data.message, self._key), code, by_edge=data.by_edge), seconds_of(
            headers.get("retry-after")
        )

    def _quoted(self, value: Json) -> str:
        return without_key(json.dumps(value)[:80], self._key)


def _prose(entry: dict[str, Any]) -> str | None:
    price = entry.get("pricingDesc")
    return price[:_LONGEST_PRICE] if isinstance(price, str) and price.strip() else None
