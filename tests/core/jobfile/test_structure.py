"""What is wrong with a job file's structure: all that jsonschema says of the file as it stands."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from kiejobs.core.diagnostics import Problems
from kiejobs.core.document.checked import Form, check
from kiejobs.core.document.nodes import Source
from kiejobs.core.document.reader import read_document
from kiejobs.core.jobfile import read_jobfile
from tests.support.bench import MODEL
from tests.support.expanding import expanded, structure

NAMES = ("tea", "tea-2", "Tee.3", "überall", "_tea", "a b", "", "7", "x" * 64, "x" * 65, "tea\n", "tea/2")
BODIES: dict[str, tuple[Any, ...]] = {
    "model": ("example/model", "", 5, None, ["a"]),
    "input": ({"prompt": "A cup"}, {}, None, "A cup", []),
    "output": ("cups/{{ job }}", "", 3, None),
    "matrix": ({"mood": ["calm"]}, {"1mood": []}, []),
    "tags": (["hero"], ["hero", "hero"], ["a b"], "hero"),
    "takes": (2, 0, 101, True, "2"),
    "callBackUrl": ("https://hooks.example.com/a", "hooks", 3),
    "correlate": (True, 1),
    "promt": ("A cup",),
}
FILES = 60


def jobs(dice: random.Random) -> dict[str, Any]:
    """Some fine, some not."""
    odd = dice.choice((0.0, 0.1, 0.5))
    names = [dice.choice(NAMES) if dice.random() < odd else f"tea-{number}" for number in range(8)]
    return {name: _body(dice, odd) for name in names[: dice.randint(0, 8)]}


def _body(dice: random.Random, odd: float) -> Any:
    if dice.random() < odd / 2:
        return dice.choice((None, [], "A cup", 3, {}))
    keys = dice.sample(list(BODIES), 4) if dice.random() < odd else ["model", "input", "output"]
    return {key: dice.choice(BODIES[key]) if dice.random() < odd else BODIES[key][0] for key in keys}


SOUND = (
    "version: 1\ncampaign: c\nvars: {brand: A}\nbudget: {credits: 9}\nlimits: {max_jobs: 1}\n"
    f"defaults: {{model: {MODEL}, matrix: {{duration: [5]}}}}\n"
    "jobs: {pour: {input: {image_url: https://example.com/a.webp, prompt: '{{ vars.brand }}'}}}\n"
)


@pytest.mark.parametrize(
    "key",
    ["version", "campaign", "vars", "budget", "credits", "limits", "defaults", "model", "matrix", "jobs",
     "input", "image_url", "prompt"],
)  # fmt: skip
def test_a_misspelt_key_is_one_error_and_what_follows_from_it_none(key: str) -> None:
    made = expanded(re.sub(rf"\b{key}:", f"{key[:-2]}{key[-1]}:", SOUND, count=1))
    code = "unknown-field" if key in {"image_url", "prompt"} else "unknown-key"
    assert made.only(code).hint == f"did you mean `{key}`?"


@pytest.mark.parametrize("seed", range(FILES))
def test_jobs_that_are_plainly_fine_hide_nothing_of_the_others(seed: int) -> None:
    dice = random.Random(f"structure {seed}")
    root: dict[str, Any] = {"version": 1, "campaign": "c", "jobs": jobs(dice)}
    if dice.random() < 0.3:
        root |= {"limits": {"max_jobs": 0}, "job": {}}
    text = json.dumps(root, ensure_ascii=False)
    document, _ = read_document(Source("jobs.yaml", text.encode()))
    assert document is not None
    form = Form(structure(), "a job file", code="jobfile-structure")
    found = read_jobfile(document, structure())[1]
    assert list(Problems(found)) == list(Problems(check(document, form))), text
