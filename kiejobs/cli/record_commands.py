"""The verbs about what was bought: one command each, its work behind an import.

In: parsed flags. Out: an exit code. Touches nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kiejobs.cli.command_group import SCREEN, door, verb_of
from kiejobs.cli.options import (
    CHOICE,
    FOLDERS,
    JOB_FILE,
    MAYBE_FILE,
    REHEARSAL,
    RUN,
    SELECT,
    duration,
    flag,
    format_flag,
    out_flag,
)

if TYPE_CHECKING:
    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.core.diagnostics import ExitCode


@door.command(short_help="Show what is in flight and what is in doubt.")
@MAYBE_FILE
@SELECT
@FOLDERS
@flag("--exit-code", is_flag=True, help="Exit 8 when something runs, 4 when in doubt.")
@flag("--expiring", type=duration, metavar="DURATION",
      help="Tell what the vendor throws away within that time.")  # fmt: skip
@format_flag()
@verb_of("status")
def status() -> None:
    """Show what is in flight, in doubt, not collected, and what it costs. Needs no network."""


@door.command(short_help="Say why a line of the plan is what it is.")
@click.argument("words", metavar="ADDRESS [JOBFILE]", nargs=-1, required=True)
@CHOICE
@FOLDERS
@format_flag()
@JOB_FILE
@verb_of("explain")
def explain() -> None:
    """Say why a line of the plan is what it is, and what differs from what was bought."""


@door.command(short_help="End a doubt: name the task, or rule it lost.")
@click.argument("address")
@flag("--task", "task_id", metavar="ID", help="It is this task; checked with the API.")
@flag("--lost", is_flag=True, help="Nothing was made; it may be bought again.")
@FOLDERS
@REHEARSAL
@format_flag()
@SCREEN
def resolve(
    address: str, task_id: str | None, *, lost: bool, where: Locations, screen: Screen
) -> ExitCode:
    """End the doubt about ADDRESS, with a task's id or with the ruling that nothing was made."""
    from kiejobs.commands import resolve as verb  # noqa: PLC0415 - keeps `--help` light

    if lost == (task_id is not None) or task_id == "":
        raise click.UsageError("say one of --task ID and --lost")
    return verb.resolve(address, task_id, where, screen)


@door.command(short_help="Tell what a run came to.")
@RUN
@SELECT
@FOLDERS
@out_flag(help="Write to FILE, as its ending says: .json, .md, .xml or .txt.")
@format_flag("junit", "markdown")
@verb_of("report")
def report() -> None:
    """Tell what RUN (the latest, where not named) came to."""


@door.group(short_help="Show, rebuild or verify the runs' documents.")
def manifest() -> None:
    """The runs' documents: a projection of the journals, which are the truth."""


@manifest.command(name="show")
@RUN
@FOLDERS
@verb_of("manifest")
def show() -> None:
    """Print the manifest of RUN (the latest, where not named)."""


@manifest.command(name="rebuild")
@FOLDERS
@verb_of("manifest")
def rebuild() -> None:
    """Write every manifest anew from the journals; the same bytes where nothing happened."""


@manifest.command(name="verify")
@FOLDERS
@flag("--decode", is_flag=True, help="Open each video too; needs the extra `media`.")
@format_flag()
@verb_of("manifest")
def verify() -> None:
    """Check that journals are unbroken, manifests true to them, and collected files whole."""


@manifest.command(name="export")
@click.argument("run_ids", metavar="[RUN]...", nargs=-1)
@flag("--format", "form", type=click.Choice(["csv", "ro-crate", "in-toto"]), required=True,
      help="A table, an RO-Crate, or in-toto statements with SLSA provenance.")  # fmt: skip
@flag("--campaign", metavar="NAME", help="Only this campaign's.")
@flag("--out", "-o", metavar="FILE|DIR", help="Where to; - is stdout. A crate goes to the outputs.")
@FOLDERS
@verb_of("manifest")
def export() -> None:
    """Tell how each file was made, by whom and from what, in forms that others have tools for.

    Of the runs that are named, or of all that was bought.
    """


@door.command(short_help="Check key, API, balance, clock, folders.")
@FOLDERS
@REHEARSAL
@format_flag()
@verb_of("doctor")
def doctor() -> None:
    """Check that everything is in place: key, API, balance, clock, folders, versions."""


@door.command(short_help="Serve the imitated API on a port.")
@flag("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@flag("--port", type=click.IntRange(0, 65535), default=8787, show_default=True,
      help="Port to listen at; 0 for any that is free.")  # fmt: skip
@flag("--store", default="rehearsal/sandbox", show_default=True, metavar="DIR",
      help="Folder of the charge log.")  # fmt: skip
@REHEARSAL
@verb_of("sandbox")
def sandbox() -> None:
    """Serve the imitated API on a port, until Ctrl-C. Needs the extra `serve`."""


@door.command(short_help="Print the script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL, e.g. eval "$(kiejobs completion bash)"."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - as above

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(made(door, {}, "kiejobs", "_KIEJOBS_COMPLETE").source())
