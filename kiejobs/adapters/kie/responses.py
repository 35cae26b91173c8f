"""What the API's answers mean: to a create call the table of the design's section 7, and what became of a task.

In: HTTP status, headers, body. Out: outcomes, records, balances, addresses. The API's own words (codes, texts,
states, results) are known here and nowhere else, from the vendor's pages [D] and from exchanges with the real
service [O]. Errors come as HTTP 200 with a code in the body [O], over-limit calls possibly as HTTP 429 [D];
validation as code 500 with a text [O]; missing credits as 402 or as 500 with a text [O]: both are accepted.
"""

from __future__ import annotations

import json
import re
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.core.ledger import outcomes
from kiejobs.core.urls import attempt_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kiejobs.core.document.nodes import Json

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
    rb"""["']task_?id\\{0,4}["']\s{0,8}:\s{0,8}(?!null\b|\\{0,4}(["'])\s{0,8}\\{0,4}\1)[^\s,}]+""",
    re.IGNORECASE,
)
"""The key with a value behind it; a text that merely speaks of a `task_id` names none."""
_CUT_OFF_ID = re.compile(
    rb"""task[_ -]?id\\{0,4}["']?\s{0,8}[:=]\s{0,8}\\{0,4}["']?((?=[\w.:-]*\d)[\w.:-]{6,200})(?=[\\"',}<&\s])""",
    re.IGNORECASE,
)
"""What is no JSON, cut off or a page, may name one, too."""
_ID_KEYS = ("taskid", "recordid", "taskids", "jobid", "id")
"""What a task's id may be called, case, `_` and `-` left out; the first that is there counts."""
_LIKE_AN_ID = re.compile(r"(?=.*\d)[\w.:-]{6,200}", re.ASCII)
_SPELLINGS = ("task_id", "taskid", "taskID", "TaskId", "TaskID", "TASKID", "task-id")
_LONGEST_ID = 200
_LONGEST_WAIT = 600.0  # seconds; a larger Retry-After is somebody's joke


@dataclass(frozen=True, slots=True)
class Envelope:
    """`{code, msg, data}`: `code` as text, None where the body has none."""

    code: str | None
    message: str
    data: Json


def read_envelope(body: bytes) -> Envelope | None:
    """The envelope, or None where the body is not one (HTML, garbage, cut off)."""
    decoded = _decoded(body)
    if not isinstance(decoded, dict):
        return None
    code = decoded.get("code")
    message = decoded.get("msg", decoded.get("message"))
    known = isinstance(code, int | str) and not isinstance(code, bool)
    return Envelope(
        str(code).strip() if known else None, message if isinstance(message, str) else "", decoded.get("data")
    )


def create_outcome(status: int, retry_after: str | None, body: bytes) -> outcomes.CreateOutcome:
    """May it be sent again? Asked of one complete answer to createTask.

    An answer that refuses and yet names a task (never seen) may have been paid for, so it is in doubt; so is one
    that says one thing twice: which of the two holds nobody knows.
    """
    outcome = _outcome(status, retry_after, body)
    if _says_twice(body):
        outcome = outcomes.CreateInDoubt(
            f"the API's answer (HTTP {status}) says one thing twice", str(status)
        )
    elif not isinstance(outcome, outcomes.Accepted | outcomes.CreateInDoubt):
        named = _task_named_in(body)
        if named is None:
            return outcome
        message = f"the API refused ({outcome.message[:100]}) but named a task: {named}"
        outcome = outcomes.CreateInDoubt(message, outcome.code)
    return outcome if isinstance(outcome, outcomes.Accepted) else with_answer(outcome, body)


def with_answer(doubt: outcomes.CreateInDoubt, body: bytes) -> outcomes.CreateInDoubt:
    """A doubt with what came of an answer, complete or not, and the task that it seems to name."""
    if not body:
        return doubt
    decoded, cut = _decoded(body, _with_all_values), _CUT_OFF_ID.search(body)
    found = cut[1].decode("ascii", "replace") if cut and decoded is None else task_id_in(decoded)
    return replace(doubt, answer=body.decode("utf-8", "backslashreplace"), task_id=found)


