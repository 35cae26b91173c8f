"""The world opened for a verb that talks to the API: adapters made, handed over, closed.

In: a workspace. Out: an `Opened`, inside an async context. Touches: the network, or the sandbox in
process; secrets are handed from the system adapter straight to the API's.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.kie.client import KieApi
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.adapters.system import Secret, api_key, webhook_key
from kiejobs.app.project import SANDBOX_BASE
from kiejobs.core.diagnostics import SpendingStopped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from kiejobs.adapters.kie.uploads import KieUploads
    from kiejobs.app.project import Workspace


@dataclass(frozen=True, slots=True)
class Opened:
    """What talks to the world. `uploads` where there is a folder to upload from."""

    api: KieApi
    artifacts: FileArtifacts
    uploads: KieUploads | None


def require_key(space: Workspace) -> Secret:
    """The key, or SpendingStopped; a rehearsal needs none."""
    if space.sandbox:
        return Secret("sandbox")
    key = api_key()
    if not key:
        hint = "export KIE_API_KEY=…, or add --sandbox to rehearse at no cost"
        raise SpendingStopped("KIE_API_KEY is not set", hint=hint)
    if not is_sendable(key):
        raise SpendingStopped("KIE_API_KEY holds characters that no key has")
    return key


def is_sendable(key: Secret) -> bool:
    """Can it stand in an HTTP header?"""
    return key.value.isascii() and key.value.isprintable()


@asynccontextmanager
async def opened(
    space: Workspace, key: Secret, *, calls_back: bool = False, folder: Path | None = None
) -> AsyncIterator[Opened]:
    """The API and the artifact store of this workspace, for the length of a run.

    `calls_back`: a rehearsal's API is to send its callbacks, too. `folder`: the job file's, whose local
    files may be uploaded.
    """
    transport = _rehearsal(space, calls_back=calls_back) if space.sandbox else None
    rule = await _host_rule(space)
    api = KieApi(space.base, key, transport=transport)
    artifacts = FileArtifacts(space.folder, rule, transport)
    uploads = None if folder is None else _uploads(space, key, folder, transport)
    try:
        yield Opened(api, artifacts, uploads)
    finally:
        if uploads is not None:
            await uploads.close()
        await api.close()
        await artifacts.close()


def _uploads(
    space: Workspace, key: Secret, folder: Path, transport: httpx.AsyncBaseTransport | None
) -> KieUploads:
    from kiejobs.adapters.kie.uploads import KieUploads  # noqa: PLC0415 - only a run uploads
    from kiejobs.adapters.project.local_files import LocalFolder  # noqa: PLC0415 - as above

    return KieUploads(space.upload_base, key, LocalFolder(folder), transport=transport)


async def _host_rule(space: Workspace) -> AddressRule:
    """A rehearsal's results come from nowhere; the others from where the policy lets them."""
    if space.sandbox:
        return AddressRule(private_too=True)
    return replace(await AddressRule.for_base(space.base), only=space.policy.hosts)


def _rehearsal(space: Workspace, *, calls_back: bool) -> httpx.AsyncBaseTransport:
    """The sandbox instead of a network, its memory beside the journals."""
    from kiejobs.adapters.sandbox import InProcess, make_sandbox  # noqa: PLC0415 - a tenth of the time to start

    app = make_sandbox(
        space.sandbox_folder,
        space.speed,
        space.faults,
        base_url=SANDBOX_BASE,
        webhook_key=webhook_key(),
        calls_back=calls_back,
    )
    return InProcess(app)
