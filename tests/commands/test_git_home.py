"""The ledger on a branch of git, from the command line: real clones at one judge, whose books are counted."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kiejobs.core.diagnostics import ExitCode
from tests.support.bench import FAST, Bench, ended
from tests.support.gitops.clones import Clone, Origin
from tests.support.judge.tasks import accepted
from tests.support.repositories import hook

if TYPE_CHECKING:
    from tests.support.judge.server import Judge

BRANCH = "kiejobs-ledger"


@pytest.fixture
def origin(table: tuple[Bench, Judge]) -> Origin:
    """Its projects have their ledger on a branch."""
    bench, _ = table
    made = Origin(bench.folder, bench.url, a="a", b="b")
    first = made.clone("setup")
    (first.folder / "kiejobs.yaml").write_text("version: 1\nledger: git\n")
    first.keep("the ledger is on a branch")
    first.push()
    return made


def bought(origin: Origin) -> int:
    """How often the API was paid."""
    return len(accepted(origin.folder / "accepted.jsonl"))


def prompts_paid(origin: Origin) -> Counter[str]:
    return Counter(line["body"]["input"]["prompt"] for line in accepted(origin.folder / "accepted.jsonl"))


def branch(origin: Origin) -> Clone:
    """A clone at the ledger's branch, as people browse it."""
    return origin.clone(f"browse-{len(list(origin.folder.iterdir()))}", f"--branch={BRANCH}")


def test_what_one_clone_bought_every_other_checkout_knows(origin: Origin) -> None:
    one = origin.clone("one")
    assert one.run().code == 0, one.run().err
    one.git("commit", "--quiet", "--allow-empty", "-m", "later")
    one.push()
    old = origin.clone("old")
    old.git("switch", "--quiet", "--detach", "HEAD~1")
    (old.folder / "jobfiles").mkdir()
    one.git("worktree", "add", "--quiet", "../side", "HEAD~1")
    shallow = origin.clone("shallow", "--depth=1", source=f"file://{origin.path}")
    for clone in (one, old, Clone(origin.folder / "side", one.url), shallow):
        assert clone.run().code == 0
        assert set(clone.plan().values()) <= {"keep", "collect"}
        assert clone.git("status", "--porcelain", "--untracked-files=no") == ""
    assert bought(origin) == 2
    assert one.git("log", "--format=%s", "origin/main").splitlines() == [
        "later",
        "the ledger is on a branch",
        "jobs",
    ]
    assert not (one.folder / "runs").exists()


def test_journals_and_manifests_are_there_to_be_browsed(origin: Origin) -> None:
    assert origin.clone("one").run().code == 0
    shown = branch(origin)
    assert shown.states() == {"a": "succeeded", "b": "succeeded"}
    assert [event["type"] for event in shown.events()][-1] == "run_finished"
    assert not list(shown.folder.glob("runs/*/claim.json"))


def test_two_clones_that_buy_at_once_pay_once(origin: Origin) -> None:
    jobs = {f"j{number}": f"prompt {number}" for number in range(30)}
    clones = [origin.clone(name) for name in ("one", "other")]
    for clone in clones:
        clone.write(jobs)
    processes = [clone.start("run", "jobs.yaml", "--yes", *FAST) for clone in clones]
    ends = [ended(process) for process in processes]
    assert {end.code for end in ends} <= {ExitCode.DONE, ExitCode.STILL_RUNNING}, [end.err for end in ends]
    assert bought(origin) == 30
    assert clones[0].do("collect", "jobs.yaml", *FAST[:2]).code == 0
    assert set(clones[0].plan().values()) == {"keep"}


def test_where_the_branch_can_t_be_pushed_nothing_is_bought(origin: Origin) -> None:
    hook(origin.path, "pre-receive", "echo 'read only today' >&2; exit 1")
    refused = origin.clone("one").run()
    assert (refused.code, bought(origin)) == (ExitCode.JOURNAL, 0)
    assert "read only today" in refused.err + refused.out


