"""A project's file, `kiejobs.yaml`: where its ledger is, what may be bought, and how kiejobs works here.

In: a Document, jobs, credits that a campaign holds. Out: a `Policy`, and which rules a plan or a job file breaks.
Only what would be bought is looked at: a rule that came later takes nothing away that is paid for. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.nodes import plain_json
from kiejobs.core.money import credits_text, price_text
from kiejobs.core.urls import is_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Document, Json
    from kiejobs.core.expand.job import Job
    from kiejobs.core.jobfile import JobFile

Words: TypeAlias = tuple[str, str]
"""A rule's name, and in what way it is broken."""

_RULES = {
    "models": ("models", "allow"),
    "credits_per_run": ("limits", "credits_per_run"),
    "credits_per_job": ("limits", "credits_per_job"),
    "credits_per_campaign": ("limits", "credits_per_campaign"),
    "credits_per_month": ("limits", "credits_per_month"),
    "credits_per_project": ("limits", "credits_per_project"),
    "jobs": ("limits", "jobs"),
    "tags": ("require", "tags"),
    "one_of_tags": ("require", "one_of_tags"),
    "hosts": ("results", "hosts"),
    "callback_hosts": ("callback_hosts",),
}
"""Each rule's name, as messages have it, and its place in the file."""

HELD = ("credits_per_campaign", "credits_per_month", "credits_per_project")
"""Rules that count what the ledger holds already."""


@dataclass(frozen=True, slots=True)
class LedgerHome:
    """Where a project's purchases are on record. `kind`: `folder`, `git` or `postgresql`.

    A database may hold several projects; `account` names whose window of starts a purchase counts in.
    `remote`: None where the file names none; then it is `origin`, or none where the repository has none. `path`:
    the project's folder on the branch; None for its own path in the repository.
    """

    kind: str = "folder"
    branch: str = "kiejobs-ledger"
    remote: str | None = None
    path: str | None = None
    url_env: str = "KIEJOBS_LEDGER_URL"
    project: str = "default"
    account: str = "default"


@dataclass(frozen=True, slots=True)
class Policy:
    """What one such file says; None (for tags: nothing) where it is silent.

    `file` is its name for people, `named` whether somebody asked for it by name, next to the project's own:
    that is `under` it then, and the rules of both hold. `ledger`, `runs` (a folder below the file's own)
    and `outputs` (one as well, or a store's URL) are those of the project's own file only. `defaults` are flags
    by their long spelling, as they would be typed. `places` says where each rule is that the file has.
    """

    file: str
    named: bool = False
    under: Policy | None = None
    ledger: LedgerHome = LedgerHome()
    runs: str | None = None
    outputs: str | None = None
    models: tuple[str, ...] | None = None
    credits_per_run: Decimal | None = None
    credits_per_job: Decimal | None = None
    credits_per_campaign: Decimal | None = None
    credits_per_month: Decimal | None = None
    credits_per_project: Decimal | None = None
    jobs: int | None = None
    tags: tuple[str, ...] = ()
    one_of_tags: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    callback_hosts: tuple[str, ...] | None = None
    callback_url: str | None = None
    defaults: Mapping[str, str | bool] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[Policy, ...]:
        """All whose rules hold."""
        return (self,) if self.under is None else (self, self.under)


def read_policy(
    document: Document, schema: Mapping[str, Any], *, named: bool = False
) -> tuple[Policy | None, list[Diagnostic]]:
    """The policy, or None and what is wrong: a rule that can't be read is never passed over."""
    from kiejobs.core.document.checked import Form, check  # noqa: PLC0415 - jsonschema is slow to import

    form = Form(schema, "a policy", code="policy-structure", start="begin with `version: 1`")
    found = check(document, form)
    if not found and {"outputs", "folders"} <= document.root.keys() and "outputs" in document.root["folders"]:
        message = "the outputs have two places: `outputs`, and `folders.outputs`"
        found.append(Diagnostic("policy-structure", message, document.place(("outputs",), key=True)))
    return (None if found else _built(document, named=named)), found


