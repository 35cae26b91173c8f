"""A page's text as OpenAPI documents: those in it, or one made of its headings, tables and examples.

In: Markdown, plain YAML or JSON, or the discovery API's `{"model": …, "openapi": {…}}`. Out: the documents as
values, and problems, each with its place. Touches nothing. Of a page without a document only what is labelled is
taken literally; all other words go into the field's description, where the readers of prose find their limits.
"""

from __future__ import annotations

import html
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.document.nodes import Source
from kiejobs.core.document.reader import read_document
from kiejobs.importer.openapi import ApiDocument, bodies_in

if TYPE_CHECKING:
    from kiejobs.importer.openapi import Schema

Field: TypeAlias = tuple[tuple[str, ...], dict[str, str]]
"""Its path, and facts by key; what has no key of ours is a line of `description`."""

MOST_CHARACTERS = 4_000_000
"""The largest page known is a hundredth of this."""

MOST_BLOCKS = 20
MOST_NOTES = 50
MOST_FIELDS = 300
MOST_LINES = 50_000
MOST_OF_LINE = 6_000
"""Of a line, and of the text at one label: patterns go over them."""

_KEYS = {
    "type": ("type", "data type", "类型", "数据类型", "参数类型"),
    "required": ("required", "必需", "必填", "是否必填", "是否必需"),
    "default": ("default", "default value", "默认", "默认值"),
    "enum": ("options", "available options", "allowed values", "possible values", "enum", "values", "可用选项", "可选值",
             "枚举", "枚举值", "选项"),
    "example": ("example", "examples", "示例", "示例值"),
    "description": ("description", "描述", "说明", "参数说明", "备注"),
    "name": ("name", "parameter", "field", "param", "key", "参数", "参数名", "参数名称", "名称", "字段", "字段名"),
}  # fmt: skip
_ONE_LINE = {"type", "required"}
_KEY_OF = {word: key for key, words in _KEYS.items() for word in words}
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.{1,300}?)[ \t#]*$")
_FENCED = re.compile(r"^\s{0,12}(`{3,20}|~{3,20})")
_LABEL = re.compile(
    r"^\s{0,4}(?:[-*+]\s+)?(?:\*\*([^*:\uff1a]{1,30})(?:\*\*\s*[:\uff1a]|[:\uff1a]\s*\*\*)|([^\W\d][^*:\uff1a|`]{0,29})[:\uff1a])\s*(.*)$"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,60}(?:(?:\[\])?\.[A-Za-z_][A-Za-z0-9_-]{0,60}){0,6}")
_MARKS = re.compile(
    r"[`*]|\\(?=_)|[\s(\uff08]*(?:required|optional|必填|必需|可选)[)\uff09]?\s*$", re.IGNORECASE
)
_REQUIRED = re.compile(r"\brequired\b|必填|必需", re.IGNORECASE)
_STARRED = re.compile(r"(?<!\*)\*\s*$")
_ANSWERS = re.compile(
    r"response|\bquery\b|\bstatus\b|\berrors?\b|\bcallback\b|响应|返回|查询|回调|错误|授权", re.IGNORECASE
)
_INPUT = re.compile(r"\binput\b")
_PIPE = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"^[\s|:-]+$")
_YES = re.compile(r"^\W*(?:yes|true|required|是|必填|必需|✅|✓|✔)", re.IGNORECASE)
_CODE = re.compile(r"`{1,3}([^`\n]{1,500})`{1,3}")
_BLOCK = re.compile(r"(?:`{3,9}|~{3,9})[^`\n]{0,99}\n(.*?)\n[ \t]{0,12}(?:`{3}|~{3})", re.DOTALL)
_TYPE = re.compile(r"([a-z]+)(?:\s*([<\[(]|of\s)\s*([a-z]*))?")
_TITLE = re.compile(r"^# {1,3}(.{1,200})$", re.MULTILINE)
_ROOT = frozenset({"model", "callBackUrl", "input"})
_EMPTY = frozenset({"", "-", "\u2014", "\u2013", "/"})

