"""Bringing files home over real sockets, into real folders."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import pytest

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.adapters.storage.output_folder import OutputFolder, PathRefused
from kiejobs.core.expand.job_checks import safe_output
from kiejobs.core.ledger.outcomes import CollectOutcome, NotCollected
from kiejobs.core.ledger.records import FileRecord, sibling_path
from tests.support.judge.replies import video
from tests.support.judge.wire import DROP, Reply, Request, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kiejobs.ports import Moved

DATA = video("one")
MP4 = {"Content-Type": "video/mp4"}
AT = "2026-11-22T08:44:27.501Z"
PATH = "judged/pour/pour.mp4"


@dataclass
class Host:
    """A result host whose replies are made one after the other; the last one stays."""

    replies: list[Callable[[Request], Reply]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.replies[min(len(self.requests), len(self.replies)) - 1](request)


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    wire = Wire(host.answer)
    host.url = f"http://127.0.0.1:{wire.port}/pour.mp4?sig=secret"
    yield host
    wire.close()


def whole(request: Request) -> Reply:
    """As an honest host answers, with and without a Range."""
    found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
    if found is None:
        return Reply(DATA, headers=MP4)
    start = int(found[1])
    span = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}
    return Reply(DATA[start:], "206 Partial Content", {**MP4, **span})


def cut(request: Request) -> Reply:
    reply = whole(request)
    return Reply(reply.body, reply.status, reply.headers, sent=len(reply.body) // 3)


def collect(
    url: str,
    root: Path,
    *,
    path: str = PATH,
    private: bool = True,
    times: int = 1,
    boot: str | None = None,
    moved: Moved | None = None,
) -> CollectOutcome:
    async def go() -> CollectOutcome:
        artifacts = FileArtifacts(root, AddressRule(private_too=private), boot=boot, moved=moved)
        try:
            for _ in range(times):
                outcome = await artifacts.collect(url, path, key="t1", media_type="video/mp4")
        finally:
            await artifacts.close()
        return outcome

    return anyio.run(go)


def parts(root: Path) -> list[Path]:
    """But for what says which version each is of."""
    return [
        path for path in root.rglob("*.part") if path.is_symlink() or not path.read_bytes().startswith(b'["')
    ]


def test_a_file_comes_home_whole_with_its_hash(host: Host, tmp_path: Path) -> None:
    host.replies = [whole]
    outcome = collect(host.url, tmp_path)
    digest = hashlib.sha256(DATA).hexdigest()
    unsigned = host.url.partition("?")[0]
    assert outcome == FileRecord(PATH, digest, len(DATA), "video/mp4", unsigned)
    assert (tmp_path / PATH).read_bytes() == DATA
    assert parts(tmp_path) == []


def test_it_says_how_far_a_file_is_and_when_it_is_over(host: Host, tmp_path: Path) -> None:
    heard: list[tuple[str, str, int | None, int | None]] = []
    host.replies = [cut, whole]
    for broken_off in (True, False):
        collect(host.url, tmp_path, moved=lambda *news: heard.append(news))
        what, names, done, sizes = zip(*heard, strict=True)
        assert (set(what), set(names)) == ({"downloading"}, {PATH})
        assert (done[-1], sizes[-1]) == (None, None)
        assert sizes[-2] == len(DATA)
        assert (done[-2] == len(DATA)) is not broken_off
        assert list(done[:-1]) == sorted(done[:-1])
        heard.clear()


def of_version(data: bytes, tag: str, *, sent: int | None = None) -> Callable[[Request], Reply]:
    """A host that has one version, heeds If-Range, and breaks off after `sent` bytes."""

    def answer(request: Request) -> Reply:
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if found is None or request.headers.get("if-range", tag) != tag:
            return Reply(data, headers={**MP4, "ETag": tag}, sent=sent)
        span = {"Content-Range": f"bytes {found[1]}-{len(data) - 1}/{len(data)}"}
        return Reply(data[int(found[1]) :], "206 Partial Content", {**MP4, **span, "ETag": tag}, sent=sent)

    return answer


def test_a_part_is_gone_on_with_by_another_process_if_it_is_of_the_same_version(
    host: Host, tmp_path: Path
) -> None:
    host.replies = [of_version(DATA, '"a"', sent=5_000), of_version(DATA, '"a"')]
    assert isinstance(collect(host.url, tmp_path), NotCollected)
    assert isinstance(collect(host.url, tmp_path), FileRecord)
    assert host.requests[1].headers["range"].startswith("bytes=")
    assert host.requests[1].headers["if-range"] == '"a"'
    assert [path.name for path in tmp_path.rglob("*.*")] == ["pour.mp4"]


@pytest.mark.parametrize("heeds", [True, False])
def test_parts_of_two_versions_are_never_joined(host: Host, tmp_path: Path, heeds: bool) -> None:  # noqa: FBT001
    other = video("two")

    def deaf(request: Request) -> Reply:
        request.headers.pop("if-range", None)
        return of_version(other, '"b"')(request)

    host.replies = [of_version(DATA, '"a"', sent=5_000), of_version(other, '"b"') if heeds else deaf]
    assert isinstance(collect(host.url, tmp_path, times=3), FileRecord)
    assert (tmp_path / PATH).read_bytes() == other


def test_a_total_that_changes_between_two_parts_begins_again(host: Host, tmp_path: Path) -> None:
    longer = DATA + b"\0\0\0\x08free"

    def changed(request: Request) -> Reply:
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        span = {"Content-Range": f"bytes {found[1]}-{len(longer) - 1}/{len(longer)}"} if found else {}
        start = int(found[1]) if found else 0
        return Reply(longer[start:], "206 Partial Content" if found else "200 OK", {**MP4, **span})

    host.replies = [cut, changed]
    assert isinstance(collect(host.url, tmp_path, times=3), FileRecord)
    assert (tmp_path / PATH).read_bytes() == longer


def test_what_is_sent_packed_unasked_is_unpacked(host: Host, tmp_path: Path) -> None:
    host.replies = [lambda _: Reply(gzip.compress(DATA), headers={**MP4, "Content-Encoding": "gzip"})]
    assert isinstance(collect(host.url, tmp_path), FileRecord)
    assert (tmp_path / PATH).read_bytes() == DATA


def test_no_key_and_no_cookie_goes_to_a_result_host(host: Host, tmp_path: Path) -> None:
    host.replies = [lambda _: Reply(DATA, headers={**MP4, "Set-Cookie": "a=b"}), whole]
    collect(host.url, tmp_path, times=2)
    for request in host.requests:
        assert {"authorization", "cookie"}.isdisjoint(request.headers)
        assert request.headers["user-agent"].startswith("kiejobs/")
        assert request.headers["accept-encoding"] == "identity"


def test_a_download_that_breaks_off_goes_on_where_it_stopped(host: Host, tmp_path: Path) -> None:
    host.replies = [cut, cut, whole]
    assert isinstance(collect(host.url, tmp_path), NotCollected)
    assert not (tmp_path / PATH).exists()
    assert len(parts(tmp_path)) == 1
    assert isinstance(collect(host.url, tmp_path, times=2), FileRecord)
    assert (tmp_path / PATH).read_bytes() == DATA
    asked = [request.headers.get("range") for request in host.requests]
    first = len(DATA) // 3
    assert asked == [None, f"bytes={first}-", f"bytes={first + (len(DATA) - first) // 3}-"]


def test_a_host_without_ranges_is_asked_for_the_whole_and_nothing_is_doubled(
    host: Host, tmp_path: Path
) -> None:
    host.replies = [cut, lambda _: Reply(DATA, headers=MP4)]
    assert isinstance(collect(host.url, tmp_path, times=2), FileRecord)
    assert (tmp_path / PATH).read_bytes() == DATA


def test_another_range_than_was_asked_for_starts_the_file_over(host: Host, tmp_path: Path) -> None:
    def shifted(_request: Request) -> Reply:
        span = {"Content-Range": f"bytes 5-{len(DATA) - 1}/{len(DATA)}"}
        return Reply(DATA[5:], "206 Partial Content", {**MP4, **span})

    host.replies = [cut, shifted, whole]
    assert isinstance(collect(host.url, tmp_path, times=3), FileRecord)
    assert (tmp_path / PATH).read_bytes() == DATA


@pytest.mark.parametrize("end", [len(DATA), 5_000])
def test_a_part_that_nobody_asked_for_is_taken_if_it_is_the_first(
    host: Host, tmp_path: Path, end: int
) -> None:
    def unasked(_request: Request) -> Reply:
        span = {"Content-Range": f"bytes 0-{end - 1}/{len(DATA)}"}
        return Reply(DATA[:end], "206 Partial Content", {**MP4, **span})

    host.replies = [unasked, whole]
    times = 1 if end == len(DATA) else 2
    assert isinstance(collect(host.url, tmp_path, times=times), FileRecord)
    assert (tmp_path / PATH).read_bytes() == DATA
    assert [request.headers.get("range") for request in host.requests] == [None, "bytes=5000-"][:times]


def test_a_part_that_does_not_fit_is_thrown_away(host: Host, tmp_path: Path) -> None:
    host.replies = [cut, lambda _: Reply(b"", "416 Range Not Satisfiable", MP4), whole]
    outcome = collect(host.url, tmp_path, times=2)
    assert isinstance(outcome, NotCollected)
    assert outcome.gone
    assert parts(tmp_path) == []
    assert isinstance(collect(host.url, tmp_path), FileRecord)
    assert (tmp_path / PATH).read_bytes() == DATA


def test_the_part_of_another_task_is_not_gone_on_with(host: Host, tmp_path: Path) -> None:
    host.replies = [whole]
    (tmp_path / PATH).parent.mkdir(parents=True)
    (tmp_path / f"{PATH}.deadbeef.part").write_bytes(b"somebody else's")
    collect(host.url, tmp_path)
    assert "range" not in host.requests[0].headers
    assert (tmp_path / PATH).read_bytes() == DATA


def test_what_another_boot_left_is_not_gone_on_with_but_deleted(host: Host, tmp_path: Path) -> None:
    host.replies = [cut, whole]
    collect(host.url, tmp_path, boot="before")
    (part,) = parts(tmp_path)
    part.write_bytes(bytes(part.stat().st_size))  # as long as it was, and nothing of it
    assert isinstance(collect(host.url, tmp_path, boot="after"), FileRecord)
    assert "range" not in host.requests[1].headers
    assert (tmp_path / PATH).read_bytes() == DATA
    assert parts(tmp_path) == []


def test_of_another_boot_nothing_is_deleted_that_is_no_part_or_that_somebody_holds(
    host: Host, tmp_path: Path
) -> None:
    host.replies = [cut, whole]
    collect(host.url, tmp_path, boot="another machine's")
    (part,) = parts(tmp_path)
    film = part.with_name("departed.mp4.part")
    film.write_bytes(b"somebody's film")
    with another_process(part) as process:
        assert isinstance(collect(host.url, tmp_path, boot="ours"), FileRecord)
        assert sorted(parts(tmp_path)) == sorted([part, film])
        assert process.stdin is not None
        print("given up", file=process.stdin, flush=True)
    assert isinstance(collect(host.url, tmp_path, path="judged/pour/b.mp4", boot="ours"), FileRecord)
    assert parts(tmp_path) == [film]


def test_the_longest_name_that_a_file_may_have_leaves_room_for_its_part(host: Host, tmp_path: Path) -> None:
    host.replies = [whole]
    name = sibling_path(safe_output("n" * 220, ".webm"), "f" * 64)
    stem, dot, extension = name.rpartition(".")
    assert isinstance(collect(host.url, tmp_path, path=f"{stem}-99{dot}{extension}"), FileRecord)


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (Reply(b"<html>no", "500 Oops"), "HTTP 500"),
        (Reply(DATA, headers={"Content-Type": "text/html"}), "expected video/mp4"),
        (Reply(b"<html>a page</html>", headers=MP4), "page of text"),
        (Reply(b"", headers=MP4), "empty"),
        (Reply(DATA, headers=MP4, sent=100), "connection ended"),
        (Reply(DATA, headers={**MP4, "Content-Encoding": "gzip"}), "unpacked"),
        (Reply(DATA, headers={**MP4, "Content-Encoding": "br"}), "not asked for"),
        (Reply(b"x" * 9000, headers=MP4), "of no known type"),
        (Reply(DATA + b"\0\0\1\0mdat", headers=MP4), "its container (video/mp4)"),
        (Reply("\ufeff<!DOCTYPE html>".encode(), headers=MP4), "page of text"),
        (Reply("\ufeff<html>".encode("utf-16-le"), headers=MP4), "page of text"),
        (DROP, "connection ended"),
        (Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "connection ended"),
    ],
)
def test_what_is_no_whole_video_never_gets_the_final_name(
    host: Host, tmp_path: Path, reply: Reply, word: str
) -> None:
    host.replies = [lambda _: reply]
    outcome = collect(host.url, tmp_path)
    if word:
        assert isinstance(outcome, NotCollected)
        assert word in outcome.message
        assert not (tmp_path / PATH).exists()
    else:  # the bytes are taken as they are: paid for, and as many as were announced
        assert isinstance(outcome, FileRecord)


def test_what_came_wrong_is_not_gone_on_with(host: Host, tmp_path: Path) -> None:
    host.replies = [lambda _: Reply(b"<html>a page of some length</html>", headers=MP4), whole]
    assert isinstance(collect(host.url, tmp_path, times=2), FileRecord)
    assert "range" not in host.requests[1].headers


@pytest.mark.parametrize("status", ["401 No", "403 Expired", "404 Gone", "410 Gone"])
def test_an_address_that_expired_is_told_as_gone(host: Host, tmp_path: Path, status: str) -> None:
    host.replies = [lambda _: Reply(b"", status)]
    outcome = collect(host.url, tmp_path)
    assert isinstance(outcome, NotCollected)
    assert outcome.gone
    assert parts(tmp_path) == []


def test_a_redirect_is_followed_and_an_endless_one_is_not(host: Host, tmp_path: Path) -> None:
    there = {"Location": "/elsewhere.mp4"}
    host.replies = [lambda _: Reply(b"", "302 Found", there), whole]
    assert isinstance(collect(host.url, tmp_path), FileRecord)
    host.replies = [lambda _: Reply(b"", "302 Found", there)]
    outcome = collect(host.url, tmp_path)
    assert isinstance(outcome, NotCollected)
    assert "redirects" in outcome.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x.mp4",
        "http://localhost:9/x.mp4",
        "http://10.1.2.3/x.mp4",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/x.mp4",
        "http://[::ffff:10.0.0.1]/x.mp4",
        "http://[64:ff9b::a00:1]/x.mp4",
        "http://0.0.0.0/x.mp4",
        "http://2130706433/x.mp4",
        "http://100.64.0.1/x.mp4",
        "http://[fd00::1]/x.mp4",
    ],
)
def test_a_private_address_is_refused_where_the_api_is_public(tmp_path: Path, url: str) -> None:
    outcome = collect(url, tmp_path, private=False)
    assert isinstance(outcome, NotCollected)
    assert outcome.message.startswith("refused: "), outcome


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/x.mp4",
        "//example.com/x.mp4",
        "http:///x.mp4",
        "http://[/x.mp4",
        "http://user:word@127.0.0.1:9/x.mp4",
        "http://127.0.0.1:99999/x.mp4",
        "http://exa mple.com/x.mp4",
        "",
        "http://127.0.0.1:9/\ud800",
        "http://192.168.0.1./x.mp4",
        "http://[fe80::1%25lo]/x.mp4",
    ],
)
def test_what_is_no_address_is_refused_and_breaks_nothing(tmp_path: Path, url: str) -> None:
    assert isinstance(collect(url, tmp_path), NotCollected)
    assert list(tmp_path.rglob("*.mp4")) == []


def test_a_redirect_can_not_lead_to_another_kind_of_address(host: Host, tmp_path: Path) -> None:
    for there in ("file:///etc/passwd", "http://[", "gopher://127.0.0.1/"):
        host.replies = [lambda _, there=there: Reply(b"", "302 Found", {"Location": there})]
        assert isinstance(collect(host.url, tmp_path), NotCollected)


def test_the_address_that_was_connected_to_counts_and_not_what_its_name_said(
    host: Host, tmp_path: Path
) -> None:
    """A name that is public when it is asked for first, and private when it is connected to."""

    class Fickle(AddressRule):
        async def check(self, url: str, *, proxied: bool = False) -> None:
            """The first answer was a public address."""

    async def go() -> CollectOutcome:
        artifacts = FileArtifacts(tmp_path, Fickle(private_too=False))
        try:
            return await artifacts.collect(host.url, PATH, key="t1", media_type="video/mp4")
        finally:
            await artifacts.close()

    outcome = anyio.run(go)
    assert isinstance(outcome, NotCollected)
    assert "private address" in outcome.message
    assert host.requests == []


def test_a_link_in_the_output_folder_leads_nowhere(host: Host, tmp_path: Path) -> None:
    host.replies = [whole]
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "outputs"
    root.mkdir()
    (root / "judged").symlink_to(outside)
    (root / "file.mp4").symlink_to(outside / "file.mp4")
    (root / "round").symlink_to(root / "round")
    for path in (PATH, "file.mp4", "round/file.mp4"):
        outcome = collect(host.url, root, path=path)
        assert isinstance(outcome, NotCollected)
        assert "leave the output folder" in outcome.message
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_a_part_is_not_written_through(host: Host, tmp_path: Path) -> None:
    host.replies = [cut, whole]
    collect(host.url, tmp_path)
    (part,) = parts(tmp_path)
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    part.unlink()
    part.symlink_to(victim)
    assert isinstance(collect(host.url, tmp_path), FileRecord)
    assert victim.read_bytes() == b""
    assert (tmp_path / PATH).read_bytes() == DATA


def test_the_output_folder_itself_is_no_link(host: Host, tmp_path: Path) -> None:
    host.replies = [whole]
    (tmp_path / "big disk").mkdir()
    (tmp_path / "outputs").symlink_to(tmp_path / "big disk")
    outcome = collect(host.url, tmp_path / "outputs")
    assert isinstance(outcome, NotCollected)
    assert "outputs is a symbolic link" in outcome.message
    assert list((tmp_path / "big disk").iterdir()) == []
    assert isinstance(collect(host.url, tmp_path / "big disk"), FileRecord)


def test_no_link_within_the_output_folder_is_written_through(host: Host, tmp_path: Path) -> None:
    host.replies = [whole]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / PATH).parent.parent.mkdir(parents=True)
    (tmp_path / PATH).parent.symlink_to(tmp_path / "elsewhere")
    outcome = collect(host.url, tmp_path)
    assert isinstance(outcome, NotCollected)
    assert "leads through a symbolic link" in outcome.message


@contextmanager
def another_process(part: Path) -> Iterator[subprocess.Popen[str]]:
    """One that holds the part until it is told a line: `done` renames it, else it lets go."""
    words = (
        "import fcntl, os, sys; part = open(sys.argv[1], 'rb'); fcntl.flock(part, fcntl.LOCK_EX);"
        "print('held', flush=True);"
        "sys.stdin.readline() == 'done\\n' and os.replace(sys.argv[1], sys.argv[2])"
    )
    final = str(part).rpartition(".mp4.")[0] + ".mp4"
    with subprocess.Popen(
        [sys.executable, "-c", words, str(part), final],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.mark.parametrize("word", ["done", "given up"])
def test_a_file_that_another_process_is_receiving_is_waited_for(
    host: Host, tmp_path: Path, word: str
) -> None:
    host.replies = [cut, whole]
    collect(host.url, tmp_path)
    (part,) = parts(tmp_path)
    if word == "done":
        part.write_bytes(DATA)
    with another_process(part) as process:
        assert process.stdin is not None
        timer = threading.Timer(0.3, lambda: print(word, file=process.stdin, flush=True))
        timer.start()
        outcome = collect(host.url, tmp_path)
        timer.join()
    assert isinstance(outcome, FileRecord)
    assert outcome.sha256 == hashlib.sha256(DATA).hexdigest()
    assert (tmp_path / PATH).read_bytes() == DATA
    assert len(host.requests) == (1 if word == "done" else 2), "what is home is not fetched again"
    assert parts(tmp_path) == []


def test_the_condition_of_files_is_told(host: Host, tmp_path: Path) -> None:
    host.replies = [whole]
    outcome = collect(host.url, tmp_path)
    assert isinstance(outcome, FileRecord)
    folder = OutputFolder(tmp_path)
    files = [outcome]
    assert folder.condition(files, AT) is None
    (tmp_path / PATH).write_bytes(DATA[:-1] + b"?")
    assert folder.condition(files, AT) == "file_damaged"
    (tmp_path / PATH).write_bytes(DATA[:-1])
    assert folder.condition(files, AT) == "file_damaged"
    (tmp_path / PATH).unlink()
    assert folder.condition(files, AT) == "file_missing"


def test_a_marked_file_is_not_read_again_and_a_touched_one_is(host: Host, tmp_path: Path) -> None:
    host.replies = [whole]
    outcome = collect(host.url, tmp_path)
    assert isinstance(outcome, FileRecord)
    folder, path, files = OutputFolder(tmp_path), tmp_path / PATH, [outcome]
    folder.mark(files, AT)
    marked = path.stat()
    path.write_bytes(DATA[:-1] + b"?")
    assert folder.condition(files, AT) == "file_damaged", "even in the second it was collected in"
    os.utime(path, ns=(marked.st_atime_ns, marked.st_mtime_ns))
    assert folder.condition(files, AT) is None, "only by its time would anybody know"
    assert folder.condition(files, "2026-11-22T08:44:27.502Z") == "file_damaged"


SHA_OF_S = hashlib.sha256(b"s").hexdigest()


def test_recorded_paths_from_a_strange_journal_are_not_looked_at_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    root = tmp_path / "outputs"
    root.mkdir()
    folder = OutputFolder(root)
    for place in (root / "ours", root / "a" / "ours"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"s")
        (place.parent / "link").symlink_to(tmp_path / "secret")
        ours = FileRecord(place.relative_to(root).as_posix(), SHA_OF_S, 1, "video/mp4", "")
        assert folder.condition([ours], AT) is None, "both folders are known from here on"
    for path in ("../secret", "a/../../secret", "..", "link", "a/link"):
        file = FileRecord(path, SHA_OF_S, 1, "video/mp4", "")
        assert folder.condition([file], AT) == "file_missing"
        assert folder.digest_of(file) is None
        folder.mark([file], AT)
        assert (tmp_path / "secret").stat().st_mtime_ns % 10**9 != 501 * 10**6
        with pytest.raises(PathRefused):
            folder.target(path)
