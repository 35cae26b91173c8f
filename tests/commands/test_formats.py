"""The schemas of what kiejobs itself writes: journal lines, the manifest, the plan."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.manifest import totals
from kiejobs.core.ledger.records import Failure, FileRecord, State
from kiejobs.core.plan.plan import Action
from tests.docs.regenerate import SCHEMAS

HASH = "ab" * 32
ATTEMPT = "cd" * 16
ADDRESS = "tea/pour[duration=5,resolution=720p]"
FAILURE = Failure("rejected", "422", "no such model")


def schema(name: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))


def problems(name: str, value: Any) -> list[str]:
    """What the schema refuses, each as `path keyword`."""
    errors = Draft202012Validator(schema(name), format_checker=formats()).iter_errors(value)
    return sorted(f"{'.'.join(map(str, e.absolute_path))} {e.validator}".strip() for e in errors)


def changed(value: dict[str, Any], path: str, new: Any) -> dict[str, Any]:
    """A copy with what is at the path (steps apart by a blank) replaced; `...` takes it away."""
    result = copy.deepcopy(value)
    *way, last = path.split()
    node = result
    for step in way:
        node = node[int(step)] if isinstance(node, list) else node[step]
    if new is ...:
        del node[last]
    else:
        node[last] = new
    return result


# --- the journal ---------------------------------------------------------------------------------

FILE = FileRecord("tea/pour.mp4", HASH, 9000, "video/mp4", "https://files.example.com/a.mp4")
HEAD = ["v", "seq", "prev", "at", "type"]
EVENTS: list[e.Event] = [
    e.RunStarted("20261122T073612Z-1f", "run", "tea", "https://api.kie.ai", None, "kiejobs 0.1", 1),
    e.Planned(ADDRESS, HASH, 1, "a/b", "submit", "new", Decimal(16)),
    e.Reserved(ATTEMPT, ADDRESS, HASH, 1, "a/b", {"x": 1}, None, None, "tea/pour.mp4"),
    e.Submitted(ATTEMPT, "task-1"),
    e.NotAccepted(ATTEMPT, FAILURE),
    e.Rejected(ATTEMPT, FAILURE),
    e.InDoubt(ATTEMPT, Failure("in_doubt", None, "the connection broke")),
    e.Running(ATTEMPT, "generating"),
    e.Succeeded(ATTEMPT, Decimal("15.5"), ("https://files.example.com/a.mp4",)),
    e.Failed(ATTEMPT, FAILURE, None),
    e.Collected(ATTEMPT, (FILE,)),
    e.Adopted(ADDRESS, "tea/old", HASH, 2),
    e.Resolved(ATTEMPT, "task", "task-1", "recordInfo has this input"),
    e.Resolved(ATTEMPT, "lost", None, "ruled by a person"),
    e.RunFinished(0, None),
    e.Approved(HASH, "plan-1"),
    e.Uploaded(HASH, "https://x.example.com/a", 9, "image/png", "2026-11-23T07:36:12.123Z", "a.png"),
    e.Gone(ATTEMPT, "the result host answered HTTP 404"),
    e.Called(ATTEMPT, "task-1", signed=True),
    e.Conflicted(ATTEMPT, "task-2", "a second task", may_be_paid=True),
    e.UnusedAnswer(ATTEMPT, "create", '{"code":200}', "task-9"),
    e.StillMissing(ATTEMPT, "last-frame", "https://files.example.com/l.png", "the host answered HTTP 500"),
    e.Priced(ATTEMPT, Decimal(38)),
]


def line(event: e.Event | dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The event as it stands in a journal, decoded."""
    body = event if isinstance(event, dict) else json.loads(json.dumps(e.to_json(event)))
    head = {"v": 1, "seq": 2, "prev": HASH, "at": "2026-11-22T07:36:12.123Z"}
    return {**head, **body, **changes}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_event_that_is_written_fits(event: e.Event) -> None:
    assert problems("event", line(event)) == []


