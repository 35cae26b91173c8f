"""What of a URL may be written down."""

from __future__ import annotations

import pytest

from kiejobs.core.urls import attempt_in, bare, private_host


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


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://localhost:3000/a.png", "localhost"),
        ("HTTPS://LocalHost./a.png", "localhost"),
        ("http://dev.localhost/a.png", "dev.localhost"),
        ("http://localhost.localdomain/a.png", "localhost.localdomain"),
        ("http://nas/a.png", "nas"),
        ("http://printer.local/a.png", "printer.local"),
        ("http://host.docker.internal:8000/a.png", "host.docker.internal"),
        ("http://router.home.arpa/a.png", "router.home.arpa"),
        ("http://me:pw@10.0.0.7/a.png", "10.0.0.7"),
        ("http://[::1]:8000/a.png", "[::1]"),
        ("http://[fe80::1%25eth0]/a.png", "[fe80::1%eth0]"),
        ("http://[::ffff:10.0.0.1]/a.png", "[::ffff:10.0.0.1]"),
        ("http://127.1/a.png", "127.1"),
        ("http://0x7f000001/a.png", "0x7f000001"),
        ("http://2130706433/a.png", "2130706433"),
        ("http://0177.0.0.1/a.png", "0177.0.0.1"),
        ("http://192.168.0.1./a.png", "192.168.0.1"),
        ("http://999.1.1.1/a.png", "999.1.1.1"),
        ("http://%6cocalhost/a.png", "localhost"),
        ("http://169.254.169.254/latest", "169.254.169.254"),
        ("https://example.com/a.png", None),
        ("https://localhost.example.com/a.png", None),
        ("https://example.com/?u=http://localhost/", None),
        ("https://93.184.216.34/a.png", None),
        ("https://0x5db8d822/a.png", None),
        ("https://[2606:2800:220:1::1]/a.png", None),
        ("https://mylocal/../x.local", "mylocal"),
        ("https://notlocal.example/a.png", None),
        ("asset://12345", None),
        ("images/localhost.png", None),
        ("http://", None),
    ],
)
def test_a_host_that_nobody_outside_reaches_is_known_by_its_spelling(url: str, host: str | None) -> None:
    assert private_host(url) == host
