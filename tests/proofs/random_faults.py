"""Five in a hundred of every class of fault, for `random_kills`.

In: nothing. Out: rules of a fault file (docs/reference/faults.md). Touches nothing.

Classes are those of what may happen to a create, to its task, to a poll, to a download and to an upload;
the ways in which one shows share its five in a hundred. "Not sent" is missing here: the server's own death brings
it. So are tasks that never end, since the campaign could not end either.
"""

from __future__ import annotations

from typing import Any

SHARE = 0.05

NOT_ACCEPTED = (
    {"code": 429, "retry_after": 10},
    {"code": 429, "http_status": 429},
    {"code": 455, "retry_after": 20},
)
REFUSED = ({"code": 401}, {"code": 403}, {"http": 401})
NO_MONEY = ({"code": 402}, {"code": 433}, {"code": 500, "msg": "Your credits are insufficient"})
REJECTED = (
    {"code": 404},
    {"code": 422},
    {"code": 505},
    {"code": 500, "msg": "prompt is required"},
)
IN_DOUBT = (
    {"lose_reply": "before_accept"},
    {"lose_reply": "after_accept"},
    {"hang": "before", "seconds": 60},
    {"hang": "after", "seconds": 60},
    {"truncate": 20},
    {"html": True},
    {"html": True, "accept": True},
    {"garbage": True},
    {"http": 502},
    {"http": 504, "accept": True},
    {"code": 501},
    {"code": 500, "accept": True},
    {"code": 200},
)
UNANSWERED = (
    {"code": 429},
    {"http": 502},
    {"lose_reply": "before_accept"},
    {"hang": "before", "seconds": 40},
    {"truncate": 30},
    {"html": True},
    {"garbage": True},
    {"slow_bytes": 400},
)
NOT_UPLOADED = (*UNANSWERED, {"lose_reply": "after_accept"}, {"code": 500, "accept": True})
UNUSABLE = ({"code": 400}, {"code": 401})
DOWNLOAD = (
    {"status": 403},
    {"status": 503},
    {"lose_reply": "before_accept"},
    {"truncate": 3000},
    {"cut": 2000},
    {"wrong_length": 500},
    {"wrong_type": "text/html"},
    {"html": True},
    {"stall": True, "seconds": 40},
    {"slow": 4000},
    {"no_ranges": True},
)
FAILED = ({"task": "fail"}, {"task": "fail", "fail_code": "422", "fail_msg": "not allowed"})
ODD = ({"task": "unknown_state"}, {"task": {"unknown_for": 60}}, {"task": {"takes": 400}})


def _rules(on: str, ways: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    chance = round(SHARE / len(ways), 5)
    return [{"on": on, "when": {"chance": chance}, "do": do} for do in ways]


RULES: list[dict[str, Any]] = [
    rule
    for on, ways in (
        ("create", NOT_ACCEPTED),
        ("create", REFUSED),
        ("create", NO_MONEY),
        ("create", REJECTED),
        ("create", IN_DOUBT),
        ("create", FAILED),
        ("create", ODD),
        ("poll", UNANSWERED),
        ("download", DOWNLOAD),
        ("upload", NOT_UPLOADED),
        ("upload", UNUSABLE),
    )
    for rule in _rules(on, ways)
]
