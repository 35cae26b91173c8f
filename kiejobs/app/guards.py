"""What guards the spending and is not as it was at a revision, for `plan --base`; files that git doesn't track.

In: a loaded job file, its project, a revision. Out: a line for each change, as it is in files (not cleaned).
Touches: git and disk, by reading; a temporary folder.

A pull request that raises a limit or a price, names another callback host, brings a model schema of its own or
edits the record must not look like one that only adds jobs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kiejobs.adapters.git import GitFailed, Repository, repository_of
from kiejobs.adapters.project.models import FOLDER as MODELS
from kiejobs.adapters.project.root import PROJECT_FILE
from kiejobs.app.render_diff import as_it_was
from kiejobs.core.diagnostics import StalePlan, UsageProblem
from kiejobs.core.document.nodes import Source, plain_json
from kiejobs.core.document.reader import read_document
from kiejobs.core.money import price_text
from kiejobs.core.prices.table import FILE as PRICES
from kiejobs.reports.terminal import few, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.project import Workspace
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.expand import Expansion

_ABSENT = "nothing"


def guards_changed(loaded: LoadedJobFile, space: Workspace, revision: str) -> list[str]:
    """In words, the gravest first; since HEAD and `revision` parted. Raises UsageProblem."""
    try:
        repository = repository_of(space.root.path)
        if repository is None:
            hint = "git must be installed"
            raise UsageProblem(f"--base {revision}: the project is not in a git repository", hint=hint)
        base = repository.merge_base(revision)
        changed = repository.changed_since(revision)
        root = space.root.path.resolve()
        runs = Path(space.store.name).resolve() if space.home == "folder" else root / "runs"
        found = [*_record(changed, runs, repository, base)]
        for name in (PROJECT_FILE, PRICES):
            if root / name in changed:
                found += _edits(name, repository.content(base, root / name), _now(root / name))
        found += _models(changed, root / MODELS)
    except GitFailed as failed:
        raise UsageProblem(f"--base {revision}: git says: {failed}") from failed
    with as_it_was(loaded.wanted, f"{revision}...", space.root) as earlier:
        return found + list(_of_job_file(earlier.before.expansion, loaded.expansion))


def _record(changed: set[Path], runs: Path, repository: Repository, base: str) -> Iterator[str]:
    """Journals that are on record are appended to by runs, and edited by nobody."""
    journals = [path for path in changed if path.is_relative_to(runs) and path.name == "journal.jsonl"]
    added = edited = gone = 0
    for path in journals:
        was, now = repository.content(base, path), _now(path)
        added += was is None
        gone += now is None
        edited += was is not None and now is not None and not now.startswith(was)
    told = ((gone, "removed"), (edited, "edited"), (added, "added"))
    if counts := ", ".join(f"{plural(count, 'journal')} {what}" for count, what in told if count):
        yield f"the record of what was bought: {counts}"


def _models(changed: set[Path], folder: Path) -> Iterator[str]:
    for path in sorted(changed):
        if path.is_relative_to(folder) and path.suffix == ".json":
            model = path.relative_to(folder).with_suffix("").as_posix()
            yield f"model schema: {model}{'' if path.exists() else ' is gone'}"


def _now(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _edits(name: str, was: bytes | None, now: bytes | None) -> Iterator[str]:
    """Key by key."""
    before, after = _flat(name, was), _flat(name, now)
    for key in sorted({*before, *after}):
        if before.get(key, _ABSENT) != after.get(key, _ABSENT):
            yield f"{name}: {key} was {before.get(key, _ABSENT)}, is {after.get(key, _ABSENT)}"


def _flat(name: str, data: bytes | None) -> dict[str, str]:
    if data is None:
        return {}
    document, _ = read_document(Source(name, data))
    return {} if document is None else dict(_leaves("", plain_json(document.root)))


def _leaves(above: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(f"{above}.{key}" if above else str(key), one)
    else:
        yield above, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _of_job_file(was: Expansion | None, now: Expansion) -> Iterator[str]:
    before, after = _budget(was), _budget(now)
    if was is not None and before != after:
        yield f"the job file's budget was {before}, is {after}"
    new = _callback_hosts(now) - _callback_hosts(was)
    if new:
        yield f"jobs are called back at {', '.join(sorted(new))}"


def _budget(expansion: Expansion | None) -> str:
    budget = None if expansion is None else expansion.jobfile.budget
    return "none" if budget is None else f"{price_text(budget.credits)} per {budget.per}"


def _callback_hosts(expansion: Expansion | None) -> set[str]:
    jobs = () if expansion is None else expansion.jobs
    urls = {job.callback_url for job in jobs if job.callback_url is not None}
    return {urlsplit(url).hostname or url for url in urls}


# --- what an approval covers ------------------------------------------------------------------


def require_tracked(loaded: LoadedJobFile, space: Workspace) -> None:
    """Raises StalePlan where what is bought depends on files that nobody could review, in a git work tree."""
    try:
        repository = repository_of(space.root.path)
        if repository is None:
            return
        unknown = repository.untracked(_made_of(loaded))
    except GitFailed as failed:
        raise StalePlan(f"git can't say which files it tracks: {failed}", hint="repair git first") from failed
    if unknown:
        message = f"an approval can't cover files that git doesn't track: {few(unknown, 5)}"
        raise StalePlan(message, hint="commit them, and have the plan approved again")


def _made_of(loaded: LoadedJobFile) -> Iterable[Path]:
    folder = Path(loaded.wanted.file).parent
    names = (*loaded.folder.includes.read, *loaded.folder.data.digests, *loaded.files.read)
    return [
        Path(loaded.wanted.file),
        *(folder / name for name in names),
        *map(Path, loaded.wanted.vars_files),
    ]
