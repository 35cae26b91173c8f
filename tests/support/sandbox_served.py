"""A sandbox on a port, in a thread; and what its store says was charged."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kiejobs.adapters.server import open_socket, sandbox_server, url_of
from kiejobs.sandbox.tasks import task_of_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kiejobs.sandbox.app import Sandbox
    from kiejobs.sandbox.tasks import Task


@contextmanager
def serving(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Served for as long as the block lasts; gives the address."""
    with open_socket(host, port) as sock:
        started = threading.Event()
        server = sandbox_server(sandbox, sock, lambda _: started.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            started.wait()
            yield url_of(sock)
        finally:
            server.should_exit = True
            thread.join()


def read_charges(store: Path) -> list[Task]:
    """All tasks ever accepted in this store, in order; empty where nothing was. Only reads."""
    path = store / "charges.jsonl"
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return list(filter(None, map(task_of_line, lines)))
