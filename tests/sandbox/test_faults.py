"""Scripted faults: what the sandbox does wrong on purpose, in process and on a port."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from kiejobs.adapters.sandbox import required_faults
from kiejobs.core.diagnostics import Diagnostic, InvalidJobFile
from kiejobs.core.document.nodes import Source
from kiejobs.sandbox.asgi import ConnectionLost
from kiejobs.sandbox.faults import read_faults
from tests.support.sandbox_served import serving
from tests.support.sandbox_stage import (
    CREATE,
    FAULTS,
    HEADERS,
    RECORD,
    START,
    RealClock,
    Stage,
    create_body,
    make_faults,
)

if TYPE_CHECKING:
    from pathlib import Path

EDITOR = Draft202012Validator(FAULTS)
CODES = [400, 401, 402, 404, 422, 429, 433, 455, 500, 501, 505]


def rule(do: dict[str, Any], on: str = "create", **more: Any) -> dict[str, Any]:
    return {"on": on, "do": do, **more}


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_each_code_comes_in_the_body_of_an_http_200_and_is_not_charged(tmp_path: Path, code: int) -> None:
    stage = Stage(tmp_path, rule({"code": code}))
    response = stage.request("POST", CREATE, json=create_body())
    answer = response.json()
    assert (response.status_code, answer["code"], answer["data"]) == (200, code, None)
    assert answer["msg"]
    assert stage.charges() == []
    assert stage.requests()[0]["code"] == code
    assert stage.requests()[0]["fault"] == "code"


def test_a_code_may_have_its_own_words_status_and_delay(tmp_path: Path) -> None:
    do = {"code": 429, "msg": "slow down", "http_status": 429, "retry_after": 2.5}
    response = Stage(tmp_path, rule(do)).request("POST", CREATE, json=create_body())
    assert response.status_code == 429
    assert response.headers["retry-after"] == "2.5"
    assert response.json()["msg"] == "slow down"


def test_200_is_a_success_without_an_id_and_is_charged(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"code": 200}))
    assert stage.create() == {"code": 200, "msg": "success", "data": {}}
    assert len(stage.charges()) == 1
    assert stage.requests()[0]["task_id"] == stage.charges()[0]["task_id"]


@pytest.mark.parametrize(
    ("do", "charged"),
    [
        ({"code": 500}, False),
        ({"code": 500, "accept": True}, True),
        ({"code": 200, "accept": False}, False),
        ({"http": 502}, False),
        ({"http": 502, "accept": True}, True),
        ({"html": True}, False),
        ({"html": True, "accept": True}, True),
        ({"garbage": True}, True),
        ({"garbage": True, "accept": False}, False),
        ({"slow_bytes": 10}, True),
    ],
)
def test_accept_says_whether_a_create_is_charged_all_the_same(
    tmp_path: Path,
    do: dict[str, Any],
    charged: bool,  # noqa: FBT001 - a table
) -> None:
    stage = Stage(tmp_path, rule(do))
    stage.request("POST", CREATE, json=create_body())
    assert len(stage.charges()) == charged


@pytest.mark.parametrize(
    ("body", "media_type", "start"),
    [
        (None, "text/html", "<!DOCTYPE html>"),
        ("html", "text/html", "<!DOCTYPE html>"),
        ("text", "text/plain", "502 "),
        ("empty", "text/plain", ""),
        ("json", "application/json", '{"status":502'),
    ],
)
def test_a_bare_http_error_has_no_envelope(
    tmp_path: Path, body: str | None, media_type: str, start: str
) -> None:
    do = {"http": 502} if body is None else {"http": 502, "body": body}
    response = Stage(tmp_path, rule(do)).request("POST", CREATE, json=create_body())
    assert response.status_code == 502
    assert response.headers["content-type"].startswith(media_type)
    assert response.text.startswith(start)
    assert '"code"' not in response.text


def test_a_web_page_may_come_as_a_success(tmp_path: Path) -> None:
    response = Stage(tmp_path, rule({"html": True})).request("POST", CREATE, json=create_body())
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


def test_garbage_is_called_json_and_is_none(tmp_path: Path) -> None:
    response = Stage(tmp_path, rule({"garbage": True})).request("POST", CREATE, json=create_body())
    assert response.headers["content-type"].startswith("application/json")
    with pytest.raises(ValueError, match=r"codec|Expecting|Unterminated|Invalid"):
        response.json()


@pytest.mark.parametrize(
    ("do", "charged"),
    [
        ({"lose_reply": "before_accept"}, 0),
        ({"lose_reply": "after_accept"}, 1),
        ({"hang": "before", "seconds": 5}, 0),
        ({"hang": "after"}, 1),
        ({"truncate": 0}, 1),
        ({"truncate": 25}, 1),
    ],
)
def test_a_reply_that_never_comes_whole_is_a_lost_connection(
    tmp_path: Path, do: dict[str, Any], charged: int
) -> None:
    stage = Stage(tmp_path, rule(do))
    with pytest.raises(ConnectionLost):
        stage.create()
    assert len(stage.charges()) == charged
    assert stage.requests()[0]["fault"] == next(iter(do))
    waited = {"hang": do.get("seconds", 3600)}.get(next(iter(do)), 0)
    assert stage.clock.now() == START + waited


def test_the_charge_is_on_disk_before_the_reply_is_lost(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"lose_reply": "after_accept"}, times=1))
    with pytest.raises(ConnectionLost):
        stage.create()
    task_id = stage.charges()[0]["task_id"]
    assert stage.record(task_id)["code"] == 200
    assert stage.create()["code"] == 200
    assert [line["seq"] for line in stage.charges()] == [1, 2]


def test_slow_bytes_take_their_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"slow_bytes": 50}), speed=2)
    size = len(json.dumps(stage.create(), separators=(",", ":")))
    assert stage.clock.now() == START + -(-size // 50) / 2


def test_a_fault_of_a_refused_create_charges_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"lose_reply": "after_accept"}))
    with pytest.raises(ConnectionLost):
        stage.create(resolution="8K")
    assert stage.charges() == []


@pytest.mark.parametrize("do", [{"code": 429}, {"http": 502}, {"html": True}])
def test_polls_balance_and_uploads_can_fail_too(tmp_path: Path, do: dict[str, Any]) -> None:
    rules = [rule(do, kind) for kind in ("poll", "credit", "upload")]
    stage = Stage(tmp_path, *rules)
    task_id = stage.made()
    stage.request("GET", RECORD, params={"taskId": task_id})
    stage.request("GET", "/api/v1/chat/credit")
    stage.request("POST", "/api/file-url-upload", json={})
    assert [line["fault"] for line in stage.requests()] == [None, *[next(iter(do))] * 3]


# --- when ----------------------------------------------------------------------------------------


def _codes(stage: Stage, count: int = 6) -> list[int]:
    return [stage.create()["code"] for _ in range(count)]


@pytest.mark.parametrize(
    ("when", "more", "codes"),
    [
        ({}, {}, [455] * 6),
        ({"nth": 2}, {}, [200, 455, 200, 200, 200, 200]),
        ({"nth": [2, 5]}, {}, [200, 455, 200, 200, 455, 200]),
        ({"every": 3}, {}, [200, 200, 455, 200, 200, 455]),
        ({"chance": 0}, {}, [200] * 6),
        ({"chance": 1}, {}, [455] * 6),
        ({}, {"times": 2}, [455, 455, 200, 200, 200, 200]),
        ({"every": 2, "nth": [2, 3]}, {}, [200, 455, 200, 200, 200, 200]),
    ],
)
def test_a_rule_fires_when_all_its_conditions_hold(
    tmp_path: Path, when: dict[str, Any], more: dict[str, Any], codes: list[int]
) -> None:
    assert _codes(Stage(tmp_path, rule({"code": 455}, when=when, **more))) == codes


def test_a_rule_counts_the_requests_that_match_its_patterns(tmp_path: Path) -> None:
    when = {"match": {"prompt": "*steam*", "duration": "10"}, "nth": 2}
    stage = Stage(tmp_path, rule({"code": 455}, when=when))
    prompts = ["white steam", "tea", "steam", "steam", "tea"]
    assert [stage.create(prompt=p, duration="10")["code"] for p in prompts] == [
        200, 200, 455, 200, 200,
    ]  # fmt: skip
    assert stage.create(prompt="steam")["code"] == 200


def test_polls_and_downloads_match_the_input_of_their_task(tmp_path: Path) -> None:
    when = {"match": {"prompt": "bad*"}}
    stage = Stage(tmp_path, rule({"http": 503}, "poll", when=when), rule({"status": 404}, "download"))
    good, bad = stage.made(prompt="good"), stage.made(prompt="bad one")
    polls = [stage.request("GET", RECORD, params={"taskId": t}).status_code for t in (good, bad)]
    assert polls == [200, 503]
    assert stage.request("GET", stage.result_url()).status_code == 404


def test_chance_is_drawn_from_the_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        draws = make_faults({"seed": seed, "rules": [rule({"code": 429}, when={"chance": 0.3})]})
        return [draws.draw("create", {})[0] is not None for _ in range(1000)]

    assert drawn(7) == drawn(7) != drawn(8)
    assert 250 < sum(drawn(7)) < 350


def test_rules_work_together_and_the_first_wins(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        rule({"task": "fail", "fail_msg": "first"}),
        rule({"task": "fail", "fail_code": 422, "fail_msg": "second"}),
        rule({"code": 455}, when={"nth": 2}),
        rule({"code": 429}, when={"nth": 2}),
    )
    assert _codes(stage, 3) == [200, 455, 200]
    assert stage.charges()[0]["fate"] == {
        "end": "fail",
        "fail_msg": "first",
        "fail_code": "422",
    }


# --- tasks ---------------------------------------------------------------------------------------


def test_a_task_may_fail_and_its_credits_come_back(tmp_path: Path) -> None:
    do = {"task": "fail", "fail_code": 400, "fail_msg": "No valid characters"}
    stage = Stage(tmp_path, rule(do))
    task_id = stage.made()
    assert stage.balance() == 10_000 - 16
    stage.clock.passes(100)
    data = stage.record(task_id)["data"]
    assert (data["state"], data["resultJson"]) == ("fail", "")
    assert (data["failCode"], data["failMsg"]) == ("400", "No valid characters")
    assert data["creditsConsumed"] == 0.0
    assert data["completeTime"] is not None
    assert stage.balance() == 10_000


def test_what_comes_back_to_an_account_that_was_filled_again_adds_nothing(tmp_path: Path) -> None:
    first = Stage(tmp_path, rule({"task": "fail"}))
    first.made()
    again = Stage(tmp_path, clock=first.clock, credits=Decimal(20), refills=True)
    first.clock.passes(100)
    assert again.balance() == 20


def test_a_fate_outlives_the_process(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"task": "fail"}))
    task_id = stage.made()
    stage.clock.passes(100)
    later = Stage(tmp_path, clock=stage.clock)
    assert later.record(task_id)["data"]["state"] == "fail"
    assert later.record(task_id)["data"]["failCode"] == "500"


def test_a_stalled_task_never_ends(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"task": "stall"}))
    task_id = stage.made()
    stage.clock.passes(1e6)
    assert stage.record(task_id)["data"]["state"] in {"waiting", "generating"}


def test_a_vanished_task_is_charged_and_never_known(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"task": "vanish"}))
    task_id = stage.made()
    for _ in range(3):
        assert stage.record(task_id)["msg"] == "recordInfo is null"
        stage.clock.passes(100)
    assert stage.charges()[0]["task_id"] == task_id


def test_a_task_may_be_unknown_at_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"task": {"unknown_for": 5}}), speed=2)
    task_id = stage.made()
    assert stage.record(task_id)["code"] == 422
    stage.clock.passes(2.4)
    assert stage.record(task_id)["code"] == 422
    stage.clock.passes(0.1)
    assert stage.record(task_id)["code"] == 200


@pytest.mark.parametrize(("more", "word"), [({}, "archived"), ({"state": "paused"}, "paused")])
def test_a_task_may_be_in_a_state_that_nobody_knows(tmp_path: Path, more: dict[str, str], word: str) -> None:
    stage = Stage(tmp_path, rule({"task": "unknown_state", **more}))
    task_id = stage.made()
    stage.clock.passes(30)
    assert stage.record(task_id)["data"]["state"] == word
    stage.clock.passes(70)
    assert stage.record(task_id)["data"]["state"] == "success"


def test_a_task_may_take_as_long_as_is_said(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"task": {"takes": 300}}))
    task_id = stage.made()
    stage.clock.passes(299)
    assert stage.record(task_id)["data"]["state"] in {"waiting", "generating"}
    stage.clock.passes(1)
    assert stage.record(task_id)["data"]["costTime"] == 300


# --- downloads -----------------------------------------------------------------------------------


def _download(tmp_path: Path, do: dict[str, Any], **how: Any) -> tuple[httpx.Response, bytes]:
    """The answer under this fault, and the true file."""
    stage = Stage(tmp_path, rule(do, "download", times=1))
    url = stage.result_url()
    faulty = stage.request("GET", url, **how)
    return faulty, stage.request("GET", url).content


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_file_may_be_refused(tmp_path: Path, status: int) -> None:
    response, _ = _download(tmp_path, {"status": status})
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")


def test_a_file_may_really_be_shorter(tmp_path: Path) -> None:
    response, true = _download(tmp_path, {"cut": 100}, headers={"range": "bytes=90-"})
    assert response.content == true[90:100]
    assert response.headers["content-range"] == "bytes 90-99/100"


def test_a_file_may_have_the_wrong_type(tmp_path: Path) -> None:
    response, true = _download(tmp_path, {"wrong_type": "text/html"})
    assert response.headers["content-type"] == "text/html"
    assert response.content == true


def test_a_page_may_stand_where_the_file_was(tmp_path: Path) -> None:
    response, _ = _download(tmp_path, {"html": True})
    assert response.status_code == 200
    assert response.text.startswith("<!DOCTYPE html>")


def test_a_download_may_be_sent_elsewhere(tmp_path: Path) -> None:
    response, _ = _download(tmp_path, {"redirect": "http://169.254.169.254/"})
    assert response.status_code == 302
    assert response.headers["location"] == "http://169.254.169.254/"


def test_ranges_may_be_unknown(tmp_path: Path) -> None:
    response, true = _download(tmp_path, {"no_ranges": True}, headers={"range": "bytes=5-"})
    assert (response.status_code, response.content) == (200, true)
    assert "accept-ranges" not in response.headers


def test_a_download_may_be_slow(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"slow": 1000}, "download"))
    url = stage.result_url()
    began = stage.clock.now()
    size = len(stage.request("GET", url).content)
    assert stage.clock.now() - began == -(-size // 1000)


@pytest.mark.parametrize(
    "do",
    [
        {"truncate": 10},
        {"wrong_length": 5},
        {"stall": True, "seconds": 9},
        {"lose_reply": "after_accept"},
        {"hang": "before"},
    ],
)
def test_a_download_may_break_off(tmp_path: Path, do: dict[str, Any]) -> None:
    stage = Stage(tmp_path, rule(do, "download", times=1))
    url = stage.result_url()
    with pytest.raises(ConnectionLost):
        stage.request("GET", url)
    assert stage.request("GET", url).status_code == 200


# --- callbacks -----------------------------------------------------------------------------------

HOOK = "http://localhost:9/hook"
Came = list[tuple[float, dict[str, Any], dict[str, str]]]


def _callbacks(tmp_path: Path, do: dict[str, Any], count: int) -> Came:
    """The first `count` callbacks of one task that takes 60 s: when, body, headers."""
    came: Came = []
    done = asyncio.Event()

    async def take(_url: str, body: bytes, headers: dict[str, str]) -> None:
        came.append((stage.clock.now() - START, json.loads(body), headers))
        if len(came) == count:
            done.set()

    rules = (rule({"task": {"takes": 60}}), rule(do))
    stage = Stage(tmp_path, *rules, send_callback=take, webhook_key="hmac-key")

    async def scene(client: httpx.AsyncClient) -> None:
        await client.post(CREATE, json=create_body(callback=HOOK))
        await done.wait()

    stage.play(scene)
    return came


def _signature_is_good(body: dict[str, Any], headers: dict[str, str]) -> bool:
    message = f"{body['data']['taskId']}.{headers['x-webhook-timestamp']}".encode()
    digest = hmac.digest(b"hmac-key", message, hashlib.sha256)
    return headers["x-webhook-signature"] == base64.b64encode(digest).decode()


def test_a_callback_of_a_failed_task_says_501_and_null(tmp_path: Path) -> None:
    _, body, _ = _callbacks(tmp_path, {"task": "fail", "fail_msg": "no"}, 1)[0]
    assert (body["code"], body["msg"]) == (501, "Playground task failed.")
    assert body["data"]["resultJson"] is None
    assert body["data"]["failMsg"] == "no"


def test_a_callback_may_be_late(tmp_path: Path) -> None:
    ((moment, body, headers),) = _callbacks(tmp_path, {"callback": "late", "by": 30}, 1)
    assert moment == 90
    assert body["data"]["costTime"] == 60
    assert _signature_is_good(body, headers)


def test_a_callback_may_come_twice(tmp_path: Path) -> None:
    first, second = _callbacks(tmp_path, {"callback": "doubled", "by": 7}, 2)
    assert (first[0], second[0]) == (60, 67)
    assert first[1] == second[1]


def test_a_callback_may_be_forged(tmp_path: Path) -> None:
    forged, true = _callbacks(tmp_path, {"callback": "forged", "by": 3}, 2)
    assert (forged[0], true[0]) == (3, 60)
    assert forged[1]["data"]["state"] == "success"
    assert "forged.invalid" in forged[1]["data"]["resultJson"]
    assert not _signature_is_good(*forged[1:])
    assert _signature_is_good(*true[1:])
    assert forged[1]["data"]["taskId"] == true[1]["data"]["taskId"]


@pytest.mark.parametrize("do", [{"callback": "none"}, {"task": "stall"}, {"task": "vanish"}])
def test_a_callback_may_never_come(tmp_path: Path, do: dict[str, Any]) -> None:
    came: list[str] = []
    quiet = rule(do, when={"match": {"prompt": "quiet"}})
    arrived = asyncio.Event()

    async def take(_url: str, body: bytes, _headers: dict[str, str]) -> None:
        came.append(json.loads(body)["data"]["param"])
        arrived.set()

    stage = Stage(tmp_path, quiet, send_callback=take)

    async def scene(client: httpx.AsyncClient) -> None:
        await client.post(CREATE, json=create_body(callback=HOOK, prompt="quiet"))
        await client.post(CREATE, json=create_body(callback=HOOK, prompt="loud"))
        await arrived.wait()
        await asyncio.sleep(0)

    stage.play(scene)
    assert len(came) == 1
    assert "loud" in came[0]


# --- on a port -----------------------------------------------------------------------------------


def _raw(url: str, path: str, body: dict[str, Any] | None) -> bytes:
    """Everything that a plain socket receives until the other side closes it."""
    data = json.dumps(body).encode() if body else b""
    verb = "POST" if body else "GET"
    head = [f"{verb} {path} HTTP/1.1", "Host: sandbox", f"Content-Length: {len(data)}"]
    head += [f"{name}: {value}" for name, value in HEADERS.items()]
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall("\r\n".join([*head, "", ""]).encode() + data)
        received = b""
        while chunk := sock.recv(65536):
            received += chunk
    return received


@pytest.mark.parametrize(
    ("do", "charged"),
    [
        ({"lose_reply": "before_accept"}, 0),
        ({"lose_reply": "after_accept"}, 1),
        ({"hang": "after", "seconds": 100}, 1),
    ],
)
def test_on_a_port_a_lost_reply_is_a_closed_socket_without_a_byte(
    tmp_path: Path, do: dict[str, Any], charged: int
) -> None:
    stage = Stage(tmp_path, rule(do), clock=RealClock(), speed=1000)
    with serving(stage.app) as url:
        assert _raw(url, CREATE, create_body()) == b""
        assert len(stage.charges()) == charged
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(url + CREATE, json=create_body(), headers=HEADERS)
        assert httpx.get(f"{url}/api/v1/chat/credit", headers=HEADERS).status_code == 200


def test_on_a_port_a_truncated_reply_ends_in_the_middle(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"truncate": 25}), clock=RealClock())
    with serving(stage.app) as url:
        head, _, body = _raw(url, CREATE, create_body()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert body == b'{"code":200,"msg":"success","data":'[:25]
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(url + CREATE, json=create_body(), headers=HEADERS)
    assert len(stage.charges()) == 2


@pytest.mark.parametrize("do", [{"truncate": 100}, {"wrong_length": 9}, {"stall": True}])
def test_on_a_port_a_broken_download_is_shorter_than_it_says(tmp_path: Path, do: dict[str, Any]) -> None:
    stage = Stage(tmp_path, rule(do, "download"), clock=RealClock(), speed=1e5)
    with serving(stage.app) as url:
        task_id = httpx.post(url + CREATE, json=create_body(), headers=HEADERS).json()["data"]
        data: dict[str, Any] = {"state": ""}
        while data["state"] != "success":
            path = f"{url}{RECORD}?taskId={task_id['taskId']}"
            data = httpx.get(path, headers=HEADERS).json()["data"]
        result = json.loads(data["resultJson"])["resultUrls"][0]
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(result, headers=HEADERS)


def test_on_a_port_a_client_that_leaves_ends_the_silence(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"hang": "after"}, times=1), clock=RealClock())
    with serving(stage.app) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url + CREATE, json=create_body(), headers=HEADERS, timeout=0.2)
        assert httpx.get(f"{url}/api/v1/chat/credit", headers=HEADERS).json()["data"] == 9984.0


def test_a_server_that_stops_does_not_wait_for_its_silences(tmp_path: Path) -> None:
    stage = Stage(tmp_path, rule({"hang": "after"}), clock=RealClock())
    with serving(stage.app) as url:
        host, port = url.removeprefix("http://").split(":")
        sock = socket.create_connection((host, int(port)), timeout=10)
        body = json.dumps(create_body())
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        text = f"POST {CREATE} HTTP/1.1\r\nContent-Length: {len(body)}\r\n{head}Host: x\r\n\r\n"
        sock.sendall((text + body).encode())
        while not stage.charges():
            pass
    assert sock.recv(100) == b""
    sock.close()


# --- the file ------------------------------------------------------------------------------------

GOOD: list[Any] = [
    {"rules": []},
    {"seed": -3, "rules": [], "x-anchors": {"a": 1}},
    *({"rules": [rule({"code": code})]} for code in (200, *CODES)),
    *(
        {"rules": [rule(do)]}
        for do in (
            {"code": 429, "msg": "m", "http_status": 429, "retry_after": 0.5, "accept": False},
            {"http": 502, "body": "html", "accept": True},
            {"lose_reply": "after_accept"},
            {"hang": "before", "seconds": 0},
            {"truncate": 0},
            {"html": True},
            {"garbage": True, "accept": False},
            {"slow_bytes": 1},
            {"task": "fail", "fail_code": "500", "fail_msg": "Internal Error"},
            {"task": "fail", "fail_code": 500},
            {"task": {"unknown_for": 5}},
            {"task": {"takes": 0.5}, "callback": "late", "by": 3, "code": 200},
            {"task": "unknown_state", "state": "paused"},
            {"callback": "none"},
            {"task": "stall", "lose_reply": "after_accept"},
        )
    ),
    *(
        {"rules": [rule(do, "download")]}
        for do in (
            {"status": 404},
            {"truncate": 5},
            {"cut": 5},
            {"wrong_length": 1},
            {"wrong_type": "text/html"},
            {"stall": True, "seconds": 3},
            {"slow": 10},
            {"redirect": "http://example.com/"},
            {"no_ranges": True},
            {"html": True},
            {"lose_reply": "before_accept"},
            {"hang": "after"},
        )
    ),
    *({"rules": [rule({"code": 455}, kind)]} for kind in ("poll", "upload", "credit")),
    {"rules": [rule({"code": 455}, when={"nth": [1, 2], "every": 2, "chance": 0.5}, times=1)]},
    {"rules": [rule({"code": 455}, when={"match": {"prompt": "*"}})]},
]

BAD: list[tuple[Any, str]] = [
    ([], "a mapping, not a list"),
    ({}, "`rules` is missing"),
    ({"rules": {}}, "`rules` must be a list"),
    ({"rules": [], "sed": 1}, "unknown key `sed` in a fault file"),
    ({"rules": [], "seed": "x"}, "`seed` must be a whole number"),
    ({"rules": ["x"]}, "`rules[0]` must be a mapping"),
    ({"rules": [{"do": {"code": 500}}]}, "`on` is missing in `rules[0]`"),
    ({"rules": [rule({"code": 500}, "creat")]}, "`rules[0].on` must be one of create, poll"),
    ({"rules": [{"on": "create"}]}, "`do` is missing in `rules[0]`"),
    ({"rules": [rule({})]}, "say what is to happen"),
    ({"rules": [{"on": "create", "do": 5}]}, "`rules[0].do` must be a mapping"),
    ({"rules": [rule({"status": 404})]}, "`status` in `rules[0].do` must be one of code, http"),
    ({"rules": [rule({"code": 404}, "download")]}, "must be one of status, truncate"),
    ({"rules": [rule({"task": "fail"}, "poll")]}, "`task` in `rules[0].do` must be one of code"),
    ({"rules": [rule({"code": "500"})]}, "`rules[0].do.code` must be a whole number"),
    ({"rules": [rule({"code": True})]}, "`rules[0].do.code` must be a whole number"),
    ({"rules": [rule({"code": 500.5})]}, "`rules[0].do.code` must be a whole number"),
    ({"rules": [rule({"code": 100})]}, "`rules[0].do.code` is 100; at least 200 is needed"),
    ({"rules": [rule({"code": 500, "http": 502})]}, "to the answer one of code, http"),
    ({"rules": [rule({"code": 500, "seconds": 2})]}, "`seconds` needs hang or stall"),
    ({"rules": [rule({"hang": "after", "accept": True})]}, "`accept` needs code, http"),
    ({"rules": [rule({"http": 502, "msg": "x"})]}, "`msg` needs it"),
    ({"rules": [rule({"truncate": 1, "cut": 1}, "download")]}, "one of status, truncate, cut"),
    ({"rules": [rule({"http": 502, "body": "pdf"})]}, "must be one of html, text"),
    ({"rules": [rule({"html": False})]}, "`rules[0].do.html` must be true"),
    ({"rules": [rule({"hang": "after", "seconds": -1})]}, "is -1; at least 0 is needed"),
    ({"rules": [rule({"truncate": -1})]}, "`rules[0].do.truncate` is -1; at least 0 is needed"),
    ({"rules": [rule({"task": "die"})]}, "must be one of fail, stall"),
    ({"rules": [rule({"task": {"takes": 1, "unknown_for": 2}})]}, "at most 1 are allowed"),
    ({"rules": [rule({"task": {}})]}, "`rules[0].do.task` is empty"),
    ({"rules": [rule({"callback": "late", "by": "soon"})]}, "`rules[0].do.by` must be a number"),
    ({"rules": [rule({"redirect": "http://exämple"}, "download")]}, "printable ASCII only"),
    ({"rules": [rule({"code": 500}, time=1)]}, "unknown key `time` in `rules[0]`"),
    ({"rules": [rule({"code": 500}, times=0)]}, "`rules[0].times` is 0; at least 1 is needed"),
    ({"rules": [rule({"code": 500}, when=2)]}, "`rules[0].when` must be a mapping"),
    ({"rules": [rule({"code": 500}, when={"nht": 1})]}, "unknown key `nht` in `rules[0].when`"),
    ({"rules": [rule({"code": 500}, when={"nth": 0})]}, "`rules[0].when.nth` is 0"),
    ({"rules": [rule({"code": 500}, when={"nth": []})]}, "`rules[0].when.nth` is empty"),
    ({"rules": [rule({"code": 500}, when={"chance": 5})]}, "is 5; at most 1 is allowed"),
    ({"rules": [rule({"code": 500}, when={"match": {}})]}, "`rules[0].when.match` is empty"),
    (
        {"rules": [rule({"code": 500}, "credit", when={"match": {"prompt": "*"}})]},
        "the balance are about no task",
    ),
]


def refused(text: str) -> list[Diagnostic]:
    faults, problems = read_faults(Source("faults.yaml", text.encode()), FAULTS)
    assert faults is None
    return problems


@pytest.mark.parametrize("value", GOOD, ids=json.dumps)
def test_a_good_script_is_taken_and_the_editor_agrees(value: Any) -> None:
    assert len(make_faults(value).rules) == len(value["rules"])
    assert list(EDITOR.iter_errors(value)) == []


@pytest.mark.parametrize(("value", "text"), BAD, ids=lambda part: json.dumps(part)[:60])
def test_a_bad_script_is_refused_in_one_word_and_the_editor_agrees(value: Any, text: str) -> None:
    (problem,) = refused(json.dumps(value, ensure_ascii=False))
    assert problem.code == "fault"
    assert text in f"{problem.message}; {problem.hint}"
    assert not EDITOR.is_valid(value)


def test_the_editors_schema_is_one() -> None:
    Draft202012Validator.check_schema(FAULTS)


def test_a_fault_file_is_yaml_in_which_on_is_a_word() -> None:
    text = b"""
