"""The project that a command works in: its root, its ledger, its policy, the API whose purchases count there.

In: flags. Out: a `Workspace`, and its API opened for the length of a run. Touches: the environment through the
system adapter; the network, or the sandbox in process. Only here is the ledger's home chosen, and only from
here secrets go to the API's adapters.
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from kiejobs.adapters.project.files import read_schema, read_source
from kiejobs.adapters.project.root import PROJECT_FILE, Root, common_git_folder, find_root, other_folders
from kiejobs.adapters.storage.output_folder import OutputFolder, first_link, folder_of, is_url
from kiejobs.adapters.system import (
    Secret,
    SystemClock,
    api_base,
    api_key,
    origin_of,
    upload_base,
    webhook_key,
)
from kiejobs.core.diagnostics import (
    InvalidJobFile,
    JournalProblem,
    Problems,
    SpendingStopped,
    StalePlan,
    UsageProblem,
    needs_extra,
)
from kiejobs.core.ledger.records import utc_text
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal

    import httpx

    from kiejobs.adapters.kie.client import KieApi, KieUploads
    from kiejobs.adapters.ledger.postgresql import PostgresStore
    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.core.ledger.ledger import Attempt, Ledger
    from kiejobs.core.plan.plan import Change
    from kiejobs.core.plan.policy import LedgerHome, Policy
    from kiejobs.ports import Artifacts, LedgerClaim, LedgerStore, Moved, Outputs, RunJournal, WorkQueue

_LARGEST_POLICY = 2**20  # bytes
_REHEARSAL = "rehearsal"


class Stray(NamedTuple):
    """A runs folder whose journals are not in the project's ledger, and what to do about it."""

    place: str
    hint: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project's ledger and outputs, and the API whose purchases count there. Its paths are as typed here."""

    root: Root
    store: LedgerStore
    strays: Sequence[Stray]
    outputs: Path
    """The folder of the media; where those are in an object store, of what is on its way there."""
    folder: Outputs
    sandbox_folder: Path
    """Where a rehearsal's API keeps its memory: next to the journals."""
    base: str
    upload_base: str
    origin: str
    sandbox: bool
    speed: float
    sandbox_credits: Decimal | None
    """What a rehearsal's account begins with; None for what it does by itself."""
    faults: str | None
    flag: str
    """What to add to a command that is shown to a person, so that it works where they are."""
    written: Sequence[Path] = ()
    """Folders that are written to."""
    elsewhere: bool = False
    """The current folder is of another project: what is shown leads there by `-C`, and is as typed there."""
    policy: Policy | None = None
    home: str = "folder"
    """The kind of the ledger's home, as the project's file names it."""
    runs_before: Path | None = None
    """The folder that its journals were in, where that is another home now."""
    files_elsewhere: bool = False
    """What was downloaded once counts as complete where its file is not here: it was moved away on purpose."""

    def typed(self, file: str) -> str:
        """A file's name from the current folder as it is typed in a command that has `flag`."""
        return os.path.relpath(file, self.root.path) if self.elsewhere else file

    @property
    def checks(self) -> Path:
        """What this machine knows of the results' checks: git ignores it where the ledger's index is ignored, too."""
        is_folder = self.sandbox or self.home == "folder"
        return self.written[0] / ".lock.checks" if is_folder else self.outputs / ".lock.checks"

    @property
    def has_rehearsals(self) -> bool:
        """Are there rehearsals, and is this none? They have a ledger of their own."""
        return not self.sandbox and self.root.find(f"{_REHEARSAL}/runs") is not None

    def require_no_links(self, lines: Iterable[Change] = ()) -> None:
        """A checkout may bring links, and what is written through them is anybody's. Raises UsageProblem."""
        below = self.sandbox_folder.rglob("*") if self.sandbox else ()  # the names of its files are known
        link = first_link([*self.written, *below], self.root.path) or self.folder.link_to(lines)
        if link is not None:
            name, target = os.path.relpath(link), os.path.realpath(link)
            message = f"{name} is a symbolic link to {target}, and nothing is written through one"
            hint = "if that is intended, name the folder itself: --runs or --outputs, KIEJOBS_RUNS or KIEJOBS_OUTPUTS"
            raise UsageProblem(message, hint=f"{hint}, or `folders:` in {PROJECT_FILE}")

    def clock(self) -> SystemClock:
        return SystemClock(self.speed if self.sandbox else 1.0)

    def ledger(self) -> Ledger:
        """The ledger of those journals that spoke to this API, as they are now."""
        return self.store.read().ledger(self.origin)

    def claim(self, journal: RunJournal) -> LedgerClaim:
        """Nobody else buys while this run may."""
        return self.store.claim(journal.run_id, utc_text(self.clock().now()))

    def two_ledgers(self) -> JournalProblem | None:
        """Journals that this project's ledger does not have: what is in them would be bought again."""
        strays = [*self.strays, *self._left_behind()]
        if not strays:
            from kiejobs.adapters.ledger.spool import left_behind  # noqa: PLC0415 - who validates buys nothing

            return None if self.sandbox or self.home == "postgresql" else left_behind(self.root.path)
        places = " and ".join(stray.place for stray in strays)
        message = f"{places} holds journals that this project's ledger, {self.store.name}, does not have"
        return JournalProblem(f"{message}: nothing is bought until there is one", hint=strays[0].hint)

    def _left_behind(self) -> Iterator[Stray]:
        """From before the ledger was moved out of its folder, or bought since by a checkout that knew nothing of it."""
        if self.runs_before is None or not self.runs_before.is_dir():
            return
        from kiejobs.adapters.ledger.folder import run_ids  # noqa: PLC0415 - where there is another home

        if run_ids(self.runs_before) - {record.run_id for record in self.store.read().records}:
            named = shlex.quote(str(self.runs_before))
            cure = f"`kiejobs ledger move --runs {named} --to {self.home}` takes them in"
            yield Stray(str(self.runs_before), cure)

    def look_ahead(self, attempts: Iterable[Attempt]) -> None:
        """The condition of these will be asked for next, as far as they have files."""
        self.folder.look_ahead(file for attempt in attempts for file in attempt.files)

    def condition(self, attempt: Attempt) -> str | None:
        """Are an attempt's files still complete?"""
        found = self.folder.condition(attempt.files, attempt.times["collected"])
        return None if found == "file_missing" and self.files_elsewhere else found


