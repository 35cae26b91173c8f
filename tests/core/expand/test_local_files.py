"""Local files in requests: which texts are paths, what stands for a file, what is refused and where."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.adapters.project.local_files import LocalFolder
from kiejobs.core.expand.job import LocalFile, NoFile, is_address, path_of, unfit
from kiejobs.core.fingerprint import fingerprint
from kiejobs.core.models.spec import FileRule
from kiejobs.importer.files import other_schemes
from tests.docs.regenerate import models
from tests.support.expanding import MODEL, SCHEMAS, expanded
from tests.support.pictures import picture
from tests.support.recordings import recording

if TYPE_CHECKING:
    from tests.support.expanding import Expanded

CUP = picture("png", (640, 480))
POUR = picture("webp", (64, 48))
ANY = FileRule(10_000_000, frozenset())


def ref(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job file's folder, with pictures in one below it, beside a folder that is none of its own."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(CUP)
    images = tmp_path / "campaign" / "images"
    images.mkdir(parents=True)
    (images / "cup.png").write_bytes(CUP)
    (images / "pour.webp").write_bytes(POUR)
    return tmp_path / "campaign"


def job(value: str, *models: Any, model: str = MODEL, folder: Path, **more: Any) -> Expanded:
    """A campaign of one job whose `image_url` is that YAML."""
    text = f"""\
version: 1
campaign: tea
jobs:
  pour:
    model: {model}
    input:
      prompt: Steam rises
      image_url: {value}
"""
    return expanded(text, *models, files=LocalFolder(folder, **more))


# --- what stands for a file ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "images/cup.png",
        "./images/cup.png",
        "images/./cup.png",
        "images//cup.png",
        "\"{{ 'images' }}/cup.png\"",
    ],
)
def test_a_path_stands_for_what_its_file_holds(folder: Path, written: str) -> None:
    (only,) = job(written, folder=folder).jobs
    assert only.input["image_url"] == ref(CUP)
    digest = ref(CUP).removeprefix("sha256:")
    assert only.files == (LocalFile("images/cup.png", digest, len(CUP), "image/png", width=640, height=480),)
    assert only.fingerprint == fingerprint(MODEL, only.input)


def test_renaming_buys_nothing_and_a_pixel_does(folder: Path) -> None:
    (before,) = job("images/cup.png", folder=folder).jobs
    (folder / "images" / "cup.png").rename(folder / "images" / "mug.png")
    (renamed,) = job("images/mug.png", folder=folder).jobs
    assert renamed.fingerprint == before.fingerprint
    (folder / "images" / "mug.png").write_bytes(picture("png", (640, 480), "tan"))
    (painted,) = job("images/mug.png", folder=folder).jobs
    assert painted.fingerprint != before.fingerprint


def test_an_address_stays_as_it_is_and_no_file_is_read(folder: Path) -> None:
    local = LocalFolder(folder)
    text = "{version: 1, campaign: tea, jobs: {a: {model: %s, input: {prompt: p, image_url: %s}}}}"
    for url in ("https://example.com/cup.png", "HTTP://example.com/a.webp?x=1"):
        (only,) = expanded(text % (MODEL, url), files=local).jobs
        assert only.input["image_url"] == url
        assert only.files == ()
    assert local.asked == set()


def test_two_names_of_one_content_are_one_request(folder: Path) -> None:
    (folder / "images" / "same.png").write_bytes(CUP)
    text = f"""\
version: 1
campaign: tea
jobs:
  pour:
    model: {MODEL}
    matrix: {{image_url: [images/cup.png, images/same.png]}}
    input: {{prompt: Steam rises}}
