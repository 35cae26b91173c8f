"""JSON Schema errors in words that name the field and say what to do.

In: jsonschema's validation errors. Out: `SchemaProblem` values (path, message, hint). Touches nothing.

A schema may carry hints of its own: `x-kiejobs-hint` says in words what a `pattern` or a closed set of
keys wants, and a `description` may end in an example.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from jsonschema.exceptions import best_match

from kiejobs.core.document.wording import kind_of, shorten, show, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jsonschema.exceptions import ValidationError

    from kiejobs.core.document.nodes import Json

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}

_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_EXAMPLE = re.compile(r"Example: (`[^`]+`)")
_DEPENDENCY = re.compile(r"'(.*)' is a dependency of '(.*)'")

Words: TypeAlias = tuple[str, str | None]
"""A message that goes on after the name of what it is about, and a hint."""


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One thing that a schema refuses. `path` leads to the value, or to the unknown key itself.

    `others` are fields that have as much to do with it, where it is about several.
    """

    path: tuple[str | int, ...]
    keyword: str
    message: str
    hint: str | None = None
    at_key: bool = False
    others: tuple[str, ...] = ()


def in_words(error: ValidationError, noun: str = "a job file") -> Iterator[SchemaProblem]:
    """One problem for each thing that is wrong; an unknown-key error may hold several.

    `noun` is what a message calls the file.
    """
    keyword = str(error.validator)
    path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        yield _bad_key(error, path, keyword)
    elif keyword in {"additionalProperties", "unevaluatedProperties"}:
        yield from _unknown_keys(error, path, noun)
    elif keyword in {"required", "dependentRequired"}:
        yield _missing_key(error, path)
    elif keyword in {"anyOf", "oneOf"} and error.context:
        yield from in_words(_likeliest(error), noun)
    else:
        message, hint = _words(error, keyword)
        name = f"`{dotted(path)}`" if path else "this value"
        yield SchemaProblem(path, keyword, f"{name} {message}", hint or _own_hint(error))


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: `jobs.pour.tags[0]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{shorten(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def _likeliest(error: ValidationError) -> ValidationError:
    best = best_match([error])
    return best if best is not None and best is not error else error.context[0]


def _own_hint(error: ValidationError) -> str | None:
    """What the schema itself has to say: a hint, or else an example."""
    schema = cast("Mapping[str, Any]", error.schema)
    example = _EXAMPLE.search(schema.get("description", ""))
    hint: str | None = schema.get("x-kiejobs-hint")
    return hint or (f"for example {example[1]}" if example else None)


# --- keys ------------------------------------------------------------------------------------------


def _unknown_keys(
    error: ValidationError, path: tuple[str | int, ...], noun: str
) -> Iterator[SchemaProblem]:
    schema = cast("Mapping[str, Any]", error.schema)
    known = set(schema.get("properties", {}))
    patterns = list(schema.get("patternProperties", {}))
    where = f"of `{dotted(path)}`" if path else f"of {noun}"
    for key in cast("Mapping[str, Any]", error.instance):
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            hint = suggest(key, known) or _known_keys(schema, known)
            message = f"`{shorten(key)}` is no key {where}"
            yield SchemaProblem((*path, key), "unknown", message, hint, at_key=True)


def _known_keys(schema: Mapping[str, Any], known: set[str]) -> str:
    """The schema's own hint, and the keys themselves where they are all there can be."""
    hint: str | None = schema.get("x-kiejobs-hint")
    if hint is not None and "patternProperties" in schema:
        return hint
    keys = f"its keys: {', '.join(sorted(known))}"
    return f"{hint}; {keys}" if hint else keys


def _missing_key(error: ValidationError, path: tuple[str | int, ...]) -> SchemaProblem:
    where = f" in `{dotted(path)}`" if path else ""
    dependency = _DEPENDENCY.match(error.message)
    if dependency is not None:
        message = f"`{dependency[1]}` is missing{where}; `{dependency[2]}` needs it"
        return SchemaProblem(path, "required", message, at_key=True)
    required = cast("Sequence[str]", error.validator_value)
    missing = next((key for key in required if f"'{key}'" in error.message), required[0])
    fields = cast("Mapping[str, Any]", error.schema).get("properties", {})
    example = _EXAMPLE.search(fields.get(missing, {}).get("description", ""))
    hint = f"for example {example[1]}" if example else None
    return SchemaProblem(path, "required", f"`{missing}` is missing{where}", hint, at_key=True)


def _bad_key(error: ValidationError, path: tuple[str | int, ...], keyword: str) -> SchemaProblem:
    key = str(error.instance)
    message, hint = _words(error, keyword)
    if keyword == "pattern":
        message, hint = "has a form that is not allowed", _own_hint(error)
    name = f"the name `{shorten(key)}`" + (f" in `{dotted(path)}`" if path else "")
    return SchemaProblem((*path, key), keyword, f"{name} {message}", hint, at_key=True)


# --- values ----------------------------------------------------------------------------------------


def _words(error: ValidationError, keyword: str) -> Words:
    describe = _DESCRIBE.get(keyword)
    if describe is None:
        return f"is refused: {shorten(error.message)}", None
    return describe(error.instance, error.validator_value)


def _type(value: Json, wanted: Any) -> Words:
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    words = [_KINDS.get(kind, kind) for kind in kinds]
    listed = f"{', '.join(words[:-1])} or {words[-1]}" if words[1:] else words[0]
    is_plain = isinstance(value, str | int | float)
    hint = None
    if value is None:
        hint = "write a value, or drop it"
    elif isinstance(value, str) and _COMMA.fullmatch(value) and "number" in kinds:
        hint = f"write it with a point: {value.replace(',', '.')}"
    elif is_plain and "array" in kinds:
        hint = f"put it in a list: [{show(value)}]"
    elif is_plain and "string" in kinds:
        hint = "put it in quotes if it is meant as text"
    return f"must be {listed}, not {show(value) if is_plain else kind_of(value)}", hint


def _enum(value: Json, allowed: Any) -> Words:
    choices = [str(choice) for choice in allowed]
    hint = suggest(str(value), choices)
    lower = [choice for choice in choices if choice.lower() == str(value).lower()]
    if lower and lower[0] != value:
        hint = f"did you mean `{lower[0]}`? Case matters to the API"
    return f"must be one of {', '.join(choices)}, not {show(value)}", hint


def _format(value: Json, wanted: Any) -> Words:
    if wanted == "uri" and isinstance(value, str):
        hint = "a URL looks like https://example.com/cup.webp"
        if not value.isascii() or " " in value:
            hint = "percent-encode what is not plain ASCII, e.g. a blank as %20"
        return f"is not a URL: {show(value)}", hint
    return f"is not a {wanted}: {show(value)}", None


def _pattern(value: Json, _pattern: Any) -> Words:
    return f"has a form that is not allowed: {show(value)}", None


def _limit(what: str) -> Callable[[Json, Any], Words]:
    def describe(value: Json, limit: Any) -> Words:
        size = len(value) if isinstance(value, str | list | dict) else value
        if size == 0 and limit == 1 and not isinstance(value, int | float):
            return "is empty", None
        return what.format(limit=_thousands(limit), size=_thousands(size)), None

    return describe


def _thousands(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int | float) else str(number)


def _constant(value: Json, wanted: Any) -> Words:
    return f"must be {show(wanted)}, not {show(value)}", None


def _multiple(value: Json, step: Any) -> Words:
    return f"is {show(value)}; it must be a multiple of {show(step)}", None


def _not(value: Json, _refused: Any) -> Words:
    return (
        f"must not be {show(value) if isinstance(value, str | int | float) else 'like that'}",
        None,
    )


def _contains(_value: Json, _wanted: Any) -> Words:
    return "lacks an entry that must be there", None


def _one_of(_value: Json, _branches: Any) -> Words:
    return "fits several forms of which only one may fit", None


def _twice(value: Json, _wanted: Any) -> Words:
    twice = next((item for n, item in enumerate(value) if item in value[:n]), None)
    return f"has {show(twice)} twice", "remove one of them"


_DESCRIBE: dict[str, Callable[[Json, Any], Words]] = {
    "type": _type,
    "enum": _enum,
    "const": _constant,
    "format": _format,
    "pattern": _pattern,
    "uniqueItems": _twice,
    "multipleOf": _multiple,
    "not": _not,
    "contains": _contains,
    "oneOf": _one_of,
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
}