def open_workspace(where: Locations, file: str = "") -> Workspace:
    """The job file's project, without one that of the current folder.

    A rehearsal lives under `rehearsal/` unless its folders are named on the command line.
    """
    root = find_root(file)
    own, policy = _policies(root, where.policy)
    base = api_base(where.base_url, sandbox=where.sandbox)
    home = own.ledger if own and own.ledger.kind != "folder" else None
    runs = _folder("runs", where.runs, own.runs if own else None, root, where)
    outputs, place = _outputs(own, root, where)
    elsewhere = find_root().path != root.path
    rehearsal = runs.parent if runs.parent != Path() else Path(root.seen(_REHEARSAL))
    return Workspace(
        root=root,
        store=_store(home, root, runs, where),
        strays=() if where.sandbox or where.runs else tuple(_strays(root, file, runs, home, where.policy)),
        outputs=outputs,
        folder=place,
        sandbox_folder=rehearsal / "sandbox",
        base=base,
        upload_base=base if where.sandbox else upload_base(base),
        origin=origin_of(base),
        sandbox=where.sandbox,
        speed=where.speed,
        sandbox_credits=where.sandbox_credits,
        faults=where.faults,
        flag=_as_flags(where, root if elsewhere else None),
        written=(runs, outputs, rehearsal / "sandbox") if where.sandbox else (runs, outputs),
        elsewhere=elsewhere,
        policy=policy,
        home=home.kind if home else "folder",
        runs_before=runs if home and not where.sandbox else None,
        files_elsewhere=where.files_elsewhere,
    )


