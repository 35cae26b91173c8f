"""The fault file, read and checked.

In: its bytes, or the same thing as Python values. Out: `Faults`, or all that is wrong with it, each
problem at its place. Touches nothing.

    seed: 7
    rules:
      - on: create                     # create, poll, download, upload, credit
        when: {nth: [2, 5]}            # or every: 3, chance: 0.05, match: {prompt: "*steam*"}
        times: 1
        do: {code: 429, retry_after: 3}

What `do` may hold is the table in fault_actions.py. All seconds are simulated ones. The editor's
schema of the same file is schemas/faults.schema.json; a test keeps the two in step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiejobs.core.diagnostics import Diagnostic, InvalidJobFile, Problems
from kiejobs.core.document.reader import read_document
from kiejobs.sandbox.faults.actions import ACTIONS, effect_of
from kiejobs.sandbox.faults.script import FaultRule, Faults
from kiejobs.sandbox.faults.words import CHANCE, COUNT, COUNTS, INTEGER, PATTERNS, Slip, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.document.nodes import Document, Json, Source

KINDS = ("create", "poll", "download", "upload", "credit")
_ABOUT_TASKS = ("create", "poll", "download")
_WHEN = {"nth": COUNTS, "every": COUNT, "chance": CHANCE, "match": PATTERNS}
_KIND = Wanted(f"one of {', '.join(KINDS)}", lambda value: value in KINDS)


class InvalidFaults(InvalidJobFile):
    """The fault file has problems; all of them are carried along, and told in the message."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        told = (f"{d.place}: {d.message}" if d.place else d.message for d in problems)
        self.message = "\n".join(told)
        self.args = (self.message,)


def read_faults(source: Source) -> Faults:
    """A fault file. Raises InvalidFaults."""
    document, said = read_document(source)
    problems = Problems()
    problems.extend(said)
    if document is not None:
        problems.extend([_diagnostic(slip, document) for slip in _slips(document.root)])
    if document is None or problems.fatal:
        raise InvalidFaults(Problems(problems, {source.name: source.lines}))
    return _built(document.root)


def make_faults(value: Json) -> Faults:
    """The same from Python values: `{"rules": [...]}`. Raises InvalidFaults."""
    problems = Problems()
    problems.extend([_diagnostic(slip, None) for slip in _slips(value)])
    if problems.fatal:
        raise InvalidFaults(problems)
    return _built(value)


def _diagnostic(slip: Slip, document: Document | None) -> Diagnostic:
    if document is None:
        where = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in slip.path).lstrip(".")
        return Diagnostic("fault", f"{where or 'faults'}: {slip.message}", hint=slip.hint)
    place = document.place(slip.path, key=slip.at_key)
    return Diagnostic("fault", slip.message, place, slip.hint)


def _slips(value: Json) -> Iterator[Slip]:
    if not isinstance(value, dict):
        yield Slip((), "a fault file is a mapping with `rules`")
        return
    yield from _unknown((), value, ("seed", "rules"))
    if "seed" in value:
        yield from INTEGER.slip(("seed",), value["seed"])
    rules = value.get("rules")
    if not isinstance(rules, list):
        yield Slip(("rules",), "`rules` must be a list of rules")
        return
    for index, rule in enumerate(rules):
        yield from _rule_slips(("rules", index), rule)


def _unknown(path: tuple[str | int, ...], value: dict[str, Any], known: Any) -> Iterator[Slip]:
    for name in value:
        if name not in known and not (path == () and str(name).startswith("x-")):
            yield Slip((*path, name), f"`{name}` is not known here", _one_of(known), at_key=True)


def _one_of(names: Any) -> str:
    return "known are " + ", ".join(names)


def _rule_slips(path: tuple[str | int, ...], rule: Json) -> Iterator[Slip]:
    if not isinstance(rule, dict):
        yield Slip(path, "a rule is a mapping with `on` and `do`")
        return
    yield from _unknown(path, rule, ("on", "when", "times", "do"))
    kind = rule.get("on")
    yield from _KIND.slip((*path, "on"), kind)
    if "times" in rule:
        yield from COUNT.slip((*path, "times"), rule["times"])
    yield from _when_slips((*path, "when"), rule.get("when", {}), str(kind))
    if kind in KINDS:
        yield from _do_slips((*path, "do"), rule.get("do"), str(kind))


def _when_slips(path: tuple[str | int, ...], when: Json, kind: str) -> Iterator[Slip]:
    if not isinstance(when, dict):
        yield Slip(path, "`when` must be a mapping", _one_of(_WHEN))
        return
    yield from _unknown(path, when, _WHEN)
    for name, wanted in _WHEN.items():
        if name in when:
            yield from wanted.slip((*path, name), when[name])
    if "match" in when and kind not in _ABOUT_TASKS:
        message = f"`match` looks at a task's input, and `{kind}` is about no task"
        yield Slip((*path, "match"), message, at_key=True)


def _do_slips(path: tuple[str | int, ...], do: Json, kind: str) -> Iterator[Slip]:
    actions = {name: action for name, action in ACTIONS.items() if kind in action.kinds}
    if not isinstance(do, dict) or not any(name in actions for name in do):
        yield Slip(path, f"`do` must say what is to happen on {kind}", _one_of(actions))
        return
    chosen = [name for name in do if name in actions]
    beside = {name: w for action in chosen for name, w in actions[action].beside.items()}
    yield from _unknown(path, do, [*actions, *beside])
    for name in chosen:
        yield from actions[name].wanted.slip((*path, name), do[name])
    for name, wanted in beside.items():
        if name in do and name not in actions:
            yield from wanted.slip((*path, name), do[name])
    answers = [name for name in chosen if actions[name].twist is not None]
    if len(answers) > 1:
        yield Slip(
            (*path, answers[1]), f"one answer can't be both `{answers[0]}` and `{answers[1]}`"
        )


def _built(value: Json) -> Faults:
    rules = tuple(_rule(rule) for rule in value["rules"])
    return Faults(rules, seed=value.get("seed", 0))


def _rule(rule: Json) -> FaultRule:
    when = rule.get("when", {})
    nth = when.get("nth", ())
    return FaultRule(
        on=rule["on"],
        effect=effect_of(rule["do"]),
        nth=frozenset([nth] if isinstance(nth, int) else nth),
        every=when.get("every"),
        chance=when.get("chance"),
        match={str(name): str(glob) for name, glob in when.get("match", {}).items()},
        times=rule.get("times"),
    )
