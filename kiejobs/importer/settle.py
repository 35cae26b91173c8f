"""What a page's facts come to: one form for each field, in which a schema keyword counts more than prose.

In: `FieldFact`s. Out: JSON Schema 2020-12 with our own annotations, each limit from prose with a note that it is; rules
over several fields; notes on what had to be decided. Touches nothing.

A limit from prose that the page's own values break is none; a default that the field itself would refuse is never sent.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.wording import show
from kiejobs.core.models.descriptions import IN_SECONDS, field_description, field_title
from kiejobs.core.models.spec import coerce
from kiejobs.importer.facts import fits, multiple
from kiejobs.importer.openapi import by_name, items_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kiejobs.importer.facts import FieldFact, Path
    from kiejobs.importer.openapi import Note, Schema

_FROM_PROSE = "from the page's prose"
_WHOLE = re.compile(r"-1|\d+")
_ENDS = {
    "string": ("minLength", "maxLength"), "array": ("minItems", "maxItems"), "number": ("minimum", "maximum"),
}  # fmt: skip
_WITHIN = ("anyOf", "items", "properties", "additionalProperties")
_OTHERS = frozenset({*_WITHIN, "required", "default", "deprecated", "note"})


class Settled:
    """The forms of all fields; `note` takes what had to be decided."""

    def __init__(self, facts: Iterable[FieldFact], note: Note) -> None:
        self._facts: dict[Path, list[FieldFact]] = defaultdict(list)
        for fact in facts:
            self._facts[fact.path].append(fact)
        self._note = note

    def request(self) -> tuple[Schema, list[str], list[Schema]]:
        """The fields of the input, which of them are required, and rules: for those that the page calls required and
        that prose wants only where another has some value.
        """
        form, rules = self._keywords(()), []
        fields, required = form.get("properties", {}), form.get("required", [])
        called = self._values((), "schema")["required"]
        for name in [one for one in called if one in fields and one not in required]:
            other, text = self._claims((name,)).get("when", ("", ""))
            value = coerce(fields[other], text) if other in fields else None
            if value is not None and fits(fields[other], value):
                title = f"{name} is required when {other} is {show(value)}"
                when = {"required": [other], "properties": {other: {"const": value}}}
                rules.append({"title": title, "if": when, "then": {"required": [name]}})
        return fields, required, rules

    def _noted(self, path: Path) -> Note:
        names = "".join(f"{step[:80]}: " for step in path if step[0] not in "[|*")
        return lambda text: self._note(f"{names}{text}")

    def _values(self, path: Path, *sources: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = defaultdict(list)
        for fact in self._facts[path]:
            if fact.source in sources:
                found[fact.key].append(fact.value)
        return found

    def _claims(self, path: Path) -> Schema:
        """What prose says."""
        return {key: values[-1] for key, values in self._values(path, "English", "Chinese").items()}

    def _shown(self, path: Path) -> list[Any]:
        return self._values(path, "example")["example"]

    def _form(self, path: Path) -> Schema:
        form, note, claims = self._keywords(path), self._noted(path), self._claims(path)
        given = self._values(path, "schema")
        default = next(iter(given["default"]), None)
        if _is_file(form, claims):
            form["x-kiejobs-file"] = claims["file"]
            one = {"format": "uri"}
            form |= {"items": {"type": "string", **one}} if form.get("type") == "array" else one
            if default not in (None, "", []):
                # A file that a page fills in is one to try it with: sent unasked, it would be paid for.
                note("its default is a file of the page's own; nothing is sent for it")
                default = None
        form |= _default(form, default, note)
        _add_stated(form, claims, self._shown(path), note)
        if given["deprecated"] == [True]:
            form["deprecated"] = True
        return form

    def _keywords(self, path: Path) -> Schema:
        """What the schema says, with what is within."""
        given = self._values(path, "schema", "note")
        within = {(key, step): self._form((*path, step)) for key in _WITHIN for step in given[key]}
        for text in given["note"]:
            self._noted(path)(text)
        if given["anyOf"]:
            return _choice_of(list(within.values()))
        form = {key: values[0] for key, values in given.items() if key not in _OTHERS}
        fields = {name: with_words(name, one) for (key, name), one in within.items() if key == "properties"}
        form |= {key: one for (key, _), one in within.items() if key != "properties"}
        kept = self._required(path, given["required"], fields)
        if fields:
            form |= {"required": kept} if kept else {}
            form |= {"properties": fields, "unevaluatedProperties": False}
        return form

    def _required(self, path: Path, names: Sequence[str], fields: Schema) -> list[str]:
        """Those that the page's own examples bear out; notes on what prose says otherwise. Changes defaults."""
        note, objects = self._noted(path), [by_name(value) for value in self._shown(path)]
        for name in [one for one in names if one not in fields]:
            note(f"{name[:80]}: called required, but it is no field; left out")
        kept = [one for one in names if one in fields]
        for name in kept:
            field = fields[name]
            if "default" in field and field.get("type") == "string" and "enum" not in field:
                del field["default"]  # a text to try the page with, not one to buy something with
                note(f"{name}: required, and yet with a text as its default: never sent unasked")
        for name in [one for one in fields if "default" not in fields[one]]:
            called = self._claims((*path, name)).get("called")
            if called is not None and called != (name in kept):
                words = "required" if called else "optional"
                note(f"{name}: prose calls it {words}, the schema does not; the schema counts")
            if name in kept and any(one and name not in one for one in objects):
                note(f"{name}: called required, but an example of the page has none; not required here")
                kept.remove(name)
        return kept


