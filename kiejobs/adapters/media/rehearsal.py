"""The results of a rehearsal as cards, drawn when they are first asked for.

In: the sandbox, one of its tasks. Out: the file. Touches: `cards/` in the sandbox's folder; uploads, by reading; the
process that draws.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.adapters.media.process import media_process
from kiejobs.core.document.nodes import texts_in
from kiejobs.core.fingerprint import canonical, fingerprint
from kiejobs.core.ledger.uploads import as_sent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from kiejobs.sandbox.app import Sandbox
    from kiejobs.sandbox.tasks import Task

    Addresses: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Cards:
    """Draws results, each once: a card is kept under the digest of all that is on it.

    The n-th task of a request is its n-th take, and `addresses` has those of its takes in order.
    """

    folder: Path
    addresses: Addresses

    def __call__(self, sandbox: Sandbox, task: Task, media_type: str, number: int) -> bytes | None:
        """The file; None for what is neither picture nor video, and where it can't be drawn."""
        if not media_type.startswith(("video/", "image/")):
            return None
        card = {**self._about(sandbox, task), "media_type": media_type, "number": number}
        drawn_by = f"{version('av')} {version('pillow')}".encode()
        name = hashlib.sha256(canonical({**card, "pictures": list(card["pictures"])}) + drawn_by).hexdigest()
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            paths = {ref: str(Path(picture).absolute()) for ref, picture in card["pictures"].items()}
            answer = media_process().ask("draw", {**card, "pictures": paths, "path": str(part.absolute())})
            if "error" in answer:
                part.unlink(missing_ok=True)
                return None
            part.replace(path)
        return path.read_bytes()

    def _about(self, sandbox: Sandbox, task: Task) -> dict[str, Any]:
        """The request with references to uploads in the place of their addresses, as it is on record."""
        refs: dict[str, str] = {}
        pictures: dict[str, str] = {}
        for url in texts_in(dict(task.input)) if b"/uploads/" in canonical(dict(task.input)) else ():
            upload = sandbox.upload_at(url)
            if upload is not None:
                refs[url] = f"sha256:{upload[0]}"
                pictures[refs[url]] = str(upload[1])
        request = as_sent(dict(task.input), refs)
        tasks = list(sandbox.charges.tasks.values())
        same = [one.task_id for one in tasks if (one.input, one.model) == (task.input, task.model)]
        takes = self.addresses.get(fingerprint(task.model, request), ())
        take = same.index(task.task_id) % (len(takes) or 1)
        return {
            "model": task.model,
            "input": request,
            "address": takes[take] if takes else None,
            "take": take + 1,
            "pictures": pictures,
        }