"""
    told = expanded(text, files=LocalFolder(folder)).only("duplicate-request")
    assert "the same request is wanted twice" in told.message
    assert "image_url=images%2Fcup.png" in told.message
    assert "image_url=images%2Fsame.png" in told.message
    assert "files of the same content are the same file" in str(told.hint)


def test_a_file_is_read_once_however_many_jobs_point_at_it(folder: Path) -> None:
    local = LocalFolder(folder)
    first = local("images/cup.png", ANY)
    (folder / "images" / "cup.png").write_bytes(POUR)
    assert local("images/cup.png", ANY) is first
    assert isinstance(first, LocalFile)
    assert local.paths == {first.ref: "images/cup.png"}


def several() -> dict[str, Any]:
    """A model with files at every depth."""
    one = {"type": "string", "format": "uri", "x-kiejobs-file": {"schemes": ["asset"]}}
    url = {"type": "string", "format": "uri"}
    fields = {
        "first_frame_url": one,
        "reference_urls": {"type": "array", "items": url, "x-kiejobs-file": {"max_bytes": 5000}},
        "parts": {"type": "array", "items": {"type": "object", "properties": {"clip": one}}},
        "link": url,
    }
    body = {"type": "object", "properties": fields, "unevaluatedProperties": False}
    return {"type": "object", "properties": {"model": {"const": "maker/several"}, "input": body}}


SEVERAL = f"""\
version: 1
campaign: tea
jobs:
  pour:
    model: maker/several
    input:
      first_frame_url: asset://cup
      reference_urls: [images/cup.png, "https://example.com/a.png", images/pour.webp]
      parts: [{{clip: images/cup.png}}, {{clip: {"images/mug.png"}}}]
      link: https://example.com/
