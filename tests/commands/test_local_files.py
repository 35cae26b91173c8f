"""Local files at the command line: what plans, explanations, locks and `--changed-since` say of them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bench import MODEL, Bench
from tests.support.gitops.clones import Origin
from tests.support.pictures import picture
from tests.support.recordings import film, recording
from tests.support.results import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge

    Set = tuple[Bench, Judge]

CUP = picture("png", (640, 480))
MUG = picture("png", (640, 480), "tan")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def campaign(bench: Bench, *paths: str, axis: bool = False, data: bytes = CUP) -> None:
    """A job for each path, or one with an axis of them; the files that are not there yet."""
    for path in paths:
        target = bench.folder / path
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            target.write_bytes(data)
    jobs: dict[str, Any] = {
        f"job{number}": {"input": {"prompt": str(number), "image_url": path}}
        for number, path in enumerate(paths)
    }
    if axis:
        jobs = {"all": {"matrix": {"image_url": list(paths)}, "input": {"prompt": "Steam"}}}
    document = {"version": 1, "campaign": "judged", "defaults": {"model": MODEL}, "jobs": jobs}
    (bench.folder / "jobs.yaml").write_text(json.dumps(document))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Where nothing is bought."""
    return Bench(tmp_path, "http://127.0.0.1:9")


# --- plans ---------------------------------------------------------------------------------------


def test_a_plan_shows_paths_beside_the_beginnings_of_hashes(table: Set) -> None:
    bench, _ = table
    campaign(bench, "images/cup.png")
    assert bench.run().code == 0
    (bench.folder / "images/cup.png").unlink()
    campaign(bench, "images/mug.png", data=MUG)
    before = f"images/cup.png (sha256:{sha256(CUP)[:12]})"
    now = f"images/mug.png (sha256:{sha256(MUG)[:12]})"
    said = bench.do("plan", "jobs.yaml").out
    assert f'image_url: "{before}" -> "{now}"' in said
    assert "input_changed" in said
    explained = bench.do("explain", "judged/job0", "jobs.yaml").out
    assert f'image_url: "{before}" -> "{now}"' in explained
    assert "images/mug.png  sha256:" in explained
    assert f"image/png, 640 x 480 pixels, {len(MUG):,} bytes" in explained
    markdown = bench.do("plan", "jobs.yaml", "--format", "markdown").out
    assert f'- image_url: "{before}"' in markdown
    document = bench.do("plan", "jobs.yaml", "--format", "json").json
    assert document["changes"][0]["diff"] == [
        {"field": "image_url", "was": f"sha256:{sha256(CUP)}", "now": f"sha256:{sha256(MUG)}"}
    ]


def test_explain_says_what_the_files_are(bench: Bench) -> None:
    campaign(bench, "images/cup.png")
    found = bench.do("explain", "judged/job0", "jobs.yaml", "--format", "json").json
    assert refused("documents/explain", found) == []
    assert found["inputs"] == [
        {
            "path": "images/cup.png",
            "sha256": sha256(CUP),
            "bytes": len(CUP),
            "media_type": "image/png",
            "width": 640,
            "height": 480,
            "seconds": None,
        }
    ]


def test_a_renamed_value_of_an_axis_moves_the_purchase(table: Set) -> None:
    bench, judge = table
    campaign(bench, "images/cup.png", axis=True)
    assert bench.run().code == 0
    (bench.folder / "images/cup.png").rename(bench.folder / "images/mug.png")
    campaign(bench, "images/mug.png", axis=True)
    (change,) = bench.do("plan", "jobs.yaml", "--format", "json").json["changes"]
    assert change["action"] == "adopt"
    assert change["reason"].startswith("moved_from judged/all[image_url=images")
    assert bench.run().code == 0
    assert len(judge.creates) == 1


def test_render_prints_what_stands_for_a_file_and_uploads_nothing(bench: Bench) -> None:
    campaign(bench, "images/cup.png")
    ran = bench.do("render", "jobs.yaml")
    assert ran.json["body"]["input"]["image_url"] == f"sha256:{sha256(CUP)}"


def test_exports_name_the_files(table: Set) -> None:
    bench, _ = table
    campaign(bench, "images/cup.png")
    assert bench.run().code == 0
    (line,) = bench.do("manifest", "export", "--format", "in-toto").out.splitlines()
    assert {
        "name": "images/cup.png",
        "digest": {"sha256": sha256(CUP)},
        "mediaType": "image/png",
        "annotations": {"input": "image_url"},
    } in json.loads(line)["predicate"]["buildDefinition"]["resolvedDependencies"]


# --- validate ------------------------------------------------------------------------------------


def torn(bench: Bench) -> None:
    campaign(bench, "images/cup.png", data=CUP[:-400])


def test_validate_decodes_and_a_plan_does_not(bench: Bench) -> None:
    torn(bench)
    ran = bench.do("validate", "jobs.yaml")
    assert ran.code == 2
    assert "error[unfit-file]" in ran.err
    assert "images/cup.png, which can't be sent: it does not decode" in ran.err
    assert bench.do("plan", "jobs.yaml").code == 0
    assert bench.do("plan", "jobs.yaml", "--check-assets").code == 2


