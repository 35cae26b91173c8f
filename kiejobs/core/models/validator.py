"""Does a request obey its model's schema? Asked once per distinct value, not once per job.

In: a Spec and inputs as they would be sent. Out: `SchemaProblem`s. Touches nothing.
Values repeat in a matrix: each field is looked at by itself, and each rule across fields with the fields that
it names. A schema that can't be taken apart so is checked in full for each distinct request.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.checked import SchemaProblem, dotted, in_words, is_uri, validator
from kiejobs.core.document.surely import is_surely
from kiejobs.core.document.wording import CONTROL, nearest, show, suggest
from kiejobs.core.fingerprint import canonical
from kiejobs.core.models.rules import FieldRule, broken_rule, rules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jsonschema import Draft202012Validator

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.spec import Spec

_REMEMBERED = 50_000
_SIMPLE = frozenset(
    ["type", "minLength", "maxLength", "format", "title", "description", "examples", "default"]
)
_SHORT = 64
LONGEST_TEXT = 1_000_000
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Braille's and Hangul's: letters that show nothing."""


class RequestChecker:
    """Checks the inputs of one model and remembers the verdict on each distinct value."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._validators: dict[str, Draft202012Validator] = {}
        self._quick: dict[str, Callable[[Json], bool] | None] = {}
        self.rules = rules_of(spec.input_schema)
        self._known: dict[tuple[object, ...], tuple[SchemaProblem, ...]] = {}

    def takes(self, name: str, value: Json) -> bool:
        """Is the value one for that field, looked at by itself?"""
        if name not in self._quick:
            self._quick[name] = _obvious(self.spec.fields[name])
        quick = self._quick[name]
        is_fine = (
            quick is not None
            and quick(value)
            and ((value[:1].isascii() and value[:1].isalnum()) or not _is_blank(value))
        )
        return is_fine or not self._remember(name, value)

    def problems(self, request_input: Mapping[str, Json]) -> list[SchemaProblem]:
        """All that is wrong with `request_input`, paths relative to it."""
        if self.rules is None:
            refused = self._remember("", dict(request_input))
            for name, value in request_input.items():
                refused += tuple(self._misread(name, value, refused))
            return [
                self._unknown(str(one.path[0]))
                if one.keyword == "unknown" and len(one.path) == 1  # a field of the input itself
                else one
                for one in refused
            ]
        fields = self.spec.fields
        unknown = [name for name in request_input if name not in fields]
        missing = [name for name in self.spec.required if name not in request_input]
        found = self._missing(missing, unknown) if missing else []
        for name, value in request_input.items():
            if name in fields:
                found.extend(self._remember(name, value))
        found.extend(map(self._unknown, unknown))
        if not self.rules:
            return found
        wrong = {*missing, *(str(problem.path[0]) for problem in found if problem.path)}
        wrong |= {nearest(name, fields) or name for name in unknown}
        return [*found, *self._rule_by_rule(self.rules, request_input, wrong)]

    def _rule_by_rule(
        self, rules: Sequence[FieldRule], request_input: Mapping[str, Json], wrong: set[str]
    ) -> Iterator[SchemaProblem]:
        """What a field does that is wrong by itself, or that was misspelt, says nothing of a rule."""
        for number, rule in enumerate(rules):
            if wrong.isdisjoint(rule.fields):
                given = rule.given(request_input)
                key = (number, *((name, _token(value)) for name, value in given.items()))
                known = self._known.get(key)
                if known is None:
                    held = rule.holds(given)
                    broken = () if held else (broken_rule(rule, given, rules, self.spec.fields),)
                    known = self._keep(key, broken)
                yield from known

    def _missing(self, missing: Sequence[str], unknown: Sequence[str]) -> list[SchemaProblem]:
        """Required fields that are not there; one that was only misspelt is reported as unknown."""
        meant = {nearest(name, self.spec.fields) for name in unknown}
        words = f"is missing: {self.spec.model} needs it"
        named = [name for name in missing if name not in meant]
        return [SchemaProblem((), "required", f"`{n}` {words}", at_key=True) for n in named]

    def _unknown(self, name: str) -> SchemaProblem:
        fields = self.spec.fields
        hint = suggest(name, fields) or f"its fields: {', '.join(fields)}"
        message = f"`{name}` is not a field of {self.spec.model}; the API may ignore it and charge"
        return SchemaProblem((name,), "unknown", message, hint, at_key=True)

    def _remember(self, name: str, value: Json) -> tuple[SchemaProblem, ...]:
        """What is wrong with a field's value by itself; with the input where `name` is empty."""
        key = (name, _token(value))
        known = self._known.get(key)
        return known if known is not None else self._keep(key, self._refused(name, value))

    def _refused(self, name: str, value: Json) -> Sequence[SchemaProblem]:
        schema = self.spec.fields[name] if name else self.spec.input_schema
        found: list[SchemaProblem] = []
        if not is_surely(schema, value):
            if name not in self._validators:
                self._validators[name] = validator(schema)
            found = _problems(name, value, self._validators[name])
        return [*found, *self._misread(name, value, found)] if name else found

    def _misread(self, name: str, value: Json, found: Sequence[SchemaProblem]) -> Iterator[SchemaProblem]:
        """What no schema minds: a required text that says nothing, characters that nobody can see."""
        if any(problem.path[:1] == (name,) for problem in found):
            return
        for path, text in texts_in(value, (name,)):
            odd = CONTROL.search(text)
            if odd is not None:
                where = f", behind {show(text[: odd.start()][-20:])}" if odd.start() else ""
                message = f"`{dotted(path)}` has a control character, U+{ord(odd[0]):04X}{where}"
                yield SchemaProblem(path, "control", message, "delete it where it comes from")
                return
            if len(text) > LONGEST_TEXT:
                message = f"`{dotted(path)}` has {len(text):,} characters; no model takes that many"
                yield SchemaProblem(path, "maxLength", message)
        if name in self.spec.required and name not in self.spec.defaults and _is_blank(value):
            yield SchemaProblem((name,), "blank", f"`{name}` is empty: {self.spec.model} needs it")

    def _keep(self, key: tuple[object, ...], found: Sequence[SchemaProblem]) -> tuple[SchemaProblem, ...]:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        kept = self._known[key] = tuple(found)
        return kept


