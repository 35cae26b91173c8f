"""Files on the web, read from beginning to end: those that requests point at, and the vendor's pages.

In: URLs and what their models take; a page's URL or file. Out: digest, size and type, or what is wrong; a text.
Touches: the network, never with the key; disk. The URLs come with strangers' branches: no more bytes are read
than may be, and private addresses are asked only where the API, or the page that was typed, is at one itself.
"""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, TypeAlias

import anyio
import anyio.to_thread

from kiejobs.adapters.http.client import FETCH_ERRORS, AddressRule, GuardedClient, HostRefused, in_words
from kiejobs.adapters.media.pictures import look_at
from kiejobs.adapters.project.files import read_source
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.models.spec import HEAD, UNKNOWN, beyond_limits, media_type_of, wrong_type
from kiejobs.core.plan.lock import Asset
from kiejobs.core.urls import bare

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from kiejobs.core.models.spec import FileRule

    Found: TypeAlias = "dict[str, Asset | str]"
    """By URL: the file, or what is wrong with it."""

_AT_ONCE = 8  # as many connections as the client has
_LONGEST = 120.0  # seconds for one file
_LONGEST_PAGE = 60.0  # seconds
_LARGEST_PAGE = 16 * 2**20  # bytes


async def fetch_assets(wanted: Mapping[str, FileRule], base: str) -> Found:
    """Look at all of them, some at a time. `base` is the API's: a private one allows private files."""
    found = dict[str, Asset | str]()
    places, turn = anyio.CapacityLimiter(_AT_ONCE), anyio.CapacityLimiter(1)
    client = GuardedClient(await AddressRule.for_base(base))
    async with aclosing(client), anyio.create_task_group() as group:

        async def one(url: str, takes: FileRule) -> None:
            async with places:
                found[url] = await _asset(client, url, takes, turn)

        for url, takes in wanted.items():
            group.start_soon(one, url, takes)
    return {url: found[url] for url in wanted}


async def _asset(
    client: GuardedClient, url: str, takes: FileRule, turn: anyio.CapacityLimiter
) -> Asset | str:
    """`turn` lets one file be opened at a time: a picture takes memory."""
    with TemporaryFile() as kept:
        try:
            with anyio.fail_after(_LONGEST):
                async with client.get(url) as response:
                    asset = await _read(response, takes, kept)
        except HostRefused as refused:
            return str(refused)
        except FETCH_ERRORS as error:
            return in_words(error)
        kept.seek(0)
        decode = partial(look_at, kept, asset["media_type"], decode=True)
        seen = await anyio.to_thread.run_sync(decode, limiter=turn)
    if isinstance(seen, str) or seen is None:
        return seen or asset
    return beyond_limits(takes, *seen) or asset


async def _read(response: httpx.Response, takes: FileRule, kept: IO[bytes]) -> Asset:
    if response.status_code != 200:
        raise HostRefused(f"the host answered HTTP {response.status_code}")
    told = response.headers.get("content-length", "")
    if told.isdecimal() and int(told) > takes.most:
        raise HostRefused(f"it has {int(told):,} bytes, and the model takes {takes.most:,}")
    digest, size, head = hashlib.sha256(), 0, b""
    async for chunk in response.aiter_raw():
        digest.update(chunk)
        kept.write(chunk)
        size, head = size + len(chunk), head + chunk[: HEAD - len(head)]
        if size > takes.most:
            raise HostRefused(f"it has more than the {takes.most:,} bytes that the model takes")
    media_type = media_type_of(head)
    wrong = wrong_type(takes, media_type) if size else "it is empty"
    if wrong is not None:
        raise HostRefused(wrong)
    return Asset(sha256=digest.hexdigest(), bytes=size, media_type=media_type or UNKNOWN)


# --- pages -------------------------------------------------------------------------------------------


def page_text(page: str) -> str:
    """A page by its URL or its file's name. Raises UsageProblem where there is none."""
    data = anyio.run(_fetch_page, page) if _is_url(page) else read_source(page, most=_LARGEST_PAGE).data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{page_name(page)}: byte {error.start} is not UTF-8") from error


def page_name(page: str) -> str:
    """What reports call it: without the part of a URL that may be a signature."""
    return bare(page) if _is_url(page) else page


def _is_url(page: str) -> bool:
    return page.lower().startswith(("http://", "https://"))


async def _fetch_page(url: str) -> bytes:
    try:
        with anyio.fail_after(_LONGEST_PAGE):
            rule = replace(await AddressRule.for_base(url), typed=True)
            async with aclosing(GuardedClient(rule)) as client, client.get(url) as response:
                return await _page_in(response)
    except HostRefused as refused:
        raise UsageProblem(f"{bare(url)}: {refused}") from refused
    except FETCH_ERRORS as error:
        raise UsageProblem(f"{bare(url)}: {in_words(error)}") from error


async def _page_in(response: httpx.Response) -> bytes:
    if response.status_code != 200:
        raise HostRefused(f"the host answered HTTP {response.status_code}")
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > _LARGEST_PAGE:
            raise HostRefused(f"larger than {_LARGEST_PAGE:,} bytes, so it is no page")
    return bytes(data)
