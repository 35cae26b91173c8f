"""The requests that an OpenAPI document describes, which models they are for, and references written out.

In: the document as values. Out: an `ApiRequest` for each model that the body of a POST names, and problems.
Touches nothing: a reference to elsewhere is never fetched. References may go round in circles or multiply:
depth and the number of values are bounded. A model's id never comes from a path: pages lie elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

from kiejobs.importer.model_id import listed_models, model_ids

Schema: TypeAlias = dict[str, Any]
Example: TypeAlias = tuple[str, Schema]
"""A model and an input for it, empty where it can't be read."""
Note: TypeAlias = Callable[[str], None]
"""Takes what had to be decided, in words for the one who imports."""

MOST_EXAMPLES = 20
MOST_VALUES = 20_000
MOST_DEPTH = 48

_BODY = re.compile(r"\{\s*\"(?:model|callBackUrl|input)\"")
_MODEL = re.compile(r"[\"']model[\"']\s{0,9}:\s{0,9}[\"']([^\"'\s]{1,100})[\"']")
_NO_REQUEST = "no POST with a `model` and an `input`"
_TOO_LARGE = "written out, its schema is too large or nested too deeply"
_NARROWER = dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems"), max)
_NARROWER |= dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems"), min)


@dataclass(frozen=True, slots=True)
class ApiDocument:
    """`root` is the OpenAPI document; `model` what the discovery API was asked about; `notes` are of the
    reader, each with its place.
    """

    root: dict[str, Any]
    model: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One model's request. `input` is its schema with references written out, `size` about the number of
    values in it; `examples` are inputs that the page shows. `words` say what the operation is for in a few
    words, `prose` in many; `answer` is what the page shows of an outcome.
    """

    model: str
    input: Schema
    examples: tuple[Schema, ...]
    words: str
    prose: str
    version: str
    answer: str
    size: int
    notes: tuple[str, ...]


Requests: TypeAlias = tuple[list[ApiRequest], list[str], list[str]]
"""Found ones; problems that keep one from being taken in; others: why an operation is no request of ours."""


def requests_of(
    name: str, document: ApiDocument, choice: str | None = None
) -> tuple[list[ApiRequest], list[str]]:
    """All requests of the document, or those for one model; problems only where one can't be taken in."""
    requests: Requests = ([], [], [])
    found, problems, others = requests
    for path, item in list(document.root["paths"].items())[:1000]:
        operations = mapping(References(document.root).target(item))
        if isinstance(operations.get("post"), dict):
            place = f"{name}: POST {str(path)[:200]}{'' if _is_create(str(path)) else ' is not createTask'}"
            try:
                _read(document, place, str(path), operations["post"], choice, requests)
            except (TooManyReferences, RecursionError):
                problems.append(f"{place}: {_TOO_LARGE}")
        else:
            verbs = "/".join(str(one).upper()[:10] for one in operations)
            others.append(f"{name}: it describes {verbs} {str(path)[:200]}: {_NO_REQUEST}")
    if found or problems:
        return found, problems
    return [], others or [f"{name}: {_NO_REQUEST} in its body"]


def _read(
    document: ApiDocument, place: str, path: str, operation: Schema, choice: str | None, requests: Requests
) -> None:
    """Adds to `requests`."""
    found, problems, others = requests
    references = References(document.root)
    media = _json_content(references, operation)
    variants = _variants(references.written_out(media.get("schema", {})))
    known = {one for variant in variants for one in listed_models(fields_in(variant).get("model"))}
    # Whatever the page shows of outcomes: the endings of addresses show what is made.
    answer = json.dumps([operation.get(key) for key in ("responses", "callbacks")], default=str)[:50_000]
    prose = str(operation.get("description", ""))[:20_000]
    for variant in variants:
        fields = fields_in(variant)
        why = ""
        if not isinstance(fields.get("input"), dict) or "model" not in fields:
            what = "`input`" if "model" in fields else "`model` and no `input`"
            why = f": its body has no {what}: createTask takes {{model, input}}"
        elif not (choice or _is_create(path)):
            why = ", where kiejobs sends every request; --model ID imports it all the same"
        if why:
            others.append(f"{place}{why}")
            continue
        examples = _examples(references, media, variant, prose)
        calls = {"the operation": operation.get("operationId"), "the title": operation.get("summary")}
        shown = next((names for group in examples if (names := [name for name, _ in group])), [])
        ids, notes, wrong = model_ids(fields["model"], shown, calls, prose, document.model, choice)
        (others if choice and not ids else problems).extend(f"{place}: {text}" for text in wrong)
        found.extend(
            ApiRequest(
                model=model,
                input=fields["input"],
                examples=_examples_of(model, examples, known),
                words=_words(document.root, operation, path),
                prose=prose,
                version=str(document.root.get("openapi", ""))[:20],
                answer=answer,
                size=references.values,
                notes=(*document.notes, *references.notes, *_odd(fields, path), *notes),
            )
            for model in ids
        )


