"""A web proxy on the loopback, and the HTTPS hosts behind it: all of them are one plain server of the test's.

In: that server's URL, a certificate. Out: an address for HTTPS_PROXY, and what the proxy was asked for, word for word.
Plain sockets, threads that end with their connections.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PATIENCE = 20.0  # seconds; only a mistake of ours takes that long


@dataclass
class WebProxy:
    """`asked` are the heads of all requests that it could read; `carried` all bytes that clients sent through tunnels.

    Where `login` is set it wants these words of Basic credentials. `refusal` is a status line to refuse with.
    """

    port: int
    scheme: str = "http"
    login: str | None = None
    refusal: str | None = None
    asked: list[str] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        """The first line of each request."""
        return [head.partition("\r\n")[0] for head in self.asked]


@contextmanager
def web_proxy(server_url: str, certificate: Path, *, scheme: str = "http") -> Iterator[WebProxy]:
    """It carries every tunnel to a server that speaks TLS with `certificate`, and that to the plain one.

    With the scheme `https` it wants TLS itself.
    """
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(certificate)
    plain = ("127.0.0.1", urlsplit(server_url).port or 80)

    def encrypted(sock: socket.socket) -> None:
        with identity.wrap_socket(sock, server_side=True) as inner:
            _carry(inner, plain)

    with _listening(encrypted) as far:

        def relay(sock: socket.socket) -> None:
            outer = identity.wrap_socket(sock, server_side=True) if scheme == "https" else sock
            with outer:
                _relay(outer, proxy, plain, ("127.0.0.1", far))

        with _listening(relay) as near:
            proxy = WebProxy(near, scheme)
            yield proxy


def _relay(sock: socket.socket, proxy: WebProxy, plain: tuple[str, int], encrypted: tuple[str, int]) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, rest = data.partition(b"\r\n\r\n")
    text = head.decode()
    proxy.asked.append(text)
    if proxy.refusal is not None or (proxy.login and proxy.login not in text):
        status = proxy.refusal or "407 Proxy Authentication Required"
        sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    elif text.startswith("CONNECT "):
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        _carry(sock, encrypted, proxy.carried)
    else:
        _carry(sock, plain, first=_as_to_a_host(text).encode() + b"\r\n\r\n" + rest)


def _as_to_a_host(head: str) -> str:
    """`GET http://host/path` is `GET /path` there."""
    line, _, more = head.partition("\r\n")
    method, url, version = line.split(" ")
    parts = urlsplit(url)
    return f"{method} {parts.path}{'?' if parts.query else ''}{parts.query} {version}\r\n{more}"


def _carry(
    sock: socket.socket, to: tuple[str, int], seen: bytearray | None = None, first: bytes = b""
) -> None:
    """Both ways, until both sides have ended."""
    with socket.create_connection(to, timeout=_PATIENCE) as upstream:
        upstream.sendall(first)
        back = threading.Thread(target=_pump, args=(upstream, sock, None))
        back.start()
        _pump(sock, upstream, seen)
        back.join()


def _pump(source: socket.socket, target: socket.socket, seen: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if seen is not None:
                seen += data
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("the client went away")
    return data


@contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """On a port of its own, a thread for each connection."""
    threads: list[threading.Thread] = []

    def one(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.settimeout(_PATIENCE)
            serve(sock)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                thread = threading.Thread(target=one, args=(listening.accept()[0],))
                threads.append(thread)
                thread.start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()
