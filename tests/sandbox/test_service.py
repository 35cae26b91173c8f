"""The imitated API on its good days: shapes, refusals, memory, files, uploads, callbacks."""

from __future__ import annotations

import asyncio
import base64
import copy
import hashlib
import hmac
import json
import math
import os
import re
import subprocess
import sys
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from kiejobs.adapters.project.models import bundled_prices
from kiejobs.core.prices.table import ModelPrice, PriceLine, PriceTable
from kiejobs.core.urls import is_loopback
from kiejobs.sandbox.app import NotDelivered
from kiejobs.sandbox.jobs import UNLISTED, Model, credits_for
from kiejobs.sandbox.tasks import HEALTHY, Charges, Task, status_of
from tests.docs.regenerate import models
from tests.support.building import least, most
from tests.support.forked import PACKAGE
from tests.support.sandbox_served import read_charges, serving
from tests.support.sandbox_stage import (
    CREATE,
    HEADERS,
    INPUT,
    MODEL,
    RECORD,
    SCHEMA,
    START,
    FakeClock,
    RealClock,
    Stage,
    create_body,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "store")


# --- creating ------------------------------------------------------------------------------------


def test_a_create_answers_with_the_same_id_under_two_names(stage: Stage) -> None:
    answer = stage.create()
    task_id = answer["data"]["taskId"]
    assert answer == {
        "code": 200,
        "msg": "success",
        "data": {"taskId": task_id, "recordId": task_id},
    }
    assert re.fullmatch("[0-9a-f]{32}", task_id)


def test_the_charge_log_has_what_was_received_and_its_price(stage: Stage) -> None:
    task_id = stage.made(duration="10", colour="blue", callback="http://127.0.0.1:9/hook?a=1")
    assert stage.charges() == [
        {
            "seq": 1,
            "at": "2027-01-15T08:00:00.000Z",
            "task_id": task_id,
            "model": MODEL,
            "input": {**INPUT, "duration": "10", "colour": "blue"},
            "callBackUrl": "http://127.0.0.1:9/hook?a=1",
            "credits": "36.5",
            "speed": 1.0,
            "fate": {},
        }
    ]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"prompt": "x" * 41}, "The text length cannot exceed the maximum limit"),
        ({"prompt": ""}, "This field is required"),
        ({"prompt": None}, "This field is required"),
        ({"prompt": 5}, "This field is required"),
        ({"resolution": "720P"}, "resolution is not within the range of allowed options"),
        ({"duration": 5}, "duration is not within the range of allowed options"),
        ({"seed": -1}, "Value must be within the specified range"),
        ({"resolution": "1080p", "seed": 10}, "Value must be within the specified range"),
        ({"prompt": "x" * 41, "seed": -1}, "The text length cannot exceed the maximum limit"),
        ({"seed": -1, "resolution": "8K"}, "resolution is not within the range of allowed options"),
    ],
)
def test_one_slip_is_told_as_code_500_in_the_schemas_order_and_costs_nothing(
    stage: Stage, fields: dict[str, Any], text: str
) -> None:
    response = stage.request("POST", CREATE, json=create_body(**fields))
    assert response.status_code == 200
    assert response.json() == {"code": 500, "msg": text, "data": None}
    assert stage.charges() == []


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ({"model": MODEL, "input": {"image_url": "x"}}, 500, "prompt is required"),
        ({"model": MODEL, "input": {"prompt": "x"}}, 500, "image_url is required"),
        ({"model": MODEL, "input": {}}, 500, "prompt is required"),
        ({"model": MODEL}, 500, "input is required"),
        ({"model": MODEL, "input": "text"}, 500, "input is required"),
        ({"model": "acme/nightmare", "input": INPUT}, 422, "The model name you specified is not"),
        ({"model": [MODEL], "input": INPUT}, 422, "The model name you specified is not supported"),
        ({"input": INPUT}, 422, "The model name you specified is not supported"),
        ([], 422, "The model name you specified is not supported"),
    ],
)
def test_a_body_that_lacks_something_is_refused(stage: Stage, body: Any, code: int, text: str) -> None:
    answer = stage.request("POST", CREATE, json=body).json()
    assert (answer["code"], answer["data"]) == (code, None)
    assert answer["msg"].startswith(text)
    assert stage.charges() == []


def test_a_body_that_is_no_json_is_refused(stage: Stage) -> None:
    answer = stage.request("POST", CREATE, content=b"\xff{").json()
    assert answer["code"] == 422


def test_an_unknown_field_is_ignored_and_charged(stage: Stage) -> None:
    task_id = stage.made(image_urls=["wrong name"])
    param = json.loads(stage.record(task_id)["data"]["param"])
    assert "image_urls" not in json.loads(param["input"])
    assert stage.balance() == 10_000 - 16


