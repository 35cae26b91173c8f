"""One field of a page's request, in our form.

In: a field's name and its schema, references written out. Out: JSON Schema 2020-12 with our own
annotations, and notes on what had to be decided. Touches nothing.

The rules where a page speaks twice: a keyword counts more than prose; a limit from prose that the page's
own values break is none; a default that the field itself would refuse is never sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kiejobs.core.models.descriptions import field_description, field_title
from kiejobs.importer.fields.files import file_rule, points_at_file
from kiejobs.importer.fields.stated import add_stated, related
from kiejobs.importer.fields.types import choices_of, default_of, limits_of, type_of, values_of
from kiejobs.importer.reading.refs import by_name, items_in, mapping, names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.importer.reading.refs import Note, Schema


MOST_DEPTH = 8
MOST_FIELDS = 300

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_FORMATS = frozenset({"uri", "url", "uri-reference", "iri"})


@dataclass(frozen=True, slots=True)
class FieldContext:
    """What goes with a schema: values that the page shows for it, its general words, who takes notes."""

    shown: Sequence[Any]
    prose: str
    note: Note
    depth: int = 0

    def inside(self, shown: Sequence[Any], name: str = "") -> FieldContext:
        """For what is within; notes there begin with `name`."""
        outer = self.note
        note = (lambda text: outer(f"{name[:80]}: {text}")) if name else outer
        return replace(self, shown=shown, note=note, depth=self.depth + 1)


def fields_of(node: Schema, around: FieldContext) -> tuple[dict[str, Schema], list[str]]:
    """The fields of an object in our form, and which are required."""
    given = mapping(node.get("properties"))
    fields: dict[str, Schema] = {}
    required = names_in(node.get("required"))
    objects = [by_name(value) for value in around.shown]
    for raw, inner in list(given.items())[:MOST_FIELDS]:
        name = str(raw).strip()
        if not _may_be(name, raw, inner, fields, around.note):
            continue
        shown = [one[name] for one in objects if name in one]
        fields[name] = _field(name, inner, around.inside(shown, name))
        if mapping(inner).get("required") is True:
            required.append(name)
    for text in related(given):
        around.note(text)
    for name in dict.fromkeys(required):
        if name not in fields:
            around.note(f"{name[:80]}: called required, but it is no field; left out")
        elif _is_sample(fields[name]):
            del fields[name]["default"]
            around.note(f"{name}: required, and yet with a text as its default: never sent unasked")
    return fields, [name for name in dict.fromkeys(required) if name in fields]


def _may_be(name: str, raw: Any, inner: Any, fields: Schema, note: Note) -> bool:
    if not _NAME.fullmatch(name):
        note(f"`{name[:80]}` can't be the name of a field; left out")
        return False
    if mapping(inner).get("readOnly") is True:
        note(f"{name}: only answers have it; left out")
        return False
    if name in fields:
        note(f"{name}: here twice; the first counts")
        return False
    if name != raw:
        note(f"{name}: the page writes its name with blanks around it")
    return True


def _field(name: str, node: Any, around: FieldContext) -> Schema:
    """The form with title and description."""
    form = _form(name, node, around)
    description = field_description(form)
    words = {"title": field_title(name)} | ({"description": description} if description else {})
    return {**words, **form}


def _form(name: str, node: Any, around: FieldContext) -> Schema:
    """What the field, or an item of it, takes: limits, default and all."""
    if not isinstance(node, dict) or around.depth > MOST_DEPTH:
        around.note("nothing says what it takes, so anything is let through")
        return {}
    prose = _prose(node)
    around = replace(around, shown=[*around.shown, *_shown(node)])
    form = _core(name, node, around)
    if points_at_file(name, form, prose, around.shown):
        _mark_as_file(form, file_rule(name, prose, around.prose))
        node = _without_sample(node, around)
    if "default" in node:
        form |= default_of(form, node["default"], around.note)
    add_stated(form, prose, around.shown, around.note)
    if node.get("deprecated") is True:
        form["deprecated"] = True
    return form


def _core(name: str, node: Schema, around: FieldContext) -> Schema:
    """Type, values, limits, and what is within."""
    node, choices = choices_of(node, around.note)
    if choices:
        inside = around.inside([])
        return {"anyOf": [_form(name, one, inside) for one in choices]}
    kind = type_of(node, around.note)
    values, kind = values_of(node, kind, around.note)
    form: Schema = {} if kind is None else {"type": kind}
    if kind is None and not values:
        around.note("nothing says what it takes, so anything is let through")
    if kind == "string" and str(node.get("format")) in _FORMATS:
        form["format"] = "uri"
    if values:
        form["enum"] = values
    form |= limits_of(node, kind, around.note)
    if kind == "array":
        form |= _items(name, node, around)
    if kind == "object":
        form |= _object(node, around)
    return form


def _items(name: str, node: Schema, around: FieldContext) -> Schema:
    if not isinstance(node.get("items"), dict):
        around.note("nothing says what its items are, so anything is let through")
        return {}
    shown = [item for value in around.shown if isinstance(value, list) for item in value[:50]]
    return {"items": _form(name, node["items"], around.inside(shown))}


def _object(node: Schema, around: FieldContext) -> Schema:
    fields, required = fields_of(node, around)
    if fields:
        needed = {"required": required} if required else {}
        return {**needed, "properties": fields, "unevaluatedProperties": False}
    values = mapping(node.get("additionalProperties"))
    if values:
        return {"additionalProperties": _form("value", values, around.inside([]))}
    around.note("nothing says which keys it takes, so any are let through")
    return {}


def _without_sample(node: Schema, around: FieldContext) -> Schema:
    """A file that a page fills in is one to try it with: sent unasked, it would be paid for."""
    if node.get("default") in (None, "", []):
        return node
    around.note("its default is a file of the page's own; nothing is sent for it")
    return {key: value for key, value in node.items() if key != "default"}


def _is_sample(form: Schema) -> bool:
    """A text to try the page with, not one to buy something with."""
    return "default" in form and form.get("type") == "string" and "enum" not in form


def _mark_as_file(form: Schema, rule: Schema) -> None:
    form["x-kiejobs-file"] = rule
    if form.get("type") == "array":
        form["items"] = {"type": "string", "format": "uri"}
    else:
        form["format"] = "uri"


def _prose(node: Schema) -> str:
    texts = [one.get("description") for one in (node, mapping(node.get("items")))]
    return "\n".join(text for text in texts if isinstance(text, str))


def _shown(node: Schema) -> list[Any]:
    found = items_in(node.get("examples"))[:20]
    return [*found, node["example"]] if "example" in node else found