def task_id_in(answer: Json) -> str | None:
    """What an answer seems to call its task: a text or a number, by a name for it or in its place; None where it
    names several.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    values = data if isinstance(data, list) else [data]
    found = {str(one) for one in values if isinstance(one, str | int) and _LIKE_AN_ID.fullmatch(str(one))}
    for name in _ID_KEYS:
        found = found or set(_ids_by(name, answer))
    return found.pop() if len(found) == 1 else None


def _ids_by(name: str, answer: Json) -> Iterator[str]:
    for key, value in _members(answer):
        plain = key.lower().replace("_", "").replace("-", "")
        for one in (value if isinstance(value, list) else [value]) if plain == name else ():
            if isinstance(one, str | int) and not isinstance(one, bool) and _is_usable(str(one)):
                yield str(one).strip()


def _is_usable(task_id: str) -> bool:
    """Can it be asked for, and typed?"""
    return bool(task_id.strip()) and task_id.isprintable() and len(task_id) <= _LONGEST_ID


def _members(value: Json) -> Iterator[tuple[str, Json]]:
    """All members of all objects in it, also of those that are JSON text; nearest first."""
    waiting = deque([value])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, str) and node.lstrip()[:1] in {"{", "["}:
            node = _json_in(node)
        if isinstance(node, dict):
            yield from node.items()
        waiting.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())


def _decoded(body: bytes, made_of: Callable[[list[tuple[str, Json]]], dict[str, Json]] = dict) -> Json:
    """The JSON of a body, or None. `made_of` makes an object of its members."""
    try:
        return json.loads(body, object_pairs_hook=made_of)
    except (ValueError, RecursionError):
        return None


def _with_all_values(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """A key that is there several times has a list of what it was given."""
    values: dict[str, list[Json]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return {key: given[0] if len(given) == 1 else given for key, given in values.items()}


def _says_twice(body: bytes) -> bool:
    """Does an object in it have one key twice?"""
    found = False

    def look(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        nonlocal found
        members = dict(pairs)
        found = found or len(members) < len(pairs)
        return members

    with suppress(ValueError, RecursionError):
        json.loads(body, object_pairs_hook=look)
    return found


def _task_named_in(body: bytes) -> str | None:
    """The value where a task is named, however that is wrapped or cut off."""
    try:
        decoded = json.loads(body)
        plain = json.dumps(decoded).encode()  # escapes and encodings out of the way
    except (ValueError, RecursionError):
        decoded, plain = None, body.replace(b"\0", b"")
    found = _NAMES_A_TASK.search(plain)
    return _named_in(decoded) if found is None else excerpt(found[0])


def _named_in(value: Json) -> str | None:
    """A task's id in a decoded answer, however odd: a lone quote is a name, too."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            named = (node[key] for key in node if key.lower() in {"taskid", "task_id"})
            task = next((one for one in named if isinstance(one, str) and one.strip()), None)
            if task is not None:
                return task[:100]
        waiting.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
    return None


def _outcome(status: int, retry_after: str | None, body: bytes) -> outcomes.Answered:
    envelope = read_envelope(body)
    if envelope is None or envelope.code is None:
        return _without_envelope(status, retry_after, body)
    if envelope.code == "200":
        return _accepted(envelope, status)
    code = str(status) if envelope.code not in _BY_CODE and status in {401, 403, 429} else ""
    return _by_code(code or envelope.code, envelope.message, retry_after)


def _accepted(envelope: Envelope, status: int) -> outcomes.Answered:
    data = envelope.data if isinstance(envelope.data, dict) else {}
    task_id = data.get("taskId")
    if isinstance(task_id, str) and _is_usable(task_id.strip()):
        named = {task_id.strip(), *map(str, filter(None, map(data.get, _SPELLINGS)))}
        if len(named) > 1:
            return outcomes.CreateInDoubt(f"the API answered 200 (HTTP {status}) and named two tasks", "200")
        return outcomes.Accepted(task_id.strip())
    return outcomes.CreateInDoubt(
        f"the API answered 200 (HTTP {status}) without a task's id in its place", "200"
    )


