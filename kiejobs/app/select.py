"""What verbs of the ledger are asked about: one campaign, `--select`.

In: the words of `--select`, a job file, the ledger. Out: tests of attempts. Touches: job file, output folder.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import STDIN, read_source
from kiejobs.app.options import JobFileOptions
from kiejobs.core.diagnostics import InvalidJobFile, Problems, UsageProblem
from kiejobs.core.document.wording import suggest
from kiejobs.core.ledger.manifest import totals
from kiejobs.core.plan.selection import Selectable, read_selection, result_of, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kiejobs.adapters.project.root import Root
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import Job
    from kiejobs.core.ledger.fold import History
    from kiejobs.core.ledger.ledger import Attempt, Ledger
    from kiejobs.core.plan.selection import Selection
    from kiejobs.reports.run.view import RunView

    TagsOf = Callable[[Attempt], tuple[str, ...]]


def given_files(names: Sequence[str], wanted: JobFileOptions) -> Sequence[str]:
    """The job files that are named, and those in folders; for verbs that may do without. Raises UsageProblem."""
    if not names:
        return ()
    from kiejobs.app.plan import named_files  # noqa: PLC0415 - most calls of these verbs name no file

    return named_files(names, wanted)


def campaigns_of(names: Sequence[str], history: History | None = None, flag: str = "") -> dict[str, str]:
    """The campaigns of job files that are named, and of those in folders; each with its first file.

    With a `history` a campaign on record may be named itself. Raises InvalidJobFile or UsageProblem, with `flag` in
    commands that it shows.
    """
    runs = history.records if history else []
    known = {run.header.campaign or "" for run in runs if run.header}
    found = {name: name for name in names if name in known and not Path(name).exists()}
    files = [name for name in names if name not in found]
    strange = next((name for name in files if known and name != STDIN and not Path(name).exists()), None)
    if strange is not None:
        is_run = strange == "latest" or any(strange in run.run_id for run in runs)
        report = f"it is a run: `kiejobs report {strange}{flag}` shows it"
        hint = report if is_run else suggest(strange, known) or f"`kiejobs runs{flag}` lists the campaigns"
        raise UsageProblem(f"no job file or campaign `{strange}`", hint=hint)
    for file in given_files(files, JobFileOptions()):
        found.setdefault(campaign_of(file), file)
    return found


def campaign_of(file: str) -> str:
    """A job file's campaign. Raises InvalidJobFile or UsageProblem where it can't be read."""
    from kiejobs.core.document.reader import read_document  # noqa: PLC0415 - behind a job file

    source = read_source(file)
    document, found = read_document(source)
    campaign = document.root.get("campaign") if document and isinstance(document.root, dict) else 0
    if isinstance(campaign, str):
        return campaign
    if found:
        raise InvalidJobFile(Problems(found, {file: source.lines}))
    raise UsageProblem(f"{file} has no `campaign:`")


def files_of(campaign: str | None, ledger: Ledger, root: Root) -> Iterator[str]:
    """A campaign's job files, or all: those that it was bought from, then those in the usual places."""
    bought_from = [
        root.seen(str(run.source["file"]))
        for run in reversed(list(ledger.runs.values()))
        if campaign in {run.campaign, None} and run.source
    ]
    for name in dict.fromkeys([*bought_from, *usual_files(root)]):
        with suppress(InvalidJobFile, UsageProblem):
            if Path(name).is_file() and campaign in {campaign_of(name), None}:
                yield name


def usual_files(root: Root) -> list[str]:
    """Where job files are mostly found, as typed here: `jobfiles/`, the project's folder, the current one."""
    folders = dict.fromkeys([root.seen("jobfiles"), root.seen(), "."])
    found = (str(path) for one in folders for path in sorted(Path(one).glob("*.y*ml")))
    return [name for name in dict.fromkeys(found) if Path(name).is_file()]


