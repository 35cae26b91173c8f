"""The files that requests point at: which they are, and what a model takes.

In: specs whose fields say `x-kiejobs-file`, inputs, a file's first bytes. Out: URLs and paths with their
rules, and what is wrong with a file. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.spec import Spec

Path: TypeAlias = tuple[str | int, ...]
"""Leads to a value in an input: names of fields, numbers of items."""

LARGEST = 100 * 2**20
"""Bytes of a file whose model names no limit."""

UNKNOWN = "application/octet-stream"
"""The media type of what can't be stated."""

HEAD = 64
"""As many of a file's first bytes tell its type."""

_MARKS = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF8", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/avi"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypM4A ", "audio/mp4"),
    (4, b"ftypqt  ", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
)
"""Offset and bytes by which a type is known; the first that fits."""

_MATROSKA = b"\x1a\x45\xdf\xa3"

_ALSO = {
    "image/jpeg": frozenset({"image/jpg"}),
    "audio/mpeg": frozenset({"audio/mp3"}),
    "audio/wav": frozenset({"audio/x-wav"}),
    "audio/ogg": frozenset({"audio/opus"}),
    "video/avi": frozenset({"video/x-msvideo"}),
    "video/mp4": frozenset({"audio/mp4"}),
}
"""What a type is called, too, or what its first bytes can't tell it from."""


@dataclass(frozen=True, slots=True)
class FileRule:
    """What a model takes: at most `most` bytes, and one of `types` (any, where there is none).

    `schemes`: the kinds of addresses that the field takes beside http and https.
    """

    most: int
    types: frozenset[str]
    schemes: frozenset[str] = frozenset()

    def __and__(self, other: FileRule) -> FileRule:
        """What both take."""
        either = not self.types or not other.types
        types = self.types | other.types if either else self.types & other.types
        return FileRule(min(self.most, other.most), types, self.schemes & other.schemes)


def files_of(spec: Spec, request_input: Mapping[str, Json]) -> Iterator[tuple[str, FileRule]]:
    """The files of one request, each as it stands there: an address, or the `ref` of a local file."""
    for name, value in request_input.items():
        for _, text, rule in _files(spec.fields.get(name, {}), value, (name,)):
            yield text, rule


def file_fields(spec: Spec) -> tuple[str, ...]:
    """The fields of an input that hold files, at any depth."""
    return tuple(name for name, field in spec.fields.items() if _holds_files(field))


def files_in(
    field: Mapping[str, Any], value: Json, name: str
) -> Iterator[tuple[Path, str, FileRule]]:
    """The files in the value of the field `name`, with the paths that lead to them."""
    return _files(field, value, (name,))


def media_type_of(head: bytes) -> str | None:
    """By the first bytes; None for what is not known."""
    if head.startswith(_MATROSKA):
        return "video/webm" if b"webm" in head else "video/x-matroska"
    for offset, mark, media_type in _MARKS:
        if head[offset : offset + len(mark)] == mark and (offset != 8 or head[:4] == b"RIFF"):
            return media_type
    return None


def wrong_type(rule: FileRule, media_type: str | None) -> str | None:
    """What is wrong with a file of that type, in words; None where it may be sent."""
    names = {media_type} | _ALSO.get(media_type or "", frozenset())
    kinds = {f"{name.partition('/')[0]}/*" for name in names if name}
    if not rule.types or not rule.types.isdisjoint(names | kinds):
        return None
    taken = ", ".join(sorted(rule.types))
    return f"it is {media_type or 'of no known type'}, and the model takes {taken}"


def too_large(rule: FileRule, size: int) -> str | None:
    """What is wrong with a file of so many bytes, in words; None where it may be sent."""
    if size <= rule.most:
        return None if size else "it is empty"
    return f"it has {size:,} bytes, and the model takes {rule.most:,}"


def _files(
    schema: Mapping[str, Any], value: Json, path: Path
) -> Iterator[tuple[Path, str, FileRule]]:
    rule = schema.get("x-kiejobs-file")
    if isinstance(value, list):
        inner = schema.get("items", {})
        schema = inner if rule is None else {**inner, "x-kiejobs-file": rule}
        for number, item in enumerate(value):
            yield from _files(schema, item, (*path, number))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _files(schema.get("properties", {}).get(name, {}), item, (*path, name))
    elif rule is not None and isinstance(value, str):
        yield path, value, _rule(rule)


def _rule(stated: Mapping[str, Any]) -> FileRule:
    return FileRule(
        most=stated.get("max_bytes", LARGEST),
        types=frozenset(stated.get("media_types", ())),
        schemes=frozenset(stated.get("schemes", ())),
    )


def _holds_files(schema: Mapping[str, Any]) -> bool:
    inner = [*schema.get("properties", {}).values()]
    inner += [schema["items"]] if isinstance(schema.get("items"), dict) else []
    return "x-kiejobs-file" in schema or any(map(_holds_files, inner))
