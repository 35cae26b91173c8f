"""A campaign that is a year old, from a fresh clone: the same fingerprints, nothing to buy."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kiejobs.core.ledger.records import utc_text
from tests.support.bench import FAST, Bench
from tests.support.gitops.clones import WHO, Clone, Origin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge

Set = tuple[Bench, "Judge"]
YEAR = timedelta(days=365)
JOBS = """\
version: 1
campaign: tea
vars: {brand: Aurora}
defaults:
  model: bytedance/v1-pro-fast-image-to-video
  matrix: {duration: [5, 10]}
jobs:
  pour:
    input:
      image_url: https://example.com/pot.webp
      prompt: "{% include 'prompts/pour.j2' %} by {{ vars.brand }}"
  steam:
    takes: 2
    input: {image_url: https://example.com/steam.webp, prompt: Steam rises}
"""


def year_older(journal: Path) -> None:
    """Move every time in a journal back by a year, its chain of hashes made anew."""
    lines, previous = [], None
    for line in journal.read_bytes().splitlines():
        event = json.loads(line)
        event["prev"] = previous
        event["at"] = utc_text(datetime.fromisoformat(event["at"]) - YEAR)
        text = json.dumps(event, ensure_ascii=False, sort_keys=True).encode()
        previous = hashlib.sha256(text).hexdigest()
        lines.append(text + b"\n")
    journal.write_bytes(b"".join(lines))


@pytest.fixture
def old(table: Set) -> tuple[Clone, Judge, str]:
    """A fresh clone at the commit of a year ago, at which all was bought; `main` went on since."""
    bench, judge = table
    origin = Origin(bench.folder, bench.url)
    then = origin.clone("then")
    (then.folder / "prompts").mkdir()
    (then.folder / "prompts/pour.j2").write_text("Tea is poured")
    (then.folder / "tea.yaml").write_text(JOBS)
    assert then.do("run", "tea.yaml", "--yes", *FAST).code == 0
    assert then.do("lock", "tea.yaml").code == 0
    for journal in then.journals():
        year_older(journal)
    assert then.do("manifest", "rebuild").code == 0
    then.git("add", "--", ".")
    when = (datetime.now().astimezone() - YEAR).isoformat(timespec="seconds")
    dated = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    env = {**then.environment(), **WHO, **dated}
    said = ["git", "commit", "--quiet", "-m", "bought"]
    subprocess.run(said, cwd=then.folder, env=env, check=True)
    commit = then.git("rev-parse", "HEAD")
    (then.folder / "prompts/pour.j2").write_text("Tea is spilled")
    then.keep("another prompt")
    then.push()
    now = origin.clone("now")
    now.git("checkout", "--quiet", commit)
    return now, judge, commit


def test_a_year_old_campaign_is_reproduced_from_a_fresh_clone(
    old: tuple[Clone, Judge, str],
) -> None:
    now, judge, _ = old
    bought = len(judge.creates)
    assert bought == 6
    assert not (now.folder / "outputs").exists()
    locked = (now.folder / "tea.yaml.lock").read_bytes()
    jobs = json.loads(locked)["jobs"]
    assert now.do("validate", "tea.yaml", "--locked").code == 0
    rendered = now.do("render", "tea.yaml", "--locked").out.splitlines()
    told = {line["address"]: line["fingerprint"] for line in map(json.loads, rendered)}
    assert told == {address: job["fingerprint"] for address, job in jobs.items()}
    plan = now.do("plan", "tea.yaml", "--locked", "--format", "json")
    assert plan.code == 0
    assert {line["action"] for line in plan.json["changes"]} == {"collect"}, "media is not in git"
    assert plan.json["totals"]["credits"] == "0"
    assert {line["reason"] for line in plan.json["changes"]} == {"file_missing"}
    assert now.do("lock", "tea.yaml").code == 0
    assert (now.folder / "tea.yaml.lock").read_bytes() == locked
    assert len(judge.creates) == bought


def test_its_journals_are_whole_and_say_when_it_was(old: tuple[Clone, Judge, str]) -> None:
    now, _, _ = old
    table = now.do("manifest", "export", "--format", "csv").out
    years = {datetime.now().astimezone().year - 1, (datetime.now().astimezone() - YEAR).year}
    found = {int(year) for year in re.findall(r",(\d{4})-\d\d-\d\dT", table)}
    assert found
    assert found <= years


def test_an_edited_prompt_is_refused_and_nothing_is_bought(old: tuple[Clone, Judge, str]) -> None:
    now, judge, _ = old
    path = now.folder / "tea.yaml"
    path.write_text(path.read_text().replace("Steam rises", "Steam falls"))
    bought = len(judge.creates)
    for verb in (("plan",), ("run", "--yes", "--allow-behind")):
        ran = now.do(verb[0], "tea.yaml", "--locked", *verb[1:])
        assert ran.code == 6
        assert ran.err.count("is another request than the locked one") == 4
        assert 'prompt: "Steam rises" -> "Steam falls"' in ran.err
        assert "tea/pour" not in ran.err
    assert len(judge.creates) == bought


def test_what_is_on_the_branch_today_is_not_what_was_locked(old: tuple[Clone, Judge, str]) -> None:
    now, _, _ = old
    now.git("checkout", "--quiet", "main")
    ran = now.do("plan", "tea.yaml", "--locked")
    assert ran.code == 6
    assert "the template prompts/pour.j2 has changed" in ran.err
