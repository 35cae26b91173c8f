"""What may be bought, where somebody approved it elsewhere: a plan file, or a digest.

In: `--plan FILE`, `--expect DIGEST`. Out: the job file and flags that a plan was made with; StalePlan
where what would be bought now is something else. Touches: the plan file, by reading.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.adapters.project.files import read_source
from kiejobs.adapters.project.schemas import read_schema
from kiejobs.core.diagnostics import StalePlan, UsageProblem
from kiejobs.core.ledger.events import Approved
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.plan.approval import drift, is_approved, rows_of_document
from kiejobs.core.plan.plan import digest_of, row_of
from kiejobs.reports.guards import drift_text
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change, PricedRow

_DIGEST = re.compile(r"[0-9a-f]{64}")
_AGAIN = "plan again, and have that approved"


@dataclass(frozen=True, slots=True)
class Approval:
    """`rows` are what a plan file wants bought; None where only its digest is known."""

    digest: str
    plan_id: str | None = None
    rows: tuple[PricedRow, ...] | None = None
    origin: str | None = None

    @property
    def event(self) -> Approved:
        return Approved(self.digest, self.plan_id)


def expected(digest: str | None) -> Approval | None:
    """`--expect`. Raises UsageProblem for what is no digest."""
    if digest is None:
        return None
    text = digest.strip().lower()
    if not _DIGEST.fullmatch(text):
        hint = "`kiejobs plan` prints the digest: 64 hexadecimal digits"
        raise UsageProblem(f"--expect {sanitize(digest)}: not a digest", hint=hint)
    return Approval(text)


def open_plan(
    name: str, wanted: JobFileOptions
) -> tuple[Approval, JobFileOptions, tuple[str, ...]]:
    """A plan file: what it approves, and what its plan was made of (job file, flags, `--retry`).

    Raises UsageProblem for what is no plan file of ours.
    """
    document = _document(name)
    options: Mapping[str, Any] = document["options"]
    if wanted.select or wanted.variables or wanted.vars_files or wanted.max_jobs:
        hint = "the plan was made with flags of its own, which hold; leave these out"
        raise UsageProblem(
            "--plan goes with no --select, --var, --vars-file or --max-jobs", hint=hint
        )
    rows = tuple(rows_of_document(document["changes"]))
    if digest_of(rows) != document["digest"]:
        raise StalePlan(f"{name} was changed: its digest is not that of its lines", hint=_AGAIN)
    approval = Approval(document["digest"], document["plan_id"], rows, document["origin"])
    again = replace(
        wanted,
        file=wanted.file or document["source"]["file"],
        select=tuple(options["select"]),
        variables=tuple(options["vars"]),
        vars_files=tuple(options["vars_files"]),
        max_jobs=options["max_jobs"],
    )
    return approval, again, tuple(options["retry"])


def plan_file_keys(
    loaded: LoadedJobFile, wanted: JobFileOptions, retry: Sequence[str], space: Workspace
) -> dict[str, Json]:
    """What a plan file says besides what every plan's document does."""
    return {
        "made": utc_text(space.clock().now()),
        "options": {
            "select": list(wanted.select),
            "retry": list(retry),
            "vars": list(wanted.variables),
            "vars_files": list(wanted.vars_files),
            "max_jobs": wanted.max_jobs,
        },
        "origin": space.origin,
        "plan_id": secrets.token_hex(16),
        "source": loaded.source,
    }


def require_approved(
    approval: Approval,
    changes: Sequence[Change],
    ledger: Ledger,
    space: Workspace,
    screen: Screen,
) -> None:
    """Raises StalePlan where something else would be bought than was approved, or once more."""
    used = ledger.plans_used.get(approval.plan_id or "")
    if used is not None:
        hint = f"to finish what is left of it: --expect {approval.digest}; for more, {_AGAIN}"
        raise StalePlan(f"the plan was used already, by run {used}", hint=hint)
    if approval.origin is not None and approval.origin != space.origin:
        message = f"the plan was made for {approval.origin}, and this run buys at {space.origin}"
        raise StalePlan(message, hint=_AGAIN)
    now = [row_of(change) for change in changes if change.spends]
    if approval.rows is not None:
        differences = list(drift(approval.rows, now))
        if differences:
            screen.say(drift_text(differences, color=screen.color_err))
            raise StalePlan("the plan is stale: something else would be bought now", hint=_AGAIN)
    elif not is_approved(changes, approval.digest):
        message = f"what would be bought now has the digest {digest_of(now)}, not the expected one"
        raise StalePlan(message, hint=f"look at what differs with `kiejobs plan`; then {_AGAIN}")


def _document(name: str) -> dict[str, Json]:
    source = read_source(name)
    try:
        document = json.loads(source.data)
        version = str(document.get("format_version"))
    except (ValueError, AttributeError, RecursionError) as error:
        raise UsageProblem(f"{name} is no plan file", hint="`kiejobs plan --out FILE`") from error
    if not version.startswith("1."):
        raise UsageProblem(f"{name} has format {sanitize(version)}", hint="update kiejobs")
    for wrong in Draft202012Validator(read_schema("plan.schema.json")).iter_errors(document):
        place = "/".join(map(str, wrong.absolute_path)) or "the document"
        raise UsageProblem(
            f"{name} is no plan file: {sanitize(place)}: {sanitize(wrong.message)[:200]}"
        )
    if "plan_id" not in document:
        hint = (
            "`kiejobs plan --format json` only shows; `kiejobs plan --out FILE` writes a plan file"
        )
        raise UsageProblem(f"{name} is a plan's document, but no plan file", hint=hint)
    found: dict[str, Json] = document
    return found
