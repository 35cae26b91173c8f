"""A forge at home: a bare repository, developers' clones, CI runners, comments, and the API as a served sandbox.

In: a folder. Out: pull requests, merges, workflow runs; what was charged. Touches: processes, a port, disk.

The repository is what `kiejobs init --github` writes, with a job file of its own. The oracle is the
sandbox's charge log: what it does not hold was not paid for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.bench import MODEL
from tests.support.forked import WITHOUT_MEDIA, forked
from tests.support.gitops.comments import Comments
from tests.support.gitops.workflow_runner import Ended, Event, Runner, put_programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEY = "sk-story-0123456789abcdef"
NAME = "studio/films"
LEDGER = "kiejobs-ledger"
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Dev",
    "GIT_AUTHOR_EMAIL": "dev@example.com",
    "GIT_COMMITTER_NAME": "Dev",
    "GIT_COMMITTER_EMAIL": "dev@example.com",
}


def git(folder: Path, *words: str) -> str:
    """What git prints; the test fails where it fails."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **GIT}
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """`kiejobs sandbox` as a process of its own; the URL it is at."""
    words = ["sandbox", "--port", "0", "--store", str(folder), "--speed", "400"]
    command = [sys.executable, "-u", "-m", "kiejobs", *words]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": WITHOUT_MEDIA}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            first = process.stderr.readline()
            assert first.startswith("sandbox at http"), first
            yield first.split()[2].rstrip(",")
        finally:
            process.terminate()
            process.communicate()


@contextmanager
def forge_in(folder: Path) -> Iterator[Forge]:
    """With a served sandbox and a stand-in for GitHub's API."""
    with served(folder / "sandbox") as url, Comments() as comments:
        yield Forge(folder, url, folder / "sandbox", comments)


