"""What of a URL may be written down."""

from __future__ import annotations

import pytest

from kiejobs.core.urls import bare


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://files.example.com/a.mp4", "https://files.example.com/a.mp4"),
        ("https://files.example.com/a.mp4?sig=s3cret&t=1", "https://files.example.com/a.mp4"),
        ("https://files.example.com/a.mp4#s3cret", "https://files.example.com/a.mp4"),
        ("https://user:s3cret@files.example.com/a.mp4", "https://files.example.com/a.mp4"),
        ("https://user:s3@cret@files.example.com:8443", "https://files.example.com:8443"),
        ("https://files.example.com/a@b.mp4", "https://files.example.com/a@b.mp4"),
        ("no url?s3cret", "no url"),
    ],
)
def test_what_may_be_a_secret_is_left_out(url: str, kept: str) -> None:
    assert bare(url) == kept
