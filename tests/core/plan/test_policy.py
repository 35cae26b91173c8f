"""kiejobs.yaml: what may stand in it, and what its rules say of jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
import pytest
from jsonschema import Draft202012Validator

from kiejobs.core.diagnostics import Place, Problems
from kiejobs.core.document.nodes import Source
from kiejobs.core.document.reader import read_document
from kiejobs.core.expand.job import Job
from kiejobs.core.plan.policy import Policy, breaches, read_policy
from tests.docs.reference.cli import commands
from tests.docs.regenerate import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = json.loads((SCHEMAS / "policy.schema.json").read_text(encoding="utf-8"))
FLAGS: dict[str, Any] = SCHEMA["properties"]["defaults"]["properties"]

WHOLE = """\
version: 1
folders: {runs: video/runs, outputs: video/.outputs}
models: {allow: ["bytedance/*", other/model]}
limits:
  credits_per_run: 60.5
  credits_per_job: "36"
  credits_per_campaign: 0
  credits_per_month: 5000
  credits_per_project: "20000.5"
  jobs: 12
require:
  tags: ["client:*", hero]
  one_of_tags: [draft, final]
results: {hosts: [files.example.com, "*.example.net", 127.0.0.1, "::1"]}
callback_hosts: [hooks.example.com]
callback_url: https://hooks.example.com/kiejobs
defaults:
  rate: 9/10.5s
  poll: 500ms
  wait: 1.5h
  in-flight: 20.0
  budget: 12.50
  max-failures: 10%
  max-jobs: 5000
  canary: true
  speed: 0.5
