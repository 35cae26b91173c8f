"""Which models a request is for, where the parts of a page may name different ones.

In: the schema of `model`, the models of the page's examples, the operation, a model that somebody chose or asked
for. Out: ids; notes and problems that name every candidate with what names it. Touches nothing.

The id decides what is bought, and at what price. Pages are copied from each other, so any part of one may keep the
id of another page. Each part has a vote, a mention in the prose as well. The prose ("must be ...") has two where it
differs from the schema: it was written for this page. Without a clear winner nothing is imported until somebody chooses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kiejobs.core.models.spec import IS_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    Schema = dict[str, Any]

MOST_MODELS = 50

_NAME = r"\s?[`'\"\u201c]?((?<=[`'\"\u201c])[^`'\"\u201d\s]{1,100}(?=[`'\"\u201d])|[a-z0-9.-]{1,50}/[a-z0-9./_-]{0,50}[a-z0-9])"
_MUST_BE = re.compile(
    r"(?:(?:must|should) (?:always |exactly )?be(?: exactly| set to)?:?|set (?:it |this )?to:?|fixed(?: value)?:|format:|only accepts"
    r"|(?:必须|需要?|应|请|固定)(?:使用|为|是|填写?|设置?为)|固定值[:\uff1a])" + _NAME,
    re.IGNORECASE,
)
_USED = re.compile(r"(?:\buse|\bwith) (?:the )?model:?" + _NAME, re.IGNORECASE)
_NAMED = re.compile(
    r"(?<=[`'\"\u201c])([a-z][a-z0-9._-]{0,50}(?:/|-(?=[a-z0-9._-]*\d))[a-z0-9._-]{1,50})(?=[`'\"\u201d])"
    r"|(?<![\w/.:-])([a-z][a-z0-9.-]{0,50}/[a-z0-9._]{0,50}[-0-9][a-z0-9._-]{0,50})"
)
_ODD = re.compile(r"[^a-z0-9]+")


def model_ids(
    schema: Any, shown: Iterable[str], calls: dict[str, Any], page: str, asked: str | None, choice: str | None
) -> tuple[list[str], list[str], list[str]]:
    """Ids, notes, problems. `shown` are the models of examples, `calls` what the operation is called, by part, `page` its description.
    `asked` is what a discovery API was asked about, `choice` one of those that the page names.
    """
    listed = listed_models(schema)
    form = schema if isinstance(schema, dict) else {}
    prose = str(form.get("description") or "")[:2_000]
    named = {
        "the schema": listed,
        "the prose": _distinct([*_MUST_BE.findall(prose), *_USED.findall(page)]),
        "the example": _distinct(shown),
        "the default": [one for one in listed_models({"default": form.get("default")}) if one not in listed],
    }
    known = {one for several in named.values() for one in several}
    named["a mention"] = [one for one in _distinct(map("".join, _NAMED.findall(prose))) if one not in known]
    named["the question"] = [asked.strip()] if asked else []
    candidates = _distinct(one for several in named.values() for one in several)
    named |= {part: _called(called, candidates) for part, called in calls.items()}
    rivals = _distinct(one for several in named.values() for one in several)
    votes = {one: [part for part, several in named.items() if one in several] for one in rivals}
    words = "the page names " + ", ".join(
        f"{one[:80]} ({', '.join(by)})" for one, by in [*votes.items()][:10]
    )
    ids = named["the question"] or _elected(listed, votes)
    problem = "they disagree: choose one with --model"
    if choice is not None:
        ids, problem = [one for one in candidates if one == choice], f"{choice} is none of them"
    if not ids:
        none = "nothing states which model `model` means"
        return [], [], [f"{words}; {problem}" if candidates else none]
    wrong = [f"`{one[:80]}` is no name for a model" for one in ids if not IS_ID.fullmatch(one)]
    taken = [one for one in ids[:MOST_MODELS] if IS_ID.fullmatch(one)]
    is_odd = taken and votes.keys() - set(ids)
    return taken, [f"{words}; taken for {', '.join(taken)}"] if is_odd else [], wrong


def _called(called: Any, candidates: list[str]) -> list[str]:
    """Those whose id it spells. A name that looks like an id, and begins as none of them does, is another model's."""
    name, slug = str(called or "").strip(), _slug(called)
    known = [_slug(one) for one in candidates]
    if slug in known:
        return [one for one in candidates if _slug(one) == slug]
    is_like_one = any(one.startswith(slug) or slug.startswith(one) for one in known)
    is_id = IS_ID.fullmatch(name) and ("/" in name or "-" in name)
    return [name] if is_id and not is_like_one else []


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
    for key in ("enum", "const", "default", "examples", "example"):
        values = form[key] if isinstance(form.get(key), list) else [form.get(key)]
        if found := _distinct(text for text in values if isinstance(text, str)):
            return found
    return []


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for one in names if (name := one.strip())))


def _slug(text: object) -> str:
    return _ODD.sub("-", str(text or "").lower()).strip("-")
