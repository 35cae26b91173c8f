"""What a page says of a field only in prose, in its form; and fields tied together.

In: a field in our form, the prose about it, values that the page shows. Out: limits in the form, each with a note in
`x-kiejobs-note` that it is from prose; notes for people. Touches nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.wording import show
from kiejobs.core.models.descriptions import IN_SECONDS
from kiejobs.core.models.spec import coerce
from kiejobs.importer.openapi import by_name, items_in
from kiejobs.importer.prose import MOST_CHARACTERS, claims_in, plain_prose
from kiejobs.importer.types import fits, multiple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.importer.openapi import Note, Schema

_FROM_PROSE = "from the page's prose"
_WHOLE = re.compile(r"-1|\d+")
_ENDS = {
    "string": ("minLength", "maxLength"), "array": ("minItems", "maxItems"), "number": ("minimum", "maximum"),
}  # fmt: skip
_PARTS = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n\s*[-*]|;|\u3002")
_TIES = re.compile(
    r"\b(?:only|not|cannot|can't|without|with|requires?|required|either|when|if|unless|exclusive|"
    r"unsupported|at least one|instead)\b|不|仅|必须|同时|至少|需"
)
_BARS = re.compile(
    r"\b(?:not (?:be )?(?:supported?|available|allowed|made|work)|unsupported|requires?|"
    r"only (?:supported|available|allowed|works?|for|when|with|at|in))\b|不支持|不能|仅支持|仅在"
)


def add_stated(form: Schema, prose: str, shown: Sequence[Any], note: Note) -> None:
    """Changes `form`. `shown` are values that the page shows for the field."""
    kind = None if "anyOf" in form else form.get("type")  # the schema says it all
    claims = claims_in(prose)
    stated: list[str] = []
    values = [one for one in [*shown, form.get("default")] if one not in (None, "", [])]
    for limits in _limits(form, kind, claims, values, note):
        stated += _added(form, limits, values, note)
    if kind == "string" and values and all(_WHOLE.fullmatch(str(one)) for one in values):
        stated += _added(form, _counted(form, claims), values, note)
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
        return [_missing(form, claims, kind, note), _listed(form, kind, claims)]
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
        if key in form:
            if form[key] != value:
                note(f"prose says {key} {value}, the schema {form[key]}; the schema counts")
        elif low == "minimum" or (isinstance(value, int) and value > 0):
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


def _counted(form: Schema, claims: Mapping[str, Any]) -> Schema:
    """The whole numbers of a range, for a field that takes numbers as text."""
    least, most, step = claims.get("minimum"), claims.get("maximum"), claims.get("multipleOf", 1)
    if "enum" in form or least is None or most is None or least % 1 or most % 1 or step % 1:
        return {}
    numbers = range(int(least), int(most) + 1, int(step))
    special = claims.get("special")
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
    digits = all(_WHOLE.fullmatch(str(value)) for value in form.get("enum", ["x"]))
    if (kind in {"integer", "number"} or digits) and claims.get("seconds"):
        found.append(IN_SECONDS)
    step = claims.get("multipleOf")
    if kind in {"integer", "number"} and isinstance(step, float):
        found.append(f"In steps of {step}: {_FROM_PROSE}, and not checked.")
    if "said" not in claims or kind not in {"string", "integer", "number", "boolean"}:
        return found
    value, given = coerce({"type": kind}, claims["said"]), form.get("default")
    if fits(form, value) and given is None and value != "None":
        found.append(f"Left out, it is {show(value)}: {_FROM_PROSE}.")
    elif fits(form, value) and given not in (None, value):
        note(f"prose says its default is {show(value)}, the schema {show(given)}; the schema counts")
    return found


def related(given: Schema) -> list[str]:
    """Notes on fields whose prose speaks of another in a condition, or bars a value of it."""
    fields = {name: one for name, one in by_name(given).items() if name and isinstance(one, dict)}
    found = []
    for name, one in fields.items():
        prose = str(one.get("description") or "")[:MOST_CHARACTERS]
        sentences = [part for part in _PARTS.split(prose) if _TIES.search(part.lower())]
        bars = " ".join(plain_prose(part).lower() for part in sentences if _BARS.search(part.lower()))
        spoken = [one for one in fields if any(one in part and _speaks_of(part, one) for part in sentences)]
        values = {other: _values(fields[other]) - _values(one) for other in fields}
        barred = [one for one in fields if any(re.search(rf"\b{re.escape(v)}\b", bars) for v in values[one])]
        others = [other for other in fields if other != name and other in {*spoken, *barred}]
        if others:
            ties = f"{name[:80]}: prose ties it to {', '.join(others)[:200]}"
            found.append(f"{ties}; a rule between fields is for you to write")
    return found


def _speaks_of(sentence: str, name: str) -> bool:
    """A name of several words, or one in quotes: `prompt` alone is a word like any other."""
    quote = "" if "_" in name else "[`'\"\u201c\u201d]"
    return re.search(rf"{quote}(?<![\w./-]){re.escape(name)}(?![\w/]){quote}", sentence) is not None


def _values(form: Schema) -> set[str]:
    texts = [one.lower() for one in items_in(form.get("enum"))[:50] if isinstance(one, str)]
    return {one for one in texts if len(one) > 2 and any(map(str.isdigit, one))}
