"""A page without an OpenAPI document, whose headings or tables describe the request, as such a document.

In: Markdown. Out: an OpenAPI document as values, for the same readers as any other; None where the page
describes no request. Touches nothing.

Only what is labelled is taken as said: type, required, default, options, example. All other words go
into the field's description, where the readers of prose find their limits.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kiejobs.importer.reading.outline import ProseField, fields_told

Schema = dict[str, Any]

MOST_EXAMPLES = 20

_YES = re.compile(r"^\W*(?:yes|true|required|是|必填|必需|✅|✓|✔)", re.IGNORECASE)
_CODE = re.compile(r"`{1,3}([^`\n]{1,500})`{1,3}")
_BLOCK = re.compile(r"(?:`{3,9}|~{3,9})[^`\n]{0,99}\n(.*?)\n[ \t]{0,12}(?:`{3}|~{3})", re.DOTALL)
_LIST = re.compile(
    r"^(?:array|list)\s*(?:<|\[|\(|of\s+)\s*([a-z]+)|^([a-z]+)\s*\[\]", re.IGNORECASE
)
_INNER = re.compile(r"^([a-z]+)\s*<\s*([a-z]+)\s*>", re.IGNORECASE)
_BODY = re.compile(r"\{\s*\"(?:model|callBackUrl|input)\"")
_TITLE = re.compile(r"^# {1,3}(.{1,200})$", re.MULTILINE)
_ROOT = frozenset({"model", "callBackUrl", "input"})


def described(text: str) -> Schema | None:
    """The document; its request has a `model` and an `input` with fields, or there is none."""
    bodies = _bodies(text)
    inputs = {name for body in bodies for name in body["input"]}
    root: Schema = {"type": "object", "properties": {}}
    for told in fields_told(text):
        path = told.path
        if path[0] not in _ROOT and (told.inside or path[0] in inputs):
            path = ("input", *path)
        if path[0] in _ROOT:
            _put(root, path, told)
    fields = root["properties"].setdefault("input", {}).get("properties")
    if not fields or not ("model" in root["properties"] or bodies):
        return None
    root["properties"].setdefault("model", {"type": "string"})
    title = _TITLE.search(text)
    content: Schema = {"schema": root, "examples": {str(at): one for at, one in enumerate(bodies)}}
    post = {
        "summary": title[1] if title else "",
        "requestBody": {"content": {"application/json": content}},
    }
    return {"paths": {"/api/v1/jobs/createTask": {"post": post}}}


def _put(root: Schema, path: tuple[str, ...], told: ProseField) -> None:
    """The field at its place; objects above it that nothing described are made."""
    node = root
    for name in path[:-1]:
        node = node.setdefault("properties", {}).setdefault(name, {})
        if node.get("type") == "array" or "items" in node:
            node = node.setdefault("items", {})
        node["type"] = "object"
    fields = node.setdefault("properties", {})
    known = fields.get(path[-1], {})
    form = _form(told.facts)
    if "properties" in known:
        form["properties"] = known["properties"]
    fields[path[-1]] = {**known, **form}
    if _YES.match(told.facts.get("required", "")):
        node.setdefault("required", []).append(path[-1])


def _form(facts: dict[str, str]) -> Schema:
    form = _type(facts["type"])
    if "description" in facts:
        form["description"] = facts["description"]
    options = _CODE.findall(facts.get("enum", "")) or _plain_list(facts.get("enum", ""))
    if options and form.get("type") != "array":
        form["enum"] = [_unquoted(one) for one in options]
    if facts.get("default"):
        form["default"] = _value(facts["default"])
    if facts.get("example"):
        form["example"] = _value(facts["example"])
    return form


def _type(words: str) -> Schema:
    words = words.strip("`* \n").replace("\\", "").replace("`", "")
    items = _LIST.match(words)
    if items:
        return {"type": "array", "items": {"type": (items[1] or items[2]).lower().rstrip("s")}}
    inner = _INNER.match(words)
    if inner and inner[1].lower() == "enum":
        return {"type": inner[2].lower()}
    if inner:
        return {"type": inner[1].lower(), "format": inner[2].lower()}
    kind = re.split(r"[\s,(\uff08]", words, maxsplit=1)[0].lower()
    return {"type": "array", "items": {"type": "string"}} if kind == "array" else {"type": kind}


def _plain_list(words: str) -> list[str]:
    parts = [part.strip(" -*\t") for part in re.split(r"[,|/\n\u3001]", words)]
    return [part for part in parts if part] if all(len(part) < 40 for part in parts) else []


def _value(words: str) -> Any:
    """JSON in a block, or code, or the words themselves."""
    block, code = _BLOCK.search(words), _CODE.search(words)
    text = (block[1] if block else code[1] if code else words.split("\n", maxsplit=1)[0]).strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _unquoted(text)


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'\u201c\u201d")


def _bodies(text: str) -> list[Schema]:
    """Whole requests that the page shows, wherever they stand."""
    found: list[Schema] = []
    for at in list(_BODY.finditer(text))[:MOST_EXAMPLES]:
        try:
            body, _ = json.JSONDecoder().raw_decode(text, at.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(body.get("model"), str) and isinstance(body.get("input"), dict):
            found.append(body)
    return found
