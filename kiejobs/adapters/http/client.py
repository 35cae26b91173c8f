"""What all our HTTP clients share, and the one way to fetch from an address that a stranger named.

In: URLs that came with a job file, over the network or from a command line. Out: answers, open for reading; errors
of the wire in words. Touches: the network, never with the key; the certificates on disk, once.

An address that a stranger named must not make us knock at private places: it is looked at before it is asked
for, so is each redirect, and so is the peer that was really connected to (address_guard.py). No cookie, no
proxy, no retry, no compression that would have to be undone.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin

import httpx

from kiejobs import __version__

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from kiejobs.adapters.http.address_guard import AddressRule

USER_AGENT = f"kiejobs/{__version__}"
"""The API's edge turns away clients without one (observed)."""

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
)
"""The first that fits."""


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
    """Fetches from addresses that strangers named. An async context manager; `transport` is for tests
    and for the sandbox in process. At most `connections` at once, none of them kept.
    """

    def __init__(
        self,
        rule: AddressRule,
        transport: httpx.AsyncBaseTransport | None = None,
        connections: int = 8,
    ) -> None:
        self._rule = rule
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(30.0, connect=15.0, pool=None),
            transport=transport
            or httpx.AsyncHTTPTransport(verify=tls(), limits=limits, retries=0, trust_env=False),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer of `url`, behind at most five redirects, with its body still to be read.

        Raises HostRefused where an address may not be asked, and FETCH_ERRORS.
        """
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
