"""A small TCP proxy between a client and a server, which does to a connection what it is told to.

In: the real server's address, a script for the next connections. Out: an address to connect to, and the
requests that came. Plain sockets, a thread a connection; it knows of HTTP only where messages end.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE = 20.0  # seconds; only a mistake of ours takes that long


@dataclass
class Line:
    """One client's connection, and the way to the server behind it."""

    sock: socket.socket
    server: tuple[str, int]
    over: threading.Event
    seen: list[bytes]

    def request(self) -> bytes:
        """The client's next request, whole."""
        request = _message(self.sock)
        self.seen.append(request)
        return request

    def taken(self, count: int) -> bytes:
        """So many bytes of what the client says."""
        taken = b""
        while len(taken) < count:
            taken += _more(self.sock, count - len(taken))
        return taken

    def asked(self, request: bytes) -> bytes:
        """What the server answers to it, whole."""
        with self._upstream() as upstream:
            upstream.sendall(request)
            return _message(upstream)

    def leave_with(self, request: bytes) -> None:
        """Hand these bytes to the server and leave, which it sees as a reset."""
        with self._upstream() as upstream:
            upstream.sendall(request)
            _make_it_a_reset(upstream)

    def relay(self, most: int, bent: int = -1) -> int:
        """Carry bytes both ways until so many have come back, or one side ends; how many it were.

        The byte `bent` of them has one bit turned.
        """
        back = 0
        with self._upstream() as upstream, contextlib.suppress(ConnectionError):
            while back < most and not self.over.is_set():
                ready, _, _ = select.select([self.sock, upstream], [], [], _PATIENCE)
                if self.sock in ready:
                    upstream.sendall(_more(self.sock))
                if upstream in ready:
                    answer = bytearray(_more(upstream, most - back))
                    if 0 <= bent - back < len(answer):
                        answer[bent - back] ^= 1
                    self.say(answer)
                    back += len(answer)
        return back

    def say(self, data: bytes | bytearray) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, pause: float) -> None:
        """One byte, then so many seconds of nothing, and so on."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            self.say(bytes([byte]))
            if self.over.wait(pause):
                return

    def silence(self) -> None:
        """Neither a word nor an end, until the client has left."""
        with contextlib.suppress(OSError):
            while not self.over.is_set() and self.sock.recv(65536):
                pass

    def end(self) -> None:
        """A FIN, and nothing that could turn it into a reset: what the client still says is read."""
        self.sock.shutdown(socket.SHUT_WR)
        self.silence()

    def reset(self) -> None:
        _make_it_a_reset(self.sock)
        self.sock.close()

    def _upstream(self) -> socket.socket:
        return socket.create_connection(self.server, timeout=_PATIENCE)


Script: TypeAlias = "Callable[[Line], None]"


def calm(line: Line) -> None:
    """As a good proxy does it."""
    line.say(line.asked(line.request()))
    line.end()


@dataclass
class Proxy:
    """Where it listens. `script` is what it does to the connections from now on."""

    port: int
    script: Script = calm
    seen: list[bytes] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    knocks: dict[int, threading.Event] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settle(self) -> None:
        """Until all that it had under way has ended; only then is the server's log complete.

        Connections are taken in turn: when our own knock is heard, all before it have been.
        """
        with socket.socket() as knock:
            knock.bind(("127.0.0.1", 0))
            heard = self.knocks[knock.getsockname()[1]] = threading.Event()
            knock.connect(("127.0.0.1", self.port))
            heard.wait(_PATIENCE)
        self.join()

    def join(self) -> None:
        while self.threads:
            self.threads.pop().join()


@contextmanager
def proxying(server_url: str) -> Iterator[Proxy]:
    """Between clients and the server at this URL, for as long as the block lasts."""
    address = urlsplit(server_url)
    server = (address.hostname or "", address.port or 80)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        proxy = Proxy(listening.getsockname()[1])
        accepting = threading.Thread(target=_accept, args=(listening, server, proxy, over))
        accepting.start()
        try:
            yield proxy
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            proxy.join()


def _accept(listening: socket.socket, server: tuple[str, int], proxy: Proxy, over: threading.Event) -> None:
    while not over.is_set():
        try:
            sock, (_, port) = listening.accept()
        except OSError:
            return
        if port in proxy.knocks:
            sock.close()
            proxy.knocks.pop(port).set()
            continue
        line = Line(sock, server, over, proxy.seen)
        thread = threading.Thread(target=_play, args=(line, proxy.script))
        thread.start()
        proxy.threads.append(thread)


def _play(line: Line, script: Script) -> None:
    line.sock.settimeout(_PATIENCE)
    try:
        with contextlib.suppress(OSError):  # the client left first
            script(line)
    finally:
        line.sock.close()


@contextmanager
def deaf() -> Iterator[int]:
    """A port whose queue is full: a connection to it is neither taken nor refused."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = listening.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the socket module's own way
            with contextlib.suppress(BlockingIOError):
                waiting.connect(("127.0.0.1", port))
        yield port


def _message(sock: socket.socket) -> bytes:
    """A head, and the body that it gives the length of."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, _ = data.partition(b"\r\n\r\n")
    whole = len(head) + 4 + _length(head)
    while len(data) < whole:
        data += _more(sock)
    return data


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n")[1:])
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


def _more(sock: socket.socket, most: int = 65536) -> bytes:
    data = sock.recv(most)
    if not data:
        raise ConnectionError("the other side ended it")
    return data


def _make_it_a_reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
