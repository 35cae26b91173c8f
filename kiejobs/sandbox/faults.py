"""Scripted faults: the fault file, checked against its schema, and which request or task it hits.

In: a file's bytes and its schema; requests as they come. Out: `Faults`, or all that is wrong with the file;
an `Effect` for each request.

    seed: 7
    rules:
      - on: create                     # create, poll, download, upload, credit
        when: {nth: [2, 5]}            # or every: 3, chance: 0.05, match: {prompt: "*steam*"}
        times: 1
        do: {code: 429, retry_after: 3}

All seconds are simulated ones. Most actions may have `accept` with them: whether the request takes effect
all the same (a create is charged, and its task goes on). What it is when left out is in the tables below.
Chance is a hash of the seed and the request's number, so that a script plays the same every time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.document.checked import Form, read_checked
from kiejobs.sandbox.asgi import (
    JSON_TYPE,
    MESSAGES,
    WHOLE,
    Delivery,
    Response,
    compact,
    envelope,
    plain,
)
from kiejobs.sandbox.tasks import HEALTHY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json, Source
    from kiejobs.sandbox.tasks import TaskOutcome

    Do: TypeAlias = Mapping[str, Any]

HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"
FOR_EVER = 3600.0  # simulated seconds that a hang lasts when the fault doesn't say


@dataclass(frozen=True, slots=True)
class ResponseFault:
    """One fault of an answer.

    `accepts`: whether the request takes effect all the same. `answer` is sent instead of the true one,
    `headers` are laid over. `half`: stop in the middle of the body. `longer`: bytes that Content-Length
    promises and that never come. `keep`: only so many bytes of a file exist.
    """

    name: str
    accepts: bool = True
    answer: Response | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = WHOLE
    half: bool = False
    longer: int = 0
    keep: int | None = None
    no_ranges: bool = False

    def apply(self, true: Response) -> Response:
        answer = self.answer or true
        way = self.delivery
        if self.half:
            way = replace(way, stop_after=len(answer.body) // 2)
        length = len(answer.body) if answer.length is None else answer.length
        return replace(
            answer,
            headers={**answer.headers, **self.headers},
            task_id=true.task_id,
            length=length + self.longer,
            fault=self.name,
            delivery=way,
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """What is done: to the answer, and to the task that a create makes (fields of its TaskOutcome)."""

    response: ResponseFault | None = None
    task: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """Hits requests of the kind `on` for which all its conditions hold, `times` at most. `match`: glob patterns
    for fields of the task's input. `nth`, `every` and `chance` count the requests that match, from 1.
    """

    on: str
    effect: Effect
    nth: frozenset[int] = frozenset()
    every: int | None = None
    chance: float | None = None
    match: Mapping[str, str] = field(default_factory=dict)
    times: int | None = None

    def matches(self, kind: str, fields: Mapping[str, Json]) -> bool:
        return kind == self.on and all(
            fnmatchcase(str(fields.get(name, "")), pattern) for name, pattern in self.match.items()
        )

    def counts(self, number: int, luck: float) -> bool:
        """`luck` is drawn from 0 up to 1."""
        return (
            (not self.nth or number in self.nth)
            and (self.every is None or number % self.every == 0)
            and (self.chance is None or luck < self.chance)
        )


@dataclass(slots=True)
class Faults:
    """A script, and how often its rules were met. All rules that fire work together; of two that want the
    same, the first wins.
    """

    rules: tuple[FaultRule, ...] = ()
    seed: int = 0
    _seen: Counter[int] = field(default_factory=Counter)
    _fired: Counter[int] = field(default_factory=Counter)

    def play(
        self, kind: str, fields: Mapping[str, Json], act: Callable[[TaskOutcome], Response]
    ) -> Response:
        """The answer of `act`, unless and as far as a fault wants it otherwise."""
        effect = self.draw(kind, fields)
        outcome, fault = replace(HEALTHY, **effect.task), effect.response
        if fault is None:
            return act(outcome)
        return fault.apply(act(outcome) if fault.accepts else Response(200, b""))

    def draw(self, kind: str, fields: Mapping[str, Json]) -> Effect:
        """What befalls the next request of `kind`, about a task with these input fields."""
        effect = Effect()
        for index, rule in enumerate(self.rules):
            if rule.matches(kind, fields) and self._fires(index, rule):
                then = rule.effect
                effect = Effect(effect.response or then.response, {**then.task, **effect.task})
        return effect

    def _fires(self, index: int, rule: FaultRule) -> bool:
        if rule.times is not None and self._fired[index] >= rule.times:
            return False
        self._seen[index] += 1
        number = self._seen[index]
        drawn = hashlib.sha256(repr((self.seed, index, number)).encode()).digest()
        fires = rule.counts(number, int.from_bytes(drawn[:7], "big") / (1 << 56))
        self._fired[index] += fires
        return fires


# --- the file ---------------------------------------------------------------------------------------


def read_faults(
    source: Source, schema: Mapping[str, Any]
) -> tuple[Faults | None, list[Diagnostic]]:
    """The script, None where the file has problems."""
    form = Form(schema, "a fault file", "fault", "start with `rules:`, a list of what goes wrong")
    document, problems = read_checked(source, form)
    if document is None or problems:
        return None, [
            replace(one, code="fault") if one.code == "unknown-key" else one for one in problems
        ]
    root = _as_integers(document.root)
    return Faults(tuple(map(_rule, root["rules"])), seed=root.get("seed", 0)), []


def _as_integers(value: Json) -> Json:
    """Numbers without a fraction as integers: to a schema `2.0` is an integer, to a slice it isn't."""
    if isinstance(value, dict):
        return {name: _as_integers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_integers(item) for item in value]
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
    """At most one fault of the answer, and what is in store for the task."""
    name = next((name for name in _RESPONSE_FAULTS if name in do), None)
    fault = None if name is None else ResponseFault(name, **_RESPONSE_FAULTS[name](do))
    task: dict[str, Json] = {}
    for key, make in _TASK_FAULTS.items():
        task |= make(do) if key in do else {}
    return Effect(fault, task)