def texts_in(value: Json, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """All texts in a value, with the paths that lead to them."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts_in(item, (*path, step))


def _is_blank(value: Json) -> bool:
    if isinstance(value, str):
        return not any(char.isprintable() and not char.isspace() and char not in _BLANKS for char in value)
    return isinstance(value, list) and (not value or all(map(_is_blank, value)))


def _obvious(field: Mapping[str, Any]) -> Callable[[Json], bool] | None:
    """Says of texts that they are surely fine, for a field that limits length and form only."""
    if field.get("type") != "string" or any(key not in _SIMPLE and not key.startswith("x-") for key in field):
        return None
    least, most = field.get("minLength", 0), field.get("maxLength", LONGEST_TEXT)
    fits = is_uri if field.get("format") == "uri" else None
    if fits is None and "format" in field:
        return None
    return lambda value: (
        isinstance(value, str)
        and least <= len(value) <= most
        and (fits(value) if fits else value.isprintable() or not CONTROL.search(value))
    )


def _problems(name: str, value: Json, validator: Draft202012Validator) -> list[SchemaProblem]:
    errors = list(validator.iter_errors(value))
    if not errors:
        return []
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    found: list[SchemaProblem] = []
    for error in errors:
        if error.validator != "type" and tuple(error.absolute_path) in mistyped:
            continue  # of the wrong type, so none of the values that are listed either
        if name:
            error.path.appendleft(name)
        found.extend(in_words(error))
    return found


def _token(value: Json) -> str | bytes:
    """A value's key in memory: equal for equal values, short even for a long prompt."""
    if isinstance(value, str) and len(value) <= _SHORT:
        return value
    try:
        whole = canonical(value)
    except ValueError:
        whole = repr(value).encode(errors="surrogatepass")
    return whole if len(whole) <= _SHORT else hashlib.sha256(whole).digest()
