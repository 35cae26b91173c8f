"""What a disk may hold after a power cut.

In: operations as recorded. Out: trees, `{path: bytes}`, each of them a state that the folder may be found
in. Touches nothing.

The disk is as bad as POSIX lets it be. What was synced is there: a file's data after its own fsync, a name
after an fsync of its folder. Of all that came later any part may be there, in any order: a name without
the data, the data without the name, a write without the one before it, a part of a write, or its length
alone with zeros or garbage for data. Only a rename is atomic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from tests.proofs.disk_recording import ROOT, Asked, Cut, Made, Removed, Renamed, Synced, Wrote

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence

    from tests.proofs.disk_recording import Operation

Tree: TypeAlias = "dict[str, bytes | None]"
"""What lies where, relative; None for a folder."""

_SECTOR = 512
_NO_LINE_BREAK = bytes(byte for byte in range(256) if byte not in b"\r\n")


@dataclass(frozen=True, slots=True)
class Names:
    """A change in a folder: names given to files, or to nothing."""

    folder: int
    given: tuple[tuple[str, int | None], ...]


Change: TypeAlias = Names | Wrote | Cut


class Disk:
    """What is durable, and what is not yet."""

    def __init__(self) -> None:
        self._folders: dict[int, dict[str, int]] = {ROOT: {}}
        self._data: dict[int, bytes] = {}
        self.pending: list[Change] = []

    def take(self, operation: Operation) -> None:
        match operation:
            case Made(file, folder, name, is_folder):
                self._be_made(file, is_folder=is_folder)
                self.pending.append(Names(folder, ((name, file),)))
            case Renamed(file, folder, old, new):
                self.pending.append(Names(folder, ((old, None), (new, file))))
            case Removed(folder, name):
                self.pending.append(Names(folder, ((name, None),)))
            case Wrote() | Cut():
                self.pending.append(operation)
            case Synced(file):
                self._sync(file)
            case Asked():
                pass

    def _be_made(self, file: int, *, is_folder: bool) -> None:
        if is_folder:
            self._folders[file] = {}
        else:
            self._data[file] = b""

    def _sync(self, file: int) -> None:
        due = [change for change in self.pending if _of(change) == file]
        _apply(due, self._folders, self._data)
        self.pending = [change for change in self.pending if _of(change) != file]

    def tree(self, kept: Sequence[Change]) -> Tree:
        """The tree if of all that was pending these changes had arrived."""
        folders = {number: dict(names) for number, names in self._folders.items()}
        data = dict(self._data)
        _apply(kept, folders, data)
        return dict(_walk(ROOT, "", folders, data))

    def states(self, chance: random.Random, samples: int) -> Iterator[Tree]:
        """Nothing arrived, all of it did, names or data alone, the last write torn, and a sample."""
        pending = self.pending
        yield self.tree([])
        if not pending:
            return
        yield self.tree(pending)
        yield self.tree([change for change in pending if isinstance(change, Names)])
        yield self.tree([change for change in pending if not isinstance(change, Names)])
        yield from self._torn_ends(chance)
        for _ in range(samples):
            yield self.tree(list(_some_of(pending, chance)))

    def _torn_ends(self, chance: random.Random) -> Iterator[Tree]:
        writes = [change for change in self.pending if isinstance(change, Wrote)]
        if not writes:
            return
        last = writes[-1]
        for torn in ways_to_tear(last, chance):
            yield self.tree([torn if change is last else change for change in self.pending])
        names = [change for change in self.pending if isinstance(change, Names)]
        for torn in ways_to_tear(last, chance):
            yield self.tree([*names, torn])


def ways_to_tear(write: Wrote, chance: random.Random) -> list[Wrote]:
    """Parts of a write, and its length without its data."""
    data, size = write.data, len(write.data)
    places = sorted({1, chance.randrange(size), size // 2, size - 1} - {0, size})
    found = [data[:place] for place in places]
    found += [data[:place] + bytes(size - place) for place in places]
    found += [bytes(size), bytes(chance.choices(_NO_LINE_BREAK, k=size))]
    border = _SECTOR - write.offset % _SECTOR
    if border < size:  # a later sector arrived, an earlier one did not
        found.append(bytes(border) + data[border:])
    return [replace(write, data=torn) for torn in found]


def _some_of(pending: Sequence[Change], chance: random.Random) -> Iterator[Change]:
    likely = chance.choice((0.2, 0.5, 0.8))
    for change in pending:
        if chance.random() >= likely:
            continue
        if isinstance(change, Wrote) and chance.random() < 0.3:
            yield chance.choice(ways_to_tear(change, chance))
        else:
            yield change


def _of(change: Change) -> int:
    return change.folder if isinstance(change, Names) else change.file


def _apply(changes: Sequence[Change], folders: dict[int, dict[str, int]], data: dict[int, bytes]) -> None:
    for change in changes:
        match change:
            case Names(folder, given):
                for name, file in given:
                    if file is None:
                        folders[folder].pop(name, None)
                    else:
                        folders[folder][name] = file
            case Wrote(file, offset, written):
                before = data[file][:offset].ljust(offset, b"\0")
                data[file] = before + written + data[file][offset + len(written) :]
            case Cut(file, size):
                data[file] = data[file][:size].ljust(size, b"\0")


def _walk(
    folder: int, path: str, folders: Mapping[int, Mapping[str, int]], data: Mapping[int, bytes]
) -> Iterator[tuple[str, bytes | None]]:
    for name, file in folders[folder].items():
        if file in folders:
            yield path + name, None
            yield from _walk(file, f"{path}{name}/", folders, data)
        else:
            yield path + name, data[file]