def test_an_optional_field_may_be_null(stage: Stage) -> None:
    assert stage.create(seed=None)["code"] == 200


def test_too_few_credits_are_402_and_the_balance_is_a_float(tmp_path: Path) -> None:
    stage = Stage(tmp_path, credits=Decimal("52.5"))
    stage.made(duration="10")
    assert stage.request("GET", "/api/v1/chat/credit").text.endswith('"data":16.0}')
    stage.made()
    answer = stage.create()
    assert (answer["code"], answer["data"]) == (402, None)
    assert answer["msg"].startswith("Credits insufficient")
    assert len(stage.charges()) == 2


def test_an_account_that_refills_has_its_credits_again_and_never_more(tmp_path: Path) -> None:
    first = Stage(tmp_path, credits=Decimal(20))
    first.made()
    assert Stage(tmp_path, credits=Decimal(20)).create()["code"] == 402
    again = Stage(tmp_path, credits=Decimal(20), refills=True)
    assert again.balance() == 20
    again.made()
    assert again.create()["code"] == 402, "it is filled once"


def test_a_price_by_the_second_is_multiplied(tmp_path: Path) -> None:
    lines = (PriceLine({"resolution": "720p"}, Decimal("2.8")),)
    price = ModelPrice(MODEL, "second", lines, "made up", "2026-10", quantity="duration")
    stage = Stage(tmp_path, prices=PriceTable({MODEL: price}))
    stage.made(duration="10")
    assert [line["credits"] for line in stage.charges()] == ["28.0"]


def test_what_has_no_price_costs_nothing(stage: Stage) -> None:
    stage.made(resolution="1080p", duration="10")
    assert [line["credits"] for line in stage.charges()] == ["0"]


@pytest.mark.parametrize(
    ("unit", "value", "cost"),
    [
        ("second", "10", "28"),
        ("second", 10.0, "28"),
        ("second", 2.5, "11.2"),
        ("second", "1", "11.2"),
        ("second", "auto", "0"),
        ("second", None, "0"),
        ("second", True, "0"),
        ("1000 characters", "x" * 5000, "14"),
        ("1000 characters", "x", "11.2"),
        ("1000 characters", 5, "0"),
    ],
)
def test_at_least_the_minimum_is_paid_for(unit: str, value: Any, cost: str) -> None:
    lines = (PriceLine({"sound": "true"}, Decimal("2.8"), {"image": False}),)
    price = ModelPrice(MODEL, unit, lines, "made up", "2026-10", quantity="much", minimum=Decimal(4))
    assert credits_for(price, {"much": value, "sound": True, "image": []}) == Decimal(cost)
    assert credits_for(price, {"much": value, "sound": True, "image": ["x"]}) == UNLISTED
    assert credits_for(price, {"much": value}) == UNLISTED


def test_its_prices_are_those_that_a_plan_comes_to() -> None:
    """Two readings of one table, which share nothing but the table."""
    priced = 0
    for name, schema in models().items():
        for request_input in (least(schema), most(schema)):
            kept = Model(name, schema).filled(request_input)
            planned = bundled_prices().price(name, kept)
            priced += planned is not None
            expected = UNLISTED if planned is None else planned
            assert credits_for(bundled_prices().of(name), kept) == expected
    assert priced > 30


# --- the gate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["", "Python-urllib/3.11"])
def test_a_client_without_a_name_is_turned_away_in_plain_text(stage: Stage, agent: str) -> None:
    for path in (CREATE, "/files/a/b.mp4"):
        response = stage.request("GET", path, headers={"user-agent": agent})
        assert response.status_code == 403
        assert response.headers["content-type"].startswith("text/plain")
        assert response.text == "error code: 1010"


@pytest.mark.parametrize("header", ["", "Bearer ", "Basic abc", "test-key"])
def test_without_a_key_it_is_http_401_and_no_data_key(stage: Stage, header: str) -> None:
    response = stage.request("POST", CREATE, json={}, headers={"authorization": header})
    assert response.status_code == 401
    assert response.json().keys() == {"code", "msg"}
    assert response.json()["code"] == 401


def test_where_a_key_is_set_only_that_one_is_taken(tmp_path: Path) -> None:
    stage = Stage(tmp_path, api_key="right")
    path = "/api/v1/chat/credit"
    wrong = stage.request("GET", path, headers={"authorization": "Bearer wrong"})
    right = stage.request("GET", path, headers={"authorization": "Bearer right"})
    none = stage.request("GET", path, headers={"authorization": ""})
    assert [one.status_code for one in (none, wrong, right)] == [401, 200, 200]
    assert (wrong.json()["code"], "data" in wrong.json()) == (401, False), "as recorded"
    assert "right" not in repr(stage.app)


