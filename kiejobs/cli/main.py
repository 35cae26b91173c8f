"""The door: commands, options, exit codes. Only here does the process end.

In: the command line. Out: an exit code. Touches: the standard streams, and a report file when
kiejobs itself is at fault. Heavy imports stay behind a verb; `kiejobs --help` is printed from help.txt,
since importing click takes four times as long as starting Python.

Three ways out of the error handler: expected (words and a hint), interrupted, a bug (a report file).
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from typing import TYPE_CHECKING

from kiejobs import __version__

if TYPE_CHECKING:
    from typing import NoReturn, TextIO

    from kiejobs.core.diagnostics import KiejobsError


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_SELDOM = 1_000_000
"""Objects that are made between two looks for garbage; what carries out a plan looks more often."""

HELP = (["-h"], ["--help"])
HELP_PAGE = __file__.removesuffix("main.py") + "help.txt"


def main() -> NoReturn:
    _open_streams()
    code = 0 if sys.argv[1:] in HELP and _prints_help() else _run()
    _says_its_last(sys.stderr)
    if not _says_its_last(sys.stdout) and not code:
        from kiejobs.core.diagnostics import ExitCode  # noqa: PLC0415 - dataclasses take a while

        code = ExitCode.JOURNAL
        with contextlib.suppress(OSError):
            sys.stderr.write("error: can't write to stdout\n")
    gc.freeze()  # what is left is not searched for garbage: it goes with the process
    sys.exit(int(code))


def _open_streams() -> None:
    """Where one was closed by who started us, nothing goes there: else the next file that is opened would be it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            with contextlib.suppress(OSError):
                os.fstat(number)
                continue
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: PTH123, SIM115 - as long as we are there


def _prints_help() -> bool:
    """The page that click makes for 80 columns; False where it doesn't fit or can't be read."""
    try:
        fits = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns) >= 80
    except (ValueError, OSError):
        fits = True  # no terminal: click takes 80
    try:
        with open(HELP_PAGE, encoding="utf-8") as page:  # noqa: PTH123 - pathlib takes a while
            sys.stdout.write(page.read() if fits else "")
    except OSError:
        return False
    return fits


def _says_its_last(stream: TextIO) -> bool:
    """Flush; what can't be written goes nowhere, else Python ends with a code of its own (120)."""
    try:
        stream.flush()
    except OSError as error:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return isinstance(error, BrokenPipeError)  # then the reader has seen enough
    return True


def _run() -> int:
    gc.set_threshold(_SELDOM)  # 100,000 jobs are made, and none is garbage before the end
    try:
        # Imported here, so that an import error is a bug report too; the verbs hang themselves onto it.
        from kiejobs.cli import verbs  # noqa: F401, PLC0415
        from kiejobs.cli.command_group import door  # noqa: PLC0415

        if "_KIEJOBS_COMPLETE" in os.environ:
            from kiejobs.cli import completion  # noqa: F401, PLC0415 - a shell asks; click hands the question on

        answer = door.main(prog_name="kiejobs", standalone_mode=False)
    except SystemExit:
        return 0  # click's end where the reader of stdout went away (`| head`)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last net
        return _failed(error)
    return answer if isinstance(answer, int) else 0


def _failed(error: BaseException) -> int:
    import click  # noqa: PLC0415 - behind an error

    from kiejobs.cli.command_group import make_screen, with_a_hint  # noqa: PLC0415 - as above
    from kiejobs.core.diagnostics import ExitCode, KiejobsError  # noqa: PLC0415 - as above

    exec("")  # noqa: S102 - what Ctrl-C broke off may have been one (of dataclasses): Python would end by the signal

    if isinstance(error, click.ClickException):
        words = io.StringIO()
        error = with_a_hint(error) if isinstance(error, click.exceptions.NoSuchCommand) else error
        error.show(words)  # it quotes names of files, which may be a stranger's
        make_screen().say(words.getvalue().rstrip("\n"))
        return ExitCode.INVALID
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("Cancelled; nothing was bought.", err=True)  # a run that has bought says so itself
        return ExitCode.INTERRUPTED
    known = error if isinstance(error, KiejobsError) else _of_the_system(error)
    if known is None:
        return _bug(error)
    make_screen().refuse(known)
    return known.exit_code


def _of_the_system(error: BaseException) -> KiejobsError | None:
    """What is no fault of ours, wherever it comes up: no file can be opened or written, the current folder is gone."""
    from kiejobs.core.diagnostics import JournalProblem, UsageProblem  # noqa: PLC0415 - behind an error

    inner = getattr(error, "exceptions", ())
    if inner:
        return next(filter(None, map(_of_the_system, inner)), None)
    if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
        sys.unraisablehook = lambda _: None  # an event loop that was made in part complains when it goes
        return JournalProblem(
            "too many files are open", hint="raise the limit (`ulimit -n 4096`), then run again"
        )
    if isinstance(error, OSError) and error.errno in _FULL:
        hint = "make room, then run again; nothing that was paid for is lost"
        return JournalProblem(f"can't write: {error.strerror}", hint=hint)
    try:
        os.getcwd()  # noqa: PTH109 - pathlib takes a while
    except OSError:
        return UsageProblem("the current folder is gone", hint="`cd` into a folder that is there")
    return None


def _bug(error: BaseException) -> int:
    import click  # noqa: PLC0415 - behind a bug

    from kiejobs.core.diagnostics import ExitCode  # noqa: PLC0415

    where = _write_report(error)
    click.echo(f"this is a bug in kiejobs: {type(error).__name__}", err=True)
    click.echo("  Nothing that was paid for is lost: run the same command again.", err=True)
    click.echo(f"  The report is in {where}; please attach it to a bug report.", err=True)
    return ExitCode.BUG


def _write_report(error: BaseException) -> str:
    """The traceback and the versions. Values of variables are left out: prompts may be private."""
    import platform  # noqa: PLC0415 - behind a bug, as all here
    import tempfile  # noqa: PLC0415
    import traceback  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from kiejobs.adapters.system import redact  # noqa: PLC0415

    lines = [
        f"kiejobs {__version__}, Python {platform.python_version()}, {platform.system()}",
        f"command: {' '.join(sys.argv[1:])}",
        "",
        *traceback.format_exception(error),
    ]
    text = redact("\n".join(lines))
    for folder in (Path.cwd, tempfile.gettempdir):
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=folder(), prefix="kiejobs-crash-", suffix=".txt", delete=False,
                encoding="utf-8",
            ) as report:  # fmt: skip
                report.write(text)
        except OSError:
            continue
        return str(report.name)
    sys.stderr.write(text)
    return "the lines above"
