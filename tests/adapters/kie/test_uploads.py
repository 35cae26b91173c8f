"""The real upload adapter against real sockets: what is sent, and what each answer means."""

from __future__ import annotations

import email.parser
import hashlib
import json
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from kiejobs.adapters.kie.client import KieUploads
from kiejobs.adapters.project.local_files import LocalFolder
from kiejobs.adapters.system import Secret
from kiejobs.core.expand.job import LocalFile
from kiejobs.core.ledger import outcomes
from tests.support.raw_server import RawServer, Wire, free_port, raw_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kiejobs.ports import Moved

KEY = "k-3c1f7a0e9b"
DATA = b"RIFF....WEBP" + bytes(range(256)) * 2_000
SHA = hashlib.sha256(DATA).hexdigest()
CUP = LocalFile("pics/my holiday.webp", SHA, len(DATA), "image/webp")
URL = f"https://files.example.com/kieai/1/kiejobs/{SHA}.webp"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pics").mkdir()
    (tmp_path / CUP.path).write_bytes(DATA)
    return tmp_path


def uploaded(
    url: str, folder: Path, file: LocalFile = CUP, moved: Moved | None = None
) -> outcomes.UploadOutcome:
    async def go() -> outcomes.UploadOutcome:
        uploads = KieUploads(url, Secret(KEY), LocalFolder(folder), moved=moved)
        try:
            return await uploads.upload(file)
        finally:
            await uploads.close()

    return anyio.run(go)


def told(code: Any = 200, url: Any = URL, **more: Any) -> bytes:
    data = {"downloadUrl": url, "fileSize": len(DATA), **more}
    return json.dumps({"success": code == 200, "code": code, "msg": "said", "data": data}).encode()


def answering(body: bytes, *status: str) -> Callable[[Wire], None]:
    return lambda wire: wire.answer(body, *status)


def parts(server: RawServer) -> dict[str, Any]:
    """The one request's parts by name, read by the standard library."""
    ((head, body),) = server.requests
    kind = next(line for line in head.split("\r\n") if line.lower().startswith("content-type:"))
    message: Any = email.parser.BytesParser().parsebytes(kind.encode() + b"\r\n\r\n" + body)
    return {p.get_param("name", header="content-disposition"): p for p in message.get_payload()}


# --- what is sent ----------------------------------------------------------------------------------


def test_it_sends_the_file_under_the_name_of_its_content(folder: Path) -> None:
    heard: list[tuple[str, str, int | None, int | None]] = []
    with raw_server(answering(told())) as server:
        stored = uploaded(server.url, folder, moved=lambda *news: heard.append(news))
    assert stored == outcomes.UploadStored(URL)
    *under_way, end = heard
    assert end == ("uploading", CUP.path, None, None)
    assert [done for _, _, done, _ in under_way][-1] == len(DATA)
    assert {size for _, _, _, size in under_way} == {len(DATA)}
    found, head = parts(server), server.requests[0][0]
    assert head.startswith("POST /api/file-stream-upload HTTP/1.1")
    assert f"authorization: bearer {KEY}" in head.lower()
    assert "user-agent: kiejobs/" in head.lower()
    assert list(found) == ["uploadPath", "fileName", "file"]
    assert found["uploadPath"].get_payload() == "kiejobs"
    assert found["fileName"].get_payload() == f"{SHA}.webp"
    assert found["file"].get_payload(decode=True) == DATA
    assert found["file"].get_content_type() == "image/webp"
    assert found["file"].get_filename() == f"{SHA}.webp"
    assert b"holiday" not in server.requests[0][1], "no name of ours leaves the machine"


def test_a_file_of_an_unknown_type_has_no_extension(folder: Path) -> None:
    odd = LocalFile(CUP.path, SHA, len(DATA), "application/x-odd")
    with raw_server(answering(told())) as server:
        assert uploaded(server.url, folder, odd) == outcomes.UploadStored(URL)
    assert parts(server)["fileName"].get_payload() == SHA


def test_nothing_of_a_changed_file_leaves(folder: Path) -> None:
    (folder / CUP.path).write_bytes(DATA[:-1] + b"?")
    with raw_server(answering(told())) as server:
        outcome = uploaded(server.url, folder)
    assert outcome == outcomes.Unusable(f"{CUP.path} was changed since it was planned; run again")
    assert server.connections == 0


def test_a_file_that_changes_while_it_is_sent_is_never_sent_whole(folder: Path) -> None:
    """The host stops reading in the middle; meanwhile the last bytes become others."""
    big = DATA * 40
    (folder / CUP.path).write_bytes(big)
    file = LocalFile(CUP.path, hashlib.sha256(big).hexdigest(), len(big), "image/webp")
    seen = bytearray()

    def read_a_little_then_the_rest(listening: socket.socket) -> None:
        sock, _ = listening.accept()
        with sock:
            seen.extend(sock.recv(2**16))
            with (folder / CUP.path).open("r+b") as stream:
                stream.seek(-3, os.SEEK_END)
                stream.write(b"???")
            while chunk := sock.recv(2**16):
                seen.extend(chunk)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        reading = threading.Thread(target=read_a_little_then_the_rest, args=[listening])
        reading.start()
        outcome = uploaded(f"http://127.0.0.1:{listening.getsockname()[1]}", folder, file)
        reading.join()
    assert isinstance(outcome, outcomes.Unusable)
    assert 2**16 < len(seen) < len(big), "a part has left, and never the end"
    assert b"???" not in seen


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing", "circle", "outside"])
def test_what_is_no_file_is_unusable_at_once(folder: Path, kind: str) -> None:
    path, outside = folder / CUP.path, folder.parent / f"{folder.name}.webp"
    path.rename(outside)
    make = {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "missing": list,
        "circle": lambda: path.symlink_to(path),
        "outside": lambda: path.symlink_to(outside),
    }
    make[kind]()
    outcome = uploaded("http://127.0.0.1:9", folder)
    assert isinstance(outcome, outcomes.Unusable)
    assert outcome.message.startswith(f"{CUP.path}: it ")


