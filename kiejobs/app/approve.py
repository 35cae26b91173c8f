"""What must hold before anything is bought: an approval from elsewhere, the policy, the lock.

In: a loaded job file, the plan's lines, the ledger; flags. Out: what a plan file approves and was made with;
StalePlan, SpendingStopped or UsageProblem where something is not as it should be. Touches: plan file and lock,
by reading; with `--check-assets` the network.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jsonschema import Draft202012Validator

from kiejobs.adapters.project.files import STDIN, read_schema, read_source
from kiejobs.adapters.project.root import find_root
from kiejobs.adapters.system import api_base
from kiejobs.app.load import LoadedJobFile, variables_of
from kiejobs.app.plan import held_by
from kiejobs.core.diagnostics import Diagnostic, SpendingStopped, StalePlan, UsageProblem
from kiejobs.core.expand.expand import wanted_files
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.money import price_text
from kiejobs.core.plan.approval import drift, is_approved, rows_of_document, terms_drift, terms_of_document
from kiejobs.core.plan.lock import Asset, Lock, differences, from_bytes, image_name, make_lock
from kiejobs.core.plan.plan import (
    NO_TERMS,
    Change,
    Plan,
    PricedRow,
    Terms,
    difference,
    digest_of,
    row_of,
    together,
)
from kiejobs.core.plan.policy import HELD, Policy, breaches
from kiejobs.core.urls import bare
from kiejobs.reports.checks import breaches_text, changes_text, drift_text
from kiejobs.reports.diff import diff_lines
from kiejobs.reports.terminal import Paint, plural, quoted, sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.app.options import JobFileOptions
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.lock import Explain, LockedJob, LockedModel
    from kiejobs.ports import Limits

_DIGEST = re.compile(r"[0-9a-f]{64}")
_AGAIN = "plan again, and get that approved"


@dataclass(frozen=True, slots=True)
class Approval:
    """`rows` are what a plan file wants bought; None where only its digest is known.

    `on_record` is what goes into the journal as approved: the digest over all job files, where this is one's part.
    """

    digest: str
    plan_id: str | None = None
    rows: tuple[PricedRow, ...] | None = None
    origin: str | None = None
    on_record: str | None = None
    terms: Terms = NO_TERMS

    @property
    def is_by_another(self) -> bool:
        """Was it given before, going by what could be reviewed, and not to this very plan?"""
        return self.on_record is not None or self.rows is not None


def expected(digest: str | None) -> Approval | None:
    """`--expect`. Raises UsageProblem for what is no digest."""
    if digest is None:
        return None
    text = digest.strip().lower()
    if not _DIGEST.fullmatch(text):
        hint = "`kiejobs plan` prints the digest: 64 hexadecimal digits"
        raise UsageProblem(f"--expect {sanitize(digest)}: not a digest", hint=hint)
    return Approval(text, on_record=text)


def open_plan(name: str, wanted: JobFileOptions) -> tuple[Approval, JobFileOptions, tuple[str, ...]]:
    """What a plan file approves, and what it was made of (job file, flags, `--retry`). Raises UsageProblem."""
    document = _document(name)
    options: Mapping[str, Any] = document["options"]
    if wanted.select or wanted.variables or wanted.vars_files or wanted.max_jobs:
        message = "--plan can't be combined with --select, --var, --vars-file or --max-jobs"
        hint = "the plan file includes the flags that it was made with; omit these"
        raise UsageProblem(message, hint=hint)
    rows = tuple(rows_of_document(document["changes"]))
    terms = terms_of_document(document)
    if digest_of(rows, terms) != document["digest"]:
        raise StalePlan(f"{name} was changed: its digest doesn't match its lines", hint=_AGAIN)
    digest = document["digest"]
    approval = Approval(digest, document["plan_id"], rows, document["origin"], digest, terms)
    again = replace(
        wanted,
        file=wanted.file or find_root().seen(document["source"]["file"]),
        select=tuple(options["select"]),
        variables=tuple(options["vars"]),
        vars_files=tuple(options["vars_files"]),
        max_jobs=options["max_jobs"],
    )
    return approval, again, tuple(options["retry"])


def plan_file_keys(loaded: LoadedJobFile, retry: Sequence[str], space: Workspace) -> dict[str, Json]:
    """What a plan file says besides what every plan's document does."""
    wanted = loaded.wanted
    return {
        "made": utc_text(space.clock().now()),
        "options": {
            "select": list(wanted.select), "retry": list(retry), "vars": list(wanted.variables),
            "vars_files": list(wanted.vars_files), "max_jobs": wanted.max_jobs,
        },
        "origin": space.origin, "plan_id": os.urandom(16).hex(), "source": loaded.source,
    }  # fmt: skip


