"""A field that a page describes by `oneOf` or `anyOf`.

In: its schema, references written out. Out: one schema where that can be said in one, or the choices.
Touches nothing.

null is never sent, so a choice that is null is none. Lists of one type become one list.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]

MOST_CHOICES = 20

_EITHER = re.compile(r"\s*(?:\||,|\bor\b)\s*")
_CHOICES = ("oneOf", "anyOf")
_SHARED = ("type", "properties", "items", "required", "description")


def choices_of(node: Schema, note: Callable[[str], None]) -> tuple[Schema, list[Schema]]:
    """The schema without its choices, or with what they come to; and those that stay apart."""
    for _ in range(MOST_CHOICES):
        key = next((one for one in _CHOICES if isinstance(node.get(one), list)), None)
        if key is None:
            return _type_by_type(node)
        rest = {name: value for name, value in node.items() if name != key}
        choices = [one for one in node[key] if isinstance(one, dict) and one.get("type") != "null"]
        if len(choices) > 1:
            return _several(rest, choices, note)
        node = {**choices[0], **rest} if choices else rest
    return node, []


def _several(
    rest: Schema, choices: list[Schema], note: Callable[[str], None]
) -> tuple[Schema, list[Schema]]:
    listed = _one_list(choices)
    if listed is not None:
        return {**rest, **listed}, []
    if all(set(one) <= {"required", "title", "description"} for one in choices):
        note("which of its keys go together is not checked")
        return rest, []
    if len(choices) > MOST_CHOICES:
        note(f"only the first {MOST_CHOICES} of its {len(choices)} kinds are taken")
    shared = {key: rest[key] for key in _SHARED if key in rest}
    return rest, [{**shared, **one} for one in choices[:MOST_CHOICES]]


def _type_by_type(node: Schema) -> tuple[Schema, list[Schema]]:
    """A list of types is a choice too; the limits of each type stay with it."""
    types = node.get("type")
    if isinstance(types, str) and _EITHER.search(types):
        types = _EITHER.split(types)
    several = [one for one in types if one != "null"] if isinstance(types, list) else []
    if len(set(map(str, several))) < 2 or "enum" in node or "const" in node:
        return ({**node, "type": several[0]} if several else node), []
    bare = {key: value for key, value in node.items() if key != "default"}
    return node, [{**bare, "type": one} for one in several[:MOST_CHOICES]]


def _one_list(choices: list[Schema]) -> Schema | None:
    """Several lists of one type as one list; None where they are not that."""
    kinds = {str(one.get("type")) for one in choices}
    lists = [
        one["enum"] if isinstance(one.get("enum"), list) else [one["const"]]
        for one in choices
        if isinstance(one.get("enum"), list) or "const" in one
    ]
    if len(kinds) != 1 or len(lists) != len(choices):
        return None
    found: Schema = {"enum": [value for values in lists for value in values]}
    return found if choices[0].get("type") is None else {**found, "type": choices[0]["type"]}
