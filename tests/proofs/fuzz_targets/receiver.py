"""The callback receiver, by raw bytes over a socket, as the internet may send them.

In: the bytes of one connection. Out: `Broken` where a claim is told that nobody signed, where an answer
is none of the receiver's, repeats what it was sent or comes late, or where the next honest callback is
not taken. Touches: a port on the loopback.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from hypothesis import strategies as st

from kiejobs.adapters.callbacks import Receiver
from kiejobs.adapters.system import Secret, SystemClock
from kiejobs.core.ledger.callbacks import Claim, RefusedCallback, read_callback
from tests.proofs.fuzz_bytes import mutated
from tests.proofs.fuzz_guard import CANARY, Broken, no_canary

if TYPE_CHECKING:
    from pathlib import Path


network = True
_NOW = 1_800_000_000
_KEY = f"{CANARY} of callbacks"
_ATTEMPT = "0123456789abcdef" * 2
_STATUSES = {200, 400, 401, 404, 405, 408, 413, 415, 431, 503}
_PATIENCE = 12.0  # seconds; the receiver gives a request 10
_TOKENS = (
    *(b"POST ", b"GET ", b"/hook", b"?attempt=", b"&attempt=", _ATTEMPT.encode(), b" HTTP/1.1\r\n", b"\r\n"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\n", b"Expect: 100-continue\r\n"),
    *(b"x-webhook-timestamp: 1\r\n", b"x-webhook-signature: \xff\r\n", b"Content-Type: text/plain\r\n"),
    *(b'{"data": {"taskId": "x"}}', b"[" * 3000, b'"\\ud800"', b"9" * 5000, b"%00", b"\r\n\r\nPOST /hook"),
    *(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"HTTP/0.9", b"HTTP/2.0", b"a: b\r\n" * 500),
)  # fmt: skip


class _Noon(SystemClock):
    """Always the same, so that a case that was signed once stays fresh."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(_NOW, UTC)


_OPEN = ExitStack()
_LOOP = asyncio.Runner()
_RECEIVERS: list[Receiver] = []
_HONEST: list[int] = []  # how many honest callbacks were sent so far: each is a new one


def prepare(_room: Path) -> None:
    receiver = Receiver("127.0.0.1", 0, path="/hook", key=Secret(_KEY), clock=_Noon())
    _RECEIVERS.append(_OPEN.enter_context(receiver))


def signed(task: str, stamp: int = _NOW) -> str:
    digest = hmac.digest(_KEY.encode(), f"{task}.{stamp}".encode("utf-8", "replace"), hashlib.sha256)
    return base64.b64encode(digest).decode()


def _post(task: str, attempt: str = _ATTEMPT, **more: str) -> bytes:
    said = {"line": f"POST /hook?attempt={attempt} HTTP/1.1", "type": "application/json", **more}
    body = said.get("body", json.dumps({"code": 200, "data": {"taskId": task}}))
    lines = (
        said["line"],
        "Host: x",
        f"Content-Type: {said['type']}",
        f"Content-Length: {said.get('length', len(body.encode('utf-8', 'replace')))}",
        f"X-Webhook-Timestamp: {said.get('stamp', _NOW)}",
        f"X-Webhook-Signature: {said.get('signature', signed(task))}",
    )
    return ("\r\n".join([*lines, "", ""]) + body).encode("utf-8", "replace")


EXAMPLE = _post("task-1")


