"""The table of what createTask's and recordInfo's answers mean, row by row."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from kiejobs.adapters.kie import responses as answers
from kiejobs.core.ledger import outcomes


def body(code: object, msg: str = "", data: Any = None, **more: Any) -> bytes:
    return json.dumps({"code": code, "msg": msg, "data": data, **more}).encode()


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (200, body(200, "success", {"taskId": "ab12"}), outcomes.Accepted("ab12")),
        (
            200,
            body("200", "success", {"taskId": "ab12", "recordId": "ab12"}),
            outcomes.Accepted("ab12"),
        ),
        (200, body(429, "slow"), outcomes.CreateNotAccepted("429", "slow", 7.0)),
        (429, body(429, "slow"), outcomes.CreateNotAccepted("429", "slow", 7.0)),
        (429, b"busy", outcomes.CreateNotAccepted("429", "busy", 7.0)),
        (200, body(455, "repairs"), outcomes.CreateNotAccepted("455", "repairs", 7.0)),
        (200, body(401, "who"), outcomes.Refused("401", "who")),
        (401, json.dumps({"code": 401, "msg": "who"}).encode(), outcomes.Refused("401", "who")),
        (403, b"error code: 1010", outcomes.Refused("403", "error code: 1010", by_edge=True)),
        (404, b"<h1>gone</h1>", outcomes.Refused("404", "<h1>gone</h1>", by_edge=True)),
        (200, body(402, "poor"), outcomes.NoMoney("402", "poor")),
        (200, body(433, "cap"), outcomes.NoMoney("433", "cap")),
        (
            200,
            body(500, "Your balance is too small"),
            outcomes.NoMoney("500", "Your balance is too small"),
        ),
        (
            200,
            body(500, "prompt is required"),
            outcomes.CreateRejected("500", "prompt is required"),
        ),
        (
            200,
            body(500, "x is not within the range of allowed options"),
            outcomes.CreateRejected("500", "x is not within the range of allowed options"),
        ),
        (200, body(404, "no"), outcomes.CreateRejected("404", "no")),
        (200, body(422, "no such model"), outcomes.CreateRejected("422", "no such model")),
        (200, body(505, "off"), outcomes.CreateRejected("505", "off")),
    ],
)
def test_an_answer_with_a_meaning_has_its_class(
    status: int, answer: bytes, expected: outcomes.CreateOutcome
) -> None:
    assert answers.create_outcome(status, "7", answer) == expected


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, body(500, "Internal Error")),
        (500, body(500, "")),
        (200, body(501, "generation failed")),
        (200, body(299, "what")),
        (502, b"<html>bad gateway</html>"),
        (500, b""),
        (200, b"<html>hello</html>"),
        (200, b'{"code":200,"msg":"success","data":{"taskI'),
        (200, body(200, "success", {})),
        (200, body(200, "success", None)),
        (200, body(200, "success", {"taskId": ""})),
        (200, body(200, "success", {"taskId": 17})),
        (200, b"[]"),
        (200, b"{}"),
        (200, b"\xff\xfe\x00"),
        (301, b""),
        (200, b"[" * 100_000),
        (200, body(None, "x")),
        (200, b'{"code": true, "msg": "x"}'),
    ],
)
def test_an_answer_without_a_meaning_is_in_doubt(status: int, answer: bytes) -> None:
    assert isinstance(answers.create_outcome(status, None, answer), outcomes.CreateInDoubt)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (429, body(429, "slow", {"taskId": "ab12"})),
        (401, body(401, "who", {"data": [{"taskId": "ab12"}]})),
        (200, body(422, "no", '{"task_id": "ab12"}')),
        (429, b'{"code":200,"data":{"taskId":"ab'),
        (402, '{"code":402,"\\u0074askId":"ab12"}'.encode("utf-16")),
    ],
)
def test_a_refusal_that_names_a_task_is_in_doubt_and_says_so(status: int, answer: bytes) -> None:
    outcome = answers.create_outcome(status, None, answer)
    assert isinstance(outcome, outcomes.CreateInDoubt)
    assert "ab" in outcome.message


@pytest.mark.parametrize("data", [None, {"taskId": None}, {"taskId": ""}])
def test_a_refusal_that_speaks_of_a_task_but_names_none_is_a_refusal(data: Any) -> None:
    outcome = answers.create_outcome(200, None, body(500, "task_id is required", data))
    assert isinstance(outcome, outcomes.CreateRejected)


def test_a_task_that_cost_less_than_nothing_did_not_say_what_it_cost() -> None:
    answer = body(200, "success", {"state": "success", "resultJson": '["https://a"]', "creditsConsumed": -5})
    assert answers.poll_outcome(200, answer) == outcomes.TaskSucceeded(("https://a",), None)


@pytest.mark.parametrize("said", ["", "soon", "nan", "Wed, 21 Oct 2026 07:28:00 GMT", None])
def test_a_retry_after_that_is_no_number_is_none(said: str | None) -> None:
    assert answers.seconds_of(said) is None


def test_a_retry_after_is_capped() -> None:
    assert answers.seconds_of("1e99") == 600
    assert answers.seconds_of("-5") == 0


def record(state: str, **more: Any) -> bytes:
    return body(200, "success", {"taskId": "t", "state": state, "resultJson": "", **more})


@pytest.mark.parametrize(
    ("said", "price"), [(38.0, "38.0"), (0.0, None), (-4, None), ("x", None), (None, None)]
)
def test_a_running_task_may_name_its_price(said: Any, price: str | None) -> None:
    outcome = answers.poll_outcome(200, record("waiting", creditsConsumed=said))
    assert outcome == outcomes.StillRunning("waiting", price=None if price is None else Decimal(price))


@pytest.mark.parametrize("state", ["waiting", "queuing", "generating"])
def test_the_known_states_are_running(state: str) -> None:
    assert answers.poll_outcome(200, record(state)) == outcomes.StillRunning(state)


@pytest.mark.parametrize("state", ["archived", "cancelled", "SUCCESS", ""])
def test_an_unknown_state_is_running_with_a_note(state: str) -> None:
    outcome = answers.poll_outcome(200, record(state))
    assert isinstance(outcome, outcomes.StillRunning)
    assert outcome.note
    assert outcome.answer is None


@pytest.mark.parametrize(
    ("state", "word"), [(None, "null"), (3, "3"), (["success"], '["success"]'), (True, "true")]
)
def test_a_state_that_is_no_word_is_quoted_as_it_came(state: Any, word: str) -> None:
    outcome = answers.poll_outcome(200, record(state))
    assert isinstance(outcome, outcomes.StillRunning)
    assert outcome.api_state == word
    assert f"the API says {word}," in str(outcome.note)


@pytest.mark.parametrize(
    "came", [{"resultJson": '{"resultUrls": ["https://h/a.mp4"]}'}, {"failMsg": "flagged", "failCode": "400"}]
)
def test_what_comes_with_an_unknown_state_is_kept(came: dict[str, str]) -> None:
    outcome = answers.poll_outcome(200, record("FINISHED", **came))
    assert isinstance(outcome, outcomes.StillRunning)
    assert json.loads(str(outcome.answer)) == came


def test_success_gives_the_urls_of_the_double_encoded_result() -> None:
    result = json.dumps({"resultUrls": ["https://files.example.com/a.mp4"]})
    outcome = answers.poll_outcome(200, record("success", resultJson=result, creditsConsumed=16.0))
    assert outcome == outcomes.TaskSucceeded(("https://files.example.com/a.mp4",), Decimal("16.0"))


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ({"resultObject": {"text": "Good morning"}}, {"text": "Good morning"}),
        ({"character_id": "c_1"}, {"character_id": "c_1"}),
        ({"resultUrls": [], "note": "none"}, {"note": "none"}),
        ({"resultUrls": ["https://a"], "resultObject": {"text": "x"}}, None),
        ({"resultObject": {"url": "https://a"}}, {"url": "https://a"}),
    ],
)
def test_a_result_that_is_no_file_is_found_in_the_answer(result: Any, found: Any) -> None:
    outcome = answers.poll_outcome(200, record("success", resultJson=json.dumps(result)))
    assert isinstance(outcome, outcomes.TaskSucceeded)
    assert outcome.found == found


@pytest.mark.parametrize("result", [{"resultUrls": []}, {"resultUrls": ""}, {}, {"resultUrls": [None]}])
def test_an_empty_result_is_asked_for_again(result: Any) -> None:
    outcome = answers.poll_outcome(200, record("success", resultJson=json.dumps(result)))
    assert isinstance(outcome, outcomes.StillRunning)
    assert (outcome.api_state, outcome.note) == ("success", "the API says `success`, but named no result")


@pytest.mark.parametrize(
    "result",
    [
        {"resultUrls": "https://h/a.mp4"},
        {"resultUrls": [{"url": "https://h/a.mp4"}]},
        {"resultUrls": {"url": "https://h/a.mp4", "cover": "https://h/a.jpg"}},
        {"resultUrls": '["https://h/a.mp4"]'},
        {"resultUrls": [["https://h/a.mp4"]]},
        {"resultUrls": ["https://h/a.mp4", "https://h/a.mp4"]},
        {"result_urls": ["https://h/a.mp4"]},
        {"resultUrl": "https://h/a.mp4"},
        {"videoUrl": " https://h/a.mp4 "},
        {"data": {"videos": [{"url": "https://h/a.mp4"}]}},
        ["https://h/a.mp4"],
    ],
)
def test_an_address_in_an_odd_form_is_taken(result: Any) -> None:
    outcome = answers.poll_outcome(200, record("success", resultJson=json.dumps(result)))
    assert isinstance(outcome, outcomes.TaskSucceeded)
    assert outcome.urls == ("https://h/a.mp4",)


def test_several_addresses_in_one_text_are_several() -> None:
    data = {"resultUrls": "https://h/a.mp4,https://h/b,c.mp4\nhttps://h/d.mp4"}
    outcome = answers.poll_outcome(200, record("success", resultJson=json.dumps(data)))
    assert isinstance(outcome, outcomes.TaskSucceeded)
    assert outcome.urls == ("https://h/a.mp4", "https://h/b,c.mp4", "https://h/d.mp4")


def test_a_result_that_can_not_be_read_is_kept_as_it_came() -> None:
    outcome = answers.poll_outcome(200, record("success", resultJson="see mail"))
    assert isinstance(outcome, outcomes.StillRunning)
    assert outcome.answer == "see mail"


@pytest.mark.parametrize(
    ("data", "task_id"),
    [
        ({"task_id": "t-1234"}, "t-1234"),
        ({"taskId": 1234567}, "1234567"),
        ({"taskID": "t-1234"}, "t-1234"),
        ({"recordId": "t-1234"}, "t-1234"),
        ({"task": {"id": "t-1234"}}, "t-1234"),
        ({"taskId": ["t-1234"]}, "t-1234"),
        ('{"taskId": "t-1234"}', "t-1234"),
        ("t-1234", "t-1234"),
        (["t-1234"], "t-1234"),
        ({"taskId": "t\ud83d"}, None),
        ({"taskId": "t\x1b[2J"}, None),
        ({"taskId": True}, None),
        ("created", None),
        (None, None),
    ],
)
def test_a_task_that_is_named_oddly_is_in_doubt_with_its_id(data: Any, task_id: str | None) -> None:
    body = json.dumps({"code": 200, "msg": "success", "data": data}).encode()
    outcome = answers.create_outcome(200, None, body)
    assert isinstance(outcome, outcomes.CreateInDoubt)
    assert (outcome.task_id, outcome.answer) == (task_id, body.decode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":200,"data":{"taskId":"t-1234"},"code":422,"msg":"no","data":null}',
        b'{"code":200,"data":{"taskId":"t-1234","taskId":"t-5678"}}',
        b'{"code":422,"msg":"x is required","msg":"y"}',
    ],
)
def test_an_answer_that_says_one_thing_twice_is_in_doubt(body: bytes) -> None:
    assert isinstance(answers.create_outcome(200, None, body), outcomes.CreateInDoubt)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"taskId": "t-1234", "task_id": "t-5678"}, outcomes.CreateInDoubt),
        ({"taskId": "t-1234", "TASKID": 5678}, outcomes.CreateInDoubt),
        ({"taskId": "t-1234", "task_id": "t-1234", "recordId": "r-1"}, outcomes.Accepted),
        ({"taskId": "t-1234", "task_id": None}, outcomes.Accepted),
    ],
)
def test_two_tasks_in_one_answer_are_a_doubt(data: dict[str, Any], kind: type) -> None:
    outcome = answers.create_outcome(200, None, body(200, "success", data))
    assert isinstance(outcome, kind)
    assert isinstance(outcome, outcomes.Accepted | outcomes.CreateInDoubt)
    assert outcome.task_id == ("t-1234" if kind is outcomes.Accepted else None)


@pytest.mark.parametrize(
    ("body", "task_id"),
    [
        (b'{"code":200,"code":500,"data":{"taskId":"a-1234","taskId":"a-5678"}}', None),
        (b'{"code":200,"data":{"taskId":"a-1234"},"data":{"taskId":"a-5678"}}', None),
        (b'{"code":500,"data":["a-1234","a-5678"]}', None),
        (b'{"code":200,"code":500,"data":{"taskId":"a-1234","taskId":"a-1234"}}', "a-1234"),
        (b'{"code":200,"code":500,"data":{"taskId":"a-1234"}}', "a-1234"),
    ],
)
def test_of_several_tasks_that_an_answer_names_none_is_offered(body: bytes, task_id: str | None) -> None:
    outcome = answers.create_outcome(200, None, body)
    assert isinstance(outcome, outcomes.CreateInDoubt)
    assert outcome.task_id == task_id


def test_a_refusal_quotes_the_task_that_it_names_and_nothing_behind_it() -> None:
    outcome = answers.create_outcome(200, None, b'{"code":422,"msg":"no","data":{"x":{"taskId":"t-1234"}}}')
    assert isinstance(outcome, outcomes.CreateInDoubt)
    assert outcome.message == 'the API refused (no) but named a task: "taskId": "t-1234"'


@pytest.mark.parametrize(
    "said",
    [{"failMsg": "bad"}, {"failCode": 500}, {"successFlag": 3}, {"errorMessage": "bad", "errorCode": "1"}],
)
def test_a_failure_next_to_a_word_that_is_none_is_kept_and_decides_nothing(said: dict[str, Any]) -> None:
    outcome = answers.poll_outcome(200, record("generating", **said))
    assert isinstance(outcome, outcomes.StillRunning)
    assert outcome.note is not None
    assert "`generating`" in outcome.note
    assert json.loads(outcome.answer or "") == said


def test_what_is_empty_or_zero_is_no_failure() -> None:
    said = {"failMsg": "", "failCode": None, "successFlag": 0, "errorCode": "0"}
    assert answers.poll_outcome(200, record("queuing", **said)) == outcomes.StillRunning("queuing")


@pytest.mark.parametrize(
    "result", ['{"resultUrls": ["https://h/a.mp4"]}', {"resultUrls": ["https://h/a.mp4"]}]
)
def test_a_result_that_comes_with_a_failure_is_on_record(result: Any) -> None:
    outcome = answers.poll_outcome(200, record("fail", failMsg="in part", resultJson=result))
    assert isinstance(outcome, outcomes.TaskFailed)
    assert outcome.message.startswith("in part (and yet a result came: ")
    assert "https://h/a.mp4" in outcome.message


def test_an_answer_that_was_cut_off_names_its_task() -> None:
    doubt = answers.with_answer(
        outcomes.CreateInDoubt("broke"), b'{"code":200,"data":{"taskId":"t-1234","rec'
    )
    assert doubt.task_id == "t-1234"
    cut = answers.with_answer(outcomes.CreateInDoubt("broke"), b'{"code":200,"data":{"taskId":"t-12')
    assert cut.task_id is None


@pytest.mark.parametrize(
    ("page", "task_id"),
    [
        (b"<p>taskId: t-1234</p>", "t-1234"),
        (b"task_id=abc123&state=waiting", "abc123"),
        (b"<p>Your task id: unknown</p>", None),
        (b"taskId: " + b"\\" * 50_000, None),
    ],
)
def test_a_page_may_name_a_task_too(page: bytes, task_id: str | None) -> None:
    outcome = answers.create_outcome(200, None, page)
    assert isinstance(outcome, outcomes.CreateInDoubt)
    assert outcome.task_id == task_id


def test_frames_beside_a_video_are_told_apart_from_it() -> None:
    result = {"resultUrls": ["https://a"], "lastFrameUrl": ["https://l"], "firstFrameUrl": [None]}
    outcome = answers.poll_outcome(200, record("success", resultJson=json.dumps(result)))
    assert outcome == outcomes.TaskSucceeded(("https://a",), None, None, (("last-frame", "https://l"),))


def test_a_parsed_response_is_preferred_to_the_text() -> None:
    data = {"response": {"resultUrls": ["https://b"]}, "resultJson": '{"resultUrls":["https://a"]}'}
    assert answers.poll_outcome(200, record("success", **data)) == outcomes.TaskSucceeded(
        ("https://b",), None
    )


@pytest.mark.parametrize("result", ["", None, "{", "[]"])
def test_success_without_a_readable_result_is_not_the_end(result: object) -> None:
    outcome = answers.poll_outcome(200, record("success", resultJson=result))
    assert isinstance(outcome, outcomes.StillRunning)


def test_a_failure_keeps_its_code_and_message() -> None:
    outcome = answers.poll_outcome(200, record("fail", failCode="500", failMsg="flagged", creditsConsumed=0))
    assert outcome == outcomes.TaskFailed("500", "flagged", Decimal(0))


@pytest.mark.parametrize(
    "answer", [body(422, "recordInfo is null"), body(404, "Task not found"), b"<html>", body(429)]
)
def test_what_is_no_verdict_ends_nothing(answer: bytes) -> None:
    assert isinstance(answers.poll_outcome(200, answer), outcomes.Unanswered)


def test_param_is_decoded_twice() -> None:
    param = json.dumps({"model": "m", "input": json.dumps({"prompt": "p", "duration": 6})})
    found = answers.task_record(200, record("waiting", param=param))
    assert found == outcomes.TaskRecord("t", "m", {"prompt": "p", "duration": 6}, "waiting")


def test_param_may_hold_its_input_undisguised() -> None:
    param = json.dumps({"model": "m", "input": {"prompt": "p"}})
    found = answers.task_record(200, record("waiting", param=param))
    assert isinstance(found, outcomes.TaskRecord)
    assert found.input == {"prompt": "p"}


@pytest.mark.parametrize(("data", "expected"), [(100, Decimal(100)), (60.62, Decimal("60.62"))])
def test_a_balance_is_an_integer_or_a_float(data: object, expected: Decimal) -> None:
    assert answers.balance(200, body(200, "success", data)) == expected


@pytest.mark.parametrize("data", [None, "60", True, float("inf")])
def test_what_is_no_number_is_no_balance(data: object) -> None:
    assert isinstance(answers.balance(200, body(200, "success", data)), outcomes.Unanswered)


@pytest.mark.parametrize("task", ['"', "\\", "'", "t"])
def test_a_refusal_that_names_a_task_however_oddly_is_in_doubt(task: str) -> None:
    body = json.dumps({"code": 401, "msg": "no", "more": [{"TaskId": task}]}).encode()
    assert isinstance(answers.create_outcome(200, None, body), outcomes.CreateInDoubt)


@pytest.mark.parametrize("task", ["", "  ", None, 5, []])
def test_a_refusal_that_names_no_task_stays_one(task: object) -> None:
    body = json.dumps({"code": 401, "msg": "no", "more": [{"other": task, "taskId": ""}]}).encode()
    assert isinstance(answers.create_outcome(200, None, body), outcomes.Refused)
