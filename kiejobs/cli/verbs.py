"""One command a verb: its options, and the call behind which the heavy imports are.

In: parsed options. Out: an exit code. Touches nothing itself.
"""

# ruff: noqa: PLC0415 - imports inside a command keep `--help` light
# ruff: noqa: PLR0913 - a command takes its flags as arguments
# ruff: noqa: PLR0917 - and click hands them over by name

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kiejobs import __version__
from kiejobs.cli.options import (
    BUYING,
    CHOICE,
    CREDITS,
    FOLDERS,
    FOLLOWING,
    REHEARSAL,
    flag,
    format_flag,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from kiejobs.commands.loading import Wanted
    from kiejobs.commands.workspace import Where
    from kiejobs.core.errors import ExitCode

_FILE = click.argument("file", metavar="JOBFILE")
_MAYBE_FILE = click.argument("file", metavar="[JOBFILE]", required=False)
_RUN = click.argument("run_id", metavar="[RUN]", required=False)
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_HELP, no_args_is_help=True)
@click.version_option(__version__, prog_name="kiejobs")
def door() -> None:
    """Declarative YAML jobs for paid generative video: never pay twice, never lose a taskId.

    Write what you want in a job file, look at the plan, run it. Every flag can also be set by
    KIEJOBS_<FLAG>; the key comes from KIE_API_KEY.
    """


@door.command(short_help="Write a job file to start from.")
@click.argument("folder", default=".")
def init(folder: str) -> ExitCode:
    """Write a commented job file, its schema for the editor, and .gitignore into FOLDER."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import init as verb

    return verb.init(folder, make_screen())


@door.command(short_help="Tell every problem of a job file.")
@click.argument("files", metavar="JOBFILE...", nargs=-1, required=True)
@CHOICE
@format_flag()
def validate(files: tuple[str, ...], form: str, **choice: Any) -> ExitCode:
    """Tell every problem of the job files, each at its place. Needs no key and no network."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import validate as verb

    return verb.validate(_wanted("", choice), files, form, make_screen())


@door.command(short_help="Print the request bodies, one JSON a line.")
@_FILE
@CHOICE
def render(file: str, **choice: Any) -> ExitCode:
    """Print what would be sent, one JSON a line. Needs no key and no network."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import render as verb

    return verb.render(_wanted(file, choice), make_screen())


@door.command(short_help="Show what a run would buy, and for how much.")
@_FILE
@CHOICE
@FOLDERS
@flag("--budget", type=CREDITS, metavar="CREDITS", help="Compare the total with this.")
@flag("--retry", multiple=True, type=click.Choice(["failed"]), help="Plan failed jobs anew.")
@flag("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
@format_flag()
def plan(
    file: str,
    form: str,
    budget: Decimal | None,
    retry: tuple[str, ...],
    *,
    detailed_exitcode: bool,
    **rest: Any,
) -> ExitCode:
    """Show what a run would do, line by line, with its price. Needs no key and no network."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import plan as verb

    return verb.plan(
        _wanted(file, rest),
        _where(rest),
        form,
        make_screen(),
        detailed_exitcode=detailed_exitcode,
        retry=retry,
        budget=budget,
    )


@door.command(short_help="Buy what is missing, wait, collect, report.")
@_FILE
@CHOICE
@BUYING
@FOLLOWING
@FOLDERS
@REHEARSAL
@format_flag()
def run(
    file: str,
    form: str,
    budget: Decimal | None,
    retry: tuple[str, ...],
    rate: tuple[int, float],
    poll: float,
    wait: float,
    in_flight: int,
    *,
    yes: bool,
    detach: bool,
    **rest: Any,
) -> ExitCode:
    """Plan, confirm, submit, wait, collect, report. Run it again and it does only what is left."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import run as verb
    from kiejobs.runner import Rate, Settings

    settings = Settings(
        rate=Rate(*rate), first_poll=poll, wait=wait, in_flight=in_flight, detach=detach
    )
    how = verb.How(settings=settings, yes=yes, budget=budget, retry=retry, form=form)
    return verb.run(_wanted(file, rest), _where(rest), how, make_screen())


@door.command(short_help="Follow what was bought and bring it home.")
@_MAYBE_FILE
@flag("--select", multiple=True, metavar="WORDS", help="Only these addresses.")
@flag("--once", is_flag=True, help="Ask once; exit 8 when something is still running.")
@FOLLOWING
@FOLDERS
@REHEARSAL
@format_flag()
def collect(
    file: str | None,
    select: tuple[str, ...],
    form: str,
    poll: float,
    wait: float,
    *,
    once: bool,
    **rest: Any,
) -> ExitCode:
    """Follow what was bought, bring home what is done. Buys nothing, any number of times."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import collect as verb
    from kiejobs.runner import Settings

    settings = Settings(first_poll=poll, wait=wait, once=once)
    wanted = _wanted(file or "", {"select": select})
    return verb.collect(wanted, _where(rest), settings, form, make_screen())


