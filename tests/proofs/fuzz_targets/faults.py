"""Fault files and `--vars-file`: small YAML files that a person names, or a pull request brings.

In: such a file's bytes. Out: `Broken` where a secret shows; what is raised besides their own problems
goes through. Touches: its room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import strategies as st

from kiejobs.app.options import JobFileOptions
from kiejobs.core.document.nodes import Source
from kiejobs.sandbox.faults import read_faults
from tests.proofs.fuzz_bytes import mutated
from tests.proofs.fuzz_guard import no_canary
from tests.proofs.fuzz_targets import job_files
from tests.support.sandbox_stage import FAULTS

if TYPE_CHECKING:
    from pathlib import Path

network = False
EXAMPLE = b"""seed: 7
rules:
  - on: create
    when: {nth: [2, 5], match: {prompt: "*steam*"}}
    times: 1
    do: {code: 429, retry_after: 3}
  - {on: poll, when: {chance: 0.05}, do: {status: 502, body: html}}
"""
_ACTIONS = list(FAULTS["$defs"]["do"]["properties"])
_JOBS = b"""version: 1
campaign: tea
vars: {brand: Aurora, a: 1, b: 2}
jobs:
  pour:
    model: bytedance/v1-pro-fast-image-to-video
    input:
      image_url: https://example.com/a.webp
      prompt: "{{ vars.brand }} {{ vars.a | string }} {{ vars.b | tojson }}"
"""


def prepare(room: Path) -> None:
    job_files.prepare(room)
    (room / "inside" / "jobs.yaml").write_bytes(_JOBS)


def inputs() -> Any:
    seeds = [EXAMPLE, b"brand: Cup\na: {b: [1, 2]}\n", *_JOBS.splitlines()]
    tokens = [*job_files.TOKENS, *(name.encode() for name in _ACTIONS)]
    return mutated(seeds, tokens) | _rules().map(_dumped) | _variables().map(_dumped)


def _dumped(value: Any) -> bytes:
    return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")


def _rules() -> Any:
    value = st.recursive(
        st.sampled_from((0, 1, 429, -1, 2**60, 0.5, 1e308, True, None, "", "html", "late", "fail", "*")),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(("takes", "unknown_for", "prompt")), inner, max_size=2)
        ),
        max_leaves=3,
    )
    words = st.sampled_from([*_ACTIONS, "message", "x"])
    rule = st.fixed_dictionaries(
        {
            "on": st.sampled_from(("create", "poll", "download", "upload", "credit")) | value,
            "do": st.dictionaries(words, value, max_size=3),
        },
        optional={
            "when": st.dictionaries(st.sampled_from(("nth", "every", "chance", "match")), value),
            "times": value,
        },
    )
    return st.fixed_dictionaries({"rules": st.lists(rule | value, max_size=3)}, optional={"seed": value})


def _variables() -> Any:
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    )
    return st.dictionaries(st.sampled_from(("brand", "a", "b", "nope")), anything, max_size=4)


def check(data: bytes, room: Path) -> None:
    _, problems = read_faults(Source("case.yaml", data), FAULTS)
    no_canary("\n".join(problem.message for problem in problems))
    (room / "inside" / "case.yaml").write_bytes(data)
    job_files.judged(JobFileOptions(file="jobs.yaml", vars_files=("case.yaml",)))
