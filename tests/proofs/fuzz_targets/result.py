"""A result host and the URLs that name one, by anything that either may say.

In: a line with a URL, a line with a path, a line with a status, header lines, an empty line, the body.
A redirect goes to the same answer again. Out: `Broken` where a private address is asked for anything,
where a file lies elsewhere than in the outputs, or where what lies there is not what was recorded.
Touches: its room; sockets never, the transport is the case.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import socket
import sys
from typing import TYPE_CHECKING, Any

import httpx
from hypothesis import strategies as st

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.storage.containers import what_is_wrong_with
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.core.expand.job_checks import UnsafePath, safe_output
from kiejobs.core.ledger.records import FileRecord
from tests.proofs.fuzz_bytes import mutated
from tests.proofs.fuzz_guard import Broken, no_canary

if TYPE_CHECKING:
    from pathlib import Path

network = False
_MP4 = bytes.fromhex("0000001466747970697336640000020069736f6d") + bytes.fromhex(
    "000000106d64617400000000000000ff"
)
EXAMPLE = b"https://93.184.216.34/a.mp4?sig=x\npour/a.mp4\n200\ncontent-type: video/mp4\n\n" + _MP4
_HOSTS = (
    *(
        "93.184.216.34",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0",
        "localhost",
    ),
    *(
        "169.254.169.254",
        "10.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "[fe80::1%25lo]",
        "[::7f00:1]",
    ),
    *(
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "192.168.1.1.",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "user@10.0.0.1",
    ),
    *(
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fc00::1]",
        "8.8.8.8",
        "[2606:4700::1111]",
        "",
        "[",
        "a b",
    ),
    *(
        "[2001:db8::1]",
        "[100::1]",
        "198.18.0.1",
        "[ff02::1]",
        "[::ffff:0:127.0.0.1]",
        "0.0.0.0",
        "1.1.1.1\\@10.0.0.1",
    ),
)
_TOKENS = tuple(
    token.encode()
    for token in (
        *(
            *_HOSTS,
            "http://",
            "https://",
            "file:///etc/passwd",
            "//",
            "@",
            "\\",
            ":0",
            ":99999",
            "#",
            "?",
        ),
        *(
            "content-length: ",
            "content-range: bytes 0-1/2",
            "location: ",
            "content-type: text/html",
            "206",
        ),
        *(
            "content-disposition: attachment; filename=../../x",
            "301",
            "416",
            "set-cookie: a=b",
            "../",
            "%2e%2e/",
        ),
    )
)
_PATHS = (
    "pour/a.mp4",
    "../x.mp4",
    "/etc/x.mp4",
    "a/../../x",
    "link/x.mp4",
    "a\0b",
    "\ud800",
    "",
    ".",
    "a" * 300,
)
_OUTSIDE = [
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/96", "::1/128", "fc00::/7", "fe80::/10"),
        *("ff00::/8", "::ffff:0:0/96", "64:ff9b::7f00:0/104", "2002:7f00::/24", "100::/64"),
    )
]  # fmt: skip
"""Private by RFC 6890 and its kin, written down anew: not the list that the adapter goes by."""

_RUNNER = asyncio.Runner()
_MOST_HEADERS = 20


def prepare(room: Path) -> None:
    _empty(room)
    sys.addaudithook(_no_lookups)


def _empty(room: Path) -> None:
    outputs = room / "outputs"
    for path in sorted(outputs.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    outputs.mkdir(exist_ok=True)
    (outputs / "link").symlink_to("../..")


def _no_lookups(event: str, args: tuple[Any, ...]) -> None:
    """Names are nobody's here: only what is an address already is taken apart."""
    if event == "socket.getaddrinfo" and not _is_number(args[0]):
        raise socket.gaierror(socket.EAI_NONAME, "no names in here")


def _is_number(host: Any) -> bool:
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        socket.inet_aton(text)
    except (OSError, UnicodeError):
        return ":" in text
    return True


