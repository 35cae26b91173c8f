"""Where callbacks come in, for `listen` and `run --listen`.

In: host, port, the URL that leads there from outside. Out: an open receiver and the URL that creates
are to carry. Touches: a listening socket, the environment through the system adapter.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from kiejobs.adapters.system import webhook_key
from kiejobs.core.diagnostics import SpendingStopped, UsageProblem, needs_extra
from kiejobs.core.plan.policy import refused_callback
from kiejobs.core.urls import private_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.app.options import ListenAddress
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.ports import Callbacks

_BETWEEN_READINGS = 2.0  # seconds


@contextmanager
def listening(
    ear: ListenAddress | None, public_url: str | None, space: Workspace, screen: Screen
) -> Iterator[tuple[str | None, Callbacks | None]]:
    """The URL that creates carry, and what hears callbacks, None where that is elsewhere. Raises UsageProblem."""
    path = _path(public_url)
    if ear is None:
        if public_url is not None:
            _require_reachable(public_url, space)
        yield public_url, None
        return
    with needs_extra("serve", "listening needs", "; without it polling does the same, only later"):
        from kiejobs.adapters.callbacks import Receiver  # noqa: PLC0415 - not always there
    key = webhook_key()
    with Receiver(ear.host, ear.port, path=path, key=key, clock=space.clock()) as receiver:
        url = public_url or receiver.url
        _require_reachable(url, space)
        screen.note(f"listening at {receiver.url} for callbacks to {url}")
        if not key:
            unset = "KIE_WEBHOOK_HMAC_KEY is not set"
            screen.note(f"{unset}: callbacks are accepted unsigned, as hints only")
        try:
            yield url, receiver
        finally:
            for why, count in sorted(receiver.turned.items()):
                screen.note(f"rejected: {count} callback{'' if count == 1 else 's'}: {why}")


def require_allowed(url: str, space: Workspace) -> None:
    """`--public-url` too keeps to the policy's hosts. Raises SpendingStopped. A rehearsal calls nobody."""
    for policy in space.policy.layers if space.policy and not space.sandbox else ():
        if message := refused_callback(policy, url):
            raise SpendingStopped(f"policy callback_hosts ({policy.file}): {message}; nothing was bought")


def _path(public_url: str | None) -> str:
    if public_url is None:
        return "/"
    from kiejobs.core.ledger.callbacks import path_of  # noqa: PLC0415 - behind a URL

    path = path_of(public_url)
    if path is None:
        hint = "e.g. https://hooks.example.com/kiejobs"
        raise UsageProblem(f"not a valid URL for callbacks: {public_url}", hint=hint)
    return path


def _require_reachable(url: str, space: Workspace) -> None:
    """An API out in the world can't call this machine by its own names for itself."""
    if private_host(url) is not None and private_host(space.base) is None:
        leads = "use the public URL of a tunnel or reverse proxy to this port"
        hint = f"--public-url https://…: {leads}"
        raise UsageProblem(f"{space.origin} can't call {url}", hint=hint)


class LedgerReader:
    """All journals folded again, but not more often than every two seconds: a burst shares one reading.

    It begins after the question: a callback comes once, and one held against an older reading would be lost.
    """

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._clock = space.clock()
        self._turn = anyio.Lock()
        self._ledger: Ledger | None = None
        self._read_at = 0.0

    async def __call__(self) -> Ledger:
        asked = self._clock.monotonic()
        async with self._turn:
            if self._ledger is None or self._read_at <= asked:
                if self._ledger is not None:
                    age = self._clock.monotonic() - self._read_at
                    await self._clock.sleep(max(_BETWEEN_READINGS - age, 0))
                self._read_at = self._clock.monotonic()
                self._ledger = await anyio.to_thread.run_sync(self._space.ledger)
            return self._ledger