_ENDPOINT = re.compile(r"\b(POST|GET|PUT)\s{1,3}(?:https?://[\w.:-]{1,100})?(/[\w/.-]{1,200})")
_PLAIN = re.compile(r"""(?:\s|---|#[^\n]*\n)*(?:\{|["']?openapi["']?[ \t]{0,9}:[ \t]{0,9}["']?3\.)""")
_TOP_LEVEL = re.compile(r"""^openapi[ \t]{0,9}:[ \t]{0,9}["']?3\.""", re.MULTILINE)
_FENCE = re.compile(r"^(?P<indent>[ \t]{0,12})(?P<mark>`{3,20}|~{3,20})(?P<word>[^`\n]*)$", re.MULTILINE)
_ESCAPED = re.compile(r"&(?:quot|#39|#x27|lt|gt|amp);|<pre\b")
_PRE = re.compile(r"<pre\b[^>]{0,500}>(?:\s{0,50}<code\b[^>]{0,500}>)?|(?:</code>\s{0,50})?</pre>")
_NOTHING = "no OpenAPI document is in it, and no fields under headings or in tables"
_DESCRIBED = "no OpenAPI document is in the page: read from its headings, tables and examples"
_OPENAPI = re.compile(r"""^[ \t]{0,99}openapi[ \t]{0,9}:|["']openapi["'][ \t]{0,9}:""", re.MULTILINE)
_TABBED = re.compile(r"^\t+", re.MULTILINE)
_SPACED = re.compile(r"^ +\S", re.MULTILINE)
# What our YAML reader refuses in a job file; in a page nobody meant anything by it.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")


def documents_of(name: str, text: str) -> tuple[list[ApiDocument], list[str]]:
    """Every OpenAPI document of the page, in its order."""
    if len(text) > MOST_CHARACTERS:
        return [], [f"{name}: larger than {MOST_CHARACTERS:,} characters, so it is no page"]
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = plain = _INVISIBLE.sub(" ", text)
    if _ESCAPED.search(text):  # HTML: its blocks of code as blocks of Markdown
        plain = html.unescape(_PRE.sub("\n```\n", text))
    problems: list[str] = []
    for version in dict.fromkeys((text, plain)):
        documents, wrong = _written(name, version)
        if documents:
            return documents, wrong
        problems = problems or wrong
    if problems:
        return [], problems
    if (root := described(plain)) is not None:
        return [ApiDocument(root, notes=(_DESCRIBED,))], []
    path = _endpoint(plain, "POST GET PUT")
    elsewhere = "" if path.endswith("/createTask") else f"; {path} is not createTask"
    return [], [f"{name}: {_NOTHING}{elsewhere}"]


def _written(name: str, text: str) -> tuple[list[ApiDocument], list[str]]:
    documents: list[ApiDocument] = []
    problems: list[str] = []
    for block in _blocks(text):
        value, wrong = _value(name, block)
        document = _openapi(name, value, wrong)
        if document is not None:
            documents.append(document)
        elif value is None:
            problems += wrong
    return documents, problems


def _blocks(text: str) -> list[str]:
    """What may be a document, each behind as many empty lines as there are above it in the page."""
    if _PLAIN.match(text):
        return [text]
    return _fenced(text) or ([text] if _TOP_LEVEL.search(text) else [])


def _fenced(text: str) -> list[str]:
    blocks: list[str] = []
    at = 0
    while len(blocks) < MOST_BLOCKS and (opening := _FENCE.search(text, at)) is not None:
        start, indent = opening.end() + 1, len(opening["indent"])
        # A fence that is indented further belongs to the block: descriptions have blocks of their own.
        fence = rf"^[ \t]{{0,{indent + 3}}}{opening['mark']}{opening['mark'][0]}*[ \t\r]*$"
        end = re.compile(fence, re.MULTILINE).search(text, opening.end())
        body = text[start : end.start() if end else len(text)]
        if _OPENAPI.search(body):
            body = re.sub(rf"^[ \t]{{{indent}}}", "", body, flags=re.MULTILINE)
            blocks.append("\n" * text.count("\n", 0, start) + body)
        at = end.end() if end else len(text)
    return blocks


def _value(name: str, block: str) -> tuple[Any, list[str]]:
    """JSON goes through the YAML reader too, which bounds depth and numbers."""
    if block.lstrip().startswith("{"):
        with suppress(ValueError, RecursionError):  # YAML in braces, or broken: the reader reports the place
            block = json.dumps(json.loads(block), ensure_ascii=False)
    if not _SPACED.search(block):
        # YAML takes no tabs for indentation. Where nothing else is used for it, it is plain what they mean.
        block = _TABBED.sub(lambda found: "  " * len(found[0]), block)
    document, problems = read_document(Source(name, block.encode("utf-8", "replace")))
    wrong = [f"{problem.place or name}: {problem.message}" for problem in problems]
    return (None if document is None else document.root), wrong[:MOST_NOTES]


