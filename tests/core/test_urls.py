"""What of a URL may be written down."""

from __future__ import annotations

import pytest

from kiejobs.core.urls import attempt_in, bare


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


ID = "0a" * 16


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"attempt={ID}", ID),
        (f"token=s3cret&attempt={ID}&x=", ID),
        (f"attempt=%30a{ID[2:]}", ID),
        ("", None),
        ("attempt=", None),
        ("attempt=tea", None),
        (f"attempt={ID.upper()}", None),
        (f"attempt={ID}0", None),
        (f"attempt={ID}%0a", None),
        (f"attempt={ID}&attempt={'0b' * 16}", None),
        (f"attempt=theirs&attempt={ID}", None),
        (f"attempt=&attempt={ID}", None),
        ("a=1&" * 500 + f"attempt={ID}", ID),
    ],
)
def test_an_attempt_is_taken_from_a_query_only_where_it_is_the_only_one(
    query: str, found: str | None
) -> None:
    assert attempt_in(query) == found
