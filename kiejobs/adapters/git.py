"""A repository, asked through the git executable; and a folder as it was at a commit, laid out on disk.

In: a folder, revisions, paths. Out: commits, paths; what git keeps, below another folder. Touches: processes;
the folder that is given; the network for `tip_at`, with the user's own set-up (ssh, credential helpers). git is
given no shell, no terminal, no key of ours, and no setting of a repository that would have it start a program
while it looks around. The repository is never changed.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from kiejobs.core.diagnostics import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HARMLESS = (
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "protocol.ext.allow=never"),
)
_KEPT = re.compile(r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_\w+|CONFIG_\w+)")
"""Of git's own variables; GIT_DIR and its like, which hooks are given, would lead elsewhere."""

_DIFF = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
_LOCAL = 60.0  # seconds
_LONG = 600.0
_HASH = re.compile(r"[0-9a-f]{40,64}")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
MOST_FILES = 20_000
MOST_BYTES = 1_000_000_000
_LONGEST_LINK = 4_096
_CHUNK = 2**20


class GitFailed(Exception):
    """git could not answer. The message is its own, without credentials."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What a branch follows: `ref` as the remote calls it; `known` is its tip when last fetched."""

    remote: str
    ref: str
    known: str | None

    def __str__(self) -> str:
        return f"{self.remote}/{self.ref.removeprefix('refs/heads/')}"


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a commit: its path from the top, with `/`; `blob` is git's name of what it holds."""

    path: str
    mode: str
    blob: str
    size: int

    @property
    def is_link(self) -> bool:
        return self.mode == "120000"


@dataclass(frozen=True, slots=True)
class Worktree:
    """Where it is, and the commit that is checked out there; None before the first."""

    path: Path
    head: str | None


