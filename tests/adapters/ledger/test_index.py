"""The index of closed runs: whatever becomes of it or of the journals, a reading says what these say."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.adapters.ledger.folder import INDEX, FolderStore
from kiejobs.adapters.ledger.journal import JOURNAL, FileJournal, read_journal
from kiejobs.core.diagnostics import JournalProblem
from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.fold import History, contradictions
from kiejobs.core.ledger.records import State
from tests.contracts.fakes import FakeClock
from tests.contracts.test_ledger_contract import HEADER
from tests.support.histories import (
    BROKEN,
    ORIGIN,
    REFUSED,
    bought,
    collected,
    failed,
    reserved,
    submitted,
    succeeded,
    upload,
)
from tests.support.work import calls_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ELSEWHERE = "https://stand-in.example.com"
END = e.RunFinished(0, None)


class Runs:
    """A runs folder that several processes read and write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()

    def journal(self, name: str, *events: e.Event, origin: str = ORIGIN) -> Path:
        header = replace(HEADER, run_id=name, origin=origin)
        written = FileJournal(self.folder, header, self.clock)
        for event in events:
            self.clock.passes(1)
            written.append(event)
        written.close()
        return written.path

    def path(self, name: str) -> Path:
        return self.folder / name / JOURNAL

    @property
    def index(self) -> Path:
        return self.folder / INDEX

    def store(self) -> FolderStore:
        """As a new process has it, that keeps an index from the first closed run on."""
        return FolderStore(self.folder, worth_an_index=0)

    def indexed(self) -> set[str]:
        """The runs that a new process needn't parse."""
        return {one.run_id for one in self.store().read().records if one.closed}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Five closed runs and an index of them: purchases that came to any end, and one that is still open."""
    runs = Runs(tmp_path / "runs")
    planned = e.Planned("tea/pour", "f1", 1, "example/one", "submit", "new", None)
    runs.journal("run-1", planned, *bought("a1"), *refused("a2", "f2"), END)
    runs.journal("run-2", *bought("b1", "tea/steam", "f3"), reserved("b2", "tea/b", "f4"), END)
    runs.journal("run-3", upload("cd" * 32, "https://files.example.com/cup.png"), submitted("b2"), END)
    runs.journal("run-4", *bought("c1", "tea/pour", "f5"), END, origin=ELSEWHERE)
    runs.journal("run-5", reserved("d1", "tea/d", "f6"), submitted("d1"), failed("d1"), END)
    runs.store().read()
    assert runs.indexed() == {"run-1", "run-2", "run-3", "run-4", "run-5"}
    return runs


def refused(attempt: str, fingerprint: str) -> tuple[e.Event, ...]:
    address = f"tea/{attempt}"
    return (reserved(attempt, address, fingerprint), e.Rejected(attempt, REFUSED))


# --- what a reading says ----------------------------------------------------------------------------


def said(history: History) -> list[Any]:
    """All that anybody can ask: the ledgers, the journals, the manifests."""
    ledgers = [history.ledger(origin) for origin in (None, ORIGIN, ELSEWHERE)]
    ledgers += [history.elsewhere(origin) for origin in (ORIGIN, ELSEWHERE)]
    records = [one for one in history.records if one.header]
    return [
        [
            (
                list(one.attempts()), list(one.current()), dict(one.runs), dict(one.plans_used),
                dict(one.uploads), one.paths(), list(one.bought_twice()), one.committed(),
            )
            for one in ledgers
        ],
        [(one.run_id, one.header, tuple(one.events), one.live) for one in history.records],
        [history.manifest(one) for one in records],
        set(history.live_runs),
    ]  # fmt: skip


def by_lines(folder: Path) -> History:
    """All journals, each from its own lines."""
    records = [read_journal(path) for path in sorted(folder.glob(f"*/{JOURNAL}"))]
    for run_id, name, why in contradictions(records):
        path = folder / run_id / JOURNAL
        lines = path.read_bytes().split(b"\n")
        number = [n for n, line in enumerate(lines, start=1) if name.encode() in line][-1]
        raise JournalProblem(f"{path.as_posix()}:{number}: {why}")
    return History(records)


def verdict(read: Callable[[], History]) -> list[Any] | str:
    try:
        return said(read())
    except JournalProblem as problem:
        return problem.message


def require_same(runs: Runs) -> None:
    """Twice: what the first reading keeps, the second one reads."""
    expected = verdict(lambda: by_lines(runs.folder))
    assert verdict(runs.store().read) == expected
    assert verdict(runs.store().read) == expected


def test_with_an_index_no_line_of_a_closed_run_is_parsed(runs: Runs) -> None:
    with calls_of("read_line") as lines:
        ledger = runs.store().read().ledger(ORIGIN)
    assert [one.attempt_id for one in ledger.attempts()] == ["a1", "a2", "b1", "b2", "d1"]
    assert lines.count == 0
    require_same(runs)


def test_only_new_journals_are_parsed(runs: Runs) -> None:
    runs.journal("run-6", *bought("e1", "tea/e", "f7"))
    with calls_of("read_line") as lines:
        runs.store().read().ledger(ORIGIN)
    assert lines.count == 6
    require_same(runs)


def test_a_run_that_is_asked_for_is_read_alone(runs: Runs) -> None:
    history = runs.store().read()
    record = history.record("run-1")
    assert record is not None
    with calls_of("parse_journal") as journals:
        made = history.manifest(record)
        assert history.manifest(record) == made
    assert journals.count == 1
    assert made == by_lines(runs.folder).manifest(record)


def test_a_publication_reads_no_manifest_that_is_up_to_date(runs: Runs) -> None:
    runs.store().publish()
    for path in runs.folder.glob(f"*/{JOURNAL}"):
        os.utime(path)  # as a checkout leaves them: no time means anything
    with calls_of("_write_manifest") as first:
        assert runs.store().publish() == []
    with calls_of("_write_manifest") as later, calls_of("read_line") as lines:
        assert runs.store().publish() == []
    assert (first.count, later.count, lines.count) == (5, 0, 0)


def test_a_manifest_of_a_closed_run_follows_what_a_later_run_did(runs: Runs) -> None:
    runs.store().publish()
    runs.journal("run-6", succeeded("b2"), END)
    places = [f"{runs.folder.as_posix()}/{name}/manifest.json" for name in ("run-2", "run-3", "run-6")]
    assert runs.store().publish() == places
    assert by_lines(runs.folder).manifest(read_journal(runs.path("run-2"))) == runs.store().manifest("run-2")


def test_small_folders_get_none(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.journal("run-1", *bought("a1"), END)
    FolderStore(tmp_path).read()
    assert not runs.index.exists()


# --- what becomes of the journals --------------------------------------------------------------------


def append(runs: Runs, name: str, *events: e.Event) -> None:
    """To a journal that was closed, as no kiejobs does."""
    path = runs.path(name)
    lines = path.read_bytes().splitlines()
    for event in events:
        previous = hashlib.sha256(lines[-1]).hexdigest()
        body = {"v": 1, "seq": len(lines) + 1, "prev": previous, "at": "2026-11-22T20:00:00.000Z"}
        text = json.dumps({**body, **e.to_json(event)}, ensure_ascii=False, sort_keys=True)
        lines.append(text.encode())
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def edit(path: Path, old: bytes, new: bytes) -> None:
    """In place and of the same size, with the times that it had."""
    before, data = path.stat(), path.read_bytes()
    assert old in data
    assert len(old) == len(new)
    with path.open("r+b") as stream:
        stream.write(data.replace(old, new))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap(runs: Runs) -> None:
    """Another journal of the same size, true to itself, in the place of one."""
    path = runs.path("run-5")
    other = Runs(runs.folder.parent / "other")
    other.journal("run-5", reserved("d2", "tea/d", "f6"), submitted("d2"), failed("d2"), END)
    data = other.path("run-5").read_bytes()
    assert len(data) == path.stat().st_size
    os.replace(other.path("run-5"), path)  # noqa: PTH105 - as git does it


def cut(path: Path, size: int) -> None:
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size - size)


def copy_all(runs: Runs) -> None:
    copy = runs.folder.with_name("copy")
    shutil.copytree(runs.folder, copy)
    shutil.rmtree(runs.folder)
    copy.rename(runs.folder)


def turn_line_ends(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


CHANGES: dict[str, Callable[[Runs], object]] = {
    "collected once more": lambda runs: runs.journal("run-6", collected("a1"), END),
    "gone since": lambda runs: runs.journal("run-6", e.Gone("a1", "404"), END),
    "ruled on": lambda runs: runs.journal("run-6", e.Resolved("d1", "task", "task-9", "seen")),
    "claimed by another task": lambda runs: runs.journal("run-6", e.Conflicted("a1", "t2", "why", may_be_paid=True)),
    "adopted": lambda runs: runs.journal("run-6", e.Adopted("tea/new", "tea/pour", "f1", 1), END),
    "bought again": lambda runs: runs.journal("run-0", *bought("z1", "tea/a2", "f2"), END),
    "bought elsewhere under the same id": lambda runs: runs.journal("run-0", *bought("a1"), origin=ELSEWHERE),
    "spoken of from elsewhere": lambda runs: runs.journal("run-6", submitted("a1", "t3"), origin=ELSEWHERE),
    "reserved twice": lambda runs: shutil.copytree(runs.folder / "run-1", runs.folder / "run-9"),
    "reserved twice, before": lambda runs: shutil.copytree(runs.folder / "run-1", runs.folder / "run-0"),
    "appended to": lambda runs: append(runs, "run-1", collected("a1"), END),
    "appended to, no end": lambda runs: append(runs, "run-1", reserved("a9", "tea/a9", "f9")),
    "torn": lambda runs: cut(runs.path("run-1"), 1),
    "cut": lambda runs: cut(runs.path("run-2"), 400),
    "cut to nothing": lambda runs: runs.path("run-2").write_bytes(b""),
    "edited": lambda runs: edit(runs.path("run-1"), b'"task-a1"', b'"task-x1"'),
    "edited in its last line": lambda runs: edit(runs.path("run-1"), b'"exit_code": 0', b'"exit_code": 7'),
    "replaced": swap,
    "a hole": lambda runs: runs.path("run-3").write_bytes(bytes(runs.path("run-3").stat().st_size)),
    "removed": lambda runs: shutil.rmtree(runs.folder / "run-1"),
    "renamed": lambda runs: (runs.folder / "run-1").rename(runs.folder / "run-7"),
    "copied to another machine": copy_all,
    "line ends turned": lambda runs: turn_line_ends(runs.path("run-1")),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_becomes_of_the_journals_is_seen(runs: Runs, change: Callable[[Runs], object]) -> None:
    before = runs.store()
    before.read().ledger(ORIGIN)
    change(runs)
    expected = verdict(lambda: by_lines(runs.folder))
    assert verdict(before.read) == expected, "by a process that had read them"
    require_same(runs)


def test_damage_is_found_where_it_is_and_next_to_all_others(runs: Runs) -> None:
    edit(runs.path("run-1"), b'"task-a1"', b'"task-x1"')
    history, damaged = runs.store().check()
    ((place, problem),) = damaged
    assert place == runs.path("run-1").as_posix()
    assert problem.message.startswith(f"{place}:")
    assert len(history.records) == 4


def test_a_check_trusts_no_index(runs: Runs) -> None:
    store = runs.store()
    store.read()
    with calls_of("parse_journal") as journals:
        store.check()
    assert journals.count == 5


def test_a_run_at_work_is_in_no_index(runs: Runs) -> None:
    """Its journal may look as if it were over."""
    runs.journal("run-6", reserved("e1", "tea/e", "f7"), END)
    with runs.store().claim("run-6", "2026-11-22T08:00:00.000Z"):
        for _ in range(2):
            ledger = runs.store().read().ledger(ORIGIN)
            assert ledger.attempt("e1").state is State.RESERVED  # type: ignore[union-attr]
        assert "run-6" not in runs.indexed()
    assert runs.store().read().ledger(ORIGIN).attempt("e1").state is State.IN_DOUBT  # type: ignore[union-attr]
    with runs.store().claim("run-1", "2026-11-22T08:00:00.000Z"):
        assert "run-1" not in runs.indexed()


# --- what becomes of the index -----------------------------------------------------------------------


def forge(runs: Runs, spoil: Callable[[dict[str, Any]], object]) -> None:
    """The index as somebody writes it who knows how."""
    _, *lines = map(json.loads, runs.index.read_bytes().splitlines())
    for line in lines:
        spoil(line)
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    head = json.loads(runs.index.read_bytes().splitlines()[0])
    head["sha256"] = hashlib.sha256(body).hexdigest()
    runs.index.write_bytes(json.dumps(head).encode() + b"\n" + body)


def forget_purchases(line: dict[str, Any]) -> None:
    """With the digests of the journals, but not what only this machine knows of them."""
    sha256, inode, changed = line["journal"]
    line.update(journal=[sha256, inode, changed - 1], settled=[], outline=line["outline"][:1])


def other_version(runs: Runs) -> None:
    runs.index.write_bytes(
        runs.index.read_bytes().replace(b'"created_with": "kiejobs ', b'"created_with": "k ')
    )


def instead(runs: Runs, make: Callable[[Path], object]) -> None:
    runs.index.unlink()
    make(runs.index)


LOSSES: dict[str, Callable[[Runs], object]] = {
    "missing": lambda runs: runs.index.unlink(),
    "empty": lambda runs: runs.index.write_bytes(b""),
    "no JSON": lambda runs: runs.index.write_bytes(b"\xff\x00{"),
    "half": lambda runs: cut(runs.index, runs.index.stat().st_size // 2),
    "its end": lambda runs: cut(runs.index, 1),
    "one digit": lambda runs: edit(runs.index, b'"f1"', b'"f8"'),
    "another version": other_version,
    "forged": lambda runs: forge(runs, forget_purchases),
    "no forms": lambda runs: forge(runs, lambda line: line.update(settled=[[1]])),
    "no runs": lambda runs: forge(runs, lambda line: line.clear()),
    "deep": lambda runs: runs.index.write_bytes(b"[" * 100_000),
    "a folder": lambda runs: instead(runs, Path.mkdir),
    "a pipe": lambda runs: instead(runs, os.mkfifo),
    "a link to nowhere": lambda runs: instead(runs, lambda path: path.symlink_to("nowhere")),
    "a link to a device": lambda runs: instead(runs, lambda path: path.symlink_to("/dev/zero")),
}  # fmt: skip


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_what_becomes_of_the_index_is_no_matter(runs: Runs, lose: Callable[[Runs], object]) -> None:
    lose(runs)
    with calls_of("parse_journal") as journals:
        runs.store().read()
    assert journals.count == 5, "all were parsed"
    require_same(runs)


def test_an_index_from_before_serves_for_what_was_there(runs: Runs) -> None:
    old = runs.index.read_bytes()
    runs.journal("run-6", *bought("e1", "tea/e", "f7"), END)
    runs.store().read()
    assert "run-6" in runs.indexed()
    runs.index.write_bytes(old)
    require_same(runs)


def test_a_link_is_replaced_and_not_followed(runs: Runs) -> None:
    target = runs.folder.parent / "precious"
    target.write_text("mine")
    instead(runs, lambda path: path.symlink_to(target))
    runs.store().read()
    assert target.read_text() == "mine"
    assert runs.indexed()


def test_two_may_write_it_at_once(runs: Runs) -> None:
    """What one left half-written, dead or at work, neither counts nor stays."""
    partial = runs.folder / f"{INDEX}.0badcafe.part"
    runs.index.replace(partial)
    require_same(runs)
    assert not partial.exists()
    first, second = runs.store(), runs.store()
    runs.journal("run-6", *bought("e1", "tea/e", "f7"), END)
    first.read()
    runs.journal("run-7", *bought("g1", "tea/g", "f8"), END)
    second.read()
    first.read()
    require_same(runs)


def test_who_writes_a_journal_keeps_no_index(runs: Runs) -> None:
    before, store = runs.index.read_bytes(), runs.store()
    journal = store.journal(replace(HEADER, run_id="run-6"), runs.clock)
    for event in (*bought("e1", "tea/e", "f7"), END):
        journal.append(event)
        store.read()
    assert runs.index.read_bytes() == before


# --- any history -------------------------------------------------------------------------------------

ATTEMPTS = st.sampled_from(("a1", "a2", "b1"))


def _events() -> st.SearchStrategy[e.Event]:
    tasks = st.sampled_from(("t1", "t2"))
    told: list[st.SearchStrategy[e.Event]] = [
        st.builds(reserved, st.just("c1"), fingerprint=st.sampled_from(("f1", "f2"))),
        st.builds(submitted, ATTEMPTS, tasks),
        st.builds(succeeded, ATTEMPTS, st.sampled_from(("16", "16.0", "1E+1", None))),
        st.builds(failed, ATTEMPTS),
        st.builds(collected, ATTEMPTS),
        st.builds(e.Gone, ATTEMPTS, st.just("404")),
        st.builds(e.InDoubt, ATTEMPTS, st.just(BROKEN)),
        st.builds(e.Rejected, ATTEMPTS, st.just(REFUSED)),
        st.builds(e.NotAccepted, ATTEMPTS, st.just(REFUSED)),
        st.builds(e.Resolved, ATTEMPTS, st.just("task"), st.one_of(st.none(), tasks), st.just("seen")),
        st.builds(e.Conflicted, ATTEMPTS, tasks, st.just("why"), st.booleans()),
        st.builds(e.Adopted, st.just("tea/new"), st.just("tea/pour"), st.sampled_from(("f1", "f2")), st.just(1)),
        st.builds(e.Approved, st.just("digest"), st.sampled_from((None, "plan-1"))),
        st.builds(e.Planned, st.just("tea/pour"), st.sampled_from(("f1", "f3")), st.just(1), st.just("m"),
                  st.just("submit"), st.just("new"), st.none()),
        st.just(upload("cd" * 32, "https://files.example.com/cup.png")),
    ]  # fmt: skip
    return st.one_of(told)


RUN = st.tuples(
    st.sampled_from(("run-1", "run-2", "run-3", "run-4")),
    st.lists(_events(), max_size=6).map(tuple),
    st.booleans(),
    st.sampled_from((ORIGIN, ORIGIN, ELSEWHERE)),
)
STEPS = st.one_of(
    RUN,
    RUN,
    RUN,
    st.sampled_from(("read", "read", "lose", "cut", "old index", "copy", "tear", "remove")),
)


@given(st.lists(STEPS, max_size=12))
def test_any_history_gives_the_same_with_and_without(steps: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        runs = Runs(Path(folder) / "runs")
        runs.journal(
            "run-0",
            *(reserved(name, fingerprint=f) for name, f in (("a1", "f1"), ("a2", "f1"), ("b1", "f2"))),
        )
        resident = runs.store()
        for step in steps:
            _take(runs, step)
            expected = verdict(lambda: by_lines(runs.folder))
            assert verdict(resident.read) == expected
        require_same(runs)


def _take(runs: Runs, step: Any) -> None:
    paths = sorted(runs.folder.glob(f"*/{JOURNAL}"))
    if step == "read":
        verdict(runs.store().read)
    elif step == "lose":
        runs.index.unlink(missing_ok=True)
    elif step == "cut" and runs.index.exists():
        cut(runs.index, 20)
    elif step == "old index" and runs.index.exists():
        old = runs.index.read_bytes()
        runs.journal("run-8", *bought("z1"), END) if not runs.path("run-8").exists() else None
        verdict(runs.store().read)
        runs.index.write_bytes(old)
    elif step == "copy" and paths and not runs.path("run-9").exists():
        shutil.copytree(paths[0].parent, runs.folder / "run-9")
    elif step == "tear" and paths and paths[-1].stat().st_size:
        cut(paths[-1], 1)
    elif step == "remove" and paths[1:]:  # all others speak of what the first one reserved
        shutil.rmtree(paths[1].parent)
    elif isinstance(step, tuple):
        name, events, ended, origin = step
        told: Iterable[e.Event] = (*events, END) if ended else events
        if runs.path(name).exists():
            append(runs, name, *told)
        else:
            runs.journal(name, *told, origin=origin)