def mention_two_ledgers(space: Workspace, screen: Screen) -> None:
    """For those who buy nothing."""
    if problem := space.two_ledgers():
        screen.note(f"note: {sanitize(problem.message)}\n  help: {sanitize(problem.hint or '')}")


def mention_trouble(space: Workspace, screen: Screen) -> None:
    """After the ledger was read or published: what keeps it from being what others see."""
    if space.store.trouble:
        screen.note(f"note: {sanitize(space.store.trouble)}")


def mention_refusal(space: Workspace, screen: Screen) -> None:
    """A plan buys nothing: where `run` would refuse this checkout, it says so at once."""
    if space.sandbox or space.store.trouble:
        return
    try:
        space.store.require_current()
    except (StalePlan, JournalProblem) as problem:
        hint = f" ({problem.hint})" if problem.hint else ""
        screen.note(f"note: `kiejobs run` would refuse: {sanitize(problem.message)}{sanitize(hint)}")


def _strays(
    root: Root, file: str, runs: Path, home: LedgerHome | None, named: Policy | None
) -> Iterator[Stray]:
    """Where what was bought for this project may be on record, too."""
    found: dict[Path, str] = {}
    for folder in other_folders(root, file):
        top = folder if root.mark is None or folder.is_relative_to(root.path) else root.path
        mark = shlex.quote(os.path.relpath(top / PROJECT_FILE))
        found[folder / "runs"] = f"mark the root of the project that is meant: `echo 'version: 1' > {mark}`"
    found[root.path / "runs"] = f"remove `folders.runs` from {root.seen(PROJECT_FILE)}"
    if named is not None and named.runs is not None:
        place = Path(named.file).parent / named.runs
        found[place] = f"make that the folder in {root.seen(PROJECT_FILE)} (`folders.runs`)"
    for place, cure in found.items():
        if place.is_dir() and os.path.realpath(place) != os.path.realpath(runs):
            from kiejobs.adapters.ledger.folder import holds_journals  # noqa: PLC0415 - as below

            if holds_journals(place):
                shown, there = os.path.relpath(place), shlex.quote(runs.as_posix())
                move = f"mkdir -p {there} && mv {shlex.quote(shown)}/* {there}/"
                yield Stray(shown, f"move them, and outputs likewise: `{move}`; or {cure}")
    if home is None:
        yield from _on_branch(root)


def _on_branch(root: Root) -> Iterator[Stray]:
    """For a project that names no branch: an old checkout, say, in a clone that has bought by one since."""
    common = common_git_folder(root.path)
    place = common and Path(common[0], "kiejobs", common[1], "runs")
    if place and place.is_dir():
        from kiejobs.adapters.ledger.git import is_in_force  # noqa: PLC0415 - where the ledger is or was on a branch

        if is_in_force(root.path, place, SystemClock(1.0)):
            cure = f"write `ledger: git` into {root.seen(PROJECT_FILE)}, or update this checkout"
            yield Stray(os.path.relpath(place), f"the ledger is on a branch of git: {cure}")


def has_ledger(root: Root) -> bool:
    """Was something bought in a project that has no file of its own?"""
    from kiejobs.adapters.ledger.folder import holds_journals  # noqa: PLC0415 - who validates reads no ledger

    return holds_journals(root.path / "runs")


def journals_ignored_by(runs: Path) -> str | None:
    """The line that has git ignore journals there, `FILE:LINE:PATTERN`."""
    from kiejobs.adapters.ledger.folder import FolderStore  # noqa: PLC0415 - who validates reads no ledger

    return FolderStore(runs).ignored_by()


def _folder(name: str, flag: str | None, ruled: str | None, root: Root, where: Locations) -> Path:
    """The flag's, else the project's: below `rehearsal/`, or as its own file has it."""
    if flag:
        return Path(flag)
    return Path(root.seen(f"{_REHEARSAL}/{name}" if where.sandbox else ruled or name))