def test_the_21st_create_in_ten_seconds_is_429(stage: Stage) -> None:
    codes = [stage.create()["code"] for _ in range(21)]
    assert codes == [200] * 20 + [429]
    stage.clock.passes(9.9)
    assert stage.create()["code"] == 429
    stage.clock.passes(0.1)
    assert stage.create()["code"] == 200
    assert len(stage.charges()) == 21


def test_the_window_of_the_pace_shrinks_with_speed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, speed=10)
    assert [stage.create()["code"] for _ in range(21)][-1] == 429
    stage.clock.passes(1.01)
    assert stage.create()["code"] == 200


def test_the_pace_counts_what_an_earlier_process_let_through(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    for _ in range(20):
        first.made()
    second = Stage(tmp_path, clock=first.clock)
    assert second.create()["code"] == 429


def test_unknown_paths_are_404_and_wrong_methods_405(stage: Stage) -> None:
    assert stage.request("GET", "/api/v1/jobs/listTasks").json()["code"] == 404
    assert stage.request("GET", CREATE).status_code == 405
    assert stage.request("DELETE", "/files/a/b").status_code == 405


# --- asking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("states", [["waiting"], ["generating"], ["waiting", "generating"]])
def test_a_task_goes_through_the_states_of_its_script(tmp_path: Path, states: list[str]) -> None:
    stage = Stage(tmp_path, {"on": "create", "do": {"task": {"states": states}}})
    task_id = stage.made()
    seen = []
    for _ in range(20):
        seen.append(stage.record(task_id)["data"]["state"])
        stage.clock.passes(5)
    assert list(dict.fromkeys(seen)) == [*states, "success"]
    assert 8 <= len([state for state in seen if state != "success"]) <= 18


def test_without_a_script_each_recorded_order_of_states_comes() -> None:
    orders = set()
    for number in range(20):
        task = Task(1, 0.0, f"{number}", MODEL, {}, None, Decimal(0), 1.0, HEALTHY)
        orders.add(tuple(dict.fromkeys(status_of(task, at, 1.0).state for at in (0, 30, 100))))
    ends = {("waiting", "success"), ("generating", "success"), ("waiting", "generating", "success")}
    assert orders == ends


def test_a_running_record_has_the_recorded_keys_and_nulls(stage: Stage) -> None:
    data = stage.record(stage.made())["data"]
    assert list(data) == [
        "taskId", "model", "state", "param", "resultJson", "failCode", "failMsg", "costTime",
        "completeTime", "createTime", "creditsConsumed", "operationType", "successFlag", "paramJson",
    ]  # fmt: skip
    assert data["resultJson"] == ""
    assert [data[k] for k in ("failCode", "failMsg", "costTime", "completeTime")] == [None] * 4
    assert data["createTime"] == START * 1000
    assert repr(data["creditsConsumed"]) == "16.0", "in full from the first poll on"
    assert (data["operationType"], data["successFlag"], data["paramJson"]) == (MODEL, 0, data["param"])


def test_param_is_encoded_twice_shuffled_and_what_was_sent(stage: Stage) -> None:
    sent = {**INPUT, "duration": "10", "seed": 6}
    answer = stage.create(callback="http://hooks.example.com/x", duration="10", seed="6")
    param = json.loads(stage.record(answer["data"]["taskId"])["data"]["param"])
    kept = json.loads(param["input"])
    assert param["model"] == MODEL
    assert param["callBackUrl"] == "http://hooks.example.com/x"
    assert kept == sent
    assert [name for name in kept if name in sent] != list(sent)


def test_a_finished_record_has_its_url_its_time_in_seconds_and_its_price(stage: Stage) -> None:
    task_id = stage.made()
    stage.clock.passes(100)
    data = stage.record(task_id)["data"]
    url = json.loads(data["resultJson"])["resultUrls"][0]
    assert re.fullmatch(rf"http://sandbox\.invalid/files/{task_id}/[0-9a-f]{{16}}\.mp4", url)
    assert 40 <= data["costTime"] <= 90
    assert abs(data["completeTime"] - data["createTime"] - data["costTime"] * 1000) <= 500
    assert (data["creditsConsumed"], data["successFlag"], data["failCode"]) == (16.0, 1, None)
    assert data["response"] == json.loads(data["resultJson"])


def test_time_can_be_compressed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, speed=100)
    task_id = stage.made()
    stage.clock.passes(0.3)
    assert stage.record(task_id)["data"]["state"] in {"waiting", "generating"}
    stage.clock.passes(0.61)
    assert stage.record(task_id)["data"]["state"] == "success"


def test_an_unknown_task_is_422_and_no_task_is_400(stage: Stage) -> None:
    response = stage.request("GET", RECORD, params={"taskId": "0" * 32})
    assert response.status_code == 200
    assert response.json() == {"code": 422, "msg": "recordInfo is null", "data": None}
    assert stage.request("GET", RECORD).json()["code"] == 400


