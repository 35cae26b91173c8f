"""The input of a page's request, in our form.

In: a schema, references written out. Out: JSON Schema 2020-12 with our own annotations; for an input of
several shapes one list of fields, and rules that say which go together, each with a title for people; notes
on what had to be decided. Touches nothing.

The rules where a page speaks twice: a keyword counts more than prose; a limit from prose that the page's
own values break is none; a default that the field itself, or a shape without it, would refuse is never sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from kiejobs.core.document.wording import show
from kiejobs.core.models.descriptions import field_description, field_title
from kiejobs.core.models.spec import coerce
from kiejobs.importer.files import file_rule, points_at_file
from kiejobs.importer.openapi import (
    both,
    by_name,
    fields_in,
    is_number,
    items_in,
    mapping,
    names_in,
    values_in,
)
from kiejobs.importer.stated import add_stated, related
from kiejobs.importer.types import choices_of, default_of, fits, limits_of, type_of, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.importer.openapi import Note, Schema

MOST_DEPTH = 8
MOST_FIELDS = 300
MOST_SHAPES = 20

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_CALLED = re.compile(
    r".{0,300}?(?:(?=\brequired field|\(required\)|必填)(.)|\boptional field|\(optional\)|[(\uff08]可选[)\uff09])",
    re.IGNORECASE | re.DOTALL,
)
_WHEN = re.compile(
    r"\b(?:takes? effect|effective|used|required|applies|valid|needed) (?:only )?(?:when|if) [`'\"]?(\w{1,60})[`'\"]?"
    r" (?:is|=|equals)(?: set to)? ?[`'\"]?([\w.:-]{1,40}[\w])",
    re.IGNORECASE,
)
_FORMATS = frozenset({"uri", "url", "uri-reference", "iri"})
_WIDER = {
    "minimum": min, "maximum": max, "minLength": min, "maxLength": max, "minItems": min, "maxItems": max,
}  # fmt: skip
_NARROWING = ("enum", "const", *_WIDER, "type")
_NOTHING_SAID = "nothing says what it takes, so anything is let through"


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
        form = _form(name, inner, around.inside(shown, name))
        description = field_description(form)
        words = {"title": field_title(name)} | ({"description": description} if description else {})
        fields[name] = {**words, **form}
        if mapping(inner).get("required") is True:
            required.append(name)
    for text in related(given):
        around.note(text)
    return fields, _required(list(dict.fromkeys(required)), fields, by_name(given), objects, around.note)


def _required(
    names: list[str], fields: dict[str, Schema], given: Schema, objects: Sequence[Schema], note: Note
) -> list[str]:
    """Those that the page's own examples bear out; notes on what prose says otherwise. Changes defaults."""
    for name in [one for one in names if one not in fields]:
        note(f"{name[:80]}: called required, but it is no field; left out")
    kept = [one for one in names if one in fields]
    for name in kept:
        field = fields[name]
        if "default" in field and field.get("type") == "string" and "enum" not in field:
            del field["default"]  # a text to try the page with, not one to buy something with
            note(f"{name}: required, and yet with a text as its default: never sent unasked")
    for name in [one for one in fields if "default" not in fields[one]]:
        said = _CALLED.match(str(mapping(given.get(name)).get("description", "")))
        if said and bool(said[1]) != (name in kept):
            called = "required" if said[1] else "optional"
            note(f"{name}: prose calls it {called}, the schema does not; the schema counts")
        if name in kept and any(one and name not in one for one in objects):
            note(f"{name}: called required, but an example of the page has none; not required here")
            kept.remove(name)
    return kept


def conditions(node: Schema, required: Sequence[str], fields: dict[str, Schema]) -> list[Schema]:
    """Rules for fields that the page calls required and that prose wants only where another has some value."""
    rules: list[Schema] = []
    for name in [one for one in names_in(node.get("required")) if one in fields and one not in required]:
        found = _WHEN.search(str(mapping(fields_in(node).get(name)).get("description", "")))
        other = found[1] if found else ""
        value = coerce(fields[other], found[2]) if found and other in fields else None
        if value is not None and fits(fields[other], value):
            title = f"{name} is required when {other} is {show(value)}"
            when = {"required": [other], "properties": {other: {"const": value}}}
            rules.append({"title": title, "if": when, "then": {"required": [name]}})
    return rules