def _outputs(own: Policy | None, root: Root, where: Locations) -> tuple[Path, Outputs]:
    """A folder of this machine, and the place of the media: that folder, or a store that gets them from there."""
    ruled = own.outputs if own else None
    named = where.outputs or (None if where.sandbox else ruled) or ""
    if not is_url(named):
        folder = _folder("outputs", where.outputs, ruled, root, where)
    elif named.startswith("file://"):
        folder = folder_of(named)
    else:
        with needs_extra("team", "outputs in an object store need"):
            from kiejobs.adapters.storage.object_store import StoredOutputs  # noqa: PLC0415 - most have a folder
        folder = _folder("outputs", None, None, root, where) / ".parts"
        return folder, StoredOutputs(named, folder)
    return folder, OutputFolder(folder)


def _store(home: LedgerHome | None, root: Root, runs: Path, where: Locations) -> LedgerStore:
    """The ledger's home, None for a folder: it is chosen here and nowhere else. A rehearsal's is always a folder."""
    if home is None or where.sandbox:
        from kiejobs.adapters.ledger.folder import FolderStore  # noqa: PLC0415 - who validates reads no ledger

        return FolderStore(runs)
    if where.runs:
        message = f"--runs {where.runs}: {PROJECT_FILE} keeps the ledger in {home.kind}, not in a folder"
        raise UsageProblem(message, hint="leave --runs out")
    if home.kind == "postgresql":
        from kiejobs.adapters.ledger.postgresql import PostgresStore  # noqa: PLC0415 - as above
        from kiejobs.adapters.ledger.spool import spool_folder  # noqa: PLC0415 - as above

        return PostgresStore(home.url_env, home.project, home.account, kept=spool_folder(root.path))
    if home.kind == "git":
        from kiejobs.adapters.ledger.git import GitStore  # noqa: PLC0415 - as above

        return GitStore(root.path, SystemClock(1.0), home.branch, home.remote, home.path)
    message = f"{PROJECT_FILE} keeps the ledger in {home.kind}, which this version of kiejobs doesn't support"
    raise UsageProblem(message, hint="update kiejobs; with another ledger it would buy everything again")


def homes_for_move(
    space: Workspace, to: str, where: Locations
) -> tuple[LedgerStore, LedgerStore, str, bytes]:
    """The ledger, or the folder that `--runs` names, and the home `to`; the line of the project's file that uses it,
    and the mark for the other one. Raises UsageProblem.
    """
    from kiejobs.adapters.ledger.folder import FolderStore  # noqa: PLC0415 - as in `_store`
    from kiejobs.adapters.ledger.moved import mark  # noqa: PLC0415 - seldom
    from kiejobs.core.plan.policy import LedgerHome  # noqa: PLC0415 - as above

    if "://" in to:
        message = "--to takes no database URL: its password would be visible on the command line"
        raise UsageProblem(
            message, hint="export KIEJOBS_LEDGER_URL=…, then `kiejobs ledger move --to postgresql`"
        )
    if to not in {"folder", "git", "postgresql"}:
        raise UsageProblem(f"--to {to}: not a home of the ledger", hint="--to folder, git or postgresql")
    own = project_policy(space.root)
    runs = _folder("runs", None, own.runs if own else None, space.root, where)
    old = FolderStore(Path(where.runs)) if where.runs else space.store
    new = space.store
    if to != space.home:
        new = _store(None if to == "folder" else LedgerHome(to), space.root, runs, replace(where, runs=None))
    if new.name == old.name:
        before, hint = space.runs_before, None
        if before is not None and before.is_dir():
            hint = f"for journals that are still in {before}: add --runs {before}"
        raise UsageProblem(f"the ledger is in {old.name} already", hint=hint)
    setting = f"ledger: {to}"
    return old, new, setting, mark(new.name, setting)