def _openapi(name: str, value: Any, problems: list[str]) -> ApiDocument | None:
    """The document itself, or the one within the discovery API's answer."""
    model: str | None = None
    for _ in range(4):
        if isinstance(value, str):
            value, _ = _value(name, value)
        if not isinstance(value, dict):
            return None
        if isinstance(value.get("paths"), dict):
            return ApiDocument(value, model, tuple(problems))
        model = value["model"] if isinstance(value.get("model"), str) else model
        value = value.get("openapi") or value.get("data")
    return None


# --- a page of headings and tables -----------------------------------------------------------------


def described(text: str) -> Schema | None:
    """The document; its request has a `model` and an `input` with fields, or there is none."""
    bodies = bodies_in(text)
    inputs = {name for _, given in bodies for name in given}
    root: Schema = {"type": "object", "properties": {}}
    for path, facts in _prose_fields(text):
        if path[0] in _ROOT:
            _put(root, path, facts)
        elif path[0] in inputs:
            _put(root, ("input", *path), facts)
    fields = root["properties"].setdefault("input", {}).get("properties")
    if not fields or not ("model" in root["properties"] or bodies):
        return None
    root["properties"].setdefault("model", {"type": "string"})
    title = _TITLE.search(text)
    shown = [{"model": name, "input": given} for name, given in bodies]
    body = {"content": {"application/json": {"schema": root, "examples": shown}}}
    post = {"summary": title[1] if title else "", "requestBody": body}
    return {"paths": {_endpoint(text): {"post": post}}}


def _endpoint(text: str, verbs: str = "POST") -> str:
    """Where the page sends its request, as far as it says so."""
    found = [path for verb, path in _ENDPOINT.findall(text) if verb in verbs]
    return max(found, key=lambda path: path.endswith("/createTask"), default="/createTask")


def _put(root: Schema, path: tuple[str, ...], facts: dict[str, str]) -> None:
    """The field at its place; objects above it that nothing described are made."""
    node = root
    for name in path[:-1]:
        node = node.setdefault("properties", {}).setdefault(name, {})
        if node.get("type") == "array" or "items" in node:
            node = node.setdefault("items", {})
        node["type"] = "object"
    fields = node.setdefault("properties", {})
    fields[path[-1]] = {**fields.get(path[-1], {}), **_form(facts)}
    if _YES.match(facts.get("required", "")):
        node.setdefault("required", []).append(path[-1])


def _form(facts: dict[str, str]) -> Schema:
    form = _type(facts["type"])
    if "description" in facts:
        form["description"] = facts["description"]
    options = _CODE.findall(facts.get("enum", "")) or _plain_list(facts.get("enum", ""))
    if options and form.get("type") != "array":
        form["enum"] = [_unquoted(one) for one in options]
    return form | {key: _literal(facts[key]) for key in ("default", "example") if facts.get(key)}


def _type(words: str) -> Schema:
    """`array<string>`, `string[]`, `list of urls`; `enum<string>`; `string<uri>`; `string, optional`."""
    found = _TYPE.match(re.sub(r"[`*\\]", "", words).strip().lower())
    kind, mark, inner = found.groups("") if found else ("", "", "")
    if kind in {"array", "list"} or mark == "[":
        item = inner.rstrip("s") if inner else "string" if kind in {"array", "list"} else kind
        return {"type": "array", "items": {"type": item}}
    if mark == "<":
        return {"type": inner} if kind == "enum" else {"type": kind, "format": inner}
    return {"type": kind}


def _plain_list(words: str) -> list[str]:
    parts = [part.strip(" -*\t") for part in re.split(r"[,|/\n\u3001]", words)]
    return [part for part in parts if part] if all(len(part) < 40 for part in parts) else []


def _literal(words: str) -> Any:
    """JSON in a block, or code, or the words themselves."""
    block, code = _BLOCK.search(words), _CODE.search(words)
    text = (block[1] if block else code[1] if code else words.split("\n", maxsplit=1)[0]).strip()
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return _unquoted(text)


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'\u201c\u201d")


