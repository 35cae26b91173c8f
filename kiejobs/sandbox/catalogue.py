"""The vendor's discovery routes imitated: which models there are, the form of each, its price in prose.

In: schemas and prices as data; paths. Out: `Response`s in the recorded shapes: a list that isn't paged, OpenAPI 3.1
with references whose names have blanks, prices as sentences; an unknown model is code 404 in HTTP 200. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kiejobs.core.money import money
from kiejobs.sandbox.asgi import error, success

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.prices.table import ModelPrice, PriceLine, PriceTable
    from kiejobs.sandbox.asgi import Response

PATH = "/api/v1/models"
_UNKNOWN = "Model not found"  # no text for this is on record
_TASKS = {"video": "Video", "image": "Image", "audio": "Speech"}


def asked_for(path: str) -> tuple[str, str] | None:
    """`list`, `schema` or `price`, and of which model; None for another path."""
    if path == PATH:
        return "list", ""
    name, _, kind = unquote(path.removeprefix(f"{PATH}/")).rpartition("/")
    return (kind, name) if path.startswith(f"{PATH}/") and kind in {"schema", "price"} else None


def discovered(
    kind: str,
    name: str,
    schemas: Mapping[str, Mapping[str, Any]],
    prices: PriceTable,
    query: Mapping[str, str],
) -> Response:
    """The answer to what was `asked_for`; `query` narrows the list."""
    if kind == "list":
        listed = [name for name in schemas if "x-kiejobs-retired" not in schemas[name]]
        offers = [_offer(name, schemas[name], prices.of(name)) for name in listed]
        offers = [offer for offer in offers if _is_meant(offer, query)]
        return success({"total": len(offers), "models": offers})
    if name not in schemas:
        return error(404, _UNKNOWN)
    if kind == "price":
        return success({"model": name, "pricingDesc": _price(prices.of(name))})
    return success({"model": name, "openapi": _openapi(name, schemas[name])})


def _offer(name: str, schema: Mapping[str, Any], price: ModelPrice | None) -> dict[str, Json]:
    made = str(schema.get("x-kiejobs-output", {}).get("media_type", "video")).partition("/")[0]
    takes = "Image" if "image-to" in name else "Text"
    return {
        "model": name,
        "slug": name,
        "title": schema.get("title", name),
        "provider": name.partition("/")[0],
        "taskType": [f"{takes} to {_TASKS.get(made, 'Text')}"],
        "description": None,
        "pricingDesc": _price(price),
    }


def _is_meant(offer: Mapping[str, Json], query: Mapping[str, str]) -> bool:
    """By the three parameters that are documented. That `q` looks at the name and title is a guess."""
    words = f"{offer['model']} {offer['title']}".lower()
    fits = {"taskType": str(offer["taskType"]), "provider": str(offer["provider"]), "q": words}
    return all(query.get(key, "").lower() in text.lower() for key, text in fits.items())


def _openapi(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The document of one model, with what only prose says on the vendor's pages as prose."""
    given = schema["properties"]["input"]
    fields = {field: _field(form) for field, form in given["properties"].items()}
    # One field leads to its form, as on the vendor's pages: by a name with a blank at its end.
    first = next(iter(fields))
    shared, fields[first] = fields[first], {"$ref": "#/components/schemas/first%20field%20"}
    body = {
        "type": "object",
        "required": ["model", "input"],
        "properties": {
            "model": {"type": "string", "enum": [name], "default": name},
            "callBackUrl": {"type": "string", "format": "uri"},
            "input": {"type": "object", "required": list(given.get("required", ())), "properties": fields},
        },
    }
    post = {
        "summary": schema.get("title", name),
        "operationId": name.replace("/", "-"),
        "requestBody": {"content": {"application/json": {"schema": body}}, "required": True},
        "responses": {"200": {"description": str(schema.get("description", ""))}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "kiejobs sandbox", "version": "1.0.0"},
        "paths": {"/api/v1/jobs/createTask": {"post": post}},
        "components": {"schemas": {"first field ": shared}},
    }


def _field(form: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in form.items() if not key.startswith(("x-", "unevaluated"))}
    for key in ("items", "additionalProperties"):
        if isinstance(form.get(key), dict):
            plain[key] = _field(form[key])
    if "properties" in form:
        plain["properties"] = {name: _field(inner) for name, inner in form["properties"].items()}
    match form.get("anyOf"):
        case [{"const": special}, {"minimum": least, "maximum": most}]:
            del plain["anyOf"]
            plain["description"] = f"Range: {least} to {most}. {special} means what fits."
    if "x-kiejobs-file" in form:
        plain["description"] = _file_words(form["x-kiejobs-file"])
    return plain


def _file_words(rule: Mapping[str, Any]) -> str:
    kinds = ", ".join(rule.get("media_types", ()))
    types = f"- Accepted types: {kinds}\n" if kinds else ""
    size = f"- Max size: {rule['max_bytes'] / 2**20:g}MB\n" if "max_bytes" in rule else ""
    return f"The URL of the file.\n{types}{size}"


# --- prices -----------------------------------------------------------------------------------------


def _price(price: ModelPrice | None) -> str | None:
    """As sentences: one for each line where that has a plain form, else what nobody can calculate with."""
    if price is None:
        return None
    conditions = [_condition(line) for line in price.lines]
    if None in conditions:
        least = min(line.credits for line in price.lines)
        return f"From {money(least)} credits, depending on what is asked for."
    lines = zip(price.lines, conditions, strict=True)
    return "; ".join(f"{_amount(line)} per {price.unit}{words}" for line, words in lines) + "."


def _amount(line: PriceLine) -> str:
    return f"{money(line.credits)} credits (${money(line.credits * 5 / 1000)})"


def _condition(line: PriceLine) -> str | None:
    """` for 5 s at 720p`; None for what has no plain words."""
    words = ""
    for name, value in line.when.items():
        if name == "duration":
            words += f" for {value} s"
        elif name == "resolution":
            words += f" at {value}"
        elif value in {"true", "false"} and ("audio" in name or "sound" in name):
            words += " with audio" if value == "true" else " no audio"
        else:
            return None
    return None if line.given else words
