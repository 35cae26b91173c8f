"""The group that all verbs hang from, and how parsed flags reach a verb as typed values.

In: parsed flags; the standard streams. Out: what a verb is called with. Touches: the streams; ends the process when
asked to leave at once.
"""

# ruff: noqa: PLC0415 - imports inside a function keep `--help` light

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from kiejobs import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from click.exceptions import NoSuchCommand

    from kiejobs.app.output import Screen

    Command = TypeVar("Command", bound=Callable[..., object])


def change_folder(context: click.Context, _: click.Parameter, folders: tuple[str, ...]) -> str | None:
    """`-C DIR`: all that follows is as if called there; several add up. Out: where that is, from where we were called."""
    if folders or not context.resilient_parsing:
        for folder in folders:
            try:
                os.chdir(folder)
            except OSError as error:
                raise click.BadParameter(f"{folder}: {error.strerror}") from error
        there = os.path.join(context.meta.get(_FOLDER, ""), *folders)  # noqa: PTH118 - keeps `--help` light
        context.meta[_FOLDER] = there
    return context.meta.get(_FOLDER) or None


_FOLDER = f"{__name__}.folder"
_JSON = f"{__name__}.json"
_NARROWEST = 40  # columns: what claims to be narrower gets lines of that
FOLDER: dict[str, Any] = {
    "multiple": True, "metavar": "DIR", "is_eager": True, "callback": change_folder,
    "help": "Run as if started in DIR.",
}  # fmt: skip
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _keep(context: click.Context, option: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it
    """For what is allowed before a verb and after it."""
    if value and option.name == "no_color":
        os.environ["NO_COLOR"] = "1"  # what reports an error, at the end, has no flags any more
    if value:
        context.meta[f"{__name__}.{option.name}"] = context.get_parameter_source(str(option.name))


_SPOKEN = {
    ("-q", "--quiet"): "Print only what needs attention and one closing line.",
    ("-v", "--verbose"): "List every job instead of folding similar ones.",
    ("--no-color",): "Disable colors; also NO_COLOR.",
    ("--json",): "Print JSON on stdout, as --format json.",
}
"""How to speak: the flags that every command takes, on either side of the verb."""


_HABITS = {
    "--help": "help", "--version": "version", "run": "apply build buy exec start submit",
    "plan": "diff list ls preview show", "runs": "history list log logs ls", "report": "log logs show",
    "models list": "list ls", "models show": "show", "collect": "download fetch pull", "render": "compile",
    "validate": "lint test", "doctor": "auth debug login",
}  # fmt: skip
"""A command, and what people call it who come from other tools."""


class _Door(click.Group):
    group_class = type

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        for flags, words in _SPOKEN.items():
            variable = f"KIEJOBS_{flags[-1][2:].upper().replace('-', '_')}"
            cmd.params.append(
                click.Option(flags, is_flag=True, expose_value=False, callback=_keep, help=words, hidden=True,
                             envvar=variable)
            )  # fmt: skip
        cmd.epilog = "Global options: -q, -v, --no-color, --json, -C DIR; see `kiejobs --help`."
        super().add_command(cmd, name)


def with_a_hint(error: NoSuchCommand) -> click.UsageError:
    """The same, with the command that was probably meant."""
    from kiejobs.core.document.wording import did_you_mean, likely, shorten

    context, name = error.ctx, error.command_name
    if context is None or not isinstance(context.command, click.Group):
        return error
    usual = [path for path, words in _HABITS.items() if name in words.split() and context.parent is None]
    meant = [f"{context.command_path} {path}" for path in usual or likely(name, _paths(context.command))]
    hint = "".join(f"; {words}" for words in [did_you_mean(meant)] if words)
    return click.UsageError(f"unknown command `{shorten(name)}`{hint}", context)


def _paths(group: click.Group) -> list[str]:
    """How its commands are called, those of groups in it too: `models sync`."""
    inner = {name: _paths(one) for name, one in group.commands.items() if isinstance(one, click.Group)}
    return [*group.commands, *(f"{name} {path}" for name, paths in inner.items() for path in paths)]


@click.group(cls=_Door, context_settings=_HELP, no_args_is_help=True)
@click.option("-C", "directory", expose_value=False, **FOLDER)
@click.version_option(__version__, prog_name="kiejobs")
def door() -> None:
    """Buy pay-per-clip generative video from YAML job files: never pay twice, never lose a taskId.

    Write a job file, review the plan, run it. Every flag can also be set by an environment variable
    KIEJOBS_<FLAG>; the API key is read from KIE_API_KEY.
    """


for _flags, _words in _SPOKEN.items():
    door.params.insert(
        -1, click.Option(_flags, is_flag=True, expose_value=False, callback=_keep, help=_words)
    )


def given(name: str, make: Callable[..., object]) -> Callable[[Command], Command]:
    """The flags that `make` has parameters or fields for reach the command as one value, called `name`."""
    taken = make.__annotations__.keys() - {"return"}

    def decorate(command: Command) -> Command:
        @wraps(command)
        def called(**flags: object) -> object:
            mine = {flag: flags.pop(flag) for flag in taken if flag in flags}
            return command(**flags, **{name: make(**mine)})

        return cast("Command", called)  # click calls it by keywords, as parsed

    return decorate


def verb_of(module: str) -> Callable[[Callable[[], None]], Callable[..., object]]:
    """What the function of this name in `kiejobs.commands.MODULE` does, imported once it is called: `--help` is light."""

    def decorate(described: Callable[[], None]) -> Callable[..., object]:
        @wraps(described)
        def called(**flags: object) -> object:
            verb = getattr(import_module(f"kiejobs.commands.{module}"), described.__name__)
            return verb(**flags)

        return SCREEN(called)

    return decorate


# --- the terminal ----------------------------------------------------------------------------------


def make_screen(
    form: str = "text", outs: tuple[str, ...] = (), *, summary: bool = False, full: bool = False
) -> Screen:
    """Colours and a live display only on a terminal, and not where NO_COLOR is set. Raises UsageError."""
    from kiejobs.app.output import Screen
    from kiejobs.reports.terminal import Detail

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # What a program reads is UTF-8 whatever the locale; a terminal shows what it can, the rest spelled out.
            encoding = stream.encoding if stream.isatty() else "utf-8"
            with suppress(OSError):  # it flushes first, maybe onto a full disk
                stream.reconfigure(encoding=encoding, errors="backslashreplace")
    context = click.get_current_context(silent=True)
    kept = context.meta if context else dict[str, Any]()
    quiet, verbose = f"{__name__}.quiet" in kept, f"{__name__}.verbose" in kept
    for one, other, said in ((quiet, verbose, "-q and -v"), (summary, full, "--summary and --full")):
        if one and other:
            raise click.UsageError(f"{said} exclude each other", context)
    short = Detail.LINE if quiet else Detail.SUMMARY if summary else Detail.PAGE
    is_full = full or (verbose and not summary)
    return Screen(
        out=sys.stdout,
        err=sys.stderr,
        color_out=_colors(sys.stdout),
        color_err=_colors(sys.stderr),
        live=sys.stderr.isatty() and os.environ.get("TERM") != "dumb",
        ask=_ask if sys.stdin.isatty() else None,
        leave=_leave,
        form=_as_json(form, context, kept[_JSON]) if context and _JSON in kept else form,
        outs=outs,
        quiet=quiet,
        verbose=verbose,
        detail=Detail.FULL if is_full else short,
        wide_out=_columns(sys.stdout),
        wide_err=_columns(sys.stderr),
    )


def _as_json(form: str, context: click.Context, source: ParameterSource) -> str:
    """`--json`; from the environment it is a wish. Raises UsageError where the verb has none, or two forms are named."""
    is_wish = source is ParameterSource.ENVIRONMENT
    flags = {option.name: option for option in context.command.params}
    kind = getattr(flags.get("form"), "type", None)
    if not isinstance(kind, click.Choice) or "json" not in kind.choices:
        if is_wish:
            return form
        raise click.UsageError(f"`{context.command_path}` has no JSON output", context)
    if form != "json" and context.get_parameter_source("form") is ParameterSource.COMMANDLINE:
        if is_wish:
            return form
        raise click.UsageError(f"--json and --format {form} exclude each other", context)
    return "json"


def _columns(stream: TextIO) -> int | None:
    """How wide a terminal is; what goes elsewhere has no width, unless COLUMNS says one."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said) > 0:
        return max(int(said), _NARROWEST)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, _NARROWEST) if stream.isatty() else None
    except (OSError, ValueError):
        return None


def _colors(stream: TextIO) -> bool:
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def _ask(question: str) -> bool:
    """Ctrl-C and the end of input are a no, too."""
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        return False


def _leave(last_words: str) -> None:
    """At once: the journal is complete at any moment, so nothing needs to be tidied up."""
    from kiejobs.core.diagnostics import ExitCode

    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # the live display hides it
    sys.stderr.write(f"{show_cursor}\n{last_words}\n")
    sys.stderr.flush()
    os._exit(ExitCode.INTERRUPTED)


SCREEN = given("screen", make_screen)
