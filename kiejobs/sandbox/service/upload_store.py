"""What was uploaded, on the store's shelf for a day.

In: paths, bytes, moments. Out: the bytes again, until they have expired; `uploads.jsonl`, a line for each
upload. Touches that log and `uploads/` in the store: the bytes of each upload under their own hash, and a
note for each path. A later upload to a path takes its place. Processes may share a store: a note is
renamed into place after its bytes, so it is whole.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING

from kiejobs.sandbox.service.content import Content

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 24 * 3600.0  # seconds (documented)


class UploadStore:
    """Uploads by path. Born with the first of them."""

    def __init__(self, store: Path) -> None:
        self._folder = store / "uploads"
        self._log = store / "uploads.jsonl"

    def put(self, path: str, content: Content, now: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(content.data).hexdigest()
        note = {"path": path, "at": now, "media_type": content.media_type, "sha256": digest}
        self._write(digest, content.data)
        self._write(_note_name(path), json.dumps(note).encode())
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(note) + "\n")

    def get(self, path: str, now: float) -> Content | None:
        """None for what never was, or is there no more."""
        try:
            note = json.loads((self._folder / _note_name(path)).read_bytes())
        except FileNotFoundError:
            return None
        if now >= note["at"] + KEPT:
            return None
        return Content(note["media_type"], (self._folder / note["sha256"]).read_bytes())

    def _write(self, name: str, data: bytes) -> None:
        partial = self._folder / f"{uuid.uuid4().hex}.part"
        partial.write_bytes(data)
        partial.replace(self._folder / name)


def _note_name(path: str) -> str:
    """Paths are whatever a client says; their hashes are names that lead nowhere else."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest() + ".json"