# --- what answers mean -----------------------------------------------------------------------------

Again, Never = outcomes.NotUploaded, outcomes.Unusable


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (told(), "200 OK", outcomes.UploadStored),
        (told("200"), "201 Created", outcomes.UploadStored),
        (told(fileSize=None), "200 OK", outcomes.UploadStored),
        (told(401), "200 OK", outcomes.Refused),
        (told(401), "401 Unauthorized", outcomes.Refused),
        (b"error code: 1010", "403 Forbidden", outcomes.Refused),
        (told(400), "200 OK", Never),
        (told(400), "400 Bad Request", Never),
        (told(405), "405 Method Not Allowed", Never),
        (b"<html>too large</html>", "413 Payload Too Large", Never),
        (b"<html>nothing here</html>", "404 Not Found", outcomes.Refused),
        (told(429), "200 OK", Again),
        (b"", "429 Too Many Requests", Again),
        (b"", "408 Request Timeout", Again),
        (told(500), "200 OK", Again),
        (told(500), "500 Oops", Again),
        (told(200), "500 Oops", Again),
        (b"<html>bad gateway</html>", "502 Bad Gateway", Again),
        (b"", "302 Found", Again),
        (b"<html>welcome</html>", "200 OK", Again),
        (b'{"code":200,"data":{"downloadUrl":"https://x', "200 OK", Again),
        (b"[1]", "200 OK", Again),
        (b'{"code":200,"msg":"ok","data":null}', "200 OK", Again),
        (told(fileSize=len(DATA) - 1), "200 OK", Again),
    ],
)
def test_each_answer_has_a_meaning(folder: Path, body: bytes, status: str, kind: type) -> None:
    with raw_server(answering(body, status)) as server:
        outcome = uploaded(server.url, folder)
    assert type(outcome) is kind


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "/relative",
        "ftp://files.example.com/x",
        "file:///etc/passwd",
        "https://user:pw@files.example.com/x",
        "https:///x",
        "https://files.example.com:0/x",
        "https://files.example.com:99999/x",
        "https://files.example.com/a b",
        "https://files.example.com/\u00fc",
        "https://files.example.com/x#there",
        "https://files.example.com/\n",
        "https://files.example.com/" + "x" * 2_000,
    ],
)
def test_an_address_that_can_not_be_used_is_none(folder: Path, url: Any) -> None:
    with raw_server(answering(told(url=url))) as server:
        outcome = uploaded(server.url, folder)
    assert outcome == outcomes.NotUploaded("the upload host answered without a usable address")


def test_plain_http_is_taken_from_a_host_that_is_spoken_to_so(folder: Path) -> None:
    with raw_server(answering(told(url="http://127.0.0.1/x"))) as server:
        assert uploaded(server.url, folder) == outcomes.UploadStored("http://127.0.0.1/x")


def test_the_key_is_cut_out_of_what_the_host_says(folder: Path) -> None:
    body = json.dumps({"code": 400, "msg": f"no such key\x1b[2J: {KEY}"}).encode()
    with raw_server(answering(body)) as server:
        outcome = uploaded(server.url, folder)
    said = f"the upload host refuses {CUP.path}: 400: no such key [2J: ***"
    assert outcome == outcomes.Unusable(said)


def test_a_code_of_the_hosts_own_making_is_told_in_few_printable_characters(folder: Path) -> None:
    body = json.dumps({"code": f"\x1b[31m{KEY}" + "x" * 99, "msg": ""}).encode()
    with raw_server(answering(body)) as server:
        outcome = uploaded(server.url, folder)
    code = "[31m***" + "x" * 33
    assert outcome == outcomes.NotUploaded(f"the upload host answered {code}: HTTP 200")


@pytest.mark.parametrize("kind", ["refused", "reset", "silent_end", "endless"])
def test_a_broken_connection_is_no_verdict(folder: Path, kind: str) -> None:
    def endless(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (3 * 2**20))

    scripts: dict[str, Callable[[Wire], None]] = {
        "reset": lambda wire: wire.reset(),
        "silent_end": lambda _: None,
        "endless": endless,
    }
    if kind == "refused":
        outcome = uploaded(f"http://127.0.0.1:{free_port()}", folder)
    else:
        with raw_server(scripts[kind]) as server:
            outcome = uploaded(server.url, folder)
    assert isinstance(outcome, outcomes.NotUploaded)


def test_it_can_be_left_in_the_middle(folder: Path) -> None:
    with raw_server(lambda wire: wire.over.wait()) as server:

        async def go() -> None:
            uploads = KieUploads(server.url, Secret(KEY), LocalFolder(folder))
            with anyio.move_on_after(0.3):
                await uploads.upload(CUP)
            await uploads.close()

        anyio.run(go)  # the server would wait for ever