def check_file(policy: Policy, jobfile: JobFile, jobs: Sequence[Job]) -> Iterator[Diagnostic]:
    """What can be reported of a job file without reading journals: all but totals of credits."""
    entries = {entry.name: entry for entry in jobfile.entries}
    for layer in policy.layers:
        rules = JobRules(layer)
        for job in jobs if layer.places else ():
            entry = entries[job.name]
            for words in rules.broken_by(job):
                at = jobfile.document.at(entry.model_spot if words[0] == "models" else entry.spot)
                yield _at_file(layer, words, at, job.address)
        for words in _too_many(layer, len(jobs)):
            yield _at_file(layer, words, jobfile.document.place(("jobs",), key=True))


def _at_file(policy: Policy, words: Words, at: Place, example: str | None = None) -> Diagnostic:
    rule, message = words
    also = (policy.places[rule],)
    return Diagnostic("policy-rule", f"policy {rule}: {message}", at, example=example, also=also)


class JobRules:
    """The rules that look at one job alone. Jobs that are alike are judged once."""

    def __init__(self, policy: Policy) -> None:
        from kiejobs.core.plan.selection import wild  # noqa: PLC0415 - most have no policy

        self._policy = policy
        self._models = [wild(pattern) for pattern in policy.models or ()]
        self._tags = [(pattern, wild(pattern)) for pattern in policy.tags]
        self._one_of = [wild(pattern) for pattern in policy.one_of_tags]
        self._known: dict[tuple[str, tuple[str, ...], Decimal | None, str | None], list[Words]] = {}

    def broken_by(self, job: Job) -> list[Words]:
        key = (job.model, job.tags, job.credits, job.callback_url or self._policy.callback_url)
        if key not in self._known:
            self._known[key] = list(self._judge(*key))
        return self._known[key]

    def _judge(
        self, model: str, tags: tuple[str, ...], price: Decimal | None, callback_url: str | None
    ) -> Iterator[Words]:
        policy = self._policy
        if callback_url is not None and (message := refused_callback(policy, callback_url)):
            yield "callback_hosts", message
        if policy.models is not None and not any(fits(model) for fits in self._models):
            allowed = f"allowed: {_listed(policy.models)}" if policy.models else "none is"
            yield "models", f"the model `{model}` is not allowed; {allowed}"
        lacks = [pattern for pattern, fits in self._tags if not any(map(fits, tags))]
        if lacks:
            yield "tags", f"no tag {' and no tag '.join(f'`{pattern}`' for pattern in lacks)}"
        if self._one_of and not any(fits(tag) for fits in self._one_of for tag in tags):
            yield "one_of_tags", f"no tag of {_listed(policy.one_of_tags)}"
        most = policy.credits_per_job
        if most is not None and price is None:
            yield "credits_per_job", "the price is not known"
        elif most is not None and price is not None and price > most:
            yield "credits_per_job", f"{price_text(price)} each; {_at_most(most)}"


def breaches(
    policy: Policy, bought: Sequence[Job], *, jobs: int, held: Callable[[str], tuple[str, Decimal]]
) -> list[Diagnostic]:
    """The rules that these purchases break, in the order of the file; none where nothing is bought.

    `jobs` is how many the file makes; `held` says, for each of `HELD`, whose credits are counted, in words, and how
    many they are already. The codes are the names of the rules, and only those that are about jobs have an example.
    """
    found: list[Diagnostic] = []
    for layer in policy.layers if bought else ():
        broken = [*_of_each(layer, bought), *_of_all(layer, bought, jobs, held)]
        found += sorted(broken, key=lambda breach: layer.places[breach.code])
    return found


