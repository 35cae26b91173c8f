"""What we know of one model: its request's schema and limits, and which of its fields hold files.

In: a model's JSON Schema (schemas/models/<vendor>/<model>.json), inputs, a file's first bytes. Out: `Spec`, coerced
values, complete inputs, the files in them and what is wrong with one. Touches nothing.
No code here names a model or a field: adding a model is adding a file.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.document.tree import MAX_EXACT_INT
from kiejobs.core.fingerprint import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json

IS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")
"""What a model can be called: a path of a few plain words."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


_WORDS = frozenset({"title", "description", "examples", "$comment", "x-kiejobs-source", "x-kiejobs-retired"})
_VALUES = frozenset({"const", "default", "enum"})
"""Of a schema's keys: texts for people, and what holds a request's values."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One model. `fields` in the schema's order, which is the order they are sent in.

    `defaults` are always sent, so that the vendor changing a default never changes what a job file means.
    `meaning` is the digest of what a request depends on, `digest` of the complete schema, with its texts.
    `file_fields` hold files, at any depth. Results are named with `extension`, unless the field `output_by` asks
    for one of `extensions`. `retired` is the day since when the vendor's catalogue is known to lack the model.
    """

    model: str
    schema: Mapping[str, Any]
    input_schema: Mapping[str, Any]
    fields: Mapping[str, Mapping[str, Any]]
    required: tuple[str, ...]
    defaults: Mapping[str, Json]
    media_type: str
    extension: str
    digest: str
    meaning: str
    output_by: str | None
    extensions: Mapping[str, str]
    file_fields: tuple[str, ...]
    retired: str | None = None


@dataclass(frozen=True, slots=True)
class ModelReading:
    """A model's schema; None where `problems` keep it from being used. `file`: None for a bundled one."""

    schema: Mapping[str, Any] | None
    file: str | None = None
    problems: tuple[Diagnostic, ...] = ()
    lines: Sequence[str] = ()


def read_spec(schema: Mapping[str, Any]) -> Spec:
    """A model's schema as a Spec. Raises KeyError or ValueError where the schema lacks its form."""
    request = schema["properties"]
    fields = request["input"]["properties"]
    model, output = request["model"], schema.get("x-kiejobs-output", {})
    return Spec(
        model=str(model["const"] if "const" in model else model["enum"][0]),
        schema=schema,
        input_schema=request["input"],
        fields=fields,
        required=tuple(request["input"].get("required", ())),
        defaults={name: field["default"] for name, field in fields.items() if "default" in field},
        media_type=output.get("media_type", "application/octet-stream"),
        extension=output.get("extension", ".bin"),
        digest=hashlib.sha256(canonical(schema)).hexdigest(),
        meaning=hashlib.sha256(canonical(_without_words(schema))).hexdigest(),
        output_by=output.get("by"),
        extensions={value: form["extension"] for value, form in output.get("forms", {}).items()},
        file_fields=tuple(name for name in fields if _holds_files(fields[name])),
        retired=schema.get("x-kiejobs-retired"),
    )


