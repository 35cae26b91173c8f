"""The ways in which one request was once paid for twice, played with real git: `python -m tests.proofs.stories`.

In: names of stories, all without any. Out: figures. Each story has a repository of its own: a campaign is bought in a
clone, committed and pushed. Then somebody comes from elsewhere, or something happens to the record, and the same
campaign is run again. A refusal is fine where it says what to do; what it says is done then, to the letter, and
the campaign is run once more.

The oracle is the judge's log. However a story goes, each request is in it once.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import ExitCode
from tests.proofs.figures import tell, words
from tests.support.bench import FAST, Ran, ended
from tests.support.gitops.clones import WHO, Clone, Origin
from tests.support.judge.server import Judge
from tests.support.judge.tasks import accepted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_NOBODY = 12345  # a user that is not us
_TRIES = 4  # of a run that something else keeps from buying each time
_FINE = {ExitCode.DONE, ExitCode.STALE_PLAN, ExitCode.JOURNAL}
_QUIET = ("-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false")


@dataclass
class Figures:
    """What came of it. `refused`: runs that bought nothing and said why; `mended`: what they named was enough."""

    stories: int = 0
    runs: int = 0
    refused: int = 0
    mended: int = 0
    requests: int = 0
    charged: int = 0
    bought_twice: int = 0
    not_bought: int = 0
    odd_ends: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        return not (self.bought_twice or self.not_bought or self.odd_ends)


@dataclass(frozen=True)
class Typed:
    """How the campaign is run again: where, which file, in what environment; `then` comes after that, and puts
    right what no hint can."""

    where: Clone
    file: str = "jobs.yaml"
    environment: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], object] = lambda: None
    buys_on: bool = False
    """Is another run at work meanwhile?"""


class Scene:
    """A repository and one clone of it, `mine`, in which two jobs were bought."""

    def __init__(self, folder: Path, judge: Judge, name: str, *, buys: bool = True) -> None:
        folder.mkdir()
        self.name = name
        self.judge = judge
        self.origin = Origin(folder, judge.url, **{job: f"{name}: {job}" for job in "ab"})
        self.mine = self.origin.clone("mine")
        if buys:
            assert self.mine.run().code == 0
            self.mine.keep("bought")
            self.mine.push()

    @property
    def journal(self) -> Path:
        (journal,) = self.mine.journals()
        return journal

    def clone(self, *words: str) -> Clone:
        return self.origin.clone("theirs", *words)

    def at(self, folder: Path) -> Clone:
        return Clone(folder, self.judge.url)


# --- from elsewhere ----------------------------------------------------------------------------------


def subfolder(scene: Scene) -> Typed:
    inside = scene.mine.folder / "clips"
    inside.mkdir()
    return Typed(scene.at(inside), "../jobs.yaml")


def another_worktree(scene: Scene) -> Typed:
    scene.mine.git("worktree", "add", "--quiet", "-b", "side", "../side", "HEAD~1")
    return Typed(scene.at(scene.mine.folder.parent / "side"))


def another_worktree_before_anything_is_committed(scene: Scene) -> Typed:
    scene.mine.git("reset", "--quiet", "--mixed", "HEAD~1")
    scene.mine.git("push", "--quiet", "--force", "origin", "HEAD")
    scene.mine.git("worktree", "add", "--quiet", "-b", "side", "../side")
    return Typed(scene.at(scene.mine.folder.parent / "side"))


def superproject(scene: Scene) -> Typed:
    above = scene.at(scene.origin.folder / "above")
    above.folder.mkdir()
    above.git("init", "--quiet")
    above.git(*_QUIET, "submodule", "--quiet", "add", str(scene.origin.path), "films")
    return Typed(above, "films/jobs.yaml")


def old_commit(scene: Scene) -> Typed:
    scene.mine.git(*_QUIET, "checkout", "--quiet", "HEAD~1")
    return Typed(scene.mine)


def detached_head(scene: Scene) -> Typed:
    theirs = scene.clone()
    theirs.git("checkout", "--quiet", "--detach", "HEAD~1")
    return Typed(theirs)


def feature_branch(scene: Scene) -> Typed:
    theirs = scene.clone()
    theirs.git("switch", "--quiet", "-c", "feature", "HEAD~1")
    (theirs.folder / "notes").write_text("of the feature")
    theirs.keep("feature")
    return Typed(theirs)


def old_commit_on_a_runner(scene: Scene) -> Typed:
    """As actions/checkout fetches it."""
    theirs = scene.at(scene.origin.folder / "runner")
    theirs.folder.mkdir()
    theirs.git("init", "--quiet")
    theirs.git("remote", "add", "origin", f"file://{scene.origin.path}")
    old = scene.mine.git("rev-parse", "HEAD~1")
    scene.mine.git("-C", str(scene.origin.path), "config", "uploadpack.allowAnySHA1InWant", "true")
    theirs.git("fetch", "--quiet", "--no-tags", "--depth=1", "origin", f"+{old}:refs/remotes/origin/main")
    theirs.git("checkout", "--quiet", "--force", "-B", "main", "refs/remotes/origin/main")
    return Typed(theirs)


def sparse_checkout(scene: Scene) -> Typed:
    (scene.mine.folder / "clips").mkdir()
    (scene.mine.folder / "clips" / "notes").write_text("clips")
    scene.mine.keep("clips")
    scene.mine.push()
    theirs = scene.clone("--sparse")
    theirs.git("sparse-checkout", "set", "clips")
    return Typed(theirs)


# --- the record was taken away --------------------------------------------------------------------------


def reverted(scene: Scene) -> Typed:
    scene.mine.git("revert", "--no-edit", "HEAD")
    scene.mine.push()
    return Typed(scene.clone())


def tidied(scene: Scene) -> Typed:
    scene.mine.git("rm", "-r", "--quiet", "runs")
    scene.mine.keep("tidy")
    for number in range(3):
        (scene.mine.folder / "notes").write_text(str(number))
        scene.mine.keep("later")
    scene.mine.push()
    return Typed(scene.clone())


def ignored_by_git(scene: Scene) -> Typed:
    """Nothing is bought where the next clone would not know of it."""
    ignored = scene.mine.folder / ".gitignore"
    before = ignored.read_text()
    ignored.write_text(f"{before}*.jsonl\n")
    scene.mine.keep("logs are ignored")
    scene.mine.push()
    theirs = scene.clone()

    def take_that_line_out() -> None:
        (theirs.folder / ".gitignore").write_text(before)

    return Typed(theirs, then=take_that_line_out)


def removed_from_disk(scene: Scene) -> Typed:
    shutil.rmtree(scene.mine.folder / "runs")
    return Typed(scene.mine)


# --- the record can't be read ----------------------------------------------------------------------------


def _damaged(scene: Scene, damage: Callable[[Path], object]) -> Typed:
    """In a folder that no git knows: there is only its manifest to tell. The cure is the file as it was."""
    shutil.rmtree(scene.mine.folder / ".git")
    journal, data = scene.journal, scene.journal.read_bytes()
    damage(journal)

    def restore() -> None:
        journal.unlink(missing_ok=True)
        journal.write_bytes(data)

    return Typed(scene.mine, then=restore)


def empty_journal(scene: Scene) -> Typed:
    return _damaged(scene, lambda journal: journal.write_bytes(b""))


def journal_in_utf_16(scene: Scene) -> Typed:
    return _damaged(scene, lambda journal: journal.write_bytes(journal.read_text().encode("utf-16")))


def journal_with_cr_only(scene: Scene) -> Typed:
    return _damaged(scene, lambda journal: journal.write_bytes(journal.read_bytes().replace(b"\n", b"\r")))


def zeroed_journal(scene: Scene) -> Typed:
    return _damaged(scene, lambda journal: journal.write_bytes(bytes(journal.stat().st_size)))


def broken_link_for_a_journal(scene: Scene) -> Typed:
    def link(journal: Path) -> None:
        journal.unlink()
        journal.symlink_to("nowhere")

    return _damaged(scene, link)


def removed_journal(scene: Scene) -> Typed:
    return _damaged(scene, lambda journal: journal.unlink())


def another_encoding_by_attribute(scene: Scene) -> Typed:
    """One line, and git checks all journals out in UTF-16."""
    (scene.mine.folder / ".gitattributes").write_text("*.jsonl text working-tree-encoding=UTF-16\n")
    scene.mine.git("add", ".gitattributes")
    scene.mine.git("commit", "--quiet", "-m", "attributes")
    scene.mine.push()
    theirs = scene.clone()

    def take_that_line_out() -> None:
        (theirs.folder / ".gitattributes").write_text("")
        for journal in theirs.journals():
            journal.unlink()
        theirs.git("checkout", "--quiet", "--", "runs")

    return Typed(theirs, then=take_that_line_out)


# --- git can't be asked ------------------------------------------------------------------------------------


def git_off_the_path(scene: Scene) -> Typed:
    old_commit(scene)
    return Typed(scene.mine, environment={"PATH": "/nowhere"})


def another_owner(scene: Scene) -> Typed:
    old_commit(scene)
    for folder in (scene.mine.folder, scene.mine.folder / ".git"):
        shutil.chown(folder, _NOBODY, _NOBODY)

    def own_it() -> None:
        for folder in (scene.mine.folder, scene.mine.folder / ".git"):
            shutil.chown(folder, os.geteuid(), os.getegid())

    return Typed(scene.mine, environment=WHO, then=own_it)


# --- while a run is at work ----------------------------------------------------------------------------------


def git_clean_during_a_run(scene: Scene) -> Typed:
    """The first job hangs at the API; the lock's files are removed; a second run comes."""
    mine, judge = scene.mine, scene.judge
    mine.write({"a": f"{scene.name}: a [create=hang_kept]", "b": f"{scene.name}: b"})
    before = len(judge.creates)
    first = mine.start("run", "jobs.yaml", "--yes", *FAST)
    judge.wait_until(lambda: len(judge.creates) == before + 2)
    mine.git("clean", "-fdXq")

    def let_go() -> None:
        judge.let_go.set()
        assert ended(first).code in {ExitCode.DONE, ExitCode.IN_DOUBT}
        judge.let_go.clear()

    return Typed(mine, then=let_go, buys_on=True)


