"""`kiejobs manifest show|rebuild|verify|export`: runs' documents, made again, checked, or in others' forms.

In: the runs folder. Out: the manifest; what was rewritten; what is wrong; provenance as CSV, in-toto
statements or an RO-Crate's metadata. Touches: disk.
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.storage.output_folder import is_url
from kiejobs.app.options import JobFileOptions
from kiejobs.app.output import READING, write
from kiejobs.app.picks import pick_book
from kiejobs.app.project import open_workspace
from kiejobs.app.records import find_run
from kiejobs.app.select import files_of
from kiejobs.app.verify import answer_verified, verify_journals
from kiejobs.core.checks import SOUND, differs
from kiejobs.core.diagnostics import ExitCode, KiejobsError, UsageProblem, needs_extra
from kiejobs.core.ledger.records import State
from kiejobs.core.picks import NONE, STALE
from kiejobs.reports.checks import Damage
from kiejobs.reports.documents import inert_json
from kiejobs.reports.terminal import plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.events import RunStarted, Uploads
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.ledger.records import FileRecord

    Look = Callable[[Attempt, FileRecord], str | None]
    _Purchases = tuple[list[Attempt], dict[str, RunStarted], Uploads]

_DIGITS = 6  # of a length in seconds
_NOT_COMPARED = "a rehearsal's files are samples: their sizes and lengths are not compared with the requests"


def show(run_id: str | None, where: Locations, screen: Screen) -> ExitCode:
    """The manifest as the journals have it now, whatever lies on disk."""
    space = open_workspace(where)
    history = space.store.read()
    screen.stream((inert_json(history.manifest(find_run(space, history, run_id)).decode()),))
    return ExitCode.DONE


def rebuild(where: Locations, screen: Screen) -> ExitCode:
    space = open_workspace(where)
    space.require_no_links()
    with screen.busy(READING):
        changed = space.store.publish(every=True)
    for place in changed:
        screen.show(f"rebuilt {place}")
    if not changed and not space.store.read().records:
        screen.show(f"No runs in {sanitize(space.store.name)}: there is nothing to rebuild.")
    elif not changed:
        screen.show("All manifests match their journals.")
    return ExitCode.DONE


def verify(where: Locations, screen: Screen, *, decode: bool) -> ExitCode:
    """Journals unbroken (else exit 7), manifests that match them, files complete (else exit 1).

    With `decode` each video is opened too, and held against its request; not so the sandbox's samples,
    which are the same for every request.
    """
    space = open_workspace(where)
    look = _decoder(space) if decode else None
    files = 0
    with screen.busy(lambda: f"verifying {plural(files, 'file')}" if files else READING):
        history, found, is_damaged = verify_journals(space)
        for finding in () if is_damaged else _files(space, history, look):
            files += 1
            found += [finding] if finding is not None else []
    code = answer_verified(found, screen, journals=len(history.records), files=files, is_damaged=is_damaged)
    if decode and space.sandbox:
        screen.say(_NOT_COMPARED)
    return code


def _files(space: Workspace, history: History, look: Look | None) -> Iterator[Damage | None]:
    """One finding or None for each collected file, all of them hashed."""
    for attempt in history.ledger(None).current():
        if attempt.state is not State.SUCCEEDED:
            continue
        for file in attempt.files:
            digest = space.folder.digest_of(file)
            wrong = None
            if digest is None:
                wrong = "missing"
            elif digest != file.sha256:
                wrong = "not what was collected"
            elif look is not None:
                wrong = look(attempt, file)
            yield None if wrong is None else Damage(file.path, None, f"{wrong} ({attempt.address})")


def _decoder(space: Workspace) -> Look:
    with needs_extra("media", "--decode needs", ", or omit --decode"):
        import_module("av")
    from kiejobs.adapters.media import clips, pictures  # noqa: PLC0415 - only for --decode

    def look(attempt: Attempt, file: FileRecord) -> str | None:
        with space.folder.on_disk(file) as path:
            return judge(attempt, file, path)

    def judge(attempt: Attempt, file: FileRecord, path: Path) -> str | None:
        kind = file.media_type.partition("/")[0]
        if kind == "image":
            with path.open("rb") as stream:
                told = pictures.look_at(stream, file.media_type, decode=True)
            return told if isinstance(told, str) else None
        if kind == "audio":
            heard = clips.sound_of(path)
            return heard if isinstance(heard, str) else None
        if file.media_type == "application/json":
            return clips.value_of(path)
        seen = clips.video_of(path) if kind == "video" else None
        if seen is None or isinstance(seen, str):
            return seen
        return None if space.sandbox else differs(seen, attempt.reserved.input)

    return look


# --- export ------------------------------------------------------------------------------------------


def export(
    run_ids: Sequence[str], campaign: str | None, out: str | None, where: Locations, screen: Screen
) -> ExitCode:
    """`out` is a file, a folder, `-` for stdout; the default is stdout, of a crate the output folder."""
    from kiejobs.reports.provenance import FORMS, Provenance  # noqa: PLC0415 - it knows of jobs

    space = open_workspace(where)
    purchases = _purchases(space, run_ids, campaign)
    if out is None and screen.form == "ro-crate":
        out = space.folder.name
        if is_url(out):
            raise UsageProblem(f"a crate lies next to its files, and those are in {out}", hint="-o FILE")
    if screen.form in FORMS:
        name, words = FORMS[screen.form]
        text, count = "".join(words(Provenance(*purchases))), plural(len(purchases[0]), "job")
    else:
        name, text, count = _timeline(space, purchases[0], campaign, screen)
    if out is None or out == "-":
        screen.show(text)
        return ExitCode.DONE
    path = Path(out)
    # A folder is one that is there, or that has no ending to its name.
    if out == space.folder.name or path.is_dir() or not path.suffix:
        path /= name
    write(path, text.encode("utf-8", "surrogatepass"))
    screen.note(f"wrote {path}: {count}")
    return ExitCode.DONE


def _timeline(
    space: Workspace, attempts: Sequence[Attempt], campaign: str | None, screen: Screen
) -> tuple[str, str, str]:
    """A file's name, its text, how many clips: of what was picked, of all that succeeded where nothing was."""
    from kiejobs.reports import timeline  # noqa: PLC0415 - for two formats

    book = pick_book(space, space.ledger())
    done = [one for one in attempts if one.state is State.SUCCEEDED and one.files]
    picked = book.picked(done)
    if stale := dict.fromkeys(one.address for one in done if book.word(one) == STALE):
        screen.say(f"left out, its pick is stale: {', '.join(map(sanitize, stale))}")
    clips = []
    chosen = picked or [one for one in done if book.word(one) == NONE]
    for attempt in _as_in_job_files(chosen, space, screen):
        pick = book.pick(attempt)
        note, who = (pick.note, pick.who) if pick else (None, None)
        for file in attempt.files:
            if file.media_type.startswith(("video/", "audio/")):
                path, has_picture = f"{space.folder.name}/{file.path}", file.media_type.startswith("video/")
                seconds, has_sound = _length_and_sound(space, attempt, file)
                stated = (attempt.address, path, seconds, note, who, bool(picked), has_picture, has_sound)
                clips.append(timeline.Clip(*stated))
    if not clips:
        message = "no video or sound to list: none was picked, or collected"
        raise UsageProblem(message, hint="kiejobs pick ADDRESS")
    name, words = timeline.FORMS[screen.form]
    with needs_extra("timeline", "--format otio needs", ", or --format edl, which needs nothing"):
        text = words(campaign or clips[0].address.partition("/")[0], clips)
    return name, text, plural(len(clips), "clip")


