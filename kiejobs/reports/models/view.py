"""One model as `models list` and `models show` see it, and in words what a field of it takes.

In: its spec, where that came from, its price; a field's schema, in our form. Out: the facts about it that
people and tools ask for; short cleaned texts, as `text, up to 10,000 characters`. Touches nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.reports.terminal import sanitize, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.prices.table import ModelPrice

    Field = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelView:
    """`file` is the project's own, None for a bundled model; `price` is None where none is known."""

    spec: Spec
    file: str | None = None
    price: ModelPrice | None = None

    @property
    def title(self) -> str:
        return str(self.spec.schema.get("title", self.spec.model))

    @property
    def description(self) -> str:
        return str(self.spec.schema.get("description", ""))

    @property
    def kind(self) -> str:
        """What it makes, in a word: video, image, audio, json, ...; `file` where nobody says."""
        kind, _, form = self.spec.media_type.partition("/")
        if kind != "application":
            return kind
        return "file" if form == "octet-stream" else form

    @property
    def origin(self) -> str:
        return "bundled" if self.file is None else "project"

    @property
    def sources(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.spec.schema.get("x-kiejobs-source", ())
        return found

    @property
    def dated(self) -> str | None:
        """When the latest of its sources was read."""
        return max((str(one["date"]) for one in self.sources if "date" in one), default=None)

    @property
    def rules(self) -> list[str]:
        """What holds between fields, in the schema's own words."""
        rules = self.spec.input_schema.get("allOf", ())
        return [rule["title"] for rule in rules if isinstance(rule, dict) and "title" in rule]


def notes_of(field: Mapping[str, Any]) -> Iterator[str]:
    """What was decided about a field when its page was read."""
    yield from (str(note) for note in field.get("x-kiejobs-note", ()))
    note = field.get("x-kiejobs-file", {}).get("note")
    if note is not None:
        yield str(note)


# --- what a field takes ---------------------------------------------------------------------------


_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_MANY = 12
_LONGEST = 60  # columns of one value


def kind_words(kind: Json) -> str:
    """A JSON type as people call it."""
    return _KINDS.get(str(kind), sanitize(str(kind)))


def value_words(value: Json) -> str:
    """One value, as it would stand in a job file: text without quotes unless it needs them."""
    text = (
        value if isinstance(value, str) and value.strip() else json.dumps(value, ensure_ascii=False)
    )
    return shortened(sanitize(text), _LONGEST)


def values_words(values: Iterable[Json], most: int | None = _MANY) -> str:
    """`720p, 1080p`; of very many the first, or all where `most` is None."""
    names = [value_words(value) for value in values]
    most = len(names) if most is None else most
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def size_words(count: int) -> str:
    """Bytes, as `10 MB`."""
    return f"{count / 2**20:g} MB" if count >= 2**20 / 10 else f"{count:,} bytes"


def field_words(field: Field, most: int | None = _MANY) -> str:
    """All that it takes, without its default; `most` as in `values_words`."""
    return ", ".join(_parts(field, most))


def _parts(field: Field, most: int | None) -> Iterator[str]:
    if "const" in field:
        yield value_words(field["const"])
    elif "enum" in field:
        yield values_words(field["enum"], most)
    elif "anyOf" in field or "oneOf" in field:
        yield " or ".join(field_words(one, most) for one in field.get("anyOf") or field["oneOf"])
    elif field.get("type") == "array":
        yield from _list(field, most)
    else:
        yield _one(field)
        yield from _limits(field)
    yield from _file(field.get("x-kiejobs-file"))


def _one(field: Field) -> str:
    if "x-kiejobs-file" in field:
        return "a file, by URL or path"
    if field.get("format") == "uri":
        return "a URL"
    return kind_words(field["type"]) if "type" in field else "anything"


def _list(field: Field, most: int | None) -> Iterator[str]:
    items = field.get("items", {})
    of = {"object": "a list of mappings"}.get(str(items.get("type")))
    of = "a list of URLs" if items.get("format") == "uri" else of
    of = "a list of files, by URL or path" if "x-kiejobs-file" in field else of
    yield of or "a list"
    yield from _if_any(_span(field.get("minItems"), field.get("maxItems"), "entries"))
    if items and of is None:
        yield f"each {field_words(items, most)}"


def _limits(field: Field) -> Iterator[str]:
    yield from _if_any(_span(field.get("minLength"), field.get("maxLength"), "characters"))
    yield from _if_any(_span(field.get("minimum"), field.get("maximum"), ""))
    if "exclusiveMinimum" in field:
        yield f"more than {_number(field['exclusiveMinimum'])}"
    if "exclusiveMaximum" in field:
        yield f"less than {_number(field['exclusiveMaximum'])}"
    if "multipleOf" in field:
        yield f"in steps of {_number(field['multipleOf'])}"
    if "pattern" in field:
        yield f"like {sanitize(field['pattern'])}"


def _span(least: Any, most: Any, unit: str) -> str:
    """`3 to 20,000 characters`, `up to 9 entries`, `from 4`."""
    unit = f" {unit}" if unit else ""
    if least is None and most is None:
        return ""
    if least == most:
        return f"exactly {_number(most)}{unit}"
    if least is None:
        return f"up to {_number(most)}{unit}"
    if most is None:
        return f"from {_number(least)}{unit}"
    return f"{_number(least)} to {_number(most)}{unit}"


def _if_any(text: str) -> Iterator[str]:
    if text:
        yield text


def _file(rule: Field | None) -> Iterator[str]:
    kinds = [kind.partition("/") for kind in (rule or {}).get("media_types", ())]
    types = [f"any {first}" if last == "*" else last for first, _, last in kinds]
    if types:
        yield values_words(types)
    if rule and "max_bytes" in rule:
        yield f"at most {size_words(rule['max_bytes'])}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"
