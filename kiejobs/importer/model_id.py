"""Which models a request is for, where the parts of a page may name different ones.

In: the schema of `model`, the models of the page's examples, the operation, a model that somebody chose or asked
for. Out: ids; notes and problems that name every candidate with what names it. Touches nothing.

The id decides what is bought, and at what price. Pages are copied from each other, so any part of one may keep the
id of another page. Each part has a vote. The prose ("must be ...") has two where it differs from the schema: it was
written for this page. Without a clear winner nothing is imported until somebody chooses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kiejobs.core.models.spec import IS_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    Schema = dict[str, Any]

MOST_MODELS = 50

_MUST_BE = re.compile(
    r"(?:must (?:always )?be(?: set to)?:?|format:|only accepts|(?:必须|需要?|应|请|固定)(?:使用|为|是|填写?|设置?为))"
    r"\s?[`'\"\u201c]?((?<=[`'\"\u201c])[^`'\"\u201d\s]{1,100}(?=[`'\"\u201d])|[\w.-]{1,50}/[\w./-]{1,50}\w)",
    re.IGNORECASE,
)
_ODD = re.compile(r"[^a-z0-9]+")


def model_ids(
    schema: Any, shown: Iterable[str], calls: dict[str, Any], asked: str | None, choice: str | None
) -> tuple[list[str], list[str], list[str]]:
    """Ids, notes, problems. `shown` are the models of examples, `calls` what the operation is called, by part. `asked` is what a discovery
    API was asked about, `choice` one of those that the page names.
    """
    listed = listed_models(schema)
    prose = str(schema.get("description") or "")[:2_000] if isinstance(schema, dict) else ""
    named = {
        "the schema": listed,
        "the prose": _distinct(_MUST_BE.findall(prose)),
        "the example": _distinct(shown),
    }
    named["the question"] = [asked.strip()] if asked else []
    candidates = _distinct(one for several in named.values() for one in several)
    named |= {
        part: [one for one in candidates if _slug(one) == _slug(called)] for part, called in calls.items()
    }
    votes = {one: [part for part, several in named.items() if one in several] for one in candidates}
    words = "the page names " + ", ".join(
        f"{one[:80]} ({', '.join(by)})" for one, by in [*votes.items()][:10]
    )
    if choice is None:
        ids, problem = (
            (named["the question"] or _elected(listed, votes)),
            "they disagree: choose one with --model",
        )
    else:
        ids, problem = ([choice] if choice in candidates else []), f"{choice} is none of them"
    if not ids:
        none = "nothing states which model `model` means"
        return [], [], [f"{words}; {problem}" if candidates else none]
    wrong = [f"`{one[:80]}` is no name for a model" for one in ids if not IS_ID.fullmatch(one)]
    taken = [one for one in ids[:MOST_MODELS] if IS_ID.fullmatch(one)]
    is_odd = taken and set(candidates) - set(ids)
    return taken, [f"{words}; taken for {', '.join(taken)}"] if is_odd else [], wrong


def _elected(listed: list[str], votes: dict[str, list[str]]) -> list[str]:
    """Without a clear winner none."""
    prose = [one for one, by in votes.items() if "the prose" in by and one not in listed]
    if len(votes) < 2 or votes.keys() == set(listed):
        return list(votes)
    counts = {one: len(by) + (one in prose) for one, by in votes.items()}
    first = [one for one, count in counts.items() if count == max(counts.values())]
    if len(listed) > 1 and not prose and set(first) & set(listed):
        return listed
    return [] if len(first) > 1 or (prose and first[0] not in prose) else first


def listed_models(schema: Any) -> list[str]:
    """The models that the schema of `model` names, from the surest place that names any."""
    form = schema if isinstance(schema, dict) else {}
    const, default, example = ([form.get(key)] for key in ("const", "default", "example"))
    for source in (form.get("enum"), const, default, form.get("examples"), example):
        values = source if isinstance(source, list) else []
        if found := _distinct(text for text in values if isinstance(text, str)):
            return found
    return []


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for one in names if (name := one.strip())))


def _slug(text: object) -> str:
    return _ODD.sub("-", str(text or "").lower()).strip("-")
