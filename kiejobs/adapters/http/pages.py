"""A vendor's page, from a file or from the network.

In: a file's name or an http(s) URL that somebody typed. Out: the page's text. Touches: disk, by reading;
the network, never with the key.

As with files that requests point at: redirects are looked at like first addresses and no more is read
than asked for. Private addresses are only knocked at where the typed URL itself is at one.
"""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urljoin

import anyio
import httpx

from kiejobs.adapters.http.address_guard import AddressRule, HostRefused
from kiejobs.adapters.http.client import USER_AGENT, tls
from kiejobs.adapters.http.errors import in_words
from kiejobs.adapters.system import read_source
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.urls import bare

_LONGEST = 60.0  # seconds
_MOST = 16 * 2**20  # bytes
_REDIRECTS = 5


def page_text(page: str) -> str:
    """A page by its URL or its file's name. Raises UsageProblem where there is none."""
    if is_url(page):
        return anyio.run(fetch_page, page, _MOST)
    data = read_source(page, most=_MOST).data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{page}: byte {error.start} is not UTF-8") from error


def is_url(page: str) -> bool:
    return page.lower().startswith(("http://", "https://"))


async def fetch_page(url: str, most: int) -> str:
    """At most `most` bytes, as text. Raises UsageProblem."""
    try:
        with anyio.fail_after(_LONGEST):
            async with _client() as client:
                return (await _get(client, url, most)).decode("utf-8-sig")
    except HostRefused as refused:
        raise UsageProblem(f"{bare(url)}: {refused}") from refused
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{bare(url)}: byte {error.start} is not UTF-8") from error
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError) as error:
        raise UsageProblem(f"{bare(url)}: {in_words(error)}") from error


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        timeout=httpx.Timeout(30.0, connect=15.0, pool=None),
        transport=httpx.AsyncHTTPTransport(verify=tls(), retries=0, trust_env=False),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        trust_env=False,
    )


async def _get(client: httpx.AsyncClient, url: str, most: int) -> bytes:
    rule = await AddressRule.for_base(url)
    for _ in range(_REDIRECTS + 1):
        await rule.check(url)
        request = client.build_request("GET", url, extensions={"trace": rule.trace})
        response = await client.send(request, stream=True)
        try:
            if not response.is_redirect:
                return await _read(response, most)
            url = urljoin(url, response.headers.get("location", ""))
        finally:
            await response.aclose()
    raise HostRefused("too many redirects")


async def _read(response: httpx.Response, most: int) -> bytes:
    if response.status_code != 200:
        raise HostRefused(f"the host answered HTTP {response.status_code}")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > most:
            raise HostRefused(f"larger than {most:,} bytes, so it is no page")
    return bytes(data)
