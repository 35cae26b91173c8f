"""Every check against clips that are made for it: each fault is found, by its own check alone, and clean clips are
clean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from kiejobs.adapters.media.examine import examined, likest
from kiejobs.core.checks import DEFAULTS, CheckResult
from tests.support.clips import (
    black_between,
    cut_at,
    dark,
    flash,
    frozen_from,
    make_clip,
    picture,
    scene,
    slow,
    tone,
)

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = {"prompt": "a cup", "duration": "5", "image_url": "sha256:first", "end_image_url": "sha256:last"}
ALL: dict[str, Any] = {
    name: True for name in DEFAULTS if name not in {"last_frame_matches", "not_duplicate"}
} | {"size": {"width": 320, "height": 180}, "fps": {"equals": 24}}
CLEAN: dict[str, Any] = {"sound": tone()}


class Fault(NamedTuple):
    """One clip, and the check that must find what is wrong with it, in these words."""

    check: str
    clip: dict[str, Any]
    why: str
    checks: dict[str, Any] = ALL


FAULTS = {
    "too short": Fault("length", {"seconds": 3}, "it lasts 3.0 s, 5 s were asked for"),
    "too long": Fault("length", {"seconds": 7}, "it lasts 7.0 s, 5 s were asked for"),
    "wrong size": Fault("size", {"size": (256, 144)}, "it is 256x144, 320 pixels wide, 180 pixels high was asked for"),
    "wrong ratio": Fault(
        "size", {"size": (180, 320)}, "it is 180x320, 16:9 was asked for",
        {**ALL, "size": {"ratio": "16:9"}, "first_frame_matches": False},
    ),
    "too small": Fault(
        "size", {}, "it is 320x180, 700 pixels or more on each side was asked for", {**ALL, "size": {"at_least": 700}}
    ),
    "wrong fps": Fault("fps", {"fps": 12}, "it has 12 frames per second, not 24"),
    "no sound track": Fault(
        "has_audio", {"sound": None}, "it has no sound track, and was to have one",
        {**ALL, "silence": False, "loudness": False},
    ),
    "an unwanted sound track": Fault(
        "has_audio", {}, "it has a sound track, and was to have none", {**ALL, "has_audio": {"expected": False}}
    ),
    "silent": Fault("silence", {"sound": tone(silent=(0.0, 9.0))}, "it is silent from 0.00 s to 5.0", {**ALL, "loudness": False}),
    "silent in the middle": Fault("silence", {"sound": tone(silent=(1.0, 3.5))}, "it is silent from 1.0"),
    "too loud": Fault("loudness", {"sound": tone(0.9)}, "its loudness is -"),
    "too quiet": Fault("loudness", {"sound": tone(0.006)}, "its loudness is -"),
    "black in the middle": Fault(
        "not_black", {"frame": black_between(2.0, 3.0)}, "it is black from 2.00 s to 3.00 s", {**ALL, "cuts": False}
    ),
    "black at the end": Fault(
        "not_black", {"frame": black_between(4.0, 9.0)}, "it is black from 4.00 s to 5.00 s", {**ALL, "cuts": False}
    ),
    "frozen at the end": Fault("not_frozen", {"frame": frozen_from(2.0)}, "it is frozen from 2."),
    "frozen throughout": Fault("not_frozen", {"frame": frozen_from(0.0)}, "it is frozen from 0."),
    "a cut": Fault("cuts", {"frame": cut_at(2.5)}, "it has 1 cut: 2.50 s", {**ALL, "first_frame_matches": False}),
    "two cuts": Fault(
        "cuts", {"frame": cut_at(1.0, 3.0)}, "it has 2 cuts: 1.00 s, 3.00 s", {**ALL, "first_frame_matches": False}
    ),
    "another first frame": Fault(
        "first_frame_matches", {"frame": scene(5)}, "its first frame is not like the picture: likeness "
    ),
    "another last frame": Fault(
        "last_frame_matches", {}, "its last frame is not like the picture: likeness ",
        {**ALL, "last_frame_matches": True},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pictures")
    first, last = picture(folder / "first.png"), picture(folder / "last.jpg", 7)
    return {"sha256:first": str(first), "sha256:last": str(last)}


def results_of(path: Path, written: Any, pictures: dict[str, str], **request: Any) -> dict[str, CheckResult]:
    task = {
        "files": [str(path)],
        "kind": "video",
        "request": {**REQUEST, **request},
        "written": written,
        "pictures": pictures,
    }
    return {one.name: one for one in examined(task)["results"]}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_its_own_check_and_by_no_other(
    name: str, tmp_path: Path, pictures: dict[str, str]
) -> None:
    fault = FAULTS[name]
    clip = make_clip(tmp_path / "clip.mp4", **{**CLEAN, **fault.clip})
    found = results_of(clip, fault.checks, pictures)
    assert [one.name for one in found.values() if one.verdict != "ok"] == [fault.check]
    assert found[fault.check].verdict == "failed"
    assert (found[fault.check].why or "").startswith(fault.why)


@pytest.mark.parametrize("fps", [8, 12, 60])
def test_a_flash_is_no_cut_and_a_cut_next_to_one_is(fps: int, tmp_path: Path) -> None:
    draw = flash(1.0, 0.1, cut_at(3.0))
    clip = make_clip(tmp_path / "clip.mp4", fps=fps, frame=draw)
    (found,) = results_of(clip, {"cuts": True, "length": False, "size": False}, {}).values()
    assert found.why == "it has 1 cut: 3.00 s"


CLEAN_CLIPS: dict[str, dict[str, Any]] = {
    "a moving scene": {},
    "a slow portrait": {"frame": slow()},
    "a night": {"frame": dark()},
    "a little longer": {"seconds": 5.3},
    "a short silence": {"sound": tone(silent=(1.0, 2.0))},
    "a blink of black": {"frame": black_between(2.0, 2.25)},
    "a flash": {"frame": flash(2.0, 0.1)},
    "a flash of several frames, in motion": {"frame": flash(2.0, 0.4)},
}


@pytest.mark.parametrize("name", CLEAN_CLIPS)
def test_a_clean_clip_fails_nothing(name: str, tmp_path: Path, pictures: dict[str, str]) -> None:
    clip = make_clip(tmp_path / "clip.mp4", **{**CLEAN, **CLEAN_CLIPS[name]})
    found = results_of(clip, ALL, pictures)
    assert [one for one in found.values() if one.verdict != "ok"] == []
    assert found.keys() == ALL.keys()


@pytest.mark.parametrize(
    ("request_", "clip", "failed"),
    [
        ({"resolution": "720p", "aspect_ratio": "16:9"}, {"size": (1248, 704)}, set()),
        ({"resolution": "720p", "aspect_ratio": "21:9"}, {"size": (1504, 640)}, set()),
        ({"resolution": "720p", "aspect_ratio": "9:16"}, {"size": (720, 1280)}, set()),
        ({"resolution": "768P"}, {"size": (1366, 768)}, set()),
        ({"resolution": "1080p"}, {"size": (1280, 720)}, {"size"}),
        ({"resolution": "720p"}, {"size": (864, 480)}, {"size"}),
        ({"resolution": "720p", "aspect_ratio": "16:9"}, {"size": (720, 1280)}, {"size"}),
        ({"aspect_ratio": "landscape"}, {"size": (180, 320)}, {"size"}),
        ({"aspect_ratio": "auto"}, {"size": (180, 320)}, set()),
        ({"duration": "10"}, {}, {"length"}),
        ({"n_frames": "10", "duration": 10}, {}, {"length"}),
        ({"duration": "auto"}, {}, set()),
        ({"duration": 10, "video_url": "https://example.com/a.mp4"}, {}, set()),
        ({"generate_audio": True}, {}, {"has_audio"}),
        ({"generate_audio": False}, {}, set()),
        ({"sound": True}, {"sound": tone()}, set()),
    ],
)  # fmt: skip
def test_what_a_request_names_for_certain_is_checked_without_a_word(
    request_: dict[str, Any], clip: dict[str, Any], failed: set[str], tmp_path: Path
) -> None:
    path = make_clip(tmp_path / "clip.mp4", **{"seconds": 1.0, "fps": 8, **clip})
    task = {
        "files": [str(path)],
        "kind": "video",
        "request": {"duration": 1, **request_},
        "written": None,
        "pictures": {},
    }
    found = examined(task)["results"]
    assert {one.name for one in found if one.verdict == "failed"} == failed


def test_the_last_frame_is_held_against_its_own_picture(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=5)
    last = {"sha256:last": str(picture(tmp_path / "last.png", moment=4.96))}
    found = results_of(clip, {"last_frame_matches": True}, last)["last_frame_matches"]
    assert (found.verdict, found.measured) == ("ok", "1.00")


def test_a_picture_of_other_proportions_is_cut_to_the_frame_or_fitted_into_it(tmp_path: Path) -> None:
    square = {"sha256:first": str(picture(tmp_path / "square.png", 3, (600, 600)))}

    def cut(_: float, size: tuple[int, int]) -> Any:
        whole = scene(3)(0.0, (size[0], size[0]))
        return whole[(size[0] - size[1]) // 2 :][: size[1]]

    def fitted(_: float, size: tuple[int, int]) -> Any:
        bar = np.zeros((size[1], (size[0] - size[1]) // 2, 3), np.uint8)
        return np.hstack([bar, scene(3)(0.0, (size[1], size[1])), bar])

    for frame in (cut, fitted):
        clip = make_clip(tmp_path / "clip.mp4", seconds=1.0, frame=frame)
        assert results_of(clip, {"first_frame_matches": True}, square)["first_frame_matches"].verdict == "ok"


def test_an_address_that_was_not_fetched_is_skipped_and_said(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=1.0)
    request = {"image_url": "https://example.com/cup.png"}
    found = results_of(clip, {"first_frame_matches": True}, {}, **request)["first_frame_matches"]
    assert (found.verdict, found.why) == ("skipped", "`image_url` is an address, and was not fetched")


def test_a_check_that_is_off_is_not_made_and_a_warning_is_no_failure(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=1.0)
    assert results_of(clip, {"length": {"off": True}}, {}) == {}
    assert results_of(clip, {"length": False}, {}) == {}
    assert results_of(clip, written=False, pictures={}) == {}
    warned = results_of(clip, {"length": {"severity": "warning"}}, {})["length"]
    assert (warned.verdict, warned.severity) == ("warning", "warning")


def test_what_does_not_decode_fails_the_checks_that_are_stated_only(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    whole = make_clip(tmp_path / "clip.mp4").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    found = results_of(broken, {"not_black": True}, {})
    assert (found["length"].verdict, found["not_black"].verdict) == ("skipped", "failed")
    assert "does not decode" in (found["not_black"].why or "")


def test_near_duplicates_are_known_by_their_frames(tmp_path: Path) -> None:
    clips = {
        "one": make_clip(tmp_path / "1.mp4"),
        "again": make_clip(tmp_path / "2.mp4", size=(288, 162)),
        "other": make_clip(tmp_path / "3.mp4", frame=scene(8)),
    }
    task = {"kind": "video", "request": REQUEST, "written": {"not_duplicate": True}, "pictures": {}}
    signatures = {name: examined({**task, "files": [str(path)]})["signature"] for name, path in clips.items()}
    found = likest(signatures, list(clips))
    assert (found["one"][1], found["again"][1]) == ("again", "one")
    assert found["one"][0] > 0.99
    assert found["other"][0] < 0.9
