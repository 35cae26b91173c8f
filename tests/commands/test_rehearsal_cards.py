"""Rehearsals to look at, by the real command line: what stands for each result, and that it is always the same."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import av

from tests.support.bench import MODEL, Bench
from tests.support.clips import picture

if TYPE_CHECKING:
    from pathlib import Path

QUICK = ("--sandbox", "--speed", "400", "--rate", "400/400ms", "--poll", "50ms")


def rehearse(folder: Path, jobs: dict[str, Any]) -> dict[str, Path]:
    """The files by the address of their jobs."""
    folder.mkdir()
    picture(folder / "cup.png")
    fields = {"image_url": "cup.png", "prompt": "Tea is poured", "resolution": "720p", "duration": "5"}
    bodies = {name: {"input": fields, **job} for name, job in jobs.items()}
    document = {"version": 1, "campaign": "tea", "defaults": {"model": MODEL}, "jobs": bodies}
    (folder / "jobs.yaml").write_text(json.dumps(document))
    ran = Bench(folder, "http://127.0.0.1:9").do("run", "jobs.yaml", *QUICK)
    assert ran.code == 0, ran.err
    (path,) = folder.glob("rehearsal/runs/*/manifest.json")
    told = json.loads(path.read_text())["jobs"]
    return {at: folder / "rehearsal/outputs" / job["files"][0]["path"] for at, job in told.items()}


def digests(files: dict[str, Path]) -> dict[str, str]:
    return {at: hashlib.sha256(path.read_bytes()).hexdigest() for at, path in files.items()}


def test_the_same_requests_give_the_same_bytes_and_takes_differ(tmp_path: Path) -> None:
    jobs = {"pour": {"takes": 2}}
    first, second = (digests(rehearse(tmp_path / name, jobs)) for name in ("a", "b"))
    assert first == second
    assert len(set(first.values())) == 2


def test_a_card_is_as_long_as_was_asked_for_and_shows_the_local_picture(tmp_path: Path) -> None:
    (path,) = rehearse(tmp_path / "a", {"pour": {}}).values()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
        assert container.duration == 5 * av.time_base
    assert (stream.height, abs(stream.width / stream.height - 16 / 9) < 0.02) == (720, True)
    # The picture is coloured where a placeholder would be dark.
    assert frame[120:500, 100:480].mean() > 90
