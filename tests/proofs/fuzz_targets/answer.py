"""The API's answers, by anything that may come back instead of one.

In: a line `STATUS RETRY-AFTER`, then the body. Out: `Broken` where an answer that names a task could be
sent again, where a task is taken that was not named, where a class is not backed by what was said, or
where what was read can't go through the journal and back. Touches nothing.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from kiejobs.adapters.kie import responses as answers
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.events import bad_field, from_json, to_json
from kiejobs.core.ledger.records import Failure
from tests.proofs.fuzz_bytes import mutated
from tests.proofs.fuzz_guard import Broken

network = False
EXAMPLE = b'200 \n{"code":200,"msg":"success","data":{"taskId":"abc"}}'
_SEEN = Path(__file__).parents[2] / "data" / "exchanges.jsonl"
_TOKENS = (
    *(b'"taskId"', b'"code"', b'"data"', b'"msg"', b"200", b"429", b"455", b"500", b"null", b"{}"),
    *(b"[" * 900, b'{"a":' * 900, b"1e999", b"NaN", b"Infinity", b"-1", b"9" * 400, b'"\\ud800"', b'"'),
    *(b'"success"', b'"fail"', b'"resultJson"', b'"resultUrls"', b'"creditsConsumed"', b'\\"', b","),
)  # fmt: skip
_CODES = (
    0,
    200,
    "200",
    " 200 ",
    200.0,
    True,
    None,
    401,
    402,
    422,
    429,
    "429",
    433,
    455,
    500,
    501,
    505,
)
_MESSAGES = (
    "",
    "success",
    "Your credits are not enough",
    "prompt is required",
    None,
    7,
    "recordInfo is null",
)
_STATES = (
    "success",
    "success",
    "fail",
    "fail",
    "waiting",
    "generating",
    "SUCCESS",
    "",
    None,
    1,
    ["success"],
)
_IDS = ("abc", "", " ", "a" * 201, "\ud800", "a\nb", 7, None, ["abc"], "ä", "../x")
_PIECE = re.compile(rb'"taskId"\s*:\s*"[\w]')  # in what is cut off, or no JSON for other reasons
_REFUSES = (
    outcomes.CreateNotAccepted,
    outcomes.NotSent,
    outcomes.Refused,
    outcomes.NoMoney,
    outcomes.CreateRejected,
)


def prepare(_room: Path) -> None:
    pass


def inputs() -> Any:
    lines = [json.loads(line) for line in _SEEN.read_text(encoding="utf-8").splitlines()]
    seen = [f"{line['status']} 3\n{line['response_body']}".encode() for line in lines]
    return st.builds(_case, _statuses(), _waits(), _envelopes()) | mutated([EXAMPLE, *seen], _TOKENS)


def _case(status: int, wait: str, body: Any) -> bytes:
    return f"{status} {wait}\n{json.dumps(body)}".encode("utf-8", "surrogatepass")


def _statuses() -> Any:
    return st.sampled_from((200, 201, 204, 301, 400, 401, 402, 403, 422, 429, 455, 500, 502, 505, 999))


def _waits() -> Any:
    odd = ("", "3", "-1", "1e9", "nan", "inf", "1_0", "Wed, 21 Oct 2026 07:28:00 GMT", "٣")
    return st.sampled_from(odd)


def _envelopes() -> Any:
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys(), inner, max_size=4),
        max_leaves=8,
    )
    results = anything | st.builds(json.dumps, st.fixed_dictionaries({"resultUrls": anything}))
    data = st.fixed_dictionaries(
        {},
        optional={
            "taskId": st.sampled_from(_IDS),
            "state": st.sampled_from(_STATES),
            "resultJson": results,
            "response": results,
            "creditsConsumed": st.sampled_from((16, 2.5, -5, -0.5, 1e308, 10**400, "3", True)) | anything,
            "failCode": anything,
            "failMsg": anything,
            "param": results | st.just('{"model":"m","input":"{\\"prompt\\":\\"x\\"}"}'),
        },
    )
    whole = st.fixed_dictionaries(
        {},
        optional={
            "code": st.sampled_from(_CODES),
            "msg": st.sampled_from(_MESSAGES),
            "data": data | anything,
            "taskId": st.sampled_from(_IDS),
        },
    )
    good = st.fixed_dictionaries({"code": st.just(200), "data": data})
    ended = data.map(lambda found: {"code": 200, "data": {"state": "success", "resultJson": "{}", **found}})
    return good | ended | whole | anything


def _keys() -> Any:
    return st.sampled_from(("taskId", "code", "data", "state", "resultUrls", "input", "model", "a"))


def check(data: bytes, _room: Path) -> None:
    line, _, body = data.partition(b"\n")
    number, _, wait = line.decode("utf-8", "replace").partition(" ")
    status = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 200
    _created(answers.create_outcome(status, wait or None, body), status, body)
    _polled(answers.poll_outcome(status, body), body)
    record = answers.task_record(status, body)
    if isinstance(record, outcomes.TaskRecord) and not (
        isinstance(record.task_id, str) and isinstance(record.input, dict | None)
    ):
        raise Broken(f"a record that is none: {record}")
    money = answers.balance(status, body)
    if isinstance(money, Decimal) and not money.is_finite():
        raise Broken(f"a balance that is no number: {money}")


# --- a create call -------------------------------------------------------------------------------


def _created(outcome: Any, status: int, body: bytes) -> None:
    named = _tasks_in(body)
    if isinstance(outcome, outcomes.Accepted):
        if outcome.task_id not in {task.strip() for task in named}:
            raise Broken(f"a task that nobody named: {outcome.task_id!r}")
        _through_the_journal(e.Submitted("a", outcome.task_id))
        return
    if isinstance(outcome, _REFUSES) and (named or _PIECE.search(body)):
        raise Broken(f"{type(outcome).__name__}, though a task is named: {named}")
    if isinstance(outcome, outcomes.CreateNotAccepted):
        wait = outcome.retry_after
        if outcome.code not in {"429", "455"} or not (wait is None or 0 <= wait <= 600):
            raise Broken(f"not accepted, by its own words: {outcome}")
        if not {"429", "455"} & {str(status), _code_in(body)}:
            raise Broken(f"nobody said 429 or 455: {outcome}")
    code = outcome.code
    _through_the_journal(e.InDoubt("a", Failure("in_doubt", code, outcome.message)))


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _code_in(body: bytes) -> str:
    decoded = _decoded(body)
    return str(decoded.get("code")).strip() if isinstance(decoded, dict) else ""


def _tasks_in(body: bytes) -> list[str]:
    """Every text under a key `taskId`, however deep."""
    found, queue = [], [_decoded(body)]
    while queue:
        node = queue.pop()
        if isinstance(node, dict):
            task = node.get("taskId")
            found += [task] if isinstance(task, str) and task.strip() else []
            queue += node.values()
        elif isinstance(node, list):
            queue += node
    return found


# --- a poll --------------------------------------------------------------------------------------


def _polled(outcome: Any, body: bytes) -> None:
    if isinstance(outcome, outcomes.StillRunning | outcomes.Unanswered):
        str(outcome)
        return
    decoded = _decoded(body)
    state = decoded["data"]["state"]
    if state != ("success" if isinstance(outcome, outcomes.TaskSucceeded) else "fail"):
        raise Broken(f"{outcome} of a task that is {state!r}")
    charged = outcome.charged
    if charged is not None and not (charged.is_finite() and charged >= 0):
        raise Broken(f"charged {charged}")
    if isinstance(outcome, outcomes.TaskSucceeded):
        _through_the_journal(e.Succeeded("a", charged, outcome.urls))
    else:
        failure = Failure("failed", outcome.code, outcome.message)
        _through_the_journal(e.Failed("a", failure, charged))


def _through_the_journal(event: Any) -> None:
    line = json.dumps(to_json(event), ensure_ascii=False).encode("utf-8", "surrogatepass")
    back = from_json(json.loads(line))
    if back != event or back is None or bad_field(back) or b"\n" in line:
        raise Broken(f"the journal keeps {back} of {event}")
