"""JSON Schema errors in words that name the field and say what to do.

In: jsonschema's validation errors. Out: `SchemaProblem` values (path, message, hint). Touches
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from jsonschema import FormatChecker
from jsonschema.exceptions import best_match

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from jsonschema.exceptions import ValidationError

    from kiejobs.core.types import Json

FORMATS = FormatChecker(formats=())
"""Only `uri`, checked here: jsonschema's own needs a grammar that takes 1.5 s to import."""

_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+"
)

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One thing that a schema refuses. `path` leads to the value, or to the unknown key itself."""

    path: tuple[str | int, ...]
    keyword: str
    message: str
    hint: str | None = None
    at_key: bool = False


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


def suggest(word: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?` when something known is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


def kind_of(value: Json) -> str:
    """What a person would call a JSON value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def in_words(error: ValidationError) -> Iterator[SchemaProblem]:
    """One problem for each thing that is wrong; an unknown-key error may hold several."""
    keyword = str(error.validator)
    if keyword in {"additionalProperties", "unevaluatedProperties"}:
        yield from _unknown_keys(error)
    elif keyword in {"anyOf", "oneOf"} and error.context:
        yield from in_words(_likeliest(error))
    else:
        yield _one(error, keyword)


def _likeliest(error: ValidationError) -> ValidationError:
    best = best_match([error])
    return best if best is not None and best is not error else error.context[0]


def _one(error: ValidationError, keyword: str) -> SchemaProblem:
    path = tuple(error.absolute_path)
    name = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "this value"
    tell = _WORDS.get(keyword)
    if tell is None:
        return SchemaProblem(path, keyword, f"{name}: {shorten(error.message)}")
    message, hint = tell(name, error.instance, error.validator_value)
    if keyword == "required":
        missing = _missing_key(error)
        return SchemaProblem(path, keyword, f"`{missing}` is missing", None, at_key=True)
    return SchemaProblem(path, keyword, message, hint, at_key=keyword == "propertyNames")


def _missing_key(error: ValidationError) -> str:
    required: Sequence[str] = cast("Sequence[str]", error.validator_value)
    return next((key for key in required if f"'{key}'" in error.message), required[0])


def _unknown_keys(error: ValidationError) -> Iterator[SchemaProblem]:
    schema = cast("Mapping[str, Any]", error.schema)
    known = set(schema.get("properties", {}))
    patterns = list(schema.get("patternProperties", {}))
    for key in cast("Mapping[str, Any]", error.instance):
        if key in known or any(re.search(pattern, key) for pattern in patterns):
            continue
        hint = suggest(key, known) or f"known here: {', '.join(sorted(known))}"
        path = (*error.absolute_path, key)
        yield SchemaProblem(
            path, "unknown", f"`{shorten(key)}` is not known here", hint, at_key=True
        )


def shorten(text: str, limit: int = 80) -> str:
    """One line of at most `limit` characters, so that a long prompt never floods a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def show(value: Json) -> str:
    """A value as it would stand in YAML, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return shorten(f'"{value}"' if isinstance(value, str) else str(value), 60)


def _type(name: str, value: Json, wanted: Any) -> tuple[str, str | None]:
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    words = " or ".join(_KINDS.get(kind, kind) for kind in kinds)
    hint = "put it in quotes if it is meant as text" if "string" in kinds else None
    return f"{name} must be {words}, not {kind_of(value)}", hint


def _enum(name: str, value: Json, allowed: Any) -> tuple[str, str | None]:
    choices = ", ".join(str(choice) for choice in allowed)
    hint = suggest(str(value), [str(choice) for choice in allowed])
    lower = [choice for choice in allowed if str(choice).lower() == str(value).lower()]
    if lower and lower[0] != value:
        hint = f"did you mean `{lower[0]}`? Case matters to the API"
    return f"{name} must be one of {choices}, not {show(value)}", hint


def _format(name: str, value: Json, wanted: Any) -> tuple[str, str | None]:
    if wanted == "uri" and isinstance(value, str):
        hint = "a URL looks like https://example.com/cup.webp"
        if not value.isascii() or " " in value:
            hint = "percent-encode what is not plain ASCII, e.g. a blank as %20"
        return f"{name} is not a URL: {show(value)}", hint
    return f"{name} is not a {wanted}: {show(value)}", None


def _pattern(name: str, value: Json, pattern: Any) -> tuple[str, str | None]:
    return f"{name} has a form that is not allowed: {show(value)}", f"it must match {pattern}"


def _limit(what: str) -> Callable[[str, Json, Any], tuple[str, str | None]]:
    def tell(name: str, value: Json, limit: Any) -> tuple[str, str | None]:
        size = len(value) if isinstance(value, str | list | dict) else value
        return f"{name} {what.format(limit=_thousands(limit), size=_thousands(size))}", None

    return tell


def _thousands(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int | float) else str(number)


def _constant(name: str, value: Json, wanted: Any) -> tuple[str, str | None]:
    return f"{name} must be {show(wanted)}, not {show(value)}", None


def _bare(name: str, value: Json, _limit: Any) -> tuple[str, str | None]:
    return f"{name} is not allowed here: {show(value)}", None


_WORDS: dict[str, Callable[[str, Json, Any], tuple[str, str | None]]] = {
    "type": _type,
    "enum": _enum,
    "const": _constant,
    "format": _format,
    "pattern": _pattern,
    "required": _bare,
    "maxLength": _limit("has {size} characters; at most {limit} are allowed"),
    "minLength": _limit("has {size} characters; at least {limit} are needed"),
    "maximum": _limit("is {size}; at most {limit} is allowed"),
    "minimum": _limit("is {size}; at least {limit} is needed"),
    "exclusiveMinimum": _limit("is {size}; it must be more than {limit}"),
    "exclusiveMaximum": _limit("is {size}; it must be less than {limit}"),
    "maxItems": _limit("has {size} entries; at most {limit} are allowed"),
    "minItems": _limit("has {size} entries; at least {limit} are needed"),
    "minProperties": _limit("has {size} entries; at least {limit} are needed"),
    "maxProperties": _limit("has {size} entries; at most {limit} are allowed"),
    "uniqueItems": _bare,
    "not": _bare,
}
