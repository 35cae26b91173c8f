"""Does a price file speak of models, fields and values that there are?

In: a price file's Document that has its form, and the models' specs. Out: problems at their places. A
model that is not known is only a warning: a table may be ahead of the schemas. Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kiejobs.core.diagnostics import Diagnostic, Severity
from kiejobs.core.document.nodes import plain_json
from kiejobs.core.document.wording import show, suggest
from kiejobs.core.prices.table import PER_1000_CHARACTERS, as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from kiejobs.core.document.nodes import Document, Json
    from kiejobs.core.models.spec import Spec

_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_COUNTED = frozenset({"integer", "number", "string"})


def check_prices(
    document: Document, models: Collection[str], spec_of: Callable[[str], Spec | None]
) -> Iterator[Diagnostic]:
    """All that no request of these models can have. A known model without a spec is a broken one."""
    for model, said in plain_json(document.root)["models"].items():
        spec = spec_of(model)
        if spec is not None:
            yield from _of_model(document, spec, said)
        elif model not in models:
            yield _unknown_model(document, model, models)


def _unknown_model(document: Document, model: str, models: Collection[str]) -> Diagnostic:
    message = f"a price for `{model}`, which is no model that is known here"
    hint = suggest(model, models) or "`kiejobs models import` makes models known"
    place = document.place(("models", model), key=True)
    return Diagnostic("price-model", message, place, hint, Severity.WARNING)


def _of_model(document: Document, spec: Spec, said: Mapping[str, Any]) -> Iterator[Diagnostic]:
    path = ("models", spec.model)
    quantity = said.get("quantity")
    if quantity is not None:
        place = document.place((*path, "quantity"))
        if quantity not in spec.fields:
            yield _unknown_field(spec, quantity, place)
        elif not _can_count(said["per"], spec.fields[quantity]):
            message = f"`{quantity}` of {spec.model} can't say how many: {said['per']}"
            yield Diagnostic("price-value", message, place, "name a field that holds a number")
    lines = said["credits"] if isinstance(said["credits"], list) else []
    for number, line in enumerate(lines):
        for name, wanted in line.get("when", {}).items():
            at = (*path, "credits", number, "when", name)
            if name not in spec.fields:
                yield _unknown_field(spec, name, document.place(at, key=True))
            else:
                yield from _values(document, spec, wanted, at)


def _unknown_field(spec: Spec, name: str, place: Any) -> Diagnostic:
    message = f"`{name}` is not a field of {spec.model}"
    hint = suggest(name, spec.fields) or f"its fields: {', '.join(spec.fields)}"
    return Diagnostic("price-field", message, place, hint)


def _values(
    document: Document, spec: Spec, wanted: Json, at: tuple[str | int, ...]
) -> Iterator[Diagnostic]:
    """Each value that the field can never have; whether it is given can be asked of any field."""
    if isinstance(wanted, dict):
        return
    name, field = str(at[-1]), spec.fields[str(at[-1])]
    several = isinstance(wanted, list)
    for number, value in enumerate(wanted if several else [wanted]):
        text = as_text(value) or ""
        if _can_be(text, field):
            continue
        choices = [as_text(choice) or "" for choice in field.get("enum", ())]
        message = f"`{name}` of {spec.model} is never {show(text)}"
        hint = suggest(text, choices) or _wanted(field, choices)
        yield Diagnostic(
            "price-value", message, document.place((*at, number) if several else at), hint
        )


def _can_be(text: str, field: Mapping[str, Any]) -> bool:
    if "enum" in field:
        return text in {as_text(choice) for choice in field["enum"]}
    match field.get("type"):
        case "boolean":
            return text in {"true", "false"}
        case "integer" | "number":
            return _NUMBER.fullmatch(text) is not None and _is_within(float(text), field)
        case "array" | "object":
            return False
    return True


def _is_within(number: float, field: Mapping[str, Any]) -> bool:
    least, most = field.get("minimum"), field.get("maximum")
    return (least is None or number >= least) and (most is None or number <= most)


def _wanted(field: Mapping[str, Any], choices: list[str]) -> str:
    if choices:
        return f"its values: {', '.join(choices)}"
    kind = field.get("type")
    if kind in {"array", "object"}:
        return "ask whether it is there: `{given: true}`"
    return "true or false" if kind == "boolean" else "a number that the model takes"


def _can_count(unit: str, field: Mapping[str, Any]) -> bool:
    if unit == PER_1000_CHARACTERS:
        return bool(field.get("type") == "string" and "enum" not in field)
    if "enum" in field:
        return all(_NUMBER.fullmatch(as_text(choice) or "") for choice in field["enum"])
    return field.get("type") in _COUNTED or "type" not in field
