"""The network as this machine's environment describes it: proxies, and the authorities that are trusted.

In: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY in either case; SSL_CERT_FILE, SSL_CERT_DIR. Out: a transport that
obeys them, and what of them may be shown. Touches: the network; files of certificates.

For HTTPS a proxy opens a tunnel (CONNECT) and then carries bytes that it can't read: it can't repeat a POST in them.
Plain HTTP it takes apart and sends itself, maybe twice, so no create goes that way.
"""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import anyio
import httpcore
import httpx

from kiejobs.adapters.system import PROXIES, variable
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.urls import bare

if TYPE_CHECKING:
    from collections.abc import Iterable

_PORTS = {"http": 80, "https": 443}
_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProxyError)
_UNSET = "name PEM certificates of authorities there, or unset it to trust the bundled ones"
_LONGEST_HEAD = 64 * 2**10  # bytes


@dataclass(frozen=True, slots=True)
class Proxy:
    """`variable` named it. The URL may hold a password; `shown` is it without one."""

    variable: str
    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        return bare(self.url).removesuffix("/")

    def failure(self, error: Exception) -> str:
        return f"the proxy {self.shown} ({self.variable}) failed: {str(error) or 'no answer in time'}"


class Transport(httpx.AsyncBaseTransport):
    """httpx's own, once for each way that is used, directly or through a proxy: no retry, no redirect.

    Raises UsageProblem for authorities, or a proxy before `base`, that can't be used; another proxy is reported as
    none when a request is to go through it, as an error of the wire.
    """

    def __init__(self, limits: httpx.Limits, base: str) -> None:
        self._limits = limits
        self._tls = tls()
        self.why_no_creates = why_no_creates(base) if base else None
        self._ways: dict[tuple[Proxy | None, str], httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            way = (proxy_for(str(request.url)), request.url.scheme)
        except UsageProblem as problem:
            raise httpx.UnsupportedProtocol(problem.message, request=request) from problem
        if way not in self._ways:
            self._ways[way] = self._transport(*way)
        try:
            return await self._ways[way].handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            proxy, scheme = way
            if proxy is None or scheme == "https":  # a tunnel says so itself
                raise
            raise httpx.ProxyError(proxy.failure(error), request=request) from error

    def _transport(self, proxy: Proxy | None, scheme: str) -> httpx.AsyncHTTPTransport:
        if proxy is not None and scheme == "https":
            return _Tunnels(proxy, self._tls, self._limits)
        forward = None
        if proxy is not None:
            encrypted = proxy.url.startswith("https:")
            forward = httpx.Proxy(proxy.url, ssl_context=self._tls if encrypted else None)
        return httpx.AsyncHTTPTransport(
            verify=self._tls, limits=self._limits, retries=0, trust_env=False, proxy=forward
        )

    def is_proxied(self, url: str) -> bool:
        """Where it is unknown now, it is reported when it is used."""
        try:
            return proxy_for(url) is not None
        except (UsageProblem, ValueError):
            return False

    async def aclose(self) -> None:
        for way in self._ways.values():
            await way.aclose()


class _Tunnels(httpx.AsyncHTTPTransport):
    """Each connection is a tunnel through a proxy.

    httpcore has tunnels, too, but counts one whose TLS failed as busy for ever, until no connection is free.
    """

    def __init__(self, proxy: Proxy, context: ssl.SSLContext, limits: httpx.Limits) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            retries=0,
            network_backend=_Tunnel(proxy, context),
        )


class _Tunnel(httpcore.AsyncNetworkBackend):
    """Connects to where the proxy leads. Raises ProxyError, which names the proxy, where it fails or refuses."""

    def __init__(self, proxy: Proxy, context: ssl.SSLContext) -> None:
        self._proxy, self._parts = proxy, urlsplit(proxy.url)
        self._context = context
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's word
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        parts = self._parts
        at = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        stream: httpcore.AsyncNetworkStream | None = None
        try:
            stream = await self._network.connect_tcp(*at, timeout, local_address, socket_options)
            if parts.scheme == "https":
                stream = await stream.start_tls(self._context, at[0], timeout)
            await stream.write(self._request(f"[{host}]" if ":" in host else host, port), timeout)
            await _require_open(stream, timeout)
        except BaseException as error:
            if stream is not None:
                with anyio.CancelScope(shield=True):
                    await stream.aclose()
            if isinstance(error, _FAILURES):
                raise httpcore.ProxyError(self._proxy.failure(error)) from error
            raise
        return stream

    def _request(self, host: str, port: int) -> bytes:
        lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
        if self._parts.username:
            login = f"{unquote(self._parts.username)}:{unquote(self._parts.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {b64encode(login.encode()).decode()}")
        return "\r\n".join([*lines, "", ""]).encode()