@door.command(short_help="Show what is in flight and what is in doubt.")
@_MAYBE_FILE
@FOLDERS
@flag("--exit-code", is_flag=True, help="Exit 8 when something runs, 4 when in doubt.")
@format_flag()
def status(file: str | None, form: str, *, exit_code: bool, **rest: Any) -> ExitCode:
    """Show what is in flight, in doubt, not collected, and what it costs. Needs no network."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import status as verb

    return verb.status(file, _where(rest), form, make_screen(), exit_code=exit_code)


@door.command(short_help="Say why a line of the plan is what it is.")
@click.argument("words", metavar="ADDRESS [JOBFILE]", nargs=-1, required=True)
@CHOICE
@FOLDERS
@format_flag()
def explain(words: tuple[str, ...], form: str, **rest: Any) -> ExitCode:
    """Say why a line of the plan is what it is, and what differs from what was bought."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import explain as verb

    return verb.explain(words, _wanted("", rest), _where(rest), form, make_screen())


@door.command(short_help="End a doubt: name the task, or rule it lost.")
@click.argument("address")
@flag("--task", "task_id", metavar="ID", help="It is this task; checked with the API.")
@flag("--lost", is_flag=True, help="Nothing was made; it may be bought again.")
@FOLDERS
@REHEARSAL
@format_flag()
def resolve(address: str, task_id: str | None, form: str, *, lost: bool, **rest: Any) -> ExitCode:
    """End the doubt about ADDRESS, with a task's id or with the ruling that nothing was made."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import resolve as verb

    if lost == (task_id is not None) or task_id == "":
        raise click.UsageError("say one of --task ID and --lost")
    return verb.resolve(address, task_id, _where(rest), form, make_screen())


@door.command(short_help="Tell what a run came to.")
@_RUN
@FOLDERS
@flag("--out", "-o", "files", multiple=True, metavar="FILE",
      help="Write to FILE, as its ending says: .json, .xml or .txt.")  # fmt: skip
@format_flag("junit")
def report(run_id: str | None, files: tuple[str, ...], form: str, **rest: Any) -> ExitCode:
    """Tell what RUN (the latest, where not named) came to."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import report as verb

    return verb.report(run_id, _where(rest), form, files, make_screen())


@door.group(short_help="Show, rebuild or verify the runs' documents.")
def manifest() -> None:
    """The runs' documents: a projection of the journals, which are the truth."""


@manifest.command(name="show")
@_RUN
@FOLDERS
def manifest_show(run_id: str | None, **rest: Any) -> ExitCode:
    """Print the manifest of RUN (the latest, where not named)."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import manifest as verb

    return verb.show(run_id, _where(rest), make_screen())


@manifest.command(name="rebuild")
@FOLDERS
def manifest_rebuild(**rest: Any) -> ExitCode:
    """Write every manifest anew from the journals; the same bytes where nothing happened."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import manifest as verb

    return verb.rebuild(_where(rest), make_screen())


@manifest.command(name="verify")
@FOLDERS
@flag("--decode", is_flag=True, help="Open each video too; needs the extra `media`.")
@format_flag()
def manifest_verify(form: str, *, decode: bool, **rest: Any) -> ExitCode:
    """Check that journals are unbroken, manifests true to them, and collected files whole."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import manifest as verb

    return verb.verify(_where(rest), form, make_screen(), decode=decode)


@door.command(short_help="Check key, API, balance, clock, folders.")
@FOLDERS
@REHEARSAL
@format_flag()
def doctor(form: str, **rest: Any) -> ExitCode:
    """Check that everything is in place: key, API, balance, clock, folders, versions."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import doctor as verb

    return verb.doctor(_where(rest), form, make_screen())


@door.command(short_help="Serve the imitated API on a port.")
@flag("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@flag("--port", type=click.IntRange(0, 65535), default=8787, show_default=True,
      help="Port to listen at; 0 for any that is free.")  # fmt: skip
@flag("--store", default="rehearsal/sandbox", show_default=True, metavar="DIR",
      help="Folder of the charge log.")  # fmt: skip
@REHEARSAL
def sandbox(host: str, port: int, store: str, speed: float, faults: str | None) -> ExitCode:
    """Serve the imitated API on a port, until Ctrl-C. Needs the extra `serve`."""
    from kiejobs.cli.screen import make_screen
    from kiejobs.commands import sandbox as verb

    return verb.sandbox(host, port, store, speed, faults, make_screen())


@door.command(short_help="Print the script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL, e.g. eval "$(kiejobs completion bash)"."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(made(door, {}, "kiejobs", "_KIEJOBS_COMPLETE").source())


def _wanted(file: str, choice: dict[str, Any]) -> Wanted:
    from kiejobs.commands.loading import Wanted

    return Wanted(
        file=file,
        select=choice.get("select", ()),
        variables=choice.get("variables", ()),
        vars_files=choice.get("vars_files", ()),
        max_jobs=choice.get("max_jobs"),
    )


def _where(rest: dict[str, Any]) -> Where:
    from kiejobs.commands.workspace import Where

    names = ("runs", "outputs", "base_url", "sandbox", "speed", "faults")
    return Where(**{name: rest[name] for name in names if name in rest})
