"""The examples that we ship: each expands without a word, to what its own comments promise."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.adapters.project.files import IncludeFolder
from kiejobs.core.document.nodes import Source
from kiejobs.core.document.reader import read_document
from kiejobs.core.models.spec import media_type_of
from tests.docs.regenerate import JOBFILE, models
from tests.support.expanding import expanded, structure
from tests.support.forked import WITHOUT_MEDIA, forked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.expand.job import Job

FOLDER = Path(__file__).resolve().parents[2] / "jobfiles"
FILES = sorted(FOLDER.glob("*.yaml"))
VIDEOS = {
    "espresso": 8,
    "extends": 3,
    "first-and-last-frame": 2,
    "includes": 4,
    "matrix": 7,
    "takes": 4,
    "text-to-video": 3,
}
PROMISES = {
    **{name: f"{count} videos" for name, count in VIDEOS.items()},
    "pictures": "4 pictures",
    "speech": "2 recordings",
}
COUNTS = {name: int(promise.partition(" ")[0]) for name, promise in PROMISES.items()}

KINDS = {"pictures": {"image/jpeg", "image/png"}, "speech": {"audio/mpeg"}}
QUICK = ("--speed", "400", "--rate", "400/400ms", "--poll", "50ms")


def jobs(name: str) -> dict[str, Job]:
    """The jobs of one file by their addresses without the campaign; warnings are as bad as errors."""
    path = FOLDER / f"{name}.yaml"
    text, folder = path.read_bytes(), IncludeFolder(FOLDER)
    made = expanded(text, *models().values(), load=folder, name=str(path))
    assert made.told == []
    return {job.address.partition("/")[2]: job for job in made.jobs}


def test_every_file_is_known_here() -> None:
    assert {path.stem for path in FILES} == set(COUNTS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_makes_the_jobs_that_it_promises(path: Path) -> None:
    assert len(jobs(path.stem)) == COUNTS[path.stem]
    assert PROMISES[path.stem] in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_right_in_an_editor_too(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../schemas/jobfile.schema.json\n")
    document, _ = read_document(Source(path.name, text.encode()))
    assert document is not None
    for schema in (json.loads(JOBFILE.read_text(encoding="utf-8")), structure()):
        assert list(Draft202012Validator(schema).iter_errors(document.root)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_campaign_is_named_like_its_file(path: Path) -> None:
    assert {job.campaign for job in jobs(path.stem).values()} == {path.stem}


def test_no_two_files_want_the_same_video() -> None:
    made = [(job.fingerprint, job.take) for path in FILES for job in jobs(path.stem).values()]
    assert len(set(made)) == sum(COUNTS.values())


def test_no_prompt_shows_that_it_was_a_template() -> None:
    for path in FILES:
        for job in jobs(path.stem).values():
            for prompt in prompts(job.input):
                assert not any(mark in prompt for mark in ("{", "}", "  ", "\n", " ,"))


def prompts(fields: Mapping[str, Any]) -> list[str]:
    """What the model is to make or say."""
    return [fields["prompt"]] if "prompt" in fields else [one["text"] for one in fields["dialogue"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_carried_out_by_the_sandbox(path: Path, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "jobfiles")
    words = ("run", f"jobfiles/{path.name}", "--sandbox", *QUICK)
    ran = forked(words, tmp_path, {"PYTHONPATH": WITHOUT_MEDIA, "PATH": ""})
    assert ran.code == 0, ran.err
    files = [file for file in (tmp_path / "rehearsal" / "outputs").rglob("*") if file.is_file()]
    assert {media_type_of(file.read_bytes()[:64]) for file in files} == KINDS.get(path.stem, {"video/mp4"})
    assert len(files) == COUNTS[path.stem]


def test_espresso_is_two_scenes_in_two_languages_in_every_size() -> None:
    made = jobs("espresso")
    assert list(made) == [
        f"{scene}[duration={duration},resolution={resolution}]"
        for scene in ("pour", "steam")
        for resolution in ("720p", "1080p")
        for duration in (5, 10)
    ]
    assert sum((job.credits or Decimal(0)) for job in made.values()) == 320
    short = made["pour[duration=5,resolution=720p]"].input["prompt"]
    assert "Aurora 的浓缩咖啡像一根金线落入杯底" in short
    assert "5 秒一镜到底" in short
    assert "holds still, and" in made["steam[duration=5,resolution=1080p]"].input["prompt"]
    assert "to gold, and" in made["steam[duration=10,resolution=1080p]"].input["prompt"]


def test_the_matrix_takes_away_adds_to_and_adds() -> None:
    made = jobs("matrix")
    assert list(made) == [
        "harbour[light=dawn,resolution=720p]",
        "harbour[light=dawn,resolution=1080p]",
        "harbour[light=noon,resolution=720p]",
        "harbour[light=dusk,resolution=720p]",
        "harbour[light=dusk,resolution=1080p]",
        "harbour[light=noon,resolution=1080p]",
        "lighthouse[duration=5,resolution=1080p]",
    ]
    assert [job.input["duration"] for job in made.values()] == ["5", "5", "5", "5", "5", "10", "5"]
    noon, dusk = (made[f"harbour[light={light},resolution=1080p]"] for light in ("noon", "dusk"))
    assert noon.input["image_url"] == "https://example.com/harbour/noon.webp"
    assert noon.input["prompt"].endswith("under a hard and white sky, gulls far away. Ropes creak.")
    assert dusk.input["prompt"].endswith("sky, gulls far away. The first lamps come on.")


def test_takes_are_one_request_in_files_of_their_own() -> None:
    made = jobs("takes")
    assert list(made) == ["paper-boat", "paper-boat#2", "paper-boat#3", "puddle"]
    assert len({job.fingerprint for job in made.values()}) == 2
    assert made["paper-boat#3"].output == "takes/paper-boat/take-3.mp4"
    assert made["puddle"].output == "takes/puddle/puddle.mp4"


def test_includes_and_macros_become_part_of_the_prompt() -> None:
    made = jobs("includes")
    assert made["flame[duration=10]"].input["prompt"] == (
        "A gas ring catches with a soft thump. Over 10 seconds the camera pushes in on the blue flame,"
        " then holds. From the series Night Kitchen: one lamp, deep shadows, fine grain, nobody speaks."
    )


def test_a_form_is_the_same_for_all_but_what_a_job_fills_in() -> None:
    made = jobs("extends")
    assert made["bowl"].input["prompt"] == (
        "A bowl turns on a potter's wheel. Soft daylight from the left, 50 mm, shallow focus. "
        "No people, no lettering --ar 16:9"
    )
    assert made["kiln[hour=night]"].input["prompt"] == (
        "The kiln is opened and heat shimmers above it. Only the glow of the kiln, 50 mm, shallow "
        "focus. No people, no lettering, no flames --ar 16:9"
    )
