"""HTTP/1.1 over plain sockets for the judge's server: one thread a connection, kept alive.

In: a function from requests to replies. Out: a listening address. A reply may be cut short, dropped or
reset, which no HTTP library would let a server do.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Request:
    """`headers` by lower-case name; `at` in monotonic seconds, when its last byte had come."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass(frozen=True)
class Reply:
    """`sent` bytes of the body leave before the connection closes, where that is not None.

    `after` says what becomes of the connection without any reply: `drop` or `reset`.
    """

    body: bytes = b""
    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None
    after: str = ""
    raw: bytes | None = None


DROP = Reply(after="drop")
RESET = Reply(after="reset")


class Wire:
    """Listens from its making until `close`."""

    def __init__(self, answer: Callable[[Request], Reply], port: int = 0) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            sock.settimeout(60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            with sock, contextlib.suppress(OSError):
                stream = sock.makefile("rb")
                with stream:
                    while (request := _read(stream)) is not None:
                        if not _write(sock, request, self._answer(request)):
                            return
        finally:
            self._open.discard(sock)


def _read(stream: object) -> Request | None:
    """The next request; None at the connection's end."""
    line = stream.readline()  # type: ignore[attr-defined]
    if not line.strip():
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (text := stream.readline().decode("latin-1").strip()) != "":  # type: ignore[attr-defined]
        name, _, value = text.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))  # type: ignore[attr-defined]
    if len(body) < int(headers.get("content-length", "0")):
        return None  # the client died in the middle
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query))
    return Request(method, parts.path, query, headers, body, time.monotonic())


def _write(sock: socket.socket, request: Request, reply: Reply) -> bool:
    """Send it; whether the connection goes on."""
    if reply.after == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if reply.after:
        return False
    if reply.raw is not None:
        sock.sendall(reply.raw)
        return False
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    sock.sendall(f"HTTP/1.1 {reply.status}\r\n{head}\r\n".encode() + reply.body[: reply.sent])
    return reply.sent is None and request.headers.get("connection", "").lower() != "close"
