"""What may go wrong at the API while the state machine runs a command.

In: nothing. Out: a strategy for lists of fault rules. Touches nothing. None of these charges for a
request that the API says it did not take: that would be another API's fault than ours.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_CREATES: tuple[dict[str, Any], ...] = (
    {"lose_reply": "after_accept"},
    {"lose_reply": "before_accept"},
    {"hang": "after", "seconds": 90},
    {"truncate": 12},
    {"html": True, "accept": True},
    {"garbage": True},
    {"code": 500, "accept": True},
    {"code": 500, "accept": False},
    {"http": 502, "accept": True},
    {"code": 429},
    {"code": 422},
    {"code": 402},
    {"code": 401},
    {"task": "fail"},
    {"task": "fail"},
    {"task": "stall"},
    {"task": "vanish"},
    {"callback": "forged"},
    {"callback": "doubled"},
    {"callback": "late"},
    {"callback": "none"},
)
_POLLS: tuple[dict[str, Any], ...] = ({"code": 500}, {"http": 429}, {"lose_reply": "before_accept"})
_DOWNLOADS: tuple[dict[str, Any], ...] = (
    {"status": 404},
    {"truncate": 1500},
    {"html": True},
)


def _rule(on: str, actions: tuple[dict[str, Any], ...]) -> st.SearchStrategy[dict[str, Any]]:
    when = st.sampled_from(({"nth": 1}, {"nth": 2}, {"nth": [1, 3]}, {"every": 1}))
    return st.builds(lambda when, do: {"on": on, "when": when, "do": do}, when, st.sampled_from(actions))


FAULTS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    _rule("create", _CREATES) | _rule("poll", _POLLS) | _rule("download", _DOWNLOADS), max_size=2
)