def test_where_the_branch_can_t_be_fetched_nothing_is_bought_and_status_goes_by_what_is_known(
    origin: Origin,
) -> None:
    one = origin.clone("one")
    assert one.run("--select", "a").code == 0
    origin.path.rename(origin.folder / "away")
    refused = one.run()
    assert (refused.code, bought(origin)) == (ExitCode.STALE_PLAN, 1)
    assert "origin/kiejobs-ledger can't be fetched" in refused.err
    status = one.do("status", "--format", "json")
    assert status.json["counts"]["succeeded"] == 1
    assert "others may have recorded more" in status.err


def test_a_runner_that_is_lost_leaves_a_window_in_doubt_and_nothing_is_paid_twice(origin: Origin) -> None:
    jobs = {f"j{number}": f"prompt {number}" for number in range(40)}
    lost = origin.clone("lost")
    lost.write(jobs)
    process = lost.start("run", "jobs.yaml", "--yes", "--poll", "50ms", "--rate", "18/1s")
    while bought(origin) < 5:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = bought(origin)
    other = origin.clone("other")
    other.write(jobs)
    later = other.run()
    assert later.code in {ExitCode.IN_DOUBT, ExitCode.STILL_RUNNING, ExitCode.DONE}, later.err
    counts = other.do("status", "--format", "json").json["counts"]
    assert counts["in_doubt"] + counts["reserved"] <= 18
    assert bought(origin) - before <= 40
    assert set(prompts_paid(origin).values()) == {1}


def test_a_remote_that_vanishes_half_way_stops_the_spending_and_is_told_all_later(origin: Origin) -> None:
    jobs = {f"j{number}": f"prompt {number}" for number in range(60)}
    one = origin.clone("one")
    one.write(jobs)
    process = one.start("run", "jobs.yaml", "--yes", "--poll", "50ms", "--rate", "18/2s")
    while bought(origin) < 5:
        assert process.poll() is None
    origin.path.rename(origin.folder / "away")
    end = ended(process)
    before = bought(origin)
    assert end.code == ExitCode.JOURNAL, end.err
    assert before < 60
    assert "what happened here is not on origin/kiejobs-ledger yet" in end.err
    counts = one.do("status", "--format", "json").json["counts"]
    assert (counts["succeeded"], counts["in_doubt"]) == (before, 0), "what was bought was collected"
    (origin.folder / "away").rename(origin.path)
    other = origin.clone("other")
    other.write(jobs)
    assert one.do("collect", "jobs.yaml").code == 0
    assert other.run().code == 0
    assert (bought(origin), set(prompts_paid(origin).values())) == (60, {1})


def test_two_clones_that_are_planned_at_once_keep_to_a_limit_together(origin: Origin) -> None:
    """Each alone is within it: 60 of at most 100 purchases."""
    limit = f"version: 1\nledger: git\nlimits: {{credits_per_project: {100 * 16}}}\n"
    one, other = origin.clone("one"), origin.clone("other")
    for clone in (one, other):
        (clone.folder / "kiejobs.yaml").write_text(limit)
        clone.write({f"j{n}": f"{clone.folder.name} {n}" for n in range(60)}, campaign=clone.folder.name)
    slow = one.start("run", "jobs.yaml", "--yes", "--poll", "50ms", "--rate", "18/1s")
    while bought(origin) < 2:
        assert slow.poll() is None
    slow.send_signal(signal.SIGSTOP)
    quick = other.run()
    slow.send_signal(signal.SIGCONT)
    end = ended(slow)
    assert (quick.code, end.code) == (ExitCode.DONE, ExitCode.STOPPED)
    assert "others have bought meanwhile, and the project may hold at most 1,600 credits" in end.out
    assert 60 < bought(origin) <= 100
    assert origin.clone("third").do("status", "--format", "json").json["counts"]["in_doubt"] == 0


def test_a_run_that_is_told_to_stop_publishes_what_it_has(origin: Origin) -> None:
    one = origin.clone("one")
    one.write({f"j{number}": f"prompt {number}" for number in range(40)})
    process = one.start("run", "jobs.yaml", "--yes", "--poll", "50ms", "--rate", "18/2s")
    while bought(origin) < 5:
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert ended(process).code == ExitCode.INTERRUPTED
    shown = branch(origin)
    assert len(shown.known_tasks()) == bought(origin)
    assert not list(shown.folder.glob("runs/*/claim.json"))
    counts = origin.clone("other").do("status", "--format", "json").json["counts"]
    assert (counts["in_doubt"], counts["reserved"]) == (0, 0)


