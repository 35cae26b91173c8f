"""The machine we run on: clock, files in, environment, keys.

In: names of files and variables. Out: bytes, settings, schemas, time. Touches: disk (reading),
environment, clock. Secrets enter here and nowhere else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.document.nodes import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BASE = "https://api.kie.ai"
DEFAULT_UPLOAD_BASE = "https://kieai.redpandaai.co"
_ODD = re.compile(r"[^!-~]")  # blanks, and what is not ASCII
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PORTS = {"http": 80, "https": 443}
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_DEVICES = Path("/dev")
LARGEST_TEMPLATE = 1_000_000  # bytes of one included file


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        from anyio import sleep  # noqa: PLC0415 - slow to import, and most commands never wait

        await sleep(seconds)


class FastClock(SystemClock):
    """Waits run `speed` times as fast, for rehearsals; what is written down keeps the real time."""

    def __init__(self, speed: float) -> None:
        self._speed = speed

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / self._speed)


def new_run_id(now: datetime) -> str:
    """An id that sorts by time and that no two machines make alike."""
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{secrets.token_hex(3)}"


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that does not show itself when printed."""

    value: str = field(repr=False)

    def __bool__(self) -> bool:
        return bool(self.value)


@cache
def boot_id() -> str:
    """The same text from the machine's start to its end, and never again.

    Where the system has no such thing (it is Linux's), from this process's start to its end.
    """
    with contextlib.suppress(OSError, ValueError):
        return _BOOT.read_text(encoding="ascii").strip() or secrets.token_hex(16)
    return secrets.token_hex(16)


def api_key() -> Secret:
    """`KIE_API_KEY`, without surrounding blanks; empty where it is not set."""
    return Secret(os.environ.get("KIE_API_KEY", "").strip())


def webhook_key() -> Secret:
    """`KIE_WEBHOOK_HMAC_KEY`, without surrounding blanks; empty where it is not set."""
    return Secret(os.environ.get("KIE_WEBHOOK_HMAC_KEY", "").strip())


def api_base(flag: str | None) -> str:
    """`--base-url`, else `KIE_API_BASE`, else the vendor's. Raises UsageProblem where it's no URL."""
    return _checked(flag or os.environ.get("KIE_API_BASE") or DEFAULT_BASE, "an API base")


def upload_base(base: str) -> str:
    """`KIE_UPLOAD_BASE`, else the host that goes with the API at `base`. Raises UsageProblem.

    The vendor's goes with the vendor's API only. Whatever else is at `base` gets the uploads itself:
    files and key never leave for the vendor while somebody means to try a stand-in.
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
    """Scheme, host and port of an API base: whose purchases a journal records.

    The scheme's own port is left out, so that one API has one origin however it is spelled.
    """
    parts = urlsplit(base)
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{name}{port}"


def redact(text: str) -> str:
    """`text` without any of our keys."""
    for name in ("KIE_API_KEY", "KIE_WEBHOOK_HMAC_KEY"):
        value = os.environ.get(name, "").strip()
        if value:
            text = text.replace(value, "***")
    return text


def read_source(name: str, *, most: int = 64 * 2**20) -> Source:
    """A file's bytes. Raises UsageProblem where it can't be read or is larger than `most` bytes.

    A link may come with a stranger's branch, and problems are told with the lines that they stand in:
    one that leads out of its folder, to the environment say, is not followed.
    """
    path = Path(name)
    try:
        if path.is_symlink() and not _stays(path):
            hint = "name the file itself, if that is what is meant"
            raise UsageProblem(f"{name} is a link that leads out of its folder", hint=hint)
        with path.open("rb") as stream:
            data = stream.read(most + 1)  # not by its stated size: /dev/zero has none
    except OSError as error:
        raise UsageProblem(f"can't read {name}: {error.strerror or error}") from error
    if len(data) > most:
        raise UsageProblem(f"{name} is larger than {most // 2**20} MB")
    return Source(name, data)


def _stays(link: Path) -> bool:
    """Whether a link leads to a file below its own folder or below the one that we are called in.

    What a shell puts into /dev is typed by whoever calls. Circles are left to `open`, which says more.
    """
    try:
        target = link.resolve()
    except RuntimeError:
        return True
    roots = (link.parent.resolve(), Path.cwd().resolve())
    return link.parent == _DEVICES or any(is_shown(target, root) for root in roots)


def is_shown(path: Path, root: Path) -> bool:
    """Both resolved: below `root`, and not in a hidden place there: `.git/config` may hold a token."""
    if not path.is_relative_to(root):
        return False
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


class IncludeFolder:
    """Templates from below the job file's folder, and from nowhere else: links are followed first.

    Hidden files and what lies in hidden folders are none. `read` keeps the SHA-256 of each that was
    asked for, by its path below the folder; `asked` all names, of those that are not there too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self.read: dict[str, str] = {}
        self.asked: set[str] = set()

    def __call__(self, name: str) -> str | None:
        """The template's text; None where there is none that may be read."""
        self.asked.add(name)
        found = self._read(name)
        if found is None:
            return None
        path, data, text = found
        self.read[path.relative_to(self._folder).as_posix()] = hashlib.sha256(data).hexdigest()
        return text

    def peek(self, name: str) -> str | None:
        """The same, for one that is only looked at: it doesn't count as asked for."""
        found = self._read(name)
        return None if found is None else found[2]

    def _read(self, name: str) -> tuple[Path, bytes, str] | None:
        try:
            path = (self._folder / name).resolve()
            if not is_shown(path, self._folder) or not path.is_file():
                return None
            if path.stat().st_size > LARGEST_TEMPLATE:
                return None
            data = path.read_bytes()
            return path, data, data.decode("utf-8-sig")
        except (OSError, ValueError, RuntimeError):  # RuntimeError: links that go round in circles
            return None


def schema_folder() -> Path:
    """`schemas/`: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "schemas"
    return inside if inside.is_dir() else package.parent / "schemas"


@cache
def read_schema(name: str) -> Mapping[str, Any]:
    """One of our schemas by its path below `schemas/`, e.g. `jobfile.schema.json`."""
    text = (schema_folder() / name).read_text(encoding="utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


def model_names() -> tuple[str, ...]:
    """The models that there is a schema for: `<vendor>/<model>`, or `<model>` alone."""
    folder = schema_folder() / "models"
    found = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.json"))
    return tuple(sorted(path.as_posix() for path in found))


def git_commit(folder: Path) -> str | None:
    """The commit that `folder` is checked out at, read from git's files; None outside of git."""
    for parent in (folder.resolve(), *folder.resolve().parents):
        git = parent / ".git"
        if git.is_dir():
            return _commit_in(git)
    return None


def _commit_in(git: Path) -> str | None:
    """None for what is no commit: a file that HEAD names may hold anything."""
    try:
        found = _head(git)
    except (OSError, ValueError):
        return None
    return found if _COMMIT.fullmatch(found) else None


def _head(git: Path) -> str:
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref: "):
        return head
    ref = head.removeprefix("ref: ")
    if (git / ref).is_file():
        return (git / ref).read_text(encoding="utf-8").strip()
    packed = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {ref}")), "")