class Forge:
    """`dev` is a developer's clone of `origin`, on the branch main."""

    def __init__(self, folder: Path, url: str, store: Path, comments: Comments) -> None:
        self.folder = folder
        self.origin = folder / "origin.git"
        self._comments = comments
        self.api = url
        self._store = store
        self._pull = 0
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        git(self.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
        self.dev = self.clone("dev")
        env = {
            **GIT,
            "KIE_API_BASE": url,
            "GITHUB_API_URL": comments.url,
            "KIEJOBS_POLL": "50ms",
            "KIEJOBS_RATE": "400/400ms",
        }
        # A machine has no name in commits: what kiejobs pushes carries one of its own.
        kept = {
            name: value for name, value in env.items() if "AUTHOR" not in name and "COMMITTER" not in name
        }
        self.runner = Runner(folder / "ci", self._checkout, kept)
        self.machine = {**kept, "PYTHONPATH": WITHOUT_MEDIA, "HOME": str(folder), "NO_COLOR": "1"}
        self.programs = folder / "bin"
        put_programs(self.programs)

    @property
    def url(self) -> str:
        return f"file://{self.origin}"

    def clone(self, name: str) -> Path:
        git(self.folder, "clone", "--quiet", self.url, name)
        return self.folder / name

    def _checkout(self, ref: str, depth: int, tree: Path) -> None:
        """As actions/checkout does it: the branch for a push, a detached merge for a pull request."""
        shallow = [f"--depth={depth}"] if depth else []
        git(tree, "init", "--quiet", "--initial-branch=scratch")
        git(tree, "remote", "add", "origin", self.url)
        git(tree, "fetch", "--quiet", "--no-tags", *shallow, "origin", ref)
        if ref.startswith("refs/pull/"):
            git(tree, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        else:
            git(tree, "update-ref", "refs/remotes/origin/main", "FETCH_HEAD")
            git(tree, "checkout", "--quiet", "-B", "main", "--track", "refs/remotes/origin/main")

    # --- what people do --------------------------------------------------------------------------

    def kiejobs(self, folder: Path, *words: str, key: str = "") -> str:
        """What a person's own kiejobs prints, pointed at the sandbox."""
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": WITHOUT_MEDIA,
            **GIT,
            "KIE_API_BASE": self.api,
            "KIE_API_KEY": key,
        }
        ran = forked(words, folder, env)
        assert ran.code == 0, ran.err
        return ran.out

    def set_up(self, **prompts: str) -> None:
        """The first commit: what init writes, where kiejobs comes from, a job file of these prompts."""
        self.kiejobs(self.dev, "init", "--github")
        source = self.dev / "ci" / "kiejobs-requirements.txt"
        source.write_text(source.read_text().replace("# kiejobs[media] ==", "kiejobs[media] =="))
        (self.dev / "jobfiles" / "first.yaml").unlink()
        self.write(prompts)
        self.commit("Begin")
        git(self.dev, "push", "--quiet", "origin", "HEAD:main")

    def write(self, prompts: Mapping[str, str], comment: str = "", *, name: str = "tea") -> None:
        """`jobfiles/NAME.yaml`: a job for each prompt, each in two resolutions (16 and 36 credits)."""
        jobs = {
            job: {"input": {"image_url": "https://example.com/a.webp", "prompt": prompt}}
            for job, prompt in prompts.items()
        }
        matrix = {"resolution": ["720p", "1080p"]}
        top = {"version": 1, "campaign": name, "defaults": {"model": MODEL, "matrix": matrix}}
        text = f"# {comment}\n{yaml.safe_dump({**top, 'jobs': jobs})}"
        (self.dev / "jobfiles" / f"{name}.yaml").write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        git(self.dev, "add", "--all")
        git(self.dev, "commit", "--quiet", "-m", message)
        return git(self.dev, "rev-parse", "HEAD")

    def pull(self) -> None:
        git(self.dev, "fetch", "--quiet", "origin")
        git(self.dev, "checkout", "--quiet", "-B", "main", "origin/main")

    def merge(self, branch: str) -> Event:
        """The button on the pull request."""
        self.pull()
        git(self.dev, "merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
        git(self.dev, "push", "--quiet", "origin", "main")
        return self.pushed(git(self.dev, "rev-parse", "HEAD"))

    def edit(self, prompts: Mapping[str, str], comment: str = "", *, name: str = "tea") -> Event:
        """A pull request's worth of change, pushed to the default branch."""
        self.pull()
        self.write(prompts, comment, name=name)
        sha = self.commit("Edit")
        git(self.dev, "push", "--quiet", "origin", "main")
        return self.pushed(sha)

    # --- what the forge tells CI -------------------------------------------------------------------

    def pushed(self, sha: str) -> Event:
        event = {"repository": {"default_branch": "main"}}
        told = {"repository": NAME, "ref_name": "main", "event": event, "event_name": "push"}
        return Event(told, sha)

    def opened(self, branch: str, *, number: int = 1, fork: bool = False) -> Event:
        """A pull request of the dev's branch, or a new commit on it."""
        base = git(self.dev, "rev-parse", "origin/main")
        head = git(self.dev, "rev-parse", branch)
        git(self.dev, "checkout", "--quiet", "--detach", base)
        git(self.dev, "merge", "--quiet", "--no-ff", "-m", "Test merge", head)
        git(self.dev, "push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{number}/merge")
        git(self.dev, "checkout", "--quiet", branch)
        whose = {"sha": head, "repo": {"full_name": "stranger/films" if fork else NAME}}
        event = {
            "pull_request": {"number": number, "head": whose},
            "repository": {"default_branch": "main"},
        }
        told = {"repository": NAME, "ref_name": f"{number}/merge", "event": event, "actor": "dev"}
        told["event_name"] = "pull_request"
        return Event(told, f"refs/pull/{number}/merge")

    def workflow(self, name: str) -> Path:
        return self.dev / ".github" / "workflows" / f"kiejobs-{name}.yml"

    def plan(self, event: Event) -> Ended:
        return self.runner.run(self.workflow("plan"), event)["plan"]

    def run(self, event: Event, **more: Any) -> dict[str, Ended]:
        return self.runner.run(self.workflow("run"), event, secrets={"KIE_API_KEY": KEY}, **more)

    # --- the oracles -------------------------------------------------------------------------------

    @property
    def comments(self) -> list[dict[str, Any]]:
        return self._comments.kept

    @property
    def charged(self) -> Counter[str]:
        """How often each prompt was bought in each resolution: `PROMPT 720p`."""
        log = self._store / "charges.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        inputs = [json.loads(line)["input"] for line in lines]
        return Counter(f"{one['prompt']} {one['resolution']}" for one in inputs)

    @property
    def headers(self) -> list[dict[str, Any]]:
        """The first event of each run that the ledger's branch has."""
        texts = [git(self.origin, "show", f"{LEDGER}:{name}") for name in self._of_ledger("journal.jsonl")]
        return [json.loads(text.splitlines()[0]) for text in texts]

    @property
    def runs(self) -> list[str]:
        """The commands whose runs the ledger's branch has."""
        return [header["command"] for header in self.headers]

    def expire(self) -> None:
        """Two minutes later: the leases on the ledger's branch have ended."""
        clone = self.clone("later")
        git(clone, "checkout", "--quiet", LEDGER)
        for name in self._of_ledger("claim.json"):
            lease = json.loads((clone / name).read_text())
            (clone / name).write_text(json.dumps({**lease, "until": "2026-01-01T00:00:00.000Z"}))
            git(clone, "add", name)
        git(clone, "commit", "--quiet", "-m", "Two minutes later")
        git(clone, "push", "--quiet", "origin", LEDGER)

    def _of_ledger(self, ending: str) -> list[str]:
        if not git(self.origin, "branch", "--list", LEDGER):
            return []
        names = git(self.origin, "ls-tree", "-r", "--name-only", LEDGER, "runs/").splitlines()
        return [name for name in names if name.endswith(f"/{ending}")]

    @property
    def committers(self) -> set[str]:
        """Who committed to the default branch."""
        return set(git(self.origin, "log", "--format=%an", "main").splitlines())
