"""What a page claims of its fields: each read once, into one list of facts.

In: the schema of an input, references written out; inputs that the page shows; its general words. Out: `FieldFact`s in
the page's order, from the schema's keywords without the habits of page makers, from prose, from examples. Touches
nothing. Where facts of one field differ, `settle` decides.

A listed value of the wrong type is read in the field's type where there is one way to; where there is none,
the list says the type. null is never sent, so it is no type and no value. What can't be a limit is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from kiejobs.core.document.tree import MAX_EXACT_INT
from kiejobs.core.models.schema_check import unsafe_reason
from kiejobs.core.models.spec import coerce
from kiejobs.importer.files import file_rule, points_at_file
from kiejobs.importer.openapi import by_name, is_number, items_in, mapping, names_in, values_in
from kiejobs.importer.prose import claims_in, is_chinese, ties_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.importer.openapi import Note, Schema

Path: TypeAlias = tuple[str, ...]
"""From the input on: names, `[]` for an item of a list, `|0` for a choice, `*` for any value of an object."""

MOST_DEPTH = 8
MOST_FIELDS = 300
MOST_VALUES = 5_000
MOST_CHOICES = 20

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_URIS = frozenset({"uri", "url", "uri-reference", "iri"})
_NOTHING_SAID = "nothing says what it takes, so anything is let through"
_TYPES = {
    "string": "string", "str": "string", "text": "string", "file": "string", "uri": "string",
    "url": "string", "date": "string", "integer": "integer", "int": "integer", "long": "integer",
    "int32": "integer", "int64": "integer", "number": "number", "float": "number",
    "double": "number", "decimal": "number", "boolean": "boolean", "bool": "boolean",
    "array": "array", "list": "array", "object": "object", "map": "object", "dict": "object",
}  # fmt: skip
_JSON_TYPES = {
    bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object",
}  # fmt: skip
_EITHER = re.compile(r"\s*(?:\||,|\bor\b)\s*")
_CHOICES = ("oneOf", "anyOf")
_SHARED = ("type", "properties", "items", "required", "description")
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_NUMBERS = {
    "string": ("minLength", "maxLength"), "array": ("minItems", "maxItems"), "integer": _BOUNDS, "number": _BOUNDS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldFact:
    """One claim of one field. `key` is a keyword of JSON Schema, or what else `claims_in` finds. `source` is schema,
    example, English or Chinese (prose), or note, for words to the one who imports. `properties`, `items`, `anyOf` and
    `additionalProperties` have the next step of the path to what is within.
    """

    path: Path
    key: str
    value: Any
    source: str = "schema"


def facts_of(input_: Schema, examples: Sequence[Schema], about: str) -> list[FieldFact]:
    """Everything that the page claims. `about` is what it says of files in general."""
    reader = _Reader(about)
    reader.facts += [FieldFact((), "example", one, "example") for one in examples]
    reader.fields((), input_, examples)
    return reader.facts


class _Reader:
    """Walks through the fields, and what is within them."""

    def __init__(self, about: str) -> None:
        self.facts: list[FieldFact] = []
        self._about = about

    def _says(self, path: Path, source: str = "schema", **claims: Any) -> None:
        """None is no claim."""
        given = [(key, value) for key, value in claims.items() if value is not None]
        self.facts += [FieldFact(path, key, value, source) for key, value in given]

    def _note(self, path: Path) -> Note:
        return lambda text: self._says(path, "note", note=text)

    def fields(self, path: Path, node: Schema, shown: Sequence[Any]) -> bool:
        """Are there any?"""
        note, objects, known = self._note(path), [by_name(value) for value in shown], dict[str, Any]()
        for raw, inner in list(mapping(node.get("properties")).items())[:MOST_FIELDS]:
            name = str(raw).strip()
            if _may_be(name, raw, inner, known, note):
                known[name] = inner
                self._says(path, properties=name)
                self._field((*path, name), name, inner, [one[name] for one in objects if name in one])
        for name, others in ties_in(mapping(node.get("properties"))):
            ties = f"{name[:80]}: prose ties it to {', '.join(others)[:200]}"
            note(f"{ties}; a rule between fields is for you to write")
        flagged = [name for name, inner in known.items() if mapping(inner).get("required") is True]
        for name in dict.fromkeys([*names_in(node.get("required")), *flagged]):
            self._says(path, required=name)
        return bool(known)

    def _field(self, path: Path, name: str, node: Any, shown: Sequence[Any]) -> None:
        if not isinstance(node, dict) or len(path) > MOST_DEPTH:
            self._note(path)(_NOTHING_SAID)
            return
        shown = [*shown, *items_in(node.get("examples"))[:20]]
        shown += [node["example"]] if "example" in node else []
        for one in shown:
            self._says(path, "example", example=one)
        plain, choices = choices_of(node, self._note(path))
        for number, one in enumerate(choices):
            self._says(path, anyOf=f"|{number}")
            self._field((*path, f"|{number}"), name, one, [])
        if not choices:
            self._keywords(path, name, plain, shown)
        self._says(path, default=node.get("default"), deprecated=node.get("deprecated"))
        self._prose(path, name, node, shown)

    def _keywords(self, path: Path, name: str, node: Schema, shown: Sequence[Any]) -> None:
        """Type, values, limits, and what is within."""
        note = self._note(path)
        values, kind = values_of(node, type_of(node, note), note)
        if kind is None and not values:
            note(_NOTHING_SAID)
        form = "uri" if kind == "string" and str(node.get("format")) in _URIS else None
        self._says(path, type=kind, format=form, enum=values or None, **limits_of(node, kind, note))
        if kind == "array" and isinstance(node.get("items"), dict):
            self._says(path, items="[]")
            items = [item for value in shown for item in items_in(value)[:50]]
            self._field((*path, "[]"), name, node["items"], items)
        elif kind == "array":
            note("nothing says what its items are, so anything is let through")
        if kind == "object" and not self.fields(path, node, shown):
            values_form = mapping(node.get("additionalProperties"))
            if values_form:
                self._says(path, additionalProperties="*")
                self._field((*path, "*"), "value", values_form, [])
            else:
                note("nothing says which keys it takes, so any are let through")

    def _prose(self, path: Path, name: str, node: Schema, shown: Sequence[Any]) -> None:
        texts = [one.get("description") for one in (node, mapping(node.get("items")))]
        words = [text for text in texts if isinstance(text, str)]
        prose = "\n".join(words)
        language = "Chinese" if is_chinese(prose) else "English"
        # What describes an item limits the item; the list only where nothing else describes it.
        self._says(path, language, **claims_in(words[0] if words else ""))
        file, address = file_rule(name, prose, self._about), points_at_file(name, prose, shown)
        self._says(path, language, file=file, address=address)


def _may_be(name: str, raw: Any, inner: Any, known: Schema, note: Note) -> bool:
    if not _NAME.fullmatch(name):
        note(f"`{name[:80]}` can't be the name of a field; left out")
    elif mapping(inner).get("readOnly") is True:
        note(f"{name}: only answers have it; left out")
    elif name in known:
        note(f"{name}: here twice; the first counts")
    else:
        if name != raw:
            note(f"{name}: the page writes its name with blanks around it")
        return True
    return False


def type_of(node: Schema, note: Note) -> str | None:
    """The field's type, None where nothing states it. Of several types, see `choices_of`."""
    given = node.get("type")
    known = _TYPES.get(given.strip().lower().partition("<")[0]) if isinstance(given, str) else None
    if known is not None:
        return known
    if given is not None:
        note(f"`{str(given)[:40]}` is no type")
    if isinstance(node.get("properties"), dict):
        return "object"
    if "items" in node:
        return "array"
    values = [node.get("default"), node.get("example"), *_listed(node), *items_in(node.get("examples"))]
    kinds = {_json_type(value) for value in values if value is not None}
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else None


