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
from kiejobs.app.decisions import bought_picks, write_picks
from kiejobs.app.gallery.page import LinkedFiles, document_of, gather
from kiejobs.app.picks import pick_book
from kiejobs.core.diagnostics import KiejobsError
from kiejobs.core.document.nodes import Source
from kiejobs.core.ledger.records import utc_text
from kiejobs.core.picks import FILE, read_export
from kiejobs.reports.gallery.document import Clip
from kiejobs.reports.gallery.page import data_text, page_html

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        still = (
            None if poster is None else self._add(Path(poster).name, self._own.folder / poster, "image/jpeg")
        )
        return Clip(
            self._add(
                hashlib.sha256(f"{file.path} {file.sha256}".encode("utf-8", "surrogatepass")).hexdigest()[
                    :40
                ],
                path,
                file.media_type,
            ),
            still,
        )

    def picture(self, path: Path, sha256: str) -> str | None:
        return self._add(
            f"in-{sha256[:40]}", path, f"image/{path.suffix.lstrip('.').lower().replace('jpg', 'jpeg')}"
        )

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
        self._stamp = self._look()

    def stamp(self) -> str:
        return self._look()

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
            write_picks([replace(one, who=who, when=now) for one in known], space, book)
        except KiejobsError as problem:
            return problem.message
        return None

    def _current(self) -> dict[str, Json]:
        now = self._look()
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

    def _look(self) -> str:
        """The job files, their picks and the ledger, by what changes when they do."""
        marks: list[object] = [_age(Path(one.loaded.wanted.file)) for one in self._shown]
        folders = {Path(one.loaded.wanted.file).parent for one in self._shown}
        marks += [
            _age(folder / FILE) for folder in sorted(folders | {self._shown[0].space.sandbox_folder.parent})
        ]
        history = self._shown[0].space.store.read()
        marks += [f"{record.run_id} {len(record.outline)} {record.live}" for record in history.records]
        return "\n".join(map(str, marks))


def _age(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