"""


def test_files_are_found_at_every_depth_and_told_where_they_stand(folder: Path) -> None:
    made = expanded(SEVERAL, several(), files=LocalFolder(folder))
    told = made.only("missing-file")
    assert told.message == "job `pour`: `parts[1].clip` points at no file: images/mug.png"
    assert (told.place.line, told.place.column) == (9, 46)
    (folder / "images" / "mug.png").write_bytes(CUP)
    (only,) = expanded(SEVERAL, several(), files=LocalFolder(folder)).jobs
    assert only.input == {
        "first_frame_url": "asset://cup",
        "reference_urls": [ref(CUP), "https://example.com/a.png", ref(POUR)],
        "parts": [{"clip": ref(CUP)}, {"clip": ref(CUP)}],
        "link": "https://example.com/",
    }
    assert [file.path for file in only.files] == [
        "images/cup.png",
        "images/pour.webp",
        "images/mug.png",
    ]


def test_a_path_in_a_field_that_takes_no_file_is_none(folder: Path) -> None:
    text = SEVERAL.replace("https://example.com/\n", "images/cup.png\n").replace("/mug", "/cup")
    told = expanded(text, several(), files=LocalFolder(folder)).only("invalid-field")
    assert "`link` is not a URL" in told.message


def test_which_addresses_a_field_takes_is_the_schemas_to_say() -> None:
    assert not is_address("asset://cup", ANY)
    assert is_address("asset://cup", FileRule(1, frozenset(), frozenset({"asset"})))


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "code", "words"),
    [
        ("../outside/secret.png", "file-path", "is outside the job file's folder"),
        ("images/../../outside/secret.png", "file-path", "leads down and up again"),
        ("..", "file-path", "points at a folder"),
        ("../.git/config", "file-path", "points into what is hidden"),
        ("/etc/hostname", "file-path", "is not a path from the job file's folder"),
        ("~/cup.png", "file-path", "is not a path from the job file's folder"),
        (r"'images\cup.png'", "file-path", "holds a backslash"),
        (".git/config", "file-path", "points into what is hidden"),
        ("images/.cup.png", "file-path", "points into what is hidden"),
        ("images", "file-path", "which is a folder, not a file"),
        ("images/", "file-path", "points at a folder, not at a file"),
        (".", "file-path", "points at a folder, not at a file"),
        ('"cup\\0.png"', "file-path", "is no path"),
        ("a" * 1001, "file-path", "is no path"),
        ("images/pipe", "file-path", "which is a pipe, a socket or a device"),
        ("images/out.png", "file-path", "is outside the job file's folder"),
        ("images/out/secret.png", "file-path", "is outside the job file's folder"),
        ("images/round", "file-path", "goes round in circles"),
        ("images/null", "file-path", "is outside the job file's folder"),
        ("images/to-hidden", "file-path", "which is hidden"),
        ("images/cpu.png", "missing-file", "points at no file: images/cpu.png"),
        ("images/cup.png/x", "missing-file", "points at images/cup.png/x, which can't be read"),
        ('""', "missing-file", "is empty"),
        ("file:images/cup.png", "invalid-field", "is neither an http(s) URL nor a path"),
        ("file:///etc/hostname", "invalid-field", "is neither an http(s) URL nor a path"),
        ("ftp://example.com/cup.png", "invalid-field", "is neither an http(s) URL nor a path"),
        ("asset://cup", "invalid-field", "is neither an http(s) URL nor a path"),
        ("data:image/png;base64,AA==", "invalid-field", "is neither an http(s) URL nor a path"),
        ("C:/cup.png", "invalid-field", "is neither an http(s) URL nor a path"),
        (ref(CUP), "invalid-field", "is neither an http(s) URL nor a path"),
        ("https:///cup.png", "invalid-field", "is not a URL"),
    ],
)
def test_what_is_no_file_of_the_campaign_is_refused_where_it_stands(
    folder: Path, written: str, code: str, words: str
) -> None:
    images = folder / "images"
    os.mkfifo(images / "pipe")
    (images / "out.png").symlink_to(folder.parent / "outside" / "secret.png")
    (images / "out").symlink_to(folder.parent / "outside")
    (images / "null").symlink_to("/dev/null")
    (images / "round").symlink_to("round")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "cup.png").write_bytes(CUP)
    (images / "to-hidden").symlink_to(folder / ".hidden" / "cup.png")
    told = job(written, folder=folder).only(code)
    assert words in told.message
    assert told.place.line == 8
    assert told.place.column == 18


def test_a_link_that_stays_is_followed(folder: Path) -> None:
    (folder / "cup.png").symlink_to("images/cup.png")
    (only,) = job("cup.png", folder=folder).jobs
    assert only.files[0].path == "cup.png"
    assert only.input["image_url"] == ref(CUP)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("images/cpu.png", "did you mean `images/cup.png`?"),
        ("image/cup.png", "did you mean `images/cup.png`?"),
        ("images/cup.jpg", "did you mean `images/cup.png`?"),
        ("IMAGES/CUP.PNG", "did you mean `images/cup.png`?"),
        ("images/CUP.PNG", "did you mean `images/cup.png`?"),
        ("Images/cup.png", "did you mean `images/cup.png`?"),
        ("images/*.png", 'a pattern is a matter for an axis: `{glob: "…"}`'),
        ("images/thing.gif", None),
        (
            "example.com/cup.png",
            "if that is an address, write `https://example.com/cup.png`",
        ),
    ],
)
def test_what_was_probably_meant_is_said(folder: Path, written: str, hint: str | None) -> None:
    assert job(written, folder=folder).only("missing-file").hint == hint


def test_what_was_meant_is_guessed_for_no_more_files_than_are_told(folder: Path) -> None:
    rule = FileRule(100, frozenset())
    files = LocalFolder(folder)
    told = [files(f"images/cup{number}.png", rule) for number in range(1000)]
    guessed = [one for one in told if isinstance(one, NoFile) and one.hint is not None]
    assert guessed == told[:20], "each guess reads a folder: a table of them would take hours"


def test_no_name_from_outside_or_hidden_is_given_away(folder: Path) -> None:
    (folder / "images" / "out").symlink_to(folder.parent / "outside")
    (folder / "images" / ".cup.png").write_bytes(CUP)
    (folder / "images" / "cup.png").unlink()
    for written in ("images/out/secret.pgn", "images/cup.png"):
        told = next(iter(job(written, folder=folder).problems))
        assert "did you mean" not in (told.hint or "")


def test_each_of_many_files_that_are_unfit_is_told(folder: Path) -> None:
    for number in range(12):
        (folder / "images" / f"bad{number:02}.png").write_text("no picture")
    names = ", ".join(f"images/bad{number:02}.png" for number in range(12))
    text = f"""\