# --- the ledger's verbs --------------------------------------------------------------------------------


@pytest.fixture
def plain(table: tuple[Bench, Judge]) -> Origin:
    """Its projects have their ledger in a folder."""
    bench, _ = table
    return Origin(bench.folder, bench.url, a="a", b="b")


def moved(plain: Origin) -> Clone:
    one = plain.clone("one")
    assert one.run().code == 0
    one.keep("bought")
    one.push()
    told = one.do("ledger", "move", "--to", "git")
    assert told.code == 0, told.err
    assert told.out == (
        "moved 1 journal from runs to origin/kiejobs-ledger\n"
        "wrote `ledger: git` into kiejobs.yaml; commit it and all of runs, MOVED.json too, and push\n"
    )
    return one


def test_a_ledger_moves_to_a_branch_and_the_old_home_is_refused(plain: Origin) -> None:
    one = moved(plain)
    assert (one.folder / "kiejobs.yaml").read_text() == "version: 1\nledger: git\n"
    assert set(one.plan().values()) == {"keep"}
    assert one.journals()[0].read_bytes() == branch(plain).journals()[0].read_bytes()
    (one.folder / "kiejobs.yaml").unlink()
    refused = one.run()
    assert (refused.code, "it moved to origin/kiejobs-ledger" in refused.err) == (ExitCode.JOURNAL, True)
    one.git("stash", "--quiet", "--include-untracked")
    one.write({"c": "c"})
    refused = one.run()
    assert (refused.code, "the ledger is on a branch of git" in refused.err) == (ExitCode.JOURNAL, True)
    assert bought(plain) == 2


def test_and_back_again(plain: Origin) -> None:
    one = moved(plain)
    one.write({"a": "a", "b": "b", "c": "c"})
    assert one.run().code == 0
    told = one.do("ledger", "move", "--to", "folder")
    assert (told.code, told.out.splitlines()[0]) == (0, "moved 2 journals from origin/kiejobs-ledger to runs")
    assert (one.folder / "kiejobs.yaml").read_text() == "version: 1\nledger: folder\n"
    assert not (one.folder / "runs" / "MOVED.json").exists()
    assert set(one.plan().values()) == {"keep"}
    assert one.do("manifest", "verify").code == 0
    other = plain.clone("other")
    (other.folder / "kiejobs.yaml").write_text("version: 1\nledger: git\n")
    refused = other.do("status")
    assert (refused.code, "it moved to runs" in refused.err) == (ExitCode.JOURNAL, True)
    assert bought(plain) == 3


def test_a_clone_that_bought_by_the_branch_sees_that_it_moved_back_to_the_folder(plain: Origin) -> None:
    one = moved(plain)
    one.keep("by a branch")
    one.push()
    other = plain.clone("other")
    assert set(other.plan().values()) == {"collect"}
    assert one.do("ledger", "move", "--to", "folder").code == 0
    one.keep("by the folder again")
    one.push()
    other.git("pull", "--quiet")
    assert (other.run().code, bought(plain)) == (0, 2)


def test_an_old_checkout_in_a_fresh_clone_sees_that_the_ledger_moved(plain: Origin) -> None:
    one = moved(plain)
    one.keep("by a branch")
    one.push()
    fresh = plain.clone("fresh")
    fresh.git("switch", "--quiet", "--detach", "HEAD~1")
    fresh.write({"a": "a", "c": "c"})
    refused = fresh.run()
    assert (refused.code, "it moved to origin/kiejobs-ledger" in refused.err) == (ExitCode.JOURNAL, True)
    unmarked = plain.clone("unmarked")
    unmarked.git("switch", "--quiet", "--detach", "HEAD~1")
    unmarked.git("branch", "--quiet", "--remotes", "--delete", "origin/main", "origin/HEAD")
    unmarked.git("branch", "--quiet", "--delete", "--force", "main")
    unmarked.write({"a": "a", "c": "c"})
    refused = unmarked.run()
    assert refused.code == ExitCode.STALE_PLAN
    assert "the ledger of this project is on origin/kiejobs-ledger" in refused.err
    assert bought(plain) == 2