# --- memory --------------------------------------------------------------------------------------


def test_tasks_outlive_the_process_and_slower_time_undoes_no_end(tmp_path: Path) -> None:
    first = Stage(tmp_path, speed=100)
    task_id = first.made()
    first.clock.passes(1)
    second = Stage(tmp_path, clock=first.clock)
    assert second.record(task_id) == first.record(task_id)
    assert second.record(task_id)["data"]["state"] == "success"
    assert second.balance() == 10_000 - 16


def test_two_sandboxes_on_one_store_see_each_others_tasks(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    second = Stage(tmp_path, clock=first.clock)
    mine, theirs = first.made(), second.made()
    assert first.record(theirs)["code"] == second.record(mine)["code"] == 200
    assert [line["seq"] for line in first.charges()] == [1, 2]


def test_a_torn_last_line_is_passed_over_and_harms_no_later_one(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    kept, torn = first.made(), first.made()
    path = tmp_path / "charges.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    second = Stage(tmp_path, clock=first.clock)
    assert second.record(kept)["code"] == 200
    assert second.record(torn)["code"] == 422
    later = second.made()
    assert [task.task_id for task in read_charges(tmp_path)] == [kept, later]
    assert Stage(tmp_path).record(later)["code"] == 200


def test_reading_the_charges_of_a_store_that_is_none_makes_none(tmp_path: Path) -> None:
    assert read_charges(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys\n"
        "from tests.support.sandbox_stage import RealClock, Stage\n"
        "stage = Stage(pathlib.Path(sys.argv[1]), clock=RealClock(), speed=1e6)\n"
        "for _ in range(10):\n"
        "    stage.made()\n"
    )
    command = [sys.executable, "-P", "-c", script, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([PACKAGE, str(ROOT)])}
    runs = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(3)]
    assert [run.wait(30) for run in runs] == [0, 0, 0]
    assert sorted(task.seq for task in Charges(tmp_path).tasks.values()) == list(range(1, 31))


def test_every_request_is_logged_and_no_key_is(stage: Stage) -> None:
    task_id = stage.made()
    stage.record(task_id)
    stage.request("GET", "/files/a/b", headers={"authorization": ""})
    logged = stage.requests()
    assert [(x["method"], x["path"], x["status"], x["code"], x["task_id"]) for x in logged] == [
        ("POST", CREATE, 200, 200, task_id),
        ("GET", RECORD, 200, 200, task_id),
        ("GET", "/files/a/b", 404, None, None),
    ]
    assert [x["authorized"] for x in logged[:2]] == [True, True]
    assert "test-key" not in "".join(p.read_text() for p in stage.store.iterdir())


# --- files ---------------------------------------------------------------------------------------


def test_a_result_comes_whole_without_a_key(stage: Stage) -> None:
    response = stage.request("GET", stage.result_url(), headers={"authorization": ""})
    assert response.status_code == 200
    assert response.headers["content-type"] == "video/mp4"
    assert int(response.headers["content-length"]) == len(response.content) > 1000
    assert response.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "cut"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=10-99999999", slice(10, None)),
    ],
)
def test_a_part_of_a_result_comes_by_range(stage: Stage, asked: str, cut: slice) -> None:
    url = stage.result_url()
    whole = stage.request("GET", url)
    part = stage.request("GET", url, headers={"range": asked})
    assert part.status_code == 206
    assert part.content == whole.content[cut]
    start = range(len(whole.content))[cut].start
    stop = start + len(part.content) - 1
    assert part.headers["content-range"] == f"bytes {start}-{stop}/{len(whole.content)}"
    assert part.headers["etag"] == whole.headers["etag"]


def test_a_range_beyond_the_end_is_416(stage: Stage) -> None:
    url = stage.result_url()
    size = len(stage.request("GET", url).content)
    response = stage.request("GET", url, headers={"range": f"bytes={size}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=-", "bytes=0-1,3-4", "lines=1-2"])
def test_a_range_that_makes_no_sense_means_the_whole(stage: Stage, asked: str) -> None:
    assert stage.request("GET", stage.result_url(), headers={"range": asked}).status_code == 200


def test_a_range_of_another_version_means_the_whole(stage: Stage) -> None:
    url = stage.result_url()
    etag = stage.request("HEAD", url).headers["etag"]
    for tag, status in ((etag, 206), ('"other"', 200)):
        headers = {"range": "bytes=1-", "if-range": tag}
        assert stage.request("GET", url, headers=headers).status_code == status


def test_head_tells_the_length_and_sends_nothing(stage: Stage) -> None:
    url = stage.result_url()
    head = stage.request("HEAD", url)
    assert head.content == b""
    assert int(head.headers["content-length"]) == len(stage.request("GET", url).content)