def cancelled_shell(scene: Scene) -> Typed:
    """A CI job is cancelled: its shell is gone, kiejobs would buy on, and the job is run again at once."""
    mine, judge = scene.mine, scene.judge
    mine.write({f"j{number}": f"{scene.name}: {number}" for number in range(40)})
    before = len(judge.creates)
    line = " ".join(mine.command("run", "jobs.yaml", "--yes", "--poll", "50ms", "--rate", "6/1s"))
    shell = subprocess.Popen(
        ["bash", "-c", f"{line}; echo done"],
        cwd=mine.folder,
        env=mine.environment(KIE_API_BASE=mine.url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    judge.wait_until(lambda: len(judge.creates) >= before + 6)
    shell.send_signal(signal.SIGKILL)
    return Typed(mine, then=shell.communicate, buys_on=True)  # until what it had started has ended, too


STORIES: dict[str, Callable[[Scene], Typed]] = {
    story.__name__: story
    for story in (
        subfolder, another_worktree, another_worktree_before_anything_is_committed, superproject, old_commit,
        detached_head, feature_branch, old_commit_on_a_runner, sparse_checkout, reverted, tidied,
        ignored_by_git, removed_from_disk, empty_journal, journal_in_utf_16, journal_with_cr_only,
        zeroed_journal, broken_link_for_a_journal, removed_journal, another_encoding_by_attribute,
        git_off_the_path, another_owner, git_clean_during_a_run, cancelled_shell,
    )
}  # fmt: skip

_AT_WORK = {git_clean_during_a_run, cancelled_shell}


class Telling:
    """One story after the other, at one judge."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._judge = Judge(folder / "accepted.jsonl")
        self.figures = Figures()

    def tell(self, names: Iterable[str]) -> Figures:
        start = time.monotonic()
        with self._judge:
            for name in names:
                if name != another_owner.__name__ or os.geteuid() == 0:  # only root can give a folder away
                    self._play(name, STORIES[name])
        self.figures.seconds = round(time.monotonic() - start, 1)
        return self.figures

    def _play(self, name: str, story: Callable[[Scene], Typed]) -> None:
        scene = Scene(self._folder / name, self._judge, name, buys=story not in _AT_WORK)
        typed = story(scene)
        ran = self._run(typed)
        typed.then()
        if ran.code != 0:
            self._mend(typed, ran)
        self._count(scene)

    def _run(self, typed: Typed, **environment: str) -> Ran:
        charged = len(self._prompts())
        ran = typed.where.do("run", typed.file, "--yes", *FAST, **environment or typed.environment)
        self.figures.runs += 1
        refused = ran.code in {ExitCode.STALE_PLAN, ExitCode.JOURNAL}
        self.figures.refused += refused
        is_clear = "help: " in ran.err and (typed.buys_on or len(self._prompts()) == charged)
        if ran.code not in _FINE or (refused and not is_clear):
            self.figures.odd_ends.append(f"{typed.where.folder.name}: {ran.code}: {ran.err[-400:]}")
        return ran

    def _mend(self, typed: Typed, ran: Ran) -> None:
        """As often as something else is in the way: the hint's command."""
        environment = {**typed.where.environment(), **WHO}
        for _ in range(_TRIES):
            command = _command(ran)
            if command is not None:
                subprocess.run(
                    ["bash", "-c", command],
                    cwd=typed.where.folder,
                    env=environment,
                    check=False,
                    capture_output=True,
                )
            ran = self._run(typed, PATH=os.environ["PATH"])
            if ran.code == 0:
                self.figures.mended += 1
                return
        self.figures.odd_ends.append(f"{typed.where.folder}: {ran.err[-400:]}")

    def _count(self, scene: Scene) -> None:
        document = (scene.mine.folder / "jobs.yaml").read_text()
        wanted = document.count(f'"{scene.name}: ')
        paid = Counter(prompt for prompt in self._prompts() if prompt.startswith(f"{scene.name}: "))
        self.figures.stories += 1
        self.figures.requests += wanted
        self.figures.charged += paid.total()
        self.figures.bought_twice += sum(count - 1 for count in paid.values())
        self.figures.not_bought += wanted - len(paid)

    def _prompts(self) -> list[str]:
        return [line["body"]["input"]["prompt"] for line in accepted(self._folder / "accepted.jsonl")]


def _command(ran: Ran) -> str | None:
    """What a refusal says to type."""
    _, _, hint = ran.err.partition("help: ")
    command = hint.split("`")[1] if hint.count("`") > 1 else ""
    return command if command.startswith(("git ", "cp ")) else None


def stories(folder: Path, names: Iterable[str] = STORIES) -> Figures:
    return Telling(folder).tell(names)


def main() -> None:
    line = words(__doc__)
    line.add_argument("names", nargs="*", metavar="STORY", help="all without any")
    given = line.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = stories(Path(folder), given.names or STORIES)
    command = " ".join(["python -m tests.proofs.stories", *given.names])
    raise SystemExit(tell("stories", command, asdict(figures), well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
