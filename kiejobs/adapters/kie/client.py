"""The jobs API over httpx: one attempt a call, the outcome as a value.

In: request bodies and task ids. Out: outcomes, the key cut out of their words. Touches: the network.

A create call connects and finishes TLS first, then reserves, then writes: httpcore's trace calls us back
between "connected" and "first byte", which is also the exact evidence for "not sent" against "in doubt". A
fresh HTTP/1.1 connection for each create, since a pooled one that died looks like a sent request; no retries,
no redirects, nothing from the environment (a proxy may repeat a POST).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import httpx

from kiejobs.adapters.http.client import HttpClient, in_words, printable
from kiejobs.adapters.kie import responses as answers
from kiejobs.adapters.system import origin_of
from kiejobs.core.ledger import outcomes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from kiejobs.adapters.system import Secret
    from kiejobs.core.document.nodes import Json


CREATE_PATH = "/api/v1/jobs/createTask"
RECORD_PATH = "/api/v1/jobs/recordInfo"
CREDIT_PATH = "/api/v1/chat/credit"
DOWNLOAD_PATH = "/api/v1/common/download-url"

_Outcome = TypeVar(
    "_Outcome",
    bound="outcomes.CreateOutcome | outcomes.PollOutcome | outcomes.TaskRecord | str | Decimal",
)

_AS_IT_CAME = (outcomes.Accepted, outcomes.TaskSucceeded, outcomes.TaskRecord, str, Decimal)
_ABOUT_TO_WRITE = "http11.send_request_headers.started"
_LONGEST_MESSAGE = 500  # characters of the API's own words that are kept
_QUESTIONS = 10  # at a time, each on a connection that is kept


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. `connect` covers DNS, TCP and TLS; `answer` a create from its first byte to its last."""

    connect: float = 15.0
    answer: float = 60.0
    poll: float = 30.0


@dataclass(slots=True)
class _Evidence:
    """What happened on the wire of one create: reserved means that bytes may have left."""

    reserve: Callable[[], Awaitable[None]]
    reserved: bool = False
    refusal: BaseException | None = None

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        if event != _ABOUT_TO_WRITE or self.reserved:
            return
        try:
            await self.reserve()
        except BaseException as error:
            self.refusal = error
            raise
        self.reserved = True


class KieApi:
    """The port `GenerationApi`. `last_date` is the API's own clock as the last answer had it."""

    def __init__(
        self,
        base: str,
        key: Secret,
        *,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base = base.rstrip("/")
        self._key = key
        self._patience = patience or Patience()
        connect = self._patience.connect
        creating = httpx.Timeout(self._patience.answer, connect=connect, pool=60.0)
        asking = httpx.Timeout(self._patience.poll, connect=connect, pool=60.0)
        self._creating = keyed_client(self._base, key, creating, transport)
        self._asking = keyed_client(self._base, key, asking, transport, kept=_QUESTIONS)
        # The pool walks all who wait for a connection each time one is free, and gives up on them after
        # a while. Thousands of tasks are resumed at once: they queue here, in turn, at no cost.
        self._turn_to_ask = anyio.Semaphore(_QUESTIONS)
        self.last_date: str | None = None

    @property
    def origin(self) -> str:
        return origin_of(self._base)

    async def close(self) -> None:
        await self._creating.aclose()
        await self._asking.aclose()

    async def create(
        self, body: Mapping[str, Json], reserve: Callable[[], Awaitable[None]]
    ) -> outcomes.CreateOutcome:
        evidence = _Evidence(reserve)
        request = self._creating.request(
            "POST",
            CREATE_PATH,
            {"Content-Type": "application/json", "Connection": "close"},
            evidence.trace,
            content=request_bytes(body),
        )
        try:
            with anyio.fail_after(self._patience.connect + self._patience.answer):
                status, headers, answer = await self._creating.exchange(request)
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            if evidence.refusal is not None:
                raise evidence.refusal from None
            said = without_key(in_words(error), self._key)
            return outcomes.CreateInDoubt(said) if evidence.reserved else outcomes.NotSent(said)
        if not evidence.reserved:
            raise RuntimeError("the transport wrote a create call without announcing it")
        return self._cleaned(answers.create_outcome(status, headers.get("retry-after"), answer))

    async def poll(self, task_id: str) -> outcomes.PollOutcome:
        return await self._ask(RECORD_PATH, answers.poll_outcome, params={"taskId": task_id})

    async def record(self, task_id: str) -> outcomes.TaskRecord | outcomes.Unanswered:
        return await self._ask(RECORD_PATH, answers.task_record, params={"taskId": task_id})

    async def download_url(self, url: str) -> str | outcomes.Unanswered:
        return await self._ask(DOWNLOAD_PATH, answers.download_url, "POST", json={"url": url})

    async def balance(self) -> Decimal | outcomes.Unanswered:
        return await self._ask(CREDIT_PATH, answers.balance)

    async def _ask(
        self, path: str, read: Callable[[int, bytes], _Outcome], method: str = "GET", **content: Any
    ) -> _Outcome | outcomes.Unanswered:
        """One question, at no cost. An id that fits into no URL is a ValueError; ids are the API's and opaque."""
        try:
            request = self._asking.request(method, path, **content)
            async with self._turn_to_ask:
                with anyio.fail_after(self._patience.connect + self._patience.poll):
                    status, headers, answer = await self._asking.exchange(request)
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError) as error:
            return outcomes.Unanswered(without_key(in_words(error), self._key))
        self.last_date = headers.get("date")
        return self._cleaned(read(status, answer))

    def _cleaned(self, outcome: _Outcome) -> _Outcome:
        """The outcome with its message shortened, made printable, and the key cut out."""
        if isinstance(outcome, _AS_IT_CAME):
            return outcome
        if isinstance(outcome, outcomes.StillRunning):
            return replace(outcome, api_state=without_key(outcome.api_state, self._key))
        outcome = replace(outcome, message=without_key(outcome.message, self._key))
        if isinstance(outcome, outcomes.NotSent) or outcome.code is None:
            return outcome
        return replace(outcome, code=without_key(outcome.code, self._key))


def without_key(text: str, key: Secret) -> str:
    """What somebody else said: shortened, made printable, and the key cut out."""
    if key:
        text = text.replace(key.value, "***")
    return " ".join(printable(text).split())[:_LONGEST_MESSAGE]


def request_bytes(body: Mapping[str, Json]) -> bytes:
    """The request as it goes over the wire: compact UTF-8 JSON, keys in the order given."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def keyed_client(
    base: str,
    key: Secret,
    timeout: httpx.Timeout,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    kept: int = 0,
) -> HttpClient:
    """For hosts that are given the key. `kept` connections at a time, all kept; else eight, and none of them."""
    headers = {"Authorization": f"Bearer {key.value}", "Accept-Encoding": "gzip, deflate"}
    return HttpClient(headers, timeout, transport, base=base, kept=kept)