def test_there_is_no_file_before_the_end_nor_under_another_name(stage: Stage) -> None:
    url = stage.result_url()
    assert stage.request("GET", url.replace(".mp4", ".mov")).status_code == 404
    other = Stage(stage.store, clock=FakeClock())
    assert other.request("GET", url).status_code == 404


def test_a_download_link_is_good_for_twenty_minutes_and_for_our_urls_only(stage: Stage) -> None:
    path = "/api/v1/common/download-url"
    link = stage.request("POST", path, json={"url": stage.result_url()}).json()["data"]
    assert stage.request("GET", link).status_code == 200
    stage.clock.passes(20 * 60)
    assert stage.request("GET", link).status_code == 403
    foreign = stage.request("POST", path, json={"url": "https://example.com/x.mp4"})
    assert foreign.json() == {"code": 422, "msg": "url is wrong", "data": None}


# --- uploads -------------------------------------------------------------------------------------

PIXELS = bytes(range(256)) + b"\r\n--x\r\n"


def _is_upload(stage: Stage, answer: dict[str, Any], name: str, content: bytes) -> bool:
    data = answer["data"]
    assert (answer["success"], answer["code"], data["success"]) == (True, 200, True)
    assert data["filePath"].endswith(f"/pics/{name}")
    assert data["fileSize"] == len(content)
    assert data["uploadedAt"] == "2027-01-15T08:00:00.000Z"
    return stage.request("GET", data["downloadUrl"]).content == content


def test_a_streamed_upload_comes_back_to_the_byte(stage: Stage) -> None:
    response = stage.request(
        "POST",
        "/api/file-stream-upload",
        data={"uploadPath": "pics", "fileName": "cup.png"},
        files={"file": ("other.png", PIXELS, "image/png")},
    )
    assert _is_upload(stage, response.json(), "cup.png", PIXELS)
    assert response.json()["data"]["mimeType"] == "image/png"


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_a_base64_upload_comes_back_to_the_byte(stage: Stage, prefix: str) -> None:
    text = prefix + base64.b64encode(PIXELS).decode()
    fields = {"base64Data": text, "uploadPath": "pics", "fileName": "cup.webp"}
    response = stage.request("POST", "/api/file-base64-upload", json=fields)
    assert _is_upload(stage, response.json(), "cup.webp", PIXELS)


def _uploaded(stage: Stage, name: str = "cup.png", content: bytes = PIXELS) -> str:
    fields = {"uploadPath": "pics", "fileName": name}
    files = {"file": (name, content, "image/png")}
    answer = stage.request("POST", "/api/file-stream-upload", data=fields, files=files)
    url: str = answer.json()["data"]["downloadUrl"]
    return url


def test_an_upload_outlives_the_process_and_lasts_for_a_day(tmp_path: Path) -> None:
    first = Stage(tmp_path)
    url = _uploaded(first, "my cup.png")
    assert " " not in url
    second = Stage(tmp_path, clock=first.clock)
    first.clock.passes(24 * 3600 - 1)
    assert second.request("GET", url).content == PIXELS
    first.clock.passes(1)
    assert second.request("GET", url).status_code == 404


def test_a_later_upload_takes_the_place_of_an_earlier_one_and_begins_a_new_day(
    stage: Stage,
) -> None:
    url = _uploaded(stage)
    stage.clock.passes(23 * 3600)
    assert _uploaded(stage, content=b"another") == url
    stage.clock.passes(23 * 3600)
    assert stage.request("GET", url).content == b"another"


def test_names_lead_nowhere_else(stage: Stage, tmp_path: Path) -> None:
    url = _uploaded(stage, "../../../../cup.png")
    assert stage.request("GET", url).status_code == 404
    assert not list(tmp_path.rglob("*cup*"))


@pytest.mark.parametrize(
    ("fields", "hours", "code"),
    [
        ({}, 23, 200),
        ({}, 24, 500),
        ({"image_url": "OWN/never-was.png"}, 0, 500),
        ({"extra": {"deep": ["x", {"url": "OWN/never-was.png"}]}}, 0, 500),
        ({"image_url": "https://example.com/uploads/x.png"}, 0, 200),
        ({"image_url": "http://nope.invalid/a.png"}, 0, 500),
        ({"extra": ["https://nope.INVALID"]}, 0, 500),
        ({"image_url": "https://example.com/a.invalid/b.png"}, 0, 200),
    ],
)
def test_a_create_whose_file_can_not_be_fetched_is_a_server_exception(
    stage: Stage, fields: dict[str, Any], hours: float, code: int
) -> None:
    url = _uploaded(stage)
    stage.clock.passes(hours * 3600)
    own = "http://sandbox.invalid/uploads"
    given = json.loads(json.dumps({"image_url": url, **fields}).replace("OWN", own))
    answer = stage.create(**given)
    assert answer["code"] == code
    if code == 500:
        assert answer["msg"] == "Server exception, please try again later", "as recorded"
    assert stage.balance() == (9_984 if code == 200 else 10_000)