def _prose_fields(text: str) -> list[Field]:
    """Every field, in the page's order; below `input` where a heading above speaks of it."""
    found: list[Field] = []
    for headings, lines in _sections(text):
        *above, own = headings or ("",)
        if any(_ANSWERS.search(one) for one in above):
            continue
        path, rows = _path(own), [] if _ANSWERS.search(own) else _rows(lines)
        facts = _facts([line for line in lines if not rows or line.count("|") < 2]) if path else {}
        fields = [(path, _marked(own, facts))] if "type" in facts else []
        if not fields:
            above, fields = [*above, own], rows
        else:  # of an object the rows are what is within, else further fields
            inside = path if "object" in facts["type"].lower() else ()
            fields += [(at if at[0] == path[0] else (*inside, *at), row) for at, row in rows]
        if any(_INPUT.search(one.lower()) for one in above):
            fields = [(at if at[0] in _ROOT else ("input", *at), facts) for at, facts in fields]
        found += fields
    return found[:MOST_FIELDS]


def _sections(text: str) -> list[tuple[tuple[str, ...], list[str]]]:
    """The page cut at its headings: each with those above it, and its lines. Code has no headings."""
    trail: list[tuple[int, str]] = []
    found: list[tuple[tuple[str, ...], list[str]]] = [((), [])]
    fence = ""
    for full_line in text.splitlines()[:MOST_LINES]:
        line = full_line[:MOST_OF_LINE]
        mark = _FENCED.match(line)
        if mark and mark[1].startswith(fence):
            fence = "" if fence else mark[1]
        heading = None if fence or mark else _HEADING.match(line)
        if heading is None:
            found[-1][1].append(line)
            continue
        level = len(heading[1])
        if level == 1 and not trail:
            continue  # the page's title, which does not describe the part below it
        trail = [*((deep, words) for deep, words in trail if deep < level), (level, heading[2])]
        found.append((tuple(words for _, words in trail), []))
    return found


def _path(words: str) -> tuple[str, ...]:
    bare = _MARKS.sub("", _MARKS.sub("", words[:300])).strip()
    return tuple(bare.replace("[]", "").split(".")) if _NAME.fullmatch(bare) else ()


def _facts(lines: list[str]) -> dict[str, str]:
    """The text at each label. A label goes on until the next, or to an empty line behind its words."""
    facts: dict[str, list[str]] = {}
    key, has_words, fenced = "description", False, False
    for line in lines:
        fenced ^= _FENCED.match(line) is not None
        label = None if fenced else _LABEL.match(line)
        known = _KEY_OF.get((label[1] or label[2]).strip().lower()) if label else None
        words = line
        if label and known is not None and known != "name":
            key, words, has_words = known, label[3], False
        elif label and label[1]:
            key, words = "description", f"{label[1].strip()}: {label[3]}"
        elif has_words and (key in _ONE_LINE or not (line.strip() or fenced)):
            key = "description"
        has_words = has_words or bool(words.strip())
        facts.setdefault(key, []).append(words)
    return {name: "\n".join(several).strip()[:MOST_OF_LINE] for name, several in facts.items()}


def _rows(lines: list[str]) -> list[Field]:
    """The fields of the section's tables."""
    found: list[Field] = []
    head: list[str] = []
    for line in lines:
        cells = [cell.replace("\\|", "|").strip() for cell in _PIPE.split(line.strip().strip("|"))]
        if len(cells) < 2:
            head = []
        elif not head:
            keys = [_KEY_OF.get(cell.strip("*` ").lower(), cell) for cell in cells]
            head = keys if {"name", "type"} <= set(keys) else []
        elif not _RULE.match(line):
            row = [pair for pair in zip(head, cells, strict=False) if pair[1] not in _EMPTY]
            facts = _facts([f"**{key[:30]}**: {cell}" for key, cell in row if key != "name"])
            name = dict(row).get("name", "")
            if "type" in facts and (path := _path(name)):
                found.append((path, _marked(name, facts)))
    return found


def _marked(name: str, facts: dict[str, str]) -> dict[str, str]:
    """A star behind the name, or a word next to name or type, says that a field is required too."""
    marked = _REQUIRED.search(f"{name} {facts['type']}") or _STARRED.search(name[:300])
    return {"required": "yes", **facts} if marked else facts
