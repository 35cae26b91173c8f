"""Values that a page lists in prose, what it says a field is when left out, and fields that it ties together.

In: descriptions of fields. Out: the values as text; notes on fields that go together. Touches nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from kiejobs.importer.fields.prose import MOST_CHARACTERS, plain_prose

_LEAD = re.compile(
    r"(?:(?:valid|allowed|available|supported|possible|accepted|acceptable) (?:values?|options?|choices?)"
    r"|\boptions?\b|\bone of(?: the following(?: values?)?)?|must be either|choose (?:from|between)|\bvalues(?=:)"
    r"|可选值|可用选项|可选(?=\s*[\w`'\"]))\s*(?:are|is|include)?\s*[:\uff1a]?\s*",
    re.IGNORECASE,
)
_WORD = r"[\w#.:+/%-]{1,40}"
_QUOTED = re.compile(rf"""[`'"\u201c\u2018]({_WORD})[`'"\u201d\u2019]""")
_BARE = re.compile(
    rf"\s*({_WORD}?)(?:\s*\([^)]{{0,40}}\))?\s*(?:,\s*(?:or|and)\b|,|\||\u3001|/|\bor\b|\band\b|$)",
    re.IGNORECASE,
)
_BULLET = re.compile(
    rf"^\s*[-*]\s+(?:\*\*)?[`'\"]({_WORD})[`'\"](?:\*\*)?\s*[:\uff1a-]", re.MULTILINE
)
_END = re.compile(r"\.(?:\s|$)|\n|;|\u3002")
_OPEN = re.compile(
    r"\b(?:e\.g|etc|such as|for example|like|including|and more|and so on)\b", re.IGNORECASE
)
_NUMBERS = re.compile(
    r"\b(?:options?|allowed|supported|supports?(?: only)?|values?|duration|fps|either)(?: is| are)?[:.]?\s{1,3}"
    r"(\d{1,5}(?:\s{0,3}(?:,\s{0,3}(?:or|and)\b|,|/|\||\bor\b|\band\b)\s{0,3}\d{1,5}){1,30})"
    r"(?=\s{0,3}(?:seconds?\b|fps\b|frames\b|[.;)]|$))",
    re.IGNORECASE,
)
_DEFAULT = re.compile(
    r"(?:\bdefaults? to|\bdefault(?: value)?(?: is|:| :)|默认值?(?:为|[:\uff1a])?)"
    rf"\s*[`'\"\u201c]?({_WORD})",
    re.IGNORECASE,
)


@lru_cache(maxsize=2_000)
def choices_told(prose: str) -> tuple[str, ...]:
    """The values that a sentence or a list of bullets gives as all there are; empty where none does."""
    text = prose[:MOST_CHARACTERS]
    numbers = _NUMBERS.search(text)
    if numbers:
        return _distinct(re.findall(r"\d+", numbers[1]))
    bullets = _distinct(_BULLET.findall(text))
    for lead in _LEAD.finditer(text):
        rest = text[lead.end() : lead.end() + 600]
        end = _END.search(rest)
        said = rest[: end.start()] if end else rest
        if _OPEN.search(said):
            continue
        found = _distinct(_QUOTED.findall(said)) or _bare(said)
        if len(found) > 1:
            return found
    return bullets if len(bullets) > 1 else ()


@lru_cache(maxsize=2_000)
def default_told(prose: str) -> str | None:
    """What prose says that the API takes where the field is left out."""
    found = _DEFAULT.search(prose[:MOST_CHARACTERS])
    return found[1].rstrip(".:") if found else None


def _bare(said: str) -> tuple[str, ...]:
    """`a, b or c` without quotes; nothing where it is a sentence and no list."""
    found: list[str] = []
    at = 0
    while at < len(said):
        token = _BARE.match(said, at)
        if token is None or token.end() == at:
            return ()
        if token[1]:
            found.append(token[1])
        at = token.end()
    return _distinct(found)


def _distinct(found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:200]


Schema = dict[str, Any]

_SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n\s*[-*]|;|\u3002")
_TIES = re.compile(
    r"\b(?:only|not|cannot|can't|without|with|requires?|required|either|when|if|unless|exclusive|"
    r"unsupported|at least one|instead)\b|不|仅|必须|同时|至少|需"
)
_BARS = re.compile(
    r"\b(?:not (?:be )?(?:supported?|available|allowed|made|work)|unsupported|requires?|"
    r"only (?:supported|available|allowed|works?|for|when|with|at|in))\b|不支持|不能|仅支持|仅在"
)
_QUOTES = "`'\"\u201c\u201d"


def related(given: Schema) -> list[str]:
    """`given` are the properties of one object."""
    fields = {str(name).strip(): one for name, one in given.items() if isinstance(one, dict)}
    found = []
    for name, one in fields.items():
        prose = one.get("description")
        others = _named(name, prose[:6_000], fields) if isinstance(prose, str) else []
        if others:
            found.append(
                f"{name[:80]}: prose ties it to {', '.join(others)[:200]}; a rule between fields is "
                "for you to write"
            )
    return found


def _named(name: str, prose: str, fields: Schema) -> list[str]:
    sentences = [one for one in _SENTENCES.split(prose) if _TIES.search(one.lower())]
    bars = [plain_prose(one).lower() for one in sentences if _BARS.search(one.lower())]
    return [
        other
        for other, form in fields.items()
        if other not in {name, ""}
        and (
            any(_speaks_of(one, other) for one in sentences)
            or any(_speaks_of_value(one, form, fields[name]) for one in bars)
        )
    ]


def _speaks_of(sentence: str, other: str) -> bool:
    """A name of several words, or one in quotes: `prompt` alone is a word like any other."""
    at = sentence.find(other)
    while at >= 0:
        before, after = sentence[max(at - 1, 0) : at], sentence[at + len(other) :][:1]
        whole = not re.match(r"[\w./-]", before) and not re.match(r"[\w/]", after)
        if whole and ("_" in other or (before in _QUOTES and before and after in _QUOTES)):
            return True
        at = sentence.find(other, at + 1)
    return False


def _speaks_of_value(sentence: str, other: Schema, own: Schema) -> bool:
    values, mine = (_values(one) for one in (other, own))
    return any(re.search(rf"\b{re.escape(value)}\b", sentence) for value in values - mine)


def _values(form: Schema) -> set[str]:
    listed = form.get("enum")
    texts = (
        [one.lower() for one in listed[:50] if isinstance(one, str)]
        if isinstance(listed, list)
        else []
    )
    return {one for one in texts if len(one) > 2 and any(map(str.isdigit, one))}
