"""`kiejobs manifest export`: a campaign's provenance in the forms that others have tools for.

In: runs by name, or a campaign. Out: CSV, in-toto statements, or an RO-Crate's metadata. Touches: the
runs folder, by reading; the file that is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.app.output import write
from kiejobs.app.project import open_workspace
from kiejobs.app.records import find_run
from kiejobs.core.diagnostics import ExitCode, UsageProblem
from kiejobs.reports.provenance import Provenance, export_csv, export_in_toto
from kiejobs.reports.ro_crate import METADATA, export_ro_crate
from kiejobs.reports.terminal import plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.app.output import Screen
    from kiejobs.app.project import Locations, Workspace

_NAMES = {"csv": "provenance.csv", "ro-crate": METADATA, "in-toto": "provenance.intoto.jsonl"}
"""What the file is called where only a folder is named."""


def export(
    runs: Sequence[str], campaign: str | None, out: str | None, where: Locations, screen: Screen
) -> ExitCode:
    """`out` is a file, a folder, `-` for stdout; the default is stdout, of a crate the output folder."""
    space = open_workspace(where)
    provenance = _provenance(space, runs, campaign)
    form = screen.form
    if out is None and form == "ro-crate":
        out = str(space.outputs)
    text = _text(form, provenance)
    if out in {None, "-"}:
        screen.stream((text,))
        return ExitCode.DONE
    path = _target(Path(out or "-"), form, is_folder=out == str(space.outputs))
    write(path, text.encode("utf-8", "surrogatepass"))
    screen.say(f"wrote {path}: {plural(len(provenance.attempts), 'job')}")
    return ExitCode.DONE


def _provenance(space: Workspace, runs: Sequence[str], campaign: str | None) -> Provenance:
    """The named runs' attempts, else the purchases from this API. Raises UsageProblem for none."""
    history = space.store.read()
    if runs:
        found = (find_run(space, history, one) for one in runs)
        named = {record.run_id: record for record in found}
        ledgers = {run_id: history.ledger_of(record) for run_id, record in named.items()}
        attempts = [
            a for run_id in sorted(named) for a in ledgers[run_id].attempts() if a.run_id == run_id
        ]
        headers = {name: head for ledger in ledgers.values() for name, head in ledger.runs.items()}
        uploads = {key: told for ledger in ledgers.values() for key, told in ledger.uploads.items()}
    else:
        ledger = history.ledger(space.origin)
        attempts, headers = list(ledger.current()), dict(ledger.runs)
        uploads = dict(ledger.uploads)
    if campaign is not None:
        attempts = [one for one in attempts if one.address.startswith(f"{campaign}/")]
    if not attempts:
        what = (
            "was ever bought" if campaign is None else f"was ever bought for `{sanitize(campaign)}`"
        )
        raise UsageProblem(
            f"nothing {what} in {space.store.name}", hint="`kiejobs status` lists the runs"
        )
    return Provenance(attempts, headers, uploads)


def _text(form: str, provenance: Provenance) -> str:
    if form == "csv":
        return "".join(export_csv(provenance))
    if form == "in-toto":
        return "".join(export_in_toto(provenance))
    return export_ro_crate(provenance)


def _target(out: Path, form: str, *, is_folder: bool) -> Path:
    """A folder is one that is there, or that has no ending to its name."""
    return out / _NAMES[form] if is_folder or out.is_dir() or not out.suffix else out
