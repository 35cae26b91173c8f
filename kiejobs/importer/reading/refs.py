"""Schemas of an OpenAPI document with their references written out.

In: the document, a schema in it. Out: the schema as plain values, without `$ref` and `allOf`. Touches
nothing: a reference to elsewhere is never fetched. References may go round in circles or multiply: depth
and the number of values are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import unquote

Schema: TypeAlias = dict[str, Any]
Note: TypeAlias = Callable[[str], None]
"""Takes what had to be decided, in words for the one who imports."""

MOST_VALUES = 20_000
MOST_DEPTH = 48

_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems"})
_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems"})


class TooManyReferences(Exception):
    """Written out, the schema would be larger than any that means something."""


class References:
    """`notes` collects what could not be followed, once each; `values` counts what was written out."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.values = 0
        self.notes: list[str] = []

    def written_out(self, node: Any, trail: tuple[str, ...] = (), depth: int = 0) -> Any:
        """`node` without references. `trail` are those that led to it. Raises TooManyReferences."""
        self.values += 1
        if self.values > MOST_VALUES or depth > MOST_DEPTH:
            raise TooManyReferences
        if isinstance(node, list):
            return [self.written_out(item, trail, depth + 1) for item in node]
        if not isinstance(node, dict):
            return node
        beneath: Schema = {}
        for part, steps in self._parts(node, trail):
            beneath = both(beneath, self.written_out(part, steps, depth + 1))
        own = {
            key: self.written_out(value, trail, depth + 1)
            for key, value in node.items()
            if key not in {"$ref", "allOf", "x-apidog-refs"}
        }
        # What stands next to a reference counts more than what it leads to; fields of both count.
        shared = [key for key in ("properties", "required") if key in beneath and key in own]
        return {**beneath, **own, **{key: _together(key, beneath[key], own[key]) for key in shared}}

    def target(self, node: Any) -> Any:
        """What `node` refers to, if it does; itself otherwise. Not written out further."""
        for _ in range(MOST_DEPTH):
            reference = mapping(node).get("$ref")
            if not isinstance(reference, str):
                return node
            node = self._find(reference.strip()) or {}
        return {}

    def _parts(self, node: Schema, trail: tuple[str, ...]) -> list[tuple[Any, tuple[str, ...]]]:
        """What is laid beneath a schema: the parts of `allOf`, and what its references lead to."""
        found = [(part, trail) for part in items_in(node.get("allOf"))]
        others = mapping(node.get("x-apidog-refs")).values()
        given = [mapping(one).get("$ref") for one in (node, *others)]
        for reference in [one.strip() for one in given if isinstance(one, str)]:
            if reference in trail:
                self._note(
                    f"the reference {reference} leads back to itself; it is not followed again"
                )
            elif (part := self._find(reference)) is not None:
                found.append((part, (*trail, reference)))
        return found

    def _find(self, reference: str) -> Any:
        """The value at a JSON pointer. Blanks at the ends of names don't count: some pages have them."""
        if not reference.startswith("#"):
            self._note(f"the reference {reference} leads out of the page; it is not followed")
            return None
        node: Any = self._document
        for step in unquote(reference[1:]).split("/")[1:]:
            node = _entry(node, step.replace("~1", "/").replace("~0", "~"))
            if node is None:
                self._note(f"the reference {reference} leads nowhere")
                return None
        return node

    def _note(self, text: str) -> None:
        text = text[:300]
        if text not in self.notes and len(self.notes) < 50:
            self.notes.append(text)


def _entry(node: Any, name: str) -> Any:
    if isinstance(node, list):
        return node[int(name)] if name.isdecimal() and int(name) < len(node) else None
    if not isinstance(node, dict):
        return None
    if name in node:
        return node[name]
    same = [value for key, value in node.items() if str(key).strip() == name.strip()]
    return same[0] if len(same) == 1 else None


def both(one: Any, other: Any) -> Schema:
    """A schema that wants what both want, as far as one schema can."""
    merged = dict(mapping(one))
    for key, value in mapping(other).items():
        merged[key] = _together(key, merged[key], value) if key in merged else value
    return merged


def _together(key: str, one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict) and key == "properties":
        shared = {name: both(one[name], other[name]) for name in one if name in other}
        return {**one, **other, **shared}
    if isinstance(one, list) and isinstance(other, list):
        if key == "required":
            return [*one, *(name for name in other if name not in one)]
        return ([value for value in one if value in other] if key == "enum" else []) or other
    if key in _LOWER | _UPPER and is_number(one) and is_number(other):
        return max(one, other) if key in _LOWER else min(one, other)
    return other


# --- a stranger's values: anything may stand anywhere ------------------------------------------------


def mapping(value: Any) -> Schema:
    return value if isinstance(value, dict) else {}


def items_in(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def by_name(value: Any) -> Schema:
    """Entries without the blanks that some pages have around names."""
    return {str(name).strip(): entry for name, entry in mapping(value).items()}


def fields_in(schema: Schema) -> Schema:
    return by_name(schema.get("properties"))


def names_in(value: Any) -> list[str]:
    return list(dict.fromkeys(str(name).strip() for name in items_in(value)))


def values_in(schema: Schema) -> list[Any] | None:
    """`enum`; `const` is a list of one."""
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    return [schema["const"]] if "const" in schema else None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
