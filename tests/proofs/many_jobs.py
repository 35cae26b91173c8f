"""A campaign of 100,000 jobs, all paid for and none of them home: `python -m tests.proofs.many_jobs`.

In: how many jobs. Out: figures: seconds and the most memory of each verb that goes on from there. The
journal of a run that submitted them all and died, and the sandbox's charge log that goes with it, are
written in one go; then `plan`, `status`, `run` and `plan` once more, as processes of their own.

The oracle is the charge log, which must stay as it was: what is at the API is followed and brought
home, and nothing is bought.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.ledger.journal import FileJournal
from kiejobs.adapters.system import SystemClock, origin_of
from kiejobs.app.execute import new_run_id
from kiejobs.app.load import LoadedJobFile, load
from kiejobs.app.options import JobFileOptions
from kiejobs.core.fingerprint import FINGERPRINT_VERSION
from kiejobs.core.ledger import events as e
from kiejobs.sandbox.tasks import HEALTHY, Task
from tests.proofs.figures import tell, words
from tests.proofs.served import Served
from tests.support.bench import MODEL, Bench
from tests.support.forked import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.expand.job import Job

MOST_MEMORY = 800.0  # MB, of any verb


@dataclass(frozen=True)
class Verb:
    """One command: its exit code, seconds, and the most memory it held, in MB."""

    code: int
    seconds: float
    memory: float


@dataclass(frozen=True)
class Figures:
    """What came of it. `bought`: creates that should not have been."""

    jobs: int
    bought: int
    home: int
    plan: Verb
    status: Verb
    run: Verb
    plan_again: Verb

    @property
    def well(self) -> bool:
        verbs = (self.plan, self.status, self.run, self.plan_again)
        small = all(verb.memory < MOST_MEMORY and verb.code == 0 for verb in verbs)
        return small and self.bought == 0 and self.home == self.jobs


def many_jobs(folder: Path, jobs: int) -> Figures:
    bench = Bench(folder, "")
    loaded = _campaign(folder, jobs)
    server = Served(folder / "store", speed=1000.0)
    server.die()
    bench.url = server.url
    _write_what_was_bought(folder, loaded, server)
    server.start()
    try:
        before = server.charged()
        plan = _measured(bench, "plan", "jobs.yaml", "--format", "json")
        status = _measured(bench, "status")
        run = _measured(bench, "run", "jobs.yaml", "--yes", "--poll", "500ms")
        again = _measured(bench, "plan", "jobs.yaml", "--detailed-exitcode")
        bought = server.charged() - before
    finally:
        server.die()
    home = sum(len(names) for _, _, names in os.walk(folder / "outputs"))
    return Figures(jobs, bought, home, plan, status, run, again)


def _campaign(folder: Path, jobs: int) -> LoadedJobFile:
    document = {
        "version": 1,
        "campaign": "many",
        "limits": {"max_jobs": jobs},
        "defaults": {"model": MODEL},
        "jobs": {
            "shots": {
                "matrix": {"shot": list(range(jobs))},
                "input": {
                    "image_url": "https://example.com/a.webp",
                    "prompt": "Shot {{ matrix.shot }}",
                },
            }
        },
    }
    (folder / "jobs.yaml").write_text(json.dumps(document))
    return load(JobFileOptions(str(folder / "jobs.yaml")))


def _write_what_was_bought(folder: Path, loaded: LoadedJobFile, server: Served) -> None:
    """The journal of a run that died right after its last create, and the charges behind it."""
    header = e.RunStarted(
        run_id=new_run_id(datetime.now(UTC)),
        command="run",
        campaign="many",
        origin=origin_of(server.url),
        source=loaded.source,
        created_with="kiejobs 0",
        fingerprint_version=FINGERPRINT_VERSION,
    )
    journal = FileJournal(folder / "runs", header, SystemClock())
    jobs = loaded.expansion.jobs
    journal.append(*(event for number, job in enumerate(jobs) for event in _bought(number, job)))
    journal.close()
    lines = (json.dumps(_task(number, job).as_json()) for number, job in enumerate(jobs))
    (server.store / "charges.jsonl").write_text("".join(f"{line}\n" for line in lines))


def _bought(number: int, job: Job) -> Iterator[e.Event]:
    yield e.Planned(job.address, job.fingerprint, job.take, job.model, "submit", "new", job.credits)
    attempt_id = f"{number:032x}"
    yield e.Reserved(
        attempt_id=attempt_id,
        address=job.address,
        fingerprint=job.fingerprint,
        take=job.take,
        model=job.model,
        input=job.input,
        callback_url=None,
        credits=job.credits,
        output=job.output,
    )
    yield e.Submitted(attempt_id, _task_id(number))


def _task(number: int, job: Job) -> Task:
    """It was made an hour ago, so it has ended well."""
    return Task(
        seq=number + 1,
        at=round(time.time() - 3600, 3),
        task_id=_task_id(number),
        model=job.model,
        input=job.input,
        callback_url=None,
        credits=job.credits or Decimal(0),
        speed=1.0,
        fate=HEALTHY,
    )


def _task_id(number: int) -> str:
    return f"{number + 0xABC0000:032x}"


def _measured(bench: Bench, *typed: str) -> Verb:
    """A command run to its end, its output thrown away."""
    start, peak = time.monotonic(), bench.folder / "peak"
    python, _, _, *words = bench.command(*typed)
    done = subprocess.run(
        [python, "-P", "-c", _WATCHED, str(peak), *words],
        cwd=bench.folder,
        env=bench.environment(KIE_API_BASE=bench.url, PYTHONPATH=os.pathsep.join([PACKAGE, str(_REPO)])),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    seconds = time.monotonic() - start
    return Verb(done.returncode, round(seconds, 1), round(int(peak.read_text()) / 2**20, 1))


_REPO = Path(__file__).resolve().parents[2]
_WATCHED = """
import atexit, pathlib, sys
from tests.support.peak_memory import peak_bytes
peak = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: peak.write_text(str(peak_bytes())))
from kiejobs.__main__ import main
main()
"""


def main() -> None:
    line = words(__doc__)
    line.add_argument("--jobs", type=int, default=100_000)
    given = line.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = many_jobs(Path(folder), given.jobs)
    command = f"python -m tests.proofs.many_jobs --jobs {given.jobs}"
    raise SystemExit(tell("many_jobs", command, asdict(figures), well=figures.well, record=given.record))


if __name__ == "__main__":
    main()
