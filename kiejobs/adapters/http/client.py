"""What all our HTTP clients share, and the one way to fetch from an address that a stranger named.

In: URLs. Out: answers, reasons to refuse, errors of the wire in words. Touches: the network, never with the key.

httpx's transport sends what we wrote and nothing else: no cookie, retry, redirect or credential; through a proxy where
the environment names one. Such an address must not make us knock at private, loopback or link-local places, unless the
API itself lives at one: it is looked at before it is asked for, so is each redirect, and so is the peer that was really
connected to. Behind a proxy that peer is out of sight, and its certificate has to do.
"""

from __future__ import annotations

import errno
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urljoin, urlsplit

import anyio
import httpx

from kiejobs import __version__
from kiejobs.core.urls import bare, is_named, is_public, private_host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from kiejobs.adapters.http.proxy import Transport

    Trace: TypeAlias = "Callable[[str, Mapping[str, Any]], Awaitable[None]]"

USER_AGENT = f"kiejobs/{__version__}"  # the API's edge turns away clients without one (observed)
FETCH_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError)
"""What a fetch may raise besides HostRefused. ValueError: a URL that urllib can't take apart."""
_LARGEST_ANSWER = 2 * 2**20  # bytes
_REDIRECTS = 5
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "no connection in time"),
    (httpx.PoolTimeout, "no connection was free in time"),
    (httpx.ReadTimeout, "no answer in time"),
    (httpx.WriteTimeout, "the request could not be written in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.ReadError, "the connection broke before the answer was complete"),
    (httpx.WriteError, "the connection broke while the request was written"),
    (httpx.RemoteProtocolError, "the connection ended before the answer was complete"),
    (httpx.DecodingError, "the answer could not be unpacked"),
    (httpx.InvalidURL, "not a URL"),
    (TimeoutError, "no answer in time"),
)  # the first that fits


def in_words(error: Exception) -> str:
    """What went wrong on the wire, and what the system says of it where that adds something."""
    if is_out_of_files(error):
        return "too many files are open on this machine (`ulimit -n`)"
    said = str(error).strip()
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), None)
    if words is None:
        return said or type(error).__name__
    return f"{words} ({said})" if said else words


def is_out_of_files(error: BaseException | None) -> bool:
    """Is that behind it? Libraries wrap it once or twice."""
    if error is None or getattr(error, "errno", None) in {errno.EMFILE, errno.ENFILE}:
        return error is not None
    inner = (*getattr(error, "exceptions", ()), error.__cause__ or error.__context__)
    return any(map(is_out_of_files, inner))


class HttpClient:
    """Sends each request once, as it is. `base` goes before all URLs; `kept` connections are used again.

    Where no `transport` is given the environment names proxies and authorities; UsageProblem where these can't be used.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        timeout: httpx.Timeout,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        base: str = "",
        kept: int = 0,
    ) -> None:
        self._base = base.rstrip("/")
        self._headers = {"User-Agent": USER_AGENT, "Accept": "*/*", **headers}
        self._timeout = timeout.as_dict()
        limits = httpx.Limits(max_connections=kept or 8, max_keepalive_connections=kept)
        self.network: Transport | None = None
        if transport is None:
            from kiejobs.adapters.http.proxy import Transport  # noqa: PLC0415 - a rehearsal has no network

            transport = self.network = Transport(limits, base)
        self._transport = transport

    async def aclose(self) -> None:
        await self._transport.aclose()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        trace: Trace | None = None,
        **content: Any,
    ) -> httpx.Request:
        """`trace` is called back on what happens on the wire. Raises InvalidURL and ValueError."""
        seen: dict[str, Any] = {"timeout": self._timeout}
        if trace is not None:
            seen["trace"] = trace
        headers = {**self._headers, **headers} if headers else self._headers
        return httpx.Request(method, self._base + url, headers=headers, extensions=seen, **content)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body to be read and to be closed."""
        return await self._transport.handle_async_request(request)

    async def exchange(
        self, request: httpx.Request, body: bytearray | None = None
    ) -> tuple[int, httpx.Headers, bytes]:
        """Send it and read the complete answer, up to a size that no honest answer has. `body` gets what came."""
        response = await self.send(request)
        body = bytearray() if body is None else body
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise httpx.ReadError("an answer of more than 2 MB")
        finally:
            await response.aclose()
        return response.status_code, response.headers, bytes(body)


