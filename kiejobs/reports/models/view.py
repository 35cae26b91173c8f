"""One model as `models list` and `models show` see it.

In: its spec, where that came from, its price. Out: the facts about it that people and tools ask for.
Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.models.spec import Spec
    from kiejobs.core.prices.table import ModelPrice


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
