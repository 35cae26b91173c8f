"""A workplace for judging: a folder, the judge's server, and the real command line as a subprocess.

In: job files in a few words, arguments. Out: exit codes, what was printed, what the manifests know.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.forked import PACKAGE, Ran, can_fork, forked
from tests.support.judge.server import KEY, Judge
from tests.support.judge.tasks import accepted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODEL = "bytedance/v1-pro-fast-image-to-video"
AUTHORITY = str(Path(__file__).resolve().parents[1] / "data" / "authority.pem")
"""One that signed nothing; its own key is gone."""
FAST = ("--poll", "50ms", "--rate", "400/400ms")


class Bench:
    """Everything happens below `folder`; `url` is the API that commands are pointed at."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.package = PACKAGE

    @property
    def log(self) -> Path:
        return self.folder / "accepted.jsonl"

    def write(self, prompts: Mapping[str, str], *, name: str = "jobs.yaml", **more: Any) -> str:
        """A job file of one job a prompt; 16 credits each, unless `more` says otherwise."""
        jobs = {
            job: {"input": {"image_url": "https://example.com/a.webp", "prompt": prompt}}
            for job, prompt in prompts.items()
        }
        document = {"version": 1, "campaign": "judged", "defaults": {"model": MODEL}, **more}
        (self.folder / name).write_text(json.dumps({**document, "jobs": jobs}))
        return name

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        # The judge's results are no videos, and looking at each takes longer than buying it. It speaks no TLS, and
        # reading all the world's authorities takes a fifth of a run's time.
        own = {"KIE_API_KEY": KEY, "KIEJOBS_CHECKS": "false", "SSL_CERT_FILE": AUTHORITY}
        return {**kept, "PYTHONPATH": self.package, **own, **more}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "kiejobs", *words]

    def start(
        self, *words: str, stdin: int = subprocess.DEVNULL, **environment: str
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.environment(KIE_API_BASE=self.url, **environment),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def do(self, *words: str, given: str = "", **environment: str) -> Ran:
        """Run a command to its end; `given` comes from standard input. It fails the test where the key was printed."""
        if not given:
            return self._do(words, environment)
        with tempfile.TemporaryFile() as stdin:
            stdin.write(given.encode())
            stdin.seek(0)
            return self._do(words, environment, stdin.fileno())

    def answer(self, typed: str, *words: str, **environment: str) -> Ran:
        """Run a command at a terminal, at which this is typed; what it prints goes elsewhere."""
        ours, theirs = os.openpty()
        try:
            os.write(ours, typed.encode())
            return self._do(words, environment, theirs)
        finally:
            os.close(ours)
            os.close(theirs)

    def _do(self, words: Sequence[str], environment: Mapping[str, str], *stdin: int) -> Ran:
        full = self.environment(KIE_API_BASE=self.url, **environment)
        if self.package != PACKAGE or not can_fork(full):
            return ended(self.start(*words, stdin=next(iter(stdin), subprocess.DEVNULL), **environment))
        ran = forked(words, self.folder, full, *stdin)
        assert KEY not in ran.out + ran.err
        return ran

    def run(self, *words: str, **environment: str) -> Ran:
        return self.do("run", "jobs.yaml", "--yes", *FAST, *words, **environment)

    def plan(self, *words: str) -> dict[str, str]:
        """Actions by job."""
        made = self.do("plan", "jobs.yaml", "--format", "json", *words).json
        return {bare(change["address"]): change["action"] for change in made["changes"]}

    def manifests(self) -> list[dict[str, Any]]:
        paths = sorted(self.folder.glob("runs/*/manifest.json"))
        return [json.loads(path.read_text()) for path in paths]

    def job(self, name: str) -> dict[str, Any]:
        """What the latest manifest that has this job says about it."""
        for manifest in reversed(self.manifests()):
            for address, job in manifest["jobs"].items():
                if bare(address) == name:
                    return dict(job)
        raise AssertionError(f"no manifest knows {name}")

    def states(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for manifest in self.manifests():
            found.update({bare(a): job["state"] for a, job in manifest["jobs"].items()})
        return found

    def journals(self) -> list[Path]:
        return sorted(self.folder.glob("runs/*/journal.jsonl"))

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for p in self.journals() for line in p.read_bytes().splitlines()]

    def known_tasks(self) -> set[str]:
        jobs = (job for manifest in self.manifests() for job in manifest["jobs"].values())
        return {job["task_id"] for job in jobs if job["task_id"]}

    def accepted_tasks(self) -> set[str]:
        return {line["task_id"] for line in accepted(self.log)}


def ended(process: subprocess.Popen[str], seconds: float = 240) -> Ran:
    """Wait for its end; the time is a net for what hangs, wide enough for a busy machine."""
    out, err = process.communicate(timeout=seconds)
    assert KEY not in out + err
    return Ran(process.returncode, out, err)


def bare(address: str) -> str:
    """`judged/pour[duration=5]#2` -> `pour#2`."""
    job, _, take = address.partition("/")[2].partition("#")
    return job.partition("[")[0] + (f"#{take}" if take else "")


def judged(folder: Path, **settings: Any) -> tuple[Bench, Judge]:
    judge = Judge(folder / "accepted.jsonl", **settings)
    return Bench(folder, judge.url), judge
