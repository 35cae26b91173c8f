"""Cut the power after each write: `python -m tests.proofs.power_cut`.

In: how many jobs, how many samples, a seed. Out: figures. The writes, syncs, renames and unlinks of a
real run are recorded under `strace` and replayed; after each of them, every state that the disk may be
left in is laid out and looked at with the real reader and the real plan, and of all those states a sample
is gone on with by the real command line.

No acknowledged event may be lost, nothing may be bought twice or lost, and no torn file may lie under a
final name. Three controls show that the proof can fail: the same recording without its syncs, without the
syncs of its folders, and downloads gone on with as if there had been no reboot.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.system import boot_id
from tests.proofs.disk_model import Disk
from tests.proofs.disk_recording import Asked, Made, Synced
from tests.proofs.figures import tell, words
from tests.proofs.power_cut_campaign import calm, record
from tests.proofs.power_cut_checks import Checker, Promises
from tests.proofs.power_cut_restarts import collected, restart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.proofs.disk_model import Tree
    from tests.proofs.disk_recording import Operation
    from tests.proofs.power_cut_campaign import Recording

_NONE_OF = ("events_lost", "bought_twice", "tasks_lost", "torn_files", "torn_manifests", "refused")
_NONE_AFTER = ("charged_twice", "lost", "torn_files", "not_home")


@dataclass(frozen=True)
class State:
    """A tree that the power cut after `done` operations may leave."""

    done: int
    tree: Tree


def states(
    operations: Sequence[Operation | None], seed: int, samples: int, every: int = 1
) -> Iterator[State]:
    """Each state once for each thing promised meanwhile; `every` how manieth operation is looked at."""
    disk, chance = Disk(), random.Random(seed)
    for done, operation in enumerate(operations, start=1):
        if operation is not None:
            disk.take(operation)
        if done % every == 0:
            for tree in disk.states(chance, samples):
                yield State(done, tree)


class Cuts:
    """One recording, and all that is done with it in one folder."""

    def __init__(self, folder: Path, recording: Recording, seed: int, samples: int) -> None:
        self.recording = recording
        self.promises = Promises(recording)
        self._seed, self._samples = seed, samples
        (folder / "state").mkdir()
        self._checker = Checker(recording, self.promises, folder / "state")

    def look(self, operations: Sequence[Operation | None] | None = None, every: int = 1) -> dict[str, int]:
        """All states of the recording, or of one that it was made into."""
        found: Counter[str] = Counter(states=0, in_doubt_at_most=0, **dict.fromkeys(_NONE_OF, 0))
        seen = set()
        for state in self.states(operations, every):
            found["states"] += 1
            key = (frozenset(state.tree.items()), self.promises.owed(state.done))
            if key in seen:
                continue
            seen.add(key)
            losses = asdict(self._checker.check(state.tree, state.done))
            doubts = losses.pop("in_doubt")
            found.update(losses)
            found["in_doubt_at_most"] = max(found["in_doubt_at_most"], doubts)
        return {**found, "different_states": len(seen)}

    def states(self, operations: Sequence[Operation | None] | None = None, every: int = 1) -> Iterator[State]:
        used = self.recording.operations if operations is None else operations
        return states(used, self._seed, self._samples, every)

    def collect(self, boot: str, most: int) -> dict[str, int]:
        """Different states with a part gone on with, and files that came home torn or not at all."""
        with_parts = {
            frozenset(item for item in state.tree.items() if item[0].startswith("outputs/")): state
            for state in self.states()
            if any(path.startswith("outputs/") and path.endswith(".part") for path in state.tree)
        }
        chosen = list(with_parts.values())
        random.Random(self._seed).shuffle(chosen)
        found = {"states": len(chosen[:most]), "torn_files": 0, "not_home": 0}
        with calm(self.recording.store, self.recording.url):
            for state in chosen[:most]:
                with tempfile.TemporaryDirectory() as name:
                    Checker(self.recording, self.promises, Path(name)).lay_out(state.tree)
                    torn, missing = collected(self.recording, state.tree, Path(name), boot)
                found["torn_files"] += torn
                found["not_home"] += missing
        return found

    def restart(self, count: int) -> dict[str, int]:
        """A sample of states, each from another part of the recording."""
        found: Counter[str] = Counter(dict.fromkeys((*_NONE_AFTER, "in_doubt"), 0))
        every = list(self.states())
        chance = random.Random(self._seed)
        for number in range(count):
            share = len(every) // count
            state = every[number * share + chance.randrange(share)]
            found.update(asdict(restart(self.recording, self.promises, state.tree, state.done)))
        return {"restarts": count, **found}

    def controls(self, every: int, most: int) -> dict[str, dict[str, int]]:
        """What the same checks find where something was left out."""
        operations = self.recording.operations
        folders = {0, *(op.file for op in operations if isinstance(op, Made) and op.is_folder)}
        unsynced = [None if isinstance(op, Synced) else op for op in operations]
        nameless = [None if isinstance(op, Synced) and op.file in folders else op for op in operations]
        return {
            "without any sync": self.look(unsynced, every),
            "without syncs of folders": self.look(nameless, every),
            "downloads gone on with after a reboot": self.collect(boot_id(), most),
        }


def proof(
    folder: Path, *, jobs: int, seed: int, samples: int, restarts: int, every: int, most: int
) -> tuple[dict[str, Any], bool]:
    """Figures, and whether they are as promised. `most`: states whose downloads are gone on with."""
    started = time.monotonic()
    recording = record(folder, jobs)
    cuts = Cuts(folder, recording, seed, samples)
    found = cuts.look()
    downloads = cuts.collect("after the cut", most)
    again = cuts.restart(restarts)
    controls = cuts.controls(every, most)
    figures = {
        "operations": len(recording.operations),
        "syncs": sum(isinstance(op, Synced) for op in recording.operations),
        "creates": sum(isinstance(op, Asked) for op in recording.operations),
        "charged": len(recording.charges),
        "events": cuts.promises.events,
        **found,
        "downloads": downloads,
        "restarts": again,
        "controls": controls,
        "seed": seed,
        "seconds": round(time.monotonic() - started),
    }
    return figures, _is_well(figures)


def _is_well(figures: dict[str, Any]) -> bool:
    kept = not any(figures[name] for name in _NONE_OF)
    kept = kept and not any(figures["restarts"][name] for name in _NONE_AFTER)
    kept = kept and not any(figures["downloads"][name] for name in ("torn_files", "not_home"))
    unsynced, nameless, rebooted = figures["controls"].values()
    can_fail = (
        all(unsynced[name] for name in ("events_lost", "bought_twice", "tasks_lost", "torn_files"))
        and nameless["events_lost"]
        and rebooted["torn_files"]
    )
    return kept and bool(can_fail)


def main() -> None:
    parser = words(__doc__)
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--samples", type=int, default=40, help="random states after each operation")
    parser.add_argument("--restarts", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    command = f"python -m tests.proofs.power_cut --jobs {given.jobs} --samples {given.samples}"
    command += f" --restarts {given.restarts} --seed {given.seed}"
    with tempfile.TemporaryDirectory() as folder:
        figures, well = proof(
            Path(folder),
            jobs=given.jobs,
            seed=given.seed,
            samples=given.samples,
            restarts=given.restarts,
            every=10,
            most=300,
        )
    raise SystemExit(tell("power_cut", command, figures, well=well, record=given.record))


if __name__ == "__main__":
    main()