async def _require_open(stream: httpcore.AsyncNetworkStream, seconds: float | None) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = await stream.read(4096, seconds)
        head += data
        if not data or len(head) > _LONGEST_HEAD:
            raise httpcore.ProxyError("it gave no answer")
    status = head[9:12].decode("ascii", "replace")
    if not head.startswith(b"HTTP/1.") or not status.isdecimal():
        raise httpcore.ProxyError("its answer is no HTTP")
    if not status.startswith("2"):
        raise httpcore.ProxyError(f"HTTP {status}")


def proxy_for(url: str) -> Proxy | None:
    """What a request to this URL goes through. Raises UsageProblem for a proxy that can't be used."""
    parts = urlsplit(url)
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for spelled in (name, name.upper()):
            if spelled in PROXIES and variable(spelled) and not _is_excepted(url):
                return _usable(spelled, variable(spelled))
    return None


def _usable(spelled: str, value: str) -> Proxy:
    proxy = Proxy(spelled, value if "://" in value else f"http://{value}")
    try:
        parts = urlsplit(proxy.url)
        known = parts.scheme in _PORTS and parts.hostname and parts.port != 0
        known = known and parts.path in {"", "/"} and not parts.query and not parts.fragment
        httpx.Proxy(proxy.url)
    except (ValueError, httpx.InvalidURL):
        known = False
    if not known:
        what = proxy.shown if "@" not in value else "its value"
        hint = "write http://HOST:PORT or https://HOST:PORT; SOCKS is not supported"
        raise UsageProblem(f"{spelled}: {what} is not a proxy that kiejobs can use", hint=hint)
    return proxy


def excepted() -> tuple[str, ...]:
    """The entries of NO_PROXY."""
    text = variable("no_proxy") or variable("NO_PROXY")
    return tuple(filter(None, (entry.strip() for entry in text.split(","))))


def _is_excepted(url: str) -> bool:
    """By name with all below it, with a port or without; by address or network (`10.0.0.0/8`); `*` is all."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    return any(_fits(entry.lower(), host, parts.port or _PORTS.get(parts.scheme)) for entry in excepted())


def _fits(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name, colon, at = entry.rpartition(":")
    if colon and at.isdecimal():
        entry = name if int(at) == port else ""
    name = entry.strip("[]").removeprefix("*").removeprefix(".")
    return bool(name) and f".{host}".endswith(f".{name}")


def why_no_creates(base: str) -> str | None:
    """Why no create can go to this API base, if so. Raises UsageProblem for a proxy that can't be used."""
    proxy = proxy_for(base)
    if proxy is None or base.lower().startswith("https:"):
        return None
    return (
        f"{bare(base)} is plain HTTP and goes through {proxy.variable} ({proxy.shown}): such a proxy may send a "
        "request twice, and each one is paid for"
    )


# --- which authorities are trusted -------------------------------------------------------------------


def tls() -> ssl.SSLContext:
    """Raises UsageProblem where SSL_CERT_FILE or SSL_CERT_DIR can't be used."""
    return _context(variable("SSL_CERT_FILE"), variable("SSL_CERT_DIR"))


def authorities() -> str:
    """Where they come from, in words. Raises as `tls`."""
    tls()
    named = [f"{name} {value}" for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if (value := variable(name))]
    return " and ".join(named) or "the bundled authorities (certifi)"


@cache
def _context(file: str, folders: str) -> ssl.SSLContext:
    """Reading the authorities takes 30 ms, so all clients share one context. What is named replaces the bundled."""
    if not file and not folders:
        return httpx.create_ssl_context(trust_env=False)
    usable = (one for one in folders.split(os.pathsep) if Path(one).is_dir() and os.access(one, os.R_OK))
    if folders and not any(usable):
        raise UsageProblem(f"SSL_CERT_DIR: {folders} is no folder that can be read", hint=_UNSET)
    try:
        return ssl.create_default_context(cafile=file or None, capath=folders or None)
    except OSError as error:  # ssl.SSLError is one, too
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageProblem(f"SSL_CERT_FILE: {file}: {why}", hint=_UNSET) from error
