"""The verbs from a job file to its videos: one command each, its work behind an import.

In: parsed flags. Out: an exit code. Touches nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kiejobs.cli.command_group import SCREEN, door, verb_of
from kiejobs.cli.options import (
    BUYING,
    CHECK_ASSETS,
    CHOICE,
    FILE,
    FOLDERS,
    FOLLOWING,
    HEARING,
    JOB_FILE,
    LOCKED,
    MAYBE_FILE,
    POLICY,
    POLICY_DEFAULTS,
    REHEARSAL,
    RUN_OPTIONS,
    SELECT,
    SINCE,
    VARIABLES,
    credit_number,
    flag,
    format_flag,
    out_flag,
)

if TYPE_CHECKING:
    from kiejobs.app.options import JobFileOptions, Locations, RunOptions
    from kiejobs.app.output import Screen
    from kiejobs.core.diagnostics import ExitCode


@door.command(short_help="Write a job file to start from.")
@click.argument("folder", default=".")
@flag("--github", is_flag=True, help="Workflows for GitHub: plan, run, collect.")
@flag("--gitlab", is_flag=True, help="The same for GitLab.")
@verb_of("init")
def init() -> None:
    """Write a commented job file, its schema for the editor, and .gitignore into FOLDER.

    Nothing that is there is overwritten.
    """


@door.command(short_help="Tell every problem of a job file.")
@click.argument("files", metavar="JOBFILE...", nargs=-1, required=True)
@CHOICE
@SINCE
@LOCKED
@POLICY
@flag("--strict", is_flag=True, help="Take warnings for errors.")
@out_flag(help="Write to FILE too, as its ending says: .json, .sarif or .txt.")
@format_flag("github", "sarif")
@JOB_FILE
@verb_of("jobfile")
def validate() -> None:
    """Tell every problem of the job files, each at its place. Needs no key and no network.

    A folder stands for the job files below it.
    """


@door.command(short_help="Print the request bodies, one JSON a line.")
@FILE
@CHOICE
@LOCKED
@POLICY_DEFAULTS
@flag("--diff", "since", metavar="REV", help="What an edit since did to each of them, by git; `REV...` "
      "is where HEAD and REV parted.")  # fmt: skip
@out_flag(help="With --diff: write to FILE too, as its ending says: .json, .md or .txt.")
@format_flag("markdown", help="With --diff: what to print on stdout.")
@JOB_FILE
@verb_of("jobfile")
def render() -> None:
    """Print what would be sent, one JSON a line. Needs no key and no network."""


@door.command(short_help="Write down what a job file comes to now.")
@FILE
@VARIABLES
@POLICY_DEFAULTS
@CHECK_ASSETS
@JOB_FILE
@verb_of("jobfile")
def lock() -> None:
    """Write JOBFILE.lock: fingerprints, and digests of models, prices, templates and images.

    `--locked` on validate, render, plan and run refuses whatever differs from it.
    """


@door.command(short_help="Show what a run would buy, and for how much.")
@FILE
@CHOICE
@SINCE
@LOCKED
@FOLDERS
@flag("--budget", type=credit_number, metavar="CREDITS", help="Compare the total with this.")
@flag("--retry", multiple=True, type=click.Choice(["failed", "gone"]),
      help="Plan anew what failed, or what the vendor no longer has.")  # fmt: skip
@flag("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
@out_flag(help="Write to FILE too, as its ending says: .json for `run --plan`, .md or .txt.")
@format_flag("markdown")
@JOB_FILE
@verb_of("plan")
def plan() -> None:
    """Show what a run would do, line by line, with its price. Needs no key and no network."""


@door.command(short_help="Buy what is missing, wait, collect, report.")
@MAYBE_FILE
@CHOICE
@LOCKED
@flag("--plan", "plan_file", metavar="FILE", help="Buy exactly what a plan file says, once.")
@flag("--expect", metavar="DIGEST", help="Buy only what has this digest, or what is left of it.")
@BUYING
@FOLLOWING
@flag("--listen", is_flag=True, help="Take callbacks while it runs; needs the extra `serve`.")
@HEARING
@FOLDERS
@REHEARSAL
@format_flag()
@JOB_FILE
@RUN_OPTIONS
@SCREEN
def run(*, wanted: JobFileOptions, where: Locations, how: RunOptions, screen: Screen) -> ExitCode:
    """Plan, confirm, submit, wait, collect, report. Run it again and it does only what is left."""
    from kiejobs.commands import run as verb  # noqa: PLC0415 - keeps `--help` light

    if how.plan_file is not None and (how.expect is not None or how.retry):
        raise click.UsageError("--plan says it all: leave --expect and --retry out")
    if how.settings.detach and (how.settings.canary or how.listen):
        other = "--canary" if how.settings.canary else "--listen"
        raise click.UsageError(f"{other} waits for results, which --detach does not")
    if not wanted.file and how.plan_file is None:
        raise click.UsageError("say which JOBFILE, or --plan FILE")
    return verb.run(wanted, where, how, screen)


@door.command(short_help="Follow what was bought and bring it home.")
@MAYBE_FILE
@SELECT
@flag("--once", is_flag=True, help="Ask once; exit 8 when something is still running.")
@FOLLOWING
@FOLDERS
@REHEARSAL
@format_flag()
@JOB_FILE
@verb_of("collect")
def collect() -> None:
    """Follow what was bought, bring home what is done. Buys nothing, any number of times."""


@door.command(short_help="Take callbacks; bring home what they tell of.")
@HEARING
@flag("--until-done", is_flag=True, help="End when nothing is at the API any more.")
@FOLLOWING
@FOLDERS
@REHEARSAL
@format_flag()
@verb_of("collect")
def listen() -> None:
    """Take the API's callbacks until Ctrl-C: end doubts, bring home what is done. Buys nothing.

    Needs the extra `serve`. Beside it, `kiejobs run --detach --public-url URL` submits.
    """
