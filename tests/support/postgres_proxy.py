"""A wire to a database that is cut at the worst moment.

In: the server's port. Out: a port to connect to. Touches: sockets on loopback, two threads a connection.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from typing import Self

_APPEND = b"SELECT append_knowing("


class Wire:
    """Carries bytes both ways. `cut`: what befalls the next append.

    `before`: it never reaches the server. `after`: the server has done it, and its answer is lost. `at_once`: the
    client is cut off while the server is at it. Where `then_down` nobody comes through afterwards, until `mend`.
    """

    def __init__(self, port: int) -> None:
        self.cut: Literal["before", "after", "at_once"] | None = None
        self.then_down = False
        self.cuts = 0
        self._server = ("127.0.0.1", port)
        self._is_down = False
        self._answers_lost: socket.socket | None = None
        self._is_answered = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            _close(one)
        for thread in self._threads:
            thread.join()

    def mend(self) -> None:
        self._is_down = False

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_down:
                client.close()
                continue
            try:
                server = socket.create_connection(self._server)
            except OSError:  # it is down itself
                client.close()
                continue
            self._open += [client, server]
            for way in ((self._up, client, server), (self._down, client, server)):
                self._threads.append(threading.Thread(target=way[0], args=way[1:]))
                self._threads[-1].start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.cut is not None and _APPEND in data:
                    self._befalls(data, client, server)
                    break
                server.sendall(data)
        _close(client)
        _close(server)

    def _befalls(self, data: bytes, client: socket.socket, server: socket.socket) -> None:
        how, self.cut = self.cut, None
        self.cuts += 1
        self._is_down = self.then_down
        if how == "at_once":
            server.sendall(data)
        elif how == "after":
            self._answers_lost = client
            server.sendall(data)
            self._is_answered.wait(20)
        _close(client)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self._answers_lost is client:
                    self._is_answered.set()
                    break
                client.sendall(data)
        _close(client)


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
