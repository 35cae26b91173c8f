"""The job file's schema as an editor wants it, grown from the schemas of the models.

In: the hand-written schema of a job file (schemas/jobfile.structure.json, which checks a job file's
structure at run time), and the request schema of each model under its id, written without `$ref`. Out:
one self-contained schema which offers the `input` fields of the chosen model as well: with gaps, with
templates, not yet coerced. Touches nothing. It is made when the models change, never for a user.

Whatever is generated carries `GENERATED` as its `$comment`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.models.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.models.rules import FieldRule

Schema: TypeAlias = dict[str, Any]

Form: TypeAlias = Any
"""A schema; True and False among them."""

GENERATED = "Generated from schemas/models by tests/docs/regenerate.py: edit the models, not this."
TEMPLATE = {"type": "string", "pattern": r"\{[{%#]"}
"""What a value that is still to be rendered looks like."""

_BY_MATRIX = {
    "required": ["matrix"],
    "properties": {"matrix": {"anyOf": [{"required": ["model"]}, {"required": ["include"]}]}},
}
"""An axis may say the model, and so may what `include` adds."""

_NAMED = {"required": ["model"]}
_SAID = {"anyOf": [_NAMED, _BY_MATRIX]}

_DOZEN = 12
"""The square root of the number of models, about: the fewest questions in two steps."""

_LONG = 100
"""Characters from which on a form that several models share is written once."""

_AXIS_VALUE = {"type": ["string", "number", "boolean", "object"]}
_HINTS = ("title", "description", "examples", "deprecated")  # a default stays with its own choice
_NUMERAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

_PLAIN = {
    "type", "const", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "pattern", "minItems", "maxItems",
}  # fmt: skip
_SAYS_NOTHING = {"title", "description", "$comment", "type", "if", "then", "else"}


def editor_schema(base: Mapping[str, Any], models: Mapping[str, Schema]) -> Schema:
    """The whole schema: `base`, and what `models` add to it. `base` needs `$defs/job` and `$defs/model_id`."""
    schema = deepcopy(dict(base))
    ids = sorted(models)
    jobs = {_slug(model): job_schema(models[model]) for model in ids}
    definitions = schema["$defs"]
    definitions["model_id"]["anyOf"] = [_marked({"enum": ids}), _marked({})]
    definitions["job"]["allOf"] = [_marked(_when_the_job_says(ids))]
    schema["allOf"] = [_model_somewhere(), _marked(_when_defaults_say(ids))]
    definitions["own_model"] = _marked(_SAID)
    definitions["models"] = _marked({"$defs": jobs})
    definitions["fields"] = _marked({"$defs": _shared(jobs)})
    return schema


def _marked(schema: Schema) -> Schema:
    return {"$comment": GENERATED, **schema}


# --- which model, which fields -------------------------------------------------------------------


def _slug(model: str) -> str:
    """A name for `$defs` without the slash, which JSON pointers would need escaped."""
    return model.replace("/", ".")


def _chosen(
    models: Sequence[str], asked: Callable[[Schema], Schema], then: Callable[[str], Schema]
) -> Schema:
    """What holds for the one of `models` that is named, asked by the dozen and then one by one.

    An editor asks until one answers, and for each job: 13 questions on average, where one list of all asks 138.
    """
    dozens = [models[at : at + _DOZEN] for at in range(0, len(models), _DOZEN)]
    return _first_of(
        {
            "if": asked({"enum": named}),
            "then": _first_of({"if": asked({"const": model}), "then": then(model)} for model in named),
        }
        for named in dozens
    )


def _first_of(conditions: Iterable[Schema]) -> Schema:
    first, *others = conditions
    return {**first, "else": _first_of(others)} if others else first


def _when_the_job_says(models: Sequence[str]) -> Schema:
    chosen = _chosen(models, lambda model: {"properties": {"model": model}}, _fields_of)
    return {"if": _NAMED, "then": chosen}


def _when_defaults_say(models: Sequence[str]) -> Schema:
    """Jobs without a model of their own are of the model in `defaults`, unless an axis says it."""

    def asked(model: Schema) -> Schema:
        return {"properties": {"defaults": {"properties": {"model": model}}}}

    def then(model: str) -> Schema:
        inheriting = {"if": {"$ref": "#/$defs/own_model"}, "else": _fields_of(model)}
        return {"properties": {"jobs": {"additionalProperties": inheriting}}}

    return {
        "if": {"required": ["defaults"], "properties": {"defaults": _NAMED}},
        "then": _chosen(models, asked, then),
    }


def _model_somewhere() -> Schema:
    """An editor should say at once that a job has no model; kiejobs itself says it with more."""
    needed = {"if": _BY_MATRIX, "else": {"required": ["model"]}}
    return _marked(
        {
            "if": {"required": ["defaults"], "properties": {"defaults": _SAID}},
            "else": {"properties": {"jobs": {"additionalProperties": needed}}},
        }
    )


def _fields_of(model: str) -> Schema:
    return {"$ref": f"#/$defs/models/$defs/{_slug(model)}"}


def _shared(jobs: Mapping[str, Schema]) -> dict[str, Schema]:
    """The forms that several fields have, taken out of `jobs`, which refer to them from now on."""
    holders = [part["properties"] for job in jobs.values() for part in job["properties"].values()]
    counts = Counter(_text(form) for held in holders for form in held.values())
    names: dict[str, str] = {}
    for held in holders:
        for field, form in held.items():
            text = _text(form)
            if counts[text] > 1 and len(text) > _LONG:
                name = names.setdefault(text, f"{field}.{len(names)}")
                held[field] = {"$ref": f"#/$defs/fields/$defs/{name}"}
    return {name: json.loads(text) for text, name in names.items()}


def _text(form: Schema) -> str:
    return json.dumps(form, ensure_ascii=False)


# --- a job of one model -------------------------------------------------------------------------


def job_schema(model: Schema) -> Schema:
    """What a job of this model may hold. Axes named like a field are offered its values, no more:
    whether a value fits is known once it is coerced.
    """
    fields = input_schema(model)
    axes = {name: _offered(field) for name, field in fields["properties"].items()}
    return {"properties": {"input": fields, "matrix": {"properties": axes}}}


def input_schema(model: Schema) -> Schema:
    """The input of one model as it may stand in a job file: templates welcome, gaps too.

    A field that is missing here may come from `defaults` or from an axis, so none is required.
    """
    found = _fields(model["properties"]["input"])
    return {
        "title": model.get("title", "Input"),
        "type": "object",
        "properties": {name: _tolerant(forms) for name, forms in found.items()},
        "additionalProperties": False,
        **_rules(model["properties"]["input"]),
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
    # No `format: uri`: a path of a local file is as good, whatever is in its name.
    own = {k: v for k, v in form.items() if k not in {*_HINTS, "format"} and not k.startswith("x-")}
    yield own
    yield from _as_numbers(own)
    if "enum" not in own and "const" not in own and "x-kiejobs-file" not in form:
        yield from _COERCED.get(str(own.get("type")), ())


_NUMBER = r"^\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\s*$"
_COERCED: Mapping[str, Sequence[Schema]] = {
    "string": [{"type": "number"}],
    "number": [{"type": "string", "pattern": _NUMBER}],
    "integer": [{"type": "string", "pattern": _NUMBER}],
    "boolean": [{"type": "string", "pattern": r"^\s*(?:[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])\s*$"}],
}
"""What is read as a value of the type, too: `prompt: 5`, `seed: "5"`."""


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


# --- a rule across fields ---------------------------------------------------------------------------


def tolerant_rule(rule: FieldRule, fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
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
        forms = {name: _value(one, known.get(name, {}), certainly=False) for name, one in part.items()}
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