def values_of(node: Schema, kind: str | None, note: Note) -> tuple[list[Any], str | None]:
    """The values that are listed, and the type that they have."""
    listed = [value for value in _listed(node) if value is not None]
    if not listed or kind in {"array", "object"}:
        if listed:
            note("values are listed for it; what they mean is unknown, so they are left out")
        return [], kind
    read = [coerce({"type": kind}, value) for value in listed]
    if kind is not None and not all(fits({"type": kind}, value) for value in read):
        kinds = list(dict.fromkeys(_json_type(value) for value in listed))
        note(f"it is called {kind}, but what is listed is {' and '.join(kinds)}; the list counts")
        return _distinct(listed), kinds[0] if len(kinds) == 1 else None
    if any(type(one) is not type(other) for one, other in zip(read, listed, strict=True)):
        note(f"its listed values are read as {kind}, which is the field's type")
    return _distinct(read), kind


def limits_of(node: Schema, kind: str | None, note: Note) -> Schema:
    """The limits that go with the type."""
    limits = _numbers(node, kind, note) if kind in _NUMBERS else {}
    if kind == "array" and node.get("uniqueItems") is True:
        limits["uniqueItems"] = True
    pattern = node.get("pattern")
    if kind == "string" and isinstance(pattern, str):
        why = unsafe_reason(pattern) or ("may have 200 characters" if len(pattern) > 200 else None)
        if why is None:
            limits["pattern"] = pattern
        else:
            note(f"its pattern is left out: one {why}")
    return limits


