"""kiejobs.yaml in force: the real command line, a real folder, the judge's API."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.bench import PACKAGE, Bench, Ran, ended
from tests.test_packaging import HEAVY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge

Set = tuple["Bench", "Judge"]


def rule(bench: Bench, text: str, name: str = "kiejobs.yaml") -> None:
    path = bench.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"version: 1\n{text}\n", encoding="utf-8")


def below(bench: Bench, folder: str, *words: str) -> Ran:
    """A command called in a folder below."""
    where = bench.folder / folder
    where.mkdir(parents=True, exist_ok=True)
    return ended(
        subprocess.Popen(
            bench.command(*words), cwd=where, env=bench.environment(KIE_API_BASE=bench.url),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
    )  # fmt: skip


# --- rules ---------------------------------------------------------------------------------------


def test_a_plan_that_breaks_rules_is_shown_and_all_of_them_are_named(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a", "b": "b"})
    rule(bench, "limits:\n  credits_per_run: 20\n  credits_per_job: 10\nrequire: {tags: [hero]}")
    planned = bench.do("plan", "jobs.yaml", "--detailed-exitcode")
    assert planned.code == 5
    assert "2 jobs to buy for 32 credits" in planned.out
    told = planned.err.splitlines()
    assert told[0].startswith("policy credits_per_run (kiejobs.yaml:3:20): the plan buys for 32")
    assert told[1].startswith("policy credits_per_job (kiejobs.yaml:4:20): 16 credits each")
    assert told[2].startswith("policy tags (kiejobs.yaml:5:17): no tag `hero` (2 jobs, e.g. judged/a")
    machine = bench.do("plan", "jobs.yaml", "--format", "json")
    assert machine.code == 5
    assert len(machine.json["changes"]) == 2
    ran = bench.run("--budget", "5")
    assert ran.code == 5
    assert ran.err.splitlines()[-5:-2] == told[:3]
    assert judge.requests == []
    assert bench.journals() == []


def test_no_flag_and_no_variable_goes_over_a_limit(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a", "b": "b", "c": "c"})
    rule(bench, "limits: {credits_per_run: 40, jobs: 5}")
    assert bench.run("--budget", "9999", KIEJOBS_BUDGET="9999").code == 5
    assert judge.creates == []
    assert bench.run("--select", "a b").code == 0
    assert len(judge.creates) == 2
    rule(bench, "limits: {jobs: 2}")
    refused = bench.run("--max-jobs", "100")
    assert refused.code == 5
    assert "policy jobs (kiejobs.yaml:2:16): the file makes 3 jobs" in refused.err


def test_a_campaign_counts_over_its_runs_and_what_is_paid_for_is_left_alone(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a", "b": "b"})
    rule(bench, "limits: {credits_per_campaign: 40}")
    assert bench.run().code == 0
    bench.write({"a": "a", "b": "b", "c": "c"})
    refused = bench.run()
    assert refused.code == 5
    assert "judged holds 32 credits and the plan buys for 16 credits more" in refused.err
    assert len(judge.creates) == 2
    bench.write({"a": "a", "b": "b"})
    rule(bench, "limits: {credits_per_campaign: 0, jobs: 0}\nmodels: {allow: []}")
    assert bench.run().code == 0, "nothing is to be bought"
    assert bench.do("plan", "jobs.yaml").code == 0
    (bench.folder / "outputs" / "judged" / "a" / "a.mp4").unlink()
    assert bench.run().code == 0, "what is paid for is brought home under any rule"
    assert len(judge.creates) == 2


def test_validate_tells_what_needs_no_journal_at_the_jobs_place(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a", "b": "b"})
    rule(bench, "limits: {jobs: 1, credits_per_job: 10, credits_per_run: 1}\nmodels: {allow: [x/*]}")
    seen = bench.do("validate", "jobs.yaml", "--format", "json")
    assert seen.code == 2
    problems = seen.json["problems"]
    assert {p["code"] for p in problems} == {"policy-rule"}
    assert [p["message"].partition(":")[0] for p in problems] == [
        "policy models", "policy jobs", "policy credits_per_job", "policy credits_per_job",
    ]  # fmt: skip
    assert problems[0]["also"] == [{"file": "kiejobs.yaml", "line": 3, "column": 17}]
    assert {p["file"] for p in problems} == {"jobs.yaml"}
    assert bench.do("render", "jobs.yaml").code == 0


def test_a_rehearsal_obeys_the_same_rules(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    rule(bench, "limits: {credits_per_run: 15}")
    assert bench.do("run", "jobs.yaml", "--sandbox").code == 5
    rule(bench, "limits: {credits_per_run: 16}\nresults: {hosts: [x.example.com]}")
    assert bench.do("run", "jobs.yaml", "--sandbox", "--speed", "400").code == 0
    assert judge.requests == []


# --- which policy ----------------------------------------------------------------------------------


def test_the_nearest_policy_up_to_the_root_of_the_checkout_holds(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    (bench.folder / "sub").mkdir()
    bench.write({"a": "a"}, name="sub/jobs.yaml")
    rule(bench, "limits: {credits_per_run: 1}")
    told = below(bench, "sub", "plan", "jobs.yaml")
    assert told.code == 5
    assert "(../kiejobs.yaml:2:27)" in told.err
    assert below(bench, "sub", "plan", "../jobs.yaml").code == 5
    rule(bench, "limits: {credits_per_run: 16}", "sub/kiejobs.yaml")
    assert below(bench, "sub", "plan", "jobs.yaml").code == 0, "the nearest"
    (bench.folder / "sub" / "kiejobs.yaml").unlink()
    (bench.folder / "sub" / ".git").write_text("gitdir: elsewhere\n")
    assert below(bench, "sub", "plan", "jobs.yaml").code == 0, "a checkout of its own"


def test_the_policy_is_that_of_the_job_files_project(table: Set) -> None:
    bench, _ = table
    (bench.folder / ".git").mkdir()
    (bench.folder / "other").mkdir()
    bench.write({"a": "a"}, name="other/jobs.yaml")
    bench.write({"a": "a"})
    rule(bench, "limits: {credits_per_run: 1}", "other/kiejobs.yaml")
    told = bench.do("plan", "other/jobs.yaml")
    assert told.code == 5
    assert "(other/kiejobs.yaml:2:27)" in told.err
    assert bench.do("validate", "jobs.yaml", "other/jobs.yaml").code == 0, "no rule that validate looks at"
    rule(bench, "limits: {jobs: 0}", "other/kiejobs.yaml")
    both = bench.do("validate", "jobs.yaml", "other/jobs.yaml")
    assert both.code == 2
    assert both.err.count("error[policy-rule]") == 1
    assert below(bench, "other", "plan", "../jobs.yaml").code == 0


def test_another_policy_can_be_named_and_must_be_there(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a [create=drop_kept]"})
    rule(bench, "limits: {credits_per_run: 1}", "ci/rules.yaml")
    assert bench.do("plan", "jobs.yaml", "--policy", "ci/rules.yaml").code == 5
    assert bench.do("plan", "jobs.yaml", KIEJOBS_POLICY="ci/rules.yaml").code == 5
    gone = bench.do("plan", "jobs.yaml", "--policy", "ci/gone.yaml")
    assert gone.code == 2
    assert "ci/gone.yaml" in gone.err
    rule(bench, "limits: {credits_per_run: 16}", "ci/rules.yaml")
    ran = bench.run("--policy", "ci/rules.yaml")
    assert ran.code == 4
    assert "--policy ci/rules.yaml" in ran.out, "the command that is shown works here"
    assert len(judge.creates) == 1


def test_a_policy_that_is_named_lifts_no_limit_of_the_projects_and_moves_no_ledger(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    rule(bench, "limits: {credits_per_run: 1}\nresults: {hosts: [x.example.com]}")
    rule(bench, "limits: {jobs: 0}\nfolders: {runs: kept, outputs: kept}", "ci/rules.yaml")
    told = bench.run("--policy", "ci/rules.yaml")
    assert told.code == 5
    named, own, last, _ = told.err.splitlines()[-4:]
    assert named.startswith("policy jobs (ci/rules.yaml:2:16)")
    assert own.startswith("policy credits_per_run (kiejobs.yaml:2:27)")
    assert last.startswith("error: the plan breaks 2 rules of ci/rules.yaml and kiejobs.yaml")
    checks = bench.do("doctor", "--policy", "ci/rules.yaml", "--format", "json").json["checks"]
    detail = next(check["detail"] for check in checks if check["name"] == "policy")
    assert detail == "ci/rules.yaml: jobs; kiejobs.yaml: credits_per_run, hosts"
    rule(bench, "limits: {credits_per_run: 16}\nresults: {hosts: [x.example.com]}")
    rule(bench, "results: {hosts: [127.0.0.1]}\nfolders: {runs: kept, outputs: kept}", "ci/rules.yaml")
    ran = bench.run("--policy", "ci/rules.yaml")
    assert ran.code == 1
    assert "127.0.0.1 is not a result host that the policy allows" in ran.out
    assert len(bench.journals()) == 1
    assert not (bench.folder / "ci" / "kept").exists()
    assert len(judge.creates) == 1
    assert bench.do("plan", "jobs.yaml", "--policy", "kiejobs.yaml").code == 0, "it is the project's own"


@pytest.mark.parametrize("text", ["", "limits: [", "limits: {credits: 5}"])
def test_a_policy_that_cant_be_read_lets_nothing_through(table: Set, text: str) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    (bench.folder / "kiejobs.yaml").write_text(text)
    for words in (("plan", "jobs.yaml"), ("run", "jobs.yaml", "--yes"), ("validate", "jobs.yaml")):
        done = bench.do(*words)
        assert done.code == 2
        assert "] kiejobs.yaml:" in done.err
    assert judge.requests == []


def test_a_link_that_leads_out_or_nowhere_is_refused_and_not_passed_over(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    (bench.folder / "kiejobs.yaml").symlink_to("/etc/hostname")
    assert "leads out of its folder" in bench.do("plan", "jobs.yaml").err
    (bench.folder / "kiejobs.yaml").unlink()
    (bench.folder / "kiejobs.yaml").symlink_to("gone.yaml")
    assert bench.do("plan", "jobs.yaml").code == 2


def test_doctor_says_which_policy_holds(table: Set) -> None:
    bench, _ = table
    checks = bench.do("doctor", "--format", "json").json["checks"]
    assert "none" in next(check["detail"] for check in checks if check["name"] == "policy")
    rule(bench, "limits: {jobs: 5}\ndefaults: {poll: 5s}")
    checks = bench.do("doctor", "--format", "json").json["checks"]
    told = next(check["detail"] for check in checks if check["name"] == "policy")
    assert told == "kiejobs.yaml: jobs; defaults for --poll"


# --- folders, flags, hosts ---------------------------------------------------------------------------


def test_folders_are_below_the_policys_own_wherever_it_is_called(table: Set) -> None:
    bench, judge = table
    subprocess.run(["git", "init", "--quiet", str(bench.folder)], check=True)
    bench.write({"a": "a"})
    rule(bench, "folders: {runs: video/runs, outputs: video/out}")
    ran = below(bench, "sub", "run", "../jobs.yaml", "--yes", "--poll", "50ms")
    assert ran.code == 0
    assert (bench.folder / "video" / "out" / "judged" / "a" / "a.mp4").is_file()
    assert bench.plan() == {"a": "keep"}
    assert bench.do("manifest", "verify").code == 0
    assert bench.plan("--runs", "elsewhere") == {"a": "submit"}, "the flag comes first"
    assert bench.plan("--sandbox") == {"a": "submit"}, "a rehearsal is no purchase"
    assert bench.do("run", "jobs.yaml", "--sandbox", "--speed", "400").code == 0
    assert (bench.folder / "rehearsal" / "runs").is_dir()
    assert len(list((bench.folder / "video" / "runs").glob("*/journal.jsonl"))) == 1
    assert len(judge.creates) == 1


def test_defaults_yield_to_variables_and_these_to_the_command_line(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a", "b": "b"})
    over = "OVER BUDGET: {} credits ("
    rule(bench, "defaults: {budget: 10, in-flight: 2}")
    assert over.format(10) in bench.do("plan", "jobs.yaml").out
    assert over.format(11) in bench.do("plan", "jobs.yaml", KIEJOBS_BUDGET="11").out
    both = bench.do("plan", "jobs.yaml", "--budget", "12", KIEJOBS_BUDGET="11")
    assert over.format(12) in both.out


def test_a_default_that_is_switched_on_can_be_switched_off(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    rule(bench, "defaults: {canary: true, max-jobs: 1}")
    refused = bench.run("--detach")
    assert refused.code == 2
    assert "--canary" in refused.err
    assert bench.run("--detach", "--no-canary").code == 0
    assert len(judge.creates) == 1
    bench.write({"a": "a", "b": "b"})
    assert "at most 1 are allowed" in bench.do("render", "jobs.yaml").err
    assert bench.do("render", "jobs.yaml", "--max-jobs", "2").code == 0


def test_the_callback_address_goes_with_creates_whose_jobs_name_none(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    rule(bench, "callback_url: http://127.0.0.1:9/hook")
    assert bench.run("--detach").code == 0
    bench.write({"b": "b"})
    assert bench.run("--detach", "--public-url", "http://127.0.0.1:9/other").code == 0
    sent = [json.loads(create.body)["callBackUrl"].partition("?")[0] for create in judge.creates]
    assert sent == ["http://127.0.0.1:9/hook", "http://127.0.0.1:9/other"]


def test_results_come_from_the_hosts_that_are_allowed_and_from_no_other(table: Set) -> None:
    bench, judge = table
    bench.write({"a": "a"})
    rule(bench, "results: {hosts: ['*.example.com']}")
    ran = bench.run()
    assert ran.code == 1
    assert "127.0.0.1 is not a result host that the policy allows" in ran.out
    assert not [r for r in judge.requests if r.path.startswith("/files/")]
    rule(bench, "results: {hosts: ['*.example.com', 127.0.0.1]}")
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert (bench.folder / "outputs" / "judged" / "a" / "a.mp4").is_file()
    assert len(judge.creates) == 1


# --- speed -----------------------------------------------------------------------------------------


def test_help_reads_no_policy(tmp_path: Path) -> None:
    (tmp_path / "kiejobs.yaml").write_text("this is [ no policy")
    program = (
        "import sys\n"
        "sys.argv = ['kiejobs', 'run', '--help']\n"
        "from kiejobs.__main__ import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print('loaded', *sorted(name for name in sys.modules if '.' not in name))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True,
        cwd=tmp_path, env={"PYTHONPATH": PACKAGE},
    )  # fmt: skip
    loaded = set(done.stdout.splitlines()[-1].split()[1:])
    assert "click" in loaded
    assert loaded & HEAVY == set()