def require_approved(
    approval: Approval,
    changes: Sequence[Change],
    terms: Terms,
    ledger: Ledger,
    space: Workspace,
    screen: Screen,
) -> None:
    """Raises StalePlan where something else would be bought than was approved, or again."""
    used = ledger.plans_used.get(approval.plan_id or "")
    if used is not None:
        hint = f"to finish what is left of it: --expect {approval.digest}; for more, {_AGAIN}"
        raise StalePlan(f"the plan was used already, by run {used}", hint=hint)
    if approval.origin is not None and approval.origin != space.origin:
        message = f"the plan was made for {approval.origin}, and this run buys at {space.origin}"
        raise StalePlan(message, hint=_AGAIN)
    now = [row_of(change) for change in changes if change.spends]
    if approval.rows is not None:
        differences = [*terms_drift(approval.terms, terms), *drift(approval.rows, now)]
        if differences:
            screen.say(drift_text(differences, color=screen.color_err))
            raise StalePlan("the plan is stale: something else would be bought now", hint=_AGAIN)
    elif not is_approved(changes, approval.digest, terms):
        digest = digest_of(now, terms)
        message = f"what would be bought now has the digest {digest}, not the expected one"
        raise StalePlan(message, hint=f"review the difference with `kiejobs plan`; then {_AGAIN}")


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
        why = f"{sanitize(place)}: {sanitize(wrong.message)[:200]}"
        raise UsageProblem(f"{name} is no plan file: {why}")
    if "plan_id" not in document:
        shows = "`kiejobs plan --format json` only shows"
        hint = f"{shows}; `kiejobs plan --out FILE` writes a plan file"
        raise UsageProblem(f"{name} is a plan's document, not a plan file", hint=hint)
    found: dict[str, Json] = document
    return found


# --- the policy ------------------------------------------------------------------------------------


def breaches_of(
    space: Workspace,
    loaded: LoadedJobFile,
    ledger: Ledger,
    changes: Sequence[Change],
    ahead: Sequence[Plan] = (),
) -> Sequence[Diagnostic]:
    """The rules that these lines of a plan break; none where there is no policy.

    `ahead` are the plans of the job files before this one: what they buy is held by then.
    """
    if space.policy is None:
        return ()
    before = [line for line in together(ahead).changes if line.spends] if ahead else []
    known = {(line.fingerprint, line.take) for line in before}
    bought = [
        line.job
        for line in changes
        if line.spends and line.job is not None and (line.fingerprint, line.take) not in known
    ]
    campaign = loaded.jobfile.campaign
    by_then = sum((line.credits or Decimal(0) for line in before), Decimal(0))
    of_campaign = [line for line in before if line.address.startswith(f"{campaign}/")]

    def held(rule: str) -> tuple[str, Decimal]:
        if rule == "credits_per_campaign":
            more = (line.credits or Decimal(0) for line in of_campaign)
            return campaign, sum(more, held_by(campaign, ledger, changes))
        if rule == "credits_per_project":
            return "the project", ledger.committed() + by_then
        month = f"{space.clock().now():%Y-%m}"
        return month, ledger.committed(since=month) + by_then

    return breaches(space.policy, bought, jobs=len(loaded.expansion.jobs), held=held)


def limits_of(space: Workspace, loaded: LoadedJobFile) -> Limits | None:
    """Credits that may be held whoever buys: by the policy, and by the budget of the job file's campaign."""
    campaign, budget = loaded.jobfile.campaign, loaded.jobfile.budget
    month = f"{space.clock().now():%Y-%m}"
    counted = {
        "credits_per_campaign": (campaign, campaign, ""),
        "credits_per_month": (month, None, month),
        "credits_per_project": ("the project", None, ""),
    }
    layers = space.policy.layers if space.policy else ()
    most = [(*counted[rule], getattr(one, rule)) for one in layers for rule in HELD if rule in one.places]
    if budget is not None and budget.per == "campaign":
        most.append((campaign, campaign, "", budget.credits))

    def room(history: History) -> tuple[Decimal, str]:
        ledger = history.ledger(space.origin)
        left, who, limit = min(
            (limit - ledger.committed(of, since), who, limit) for who, of, since, limit in most
        )
        return left, f"others have bought meanwhile, and {who} may hold at most {price_text(limit)}"

    return room if most else None


def require_none(broken: Sequence[Diagnostic], policy: Policy, screen: Screen) -> None:
    """Reports every rule that is broken. Raises SpendingStopped where there is one."""
    if not broken:
        return
    screen.say(breaches_text(broken, color=screen.color_err))
    places = {(breach.code, breach.place) for breach in broken}
    files = [layer.file for layer in policy.layers if not places.isdisjoint(layer.places.items())]
    rules = plural(len(places), "rule")
    raise SpendingStopped(
        f"the plan breaks {rules} of {' and '.join(files)}: nothing is bought",
        hint="narrow it (--select), or get the policy changed; `kiejobs collect` still works",
    )


# --- the lock, and the files that requests point at ------------------------------------------------