def leave_to_workers(space: Workspace) -> None:
    """They follow what runs from here submit, where the ledger's home has workers."""
    home = _shared(space)
    if home is not None:
        home.hands_over = True


def work_queue(space: Workspace) -> WorkQueue:
    """Raises UsageProblem where the ledger's home has none."""
    home = _shared(space)
    if home is None:
        hint = f"`ledger: postgresql` in {PROJECT_FILE}; else `kiejobs collect` does what workers do"
        raise UsageProblem("workers need a ledger in PostgreSQL", hint=hint)
    return home.work_queue()


def _shared(space: Workspace) -> PostgresStore | None:
    from kiejobs.adapters.ledger.postgresql import PostgresStore  # noqa: PLC0415 - slow, and seldom

    return space.store if isinstance(space.store, PostgresStore) else None


def _as_flags(where: Locations, elsewhere: Root | None) -> str:
    """The flags again, as they would be typed; from `elsewhere`, where that is another project's root."""
    policy = where.policy.file if where.policy and where.policy.named else None
    files = {"runs": where.runs, "outputs": where.outputs, "policy": policy}
    directory = where.directory
    if elsewhere is not None:
        here = {name: value for name, value in files.items() if value and not is_url(value)}
        files |= {name: os.path.relpath(value, elsewhere.path) for name, value in here.items()}
        directory = os.path.normpath(os.path.join(directory or "", elsewhere.seen()))  # noqa: PTH118 - may be ".."
    text = f" -C {shlex.quote(directory)}" if directory else ""
    text += " --sandbox" if where.sandbox else ""
    text += " --files-elsewhere" if where.files_elsewhere else ""
    for name, value in {**files, "base-url": where.base_url}.items():
        text += f" --{name} {shlex.quote(value)}" if value else ""
    return text


# --- its policy ------------------------------------------------------------------------------------


def policy_in_force(root: Root, given: Policy | None) -> Policy | None:
    """The project's; where another was named that one, and the project's rules hold too. Raises as `policy_at`."""
    return _policies(root, given)[1]


def _policies(root: Root, given: Policy | None) -> tuple[Policy | None, Policy | None]:
    """The project's own, and the one in force. `given` is the one that was named, or a project's as it was read."""
    is_known = given is not None and not given.named and given.file == root.find(PROJECT_FILE)
    own = given if is_known else project_policy(root)
    if given is None or not given.named:
        return own, own
    is_own = own is not None and Path(own.file).resolve() == Path(given.file).resolve()
    return own, given if own is None or is_own else replace(given, under=own)


def project_policy(root: Root) -> Policy | None:
    """What the project's own file says, if there is one. Raises as `policy_at`."""
    file = root.find(PROJECT_FILE)
    return None if file is None else policy_at(file)


def policy_at(file: str, *, named: bool = False) -> Policy:
    """A file's policy; `named` where somebody asked for it by name. Raises UsageProblem or InvalidJobFile."""
    from kiejobs.core.document.reader import read_document  # noqa: PLC0415 - most have no policy
    from kiejobs.core.plan.policy import read_policy  # noqa: PLC0415 - as above

    source = read_source(file, most=_LARGEST_POLICY)
    document, found = read_document(source)
    policy = None
    if document is not None:
        schema = read_schema("policy.schema.json")
        policy, refused = read_policy(document, schema, named=named)
        found += refused
    if policy is None or found:
        raise InvalidJobFile(Problems(found, {file: source.lines}))
    return policy


def flags_of(policy: Policy) -> dict[str, str | bool]:
    """What the policy says of flags, by the names of parameters, as click's `default_map` wants it."""
    flags = {flag.replace("-", "_"): value for flag, value in policy.defaults.items()}
    if policy.callback_url is not None:
        flags["public_url"] = policy.callback_url
    return flags


# --- its API ---------------------------------------------------------------------------------------


