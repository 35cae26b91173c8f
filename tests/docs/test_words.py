"""Words that readers would have to decode stay out of what we ship: pages, help, messages, schemas, comments.

Each has a plain one: "reports" for "tells", "next to" for "beside", "complete" for "whole", "again" for "anew".
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING

from tests.docs.pages import ROOT, pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOT_OURS = re.compile(
    r"""
    \b(?: tell | tells | telling | told | said | beside | anew | dearer | wholly
        | whole (?! [ ] (?: numbers?\b | \n ))  # a term of mathematics
        | stand (?! -) | stands | stood     # a stand-in is one
        | (?: bring | brings | brought | come | comes ) [ ] (?: \S+ [ ] ){0,3} home
        | (?: comes | came ) [ ] to (?! [ ] us\b) | once [ ] more | (?<= is [ ] ) no [ ] key [ ] of
        | nobody [ ] is [ ] there | so [ ] many | every [ ] so
    )\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CODE = re.compile(r"`[^`]*`|\]\([^)]*\)")
"""Names in a text: code, and where links lead."""
_SHIPPED = ("*.json", "*.yaml", "*.yml", "*.txt", "*.1", "*.js", "*.html")
_OTHERS = (
    "kiejobs/cli/help.txt",
    "docs/kiejobs.1",
    "action.yml",
    "Containerfile",
    ".pre-commit-hooks.yaml",
    "llms.txt",
)


def test_pages_say_it_in_plain_words() -> None:
    found = [
        f"{page.name}:{number}: {word}"
        for page in pages()
        for number, line in page.prose
        for word in words_to_decode(line)
    ]
    assert found == []


def test_shipped_files_say_it_in_plain_words() -> None:
    files = [path for kind in _SHIPPED for path in (ROOT / "schemas").rglob(kind)]
    files += map(ROOT.joinpath, _OTHERS)
    assert [hit for path in files for hit in _hits(path, path.read_text("utf-8"))] == []


def test_messages_docstrings_and_comments_say_it_in_plain_words() -> None:
    found = []
    for path in (ROOT / "kiejobs").rglob("*.py"):
        source = path.read_text("utf-8")
        if NOT_OURS.search(source):
            found += _hits(path, "\n".join(_texts(source)))
    assert found == []


def words_to_decode(text: str) -> list[str]:
    return NOT_OURS.findall(_CODE.sub("", text))


def _hits(path: Path, text: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {hit[0]} in {_around(text, hit)!r}" for hit in NOT_OURS.finditer(text)
    ]


def _around(text: str, hit: re.Match[str]) -> str:
    return text[max(hit.start() - 40, 0) : hit.end() + 20]


def _texts(source: str) -> Iterator[str]:
    """What is written for people in Python code; not its names."""
    constants = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    written = (text for text in constants if isinstance(text, str) and " " in text and "(?:" not in text)
    yield from (_CODE.sub("", text) for text in written)  # a pattern's words are those of others
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield from (_CODE.sub("", token.string) for token in tokens if token.type == tokenize.COMMENT)
