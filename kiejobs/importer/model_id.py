"""Which models a request is for, where the parts of a page may name different ones.

In: the schema of `model`, the models of the page's examples, the operation, a model that somebody chose or asked
for. Out: ids; notes and problems that name every candidate with what names it. Touches nothing.

The id decides what is bought, and at what price. Pages are copied from each other, so any part of one may keep the
id of another page. Each part has a vote. The prose ("must be ...") has two where it differs from the schema: it was
written for this page. Without a clear winner nothing is imported until somebody chooses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kiejobs.core.models.spec import IS_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    Schema = dict[str, Any]

MOST_MODELS = 50

_MUST_BE = re.compile(
    r"(?:must (?:always )?be(?: set to)?|format:|only accepts|必须(?:使用|为|是|填写?|设置?为)|固定为|请使用)"
    r"\s?[`'\"\u201c]([^`'\"\u201d\s]{1,100})[`'\"\u201d]",
    re.IGNORECASE,
)
_ODD = re.compile(r"[^a-z0-9]+")


class ModelIds(NamedTuple):
    """`problems` keep the request from being imported."""

    ids: tuple[str, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def model_ids(
    schema: Any, shown: Iterable[str], calls: dict[str, Any], asked: str | None, choice: str | None
) -> ModelIds:
    """`shown` are the models of examples, `calls` what the operation is called, by part. `asked` is what a discovery API
    was asked about, `choice` one of those that the page names.
    """
    listed = listed_models(schema)
    named = {"the schema": listed, "the prose": _in_prose(schema), "the example": _distinct(shown)}
    named["the question"] = [asked.strip()] if asked else []
    candidates = _distinct(one for several in named.values() for one in several)
    for part, words in calls.items():
        named[part] = [one for one in candidates if _slug(one) == _slug(words)]
    words = _words(candidates, named)
    if choice is not None:
        ids, problem = ([choice], None) if choice in candidates else ([], f"{choice} is none of them")
    else:
        ids, problem = (named["the question"], None) if asked else _elected(listed, candidates, named)
    if problem or not ids:
        none = "nothing says which model `model` stands for"
        return ModelIds((), (), (f"the page names {words}; {problem}" if candidates else none,))
    wrong = tuple(f"`{one[:80]}` is no name for a model" for one in ids if not IS_ID.fullmatch(one))
    taken = tuple(one for one in ids[:MOST_MODELS] if IS_ID.fullmatch(one))
    is_odd = taken and set(candidates) - set(ids)
    return ModelIds(
        taken, (f"the page names {words}; taken for {', '.join(taken)}",) if is_odd else (), wrong
    )


def _elected(
    listed: list[str], candidates: list[str], named: dict[str, list[str]]
) -> tuple[list[str], str | None]:
    """The ids; or why there is no clear winner."""
    if len(candidates) < 2 or set(candidates) == set(listed):
        return candidates, None
    prose = [one for one in named["the prose"] if one not in listed]
    votes = {one: sum(one in several for several in named.values()) for one in candidates}
    votes |= {one: votes[one] + 1 for one in prose}
    best = max(votes.values())
    first = [one for one in candidates if votes[one] == best]
    if len(listed) > 1 and not prose and set(first) & set(listed):
        return listed, None
    if len(first) > 1 or (prose and first[0] not in prose):
        return [], "they disagree: choose one with --model"
    return first, None


def listed_models(schema: Any) -> list[str]:
    """The models that the schema of `model` names, from the surest place that names any."""
    form = schema if isinstance(schema, dict) else {}
    const, default, example = ([form.get(key)] for key in ("const", "default", "example"))
    for source in (form.get("enum"), const, default, form.get("examples"), example):
        values = source if isinstance(source, list) else []
        found = _distinct(text for text in values if isinstance(text, str))
        if found:
            return found
    return []


def _in_prose(schema: Any) -> list[str]:
    prose = schema.get("description") if isinstance(schema, dict) else None
    return _distinct(_MUST_BE.findall(prose[:2_000])) if isinstance(prose, str) else []


def _words(candidates: list[str], named: dict[str, list[str]]) -> str:
    """`a/b (the schema, the operation), a/c (the prose)`."""
    parts = []
    for one in candidates[:10]:
        by = [part for part, several in named.items() if one in several]
        parts.append(f"{one[:80]} ({', '.join(by)})")
    return ", ".join(parts)


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for one in names if (name := one.strip())))


def _slug(text: object) -> str:
    return _ODD.sub("-", str(text or "").lower()).strip("-")