def _json_type(value: Any) -> str:
    return next((name for kind, name in _JSON_TYPES.items() if isinstance(value, kind)), "null")


def _as_number(value: Any) -> float | None:
    """A limit, also where it is written as text; None for what is no finite number."""
    if isinstance(value, str):
        value = coerce({"type": "number"}, value)
    if not is_number(value):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if abs(value) < 1e300 else None  # NaN is not less


def _listed(node: Schema) -> list[Any]:
    """`enum`, or else what some page makers have for it; `const` is a list of one."""
    entries = [mapping(entry) for entry in items_in(node.get("x-apidog-enum"))]
    values, others = values_in(node), [entry["value"] for entry in entries if "value" in entry]
    return (others if values is None else values)[:MOST_VALUES]


def _numbers(node: Schema, kind: str, note: Note) -> Schema:
    names = _NUMBERS[kind]
    found = {name: node[name] for name in names if node.get(name) is not None}
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if found.get(exclusive) is True and plain in found:
            found[exclusive] = found.pop(plain)
        elif isinstance(found.get(exclusive), bool):
            del found[exclusive]
    limits: Schema = {}
    for name, value in found.items():
        number = _as_number(value)
        if number is not None and (
            names == _BOUNDS or (0 <= number <= MAX_EXACT_INT and number == int(number))
        ):
            limits[name] = number
        else:
            note(f"its {name} is no {'number' if names == _BOUNDS else 'count'} and left out")
    step = _as_number(node.get("multipleOf")) if names == _BOUNDS else None
    if step is not None and step > 0:
        limits |= multiple(step, note)
    low, high = names[0], names[len(names) // 2]
    if low in limits and high in limits and limits[low] > limits[high]:
        note(f"its {low} is above its {high}; both are left out")
        del limits[low], limits[high]
    return limits


def multiple(step: float, note: Note) -> Schema:
    """`multipleOf`, but not of fractions: computers count them so that 0.3 is no multiple of 0.1."""
    if isinstance(step, int):
        return {"multipleOf": step}
    note(f"it goes in steps of {step}, which is not checked: fractions don't divide exactly")
    return {}


def _distinct(values: list[Any]) -> list[Any]:
    """Each value once; 1 and true are two."""
    return list({repr(value): value for value in values}.values())


def choices_of(node: Schema, note: Note) -> tuple[Schema, list[Schema]]:
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


def _several(rest: Schema, choices: list[Schema], note: Note) -> tuple[Schema, list[Schema]]:
    lists = [values_in(one) for one in choices]
    if None not in lists and len({str(one.get("type")) for one in choices}) == 1:
        kind = {"type": choices[0]["type"]} if choices[0].get("type") is not None else {}
        return {**rest, "enum": [value for values in lists for value in values or ()], **kind}, []
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


def fits(form: Schema, value: Any) -> bool:
    return Draft202012Validator(form, format_checker=formats()).is_valid(value)
