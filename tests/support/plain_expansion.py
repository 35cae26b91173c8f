"""A job file multiplied the plain way, to hold the compiled one against; and random job files of any model.

In: a model's schema, dice. Out: job files as data; of each row the whole request, validated by jsonschema and
identified by the rfc8785 package. Touches nothing.
"""

from __future__ import annotations

import hashlib
import string
from itertools import product
from typing import TYPE_CHECKING, Any

import rfc8785
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from kiejobs.core.models.spec import complete, files_of, read_spec, typed

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

Request = tuple[dict[str, Any], str]
"""What is sent, and its fingerprint."""

_JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
_ODD = (
    "",
    "5",
    "x" * 200,
    "Ä\U0001f4f7",
    '"\\',
    "true",
    5,
    5.0,
    0.1,
    1e21,
    -1,
    2**53 - 1,
    True,
    None,
    [],
    {},
)
_WORDS = ("dawn", "noon", "Überraschung", "a b", "x/y", "\U0001f4f7", 7, 12)


def plain_requests(file: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Request | None]:
    """One for each row, in order; None where the row may not be bought."""
    job, spec = file["jobs"]["j"], read_spec(schema)
    validator = Draft202012Validator(dict(spec.input_schema), format_checker=formats())
    found: list[Request | None] = []
    for values in product(*job["matrix"].values()):
        row = dict(zip(job["matrix"], values, strict=True))
        written = {name: _rendered(value, row) for name, value in job["input"].items()}
        written |= {name: value for name, value in row.items() if name in spec.fields}
        request = complete(spec, written)
        local = any(not url.startswith("http") for url, _ in files_of(spec, request))
        refused = local or any(validator.iter_errors(request))
        found.append(None if refused else _identified(spec.model, request))
    return found


def _identified(model: str, request: dict[str, Any]) -> Request | None:
    try:
        canonical = rfc8785.dumps({"model": model, "input": request})
    except rfc8785.CanonicalizationError:
        return None
    return request, hashlib.sha256(canonical).hexdigest()


def _rendered(value: Any, row: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and "{{" in value:
        return _JINJA.from_string(value).render(matrix=row)
    if isinstance(value, list):
        return [_rendered(item, row) for item in value]
    return value


# --- a random job file ---------------------------------------------------------------------------


def random_file(dice: random.Random, schema: Mapping[str, Any]) -> dict[str, Any]:
    """One job of the model, each field constant, an axis, a template or left out; many are valid."""
    spec = read_spec(schema)
    given: dict[str, Any] = {}
    matrix: dict[str, list[Any]] = {"word": dice.sample(_WORDS, dice.randint(1, 3))}
    for name, field in spec.fields.items():
        chance = dice.random()
        if name not in spec.required and chance < 0.5:
            continue
        values = list(_distinct(typed(spec, name, _value(dice, field)) for _ in range(3)))
        if chance > 0.85 and len(matrix) < 4 and values:
            matrix[name] = values
            continue
        given[name] = _value(dice, field)
        if _is_prose(field) and isinstance(given[name], str) and dice.random() < 0.6:
            given[name] += " {{ matrix.word }}"
    items = list(matrix.items())
    dice.shuffle(items)
    job = {"model": spec.model, "input": given, "matrix": dict(items)}
    job["callBackUrl"] = (
        "https://example.com/{{ matrix.word | tojson | length }}"  # so that something reads it
    )
    return {"version": 1, "campaign": "random", "jobs": {"j": job}}


def _is_prose(field: Mapping[str, Any]) -> bool:
    return {"enum", "format", "pattern", "x-kiejobs-file"}.isdisjoint(field)


def _distinct(values: Iterator[Any]) -> Iterator[Any]:
    """No mappings, no blanks: they have no name of their own in an address."""
    seen = set()
    for value in values:
        if not isinstance(value, dict | list | None) and repr(value) not in seen:
            seen.add(repr(value))
            yield value


def _value(dice: random.Random, field: Mapping[str, Any]) -> Any:
    if dice.random() < 0.04:
        return dice.choice(_ODD)
    if "enum" in field:
        return dice.choice(field["enum"])
    return _OF_TYPE.get(field.get("type", "string"), _text)(dice, field)


def _boolean(dice: random.Random, _field: Mapping[str, Any]) -> Any:
    return dice.choice((True, False, "true"))


def _number(dice: random.Random, field: Mapping[str, Any]) -> int:
    least = int(field.get("minimum", 0))
    return dice.randint(least, min(int(field.get("maximum", least + 50)), least + 50))


def _array(dice: random.Random, field: Mapping[str, Any]) -> list[Any]:
    least = field.get("minItems", 0)
    count = dice.randint(least, max(least, min(field.get("maxItems", 2), 3)))
    return [_value(dice, field.get("items", {})) for _ in range(count)]


def _object(dice: random.Random, field: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(dice, one) for name, one in field.get("properties", {}).items()}


def _text(dice: random.Random, field: Mapping[str, Any]) -> str:
    if field.get("format") == "uri" or "x-kiejobs-file" in field:
        return f"https://example.com/{dice.randint(1, 9)}.png"
    least, most = field.get("minLength", 1), field.get("maxLength", 60)
    size = dice.choice((least, min(most, 40), min(most, 40), most if most < 600 else 40))
    return "".join(dice.choices(string.ascii_letters + " é\U0001f4f7", k=size)).strip() or "x"


_OF_TYPE = {
    "boolean": _boolean,
    "integer": _number,
    "number": _number,
    "array": _array,
    "object": _object,
}