seed: 7
rules:
  - on: create
    when: {nth: [2, 5]}
    do: {code: 429, retry_after: 3}
"""
    draws, _ = read_faults(Source("faults.yaml", text), FAULTS)
    assert draws is not None
    hits = [draws.draw("create", {})[0] is not None for _ in range(5)]
    assert hits == [False, True, False, False, True]


def test_a_number_without_a_fraction_is_a_whole_one(tmp_path: Path) -> None:
    do = {"code": 429.0, "http_status": 429.0, "retry_after": 3.0}
    stage = Stage(tmp_path, rule(do, when={"nth": 2.0}), rule({"cut": 5.0}, "download"))
    assert _codes(stage, 2) == [200, 429]
    assert len(stage.request("GET", stage.result_url()).content) == 5


def test_each_problem_of_a_fault_file_is_told_at_its_place() -> None:
    problems = refused(
        """
rules:
  - on: create
    do: {code: 9}
  - on: poll
    doo: {code: 500}
  - on: upload
    when: {match: {prompt: x}}
    do: {loose_reply: after_accept}
"""
    )
    assert sorted((str(problem.place), problem.message[:40]) for problem in problems) == [
        ("faults.yaml:4:16", "`rules[0].do.code` is 9; at least 200 is"),
        ("faults.yaml:6:5", "unknown key `doo` in `rules[1]`"),
        ("faults.yaml:8:12", "the name `match` in `rules[2].when` has "),
        ("faults.yaml:9:10", "the name `loose_reply` in `rules[2].do` "),
    ]
    assert [p.hint for p in problems if "loose_reply" in p.message] == ["did you mean `lose_reply`?"]


def test_what_only_goes_with_something_else_is_no_fault() -> None:
    problems = refused(json.dumps({"rules": [rule({"accept": True})]}))
    assert [problem.hint for problem in problems] == [
        "`accept` needs code, http, html or garbage",
        (
            "say what is to happen: to the answer one of code, http, lose_reply, hang, truncate, html, "
            "garbage, slow_bytes; to the task task, charge, callback"
        ),
    ]


def test_what_is_wrong_with_the_named_file_ends_the_command(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("rules: [{on: create, do: {code: 9}}]")
    with pytest.raises(InvalidJobFile) as caught:
        required_faults(str(file))
    assert [problem.code for problem in caught.value.problems] == ["fault"]
    assert caught.value.problems.lines[str(file)] == [file.read_text()]
    file.write_text("rules: [{on: create, do: {code: 500}}]")
    assert len(required_faults(str(file)).rules) == 1


@pytest.mark.parametrize("text", ["", "rules: [", "\0", "rules: [{on: create, do: {seconds: .nan}}]"])
def test_a_file_that_is_no_yaml_is_refused(text: str) -> None:
    assert refused(text)
