"""`kiejobs gallery [JOBFILE...]`: a page of jobs and their clips, or the storyboard before there are any.

In: job files, the journals, collected files. Out: a folder with the page, or one file; with `--serve` the page on a
port. Touches: disk; a listening socket where it serves.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs.app.gallery.page import EmbeddedFiles, LinkedFiles, document_of, gather
from kiejobs.app.output import write
from kiejobs.app.plan import has_selected, named_files, nothing_selected
from kiejobs.app.project import open_workspace
from kiejobs.core.diagnostics import ExitCode, UsageProblem, needs_extra
from kiejobs.reports.gallery.page import page_html
from kiejobs.reports.terminal import plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.gallery.page import Shelf, Shown
    from kiejobs.app.options import GalleryOptions, JobFileOptions, Locations
    from kiejobs.app.output import Screen


def gallery(
    files: Sequence[str], wanted: JobFileOptions, where: Locations, how: GalleryOptions, screen: Screen
) -> ExitCode:
    """Raises UsageProblem where there is no job, or where the flags don't go together."""
    if how.single_file and (how.copy or how.serve):
        other = "--copy" if how.copy else "--serve"
        raise UsageProblem(f"--single-file includes everything: omit {other}")
    names = named_files(files or (".",), wanted)
    if how.serve:
        return _serve(names, wanted, where, how, screen)
    shown = gather(names, wanted, where, screen)
    if how.picks:
        _name_left_out("its pick is stale", [address for one in shown for address in one.stale], screen)
        shown = [one.picked for one in shown]
    if not any(one.changes for one in shown):
        raise _nothing(how, shown)
    if how.single_file:
        return _one_file(shown, Path(how.out or _default(shown, where, ".html")), how, screen)
    folder = Path(how.out or _default(shown, where, ""))
    document = _document(shown, LinkedFiles(folder, copies=how.copy), how, screen)
    write(folder / "index.html", page_html(document))
    _mention(folder / "index.html", document, screen)
    return ExitCode.DONE


def _document(shown: Sequence[Shown], shelf: Shelf, how: GalleryOptions, screen: Screen) -> dict[str, Any]:
    """Of picks only those whose files are here. Raises UsageProblem where none is left."""
    with screen.busy("drawing the posters"):
        document: dict[str, Any] = document_of(shown, shelf)
    if how.picks:
        lacking = [
            job["address"] for job in document["jobs"] if not any(file["src"] for file in job["files"])
        ]
        _name_left_out("its file is not here, or is damaged", lacking, screen)
        document["jobs"] = [job for job in document["jobs"] if job["address"] not in lacking]
        if not document["jobs"]:
            raise UsageProblem("no picked file is here", hint="`kiejobs collect` downloads them again")
    return document


def _name_left_out(why: str, addresses: Sequence[str], screen: Screen) -> None:
    if addresses:
        screen.say(f"left out, {why}: {', '.join(map(sanitize, addresses))}")


def _nothing(how: GalleryOptions, shown: Sequence[Shown]) -> UsageProblem:
    loaded = [one.loaded for one in shown]
    if not any(map(has_selected, loaded)):
        return nothing_selected(
            loaded[0].wanted.select, [job for one in loaded for job in one.expansion.jobs]
        )
    if how.picks:
        return UsageProblem("nothing was picked", hint="`kiejobs pick ADDRESS`, or `p` on the page")
    return UsageProblem("there is no job to show", hint="`kiejobs plan` lists the addresses")


def _serve(
    names: Sequence[str], wanted: JobFileOptions, where: Locations, how: GalleryOptions, screen: Screen
) -> ExitCode:
    """Until Ctrl-C. Its posters are kept where the page would be written."""
    with needs_extra("serve", "--serve needs"):
        from kiejobs.adapters.gallery_server import serve_gallery  # noqa: PLC0415 - not always there
    from kiejobs.app.gallery.live import ShownLive  # noqa: PLC0415 - only for serving

    folder = Path(how.out or open_workspace(where, names[0] if names else "").root.seen(_name(where)))
    live = ShownLive(names, wanted, where, folder, screen)

    def ready(url: str) -> None:
        screen.show(f"gallery at {url}")
        screen.say("Anyone with this URL can look and pick; stop with Ctrl-C.")

    with suppress(KeyboardInterrupt):
        serve_gallery(live, how.host, how.port, ready)
    return ExitCode.DONE


def _name(where: Locations) -> str:
    return "rehearsal/gallery" if where.sandbox else "gallery"


def _default(shown: Sequence[Shown], where: Locations, ending: str) -> str:
    """In the project's root; a rehearsal's with the rest of it."""
    return shown[0].space.root.seen(f"{_name(where)}{ending}")


def _one_file(shown: Sequence[Shown], path: Path, how: GalleryOptions, screen: Screen) -> ExitCode:
    if path.suffix.lower() not in {".html", ".htm"}:
        raise UsageProblem(f"--out {path}: a single file ends in .html")
    document = _document(shown, EmbeddedFiles(), how, screen)
    write(path, page_html(document))
    _mention(path, document, screen)
    return ExitCode.DONE


def _mention(page: Path, document: dict[str, Any], screen: Screen) -> None:
    lines = document["jobs"]
    clips = sum(bool(line["files"]) for line in lines)
    jobs = plural(len(lines), "job")
    what = f"{jobs}, {plural(clips, 'clip')}" if clips else f"storyboard of {jobs}"
    screen.show(f"{sanitize(str(page))}: {what}")
