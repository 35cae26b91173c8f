"""Going on after the cut, for real: the command line again, and downloads under another boot.

In: a recording, a state of its disk. Out: how often something was charged twice, what was lost, files
that are not what the sandbox serves. Touches: a folder; the sandbox at the address that it had, its
memory set back to the moment of the cut.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.storage.download import FileArtifacts, part_of
from kiejobs.adapters.system import boot_id
from kiejobs.core.ledger.records import FileRecord
from tests.proofs.power_cut_campaign import (
    JOBFILE,
    address,
    calm,
    ends_well,
    output,
    result,
    tree_of,
)
from tests.proofs.power_cut_checks import Checker, final_files
from tests.support.bench import FAST, Bench
from tests.support.sandbox_served import read_charges

if TYPE_CHECKING:
    from tests.proofs.disk_model import Tree
    from tests.proofs.power_cut_campaign import Recording
    from tests.proofs.power_cut_checks import Promises

_TRIES = 4


@dataclass(frozen=True, slots=True)
class Restarted:
    """One restart with `run` and `collect`. All but the last are to be 0."""

    charged_twice: int
    lost: int
    torn_files: int
    not_home: int
    in_doubt: int


def restart(recording: Recording, promises: Promises, tree: Tree, done: int) -> Restarted:
    """The state after `done` operations, gone on with by the real command line."""
    with tempfile.TemporaryDirectory() as name:
        folder, store = Path(name) / "work", Path(name) / "store"
        folder.mkdir()
        store.mkdir()
        Checker(recording, promises, folder).lay_out(tree)
        (folder / JOBFILE).write_bytes((recording.folder / JOBFILE).read_bytes())
        _set_back(recording, store, set(promises.charged(done).values()))
        _left_by_another_boot(recording, folder)
        with calm(store, recording.url):
            bench = Bench(folder, recording.url)
            bench.run()
            bench.do("collect", *FAST[:2])
            return _judge(bench, store)


def collected(recording: Recording, tree: Tree, folder: Path, boot: str) -> tuple[int, int]:
    """Every part that lies there gone on with, as if the machine now were in `boot`.

    How many files are not what is served, and how many did not come home in as many tries as `run`
    makes. The sandbox must be there, at its address.
    """
    parts = [path for path in tree if path.startswith("outputs/") and path.endswith(".part")]
    due = {
        path: told
        for path, told in recording.served.items()
        if any(part.startswith(f"outputs/{path}.") for part in parts)
    }
    outputs = folder / "outputs"

    async def collect() -> None:
        artifacts = FileArtifacts(outputs, AddressRule(private_too=True), boot=boot)
        for path, (task_id, url, _) in due.items():
            for _ in range(_TRIES):
                outcome = await artifacts.collect(url, path, key=task_id, media_type="video/mp4")
                if isinstance(outcome, FileRecord):
                    break
        await artifacts.close()

    anyio.run(collect)
    home = {path: (outputs / path).read_bytes() for path in due if (outputs / path).exists()}
    torn = [path for path, data in home.items() if hashlib.sha256(data).hexdigest() != due[path][2]]
    return len(torn), len(due) - len(home)


def _set_back(recording: Recording, store: Path, charged: set[str]) -> None:
    lines = (recording.store / "charges.jsonl").read_text().splitlines(keepends=True)
    kept = (line for line in lines if json.loads(line)["task_id"] in charged)
    (store / "charges.jsonl").write_text("".join(kept))


def _left_by_another_boot(recording: Recording, folder: Path) -> None:
    """Name the parts as if the recorded machine had been in another boot than ours, which goes on."""
    for path, (task_id, _, _) in recording.served.items():
        target = folder / "outputs" / path
        part = part_of(target, task_id, boot_id())
        if part.exists():
            part.rename(part_of(target, task_id, "before the cut"))


def _judge(bench: Bench, store: Path) -> Restarted:
    charges = read_charges(store)
    bought = Counter(json.dumps(task.input, sort_keys=True) for task in charges)
    status = bench.do("status", "--format", "json").json
    doubts = {attempt["address"] for attempt in status["in_doubt"]}
    known = bench.known_tasks()
    lost = [t for t in charges if t.task_id not in known and address(t) not in doubts]
    wanted = {output(task): result(bench.url, task)[2] for task in charges if ends_well(task)}
    missing = {output(t) for t in charges if ends_well(t) and address(t) not in doubts}
    files = dict(final_files(tree_of(bench.folder)))
    return Restarted(
        charged_twice=sum(count - 1 for count in bought.values()),
        lost=len(lost),
        torn_files=sum(1 for path, digest in files.items() if wanted.get(path) != digest),
        not_home=len(missing - files.keys()),
        in_doubt=len(doubts),
    )