def _without_words(schema: Json) -> Json:
    """What stays the same where only a description was written better."""
    if isinstance(schema, list):
        return [_without_words(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key == "properties" and isinstance(value, dict):
            kept[key] = {name: _without_words(field) for name, field in value.items()}
        elif key not in _WORDS:
            kept[key] = value if key in _VALUES else _without_words(value)
    return kept


def extension_of(spec: Spec, request_input: Mapping[str, Json]) -> str:
    """How the file of one request is named; a field of the model may ask for another format."""
    wanted = request_input.get(spec.output_by) if spec.output_by else None
    named = spec.extensions.get(wanted) if isinstance(wanted, str) else None
    return named or spec.extension


def complete(spec: Spec, request_input: Mapping[str, Json]) -> dict[str, Json]:
    """Coerced, with defaults, in the schema's order; fields that the schema lacks come last."""
    done: dict[str, Json] = {}
    for name, field in spec.fields.items():
        if name in request_input:
            done[name] = coerce(field, request_input[name])
        elif name in spec.defaults:
            done[name] = spec.defaults[name]
    for name, value in request_input.items():
        done.setdefault(name, value)
    return done


def typed(spec: Spec, name: str, value: Json) -> Json:
    """The value in the type that the field of that name wants; as it is, where there is no such field."""
    return coerce(spec.fields.get(name, {}), value)


def coerce(schema: Mapping[str, Any], value: Json) -> Json:
    """In the schema's type, where there is one way to read it so (`5` as `"5"`); else as it is, to be refused."""
    if schema.get("type") == "array" and isinstance(value, list):
        return [coerce(schema.get("items", {}), item) for item in value]
    if schema.get("type") == "object" and isinstance(value, dict):
        fields = schema.get("properties", {})
        return {key: coerce(fields.get(key, {}), item) for key, item in value.items()}
    read = _READINGS.get(str(schema.get("type")))
    return value if read is None else read(value)


def _to_string(value: Json) -> Json:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_stated = is_number and (isinstance(value, int) or math.isfinite(value))
    return canonical(value).decode() if is_stated else value


def _to_integer(value: Json) -> Json:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT_INT:
        return int(value)
    return value


def _to_number(value: Json) -> Json:
    text = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text):
        return value
    number = int(text) if _INTEGER.fullmatch(text) else float(text)
    return number if math.isfinite(number) else value


def _to_boolean(value: Json) -> Json:
    word = value.strip().lower() if isinstance(value, str) else ""
    return {"true": True, "false": False}.get(word, value)


_READINGS = {
    "string": _to_string, "integer": _to_integer, "number": _to_number, "boolean": _to_boolean,
}  # fmt: skip


# --- the files that requests point at ----------------------------------------------------------------

Path: TypeAlias = tuple[str | int, ...]
"""Leads to a value in an input: names of fields, numbers of items."""

LARGEST = 100 * 2**20
"""Bytes of a file whose model names no limit."""

UNKNOWN = "application/octet-stream"
"""The media type of what can't be stated."""

HEAD = 64
"""This many of a file's first bytes show its type."""

_SIDES = re.compile(r"at (least|most) ([0-9]+)(?: x [0-9]+)? pixels")
_LENGTH = re.compile(r"([0-9.]+) to ([0-9]+(?:\.[0-9]+)?) seconds long")
_SLACK = 0.1
"""Seconds: a frame or two more than ten seconds are left to the API to judge."""

_RATIO = re.compile(r"aspect ratio from ([0-9.]+):([0-9.]+) to ([0-9.]+):([0-9]+(?:\.[0-9]+)?)")

_MARKS = (
    (0, b"\xff\xd8\xff", "image/jpeg"), (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF8", "image/gif"), (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"), (0, b"MM\x00*", "image/tiff"),
    (8, b"WEBP", "image/webp"), (8, b"WAVE", "audio/wav"), (8, b"AVI ", "video/avi"),
    (4, b"ftypavif", "image/avif"), (4, b"ftypheic", "image/heic"),
    (4, b"ftypM4A ", "audio/mp4"), (4, b"ftypqt  ", "video/quicktime"), (4, b"ftyp", "video/mp4"),
    (0, b"OggS", "audio/ogg"), (0, b"fLaC", "audio/flac"), (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"), (0, b"\xff\xf3", "audio/mpeg"), (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"), (0, b"\xff\xf9", "audio/aac"),
)  # fmt: skip
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
"""What a type is called, too, or what has the same first bytes."""


Limit: TypeAlias = tuple[str, float, float]
"""`sides`, their least and most pixels; `ratio`, of width to height; `seconds`, of a video or a recording."""


@dataclass(frozen=True, slots=True)
class FileRule:
    """At most `most` bytes, one of `types` (any, where there is none), `schemes` in addition to http and https."""

    most: int
    types: frozenset[str]
    schemes: frozenset[str] = frozenset()
    limits: tuple[Limit, ...] = ()

    def __and__(self, other: FileRule) -> FileRule:
        """What both take."""
        either = not self.types or not other.types
        types = self.types | other.types if either else self.types & other.types
        most, schemes = min(self.most, other.most), self.schemes & other.schemes
        return FileRule(most, types, schemes, (*self.limits, *other.limits))


def files_of(spec: Spec, request_input: Mapping[str, Json]) -> Iterator[tuple[str, FileRule]]:
    """The files of one request, each as it is written there: an address, or the `ref` of a local file."""
    for name, value in request_input.items():
        for _, text, rule in files_in(spec, name, value):
            yield text, rule


def files_in(spec: Spec, name: str, value: Json) -> Iterator[tuple[Path, str, FileRule]]:
    """The files in the value of the field `name`, with the paths that lead to them."""
    return _files(spec.fields.get(name, {}), value, (name,))


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
    """What is wrong with a file of this size, in words; None where it may be sent."""
    if size <= rule.most:
        return None if size else "it is empty"
    return f"it has {size:,} bytes, and the model takes {rule.most:,}"


def beyond_limits(rule: FileRule, width: int | None, height: int | None, seconds: float | None) -> str | None:
    """What is wrong with a file of that size and length, in words; None where it may be sent. None is not known."""
    found: list[str | None] = []
    for what, least, most in rule.limits:
        if what != "seconds" and width is not None and height is not None:
            found.append(_wrong_size(what, least, most, width, height))
        elif what == "seconds" and seconds is not None and not least - _SLACK <= seconds <= most + _SLACK:
            found.append(f"it is {seconds:.1f} s long, and the model takes {least:g} to {most:g} s")
    return "; ".join(filter(None, found)) or None


def _wrong_size(what: str, least: float, most: float, width: int, height: int) -> str | None:
    if what == "sides" and not (least <= min(width, height) and max(width, height) <= most):
        limit = f"at least {least:,.0f}" if min(width, height) < least else f"at most {most:,.0f}"
        return f"the model takes sides of {limit} pixels"
    if what == "ratio" and not least <= width / max(height, 1) <= most:
        ratio = width / max(height, 1)
        return f"its width is {ratio:.2f} times its height; the model takes {least:g} to {most:g}"
    return None


@cache
def _limits(note: str) -> tuple[Limit, ...]:
    """What a schema's note says of files, in the words that our importer writes."""
    found: list[Limit] = [("seconds", float(least), float(most)) for least, most in _LENGTH.findall(note)]
    for word, number in _SIDES.findall(note):
        found.append(("sides", float(number), math.inf) if word == "least" else ("sides", 0, float(number)))
    for numbers in _RATIO.findall(note):
        low, high, wide, flat = map(float, numbers)
        found.append(("ratio", low / high, wide / flat))
    return tuple(found)


def _files(schema: Mapping[str, Any], value: Json, path: Path) -> Iterator[tuple[Path, str, FileRule]]:
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
        types, schemes = (frozenset(rule.get(name, ())) for name in ("media_types", "schemes"))
        limits = _limits(str(rule.get("note", "")))
        yield path, value, FileRule(rule.get("max_bytes", LARGEST), types, schemes, limits)


def _holds_files(schema: Mapping[str, Any]) -> bool:
    inner = [*schema.get("properties", {}).values()]
    inner += [schema["items"]] if isinstance(schema.get("items"), dict) else []
    return "x-kiejobs-file" in schema or any(map(_holds_files, inner))
