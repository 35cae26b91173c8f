"""`kiejobs manifest show|rebuild|verify|export`: runs' documents, made again, checked, or in others' forms.

In: the runs folder. Out: the manifest; what was rewritten; what is wrong; provenance as CSV, in-toto
statements or an RO-Crate's metadata. Touches: disk.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.app.output import write
from kiejobs.app.project import open_workspace
from kiejobs.app.records import find_run
from kiejobs.core.diagnostics import ExitCode, JournalProblem, UsageProblem
from kiejobs.core.ledger.records import State
from kiejobs.core.money import money
from kiejobs.reports.checks import Damage, verify_document, verify_text
from kiejobs.reports.documents import inert_json
from kiejobs.reports.terminal import plural, quoted, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from decimal import Decimal

    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.events import RunStarted, Uploads
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.ledger.records import FileRecord

    Look = Callable[[Attempt, FileRecord], str | None]
    _Purchases = tuple[list[Attempt], dict[str, RunStarted], Uploads]

_NOT_COMPARED = "a rehearsal's files are samples: their sizes and lengths are not compared with the requests"


def show(run_id: str | None, where: Locations, screen: Screen) -> ExitCode:
    """The manifest as the journals have it now, whatever lies on disk."""
    space = open_workspace(where)
    history = space.store.read()
    screen.show(inert_json(history.manifest(find_run(space, history, run_id)).decode()))
    return ExitCode.DONE


def rebuild(where: Locations, screen: Screen) -> ExitCode:
    space = open_workspace(where)
    changed = space.store.publish(every=True)
    for place in changed:
        screen.show(f"rebuilt {place}")
    if not changed:
        screen.show("Every manifest is as its journals say.")
    return ExitCode.DONE


def verify(where: Locations, screen: Screen, *, decode: bool) -> ExitCode:
    """Journals unbroken (else exit 7), manifests true to them, files whole (else exit 1).

    With `decode` each video is opened too, and held against its request; not so the sandbox's samples,
    which are the same for every request.
    """
    space = open_workspace(where)
    look = _decoder(space) if decode else None
    history, damaged = space.store.check()
    found = [_damage(place, problem) for place, problem in damaged]
    files = 0
    if not damaged:
        found += _stale_manifests(space, history)
        found += _bought_twice(space, history)
        for finding in _files(space, history, look):
            files += 1
            found += [finding] if finding is not None else []
    journals = len(history.records)
    document = partial(verify_document, journals=journals, files=files)
    screen.answer(document, partial(verify_text, journals=journals, files=files), found)
    if decode and space.sandbox:
        screen.say(_NOT_COMPARED)
    if damaged:
        return ExitCode.JOURNAL
    return ExitCode.SOME_FAILED if found else ExitCode.DONE


def _damage(place: str, problem: JournalProblem) -> Damage:
    """The problem's own place, `FILE:LINE: what`, taken apart."""
    line, colon, what = problem.message.removeprefix(f"{place}:").partition(": ")
    known = bool(colon) and line.isdecimal()
    return Damage(place, int(line) if known else None, what if known else problem.message)


def _stale_manifests(space: Workspace, history: History) -> Iterator[Damage]:
    for record in history.records:
        if record.header is None or record.live:
            continue  # a run writes its manifest at its end
        place, data = space.store.manifest_place(record.run_id), space.store.manifest(record.run_id)
        if data is None:
            yield Damage(place, None, "missing; `kiejobs manifest rebuild` writes it")
        elif data != history.manifest(record):
            yield Damage(place, None, "differs from its journals; `kiejobs manifest rebuild`")


def _bought_twice(space: Workspace, history: History) -> Iterator[Damage]:
    """What two folders bought that were apart, two branches say, and one create with several tasks.

    Until a person rules which one to keep: `resolve ADDRESS --task ID`.
    """
    for origin in sorted({record.header.origin for record in history.records if record.header}):
        ledger = history.ledger(origin)
        for attempts in ledger.bought_twice():
            yield Damage(space.store.place(attempts[0].run_id), None, _pair(attempts, space))
        for attempt in ledger.attempts():
            if attempt.conflicts and attempt.other_task_ids:
                yield Damage(space.store.place(attempt.run_id), None, _several(attempt, space))


def _pair(attempts: Sequence[Attempt], space: Workspace) -> str:
    first, *rest = attempts
    tasks = " and ".join(f"task {attempt.task_id} in run {attempt.run_id}" for attempt in attempts)
    times = "twice" if len(attempts) == 2 else f"{len(attempts)} times"
    cost = _cost(first.charged or first.reserved.credits, len(rest))
    return f"{first.address} was bought {times}: {tasks}; {cost}; {_ruling(first, space)}"


def _several(attempt: Attempt, space: Workspace) -> str:
    others = sorted(attempt.other_task_ids)
    tasks = " and ".join([str(attempt.task_id), *others])
    what = f"{attempt.address} is one create with several tasks: {tasks}"
    return f"{what}; {_cost(attempt.reserved.credits, len(others))}; {_ruling(attempt, space)}"


def _cost(credits_: Decimal | None, times: int) -> str:
    """Of buying again, in words."""
    if credits_ is None:
        return "at an unknown price"
    return f"{money(credits_ * times)} credits more than once would have cost"


def _ruling(attempt: Attempt, space: Workspace) -> str:
    command = f"kiejobs resolve {quoted(attempt.address)} --task {attempt.task_id}{space.flag}"
    return f"`{command}` says that you know"


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
    try:
        import_module("av")
    except ImportError as error:
        hint = "pip install 'kiejobs[media]', or leave --decode out"
        raise UsageProblem("--decode needs the extra `media`", hint=hint) from error
    from kiejobs.adapters import media  # noqa: PLC0415 - only for --decode

    def look(attempt: Attempt, file: FileRecord) -> str | None:
        path, kind = space.outputs / file.path, file.media_type.partition("/")[0]
        if kind == "image":
            with path.open("rb") as stream:
                told = media.look_at(stream, file.media_type, decode=True)
            return told if isinstance(told, str) else None
        if kind == "audio":
            return media.sound_of(path)
        if file.media_type == "application/json":
            return media.value_of(path)
        seen = media.video_of(path) if kind == "video" else None
        if seen is None or isinstance(seen, str):
            return seen
        return None if space.sandbox else media.differs(seen, attempt.reserved.input)

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
        out = str(space.outputs)
    name, words = FORMS[screen.form]
    text = "".join(words(Provenance(*purchases)))
    if out is None or out == "-":
        screen.show(text)
        return ExitCode.DONE
    path = Path(out)
    # A folder is one that is there, or that has no ending to its name.
    if out == str(space.outputs) or path.is_dir() or not path.suffix:
        path /= name
    write(path, text.encode("utf-8", "surrogatepass"))
    screen.say(f"wrote {path}: {plural(len(purchases[0]), 'job')}")
    return ExitCode.DONE


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
