"""The fields that a page describes under headings or in tables, where it has no OpenAPI document.

In: Markdown, English or Chinese. Out: for each field its path and what stands beside it, word for word:
type, default, options and the rest. Touches nothing.

A heading is a field's where a line for its type follows; a table has fields where its head names a
column for names and one for types. What answers look like is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MOST_FIELDS = 300
MOST_LINES = 50_000
MOST_CHARACTERS = 6_000
"""Of a line, and of what stands at one label: patterns go over them."""

_KEYS = {
    "type": ("type", "data type", "类型", "数据类型", "参数类型"),
    "required": ("required", "必需", "必填", "是否必填", "是否必需"),
    "default": ("default", "default value", "默认", "默认值"),
    "enum": ("options", "available options", "allowed values", "possible values", "enum", "values",
             "可用选项", "可选值", "枚举", "枚举值", "选项"),
    "example": ("example", "examples", "示例", "示例值"),
    "description": ("description", "描述", "说明", "参数说明", "备注"),
    "name": ("name", "parameter", "field", "param", "key", "参数", "参数名", "参数名称", "名称", "字段", "字段名"),
}  # fmt: skip
_KEY_OF = {word: key for key, words in _KEYS.items() for word in words}
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.{1,300}?)[ \t#]*$")
_FENCE = re.compile(r"^\s{0,12}(`{3,20}|~{3,20})")
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
    r"response|\bquery\b|\bstatus\b|\berrors?\b|\bcallback\b|响应|返回|查询|回调|错误|授权",
    re.IGNORECASE,
)
_INPUT = re.compile(r"\binput\b")
_PIPE = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"^[\s|:-]+$")


@dataclass(frozen=True, slots=True)
class ProseField:
    """`path` is as written; `inside` tells that a heading above speaks of `input`. `facts` are by key;
    what has no key of ours is a line of `description`.
    """

    path: tuple[str, ...]
    inside: bool
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Section:
    headings: tuple[str, ...]
    lines: list[str] = field(default_factory=list)


def fields_told(text: str) -> list[ProseField]:
    """Every field, in the page's order."""
    found: list[ProseField] = []
    for section in _sections(text):
        *above, own = section.headings or ("",)
        if any(_ANSWERS.search(one) for one in above):
            continue
        path = _path(own)
        facts = _facts(section.lines) if path else {}
        inside = any(_INPUT.search(one.lower()) for one in above)
        if "type" in facts:
            found.append(ProseField(path, inside, _marked(own, facts)))
        elif not _ANSWERS.search(own):
            inside = inside or _INPUT.search(own.lower()) is not None
            found += _rows(section.lines, inside=inside)
    return found[:MOST_FIELDS]


def _sections(text: str) -> list[_Section]:
    """The page cut at its headings, each with those above it. Blocks of code have no headings."""
    trail: list[tuple[int, str]] = []
    found = [_Section(())]
    fence = ""
    for whole in text.splitlines()[:MOST_LINES]:
        line = whole[:MOST_CHARACTERS]
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        heading = None if fence or mark else _HEADING.match(line)
        if heading is None:
            found[-1].lines.append(line)
            continue
        level = len(heading[1])
        if level == 1 and not trail:
            continue  # the page's title, which says nothing of the part it stands over
        trail = [*((deep, words) for deep, words in trail if deep < level), (level, heading[2])]
        found.append(_Section(tuple(words for _, words in trail)))
    return found


def _path(words: str) -> tuple[str, ...]:
    bare = _MARKS.sub("", _MARKS.sub("", words[:300])).strip()
    return tuple(bare.replace("[]", "").split(".")) if _NAME.fullmatch(bare) else ()


def _facts(lines: list[str]) -> dict[str, str]:
    """What stands at each label. A label goes on until the next, or to an empty line behind its words."""
    facts: dict[str, list[str]] = {}
    key, said, fenced = "description", False, False
    for line in lines:
        fenced ^= _FENCE.match(line) is not None
        label = None if fenced else _LABEL.match(line)
        known = _KEY_OF.get((label[1] or label[2]).strip().lower()) if label else None
        words = line
        if label and known is not None and known != "name":
            key, words, said = known, label[3], False
        elif label and label[1]:
            key, words = "description", f"{label[1].strip()}: {label[3]}"
        elif said and not (line.strip() or fenced):
            key = "description"
        said = said or bool(words.strip())
        facts.setdefault(key, []).append(words)
    return {name: "\n".join(told).strip()[:MOST_CHARACTERS] for name, told in facts.items()}


def _rows(lines: list[str], *, inside: bool) -> list[ProseField]:
    """The fields of the section's tables."""
    found: list[ProseField] = []
    head: list[str] = []
    for line in lines:
        cells = [cell.replace("\\|", "|").strip() for cell in _PIPE.split(line.strip().strip("|"))]
        if len(cells) < 2:
            head = []
        elif not head:
            keys = [_KEY_OF.get(cell.strip("*` ").lower(), cell) for cell in cells]
            head = keys if {"name", "type"} <= set(keys) else []
        elif not _RULE.match(line):
            found += _row(head, cells, inside=inside)
    return found


def _row(head: list[str], cells: list[str], *, inside: bool) -> list[ProseField]:
    facts: dict[str, str] = {}
    for key, cell in zip(head, cells, strict=False):
        known = key if key in _KEYS else "description"
        words = cell if key in _KEYS else f"{key}: {cell}"
        if cell not in {"", "-", "\u2014", "\u2013", "/"}:
            facts[known] = f"{facts[known]}\n{words}" if known in facts else words
    name = facts.pop("name", "")
    path = _path(name)
    return [ProseField(path, inside, _marked(name, facts))] if path and "type" in facts else []


def _marked(name: str, facts: dict[str, str]) -> dict[str, str]:
    """A star behind the name, or a word beside name or type, says that a field is required too."""
    marked = _REQUIRED.search(f"{name} {facts['type']}") or _STARRED.search(name[:300])
    return {"required": "yes", **facts} if marked else facts