def inputs() -> Any:
    hosts = st.sampled_from(_HOSTS) | st.text(st.sampled_from("0123456789abcdefx.:[]%"), max_size=16)
    urls = st.builds("{}://{}{}/a".format, st.sampled_from(("http", "https", "HTTP", "ftp")), hosts,
                     st.sampled_from(("", ":0", ":80", ":x", ":")))  # fmt: skip
    headers = st.dictionaries(
        st.sampled_from(("content-type", "content-length", "content-range", "location", "retry-after")),
        st.sampled_from(("video/mp4", "text/html", "0", "36", "99", "٣", "-1", "bytes 0-5/*", "bytes 5-/9"))
        | urls | st.text(max_size=9),
        max_size=4,
    )  # fmt: skip
    body = st.just(_MP4) | st.binary(max_size=64) | st.builds(_boxes, st.integers(0, 2**64 - 1))
    paths = st.sampled_from(_PATHS) | st.text(max_size=12)
    status = st.sampled_from((200, 206, 301, 302, 307, 404, 416, 500, 100, 999))
    built = st.builds(_case, urls, paths, status, headers, body)
    return built | mutated(
        [EXAMPLE, _case("http://8.8.8.8/", "a", 302, {"location": "//10.0.0.1/"}, b"")], _TOKENS
    )


def _case(url: str, path: str, status: int, headers: dict[str, str], body: bytes) -> bytes:
    lines = [url, path, str(status), *(f"{name}: {value}" for name, value in headers.items())]
    flat = [line.replace("\n", " ") for line in lines]
    return "\n".join([*flat, "", ""]).encode("utf-8", "surrogatepass") + body


def _boxes(length: int) -> bytes:
    return _MP4[:20] + b"\0\0\0\1mdat" + length.to_bytes(8, "big") + b"\xff" * 8


def check(data: bytes, room: Path) -> None:
    head, _, body = data.partition(b"\n\n")
    url, path, status, *rest = [*head.decode("utf-8", "surrogateescape").split("\n"), "", "", ""]
    headers = [tuple(line.partition(": ")[::2]) for line in rest if line][:_MOST_HEADERS]
    _looked_at(body, path)
    number = int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 200
    host = _Host(number, headers, body)
    try:
        outcome = _RUNNER.run(_collect(host, url, path, room / "outputs"))
        no_canary(str(outcome))
        for asked in host.asked:
            _is_public(asked)
        _only_in(room, outcome)
    finally:
        _empty(room)


def _looked_at(body: bytes, path: str) -> None:
    what_is_wrong_with(body[:64], len(body), "video/mp4", read=lambda at, count: body[at : at + count])
    try:
        if not safe_output(path, ".mp4").endswith((".mp4", *(f".{end}" for end in path.strip().split(".")))):
            raise Broken(f"an output without an ending: {path!r}")
    except UnsafePath:
        pass


class _Host(httpx.AsyncBaseTransport):
    """Says the same to everybody, and remembers who was asked."""

    def __init__(self, status: int, headers: list[Any], body: bytes) -> None:
        self.asked: list[str] = []
        self._said = (status, headers, body)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        status, headers, body = self._said
        raw = [(n.encode("utf-8", "replace"), v.encode("utf-8", "replace")) for n, v in headers]
        return httpx.Response(status, headers=raw, stream=httpx.ByteStream(body))


async def _collect(host: _Host, url: str, path: str, outputs: Path) -> Any:
    rule = AddressRule(private_too=False)
    artifacts = FileArtifacts(outputs, rule, host)
    try:
        return await artifacts.collect(url, path, key="task", media_type="video/mp4")
    finally:
        await artifacts.close()


def _is_public(host: str) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # no name of anybody, so nobody was really asked
    for entry in found:
        address = ipaddress.ip_address(str(entry[4][0]).partition("%")[0])
        if any(address in network for network in _OUTSIDE if network.version == address.version):
            raise Broken(f"asked {host}, which is at {address}")


def _only_in(room: Path, outcome: Any) -> None:
    """Only the recorded file, or partial ones."""
    if _names(room) != ["outputs"] or len(_names(room.parent)) != 3:
        raise Broken(f"files beside the outputs: {_names(room)} {_names(room.parent)}")
    found = {p for p in (room / "outputs").rglob("*") if p.is_file() and not p.is_symlink()}
    final = {p for p in found if not p.name.endswith(".part")}
    if isinstance(outcome, FileRecord):
        whole = room / "outputs" / outcome.path
        if hashlib.sha256(whole.read_bytes()).hexdigest() != outcome.sha256:
            raise Broken(f"recorded otherwise than it lies there: {outcome}")
        final -= {whole.resolve()}
    if {p.resolve() for p in final}:
        raise Broken(f"files that nobody recorded: {final}")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