def test_an_upload_by_url_is_not_fetched_and_stands_for_something(stage: Stage) -> None:
    fields = {"fileUrl": "https://example.com/a/cup.png", "uploadPath": "pics"}
    answer = stage.request("POST", "/api/file-url-upload", json=fields).json()
    assert answer["data"]["fileName"] == "cup.png"
    assert stage.request("GET", answer["data"]["downloadUrl"]).content[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("path", "how", "text"),
    [
        ("stream", {"data": {"uploadPath": "p"}}, "Missing required parameter: file"),
        ("stream", {"files": {"file": b"x"}}, "Missing required parameter: uploadPath"),
        ("base64", {"json": {"base64Data": "eA=="}}, "Missing required parameter: uploadPath"),
        ("base64", {"json": {"base64Data": "!", "uploadPath": "p"}}, "Invalid base64 data"),
        ("base64", {"json": []}, "Missing required parameter: base64Data"),
        ("url", {"json": {"uploadPath": "p"}}, "Missing required parameter: fileUrl"),
        ("url", {"json": {"fileUrl": "ftp://a", "uploadPath": "p"}}, "Invalid parameter: fileUrl"),
    ],
)
def test_an_upload_that_lacks_something_is_refused(
    stage: Stage, path: str, how: dict[str, Any], text: str
) -> None:
    response = stage.request("POST", f"/api/file-{path}-upload", **how)
    assert response.json() == {"success": False, "code": 400, "msg": text}


def test_an_upload_without_a_key_is_refused(tmp_path: Path) -> None:
    stage = Stage(tmp_path, api_key="another")
    response = stage.request("POST", "/api/file-stream-upload", files={"file": b"x"})
    assert (response.status_code, response.json()["success"]) == (401, False)
    assert not (tmp_path / "uploads").exists()


# --- callbacks -----------------------------------------------------------------------------------

HOOK = "http://127.0.0.1:9/hook?attempt=7"


class Mailbox:
    """Takes callbacks; refuses the first `refusals` of them."""

    def __init__(self, refusals: int = 0) -> None:
        self.came: asyncio.Queue[tuple[str, dict[str, Any], dict[str, str]]] = asyncio.Queue()
        self.refusals = refusals
        self.tries = 0

    async def take(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        self.tries += 1
        if self.tries <= self.refusals:
            raise NotDelivered
        await self.came.put((url, json.loads(body), headers))


def _called_back(stage: Stage, mailbox: Mailbox, url: str = HOOK) -> tuple[str, Any, Any]:
    async def scene(client: httpx.AsyncClient) -> Any:
        await client.post(CREATE, json=create_body(callback=url))
        return await mailbox.came.get()

    came: tuple[str, Any, Any] = stage.play(scene)
    return came


def test_a_callback_tells_the_end_and_is_signed(tmp_path: Path) -> None:
    mailbox = Mailbox()
    stage = Stage(tmp_path, send_callback=mailbox.take, webhook_key="hmac-key")
    url, body, headers = _called_back(stage, mailbox)
    data = body["data"]
    assert url == HOOK
    assert (body["code"], body["msg"]) == (200, "Playground task completed successfully.")
    assert (data["state"], data["updateTime"]) == ("success", data["completeTime"])
    assert json.loads(data["param"])["callBackUrl"] == HOOK
    stamp = headers["x-webhook-timestamp"]
    message = f"{data['taskId']}.{stamp}".encode()
    digest = hmac.digest(b"hmac-key", message, hashlib.sha256)
    assert headers["x-webhook-signature"] == base64.b64encode(digest).decode()
    assert int(stamp) == int(data["completeTime"] / 1000)


def test_without_a_key_a_callback_is_not_signed(tmp_path: Path) -> None:
    mailbox = Mailbox()
    _, _, headers = _called_back(Stage(tmp_path, send_callback=mailbox.take), mailbox)
    assert not [name for name in headers if name.startswith("x-webhook")]


def test_a_callback_that_nobody_takes_is_sent_three_more_times(tmp_path: Path) -> None:
    mailbox = Mailbox(refusals=3)
    stage = Stage(tmp_path, send_callback=mailbox.take)
    _called_back(stage, mailbox)
    assert mailbox.tries == 4


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://127.0.0.1:80/x", True),
        ("http://localhost/x", True),
        ("http://[::1]:8080/", True),
        ("http://example.com/", False),
        ("http://localhost.example.com/", False),
        ("http://127.0.0.1@example.com/", False),
        ("http://192.168.0.1/", False),
        ("http://[::1/", False),
        ("nonsense", False),
    ],
)
def test_only_this_computer_is_called(url: str, is_here: bool) -> None:  # noqa: FBT001 - a table
    assert is_loopback(url) is is_here


