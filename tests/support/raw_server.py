"""A server that does to a connection what no HTTP library would let it do.

In: a script, called with each connection once its request is read. Out: an address, and the requests
that came in. Plain sockets, one thread a connection.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Wire:
    """One connection with its request read. `over` is set when the test is."""

    head: str
    body: bytes
    sock: socket.socket
    over: threading.Event

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, body: bytes, status: str = "200 OK", *more: str) -> None:
        length = f"Content-Length: {len(body)}"
        lines = [f"HTTP/1.1 {status}", length, "Connection: close", *more, "", ""]
        self.send("\r\n".join(lines).encode() + body)

    def reset(self) -> None:
        """Close so that the other side sees a reset, not an end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass
class RawServer:
    """Where it listens, and what it has read so far. `connected` is set by the first connection."""

    url: str
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    connected: threading.Event = field(default_factory=threading.Event)


@contextmanager
def raw_server(script: Callable[[Wire], None]) -> Iterator[RawServer]:
    """Serve for as long as the block lasts."""
    over = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = RawServer(f"http://127.0.0.1:{listening.getsockname()[1]}")

        def accept() -> None:
            while not over.is_set():
                try:
                    sock, _ = listening.accept()
                except OSError:
                    return
                server.connections += 1
                server.connected.set()
                thread = threading.Thread(target=_serve, args=(sock, server, script, over))
                threads.append(thread)
                thread.start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def _serve(
    sock: socket.socket,
    server: RawServer,
    script: Callable[[Wire], None],
    over: threading.Event,
) -> None:
    with sock, contextlib.suppress(OSError, ValueError):
        sock.settimeout(10)
        data = b""
        while b"\r\n\r\n" not in data:
            data += _more(sock)
            if data.startswith(b"\x16"):
                return  # somebody offers TLS
        head, _, body = data.partition(b"\r\n\r\n")
        text = head.decode() + "\r\n"
        while len(body) < _length(text):
            body += _more(sock)
        server.requests.append((text, body))
        script(Wire(text, body, sock, over))


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("the client went away")
    return data


def _length(head: str) -> int:
    lines = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
    return int(lines[0].partition(":")[2]) if lines else 0


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port