class Repository:
    """A work tree. Every method raises GitFailed where git can't answer, unless it says otherwise."""

    def __init__(self, top: Path) -> None:
        self.top = top

    def commit(self, revision: str) -> str:
        """The commit that a person means. Raises UsageProblem."""
        found = None
        if revision and not revision.startswith("-") and revision.isprintable():
            found = self._asked("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if found is None or not _HASH.fullmatch(found):
            hint = "fetch it first; in a shallow clone `git fetch --unshallow`, or fetch-depth: 0"
            raise UsageProblem(f"git knows no commit `{revision}` here", hint=hint)
        return found

    def merge_base(self, revision: str) -> str:
        """The commit where HEAD and `revision` parted. Raises UsageProblem."""
        base = self._asked("merge-base", self.commit(revision), "HEAD")
        if base is None:
            hint = "the clone may be shallow: `git fetch --unshallow`, or fetch-depth: 0"
            raise UsageProblem(f"HEAD and `{revision}` have no common history here", hint=hint)
        return base

    def changed_since(self, revision: str) -> set[Path]:
        """Files of the work tree, but ignored ones, that differ from where HEAD and `revision` parted."""
        base = self.merge_base(revision)
        differ = self._paths("diff", *_DIFF, "--ignore-submodules=dirty", base, "--")
        new = self._paths("ls-files", "-z", "--others", "--exclude-standard", "--")
        return {self.top / name for name in (*differ, *new)}

    def upstream(self) -> Upstream | None:
        """None for a detached HEAD, before the first commit, or where the branch follows nothing."""
        branch = self._asked("symbolic-ref", "--quiet", "HEAD")
        if branch is None or self._asked("rev-parse", "--verify", "--quiet", "HEAD") is None:
            return None
        form = "%(upstream:remotename)%00%(upstream:remoteref)%00%(upstream)"
        told = self._ask("for-each-ref", f"--format={form}", "--", branch).strip("\n")
        remote, ref, tracking = [*told.split("\0"), "", "", ""][:3]
        if not remote or not ref:
            return None
        known = self._asked("rev-parse", "--verify", "--quiet", tracking) if tracking else None
        return Upstream(remote, ref, known)

    def tip_at(self, upstream: Upstream, seconds: float = 10.0) -> str | None:
        """The commit that the remote has there now; None where it has no such branch."""
        told = self._ask("ls-remote", "--", upstream.remote, upstream.ref, seconds=seconds)
        lines = (line.split("\t") for line in told.splitlines())
        return next((found[0] for found in lines if found[1:] == [upstream.ref]), None)

    def has(self, commit: str) -> bool:
        return self._agrees("cat-file", "-e", f"{commit}^{{commit}}")

    def is_in_head(self, commit: str) -> bool:
        return self._agrees("merge-base", "--is-ancestor", commit, "HEAD")

    def ignored_by(self, path: Path) -> str | None:
        """The line that has git ignore a path that nothing tracks, as `FILE:LINE:PATTERN`."""
        words = ("--no-literal-pathspecs", "check-ignore", "--verbose")  # it takes none that are literal
        done = _git(self.top, *words, "--", f"./{self.inside(path)}")
        if done.returncode > 1:
            raise GitFailed(_said(done))
        line = done.stdout.partition("\t")[0]
        return None if not line or line.split(":", 2)[-1].startswith("!") else line

    def content(self, commit: str, path: Path) -> bytes | None:
        """What the commit has there; None where that is no file."""
        done = _git(self.top, "cat-file", "blob", f"{commit}:{self.inside(path)}")
        return done.stdout.encode("utf-8", "surrogateescape") if done.returncode == 0 else None

    def untracked(self, paths: Iterable[Path]) -> list[str]:
        """Those of these files that the index doesn't have, or that lie outside of the work tree."""
        named = {Path(os.path.abspath(path)): path for path in paths}  # noqa: PTH100 - links are not followed
        tops = {self.top / name for name in self._paths("ls-files", "-z", "--full-name", "--", ".")}
        real = {Path(os.path.realpath(path.parent)) / path.name: shown for path, shown in named.items()}
        return sorted(str(shown) for path, shown in real.items() if path not in tops)

    def worktrees(self) -> list[Worktree]:
        """Those of this repository that have files, the main one first."""
        found = []
        for entry in self._ask("worktree", "list", "--porcelain").split("\n\n"):
            told = dict(line.partition(" ")[::2] for line in entry.splitlines())
            if "worktree" in told and "bare" not in told:
                head = None if set(told.get("HEAD", "0")) == {"0"} else told["HEAD"]
                found.append(Worktree(Path(told["worktree"]), head))
        return found

    def default_branches(self) -> list[str]:
        """What was last fetched of each remote's default branch: what its HEAD says, else main or master."""
        told = self._ask("for-each-ref", "--format=%(refname)%00%(symref)", "--", "refs/remotes")
        known = dict(line.split("\0") for line in told.splitlines())
        heads = {name[: -len("/HEAD")]: target for name, target in known.items() if target in known}
        for remote in dict.fromkeys("/".join(name.split("/")[:3]) for name in known):
            if remote not in heads:
                heads |= {name: name for name in (f"{remote}/main", f"{remote}/master") if name in known}
        return [name.removeprefix("refs/remotes/") for name in dict.fromkeys(heads.values())]

    def ledger_branches(self) -> list[str]:
        """What was last fetched of the branches that ledgers are on, under their usual name."""
        told = self._ask("for-each-ref", "--format=%(refname)", "--", "refs/remotes/*/kiejobs-ledger")
        return told.splitlines()

    def branches_with_head(self) -> list[str]:
        """The full names of those that go on from here, local ones and what was last fetched of others."""
        asked = ("--contains=HEAD", "--format=%(refname)", "--", "refs/heads", "refs/remotes")
        return self._ask("for-each-ref", *asked).splitlines()

    def objects(self, names: Iterable[str]) -> list[tuple[str, str, int] | None]:
        """Each one's name by its content, kind and size; None where it is not here."""
        given = "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
        if not given:
            return []
        lines = self._ask("cat-file", "--batch-check", given=given).splitlines()
        found = (line.split() for line in lines)
        return [
            (one[0], one[1], int(one[2])) if len(one) == 3 and one[2].isdecimal() else None for one in found
        ]

    def blob(self, name: str) -> str:
        return self._ask("cat-file", "blob", name)

    def staged(self, folder: str) -> list[tuple[str, str, bool]]:
        """Files of the index: path, blob, and whether a sparse checkout leaves it out."""
        found = []
        for line in self._paths("ls-files", "-z", "-t", "--stage", "--", folder or "."):
            about, _, path = line.partition("\t")
            tag, _, blob, _ = about.split()
            found.append((path, blob, tag == "S"))
        return found

    def taken_back(self, folder: str) -> list[tuple[str, str, str]]:
        """Files that HEAD's history had, or had otherwise, before a commit: that commit, path, blob."""
        words = (
            "--full-history",
            "--diff-merges=separate",
            "--no-show-signature",
            "--no-renames",
            "--no-abbrev",
        )
        which = ("--raw", "-z", "--diff-filter=DM", "--format=%H", "HEAD", "--", folder or ".")
        found, commit, blob = [], "", ""
        for token in self._paths("log", *words, *which, seconds=_LONG):
            text = token.removeprefix("\n")
            if blob:
                found.append((commit, token, blob))
                blob = ""
            elif text.startswith(":"):
                blob = text.split()[2]
            else:
                commit = text
        return found

    def parent_with(self, commit: str, path: str, blob: str) -> str:
        """The one of its parents that has this content under the path, as `COMMIT^2`."""
        parents = [f"{commit}^{number}" for number in range(1, 9)]
        found = self.objects(f"{parent}:{path}" for parent in parents)
        return next(
            (one for one, was in zip(parents, found, strict=True) if was and was[0] == blob), parents[0]
        )

    @property
    def is_shallow(self) -> bool:
        return self._ask("rev-parse", "--is-shallow-repository").strip() == "true"

    def files_at(self, commit: str, folder: str) -> Iterator[TreeFile]:
        """What the commit has below `folder`, as seen from the top, `""` for the top itself."""
        where = ("--", folder) if folder else ()
        for line in self._paths("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *where):
            about, _, path = line.partition("\t")
            mode, kind, name, size = about.split()
            if kind == "blob":
                yield TreeFile(path, mode, name, int(size) if size.isdecimal() else 0)

    def blobs(self, names: Iterable[str], into: BinaryIO) -> None:
        """What `git cat-file --batch` says of them, one after the other."""
        given = "".join(f"{name}\n" for name in names).encode()
        done = _git(self.top, "cat-file", "--batch", seconds=_LONG, given=given, into=into)
        if done.returncode != 0:
            raise GitFailed(_said(done))

    def inside(self, path: Path) -> str:
        """From the top, with `/`; `.` for the top itself."""
        return path.resolve().relative_to(self.top).as_posix()

    def _paths(self, *words: str, seconds: float = _LOCAL) -> list[str]:
        return [name for name in self._ask(*words, seconds=seconds).split("\0") if name]

    def _agrees(self, *words: str) -> bool:
        return _git(self.top, *words).returncode == 0

    def _asked(self, *words: str) -> str | None:
        """One line; None where git says no."""
        done = _git(self.top, *words)
        return (done.stdout.strip() or None) if done.returncode == 0 else None

    def _ask(self, *words: str, seconds: float = _LOCAL, given: bytes | None = None) -> str:
        done = _git(self.top, *words, seconds=seconds, given=given)
        if done.returncode != 0:
            raise GitFailed(_said(done))
        return done.stdout


def repository_of(folder: Path) -> Repository | None:
    """The work tree that `folder`, which need not exist yet, lies in; None outside of any, and without git.

    Raises GitFailed where git won't say, e.g. since the tree is another user's.
    """
    place = folder.resolve()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        done = _git(place, "rev-parse", "--show-toplevel")
    except OSError:  # no git
        return None
    if done.returncode == 0:
        return Repository(Path(done.stdout.removesuffix("\n")).resolve())
    if re.search(r"not a git repository|must be run in a work tree", done.stderr):
        return None
    raise GitFailed(_said(done))


def user_of(folder: Path) -> str | None:
    """Who would commit there, `Ada <ada@example.com>`, as far as git knows; None for nobody, and without git."""
    try:
        found = [_git(folder, "config", "--get", f"user.{part}") for part in ("name", "email")]
    except OSError:
        return None
    name, email = (done.stdout.strip() if done.returncode == 0 else "" for done in found)
    return " ".join(filter(None, (name, email and f"<{email}>"))) or None


def _git(
    folder: Path,
    *words: str,
    seconds: float = _LOCAL,
    given: bytes | None = None,
    into: BinaryIO | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run to its end, or, after `seconds`, to ours. In a session of its own, so that no ssh asks."""
    command = ["git", *_HARMLESS, *words]
    with subprocess.Popen(  # noqa: S603 - no shell, a fixed program, revisions are checked
        command,
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE if into is None else into,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            said = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise GitFailed(f"no answer within {seconds:.0f} seconds") from late
        finally:
            if process.poll() is None:  # ended with all that it has started, its ssh for one
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
    out, err = ((stream or b"").decode("utf-8", "surrogateescape") for stream in said)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _environment() -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "KIE")) or _KEPT.fullmatch(name)
    }
    ours = {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1",  # a mount may be inside a work tree
    }
    return {**kept, **ours}


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    refused = " ".join(line[8:].strip() for line in lines if line.startswith("remote: "))
    told = next(
        (line for line in lines if line.startswith("fatal: ")), refused or (lines[-1] if lines else "")
    )
    said = told.removeprefix("fatal: ") or f"git ended with {done.returncode}"
    return _CREDENTIALS.sub("***@", said)


# --- a tree on disk ----------------------------------------------------------------------------------


def lay_out(repository: Repository, commit: str, paths: Iterable[str], into: Path) -> None:
    """`paths` are as seen from the repository's top. Raises UsageProblem for far too much, GitFailed."""
    found = {file.path: file for path in paths for file in repository.files_at(commit, path)}
    files = [file for file in found.values() if _is_plain(file.path)]
    size = sum(file.size for file in files)
    if len(files) > MOST_FILES or size > MOST_BYTES:
        message = f"{len(files):,} files with {size // 10**6:,} MB are next to the job file there"
        hint = f"at most {MOST_FILES:,} files and {MOST_BYTES // 10**6:,} MB are looked at; give it a folder of its own"
        raise UsageProblem(message, hint=hint)
    from tempfile import TemporaryFile  # noqa: PLC0415 - slow to import, and most plans have no `--base`

    with TemporaryFile() as batch:
        ordered = sorted(files, key=lambda file: file.is_link)
        repository.blobs((file.blob for file in ordered), batch)
        batch.seek(0)
        for file in ordered:
            _put(file, batch, into)


def _is_plain(path: str) -> bool:
    """Neither hidden nor of a form that could leave the folder on some system."""
    parts = path.split("/")
    return not {"\\", ":"} & {*path} and all(part and part[0] != "." for part in parts)


def _put(file: TreeFile, batch: BinaryIO, into: Path) -> None:
    header = batch.readline().split()
    if len(header) != 3 or header[1] != b"blob":
        raise GitFailed(f"the repository does not hold {file.path} of that commit; fetch the complete commit")
    size = int(header[2])
    target = into / file.path
    with contextlib.suppress(FileExistsError, NotADirectoryError):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_link:
            with target.open("xb") as stream:
                for piece in _pieces(batch, size):
                    stream.write(piece)
                size = 0
        elif size <= _LONGEST_LINK:
            _link(file.path, batch.read(size), target)
            size = 0
    batch.seek(size + 1, os.SEEK_CUR)


def _pieces(batch: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = batch.read(min(size, _CHUNK))
        if not piece:
            raise GitFailed("git ended before its answer was complete")
        size -= len(piece)
        yield piece


def _link(path: str, named: bytes, target: Path) -> None:
    to = os.fsdecode(named)
    leads = posixpath.normpath(posixpath.join(posixpath.dirname(path), to))
    if not posixpath.isabs(to) and not leads.startswith("../") and leads != "..":
        with contextlib.suppress(OSError, ValueError):  # a system without links, an odd name
            target.symlink_to(to)
