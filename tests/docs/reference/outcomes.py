"""Exit codes and outcome classes, from the enum and from the code that decides.

In: `ExitCode`, the reader of createTask's answers. Out: Markdown. Touches nothing.
"""

from __future__ import annotations

import json

from kiejobs.adapters.kie.responses import create_outcome
from kiejobs.core.diagnostics import ExitCode
from tests.docs.reference.markdown import code, table

EXIT_CODES = {
    ExitCode.DONE: ("All done, or there was nothing to do.", "Nothing."),
    ExitCode.SOME_FAILED: (
        (
            "Some jobs failed or were rejected, a local file could not be sent, or a result could not be "
            "downloaded; the others are done. Or a check failed: any in `kiejobs check`, after a run one that "
            "the job file states. Or `models check` found a change that breaks job files. Or `models sync` could not read a model, or `models sync --check` found one in use that has left the vendor's list."
        ),
        "Read the report. Change the input, or `--retry failed`; for files `kiejobs collect`.",
    ),
    ExitCode.INVALID: (
        "Wrong usage, or the job file has errors. Nothing was sent.",
        "Correct what the message reports.",
    ),
    ExitCode.CHANGES_PENDING: (
        "Changes are pending. Only from `plan --detailed-exitcode`, from `models check` where what changed breaks nothing, and from `models sync --check`.",
        "Look at the plan, then run it.",
    ),
    ExitCode.IN_DOUBT: (
        "At least one job was sent and its answer is unknown, or a task was claimed for one and not accepted. Takes precedence over other failures.",
        "`kiejobs status` shows which, `kiejobs resolve` ends it.",
    ),
    ExitCode.STOPPED: (
        (
            "Nothing more was bought: budget, credits, key, too many failures, or the API out of reach; "
            "what was bought is collected. Or the plan breaks a rule of `kiejobs.yaml`: then it was not "
            "begun. `plan` exits with it, too, for such a rule, and for a budget that can't hold the plan."
        ),
        "Do what the report says, then run again.",
    ),
    ExitCode.STALE_PLAN: (
        (
            "Nothing was bought: a plan file is stale or was used already, what has the expected digest "
            "is not what would be bought, a lock differs, or git has journals that are not here, or ignores them."
        ),
        "Plan again and have that approved; `kiejobs lock`; `git pull`.",
    ),
    ExitCode.JOURNAL: (
        (
            "The journals are locked by another run, damaged, in two places, or can't be written. Nothing "
            "is bought that can't be recorded."
        ),
        "The message names file and line, or the run that holds the lock.",
    ),
    ExitCode.STILL_RUNNING: (
        (
            "Tasks are still at the API: `--wait` or `--once` ended, or `status --exit-code` found some. Or another "
            "run, a lost one maybe, has claimed what this one was to buy."
        ),
        "`kiejobs collect`, later; what was claimed, `kiejobs run` again.",
    ),
    ExitCode.BUG: (
        "A fault of kiejobs; see the file `kiejobs-crash-….txt`.",
        "Run again (that is safe), and report the file.",
    ),
    ExitCode.INTERRUPTED: (
        "Ctrl-C; what was bought until then is on record. Or the question before buying was answered with no.",
        "`kiejobs collect`, or run again.",
    ),
}
"""Meaning, and what to do."""

_ANSWERS = (
    ("code 200 with a `taskId`", 200, {"code": 200, "data": {"taskId": "abc"}}),
    ("code 200 without one", 200, {"code": 200, "data": {}}),
    *((f"code {n}", 200, {"code": n, "msg": "…"}) for n in (400, 401, 402, 403, 404, 405, 413)),
    *((f"code {n}", 200, {"code": n, "msg": "…"}) for n in (422, 429, 433, 455)),
    ("code 500 and a validation text", 200, {"code": 500, "msg": "prompt is required"}),
    ("code 500 that speaks of credits", 200, {"code": 500, "msg": "credits insufficient"}),
    ("code 500, any other text", 200, {"code": 500, "msg": "server exception"}),
    *((f"code {n}", 200, {"code": n, "msg": "…"}) for n in (501, 505)),
    *((f"HTTP {n} without an envelope", n, None) for n in (401, 403, 404, 429, 500, 502, 503)),
    ("HTTP 200 without an envelope", 200, None),
)

_CLASSES = {
    "Accepted": "accepted",
    "CreateNotAccepted": "not accepted",
    "Refused": "refused",
    "NoMoney": "no money",
    "CreateRejected": "rejected",
    "CreateInDoubt": "in doubt",
}


def exit_codes() -> str:
    rows = [(code(int(number)), code(number.name.lower()), *EXIT_CODES[number]) for number in ExitCode]
    return table(("code", "name", "meaning", "what to do"), rows)


def answers() -> str:
    """What each answer to createTask is taken for, by asking the code that takes it."""
    rows = [(what, _class(status, body)) for what, status, body in _ANSWERS]
    return table(("answer", "taken for"), rows)


def _class(status: int, body: object) -> str:
    data = b"<html>" if body is None else json.dumps(body).encode()
    return _CLASSES[type(create_outcome(status, None, data)).__name__]
