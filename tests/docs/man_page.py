"""Rewrites docs/kiejobs.1, the manual page, from the commands' own help.

    python tests/docs/man_page.py

In: the click tree, what the exit codes and variables mean. Out: the page's text in man(7), which main() writes and a
test compares with what is committed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kiejobs import __version__
from kiejobs.cli import verbs  # noqa: F401 - they hang themselves onto the door
from kiejobs.cli.command_group import door
from tests.docs.reference.cli import VARIABLES, commands, shown_options, value_of
from tests.docs.reference.outcomes import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "kiejobs.1"


def main() -> None:
    PAGE.write_text(man_page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")


def man_page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH KIEJOBS 1 {_released()} "kiejobs {__version__}" "User Commands"'
    yield from (".SH NAME", r"kiejobs \- plan, price and buy generative video from job files")
    yield from (
        ".SH SYNOPSIS",
        ".B kiejobs",
        r"[\-C \fIDIR\fR] \fICOMMAND\fR [\fIOPTION\fR...] [\fIARGUMENT\fR...]",
    )
    yield ".SH DESCRIPTION"
    yield from _paragraphs(door.help or "")
    yield ".SH COMMANDS"
    for path, command in commands():
        yield from _command(path, command)
    yield ".SH ENVIRONMENT"
    for name, meaning in VARIABLES:
        yield from (".TP", f".B {_text(name)}", _text(meaning))
    yield from (".TP", r".B KIEJOBS_\fIFLAG\fR", "Any flag, by its name in capitals.")
    yield ".SH EXIT STATUS"
    for code, (meaning, _) in EXIT_CODES.items():
        yield from (".TP", f".B {code.value}", _text(meaning))


def _released() -> str:
    """The day of the latest release, so that the page is the same whenever it is made."""
    found = re.search(
        r"(?m)^## \S+ - (\d{4}-\d{2}-\d{2})$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    )
    if found is None:
        raise ValueError("the changelog has no release")
    return found[1]


def _command(path: str, command: click.Command) -> Iterator[str]:
    with click.Context(command, info_name=path) as context:
        usage = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{_text(path)} {_text(usage)}"'
    yield from _paragraphs(command.help or "")
    for option in shown_options(command):
        value = value_of(option)
        names = ", ".join(rf"\fB{_text(name)}\fR" for name in (*option.opts, *option.secondary_opts))
        yield from (".TP", f"{names} {_text(value)}".rstrip(), _text(option.help or ""))


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        yield _text(paragraph)


def _text(text: str) -> str:
    """Escaped: no character of it is a request, and a hyphen stays what is typed."""
    plain = " ".join(text.replace("`", "").split())
    escaped = plain.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return f"\\&{escaped}" if escaped[:1] in {".", "'"} else escaped


if __name__ == "__main__":
    main()
