"""Rules across fields as an editor may hold a job file to them.

In: a rule of a model's input. Out: the same rule for the `input` of a job, or None where it could never
be known to be broken there. Touches nothing.

In a job file a field may be missing (an axis or `defaults` gives it), may be a template, or may be
written in another type than it is sent in. A rule is marked only where it is broken whatever becomes of
those. So each schema is turned into two: `possible` refuses only what can't come out right any more,
`certain` takes only what can't go wrong any more; `not` and `if` swap one for the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kiejobs.core.models.rules import FieldRule

TEMPLATE = {"type": "string", "pattern": r"\{[{%#]"}
"""What a value that is still to be rendered looks like."""

_NUMERAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

_PLAIN = {
    "type", "const", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "pattern", "minItems", "maxItems",
}  # fmt: skip
_SAYS_NOTHING = {"title", "description", "$comment", "type", "if", "then", "else"}

Form: TypeAlias = Any
"""A schema; True and False among them."""


def tolerant_rule(
    rule: FieldRule, fields: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any] | None:
    """`fields` are the model's, for their types."""
    form = _Relaxed(fields).possible(rule.schema)
    if isinstance(form, bool):
        return None
    return {"title": rule.title, **form} if rule.title else dict(form)


class _Relaxed:
    def __init__(self, fields: Mapping[str, Mapping[str, Any]]) -> None:
        self._fields = fields

    def possible(self, schema: Form) -> Form:
        """Takes every input that may yet obey `schema`."""
        if isinstance(schema, bool):
            return schema
        parts = [self._possible(keyword, value) for keyword, value in schema.items()]
        return _all([*parts, self._conditional(schema, certainly=False)])

    def certain(self, schema: Form) -> Form:
        """Takes only inputs that obey `schema` whatever else they are given."""
        if isinstance(schema, bool):
            return schema
        parts = [self._certain(keyword, value) for keyword, value in schema.items()]
        return _all([*parts, self._conditional(schema, certainly=True)])

    def _possible(self, keyword: str, value: Any) -> Form:
        if keyword == "properties":
            return _properties(self._values(value, certainly=False))
        if keyword == "allOf":
            return _all(map(self.possible, value))
        if keyword == "anyOf":
            return _any(map(self.possible, value))
        if keyword == "oneOf":
            sure = [*map(self.certain, value)]
            two = [_all([a, b]) for number, a in enumerate(sure) for b in sure[:number]]
            return _all([_any(map(self.possible, value)), _not(_any(two))])
        if keyword == "not":
            return _not(self.certain(value))
        return True  # what is required may yet come; what is not known is not judged

    def _certain(self, keyword: str, value: Any) -> Form:
        if keyword == "properties":
            forms = self._values(value, certainly=True)
            if False in forms.values():
                return False
            return {"required": [*forms], **_properties(forms)} if forms else True
        if keyword == "required":
            return {"required": value} if value else True
        if keyword in {"allOf", "anyOf"}:
            return (_all if keyword == "allOf" else _any)(map(self.certain, value))
        if keyword == "not":
            return _not(self.possible(value))
        return keyword in _SAYS_NOTHING or keyword.startswith("x-")

    def _conditional(self, schema: Mapping[str, Any], *, certainly: bool) -> Form:
        if "if" not in schema:
            return True
        asked, then, other = schema["if"], schema.get("then", True), schema.get("else", True)
        not_asked = {"not": asked}
        if certainly:
            yes, no = self.certain(asked), self.certain(not_asked)
            return _all([_any([no, self.certain(then)]), _any([yes, self.certain(other)])])
        arms = [(asked, then), (not_asked, other)]
        return _all(_if(self.certain(one), self.possible(arm)) for one, arm in arms)

    def _values(self, forms: Mapping[str, Form], *, certainly: bool) -> dict[str, Form]:
        found = {
            name: _value(form, self._fields.get(name, {}), certainly=certainly)
            for name, form in forms.items()
        }
        return {name: form for name, form in found.items() if form is not True}


# --- one field's value ---------------------------------------------------------------------------


def _value(form: Form, field: Mapping[str, Any], *, certainly: bool) -> Form:
    """What a rule says of one value. In a job file `10` stands for `"10"`, and `"10"` for `10`."""
    if isinstance(form, bool):
        return form
    listed = _listed(form)
    if listed is not None:
        same = {"enum": listed}
        return _all([_not(TEMPLATE), same]) if certainly else _any([same, TEMPLATE])
    plain = {keyword: limit for keyword, limit in form.items() if keyword in _PLAIN}
    rest = [(keyword, part) for keyword, part in form.items() if keyword not in _PLAIN]
    parts = [_plain(plain, field.get("type"), certainly=certainly)] if plain else []
    return _all([*parts, *(_inner(*pair, field, certainly=certainly) for pair in rest)])


def _plain(limits: Form, kind: Any, *, certainly: bool) -> Form:
    """Limits mean something for a value of the field's own type only."""
    typed = {"type": kind} if kind else False
    if certainly:
        return _all([_not(TEMPLATE), typed, limits])
    return _any([limits, TEMPLATE, _not(typed)])


def _inner(keyword: str, part: Any, field: Mapping[str, Any], *, certainly: bool) -> Form:
    if keyword == "not":
        return _not(_value(part, field, certainly=not certainly))
    if keyword in {"allOf", "anyOf"}:
        several = (_value(one, field, certainly=certainly) for one in part)
        return _all(several) if keyword == "allOf" else _any(several)
    if certainly:
        return keyword in _SAYS_NOTHING
    if keyword == "items":
        items = _value(part, field.get("items", {}), certainly=False)
        return True if items is True else {"items": items}
    if keyword == "properties":
        known = field.get("properties", {})
        forms = {
            name: _value(one, known.get(name, {}), certainly=False) for name, one in part.items()
        }
        return _properties({name: form for name, form in forms.items() if form is not True})
    return True


def _listed(form: Mapping[str, Any]) -> list[Any] | None:
    """The values of a form that is a list of values and no more, numbers in both their spellings."""
    if set(form) - {"const", "enum", "type", "title"} or not {"const", "enum"} & set(form):
        return None
    values = [form["const"]] if "const" in form else list(form["enum"])
    numbers = [_number(v) for v in values if isinstance(v, str) and _NUMERAL.fullmatch(v)]
    texts = [str(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    words = [str(v).lower() for v in values if isinstance(v, bool)]
    return [*values, *numbers, *texts, *words]


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


def _properties(forms: Mapping[str, Form]) -> Form:
    return {"properties": dict(forms)} if forms else True


def _all(forms: Iterable[Form]) -> Form:
    kept = [form for form in forms if form is not True]
    if False in kept:
        return False
    return True if not kept else kept[0] if len(kept) == 1 else {"allOf": kept}


def _any(forms: Iterable[Form]) -> Form:
    kept = [form for form in forms if form is not False]
    if True in kept:
        return True
    return False if not kept else kept[0] if len(kept) == 1 else {"anyOf": kept}


def _if(asked: Form, then: Form) -> Form:
    """Editors explain this better than the `anyOf` that it comes to."""
    if asked is False or then is True:
        return True
    return then if asked is True else {"if": asked, "then": then}


def _not(form: Form) -> Form:
    return (not form) if isinstance(form, bool) else {"not": form}
