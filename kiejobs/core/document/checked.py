"""A file held to a JSON Schema: all that is wrong, in words that name the field, each problem at its place.

In: a `Source` or a `Document` and the `Form` of such files, or jsonschema's own errors. Out: the document, and
diagnostics or `SchemaProblem` values. Touches nothing. A schema may carry hints of its own: `x-kiejobs-hint`
says what a `pattern` or a closed set of keys wants, and a `description` may end in an example.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import quote, urlsplit

from kiejobs.core.diagnostics import Diagnostic
from kiejobs.core.document.reader import read_document
from kiejobs.core.document.surely import is_surely
from kiejobs.core.document.wording import kind_of, listed, nearest, shorten, show, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import ValidationError

    from kiejobs.core.document.nodes import Document, Json, Source

_USUAL_URI = re.compile(r"https?://[a-z0-9-]+(?:\.[a-z0-9-]+)+/[\w./~-]*", re.ASCII)
"""What nearly all are, decided at once."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+")
KIND_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}

_PLAIN_IN_URLS = "%-._~:/?#[]@!$&'()*+,;="
_LONGEST_SHOWN = 300
_LONGEST_URL = 20_000
_SLASHES = re.compile(r"(https?):/?([^/\s]\S{0,200})$", re.IGNORECASE)
_SECOND = re.compile(r"(\S+?)[,;]?\s+https?://", re.IGNORECASE)
_PORT = re.compile(r":([^:\]@]*)$")
_ALIKE = ("CYRILLIC", "GREEK")  # scripts with letters that look like Latin ones
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_EXAMPLE = re.compile(r"Example: (`[^`]+`)")
_DEPENDENCY = re.compile(r"'(.*)' is a dependency of '(.*)'")

Words: TypeAlias = tuple[str, str | None]
"""A message that goes on after the name of what it is about, and a hint."""


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file: `noun` in messages (`a policy`), `code` of refusals, `start` what to write first in it."""

    schema: Mapping[str, Any]
    noun: str
    code: str
    start: str | None = None


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """`path` leads to the value, or to the unknown key itself; `others` have as much to do with it."""

    path: tuple[str | int, ...]
    keyword: str
    message: str
    hint: str | None = None
    at_key: bool = False
    others: tuple[str, ...] = ()


def read_checked(source: Source, form: Form) -> tuple[Document | None, list[Diagnostic]]:
    """The document, None where it can't be read or hasn't the form."""
    document, found = read_document(source)
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
    if not is_surely(form.schema, value):
        for error in validator(form.schema).iter_errors(value):
            yield from in_words(error, form.noun)


def problem_at(document: Document, problem: SchemaProblem, form: Form) -> Diagnostic:
    """Its place is the value's, or the key's where the key is what is wrong."""
    place = document.place(problem.path, key=problem.at_key)
    code = "unknown-key" if problem.keyword == "unknown" else form.code
    return Diagnostic(code, problem.message, place, problem.hint)


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """With the one format that our schemas use."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow to import, and most files are fine

    return Draft202012Validator(dict(schema), format_checker=formats())


@cache
def formats() -> FormatChecker:
    """Only `uri`, checked here: jsonschema's own needs a grammar that takes 1.5 s to import."""
    from jsonschema import FormatChecker  # noqa: PLC0415 - as above

    known = FormatChecker(formats=())
    known.checks("uri")(is_uri)
    return known


def is_uri(value: object) -> bool:
    """An absolute URI by RFC 3986; http and https ones must name a host. Non-strings pass."""
    if not isinstance(value, str) or (len(value) <= _LONGEST_URL and _USUAL_URI.fullmatch(value)):
        return True
    if len(value) > _LONGEST_URL or not _URI.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme.lower() not in {"http", "https"} or (host[:1] not in {"", "."} and ".." not in host)


# --- jsonschema's errors in words ------------------------------------------------------------------


