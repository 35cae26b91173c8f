"""`-o FILE`, as often as wanted: what else to write beside stdout, in the format of its ending.

In: names of files. Out: formats by path; files that are whole or not there. Touches: disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.storage.durable import write_atomically
from kiejobs.core.diagnostics import UsageProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_BY_ENDING = {
    ".json": "json",
    ".sarif": "sarif",
    ".md": "markdown",
    ".xml": "junit",
    ".txt": "text",
}


def files_by_ending(
    names: Sequence[str], forms: Collection[str], read: Collection[str] = ()
) -> list[tuple[Path, str]]:
    """Each file with its format. Say so before the work is done: raises UsageProblem.

    `forms` are those that the verb knows, `read` the files that it reads and must not write over.
    """
    kept = {Path(name).resolve() for name in read}
    found = []
    for name in names:
        form = _BY_ENDING.get(Path(name).suffix, "")
        if form not in forms:
            endings = [ending for ending, known in _BY_ENDING.items() if known in forms]
            known = f"{', '.join(endings[:-1])} or {endings[-1]}"
            raise UsageProblem(f"--out {name}: the ending must be {known}")
        if Path(name).resolve() in kept:
            raise UsageProblem(f"--out {name}: that is the job file, and would be written over")
        found.append((Path(name), form))
    return found


def write(path: Path, text: str) -> None:
    """Raises UsageProblem where the disk refuses."""
    try:
        write_atomically(path, text.encode(errors="backslashreplace"))
    except OSError as error:
        raise UsageProblem(f"can't write {path}: {error.strerror or error}") from error
