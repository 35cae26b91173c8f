"""The receiver over real sockets: who is heard, who is turned away, and what strangers can't do."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import queue
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiejobs.adapters.callbacks import FULL, Limits, Receiver
from kiejobs.adapters.system import Secret, SystemClock
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger.callbacks import Claim
from kiejobs.sandbox.app import NotDelivered, Sandbox
from tests.support.bench import PACKAGE
from tests.support.sandbox_served import serving
from tests.support.sandbox_stage import CREATE, HEADERS, MODEL, SCHEMA, create_body, make_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ATTEMPT = "0a" * 16
KEY = "hook-key"
SUCCESS = b'{"code":200,"msg":"success"}'
MEGABYTE = 1_000_000
PATIENCE = 100.0  # seconds; nobody waits for so long where all is well

_fresh = itertools.count(1)


def listen(key: str | None = None, path: str = "/", **limits: Any) -> Receiver:
    secret = None if key is None else Secret(key)
    given_limits = Limits(**limits)
    return Receiver("127.0.0.1", 0, path=path, key=secret, clock=SystemClock(), limits=given_limits)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listen() as made:
        yield made


@pytest.fixture(scope="module")
def guarded() -> Iterator[Receiver]:
    """One for many tests, at a path of its own, that asks for signatures."""
    with listen(KEY, "/kie/cb") as made:
        yield made


# --- what is sent --------------------------------------------------------------------------------


def body(task_id: str = "task-1") -> bytes:
    return json.dumps({"code": 200, "msg": "over", "data": {"taskId": task_id}}).encode()


def signed(task_id: str = "task-1", age: float = 0, key: str = KEY) -> dict[str, str]:
    stamp = str(int(time.time() - age))
    digest = hmac.digest(key.encode(), f"{task_id}.{stamp}".encode(), hashlib.sha256)
    return {
        "x-webhook-timestamp": stamp,
        "x-webhook-signature": base64.b64encode(digest).decode(),
    }


def request(
    content: bytes = b"",
    *,
    path: str = "/",
    attempt: str = ATTEMPT,
    method: str = "POST",
    length: int | None = None,
    **headers: str,
) -> bytes:
    """A request's bytes; `length` is what it promises."""
    content = content or body()
    given_headers = {
        "host": "hooks.example",
        "content-type": "application/json",
        "content-length": str(len(content) if length is None else length),
        **headers,
    }
    lines = [f"{method} {path}?attempt={attempt} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in given_headers.items() if value]
    return "\r\n".join([*lines, "", ""]).encode() + content


def chunked(content: bytes, size: int = 50_000) -> bytes:
    head = request(b" ", **{"content-length": "", "transfer-encoding": "chunked"})[:-1]
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def connect(receiver: Receiver | str) -> socket.socket:
    url = httpx.URL(receiver if isinstance(receiver, str) else receiver.url)
    return socket.create_connection((url.host, url.port), timeout=PATIENCE)


def read(sock: socket.socket) -> bytes:
    """All that comes until the end; a reset is an end too."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65536):
            answer += data
    return answer


def say(receiver: Receiver | str, data: bytes, *, end: bool = False) -> bytes:
    """Send it and read the answer; with `end` nothing more is to come from us."""
    with connect(receiver) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
            if end:
                sock.shutdown(socket.SHUT_WR)
        return read(sock)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def told(receiver: Receiver, key: str | None = None) -> list[Claim]:
    """All that the run is told of what came so far: up to a last one that is sent here."""
    last = f"f{next(_fresh):031x}"
    headers = signed("last", key=key) if key else {}
    path = httpx.URL(receiver.url).raw_path.decode()
    assert status(say(receiver, request(body("last"), path=path, attempt=last, **headers))) == 200

    async def scene() -> list[Claim]:
        claims: list[Claim] = []
        with anyio.fail_after(PATIENCE):
            while (claim := await receiver.next()).attempt_id != last:
                claims.append(claim)
        return claims

    return anyio.run(scene)


# --- those who are heard -------------------------------------------------------------------------


def test_a_callback_is_answered_as_the_vendor_expects_and_told(receiver: Receiver) -> None:
    answer = httpx.post(
        f"{receiver.url}?attempt={ATTEMPT}", json={"data": {"taskId": "task-1", "state": "success"}}
    )
    assert (answer.status_code, answer.json()) == (200, {"code": 200, "msg": "success"})
    assert answer.headers["content-type"] == "application/json"
    assert told(receiver) == [Claim(ATTEMPT, "task-1", signed=False)]


def test_one_in_chunks_is_as_good(receiver: Receiver) -> None:
    assert status(say(receiver, chunked(body(), 7))) == 200
    assert told(receiver) == [Claim(ATTEMPT, "task-1", signed=False)]


def test_a_large_one_is_as_good(receiver: Receiver) -> None:
    assert status(say(receiver, request(body().ljust(MEGABYTE)))) == 200
    assert told(receiver) == [Claim(ATTEMPT, "task-1", signed=False)]


def test_with_a_key_a_signed_one_is_heard_at_its_path(guarded: Receiver) -> None:
    assert guarded.url.endswith("/kie/cb")
    assert status(say(guarded, request(path="/kie/cb", **signed()))) == 200
    assert told(guarded, KEY) == [Claim(ATTEMPT, "task-1", signed=True)]


def test_an_empty_key_is_none() -> None:
    with listen("") as receiver:
        assert status(say(receiver, request())) == 200
        assert told(receiver) == [Claim(ATTEMPT, "task-1", signed=False)]


def test_a_path_is_told_as_a_url_spells_it() -> None:
    with listen(path="/kie cb/é") as receiver:
        assert receiver.url.endswith("/kie%20cb/%C3%A9")
        assert httpx.post(receiver.url).status_code == 415
        assert told(receiver) == []


def test_nobody_learns_whether_an_attempt_is_known(receiver: Receiver) -> None:
    answers = {say(receiver, request(attempt=f"{n:032x}")) for n in (1, 2, 2, 3)}
    assert len(answers) == 1
    (answer,) = answers
    assert answer.endswith(b"\r\n\r\n" + SUCCESS)
    assert b"uvicorn" not in answer


def test_a_replay_is_answered_alike_and_told_once(guarded: Receiver) -> None:
    again = request(body("task-r"), path="/kie/cb", **signed("task-r"))
    assert say(guarded, again) == say(guarded, again)
    assert told(guarded, KEY) == [Claim(ATTEMPT, "task-r", signed=True)]


def test_five_hundred_at_once_are_all_heard() -> None:
    """All are connected before the first one speaks."""
    with listen(connections=500) as receiver, contextlib.ExitStack() as held:
        socks = [held.enter_context(connect(receiver)) for _ in range(500)]
        for number, sock in enumerate(socks):
            sock.sendall(request(attempt=f"{number:032x}", content=body(f"task-{number}")))
        assert [status(read(sock)) for sock in socks] == [200] * 500
        claims = told(receiver)
    assert len(claims) == len(set(claims)) == 500


def test_a_sudden_crowd_is_told_exactly_as_it_was_answered(receiver: Receiver) -> None:
    def one(number: int) -> bool:
        answer = say(receiver, request(attempt=f"{number:032x}", content=body("task-c")))
        return status(answer) == 200

    with ThreadPoolExecutor(500) as pool:
        answered = [number for number, good in enumerate(pool.map(one, range(500))) if good]
    assert len(answered) >= 200
    assert sorted(int(claim.attempt_id, 16) for claim in told(receiver)) == answered


def test_it_answers_while_the_run_is_too_busy_to_look(receiver: Receiver) -> None:
    async def busy() -> Claim:
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(say, receiver, request())
            while not asking.done():
                sum(range(10_000))
            assert status(asking.result()) == 200
        return await receiver.next()

    assert anyio.run(busy) == Claim(ATTEMPT, "task-1", signed=False)


def test_a_run_that_is_asleep_is_woken(receiver: Receiver) -> None:
    async def scene() -> Claim:
        return await receiver.next()  # without a timeout, whose end would wake it as well

    sending = threading.Timer(0.1, say, (receiver, request()))
    sending.start()
    assert anyio.run(scene) == Claim(ATTEMPT, "task-1", signed=False)
    sending.join()


def test_two_who_wait_are_told_one_each(receiver: Receiver) -> None:
    async def scene() -> set[str]:
        found: set[str] = set()

        async def wait() -> None:
            found.add((await receiver.next()).task_id)

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                group.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                for task_id in ("task-1", "task-2"):
                    await anyio.to_thread.run_sync(say, receiver, request(body(task_id)))
        return found

    assert anyio.run(scene) == {"task-1", "task-2"}


# --- those who are turned away -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lambda: request(path="/kie/cb"), 401),
        (lambda: request(path="/kie/cb", **signed("task-2")), 401),
        (lambda: request(path="/kie/cb", **signed(key="guessed")), 401),
        (lambda: request(path="/kie/cb", **signed(age=3600)), 401),
        (lambda: request(path="/kie/cb", **signed(age=-3600)), 401),
        (lambda: request(path="/kie/cb", attempt="guess", **signed()), 400),
        (lambda: request(b"{", path="/kie/cb", **signed()), 400),
        (lambda: request(b"[" * MEGABYTE, path="/kie/cb", **signed()), 400),
        (lambda: request(b'{"data": {}}', path="/kie/cb", **signed()), 400),
        (lambda: request(path="/kie/cb", **signed(), **{"content-type": "text/plain"}), 415),
        (lambda: request(path="/kie/cb", **signed(), **{"content-type": ""}), 415),
        (
            lambda: request(path="/kie/cb", **signed(), **{"content-encoding": "gzip"})[:-9] + b"\x1f" * 9,
            400,
        ),
        (lambda: request(path="/", **signed()), 404),
        (lambda: request(path="/kie/cb/", **signed()), 404),
        (lambda: request(path="/kie/cb", method="GET", **signed()), 405),
        (lambda: request(path="/kie/cb", method="PUT", **signed()), 405),
        (lambda: request(path="/kie/cb", method="OPTIONS", **signed()), 405),
        (lambda: request(body().ljust(MEGABYTE + 1), path="/kie/cb", **signed()), 413),
        (lambda: chunked(b" " * (MEGABYTE + 1)), 413),
        (lambda: b"\x16\x03\x01 hello, TLS?\r\n\r\n", 400),
        (lambda: b"POST /kie/cb HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
    ],
)
def test_it_says_why_and_changes_nothing(guarded: Receiver, data: Callable[[], bytes], expected: int) -> None:
    """Signed when it is sent: a signature is good for five minutes, and a busy machine takes longer to get here."""
    answer = say(guarded, data())
    assert status(answer) == expected
    said = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert (set(said), said["code"]) == ({"code", "msg"}, expected)
    assert b"task-" not in answer
    assert (b"allow: POST" in answer) is (expected == 405)
    assert told(guarded, KEY) == []


def test_a_head_request_gets_no_body(guarded: Receiver) -> None:
    answer = say(guarded, request(path="/kie/cb", method="HEAD"))
    assert status(answer) == 405
    assert answer.endswith(b"\r\n\r\n")


def test_what_was_turned_away_is_counted_by_its_reason() -> None:
    with listen(KEY) as receiver:
        for headers in (signed(key="another"), signed(key="another"), {}):
            say(receiver, request(**headers))
        wrong, unsigned = "its signature is wrong", "it must be signed"
        assert receiver.turned == {wrong: 2, unsigned: 1}


def test_what_never_ends_is_cut_off_long_before_its_deadline() -> None:
    with listen(seconds=3 * PATIENCE) as receiver:
        answer = say(receiver, request(b" " * 20 * MEGABYTE, length=10**12))
        assert status(answer) in {0, 413}  # whoever still writes may miss the answer
        assert told(receiver) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST / HT",
        request()[:40],
        request()[:-1],
        request(length=5000),
        chunked(body())[:-5],
        chunked(body())[:-20],
    ],
)
def test_a_truncated_one_changes_nothing(receiver: Receiver, data: bytes) -> None:
    assert say(receiver, data, end=True) == b""
    assert told(receiver) == []


def test_a_reset_in_the_middle_changes_nothing(receiver: Receiver) -> None:
    for cut in (20, len(request()) - 5):
        with connect(receiver) as sock:
            sock.sendall(request()[:cut])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert told(receiver) == []


def test_one_connection_is_good_for_one_request(receiver: Receiver) -> None:
    answer = say(receiver, request(body("task-1")) + request(body("task-2")))
    assert answer.count(b"HTTP/1.1") == 1
    assert told(receiver) == [Claim(ATTEMPT, "task-1", signed=False)]


# --- those who take their time, or all the room --------------------------------------------------


@pytest.mark.parametrize("start", [b"", request()[:30], request()[:-1]])
def test_a_silence_ends_with_the_deadline(start: bytes) -> None:
    with listen(seconds=0.3) as receiver:
        assert say(receiver, start) == b""
        assert told(receiver) == []


@pytest.mark.parametrize("at", [0, len(request()) - len(body())])
def test_dripping_does_not_put_the_deadline_off(at: int) -> None:
    data = request(body().ljust(5000))
    with listen(seconds=0.3) as receiver, connect(receiver) as sock:
        sock.sendall(data[:at])
        sock.settimeout(0.05)
        ended = False
        for sent in range(at, len(data)):
            try:
                sock.sendall(data[sent : sent + 1])
                ended = sock.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
            if ended:
                break
        assert ended
        assert told(receiver) == []


def test_too_many_connections_push_out_the_oldest() -> None:
    with listen(connections=3) as receiver, contextlib.ExitStack() as held:
        first, second, third = (held.enter_context(connect(receiver)) for _ in range(3))
        assert status(say(receiver, request(body("task-4")))) == 200
        assert read(first) == b""
        second.sendall(request(body("task-2")))
        third.sendall(request(body("task-3")))
        assert [status(read(second)), status(read(third))] == [200, 200]
        assert {claim.task_id for claim in told(receiver)} == {"task-2", "task-3", "task-4"}


def test_large_bodies_have_little_room_and_small_ones_always_some() -> None:
    large = request(body().ljust(200_000))
    with listen(large=2) as receiver:
        with connect(receiver) as one, connect(receiver) as two:
            one.sendall(large[:-1])
            two.sendall(large[:-1])
            assert until(503, receiver, large)
            assert status(say(receiver, request(body("task-2")))) == 200
        assert until(200, receiver, large)


def until(expected: int, receiver: Receiver, data: bytes) -> bool:
    """Ask until it is answered so: others have to be read, or to be gone, first."""
    while status(say(receiver, data)) != expected:
        pass
    return True


def test_others_are_answered_while_a_large_body_comes_in_crumbs() -> None:
    crumbs = chunked(b" " * 100_000, 1)
    answered = 0
    with listen(seconds=3600) as receiver, ThreadPoolExecutor(1) as pool:
        saying = pool.submit(say, receiver, crumbs)
        while not saying.done():
            assert status(say(receiver, request())) == 200
            answered += 1
        assert status(saying.result()) == 400
    assert answered > 5


def test_what_nobody_takes_is_dropped_at_last_but_not_forgotten_as_told() -> None:
    with listen(waiting=2) as receiver:
        answers = [status(say(receiver, request(body(f"task-{n}")))) for n in (1, 2, 3)]
        assert answers == [200, 200, 503]  # it may come again
        assert receiver.turned == {FULL: 1}
        assert take(receiver, 2) == ["task-1", "task-2"]
        say(receiver, request(body("task-3")))
        assert take(receiver, 1) == ["task-3"]


def test_what_was_told_is_remembered_for_a_while_only() -> None:
    with listen(remembered=2) as receiver:
        for task_id in ("task-1", "task-2", "task-1", "task-3", "task-1", "task-2"):
            say(receiver, request(body(task_id)))
        assert take(receiver, 4) == ["task-1", "task-2", "task-3", "task-2"]


def take(receiver: Receiver, count: int) -> list[str]:
    async def scene() -> list[str]:
        with anyio.fail_after(PATIENCE):
            return [(await receiver.next()).task_id for _ in range(count)]

    return anyio.run(scene)


@settings(max_examples=40)
@given(
    start=st.sampled_from([b"", b"POST /kie/cb HTTP/1.1\r\n", request(path="/kie/cb", **signed())]),
    cut=st.integers(0, 400),
    noise=st.binary(max_size=200),
)
def test_whatever_bytes_come_it_goes_on(guarded: Receiver, start: bytes, cut: int, noise: bytes) -> None:
    answer = say(guarded, start[:cut] + noise, end=True)
    assert status(answer) in {0, 200, 400, 401, 404, 405, 413, 415}
    assert {claim.task_id for claim in told(guarded, KEY)} <= {"task-1"}


LISTENER = """
import resource, sys
from kiejobs.adapters.callbacks import Limits, Receiver
from kiejobs.adapters.system import Secret, SystemClock
files = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, files[1]))
limits = Limits(seconds=0.2, connections=int(sys.argv[1]))
with Receiver("127.0.0.1", 0, key=Secret("hook-key"), clock=SystemClock(), limits=limits) as receiver:
    print(receiver.url, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def printing_nothing(connections: int) -> Iterator[str]:
    """A receiver in a process of its own, where nobody catches what is logged; gives its URL."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", LISTENER, str(connections)],
        env={"PYTHONPATH": PACKAGE},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0


def test_it_prints_nothing_whatever_comes() -> None:
    with printing_nothing(connections=2) as at, contextlib.ExitStack() as held:
        for data in (
            b"\x00\xff garbage\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            request(),
            request()[:-1],
            request(x="y" * 200_000),
            request(b"{", **signed()),
        ):
            say(at, data)
        for _ in range(4):
            held.enter_context(connect(at)).sendall(request()[:-1])


def test_it_goes_on_when_file_descriptors_have_run_out() -> None:
    with printing_nothing(connections=200) as at:
        with contextlib.ExitStack() as held:
            crowd = [held.enter_context(connect(at)) for _ in range(60)]
            assert read(crowd[0]) == b""
        assert status(say(at, request(**signed()))) == 200


# --- beginning and end ---------------------------------------------------------------------------


def test_a_port_that_is_taken_is_a_usage_problem(receiver: Receiver) -> None:
    port = httpx.URL(receiver.url).port
    assert port is not None
    with (
        pytest.raises(UsageProblem, match=f"can't listen on 127.0.0.1:{port}: "),
        Receiver("127.0.0.1", port, key=None, clock=SystemClock()),
    ):
        pass


def test_a_host_that_is_not_ours_is_a_usage_problem() -> None:
    with (
        pytest.raises(UsageProblem, match=r"can't listen on 192\.0\.2\.1:0: "),
        Receiver("192.0.2.1", 0, key=None, clock=SystemClock()),
    ):
        pass


def test_it_listens_for_as_long_as_its_block_lasts() -> None:
    with listen(seconds=3600) as receiver, connect(receiver) as half:
        half.sendall(request()[:-1])
        assert status(say(receiver, request())) == 200
        receiver.__exit__(None, None, None)  # it doesn't wait an hour for the half one
        assert read(half) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(receiver)


def test_any_address_is_told_as_loopback() -> None:
    with Receiver("0.0.0.0", 0, key=None, clock=SystemClock()) as receiver:
        assert receiver.url.startswith("http://127.0.0.1:")
        assert status(say(receiver, request())) == 200


@pytest.mark.parametrize(("value", "key"), [(" hook-key\n", KEY), ("", ""), (None, "")])
def test_the_key_comes_from_the_environment_and_does_not_show_itself(value: str | None, key: str) -> None:
    code = "from kiejobs.adapters.system import *; k = webhook_key(); print(repr(k), repr(k.value))"
    known = {} if value is None else {"KIE_WEBHOOK_HMAC_KEY": value}
    run = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": PACKAGE, **known},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"Secret() {key!r}\n"


# --- the sandbox's own callbacks -----------------------------------------------------------------


class Post:
    """Sends the sandbox's callbacks; `statuses` is what they were answered with."""

    def __init__(self) -> None:
        self.statuses: queue.Queue[int] = queue.Queue()

    async def __call__(self, url: str, data: bytes, headers: dict[str, str]) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
            answer = await client.post(url, content=data, headers=headers)
        self.statuses.put(answer.status_code)
        if answer.status_code != 200:
            raise NotDelivered

    def answered(self, count: int) -> list[int]:
        return [self.statuses.get(timeout=PATIENCE) for _ in range(count)]


@contextlib.contextmanager
def called_back(
    store: Path, receiver: Receiver, *faults: dict[str, Any], key: str | None = KEY
) -> Iterator[tuple[Post, str]]:
    """A task is made that calls the receiver; gives who carries the callbacks, and the task."""
    post = Post()
    rules = [{"on": "create", "do": {"task": {"takes": 10}, **fault}} for fault in faults]
    sandbox = Sandbox(
        {MODEL: SCHEMA},
        store,
        speed=100.0,
        faults=make_faults({"rules": rules}),
        webhook_key=key,
        send_callback=post,
    )
    with serving(sandbox) as url:
        asked = create_body(callback=f"{receiver.url}?attempt={ATTEMPT}")
        answer = httpx.post(url + CREATE, json=asked, headers=HEADERS).json()
        yield post, answer["data"]["taskId"]


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ({}, [200]),
        ({"callback": "late", "by": 20}, [200]),
        ({"callback": "doubled", "by": 5}, [200, 200]),
        ({"callback": "forged", "by": 5}, [401, 401, 401, 401, 200]),
    ],
)
def test_the_sandbox_is_heard_once_and_its_forgeries_never(
    tmp_path: Path, fault: dict[str, Any], statuses: list[int]
) -> None:
    with listen(KEY) as receiver, called_back(tmp_path, receiver, fault) as (post, task_id):
        assert post.answered(len(statuses)) == statuses
        assert told(receiver, KEY) == [Claim(ATTEMPT, task_id, signed=True)]


def test_a_sandbox_with_another_key_is_not_heard(tmp_path: Path) -> None:
    with listen(KEY) as receiver, called_back(tmp_path, receiver, {}, key="old") as (post, _):
        assert post.answered(4) == [401] * 4
        assert told(receiver, KEY) == []


def test_without_keys_on_either_side_it_is_heard_unsigned(tmp_path: Path) -> None:
    with listen() as receiver, called_back(tmp_path, receiver, {}, key=None) as (post, task_id):
        assert post.answered(1) == [200]
        assert told(receiver) == [Claim(ATTEMPT, task_id, signed=False)]
