"""A model's schema that a project brought along, held to our form before anything trusts it.

In: a file's bytes, the id that its path means, the form (schemas/model.schema.json). Out: the schema, or
all that is wrong with it. Touches nothing. Such a file comes with a pull request: its size, depth and patterns
are bounded before it is used, and the form has no references, so nothing is ever fetched for it.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.checked import Form, SchemaProblem, dotted, problem_at, refused_by, validator
from kiejobs.core.document.nodes import Document, Json, Source
from kiejobs.core.document.reader import decode, read_document
from kiejobs.core.document.wording import shorten, show, suggest
from kiejobs.core.fingerprint import canonical
from kiejobs.core.models.spec import IS_ID, ModelReading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CODE = "model-schema"

MOST_BYTES = 512 * 2**10
"""The largest schema of ours is a tenth of this."""

MOST_DEPTH = 24
MOST_VALUES = 20_000
MOST_PROBLEMS = 100

_FROM_YAML = {"yaml-duplicate-key", "yaml-number"}
_REFERENCES = {"$ref", "$defs", "definitions", "$dynamicRef", "$dynamicAnchor", "$anchor", "$id"}
_PRICE = "x-kiejobs-price"
_ID = ("properties", "model", "enum", 0)
_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

_ATOM = (
    r"(?:\\[dswDSW]|\\[^A-Za-z0-9]|\[\^?(?:\\[dswDSW]|\\[^A-Za-z0-9]|[^\]\\\[&~|])+\]|[^\\\[\](){}*+?|^$])"
)
_TIMES = r"(?:[*+?]|\{[0-9]{1,4}(?:,[0-9]{0,4})?\})?"
_PIECE = re.compile(f"{_ATOM}(?P<times>{_TIMES})")
_MOST_WAYS = 100
"""Python's matcher tries every way in which repetitions can share a text among them: that can take years."""

Path: TypeAlias = tuple[str | int, ...]


class _Unreadable(Exception):
    """Its content can't be checked."""

    def __init__(self, message: str, place: Place, hint: str | None = None) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(CODE, message, place, hint)


def read_model(source: Source, model: str, schema_of_models: Mapping[str, Any]) -> ModelReading:
    """All problems at once; `model` is the id that the file's path means."""
    try:
        schema, document, found = _read(source)
    except _Unreadable as unreadable:
        return ModelReading(None, source.name, (unreadable.diagnostic,), source.lines)
    found += _problems(schema, document, model, Form(schema_of_models, "a model's schema", CODE))
    return ModelReading(None if found else schema, source.name, tuple(found), source.lines)


def _problems(schema: Json, document: Document, model: str, form: Form) -> list[Diagnostic]:
    refused = [*refused_by(form, schema)] or [*_beyond_form(schema, model)]
    found = list(dict.fromkeys(_diagnostic(document, problem, form) for problem in refused))
    if (more := len(found) - MOST_PROBLEMS) > 0:
        message = f"{more:,} more problems are not shown"
        found[MOST_PROBLEMS:] = [Diagnostic(CODE, message, document.place(()))]
    return found


def _diagnostic(document: Document, problem: SchemaProblem, form: Form) -> Diagnostic:
    hint = problem.hint
    if problem.keyword == "unknown" and problem.path[-1] in _REFERENCES:
        hint = "a model's schema has no references: write out what it refers to"
    return replace(problem_at(document, problem, form), code=CODE, hint=hint)


# --- from bytes to values with places --------------------------------------------------------------


def _read(source: Source) -> tuple[Json, Document, list[Diagnostic]]:
    """The values are those of the JSON parser; the YAML reader, which takes JSON too, knows places."""
    text = decode(source)
    if isinstance(text, Diagnostic):
        raise _Unreadable(text.message, text.place or Place(source.name, 1, 1), text.hint)
    schema = _json(source.name, text)
    # Only the JSON parser takes an emoji that is written as two escapes.
    plain = _HALF_A_PAIR.sub(r"\\u0041", text)
    document, found = read_document(Source(source.name, plain.encode()))
    if document is None:
        raise _Unreadable(found[0].message, found[0].place or Place(source.name, 1, 1))
    _require_bounded(schema, document)
    repeated = [replace(one, code=CODE) for one in found if one.code in _FROM_YAML]
    if not repeated:
        try:
            canonical(schema)  # it is hashed for locks, and its values are sent
        except ValueError as error:
            message = "holds what JSON can't carry exactly, such as half a surrogate pair"
            raise _Unreadable(message, document.place(())) from error
    return schema, document, repeated


