"""From a file's bytes to text that is safe to parse, or one clear reason why not.

In: a `Source`. Out: its text without a byte order mark, or a `Diagnostic` with line and column:
too large, not UTF-8, or holding characters that nobody can see. Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, Place

if TYPE_CHECKING:
    from kiejobs.core.document.nodes import Source

MAX_BYTES = 64 * 1024 * 1024
"""A job file of 100,000 written-out scenes is about 17 MB; beyond this it is no job file."""

_BOM = "\ufeff"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# What YAML forbids (1.2.2, chapter 5.1), and the three line breaks that YAML 1.2 gave up but libyaml
# still breaks at: taken silently they would change a prompt.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_LINE_BREAK = re.compile(rb"\r\n|\r|\n")


def decode(source: Source) -> str | Diagnostic:
    """The text of `source`, or what keeps it from being read."""
    if len(source.data) > MAX_BYTES:
        return _too_large(source)
    try:
        text = source.data.decode().removeprefix(_BOM)
    except UnicodeDecodeError as error:
        return _not_utf8(source, error.start)
    found = _FORBIDDEN.search(text)
    return text if found is None else _forbidden(source, text, found.start())


def _too_large(source: Source) -> Diagnostic:
    megabytes = len(source.data) / 1024 / 1024
    return Diagnostic(
        "yaml-size",
        f"the file is {megabytes:.0f} MB; a job file may be {MAX_BYTES // 1024 // 1024} MB",
        Place(source.name, 1, 1),
        "split it into several job files",
    )


def _not_utf8(source: Source, at: int) -> Diagnostic:
    if source.data.startswith(_UTF16_MARKS):
        return _utf16(source)
    lines = _LINE_BREAK.split(source.data[:at])
    return Diagnostic(
        "yaml-encoding",
        f"byte 0x{source.data[at]:02x} is not UTF-8",
        Place(source.name, len(lines), len(lines[-1].decode().removeprefix(_BOM)) + 1),
        "save the file as UTF-8",
    )


def _forbidden(source: Source, text: str, at: int) -> Diagnostic:
    if source.data[1:200:2].count(0) > 3 or source.data[:200:2].count(0) > 3:
        return _utf16(source)
    lines = (text[:at] + "|").splitlines()
    return Diagnostic(
        "yaml-encoding",
        f"an invisible character, U+{ord(text[at]):04X}, is not allowed here",
        Place(source.name, len(lines), len(lines[-1])),
        'delete it; where it is meant, write it as an escape in double quotes, like "\\u2028"',
    )


def _utf16(source: Source) -> Diagnostic:
    return Diagnostic(
        "yaml-encoding",
        "the file looks like UTF-16",
        Place(source.name, 1, 1),
        "save it as UTF-8 (in Windows Notepad: Save as, Encoding UTF-8)",
    )
