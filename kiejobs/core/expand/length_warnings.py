"""Texts that hardly fit: the next longer word makes the API refuse them.

In: jobs, one after the other. Out: warnings, one for each place that such a text was written at, with
the longest of them as the example. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kiejobs.core.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kiejobs.core.diagnostics import Problems
    from kiejobs.core.document.nodes import Document, Spot
    from kiejobs.core.expand.job import Job
    from kiejobs.core.models.spec import Spec

_NEAR = 0.9
_SHORTEST = 100
"""Characters; a smaller limit is that of a name or a code, where nothing grows."""


@dataclass(frozen=True, slots=True)
class _Text:
    """The longest one of `count`."""

    length: int
    most: int
    address: str
    count: int = 1


class LengthWarnings:
    """`look` at each job, then `hand_over`."""

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self._limits = {model: dict(_limits(spec)) for model, spec in specs.items()}
        self._found: dict[tuple[Spot, str], _Text] = {}

    def look(self, job: Job, spot_of: Callable[[str], Spot]) -> None:
        """`spot_of` is where a field of the job was written."""
        for field, most in self._limits[job.model].items():
            text = job.input.get(field)
            if isinstance(text, str) and _NEAR * most <= len(text) <= most:
                self._keep(spot_of(field), field, _Text(len(text), most, job.address))

    def hand_over(self, document: Document, problems: Problems) -> None:
        for (spot, field), text in self._found.items():
            upto = "up to " if text.count > 1 else ""
            message = f"`{field}` has {upto}{text.length:,} of the {text.most:,} characters that it may have"
            problems.add(
                Diagnostic(
                    "near-limit",
                    message,
                    document.at(spot),
                    hint="a longer word in `vars` or on an axis makes it too long; shorten what all share",
                    severity=Severity.WARNING,
                    count=text.count,
                    example=text.address,
                )
            )

    def _keep(self, spot: Spot, field: str, text: _Text) -> None:
        key = (spot, field)
        known = self._found.get(key)
        if known is None:
            self._found[key] = text
        else:
            longest = text if text.length > known.length else known
            self._found[key] = replace(longest, count=known.count + 1)


def _limits(spec: Spec) -> Iterator[tuple[str, int]]:
    for name, field in spec.fields.items():
        most = field.get("maxLength")
        if isinstance(most, int) and most >= _SHORTEST:
            yield name, most
