"""A vendor's page, from a file or from the network.

In: a file's name or an http(s) URL that somebody typed. Out: the page's text. Touches: disk, by reading;
the network, never with the key.

No more is read than asked for. Private addresses are only knocked at where the typed URL itself is at one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from kiejobs.adapters.http.address_guard import AddressRule, HostRefused
from kiejobs.adapters.http.client import FETCH_ERRORS, GuardedClient, in_words
from kiejobs.adapters.project.files import read_source
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.urls import bare

if TYPE_CHECKING:
    import httpx

_LONGEST = 60.0  # seconds
_MOST = 16 * 2**20  # bytes


def page_text(page: str) -> str:
    """A page by its URL or its file's name. Raises UsageProblem where there is none."""
    data = anyio.run(_fetch, page) if _is_url(page) else read_source(page, most=_MOST).data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{page_name(page)}: byte {error.start} is not UTF-8") from error


def page_name(page: str) -> str:
    """What reports call it: without the part of a URL that may be a signature."""
    return bare(page) if _is_url(page) else page


def _is_url(page: str) -> bool:
    return page.lower().startswith(("http://", "https://"))


async def _fetch(url: str) -> bytes:
    try:
        with anyio.fail_after(_LONGEST):
            rule = await AddressRule.for_base(url)
            async with GuardedClient(rule) as client, client.get(url) as response:
                return await _read(response)
    except HostRefused as refused:
        raise UsageProblem(f"{bare(url)}: {refused}") from refused
    except FETCH_ERRORS as error:
        raise UsageProblem(f"{bare(url)}: {in_words(error)}") from error


async def _read(response: httpx.Response) -> bytes:
    if response.status_code != 200:
        raise HostRefused(f"the host answered HTTP {response.status_code}")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > _MOST:
            raise HostRefused(f"larger than {_MOST:,} bytes, so it is no page")
    return bytes(data)