def with_words(name: str, form: Schema) -> Schema:
    """With a title, and what the form says in a sentence, in front."""
    form = {key: value for key, value in form.items() if key not in {"title", "description"}}
    description = field_description(form)
    return {"title": field_title(name)} | ({"description": description} if description else {}) | form


def _is_file(form: Schema, claims: Mapping[str, Any]) -> bool:
    item = form.get("items", {}) if form.get("type") == "array" else form
    if not isinstance(item, dict) or item.get("type") != "string" or item.keys() & {"enum", "anyOf"}:
        return False
    address = claims.get("address")
    return bool(item.get("format") == "uri" if address is None else address)


def _choice_of(forms: list[Schema]) -> Schema:
    """A type that all of them have is the field's: values are read in it."""
    kind = forms[0].get("type")
    if kind is None or any(one.get("type") != kind for one in forms):
        return {"anyOf": forms}
    return {"type": kind, "anyOf": [{key: one[key] for key in one if key != "type"} for one in forms]}


def _default(form: Schema, given: Any, note: Note) -> Schema:
    if given is None:
        return {}
    value = coerce(form, given)
    if value in ("", [], {}):
        note("its default is empty; where a job file is silent it is left out")
    elif fits(form, value):
        if value != given or type(value) is not type(given):
            note(f"its default {show(given)} is read as {show(value)}")
        return {"default": value}
    elif len(same := [one for one in form.get("enum", ()) if str(one).lower() == str(value).lower()]) == 1:
        note(f"its default {show(given)} is listed as {show(same[0])}, and so it is sent")
        return {"default": same[0]}
    else:
        note(f"its default {show(given)} is none that the field takes; nothing is sent for it")
    return {}


def _add_stated(form: Schema, claims: Mapping[str, Any], shown: Sequence[Any], note: Note) -> None:
    """Changes `form`. `shown` are values that the page shows for the field."""
    kind = None if "anyOf" in form else form.get("type")  # the schema says it all
    stated: list[str] = []
    values = [one for one in [*shown, form.get("default")] if one not in (None, "", [])]
    for limits in _limits(form, kind, claims, values, note):
        stated += _added(form, limits, values, note)
    stated += _asides(form, kind, claims, note)
    if stated:
        form["x-kiejobs-note"] = stated


def _added(form: Schema, limits: Schema, values: Sequence[Any], note: Note) -> list[str]:
    """Changes `form`. The note for people who read the schema; none where a value breaks the limits."""
    if not limits:
        return []
    special, rest = limits.get("anyOf", ({}, limits))
    words = ", ".join(f"{key} {show(value)}" for key, value in rest.items())
    words = f"{show(special['const'])}, or {words}" if special else words
    for one in values:
        value = coerce(form, one)
        if fits(form, value) and not fits({**form, **limits}, value):
            note(f"{words} {_FROM_PROSE} is passed over: the page itself shows {show(one)}")
            return []
    form.update(limits)
    note(f"{words} is {_FROM_PROSE}")
    return [f"{words}: {_FROM_PROSE}"]