def _as_in_job_files(attempts: Sequence[Attempt], space: Workspace, screen: Screen) -> list[Attempt]:
    """In the order of their job files, as on a storyboard; what is in none of them comes last, as it was bought."""
    orders: dict[str, dict[str, int]] = {}
    for campaign in dict.fromkeys(one.address.partition("/")[0] for one in attempts):
        file = next(files_of(campaign, space.ledger(), space.root), None)
        try:
            from kiejobs.app.load import load  # noqa: PLC0415 - only for an edit list

            jobs = load(JobFileOptions(file=file)).expansion.jobs if file else ()
        except KiejobsError:
            screen.say(f"{sanitize(campaign)} is in the order of its purchases: {file} has errors")
            jobs = ()
        orders[campaign] = {job.address: place for place, job in enumerate(jobs)}
    places = list(orders)

    def place(attempt: Attempt) -> tuple[int, int]:
        order = orders[attempt.address.partition("/")[0]]
        return places.index(attempt.address.partition("/")[0]), order.get(attempt.address, len(order))

    return sorted(attempts, key=place)


def _length_and_sound(space: Workspace, attempt: Attempt, file: FileRecord) -> tuple[Fraction, bool]:
    """As the file is; without `media`, or without the file, as was asked for. Raises UsageProblem."""
    with suppress(ImportError, OSError):
        import_module("av")
        from kiejobs.adapters.media import clips  # noqa: PLC0415 - as in `_decoder`

        with space.folder.on_disk(file) as path:
            seen = clips.sound_of(path) if file.media_type.startswith("audio/") else clips.video_of(path)
        if not isinstance(seen, str) and seen.seconds:
            return Fraction(seen.seconds), seen.has_audio
    asks_for_sound = any(attempt.reserved.input.get(name) is True for name in SOUND)
    asked = str(attempt.reserved.input.get("duration", ""))
    if asked.isascii() and asked.isdecimal() and len(asked) < _DIGITS and int(asked):
        return Fraction(asked), asks_for_sound
    hint = (
        "`kiejobs collect` downloads the file again; the extra `media` reads it: pip install 'kiejobs[media]'"
    )
    raise UsageProblem(f"how long is `{sanitize(attempt.address)}`? No file says it", hint=hint)


def _purchases(space: Workspace, runs: Sequence[str], campaign: str | None) -> _Purchases:
    """The named runs' attempts, else the purchases from this API. Raises UsageProblem for none."""
    history = space.store.read()
    if runs:
        found = (find_run(space, history, one) for one in runs)
        named = {record.run_id: record for record in found}
        ledgers = {run_id: history.ledger_of(record) for run_id, record in named.items()}
        attempts = [a for run_id in sorted(named) for a in ledgers[run_id].attempts() if a.run_id == run_id]
        headers = {name: head for ledger in ledgers.values() for name, head in ledger.runs.items()}
        uploads = {key: told for ledger in ledgers.values() for key, told in ledger.uploads.items()}
    else:
        ledger = history.ledger(space.origin)
        attempts, headers = list(ledger.current()), dict(ledger.runs)
        uploads = dict(ledger.uploads)
    if campaign is not None:
        attempts = [one for one in attempts if one.address.startswith(f"{campaign}/")]
    if not attempts:
        whom = "" if campaign is None else f" for `{sanitize(campaign)}`"
        message = f"nothing was ever bought{whom} in {space.store.name}"
        raise UsageProblem(message, hint="`kiejobs status` lists the runs")
    return attempts, headers, uploads
