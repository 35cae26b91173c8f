"""A journal that can't be read, or contradicts others, is never taken for one without purchases: exit 7."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.core.diagnostics import ExitCode
from tests.support.bench import Bench
from tests.support.judge.server import Judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Damage = Callable[[Path], object]

Table = tuple[Bench, Judge]


def instead(journal: Path, make: Callable[[Path], object]) -> None:
    journal.unlink()
    make(journal)


def cut_before(journal: Path, kind: str) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["type"] for line in lines]
    journal.write_bytes(b"".join(lines[: kinds.index(kind)]))


def in_utf(name: str) -> Damage:
    return lambda journal: journal.write_bytes(journal.read_text().encode(name))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "empty": (lambda j: j.write_bytes(b""), "that no journal has"),
    "UTF-16": (in_utf("utf-16"), "this is UTF-16"),
    "UTF-16 without a mark": (in_utf("utf-16-le"), "this is UTF-16"),
    "UTF-16, the other way": (in_utf("utf-16-be"), "this is UTF-16"),
    "UTF-32": (in_utf("utf-32"), "this is UTF-16 or UTF-32"),
    "EBCDIC": (in_utf("cp500"), "that no journal has"),
    "CR only": (lambda j: j.write_bytes(j.read_bytes().replace(b"\n", b"\r")), "its line breaks are CR"),
    "zeros": (lambda j: j.write_bytes(bytes(j.stat().st_size)), "that no journal has"),
    "a link to nowhere": (lambda j: instead(j, lambda p: p.symlink_to("gone")), "is a symbolic link"),
    "a link to itself elsewhere": (
        lambda j: (j.rename(j.parents[2] / "kept"), j.symlink_to(j.parents[2] / "kept")), "is a symbolic link",
    ),
    "a folder": (lambda j: instead(j, lambda p: p.mkdir()), "is no file"),
    "a pipe": (lambda j: instead(j, os.mkfifo), "is no file"),
    "removed": (lambda j: j.unlink(), "that no journal has"),
    "cut before the purchase": (lambda j: cut_before(j, "reserved"), "that no journal has"),
    "cut before the task": (lambda j: cut_before(j, "submitted"), "that no journal has"),
    "without a header": (
        lambda j: j.write_bytes(rechained(j.read_bytes().splitlines()[1:])), "does not begin with a run's header",
    ),
    "encrypted": (lambda j: j.write_bytes(b"\0GITCRYPT\0" + bytes(range(90, 250))), "no journal has"),
}  # fmt: skip


def rechained(lines: list[bytes], **changes: Any) -> bytes:
    """As one writes them who knows how: numbers and hashes fit. `changes` by the types of events."""
    written: list[bytes] = []
    previous = None
    for line in lines:
        event = json.loads(line)
        event.update(changes.get(event["type"], {}), seq=len(written) + 1, prev=previous)
        text = json.dumps(event, ensure_ascii=False, sort_keys=True).encode()
        previous = hashlib.sha256(text).hexdigest()
        written.append(text + b"\n")
    return b"".join(written)


def refused(bench: Bench, words: str, place: str) -> None:
    """By all that reads; nothing is bought. A pipe would have them wait for ever."""
    for verb in (("run", "jobs.yaml", "--yes"), ("plan", "jobs.yaml"), ("status",)):
        ended = bench.do(*verb)
        assert ended.code == ExitCode.JOURNAL == 7, verb
        assert words in ended.err
        assert place in ended.err
        assert "help: " in ended.err
    checked = bench.do("manifest", "verify")
    assert checked.code == 7
    assert words in checked.out
    assert len(bench.accepted_tasks()) == 1


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_a_journal_that_cannot_be_read_is_not_an_empty_one(table: Table, damage: Damage, words: str) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    assert bench.run().code == 0
    (journal,) = bench.journals()
    damage(journal)
    refused(bench, words, journal.parent.name)


def test_a_run_folder_that_went_is_missed_by_the_manifests_of_others(table: Table) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    assert bench.run("--detach").code == 0
    assert bench.do("collect", "--poll", "50ms").code == 0
    shutil.rmtree(bench.journals()[0].parent)
    refused(bench, "is in no journal", bench.journals()[0].parent.name)


def test_links_that_lead_to_run_folders_are_refused(table: Table) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    assert bench.run().code == 0
    (bench.folder / "runs" / "latest").symlink_to(bench.journals()[0].parent.name)
    refused(bench, "is a symbolic link", "runs/latest")


def test_what_a_power_cut_leaves_of_a_first_write_bought_nothing(table: Table) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    for name, data in (("one", b""), ("two", bytes(700)), ("three", b'{"at": "2026-1')):
        folder = bench.folder / "runs" / name
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(data)
    assert bench.run().code == 0
    assert bench.do("manifest", "verify").code == 0


FORGERIES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown attempt": ({"submitted": {"attempt_id": "f" * 32}}, f"an event of attempt {'f' * 32}"),
    "a negative charge": ({"succeeded": {"charged": "-1000"}}, "`charged` is not what it should be"),
    "a negative price": ({"reserved": {"credits": "-1"}}, "`credits` is not what it should be"),
    "a negative price in a plan": ({"planned": {"credits": "-0.5"}}, "`credits` is not what it should be"),
}


@pytest.mark.parametrize(("changes", "words"), FORGERIES.values(), ids=FORGERIES)
def test_a_journal_that_was_forged_is_refused(table: Table, changes: dict[str, Any], words: str) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    assert bench.run().code == 0
    (journal,) = bench.journals()
    journal.write_bytes(rechained(journal.read_bytes().splitlines(), **changes))
    refused(bench, words, journal.parent.name)


def test_an_attempt_of_one_journal_may_not_be_anothers_too(table: Table) -> None:
    """It would take the first purchase's place."""
    bench, _ = table
    bench.write({"a": "a"})
    assert bench.run().code == 0
    (journal,) = bench.journals()
    other = journal.parent.with_name("20990101T000000000Z-000000") / journal.name
    other.parent.mkdir()
    lines = journal.read_bytes().splitlines()
    other.write_bytes(rechained(lines, reserved={"fingerprint": "f" * 64, "address": "judged/b"}))
    refused(bench, "is on record for two requests", other.parent.name)


def test_a_copy_of_a_run_is_the_same_purchase(table: Table) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    assert bench.run().code == 0
    folder = bench.journals()[0].parent
    shutil.copytree(folder, folder.with_name("copy"))
    assert bench.run().code == 0
    assert len(bench.accepted_tasks()) == 1