def _limits(
    form: Schema, kind: Any, claims: Mapping[str, Any], shown: Sequence[Any], note: Note
) -> list[Schema]:
    """What prose claims beyond the keywords, in groups that count together."""
    if kind == "array":
        item = form.get("items")
        if isinstance(item, dict) and item.get("type") == "string" and not item.keys() & {"enum", "format"}:
            own = {key: claims[f"each{key}"] for key in _ENDS["string"] if f"each{key}" in claims}
            of_each = _missing(item, own, "string", note)
            texts = [one for value in shown for one in items_in(value)]
            item |= of_each if all(fits({**item, **of_each}, one) for one in texts) else {}
        return [_missing(form, claims, kind, note)]
    if "enum" in form:
        others = [text for text in claims.get("enum", ()) if coerce(form, text) not in form["enum"]]
        if others and len(form["enum"]) > 1:
            note(f"prose lists {', '.join(map(show, others[:8]))}, the schema does not; the schema counts")
        return []
    if kind == "string":
        counts = shown and all(_WHOLE.fullmatch(str(one)) for one in shown)
        listed = _listed(form, kind, claims) or (_counted(claims) if counts else {})
        return [_missing(form, claims, kind, note), listed]
    if kind in {"integer", "number"}:
        numbers, step = _numbers(form, claims, note), claims.get("multipleOf")
        is_known = step is None or "multipleOf" in form or (kind == "integer" and step == 1)
        return [numbers, {} if is_known else multiple(step or 1, note), _listed(form, kind, claims)]
    return []


def _missing(form: Schema, claims: Mapping[str, Any], kind: str, note: Note) -> Schema:
    """Those ends that no keyword gives; where prose and keyword differ, the keyword counts."""
    low, high = _ENDS[kind]
    limits: Schema = {}
    for key in [one for one in (low, high) if one in claims]:
        value = claims[key]
        if form.get(key, value) != value:
            note(f"prose says {key} {value}, the schema {form[key]}; the schema counts")
        elif key not in form and (low == "minimum" or (isinstance(value, int) and value > 0)):
            limits[key] = value
    both = {**form, **limits}
    return limits if low not in both or high not in both or both[low] <= both[high] else {}


def _numbers(form: Schema, claims: Mapping[str, Any], note: Note) -> Schema:
    """A range; with one value next to it that has a meaning of its own, a choice of the two."""
    if form.keys() & {"exclusiveMinimum", "exclusiveMaximum"}:
        return {}
    special, least = claims.get("special"), form.get("minimum", claims.get("minimum"))
    is_apart = special is not None and least is not None and special < least
    if is_apart and "minimum" in form:
        note(f"prose gives {special} a meaning of its own, the schema refuses it; the schema counts")
    limits = _missing(form, claims, "number", note)
    if limits and is_apart and "minimum" not in form:
        return {"anyOf": [{"const": special}, limits]}
    return limits


def _counted(claims: Mapping[str, Any]) -> Schema:
    """The whole numbers of a range, for a field that takes numbers as text."""
    least, most, step = claims.get("minimum"), claims.get("maximum"), claims.get("multipleOf", 1)
    if least is None or most is None or least % 1 or most % 1 or step % 1:
        return {}
    numbers, special = range(int(least), int(most) + 1, int(step)), claims.get("special")
    apart = [special] if special is not None and special < least else []
    return {"enum": [str(one) for one in [*apart, *numbers]]} if 1 < len(numbers) <= 100 else {}


def _listed(form: Schema, kind: str, claims: Mapping[str, Any]) -> Schema:
    """Values that prose lists as all there are."""
    if form.get("format") == "uri" or "pattern" in form:
        return {}
    values = [coerce({"type": kind}, text) for text in claims.get("enum", ())]
    return {"enum": values} if values and all(fits(form, value) for value in values) else {}


def _asides(form: Schema, kind: Any, claims: Mapping[str, Any], note: Note) -> list[str]:
    """What limits nothing, and is good to know."""
    found: list[str] = []
    is_number, step, each = (
        kind in {"integer", "number"},
        claims.get("multipleOf"),
        claims.get("eachmaxLength"),
    )
    if claims.get("seconds") and (is_number or all(map(_WHOLE.fullmatch, map(str, form.get("enum", "x"))))):
        found.append(IN_SECONDS)
    if kind == "string" and "maxLength" not in form and each is not None:
        found.append(f"Of each part, at most {each} characters: {_FROM_PROSE}, and not checked.")
    if is_number and isinstance(step, float):
        found.append(f"In steps of {step}: {_FROM_PROSE}, and not checked.")
    if "said" not in claims or kind not in {"string", "integer", "number", "boolean"}:
        return found
    value, given = coerce({"type": kind}, claims["said"]), form.get("default")
    if fits(form, value) and given is None and value != "None":
        found.append(f"Left out, it is {show(value)}: {_FROM_PROSE}.")
    elif fits(form, value) and given not in (None, value):
        note(f"prose says its default is {show(value)}, the schema {show(given)}; the schema counts")
    return found