version: 1
campaign: tea
jobs:
  pour:
    model: {MODEL}
    matrix: {{image_url: [{names}]}}
    input: {{prompt: Tea}}
"""
    problems = list(expanded(text, files=LocalFolder(folder)).problems)
    assert len({problem.message for problem in problems}) == len(problems) == 12


def test_a_problem_is_told_once_for_all_combinations(folder: Path) -> None:
    text = f"""\
version: 1
campaign: tea
jobs:
  pour:
    model: {MODEL}
    matrix: {{duration: [5, 10], resolution: [720p, 1080p]}}
    input: {{prompt: Steam rises, image_url: images/no.png}}
"""
    assert expanded(text, files=LocalFolder(folder)).only("missing-file").count == 4


def test_other_problems_of_the_request_are_told_with_it(folder: Path) -> None:
    text = f"""\
version: 1
campaign: tea
jobs:
  pour:
    model: {MODEL}
    input: {{image_url: images/no.png, resolution: 4k}}
"""
    codes = expanded(text, files=LocalFolder(folder)).codes
    assert sorted(codes) == ["invalid-field", "missing-field", "missing-file"]


def test_without_a_folder_there_are_no_files() -> None:
    text = "{version: 1, campaign: tea, jobs: {a: {model: %s, input: {prompt: p, image_url: a.png}}}}"
    assert "points at no file: a.png" in expanded(text % MODEL).only("missing-file").message


ODD = st.text(st.sampled_from(["a", "/", ".", "\\", "~", ":", "\0", "\ud800", "é", " ", "\n", "%", "*"]))


@given(ODD | st.text(max_size=400) | ODD.map(lambda text: f"images/{text}"))
def test_any_text_is_a_file_or_says_why_not(text: str) -> None:
    """In the folder of the tests themselves."""
    found = path_of(text, ANY)
    if isinstance(found, str):
        assert not found.startswith("/")
        assert isinstance(LocalFolder(Path(__file__).parent)(found, ANY), LocalFile | NoFile)


# --- by bytes, not by names ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "points at images/x.png, which can't be sent: it is empty"),
        (b"some words", "it is of no known type, and the model takes image/jpeg"),
        (
            picture("gif", (640, 480)),
            "points at images/x.png (640 x 480 pixels), which can't be sent: it is image/gif",
        ),
        (
            CUP + bytes(10_485_761),
            f"(640 x 480 pixels), which can't be sent: it has {len(CUP) + 10_485_761:,} bytes, and",
        ),
    ],
)
def test_a_file_is_judged_by_what_it_holds(folder: Path, data: bytes, words: str) -> None:
    (folder / "images" / "x.png").write_bytes(data)
    told = job("images/x.png", folder=folder).only("unfit-file")
    assert words in told.message


def test_what_is_no_media_is_never_sent(folder: Path) -> None:
    (folder / "notes.txt").write_text("the password is tea")
    text = SEVERAL.replace("asset://cup", "notes.txt").replace("/mug", "/cup")
    told = expanded(text, several(), files=LocalFolder(folder)).only("unfit-file")
    assert "notes.txt, which can't be sent: it is neither a picture nor video nor sound" in told.message


def test_a_git_lfs_pointer_is_told_for_one(folder: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid {ref(CUP)}\nsize {len(CUP)}\n"
    (folder / "images" / "cup.png").write_text(pointer)
    told = job("images/cup.png", folder=folder).only("unfit-file")
    assert told.message.endswith("images/cup.png, which is a Git LFS pointer and not the file itself")
    assert told.hint == "`git lfs pull` fetches it"


def test_a_name_that_lies_is_no_matter(folder: Path) -> None:
    (folder / "images" / "x.txt").write_bytes(picture("jpeg"))
    (only,) = job("images/x.txt", folder=folder).jobs
    assert only.files[0].media_type == "image/jpeg"


def test_a_model_without_limits_has_one_all_the_same(folder: Path) -> None:
    with (folder / "endless.bin").open("wb") as file:
        file.truncate(600 * 2**20)  # a hole: it takes no room
    local = LocalFolder(folder)
    found = local("endless.bin", FileRule(10**15, frozenset()))
    assert isinstance(found, NoFile)
    assert "it has 629,145,600 bytes" in found.why


def test_a_file_too_large_for_one_field_may_fit_another(folder: Path) -> None:
    local, little = LocalFolder(folder), FileRule(10, frozenset())
    assert isinstance(local("images/cup.png", little), NoFile)
    found = local("images/cup.png", ANY)
    assert isinstance(found, LocalFile)
    assert "1,947 bytes, and the model takes 10" in str(unfit(found, little))
    assert unfit(found, ANY) is None


def test_a_file_that_the_system_does_not_open_is_told(folder: Path) -> None:
    told = job(f"images/{'x' * 300}.png", folder=folder).only("missing-file")
    assert "which can't be read: File name too long" in told.message


def test_pictures_are_decoded_where_that_is_asked_for(folder: Path) -> None:
    (folder / "images" / "cup.png").write_bytes(CUP[:-400])
    assert job("images/cup.png", folder=folder).jobs
    told = job("images/cup.png", folder=folder, decode=True).only("unfit-file")
    assert "images/cup.png, which can't be sent: it does not decode" in told.message


def test_what_is_no_picture_has_type_and_size(folder: Path) -> None:
    (folder / "talk.mp3").write_bytes(talk := recording("mp3", "libmp3lame"))
    found = LocalFolder(folder, decode=True)("talk.mp3", FileRule(100_000, frozenset({"audio/mp3"})))
    assert isinstance(found, LocalFile)
    assert (found.media_type, found.bytes, found.width) == ("audio/mpeg", len(talk), None)


def test_a_vendor_s_page_says_which_other_addresses_a_field_takes() -> None:
    assert other_schemes("An image url (https://…) or asset://{assetId}, not ftp://") == ["asset"]
    assert other_schemes("Address of a picture") == []


@pytest.mark.parametrize(
    ("size", "wrong"),
    [
        ((50, 50), "the model takes sides of at least 300 pixels"),
        ((900, 300), "its width is 3.00 times its height; the model takes 0.4 to 2.5"),
        ((300, 900), "its width is 0.33 times its height; the model takes 0.4 to 2.5"),
        ((300, 300), None),
    ],
)
def test_limits_of_pictures_that_a_schema_notes_hold(
    folder: Path, size: tuple[int, int], wrong: str | None
) -> None:
    (folder / "a.png").write_bytes(picture("png", size))
    schema = json.loads((SCHEMAS / "models" / "happyhorse" / "image-to-video.json").read_text())
    text = """
version: 1
campaign: tea
jobs:
  a: {model: happyhorse/image-to-video, input: {prompt: x, image_urls: [a.png]}}
"""
    found = expanded(text, schema, files=LocalFolder(folder))
    assert [wrong in problem.message for problem in found.problems if wrong] == ([True] if wrong else [])
    assert found.codes == (["unfit-file"] if wrong else [])


def test_an_empty_address_that_may_be_left_out_is(folder: Path) -> None:
    schema = models()[MODEL]
    schema["properties"]["input"]["required"] = ["prompt"]
    (problem,) = job('""', schema, folder=folder).problems
    assert (problem.hint or "").startswith("leave `image_url` out, or write a URL")