class GuardedClient(HttpClient):
    """Fetches from addresses that strangers named, eight at once, on connections that are not kept."""

    def __init__(self, rule: AddressRule, transport: httpx.AsyncBaseTransport | None = None) -> None:
        timeout = httpx.Timeout(30.0, connect=15.0, pool=None)
        super().__init__({"Accept-Encoding": "identity"}, timeout, transport)
        self._rule = rule

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx.Response]:
        """The answer behind at most five redirects, its body to be read. Raises HostRefused, FETCH_ERRORS."""
        for _ in range(_REDIRECTS + 1):
            proxied = self.network is not None and self.network.is_proxied(url)
            await self._rule.check(url, proxied=proxied)
            trace = None if proxied else self._rule.trace
            response = await self.send(self.request("GET", url, headers, trace))
            try:
                if not response.is_redirect:
                    yield response
                    return
                url = urljoin(url, response.headers.get("location", ""))
            finally:
                await response.aclose()
        raise httpx.TooManyRedirects("too many redirects")


# --- which addresses may be asked --------------------------------------------------------------------

_UNSEEN = (
    "behind a proxy its address can't be checked; if results come from there, list the host in `results.hosts` of "
    "kiejobs.yaml"
)
_CONNECTED = "connection.connect_tcp.complete"


class HostRefused(Exception):
    """The address behind a URL is not one to fetch from, or gives what may not be used."""


@dataclass(frozen=True, slots=True)
class AddressRule:
    """`private_too` where the API's own base is private. `only` are the hosts that the policies name,
    `*.example.com` for all below one: a host must be in each of these lists. `typed`: a person typed the address.
    """

    private_too: bool
    only: tuple[tuple[str, ...], ...] = ()
    typed: bool = False

    @classmethod
    async def for_base(cls, base: str) -> AddressRule:
        """The rule that goes with an API base."""
        host = urlsplit(base).hostname or ""
        return cls(
            private_host(base) is not None or any(not is_public(one) for one in await _addresses(host))
        )

    async def check(self, url: str, *, proxied: bool = False) -> None:
        """Raises HostRefused for what is not http(s), or whose host is private or not one of `only`.

        A proxy resolves the name again, by itself. Whoever it finds must have a certificate for that name, which no
        private place has for a name out in the world. What has no certificate, or a name that nobody here knows, must
        be one of `only`, or typed.
        """
        host = _host(url)
        if not all(any(is_named(host, name) for name in names) for names in self.only):
            raise HostRefused(f"{shown(host)} is not a result host that the policy allows")
        if self.private_too:
            return
        addresses = await _addresses(host)
        for address in addresses:
            if not is_public(address):
                raise HostRefused(f"{host} is at a private address ({address})")
        known = self.only or self.typed
        if proxied and not known and not (addresses and urlsplit(url).scheme == "https"):
            what = "plain HTTP" if addresses else "a name without an address here"
            raise HostRefused(f"{host}: {what}, and {_UNSEEN}")

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Before a byte is written: a name may answer differently the second time; the socket can't."""
        if event != _CONNECTED or self.private_too:
            return
        stream = info.get("return_value")
        peer = stream.get_extra_info("server_addr") if stream is not None else None
        if stream is not None and peer and not is_public(str(peer[0])):
            await stream.aclose()
            raise HostRefused(f"connected to a private address ({peer[0]})")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise HostRefused(f"{error}: {shown(url)}") from error
    if not usable or not parts.hostname:
        raise HostRefused(f"not an http(s) URL with a host: {shown(url)}")
    if parts.username or parts.password:
        raise HostRefused(f"a URL with a user name in it: {shown(url)}")
    return parts.hostname


def shown(url: str) -> str:
    """A URL for people: without what may be a secret."""
    return printable(bare(url))[:200]


def printable(text: str) -> str:
    """With a blank for each character that steers a terminal or can't be seen."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


async def _addresses(host: str) -> list[str]:
    try:
        found = await anyio.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []  # it can't be connected to either; that error says more
    return sorted({str(entry[4][0]) for entry in found})