def in_words(error: ValidationError, noun: str = "a job file") -> Iterator[SchemaProblem]:
    """One problem for each thing that is wrong: an unknown-key error may hold several."""
    keyword = str(error.validator)
    path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        yield _bad_key(error, path, keyword)
    elif keyword in {"additionalProperties", "unevaluatedProperties"}:
        yield from _unknown_keys(error, path, noun)
    elif keyword in {"required", "dependentRequired"}:
        yield from _missing_key(error, path)
    elif keyword in {"anyOf", "oneOf"} and (wanted := _either(error.validator_value)):
        message = f"`{dotted(path)}` must be {wanted}, not {show(error.instance)}"
        yield SchemaProblem(path, keyword, message, _own_hint(error))
    elif keyword in {"anyOf", "oneOf"} and error.context:
        from jsonschema.exceptions import best_match  # noqa: PLC0415 - behind an error

        best = best_match([error])
        likeliest = error.context[0] if best is None or best is error else best
        yield from in_words(likeliest, noun)
    else:
        message, hint = _words(error, keyword)
        name = f"`{dotted(path)}`" if path else "this value"
        yield SchemaProblem(path, keyword, f"{name} {message}", hint or _own_hint(error))


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: `jobs.pour.tags[0]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{shorten(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def _own_hint(error: ValidationError) -> str | None:
    """What the schema itself has to say: a hint, or else an example."""
    schema = cast("Mapping[str, Any]", error.schema)
    return schema.get("x-kiejobs-hint") or _example(schema)


def _example(schema: Mapping[str, Any]) -> str | None:
    example = _EXAMPLE.search(schema.get("description", ""))
    return f"for example {example[1]}" if example else None


# --- keys ------------------------------------------------------------------------------------------


def _unknown_keys(error: ValidationError, path: tuple[str | int, ...], noun: str) -> Iterator[SchemaProblem]:
    schema = cast("Mapping[str, Any]", error.schema)
    known = set(schema.get("properties", {}))
    patterns = list(schema.get("patternProperties", {}))
    where = f"in `{dotted(path)}`" if path else f"in {noun}"
    for key in cast("Mapping[str, Any]", error.instance):
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            hint = suggest(key, known) or _known_keys(schema, known)
            message = f"unknown key `{shorten(key)}` {where}"
            yield SchemaProblem((*path, key), "unknown", message, hint, at_key=True)


def _known_keys(schema: Mapping[str, Any], known: set[str]) -> str:
    """The schema's own hint, and the keys themselves where they are all there can be."""
    hint: str | None = schema.get("x-kiejobs-hint")
    if hint is not None and "patternProperties" in schema:
        return hint
    keys = f"its keys: {', '.join(sorted(known))}"
    return f"{hint}; {keys}" if hint else keys


def _missing_key(error: ValidationError, path: tuple[str | int, ...]) -> Iterator[SchemaProblem]:
    """Nothing where it was only misspelt, which is reported as unknown."""
    where = f" in `{dotted(path)}`" if path else ""
    dependency = _DEPENDENCY.match(error.message)
    if dependency is not None:
        message = f"`{dependency[1]}` is missing{where}; `{dependency[2]}` needs it"
        yield SchemaProblem(path, "required", message, at_key=True)
        return
    required = cast("Sequence[str]", error.validator_value)
    missing = next((key for key in required if f"'{key}'" in error.message), required[0])
    fields = cast("Mapping[str, Any]", error.schema).get("properties", {})
    if missing in {
        nearest(key, fields) for key in cast("Mapping[str, Any]", error.instance) if key not in fields
    }:
        return
    hint = _example(fields.get(missing, {}))
    yield SchemaProblem(path, "required", f"`{missing}` is missing{where}", hint, at_key=True)


def _bad_key(error: ValidationError, path: tuple[str | int, ...], keyword: str) -> SchemaProblem:
    key = str(error.instance)
    message, hint = _words(error, keyword)
    if keyword == "pattern":
        message, hint = "has a form that is not allowed", _own_hint(error)
    name = f"the name `{shorten(key)}`" + (f" in `{dotted(path)}`" if path else "")
    return SchemaProblem((*path, key), keyword, f"{name} {message}", hint, at_key=True)


# --- values ----------------------------------------------------------------------------------------


def _words(error: ValidationError, keyword: str) -> Words:
    value, wanted = error.instance, error.validator_value
    if keyword in _LIMITS:
        return _limit(value, wanted, _LIMITS[keyword])
    if keyword in _DESCRIBE:
        return _DESCRIBE[keyword](value, wanted)
    phrase = _PHRASES.get(keyword)
    if phrase is None:
        return f"is refused: {shorten(error.message)}", None
    return phrase.format(value=show(value), wanted=show(wanted)), None


def _type(value: Json, wanted: Any) -> Words:
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    words = [KIND_WORDS.get(kind, kind) for kind in kinds]
    is_plain = isinstance(value, str | int | float)
    hint = None
    if value is None:
        hint = "write a value, or drop it"
    elif isinstance(value, str) and _COMMA.fullmatch(value) and "number" in kinds:
        hint = f"write it with a point: {value.replace(',', '.')}"
    elif "array" in kinds and isinstance(value, str) and "{{" in value:
        hint = "no template makes a list: write its values here"
    elif is_plain and "array" in kinds:
        hint = f"put it in a list: [{show(value)}]"
    elif is_plain and "string" in kinds:
        hint = "put it in quotes if it is meant as text"
    return f"must be {listed(words, 'or')}, not {show(value) if is_plain else kind_of(value)}", hint


def _either(branches: Any) -> str:
    """`4 to 15, or -1` of a range next to single values; empty for other forms."""
    single = [show(branch["const"]) for branch in branches if branch.keys() == {"const"}]
    ranges = [
        f"{branch['minimum']} to {branch['maximum']}"
        for branch in branches
        if branch.keys() == {"minimum", "maximum"}
    ]
    return ", or ".join([*ranges, *single]) if single and len(ranges) + len(single) == len(branches) else ""


def _enum(value: Json, allowed: Any) -> Words:
    choices = [str(choice) for choice in allowed]
    hint = suggest(str(value), choices)
    lower = [choice for choice in choices if choice.lower() == str(value).lower()]
    if lower and lower[0] != value:
        hint = f"did you mean `{lower[0]}`? Case matters to the API"
    return f"must be one of {', '.join(choices)}, not {show(value)}", hint


def _format(value: Json, wanted: Any) -> Words:
    if wanted == "uri" and isinstance(value, str):
        return f"is not a URL: {show(value)}", _url_hint(value)
    return f"is not a {wanted}: {show(value)}", None


def _url_hint(value: str) -> str:
    """What to do about the first cause there is; each has its own way out."""
    if len(value) > _LONGEST_URL:
        return f"a URL has at most {_LONGEST_URL:,} characters, and this has {len(value):,}"
    unseen = next((char for char in value if unicodedata.category(char) in {"Cf", "Cc"}), None)
    if unseen is not None:
        return f"delete the invisible character U+{ord(unseen):04X} in it"
    if value != value.strip():
        return f"delete the blank at its {'beginning' if value[:1].isspace() else 'end'}"
    return _slip_hint(value) or _encoded_hint(value) or "a URL looks like https://example.com/cup.webp"


def _slip_hint(value: str) -> str | None:
    host = re.split(r"[/?#]", value.partition("://")[2], maxsplit=1)[0]
    if (second := _SECOND.match(value)) is not None:
        return f"it holds two addresses: write one, {shorten(second[1], _LONGEST_SHOWN)}, or a job for each"
    if "\\" in value:
        return "write `/` for each backslash"
    if any(map(str.isspace, host)):
        return f"delete the blank in its host: {''.join(host.split())}"
    if host.startswith(".") or ".." in host:
        return f"write single dots in its host: {re.sub(r'[.]+', '.', host).strip('.')}"
    port = _PORT.search(host)
    if port is not None and not (port[1].isdecimal() and len(port[1]) <= 5 and int(port[1]) < 2**16):
        return f"delete the port `{shorten(port[0])}`, or write one from 1 to 65535"
    slashes = _SLASHES.match(value)
    return f"write two slashes behind the `:`: {slashes[1]}://{slashes[2]}" if slashes else None


def _encoded_hint(value: str) -> str | None:
    scheme, mark, rest = value.partition("://")
    host, slash, path = rest.partition("/")
    path = _PERCENT.sub("%25", path)
    with suppress(UnicodeError):
        encoded = host if host.isascii() else host.encode("idna").decode()
        written = f"{scheme}{mark}{encoded}{slash}{quote(path, safe=_PLAIN_IN_URLS)}"
        if mark and is_uri(written) and written != value and len(written) < _LONGEST_SHOWN:
            return f"{_foreign_letter(host)}write it as {written}"
    return None


def _foreign_letter(host: str) -> str:
    """A letter that is hardly meant: of a script that looks like Latin, or next to Latin letters."""
    for part in host.split("."):
        names = {char: unicodedata.name(char, "") for char in part if char.isalpha()}
        is_mixed = any(map(str.isascii, names))
        for char, name in names.items():
            if not name.startswith("LATIN") and (is_mixed or name.startswith(_ALIKE)):
                return f"write a Latin letter for U+{ord(char):04X} {name} in its host; where that is meant, "
    return ""


def _limit(value: Json, limit: Any, what: str) -> Words:
    size = len(value) if isinstance(value, str | list | dict) else value
    if size == 0 and limit == 1 and not isinstance(value, int | float):
        return "is empty", None
    return what.format(limit=_thousands(limit), size=_thousands(size)), None


def _thousands(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int | float) else str(number)


def _not(value: Json, _refused: Any) -> Words:
    shown = show(value) if isinstance(value, str | int | float) else "like that"
    return f"must not be {shown}", None


def _twice(value: Json, _wanted: Any) -> Words:
    twice = next((item for n, item in enumerate(value) if item in value[:n]), None)
    return f"has {show(twice)} twice", "remove one of them"


_DESCRIBE: dict[str, Callable[[Json, Any], Words]] = {
    "type": _type,
    "enum": _enum,
    "format": _format,
    "uniqueItems": _twice,
    "not": _not,
}
_PHRASES = {
    "const": "must be {wanted}, not {value}",
    "pattern": "has a form that is not allowed: {value}",
    "multipleOf": "is {value}; it must be a multiple of {wanted}",
    "contains": "lacks an entry that must be there",
    "oneOf": "fits several forms of which only one may fit",
}
_LIMITS = {
    "maxLength": "has {size} characters; at most {limit} are allowed",
    "minLength": "has {size} characters; at least {limit} are needed",
    "maximum": "is {size}; at most {limit} is allowed",
    "minimum": "is {size}; at least {limit} is needed",
    "exclusiveMinimum": "is {size}; it must be more than {limit}",
    "exclusiveMaximum": "is {size}; it must be less than {limit}",
    "maxItems": "has {size} entries; at most {limit} are allowed",
    "minItems": "has {size} entries; at least {limit} are needed",
    "minProperties": "has {size} entries; at least {limit} are needed",
    "maxProperties": "has {size} entries; at most {limit} are allowed",
}
