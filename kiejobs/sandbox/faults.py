"""Scripted faults: the fault file, checked against its schema, and which request or task it hits.

In: a file's bytes and its schema; requests as they come. Out: `Faults`, or all that is wrong with the file;
for each request what befalls it. docs/reference/faults.md shows such files.

All seconds are simulated ones. Most actions may have `accept` with them: whether the request takes effect
all the same (a create is charged, and its task goes on). What it is when left out is in the tables below.
Chance is a hash of the seed and the request's number, so that a script plays the same every time.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.document.checked import Form, read_checked
from kiejobs.sandbox.asgi import JSON_TYPE, MESSAGES, Response, compact, envelope, plain, success
from kiejobs.sandbox.tasks import HEALTHY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json, Source
    from kiejobs.sandbox.tasks import TaskOutcome

    Do: TypeAlias = Mapping[str, Any]

HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
FOR_EVER = 3600.0  # simulated seconds that a hang lasts when the fault doesn't say


@dataclass(frozen=True, slots=True)
class ResponseFault:
    """One fault of an answer.

    `accepts`: whether the request takes effect all the same. `answer` is sent instead of the true one, `headers` are
    laid over; `way` has those fields of the Response that say how it reaches the client. `half`: stop in the middle of
    the body. `longer`: bytes that Content-Length promises and that never come. `keep`: only this many bytes of a file
    exist.
    """

    name: str
    accepts: bool = True
    answer: Response | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    way: Mapping[str, Any] = field(default_factory=dict)
    half: bool = False
    longer: int = 0
    keep: int | None = None
    no_ranges: bool = False

    def apply(self, true: Response) -> Response:
        answer = self.answer or true
        length = len(answer.body) if answer.length is None else answer.length
        way = {"stop_after": len(answer.body) // 2, **self.way} if self.half else self.way
        return replace(
            answer,
            headers={**answer.headers, **self.headers},
            task_id=true.task_id,
            length=length + self.longer,
            fault=self.name,
            **way,
        )


@dataclass(slots=True)
class Faults:
    """A script's rules as the file has them, and how often they were met. All rules that fire work together; of two
    that want the same, the first wins.
    """

    rules: Sequence[Mapping[str, Any]] = ()
    seed: int = 0
    _seen: Counter[int] = field(default_factory=Counter)
    _fired: Counter[int] = field(default_factory=Counter)

    def play(self, kind: str, fields: Mapping[str, Json], act: Callable[[TaskOutcome], Response]) -> Response:
        """The answer of `act`, unless and as far as a fault wants it otherwise."""
        fault, task = self.draw(kind, fields)
        outcome = replace(HEALTHY, **task)
        if fault is None:
            return act(outcome)
        return fault.apply(act(outcome) if fault.accepts else Response(200, b""))

    def draw(self, kind: str, fields: Mapping[str, Json]) -> tuple[ResponseFault | None, dict[str, Any]]:
        """What befalls the next request of `kind`, about a task with these input fields: a fault of its answer, and
        fields of the TaskOutcome of the task that it makes.
        """
        fault: ResponseFault | None = None
        task: dict[str, Any] = {}
        for index, rule in enumerate(self.rules):
            if rule["on"] == kind and self._fires(index, rule, fields):
                do = rule["do"]
                name = next((name for name in _RESPONSE_FAULTS if name in do), None)
                if name is not None and fault is None:
                    fault = ResponseFault(name, **_RESPONSE_FAULTS[name](do))
                task = {**_fate(do), **task}
        return fault, task

    def _fires(self, index: int, rule: Mapping[str, Any], fields: Mapping[str, Json]) -> bool:
        """`nth`, `every` and `chance` count the requests that `match`, from 1."""
        when = rule.get("when", {})
        patterns = when.get("match", {}).items()
        if self._fired[index] >= rule.get("times", math.inf) or not all(
            fnmatchcase(str(fields.get(name, "")), pattern) for name, pattern in patterns
        ):
            return False
        self._seen[index] += 1
        number = self._seen[index]
        nth = when.get("nth", number)
        drawn = hashlib.sha256(repr((self.seed, index, number)).encode()).digest()
        fires: bool = (
            number in (nth if isinstance(nth, list) else [nth])
            and number % when.get("every", 1) == 0
            and int.from_bytes(drawn[:7], "big") / (1 << 56) < when.get("chance", 1)
        )
        self._fired[index] += fires
        return fires


# --- the file ---------------------------------------------------------------------------------------


def read_faults(source: Source, schema: Mapping[str, Any]) -> tuple[Faults | None, list[Diagnostic]]:
    """The script, None where the file has problems."""
    form = Form(schema, "a fault file", "fault", "start with `rules:`, a list of what goes wrong")
    document, problems = read_checked(source, form)
    if document is None or problems:
        return None, [replace(one, code="fault") if one.code == "unknown-key" else one for one in problems]
    root = _as_integers(document.root)
    return Faults(root["rules"], seed=root.get("seed", 0)), []


def _as_integers(value: Json) -> Json:
    """Numbers without a fraction as integers: to a schema `2.0` is an integer, to a slice it isn't."""
    if isinstance(value, dict):
        return {name: _as_integers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _envelope(do: Do) -> Response:
    """With this code. 200 is the answer without an id: `data` is there, and empty."""
    code, well = do["code"], do["code"] == 200
    text = do.get("msg") or ("success" if well else MESSAGES.get(code, "error"))
    answer = envelope(code, text, {} if well else None)
    delay = {"retry-after": f"{do['retry_after']:g}"} if "retry_after" in do else {}
    return replace(answer, status=do.get("http_status", 200), headers={**answer.headers, **delay})


def _bare(status: int, body: str = "html") -> Response:
    """A bare HTTP answer, as from a server in front of the service."""
    title = f"{status} {MESSAGES.get(status, 'Error')}"
    if body == "html":
        return plain(status, HTML.format(title), "text/html; charset=UTF-8")
    if body == "json":
        return plain(status, compact({"status": status, "error": title}), "application/json")
    return plain(status, title if body == "text" else "")


# Bytes that are called JSON and are not even text.
_GARBAGE = Response(200, b'{"code":200,"msg":"succ\xff\xfe\x00\x01', {"content-type": JSON_TYPE})

# Faults of the answer: the fields of their ResponseFault.
_RESPONSE_FAULTS: dict[str, Callable[[Do], dict[str, Any]]] = {
    "code": lambda do: {"accepts": do.get("accept", do["code"] == 200), "answer": _envelope(do)},
    "http": lambda do: {
        "accepts": do.get("accept", False),
        "answer": _bare(do["http"], do.get("body", "html")),
    },
    "lose_reply": lambda do: {
        "accepts": do["lose_reply"] == "after_accept",
        "way": {"silent": True, "drop": True},
    },
    "hang": lambda do: {
        "accepts": do["hang"] == "after",
        "way": {"silent": True, "hang": do.get("seconds", FOR_EVER), "drop": True},
    },
    "truncate": lambda do: {"way": {"stop_after": do["truncate"], "drop": True}},
    "html": lambda do: {"accepts": do.get("accept", False), "answer": _bare(200)},
    "garbage": lambda do: {"accepts": do.get("accept", True), "answer": _GARBAGE},
    "slow_bytes": lambda do: {"way": {"rate": do["slow_bytes"]}},
    "status": lambda do: {"answer": _bare(do["status"])},
    "cut": lambda do: {"keep": do["cut"]},
    "wrong_length": lambda do: {"longer": do["wrong_length"], "way": {"drop": True}},
    "wrong_type": lambda do: {"headers": {"content-type": do["wrong_type"]}},
    "stall": lambda do: {"way": {"hang": do.get("seconds", FOR_EVER), "drop": True}, "half": True},
    "slow": lambda do: {"way": {"rate": do["slow"]}},
    "redirect": lambda do: {"answer": plain(302, ""), "headers": {"location": do["redirect"]}},
    "no_ranges": lambda _do: {"no_ranges": True},
    "no_openapi": lambda _do: {"answer": success({"openapi": None})},
    "prose": lambda do: {"answer": success({"pricingDesc": do["prose"]})},
}


def _fate(do: Do) -> dict[str, Any]:
    """Faults of the task: fields of its TaskOutcome."""
    task = do.get("task", {})
    if task == "unknown_state":
        fate: dict[str, Any] = {"states": ("waiting", do.get("state", "archived"))}
    elif isinstance(task, str):
        failure = {name: str(do[name]) for name in ("fail_code", "fail_msg") if name in do}
        fate = {"end": task, **failure}
    else:
        fate = dict(task)
        if "states" in fate:
            fate["states"] = tuple(fate["states"])
    if "charge" in do:
        fate["charge"] = str(do["charge"])
    given = {"callback": "callback", "by": "callback_by"} if "callback" in do else {}
    return fate | {field: do[name] for name, field in given.items() if name in do}