def _of_each(policy: Policy, bought: Sequence[Job]) -> Iterable[Diagnostic]:
    rules = JobRules(policy)
    broken: dict[Words, Diagnostic] = {}
    for job in bought:
        for words in rules.broken_by(job):
            known = broken.get(words)
            if known is None:
                broken[words] = _breach(policy, *words, example=job.address)
            else:
                broken[words] = replace(known, count=known.count + 1)
    return broken.values()


def _of_all(
    policy: Policy, bought: Sequence[Job], jobs: int, held: Callable[[str], tuple[str, Decimal]]
) -> Iterator[Diagnostic]:
    for words in _too_many(policy, jobs):
        yield _breach(policy, *words)
    total = sum((job.credits or Decimal(0) for job in bought), Decimal(0))
    of_run = policy.credits_per_run
    if of_run is not None and total > of_run:
        message = f"the plan buys for {price_text(total)}; {_at_most(of_run)}"
        yield _breach(policy, "credits_per_run", message)
    for rule in filter(policy.places.__contains__, HELD):
        (who, already), most = held(rule), getattr(policy, rule)
        if already + total > most:
            message = f"{who} holds {price_text(already)} and the plan buys for {price_text(total)} more"
            yield _breach(policy, rule, f"{message}; {_at_most(most)}")
    unpriced = [job.address for job in bought if job.credits is None]
    for rule in ("credits_per_run", *HELD):
        if unpriced and rule in policy.places:
            yield _breach(policy, rule, "the price is not known", len(unpriced), unpriced[0])


def _breach(
    policy: Policy, rule: str, message: str, count: int = 1, example: str | None = None
) -> Diagnostic:
    return Diagnostic(rule, message, policy.places[rule], count=count, example=example)


def _too_many(policy: Policy, jobs: int) -> Iterator[Words]:
    if policy.jobs is not None and jobs > policy.jobs:
        yield "jobs", f"the file makes {jobs:,} jobs; at most {policy.jobs:,} are allowed"


def refused_callback(policy: Policy, url: str) -> str | None:
    """Why creates may not name this address; None where they may."""
    host = urlsplit(url).hostname or ""
    names = policy.callback_hosts
    allowed = names is None or any(is_named(host, name) for name in names)
    return None if allowed else f"{url} is at a host that may not be called back"


def _at_most(most: Decimal) -> str:
    return f"at most {credits_text(most)} are allowed"


def _listed(patterns: Iterable[str]) -> str:
    return ", ".join(f"`{pattern}`" for pattern in patterns)


# --- from text to rules --------------------------------------------------------------------------


def _built(document: Document, *, named: bool) -> Policy:
    root: Mapping[str, Any] = plain_json(document.root)
    every: dict[str, Any] = {name: reduce(_get, path, root) for name, path in _RULES.items()}
    stated: dict[str, Any] = {n: _rule(n, value) for n, value in every.items() if value is not None}
    return Policy(
        file=document.name,
        named=named,
        ledger=_ledger(root.get("ledger", "folder")),
        runs=root.get("folders", {}).get("runs"),
        outputs=root.get("outputs") or root.get("folders", {}).get("outputs"),
        callback_url=root.get("callback_url"),
        defaults={flag: _as_typed(value) for flag, value in root.get("defaults", {}).items()},
        places={name: document.place(_RULES[name]) for name in stated},
        **stated,
    )


def _ledger(stated: str | Mapping[str, Mapping[str, str] | None]) -> LedgerHome:
    if isinstance(stated, str):
        return LedgerHome(stated)
    ((kind, settings),) = stated.items()
    return LedgerHome(kind, **(settings or {}))


def _get(node: Any, key: str) -> Any:
    return None if node is None else node.get(key)


def _rule(name: str, value: Json) -> tuple[str, ...] | int | Decimal:
    if isinstance(value, list):
        return tuple(value)
    return int(value) if name == "jobs" else Decimal(str(value))


def _as_typed(value: Json) -> str | bool:
    """A number as the command line would have it; 5.0 is an integer in JSON Schema."""
    if isinstance(value, bool):
        return value
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)
