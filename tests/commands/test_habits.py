"""Habits: what people expect of such a tool, typed as they would type it. To learn kiejobs, read this from top to bottom.

A project is a folder with a `kiejobs.yaml`, job files, and one record of what was bought. Nothing here costs
anything: `--sandbox` asks an imitation of the API, and without it nothing is bought.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.pages import ROOT
from tests.docs.test_words import words_to_decode
from tests.support.bench import MODEL, Bench
from tests.support.forked import WITHOUT_MEDIA

if TYPE_CHECKING:
    from tests.support.forked import Ran
    from tests.support.judge.server import Judge

HAILUO = "hailuo/2-3-image-to-video-standard"

ESPRESSO = f"""
version: 1
campaign: espresso
defaults: {{model: {MODEL}}}
jobs:
  pour:  {{tags: [hero], input: {{image_url: https://example.com/cup.webp, prompt: "Coffee is poured"}}}}
  steam: {{input: {{image_url: https://example.com/cup.webp, prompt: "Steam rises"}}}}
"""
TEA = f"""
version: 1
campaign: tea
jobs:
  leaves: {{model: {MODEL}, input: {{image_url: https://example.com/leaf.webp, prompt: "Leaves open"}}}}
"""


@dataclass
class Shell:
    """Types commands in a project: `shell("kiejobs plan jobfiles/tea.yaml")`."""

    bench: Bench

    def __call__(self, line: str, *, stdin: str = "", answer: str | None = None) -> Ran:
        words = shlex.split(line)[1:]
        fast = {"KIEJOBS_SPEED": "1000", "KIEJOBS_POLL": "50ms", "PYTHONPATH": WITHOUT_MEDIA}
        if answer is not None:
            return self.bench.answer(answer, *words, **fast)
        return self.bench.do(*words, given=stdin, **fast)

    def write(self, name: str, text: str) -> None:
        path = self.bench.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def requests(self, jobfile: str) -> dict[str, Any]:
        """The body of each request, by the name of its job, as `kiejobs render` prints them."""
        lines = map(json.loads, self(f"kiejobs render {jobfile}").out.splitlines())
        return {line["address"].partition("/")[2]: line["body"] for line in lines}


@pytest.fixture
def shell(table: tuple[Bench, Judge]) -> Shell:
    """Two campaigns in one project: two jobs of 16 credits, and one."""
    shell = Shell(table[0])
    shell.write("kiejobs.yaml", "version: 1\n")
    shell.write("jobfiles/espresso.yaml", ESPRESSO)
    shell.write("jobfiles/tea.yaml", TEA)
    return shell


# --- several job files ------------------------------------------------------------------------------------


def test_a_folder_of_job_files_is_planned_with_one_total(shell: Shell) -> None:
    planned = shell("kiejobs plan jobfiles/")
    assert "espresso: 2 jobs to buy for 32 credits ($0.16)" in planned.out
    assert "tea: 1 job to buy for 16 credits ($0.08)" in planned.out
    assert "2 job files: 3 jobs to buy for 48 credits ($0.24)" in planned.out
    document = shell("kiejobs plan jobfiles/ --json").json
    assert [plan["campaign"] for plan in document["plans"]] == ["espresso", "tea"]
    assert (document["totals"]["jobs"], document["totals"]["credits"]) == (3, "48")
    assert document["digest"] in planned.out, "what is approved is the digest over all"


def test_they_are_bought_in_the_order_in_which_they_are_named_under_one_budget(shell: Shell) -> None:
    ran = shell("kiejobs run jobfiles/tea.yaml jobfiles/espresso.yaml --sandbox --budget 16")
    assert ran.code == 5, "stopped by the budget"
    assert (
        "2 job files: 2 jobs to buy for 32 credits ($0.16)" in shell("kiejobs plan jobfiles/ --sandbox").out
    )
    assert "tea: 1 done" in shell("kiejobs plan jobfiles/tea.yaml --sandbox").out
    assert shell("kiejobs run jobfiles/ --sandbox --budget 48").code == 0, "it buys only what is left"


# --- history ----------------------------------------------------------------------------------------------


def test_runs_are_listed_and_named_by_any_unique_part_or_as_the_latest(shell: Shell) -> None:
    for name in ("espresso", "tea"):
        assert shell(f"kiejobs run jobfiles/{name}.yaml --sandbox").code == 0
    heading, latest, first = shell("kiejobs runs --sandbox -q").out.splitlines()
    assert heading.split() == ["run", "started", "command", "campaign", "jobs", "credits", "end"]
    assert latest.split()[-6:] == ["tea", "(jobfiles/tea.yaml)", "1", "succeeded", "16", "done"]
    assert f"run {latest.split()[0]} of tea" in shell("kiejobs report latest --sandbox").out
    assert f"run {first.split()[0]} of espresso" in shell(f"kiejobs report {first[9:26]} --sandbox").out


# --- job files --------------------------------------------------------------------------------------------


def test_standard_input_is_a_job_file_too(shell: Shell) -> None:
    valid = shell("kiejobs validate -", stdin=TEA)
    assert (valid.code, valid.err) == (0, "standard input is valid: 1 job\n")
    wrong = shell("kiejobs validate -", stdin=TEA.replace("prompt", "promt"))
    assert wrong.code == 2
    assert "did you mean `prompt`?" in wrong.err


def test_vars_of_a_job_are_over_those_of_the_defaults_over_those_at_the_top(shell: Shell) -> None:
    prompt = (
        '{image_url: https://example.com/a.webp, prompt: "{{ vars.cup }} {{ vars.light }} {{ vars.mood }}"}'
    )
    shell.write(
        "cups.yaml",
        f"version: 1\ncampaign: cups\nvars: {{cup: top, light: top, mood: top}}\n"
        f"defaults: {{model: {MODEL}, vars: {{light: defaults, mood: defaults}}, input: {prompt}}}\n"
        "jobs: {a: {}, b: {vars: {mood: job}}}\n",
    )
    prompts = {job: body["input"]["prompt"] for job, body in shell.requests("cups.yaml").items()}
    assert prompts == {"a": "top defaults defaults", "b": "top defaults job"}


def test_the_model_may_be_an_axis_and_each_is_checked_by_its_own_schema(shell: Shell) -> None:
    job = "{{matrix: {{model: [{0}, {1}], duration: [{2}]}}, input: {{image_url: https://example.com/a.webp, prompt: A}}}}"
    shell.write("both.yaml", f"version: 1\ncampaign: both\njobs:\n  a: {job.format(MODEL, HAILUO, 10)}\n")
    requests = shell.requests("both.yaml")
    assert [body["model"] for body in requests.values()] == [MODEL, HAILUO]
    assert requests[f"a[duration=10,model={HAILUO.replace('/', '%2F')}]"]["input"]["resolution"] == "768P"
    shell.write("both.yaml", f"version: 1\ncampaign: both\njobs:\n  a: {job.format(MODEL, HAILUO, 5)}\n")
    refused = shell("kiejobs validate both.yaml")
    assert refused.code == 2, f"only {MODEL} makes 5 seconds"
    assert "1 error" in refused.err


def test_includes_come_from_anywhere_in_the_project_and_from_nowhere_else(shell: Shell) -> None:
    shell.write("prompts/pour.j2", "A long pour")
    for path, code in (("../../prompts/pour.j2", 0), ("../../../prompts/pour.j2", 2)):
        text = ESPRESSO.replace("Coffee is poured", f"{{% include '{path}' %}}")
        shell.write("jobfiles/deep/pour.yaml", text)
        assert shell("kiejobs validate jobfiles/deep/pour.yaml").code == code
        if code == 0:
            pour = shell.requests("jobfiles/deep/pour.yaml")["pour"]
            assert pour["input"]["prompt"] == "A long pour"


# --- selections, and what was probably meant --------------------------------------------------------------


def test_a_selection_of_nothing_is_refused(shell: Shell) -> None:
    for words in ("--select state:failed,tag:hreo", "--select ''"):
        refused = shell(f"kiejobs run jobfiles/ --sandbox {words}")
        assert refused.code == 2
        assert "--select matches no job" in refused.err or "--select is empty" in refused.err
    assert "No runs" in shell("kiejobs runs --sandbox").out


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("kiejobs explain puor jobfiles/", "did you mean `espresso/pour`?"),
        ("kiejobs plan jobfiles/ --select tag:hreo", "did you mean `tag:hero`?"),
        ("kiejobs models show hailuo/2-3-image-to-video-standrad", f"did you mean `{HAILUO}`?"),
    ],
)
def test_what_was_probably_meant_is_suggested(shell: Shell, slip: str, meant: str) -> None:
    refused = shell(slip)
    assert refused.code == 2
    assert meant in refused.err


# --- how much is printed ----------------------------------------------------------------------------------


def test_quiet_is_short(shell: Shell) -> None:
    assert shell("kiejobs validate jobfiles/ -q").err == ""
    assert shell("kiejobs plan jobfiles/tea.yaml -q").out == "tea: 1 job to buy for 16 credits ($0.08)\n"


@pytest.mark.parametrize("flag", ["-q", "-v", "--no-color", "--json"])
def test_flags_go_before_or_behind_the_verb(shell: Shell, flag: str) -> None:
    before, after = (
        shell(f"kiejobs {flag} plan jobfiles/tea.yaml"),
        shell(f"kiejobs plan jobfiles/tea.yaml {flag}"),
    )
    assert before == after
    assert before.code == 0


def test_a_plan_of_two_thousand_jobs_is_a_page(shell: Shell) -> None:
    text = ESPRESSO.replace(
        "defaults: {", "limits: {max_jobs: 2000}\ndefaults: {matrix: {shot: {range: [1, 1000]}}, "
    )
    for word in ("poured", "rises"):
        text = text.replace(word, word + " {{ matrix.shot }}")
    shell.write("many.yaml", text)
    page, full = shell("kiejobs plan many.yaml").out, shell("kiejobs plan many.yaml --full").out
    assert len(page.splitlines()) <= 20
    assert "2,000 jobs to buy for 32,000 credits ($160.00)" in page
    assert full.count("  +  espresso/") == 2000


# --- before money is spent --------------------------------------------------------------------------------


def test_the_question_shows_balance_budget_and_dollars_and_a_no_is_no_error(shell: Shell) -> None:
    asked = shell("kiejobs run jobfiles/ --budget 100", answer="n\n")
    before, question = asked.err.split("Buy ")
    assert "Account: " in before
    assert "Budget: 100 credits left\n" in before
    assert question.startswith("3 jobs for 48 credits ($0.24)?")
    assert question.endswith("Cancelled; nothing was bought.\n")
    assert asked.code == 130
    assert shell("kiejobs runs").out == "No runs in runs yet.\n"


def test_the_account_of_the_sandbox_is_full_again_for_each_command(shell: Shell) -> None:
    short = shell("kiejobs run jobfiles/espresso.yaml --sandbox --sandbox-credits 20")
    assert short.code == 5
    assert "filled for each command" in short.out
    assert shell("kiejobs run jobfiles/espresso.yaml --sandbox --sandbox-credits 20").code == 0


# --- words ------------------------------------------------------------------------------------------------


def test_what_is_read_on_the_first_day_is_in_plain_words(shell: Shell) -> None:
    pages = [(ROOT / name).read_text() for name in ("README.md", "docs/tutorial/first-campaign.md")]
    for line in (
        "--help",
        "run --help",
        "plan jobfiles/",
        "run jobfiles/ --sandbox",
        "runs --sandbox",
        "doctor",
    ):
        ran = shell(f"kiejobs {line}")
        pages.append(ran.out + ran.err)
    assert [words_to_decode(page) for page in pages] == [[]] * len(pages)
