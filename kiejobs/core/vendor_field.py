"""One field of a page's request, in our form.

In: a field's name and its schema, references written out. Out: JSON Schema 2020-12 with our own
annotations, and notes on what had to be decided. Touches nothing.

The rules where a page speaks twice: a keyword counts more than prose; a limit from prose that the page's
own values break is none; a default that the field itself would refuse is never sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiejobs.core.vendor_defaults import default_of
from kiejobs.core.vendor_files import file_rule, points_at_file
from kiejobs.core.vendor_told import add_told
from kiejobs.core.vendor_types import limits_of, type_of, values_of
from kiejobs.core.vendor_words import field_description, field_title

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Schema = dict[str, Any]

MOST_DEPTH = 12
MOST_FIELDS = 300

_FORMATS = frozenset({"uri", "url", "uri-reference", "iri"})
_KINDS_OF = ("oneOf", "anyOf")


def field_form(
    name: str,
    node: Any,
    shown: Sequence[Any],
    around: str,
    note: Callable[[str], None],
    depth: int = 0,
) -> Schema:
    """`shown` are values that the page shows for it, `around` its general words about files."""
    if not isinstance(node, dict) or depth > MOST_DEPTH:
        note("nothing says what it takes, so anything is let through")
        return {"title": field_title(name)}
    node = _one_kind(node, note)
    prose = _prose(node)
    shown = [*shown, *_shown(node)]
    form = _core(name, node, shown, around, note, depth)
    if points_at_file(name, form, prose, shown):
        _mark_as_file(form, file_rule(name, prose, around))
    if "default" in node:
        form |= default_of(form, node["default"], note)
    add_told(form, prose, shown, note)
    if node.get("deprecated") is True:
        form["deprecated"] = True
    return _worded(name, form)


def is_sent(node: Any) -> bool:
    """A field that only answers have is none of a request."""
    return not (isinstance(node, dict) and node.get("readOnly") is True)


def fields_of(
    node: Schema,
    shown: Sequence[Any],
    around: str,
    note: Callable[[str], None],
    depth: int = 0,
) -> tuple[dict[str, Schema], list[str]]:
    """The fields of an object in our form, and which are required."""
    given = node.get("properties")
    fields: dict[str, Schema] = {}
    required = [str(one).strip() for one in _list(node.get("required"))]
    for raw, inner in list(given.items())[:MOST_FIELDS] if isinstance(given, dict) else ():
        name = str(raw).strip()
        if not is_sent(inner):
            note(f"{name}: only answers have it; left out")
            continue
        if name in fields:
            note(f"{name}: here twice; the first counts")
            continue
        if name != raw:
            note(f"{name}: the page writes its name with blanks around it")
        values = [
            one[key] for one in shown if isinstance(one, dict) for key in (raw, name) if key in one
        ]
        fields[name] = field_form(name, inner, values, around, _named(note, name), depth)
        if isinstance(inner, dict) and inner.get("required") is True:
            required.append(name)
    for name in dict.fromkeys(required):
        if name not in fields:
            note(f"{name[:80]}: called required, but it is no field; left out")
    return fields, [name for name in dict.fromkeys(required) if name in fields]


def _named(note: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda text: note(f"{name[:80]}: {text}")


def _core(
    name: str,
    node: Schema,
    shown: Sequence[Any],
    around: str,
    note: Callable[[str], None],
    depth: int,
) -> Schema:
    variants = node.get("x-kiejobs-kinds")
    if variants:
        return {
            "anyOf": [
                _without_words(field_form(name, one, shown, around, note, depth + 1))
                for one in variants
            ]
        }
    kind = type_of(node, note)
    values, kind = values_of(node, kind, note)
    form: Schema = {} if kind is None else {"type": kind}
    if kind is None and not values:
        note("nothing says what it takes, so anything is let through")
    if kind == "string" and (
        str(node.get("format")) in _FORMATS or node.get("type") == "string<uri>"
    ):
        form["format"] = "uri"
    if values:
        form["enum"] = values
    form |= limits_of(node, kind, note)
    if kind == "array":
        form |= _items(name, node, shown, around, note, depth)
    if kind == "object":
        form |= _object(node, shown, around, note, depth)
    return form


def _items(
    name: str,
    node: Schema,
    shown: Sequence[Any],
    around: str,
    note: Callable[[str], None],
    depth: int,
) -> Schema:
    if not isinstance(node.get("items"), dict):
        note("nothing says what its items are, so anything is let through")
        return {}
    inner = [item for value in shown if isinstance(value, list) for item in value[:50]]
    form = field_form(name, node["items"], inner, around, note, depth + 1)
    return {"items": _without_words(form)}


def _object(
    node: Schema, shown: Sequence[Any], around: str, note: Callable[[str], None], depth: int
) -> Schema:
    fields, required = fields_of(node, shown, around, note, depth + 1)
    open_ = node.get("additionalProperties")
    if not fields:
        if isinstance(open_, dict):
            value = field_form("value", open_, [], around, note, depth + 1)
            return {"additionalProperties": _without_words(value)}
        note("nothing says which keys it takes, so any are let through")
        return {}
    form: Schema = {"required": required} if required else {}
    form["properties"] = fields
    if open_ is True or (isinstance(open_, dict) and open_):
        note("it takes keys of other names too")
        return form
    return {**form, "unevaluatedProperties": False}


def _one_kind(node: Schema, note: Callable[[str], None]) -> Schema:
    """The choices of `oneOf` and `anyOf` without null: one of them laid beneath, several kept apart."""
    for key in _KINDS_OF:
        choices = [
            one
            for one in _list(node.get(key))
            if isinstance(one, dict) and one.get("type") != "null"
        ]
        if not choices:
            continue
        rest = {name: value for name, value in node.items() if name not in _KINDS_OF}
        if len(choices) == 1:
            return _one_kind({**choices[0], **rest}, note)
        listed = _listed_in_all(choices)
        if listed is not None:
            return {**rest, **listed}
        if all(set(one) <= {"required"} for one in choices):
            note("which of its keys go together is not checked")
            return rest
        return {**rest, "x-kiejobs-kinds": [{**_inherited(rest), **one} for one in choices[:20]]}
    return node


def _inherited(rest: Schema) -> Schema:
    return {
        key: value
        for key, value in rest.items()
        if key in {"type", "properties", "items", "required"}
    }


def _listed_in_all(choices: list[Schema]) -> Schema | None:
    """Several lists of one type are one list."""
    kinds = {str(one.get("type")) for one in choices}
    lists = [one["enum"] if isinstance(one.get("enum"), list) else [one["const"]] for one in choices
             if isinstance(one.get("enum"), list) or "const" in one]  # fmt: skip
    if len(kinds) != 1 or len(lists) != len(choices):
        return None
    found: Schema = {"enum": [value for values in lists for value in values]}
    return found if choices[0].get("type") is None else {**found, "type": choices[0]["type"]}


def _mark_as_file(form: Schema, rule: Schema) -> None:
    form["x-kiejobs-file"] = rule
    if form.get("type") == "array":
        form["items"] = {"type": "string", "format": "uri"}
    else:
        form["format"] = "uri"


def _without_words(form: Schema) -> Schema:
    return {key: value for key, value in form.items() if key not in {"title", "description"}}


def _worded(name: str, form: Schema) -> Schema:
    description = field_description(form)
    words = {"title": field_title(name)} | ({"description": description} if description else {})
    return {**words, **form}


def _prose(node: Schema) -> str:
    items = node.get("items")
    texts = [node.get("description"), items.get("description") if isinstance(items, dict) else None]
    return "\n".join(text for text in texts if isinstance(text, str))


def _shown(node: Schema) -> list[Any]:
    found = list(_list(node.get("examples")))[:20]
    return [*found, node["example"]] if "example" in node else found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
