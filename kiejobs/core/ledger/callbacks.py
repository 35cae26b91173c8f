"""What a callback says, and whether it may be believed so far.

In: a request's query string, headers and body, the key that callbacks are signed with, the time. Out:
`Claim`, or `RefusedCallback`, whose reason repeats nothing of the request. Touches nothing.

A callback is a hint and no more: the signature covers a task id and a time, neither the body nor the
attempt id in the query. So whoever hears one asks recordInfo for the truth.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from kiejobs.core.urls import attempt_in

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_BODY = 1_000_000  # bytes; a real one has a few thousand
_DEEPEST = 64  # arrays and objects within one another; a real one has 3
_FRESH = 300  # seconds that a signed time may be away from ours, either way
_LONGEST_TASK_ID = 200
_EPOCH_SECONDS = re.compile(r"[0-9]{1,12}")
_JSON_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # linear, whatever it is given
_BRACKET = re.compile(r"[\[\]{}]")
_ODD_IN_URL = re.compile(r"[^!-~]")


@dataclass(frozen=True, slots=True)
class Claim:
    """A hint that a task is over. `attempt_id` is from the query, `signed` when its HMAC was checked."""

    attempt_id: str
    task_id: str
    signed: bool


@dataclass(frozen=True, slots=True)
class RefusedCallback:
    """Turned away: `status` 400, 401, 404, 405, 413, 415 or 503, `why` in words."""

    status: int
    why: str


TOO_LARGE = RefusedCallback(413, "the body is larger than 1 MB")


def read_callback(
    query: str, headers: Sequence[tuple[str, str]], body: bytes, key: str | None, now: float
) -> Claim | RefusedCallback:
    """Check one POST. `query` without its `?`; `now` in epoch seconds; `key` None where none is set.

    The task is `data.taskId`, or `data.task_id` in older families of models (vendor page); one that
    says both must say the same twice. The attempt is the query's only `attempt`, as submitted.
    """
    if not _says_json(headers):
        return RefusedCallback(415, "the body must be application/json")
    if len(body) > LARGEST_BODY:
        return TOO_LARGE
    task_id = _task_id(body)
    if isinstance(task_id, RefusedCallback):
        return task_id
    refusal = None if key is None else _unsigned(headers, task_id, key, now)
    if refusal is not None:
        return refusal
    attempt_id = attempt_in(query)
    if attempt_id is None:
        return RefusedCallback(400, "the URL must name one attempt")
    return Claim(attempt_id, task_id.strip(), signed=key is not None)


def path_of(public_url: str) -> str | None:
    """The path of a public URL, decoded; None for what can't be a callback's: a user, a fragment, odd signs."""
    try:
        parts = urlsplit(public_url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    if not usable or "@" in parts.netloc or "#" in public_url or _ODD_IN_URL.search(public_url):
        return None
    return unquote(parts.path) or "/"


def _says_json(headers: Sequence[tuple[str, str]]) -> bool:
    media_type = (_only(headers, "content-type") or "").partition(";")[0]
    return media_type.strip().lower() == "application/json"


# --- the body ------------------------------------------------------------------------------------


def _task_id(body: bytes) -> str | RefusedCallback:
    """As it was sent, since that is what was signed; blanks around it are cut off later."""
    decoded = _json(body)
    if not isinstance(decoded, dict):
        return RefusedCallback(400, "the body must be a JSON object")
    data = decoded.get("data")
    named = [data.get(name) for name in ("taskId", "task_id")] if isinstance(data, dict) else []
    said = [name for name in named if name is not None]
    if not said or not all(_is_task_id(name) for name in said):
        return RefusedCallback(400, "the body must name a task in data.taskId")
    if said[0] != said[-1]:
        return RefusedCallback(400, "the body names two tasks")
    task_id: str = said[0]
    return task_id


def _is_task_id(value: Any) -> bool:
    is_short = isinstance(value, str) and len(value) <= _LONGEST_TASK_ID
    return is_short and value.isprintable() and value.strip() != ""


def _json(body: bytes) -> Any:
    """The body decoded; None where it is no UTF-8, no JSON, or nested too deep."""
    try:
        text = body.decode()
        return None if _too_deep(text) else json.loads(text)
    except ValueError:
        return None


def _too_deep(text: str) -> bool:
    """Read from the brackets outside of texts: a parser would need a frame of stack for each."""
    brackets = _BRACKET.findall(_JSON_TEXT.sub("", text))
    depths = accumulate(1 if bracket in "[{" else -1 for bracket in brackets)
    return max(depths, default=0) > _DEEPEST


# --- the signature -------------------------------------------------------------------------------


def _unsigned(
    headers: Sequence[tuple[str, str]], task_id: str, key: str, now: float
) -> RefusedCallback | None:
    """None where the signature holds: base64(HMAC-SHA256(key, taskId + "." + timestamp)), by the vendor's page.

    A public client writes hex instead; nothing else says so, and one spelling is easier to keep safe.
    """
    stamp = _only(headers, "x-webhook-timestamp")
    signature = _only(headers, "x-webhook-signature")
    if stamp is None or signature is None or not _EPOCH_SECONDS.fullmatch(stamp):
        return RefusedCallback(401, "it must be signed")
    if abs(now - int(stamp)) > _FRESH:
        return RefusedCallback(401, "its time is not within 5 minutes of ours")
    secret = key.encode("utf-8", "surrogateescape")  # an environment's bytes, whatever they are
    digest = hmac.digest(secret, f"{task_id}.{stamp}".encode(), hashlib.sha256)
    if not hmac.compare_digest(base64.b64encode(digest), signature.encode("utf-8", "replace")):
        return RefusedCallback(401, "its signature is wrong")
    return None


def _only(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    """A header's value; None where it is missing or comes more than once."""
    found = [value for given, value in headers if given.lower() == name]
    return found[0].strip() if len(found) == 1 else None