def _envelope(do: Do) -> Response:
    """With this code. 200 is the answer without an id: `data` is there, and empty."""
    code, well = do["code"], do["code"] == 200
    text = do.get("msg") or ("success" if well else MESSAGES.get(code, "error"))
    answer = envelope(code, text, {} if well else None)
    delay = {"retry-after": f"{do['retry_after']:g}"} if "retry_after" in do else {}
    return replace(answer, status=do.get("http_status", 200), headers={**answer.headers, **delay})


def _bare(status: int, body: str = "html") -> Response:
    """A bare HTTP answer, as from something that stands before the service."""
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
        "delivery": Delivery(silent=True, drop=True),
    },
    "hang": lambda do: {
        "accepts": do["hang"] == "after",
        "delivery": Delivery(silent=True, hang=do.get("seconds", FOR_EVER), drop=True),
    },
    "truncate": lambda do: {"delivery": Delivery(stop_after=do["truncate"], drop=True)},
    "html": lambda do: {"accepts": do.get("accept", False), "answer": _bare(200)},
    "garbage": lambda do: {"accepts": do.get("accept", True), "answer": _GARBAGE},
    "slow_bytes": lambda do: {"delivery": Delivery(rate=do["slow_bytes"])},
    "status": lambda do: {"answer": _bare(do["status"])},
    "cut": lambda do: {"keep": do["cut"]},
    "wrong_length": lambda do: {"longer": do["wrong_length"], "delivery": Delivery(drop=True)},
    "wrong_type": lambda do: {"headers": {"content-type": do["wrong_type"]}},
    "stall": lambda do: {
        "delivery": Delivery(hang=do.get("seconds", FOR_EVER), drop=True),
        "half": True,
    },
    "slow": lambda do: {"delivery": Delivery(rate=do["slow"])},
    "redirect": lambda do: {"answer": plain(302, ""), "headers": {"location": do["redirect"]}},
    "no_ranges": lambda _do: {"no_ranges": True},
}


def _task(do: Do) -> dict[str, Json]:
    task = do["task"]
    if isinstance(task, dict):
        return task
    if task == "unknown_state":
        return {"word": do.get("state", "archived")}
    failure = {name: str(do[name]) for name in ("fail_code", "fail_msg") if name in do}
    return {"end": task, **failure}


# Faults of the task: the fields of its TaskOutcome.
_TASK_FAULTS: dict[str, Callable[[Do], dict[str, Json]]] = {
    "task": _task,
    "charge": lambda do: {"charge": str(do["charge"])},
    "callback": lambda do: {
        "callback": do["callback"],
        **({"callback_by": do["by"]} if "by" in do else {}),
    },
}
