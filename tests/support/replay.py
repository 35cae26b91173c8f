"""Recorded exchanges played back to the adapter over a real socket.

In: lines of recorded exchanges (method, url, request_body, status, headers, response_body). Out: what
the adapter makes of each. The answers are the recorded bytes.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import anyio

from kiejobs.adapters.kie.client import CREATE_PATH, CREDIT_PATH, RECORD_PATH, KieApi
from kiejobs.adapters.system import Secret
from kiejobs.core.ledger import outcomes
from tests.support.raw_server import Wire, raw_server

if TYPE_CHECKING:
    from collections.abc import Mapping

Outcome = outcomes.CreateOutcome | outcomes.PollOutcome | outcomes.TaskRecord | Decimal


def played_back(recorded: Mapping[str, Any]) -> list[Outcome]:
    """What the adapter answers when the service answers as recorded; empty for other calls."""

    def script(wire: Wire) -> None:
        reason = f"{recorded['status']} Recorded"
        kind = recorded["headers"].get("content-type", "application/json")
        wire.answer(recorded["response_body"].encode(), reason, f"Content-Type: {kind}")

    async def ask(url: str) -> list[Outcome]:
        api = KieApi(url, Secret("k"))
        try:
            return await _ask(api, recorded)
        finally:
            await api.close()

    with raw_server(script) as server:
        return anyio.run(ask, server.url)


async def _ask(api: KieApi, recorded: Mapping[str, Any]) -> list[Outcome]:
    url = urlsplit(recorded["url"])
    if url.path == CREATE_PATH:

        async def reserve() -> None: ...

        return [await api.create(json.loads(recorded["request_body"]), reserve)]
    if url.path == RECORD_PATH:
        task_id = parse_qs(url.query)["taskId"][0]
        return [await api.poll(task_id), await api.record(task_id)]
    return [await api.balance()] if url.path == CREDIT_PATH else []