def require_locked(loaded: LoadedJobFile, screen: Screen, *, ledger: Ledger | None = None) -> None:
    """For `--locked`, `--check-assets`; `ledger` knows what changed since it was bought. Raises StalePlan, UsageProblem."""
    wanted = loaded.wanted
    locked = _by_meaning(read_lock(wanted.file), loaded) if wanted.locked else None
    images = look_at_assets(loaded, screen) if wanted.check_assets else {}
    if locked is None:
        return
    explain = _explainer(loaded, ledger)
    now = lock_of(loaded, images)
    found = list(differences(locked, now, explain, images=wanted.check_assets))
    if found:
        screen.say(changes_text(found, color=screen.color_err))
        hint = f"if that is intended, `kiejobs lock {quoted(wanted.file)}` locks it again"
        raise StalePlan(f"{wanted.file} differs from its lock", hint=hint)


def _by_meaning(lock: Lock, loaded: LoadedJobFile) -> Lock:
    """Locks of 0.1.0 have digests of complete schemas, with their texts."""
    specs = loaded.expansion.spec_of
    same = {
        model
        for model, was in lock["models"].items()
        if model in specs and was["schema"] == specs[model].digest
    }
    models = {m: {"schema": specs[m].meaning} if m in same else was for m, was in lock["models"].items()}
    return {**lock, "models": cast("dict[str, LockedModel]", models)}


def lock_path(file: str) -> Path:
    """Next to the job file, under its name and `.lock`. Raises UsageProblem for standard input, which is nowhere."""
    if file == STDIN:
        raise UsageProblem(
            "standard input has no lock: that is a file next to a job file", hint="name a file"
        )
    return Path(f"{file}.lock")


def read_lock(file: str) -> Lock:
    """The lock of a job file. Raises UsageProblem where there is none, or none of ours."""
    path, again = lock_path(file), f"`kiejobs lock {quoted(file)}` writes it"
    if not path.exists():
        raise UsageProblem(f"{path} is missing", hint=again)
    try:
        return from_bytes(read_source(str(path)).data, read_schema("lock.schema.json"))
    except ValueError as error:
        raise UsageProblem(f"{path} can't be read as a lock: {error}", hint=again) from error


def lock_of(loaded: LoadedJobFile, images: Mapping[str, Asset | None]) -> Lock:
    """What the lock would be now; `images` by their URLs. Local files are locked in any case."""
    file = loaded.wanted.file
    assets = {image_name(url): asset for url, asset in images.items()}
    for path, local in loaded.files.read.items():
        assets[path] = Asset(sha256=local.sha256, bytes=local.bytes, media_type=local.media_type)
    return make_lock(
        loaded.expansion,
        assets,
        templates=loaded.folder.includes.read,
        vars_files={_from_folder(file, each.name): each.sha256 for each in loaded.vars_files},
        variables=variables_of(loaded.wanted),
        data_files=loaded.folder.data.digests,
    )


def look_at_assets(loaded: LoadedJobFile, screen: Screen) -> dict[str, Asset]:
    """The campaign's files on the web by URL. Raises UsageProblem, all that is wrong reported before."""
    import anyio  # noqa: PLC0415 - behind a flag

    from kiejobs.adapters.http.fetch import fetch_assets  # noqa: PLC0415 - httpx is slow to import

    files, wanted = wanted_files(loaded.expansion), loaded.wanted
    found = anyio.run(fetch_assets, files, api_base(wanted.base_url, sandbox=wanted.sandbox))
    seen = {url: asset for url, asset in found.items() if not isinstance(asset, str)}
    wrong = {url: why for url, why in found.items() if isinstance(why, str)}
    if wrong:
        lines = [f"{bare(url)[:200]}: {why}" for url, why in wrong.items()]
        screen.say(changes_text(lines, "file", color=screen.color_err))
        what = f"{len(wrong)} of {len(found)} files that the requests point at can't be used"
        raise UsageProblem(what, hint="the API would fetch them as they are")
    return seen


def _from_folder(file: str, name: str) -> str:
    """A file's name as seen from the job file's folder; no absolute path gets into a lock."""
    if Path(name).is_absolute():
        return Path(name).name
    return Path(os.path.relpath(name, Path(file).parent)).as_posix()


def _explainer(loaded: LoadedJobFile, ledger: Ledger | None) -> Explain:
    """Says what changed in a request, where the locked one was bought."""
    jobs = {job.address: job for job in loaded.expansion.jobs}

    def explain(address: str, locked: LockedJob) -> str | None:
        bought = ledger and ledger.bought(locked["fingerprint"], locked["take"])
        if not bought:
            return None
        was = {"model": bought.reserved.model, **bought.reserved.input}
        now = {"model": jobs[address].model, **jobs[address].input}
        fields = difference(was, now, loaded.files.paths)
        return "; ".join(diff_lines(fields, Paint(color=False))) or None

    return explain