def test_every_type_of_event_is_known_with_just_its_fields() -> None:
    definitions = schema("event")["$defs"]
    kinds = {type(event) for event in EVENTS}
    assert set(schema("event")["properties"]["type"]["anyOf"][0]["enum"]) == {k.type for k in kinds}
    for kind in kinds:
        names = [field.name for field in fields(kind)]
        assert definitions[kind.type]["required"] == names
        assert list(definitions[kind.type]["properties"]) == [*HEAD, *names]


def test_the_first_line_follows_none() -> None:
    source = {"file": "tea.yaml", "sha256": HASH, "git_commit": None}
    assert problems("event", line(EVENTS[0], seq=1, prev=None, source=source)) == []


def test_what_a_later_version_adds_is_let_through() -> None:
    assert problems("event", line({"type": "paused", "why": {"deep": [1]}})) == []


@pytest.mark.parametrize(
    ("event", "changes", "refused"),
    [
        (EVENTS[3], {"v": 2}, ["v const"]),
        (EVENTS[3], {"seq": 0}, ["seq minimum"]),
        (EVENTS[3], {"seq": 1}, ["prev type"]),
        (EVENTS[3], {"prev": None}, ["prev type"]),
        (EVENTS[3], {"prev": "AB" * 32}, ["prev pattern"]),
        (EVENTS[3], {"at": "2026-11-22T07:36:12Z"}, ["at pattern"]),
        (EVENTS[3], {"at": "2026-11-22T07:36:12.123+01:00"}, ["at pattern"]),
        (EVENTS[3], {"attempt_id": "1"}, ["attempt_id pattern"]),
        (EVENTS[3], {"task_id": ""}, ["task_id minLength"]),
        (EVENTS[3], {"key": "secret"}, ["additionalProperties"]),
        (EVENTS[0], {"fingerprint_version": 2}, ["fingerprint_version const"]),
        (EVENTS[0], {"source": {"file": "tea.yaml"}}, ["source required", "source required"]),
        (EVENTS[1], {"action": "buy"}, ["action enum"]),
        (EVENTS[1], {"credits": 16}, ["credits type"]),
        (EVENTS[2], {"credits": "1E+2"}, ["credits pattern"]),
        (EVENTS[2], {"take": 0}, ["take minimum"]),
        (EVENTS[4], {"failure": {"kind": "x"}}, ["failure required", "failure required"]),
        (EVENTS[10], {"files": []}, ["files minItems"]),
        (EVENTS[12], {"task_id": None}, ["task_id type"]),
        (EVENTS[13], {"task_id": "task-1"}, ["task_id type"]),
        (EVENTS[13], {"ruling": "bought"}, ["ruling enum"]),
    ],
)
def test_a_line_that_is_not_as_it_should_be_is_refused(
    event: e.Event, changes: dict[str, Any], refused: list[str]
) -> None:
    assert problems("event", line(event, **changes)) == refused


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_a_line_needs_all_its_fields(event: e.Event) -> None:
    whole = line(event)
    for key in whole:
        assert problems("event", changed(whole, key, ...)) != [], key


# --- the manifest --------------------------------------------------------------------------------

TIME = "2026-11-22T07:36:12.123Z"
COLLECTED = {
    "fingerprint": HASH,
    "take": 1,
    "state": "succeeded",
    "task_id": "task-1",
    "other_task_ids": [],
    "attempt_id": ATTEMPT,
    "model": "a/b",
    "input": {"prompt": "A kite"},
    "credits": {"planned": "16", "charged": "16"},
    "times": {"reserved": TIME, "submitted": TIME, "settled": TIME, "collected": TIME},
    "files": [
        {
            "path": "tea/pour.mp4",
            "sha256": HASH,
            "bytes": 9000,
            "media_type": "video/mp4",
            "url": "https://files.example.com/a.mp4",
            "url_expires": None,
        }
    ],
    "error": None,
}
REJECTED = {
    **COLLECTED,
    "state": "rejected",
    "task_id": None,
    "other_task_ids": [],
    "credits": {"planned": None, "charged": None},
    "times": {"reserved": TIME, "submitted": None, "settled": TIME, "collected": None},
    "files": [],
    "error": {"class": "rejected", "code": "422", "message": "no such model"},
}
PLANNED = {
    **REJECTED,
    "state": None,
    "attempt_id": None,
    "input": None,
    "times": {"reserved": None, "submitted": None, "settled": None, "collected": None},
    "error": None,
}
MANIFEST = {
    "format_version": "1.0",
    "run_id": "20261122T073612Z-1f",
    "command": "run",
    "campaign": "tea",
    "origin": "https://api.kie.ai",
    "source": {"file": "tea.yaml", "sha256": HASH, "git_commit": None},
    "created_with": "kiejobs 0.1",
    "totals": totals([COLLECTED, REJECTED, PLANNED]),
    "jobs": {ADDRESS: COLLECTED, f"{ADDRESS}#2": REJECTED, "tea/steam": PLANNED},
}