def chosen(
    words: Sequence[str], files: Sequence[str], space: Workspace, ledger: Ledger, *, or_none: bool = False
) -> Callable[[Attempt], bool]:
    """A test for attempts. Raises UsageProblem where it could take none, unless it may (`or_none`); and for tags, which are
    in job files only, without one; with some as `load` raises.
    """
    selection = read_selection(words)
    if not selection.terms:
        return lambda _: True
    tags_of: TagsOf = _tags_of(files) if "tag" in selection.keys else lambda _: ()
    if not or_none:
        _require_any(words, selection.without_ledger(), files, ledger, tags_of)
    asks_result = "result" in selection.keys
    word = _words_of_picks(space, ledger) if "pick" in selection.keys else None

    def takes(attempt: Attempt) -> bool:
        result = result_of(attempt, space.condition) if asks_result else None
        one = _selectable(attempt, tags_of(attempt), result, ledger)
        return selection.takes(replace(one, pick=word(attempt)) if word else one)

    return takes


def _require_any(
    words: Sequence[str], could: Selection, files: Sequence[str], ledger: Ledger, tags_of: TagsOf
) -> None:
    """Raises UsageProblem where a selection could take nothing that is on record or in these job files."""
    known = [_selectable(attempt, tags_of(attempt), None, ledger) for attempt in ledger.attempts()]
    if known and could.terms and not any(map(could.takes, known)):
        from kiejobs.app.load import load  # noqa: PLC0415 - jinja2 and jsonschema are slow to import
        from kiejobs.core.plan.selection import meant, selectable  # noqa: PLC0415 - behind a slip

        named = (load(JobFileOptions(file)) for file in given_files(files, JobFileOptions()))
        jobs = [selectable(job) for one in named for job in one.expansion.jobs]
        if not any(map(could.takes, jobs)):
            hint = meant(words, [*known, *jobs], "`kiejobs report --full` lists the addresses")
            raise UsageProblem("--select matches no job", hint=hint)


def _words_of_picks(space: Workspace, ledger: Ledger) -> Callable[[Attempt], str]:
    from kiejobs.app.picks import pick_book  # noqa: PLC0415 - behind a word

    return pick_book(space, ledger).word


def narrowed(view: RunView, words: Sequence[str], space: Workspace, ledger: Ledger) -> RunView:
    """A run's jobs that are chosen; what the run bought remains. Tags are those of its job file now. Raises UsageProblem."""
    file = str((view.manifest["source"] or {}).get("file", ""))
    there = space.root.find(file) if file else None
    takes = chosen(words, [there] if there else [], space, ledger)
    selection = read_selection(words, file=file)

    def is_chosen(address: str, job: dict[str, Json]) -> bool:
        attempt = ledger.attempt(job["attempt_id"]) if job["attempt_id"] else None
        if attempt is not None:
            return takes(attempt)
        return selection.takes(replace(read_off(address), state=state_of(None)))

    jobs = {name: job for name, job in view.manifest["jobs"].items() if is_chosen(name, job)}
    document = {**view.manifest, "jobs": jobs, "totals": totals(jobs.values())}
    settled = [*filter(takes, view.settled or ())]
    return replace(view, manifest=document, settled=settled, of_jobs=len(view.jobs))


def _selectable(attempt: Attempt, tags: tuple[str, ...], result: str | None, ledger: Ledger) -> Selectable:
    run = ledger.runs.get(attempt.run_id)
    file = str(run.source["file"]) if run and run.source else ""
    state = state_of(attempt)
    return replace(read_off(attempt.address), tags=tags, state=state, result=result, file=file)


def read_off(address: str) -> Selectable:
    """What an address alone says of a job."""
    job, _, axes = address.partition("/")[2].partition("#")[0].partition("[")
    pairs = (axis.partition("=") for axis in axes.rstrip("]").split(",") if axis)
    return Selectable(address, job, (), tuple((name, value) for name, _, value in pairs))


def _tags_of(files: Sequence[str]) -> TagsOf:
    if not files:
        hint = "name the job file too, or select by job:, axis:, state:, file: or address"
        message = "`--select tag:…` needs the job file: tags are only there"
        raise UsageProblem(message, hint=hint)
    from kiejobs.app.load import load  # noqa: PLC0415 - jinja2 and jsonschema are slow to import

    return tags_by(
        [
            job
            for file in given_files(files, JobFileOptions())
            for job in load(JobFileOptions(file)).expansion.jobs
        ]
    )


def tags_by(jobs: Sequence[Job]) -> TagsOf:
    """By the request as it is made now, else by the address; none for what is gone."""
    by_key = {(job.fingerprint, job.take): job.tags for job in jobs}
    by_address = {job.address: job.tags for job in jobs}
    return lambda attempt: by_key.get(attempt.key, by_address.get(attempt.address, ()))
