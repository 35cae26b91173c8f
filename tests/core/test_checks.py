"""Which checks a result has: what the job file writes, laid over its defaults, and what the request names."""

from __future__ import annotations

from typing import Any

import pytest

from kiejobs.core.checks import DEFAULTS, Measured, differs, layered, verdicts, wanted, worst


@pytest.mark.parametrize(
    ("lower", "upper", "both"),
    [
        (None, None, None),
        (None, {"cuts": True}, {"cuts": True}),
        ({"cuts": True}, None, {"cuts": True}),
        ({"cuts": True}, False, False),
        ({"cuts": True}, True, {"cuts": True}),
        (False, True, None),
        (False, {"cuts": True}, {"cuts": True}),
        ({"cuts": {"at_most": 3}}, {"cuts": {"severity": "warning"}}, {"cuts": {"at_most": 3, "severity": "warning"}}),
        ({"cuts": {"at_most": 3}}, {"cuts": False}, {"cuts": False}),
        ({"cuts": {"at_most": 3, "off": True}}, {"cuts": True}, {"cuts": {"at_most": 3, "off": False}}),
        ({"cuts": False}, {"cuts": True}, {"cuts": True}),
        ({"cuts": True}, {"fps": {"equals": 24}}, {"cuts": True, "fps": {"equals": 24}}),
    ],
)  # fmt: skip
def test_a_job_s_checks_lie_over_those_of_the_defaults(lower: Any, upper: Any, both: Any) -> None:
    assert layered(lower, upper) == both


@pytest.mark.parametrize("written", [None, True, {}, {"size": False}, {"size": {"off": True}}])
def test_nothing_is_checked_that_nobody_asked_for(written: Any) -> None:
    assert wanted(written, {"prompt": "a cup"}, "video") == []
    assert wanted(written, {"duration": "5"}, "audio") == []


def test_every_check_can_be_switched_on_and_says_why_it_can_t_be_made() -> None:
    every = wanted(dict.fromkeys(DEFAULTS, True), {}, "image")
    assert [check.name for check in every] == list(DEFAULTS)
    found = verdicts(every, Measured("image", 640, 360))
    assert {one.verdict for one in found if one.name not in {"has_audio", "not_duplicate"}} == {"skipped"}
    assert all(one.why for one in found if one.verdict == "skipped")


def test_of_several_files_the_worst_verdict_counts() -> None:
    checks = wanted({"length": {"seconds": 5}}, {}, "video")
    good, bad = (verdicts(checks, Measured("video", 1, 1, seconds)) for seconds in (5.0, 3.0))
    assert [one.verdict for one in worst([good, bad, good])] == ["failed"]


def test_a_recording_and_a_picture_are_not_held_against_a_video_s_words() -> None:
    assert differs(Measured("audio", seconds=3.0), {"duration": "10", "resolution": "720p"}) is None
    assert differs(Measured("image", 100, 100), {"resolution": "2K"}) is None