def test_a_manifest_fits() -> None:
    assert problems("manifest", MANIFEST) == []
    assert problems("manifest", changed(MANIFEST, "format_version", "1.7")) == []


@pytest.mark.parametrize(
    ("path", "new", "refused"),
    [
        ("format_version", "2.0", ["format_version pattern"]),
        ("campaign", ..., ["required"]),
        ("host", "me", ["additionalProperties"]),
        ("totals credits planned", 16, ["totals.credits.planned type"]),
        ("totals states done", 1, ["totals.states additionalProperties"]),
        (f"jobs {ADDRESS} error", ..., [f"jobs.{ADDRESS} required"]),
        (f"jobs {ADDRESS} state", "done", [f"jobs.{ADDRESS}.state enum"]),
        (f"jobs {ADDRESS} files", None, [f"jobs.{ADDRESS}.files type"]),
        (f"jobs {ADDRESS} files 0 host", "x", [f"jobs.{ADDRESS}.files.0 additionalProperties"]),
        (f"jobs {ADDRESS} times settled", ..., [f"jobs.{ADDRESS}.times required"]),
        (f"jobs {ADDRESS} credits charged", 16.0, [f"jobs.{ADDRESS}.credits.charged type"]),
    ],
)
def test_a_manifest_that_is_not_as_it_should_be_is_refused(path: str, new: Any, refused: list[str]) -> None:
    assert problems("manifest", changed(MANIFEST, path, new)) == refused


def test_the_manifest_knows_every_state() -> None:
    known = schema("manifest")["$defs"]["job"]["properties"]["state"]["enum"]
    assert known == [*(state.value for state in State), None]


# --- the plan ------------------------------------------------------------------------------------

PLAN = {
    "format_version": "1.0",
    "campaign": "tea",
    "changes": [
        {
            "address": ADDRESS,
            "action": "submit",
            "reason": "input_changed",
            "fingerprint": HASH,
            "take": 1,
            "credits": "16",
            "diff": [{"field": "seed", "was": None, "now": 7}],
            "model": "a/b",
            "detail": None,
        }
    ],
    "totals": {
        "actions": {action.value: 0 for action in Action},
        "credits": "16",
        "unpriced": 0,
        "in_doubt": 0,
    },
    "digest": HASH,
}


def test_a_plan_fits() -> None:
    assert problems("plan", PLAN) == []
    unknown = changed(changed(PLAN, "changes 0 credits", None), "changes 0 diff", None)
    assert problems("plan", unknown) == []


@pytest.mark.parametrize(
    ("path", "new", "refused"),
    [
        ("digest", ..., ["required"]),
        ("changes 0 action", "buy", ["changes.0.action enum"]),
        ("changes 0 credits", 16, ["changes.0.credits type"]),
        ("changes 0 detail", ..., ["changes.0 required"]),
        ("changes 0 diff 0 was", ..., ["changes.0.diff.0 required"]),
        ("totals actions keep", ..., ["totals.actions required"]),
    ],
)
def test_a_plan_that_is_not_as_it_should_be_is_refused(path: str, new: Any, refused: list[str]) -> None:
    assert problems("plan", changed(PLAN, path, new)) == refused


def test_the_plan_knows_every_action() -> None:
    known = schema("plan")["$defs"]["change"]["properties"]["action"]["enum"]
    assert known == [action.value for action in Action]