def test_a_callback_to_another_host_is_never_sent(tmp_path: Path) -> None:
    mailbox = Mailbox()
    stage = Stage(tmp_path, send_callback=mailbox.take)

    async def scene(client: httpx.AsyncClient) -> None:
        await client.post(CREATE, json=create_body(callback="https://example.com/hook"))
        await client.post(CREATE, json=create_body(callback=HOOK))
        await mailbox.came.get()

    stage.play(scene)
    assert mailbox.tries == 1


# --- other products ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "extension", "served", "start"),
    [
        ("image/png", ".png", "image/png", b"\x89PNG"),
        ("audio/wav", ".wav", "audio/wav", b"RIFF"),
        ("audio/mpeg", ".mp3", "audio/mpeg", b"ID3"),
    ],
)
def test_a_model_that_makes_something_else_gets_that(
    tmp_path: Path, media_type: str, extension: str, served: str, start: bytes
) -> None:
    output = {"media_type": media_type, "extension": extension}
    stage = Stage(tmp_path, schemas={MODEL: {**SCHEMA, "x-kiejobs-output": output}})
    url = stage.result_url()
    response = stage.request("GET", url)
    assert url.endswith(extension)
    assert response.headers["content-type"] == served
    assert response.content.startswith(start)


def test_a_field_may_ask_for_another_format(tmp_path: Path) -> None:
    schema = copy.deepcopy(SCHEMA)
    formats = {"type": "string", "enum": ["png", "jpg"], "default": "png"}
    schema["properties"]["input"]["properties"]["output_format"] = formats
    schema["x-kiejobs-output"] = {
        "media_type": "image/png",
        "extension": ".png",
        "by": "output_format",
        "forms": {"jpg": {"media_type": "image/jpeg", "extension": ".jpg"}},
    }
    stage = Stage(tmp_path, schemas={MODEL: schema})
    for asked, extension, served in (
        ({}, ".png", "image/png"),
        ({"output_format": "jpg"}, ".jpg", "image/jpeg"),
    ):
        url = stage.result_url(**asked)
        assert url.endswith(extension)
        assert stage.request("GET", url).headers["content-type"] == served


def test_as_many_files_as_were_asked_for(tmp_path: Path) -> None:
    schema = copy.deepcopy(SCHEMA)
    schema["properties"]["input"]["properties"]["num_images"] = {"enum": ["1", "3"]}
    schema["x-kiejobs-output"] = {"media_type": "image/webp", "extension": ".webp"}
    stage = Stage(tmp_path, schemas={MODEL: schema})
    task_id = stage.made(num_images="3")
    stage.clock.passes(100)
    urls = json.loads(stage.record(task_id)["data"]["resultJson"])["resultUrls"]
    assert len({stage.request("GET", url).content for url in urls}) == 3


@pytest.mark.parametrize(
    ("rule", "fields", "text"),
    [
        (
            {"dependentRequired": {"seed": ["nsfw_checker"]}},
            {"seed": 1},
            "nsfw_checker is required",
        ),
        ({"anyOf": [{"required": ["seed"]}]}, {}, "seed is required"),
        ({"anyOf": [{"required": ["seed"]}]}, {"seed": None}, "seed is required"),
        (
            {
                "if": {"properties": {"duration": {"const": "10"}}},
                "then": {"properties": {"resolution": {"const": "1080p"}}},
            },
            {"duration": "10"},
            "resolution is not within the range of allowed options",
        ),
        (
            {"not": {"required": ["seed", "nsfw_checker"]}},
            {"seed": 1, "nsfw_checker": True},
            "Value must be within the specified range",
        ),
    ],
)
def test_a_rule_across_fields_is_told_by_the_field_to_blame(
    tmp_path: Path, rule: dict[str, Any], fields: dict[str, Any], text: str
) -> None:
    schema = copy.deepcopy(SCHEMA)
    schema["properties"]["input"]["allOf"] = [rule]
    answer = Stage(tmp_path, schemas={MODEL: schema}).create(**fields)
    assert answer == {"code": 500, "msg": text, "data": None}


def test_a_model_that_writes_has_its_text_in_the_record(tmp_path: Path) -> None:
    output = {"media_type": "application/json", "extension": ".json"}
    stage = Stage(tmp_path, schemas={MODEL: {**SCHEMA, "x-kiejobs-output": output}})
    task_id = stage.made()
    stage.clock.passes(100)
    result = json.loads(stage.record(task_id)["data"]["resultJson"])
    assert task_id in result["resultObject"]["text"]


# --- on a port -----------------------------------------------------------------------------------


