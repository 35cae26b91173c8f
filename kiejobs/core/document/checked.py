"""A file held to a schema: its values with places, and all that is wrong, each problem at its place.

In: a `Source` or a `Document`, and the `Form` of such files. Out: the document, and diagnostics. Touches
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.reader import read_document
from kiejobs.core.document.schema_errors import SchemaProblem, in_words
from kiejobs.core.document.wording import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.document.nodes import Document, Json, Source

FORMATS = FormatChecker(formats=())
"""Only `uri`, checked here: jsonschema's own needs a grammar that takes 1.5 s to import."""

_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+"
)


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
    for error in validator(form.schema).iter_errors(value):
        yield from in_words(error, form.noun)


def problem_at(document: Document, problem: SchemaProblem, form: Form) -> Diagnostic:
    """Its place is the value's, or the key's where the key is what is wrong."""
    place = document.place(problem.path, key=problem.at_key)
    code = "unknown-key" if problem.keyword == "unknown" else form.code
    return Diagnostic(code, problem.message, place, problem.hint)


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """With the one format that our schemas use."""
    return Draft202012Validator(dict(schema), format_checker=FORMATS)


@FORMATS.checks("uri")
def is_uri(value: object) -> bool:
    """An absolute URI by RFC 3986; http and https ones must name a host. Non-strings pass."""
    if not isinstance(value, str):
        return True
    if not _URI.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme.lower() not in {"http", "https"} or bool(parts.hostname)
