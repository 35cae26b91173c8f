"""A schema's rules across fields, each with the fields that it looks at.

In: the schema of a model's input. Out: `FieldRule`s, or None where the schema can't be taken apart. Touches
nothing.

A closed schema is its fields, one by one, and what stands beside `properties`: `allOf`, `if`, `not`,
`dependentRequired` and so on. Each of these holds or doesn't on its own, and what it says depends on
the fields that it names and on no other, so it need only be asked once for each distinct choice of
their values. Where a keyword may look at any field, the rule's fields are all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.checked import validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jsonschema import Draft202012Validator

    from kiejobs.core.document.nodes import Json

_OF_ONE_FIELD = {"type", "properties", "required", "unevaluatedProperties", "additionalProperties"}
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
_LISTS = ("allOf", "anyOf", "oneOf")
_ELSEWHERE = {"$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor", "$defs", "$schema"}
"""What makes a part of a schema mean something else when it is taken out of the whole."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One condition on several fields. `title` says it in our words, where the schema does."""

    fields: tuple[str, ...]
    schema: Mapping[str, Any]
    title: str | None
    validator: Draft202012Validator

    def given(self, request_input: Mapping[str, Json]) -> dict[str, Json]:
        """What the rule sees of a request."""
        return {name: request_input[name] for name in self.fields if name in request_input}

    def holds(self, given: Mapping[str, Json]) -> bool:
        return bool(self.validator.is_valid(given))


def rules_of(schema: Mapping[str, Any]) -> tuple[FieldRule, ...] | None:
    """All rules of a closed schema; None where it must be asked as a whole."""
    if not _is_closed(schema) or _points_elsewhere(schema):
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
        rules.append(FieldRule(fields, part, part.get("title"), validator(part)))
    return tuple(rules)


def fields_named(schema: Any) -> set[str] | None:
    """The fields of an object that `schema` looks at; None where that may be any."""
    if isinstance(schema, bool):
        return set()
    named: set[str] | None = set()
    for keyword, value in schema.items():
        named = _both(named, _named_by(keyword, value))
    return named


def _named_by(keyword: str, value: Any) -> set[str] | None:
    if keyword in _NOTES or keyword.startswith("x-") or keyword == "type":
        return set()
    if keyword in {"properties", "required"}:
        return set(value)
    if keyword in _LISTS:
        return _all(value)
    if keyword in _ARMS or keyword == "not":
        return fields_named(value)
    return _depending(value) if keyword.startswith("dependent") else None


def _depending(value: Mapping[str, Any]) -> set[str] | None:
    """Of `dependentRequired`, whose values are names, or `dependentSchemas`."""
    needed = [{"required": one} if isinstance(one, list) else one for one in value.values()]
    return _both(set(value), _all(needed))


def _all(schemas: Iterable[Any]) -> set[str] | None:
    named: set[str] | None = set()
    for schema in schemas:
        named = _both(named, fields_named(schema))
    return named


def _both(one: set[str] | None, other: set[str] | None) -> set[str] | None:
    return None if one is None or other is None else one | other


def _parts(schema: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """One schema for each rule; None where a keyword is neither of a field nor of a rule."""
    parts: list[dict[str, Any]] = []
    conditional = {arm: schema[arm] for arm in _ARMS if arm in schema}
    if conditional:
        parts.append(conditional)
    for keyword, value in schema.items():
        if keyword == "allOf":
            parts.extend({"allOf": [part]} if isinstance(part, bool) else part for part in value)
        elif keyword in _ALONE:
            parts.append({keyword: value})
        elif not _is_of_one_field(keyword) and keyword not in _ARMS:
            return None
    return parts


def _is_of_one_field(keyword: str) -> bool:
    return keyword in _OF_ONE_FIELD or keyword in _NOTES or keyword.startswith("x-")


def _is_closed(schema: Mapping[str, Any]) -> bool:
    return False in (schema.get("unevaluatedProperties"), schema.get("additionalProperties"))


def _points_elsewhere(node: Any) -> bool:
    if isinstance(node, dict):
        return bool(_ELSEWHERE & node.keys()) or any(map(_points_elsewhere, node.values()))
    return isinstance(node, list) and any(map(_points_elsewhere, node))
