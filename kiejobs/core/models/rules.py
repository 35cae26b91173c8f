"""A schema's rules across fields: each with the fields that it looks at, and in words where it is broken.

In: the schema of a model's input; what of a request a rule saw. Out: `FieldRule`s; a `SchemaProblem` for a
broken one. Touches nothing.
What a rule (`allOf`, `if`, `not`, `dependentRequired`, ...) says depends on the fields that it names and on no
other, so it need only be asked once for each distinct choice of their values. Where a keyword may look at any
field, the rule's fields are all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.checked import SchemaProblem, in_words, validator
from kiejobs.core.document.wording import listed, show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

    from kiejobs.core.document.nodes import Json

_NOTES = {
    "title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly",
    "$comment", "errorMessage",
}  # fmt: skip

_ALONE = {
    "not", "anyOf", "oneOf", "dependentRequired", "dependentSchemas", "minProperties",
    "maxProperties", "propertyNames",
}  # fmt: skip
"""Keywords that are a rule by themselves."""

_ARMS = ("if", "then", "else")
_OF_ONE_FIELD = {
    "type", "properties", "required", "unevaluatedProperties", "additionalProperties", *_NOTES, *_ARMS,
}  # fmt: skip
"""Keywords that are no rule, notes among them; what is conditional is one rule together."""

_LISTS = ("allOf", "anyOf", "oneOf")
_ELSEWHERE = {"$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor", "$defs", "$schema"}
"""What makes a part of a schema mean something else when it is taken out of it."""

_MISSING = re.compile(r"'(.*)' is a required property|'(.*)' is a dependency of '.*'")
_PLAIN = {
    "const", "enum", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "maxItems",
    "minItems", "maxLength", "minLength", "multipleOf",
}  # fmt: skip
_SHORT = 20
_MOST_VALUES = 4
_MOST_TRIED = 40
_LIMITS = {"maximum", "minimum"}


@dataclass(frozen=True)
class FieldRule:
    """One condition on several fields. `title` says it in our words, where the schema does."""

    fields: tuple[str, ...]
    schema: Mapping[str, Any]
    title: str | None

    @cached_property
    def validator(self) -> Draft202012Validator:
        return validator(self.schema)

    def given(self, request_input: Mapping[str, Json]) -> dict[str, Json]:
        return {name: request_input[name] for name in self.fields if name in request_input}

    def holds(self, given: Mapping[str, Json]) -> bool:
        return bool(self.validator.is_valid(given))


def rules_of(schema: Mapping[str, Any]) -> tuple[FieldRule, ...] | None:
    """All rules of a closed schema; None where it must be asked in full."""
    closed = False in (schema.get("unevaluatedProperties"), schema.get("additionalProperties"))
    if not closed or _points_elsewhere(schema):
        return None
    parts = _parts(schema)
    if parts is None:
        return None
    known = tuple(schema.get("properties", {}))
    rules: list[FieldRule] = []
    for part in parts:
        named = fields_named(part)
        if named is not None and not named <= set(known):
            return None  # a field that only the rule knows is then no unknown one
        fields = known if named is None else tuple(name for name in known if name in named)
        rules.append(FieldRule(fields, part, part.get("title")))
    return tuple(rules)


def broken_rule(
    rule: FieldRule,
    given: Mapping[str, Json],
    rules: Sequence[FieldRule],
    fields: Mapping[str, Mapping[str, Json]],
) -> SchemaProblem:
    """The rule, which `given` breaks, in words. `rules` and `fields` are the model's."""
    leaves = list(_leaves(rule.validator.iter_errors(given)))
    blamed, others, missing = _parties(rule, given, leaves)
    why = rule.title or next(_limits(leaves), None)
    message = _message(blamed, others, missing, given) + (f": {why}" if why else "")
    related = [each for each in rules if set(each.fields) <= set(rule.fields)]
    broken = _Broken(related, given, leaves, fields)
    if missing and not blamed:
        hint = ", or ".join(_ways_out(broken, (*missing, *others))) or None
        return SchemaProblem((), "needed", message, hint, at_key=True, others=others)
    named = (*blamed, *others)
    ways = [*_ways_out(broken, named)]
    if missing:
        ways.append(f"add {listed([f'`{name}`' for name in missing], 'or')}")
    hint = ", or ".join(ways) or None
    return SchemaProblem(named[:1], "conflict", message, hint, others=named[1:])


# --- taking a schema apart -----------------------------------------------------------------------


def fields_named(schema: Any) -> set[str] | None:
    """The fields of an object that `schema` looks at; None where that may be any."""
    try:
        return set(_named_in(schema))
    except LookupError:
        return None


def _named_in(schema: Any) -> Iterator[str]:
    """Raises LookupError for a keyword that may look at any field."""
    for keyword, value in schema.items() if isinstance(schema, dict) else ():
        if keyword in {"properties", "required"}:
            yield from value
        elif keyword in _LISTS:
            for each in value:
                yield from _named_in(each)
        elif keyword in _ARMS or keyword == "not":
            yield from _named_in(value)
        elif keyword.startswith("dependent"):
            for name, needed in value.items():
                yield from (name, *(needed if isinstance(needed, list) else _named_in(needed)))
        elif keyword not in _NOTES and keyword != "type" and not keyword.startswith("x-"):
            raise LookupError(keyword)


