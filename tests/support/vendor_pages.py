"""Reads what a vendor's page says of a request and its answer, as facts by path.

In: the page's text, in one of two forms: Markdown around an OpenAPI document in a ```yaml block, or
Markdown with a heading for each field and its properties in bold, in Chinese. Out: `Facts`, such as
{"request.input.prompt": {"type": "string", "maxLength": 10000, "required": True}}; `order` lists an
object's fields as the page does. Descriptions and examples are no facts, but the file types and the
file size that a description names are.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import yaml

Facts: TypeAlias = dict[str, dict[str, Any]]

KEYWORDS = (
    "type",
    "format",
    "enum",
    "const",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "nullable",
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MEDIA_TYPE = re.compile(r"\b(?:image|video|audio)/[a-z0-9.+-]+")
_MEGABYTES = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*MB\b")


def page_facts(text: str) -> Facts:
    """What the page says, whichever form it has. Raises ValueError where it has neither."""
    for language, block in _FENCE.findall(text):
        if language == "yaml" and block.startswith("openapi:"):
            return _openapi_facts(yaml.safe_load(block))
    if "## 请求体参数" in text:
        return {"request": {"type": "object"}, "response": {"type": "object"}, **_headed(text)}
    raise ValueError("neither an OpenAPI document nor headed fields on this page")


def schema_facts(schema: dict[str, Any], path: str) -> Facts:
    """The facts of one JSON Schema and all its properties, `path` being the name of its root."""
    own = {key: schema[key] for key in KEYWORDS if key in schema}
    own.update(file_facts(schema.get("description", "")))
    properties = schema.get("properties", {})
    if properties:
        own["order"] = list(properties)
    facts = {path: own}
    for name, part in properties.items():
        facts.update(schema_facts(part, f"{path}.{name}"))
        facts[f"{path}.{name}"]["required"] = name in schema.get("required", ())
    return facts


def file_facts(prose: str) -> dict[str, Any]:
    """`media_types` and `max_bytes` where prose tells which files are taken."""
    types = list(dict.fromkeys(_MEDIA_TYPE.findall(prose)))
    size = _MEGABYTES.search(prose)
    if not types or size is None:
        return {}
    return {"media_types": types, "max_bytes": int(float(size[1]) * 1024 * 1024)}


# --- the OpenAPI form ----------------------------------------------------------------------------


def _openapi_facts(document: dict[str, Any]) -> Facts:
    (operation,) = (path["post"] for path in document["paths"].values())
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return {
        **schema_facts(_plain(request, document), "request"),
        **schema_facts(_plain(answer, document), "response"),
    }


def _plain(node: Any, document: dict[str, Any]) -> Any:
    """The schema with references and `allOf` written out."""
    if isinstance(node, list):
        return [_plain(item, document) for item in node]
    if not isinstance(node, dict):
        return node
    merged: dict[str, Any] = {}
    if "$ref" in node:
        merged.update(_plain(_target(node["$ref"], document), document))
    for part in node.get("allOf", ()):
        merged.update(_plain(part, document))
    rest = {key: value for key, value in node.items() if key not in {"$ref", "allOf"}}
    return {**merged, **{key: _plain(value, document) for key, value in rest.items()}}


def _target(reference: str, document: dict[str, Any]) -> Any:
    target: Any = document
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    return target


# --- the form with headings ----------------------------------------------------------------------

_SECTIONS = {"请求体参数": "request", "响应说明": "response"}
_BOLD = re.compile(r"^\*\*(.+?)\*\*[::][ \t]*(?:\n[ \t]*)?(.+)$", re.MULTILINE)
_TICKED = re.compile(r"`([^`]*)`")
_NUMBERS = {
    "最大长度": "maxLength",
    "最小长度": "minLength",
    "最大值": "maximum",
    "最小值": "minimum",
    "最大数量": "maxItems",
    "最小数量": "minItems",
}


def _headed(text: str) -> Facts:
    facts: Facts = {}
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        root = _SECTIONS.get(section.partition("\n")[0].strip())
        for field in re.split(r"^#{3,} ", section, flags=re.MULTILINE)[1:] if root else ():
            name, _, body = field.partition("\n")
            path = f"{root}.{name.strip()}"
            facts[path] = _field_facts(_FENCE.sub("", body))
            parent, _, last = path.rpartition(".")
            facts.setdefault(parent, {"type": "object"}).setdefault("order", []).append(last)
    return facts


def _field_facts(body: str) -> dict[str, Any]:
    said = dict(_BOLD.findall(body))
    facts = _type_facts(_TICKED.findall(said["类型"])[0])
    value = int if facts["type"] == "integer" else str
    facts["required"] = said["必需"].strip() == "是"
    if "默认值" in said:
        facts["default"] = value(_TICKED.findall(said["默认值"])[0])
    if "可用选项" in said:
        facts["enum"] = [value(choice) for choice in _TICKED.findall(said["可用选项"])]
    facts.update({key: int(said[word]) for word, key in _NUMBERS.items() if word in said})
    return {**facts, **file_facts(body)}


def _type_facts(written: str) -> dict[str, Any]:
    """`enum<integer>` is an integer, `string<uri>` a string of that format."""
    outer, _, inner = written.rstrip(">").partition("<")
    if outer == "enum":
        return {"type": inner}
    return {"type": outer, "format": inner} if inner else {"type": outer}
