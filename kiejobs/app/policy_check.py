"""The policy of this checkout: read once for a command, then held against what it would buy.

In: `--policy`, a loaded job file, the ledger, the plan's lines. Out: a `Policy`; words and an end with
exit code 5 where a plan breaks its rules. Touches: disk, by reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import find_up, read_source
from kiejobs.adapters.project.schemas import read_schema
from kiejobs.core.diagnostics import InvalidJobFile, Problems, SpendingStopped
from kiejobs.core.plan.policy import FILE, NO_POLICY, Policy, breaches, read_policy
from kiejobs.reports.guards import breaches_text
from kiejobs.reports.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.output import Screen
    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change

_LARGEST = 2**20  # bytes


def policy_in_force(named: str | None) -> Policy:
    """The policy of that name, else the checkout's, else one that rules nothing out.

    Raises UsageProblem where it can't be read, InvalidJobFile with all that is wrong with it.
    """
    file = named or find_up(FILE)
    if file is None:
        return NO_POLICY
    from kiejobs.core.document.reader import read_document  # noqa: PLC0415 - most have no policy

    source = read_source(file, most=_LARGEST)
    document, found = read_document(source)
    policy = None
    if document is not None:
        schema = read_schema("policy.schema.json")
        policy, refused = read_policy(document, schema, named=named is not None)
        found += refused
    if policy is None or found:
        raise InvalidJobFile(Problems(found, {file: source.lines}))
    return policy


def flags_of(policy: Policy) -> dict[str, str | bool]:
    """What the policy says of flags, by the names of parameters, as click's `default_map` wants it."""
    flags = {flag.replace("-", "_"): value for flag, value in policy.defaults.items()}
    if policy.callback_url is not None:
        flags["public_url"] = policy.callback_url
    return flags


def breaches_of(
    policy: Policy, loaded: LoadedJobFile, ledger: Ledger, changes: Iterable[Change]
) -> Sequence[Diagnostic]:
    """The rules that these lines of a plan break."""
    bought = [change.job for change in changes if change.spends and change.job is not None]
    campaign = loaded.jobfile.campaign
    return breaches(
        policy,
        bought,
        campaign=campaign,
        jobs=len(loaded.expansion.jobs),
        committed=ledger.committed(campaign),
    )


def require_none(broken: Sequence[Diagnostic], policy: Policy, screen: Screen) -> None:
    """Reports every rule that is broken. Raises SpendingStopped where there is one."""
    if not broken:
        return
    screen.say(breaches_text(broken, color=screen.color_err))
    rules = plural(len({breach.code for breach in broken}), "rule")
    raise SpendingStopped(
        f"the plan breaks {rules} of {policy.file}: nothing is bought",
        hint="narrow it (--select), or have the policy changed; `kiejobs collect` goes on",
    )