def _json_content(references: References, operation: Schema) -> Schema:
    """The body's media type that is JSON, or the only one that there is."""
    body = mapping(references.target(operation.get("requestBody")))
    content = mapping(body.get("content"))
    kinds = sorted(content, key=lambda kind: "json" not in str(kind))
    return mapping(references.target(content[kinds[0]])) if kinds else {}


def _variants(body: Any) -> list[Schema]:
    """One body, or each of those that a `oneOf` or `anyOf` offers, with what is around it."""
    if not isinstance(body, dict):
        return []
    for key in ("oneOf", "anyOf"):
        if isinstance(body.get(key), list):
            rest = {name: value for name, value in body.items() if name != key}
            return [one for part in body[key][:100] for one in _variants(both(rest, part))]
    return [body]


def _odd(fields: Schema, path: str) -> list[str]:
    """Notes on what kiejobs has no place for."""
    extra = [name[:80] for name in fields if name not in {"model", "input", "callBackUrl"}]
    notes = [f"{name} next to `input` is left out: job files have no place for it" for name in extra]
    elsewhere = f"the page describes POST {path[:200]}; kiejobs sends every request to createTask"
    return notes if _is_create(path) else [*notes, elsewhere]


def _is_create(path: str) -> bool:
    return path.partition("#")[0].rstrip("/").endswith("/createTask")


def _words(document: Mapping[str, Any], operation: Schema, path: str) -> str:
    names = [
        operation.get("summary"),
        operation.get("operationId"),
        mapping(document.get("info")).get("title"),
    ]
    parts = [*names, *items_in(operation.get("tags")), path]
    return " | ".join(str(part)[:300] for part in parts if part)


def _examples(references: References, media: Schema, schema: Schema, prose: str) -> list[list[Example]]:
    """Bodies that the page shows: with its request, with the schema of it, in its words."""
    groups = []
    for place in (media, schema):
        several = place.get("examples")
        values = list(several.values()) if isinstance(several, dict) else items_in(several)
        shown = [place.get("example"), *map(references.target, values[:MOST_EXAMPLES])]
        groups.append([body for one in shown for body in _bodies(mapping(one).get("value", one))])
    return [*groups, bodies_in(prose)]


def _bodies(example: Any) -> list[Example]:
    """The body, also where it is JSON in a text; of a text that is no JSON the model that it names."""
    if not isinstance(example, str):
        return _complete(example)
    return bodies_in(example) or [(name, {}) for name in _MODEL.findall(example[:50_000])[:1]]


def bodies_in(text: str) -> list[Example]:
    """Complete requests that a text shows as JSON, in any place."""
    found: list[Example] = []
    for at in list(_BODY.finditer(text))[:MOST_EXAMPLES]:
        with suppress(ValueError, RecursionError):
            found += _complete(json.JSONDecoder().raw_decode(text, at.start())[0])
    return found


def _complete(value: Any) -> list[Example]:
    model, given = (by_name(value).get(key) for key in ("model", "input"))
    return [(model.strip(), by_name(given))] if isinstance(model, str) and isinstance(given, dict) else []


def _examples_of(model: str, groups: list[list[Example]], known: set[str]) -> tuple[Schema, ...]:
    """Inputs that are shown for the model; else those that are for no other model of the page."""
    bodies = [body for group in groups for body in group if body[1]]
    own = [given for name, given in bodies if name == model]
    return tuple(own or (given for name, given in bodies if name not in known))


# --- references ------------------------------------------------------------------------------------


class TooManyReferences(Exception):
    """Written out, the schema would be too large."""


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
        bare = {key: node[key] for key in node if key not in {"$ref", "allOf", "x-apidog-refs"}}
        own = {key: self.written_out(value, trail, depth + 1) for key, value in bare.items()}
        # What is next to a reference counts more than what it leads to; fields of both count.
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
                self._note(f"the reference {reference} leads back to itself; it is not followed again")
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
        if text[:300] not in self.notes and len(self.notes) < 50:
            self.notes.append(text[:300])


def _entry(node: Any, name: str) -> Any:
    if isinstance(node, list):
        return node[int(name)] if name.isdecimal() and int(name) < len(node) else None
    entries = mapping(node)
    return entries[name] if name in entries else by_name(entries).get(name.strip())


def both(one: Any, other: Any) -> Schema:
    """A schema that wants what both want, as far as one schema can."""
    one, other = mapping(one), mapping(other)
    return {**one, **other, **{key: _together(key, one[key], other[key]) for key in one if key in other}}


def _together(key: str, one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict) and key == "properties":
        return {**one, **other, **{name: both(one[name], other[name]) for name in one if name in other}}
    if isinstance(one, list) and isinstance(other, list):
        if key == "required":
            return [*one, *(name for name in other if name not in one)]
        return ([value for value in one if value in other] if key == "enum" else []) or other
    if key in _NARROWER and is_number(one) and is_number(other):
        return _NARROWER[key](one, other)
    return other


# --- a stranger's values: anything may be anywhere ---------------------------------------------------


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
