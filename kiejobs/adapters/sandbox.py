"""The sandbox made ready, and spoken to without a socket: how `--sandbox` answers.

In: a folder, a speed, a fault file's name; httpx requests. Out: the ASGI app; httpx responses. Touches:
schemas, prices and the fault file, by reading; the folder; the process that draws cards.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from kiejobs.adapters.media.process import has_media, media_process
from kiejobs.adapters.project.files import read_schema, read_source
from kiejobs.adapters.project.models import ModelFiles, required_prices
from kiejobs.core.diagnostics import InvalidJobFile, Problems
from kiejobs.core.fingerprint import canonical, fingerprint
from kiejobs.core.ledger.uploads import as_sent
from kiejobs.sandbox.app import Sandbox, post_callback
from kiejobs.sandbox.asgi import ConnectionLost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from kiejobs.adapters.project.root import Root
    from kiejobs.adapters.system import Secret
    from kiejobs.sandbox.faults import Faults
    from kiejobs.sandbox.tasks import Task

    Addresses: TypeAlias = Mapping[str, Sequence[str]]


class InProcess(httpx.ASGITransport):
    """A transport that hands each request to an ASGI app, and announces the write as httpcore does.

    So a rehearsal reserves at the same point as a purchase; and a dropped connection is one here.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trace = request.extensions.get("trace")
        if trace is not None:
            await trace("http11.send_request_headers.started", {})
        try:
            return await super().handle_async_request(request)
        except ConnectionLost as lost:
            raise httpx.ReadError("", request=request) from lost


def make_sandbox(
    store: Path,
    speed: float,
    fault_file: str | None,
    *,
    credits_: Decimal = Decimal(10_000),
    webhook_key: Secret | None = None,
    calls_back: bool = False,
    root: Root | None = None,
) -> Sandbox:
    """`calls_back`: callbacks are sent from in process, too; on a port they always are.

    Raises InvalidJobFile where the fault file or the project's prices have problems, UsageProblem where
    one can't be read.
    """
    return Sandbox(
        ModelFiles(root),
        store,
        speed=speed,
        faults=None if fault_file is None else required_faults(fault_file),
        credits=credits_,
        prices=required_prices(root),
        webhook_key=webhook_key.value if webhook_key else None,
        send_callback=post_callback if calls_back else None,
    )


def with_cards(sandbox: Sandbox, addresses: Addresses) -> Sandbox:
    """Its results are cards, where the extra `media` is installed; `addresses` are theirs, by fingerprint."""
    if has_media():
        sandbox.draw = Cards(sandbox.store / "cards", addresses)
    return sandbox


def required_faults(file: str) -> Faults:
    """Raises InvalidJobFile with all that is wrong with it, UsageProblem where it can't be read."""
    from kiejobs.sandbox.faults import read_faults  # noqa: PLC0415 - only where there are faults

    source = read_source(file)
    faults, problems = read_faults(source, read_schema("faults.schema.json"))
    if faults is None:
        raise InvalidJobFile(Problems(problems, {file: source.lines}))
    return faults


# --- cards ------------------------------------------------------------------------------------------


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
        path = self.folder / f"{name}.{media_type.partition('/')[2]}"
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
        for url in _texts(list(task.input.values())) if b"/uploads/" in canonical(dict(task.input)) else ():
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


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []
