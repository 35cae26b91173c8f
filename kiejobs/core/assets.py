"""The files that requests point at: which they are, and what a model takes.

In: specs whose fields say `x-kiejobs-file`, inputs, a file's first bytes. Out: URLs with their rules, and
what is wrong with a file. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kiejobs.core.expansion import Expansion
    from kiejobs.core.spec import Spec
    from kiejobs.core.types import Json

LARGEST = 100 * 2**20
"""Bytes of a file whose model names no limit."""

HEAD = 16
"""As many of a file's first bytes tell its type."""

_MARKS = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftyp", "video/mp4"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
)
"""Offset and bytes by which a type is known; the first that fits."""


@dataclass(frozen=True, slots=True)
class FileRule:
    """What a model takes: at most `most` bytes, and one of `types` (any, where there is none)."""

    most: int
    types: frozenset[str]

    def __and__(self, other: FileRule) -> FileRule:
        """What both take."""
        either = not self.types or not other.types
        types = self.types | other.types if either else self.types & other.types
        return FileRule(min(self.most, other.most), types)


def wanted_files(expansion: Expansion) -> dict[str, FileRule]:
    """Each URL that any request of the campaign points at, in the order of the jobs."""
    specs, found = expansion.spec_of, dict[str, FileRule]()
    for number in range(len(expansion)):
        job = expansion.job(number)
        for url, rule in files_of(specs[job.model], job.input):
            found[url] = found[url] & rule if url in found else rule
    return found


def files_of(spec: Spec, request_input: Mapping[str, Json]) -> Iterator[tuple[str, FileRule]]:
    """The files of one request."""
    for name, value in request_input.items():
        yield from _files(spec.fields.get(name, {}), value)


def media_type_of(head: bytes) -> str | None:
    """By the first bytes; None for what is not known."""
    for offset, mark, media_type in _MARKS:
        if head[offset : offset + len(mark)] == mark and (offset != 8 or head[:4] == b"RIFF"):
            return media_type
    return None


def wrong_type(rule: FileRule, media_type: str | None) -> str | None:
    """What is wrong with a file of that type, in words; None where it may be sent."""
    if not rule.types or media_type in rule.types:
        return None
    taken = ", ".join(sorted(rule.types))
    return f"it is {media_type or 'of no known type'}, and the model takes {taken}"


def _files(schema: Mapping[str, Any], value: Json) -> Iterator[tuple[str, FileRule]]:
    rule = schema.get("x-kiejobs-file")
    if isinstance(value, list):
        items: Iterable[Json] = value
        inner = schema.get("items", {})
        schema = inner if rule is None else {**inner, "x-kiejobs-file": rule}
        for item in items:
            yield from _files(schema, item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _files(schema.get("properties", {}).get(name, {}), item)
    elif rule is not None and isinstance(value, str):
        yield (
            value,
            FileRule(rule.get("max_bytes", LARGEST), frozenset(rule.get("media_types", ()))),
        )
