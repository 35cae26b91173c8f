"""`kiejobs explain ADDRESS [FILE]...`: why this line, and what differs from what was bought.

In: an address or a part of one, job files (found by the campaign where none is named). Out: an explanation. Touches: disk.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import STDIN
from kiejobs.app.load import load
from kiejobs.app.picks import pick_book
from kiejobs.app.plan import diff_of, make_plan, named_files, prices_of
from kiejobs.app.project import open_workspace
from kiejobs.app.select import campaign_of, files_of
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile, UsageProblem
from kiejobs.core.document.wording import did_you_mean, likely
from kiejobs.core.plan.selection import address_names
from kiejobs.reports.explain import ExplainView, explain_document, explain_text
from kiejobs.reports.terminal import few

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change


_MOST_SHOWN = 5


def explain(words: Sequence[str], wanted: JobFileOptions, where: Locations, screen: Screen) -> ExitCode:
    named, files = _address_and_files(words)
    space = open_workspace(where, files[0] if files else "")
    ledger = space.ledger()
    campaign = named.partition("/")[0] if "/" in named else None
    candidates = named_files(files, wanted) if files else list(files_of(campaign, ledger, space.root))
    wanted = replace(wanted, base_url=where.base_url, sandbox=where.sandbox)
    loaded, change = _line_of(named, candidates, wanted, space, ledger)
    diff = diff_of(loaded, change, ledger) or []
    inputs = change.job.files if change.job is not None else ()
    prices = prices_of(loaded, space) if change.job is not None else ()
    price = next((one for one in prices if one.model == change.model), None)
    history = ledger.at(change.address)
    bought = ledger.newest(change.address) or change.attempt
    view = ExplainView(
        change,
        diff,
        history,
        inputs,
        price,
        file=None if loaded.wanted.file == STDIN else space.typed(loaded.wanted.file),
        flag=space.flag,
        decision=None if bought is None else pick_book(space, ledger).decision(bought),
    )
    screen.answer(explain_document, partial(explain_text, local=screen.local_out), view)
    return ExitCode.DONE


def _address_and_files(words: Sequence[str]) -> tuple[str, list[str]]:
    """The address among the words, in any order; files and folders may be left out."""
    files = [word for word in words if word == STDIN or word.endswith("/") or _is_file(word)]
    addresses = [word for word in words if word not in files]
    if len(addresses) > 1:  # a word alone is an address, even if a folder has that name
        files += [one for one in addresses if Path(one).is_dir() or one.endswith((".yaml", ".yml"))]
        addresses = [word for word in addresses if word not in files]
    if len(addresses) != 1:
        raise UsageProblem("name one address, then job files or folders, if any")
    return addresses[0], files


def _is_file(word: str) -> bool:
    return word.endswith((".yaml", ".yml")) and Path(word).is_file()


def _line_of(
    named: str, files: Sequence[str], wanted: JobFileOptions, space: Workspace, ledger: Ledger
) -> tuple[LoadedJobFile, Change]:
    """In the first file that has the address; else the one line that a part of an address can mean."""
    known: dict[str, tuple[LoadedJobFile, Change]] = {}
    looked, campaign = [], named.partition("/")[0]
    for file in files:
        with suppress(*(() if len(files) == 1 else (InvalidJobFile, UsageProblem))):
            if "/" in named and len(files) > 1 and campaign_of(file) != campaign:
                continue
            loaded = load(replace(wanted, file=file))
            looked.append(file)
            for change in make_plan(loaded, space, ledger, ()).changes:
                known.setdefault(change.address, (loaded, change))
            if named in known:
                return known[named]
    meant = [address for address in known if _may_mean(named, address)]
    if len(meant) == 1:
        return known[meant[0]]
    what = f"`{named}` could be any of {len(meant)} jobs" if meant else _no_job(named, looked, files)
    raise UsageProblem(what, hint=_suggestion(named, meant, known))


def _may_mean(named: str, address: str) -> bool:
    return any(named in address_names(address, with_axes=with_axes) for with_axes in (True, False))


def _no_job(named: str, looked: Sequence[str], files: Sequence[str]) -> str:
    if looked:
        return f"{' and '.join(looked)} {'has' if len(looked) == 1 else 'have'} no job `{named}`"
    campaign = named.partition("/")[0]
    return (
        f"no job file here has the campaign `{campaign}`"
        if files or "/" in named
        else "there is no job file here"
    )


def _suggestion(named: str, meant: Sequence[str], known: Collection[str]) -> str:
    if meant:
        return f"give one address: {few([f'`{address}`' for address in meant], _MOST_SHOWN)}"
    also = "`kiejobs plan` lists the addresses; name the job file: kiejobs explain ADDRESS FILE"
    names = {name for address in known for name in address_names(address, with_axes="[" in named)}
    near = likely(named, sorted(names))
    alone = [address for address in known if any(_may_mean(name, address) for name in near)]
    return did_you_mean(alone if len(alone) <= len(near) else near, also) or also
