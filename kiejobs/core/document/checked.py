"""A file held to a schema: its values with places, and all that is wrong, each problem at its place.

In: a `Source` or a `Document`, and the `Form` of such files. Out: the document, and diagnostics. Touches
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.reader import read_document
from kiejobs.core.document.schema_errors import SchemaProblem, in_words
from kiejobs.core.document.wording import FORMATS, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.document.nodes import Document, Json, Source


@dataclass(frozen=True, slots=True)
class Form:
    """What one kind of file looks like, and how it is spoken of.

    `noun` is what messages call such a file (`a policy`), `code` that of whatever the schema refuses, and
    `start` what to write first where the file is no mapping; None where the schema is to say so.
    """

    schema: Mapping[str, Any]
    noun: str
    code: str
    start: str | None = None


def read_checked(
    source: Source, form: Form, *, exact: bool = False
) -> tuple[Document | None, list[Diagnostic]]:
    """The document, None where it can't be read or hasn't the form; `exact` as for `read_document`."""
    document, found = read_document(source, exact=exact)
    if document is None:
        return None, found
    refused = check(document, form)
    return (None if refused else document), [*found, *refused]


def check(document: Document, form: Form) -> list[Diagnostic]:
    """All that the schema refuses."""
    return [problem_at(document, problem, form) for problem in refused_by(form, document.root)]


def refused_by(form: Form, value: Json) -> Iterator[SchemaProblem]:
    """The same by paths, for those who go on with what is right."""
    if form.start and not isinstance(value, dict):
        message = f"{form.noun} is a mapping, not {kind_of(value)}"
        yield SchemaProblem((), "type", message, form.start)
        return
    for error in Draft202012Validator(form.schema, format_checker=FORMATS).iter_errors(value):
        yield from in_words(error, form.noun)


def problem_at(document: Document, problem: SchemaProblem, form: Form) -> Diagnostic:
    """Its place is the value's, or the key's where the key is what is wrong."""
    place = document.place(problem.path, key=problem.at_key)
    code = "unknown-key" if problem.keyword == "unknown" else form.code
    return Diagnostic(code, problem.message, place, problem.hint)
