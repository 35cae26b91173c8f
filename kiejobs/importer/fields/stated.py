"""What a page tells of a field in prose, added to its form.

In: a field in our form, the prose about it, values that the page shows. Out: limits in the form, each
with a note in `x-kiejobs-note` that it is from prose. Touches nothing else.

A keyword counts more than prose; prose that the page's own values break counts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kiejobs.core.document.wording import show
from kiejobs.core.models.descriptions import IN_SECONDS
from kiejobs.core.models.spec import coerce
from kiejobs.importer.fields.prose import (
    ValueRange,
    items_told,
    length_told,
    range_told,
    special_told,
    step_told,
)
from kiejobs.importer.fields.types import fits, multiple
from kiejobs.importer.prose.choices import choices_told, default_told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Schema = dict[str, Any]

_FROM_PROSE = "from the page's prose"


def add_told(form: Schema, prose: str, shown: Sequence[Any], note: Callable[[str], None]) -> None:
    """Changes `form`. `shown` are values that the page shows for the field."""
    kind = form.get("type")
    told: list[str] = []
    values = [one for one in [*shown, form.get("default")] if one not in (None, "", [])]

    def add(limits: Schema) -> None:
        if not limits:
            return
        words = _in_words(limits)
        broken = [
            one
            for one in values
            if not fits({**form, **limits}, coerce(form, one)) and fits(form, coerce(form, one))
        ]
        if broken:
            note(f"{words} {_FROM_PROSE} is passed over: the page itself shows {show(broken[0])}")
            return
        form.update(limits)
        told.append(f"{words}: {_FROM_PROSE}")
        note(f"{words} is {_FROM_PROSE}")

    if "x-kiejobs-file" not in form or kind == "array":
        for limits in _limits(form, kind, prose, note):
            add(limits)
        if kind == "string" and values and all(str(one).isdecimal() for one in values):
            add(_counted(form, prose))
    told += _asides(form, kind, prose, note)
    if told:
        form["x-kiejobs-note"] = told


def _in_words(limits: Schema) -> str:
    if "anyOf" in limits:
        special, rest = limits["anyOf"]
        return f"{show(special['const'])}, or {_in_words(rest)}"
    return ", ".join(f"{key} {show(value)}" for key, value in limits.items())


def _limits(form: Schema, kind: Any, prose: str, note: Callable[[str], None]) -> list[Schema]:
    if kind == "array":
        return [_missing(form, items_told(prose), "minItems", "maxItems", note)]
    if "enum" in form:
        _compare(form, prose, note)
        return []
    if kind == "string":
        return [
            _missing(form, length_told(prose), "minLength", "maxLength", note),
            _listed(form, kind, prose),
        ]
    if kind in {"integer", "number"}:
        return [
            _numbers(form, prose, note),
            _step(form, kind, prose, note),
            _listed(form, kind, prose),
        ]
    return []


def _missing(
    form: Schema, told: ValueRange, low: str, high: str, note: Callable[[str], None]
) -> Schema:
    """Those ends that no keyword gives; where prose and keyword differ, the keyword counts."""
    limits: Schema = {}
    for key, value in ((low, told.least), (high, told.most)):
        if value is None:
            continue
        if key not in form:
            limits |= {key: value} if _means_something(key, value) else {}
        elif form[key] != value:
            note(f"prose says {key} {value}, the schema {form[key]}; the schema counts")
    return _consistent({**form, **limits}, limits, low, high)


def _means_something(key: str, value: float) -> bool:
    if key in {"minimum", "maximum"}:
        return True
    return isinstance(value, int) and value > 0


def _consistent(whole: Schema, limits: Schema, low: str, high: str) -> Schema:
    fine = low not in whole or high not in whole or whole[low] <= whole[high]
    return limits if fine else {}


def _numbers(form: Schema, prose: str, note: Callable[[str], None]) -> Schema:
    """A range; with one value beside it that has a meaning of its own, a choice of the two."""
    if form.keys() & {"exclusiveMinimum", "exclusiveMaximum"}:
        return {}
    told = range_told(prose)
    special = special_told(prose)
    least = form.get("minimum", told.least)
    if special is None or least is None or special >= least:
        return _missing(form, told, "minimum", "maximum", note)
    if "minimum" in form:
        note(
            f"prose gives {special} a meaning of its own, the schema refuses it; the schema counts"
        )
        return _missing(form, told, "minimum", "maximum", note)
    limits = _missing(form, told, "minimum", "maximum", note)
    return {"anyOf": [{"const": special}, limits]} if limits else {}


def _step(form: Schema, kind: str, prose: str, note: Callable[[str], None]) -> Schema:
    step = step_told(prose)
    if step is None or "multipleOf" in form or (kind == "integer" and step == 1):
        return {}
    return multiple(step, note)


def _counted(form: Schema, prose: str) -> Schema:
    """The whole numbers of a range, for a field that takes numbers as text."""
    told, step = range_told(prose), step_told(prose) or 1
    least, most = told.least, told.most
    if "enum" in form or least is None or most is None:
        return {}
    if not all(float(one).is_integer() for one in (least, most, step)):
        return {}
    numbers = range(int(least), int(most) + 1, int(step))
    return {"enum": [str(one) for one in numbers]} if 1 < len(numbers) <= 100 else {}


def _listed(form: Schema, kind: str, prose: str) -> Schema:
    """Values that prose lists as all there are."""
    if form.get("format") == "uri" or "pattern" in form:
        return {}
    values = [coerce({"type": kind}, text) for text in choices_told(prose)]
    return {"enum": values} if values and all(fits(form, value) for value in values) else {}


def _compare(form: Schema, prose: str, note: Callable[[str], None]) -> None:
    """Values that prose lists otherwise than the schema does."""
    listed = form["enum"]
    told = [text for text in choices_told(prose) if coerce(form, text) not in listed]
    if told and len(listed) > 1:
        note(
            f"prose lists {', '.join(map(show, told[:8]))}, the schema does not; the schema counts"
        )


def _asides(form: Schema, kind: Any, prose: str, note: Callable[[str], None]) -> list[str]:
    """What limits nothing, and is good to know."""
    found: list[str] = []
    digits = all(str(value).isdecimal() for value in form.get("enum", ["x"]))
    if (kind in {"integer", "number"} or digits) and "second" in prose.lower():
        found.append(IN_SECONDS)
    step = step_told(prose)
    if kind in {"integer", "number"} and isinstance(step, float):
        found.append(f"In steps of {step}: {_FROM_PROSE}, and not checked.")
    default = default_told(prose)
    if default is None or not isinstance(kind, str) or kind in {"array", "object"}:
        return found
    value = coerce({"type": kind}, default)
    if "default" not in form and fits(form, value) and value != "None":
        found.append(f"Left out, it is {show(value)}: {_FROM_PROSE}.")
    elif "default" in form and fits(form, value) and value != form["default"]:
        note(
            f"prose says its default is {show(value)}, the schema {show(form['default'])}; the schema counts"
        )
    return found
