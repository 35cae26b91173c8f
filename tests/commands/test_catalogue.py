"""Every model that we ship: planned, bought from the sandbox, collected as what it makes; its rules."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest
import yaml
from jsonschema import Draft202012Validator
from PIL import Image

from kiejobs.adapters.media.clips import sound_of, value_of, video_of
from kiejobs.core.checks import Measured, differs
from kiejobs.core.models.spec import complete, read_spec
from kiejobs.sandbox.files import make_content
from kiejobs.sandbox.jobs import Model, count_of
from tests.docs.editor_schema import input_schema
from tests.docs.regenerate import JOBFILE, models
from tests.support.bench import PACKAGE
from tests.support.building import least, most
from tests.support.expanding import expanded

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = models()
FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
RULES = yaml.safe_load(
    (Path(__file__).resolve().parents[1] / "data" / "rules.yaml").read_text(encoding="utf-8")
)
each_model = pytest.mark.parametrize("model", sorted(MODELS))


def job_of(model: str) -> str:
    return model.replace("/", "-")


def inputs_of(model: str) -> dict[str, dict[str, Any]]:
    """By the name of the job: the least, and more where there is more."""
    made = {job_of(model): least(MODELS[model]), f"{job_of(model)}-most": most(MODELS[model])}
    sent = {json.dumps(complete(read_spec(MODELS[model]), one)) for one in made.values()}
    return made if len(sent) == 2 else dict([*made.items()][:1])


def jobfile(jobs: dict[str, Any]) -> str:
    return json.dumps({"version": 1, "campaign": "all", "jobs": jobs})


# --- from a job file to a file -------------------------------------------------------------------


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One rehearsal that buys all, each with as much as it takes: where its files lie, and the manifest's jobs."""
    folder = tmp_path_factory.mktemp("all")
    jobs = {job_of(model): {"model": model, "input": most(MODELS[model])} for model in MODELS}
    (folder / "all.yaml").write_text(jobfile(jobs), encoding="utf-8")
    done(folder, "run", "all.yaml", "--sandbox", *FAST)
    (manifest,) = folder.glob("rehearsal/runs/*/manifest.json")
    told = json.loads(manifest.read_text(encoding="utf-8"))["jobs"]
    return folder / "rehearsal" / "outputs", {a.partition("/")[2]: job for a, job in told.items()}


FAST = ("--speed", "400", "--rate", "400/400ms", "--poll", "50ms")


