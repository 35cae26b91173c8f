"""The OpenAPI documents in a page's text.

In: Markdown with fenced blocks, plain YAML or JSON, or the discovery API's `{"model": …, "openapi": {…}}`.
Out: the documents as values, and problems, each with its place. Touches nothing.
"""

from __future__ import annotations

import html
import json
import math
import re
from typing import Any

from kiejobs.core.document.nodes import Source
from kiejobs.core.document.reader import read_document
from kiejobs.importer.reading.described import described
from kiejobs.importer.reading.openapi import ApiDocument

MOST_CHARACTERS = 4_000_000
"""The largest page known is a hundredth of this."""

MOST_BLOCKS = 20
MOST_NOTES = 50

_PLAIN = re.compile(r"""["']?openapi["']?[ \t]{0,9}:[ \t]{0,9}["']?3\.""")
_TOP_LEVEL = re.compile(r"""^openapi[ \t]{0,9}:[ \t]{0,9}["']?3\.""", re.MULTILINE)
_FENCE = re.compile(
    r"^(?P<indent>[ \t]{0,12})(?P<mark>`{3,20}|~{3,20})(?P<word>[^`\n]*)$", re.MULTILINE
)
_ESCAPED = re.compile(r"&(?:quot|#39|#x27|lt|gt|amp);|<pre\b")
_PRE = re.compile(r"<pre\b[^>]{0,500}>(?:\s{0,50}<code\b[^>]{0,500}>)?|(?:</code>\s{0,50})?</pre>")
_NOTHING = "no OpenAPI document is in it, and no fields under headings or in tables"
_DESCRIBED = "no OpenAPI document is in the page: read from its headings, tables and examples"
_OPENAPI = re.compile(
    r"""^[ \t]{0,99}openapi[ \t]{0,9}:|["']openapi["'][ \t]{0,9}:""", re.MULTILINE
)
_TABBED = re.compile(r"^\t+", re.MULTILINE)
_SPACED = re.compile(r"^ +\S", re.MULTILINE)
# What our YAML reader refuses in a job file; in a page nobody meant anything by it.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]"
)


def documents_of(name: str, text: str) -> tuple[list[ApiDocument], list[str]]:
    """Every OpenAPI document of the page, in its order."""
    if len(text) > MOST_CHARACTERS:
        return [], [f"{name}: larger than {MOST_CHARACTERS:,} characters, so it is no page"]
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = plain = _INVISIBLE.sub(" ", text)
    if _ESCAPED.search(text):  # HTML: its blocks of code as blocks of Markdown
        plain = html.unescape(_PRE.sub("\n```\n", text))
    documents, problems = _written(name, text)
    if not documents and plain != text:
        documents, more = _written(name, plain)
        problems = [] if documents else problems or more
    if not documents and not problems:
        root = described(plain)
        documents = [] if root is None else [ApiDocument(root, notes=(_DESCRIBED,))]
        problems = [] if documents else [f"{name}: {_NOTHING}"]
    return documents, problems


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
    """What may be a document, each behind as many empty lines as stand above it in the page."""
    lines = (line.strip() for line in text[:10_000].splitlines())
    first = next((line for line in lines if line and line != "---" and line[0] != "#"), "")
    if first.startswith("{") or _PLAIN.match(first):
        return [text]
    return _fenced(text) or ([text] if _TOP_LEVEL.search(text) else [])


def _fenced(text: str) -> list[str]:
    blocks: list[str] = []
    at, line, counted = 0, 0, 0
    while len(blocks) < MOST_BLOCKS and (opening := _FENCE.search(text, at)) is not None:
        start, indent = opening.end() + 1, len(opening["indent"])
        # A fence that is indented further belongs to the block: descriptions have blocks of their own.
        fence = rf"^[ \t]{{0,{indent + 3}}}{opening['mark']}{opening['mark'][0]}*[ \t\r]*$"
        end = re.compile(fence, re.MULTILINE).search(text, opening.end())
        body = text[start : end.start() if end else len(text)]
        if _OPENAPI.search(body):
            line, counted = line + text.count("\n", counted, start), start
            lines = (one[indent:] if not one[:indent].strip() else one for one in body.splitlines())
            blocks.append("\n" * line + "\n".join(lines) + "\n")
        at = end.end() if end else len(text)
    return blocks


def _value(name: str, block: str) -> tuple[Any, list[str]]:
    if block.lstrip().startswith("{"):
        try:
            return _encodable(json.loads(block, parse_int=_number, parse_float=_number)), []
        except (ValueError, RecursionError):
            pass  # YAML in braces, or broken: the reader below tells where
    if not _SPACED.search(block):
        # YAML takes no tabs for indentation. Where nothing else is used for it, it is plain what they mean.
        block = _TABBED.sub(lambda found: "  " * len(found[0]), block)
    document, problems = read_document(Source(name, block.encode()))
    wrong = [f"{problem.place or name}: {problem.message}" for problem in problems]
    return (None if document is None else document.root), wrong[:MOST_NOTES]


def _number(written: str) -> float | str:
    """What JSON can't hand on exactly stays text, as it does with our YAML reader."""
    if written.lstrip("-").isdecimal():
        return int(written) if len(written) < 16 else written
    number = float(written)
    return number if math.isfinite(number) else written


def _encodable(value: Any) -> Any:
    """Without halves of surrogate pairs, which no UTF-8 can carry, and with finite numbers."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


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
