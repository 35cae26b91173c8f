"""How a verb speaks: documents on stdout and in files, everything else for people on stderr.

In: streams; names of files. Out: lines; files that are complete or not there. Touches: streams, disk.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from kiejobs.adapters.storage.output_folder import write_atomically
from kiejobs.core.diagnostics import Cancelled, InvalidJobFile, JournalProblem, UsageProblem
from kiejobs.reports.documents import json_text
from kiejobs.reports.terminal import Detail, fit, inert, sanitize, shortened_at_word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from kiejobs.core.diagnostics import KiejobsError, Problems
    from kiejobs.core.document.nodes import Json
    from kiejobs.reports.run.view import RunView

Subject = TypeVar("Subject")

READING = "reading the ledger"

_BY_ENDING = {
    ".json": "json", ".sarif": "sarif", ".md": "markdown", ".xml": "junit", ".txt": "text",
    ".digest": "digest",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Screen:
    """`ask` puts a yes-or-no question, where a person can answer; `leave` ends the process: the second Ctrl-C.

    `form` is `--format`, what is to be shown; `outs` are names of files for more. `reports` are of the runs so far,
    which are kept where a file is written or a command makes `several` runs. `quiet`: nothing but results and errors;
    `verbose`: a line for each job; `detail`: how much of a table. `wide_out` and `wide_err` are columns, None without end.
    """

    out: TextIO
    err: TextIO
    color_out: bool
    color_err: bool
    live: bool
    ask: Callable[[str], bool] | None
    leave: Callable[[str], None]
    form: str = "text"
    outs: Sequence[str] = ()
    reports: list[RunView] = field(default_factory=list)
    several: bool = False
    quiet: bool = False
    verbose: bool = False
    detail: Detail = Detail.PAGE
    wide_out: int | None = None
    wide_err: int | None = None

    @property
    def look(self) -> dict[str, Any]:
        """How text is to look on stdout: its `color`, its `detail`, and how `wide` it may be."""
        return {"color": self.color_out, "detail": self.detail, "wide": self.wide_out}

    @property
    def local_out(self) -> bool:
        """Are times on stdout those of this machine? On a terminal; elsewhere they are UTC."""
        return self.out.isatty()

    def answer(self, document: Callable[[Subject], Json], text: Callable[..., str], subject: Subject) -> None:
        """Show what was asked for: the subject's document, or its text."""
        if self.form == "json":
            self.show(json_text(document(subject)))
        else:
            self.show(text(subject, color=self.color_out))

    def show(self, text: str) -> None:
        """Part of the document that was asked for. Raises JournalProblem where it can't be written."""
        whole = text if text.endswith("\n") or not text else f"{text}\n"
        whole = fit(whole, self.wide_out) if self.form == "text" else whole
        # With `--format github` commands to the CI server are what was asked for.
        self.stream((whole if self.form == "github" else inert(whole),))

    def stream(self, pieces: Iterable[str]) -> None:
        try:
            for piece in pieces:
                self.out.write(piece)
            self.out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise JournalProblem(f"can't write to stdout: {error.strerror or error}") from error

    @contextmanager
    def busy(self, doing: str | Callable[[], str], after: float = 1.0) -> Iterator[None]:
        """Around what may take long and prints nothing: `after` that many seconds a terminal shows it, and how long it takes."""
        if not self.live or self.quiet:
            yield
            return
        begun, shown = monotonic(), ExitStack()

        def line(columns: int) -> list[str]:
            what = sanitize(doing if isinstance(doing, str) else doing())
            return [shortened_at_word(f"{what}: {monotonic() - begun:.0f} s", columns)]

        def show() -> None:
            from kiejobs.reports.live_progress import LiveLines  # noqa: PLC0415 - rich is slow, and most is quick

            shown.enter_context(LiveLines(self.err, line, color=False))

        timer = Timer(after, show)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            shown.close()

    def warn(self, problems: Problems, file: str) -> None:
        """What validating a file warns of, in a few lines."""
        if problems and not self.quiet:
            from kiejobs.reports.diagnostics import warnings_text  # noqa: PLC0415 - most have none

            self.say(warnings_text(problems, file, color=self.color_err))

    def say(self, text: str) -> None:
        """Something for a person, in addition to the document; without a reader nothing happens."""
        for stream, words in ((self.out, ""), (self.err, f"{inert(fit(text, self.wide_err))}\n")):
            with suppress(OSError):
                stream.write(words)
                stream.flush()

    def note(self, text: str) -> None:
        """As `say`, for what is neither a result nor an error."""
        if not self.quiet:
            self.say(text)

    def refuse(self, error: KiejobsError) -> None:
        """What is wrong, for a person: all problems of a file, or a message and a hint."""
        if isinstance(error, InvalidJobFile):
            from kiejobs.reports.diagnostics import diagnostics_text  # noqa: PLC0415 - behind an error

            self.say(
                diagnostics_text(
                    error.problems, error.problems.lines, color=self.color_err, wide=self.wide_err
                )
            )
            return
        if isinstance(error, Cancelled):  # which is no error
            self.say(sanitize(error.message))
            return
        self.say(f"error: {sanitize(error.message)}")
        if error.hint:
            self.say(f"  help: {sanitize(error.hint)}")


def files_by_ending(
    names: Sequence[str], forms: Collection[str], read: Collection[str] = ()
) -> list[tuple[Path, str]]:
    """`-o FILE`s with the `forms` of their endings; none may be one of `read`. Raises UsageProblem."""
    kept = {Path(name).resolve() for name in read}
    found = []
    for name in names:
        form = _BY_ENDING.get(Path(name).suffix, "")
        if form not in forms:
            endings = [ending for ending, known in _BY_ENDING.items() if known in forms]
            known = f"{', '.join(endings[:-1])} or {endings[-1]}"
            raise UsageProblem(f"--out {name}: the extension must be {known}")
        if Path(name).resolve() in kept:
            raise UsageProblem(f"--out {name}: that is the job file, and would be overwritten")
        found.append((Path(name), form))
    return found


def write(path: Path, text: str | bytes) -> None:
    """Raises UsageProblem where the disk refuses."""
    try:
        data = text if isinstance(text, bytes) else text.encode(errors="backslashreplace")
        write_atomically(path, data)
    except OSError as error:
        raise UsageProblem(f"can't write {path}: {error.strerror or error}") from error
