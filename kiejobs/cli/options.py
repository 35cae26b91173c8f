"""The options that verbs share, and the kinds of value they take.

In: words from the command line or `KIEJOBS_<FLAG>`. Out: typed values. Touches nothing.
"""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from kiejobs.app.options import (
    GalleryOptions,
    JobFileOptions,
    ListenAddress,
    Locations,
    PickOptions,
    PlanOptions,
    RunOptions,
)
from kiejobs.cli.command_group import FOLDER, given

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from kiejobs.core.plan.policy import Policy
    from kiejobs.runner import Settings

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?", re.ASCII)
_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>()\[\]`|\\]+")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


def duration(value: str | float) -> float:
    """Seconds, from a number with its unit: `500ms`, `3s`, `10m`, `2h`. Raises BadParameter, as all here."""
    if isinstance(value, float):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None or not float(found[1]):
        raise click.BadParameter(f"{value!r} is not a duration; write 500ms, 3s, 10m or 2h")
    return float(found[1]) * _UNITS[found[2]]


def moment(value: str | float) -> str | float:
    """A day or a month as it is written, or seconds, from a duration."""
    if isinstance(value, float):
        return value
    from kiejobs.core.prices.table import day_of  # noqa: PLC0415 - keeps `--help` light

    if not _DAY.fullmatch(value):
        return duration(value)
    try:
        day_of(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not in the calendar") from error
    return value


def rate(value: str | tuple[int, float]) -> tuple[int, float]:
    """(count, seconds), from `18/10.5s`."""
    if isinstance(value, tuple):
        return value
    count, slash, span = value.partition("/")
    if not slash or not count.strip().isdecimal() or int(count) < 1:
        raise click.BadParameter(f"{value!r} is not a rate; write 18/10.5s")
    return int(count), duration(span)


def credit_number(value: str | Decimal) -> Decimal:
    """A number of credits, 0 or more, exact."""
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415 - keeps `--help` light

    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise click.BadParameter(f"{value!r} is not a number of credits")
    return number


def factor(value: str | float) -> float:
    """A factor above zero, up to a million."""
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0.001 <= number <= 1_000_000:
        raise click.BadParameter(f"{value!r} is not a factor; write 20, or 0.5 for half speed")
    return number


def failures(value: str | tuple[Decimal, bool]) -> tuple[Decimal, bool]:
    """(number, is it a share?), from `5` or `10%`."""
    from decimal import Decimal  # noqa: PLC0415 - keeps `--help` light

    if isinstance(value, tuple):
        return value
    text = value.strip()
    share = text.endswith("%")
    number = text.removesuffix("%")
    known = _PERCENT.fullmatch(number) if share else number.isdecimal() and number.isascii()
    if not known or not Decimal(number) or (share and Decimal(number) > 100):
        raise click.BadParameter(f"{value!r} is not a limit of failures; write 5 or 10%")
    return Decimal(number), share


def web_address(value: str) -> str | None:
    """An http(s) URL that can be part of Markdown; None for an empty one, as from a variable that nobody set."""
    if value and not _WEB_ADDRESS.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a web address")
    return value or None


class _Limit(click.Option):
    """What narrows a purchase or approves it. Where it is empty it would allow all, so that is refused.

    An empty value is what a variable gives that nobody set; from the environment it is as empty.
    """

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        given = opts.get(self.name or "", os.environ.get(str(self.envvar)))
        words = [given] if isinstance(given, str) else given or ()
        if not ctx.resilient_parsing and not all(map(str.strip, words)):
            raise click.UsageError(f"{self.opts[0]} is empty; check that the variable in it is set", ctx)
        return super().handle_parse_result(ctx, opts, args)


def flag(name: str, *more: str, **settings: Any) -> Decorator:
    """An option that can also be set by `KIEJOBS_<NAME>`; `name` is its long spelling."""
    long = name.partition("/")[0].lstrip("-").replace("-", "_").upper()
    return click.option(name, *more, envvar=f"KIEJOBS_{long}", show_envvar=False, **settings)


def completed(by: str) -> dict[str, Any]:
    """For an argument or a flag: the shell offers what this function of `kiejobs.cli.completion` finds."""

    def offer(context: click.Context, _: click.Parameter, incomplete: str) -> list[Any]:
        from kiejobs.cli import completion  # noqa: PLC0415 - a shell asks for it, nobody else

        return list(getattr(completion, by)(context, incomplete))

    return {"shell_complete": offer}


limit = partial(flag, cls=_Limit)
"""A `flag` that must not be empty."""


def stacked(*decorators: Decorator) -> Decorator:
    """Several options as one decorator, listed in the order given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def format_flag(*forms: str, help: str = "Output format on stdout.") -> Decorator:  # noqa: A002 - click's word
    choice = click.Choice(["text", "json", *forms])
    return flag("--format", "form", type=choice, default="text", show_default=True, help=help)


out_flag = partial(flag, "--out", "-o", "outs", multiple=True, metavar="FILE")
"""`-o FILE`, several times; `help` says which endings there are."""


def _policy(context: click.Context, _: click.Parameter, named: str | None) -> Policy | None:
    """The policy of that name, else the project's; what it says of flags is laid beneath the others."""
    if context.resilient_parsing:
        return None
    from kiejobs.adapters.project.root import find_root  # noqa: PLC0415 - behind a verb, as all here
    from kiejobs.app.project import flags_of, policy_at, project_policy  # noqa: PLC0415

    policy = policy_at(named, named=True) if named else project_policy(find_root(_job_file(context)))
    if policy is not None:
        context.default_map = {**(context.default_map or {}), **flags_of(policy)}
    return policy


def _job_file(context: click.Context) -> str:
    """The first of those that the command line names: arguments are eager, so they are known."""
    for name in ("file", "files", "words"):
        given = context.params.get(name) or ()
        for word in (given,) if isinstance(given, str) else given:
            if os.path.exists(word):  # noqa: PTH110 - keeps `--help` light
                return str(word)
    return ""


FILES = click.argument("files", metavar="JOBFILE...", nargs=-1, required=True, is_eager=True)
MAYBE_FILES = click.argument("files", metavar="[JOBFILE]...", nargs=-1, is_eager=True)
CAMPAIGNS = click.argument("files", metavar="[CAMPAIGN|JOBFILE]...", nargs=-1, is_eager=True)
RUNS = click.argument("names", metavar="[RUN|CAMPAIGN|JOBFILE]...", nargs=-1, **completed("run_ids"))
RUN = click.argument("run_id", metavar="[RUN]", required=False, **completed("run_ids"))
JOB_FILE = given("wanted", JobFileOptions)
PLAN_OPTIONS = given("how", PlanOptions)
RUN_OPTIONS = given("how", RunOptions)
"""With `ear` and `settings`, which are made before it: it follows HEARING and FOLLOWING."""

_POLICY: dict[str, Any] = {
    "metavar": "FILE",
    "is_eager": True,  # before the flags that it has defaults for
    "callback": _policy,
    "help": "A policy file that applies in addition to the project's kiejobs.yaml.",
}
POLICY = flag("--policy", **_POLICY)

POLICY_DEFAULTS = flag("--policy", expose_value=False, **_POLICY)
"""For verbs that want nothing of a policy but what it says of their flags."""

BASE_URL = flag("--base-url", metavar="URL", help="Base URL of the API; also KIE_API_BASE.")

FOLDERS = stacked(
    click.option("-C", "directory", hidden=True, **FOLDER),
    flag("--runs", metavar="DIR", help="Folder for the journals.  [default: runs]"),
    flag("--outputs", metavar="DIR|URL",
         help="Folder for the media, or s3://bucket/prefix.  [default: outputs]"),
    BASE_URL,
    flag("--files-elsewhere", is_flag=True,
         help="Don't download collected files again if they were moved (for CI)."),
    flag("--sandbox", is_flag=True, help="Rehearse: use the sandbox and rehearsal/; spend nothing."),
    POLICY,
    given("where", Locations),
)  # fmt: skip

REHEARSAL = stacked(
    flag("--speed", type=factor, default=20.0, show_default=True,
         help="Speed of a rehearsal: this many times real time."),
    flag("--sandbox-credits", type=credit_number, metavar="CREDITS",
         help="Credits in the sandbox's account at the start of each command.  [default: 10000]"),
    flag("--faults", metavar="FILE", help="YAML file with faults for the sandbox to simulate."),
)  # fmt: skip

STAND_IN = stacked(
    POLICY_DEFAULTS,
    BASE_URL,
    flag("--sandbox", is_flag=True, help="Ask the sandbox, which offers the models known here."),
    REHEARSAL,
    given("where", Locations),
)

SINCE = flag("--changed-since", "since", metavar="REV",
             help="Only job files that changed since this git revision, themselves or in what they include.")  # fmt: skip

SELECT = limit("--select", multiple=True, metavar="WORDS",
              help="Only matching jobs: an address pattern, tag:T, job:J, axis:A=V, state:S, result:R, pick:P or file:F. "
              "'A B' selects what matches A or B; 'A,B' what matches both.", **completed("selections"))  # fmt: skip

VARIABLES = stacked(
    flag("--var", "variables", multiple=True, metavar="K=V", help="Set a variable of the job file."),
    flag("--vars-file", "vars_files", multiple=True, metavar="FILE", help="Set variables from a YAML file."),
    flag("--max-jobs", type=click.IntRange(min=1), help="Raise the job file's limits.max_jobs; may exceed 100,000."),
)  # fmt: skip

DETAIL = stacked(
    flag("--summary", is_flag=True, help="Show only totals; no line for each job."),
    flag("--full", is_flag=True, help="List every job, also where many are alike."),
)

CHOICE = stacked(SELECT, VARIABLES)

CHECK_ASSETS = flag("--check-assets", is_flag=True,
                    help="Fetch the files that requests link to; check type and size.")  # fmt: skip

LOCKED = stacked(
    flag("--locked", is_flag=True, help="Refuse anything that differs from JOBFILE.lock (exit 6)."),
    flag("--strict", is_flag=True, help="Treat warnings as errors."),
    CHECK_ASSETS,
)


def _settings(  # noqa: PLR0913 - one for each flag
    *, poll: float, wait: float, rate: tuple[int, float] = (18, 10.5), in_flight: int = 100,
    detach: bool = False, canary: bool = False, once: bool = False, until_done: bool = False,
    checks: bool = True,
) -> Settings:  # fmt: skip
    from kiejobs.runner import Rate, Settings  # noqa: PLC0415 - keeps `--help` light

    return Settings(
        Rate(*rate), poll, wait, in_flight,
        detach=detach, canary=canary, once=once, until_done=until_done, checks=checks,
    )  # fmt: skip


PICK_OPTIONS = given("how", PickOptions)

FOLLOWING = stacked(
    flag("--poll", type=duration, default="3s", show_default=True,
         help="Initial polling interval; it increases."),
    flag("--wait", type=duration, default="60m", show_default=True,
         help="Maximum time to wait for one task; then it is left running."),
    flag("--checks/--no-checks", default=True,
         help="Check results after the download; needs the extra `media`."),
    given("settings", _settings),
)  # fmt: skip

HEARING = stacked(
    flag("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    flag("--port", type=click.IntRange(0, 65535), default=8788, show_default=True,
         help="Port to listen on; 0 for any free port."),
    flag("--public-url", metavar="URL",
         help="Public URL of the listener; requests carry it as callBackUrl."),
    given("ear", ListenAddress),
)  # fmt: skip


GALLERY = stacked(
    flag("--out", "-o", metavar="FOLDER",
         help="Target folder; with --single-file, the file.  [default: gallery]"),
    flag("--copy", is_flag=True, help="Also copy the clips into the folder, so that it can be sent or hosted."),
    flag("--single-file", is_flag=True,
         help="Write one HTML file with embedded posters and previews; needs the extra `media`."),
    flag("--picks", is_flag=True, help="Only picked clips."),
    flag("--serve", is_flag=True, help="Serve the page: it follows a live run and saves picks; needs the extra `serve`."),
    flag("--host", default="127.0.0.1", show_default=True, help="Address to serve on."),
    flag("--port", type=click.IntRange(0, 65535), default=0, show_default=True,
         help="Port to serve on; 0 for any free port."),
    given("how", GalleryOptions),
)  # fmt: skip

BUYING = stacked(
    flag("--yes", is_flag=True, help="Buy without asking, for CI. A rehearsal never asks."),
    limit("--budget", type=credit_number, metavar="CREDITS", help="Spend at most this."),
    flag("--retry", multiple=True, type=click.Choice(["failed", "gone"]),
         help="Buy again what failed or was rejected, or what the vendor no longer has."),
    flag("--rate", type=rate, metavar="COUNT/PERIOD", default="18/10.5s", show_default=True,
         help="Submit at most COUNT jobs per PERIOD."),
    flag("--in-flight", type=click.IntRange(min=1), default=100, show_default=True,
         help="Run at most this many tasks at the API at once."),
    flag("--canary/--no-canary", default=False,
         help="Buy the cheapest variant of each job first; continue if it succeeded."),
    limit("--max-failures", type=failures, metavar="N|N%",
         help="Stop buying after this many failures; keep collecting."),
    flag("--allow-behind", is_flag=True,
         help="Buy even if journals that git has, or may have, are missing here."),
    flag("--detach", is_flag=True, help="Exit after submitting; `kiejobs collect` does the rest."),
)  # fmt: skip
