"""What git knows of journals: all of it must be on disk before anything is bought.

In: a runs folder. Out: what could not be found out, or StalePlan with the command that mends it. Touches: git, which
also asks the branch's remote for its tip; the runs folders of the repository's other worktrees, by reading.

Whatever is checked out, the record is all that the repository was ever given: HEAD and its history, the index, the
upstream, each remote's default branch, local branches that contain HEAD, other worktrees. A journal counts as here
when the file begins with what git has of it: journals only grow.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from stat import S_ISREG
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from kiejobs.adapters.git import GitFailed, repository_of
from kiejobs.adapters.ledger.journal import JOURNAL
from kiejobs.adapters.ledger.locks import user_of
from kiejobs.adapters.ledger.moved import MOVED, moved
from kiejobs.core.diagnostics import JournalProblem, StalePlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kiejobs.adapters.git import Repository, Upstream, Worktree

_Journal: TypeAlias = "tuple[str, str, int | None]"
"""Of a run: git's name of the content, and its size where that is known."""

_ANYWAY = "; --allow-behind buys without knowing what was bought there"
_MOST = 50  # run folders in a command that is shown
_ANY_RUN = "20260101T000000000Z-000000"
_POINTER = re.compile(
    r"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)
_LONGEST_POINTER = 1024


def require_current(runs: Path) -> list[str]:
    """Raises StalePlan where git has journals, or may have some, that are not here, or ignores them.

    Answers with what could not be found out, in words: a machine that is offline may still buy.
    """
    try:
        repository = _repository(runs)
        return [] if repository is None else _Check(repository, runs).run()
    except GitFailed as failed:
        hint = "`git status` shows what is wrong; it must be installed and on the PATH"
        if owner := re.search(r"dubious ownership in repository at '(.*)'", str(failed)):
            hint = f"if it is yours: git config --global --add safe.directory {owner[1]}"
        message = f"can't ask git which journals there are: {failed}; nothing was bought"
        raise StalePlan(message, hint=f"{hint}{_ANYWAY}") from failed


def ignored_by(runs: Path) -> str | None:
    """The line that has git ignore journals, `FILE:LINE:PATTERN`; None where there is none, or no git to ask."""
    try:
        repository = repository_of(runs)
        return None if repository is None else repository.ignored_by(runs / _ANY_RUN / JOURNAL)
    except GitFailed:
        return None


def _repository(runs: Path) -> Repository | None:
    found = repository_of(runs)
    if found is None:
        place = runs.resolve()
        git = next((one / ".git" for one in (place, *place.parents) if (one / ".git").exists()), None)
        if git is not None:
            raise GitFailed(f"there is {git}, and git is not on the PATH or finds no repository there")
    return found


class _Source(NamedTuple):
    """A commit whose journals must be here: in words that a run's name follows, as git knows it, as people do."""

    who: str
    ref: str
    name: str
    is_upstream: bool = False


class _Check:
    """One look at one repository. Each journal's file is read once for each of its versions."""

    def __init__(self, repository: Repository, runs: Path) -> None:
        self._git = repository
        self._runs = runs
        inside = repository.inside(runs)
        self._folder = "" if inside == "." else inside
        self._journal = re.compile(
            rf"{re.escape(f'{self._folder}/' if self._folder else '')}([^/]+)/{JOURNAL}"
        )
        self._here: dict[tuple[str, str], bool] = {}

    def run(self) -> list[str]:
        self._require_not_ignored()
        upstream = self._git.upstream()
        others = [one for one in self._git.worktrees() if one.path.resolve() != self._git.top]
        self._require_staged()
        sources = list(self._sources(upstream, others))
        self._require_home([source.ref for source in sources if source.ref.startswith("refs/")])
        self._require_commits(sources)
        for worktree in others:
            self._require_of_worktree(worktree.path)
        notes = []
        if self._git.has("HEAD"):
            self._require_history()
        if self._git.is_shallow:
            what = "journals that were deleted before its first commit can't be seen"
            notes.append(f"note: this clone is shallow; {what}")
        return notes if upstream is None else notes + self._require_remote(upstream)

    def _require_not_ignored(self) -> None:
        line = self._git.ignored_by(self._runs / _ANY_RUN / JOURNAL)
        if line is not None:
            hint = "remove that line and commit the journals; --allow-behind buys with a record that no clone shares"
            raise StalePlan(
                f"git ignores the journals in {self._runs} ({line}); nothing was bought", hint=hint
            )

    # --- what is in commits ------------------------------------------------------------------------

    def _sources(self, upstream: Upstream | None, others: Sequence[Worktree]) -> Iterator[_Source]:
        if self._git.has("HEAD"):
            yield _Source("HEAD has", "HEAD", "HEAD")
        if upstream is not None and upstream.known is not None:
            yield _of_upstream(upstream, upstream.known)
        for branch in self._git.default_branches():
            yield _Source(f"{branch} has", f"refs/remotes/{branch}", branch)
        if self._git.has("HEAD"):
            for ref in self._git.branches_with_head():
                branch = ref.split("/", 2)[2]
                yield _Source(f"branch {branch} has", ref, branch)
        for worktree in others:
            if worktree.head is not None:
                yield _Source(f"the worktree {worktree.path} has", worktree.head, worktree.head)

    def _require_home(self, branches: Sequence[str]) -> None:
        """Raises JournalProblem where this checkout is older than the move of the ledger to another home."""
        marks = [f"{branch}:{self._folder}/{MOVED}" for branch in branches]
        (in_head,) = self._git.objects([f"HEAD:{self._folder}/{MOVED}"])
        if in_head is not None:
            place = f"{self._folder}/{MOVED}"
            hint = f"commit its removal where the ledger moved back here; else `git checkout HEAD -- {place}`{_ANYWAY}"
            raise StalePlan(f"HEAD has {place}, and it is not on disk; nothing was bought", hint=hint)
        for branch, name, found in zip(branches, marks, self._git.objects(marks), strict=True):
            if found is not None and not self._git.is_in_head(branch):
                raise moved(str(self._runs), self._git.blob(name).encode())
        ledgers = self._git.ledger_branches()
        trees = self._git.objects(f"{ref}:{self._folder}" for ref in ledgers)
        left = self._git.objects(f"{ref}:{self._folder}/{MOVED}" for ref in ledgers)
        for ref, tree, mark in zip(ledgers, trees, left, strict=True):
            if tree is not None and mark is None:
                branch = ref.removeprefix("refs/remotes/")
                hint = f"update this checkout, or write `ledger: git` into its kiejobs.yaml{_ANYWAY}"
                raise StalePlan(f"the ledger of this project is on {branch}; nothing was bought", hint=hint)

    def _require_commits(self, sources: Sequence[_Source]) -> None:
        """The trees of their runs folders are mostly the same."""
        trees = self._git.objects(f"{source.ref}:{self._folder}" for source in sources)
        known: dict[str, list[str]] = {}
        for source, tree in zip(sources, trees, strict=True):
            if tree is None or tree[1] != "tree":
                continue
            if tree[0] not in known:
                known[tree[0]] = self._lacking(self._journals_in(tree[0]))
            if lacking := known[tree[0]]:
                who, hint = source.who, self._checkout(source.name, lacking)
                if source.is_upstream and self._git.is_in_head(source.ref):
                    who = f"{source.name} has"  # pulled, and taken away since
                elif source.is_upstream:
                    hint = "`git pull`, then run again"
                raise self._stale(who, lacking, hint)

    def _journals_in(self, tree: str) -> Iterator[_Journal]:
        for file in self._git.files_at(tree, ""):
            run, slash, name = file.path.partition("/")
            if slash and name == JOURNAL:
                yield run, file.blob, file.size or None

    def _require_remote(self, upstream: Upstream) -> list[str]:
        """Commits without journals are no reason to stop."""
        try:
            tip = self._git.tip_at(upstream)
        except GitFailed as failed:
            more = "whether there is more than was last fetched"
            return [f"can't ask {upstream.remote} {more}: {failed}"]
        if tip is not None and tip != upstream.known:
            if not self._git.has(tip):
                why = "whose last commit is not here and may hold journals"
                message = f"this clone is behind {upstream}, {why}; nothing was bought"
                raise StalePlan(message, hint=f"`git pull`, then run again{_ANYWAY}")
            self._require_commits([_of_upstream(upstream, tip)])
        return []

    # --- the index, history, other worktrees ---------------------------------------------------------

    def _require_staged(self) -> None:
        staged = self._git.staged(self._folder)
        own = [(run[1], blob, out) for path, blob, out in staged if (run := self._journal.fullmatch(path))]
        lacking = self._lacking(self._with_sizes([(run, blob) for run, blob, _ in own]))
        if not lacking:
            return
        if any(out and run in lacking for run, _, out in own):
            raise self._stale(
                "a sparse checkout leaves out", lacking, f"`git sparse-checkout add {self._typed()}`"
            )
        raise self._stale(
            "git's index has", lacking, f"restore with `git checkout -- {self._typed(lacking)}`"
        )

    def _require_history(self) -> None:
        """What a commit deleted, or a revert took back."""
        gone = self._git.taken_back(self._folder)
        own = [
            (commit, found[1], blob)
            for commit, path, blob in gone
            if (found := self._journal.fullmatch(path))
        ]
        lacking = self._lacking(self._with_sizes([one[1:] for one in own]))
        for commit, run, blob in own:
            if run in lacking:
                together = [name for name in lacking if any(one[:2] == (commit, name) for one in own)]
                path = f"{self._folder}/{run}/{JOURNAL}".lstrip("/")
                before = self._git.parent_with(commit[:12], path, blob)
                raise self._stale(
                    f"commit {commit[:12]} took away", together, self._checkout(before, together)
                )

    def _require_of_worktree(self, top: Path) -> None:
        """What is on disk there, committed or not; and nobody may be buying there now."""
        runs = top / self._folder
        user = user_of(runs)
        if user is not None:
            hint = "wait until it has submitted its last job, then run the same command again"
            raise JournalProblem(f"{runs}, of the same repository, is in use by {user}", hint=hint)
        lacking = []
        for journal in sorted(runs.glob(f"*/{JOURNAL}")):
            theirs, ours = _content(journal), _content(self._runs / journal.parent.name / JOURNAL)
            if theirs is not None and (
                ours is None or not any(one.startswith(theirs) for one in _forms(ours))
            ):
                lacking.append(journal.parent.name)
        if lacking:
            copied = " ".join(shlex.quote(str(runs / run)) for run in lacking[:_MOST])
            hint = f"`cp -R {copied} {self._typed()}`, and commit them in one of the two"
            raise self._stale(f"the worktree {top} has", lacking, hint)

    # --- what is on disk ---------------------------------------------------------------------------

    def _with_sizes(self, journals: Sequence[tuple[str, str]]) -> list[_Journal]:
        objects = self._git.objects(blob for _, blob in journals)
        return [(*one, found[2] if found else None) for one, found in zip(journals, objects, strict=True)]

    def _lacking(self, journals: Iterable[_Journal]) -> list[str]:
        """The runs whose journals are not on disk, or do not begin with what git has."""
        lacking = set()
        for run, blob, size in journals:
            if (run, blob) not in self._here:
                self._here[run, blob] = self._is_here(run, blob, size)
            if not self._here[run, blob]:
                lacking.add(run)
        return sorted(lacking)

    def _is_here(self, run: str, blob: str, size: int | None) -> bool:
        data = _content(self._runs / run / JOURNAL)
        if data is None or size is None:
            return data is not None
        named = hashlib.sha256 if len(blob) == 64 else hashlib.sha1
        start = b"blob %d\0" % size
        if any(len(one) >= size and named(start + one[:size]).hexdigest() == blob for one in _forms(data)):
            return True
        pointer = _POINTER.fullmatch(self._git.blob(blob)) if size <= _LONGEST_POINTER else None
        if pointer is None:
            return False
        length = int(pointer[2])
        return len(data) >= length and hashlib.sha256(data[:length]).hexdigest() == pointer[1]

    def _stale(self, who: str, lacking: Sequence[str], hint: str) -> StalePlan:
        one = len(lacking) == 1
        what = f"the journal of {lacking[0]}" if one else f"the journals of {len(lacking)} runs"
        if not who.endswith(("lacks", "leaves out", "took away")):
            there = all((self._runs / run / JOURNAL).is_file() for run in lacking)
            what += f", which {'is' if one else 'are'} not {'all ' if there else ''}here"
        return StalePlan(f"{who} {what}; nothing was bought", hint=f"{hint}{_ANYWAY}")

    def _checkout(self, commit: str, lacking: Sequence[str]) -> str:
        return f"`git checkout {shlex.quote(commit)} -- {self._typed(lacking)}`"

    def _typed(self, lacking: Sequence[str] = ()) -> str:
        """The runs folder, or these of its folders, as a command takes them here."""
        places = [self._runs / run for run in lacking[:_MOST]] or [self._runs]
        return " ".join(shlex.quote(place.as_posix()) for place in places)


def _of_upstream(upstream: Upstream, commit: str) -> _Source:
    return _Source(f"this clone is behind {upstream}: it lacks", commit, str(upstream), is_upstream=True)


def _content(path: Path) -> bytes | None:
    """None where no file is."""
    try:
        return path.read_bytes() if S_ISREG(path.lstat().st_mode) else None
    except OSError:
        return None


def _forms(data: bytes) -> Iterator[bytes]:
    """As it is, and with the line breaks that git keeps, where a checkout has turned them."""
    yield data
    if b"\r\n" in data:
        yield data.replace(b"\r\n", b"\n")
