"""What a policy's rules say of jobs that would be bought, and of a job file as such.

In: a `Policy`, jobs, credits that a campaign holds. Out: `Breach`es, all of them; or
diagnostics at the jobs' places. Touches nothing.

Only what would be bought is looked at: a rule that came later takes nothing away that is paid for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.money import money
from kiejobs.core.plan.selection import wild

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kiejobs.core.diagnostics import Place, Problems
    from kiejobs.core.expand.job import Job
    from kiejobs.core.jobfile.jobfile import JobFile
    from kiejobs.core.plan.policy import Policy

Words: TypeAlias = tuple[str, str]
"""A rule's name, and in what way it is broken."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule that is broken, by `count` jobs of which `example` is one; 0 where it's about no job."""

    rule: str
    place: Place
    message: str
    count: int = 0
    example: str | None = None


class JobRules:
    """The rules that look at one job alone. Jobs that are alike are judged once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._models = [wild(pattern) for pattern in policy.models or ()]
        self._tags = [(pattern, wild(pattern)) for pattern in policy.tags]
        self._one_of = [wild(pattern) for pattern in policy.one_of_tags]
        self._known: dict[tuple[str, tuple[str, ...], Decimal | None], list[Words]] = {}

    def broken_by(self, job: Job) -> list[Words]:
        key = (job.model, job.tags, job.credits)
        if key not in self._known:
            self._known[key] = list(self._judge(*key))
        return self._known[key]

    def _judge(self, model: str, tags: tuple[str, ...], price: Decimal | None) -> Iterator[Words]:
        policy = self._policy
        if policy.models is not None and not any(fits(model) for fits in self._models):
            yield "models", f"the model `{model}` is not allowed; {_allowed(policy.models)}"
        lacks = [pattern for pattern, fits in self._tags if not any(map(fits, tags))]
        if lacks:
            yield "tags", f"no tag {' and no tag '.join(f'`{pattern}`' for pattern in lacks)}"
        if self._one_of and not any(fits(tag) for fits in self._one_of for tag in tags):
            yield "one_of_tags", f"no tag of {_listed(policy.one_of_tags)}"
        most = policy.credits_per_job
        if most is not None and price is None:
            yield "credits_per_job", "the price is not known"
        elif most is not None and price is not None and price > most:
            yield "credits_per_job", f"{money(price)} credits each; {_at_most(most)}"


class PolicyCheck:
    """Takes the jobs that a plan would buy, one by one; then knows which rules that would break."""

    def __init__(self, policy: Policy, campaign: str, *, jobs: int, committed: Decimal) -> None:
        """`jobs` is how many the file makes, `committed` the credits that the campaign holds."""
        self._policy = policy
        self._campaign = campaign
        self._jobs = jobs
        self._committed = committed
        self._rules = JobRules(policy)
        self._broken: dict[Words, Breach] = {}
        self._bought = 0
        self._credits = Decimal(0)
        self._unpriced = 0
        self._example: str | None = None

    def add(self, job: Job) -> None:
        self._bought += 1
        self._credits += job.credits or 0
        if job.credits is None:
            self._unpriced += 1
            self._example = self._example or job.address
        for rule, message in self._rules.broken_by(job):
            place = self._policy.places[rule]
            known = self._broken.get((rule, message))
            known = known or Breach(rule, place, message, 0, job.address)
            self._broken[rule, message] = replace(known, count=known.count + 1)

    def breaches(self) -> list[Breach]:
        """In the order of the policy file; none where nothing would be bought."""
        if not self._bought:
            return []
        return sorted([*self._broken.values(), *self._of_all()], key=lambda breach: breach.place)

    def _of_all(self) -> Iterator[Breach]:
        places = self._policy.places
        too_many = _too_many(self._policy, self._jobs)
        if too_many is not None:
            yield Breach("jobs", places["jobs"], too_many)
        run, campaign = self._policy.credits_per_run, self._policy.credits_per_campaign
        price = f"{money(self._credits)} credits"
        if run is not None and self._credits > run:
            message = f"the plan buys for {price}; {_at_most(run)}"
            yield Breach("credits_per_run", places["credits_per_run"], message)
        if campaign is not None and self._committed + self._credits > campaign:
            held = f"{self._campaign} holds {money(self._committed)} credits"
            message = f"{held} and the plan buys for {price} more; {_at_most(campaign)}"
            yield Breach("credits_per_campaign", places["credits_per_campaign"], message)
        if self._unpriced:
            for rule in ("credits_per_run", "credits_per_campaign"):
                if rule in places:
                    yield Breach(
                        rule, places[rule], "the price is not known", self._unpriced, self._example
                    )


def check_file(policy: Policy, jobfile: JobFile, jobs: Iterable[Job], problems: Problems) -> None:
    """What can be said of a job file without looking at journals: all but totals of credits."""
    rules = JobRules(policy)
    entries = {entry.name: entry for entry in jobfile.entries}
    total = 0
    for job in jobs:
        total += 1
        entry = entries[job.name]
        for rule, message in rules.broken_by(job):
            spot = entry.model_spot if rule == "models" else entry.spot
            at = jobfile.document.at(spot)
            problems.add(_diagnostic(policy, rule, message, at, job.address))
    too_many = _too_many(policy, total)
    if too_many is not None:
        at = jobfile.document.place(("jobs",), key=True)
        problems.add(_diagnostic(policy, "jobs", too_many, at))


def _diagnostic(
    policy: Policy, rule: str, message: str, at: Place, example: str | None = None
) -> Diagnostic:
    rule_at = policy.places[rule]
    words = f"policy {rule}: {message}"
    return Diagnostic("policy-rule", words, at, example=example, also=(rule_at,))


def _too_many(policy: Policy, jobs: int) -> str | None:
    if policy.jobs is None or jobs <= policy.jobs:
        return None
    return f"the file makes {jobs:,} jobs; at most {policy.jobs:,} are allowed"


def _allowed(models: tuple[str, ...]) -> str:
    return f"allowed: {_listed(models)}" if models else "none is"


def _at_most(most: Decimal) -> str:
    return f"at most {money(most)} are allowed"


def _listed(patterns: Iterable[str]) -> str:
    return ", ".join(f"`{pattern}`" for pattern in patterns)
