"""The policy of a checkout, `kiejobs.yaml`: what may be bought, and how kiejobs works here.

In: a Document and the policy's schema. Out: a `Policy`, or all that is wrong with the file, each
problem at its place. Touches nothing. What the rules say of a plan is in core/policy_rules.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.nodes import YamlMap, plain_json
from kiejobs.core.document.schema_errors import in_words
from kiejobs.core.document.wording import FORMATS, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.diagnostics import Place, Problems
    from kiejobs.core.document.nodes import Document, Json
    from kiejobs.core.document.schema_errors import SchemaProblem

FILE = "kiejobs.yaml"

_RULES = {
    "models": ("models", "allow"),
    "credits_per_run": ("limits", "credits_per_run"),
    "credits_per_job": ("limits", "credits_per_job"),
    "credits_per_campaign": ("limits", "credits_per_campaign"),
    "jobs": ("limits", "jobs"),
    "tags": ("require", "tags"),
    "one_of_tags": ("require", "one_of_tags"),
    "hosts": ("results", "hosts"),
}
"""Each rule's name, as messages have it, and where it stands in the file."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What one policy file says; None (for tags: nothing) where it is silent.

    `file` is its name for people, `named` whether somebody asked for it by name. `runs` and `outputs`
    are folders below the file's own. `defaults` are flags by their long spelling, as they would be
    typed. `places` tells where each rule stands that the file has.
    """

    file: str | None = None
    named: bool = False
    runs: str | None = None
    outputs: str | None = None
    models: tuple[str, ...] | None = None
    credits_per_run: Decimal | None = None
    credits_per_job: Decimal | None = None
    credits_per_campaign: Decimal | None = None
    jobs: int | None = None
    tags: tuple[str, ...] = ()
    one_of_tags: tuple[str, ...] = ()
    hosts: tuple[str, ...] | None = None
    callback_url: str | None = None
    defaults: Mapping[str, str | bool] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)


NO_POLICY = Policy()
"""Where there is no policy file, nothing is ruled out."""


def read_policy(
    document: Document, schema: Mapping[str, Any], problems: Problems, *, named: bool = False
) -> Policy | None:
    """The policy, or None with problems told: a rule that can't be read is never passed over."""
    found = list(_refused(document, schema))
    problems.extend(found)
    return None if found else _built(document, named=named)


def _refused(document: Document, schema: Mapping[str, Any]) -> Iterator[Diagnostic]:
    if not isinstance(document.root, YamlMap):
        message = f"a policy is a mapping, not {kind_of(document.root)}"
        yield Diagnostic("policy-structure", message, document.place(()), "begin with `version: 1`")
        return
    validator = Draft202012Validator(schema, format_checker=FORMATS)
    for error in validator.iter_errors(document.root):
        for problem in in_words(error):
            yield _diagnostic(document, problem)


def _diagnostic(document: Document, problem: SchemaProblem) -> Diagnostic:
    place = document.place(problem.path, key=problem.at_key)
    if problem.keyword != "unknown":
        return Diagnostic("policy-structure", problem.message, place, problem.hint)
    at_top = len(problem.path) == 1
    message = f"`{problem.path[0]}` is no key of a policy" if at_top else problem.message
    return Diagnostic("unknown-key", message, place, problem.hint)


def _built(document: Document, *, named: bool) -> Policy:
    root: Mapping[str, Any] = plain_json(document.root)
    told = {name: root.get(part, {}).get(key) for name, (part, key) in _RULES.items()}
    return Policy(
        file=document.name,
        named=named,
        runs=root.get("folders", {}).get("runs"),
        outputs=root.get("folders", {}).get("outputs"),
        models=_texts(told["models"]),
        credits_per_run=_amount(told["credits_per_run"]),
        credits_per_job=_amount(told["credits_per_job"]),
        credits_per_campaign=_amount(told["credits_per_campaign"]),
        jobs=None if told["jobs"] is None else int(told["jobs"]),
        tags=_texts(told["tags"]) or (),
        one_of_tags=_texts(told["one_of_tags"]) or (),
        hosts=_texts(told["hosts"]),
        callback_url=root.get("callback_url"),
        defaults={flag: _as_typed(value) for flag, value in root.get("defaults", {}).items()},
        places={n: document.place(_RULES[n]) for n, value in told.items() if value is not None},
    )


def _texts(value: Json) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _amount(value: Json) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _as_typed(value: Json) -> str | bool:
    """A number as the command line would have it; 5.0 is a whole number, says JSON Schema."""
    if isinstance(value, bool):
        return value
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)
