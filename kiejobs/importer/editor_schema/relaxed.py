"""A model's input as it may stand in a job file: with gaps, with templates, not yet coerced.

In: the request schema of one model, written without `$ref`, as all of ours are. Out: a schema for
the `input` of a job of that model, in which no field is required, no unknown field is welcome, and
each field takes what the model takes, or a number for a number listed as text, or a template.
Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.models.rules import rules_of
from kiejobs.importer.editor_schema.relaxed_rules import TEMPLATE, tolerant_rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Schema: TypeAlias = dict[str, Any]

_AXIS_VALUE = {"type": ["string", "number", "boolean", "object"]}
_HINTS = ("title", "description", "examples", "deprecated")  # a default stays with its own choice
_NUMERAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def input_schema(model: Schema) -> Schema:
    """The input of one model as it may stand in a job file: templates welcome, gaps too.

    A field that is missing here may come from `defaults` or from an axis, so none is required.
    """
    found = _fields(model["properties"]["input"])
    fields = {name: _tolerant(forms) for name, forms in found.items()}
    axes = {name: _offered(field) for name, field in fields.items()}
    return {
        "title": model.get("title", "Input"),
        "type": "object",
        "properties": fields,
        "additionalProperties": False,
        **_rules(model["properties"]["input"]),
        "$defs": {"matrix": {"properties": axes}},
    }


def _rules(form: Schema) -> Schema:
    """What is known to be broken in the job file itself, whatever axes and templates add to it."""
    found = (tolerant_rule(rule, form["properties"]) for rule in rules_of(form) or ())
    kept = [rule for rule in found if rule is not None]
    return {"allOf": kept} if kept else {}


def _offered(field: Schema) -> Schema:
    """An axis of the field's name: its listed values are offered, any other is as good."""
    hints = {key: text for key, text in field.items() if key in {"title", "description"}}
    listed = [choice for choice in field["anyOf"] if "enum" in choice]
    return {**hints, "items": {"anyOf": [*listed, _AXIS_VALUE]}} if listed else hints


# --- a field in its tolerant form ----------------------------------------------------------------


def _tolerant(forms: Sequence[Schema]) -> Schema:
    """One field, of which a schema may speak in several places, or a template in its stead."""
    hints = {key: form[key] for form in reversed(forms) for key in _HINTS if key in form}
    choices = [choice for form in forms for choice in _choices(form)]
    return {**hints, "anyOf": [*_distinct(choices), TEMPLATE]}


def _choices(form: Schema) -> Iterator[Schema]:
    own = {k: v for k, v in form.items() if k not in _HINTS and not k.startswith("x-")}
    yield own
    yield from _as_numbers(own)


def _as_numbers(form: Schema) -> Iterator[Schema]:
    """`duration: 5` is as good as `duration: "5"` where the schema lists numbers as text."""
    texts = [text for text in form.get("enum", ()) if isinstance(text, str)]
    numbers = [_number(text) for text in texts if _NUMERAL.fullmatch(text)]
    if numbers:
        yield {"type": "number", "enum": numbers}


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


def _distinct(choices: Sequence[Schema]) -> list[Schema]:
    return [choice for at, choice in enumerate(choices) if choice not in choices[:at]]


# --- reading a model's schema --------------------------------------------------------------------


def _fields(top: Schema) -> dict[str, list[Schema]]:
    """Every field of an object schema, with what is said of it.

    What `properties` says holds in any case. A field that only branches know may be any of them.
    """
    said = top.get("properties", {}).items()
    own = {name: [_loosened(form)] for name, form in said if isinstance(form, dict)}
    branched: dict[str, list[Schema]] = {}
    for branch in _branches(top):
        for name, forms in _fields(branch).items():
            branched.setdefault(name, []).extend(forms)
    return {**own, **branched, **own}


def _branches(schema: Schema) -> Iterator[Schema]:
    found = [part for keyword in ("allOf", "anyOf", "oneOf") for part in schema.get(keyword, ())]
    found += [schema[arm] for arm in ("then", "else") if arm in schema]
    yield from (branch for branch in found if isinstance(branch, dict))


def _loosened(field: Schema) -> Schema:
    """The field with its inner values, if it has any, as tolerant as itself."""
    form = dict(field)
    if "items" in form:
        form["items"] = _tolerant([_loosened(form["items"])])
    if "properties" in form:
        inner = form["properties"].items()
        form["properties"] = {name: _tolerant([_loosened(part)]) for name, part in inner}
        form.pop("required", None)
    return form
