"""The machine we run on: clock, environment, keys, and since when it is up.

Out: settings, keys, time. Touches: environment, clock, the file of the boot id. Secrets enter here only.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from kiejobs.core.diagnostics import UsageProblem

DEFAULT_BASE = "https://api.kie.ai"
DEFAULT_UPLOAD_BASE = "https://kieai.redpandaai.co"
_SANDBOX_BASE = "http://sandbox.invalid"
_ODD = re.compile(r"[^!-~]")  # blanks, and what is not ASCII
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PORTS = {"http": 80, "https": 443}
PROXIES = ("https_proxy", "http_proxy", "all_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
"""Variables whose URLs may hold a password."""


class SystemClock:
    """The machine's time. For rehearsals waits run `speed` times as fast; what is recorded is real."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        from anyio import sleep  # noqa: PLC0415 - slow to import, and most commands never wait

        await sleep(seconds / self.speed)


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that does not show itself when printed."""

    value: str = field(repr=False)

    def __bool__(self) -> bool:
        return bool(self.value)


@cache
def boot_id() -> str:
    """The same text from the machine's start to its end; where Linux doesn't show that, this process's."""
    with contextlib.suppress(OSError, ValueError):
        return _BOOT.read_text(encoding="ascii").strip() or os.urandom(16).hex()
    return os.urandom(16).hex()


def api_key() -> Secret:
    """Without surrounding blanks; empty where it is not set."""
    return Secret(os.environ.get("KIE_API_KEY", "").strip())


def webhook_key() -> Secret:
    return Secret(os.environ.get("KIE_WEBHOOK_HMAC_KEY", "").strip())


def forge_token(name: str) -> Secret:
    return Secret(variable(name))


def variable(name: str) -> str:
    """What a CI server says of its job, or this machine of its network; empty where it says nothing."""
    return os.environ.get(name, "").strip()


def api_base(flag: str | None, *, sandbox: bool = False) -> str:
    """`--base-url`, else `KIE_API_BASE`, else the vendor's. Raises UsageProblem where it's no URL."""
    if sandbox:
        return _SANDBOX_BASE
    return _checked(flag or os.environ.get("KIE_API_BASE") or DEFAULT_BASE, "an API base")


def upload_base(base: str) -> str:
    """`KIE_UPLOAD_BASE`, else the host that goes with the API at `base`. Raises UsageProblem.

    The vendor's goes with the vendor's API only: files and key never leave for it while a stand-in is tried.
    """
    given = os.environ.get("KIE_UPLOAD_BASE")
    if given:
        return _checked(given, "an upload base (KIE_UPLOAD_BASE)")
    return DEFAULT_UPLOAD_BASE if origin_of(base) == origin_of(DEFAULT_BASE) else base


def _checked(given: str, what: str) -> str:
    base = given.strip().rstrip("/")
    try:
        parts = urlsplit(base)
        usable = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in base or parts.query or parts.fragment or _ODD.search(base):
        raise UsageProblem(f"not {what}: {base}", hint="e.g. https://api.kie.ai")
    return base


def origin_of(base: str) -> str:
    """Scheme, host and port of an API base, but the scheme's own: whose purchases a journal records."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{name}{port}"


def redact(text: str) -> str:
    """`text` without any of our keys."""
    tokens = map(forge_token, ("GITHUB_TOKEN", "GITLAB_TOKEN"))
    logins = (Secret(variable(name).rpartition("@")[0].rpartition("://")[2]) for name in PROXIES)
    for key in filter(None, (api_key(), webhook_key(), *tokens, *logins)):
        text = text.replace(key.value, "***")
    return text


def ci_address() -> str | None:
    """Of the CI run that this process is a part of, on GitHub or GitLab."""
    parts = [os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    if all(parts):
        return "{}/{}/actions/runs/{}".format(*parts)
    return os.environ.get("CI_JOB_URL") or None
