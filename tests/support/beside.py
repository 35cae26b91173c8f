"""Files beside a job file, held in memory, as the core asks for them.

In: texts by their paths. Out: `Beside`, which answers as a folder would. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.document.nodes import Source

if TYPE_CHECKING:
    from collections.abc import Mapping


class Beside:
    """`read_names` are those that were asked for."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
        self.read_names: list[str] = []

    def read(self, name: str, most: int) -> Source | tuple[str, str | None]:
        self.read_names.append(name)
        data = self._files.get(name)
        if data is None:
            return f"can't read `{name}`: No such file or directory", None
        return Source(name, data) if len(data) <= most else (f"`{name}` is too large", None)

    def entries(self, folder: str, pattern: str) -> tuple[list[str], list[str]]:
        del pattern
        below = [name.removeprefix(folder) for name in self._files if name.startswith(folder)]
        files = [name for name in below if "/" not in name]
        return files, sorted({name.partition("/")[0] for name in below if "/" in name})
