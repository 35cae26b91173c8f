"""A small campaign, recorded: what was written, what was asked for, what was charged.

In: how many jobs, where. Out: a `Recording`. Touches: a folder, a sandbox on a port of the loopback, the
real command line under `strace`: `run` of the first half, `run --detach` of all, `collect` twice.

On the way one create is refused for the pace, the answer of another is lost, one task fails, one job is
rejected, downloads come in several pieces or break off, and one of them until the next command.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from kiejobs.adapters.sandbox import make_sandbox
from tests.proofs.disk_model import Disk
from tests.proofs.disk_recording import Recorder
from tests.support.bench import FAST, Bench
from tests.support.sandbox_served import read_charges, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kiejobs.sandbox.tasks import Task
    from tests.proofs.disk_model import Tree
    from tests.proofs.disk_recording import Operation

JOBFILE = "jobs.yaml"
_SPEED = 300
_CODES = {0, 1, 4}  # with these mishaps some jobs fail, and one is in doubt
_HEADERS = {"Authorization": "Bearer any", "User-Agent": "tests"}
_MISHAPS: dict[int, list[dict[str, Any]]] = {
    1: [{"on": "download", "do": {"slow": 1500}}],
    2: [{"on": "download", "do": {"truncate": 1500}, "times": 5}],
    3: [{"on": "create", "do": {"lose_reply": "after_accept"}}],
    4: [{"on": "create", "do": {"code": 429, "accept": False}, "times": 1}],
    5: [{"on": "create", "do": {"task": "fail"}}],
    6: [{"on": "create", "do": {"code": 422, "accept": False}}],
    7: [{"on": "download", "do": {"truncate": 2500}, "times": 1}],
}
"""What befalls which job. The second's download outlasts a command's four tries."""


@dataclass(frozen=True)
class Recording:
    """`charges` as the log has them; `served` by output path: the task, its URL, the file's SHA-256."""

    folder: Path
    store: Path
    url: str
    operations: list[Operation]
    charges: list[Task]
    served: dict[str, tuple[str, str, str]]


def record(folder: Path, jobs: int) -> Recording:
    """Raises ValueError where the recording does not add up to what lies there."""
    work, store = folder / "work", folder / "store"
    work.mkdir()
    rules = [
        {**rule, "when": {"match": {"prompt": f"shot {job} *"}}}
        for job in range(jobs)
        for rule in _MISHAPS.get(job, ())
    ]
    faults = folder / "faults.yaml"
    faults.write_text(json.dumps({"seed": 1, "rules": rules}))
    recorder = Recorder(work)
    with serving(make_sandbox(store, _SPEED, str(faults))) as url:
        bench = Bench(work, url)
        environment = bench.environment(KIE_API_BASE=url)
        for count, words in _commands(jobs):
            write_jobs(work, count)
            recorder.record(bench.command(*words), environment, _CODES)
        charges = read_charges(store)
    if replayed(recorder.operations) != tree_of(work):
        raise ValueError("the recording does not add up to what lies there")
    with calm(store, url):
        served = {output(task): result(url, task) for task in charges if ends_well(task)}
    return Recording(work, store, url, recorder.operations, charges, served)


@contextmanager
def calm(store: Path, url: str) -> Iterator[None]:
    """The sandbox at the address that it had, without its faults; another `store` is another memory."""
    with serving(make_sandbox(store, _SPEED, None), port=int(url.rpartition(":")[2])):
        yield


def _commands(jobs: int) -> Iterator[tuple[int, Sequence[str]]]:
    run = ("run", JOBFILE, "--yes", "--allow-behind", *FAST)
    yield (jobs + 1) // 2, run
    yield jobs, (*run, "--detach")
    for _ in range(2):
        yield jobs, ("collect", *FAST[:2])


def write_jobs(folder: Path, jobs: int) -> None:
    Bench(folder, "").write({f"j{job}": f"shot {job} of a power cut" for job in range(jobs)}, name=JOBFILE)


def replayed(operations: Sequence[Operation]) -> Tree:
    """What lies there where no power cut came."""
    disk = Disk()
    for operation in operations:
        disk.take(operation)
    return disk.tree(disk.pending)


def tree_of(folder: Path) -> Tree:
    """What lies in a workplace, but for its job file."""
    found = (path for path in folder.rglob("*") if path != folder / JOBFILE)
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in found
    }


def address(task: Task) -> str:
    return f"judged/{_job(task)}"


def output(task: Task) -> str:
    return f"judged/{_job(task)}/{_job(task)}.mp4"


def _job(task: Task) -> str:
    return f"j{task.input['prompt'].split()[1]}"


def ends_well(task: Task) -> bool:
    return task.fate.end == "success"


def result(url: str, task: Task) -> tuple[str, str, str]:
    """Asked of the sandbox itself, not of what kiejobs made of it."""
    with httpx.Client(headers=_HEADERS, trust_env=False) as client:
        told = client.get(f"{url}/api/v1/jobs/recordInfo", params={"taskId": task.task_id}).json()
        address: str = json.loads(told["data"]["resultJson"])["resultUrls"][0]
        data = client.get(address).content
    return task.task_id, address, hashlib.sha256(data).hexdigest()