class _Hook(BaseHTTPRequestHandler):
    came: list[bytes]
    arrived: threading.Event

    def do_POST(self) -> None:
        self.came.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()
        self.arrived.set()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_on_a_port_it_is_the_same_and_results_point_to_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, clock=RealClock(), speed=1000)
    with serving(stage.app) as url, httpx.Client(base_url=url, headers=HEADERS) as client:
        task_id = client.post(CREATE, json=create_body()).json()["data"]["taskId"]
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", url)
        data = {"state": "waiting"}
        while data["state"] != "success":
            data = client.get(RECORD, params={"taskId": task_id}).json()["data"]
        result = json.loads(data["resultJson"])["resultUrls"][0]
        assert result.startswith(f"{url}/files/")
        whole = client.get(result)
        assert whole.content[4:8] == b"ftyp"
        assert client.get(result, headers={"range": "bytes=4-7"}).content == b"ftyp"
        assert client.head(result).headers["content-length"] == str(len(whole.content))
        assert "server" not in whole.headers


def test_on_a_port_callbacks_are_really_posted(tmp_path: Path) -> None:
    _Hook.came, _Hook.arrived = [], threading.Event()
    stage = Stage(tmp_path, clock=RealClock(), speed=1000)
    with HTTPServer(("127.0.0.1", 0), _Hook) as receiver, serving(stage.app) as url:
        threading.Thread(target=receiver.handle_request).start()
        hook = f"http://127.0.0.1:{receiver.server_port}/hook"
        httpx.post(url + CREATE, json=create_body(callback=hook), headers=HEADERS)
        assert _Hook.arrived.wait(10)
    assert json.loads(_Hook.came[0])["data"]["state"] == "success"


SERVE = """
import pathlib, sys
from kiejobs.sandbox.app import Sandbox
from kiejobs.adapters.server import serve
serve(Sandbox({}, pathlib.Path(sys.argv[1])), "127.0.0.1", 0, ready=lambda url: print(url, flush=True))
"""


def test_serving_says_where_it_is_ends_on_sigterm_and_prints_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-c", SERVE, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/api/v1/chat/credit", headers=HEADERS).json()["data"] == 10_000
        process.terminate()
        out, err = process.communicate(timeout=10)
    assert (out, err) == ("", "")


# --- which models there are ------------------------------------------------------------------------


def test_models_are_listed_with_their_prices_in_prose(stage: Stage) -> None:
    data = stage.request("GET", "/api/v1/models").json()["data"]
    for query, count in (({"q": "Dream"}, 1), ({"q": "x y"}, 0), ({"taskType": "Text to Image"}, 0)):
        stage.clock.passes(1)
        answer = stage.request("GET", "/api/v1/models", params=query).json()
        assert answer["data"]["total"] == count
    assert data["total"] == len(data["models"]) == 1
    assert list(data["models"][0]) == [
        "model", "slug", "title", "provider", "taskType", "description", "pricingDesc",
    ]  # fmt: skip
    assert data["models"][0]["pricingDesc"] == (
        "16 credits ($0.08) per video at 720p for 5 s; 36.5 credits ($0.1825) per video at 720p for 10 s; "
        "36 credits ($0.18) per video at 1080p for 5 s."
    )


def test_a_model_has_an_openapi_document_and_another_is_404(tmp_path: Path) -> None:
    stage = Stage(tmp_path, speed=math.inf)
    schema = stage.request("GET", f"/api/v1/models/{MODEL}/schema").json()["data"]
    price = stage.request("GET", f"/api/v1/models/{MODEL}/price").json()["data"]
    other = stage.request("GET", "/api/v1/models/acme/none/schema")
    assert (schema["model"], schema["openapi"]["openapi"], price["model"]) == (MODEL, "3.1.0", MODEL)
    assert (other.status_code, other.json()["code"], other.json()["data"]) == (200, 404, None)


def test_models_are_asked_about_once_a_second(stage: Stage) -> None:
    codes = [stage.request("GET", "/api/v1/models").json()["code"] for _ in range(2)]
    stage.clock.passes(1)
    assert [*codes, stage.request("GET", "/api/v1/models").json()["code"]] == [200, 429, 200]


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ({"no_openapi": True}, {"openapi": None}),
        ({"prose": "ask us"}, {"pricingDesc": "ask us"}),
        ({"code": 401}, None),
    ],
)
def test_odd_answers_about_models_can_be_scripted(tmp_path: Path, do: dict[str, Any], said: Any) -> None:
    rule = {"on": "discover", "when": {"match": {"route": "schema", "model": "acme/*"}}, "do": do}
    stage = Stage(tmp_path, rule, speed=math.inf)
    assert stage.request("GET", "/api/v1/models").json()["data"]["total"] == 1
    assert stage.request("GET", f"/api/v1/models/{MODEL}/schema").json()["data"] == said
