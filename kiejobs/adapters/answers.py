"""What the API's answers mean. Bytes in, outcomes out; the table of the design's section 7.

In: HTTP status, headers, body. Out: `CreateOutcome`, `PollOutcome`, records. Touches nothing. The
API's own words (states, codes, message texts) are known here and nowhere else.

Sources: the vendor's pages [D] and exchanges observed with the real service [O]. Errors come as HTTP
200 with a code in the body [O], over-limit calls possibly as HTTP 429 [D]; validation comes as code
500 with a text [O]; missing credits as 402 or as 500 with a text [O]. Where the two disagree both are
accepted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs import ports
from kiejobs.core.urls import attempt_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.types import Json

_Answered: TypeAlias = "ports.Accepted | ports.NotAccepted | ports.Refused | ports.NoMoney | ports.Rejected | ports.InDoubt"
"""What an answer can mean; that nothing was sent only the lack of one can."""

_RUNNING = {"waiting", "queuing", "generating"}

_STILLS = {"firstFrameUrl": "first-frame", "lastFrameUrl": "last-frame"}

_SPEAKS_OF_CREDITS = re.compile(r"\bcredits?\b|\bbalance\b|\btop[ -]?up\b", re.IGNORECASE)

_SPEAKS_OF_VALIDATION = re.compile(
    r"\bis required\b"
    r"|not within the range of allowed options"
    r"|must be within the specified range"
    r"|(?:text )?length cannot exceed"
    r"|model name you specified is not supported",
    re.IGNORECASE,
)
"""The texts that the real service was seen to use for what it refuses before making a task."""

_NAMES_A_TASK = re.compile(
    rb"""["']task_?id\\{0,4}["']\s{0,8}:\s{0,8}(?!null\b|\\{0,4}(["'])\s{0,8}\\{0,4}\1)[^\s,}]""",
    re.IGNORECASE,
)
"""The key with a value behind it; a text that merely speaks of a `task_id` names none."""

_MOST_CREDITS = Decimal(10**9)  # a task costs some hundreds at most

_LONGEST_WAIT = 600.0  # seconds; a larger Retry-After is somebody's joke


@dataclass(frozen=True, slots=True)
class Envelope:
    """`{code, msg, data}`: `code` as text, None where the body has none."""

    code: str | None
    message: str
    data: Json


def read_envelope(body: bytes) -> Envelope | None:
    """The envelope, or None where the body is not one (HTML, garbage, cut off)."""
    try:
        decoded = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(decoded, dict):
        return None
    code = decoded.get("code")
    message = decoded.get("msg", decoded.get("message"))
    known = isinstance(code, int | str) and not isinstance(code, bool)
    return Envelope(
        str(code).strip() if known else None,
        message if isinstance(message, str) else "",
        decoded.get("data"),
    )


def create_outcome(status: int, retry_after: str | None, body: bytes) -> ports.CreateOutcome:
    """May it be sent again? Asked of one whole answer to createTask.

    An answer that refuses and yet names a task (never seen) may have been paid for, so it is in doubt.
    """
    outcome = _outcome(status, retry_after, body)
    if isinstance(outcome, ports.Accepted | ports.InDoubt):
        return outcome
    named = _task_named_in(body)
    if named is None:
        return outcome
    message = f"the API refused ({outcome.message[:100]}) but named a task: {named}"
    return ports.InDoubt(message, outcome.code)


def _task_named_in(body: bytes) -> str | None:
    """What stands where a task is named, however that is wrapped or cut off."""
    try:
        plain = json.dumps(json.loads(body)).encode()  # escapes and encodings out of the way
    except (ValueError, RecursionError):
        plain = body.replace(b"\0", b"")
    found = _NAMES_A_TASK.search(plain)
    return None if found is None else _excerpt(plain[found.start() :])


def _outcome(status: int, retry_after: str | None, body: bytes) -> _Answered:
    envelope = read_envelope(body)
    if envelope is None or envelope.code is None:
        return _without_envelope(status, retry_after, body)
    if envelope.code == "200":
        return _accepted(envelope, status)
    code = str(status) if envelope.code not in _BY_CODE and status in {401, 403, 429} else ""
    return _by_code(code or envelope.code, envelope.message, retry_after)


def _accepted(envelope: Envelope, status: int) -> _Answered:
    data = envelope.data if isinstance(envelope.data, dict) else {}
    task_id = data.get("taskId")
    if isinstance(task_id, str) and task_id.strip() and len(task_id) <= 200:
        return ports.Accepted(task_id.strip())
    return ports.InDoubt(f"the API said 200 (HTTP {status}) but named no task", "200")


def _without_envelope(status: int, retry_after: str | None, body: bytes) -> _Answered:
    code = str(status)
    if 400 <= status < 500 and code in _BY_CODE:
        return _by_code(code, _excerpt(body), retry_after)
    return ports.InDoubt(f"an answer that is not the API's (HTTP {status}): {_excerpt(body)}", code)


def _by_code(code: str, message: str, retry_after: str | None) -> _Answered:
    if code in {"429", "455"}:
        return ports.NotAccepted(code, message, seconds_of(retry_after))
    if code == "500":
        return _by_message(code, message)
    make = _BY_CODE.get(code)
    return ports.InDoubt(message or f"code {code}", code) if make is None else make(code, message)


def _by_message(code: str, message: str) -> _Answered:
    """Code 500 alone says neither permanent nor transient; only known texts do [O]."""
    if _SPEAKS_OF_VALIDATION.search(message):
        return ports.Rejected(code, message)
    if _SPEAKS_OF_CREDITS.search(message):
        return ports.NoMoney(code, message)
    return ports.InDoubt(message or "code 500", code)


_BY_CODE: dict[str, Callable[[str, str], _Answered]] = {
    "400": ports.Rejected,
    "401": ports.Refused,
    "402": ports.NoMoney,
    "403": ports.Refused,
    "404": ports.Rejected,
    "405": ports.Rejected,
    "413": ports.Rejected,
    "422": ports.Rejected,
    "429": lambda code, message: ports.NotAccepted(code, message, None),
    "433": ports.NoMoney,
    "455": lambda code, message: ports.NotAccepted(code, message, None),
    "500": _by_message,
    "505": ports.Rejected,
}


def seconds_of(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds, capped; None where absent or a date (never seen on this API)."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else None  # noqa: PLR0124 - NaN


def poll_outcome(status: int, body: bytes) -> ports.PollOutcome:
    """What recordInfo says. Only `success` and `fail` end a task."""
    envelope = read_envelope(body)
    if envelope is None or envelope.code is None:
        return ports.Unanswered(f"HTTP {status}: {_excerpt(body)}", str(status))
    if envelope.code != "200" or not isinstance(envelope.data, dict):
        # 422 "recordInfo is null" also comes for a short while right after a create [O].
        return ports.Unanswered(envelope.message or f"code {envelope.code}", envelope.code)
    return _task_outcome(envelope.data)


def _task_outcome(data: Mapping[str, Json]) -> ports.PollOutcome:
    state = str(data.get("state"))
    if state == "success":
        return _succeeded(data)
    if state == "fail":
        code = data.get("failCode")
        message = data.get("failMsg")
        return ports.Failed(
            str(code)[:40] if isinstance(code, str | int) and code != "" else None,
            str(message) if message else "the API gave no reason",
            _credits(data),
        )
    if state in _RUNNING:
        return ports.StillRunning(state)
    return ports.StillRunning(state[:40], "a state that is not known; taken as running")


def _succeeded(data: Mapping[str, Json]) -> ports.PollOutcome:
    results = (_json_in(data.get("response")) or None, _json_in(data.get("resultJson")))
    known = [result for result in results if isinstance(result, dict)]
    if not known:
        return ports.StillRunning("success", "ended well, but its result is not there yet")
    urls = next(filter(None, map(_urls, known)), ())
    found = None if urls else next(filter(None, map(_found, known)), None)
    stills = next(filter(None, map(_stills, known)), ()) if urls else ()
    return ports.Succeeded(urls, _credits(data), found, stills)


def _stills(result: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    """Frames that were asked for beside a video, each the first of its list [D]."""
    lists = ((name, result.get(key)) for key, name in _STILLS.items())
    return tuple(
        (name, urls[0])
        for name, urls in lists
        if isinstance(urls, list) and urls and isinstance(urls[0], str)
    )


def _found(result: Mapping[str, Json]) -> Json:
    """A result that is no file: of text models in `resultObject`, of others the whole of it [D]."""
    rest = {name: value for name, value in result.items() if name != "resultUrls"}
    return rest.get("resultObject") or rest or None


def _urls(result: Mapping[str, Json]) -> tuple[str, ...]:
    urls = result.get("resultUrls")
    return tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else ()


def task_record(status: int, body: bytes) -> ports.TaskRecord | ports.Unanswered:
    """What the API says was sent for a task: `param`, whose `input` is JSON text itself [O]."""
    envelope = read_envelope(body)
    if envelope is None or envelope.code != "200" or not isinstance(envelope.data, dict):
        said = _excerpt(body) if envelope is None else envelope.message
        return ports.Unanswered(said, envelope.code if envelope else str(status))
    data = envelope.data
    param = _json_in(data.get("param"))
    sent = _json_in(param.get("input")) if isinstance(param, dict) else None
    model = param.get("model") if isinstance(param, dict) else data.get("model")
    return ports.TaskRecord(
        task_id=str(data.get("taskId", "")),
        model=str(model) if model else None,
        input=sent if isinstance(sent, dict) else None,
        api_state=str(data.get("state", "")),
        attempt_id=_attempt_in(param),
    )


def _attempt_in(param: Json) -> str | None:
    """The attempt id in the query of the callback URL that was sent, where there was one."""
    url = param.get("callBackUrl") if isinstance(param, dict) else None
    return attempt_in(url.partition("#")[0].partition("?")[2]) if isinstance(url, str) else None


def download_url(status: int, body: bytes) -> str | ports.Unanswered:
    """A bare URL in `data` [D]; code 422 for URLs that the API did not make [O]."""
    envelope = read_envelope(body)
    if envelope is None or envelope.code != "200":
        said = _excerpt(body) if envelope is None else envelope.message
        return ports.Unanswered(said, (envelope.code if envelope else None) or str(status))
    if not isinstance(envelope.data, str):
        return ports.Unanswered("no URL in the answer", "200")
    return envelope.data


def balance(status: int, body: bytes) -> Decimal | ports.Unanswered:
    """Credits on the account: documented as an integer, seen as a float."""
    envelope = read_envelope(body)
    if envelope is None or envelope.code != "200":
        said = _excerpt(body) if envelope is None else envelope.message
        return ports.Unanswered(said, (envelope.code if envelope else None) or str(status))
    found = _decimal(envelope.data)
    return ports.Unanswered("no number in the answer", "200") if found is None else found


def _credits(data: Mapping[str, Json]) -> Decimal | None:
    """What the task cost; less than nothing would make room in a budget, so it is not believed."""
    found = _decimal(data.get("creditsConsumed", data.get("consumeCredits")))
    if found is None or not 0 <= found <= _MOST_CREDITS:
        return None
    rounded = round(found, 6)  # a float may have hundreds of digits behind the point
    return found if found == rounded else rounded


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


def _json_in(value: Json) -> Json:
    """`value` decoded where it is JSON text, as it is where it is not, None where it is neither."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:400].decode("utf-8", "replace").split())
    return text[:120] or "an empty body"