def _may_be(name: str, raw: Any, inner: Any, fields: Schema, note: Note) -> bool:
    if not _NAME.fullmatch(name):
        note(f"`{name[:80]}` can't be the name of a field; left out")
    elif mapping(inner).get("readOnly") is True:
        note(f"{name}: only answers have it; left out")
    elif name in fields:
        note(f"{name}: here twice; the first counts")
    elif name != raw:
        note(f"{name}: the page writes its name with blanks around it")
        return True
    else:
        return True
    return False


def _form(name: str, node: Any, around: FieldContext) -> Schema:
    """What the field, or an item of it, takes: limits, default and all."""
    if not isinstance(node, dict) or around.depth > MOST_DEPTH:
        around.note(_NOTHING_SAID)
        return {}
    texts = [one.get("description") for one in (node, mapping(node.get("items")))]
    words = [text for text in texts if isinstance(text, str)]
    prose = "\n".join(words)
    shown = [*around.shown, *items_in(node.get("examples"))[:20]]
    shown += [node["example"]] if "example" in node else []
    around = replace(around, shown=shown)
    form = _core(name, node, around)
    default = node.get("default")
    if "anyOf" not in form and points_at_file(name, form, prose, shown):
        form["x-kiejobs-file"] = file_rule(name, prose, around.prose)
        if form.get("type") == "array":
            form["items"] = {"type": "string", "format": "uri"}
        else:
            form["format"] = "uri"
        if default not in (None, "", []):
            # A file that a page fills in is one to try it with: sent unasked, it would be paid for.
            around.note("its default is a file of the page's own; nothing is sent for it")
            default = None
    form |= default_of(form, default, around.note)
    # What describes an item limits the item; the list only where nothing else describes it.
    add_stated(form, words[0] if words else "", shown, around.note)
    if node.get("deprecated") is True:
        form["deprecated"] = True
    return form


def _core(name: str, node: Schema, around: FieldContext) -> Schema:
    """Type, values, limits, and what is within."""
    node, choices = choices_of(node, around.note)
    if choices:
        return _choice_of([_form(name, one, around.inside([])) for one in choices])
    kind = type_of(node, around.note)
    values, kind = values_of(node, kind, around.note)
    form: Schema = {} if kind is None else {"type": kind}
    if kind is None and not values:
        around.note(_NOTHING_SAID)
    if kind == "string" and str(node.get("format")) in _FORMATS:
        form["format"] = "uri"
    if values:
        form["enum"] = values
    form |= limits_of(node, kind, around.note)
    if kind == "array" and isinstance(node.get("items"), dict):
        shown = [item for value in around.shown for item in items_in(value)[:50]]
        form["items"] = _form(name, node["items"], around.inside(shown))
    elif kind == "array":
        around.note("nothing says what its items are, so anything is let through")
    return form | _object(node, around) if kind == "object" else form


def _choice_of(forms: list[Schema]) -> Schema:
    """A type that all of them have is the field's: values are read in it."""
    kind = forms[0].get("type")
    if kind is None or any(one.get("type") != kind for one in forms):
        return {"anyOf": forms}
    return {"type": kind, "anyOf": [{key: one[key] for key in one if key != "type"} for one in forms]}


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


def one_shape(node: Schema, note: Note) -> tuple[Schema, list[Schema]]:
    """The object with the fields of all shapes, and the rules."""
    rules: list[Schema] = []
    for key in ("oneOf", "anyOf"):
        shapes = [one for one in items_in(node.get(key)) if isinstance(one, dict)][:MOST_SHAPES]
        node = {name: value for name, value in node.items() if name != key}
        shapes = [one_shape(one, note)[0] for one in shapes if one.get("type") != "null"]
        if len(shapes) == 1:
            node = both(node, shapes[0])
        elif shapes:
            node, rule = _united(node, shapes, exclusive=key == "oneOf", note=note)
            rules += [rule] if rule else []
    for name, others in list(by_name(node.get("dependentRequired")).items())[:50]:
        wanted = names_in(others)
        if wanted:
            title = f"{name} needs {' and '.join(wanted)}"[:300]
            rules.append({"title": title, "dependentRequired": {name: wanted}})
    for name in ("if", "not", "dependentSchemas", "patternProperties"):
        if name in node:
            note(f"the page's `{name}` over several fields is left out")
    return node, rules


