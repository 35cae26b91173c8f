"""Which hosts a result may be fetched from.

In: URLs that came over the network. Out: a reason to refuse, or none. Touches: the resolver.

A result URL is somebody else's text. It must not make us knock at private, loopback or link-local
addresses, unless the API itself lives at such an address (a stand-in, a staging host).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import anyio

from kiejobs.core.urls import bare

if TYPE_CHECKING:
    from collections.abc import Mapping

_WRAPPED = [ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "::/96")]
"""IPv4 in the last four bytes: NAT64 (RFC 6052), and what was once called compatible (RFC 4291)."""

_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215; not known to every Python
_Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
_PLAIN = re.compile(r"[a-z0-9_.:-]+")  # read alike by all who take URLs apart
_CONNECTED = "connection.connect_tcp.complete"


class HostRefused(Exception):
    """The address behind a URL is not one to fetch from."""


@dataclass(frozen=True, slots=True)
class AddressRule:
    """`private_too` where the API's own base is at a private address.

    `only` are the hosts that the policy names, `*.example.com` for all below one; None for any.
    """

    private_too: bool
    only: tuple[str, ...] | None = None

    @classmethod
    async def for_base(cls, base: str) -> AddressRule:
        """The rule that goes with an API base."""
        host = urlsplit(base).hostname or ""
        return cls(any(not is_public(address) for address in await _addresses(host)))

    async def check(self, url: str) -> None:
        """Raises HostRefused for what is not http(s), names no host, or leads to a private address.

        And for a host that is not one of `only`.
        """
        host = _host(url)
        if self.only is not None and not any(_is_meant(host, name) for name in self.only):
            raise HostRefused(f"{shown(host)} is no result host that the policy allows")
        if self.private_too:
            return
        for address in await _addresses(host):
            if not is_public(address):
                raise HostRefused(f"{host} is at a private address ({address})")

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Looks at the address that was really connected to, before a byte is written.

        A name may answer differently the second time it is asked for; the socket can't.
        """
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
    return "".join(c if c.isprintable() else " " for c in bare(url))[:200]


async def _addresses(host: str) -> list[str]:
    try:
        found = await anyio.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []  # it can't be connected to either; that error says more
    return sorted({str(entry[4][0]) for entry in found})