def test_a_ledger_is_shown_and_verified(plain: Origin) -> None:
    one = moved(plain)
    (run_id,) = [path.parent.name for path in one.journals()]
    assert one.do("ledger", "show").out == (
        f"ledger     origin/kiejobs-ledger\nruns       1, the latest is {run_id}\n"
        "purchases  2: 2 succeeded\ncampaigns  judged\n"
    )
    assert one.do("ledger", "show", "--format", "json").json["live"] == []
    assert one.do("ledger", "verify").code == 0
    shown = branch(plain)
    journal = shown.journals()[0]
    journal.write_bytes(journal.read_bytes().replace(b'"succeeded"', b'"suCCeeded"', 1))
    shown.keep("by hand")
    shown.push()
    damaged = one.do("ledger", "verify")
    assert damaged.code == ExitCode.JOURNAL


def test_a_project_s_file_that_says_more_is_left_to_a_person(plain: Origin) -> None:
    one = plain.clone("one")
    text = "version: 1\nledger:\n  git:\n    branch: mine\n"
    (one.folder / "kiejobs.yaml").write_text(text)
    assert one.run().code == 0
    told = one.do("ledger", "move", "--to", "folder")
    assert told.out.splitlines()[1].startswith("now write `ledger: folder` into kiejobs.yaml")
    assert (one.folder / "kiejobs.yaml").read_text() == text


def test_nothing_is_bought_by_a_branch_while_journals_are_in_a_folder(plain: Origin) -> None:
    one = plain.clone("one")
    assert one.run("--select", "a").code == 0
    (one.folder / "kiejobs.yaml").write_text("version: 1\nledger: git\n")
    refused = one.run()
    assert (refused.code, bought(plain)) == (ExitCode.JOURNAL, 1)
    assert "`kiejobs ledger move --runs runs --to git` takes them in" in refused.err
    assert (
        one.do("ledger", "move", "--runs", "runs", "--to", "git").out
        == "moved 1 journal from runs to origin/kiejobs-ledger\n"
    )
    assert (one.run().code, bought(plain)) == (0, 2)


@pytest.mark.parametrize(
    ("words", "why"),
    [(("move", "--to", "folder"), "the ledger is in runs already"), (("move", "--to", "moon"), "not a home of the ledger"),
     (("move", "--to", "postgresql://me:secret@db/x"), "--to takes no database URL"),
     (("move", "--to", "git", "--sandbox"), "always a folder")],
)  # fmt: skip
def test_a_move_that_makes_no_sense_is_refused(plain: Origin, words: tuple[str, ...], why: str) -> None:
    refused = plain.clone("one").do("ledger", *words)
    assert (refused.code, why in refused.err) == (ExitCode.INVALID, True)


def test_a_folder_named_on_the_command_line_is_no_way_around_the_branch(origin: Origin) -> None:
    refused = origin.clone("one").run("--runs", "mine")
    assert (refused.code, bought(origin)) == (ExitCode.INVALID, 0)


def test_a_home_that_was_left_is_no_source_of_another_move(plain: Origin) -> None:
    """Two clones moved one ledger to two homes, and both bought."""
    one = moved(plain)
    one.keep("the ledger is on a branch")
    one.push()
    two = plain.clone("two")
    assert one.do("ledger", "move", "--to", "folder").code == 0
    again = two.do("ledger", "move", "--to", "folder")
    assert again.code == 7
    assert "it moved to runs" in again.err


def test_a_checkout_that_is_behind_moves_no_ledger(plain: Origin) -> None:
    behind = plain.clone("behind")
    one = plain.clone("one")
    assert one.run().code == 0
    one.keep("bought")
    one.push()
    planned = behind.do("plan", "jobs.yaml")
    assert (planned.code, "note: `kiejobs run` would refuse: " in planned.err) == (0, True)
    assert behind.do("ledger", "move", "--to", "git").code == 6


def test_back_in_the_folder_it_buys_once_the_mark_s_removal_is_committed(plain: Origin) -> None:
    one = moved(plain)
    one.keep("the ledger is on a branch")
    one.push()
    assert one.do("ledger", "move", "--to", "folder").code == 0
    one.write({"later": "later"})
    refused = one.run()
    assert refused.code == 6
    assert "commit its removal" in refused.err
    one.keep("and back")
    assert one.run().code == 0