def test_without_pillow_types_and_sizes_are_checked_and_that_is_said(bench: Bench) -> None:
    torn(bench)
    broken = bench.folder / "without" / "PIL"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('not here')\n")
    without = {"PYTHONPATH": f"{broken.parent}:{bench.package}"}
    ran = bench.do("validate", "jobs.yaml", **without)
    assert ran.code == 0
    assert "1 local file checked by type and size only" in ran.err
    said = bench.do("doctor", "--sandbox", **without).out
    assert "checked by type and size only: `pip install 'kiejobs[media]'` decodes them" in said
    assert "checked by decoding them, with Pillow" in bench.do("doctor", "--sandbox").out
    (bench.folder / "images/cup.png").write_bytes(picture("gif"))
    assert "it is image/gif" in bench.do("validate", "jobs.yaml", **without).err


# --- locks ---------------------------------------------------------------------------------------


def test_a_lock_holds_what_local_files_hold(bench: Bench) -> None:
    campaign(bench, "images/cup.png")
    assert bench.do("lock", "jobs.yaml").code == 0
    locked = json.loads((bench.folder / "jobs.yaml.lock").read_bytes())
    assert refused("lock", locked) == []
    assert locked["images"] == {
        "images/cup.png": {
            "sha256": sha256(CUP),
            "bytes": len(CUP),
            "media_type": "image/png",
        }
    }
    assert bench.do("plan", "jobs.yaml", "--locked").code == 0
    (bench.folder / "images/cup.png").write_bytes(MUG)
    ran = bench.do("plan", "jobs.yaml", "--locked")
    assert ran.code == 6
    assert f"the image images/cup.png has changed: image/png of {len(MUG):,} bytes" in ran.err
    assert "judged/job0 is another request than the locked one" in ran.err
    (bench.folder / "images/cup.png").rename(bench.folder / "images/mug.png")
    campaign(bench, "images/mug.png")
    ran = bench.do("plan", "jobs.yaml", "--locked")
    assert "the image images/mug.png is not in the lock" in ran.err
    assert "the image images/cup.png is in the lock, and not in use any more" in ran.err


def test_a_lock_from_before_there_were_local_files_still_holds(bench: Bench) -> None:
    bench.write({"a": "a"})
    assert bench.do("lock", "jobs.yaml").code == 0
    assert bench.do("plan", "jobs.yaml", "--locked").code == 0
    locked = json.loads((bench.folder / "jobs.yaml.lock").read_bytes())
    assert locked["images"] == {"https://example.com/a.webp": None}


# --- --changed-since -----------------------------------------------------------------------------


def test_a_job_file_counts_with_the_files_that_it_points_at(tmp_path: Path) -> None:
    clone = Origin(tmp_path, "http://127.0.0.1:9").clone("mine")
    campaign(clone, "images/cup.png", "images/link.png")
    (clone.folder / "images/link.png").unlink()
    (clone.folder / "images/other.png").write_bytes(MUG)
    (clone.folder / "images/link.png").symlink_to("other.png")
    (clone.folder / "images/unused.png").write_bytes(CUP)
    clone.keep("pictures")
    clone.push()

    def looked_at() -> int:
        since = ("--changed-since", "origin/main", "--format", "json")
        return len(clone.do("validate", "jobs.yaml", *since).json)

    assert looked_at() == 0
    (clone.folder / "images/unused.png").write_bytes(MUG)
    assert looked_at() == 0
    (clone.folder / "images/other.png").write_bytes(picture("png", (8, 8)))
    assert looked_at() == 1, "what a link leads to"
    clone.git("checkout", "images/other.png")
    assert looked_at() == 0
    clone.git("rm", "--quiet", "images/cup.png")
    assert looked_at() == 1, "one that is gone"


# --- videos and sound ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "field", "data", "words"),
    [
        (
            "happyhorse/video-edit",
            "video_url",
            film("mp4", "mpeg4"),
            "it is 1.0 s long, and the model takes 3 to 60 s; the model takes sides of at least 320",
        ),
        ("wan/2-7-r2v", "reference_voice", recording("wav", "pcm_s16le", 4_000), None),
        (
            "bytedance/seedance-2",
            "reference_audio_urls",
            recording("mp3", "libmp3lame"),
            "and the model takes 2 to 15 s",
        ),
        ("happyhorse/image-to-video", "image_urls", picture("png", (50, 50)), "sides of at least 300 pixels"),
    ],
)
@pytest.mark.parametrize("verb", ["validate", "plan"])
def test_limits_that_a_schema_knows_are_held_against_local_files(
    bench: Bench, verb: str, model: str, field: str, data: bytes, words: str | None
) -> None:
    (bench.folder / "file.bin").write_bytes(data)
    value = ["file.bin"] if field.endswith("urls") else "file.bin"
    given = {"prompt": "Steam", field: value}
    document = {"version": 1, "campaign": "judged", "jobs": {"j": {"model": model, "input": given}}}
    (bench.folder / "jobs.yaml").write_text(json.dumps(document))
    ran = bench.do(verb, "jobs.yaml")
    assert ("error[unfit-file]" in ran.err, (words or "") in ran.err) == (words is not None, True), ran.err