def done(folder: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A command that has ended."""
    ran = subprocess.run(
        [sys.executable, "-m", "kiejobs", *words],
        cwd=folder,
        env={"PYTHONPATH": PACKAGE, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == code, ran.stderr[-2000:]
    return ran


@each_model
def test_a_model_is_bought_and_gives_what_its_schema_promises(
    model: str, bought: tuple[Path, dict[str, Any]]
) -> None:
    outputs, told = bought[0], bought[1][job_of(model)]
    assert told["state"] == "succeeded"
    media_type, extension = Model(model, MODELS[model]).output(told["input"])
    sent, files = told["input"], told["files"]
    count = 1 if media_type == "application/json" else count_of(sent)
    assert len(files) == count + (2 if sent.get("return_last_frame") else 0)
    for still in files[count:]:
        assert still["path"].endswith("-frame.png")
        look_at((outputs / still["path"]).read_bytes(), "image/png")
    for file in files[:count]:
        assert file["media_type"] == media_type
        assert file["path"].endswith(extension)
        look_at((outputs / file["path"]).read_bytes(), media_type)


def look_at(data: bytes, media_type: str) -> None:
    """Others decode it as what it is called."""
    if media_type == "application/json":
        assert json.loads(data)
    elif media_type in FORMATS:
        picture = Image.open(io.BytesIO(data))
        picture.load()
        assert picture.format == FORMATS[media_type]
    else:
        kind = media_type.partition("/")[0]
        with av.open(io.BytesIO(data)) as container:
            assert kind in {stream.type for stream in container.streams}
            assert next(container.decode(**{kind: 0}))


def test_all_of_them_decode(bought: tuple[Path, dict[str, Any]]) -> None:
    outputs, told = bought
    count = sum(len(job["files"]) for job in told.values())
    said = done(outputs.parent.parent, "manifest", "verify", "--decode", "--sandbox")
    assert said.stdout == f"1 journal and {count} files verified; all match the ledger\n"
    assert "sizes and lengths are not compared with the requests" in said.stderr


def test_cards_of_all_models_are_what_was_asked_for(bought: tuple[Path, dict[str, Any]]) -> None:
    outputs, _ = bought
    room = outputs.parent
    folders = ("--runs", str(room / "runs"), "--outputs", str(outputs))
    said = done(room.parent, "manifest", "verify", "--decode", *folders)
    assert "not compared" not in said.stderr


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, None),
        ({"resolution": "720p", "duration": "5"}, None),
        ({"resolution": "720P", "duration": 5}, None),
        ({"resolution": "4K", "duration": "auto"}, None),
        ({"resolution": "1080p"}, "it is 1280x720, 1080p was asked for"),
        ({"duration": "10"}, "it lasts 5.2 s, 10 s were asked for"),
        ({"duration": 4}, "it lasts 5.2 s, 4 s were asked for"),
    ],
)
def test_a_video_is_what_was_asked_for_or_it_is_said(fields: dict[str, Any], words: str | None) -> None:
    assert differs(Measured("video", 1280, 720, 5.2), fields) == words
    assert differs(Measured("video", 720, 1280, None), {**fields, "resolution": ""}) is None


@pytest.mark.parametrize("look", [sound_of, value_of, video_of])
def test_what_does_not_decode_is_said(look: Callable[[Path], Any], tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    assert "it " in str(look(bad))
    assert "it " in str(look(tmp_path / "nothing"))


def test_a_video_without_sound_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    path.write_bytes(make_content("video/mp4", "a").data)
    assert sound_of(path) == "it holds no sound"


def test_every_kind_of_result_is_among_them() -> None:
    kinds = {Model(name, schema).output({})[0] for name, schema in MODELS.items()}
    assert kinds == {"video/mp4", "image/png", "image/jpeg", "audio/mpeg", "application/json"}


# --- in an editor --------------------------------------------------------------------------------

EDITOR = json.loads(JOBFILE.read_text(encoding="utf-8"))


@each_model
def test_a_job_of_any_model_is_right_in_an_editor_and_its_fields_are_offered(model: str) -> None:
    check = Draft202012Validator(EDITOR)
    for job, fields in inputs_of(model).items():
        document = json.loads(jobfile({job: {"model": model, "input": fields}}))
        assert list(check.iter_errors(document)) == []
        named = json.loads(jobfile({job: {"model": model, "input": {**fields, "no_field": 1}}}))
        assert not check.is_valid(named)
    offered = EDITOR["$defs"]["models"]["$defs"][model.replace("/", ".")]["properties"]["input"]
    assert [*offered["properties"]] == [*MODELS[model]["properties"]["input"]["properties"]]
    assert model in EDITOR["$defs"]["model_id"]["anyOf"][0]["enum"]


# --- rules across fields -------------------------------------------------------------------------


def titles(model: str) -> set[str]:
    return {rule["title"] for rule in MODELS[model]["properties"]["input"].get("allOf", ())}


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(model, title, fields, id=f"{job_of(model)}-{title[:30]}-{number}")
        for model, rules in RULES.items()
        for title, rule in rules.items()
        for number, fields in enumerate(rule[kind])
    ]


def whole(model: str, title: str, fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"prompt": "x"} if "bare" in RULES[model][title] else least(MODELS[model]) | fields


def test_every_rule_has_its_cases_and_every_case_its_rule() -> None:
    assert {model: set(rules) for model, rules in RULES.items()} == {
        model: titles(model) for model in MODELS if titles(model)
    }
    assert all(rule["wrong"] and rule["right"] for rules in RULES.values() for rule in rules.values())


@pytest.mark.parametrize(("model", "title", "fields"), cases("wrong"))
def test_what_a_rule_refuses_is_told_with_its_fields(model: str, title: str, fields: dict[str, Any]) -> None:
    written = whole(model, title, fields)
    told = expanded(jobfile({"a": {"model": model, "input": written}}), MODELS[model])
    (problem,) = [one for one in told.problems if one.code != "retired-model"]
    assert problem.code in {"field-conflict", "missing-field"}
    assert problem.message.endswith(f": {title}")
    assert all(f"`{name}" in problem.message for name in RULES[model][title]["names"])
    assert problem.place is not None
    sent = {name: str(v) if name in {"duration", "n_frames"} else v for name, v in written.items()}
    assert Model(model, MODELS[model]).problem(sent) is not None


@pytest.mark.parametrize(("model", "title", "fields"), cases("wrong"))
def test_each_way_out_that_a_hint_names_is_one(model: str, title: str, fields: dict[str, Any]) -> None:
    written = whole(model, title, fields)
    found = expanded(jobfile({"a": {"model": model, "input": written}}), MODELS[model]).problems
    (problem,) = [one for one in found if one.code != "retired-model"]
    hint = problem.hint or ""
    changes = [{name: value} for name, values in re.findall(r"write `(\w+): (.+?)`", hint)
               for value in values.split(" | ")]  # fmt: skip
    mended = [written | change for change in changes]
    mended += [
        {name: value for name, value in written.items() if name != dropped}
        for dropped in re.findall(r"drop `(\w+)`", hint)
    ]
    for fixed in mended:
        made = expanded(jobfile({"a": {"model": model, "input": fixed}}), MODELS[model])
        assert not made.problems.fatal, made.told


@pytest.mark.parametrize(("model", "title", "fields"), cases("right"))
def test_what_a_rule_lets_pass_is_taken_everywhere(model: str, title: str, fields: dict[str, Any]) -> None:
    written = whole(model, title, fields)
    made = expanded(jobfile({"a": {"model": model, "input": written}}), MODELS[model])
    (job,) = made.jobs
    assert Model(model, MODELS[model]).problem(dict(job.input)) is None
    assert Draft202012Validator(input_schema(MODELS[model])).is_valid(written)


# --- facts that once were wrong, and models that are gone -----------------------------------------

FACTS = [
    ("bytedance/seedance-2", {"duration": -1}, True),
    ("bytedance/seedance-2", {"duration": 3}, False),
    *(
        ("gpt-image-2-image-to-image", {"aspect_ratio": ratio}, True)
        for ratio in ("3:2", "2:1", "1:3", "9:21", "5:4")
    ),
    ("gpt-image-2-image-to-image", {"aspect_ratio": "5:4", "resolution": "2K"}, False),
    ("gpt-image-2-text-to-image", {"aspect_ratio": "3:1"}, True),
    ("seedream/5-lite-image-to-image", {"quality": "ultra", "output_format": "jpeg"}, True),
    ("google/imagen4-fast", {"aspect_ratio": "auto"}, True),
    ("wan/2-6-text-to-video", {"multi_shots": True}, True),
    ("kling/v2-5-turbo-image-to-video-pro", {"tail_image_url": "https://example.com/b.png"}, True),
    ("grok-imagine/text-to-video", {"resolution": "1080p"}, True),
    ("seedream/5-lite-text-to-image", {"quality": "ultra", "output_format": "jpeg"}, True),
    ("google/imagen4-ultra", {"aspect_ratio": "auto"}, True),
    ("wan/2-6-video-to-video", {"multi_shots": True}, True),
    ("grok-imagine/extend", {"extend_at": 2.5, "extend_times": 10}, True),
    ("grok-imagine/extend", {"extend_at": 1}, False),
    ("topaz/image-upscale", {"upscale_factor": 4}, True),
    ("topaz/image-upscale", {"upscale_factor": 8}, False),
]


@pytest.mark.parametrize(("model", "fields", "taken"), FACTS)
def test_a_fact_of_the_vendor_s_docs_of_today(model: str, fields: dict[str, Any], taken: bool) -> None:  # noqa: FBT001 - a row of the table
    written = least(MODELS[model]) | fields
    made = expanded(jobfile({"a": {"model": model, "input": written}}), MODELS[model])
    assert made.problems.fatal is not taken, made.told


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"duration": 3}, "`duration` must be 4 to 15, or -1, not 3"),
        ({"duration": 17}, "`duration` must be 4 to 15, or -1, not 17"),
        (
            {"aspect_ratio": "7:3"},
            "`aspect_ratio` must be one of 1:1, 4:3, 3:4, 16:9, 9:16, 21:9, adaptive, not",
        ),
    ],
)
def test_a_number_that_is_not_taken_is_answered_with_all_that_are(fields: dict[str, Any], words: str) -> None:
    """A near number or ratio is another purchase, and no slip."""
    model = "bytedance/seedance-2"
    written = least(MODELS[model]) | fields
    (problem,) = expanded(jobfile({"a": {"model": model, "input": written}}), MODELS[model]).problems
    assert words in problem.message
    assert problem.hint is None


def test_what_has_no_default_is_not_sent_unless_it_is_written() -> None:
    """Of fields that came later: a default would change the fingerprint of what was bought before."""
    for model, field in (
        ("seedream/5-lite-text-to-image", "output_format"),
        ("wan/2-6-video-to-video", "multi_shots"),
    ):
        assert field not in complete(read_spec(MODELS[model]), least(MODELS[model]))


def test_a_retired_model_is_read_and_warned_of() -> None:
    gone = {model for model, schema in MODELS.items() if "x-kiejobs-retired" in schema}
    assert "sora-2-text-to-video" in gone
    for model in gone:
        made = expanded(
            jobfile({"a": {"model": model, "input": least(MODELS[model]), "takes": 2}}), MODELS[model]
        )
        assert [one.code for one in made.problems] == ["retired-model"], made.told
        assert "not in the vendor's catalogue of" in made.told[0]
