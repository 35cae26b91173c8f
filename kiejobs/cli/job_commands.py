"""The verbs from a job file to its videos: one command each, its work behind an import.

In: parsed options. Out: an exit code. Touches nothing itself.
"""

# ruff: noqa: PLC0415 - imports inside a command keep `--help` light

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kiejobs.cli.command_group import FILE, MAYBE_FILE, door, wanted, where
from kiejobs.cli.options import (
    BUYING,
    CHECK_ASSETS,
    CHOICE,
    CREDITS,
    FOLDERS,
    FOLLOWING,
    HEARING,
    LOCKED,
    POLICY,
    REHEARSAL,
    SELECT,
    SINCE,
    VARIABLES,
    flag,
    format_flag,
    out_flag,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from kiejobs.commands.run import RunOptions
    from kiejobs.core.diagnostics import ExitCode
    from kiejobs.runner import FailureLimit


@door.command(short_help="Write a job file to start from.")
@click.argument("folder", default=".")
@flag("--github", is_flag=True, help="Workflows for GitHub: plan, run, collect.")
@flag("--gitlab", is_flag=True, help="The same for GitLab.")
def init(folder: str, *, github: bool, gitlab: bool) -> ExitCode:
    """Write a commented job file, its schema for the editor, and .gitignore into FOLDER.

    Nothing that is there is overwritten.
    """
    from kiejobs.cli.terminal import make_screen
    from kiejobs.commands import init as verb

    forges = [name for name, wanted in (("github", github), ("gitlab", gitlab)) if wanted]
    return verb.init(folder, forges, make_screen())


@door.command(short_help="Tell every problem of a job file.")
@click.argument("files", metavar="JOBFILE...", nargs=-1, required=True)
@CHOICE
@SINCE
@LOCKED
@POLICY
@flag("--strict", is_flag=True, help="Take warnings for errors.")
@out_flag("Write to FILE too, as its ending says: .json, .sarif or .txt.")
@format_flag("github", "sarif")
def validate(
    files: tuple[str, ...],
    form: str,
    outs: tuple[str, ...],
    since: str | None,
    *,
    strict: bool,
    **choice: Any,
) -> ExitCode:
    """Tell every problem of the job files, each at its place. Needs no key and no network.

    A folder stands for the job files below it.
    """
    from kiejobs.cli.terminal import make_screen
    from kiejobs.commands import validate as verb

    screen = make_screen()
    look_at, policy = wanted("", choice), choice["policy"]
    return verb.validate(look_at, files, form, screen, policy, outs, since, strict=strict)


@door.command(short_help="Print the request bodies, one JSON a line.")
@FILE
@CHOICE
@LOCKED
@POLICY
@flag("--diff", "since", metavar="REV", help="What an edit since did to each of them, by git; `REV...` "
      "is where HEAD and REV parted.")  # fmt: skip
@out_flag("With --diff: write to FILE too, as its ending says: .json, .md or .txt.")
@format_flag("markdown", help="With --diff: what to print on stdout.")
def render(
    file: str, since: str | None, form: str, outs: tuple[str, ...], **choice: Any
) -> ExitCode:
    """Print what would be sent, one JSON a line. Needs no key and no network."""
    from kiejobs.cli.terminal import make_screen
    from kiejobs.commands import render as verb

    return verb.render(wanted(file, choice), make_screen(), since, form, outs)


@door.command(short_help="Write down what a job file comes to now.")
@FILE
@VARIABLES
@POLICY
@CHECK_ASSETS
def lock(file: str, **choice: Any) -> ExitCode:
    """Write JOBFILE.lock: fingerprints, and digests of models, prices, templates and images.

    `--locked` on validate, render, plan and run refuses whatever differs from it.
    """
    from kiejobs.cli.terminal import make_screen
    from kiejobs.commands import lock as verb

    return verb.lock(wanted(file, choice), make_screen())


@door.command(short_help="Show what a run would buy, and for how much.")
@FILE
@CHOICE
@SINCE
@LOCKED
@FOLDERS
@flag("--budget", type=CREDITS, metavar="CREDITS", help="Compare the total with this.")
@flag("--retry", multiple=True, type=click.Choice(["failed", "gone"]),
      help="Plan anew what failed, or what the vendor no longer has.")  # fmt: skip
@flag("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
@out_flag("Write to FILE too, as its ending says: .json for `run --plan`, .md or .txt.")
@format_flag("markdown")
def plan(
    file: str,
    form: str,
    outs: tuple[str, ...],
    budget: Decimal | None,
    retry: tuple[str, ...],
    since: str | None,
    *,
    detailed_exitcode: bool,
    **rest: Any,
) -> ExitCode:
    """Show what a run would do, line by line, with its price. Needs no key and no network."""
    from kiejobs.cli.terminal import make_screen
    from kiejobs.commands import plan as verb

    return verb.plan(
        wanted(file, rest),
        where(rest),
        form,
        make_screen(),
        detailed_exitcode=detailed_exitcode,
        retry=retry,
        budget=budget,
        outs=outs,
        since=since,
    )


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
def run(file: str | None, **flags: Any) -> ExitCode:
    """Plan, confirm, submit, wait, collect, report. Run it again and it does only what is left."""
    from kiejobs.cli.terminal import make_screen
    from kiejobs.commands import run as verb

    _refuse_what_goes_with_nothing(file, flags)
    return verb.run(wanted(file or "", flags), where(flags), _how(flags), make_screen())


def _refuse_what_goes_with_nothing(file: str | None, flags: dict[str, Any]) -> None:
    if file is None and flags["plan_file"] is None:
        raise click.UsageError("say which JOBFILE, or --plan FILE")
    if flags["plan_file"] is not None and (flags["expect"] is not None or flags["retry"]):
        raise click.UsageError("--plan says it all: leave --expect and --retry out")
    if flags["detach"] and (flags["canary"] or flags["listen"]):
        other = "--canary" if flags["canary"] else "--listen"
        raise click.UsageError(f"{other} waits for results, which --detach does not")


def _how(flags: dict[str, Any]) -> RunOptions:
    """The flags that say how to run."""
    from kiejobs.app.callbacks import ListenAddress
    from kiejobs.commands.run import RunOptions
    from kiejobs.runner import Rate, Settings

    ear = ListenAddress(flags["host"], flags["port"], flags["public_url"])
    return RunOptions(
        settings=Settings(
            rate=Rate(*flags["rate"]),
            first_poll=flags["poll"],
            wait=flags["wait"],
            in_flight=flags["in_flight"],
            detach=flags["detach"],
            canary=flags["canary"],
        ),
        yes=flags["yes"],
        budget=flags["budget"],
        retry=flags["retry"],
        form=flags["form"],
        ear=ear if flags["listen"] else None,
        callback_url=flags["public_url"],
        most_failures=_limit(flags["max_failures"]),
        plan_file=flags["plan_file"],
        expect=flags["expect"],
        allow_behind=flags["allow_behind"],
    )


def _limit(given: tuple[Decimal, bool] | None) -> FailureLimit | None:
    from kiejobs.runner import FailureLimit

    if given is None:
        return None
    number, is_share = given
    return FailureLimit(percent=number) if is_share else FailureLimit(number=int(number))


@door.command(short_help="Follow what was bought and bring it home.")
@MAYBE_FILE
@SELECT
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
    from kiejobs.cli.terminal import make_screen
    from kiejobs.commands import collect as verb
    from kiejobs.runner import Settings

    settings = Settings(first_poll=poll, wait=wait, once=once)
    which = wanted(file or "", {"select": select})
    return verb.collect(which, where(rest), settings, form, make_screen())


@door.command(short_help="Take callbacks; bring home what they tell of.")
@HEARING
@flag("--until-done", is_flag=True, help="End when nothing is at the API any more.")
@FOLLOWING
@FOLDERS
@REHEARSAL
@format_flag()
def listen(
    form: str,
    poll: float,
    wait: float,
    host: str,
    port: int,
    public_url: str | None,
    *,
    until_done: bool,
    **rest: Any,
) -> ExitCode:
    """Take the API's callbacks until Ctrl-C: end doubts, bring home what is done. Buys nothing.

    Needs the extra `serve`. Beside it, `kiejobs run --detach --public-url URL` submits.
    """
    from kiejobs.app.callbacks import ListenAddress
    from kiejobs.cli.terminal import make_screen
    from kiejobs.commands import listen as verb
    from kiejobs.runner import Settings

    settings = Settings(first_poll=poll, wait=wait, until_done=until_done)
    return verb.listen(
        where(rest), ListenAddress(host, port, public_url), settings, form, make_screen()
    )
