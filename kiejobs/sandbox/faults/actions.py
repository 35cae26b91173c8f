"""The table of what a rule's `do` may hold: for which kinds, with what beside it, to what effect.

In: a checked `do`. Out: its `Effect`. Touches nothing.

Beside most actions stands `accept`: whether the request takes effect all the same (a create is
charged, and its task goes on). What it is when left out is in the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.asgi import Delivery
from kiejobs.sandbox.faults.effects import (
    FOR_EVER,
    says_code,
    says_elsewhere,
    says_garbage,
    says_status,
)
from kiejobs.sandbox.faults.script import Effect, ResponseFault
from kiejobs.sandbox.faults.words import (
    AMOUNT,
    ASCII,
    BODY,
    BOOL,
    BYTES,
    CALLBACK,
    CODE,
    COUNT,
    MOMENT,
    NAME,
    RATE,
    SECONDS,
    SIDE,
    STATUS,
    TASK,
    TEXT,
    YES,
    Wanted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.document.nodes import Json


@dataclass(frozen=True, slots=True)
class FaultAction:
    """One key of `do`. `twist` builds what happens to the answer, `fate` what happens to the task."""

    kinds: tuple[str, ...]
    wanted: Wanted
    beside: Mapping[str, Wanted] = field(default_factory=dict)
    twist: Callable[[Mapping[str, Any]], ResponseFault] | None = None
    fate: Callable[[Mapping[str, Any]], Mapping[str, Json]] | None = None


def effect_of(do: Mapping[str, Any]) -> Effect:
    """The effect of a `do` that was checked."""
    twist: ResponseFault | None = None
    fate: dict[str, Json] = {}
    for name, action in ACTIONS.items():
        if name in do:
            twist = action.twist(do) if action.twist else twist
            fate.update(action.fate(do) if action.fate else {})
    return Effect(twist, fate)


_JSON = ("create", "poll", "upload", "credit")
_FILE = ("download",)
_ALL = (*_JSON, *_FILE)
_CREATE = ("create",)
_ACCEPT = {"accept": BOOL}
_HANG = {"seconds": SECONDS}


def _code(do: Mapping[str, Any]) -> ResponseFault:
    said = says_code(do["code"], do.get("msg"), do.get("http_status", 200), do.get("retry_after"))
    return ResponseFault("code", accepts=do.get("accept", do["code"] == 200), answer=said)


def _http(do: Mapping[str, Any]) -> ResponseFault:
    said = says_status(do["http"], do.get("body", "html"))
    return ResponseFault("http", accepts=do.get("accept", False), answer=said)


def _lose_reply(do: Mapping[str, Any]) -> ResponseFault:
    lost = Delivery(silent=True, drop=True)
    return ResponseFault("lose_reply", accepts=do["lose_reply"] == "after_accept", delivery=lost)


def _hang(do: Mapping[str, Any]) -> ResponseFault:
    mute = Delivery(silent=True, hang=do.get("seconds", FOR_EVER), drop=True)
    return ResponseFault("hang", accepts=do["hang"] == "after", delivery=mute)


def _truncate(do: Mapping[str, Any]) -> ResponseFault:
    return ResponseFault("truncate", delivery=Delivery(stop_after=do["truncate"], drop=True))


def _html(do: Mapping[str, Any]) -> ResponseFault:
    return ResponseFault("html", accepts=do.get("accept", False), answer=says_status(200, "html"))


def _garbage(do: Mapping[str, Any]) -> ResponseFault:
    return ResponseFault("garbage", accepts=do.get("accept", True), answer=says_garbage())


def _slow(name: str) -> Callable[[Mapping[str, Any]], ResponseFault]:
    return lambda do: ResponseFault(name, delivery=Delivery(rate=do[name]))


def _stall(do: Mapping[str, Any]) -> ResponseFault:
    mute = Delivery(hang=do.get("seconds", FOR_EVER), drop=True)
    return ResponseFault("stall", delivery=mute, half=True)


def _wrong_length(do: Mapping[str, Any]) -> ResponseFault:
    return ResponseFault("wrong_length", longer=do["wrong_length"], delivery=Delivery(drop=True))


def _task(do: Mapping[str, Any]) -> dict[str, Json]:
    task = do["task"]
    if isinstance(task, dict):
        return dict(task)
    if task == "unknown_state":
        return {"word": do.get("state", "archived")}
    said = {name: str(do[name]) for name in ("fail_code", "fail_msg") if name in do}
    return {"end": task, **said}


def _callback(do: Mapping[str, Any]) -> dict[str, Json]:
    by = {"callback_by": do["by"]} if "by" in do else {}
    return {"callback": do["callback"], **by}


def _charge(do: Mapping[str, Any]) -> dict[str, Json]:
    return {"charge": str(do["charge"])}


ACTIONS: Mapping[str, FaultAction] = {
    "code": FaultAction(
        _JSON,
        CODE,
        {"msg": TEXT, "http_status": STATUS, "retry_after": SECONDS, **_ACCEPT},
        twist=_code,
    ),
    "http": FaultAction(_JSON, STATUS, {"body": BODY, **_ACCEPT}, twist=_http),
    "lose_reply": FaultAction(_ALL, MOMENT, twist=_lose_reply),
    "hang": FaultAction(_ALL, SIDE, _HANG, twist=_hang),
    "truncate": FaultAction(_ALL, BYTES, twist=_truncate),
    "html": FaultAction(_ALL, YES, _ACCEPT, twist=_html),
    "garbage": FaultAction(_JSON, YES, _ACCEPT, twist=_garbage),
    "slow_bytes": FaultAction(_JSON, RATE, twist=_slow("slow_bytes")),
    "status": FaultAction(
        _FILE,
        STATUS,
        twist=lambda do: ResponseFault("status", answer=says_status(do["status"], "html")),
    ),
    "cut": FaultAction(_FILE, BYTES, twist=lambda do: ResponseFault("cut", keep=do["cut"])),
    "wrong_length": FaultAction(_FILE, COUNT, twist=_wrong_length),
    "wrong_type": FaultAction(
        _FILE,
        ASCII,
        twist=lambda do: ResponseFault("wrong_type", headers={"content-type": do["wrong_type"]}),
    ),
    "stall": FaultAction(_FILE, YES, _HANG, twist=_stall),
    "slow": FaultAction(_FILE, RATE, twist=_slow("slow")),
    "redirect": FaultAction(
        _FILE,
        ASCII,
        twist=lambda do: ResponseFault("redirect", answer=says_elsewhere(do["redirect"])),
    ),
    "no_ranges": FaultAction(
        _FILE, YES, twist=lambda _do: ResponseFault("no_ranges", no_ranges=True)
    ),
    "task": FaultAction(
        _CREATE, TASK, {"fail_code": NAME, "fail_msg": TEXT, "state": TEXT}, fate=_task
    ),
    "charge": FaultAction(_CREATE, AMOUNT, fate=_charge),
    "callback": FaultAction(_CREATE, CALLBACK, {"by": SECONDS}, fate=_callback),
}
