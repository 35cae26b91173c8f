"""Fields that a page's prose ties to one another.

In: fields as a page describes them. Out: a note for each that may need a rule. Touches nothing.

Which rule it is takes a reader: prose tells it in too many ways to buy by. So it is pointed at.
"""

from __future__ import annotations

import re
from typing import Any

from kiejobs.importer.prose.limits import plain_prose

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
