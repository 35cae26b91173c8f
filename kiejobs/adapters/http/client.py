"""What all our HTTP clients share, and the one way to fetch from an address that a stranger named.

In: URLs. Out: answers, reasons to refuse, errors of the wire in words. Touches: the network, never with the key.

Such an address must not make us knock at private, loopback or link-local places, unless the API itself lives
at one: it is looked at before it is asked for, so is each redirect, and so is the peer that was really
connected to. No cookie, proxy, retry or compression.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urljoin, urlsplit

import anyio
import httpx

from kiejobs import __version__
from kiejobs.core.urls import bare

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

USER_AGENT = f"kiejobs/{__version__}"  # the API's edge turns away clients without one (observed)
FETCH_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError)
"""What a fetch may raise besides HostRefused. ValueError: a URL that urllib can't take apart."""
_REDIRECTS = 5
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "no connection in time"),
    (httpx.PoolTimeout, "no connection was free in time"),
    (httpx.ReadTimeout, "no answer in time"),
    (httpx.WriteTimeout, "the request could not be written in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.ReadError, "the connection broke before the answer was whole"),
    (httpx.WriteError, "the connection broke while the request was written"),
    (httpx.RemoteProtocolError, "the connection ended before the answer was whole"),
    (httpx.DecodingError, "the answer could not be unpacked"),
    (httpx.InvalidURL, "not a URL"),
    (TimeoutError, "no answer in time"),
)  # the first that fits


@cache
def tls() -> ssl.SSLContext:
    """Reading the authorities takes 30 ms, so all clients share one context."""
    return httpx.create_ssl_context(trust_env=False)


def in_words(error: Exception) -> str:
    """What went wrong on the wire, and what the system says of it where that adds something."""
    said = str(error).strip()
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), None)
    if words is None:
        return said or type(error).__name__
    return f"{words} ({said})" if said else words


class GuardedClient:
    """Fetches from addresses that strangers named, eight at once, on connections that are not kept."""

    def __init__(
        self, rule: AddressRule, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._rule = rule
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(30.0, connect=15.0, pool=None),
            transport=transport
            or httpx.AsyncHTTPTransport(verify=tls(), limits=limits, retries=0, trust_env=False),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer behind at most five redirects, its body to be read. Raises HostRefused, FETCH_ERRORS."""
        for _ in range(_REDIRECTS + 1):
            await self._rule.check(url)
            request = self._client.build_request(
                "GET", url, headers=headers, extensions={"trace": self._rule.trace}
            )
            response = await self._client.send(request, stream=True)
            try:
                if not response.is_redirect:
                    yield response
                    return
                url = urljoin(url, response.headers.get("location", ""))
            finally:
                await response.aclose()
        raise httpx.TooManyRedirects("too many redirects")


# --- which addresses may be asked --------------------------------------------------------------------

_WRAPPED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""IPv4 in the last four bytes: NAT64 (RFC 6052), and what was once called compatible (RFC 4291)."""

_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215; not known to every Python
_Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
_PLAIN = re.compile(r"[a-z0-9_.:-]+")  # read alike by all who take URLs apart
_CONNECTED = "connection.connect_tcp.complete"


class HostRefused(Exception):
    """The address behind a URL is not one to fetch from, or gives what may not be used."""


@dataclass(frozen=True, slots=True)
class AddressRule:
    """`private_too` where the API's own base is private. `only` are the hosts that the policy names,
    `*.example.com` for all below one; None for any.
    """

    private_too: bool
    only: tuple[str, ...] | None = None

    @classmethod
    async def for_base(cls, base: str) -> AddressRule:
        """The rule that goes with an API base."""
        host = urlsplit(base).hostname or ""
        return cls(any(not is_public(address) for address in await _addresses(host)))

    async def check(self, url: str) -> None:
        """Raises HostRefused for what is not http(s), or whose host is private or not one of `only`."""
        host = _host(url)
        if self.only is not None and not any(_is_meant(host, name) for name in self.only):
            raise HostRefused(f"{shown(host)} is no result host that the policy allows")
        if self.private_too:
            return
        for address in await _addresses(host):
            if not is_public(address):
                raise HostRefused(f"{host} is at a private address ({address})")

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


def _is_meant(host: str, name: str) -> bool:
    """Is `host` the one that a policy names? Case and a final dot don't count (RFC 4343, 1034)."""
    host, name = host.lower().removesuffix("."), name.lower()
    if not _PLAIN.fullmatch(host):
        return False
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def is_public(address: str) -> bool:
    """A globally routable IP address; IPv4 inside IPv6 is looked at as IPv4 (RFC 4291, 3056, 6052)."""
    try:
        ip: _Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _LOCAL_NAT64:
            return False
        wrapped = any(ip in network for network in _WRAPPED)
        inner = ipaddress.IPv4Address(ip.packed[-4:]) if wrapped else None
        ip = ip.ipv4_mapped or ip.sixtofour or inner or ip
    return ip.is_global and not ip.is_multicast


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