def inputs() -> Any:
    tasks = st.sampled_from(("task-1", "task-2", "", " ", "a" * 201, "\x1b[2J", "ä", " padded "))
    attempts = st.sampled_from((_ATTEMPT, "", "x", _ATTEMPT.upper(), f"{_ATTEMPT}&attempt={_ATTEMPT}", "%00"))
    lines = st.sampled_from(
        (
            f"GET /hook?attempt={_ATTEMPT} HTTP/1.1",
            "POST / HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "POST /hook HTTP/1.0",
        )
    )
    more = st.fixed_dictionaries(
        {},
        optional={
            "line": lines,
            "type": st.sampled_from(("text/plain", "application/json; charset=x", "", "APPLICATION/JSON")),
            "length": st.sampled_from(("0", "5", "99999", "-1", "x", "99999999999", "1, 1")),
            "stamp": st.sampled_from(("0", "1800000299", "1800000301", "-1", "٣", "nan", "9" * 400)),
            "signature": st.sampled_from(("", "x", signed("task-2"), signed("task-1", 0), "é" * 20)),
            "body": st.sampled_from(("", "{}", "[]", '{"data": {"taskId": ["a"]}}', '{"data": "' + "x" * 1_100_000)),
        },
    )  # fmt: skip
    built = st.builds(lambda task, attempt, said: _post(task, attempt, **said), tasks, attempts, more)
    return built | mutated([EXAMPLE, _post("task-2")], _TOKENS)


def check(data: bytes, _room: Path) -> None:
    _purely(data)
    answer = _sent(data)
    _is_ours(answer, data)
    for claim in _LOOP.run(_claims()):
        _was_signed(claim, data)
    _HONEST.append(1)
    if len(_HONEST) % 20 == 0:
        _takes_an_honest_one(f"honest-{len(_HONEST)}")


def _purely(data: bytes) -> None:
    """The reader by itself, with headers that no server would let through."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(":") for line in lines)]
    found = read_callback(first.partition("?")[2].partition(" ")[0], headers, body, _KEY, _NOW)
    if not isinstance(found, Claim | RefusedCallback):
        raise Broken(f"neither heard nor rejected: {found}")
    no_canary(str(found))


def _sent(data: bytes) -> bytes:
    port = urlsplit(_RECEIVERS[-1].url).port
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as wire:
        try:
            wire.sendall(data)
            wire.shutdown(socket.SHUT_WR)
            while chunk := wire.recv(65536):
                answer += chunk
        except TimeoutError as error:
            raise Broken("no answer, and no end") from error
        except OSError:
            return answer  # it hung up on us while we wrote: its right
    return answer


def _is_ours(answer: bytes, data: bytes) -> None:
    no_canary(answer)
    if not answer:
        return
    found = re.match(rb"HTTP/1\.1 (100 Continue\r\n\r\nHTTP/1\.1 )?(\d{3})", answer)
    if found is None or int(found[2]) not in _STATUSES:
        raise Broken(f"an answer that is none: {answer[:200]!r}")
    if b"Traceback" in answer or (_ATTEMPT.encode() in data and _ATTEMPT.encode() in answer):
        raise Broken(f"it says more than it should: {answer[:200]!r}")


async def _claims() -> list[Claim]:
    """What was told to the run; all of it is there when the answer is."""
    found = []
    while True:
        try:
            found.append(await asyncio.wait_for(_RECEIVERS[-1].next(), 0.002))
        except TimeoutError:
            return found


def _was_signed(claim: Claim, data: bytes) -> None:
    stamps = {int(text) for text in re.findall(rb"\d{10}", data)}
    fresh = [stamp for stamp in stamps if abs(stamp - _NOW) <= 300]
    written = {
        claim.task_id,
        *re.findall(r'"(?:taskId|task_id)"\s*:\s*"([^"]*)"', data.decode("latin-1")),
    }
    right = {signed(task, stamp).encode() for task in written for stamp in fresh}
    if not claim.signed or not any(signature in data for signature in right):
        raise Broken(f"a claim that nobody signed: {claim}")
    if claim.attempt_id.encode() not in unquote_to_bytes(data):
        raise Broken(f"an attempt that nobody named: {claim}")


def _takes_an_honest_one(task: str) -> None:
    answer = _sent(_post(task))
    told = [claim.task_id for claim in _LOOP.run(_claims())]
    if not answer.startswith(b"HTTP/1.1 200") or told != [task]:
        raise Broken(f"an honest callback was not taken: {answer[:100]!r} {told}")
