"""`kiejobs explain ADDRESS [FILE]`: why this line, and what differs from what was bought.

In: an address, the job file (found by its campaign where not named). Out: an explanation. Touches: disk.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.app.load import load
from kiejobs.app.picks import pick_book
from kiejobs.app.plan import diff_of, make_plan, prices_of
from kiejobs.app.project import open_workspace
from kiejobs.app.select import files_of
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.core.document.wording import suggest
from kiejobs.reports.explain import ExplainView, explain_document, explain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.options import JobFileOptions, Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Ledger
    from kiejobs.core.plan.plan import Change


def explain(words: Sequence[str], wanted: JobFileOptions, where: Locations, screen: Screen) -> ExitCode:
    address, file = _address_and_file(words)
    space = open_workspace(where, file)
    ledger = space.ledger()
    file = file or _file_of(address, ledger, space)
    loaded = load(replace(wanted, file=file, base_url=where.base_url, sandbox=where.sandbox))
    change = _line_of(address, loaded, space, ledger)
    diff = diff_of(loaded, change, ledger) or []
    inputs = change.job.files if change.job is not None else ()
    prices = prices_of(loaded, space) if change.job is not None else ()
    price = next((one for one in prices if one.model == change.model), None)
    history = ledger.at(address)
    bought = ledger.newest(address) or change.attempt
    view = ExplainView(
        change,
        diff,
        history,
        inputs,
        price,
        file=space.typed(loaded.wanted.file),
        flag=space.flag,
        decision=None if bought is None else pick_book(space, ledger).decision(bought),
    )
    screen.answer(explain_document, explain_text, view)
    return ExitCode.DONE


def _line_of(address: str, loaded: LoadedJobFile, space: Workspace, ledger: Ledger) -> Change:
    known = []
    for change in make_plan(loaded, space, ledger, ()).changes:
        if change.address == address:
            return change
        known.append(change.address)
    hint = suggest(address, known) or "`kiejobs plan` lists the addresses"
    raise UsageProblem(f"{loaded.jobfile.document.name} has no job `{address}`", hint=hint)


def _address_and_file(words: Sequence[str]) -> tuple[str, str]:
    """The two words in either order; the file may be left out."""
    files = [word for word in words if word.endswith((".yaml", ".yml")) and Path(word).is_file()]
    addresses = [word for word in words if word not in files]
    if len(addresses) != 1 or len(files) > 1:
        raise UsageProblem("say one address, and at most one job file")
    return addresses[0], files[0] if files else ""


def _file_of(address: str, ledger: Ledger, space: Workspace) -> str:
    campaign = address.partition("/")[0]
    file = next(files_of(campaign, ledger, space.root), None)
    if file is None:
        hint = "name it: kiejobs explain ADDRESS FILE"
        raise UsageProblem(f"no job file here has the campaign `{campaign}`", hint=hint)
    return file
