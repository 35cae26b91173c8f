"""Compares our mirror of a model with the facts of the vendor's page, keyword by keyword.

In: the facts of a page (tests/support/vendor_pages.py), our schemas of the request and its answer. Out:
differences, and which of them no reason allows. Every allowance says why, and covers no more than
it needs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support.vendor_pages import Facts, schema_facts

if TYPE_CHECKING:
    from collections.abc import Callable

ABSENT = "(absent)"

_ROUTES = {
    "/api/v1/jobs/createTask": "create-task",
    "/api/v1/jobs/recordInfo": "record-info",
    "/api/v1/chat/credit": "credit",
    "/api/v1/common/download-url": "download-url",
    "/api/file-base64-upload": "upload",
    "/api/file-stream-upload": "upload",
    "/api/file-url-upload": "upload",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One keyword at one path that page and mirror do not agree on; ABSENT on the silent side."""

    path: str
    keyword: str
    page: Any
    ours: Any


@dataclass(frozen=True, slots=True)
class Allowance:
    """Differences at paths like `path` that are as they should be where `holds` of both sides."""

    path: str
    keyword: str
    holds: Callable[[Any, Any], bool]
    reason: str


def response_name(url: str) -> str:
    """Which of schemas/responses mirrors the answers of this address. KeyError for none."""
    return _ROUTES[urlsplit(url).path]


def mirror_facts(request: dict[str, Any], answer: dict[str, Any]) -> Facts:
    """The facts of our schemas: of the request, and of the answer to a request that was taken."""
    taken = _overlaid(answer, answer["then"])
    facts = {**schema_facts(request, "request"), **schema_facts(taken, "response")}
    for path, schema in _objects(request, "request"):
        if "unevaluatedProperties" in schema:
            facts[path]["unevaluatedProperties"] = schema["unevaluatedProperties"]
        for key in ("media_types", "max_bytes"):
            if key in schema.get("x-kiejobs-file", {}):
                facts[path][key] = schema["x-kiejobs-file"][key]
    return facts


def differences(page: Facts, ours: Facts) -> list[Difference]:
    """All of them, by path. A path that only one side has is one difference, `field`."""
    found = []
    for path in sorted({*page, *ours}):
        if path in page and path in ours:
            found += _keywords(path, page[path], ours[path])
        else:
            there = ["there" if path in side else ABSENT for side in (page, ours)]
            found.append(Difference(path, "field", *there))
    return found


def unexplained(found: list[Difference]) -> list[Difference]:
    """Those that no allowance covers."""
    return [each for each in found if not any(covers(one, each) for one in ALLOWED)]


def covers(allowance: Allowance, found: Difference) -> bool:
    """Whether this is the reason for that difference."""
    same = fnmatchcase(found.path, allowance.path) and found.keyword == allowance.keyword
    return same and allowance.holds(found.page, found.ours)


def _keywords(path: str, page: dict[str, Any], ours: dict[str, Any]) -> list[Difference]:
    pairs = [(key, page.get(key, ABSENT), ours.get(key, ABSENT)) for key in sorted({*page, *ours})]
    return [Difference(path, key, said, has) for key, said, has in pairs if said != has]


def _overlaid(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    """`upper` laid over `lower`, objects into objects, lists behind lists."""
    merged = dict(lower)
    for key, value in upper.items():
        below = lower.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _overlaid(below, value)
        elif isinstance(value, list) and isinstance(below, list):
            merged[key] = [*below, *value]
        else:
            merged[key] = value
    return merged


def _objects(schema: dict[str, Any], path: str) -> list[tuple[str, dict[str, Any]]]:
    inner = schema.get("properties", {}).items()
    return [(path, schema), *(pair for k, v in inner for pair in _objects(v, f"{path}.{k}"))]


# --- what may differ, and why --------------------------------------------------------------------


def _is(page: Any, ours: Any) -> Callable[[Any, Any], bool]:
    return lambda said, has: (said, has) == (page, ours)


def _more(said: Any, has: Any) -> bool:
    """Ours has all that the page has, in the same order, and more."""
    return isinstance(said, list) and said == [item for item in has if item in said]


ALLOWED = (
    Allowance(
        "request*",
        "unevaluatedProperties",
        _is(ABSENT, ours=False),
        "the API drops unknown fields without a word and charges, so we refuse them",
    ),
    Allowance(
        "request.input",
        "required",
        _is(page=False, ours=True),
        "one edition of the page forgets it; without an input there is nothing to make",
    ),
    Allowance(
        "request.input.*_url",
        "format",
        _is(ABSENT, "uri"),
        "the page says in prose that it is a URL",
    ),
    Allowance(
        "request.input.nsfw_checker",
        "field",
        _is(ABSENT, "there"),
        "only the newer edition of the page has it",
    ),
    Allowance(
        "request.input",
        "order",
        _more,
        "for the same reason",
    ),
    Allowance(
        "response.code",
        "enum",
        lambda said, has: set(said) < set(has),
        "sister routes and newer editions document further codes",
    ),
    Allowance(
        "response.code",
        "required",
        _is(page=False, ours=True),
        "one edition forgets it; no answer without it was ever seen",
    ),
    Allowance(
        "response.msg",
        "required",
        _is(page=True, ours=False),
        "observed: some answers call it message, some have neither",
    ),
    Allowance(
        "response.message",
        "field",
        _is(ABSENT, "there"),
        "observed: the older name of msg",
    ),
    Allowance(
        "response.data.recordId",
        "field",
        _is(ABSENT, "there"),
        "observed beside taskId",
    ),
    Allowance(
        "response.data.taskId",
        "minLength",
        _is(ABSENT, 1),
        "an empty id names no task",
    ),
    Allowance(
        "response*",
        "order",
        _more,
        "for the two fields that were observed",
    ),
)