def require_key(space: Workspace, *, buys: bool = False) -> Secret:
    """The key, or SpendingStopped; a rehearsal needs none. Raises UsageProblem where a create might be sent twice, and
    on Windows: what keeps two processes out of one another's way there is tested by nobody.
    """
    if sys.platform == "win32":
        raise UsageProblem("nothing is bought or downloaded on Windows itself", hint="run kiejobs in WSL")
    if space.sandbox:
        return Secret("sandbox")
    key = api_key()
    if not key:
        hint = "export KIE_API_KEY=…, or add --sandbox to rehearse at no cost"
        raise SpendingStopped("KIE_API_KEY is not set", hint=hint)
    if not is_sendable(key):
        raise SpendingStopped("KIE_API_KEY contains characters that no key has")
    if buys:
        from kiejobs.adapters.http.proxy import tls, why_no_creates  # noqa: PLC0415 - httpx is slow to import

        tls()
        if why := why_no_creates(space.base):
            hint = f"use an https:// base, or add {urlsplit(space.base).hostname} to NO_PROXY"
            raise UsageProblem(f"nothing was bought: {why}", hint=hint)
    return key


def is_sendable(key: Secret) -> bool:
    """Can it be part of an HTTP header?"""
    return key.value.isascii() and key.value.isprintable()


@asynccontextmanager
async def opened(
    space: Workspace,
    key: Secret,
    *,
    calls_back: bool = False,
    folder: Path | None = None,
    addresses: Mapping[str, Sequence[str]] | None = None,
    moved: Moved | None = None,
) -> AsyncIterator[tuple[KieApi, Artifacts, KieUploads | None]]:
    """For a run: the API, the store of its results, and uploads from `folder`, the job file's.

    `addresses`, by fingerprint, are what a rehearsal's results show. `moved` hears how far each file is.
    """
    from kiejobs.adapters.http.client import AddressRule  # noqa: PLC0415 - httpx is slow to import
    from kiejobs.adapters.kie.client import KieApi, KieUploads  # noqa: PLC0415 - as above
    from kiejobs.adapters.storage.download import FileArtifacts  # noqa: PLC0415 - as above

    if space.sandbox:
        transport = _rehearsal(space, addresses, calls_back=calls_back)
        rule = AddressRule(private_too=True)
    else:
        transport = None
        layers = space.policy.layers if space.policy else ()
        only = tuple(each.hosts for each in layers if each.hosts is not None)
        rule = replace(await AddressRule.for_base(space.base), only=only)
    api = KieApi(space.base, key, transport=transport)
    downloads = FileArtifacts(space.outputs, rule, transport, moved=moved)
    uploads = None
    if folder is not None:
        from kiejobs.adapters.project.local_files import LocalFolder  # noqa: PLC0415 - most jobs have none

        uploads = KieUploads(
            space.upload_base,
            key,
            LocalFolder(folder, space.root.reach(str(folder / "any"))),
            transport=transport,
            moved=moved,
        )
    try:
        yield api, space.folder.artifacts(downloads), uploads
    finally:
        if uploads is not None:
            await uploads.close()
        await api.close()
        await downloads.close()


def discovery_transport(space: Workspace) -> httpx.AsyncBaseTransport | None:
    """For questions about models: the sandbox in a rehearsal, else None, which is the network."""
    return _rehearsal(space, None, calls_back=False) if space.sandbox else None


def _rehearsal(
    space: Workspace, addresses: Mapping[str, Sequence[str]] | None, *, calls_back: bool
) -> httpx.AsyncBaseTransport:
    """The sandbox instead of a network, its memory next to the journals."""
    from kiejobs.adapters.sandbox import InProcess, make_sandbox, with_cards  # noqa: PLC0415 - a tenth of the time to start

    space.require_no_links()
    app = make_sandbox(
        space.sandbox_folder,
        space.speed,
        space.faults,
        credits_=space.sandbox_credits,
        webhook_key=webhook_key() if calls_back else None,
        calls_back=calls_back,
        root=space.root,
    )
    return InProcess(app if addresses is None else with_cards(app, addresses))
