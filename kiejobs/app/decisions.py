"""Decisions on results: which purchases are meant, and the `picks.yaml` files that they go into.

In: addresses or patterns, a workspace, a `PickBook`. Out: purchases, picks; the names of changed files. Touches: the
files, and `.gitattributes` next to them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.picks import change_picks, merge_by_lines
from kiejobs.app.picks import PickBook, is_of, rehearsal_folder
from kiejobs.app.select import chosen, files_of, read_off
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.document.wording import suggest
from kiejobs.core.ledger.records import State
from kiejobs.core.picks import FILE, UNDECIDED, Pick
from kiejobs.core.plan.selection import meant, read_selection
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.app.project import Workspace
    from kiejobs.core.ledger.ledger import Attempt, Ledger

_AT_THE_API = ("is at the API", "`kiejobs collect` waits for it")
_BUY_AGAIN = "`kiejobs report` shows why; `kiejobs run FILE --retry failed` buys it again"
_WITHOUT_RESULT = {
    State.IN_DOUBT: ("is in doubt", "`kiejobs status` shows how to resolve it"),
    State.FAILED: ("failed", _BUY_AGAIN),
    State.REJECTED: ("was rejected", _BUY_AGAIN),
    State.RESERVED: ("is being submitted by a run", "pick it when that run has ended"),
}
"""The state of a purchase that can't be picked, and what to do about it."""
_LISTS = "`kiejobs status` counts what was bought, `kiejobs report` lists it"


def named_purchases(
    words: Sequence[str], take: int | None, space: Workspace, ledger: Ledger
) -> list[Attempt]:
    """The newest purchase of each address that a word is for. Raises UsageProblem for a word that is for none."""
    everything = list(_newest(ledger))
    found: dict[str, Attempt] = {}
    for word in words:
        takes = chosen((word,), (), space, ledger, or_none=True)
        mine = [a for a in everything if takes(a) and take in {None, a.reserved.take}]
        done = [a for a in mine if a.state is State.SUCCEEDED]
        if not done:
            raise _nothing(word, take, mine, everything)
        found |= {attempt.address: attempt for attempt in done}
    return list(found.values())


def _newest(ledger: Ledger) -> Iterator[Attempt]:
    """One for each address, under that address: the newest that has a result or may get one, else the last attempt."""
    addresses = dict.fromkeys(name for one in ledger.attempts() for name in (one.address, *one.shared))
    for address in addresses:
        newest = ledger.newest(address) or next(
            (one for one in reversed(ledger.at(address)) if one.state), None
        )
        if newest is not None:
            yield replace(newest, address=address)


def _nothing(word: str, take: int | None, mine: Sequence[Attempt], known: Sequence[Attempt]) -> UsageProblem:
    name = f"`{sanitize(word)}`" + (f" with take {take}" if take else "")
    if mine and mine[0].state:
        words, cure = _WITHOUT_RESULT.get(mine[0].state, _AT_THE_API)
        return UsageProblem(f"{name} has no result: it {words}", hint=cure)
    hint = meant((word,), [read_off(one.address) for one in known], _LISTS)
    return UsageProblem(f"nothing was bought as {name}", hint=hint)


def named_picks(words: Sequence[str], take: int | None, book: PickBook) -> list[Pick]:
    """Decisions by address or pattern, whether the purchase is still known or not. Raises UsageProblem for none."""
    found: dict[str, Pick] = {}
    for word in words:
        takes = read_selection((word,)).takes
        known = (pick for pick in book.picks if pick.verdict != UNDECIDED and take in {None, pick.take})
        mine = {pick.address: pick for pick in known if takes(read_off(pick.address))}
        if not mine:
            hint = meant((word,), [read_off(pick.address) for pick in book.picks])
            raise UsageProblem(f"nothing was decided on `{sanitize(word)}`", hint=hint)
        found |= mine
    return list(found.values())


def bought_picks(picks: Sequence[Pick], ledger: Ledger, file: str) -> list[Pick]:
    """Each under the address that its purchase has now. Raises UsageProblem for what is no purchase of this ledger."""
    known = dict.fromkeys(one.address for one in ledger.attempts())
    found = []
    for pick in picks:
        here = ledger.at(pick.address)
        moved = ledger.bought(pick.fingerprint, pick.take)
        if any(one.key == (pick.fingerprint, pick.take) for one in here):
            found.append(pick)
        elif moved is not None:
            found.append(replace(pick, address=moved.address))
        else:
            what = f"with the request {pick.fingerprint[:12]} " if here else ""
            message = f"{sanitize(file)}: nothing was bought {what}as `{sanitize(pick.address)}`"
            again = "export the picks again, from a gallery of this project"
            raise UsageProblem(message, hint=again if here else suggest(pick.address, known) or _LISTS)
    return found


def write_picks(picks: Sequence[Pick], space: Workspace, book: PickBook, *, merge: bool = False) -> list[str]:
    """In each one's file: where its address is already, else next to its campaign's job file.

    With `merge` what is newer there stays. Out: the files that were written. Raises UsageProblem.
    """
    space.require_no_links()
    by_folder: dict[Path, list[Pick]] = defaultdict(list)
    campaigns: dict[str, Path] = {}
    for pick in picks:
        campaign = pick.address.partition("/")[0]
        holder = next((folder for folder, known in book.folders.items() if known.at(pick.address)), None)
        if holder is None and campaign not in campaigns:
            campaigns[campaign] = _folder_of(campaign, space, book.ledger)
        by_folder[holder or campaigns[campaign]].append(pick)
    written = []
    for folder, mine in by_folder.items():
        if not is_of(space.root, folder):
            raise UsageProblem(f"{folder} leads out of the project, and no picks are written there")
        change_picks(folder, lambda known, mine=mine: known.merged(mine) if merge else known.replaced(mine))  # type: ignore[misc]
        written.append(str(folder / FILE))
        if space.root.mark is not None and not space.sandbox:
            made = merge_by_lines(folder)
            written += [made] if made else []
    return written


def _folder_of(campaign: str, space: Workspace, ledger: Ledger) -> Path:
    if space.sandbox:
        return rehearsal_folder(space)
    file = next(files_of(campaign, ledger, space.root), None)
    if file is None:
        hint = "picks are kept next to the job file: bring it back, or `git mv` it with its picks.yaml"
        raise UsageProblem(f"no job file here has the campaign `{sanitize(campaign)}`", hint=hint)
    return Path(file).parent
