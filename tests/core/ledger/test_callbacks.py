"""What is believed of a callback, and what is turned away: the checks, as values."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kiejobs.core.ledger.callbacks import (
    LARGEST_BODY,
    Claim,
    RefusedCallback,
    path_of,
    read_callback,
)

ATTEMPT = "0123456789abcdef" * 2
QUERY = f"attempt={ATTEMPT}"
NOW = 1_800_000_000.5
KEY = "hook-key"
JSON_TYPE = ("content-type", "application/json")

Headers = list[tuple[str, str]]


def body(**data: Any) -> bytes:
    return json.dumps({"code": 200, "msg": "over", "data": data}).encode()


def signature(task_id: str, stamp: str, key: str = KEY) -> str:
    digest = hmac.digest(key.encode(), f"{task_id}.{stamp}".encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def signed(task_id: str, stamp: int | str = int(NOW), key: str = KEY) -> Headers:
    return [
        JSON_TYPE,
        ("X-Webhook-Timestamp", str(stamp)),
        ("X-Webhook-Signature", signature(task_id, str(stamp), key)),
    ]


def read(
    query: str = QUERY,
    headers: Headers | None = None,
    content: bytes | None = None,
    key: str | None = None,
) -> Claim | RefusedCallback:
    content = body(taskId="task-1") if content is None else content
    return read_callback(query, headers or [JSON_TYPE], content, key, NOW)


def status(said: Claim | RefusedCallback) -> int:
    return said.status if isinstance(said, RefusedCallback) else 200


def test_a_callback_names_its_attempt_in_the_url_and_its_task_in_the_body() -> None:
    assert read() == Claim(ATTEMPT, "task-1", signed=False)
    assert read(f"a=1&{QUERY}&token=") == Claim(ATTEMPT, "task-1", signed=False)


def test_older_families_spell_the_task_in_another_way() -> None:
    assert read(content=body(task_id="task-1")) == Claim(ATTEMPT, "task-1", signed=False)
    both = body(task_id="task-1", taskId="task-1")
    assert read(content=both) == Claim(ATTEMPT, "task-1", signed=False)
    assert read(content=body(taskId=None, task_id="task-1")) == read()


def test_blanks_around_a_task_id_are_cut_off_after_its_signature_was_checked() -> None:
    said = read(headers=signed(" task-1 "), content=body(taskId=" task-1 "), key=KEY)
    assert said == Claim(ATTEMPT, "task-1", signed=True)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "attempt=",
        "attempt",
        f"Attempt={ATTEMPT}",
        f"attempt={ATTEMPT[:-1]}",
        f"attempt={ATTEMPT}0",
        f"attempt={ATTEMPT.upper()}",
        f"attempt={ATTEMPT}%0a",
        f"attempt={'g' * 32}",
        f"attempt={'%D9%A1' * 32}",
        f"{QUERY}&{QUERY}",
        f"{QUERY}&attempt=",
        "attempt=" + "0" * 9000,
    ],
)
def test_a_url_that_does_not_name_one_attempt_is_turned_away(query: str) -> None:
    assert read(query) == RefusedCallback(400, "the URL must name one attempt")


@pytest.mark.parametrize(
    "value", ["application/json", "Application/JSON; charset=utf-8", " application/json ;x=y"]
)
def test_json_may_be_said_with_parameters(value: str) -> None:
    assert status(read(headers=[("Content-Type", value)])) == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("x", "y")],
        [("content-type", "")],
        [("content-type", "text/plain")],
        [("content-type", "application/jsonp")],
        [("content-type", "text/html; a=application/json")],
        [JSON_TYPE, JSON_TYPE],
    ],
)
def test_what_does_not_say_that_it_is_json_is_turned_away(headers: Headers) -> None:
    assert status(read(headers=headers)) == 415


def test_a_body_may_have_one_megabyte_and_no_more() -> None:
    whole = body(taskId="task-1").ljust(LARGEST_BODY)
    assert status(read(content=whole)) == 200
    assert status(read(content=whole + b" ")) == 413


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"task-1"',
        b"{",
        b'{"data": {"taskId": "task-1"}',
        b'{"data": {"taskId": "task-1"}} and more',
        b'\xef\xbb\xbf{"data": {"taskId": "task-1"}}',
        b'{"data": {"taskId": "\xff"}}',
        '{"data": {"taskId": "task-1"}}'.encode("utf-16"),
        b'{"data": {"taskId": "task-1"}, "n": ' + b"9" * 10_000 + b"}",
        b"[" * LARGEST_BODY,
        b'{"a":' * 100_000,
        b'"' * LARGEST_BODY,
    ],
)
def test_a_body_that_is_no_json_object_is_turned_away(content: bytes) -> None:
    assert read(content=content) == RefusedCallback(400, "the body must be a JSON object")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"taskId": ""},
        {"taskId": "  "},
        {"taskId": 7},
        {"taskId": ["task-1"]},
        {"taskId": {}, "task_id": "task-1"},
        {"taskId": "", "task_id": "task-1"},
        {"taskId": "t" * 201},
        {"taskId": "task\n1"},
        {"taskId": "task\u202e1"},
        {"taskId": "\ud800"},
        {"TaskId": "task-1"},
    ],
)
def test_a_body_that_names_no_task_is_turned_away(data: dict[str, Any]) -> None:
    assert read(content=body(**data)) == RefusedCallback(400, "the body must name a task in data.taskId")


@pytest.mark.parametrize("data", [b"null", b"[]", b'"taskId"', b"7"])
def test_data_must_be_an_object(data: bytes) -> None:
    assert status(read(content=b'{"taskId": "task-1", "data": ' + data + b"}")) == 400


def test_a_body_that_names_two_tasks_is_turned_away() -> None:
    content = body(taskId="task-1", task_id="task-2")
    assert read(content=content) == RefusedCallback(400, "the body names two tasks")


def test_nesting_is_bounded_and_brackets_in_texts_are_none() -> None:
    def nested(deep: int) -> bytes:
        inside = "[" * deep + "]" * deep
        return f'{{"data": {{"taskId": "task-1"}}, "a": {inside}}}'.encode()

    assert status(read(content=nested(63))) == 200
    assert status(read(content=nested(64))) == 400
    assert status(read(content=body(taskId="task-1", param='[{"\\' * 5000))) == 200


# --- signatures ----------------------------------------------------------------------------------


def test_a_signed_callback_is_heard_as_such() -> None:
    assert read(headers=signed("task-1"), key=KEY) == Claim(ATTEMPT, "task-1", signed=True)
    older = read(headers=signed("task-1"), content=body(task_id="task-1"), key=KEY)
    assert older == Claim(ATTEMPT, "task-1", signed=True)


def test_the_signature_is_the_documented_one() -> None:
    known = "sceW5jcsnmtV2RJiUzIsZsDNNeVtvS8oreAnVkP8O4k="  # by openssl, from "task-1.1800000000"
    headers = [JSON_TYPE, ("x-webhook-timestamp", "1800000000"), ("x-webhook-signature", known)]
    assert status(read(headers=headers, key=KEY)) == 200


def test_without_a_key_a_signature_is_not_looked_at() -> None:
    said = read(headers=signed("task-2", "long ago", key="another"))
    assert said == Claim(ATTEMPT, "task-1", signed=False)


@pytest.mark.parametrize("off", [-299, -1, 0, 300])
def test_a_time_within_five_minutes_is_fresh(off: int) -> None:
    assert status(read(headers=signed("task-1", int(NOW) + off), key=KEY)) == 200


@pytest.mark.parametrize("off", [-86_400, -300, 301, 86_400, 10**11])
def test_a_stale_or_future_time_is_turned_away(off: int) -> None:
    said = read(headers=signed("task-1", max(0, int(NOW) + off)), key=KEY)
    assert said == RefusedCallback(401, "its time is not within 5 minutes of ours")


@pytest.mark.parametrize(
    "stamp",
    ["", "now", "-1800000000", "+1800000000", "1800000000.0", "1e9", "١٨٠٠٠٠٠٠٠٠", "9" * 5000],
)
def test_a_time_that_is_no_number_of_seconds_is_turned_away(stamp: str) -> None:
    assert status(read(headers=signed("task-1", stamp), key=KEY)) == 401


@pytest.mark.parametrize(
    "headers",
    [
        [JSON_TYPE],
        signed("task-1")[:2],
        [JSON_TYPE, signed("task-1")[2]],
        signed("task-1") + signed("task-1")[1:2],
        signed("task-1") + signed("task-1")[2:],
        signed("task-1", key="another"),
        signed("task-2"),
        [*signed("task-1")[:2], ("x-webhook-signature", "")],
        [*signed("task-1")[:2], ("x-webhook-signature", "é\udcff" * 9)],
        [*signed("task-1")[:2], ("x-webhook-signature", signature("task-1", "1800000001"))],
    ],
)
def test_what_is_not_rightly_signed_is_turned_away(headers: Headers) -> None:
    assert status(read(headers=headers, key=KEY)) == 401


def test_a_signature_in_hex_is_not_the_documented_one() -> None:
    (*rest, (name, value)) = signed("task-1")
    in_hex = base64.b64decode(value).hex()
    assert status(read(headers=[*rest, (name, in_hex)], key=KEY)) == 401


def test_a_key_that_is_no_text_counts_by_its_bytes() -> None:
    key = b"hook-\xff".decode("utf-8", "surrogateescape")  # as the environment gives it
    digest = hmac.digest(b"hook-\xff", f"task-1.{int(NOW)}".encode(), hashlib.sha256)
    right = ("x-webhook-signature", base64.b64encode(digest).decode())
    assert status(read(headers=[*signed("task-1")[:2], right], key=key)) == 200


def test_a_signature_is_asked_for_before_the_url_is_looked_at() -> None:
    assert status(read("attempt=unknown", key=KEY)) == 401


# --- anything ------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
task_ids = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=200)
names = st.sampled_from(["taskId", "task_id", "state", "other"])
bodies = st.binary(max_size=80) | st.builds(
    lambda data: json.dumps({"data": data}).encode(), st.dictionaries(names, values) | values
)
some_headers = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "x-webhook-timestamp", "x-webhook-signature", "x"]),
        st.text(max_size=20) | st.just("application/json") | st.just(str(int(NOW))),
    ),
    max_size=5,
)


@given(st.text(max_size=80), some_headers, bodies, st.none() | st.text(max_size=9))
@example(QUERY, [JSON_TYPE], b'{"data":{"taskId":"\\ud800"}}', KEY)
def test_whatever_comes_is_told_as_a_value_that_repeats_nothing(
    query: str, headers: Headers, content: bytes, key: str | None
) -> None:
    said = read_callback(query, headers, content, key, NOW)
    if isinstance(said, RefusedCallback):
        assert said.status in {400, 401, 413, 415}
        assert said.why.isascii()
        assert said.why == said.why.strip("0123456789")
    else:
        assert len(said.attempt_id) == 32
        assert said.task_id.isprintable()
        assert said.signed is (key is not None)


@given(task_ids, st.integers(-299, 299), st.text(min_size=1, max_size=40))
def test_whatever_is_rightly_signed_is_heard(task_id: str, off: int, key: str) -> None:
    headers = signed(task_id, int(NOW) + off, key)
    assert read(headers=headers, content=body(taskId=task_id), key=key) == Claim(
        ATTEMPT, task_id, signed=True
    )


@given(st.data(), task_ids)
def test_one_sign_changed_in_what_is_signed_is_one_too_many(data: st.DataObject, task_id: str) -> None:
    stamp = str(int(NOW))
    parts = [task_id, stamp, signature(task_id, stamp)]
    which = data.draw(st.integers(0, 2))
    at = data.draw(st.integers(0, len(parts[which]) - 1))
    sign = data.draw(st.sampled_from("0123456789abcXYZ+/="))
    changed = parts[which][:at] + sign + parts[which][at + 1 :]
    same = changed == parts[which]
    parts[which] = changed
    headers = [JSON_TYPE, ("x-webhook-timestamp", parts[1]), ("x-webhook-signature", parts[2])]
    said = read(headers=headers, content=body(taskId=parts[0]), key=KEY)
    assert status(said) == (200 if same else 401)


# --- where callbacks come in ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://hooks.example/kie/cb", "/kie/cb"),
        ("https://hooks.example", "/"),
        ("http://hooks.example:8080/", "/"),
        ("https://hooks.example/kie/?token=1", "/kie/"),
        ("https://hooks.example/a%20b", "/a b"),
        ("http://[::1]:80/cb", "/cb"),
    ],
)
def test_a_public_url_names_the_path(url: str, path: str) -> None:
    assert path_of(url) == path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/kie",
        "ftp://hooks.example/",
        "https:///cb",
        "https://me@hooks.example/cb",
        "https://hooks.example/cb#part",
        "https://hooks.example/a b",
        "https://hooks.example/ü",
        "https://hooks.example:99999/",
        "https://hooks.example:0/",
        "https://[::1/cb",
    ],
)
def test_what_can_not_be_called_names_none(url: str) -> None:
    assert path_of(url) is None
