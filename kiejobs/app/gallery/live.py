"""A gallery that is served: made again from job files and the ledger when they changed, and what is picked on it.

In: job files, flags; picks from the page. Out: its page, its data, its files. Touches: job files, journals, outputs, by
reading; `picks.yaml`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.git import user_of
from kiejobs.adapters.project.files import read_schema
from kiejobs.adapters.project.root import PROJECT_FILE
from kiejobs.app.decisions import bought_picks, write_picks
from kiejobs.app.gallery.page import LinkedFiles, document_of, gather
from kiejobs.app.picks import pick_book, rehearsal_folder
from kiejobs.core.diagnostics import KiejobsError
from kiejobs.core.document.nodes import Source
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.picks import FILE, read_export
from kiejobs.core.prices.table import FILE as PRICES
from kiejobs.reports.gallery.document import Clip
from kiejobs.reports.gallery.page import data_text, page_html

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.app.gallery.page import Shown
    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.records import FileRecord


class ServedFiles:
    """The port of `document_of`: files by keys, so that a path of this machine is never part of a URL."""

    def __init__(self, posters: Path) -> None:
        self._own = LinkedFiles(posters)
        self.known: dict[str, tuple[Path, str]] = {}

    def clip(self, file: FileRecord, path: Path) -> Clip:
        poster = self._own.poster(file, path)
        still = poster and self._add(Path(poster).name, self._own.folder / poster, "image/jpeg")
        key = hashlib.sha256(f"{file.path} {file.sha256}".encode("utf-8", "surrogatepass")).hexdigest()[:40]
        return Clip(self._add(key, path, file.media_type), still)

    def picture(self, path: Path, sha256: str) -> str | None:
        kind = path.suffix.lstrip(".").lower().replace("jpg", "jpeg")
        return self._add(f"in-{sha256[:40]}", path, f"image/{kind}")

    def _add(self, key: str, path: Path, media_type: str) -> str:
        self.known[key] = (path, media_type)
        return f"files/{key}"


class ShownLive:
    """The port `LiveGallery`. Where a job file is broken just now, what was shown before stays."""

    def __init__(
        self, names: Sequence[str], wanted: JobFileOptions, where: Locations, posters: Path, screen: Screen
    ) -> None:
        """Raises as `gather`."""
        self._given = (names, wanted, where, screen)
        self._files = ServedFiles(posters)
        self._shown = gather(*self._given)
        self._document = self._made()
        self._stamp = self.stamp()

    def page(self) -> str:
        return page_html(self._current(), live=True)

    def data(self) -> str:
        return data_text(self._current())

    def file(self, key: str) -> tuple[Path, str] | None:
        return self._files.known.get(key)

    def take(self, picks: bytes) -> str | None:
        stated, wrong = read_export(Source("the page", picks), read_schema("picks-export.schema.json"))
        if stated is None or wrong:
            return "; ".join(problem.message for problem in wrong) or "no picks"
        space = self._shown[0].space
        now, who = utc_text(space.clock().now()), user_of(space.root.path)
        try:
            book = pick_book(space, space.ledger())
            known = bought_picks(stated, book.ledger, "the page")
            write_picks([replace(one, who=one.who or who, when=now) for one in known], space, book)
        except KiejobsError as problem:
            return problem.message
        return None

    def _current(self) -> dict[str, Json]:
        now = self.stamp()
        if now != self._stamp:
            try:
                self._shown = gather(*self._given)
                self._document = self._made()
                self._stamp = now
            except KiejobsError:
                return self._document  # somebody is in the middle of an edit
        return self._document

    def _made(self) -> dict[str, Json]:
        return document_of(self._shown, self._files)

    def stamp(self) -> str:
        """What it is made from, by what changes when that does: job files and what they read, picks, checks, the ledger."""
        space = self._shown[0].space
        files = {path for one in self._shown for path in _read_for(one)}
        folders = {Path(one.loaded.wanted.file).parent for one in self._shown} | {rehearsal_folder(space)}
        files |= {folder / FILE for folder in folders} | {space.checks}
        files |= {space.root.path / name for name in (PROJECT_FILE, PRICES)}
        ages = [str(_age(path)) for path in sorted(files)]
        runs = [f"{one.run_id} {len(one.outline)} {one.live}" for one in space.store.read().records]
        return "\n".join([*ages, *runs])


def _read_for(one: Shown) -> Iterator[Path]:
    """A job file, its includes, tables, pictures and files of variables, of what is not there too."""
    yield Path(one.loaded.wanted.file)
    yield from (Path(document.name) for document in one.loaded.vars_files)
    yield from (one.loaded.folder.path / name for name in one.loaded.folder.asked)


def _age(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
