"""The YAML reader.

In: a `Source`, the bytes of a job file. Out: a `Document` whose every key and value knows its line
and column, and what is wrong with the file. Touches nothing but the garbage collector's switch.
"""

from __future__ import annotations

import gc
import hashlib
import re
from typing import Any

import yaml

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.nodes import Document, Source
from kiejobs.core.document.tree import Tree

FASTEST: type[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""libyaml where PyYAML was built with it; else the parser in Python, ten times slower."""

MAX_BYTES = 64 * 1024 * 1024
"""A job file of 100,000 written-out scenes is about 17 MB; beyond this it is no job file."""

_BOM = "\ufeff"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# What YAML forbids (1.2.2, chapter 5.1), and the three line breaks that YAML 1.2 gave up but libyaml
# still breaks at: taken silently they would change a prompt.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_LINE_BREAK = re.compile(rb"\r\n|\r|\n")


def read_document(
    source: Source, *, parser: type[Any] = FASTEST, exact: bool = False
) -> tuple[Document | None, list[Diagnostic]]:
    """One YAML document, None when the text can't be used at all; and all problems that can be told at once.

    Some leave its meaning clear (a key given twice keeps its first value, a bad number stays text), so that
    the checks that follow can tell theirs too. Only the events of `parser` are used, never its values. With
    `exact` numbers stay the text that they were written as, so that money never is a float.
    """
    text = decode(source)
    if isinstance(text, Diagnostic):
        return None, [text]
    tree = Tree(source.name, text, exact=exact)
    lines, was_on = text.splitlines(), gc.isenabled()
    gc.disable()  # a tree has no cycles; looking for some as it grows costs more than building it
    try:
        tree.build(yaml.parse(text, Loader=parser))
    except yaml.YAMLError as error:
        tree.usable = False
        problem = _syntax_problem(source.name, text, error)
        if problem not in tree.problems:
            tree.problems.append(problem)
    finally:
        if was_on:
            gc.enable()
    if not tree.usable:
        return None, tree.problems
    if tree.root is None:
        hint = "`kiejobs init` writes one to start from"
        empty = Diagnostic("yaml-empty", "the file is empty", Place(source.name, 1, 1), hint)
        return None, [*tree.problems, empty]
    digest = hashlib.sha256(source.data).hexdigest()
    return Document(source.name, tree.root, lines, digest), tree.problems


def _syntax_problem(name: str, text: str, error: yaml.YAMLError) -> Diagnostic:
    from kiejobs.core.document.syntax_errors import (  # noqa: PLC0415 - most files have none
        syntax_problem,
        too_deep,
    )

    return too_deep(name, text) or syntax_problem(name, text.splitlines(), error)


# --- from bytes to text --------------------------------------------------------------------------


def decode(source: Source) -> str | Diagnostic:
    """The text of `source`, or what keeps it from being read."""
    if len(source.data) > MAX_BYTES:
        size = f"{len(source.data) / 2**20:.0f} MB; a job file may be {MAX_BYTES // 2**20} MB"
        place, hint = Place(source.name, 1, 1), "split it into several job files"
        return Diagnostic("yaml-size", f"the file is {size}", place, hint)
    try:
        text = source.data.decode().removeprefix(_BOM)
    except UnicodeDecodeError as error:
        return _not_utf8(source, error.start)
    found = _FORBIDDEN.search(text)
    return text if found is None else _forbidden(source, text, found.start())


def _not_utf8(source: Source, at: int) -> Diagnostic:
    if source.data.startswith(_UTF16_MARKS):
        return _utf16(source)
    lines = _LINE_BREAK.split(source.data[:at])
    place = Place(source.name, len(lines), len(lines[-1].decode().removeprefix(_BOM)) + 1)
    message = f"byte 0x{source.data[at]:02x} is not UTF-8"
    return Diagnostic("yaml-encoding", message, place, "save the file as UTF-8")


def _forbidden(source: Source, text: str, at: int) -> Diagnostic:
    if source.data[1:200:2].count(0) > 3 or source.data[:200:2].count(0) > 3:
        return _utf16(source)
    lines = (text[:at] + "|").splitlines()
    place = Place(source.name, len(lines), len(lines[-1]))
    message = f"an invisible character, U+{ord(text[at]):04X}, is not allowed here"
    hint = 'delete it; where it is meant, write it as an escape in double quotes, like "\\u2028"'
    return Diagnostic("yaml-encoding", message, place, hint)


def _utf16(source: Source) -> Diagnostic:
    place = Place(source.name, 1, 1)
    hint = "save it as UTF-8 (in Windows Notepad: Save as, Encoding UTF-8)"
    return Diagnostic("yaml-encoding", "the file looks like UTF-16", place, hint)