def _json(name: str, text: str) -> Json:
    def refuse(word: str) -> NoReturn:
        raise _Unreadable(f"`{word}` is not a JSON number", Place(name, 1, 1))

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg}"
        raise _Unreadable(message, Place(name, error.lineno, error.colno)) from error
    except (RecursionError, ValueError) as error:  # ValueError: thousands of digits
        what = "nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
        raise _Unreadable(f"this can't be read: {what}", Place(name, 1, 1)) from error


def _require_bounded(schema: Json, document: Document) -> None:
    """Before anything walks it recursively, or holds requests against it."""
    for count, (path, _) in enumerate(_walk(schema)):
        if len(path) > MOST_DEPTH:
            message = f"nested more than {MOST_DEPTH} levels deep"
            raise _Unreadable(message, document.place(path), "a model's schema needs about eight")
        if count > MOST_VALUES:
            message = f"holds more than {MOST_VALUES:,} values"
            raise _Unreadable(message, document.place(path), "this is not the schema of one model")


def _walk(schema: Json) -> Iterator[tuple[Path, Json]]:
    """Every value with its path, without recursion; not below what is nested too deeply."""
    left: list[tuple[Path, Json]] = [((), schema)]
    while left:
        path, value = left.pop()
        yield path, value
        if isinstance(value, dict):
            left += [((*path, key), item) for key, item in value.items()]
        elif isinstance(value, list):
            left += [((*path, number), item) for number, item in enumerate(value)]


# --- what the form can't say -----------------------------------------------------------------------


def _beyond_form(schema: Mapping[str, Any], model: str) -> Iterator[SchemaProblem]:
    """The schema has our form."""
    named = schema["properties"]["model"]["enum"][0]
    if named != model:
        hint = f"a model's file is named like its id: schemas/models/{shorten(named)}.json"
        message = f"this is the schema of `{shorten(named)}`, and its path says `{shorten(model)}`"
        yield SchemaProblem(_ID, "enum", message, hint)
    elif not IS_ID.fullmatch(model):
        hint = "letters, digits, `.`, `_`, `-` and up to three `/`"
        yield SchemaProblem(_ID, "enum", f"`{shorten(model)}` is not a model id", hint)
    if _PRICE in schema:
        hint = "write it into `prices.yaml`, at the root of the project"
        message = "prices are not read from a model's schema"
        yield SchemaProblem((_PRICE,), "properties", message, hint)
    input_ = schema["properties"]["input"]
    yield from _missing_fields(input_)
    unsafe = list(_unsafe_patterns(schema))
    yield from unsafe or _bad_defaults(input_["properties"])


def _unsafe_patterns(schema: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    for path, value in _walk(schema):
        is_pattern = path[-1:] == ("pattern",) and isinstance(value, str)
        if is_pattern and (why := unsafe_reason(value)) is not None:
            hint = "often `enum`, `format: uri` or `maxLength` will do"
            yield SchemaProblem(path, "pattern", f"`{dotted(path)}` {why}", hint)


def _missing_fields(input_: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    for number, name in enumerate(input_.get("required", ())):
        if name not in input_["properties"]:
            path = ("properties", "input", "required", number)
            message = f"`{shorten(name)}` is required, but there is no such field"
            yield SchemaProblem(path, "required", message, suggest(name, input_["properties"]))


def _bad_defaults(fields: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    """Defaults are sent with every request that is silent, so they must be what the field takes."""
    for name, field in fields.items():
        if "default" in field and not validator(field).is_valid(field["default"]):
            path = ("properties", "input", "properties", name, "default")
            value = show(field["default"])
            message = f"the default of `{name}` is {value}, which the field refuses"
            yield SchemaProblem(path, "default", message)


# --- patterns that can't be made to run for ever ---------------------------------------------------


def unsafe_reason(pattern: str) -> str | None:
    """What keeps it from being used, going on after its name; None where nothing does."""
    if not pattern.startswith("^"):
        return "must begin with `^`"
    times = _repetitions(pattern[1:].removesuffix("$"))
    if times is None or "--" in pattern:
        return "may hold characters, sets like `[a-z]` and how often they come, no groups or choices"
    if sum(one is None for one in times) > 1:
        return "may have one repetition without an end"
    if prod(one or 1 for one in times) > _MOST_WAYS:
        return "leaves too many ways to match a text"
    try:
        re.compile(pattern)
    except re.error:
        return "is no regular expression"
    return None


def _repetitions(body: str) -> list[int | None] | None:
    """For each piece the ways in which it can repeat, None without an end; None for another form."""
    pieces = list(_PIECE.finditer(body))
    if "".join(piece[0] for piece in pieces) != body:
        return None
    return [_ways(piece["times"]) for piece in pieces]


def _ways(times: str) -> int | None:
    if times in {"*", "+"}:
        return None
    if times == "?":
        return 2
    least, comma, most = times.strip("{}").partition(",")
    if comma and not most:
        return None
    return abs(int(most) - int(least)) + 1 if comma else 1
