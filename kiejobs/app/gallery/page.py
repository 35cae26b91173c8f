"""A gallery: what its page shows, gathered from job files and the ledger, and where its clips are.

In: job files, a workspace, flags. Out: the gallery's document; a folder with the page, or one file. Touches: job
files, journals, outputs, by reading; the gallery's folder.

Clips stay where they are, and the page links to them; they are copied, or put into the page as small versions, where
that is asked for.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from kiejobs.adapters.media.installed import HAS_MEDIA
from kiejobs.adapters.storage.output_folder import is_url
from kiejobs.app.load import load
from kiejobs.app.output import write
from kiejobs.app.picks import pick_book
from kiejobs.app.plan import agreed, make_plan, usd_per_credit
from kiejobs.app.project import mention_two_ledgers, open_workspace
from kiejobs.app.records import known_results
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.picks import PICK, STALE
from kiejobs.core.plan.plan import Action
from kiejobs.reports.gallery.document import Campaign, Clip, gallery_document, own_attempt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.picks import PickBook
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.ledger.records import FileRecord
    from kiejobs.core.plan.plan import Change

_NEEDS_MEDIA = "pip install 'kiejobs[media]'"
_LARGEST_SOUND = 2 * 10**6  # bytes; as text it takes a third more
_SOUND = re.compile(r"audio/[a-z0-9.+-]+")
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")


class Shelf(Protocol):
    """Where a page has its files."""

    def clip(self, file: FileRecord, path: Path) -> Clip:
        """A collected file, which is at `path` of this machine for now."""

    def picture(self, path: Path, sha256: str) -> str | None:
        """A picture of a request."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One job file with its plan and what was decided, as its page shows it."""

    loaded: LoadedJobFile
    space: Workspace
    changes: Sequence[Change]
    book: PickBook

    @property
    def picked(self) -> Shown:
        """With nothing but the results that were chosen, whatever a run would buy in their place."""
        return replace(self, changes=list(filter(None, map(self._chosen, self.changes))))

    def _chosen(self, line: Change) -> Change | None:
        """The line of a result that was chosen: as it is, or with the newest purchase of its address."""
        own, newest = own_attempt(line), self.book.ledger.newest(line.address)
        if own is not None and self.book.picked((own,)):
            return line
        if newest is None or not self.book.picked((replace(newest, address=line.address),)):
            return None
        kept = line._replace(action=Action.KEEP, sign="=", reason="done", detail=None, credits=None)
        return kept._replace(job=None, attempt=newest)

    @property
    def stale(self) -> list[str]:
        """The addresses whose picked result was replaced since."""
        decisions = self.book.decisions(self.loaded.jobfile.campaign)
        return [one.pick.address for one in decisions if one.word == STALE and one.pick.verdict == PICK]


# --- what is shown ---------------------------------------------------------------------------------


def gather(names: Sequence[str], wanted: JobFileOptions, where: Locations, screen: Screen) -> list[Shown]:
    """The plans of these job files. Raises as `load` and `make_plan`."""
    found = []
    for name in names:
        space = open_workspace(where, name)
        mention_two_ledgers(space, screen)
        loaded = load(replace(wanted, file=name))
        screen.warn(loaded.problems, name)
        ledger = space.ledger()
        made = make_plan(loaded, space, ledger, ())
        found.append(Shown(loaded, space, made.changes, pick_book(space, ledger)))
    return found


def document_of(shown: Sequence[Shown], shelf: Shelf) -> dict[str, Json]:
    """Raises UsageProblem where a file can't be read or copied."""
    campaigns = [_campaign(one, shelf) for one in shown]
    return gallery_document(
        campaigns,
        made=utc_text(shown[0].space.clock().now()) if shown else "",
        rehearsal=any(one.space.sandbox for one in shown),
        usd_per_credit=agreed({usd_per_credit(one.loaded) for one in shown}),
    )


def _campaign(shown: Shown, shelf: Shelf) -> Campaign:
    if isinstance(shelf, LinkedFiles) and not shelf.copies and is_url(shown.space.folder.name):
        message = f"the clips are in {shown.space.folder.name}, where the page can't link to"
        raise UsageProblem(message, hint="--copy, or --single-file")
    name = shown.loaded.jobfile.campaign
    attempts = list(shown.book.ledger.attempts(name))
    clips = {}
    for change in shown.changes:
        attempt = own_attempt(change)
        if attempt is not None:
            clips.update({(attempt.attempt_id, path): clip for path, clip in _clips(attempt, shown, shelf)})
    return Campaign(
        name,
        shown.changes,
        attempts,
        clips,
        dict(_pictures(shown, shelf)),
        dict(_picks(shown)),
        _checks(attempts, shown),
    )


def _checks(attempts: Sequence[Attempt], shown: Shown) -> dict[tuple[str, int], list[dict[str, Json]]]:
    found = known_results(shown.space, attempts)
    return {key: [one._asdict() for one in results] for key, results in found.items()}


