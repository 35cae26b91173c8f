"""What `--vars-file` and `--var` put in the place of a job file's variables.

In: the variables that a job file declares, documents of values, words of the command line. Out: the
values given, and problems with their places. Touches nothing.

What is declared says what a word means: `--var count=5` is a number where the file has one, and the
text `5` where it has a text. A file of variables says that by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, UsageProblem
from kiejobs.core.document.nodes import Source, plain_json
from kiejobs.core.document.reader import read_document
from kiejobs.core.document.scalars import BadScalar
from kiejobs.core.document.scalars import plain as scalar
from kiejobs.core.document.wording import kind_of, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Document, Json

_DECLARE = "declare it under `vars:` in the job file"


def given_variables(
    declared: Mapping[str, Json], files: Sequence[Document], words: Mapping[str, str]
) -> tuple[dict[str, Json], list[Diagnostic]]:
    """The files in order, a later one over an earlier one; then the words, which win.

    Raises UsageProblem for a word that is no value of its variable's kind.
    """
    given: dict[str, Json] = {}
    found: list[Diagnostic] = []
    for file in files:
        found += _problems(file, declared)
        given |= plain_json(file.root) if isinstance(file.root, dict) else {}
    given |= {
        name: _value(name, word, declared[name]) for name, word in words.items() if name in declared
    }
    found += [_unknown(name, declared, None) for name in words if name not in declared]
    return given, found


def _problems(file: Document, declared: Mapping[str, Json]) -> Iterator[Diagnostic]:
    if not isinstance(file.root, dict):
        message = f"variables are a mapping, not {kind_of(file.root)}"
        hint = "write one on each line: `brand: Aurora`"
        yield Diagnostic("variables-structure", message, file.place(()), hint)
        return
    for name in file.root:
        if name not in declared:
            yield _unknown(name, declared, file.place((name,), key=True))


def _unknown(name: str, declared: Mapping[str, Json], place: Place | None) -> Diagnostic:
    message = f"the job file has no variable `{name}`"
    return Diagnostic("unknown-variable", message, place, suggest(name, declared) or _DECLARE)


def _value(name: str, word: str, declared: Json) -> Json:
    """What a word means where the file has `declared`."""
    if declared is None or isinstance(declared, str):
        return word
    if isinstance(declared, list | dict):
        return _collection(name, word, declared)
    try:
        value = scalar(word)
    except BadScalar as bad:
        raise UsageProblem(f"--var {name}: {bad.message}") from bad
    if kind_of(value) != kind_of(declared):
        raise _misfit(name, word, declared)
    if not isinstance(value, bool) and str(value) != word:
        # It would be printed otherwise than it was typed.
        raise UsageProblem(f"--var {name}={word}: write the number as {value}")
    return value


def _collection(name: str, word: str, declared: Json) -> Json:
    document, found = read_document(Source(f"--var {name}", word.encode(errors="surrogatepass")))
    if document is None or found or kind_of(document.root) != kind_of(declared):
        raise _misfit(name, word, declared)
    return plain_json(document.root)


def _misfit(name: str, word: str, declared: Json) -> UsageProblem:
    message = f"--var {name}={word[:80]}: the job file has {kind_of(declared)} there"
    return UsageProblem(message, hint=f"in the file it is {show(declared)}; write it the same way")
