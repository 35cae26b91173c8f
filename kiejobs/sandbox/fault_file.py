"""The fault file: read, checked against its schema, and built by one table of what `do` may hold.

In: its bytes, the schema (schemas/faults.schema.json). Out: `Faults`, or all that is wrong with it, each
problem at its place. Touches nothing.

    seed: 7
    rules:
      - on: create                     # create, poll, download, upload, credit
        when: {nth: [2, 5]}            # or every: 3, chance: 0.05, match: {prompt: "*steam*"}
        times: 1
        do: {code: 429, retry_after: 3}

All seconds are simulated ones. Beside most actions stands `accept`: whether the request takes effect all
the same (a create is charged, and its task goes on). What it is when left out is in the table.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.document.checked import Form, read_checked
from kiejobs.sandbox.asgi import JSON_TYPE, MESSAGES, Delivery, Response, compact, envelope, plain
from kiejobs.sandbox.fault_script import Effect, FaultRule, Faults, ResponseFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json, Source

    Do: TypeAlias = Mapping[str, Any]

HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
FOR_EVER = 3600.0  # simulated seconds that a hang lasts when the fault doesn't say


def read_faults(
    source: Source, schema: Mapping[str, Any]
) -> tuple[Faults | None, list[Diagnostic]]:
    """The script, None where the file has problems."""
    form = Form(schema, "a fault file", "fault", "start with `rules:`, a list of what goes wrong")
    document, problems = read_checked(source, form)
    if document is None or problems:
        return None, [_as_fault(problem) for problem in problems]
    root = _whole(document.root)
    return Faults(tuple(map(_rule, root["rules"])), seed=root.get("seed", 0)), []


def _as_fault(problem: Diagnostic) -> Diagnostic:
    return replace(problem, code="fault") if problem.code == "unknown-key" else problem


def _whole(value: Json) -> Json:
    """Numbers without a fraction as whole ones: to a schema `2.0` is an integer, to a slice it isn't."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _rule(rule: Mapping[str, Any]) -> FaultRule:
    when = rule.get("when", {})
    nth = when.get("nth", [])
    return FaultRule(
        on=rule["on"],
        effect=_effect(rule["do"]),
        nth=frozenset(nth if isinstance(nth, list) else [nth]),
        every=when.get("every"),
        chance=when.get("chance"),
        match=when.get("match", {}),
        times=rule.get("times"),
    )


def _effect(do: Do) -> Effect:
    """At most one twist of the answer, and what is in store for the task."""
    twists = (make(do) for name, make in _TWISTS.items() if name in do)
    fate = {
        name: value for key, make in _FATES.items() if key in do for name, value in make(do).items()
    }
    return Effect(next(twists, None), fate)


# --- the answer ------------------------------------------------------------------------------------


def _code(do: Do) -> ResponseFault:
    """An envelope with this code. 200 is the answer without an id: `data` is there, and empty."""
    code, well = do["code"], do["code"] == 200
    text = do.get("msg") or ("success" if well else MESSAGES.get(code, "error"))
    said = envelope(code, text, {} if well else None)
    delay = {"retry-after": f"{do['retry_after']:g}"} if "retry_after" in do else {}
    said = replace(said, status=do.get("http_status", 200), headers={**said.headers, **delay})
    return ResponseFault("code", accepts=do.get("accept", well), answer=said)


def _http(do: Do) -> ResponseFault:
    said = _bare(do["http"], do.get("body", "html"))
    return ResponseFault("http", accepts=do.get("accept", False), answer=said)


def _bare(status: int, body: str = "html") -> Response:
    """A bare HTTP answer, as from something that stands before the service."""
    title = f"{status} {MESSAGES.get(status, 'Error')}"
    if body == "html":
        return plain(status, HTML.format(title), "text/html; charset=UTF-8")
    if body == "json":
        return plain(status, compact({"status": status, "error": title}), "application/json")
    return plain(status, title if body == "text" else "")


def _lose_reply(do: Do) -> ResponseFault:
    lost = Delivery(silent=True, drop=True)
    return ResponseFault("lose_reply", accepts=do["lose_reply"] == "after_accept", delivery=lost)


def _hang(do: Do) -> ResponseFault:
    mute = Delivery(silent=True, hang=do.get("seconds", FOR_EVER), drop=True)
    return ResponseFault("hang", accepts=do["hang"] == "after", delivery=mute)


def _garbage(do: Do) -> ResponseFault:
    """Bytes that are called JSON and are not even text."""
    body = b'{"code":200,"msg":"succ\xff\xfe\x00\x01'
    said = Response(200, body, {"content-type": JSON_TYPE})
    return ResponseFault("garbage", accepts=do.get("accept", True), answer=said)


def _stall(do: Do) -> ResponseFault:
    mute = Delivery(hang=do.get("seconds", FOR_EVER), drop=True)
    return ResponseFault("stall", delivery=mute, half=True)


def _redirect(do: Do) -> ResponseFault:
    said = plain(302, "")
    said = replace(said, headers={**said.headers, "location": do["redirect"]})
    return ResponseFault("redirect", answer=said)


_TWISTS: dict[str, Callable[[Do], ResponseFault]] = {
    "code": _code,
    "http": _http,
    "lose_reply": _lose_reply,
    "hang": _hang,
    "truncate": lambda do: ResponseFault(
        "truncate", delivery=Delivery(stop_after=do["truncate"], drop=True)
    ),
    "html": lambda do: ResponseFault("html", accepts=do.get("accept", False), answer=_bare(200)),
    "garbage": _garbage,
    "slow_bytes": lambda do: ResponseFault("slow_bytes", delivery=Delivery(rate=do["slow_bytes"])),
    "status": lambda do: ResponseFault("status", answer=_bare(do["status"])),
    "cut": lambda do: ResponseFault("cut", keep=do["cut"]),
    "wrong_length": lambda do: ResponseFault(
        "wrong_length", longer=do["wrong_length"], delivery=Delivery(drop=True)
    ),
    "wrong_type": lambda do: ResponseFault(
        "wrong_type", headers={"content-type": do["wrong_type"]}
    ),
    "stall": _stall,
    "slow": lambda do: ResponseFault("slow", delivery=Delivery(rate=do["slow"])),
    "redirect": _redirect,
    "no_ranges": lambda _do: ResponseFault("no_ranges", no_ranges=True),
}


# --- the task --------------------------------------------------------------------------------------


def _task(do: Do) -> dict[str, Json]:
    task = do["task"]
    if isinstance(task, dict):
        return task
    if task == "unknown_state":
        return {"word": do.get("state", "archived")}
    said = {name: str(do[name]) for name in ("fail_code", "fail_msg") if name in do}
    return {"end": task, **said}


def _callback(do: Do) -> dict[str, Json]:
    by = {"callback_by": do["by"]} if "by" in do else {}
    return {"callback": do["callback"], **by}


_FATES: dict[str, Callable[[Do], dict[str, Json]]] = {
    "task": _task,
    "charge": lambda do: {"charge": str(do["charge"])},
    "callback": _callback,
}