def _without_envelope(status: int, retry_after: str | None, body: bytes) -> outcomes.Answered:
    code = str(status)
    if status in EDGE:
        return outcomes.Refused(code, excerpt(body), by_edge=True)
    if 400 <= status < 500 and code in _BY_CODE:
        return _by_code(code, excerpt(body), retry_after)
    return outcomes.CreateInDoubt(f"an answer that is not the API's (HTTP {status}): {excerpt(body)}", code)


def _by_code(code: str, message: str, retry_after: str | None) -> outcomes.Answered:
    if code in {"429", "455"}:
        return outcomes.CreateNotAccepted(code, message, seconds_of(retry_after))
    make = _BY_CODE.get(code)
    return make(code, message) if make else outcomes.CreateInDoubt(message or f"code {code}", code)


def _by_message(code: str, message: str) -> outcomes.Answered:
    """Code 500 alone says neither permanent nor transient; only known texts do [O]."""
    if _SPEAKS_OF_VALIDATION.search(message):
        return outcomes.CreateRejected(code, message)
    if _SPEAKS_OF_CREDITS.search(message):
        return outcomes.NoMoney(code, message)
    return outcomes.CreateInDoubt(message or "code 500", code)


_BY_CODE: dict[str, Callable[[str, str], outcomes.Answered]] = {
    "400": outcomes.CreateRejected,
    "401": outcomes.Refused,
    "402": outcomes.NoMoney,
    "403": outcomes.Refused,
    "404": outcomes.CreateRejected,
    "405": outcomes.CreateRejected,
    "413": outcomes.CreateRejected,
    "422": outcomes.CreateRejected,
    "429": lambda code, message: outcomes.CreateNotAccepted(code, message, None),
    "433": outcomes.NoMoney,
    "455": lambda code, message: outcomes.CreateNotAccepted(code, message, None),
    "500": _by_message,
    "505": outcomes.CreateRejected,
}


EDGE = {401, 402, 403, 404, 405, 407, 451}
"""Without the API's envelope they say nothing of the key, the credits or the request."""


