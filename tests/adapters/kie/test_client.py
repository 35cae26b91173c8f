"""The real httpx adapter against real sockets: what is not sent, and what is in doubt."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from kiejobs.adapters.kie.client import KieApi, Patience, request_bytes
from kiejobs.adapters.system import Secret
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import outcomes
from tests.support.raw_server import RawServer, Wire, free_port, raw_server

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "k-3c1f7a0e9b"
BODY = {"model": "vendor/model", "input": {"prompt": "意式浓缩", "duration": "5"}}
ACCEPTED = json.dumps({"code": 200, "msg": "success", "data": {"taskId": "a" * 32}}).encode()
QUICK = Patience(connect=2.0, answer=0.5, poll=0.5)


class Reserve:
    """Counts reservations; may refuse one, or look at the world while it is made."""

    def __init__(self, look: Callable[[], None] = lambda: None) -> None:
        self.times = 0
        self._look = look

    async def __call__(self) -> None:
        self.times += 1
        self._look()


def create(url: str, reserve: Reserve, patience: Patience = QUICK) -> outcomes.CreateOutcome:
    async def go() -> outcomes.CreateOutcome:
        api = KieApi(url, Secret(KEY), patience=patience)
        try:
            return await api.create(BODY, reserve)
        finally:
            await api.close()

    return anyio.run(go)


def accept(wire: Wire) -> None:
    wire.answer(ACCEPTED)


def test_an_accepted_create_sends_exactly_the_request() -> None:
    with raw_server(accept) as server:
        assert create(server.url, Reserve()) == outcomes.Accepted("a" * 32)
    head, body = server.requests[0]
    assert body == request_bytes(BODY) == json.dumps(BODY, ensure_ascii=False, separators=(",", ":")).encode()
    assert head.startswith("POST /api/v1/jobs/createTask HTTP/1.1\r\n")
    lower = head.lower()
    assert f"authorization: bearer {KEY}" in lower
    assert "user-agent: kiejobs/" in lower
    assert "content-type: application/json" in lower


def test_it_reserves_after_connecting_and_before_the_first_byte() -> None:
    seen: list[tuple[bool, int]] = []
    with raw_server(accept) as server:

        def look() -> None:
            seen.append((server.connected.wait(5), len(server.requests)))

        create(server.url, Reserve(look))
    assert seen == [(True, 0)]


def test_each_create_has_a_connection_of_its_own() -> None:
    async def go(url: str) -> None:
        api = KieApi(url, Secret(KEY))
        for _ in range(3):
            await api.create(BODY, Reserve())
        await api.close()

    with raw_server(accept) as server:
        anyio.run(go, server.url)
        assert server.connections == 3


def test_a_refused_connection_is_not_sent_and_reserves_nothing() -> None:
    reserve = Reserve()
    outcome = create(f"http://127.0.0.1:{free_port()}", reserve)
    assert isinstance(outcome, outcomes.NotSent)
    assert reserve.times == 0


def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    reserve = Reserve()
    assert isinstance(create("http://nowhere.invalid", reserve), outcomes.NotSent)
    assert reserve.times == 0


# httpcore lets go of the socket without closing it when the handshake fails; that is not ours.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_that_fails_is_not_sent() -> None:
    reserve = Reserve()
    with raw_server(accept) as server:
        outcome = create(server.url.replace("http:", "https:"), reserve)
    gc.collect()
    assert isinstance(outcome, outcomes.NotSent)
    assert reserve.times == 0
    assert server.requests == []


def drop(_wire: Wire) -> None:
    """Return, and the connection is closed."""


def reset(wire: Wire) -> None:
    wire.reset()


def hang(wire: Wire) -> None:
    wire.over.wait()


def cut(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + ACCEPTED[:30])


def half_a_head(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 20")


def nonsense(wire: Wire) -> None:
    wire.send(b"\x00\x01\x02 not http at all\r\n\r\n")


def html(wire: Wire) -> None:
    wire.answer(b"<html>oops</html>", "200 OK", "Content-Type: text/html")


def gateway(wire: Wire) -> None:
    wire.answer(b"<html>bad gateway</html>", "502 Bad Gateway")


def redirect(wire: Wire) -> None:
    wire.answer(b"", "307 Temporary Redirect", "Location: /elsewhere")


def endless(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        wire.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def broken_gzip(wire: Wire) -> None:
    wire.answer(b"not gzip", "200 OK", "Content-Encoding: gzip")


@pytest.mark.parametrize(
    "script",
    [drop, reset, hang, cut, half_a_head, nonsense, html, gateway, redirect, endless, broken_gzip],
)
def test_whatever_goes_wrong_after_the_first_byte_is_in_doubt(
    script: Callable[[Wire], None],
) -> None:
    reserve = Reserve()
    with raw_server(script) as server:
        outcome = create(server.url, reserve)
    assert isinstance(outcome, outcomes.CreateInDoubt)
    assert reserve.times == 1
    assert len(server.requests) == 1, "never sent again, never redirected"


def test_an_answer_of_one_byte_at_a_time_ends_in_doubt_and_not_never() -> None:
    def drip(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not wire.over.wait(0.05):
            wire.send(b"x")

    with raw_server(drip) as server:
        outcome = create(server.url, Reserve(), Patience(connect=0.5, answer=0.5))
    assert isinstance(outcome, outcomes.CreateInDoubt)


def test_when_the_reservation_fails_nothing_is_written() -> None:
    def refuse() -> None:
        raise JournalProblem("disk full")

    with raw_server(accept) as server, pytest.raises(JournalProblem, match="disk full"):
        create(server.url, Reserve(refuse))
    assert server.requests == []


def test_the_key_is_cut_out_of_what_the_api_says_back() -> None:
    def echo(wire: Wire) -> None:
        wire.answer(json.dumps({"code": 401, "msg": f"bad key {KEY}\x1b[31m"}).encode())

    with raw_server(echo) as server:
        outcome = create(server.url, Reserve())
    assert isinstance(outcome, outcomes.Refused)
    assert KEY not in outcome.message
    assert "\x1b" not in outcome.message
    assert outcome.message.startswith("bad key ***")


def test_the_key_is_cut_out_of_a_failure_s_code_as_well() -> None:
    def echo(wire: Wire) -> None:
        data = {"state": "fail", "failCode": f"E-{KEY}", "failMsg": "no"}
        wire.answer(json.dumps({"code": 200, "msg": "success", "data": data}).encode())

    with raw_server(echo) as server:
        outcome = ask(server, "poll", "t1")
    assert isinstance(outcome, outcomes.TaskFailed)
    assert outcome.code == "E-***"


def ask(server: RawServer, what: str, *arguments: Any) -> Any:
    async def go() -> Any:
        api = KieApi(server.url, Secret(KEY), patience=QUICK)
        try:
            return await getattr(api, what)(*arguments)
        finally:
            await api.close()

    return anyio.run(go)


@pytest.mark.parametrize("script", [drop, reset, hang, cut, nonsense, gateway])
def test_a_poll_that_goes_wrong_is_no_verdict(script: Callable[[Wire], None]) -> None:
    with raw_server(script) as server:
        assert isinstance(ask(server, "poll", "t1"), outcomes.Unanswered)


def test_a_task_id_is_quoted_in_the_query() -> None:
    def answer(wire: Wire) -> None:
        wire.answer(json.dumps({"code": 422, "msg": "recordInfo is null"}).encode())

    with raw_server(answer) as server:
        ask(server, "poll", "a&b=c d")
    assert "taskId=a%26b%3Dc%20d" in server.requests[0][0].replace("+", "%20")


def test_a_base_with_a_path_keeps_it() -> None:
    with raw_server(accept) as server:
        create(f"{server.url}/mirror", Reserve())
    assert server.requests[0][0].startswith("POST /mirror/api/v1/jobs/createTask ")
