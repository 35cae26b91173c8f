"""`--check-assets`: the files that requests point at, fetched with a stranger's URL in hand."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from kiejobs.adapters.http.fetch import fetch_assets
from kiejobs.core.models.spec import FileRule, files_of, media_type_of, read_spec, wrong_type
from kiejobs.core.plan.lock import Asset
from tests.support.bench import Bench
from tests.support.judge.server import KEY
from tests.support.pictures import picture, png_of
from tests.support.raw_server import raw_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.raw_server import RawServer, Wire

WEBP = picture("webp")
PNG = picture("png")
RULE = FileRule(1000, frozenset({"image/png", "image/webp"}))
PUBLIC = "https://93.184.216.34"


def look(url: str, base: str, rule: FileRule = RULE) -> Asset | str:
    return anyio.run(fetch_assets, {url: rule}, base)[url]


def answering(body: bytes, status: str = "200 OK", *more: str) -> Callable[[Wire], None]:
    return lambda wire: wire.answer(body, status, *more)


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (WEBP, "image/webp"),
        (PNG, "image/png"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"RIFF\x10\x00\x00\x00AVI LIST", "video/avi"),
        (b"\xff\xfbsome", "audio/mpeg"),
        (b"\xff\xf1some", "audio/aac"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"BM6\x00", "image/bmp"),
        (b"II*\x00", "image/tiff"),
        (b"MM\x00*", "image/tiff"),
        (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (b"\x00\x00\x00\x18ftypqt  ", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska", "video/x-matroska"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x00\x00\x00\x18ftypavif", "image/avif"),
        (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
        (b"JUNK\x10\x00\x00\x00WEBP", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_a_type_is_known_by_the_bytes(head: bytes, media_type: str | None) -> None:
    assert media_type_of(head) == media_type


def test_files_are_found_wherever_a_schema_says_that_they_are() -> None:
    rule = {"max_bytes": 5, "media_types": ["image/png"]}
    fields = {
        "one": {"type": "string", "x-kiejobs-file": rule},
        "many": {"type": "array", "items": {"type": "string", "x-kiejobs-file": rule}},
        "all": {"type": "array", "x-kiejobs-file": {}, "items": {"type": "string"}},
        "deep": {"type": "object", "properties": {"a": {"type": "string", "x-kiejobs-file": {}}}},
        "text": {"type": "string"},
    }
    request = {"model": {"enum": ["m"]}, "input": {"properties": fields}}
    asked = {
        "one": "1",
        "many": ["2", "3"],
        "all": ["4"],
        "deep": {"a": "5"},
        "text": "6",
        "x": "7",
    }
    found = list(files_of(read_spec({"properties": request}), asked))
    assert [url for url, _ in found] == ["1", "2", "3", "4", "5"]
    assert found[0][1] == FileRule(5, frozenset({"image/png"}))
    assert found[3][1].types == frozenset()


def test_a_type_goes_by_all_of_its_names() -> None:
    for found, taken in (
        ("image/jpeg", "image/jpg"),
        ("audio/mpeg", "audio/mp3"),
        ("audio/wav", "audio/x-wav"),
        ("video/mp4", "audio/mp4"),
        ("image/png", "image/*"),
        ("video/mp4", "audio/*"),
    ):
        assert wrong_type(FileRule(9, frozenset({taken})), found) is None
    assert wrong_type(RULE, "image/jpeg") is not None
    assert wrong_type(FileRule(9, frozenset({"image/*"})), "audio/mpeg") is not None
    assert wrong_type(FileRule(9, frozenset({"image/*"})), None) is not None


def test_what_two_models_take_is_what_both_take() -> None:
    anything = FileRule(10, frozenset())
    assert RULE & anything == FileRule(10, RULE.types)
    assert (RULE & FileRule(2000, frozenset({"image/png"}))).types == {"image/png"}


def test_a_whole_file_is_hashed_and_typed_whatever_its_host_says() -> None:
    with raw_server(answering(WEBP, "200 OK", "Content-Type: text/html")) as server:
        found = look(f"{server.url}/a.png?sig=1", server.url)
    assert found == Asset(sha256=hashlib.sha256(WEBP).hexdigest(), bytes=len(WEBP), media_type="image/webp")


def test_the_request_says_who_asks_and_carries_no_key() -> None:
    with raw_server(answering(PNG)) as server:
        look(f"{server.url}/a.png", server.url)
    head, _ = server.requests[0]
    assert "user-agent: kiejobs/" in head.lower()
    assert "authorization" not in head.lower()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"\xff\xd8\xff\xe0 a jpeg", "200 OK", "it is image/jpeg, and the model takes image/png"),
        (b"<html>not found", "200 OK", "of no known type"),
        (b"", "200 OK", "it is empty"),
        (PNG, "404 Not Found", "HTTP 404"),
        (PNG.ljust(2032, b"\x00"), "200 OK", "it has 2,032 bytes, and the model takes 1,000"),
        (WEBP[:-4], "200 OK", "it does not decode"),
        (png_of(20_000, 20_000), "200 OK", "more than 50,000,000 pixels"),
    ],
)
def test_what_can_not_be_sent_is_told_in_words(body: bytes, status: str, words: str) -> None:
    with raw_server(answering(body, status)) as server:
        found = look(f"{server.url}/a.png", server.url)
    assert isinstance(found, str)
    assert words in found


def test_no_more_is_read_than_the_model_takes() -> None:
    def endless(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + PNG)
        try:
            while not wire.over.is_set():
                wire.send(b"\x00" * 65536)
        except OSError:
            return

    with raw_server(endless) as server:
        found = look(f"{server.url}/a.png", server.url)
    assert found == "it has more than the 1,000 bytes that the model takes"


def test_a_file_that_is_cut_off_is_none() -> None:
    def cut(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + PNG)

    with raw_server(cut) as server:
        found = look(f"{server.url}/a.png", server.url)
    assert isinstance(found, str)
    assert "before the answer was complete" in found


def test_redirects_are_followed_a_few_times() -> None:
    def script(wire: Wire) -> None:
        if " /a.png " in wire.head:
            wire.answer(b"", "302 Found", "Location: /b.png")
        elif " /round " in wire.head:
            wire.answer(b"", "302 Found", "Location: /round")
        else:
            wire.answer(PNG)

    with raw_server(script) as server:
        assert not isinstance(look(f"{server.url}/a.png", server.url), str)
        assert look(f"{server.url}/round", server.url) == "too many redirects"
    assert server.connections == 2 + 6


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/a.png", "http://[::1]/a.png", "file:///etc/passwd", "a.png", "http://"],
)
def test_private_places_are_not_knocked_at(url: str) -> None:
    found = look(url, PUBLIC)
    assert isinstance(found, str)
    assert "private" in found or "not an http(s) URL" in found


def test_a_private_server_is_not_even_connected_to() -> None:
    with raw_server(answering(PNG)) as server:
        assert isinstance(look(f"{server.url}/a.png", PUBLIC), str)
    assert server.connections == 0


# --- the command line ----------------------------------------------------------------------------


@contextmanager
def pictured(folder: Path, script: Callable[[Wire], None]) -> Iterator[tuple[Bench, RawServer]]:
    """A job file whose picture is at a server of ours, which the API is taken to live at."""
    with raw_server(script) as server:
        bench = Bench(folder, server.url)
        bench.write({"a": "a", "b": "b"})
        path = folder / "jobs.yaml"
        path.write_text(path.read_text().replace("https://example.com", server.url))
        yield bench, server


def test_a_lock_with_assets_names_their_bytes_and_refuses_others(tmp_path: Path) -> None:
    bodies = [WEBP]
    with pictured(tmp_path, lambda wire: wire.answer(bodies[-1])) as (bench, server):
        assert bench.do("lock", "jobs.yaml", "--check-assets").code == 0
        assert len(server.requests) == 1, "two jobs, one picture"
        locked = json.loads((tmp_path / "jobs.yaml.lock").read_bytes())
        assert locked["images"][f"{server.url}/a.webp"] == {
            "sha256": hashlib.sha256(WEBP).hexdigest(),
            "bytes": len(WEBP),
            "media_type": "image/webp",
        }
        flags = ("--locked", "--check-assets")
        assert bench.do("validate", "jobs.yaml", *flags).code == 0
        bodies.append(picture("webp", color="white"))
        assert bench.do("plan", "jobs.yaml", "--locked").code == 0, "nobody looked"
        ran = bench.do("plan", "jobs.yaml", *flags)
        assert ran.code == 6
        assert "a.webp has changed: image/webp of " in ran.err
    assert not any(KEY in head for head, _ in server.requests)


@pytest.mark.parametrize("verb", ["validate", "lock"])
def test_a_picture_that_can_not_be_used_is_an_error(tmp_path: Path, verb: str) -> None:
    with pictured(tmp_path, answering(b"GIF89a, a picture")) as (bench, _):
        ran = bench.do(verb, "jobs.yaml", "--check-assets")
    assert ran.code == 2
    assert "a.webp: it is image/gif, and the model takes" in ran.err
    assert "1 of 1 files" in ran.err
    assert not (tmp_path / "jobs.yaml.lock").exists()


def test_nothing_is_bought_with_a_picture_that_can_not_be_used(tmp_path: Path) -> None:
    with pictured(tmp_path, answering(b"", "404 Not Found")) as (bench, server):
        assert bench.do("run", "jobs.yaml", "--yes", "--check-assets").code == 2
    assert not any(head.startswith("POST") for head, _ in server.requests)