def _parts(schema: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """One schema for each rule; None where a keyword is neither of a field nor of a rule."""
    parts: list[dict[str, Any]] = []
    if not schema.keys().isdisjoint(_ARMS):
        parts.append({arm: schema[arm] for arm in _ARMS if arm in schema})
    for keyword, value in schema.items():
        if keyword == "allOf":
            parts.extend({"allOf": [part]} if isinstance(part, bool) else part for part in value)
        elif keyword in _ALONE:
            parts.append({keyword: value})
        elif keyword not in _OF_ONE_FIELD and not keyword.startswith("x-"):
            return None
    return parts


def _points_elsewhere(node: Any) -> bool:
    if isinstance(node, dict):
        return bool(_ELSEWHERE & node.keys()) or any(map(_points_elsewhere, node.values()))
    return isinstance(node, list) and any(map(_points_elsewhere, node))


# --- who is at odds ------------------------------------------------------------------------------


def _parties(
    rule: FieldRule, given: Mapping[str, Json], leaves: Sequence[ValidationError]
) -> tuple[tuple[str, ...], ...]:
    """Those blamed by the rule's errors, which don't go with others that its `if` looked at; what is missing.

    Where the form of a rule says nothing (`not`), those are named without which it would hold.
    """
    named = {str(leaf.absolute_path[0]) for leaf in leaves if leaf.absolute_path}
    missing = {name for leaf in leaves for name in _missing(leaf)}
    blamed = [name for name in rule.fields if name in named and name in given]
    asked = fields_named(rule.schema.get("if", {})) or set()
    others = [name for name in rule.fields if name in asked and name in given]
    if not blamed and not missing:
        blamed, others = [], [n for n in given if rule.holds(_without(given, n))] or [*given]
        blamed = [others.pop()] if others else []
    elif not others:
        others = [name for name in given if name not in blamed]
    return (
        tuple(blamed),
        tuple(name for name in others if name not in blamed),
        tuple(name for name in rule.fields if name in missing),
    )


def _leaves(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _missing(error: ValidationError) -> Iterator[str]:
    found = _MISSING.fullmatch(error.message)
    if found is not None and not error.absolute_path:
        yield found[1] or found[2]


def _limits(leaves: Iterable[ValidationError]) -> Iterator[str]:
    """What a rule without a title demands of a value, where that is short."""
    for leaf in leaves:
        if leaf.absolute_path and str(leaf.validator) in _PLAIN:
            yield from (problem.message for problem in in_words(leaf))


def _without(given: Mapping[str, Json], name: str) -> dict[str, Json]:
    return {key: value for key, value in given.items() if key != name}


# --- words ---------------------------------------------------------------------------------------


def _message(
    blamed: Sequence[str], others: Sequence[str], missing: Sequence[str], given: Mapping[str, Json]
) -> str:
    with_ = listed([_named(name, given[name]) for name in others], "and")
    if missing and not blamed:
        names = listed([f"`{name}`" for name in missing], "or")
        needs = f"; {with_} {'need' if others[1:] else 'needs'} it" if with_ else ""
        return f"{'one of ' if missing[1:] else ''}{names} is missing{needs}"
    who = listed([_named(name, given[name]) for name in blamed], "and")
    if not who:
        return "the input is refused"
    if not with_:
        return f"{who} {'do not go together' if blamed[1:] else 'is refused'}"
    return f"{who} {'do' if blamed[1:] else 'does'} not go with {with_}"


def _named(name: str, value: Json) -> str:
    """`duration: 10`; the name alone where the value is long or an address."""
    if isinstance(value, str):
        plain = 0 < len(value) <= _SHORT and "/" not in value and "\n" not in value
        return f"`{name}: {value}`" if plain else f"`{name}`"
    return f"`{name}`" if isinstance(value, list | dict) else f"`{name}: {show(value)}`"


# --- ways out ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Broken:
    """A rule that doesn't hold. `rules` are those that must hold in the end, itself among them."""

    rules: Sequence[FieldRule]
    given: Mapping[str, Json]
    leaves: Sequence[ValidationError]
    fields: Mapping[str, Mapping[str, Json]]

    def mended(self, changed: Mapping[str, Json]) -> bool:
        return all(rule.holds(rule.given(changed)) for rule in self.rules)


def _ways_out(broken: _Broken, names: Sequence[str]) -> Iterator[str]:
    """For each of these fields the one change that helps: a value, or its absence, that breaks no rule."""
    for name in names:
        values = _values(broken, name)
        fit = [value for value in values if broken.mended({**broken.given, name: value})]
        if fit:
            yield f"write `{name}: {' | '.join(map(_bare, fit[:_MOST_VALUES]))}`"
        elif not values and name in broken.given and _may_be_dropped(broken, name):
            yield f"drop `{name}`"


def _values(broken: _Broken, name: str) -> list[Json]:
    """All that a field may be, where those are few; or else the limit that it should keep to."""
    field = broken.fields[name]
    values = [False, True] if field.get("type") == "boolean" else list(field.get("enum", ()))
    if not values:
        errors = (leaf for leaf in broken.leaves if list(leaf.absolute_path) == [name])
        values = [leaf.validator_value for leaf in errors if str(leaf.validator) in _LIMITS]
    return values if len(values) <= _MOST_TRIED else []


def _may_be_dropped(broken: _Broken, name: str) -> bool:
    """Not where it has a default, which would be sent; nor where the rule minds but its size."""
    errors = [leaf for leaf in broken.leaves if name in list(leaf.absolute_path)[:1]]
    unwanted = all(map(_minds_presence, errors)) and "default" not in broken.fields[name]
    return unwanted and broken.mended(_without(broken.given, name))


def _minds_presence(leaf: ValidationError) -> bool:
    """`false`, `not`, or a list that must be empty."""
    empty = leaf.validator == "maxItems" and leaf.validator_value == 0
    is_none = empty or str(leaf.validator) in {"None", "not"}
    return is_none and len(leaf.absolute_path) == 1


def _bare(value: Json) -> str:
    return value if isinstance(value, str) else show(value)
