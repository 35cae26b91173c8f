"""A bare repository and clones of it, each a bench of its own at the same judge.

In: a folder, a judge's URL. Out: benches whose folder is a real clone, with git beside the command line.
Touches: disk, processes.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.support.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

WHO = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}
IGNORED = "outputs/\nrehearsal/\nruns/.lock*\n"


class Clone(Bench):
    """A bench in a work tree."""

    def git(self, *words: str, fails: bool = False) -> str:
        """What git prints. The test fails where it does not do as expected."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env={**self.environment(), **WHO},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout.strip()

    def keep(self, said: str = "more", *paths: str) -> str:
        """Commit everything, or some paths; the commit."""
        self.git("add", "--", *(paths or (".",)))
        self.git("commit", "--quiet", "-m", said)
        return self.git("rev-parse", "HEAD")

    def push(self) -> None:
        self.git("push", "--quiet", "origin", "HEAD")

    def to_buy(self) -> list[str]:
        """Jobs that a plan would submit."""
        return [job for job, action in self.plan().items() if action == "submit"]


class Origin:
    """The bare repository, on a branch `main` with one commit: what to ignore, and `jobs.yaml`."""

    def __init__(self, folder: Path, url: str, **prompts: str) -> None:
        self.folder = folder
        self._url = url
        self.path = folder / "origin.git"
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.path)],
            check=True,
            env={**Bench(folder, url).environment(), **WHO},
        )
        first = self.clone("first")
        (first.folder / ".gitignore").write_text(IGNORED)
        first.write(prompts or {"a": "a"})
        first.keep("jobs")
        first.push()

    def clone(self, name: str, *words: str, source: str | None = None) -> Clone:
        """A clone by path, or by `source`; `words` are for `git clone`."""
        here = Clone(self.folder, self._url)
        here.git("clone", "--quiet", *words, source or str(self.path), name)
        return Clone(self.folder / name, self._url)