def _united(
    node: Schema, shapes: list[Schema], *, exclusive: bool, note: Note
) -> tuple[Schema, Schema | None]:
    own, several = fields_in(node), [fields_in(shape) for shape in shapes]
    fields: Schema = dict(own)
    for name, form in [pair for shape in several for pair in shape.items()]:
        fields[name] = _either(fields[name], form) if name in fields and name not in own else form
    for name, form in fields.items():
        in_all = name in own or all(name in shape for shape in several)
        if not in_all and "default" in mapping(form):
            # Always sent, it would break the other shapes.
            note(f"{name}: its default is left out, since not every form of the input has the field")
            fields[name] = {key: value for key, value in form.items() if key != "default"}
    wanted = [names_in(shape.get("required")) for shape in shapes]
    always = [name for name in wanted[0] if all(name in names for names in wanted)]
    united = {**node, "type": "object", "properties": fields}
    united["required"] = list(dict.fromkeys([*names_in(node.get("required")), *always]))
    foreign = [name for name in fields if name not in own] if exclusive else []
    choices = [_choice(shape, fields, always, foreign) for shape in shapes]
    words = "; or ".join(map(_choice_words, choices))
    rule = {
        "title": f"the fields must go together: {words}"[:400],
        "oneOf" if exclusive and not foreign else "anyOf": choices,
    }
    try:
        Draft202012Validator.check_schema(rule)
    except SchemaError:  # its keywords are copied from the page as they are
        note("which fields go together is not checked: the page's own limits of them are malformed")
        return united, None
    return united, rule if all(choices) else None


def _choice(shape: Schema, fields: Schema, always: list[str], foreign: list[str]) -> Schema:
    """What makes a request one of this shape: of `foreign` fields it has its own and no other."""
    own = fields_in(shape)
    required = [name for name in names_in(shape.get("required")) if name in fields and name not in always]
    differs = {
        name: {key: form[key] for key in _NARROWING if key in form and form[key] != fields[name].get(key)}
        for name, form in own.items()
        if isinstance(form, dict) and isinstance(fields[name], dict)
    }
    narrowed = {name: limits for name, limits in differs.items() if limits}
    barred = [{"required": [name]} for name in foreign if name not in own]
    choice: Schema = {"required": required, "properties": narrowed, "not": {"anyOf": barred}}
    given = {"required": required, "properties": narrowed, "not": barred}
    return {key: value for key, value in choice.items() if given[key]}


def _either(one: Any, other: Any) -> Any:
    """What takes whatever one of the two takes, as far as one schema can."""
    if not isinstance(one, dict) or not isinstance(other, dict) or one == other:
        return other if isinstance(other, dict) else one
    dropped = {"const", "enum", *_WIDER} | (
        {"default"} if one.get("default") != other.get("default") else set()
    )
    merged = {key: value for key, value in one.items() if key not in dropped}
    for name, wider in _WIDER.items():
        if is_number(one.get(name)) and is_number(other.get(name)):
            merged[name] = wider(one[name], other[name])
    values, others = values_in(one), values_in(other)
    if values and others:
        merged["enum"] = [*values, *(value for value in others if value not in values)]
    return merged


def _choice_words(choice: Schema) -> str:
    parts = [f"{' and '.join(choice['required'])} given"] if "required" in choice else []
    parts += [f"{name} as listed for it" for name in choice.get("properties", {})]
    if "not" in choice:
        parts.append(f"without {', '.join(one['required'][0] for one in choice['not']['anyOf'])}")
    return " ".join(parts)
