"""Which hosts a policy lets results come from, over real sockets, redirects included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from kiejobs.adapters.http.client import AddressRule, HostRefused, shown
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.core.ledger.outcomes import CollectOutcome, NotCollected
from kiejobs.core.ledger.records import FileRecord
from kiejobs.core.urls import is_public
from tests.support.judge.replies import video
from tests.support.judge.wire import Reply, Request, Wire

if TYPE_CHECKING:
    from pathlib import Path

MP4 = {"Content-Type": "video/mp4"}


def refused(url: str, *only: tuple[str, ...]) -> bool:
    try:
        anyio.run(AddressRule(private_too=True, only=only).check, url)
    except HostRefused:
        return True
    return False


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("files.example.com", "files.example.com"),
        ("files.example.com", "FILES.Example.com"),
        ("Files.example.com", "files.example.com."),
        ("files.example.com", "files.example.com:8443"),
        ("*.example.com", "a.example.com"),
        ("*.example.com", "a.b.example.com"),
        ("127.0.0.1", "127.0.0.1:80"),
        ("::1", "[::1]:80"),
    ],
)
def test_a_host_that_is_named_is_allowed(name: str, host: str) -> None:
    assert not refused(f"http://{host}/a.mp4", (name,))


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("files.example.com", "example.com"),
        ("files.example.com", "files.example.com.evil.net"),
        ("files.example.com", "evil-files.example.com"),
        ("files.example.com", "files.example.com@evil.net"),
        ("files.example.com", "evil.net\\@files.example.com"),
        ("files.example.com", "filesXexample.com"),
        ("*.example.com", "example.com"),
        ("*.example.com", "evilexample.com"),
        ("*.example.com", "evil.net\\.example.com"),
        ("*.example.com", "evil.net%2f.example.com"),
        ("*.example.com", "evil.net%00.example.com"),
        ("*.example.com", "\uff45vil.net\u3002example.com"),
    ],
)
def test_a_host_that_only_looks_like_one_is_not(name: str, host: str) -> None:
    assert refused(f"http://{host}/a.mp4", (name,))


def test_an_empty_list_allows_none_and_no_list_any() -> None:
    assert refused("http://files.example.com/a.mp4", ())
    assert not refused("http://files.example.com/a.mp4")


def test_a_host_must_be_in_every_list() -> None:
    ours, theirs = ("*.example.com", "127.0.0.1"), ("files.example.com", "localhost")
    assert not refused("http://files.example.com/a.mp4", ours, theirs)
    for host in ("a.example.com", "127.0.0.1", "localhost"):
        assert refused(f"http://{host}/a.mp4", ours, theirs)


@pytest.mark.parametrize(("only", "comes"), [(("127.0.0.1",), False), (("127.0.0.1", "localhost"), True)])
def test_a_redirect_is_held_to_the_same_names(only: tuple[str, ...], *, comes: bool, tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Reply:
        asked.append(request.path)
        if request.path.startswith("/first"):
            return Reply(b"", "302 Found", {"Location": f"http://localhost:{wire.port}/second.mp4"})
        return Reply(video("one"), headers=MP4)

    wire = Wire(answer)
    outcome = anyio.run(fetch, f"http://127.0.0.1:{wire.port}/first.mp4", only, tmp_path)
    wire.close()
    assert isinstance(outcome, FileRecord) == comes
    assert len(asked) == 1 + comes
    if isinstance(outcome, NotCollected):
        assert "localhost is not a result host that the policy allows" in outcome.message
        assert not outcome.gone


async def fetch(url: str, only: tuple[str, ...], root: Path) -> CollectOutcome:
    artifacts = FileArtifacts(root, AddressRule(private_too=True, only=(only,)))
    try:
        return await artifacts.collect(url, "tea/pour.mp4", key="k", media_type="video/mp4")
    finally:
        await artifacts.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("64:ff9b::5db8:d822", True),
        ("127.0.0.1", False), ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False),
        ("255.255.255.255", False), ("::1", False), ("::", False), ("fe80::1%eth0", False),
        ("fd00::1", False), ("::ffff:127.0.0.1", False), ("2002:7f00:1::", False),
        ("64:ff9b::a00:1", False), ("::7f00:1", False), ("::a9fe:a9fe", False),
        ("64:ff9b:1::1", False), ("not an address", False),
        ("fec0::2", False), ("168.63.129.16", False), ("192.0.0.192", False), ("192.0.0.9", False),
        ("100.100.100.200", False), ("::ffff:168.63.129.16", False), ("2002:a83f:8110::", False),
        ("64:ff9b::a83f:8110", False), ("2001:db8::1", False), ("2001::1", False), ("5f00::1", False),
        ("3fff::1", False), ("ff02::1", False), ("198.18.0.1", False), ("8.8.8.8", True), ("2a00:1450::1", True),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:  # noqa: FBT001 - a table
    assert is_public(address) is public


def test_a_url_is_shown_without_its_signature_and_without_what_steers_a_terminal() -> None:
    assert shown("https://a/b?sig=1") == "https://a/b"
    assert "\x1b" not in shown("https://a/\x1b[31m")
