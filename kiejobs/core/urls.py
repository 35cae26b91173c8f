"""What of a URL may be written down, what a callback URL carries; which hosts are out in the world.

In: URLs and addresses that people or the network gave. Out: the same without what may be a secret; is it public?
Touches nothing: no name is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

_ATTEMPT = re.compile(r"[0-9a-f]{32}")


def attempt_in(query: str) -> str | None:
    """The attempt id in a callback URL's query; None where there is not just one of our kind."""
    fields = parse_qsl(query, keep_blank_values=True)
    found = [value for name, value in fields if name == "attempt"]
    return found[0] if len(found) == 1 and _ATTEMPT.fullmatch(found[0]) else None


def has_attempt(url: str) -> bool:
    """Does its query name an `attempt` already, whatever that is?"""
    fields = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return any(name == "attempt" for name, _ in fields)


def bare(url: str) -> str:
    """Without query and fragment, which may be signatures or tokens, and without a user's name."""
    url = url.partition("#")[0].partition("?")[0]
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else url


# --- which hosts are out in the world ----------------------------------------------------------------

_WRAPPED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""IPv4 in the last four bytes: NAT64 (RFC 6052), and what was once called compatible (RFC 4291)."""

_NOT_PUBLIC = tuple(map(ipaddress.IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
)))  # fmt: skip
"""IANA's special-purpose addresses (RFC 6890) and a cloud's own (168.63.129.16); Python's tables differ by version."""

_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
"""All that is given out; the rest is link-local, unique local, reserved."""

_NOT_PUBLIC_6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

_PLAIN = re.compile(r"[a-z0-9_.:-]+")  # read alike by all who take URLs apart
_HOST = re.compile(r"https?:/*(?:[^/?#\\]*@)?(\[[^\]/?#]*\]|[^/?#\\:]*)", re.IGNORECASE)
_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")
_AT_HOME = (
    ".localhost", ".localdomain", ".local", ".internal", ".lan", ".intranet", ".home.arpa", ".test", ".invalid",
    ".localtest.me", ".lvh.me",
)  # fmt: skip
"""What only a machine or its network knows (RFC 2606, 6762, 8375, ICANN's `internal`); the last two lead to 127.0.0.1."""


def is_public(address: str) -> bool:
    """A globally routable IP address; IPv4 inside IPv6 is looked at as IPv4 (RFC 4291, 3056, 6052)."""
    try:
        ip: _Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = any(ip in network for network in _WRAPPED)
        inner = ipaddress.IPv4Address(ip.packed[-4:]) if wrapped else None
        ip = ip.ipv4_mapped or ip.sixtofour or inner or ip
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC)
    return ip in _PUBLIC_6 and not any(ip in network for network in _NOT_PUBLIC_6)


def private_host(url: str) -> str | None:
    """The host of an http(s) URL that nobody outside reaches, by its spelling alone; None for all others.

    A name without a dot is one: only a network of one's own knows it.
    """
    found = _HOST.match(url)
    host = unquote(found[1]).lower().removesuffix(".") if found else ""
    if not host:
        return None
    if host.startswith("["):
        return None if is_public(host[1:-1]) else host
    if _NUMBERS.fullmatch(host):
        return None if is_public(_dotted(host)) else host
    return host if "." not in host or f".{host}".endswith(_AT_HOME) else None


def is_named(host: str, name: str) -> bool:
    """Is `host` the one that a policy names, or below its `*.`? Case and a final dot don't count (RFC 4343, 1034)."""
    host, name = host.lower().removesuffix("."), name.lower()
    if not _PLAIN.fullmatch(host):
        return False
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this computer, by its spelling alone."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _dotted(host: str) -> str:
    """IPv4 in its usual form, of one that `inet_aton` takes, too: 127.1, 0x7f000001, 0177.0.0.1."""
    try:
        parts = [
            int(part, 16 if part[1:2] == "x" else 8 if part[:1] == "0" else 10) for part in host.split(".")
        ]
        last = parts.pop().to_bytes(4 - len(parts), "big")
        return str(ipaddress.IPv4Address(bytes(parts) + last))
    except (ValueError, OverflowError):
        return host
