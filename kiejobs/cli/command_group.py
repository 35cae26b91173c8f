"""The group that all verbs hang from, and the values that their flags are made into.

In: parsed flags; the standard streams. Out: the values that commands take. Touches: the streams; ends the
process when asked to leave at once.

Click hands a command one keyword for each flag. `given` gathers those that belong together: the flags that a
maker below has parameters for reach the command as the one typed value that it makes.
"""

# ruff: noqa: PLC0415 - imports inside a function keep `--help` light

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, TypeVar, cast

import click

from kiejobs import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal
    from typing import TextIO

    from kiejobs.app.callbacks import ListenAddress
    from kiejobs.app.output import Screen
    from kiejobs.app.project import JobFileOptions, Locations
    from kiejobs.commands.run import RunOptions
    from kiejobs.core.plan.policy import Policy
    from kiejobs.runner import FailureLimit, Settings

    Command = TypeVar("Command", bound=Callable[..., object])

FILE = click.argument("file", metavar="JOBFILE")
MAYBE_FILE = click.argument("file", metavar="[JOBFILE]", required=False)
RUN = click.argument("run_id", metavar="[RUN]", required=False)
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_HELP, no_args_is_help=True)
@click.version_option(__version__, prog_name="kiejobs")
def door() -> None:
    """Declarative YAML jobs for paid generative video: never pay twice, never lose a taskId.

    Write what you want in a job file, look at the plan, run it. Every flag can also be set by
    KIEJOBS_<FLAG>; the key comes from KIE_API_KEY.
    """


def given(name: str, make: Callable[..., object]) -> Callable[[Command], Command]:
    """The flags that `make` has parameters for reach the command as one value, called `name`."""
    taken = make.__annotations__.keys() - {"return"}

    def decorate(command: Command) -> Command:
        @wraps(command)
        def called(**flags: object) -> object:
            mine = {flag: flags.pop(flag) for flag in taken if flag in flags}
            return command(**flags, **{name: make(**mine)})

        return cast("Command", called)  # click calls it by keywords, as parsed

    return decorate


# --- the values ----------------------------------------------------------------------------------


def _job_file(
    *,
    file: str | None = None,
    select: tuple[str, ...] = (),
    variables: tuple[str, ...] = (),
    vars_files: tuple[str, ...] = (),
    max_jobs: int | None = None,
    locked: bool = False,
    check_assets: bool = False,
) -> JobFileOptions:
    """Which job file, and what the command line changes in it."""
    from kiejobs.app.project import JobFileOptions

    return JobFileOptions(
        file=file or "",
        select=select,
        variables=variables,
        vars_files=vars_files,
        max_jobs=max_jobs,
        locked=locked,
        check_assets=check_assets,
    )


def _locations(  # noqa: PLR0913 - one for each flag
    *,
    policy: Policy | None,
    runs: str | None,
    outputs: str | None,
    base_url: str | None,
    sandbox: bool,
    files_elsewhere: bool,
    speed: float = 20.0,
    faults: str | None = None,
) -> Locations:
    """Which folders and which API."""
    from kiejobs.app.project import Locations

    return Locations(
        runs=runs,
        outputs=outputs,
        base_url=base_url,
        sandbox=sandbox,
        speed=speed,
        faults=faults,
        policy=policy,
        files_elsewhere=files_elsewhere,
    )


def _settings(
    *, poll: float, wait: float, once: bool = False, until_done: bool = False
) -> Settings:
    """How to follow tasks."""
    from kiejobs.runner import Settings

    return Settings(first_poll=poll, wait=wait, once=once, until_done=until_done)


def _listen_address(*, host: str, port: int, public_url: str | None) -> ListenAddress:
    from kiejobs.app.callbacks import ListenAddress

    return ListenAddress(host, port, public_url)


def _run_options(  # noqa: PLR0913 - one for each flag
    *,
    rate: tuple[int, float],
    poll: float,
    wait: float,
    in_flight: int,
    detach: bool,
    canary: bool,
    yes: bool,
    budget: Decimal | None,
    retry: tuple[str, ...],
    listen: bool,
    host: str,
    port: int,
    public_url: str | None,
    max_failures: tuple[Decimal, bool] | None,
    plan_file: str | None,
    expect: str | None,
    allow_behind: bool,
) -> RunOptions:
    """How to run. Raises UsageError for flags that don't go together."""
    from kiejobs.commands.run import RunOptions
    from kiejobs.runner import Rate, Settings

    if plan_file is not None and (expect is not None or retry):
        raise click.UsageError("--plan says it all: leave --expect and --retry out")
    if detach and (canary or listen):
        other = "--canary" if canary else "--listen"
        raise click.UsageError(f"{other} waits for results, which --detach does not")
    return RunOptions(
        settings=Settings(
            rate=Rate(*rate),
            first_poll=poll,
            wait=wait,
            in_flight=in_flight,
            detach=detach,
            canary=canary,
        ),
        yes=yes,
        budget=budget,
        retry=retry,
        ear=_listen_address(host=host, port=port, public_url=public_url) if listen else None,
        callback_url=public_url,
        most_failures=_failure_limit(*max_failures) if max_failures else None,
        plan_file=plan_file,
        expect=expect,
        allow_behind=allow_behind,
    )


def _failure_limit(number: Decimal, is_share: bool) -> FailureLimit:  # noqa: FBT001 - as parsed
    from kiejobs.runner import FailureLimit

    return FailureLimit(percent=number) if is_share else FailureLimit(number=int(number))


# --- the terminal ----------------------------------------------------------------------------------


def make_screen(form: str = "text", outs: tuple[str, ...] = ()) -> Screen:
    """Colours and a live display only on a terminal, and not where NO_COLOR is set."""
    from kiejobs.app.output import Screen

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with suppress(OSError):  # it flushes first, maybe onto a full disk
                stream.reconfigure(errors="replace")
    return Screen(
        out=sys.stdout,
        err=sys.stderr,
        color_out=_colors(sys.stdout),
        color_err=_colors(sys.stderr),
        live=sys.stderr.isatty() and os.environ.get("TERM") != "dumb",
        ask=_ask if sys.stdin.isatty() else None,
        leave=_leave,
        form=form,
        outs=outs,
    )


def _colors(stream: TextIO) -> bool:
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def _ask(question: str) -> bool:
    return click.confirm(question, err=True)


def _leave(last_words: str) -> None:
    """At once: the journal is whole at any moment, so nothing needs to be tidied up."""
    from kiejobs.core.diagnostics import ExitCode

    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # the live display hides it
    sys.stderr.write(f"{show_cursor}\n{last_words}\n")
    sys.stderr.flush()
    os._exit(ExitCode.INTERRUPTED)


SCREEN = given("screen", make_screen)
JOB_FILE = given("wanted", _job_file)
LOCATIONS = given("where", _locations)
SETTINGS = given("settings", _settings)
LISTEN_ADDRESS = given("ear", _listen_address)
RUN_OPTIONS = given("how", _run_options)
