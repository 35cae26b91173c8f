"""The machine we run on: what is read from where, and what is not."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.system import Secret, api_base, boot_id, origin_of, upload_base
from kiejobs.core.diagnostics import UsageProblem
from tests.support.bench import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("base", "origin"),
    [
        ("https://api.kie.ai", "https://api.kie.ai"),
        ("https://API.kie.ai:443/", "https://api.kie.ai"),
        ("HTTPS://api.kie.ai/mirror", "https://api.kie.ai"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8787", "http://[::1]:8787"),
    ],
)
def test_one_api_has_one_origin_however_it_is_spelled(base: str, origin: str) -> None:
    assert origin_of(api_base(base)) == origin


@pytest.mark.parametrize(
    "base",
    [
        "api.kie.ai", "ftp://api.kie.ai", "http://", "http://[", "http://a:99999", "http://a:b",
        "http://user:word@a", "http://a b", "http://a?x=1", "http://a#b", "http://a\n", "file:///x",
    ],
)  # fmt: skip
def test_what_is_no_base_is_refused(base: str) -> None:
    with pytest.raises(UsageProblem, match="not an API base"):
        api_base(f"{base}x" if base.endswith("\n") else base)


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("k-123")
    assert "k-123" not in f"{secret} {secret!r}"
    assert secret
    assert not Secret("")


def test_the_environment_names_the_base_and_the_key(tmp_path: Path) -> None:
    script = (
        "from kiejobs.adapters.system import api_base, api_key, redact;"
        "print(api_base(None), api_base('http://flag/'), repr(api_key()), redact('x k-1 y'))"
    )
    environment = {"PYTHONPATH": PACKAGE, "KIE_API_BASE": "http://mirror/", "KIE_API_KEY": " k-1\n"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["http://mirror", "http://flag", "Secret()", "x", "***", "y"]


VENDOR = "https://kieai.redpandaai.co"


@pytest.mark.parametrize(
    ("base", "given", "expected"),
    [
        ("https://api.kie.ai", None, VENDOR),
        ("https://API.kie.ai:443/", None, VENDOR),
        ("https://api.kie.ai", "https://up.example.com/x/", "https://up.example.com/x"),
        ("https://api.kie.ai.example.com", None, "https://api.kie.ai.example.com"),
        ("http://api.kie.ai", None, "http://api.kie.ai"),
        ("http://127.0.0.1:8700/kie", None, "http://127.0.0.1:8700/kie"),
        ("http://127.0.0.1:8700", "", "http://127.0.0.1:8700"),
        ("http://127.0.0.1:8700", VENDOR, VENDOR),
    ],
)
def test_files_go_to_the_vendors_host_only_beside_the_vendors_api_or_when_asked(
    monkeypatch: pytest.MonkeyPatch, base: str, given: str | None, expected: str
) -> None:
    monkeypatch.delenv("KIE_UPLOAD_BASE", raising=False)
    if given is not None:
        monkeypatch.setenv("KIE_UPLOAD_BASE", given)
    assert upload_base(base) == expected


def test_an_upload_base_that_is_no_url_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIE_UPLOAD_BASE", "up.example.com")
    with pytest.raises(UsageProblem, match="not an upload base"):
        upload_base("https://api.kie.ai")


def test_two_processes_since_one_start_of_the_machine_agree_on_which_it_was() -> None:
    words = "from kiejobs.adapters.system import boot_id; print(boot_id())"
    environment = {"PYTHONPATH": PACKAGE}
    other = subprocess.run([sys.executable, "-c", words], env=environment, capture_output=True, check=True)
    assert boot_id() == boot_id()
    if sys.platform == "linux":
        assert other.stdout.decode().strip() == boot_id()
    else:
        assert other.stdout.decode().strip() != boot_id(), "nobody else may take what we left for whole"
