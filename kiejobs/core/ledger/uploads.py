"""Local files on their way to the API: which address has which content, and for how long.

In: `uploaded` events, requests in which local files are their refs. Out: which addresses can still
be used; the request as it is sent; whether a task is what was sent. Touches nothing.

The vendor keeps an upload for 24 hours by its newer pages [contract: documented]. It may fetch the file
some time after the create, so an address is only handed out while four of these hours are left.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kiejobs.core.document.nodes import with_texts
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.urls import bare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.events import Uploaded, Uploads
    from kiejobs.core.ledger.ledger import Attempt

KEPT = timedelta(hours=24)
MARGIN = timedelta(hours=4)
_SLACK = timedelta(minutes=5)  # by which a clock may have been set back meanwhile

_REF = "sha256:"


def expiry(begun: datetime) -> str:
    """When an upload that began then is gone at the latest, as UTC text."""
    return utc_text((begun + KEPT).astimezone(UTC))


def is_fresh(expires: str | None, now: datetime) -> bool:
    """Can it be sent now? Not one that seems to be kept for longer than can be: another clock wrote that."""
    try:
        left = datetime.fromisoformat(expires or "") - now
    except (ValueError, TypeError):  # TypeError: a time without a zone
        return False
    return MARGIN < left <= KEPT + _SLACK


def freshest(uploads: Sequence[Uploaded], now: datetime) -> Uploaded | None:
    """Of one content's uploads the one that can be used longest; None where none can."""
    fresh = [upload for upload in uploads if is_fresh(upload.expires, now)]
    return max(fresh, key=lambda upload: (upload.expires or "", upload.url), default=None)


def as_sent(value: Json, urls: Mapping[str, str]) -> Json:
    """A request's value with each ref that `urls` has replaced by its address."""
    return with_texts(value, lambda text: urls.get(text, text))


def stood_for(ref: str, url: str, uploads: Uploads) -> bool:
    """Was the content of this ref once uploaded to that address? Queries aside: they aren't on record."""
    known = uploads.get(ref.removeprefix(_REF), ()) if ref.startswith(_REF) else ()
    return any(upload.url == bare(url) for upload in known)


# --- is a task what we sent? ------------------------------------------------------------------------


def mismatch(
    attempt: Attempt,
    model: str | None,
    sent: Mapping[str, Json] | None,
    sent_attempt: str | None = None,
    *,
    uploads: Uploads,
) -> str | None:
    """The first difference between an attempt and what the API says was sent for a task, in words, or None.

    `sent_attempt` is the attempt id that the task's callback URL carries, where it has one: it distinguishes two
    takes of one request apart. `uploads` are those on record: an address that a local file was given is the
    same as the file's ref where it is among them.

    The API fills defaults in and turns some numeric texts into numbers (observed), so fields that we did not
    send are passed over and `"6"` is taken for 6. Every field that we did send must be there.
    """
    reserved = attempt.reserved
    if sent_attempt is not None and sent_attempt != attempt.attempt_id:
        return "it was made by another create of ours"
    if model != reserved.model:
        return f"its model is {model}, ours {reserved.model}"
    if sent is None:
        return "the API does not say what was sent"
    for name, value in reserved.input.items():
        if name not in sent:
            return f"it has no `{name}`"
        if not _is_same(value, sent[name], uploads):
            return f"its `{name}` differs from what was sent"
    return None


def _is_same(ours: Json, theirs: Json, uploads: Uploads) -> bool:
    if _normal(ours) == _normal(theirs):
        return True
    if isinstance(ours, str) and isinstance(theirs, str):
        return stood_for(ours, theirs, uploads)
    if isinstance(ours, list) and isinstance(theirs, list):
        pairs = zip(ours, theirs, strict=False)
        return len(ours) == len(theirs) and all(_is_same(*pair, uploads) for pair in pairs)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(
            _is_same(value, theirs[name], uploads) for name, value in ours.items()
        )
    return False


def _normal(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
