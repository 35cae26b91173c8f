"""The sandbox made ready, and spoken to without a socket: how `--sandbox` answers.

In: a folder, a speed, a fault file's name; httpx requests. Out: the ASGI app; httpx responses. Touches:
schemas, prices and the fault file, by reading; the folder; the process that draws cards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from kiejobs.adapters.media.installed import HAS_MEDIA
from kiejobs.adapters.project.files import read_schema, read_source
from kiejobs.adapters.project.models import ModelFiles, required_prices
from kiejobs.core.diagnostics import InvalidJobFile, Problems
from kiejobs.sandbox.app import Sandbox, post_callback
from kiejobs.sandbox.asgi import ConnectionLost
from kiejobs.sandbox.jobs import PLENTY

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from kiejobs.adapters.media.rehearsal import Addresses
    from kiejobs.adapters.project.root import Root
    from kiejobs.adapters.system import Secret
    from kiejobs.sandbox.faults import Faults


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
    credits_: Decimal | None = None,
    webhook_key: Secret | None = None,
    calls_back: bool = False,
    root: Root | None = None,
) -> Sandbox:
    """`calls_back`: callbacks are sent from in process, too; on a port they always are. The account begins with
    `credits_`, whatever was spent there before.

    Raises InvalidJobFile where the fault file or the project's prices have problems, UsageProblem where
    one can't be read.
    """
    return Sandbox(
        ModelFiles(root),
        store,
        speed=speed,
        faults=None if fault_file is None else required_faults(fault_file),
        credits=PLENTY if credits_ is None else credits_,
        refills=True,
        prices=required_prices(root),
        webhook_key=webhook_key.value if webhook_key else None,
        send_callback=post_callback if calls_back else None,
    )


def with_cards(sandbox: Sandbox, addresses: Addresses) -> Sandbox:
    """Its results are cards, where the extra `media` is installed; `addresses` are theirs, by fingerprint."""
    if HAS_MEDIA:
        from kiejobs.adapters.media.rehearsal import Cards  # noqa: PLC0415 - where they can be drawn

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
