"""The state machine's job file: what is wanted, and the edits that a person makes.

In: draws. Out: the file's text, and the rows that it stands for, worked out apart from kiejobs. Touches
nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.proofs.machine_model import Row
from tests.support.bench import MODEL

NAMES = ("pour", "steam", "crema")
PROMPTS = ("a cup", "a cloud", "a spoon", "a saucer")
SHOTS = ("near", "far", "top")
_PICTURE = "https://example.com/a.webp"
EDITS = ("prompt", "shot", "rename", "swap", "takes", "duration", "looks", "job", "budget")


@dataclass(frozen=True)
class Job:
    """One job; each prompt is some job's at most, so that no request is wanted twice."""

    prompt: str
    shots: tuple[str, ...] = SHOTS[:1]
    takes: int = 1
    duration: str = "5"

    def fingerprint(self, shot: str) -> str:
        sent = {
            "duration": self.duration,
            "image_url": _PICTURE,
            "prompt": f"{self.prompt} {shot}",
            "resolution": "720p",
        }
        text = json.dumps({"input": sent, "model": MODEL}, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class JobFile:
    """`looks` changes nothing but the text: comments, the order of keys."""

    jobs: dict[str, Job] = field(
        default_factory=lambda: {"pour": Job("a cup", SHOTS[:2]), "steam": Job("a cloud")}
    )
    budget: tuple[int, str] | None = None
    looks: int = 0

    def rows(self) -> list[Row]:
        return [
            Row(_address(name, shot, take), job.fingerprint(shot), take)
            for name, job in self.jobs.items()
            for shot in job.shots
            for take in range(1, job.takes + 1)
        ]

    def text(self) -> str:
        jobs = {name: self._written(job) for name, job in self.jobs.items()}
        whole: dict[str, Any] = {"version": 1, "campaign": "m", "defaults": {"model": MODEL}}
        if self.budget is not None:
            whole["budget"] = dict(zip(("credits", "per"), self.budget, strict=True))
        whole["jobs"] = jobs
        notes = "# a note\n" * self.looks
        return f"{notes}{json.dumps(whole, indent=self.looks or None)}\n"

    def _written(self, job: Job) -> dict[str, Any]:
        fields = {"image_url": _PICTURE, "prompt": f"{job.prompt} {{{{ matrix.shot }}}}"}
        fields["duration"] = job.duration
        written: dict[str, Any] = {"matrix": {"shot": list(job.shots)}, "takes": job.takes}
        written["input"] = dict(reversed(fields.items())) if self.looks % 2 else fields
        return dict(reversed(written.items())) if self.looks % 2 else written

    def edited(self, kind: str, draw: Any) -> JobFile:
        """After an edit of that kind."""
        if kind == "budget":
            wanted = st.tuples(st.sampled_from((40, 80, 160)), st.sampled_from(("campaign", "run")))
            return replace(self, budget=draw(st.none() | wanted))
        if kind == "looks":
            return replace(self, looks=(self.looks + 1) % 3)
        if kind == "swap":
            names = list(self.jobs)
            return replace(self, jobs=dict(zip(reversed(names), self.jobs.values(), strict=True)))
        name = draw(st.sampled_from(NAMES if kind == "job" else tuple(self.jobs)))
        if kind in ("job", "rename"):
            return self._renamed(name, draw(st.sampled_from(NAMES)), anew=kind == "job")
        return replace(self, jobs={**self.jobs, name: self._changed(self.jobs[name], kind, draw)})

    def _renamed(self, name: str, to: str, *, anew: bool) -> JobFile:
        """Another name; with `anew` a job that comes, or one that goes."""
        jobs = dict(self.jobs)
        if not anew:
            named = ((to if old == name and to not in jobs else old, job) for old, job in jobs.items())
            return replace(self, jobs=dict(named))
        if name not in jobs:
            return replace(self, jobs={**jobs, name: Job(self._unused()[0])})
        if len(jobs) > 1:
            del jobs[name]
        return replace(self, jobs=jobs)

    def _changed(self, job: Job, kind: str, draw: Any) -> Job:
        if kind == "prompt":
            return replace(job, prompt=draw(st.sampled_from(self._unused())))
        if kind == "takes":
            return replace(job, takes=3 - job.takes)
        if kind == "duration":
            return replace(job, duration="10" if job.duration == "5" else "5")
        shots = set(job.shots) ^ {draw(st.sampled_from(SHOTS))}
        return replace(job, shots=tuple(shot for shot in SHOTS if shot in shots) or SHOTS[:1])

    def _unused(self) -> list[str]:
        used = {job.prompt for job in self.jobs.values()}
        return [prompt for prompt in PROMPTS if prompt not in used]


def _address(name: str, shot: str, take: int) -> str:
    return f"m/{name}[shot={shot}]{f'#{take}' if take > 1 else ''}"
