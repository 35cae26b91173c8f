"""What the API says of a task: how far it is, what it made, what was sent for it.

In: HTTP status and body of recordInfo's answers. Out: `PollOutcome`, `TaskRecord`. Touches nothing. The
API's own words for a task's states and results are known here and nowhere else.

Sources: the vendor's pages [D] and exchanges observed with the real service [O].
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

from kiejobs.adapters.kie.create_response import decimal_of, excerpt, read_envelope
from kiejobs.core.ledger import outcomes
from kiejobs.core.urls import attempt_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

_RUNNING = {"waiting", "queuing", "generating"}
_STILLS = {"firstFrameUrl": "first-frame", "lastFrameUrl": "last-frame"}
_MOST_CREDITS = Decimal(10**9)  # a task costs some hundreds at most


def poll_outcome(status: int, body: bytes) -> outcomes.PollOutcome:
    """What recordInfo says. Only `success` and `fail` end a task."""
    envelope = read_envelope(body)
    if envelope is None or envelope.code is None:
        return outcomes.Unanswered(f"HTTP {status}: {excerpt(body)}", str(status))
    if envelope.code != "200" or not isinstance(envelope.data, dict):
        # 422 "recordInfo is null" also comes for a short while right after a create [O].
        return outcomes.Unanswered(envelope.message or f"code {envelope.code}", envelope.code)
    return _task_outcome(envelope.data)


def _task_outcome(data: Mapping[str, Json]) -> outcomes.PollOutcome:
    state = str(data.get("state"))
    if state == "success":
        return _succeeded(data)
    if state == "fail":
        code = data.get("failCode")
        message = data.get("failMsg")
        return outcomes.TaskFailed(
            str(code)[:40] if isinstance(code, str | int) and code != "" else None,
            str(message) if message else "the API gave no reason",
            _credits(data),
        )
    if state in _RUNNING:
        return outcomes.StillRunning(state)
    return outcomes.StillRunning(state[:40], "a state that is not known; taken as running")


def _succeeded(data: Mapping[str, Json]) -> outcomes.PollOutcome:
    results = (_json_in(data.get("response")) or None, _json_in(data.get("resultJson")))
    known = [result for result in results if isinstance(result, dict)]
    if not known:
        return outcomes.StillRunning("success", "ended well, but its result is not there yet")
    urls = next(filter(None, map(_urls, known)), ())
    found = None if urls else next(filter(None, map(_found, known)), None)
    stills = next(filter(None, map(_stills, known)), ()) if urls else ()
    return outcomes.TaskSucceeded(urls, _credits(data), found, stills)


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


def task_record(status: int, body: bytes) -> outcomes.TaskRecord | outcomes.Unanswered:
    """What the API says was sent for a task: `param`, whose `input` is JSON text itself [O]."""
    envelope = read_envelope(body)
    if envelope is None or envelope.code != "200" or not isinstance(envelope.data, dict):
        said = excerpt(body) if envelope is None else envelope.message
        return outcomes.Unanswered(said, envelope.code if envelope else str(status))
    data = envelope.data
    param = _json_in(data.get("param"))
    sent = _json_in(param.get("input")) if isinstance(param, dict) else None
    model = param.get("model") if isinstance(param, dict) else data.get("model")
    return outcomes.TaskRecord(
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