def _picks(shown: Shown) -> Iterator[tuple[str, dict[str, Json]]]:
    """By address, what was taken back too. A pick of what a line asks for no more is stale as well."""
    for change in shown.changes:
        pick = shown.book.pick(change.attempt) if change.attempt else None
        if pick is not None and change.attempt:
            stale = own_attempt(change) is None or shown.book.word(change.attempt) == STALE
            yield change.address, {**asdict(pick), "stale": stale}


def _clips(attempt: Attempt, shown: Shown, shelf: Shelf) -> Iterator[tuple[str, Clip]]:
    """Those of its files that are complete here."""
    if not attempt.files or "collected" not in attempt.times or shown.space.condition(attempt) is not None:
        return
    for file in attempt.files:
        with shown.space.folder.on_disk(file) as path:
            if path.is_file():  # with --files-elsewhere it may be gone
                yield file.path, shelf.clip(file, path)


def _pictures(shown: Shown, shelf: Shelf) -> Iterator[tuple[str, str]]:
    """By its reference in a request. What is on the web stays there: a page loads nothing."""
    seen: set[str] = set()
    for file in (file for change in shown.changes if change.job for file in change.job.files):
        if file.ref not in seen and file.media_type.startswith("image/"):
            seen.add(file.ref)
            found = shelf.picture(shown.loaded.folder.path / file.path, file.sha256)
            if found is not None:
                yield file.ref, found


# --- where its files are ---------------------------------------------------------------------------


def url_of(path: str) -> str:
    """A relative path as a URL: `#`, `?`, `%` and blanks of a name mean themselves in it."""
    return quote(path, safe="/,=+~@!$()")


@dataclass(frozen=True)
class LinkedFiles:
    """Clips where they are, with `copies` below the page's folder; posters there, where the extra `media` makes them."""

    folder: Path
    copies: bool = False

    def clip(self, file: FileRecord, path: Path) -> Clip:
        src = self._copied(path, f"clips/{_below(file.path)}") if self.copies else self._linked(path)
        return Clip(src, self.poster(file, path))

    def picture(self, path: Path, sha256: str) -> str | None:
        name = f"inputs/{sha256[:20]}{_ending(path.name)}"
        return self._copied(path, name) if self.copies else self._linked(path)

    def _linked(self, path: Path) -> str:
        return url_of(os.path.relpath(path.resolve(), self.folder.resolve()).replace(os.sep, "/"))

    def _copied(self, path: Path, name: str) -> str:
        target = self.folder.joinpath(*name.split("/"))
        if not target.exists() or target.stat().st_size != path.stat().st_size:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f"{target.name}.part")
                shutil.copyfile(path, partial)  # no hard link: a delivery may be edited
                partial.replace(target)
            except OSError as error:
                raise UsageProblem(f"can't copy to {target}: {error.strerror or error}") from error
        return url_of(name)

    def poster(self, file: FileRecord, path: Path) -> str | None:
        """From the page's folder; made once for each content."""
        if not HAS_MEDIA or not file.media_type.startswith("video/"):
            return None
        name = f"posters/{_mark(file.sha256)}.jpg"
        target = self.folder / name
        if not target.exists():
            data = _drawn("poster", path)
            if data is None:
                return None
            write(target, base64.b64decode(data))
        return name


def _below(path: str) -> str:
    """A path on record as one below a folder. Journals come from git: one that leads up and down again gets a name."""
    leads_up = any(part in {"", ".", ".."} for part in path.split("/"))
    return f"{_mark(path)}{_ending(path)}" if leads_up else path


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _ending(name: str) -> str:
    found = _ENDING.search(name)
    return found[0].lower() if found else ""


class EmbeddedFiles:
    """Posters and small versions inside the page, sounds as they are. Raises UsageProblem without the extra `media`."""

    def __init__(self) -> None:
        if not HAS_MEDIA:
            raise UsageProblem("--single-file needs the extra `media`", hint=_NEEDS_MEDIA)

    def clip(self, file: FileRecord, path: Path) -> Clip:
        kind = file.media_type.partition("/")[0]
        if kind == "audio" and _SOUND.fullmatch(file.media_type):
            if file.bytes > _LARGEST_SOUND:
                return Clip(None, why="a sound of more than 2 MB is not put into the page")
            data = base64.b64encode(path.read_bytes()).decode()
            return Clip(f"data:{file.media_type};base64,{data}")
        poster = _embedded("image/jpeg", "poster", path) if kind == "video" else None
        src = _embedded("video/mp4", "preview", path) if kind == "video" else None
        src = self.picture(path, file.sha256) if kind == "image" else src
        return Clip(src, poster, None if src else "a file that can't be put into the page")

    def picture(self, path: Path, sha256: str) -> str | None:
        del sha256
        return _embedded("image/jpeg", "thumbnail", path)


def _embedded(media_type: str, kind: str, path: Path) -> str | None:
    data = _drawn(kind, path)
    return None if data is None else f"data:{media_type};base64,{data}"


def _drawn(kind: str, path: Path) -> str | None:
    """In Base64, by the process for media; None for what can't be decoded."""
    from kiejobs.adapters.media.process import media_process  # noqa: PLC0415 - where there are clips

    answer = media_process().ask("still", {"kind": kind, "path": str(path.resolve())})
    return answer if isinstance(answer, str) else None