def seconds_of(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds, capped; None where absent or a date (never seen on this API)."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else None  # noqa: PLR0124 - NaN


def download_url(status: int, body: bytes) -> str | outcomes.Unanswered:
    """A bare URL in `data` [D]; code 422 for URLs that the API did not make [O]."""
    data = data_in(status, body)
    if isinstance(data, str | outcomes.Unanswered):
        return data
    return outcomes.Unanswered("no URL in the answer", "200")


def balance(status: int, body: bytes) -> Decimal | outcomes.Unanswered:
    """Credits on the account: documented as an integer, seen as a float."""
    data = data_in(status, body)
    if isinstance(data, outcomes.Unanswered):
        return data
    found = decimal_of(data)
    return outcomes.Unanswered("no number in the answer", "200") if found is None else found


def data_in(status: int, body: bytes) -> Json | outcomes.Unanswered:
    """Of an answer that says 200."""
    envelope = read_envelope(body)
    if envelope is None or envelope.code is None:
        return _from_edge(status, body)
    if envelope.code != "200":
        return outcomes.Unanswered(envelope.message or f"code {envelope.code}", envelope.code)
    return envelope.data


def _from_edge(status: int, body: bytes) -> outcomes.Unanswered:
    is_broken = body.lstrip()[:1] in {b"{", b"["} and _decoded(body) is None
    why = "with JSON that is cut off or broken" if is_broken else outcomes.FROM_EDGE
    said = f"HTTP {status} {why}: {excerpt(body)}"
    return outcomes.Unanswered(said, str(status), by_edge=True)


def why_no_document(text: str) -> str | None:
    """Of a saved answer about a model that has no OpenAPI document: what it says instead; None for any other text."""
    envelope = read_envelope(text.encode("utf-8", "replace"))
    if envelope is None or envelope.code is None:
        return None
    if envelope.code != "200":
        return f"it is the API's answer {envelope.code}: {envelope.message}"
    data = envelope.data if isinstance(envelope.data, dict) else {}
    return "the vendor has no document of it: `openapi` is null" if data.get("openapi", 0) is None else None


def decimal_of(value: Any) -> Decimal | None:
    """A number as it was written; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


def excerpt(body: bytes) -> str:
    """The beginning of what came, for a message."""
    text = " ".join(body[:400].decode("utf-8", "replace").split())
    return text[:120] or "an empty body"


# --- tasks -------------------------------------------------------------------------------------------

SUCCESS = "success"
_RUNNING = {"waiting", "queuing", "generating"}
_OF_A_FAILURE = ("failCode", "failMsg", "errorCode", "errorMessage", "successFlag")
_NO_FAILURE: tuple[Json, ...] = (None, "", "0", 0, [], {})
_OF_AN_END = ("resultJson", "response", "failCode", "failMsg")
_NOTHING: tuple[Json, ...] = (None, "", [], {})
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)
_NAMES_A_RESULT = re.compile(
    r"(?:result|image|video|audio|media|file|output|download|origin)?_?-?(?:urls?|uris?|links?|href|src)|results?|"
    r"(?:image|video|audio|file|output)s?",
    re.IGNORECASE,
)
_STILLS = {"firstFrameUrl": "first-frame", "lastFrameUrl": "last-frame"}
_MOST_CREDITS = Decimal(10**9)  # a task costs some hundreds at most


def poll_outcome(status: int, body: bytes) -> outcomes.PollOutcome:
    """What recordInfo says. Only `success` and `fail` end a task."""
    envelope = read_envelope(body)
    if envelope is None or envelope.code is None:
        return _from_edge(status, body)
    if envelope.code != "200" or not isinstance(envelope.data, dict):
        # 422 "recordInfo is null" also comes for a short while right after a create [O].
        return outcomes.Unanswered(envelope.message or f"code {envelope.code}", envelope.code)
    return _task_outcome(envelope.data)


def _task_outcome(data: Mapping[str, Json]) -> outcomes.PollOutcome:
    given = data.get("state", "no state")
    state = given if isinstance(given, str) else json.dumps(given)
    if state == "success":
        return _succeeded(data)
    if state == "fail":
        code, message = data.get("failCode"), str(data.get("failMsg") or "the API gave no reason")
        came = next(
            (data[name] for name in ("response", "resultJson") if not _is_nothing(data.get(name))), None
        )
        return outcomes.TaskFailed(
            str(code)[:40] if isinstance(code, str | int) and code != "" else None,
            message if came is None else f"{message} (and yet a result came: {json.dumps(came)[:300]})",
            _credits(data),
        )
    if state in _RUNNING:
        running = _running(state, data) if any(map(data.get, _OF_A_FAILURE)) else outcomes.StillRunning(state)
        price = _credits(data)  # the full price from the first poll on, or 0 where it is not known yet [O]
        return replace(running, price=price) if price else running
    word = json.dumps(given)[:60] if "state" in data else "nothing of its state"
    came = {name: data[name] for name in _OF_AN_END if data.get(name) not in _NOTHING}
    answer = json.dumps(came, ensure_ascii=False) if came else None
    note = f"the API says {word}, which kiejobs does not know: treated as running"
    return outcomes.StillRunning(state[:40], note, answer)


def _running(state: str, data: Mapping[str, Json]) -> outcomes.StillRunning:
    """A reason for a failure next to a word that is none is on record, and decides nothing."""
    came = {name: data[name] for name in _OF_A_FAILURE if data.get(name) not in _NO_FAILURE}
    if not came:
        return outcomes.StillRunning(state)
    note = f"the API says `{state}`, but also reports an end: treated as running"
    return outcomes.StillRunning(state, note, json.dumps(came, ensure_ascii=False))


def _succeeded(data: Mapping[str, Json]) -> outcomes.PollOutcome:
    """With addresses, wherever they plainly are; else with a value; a success without either is asked for again."""
    given = (data.get("response"), data.get("resultJson"))
    results = [_json_in(one) or one for one in given]
    urls = next(filter(None, map(_urls, results)), ())
    known = [result for result in results if isinstance(result, dict)]
    found = None if urls else next(filter(None, map(_found, known)), None)
    if urls or found is not None:
        stills = next(filter(None, map(_stills, known)), ()) if urls else ()
        inside = _named_addresses(found) if found is not None else ()
        return outcomes.TaskSucceeded(urls, _credits(data), found, stills, inside)
    came = next((one for one in given if not _is_nothing(one)), None)
    answer = came if came is None or isinstance(came, str) else json.dumps(came, ensure_ascii=False)
    what = "but named no result" if answer is None else "with a result that kiejobs can't read"
    return outcomes.StillRunning(SUCCESS, f"the API says `success`, {what}", answer)


def _is_nothing(given: Json) -> bool:
    """Empty, or with nothing in it but what is."""
    if given in (None, "", "null"):
        return True
    value = _json_in(given)
    inner = list(value.values()) if isinstance(value, dict) else value
    return isinstance(inner, list) and all(map(_is_nothing, inner))


def _stills(result: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    """Frames that were requested with a video, each the first of its list [D]."""
    return tuple((name, urls[0]) for key, name in _STILLS.items() if (urls := _addresses(result.get(key))))


def _found(result: Mapping[str, Json]) -> Json:
    """A result that is no file: of text models in `resultObject`, of others all of it [D]."""
    rest = {name: value for name, value in result.items() if name != "resultUrls" and value not in _NOTHING}
    return rest.get("resultObject") or rest or None


def _urls(result: Json) -> tuple[str, ...]:
    """What is plainly an address of a result: where the API puts them, else by a name for one."""
    if not isinstance(result, dict):
        return _addresses(result)
    is_value = bool(result.get("resultObject"))  # its addresses are a part of the result
    return _addresses(result.get("resultUrls")) or (() if is_value else _named_addresses(result))


def _named_addresses(result: Json) -> tuple[str, ...]:
    named = (value for key, value in _members(result) if _NAMES_A_RESULT.fullmatch(key))
    return next(filter(None, map(_addresses, named)), ())


def _addresses(value: Json) -> tuple[str, ...]:
    """The http(s) addresses of a text, a list, or an object that says `url`, in order and each once."""
    value = _json_in(value) or value
    if isinstance(value, str):
        texts = re.split(r"[\s,]+(?=https?://)", value.strip())
        return tuple(dict.fromkeys(filter(_ADDRESS.fullmatch, texts)))
    if isinstance(value, dict):
        lists = (one for key, one in value.items() if _NAMES_A_RESULT.fullmatch(key))
        return next(filter(None, map(_addresses, lists)), ())
    found = [url for one in value for url in _addresses(one)] if isinstance(value, list) else []
    return tuple(dict.fromkeys(found))


def task_record(status: int, body: bytes) -> outcomes.TaskRecord | outcomes.Unanswered:
    """What the API says was sent for a task: `param`, whose `input` is JSON text itself [O]."""
    data = data_in(status, body)
    if not isinstance(data, dict):
        unread = outcomes.Unanswered("no task in the answer", "200")
        return data if isinstance(data, outcomes.Unanswered) else unread
    found = _json_in(data.get("param"))
    param = found if isinstance(found, dict) else {"model": data.get("model")}
    sent, model, url = _json_in(param.get("input")), param.get("model"), param.get("callBackUrl")
    query = url.partition("#")[0].partition("?")[2] if isinstance(url, str) else ""
    return outcomes.TaskRecord(
        task_id=str(data.get("taskId", "")),
        model=str(model) if model else None,
        input=sent if isinstance(sent, dict) else None,
        api_state=str(data.get("state", "")),
        attempt_id=attempt_in(query),
    )


def _credits(data: Mapping[str, Json]) -> Decimal | None:
    """What the task cost; less than nothing would make room in a budget, so it is not believed."""
    found = decimal_of(data.get("creditsConsumed", data.get("consumeCredits")))
    if found is None or not 0 <= found <= _MOST_CREDITS:
        return None
    rounded = round(found, 6)  # a float may have hundreds of digits behind the point
    return found if found == rounded else rounded


def _json_in(value: Json) -> Json:
    """`value` decoded where it is JSON text, as it is where it is not, None where it is neither."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