"""


def read(text: str) -> tuple[Policy | None, list[str]]:
    """The policy, and its problems as `line:column code`."""
    document, found = read_document(Source("kiejobs.yaml", text.encode()))
    assert document is not None
    policy, refused = read_policy(document, SCHEMA)
    problems = Problems([*found, *refused])
    return policy, [f"{p.place.line}:{p.place.column} {p.code}" for p in problems if p.place]


def ruled(text: str) -> Policy:
    policy, problems = read(f"version: 1\n{text}")
    assert problems == []
    assert policy is not None
    return policy


# --- the file ------------------------------------------------------------------------------------


def test_a_policy_that_uses_every_key_is_read_as_it_stands() -> None:
    policy, problems = read(WHOLE)
    assert problems == []
    assert policy is not None
    places = {name: (place.line, place.column) for name, place in policy.places.items()}
    assert places["models"] == (3, 17)
    assert places["credits_per_run"] == (5, 20)
    assert replace(policy, places={}) == Policy(
        file="kiejobs.yaml",
        runs="video/runs",
        outputs="video/.outputs",
        models=("bytedance/*", "other/model"),
        credits_per_run=Decimal("60.5"),
        credits_per_job=Decimal(36),
        credits_per_campaign=Decimal(0),
        credits_per_month=Decimal(5000),
        credits_per_project=Decimal("20000.5"),
        jobs=12,
        tags=("client:*", "hero"),
        one_of_tags=("draft", "final"),
        hosts=("files.example.com", "*.example.net", "127.0.0.1", "::1"),
        callback_hosts=("hooks.example.com",),
        callback_url="https://hooks.example.com/kiejobs",
        defaults={
            "rate": "9/10.5s",
            "poll": "500ms",
            "wait": "1.5h",
            "in-flight": "20",
            "budget": "12.5",
            "max-failures": "10%",
            "max-jobs": "5000",
            "canary": True,
            "speed": "0.5",
        },
    )


def test_a_policy_that_is_silent_rules_nothing() -> None:
    policy = ruled("limits: {}")
    assert policy == Policy(file="kiejobs.yaml")


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_half_believed() -> None:
    policy, problems = read(
        "version: 2\nfolder: x\nlimits: {credits_per_run: lots, jobs: -1}\ndefaults: {yes: true, rate: 5}\n"
    )
    assert policy is None
    assert problems == [
        "1:10 policy-structure",
        "2:1 unknown-key",
        "3:27 policy-structure",
        "3:39 policy-structure",
        "4:12 unknown-key",
        "4:29 policy-structure",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "folders: {runs: /srv/runs}",
        "folders: {runs: ../runs}",
        "folders: {runs: a/../../b}",
        "folders: {outputs: .git/hooks}",
        "folders: {outputs: a/.GIT}",
        "folders: {outputs: .}",
        "folders: {outputs: 'a\\b'}",
        "folders: {jobfiles: x}",
        "models: {}",
        "models: {allow: all}",
        "limits: {credits_per_run: -1}",
        "limits: {credits_per_run: null}",
        "limits: {credits_per_run: '1e9'}",
        "limits: {credits_per_run: true}",
        "require: {tags: ['a b']}",
        "require: {one_of_tags: []}",
        "results: {}",
        "results: {hosts: ['https://files.example.com']}",
        "results: {hosts: ['files.example.com:443']}",
        "results: {hosts: ['*']}",
        "results: {hosts: ['a.*.com']}",
        "callback_url: hooks.example.com",
        "defaults: {poll: 5}",
        "defaults: {poll: 0s}",
        "defaults: {rate: 0/10s}",
        "defaults: {rate: 5/0.0s}",
        "defaults: {max-failures: 0}",
        "defaults: {max-failures: '101%'}",
        "defaults: {base-url: 'https://example.com'}",
        "defaults: {select: 'tag:x'}",
        "x-mine: 1",
    ],
)
def test_what_a_policy_may_not_say(text: str) -> None:
    policy, problems = read(f"version: 1\n{text}")
    assert policy is None
    assert len(problems) == 1


def test_the_schema_is_one_and_says_what_everything_means() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for name, field in fields(SCHEMA):
        assert "Example: `" in field["description"], name
        assert field["title"], name


def fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield name, field
        yield from fields(field)


@pytest.mark.parametrize("flag", FLAGS)
def test_every_default_is_a_flag_that_takes_the_example_as_typed(flag: str) -> None:
    example = FLAGS[flag]["description"].rpartition("Example: `")[2].rstrip("`")
    value = ruled(f"defaults: {{{example}}}").defaults[flag]
    takers = [param for param in options() if f"--{flag}" in param.opts]
    assert takers
    for param in takers:
        assert param.type.convert(value, param, None) is not None


def test_every_command_that_takes_such_a_flag_looks_for_the_policy() -> None:
    """But for the sandbox that is served, which buys nothing and belongs to no checkout."""
    for path, command in commands():
        taken = {name for param in command.params for name in param.opts}
        ruled_flags = {f"--{flag}" for flag in FLAGS} | {"--runs", "--outputs"}
        if taken & ruled_flags and path != "kiejobs sandbox":
            assert "--policy" in taken, path


def options() -> Iterator[click.Option]:
    for _, command in commands():
        yield from (param for param in command.params if isinstance(param, click.Option))


# --- the rules -----------------------------------------------------------------------------------


def job(address: str = "tea/pour", *, model: str = "a/b", price: str | None = "16", tags: str = "") -> Job:
    credits_ = None if price is None else Decimal(price)
    return Job(
        address=address, fingerprint="f", take=1, campaign="tea", name="pour", model=model, input={},
        axes=(), tags=tuple(tags.split()), credits=credits_, output="tea/pour.mp4",
        callback_url=None, place=Place("f", 1, 1),
    )  # fmt: skip


def broken(text: str, *jobs: Job, in_file: int = 1, held: str = "0") -> list[str]:
    """The rules that these purchases break, with the jobs they concern."""
    found = breaches(ruled(text), jobs, jobs=in_file, held=lambda rule: (rule, Decimal(held)))
    return [f"{b.code} {b.count if b.example else 0}" for b in found]


@pytest.mark.parametrize(
    ("hosts", "url", "count"),
    [
        ("hooks.example.com", "https://hooks.example.com/in?x=1", 0),
        ("hooks.example.com", "https://HOOKS.example.com:8443/", 0),
        ("hooks.example.com", "https://hooks.example.com.evil.example/", 1),
        ("hooks.example.com", "https://user@evil.example/hooks.example.com", 1),
        ('"*.example.com"', "https://a.b.example.com/", 0),
        ('"*.example.com"', "https://example.com/", 1),
        ("", "https://hooks.example.com/", 1),
        ("hooks.example.com", None, 0),
    ],
)
def test_callbacks_go_to_hosts_that_are_named(hosts: str, url: str | None, count: int) -> None:
    rule = f"callback_hosts: [{hosts}]"
    assert broken(rule, job()._replace(callback_url=url)) == ["callback_hosts 1"] * count


def test_the_project_s_own_callback_address_is_no_exception() -> None:
    rule = "callback_hosts: [a.example]\ncallback_url: https://b.example/"
    assert broken(rule, job()) == ["callback_hosts 1"]


@pytest.mark.parametrize("rule", ["credits_per_campaign", "credits_per_month", "credits_per_project"])
def test_what_is_held_already_counts(rule: str) -> None:
    text = f"limits: {{{rule}: 40}}"
    assert broken(text, job(), held="24") == []
    assert broken(text, job(), held="24.01") == [f"{rule} 0"]
    assert broken(text, held="100") == [], "where nothing is bought nothing is broken"


@pytest.mark.parametrize(
    ("allow", "count"),
    [("a/b", 0), ("a/*", 0), ("'?/b'", 0), ("'*'", 0), ("A/b", 1), ("a", 1), ("b/*", 1), ("", 1)],
)
def test_models_are_allowed_by_name_or_pattern(allow: str, count: int) -> None:
    assert len(broken(f"models: {{allow: [{allow}]}}", job())) == count


@pytest.mark.parametrize(
    ("rule", "tags", "count"),
    [
        ("tags: [hero]", "hero", 0),
        ("tags: [hero, 'client:*']", "client:acme hero", 0),
        ("tags: [hero, 'client:*']", "hero", 1),
        ("tags: ['client:*']", "other:client:x", 1),
        ("tags: [hero]", "", 1),
        ("tags: []", "", 0),
        ("one_of_tags: [draft, final]", "final x", 0),
        ("one_of_tags: [draft, final]", "x", 1),
        ("one_of_tags: [draft, final]", "", 1),
    ],
)
def test_tags_are_required_all_or_one_of_them(rule: str, tags: str, count: int) -> None:
    assert len(broken(f"require: {{{rule}}}", job(tags=tags))) == count


def test_limits_hold_to_the_credit() -> None:
    two = (job("tea/a"), job("tea/b", price="16.01"))
    assert broken("limits: {credits_per_run: 32.01}", *two) == []
    assert broken("limits: {credits_per_run: 32}", *two) == ["credits_per_run 0"]
    assert broken("limits: {credits_per_job: 16.01}", *two) == []
    assert broken("limits: {credits_per_job: 16}", *two) == ["credits_per_job 1"]
    assert broken("limits: {jobs: 2}", *two, in_file=2) == []
    assert broken("limits: {jobs: 1}", *two, in_file=2) == ["jobs 0"]


def test_a_campaign_counts_what_it_holds_already() -> None:
    limit = "limits: {credits_per_campaign: 100}"
    assert broken(limit, job(), held="84") == []
    assert broken(limit, job(), held="84.01") == ["credits_per_campaign 0"]


@pytest.mark.parametrize("rule", ["credits_per_run", "credits_per_job", "credits_per_campaign"])
def test_an_unknown_price_fits_under_no_limit(rule: str) -> None:
    known, unknown = job("tea/a"), job("tea/b", price=None)
    assert broken(f"limits: {{{rule}: 999999}}", known, unknown, unknown) == [f"{rule} 2"]


def test_an_unknown_price_is_no_matter_where_credits_are_not_ruled() -> None:
    assert broken("limits: {jobs: 5}", job(price=None)) == []


def test_a_plan_that_buys_nothing_breaks_nothing() -> None:
    rules = "limits: {jobs: 0, credits_per_campaign: 0}\nmodels: {allow: []}"
    assert broken(rules, in_file=5, held="80") == []


def test_every_rule_that_is_broken_is_told_in_the_order_of_the_file() -> None:
    text = "require: {tags: [x]}\nlimits: {jobs: 0, credits_per_run: 1}\nmodels: {allow: []}"
    assert broken(text, job("tea/a"), job("tea/b")) == [
        "tags 2", "jobs 0", "credits_per_run 0", "models 2",
    ]  # fmt: skip
