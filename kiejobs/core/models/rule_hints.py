"""What would mend a broken rule by one change: another value, or leaving a field out.

In: the rule, what of a request it saw, the errors it gave, the rules that look at the same fields. Out:
ways out in words, each of which breaks none of those rules. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.document.wording import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jsonschema.exceptions import ValidationError

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.rules import FieldRule

_MOST_VALUES = 4
_MOST_TRIED = 40
_LIMITS = {"maximum", "minimum"}


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that doesn't hold. `rules` are those that must hold in the end, itself among them."""

    rules: Sequence[FieldRule]
    given: Mapping[str, Json]
    leaves: Sequence[ValidationError]
    fields: Mapping[str, Mapping[str, Json]]

    def mended(self, changed: Mapping[str, Json]) -> bool:
        return all(rule.holds(rule.given(changed)) for rule in self.rules)


def ways_out(broken: Broken, names: Sequence[str]) -> Iterator[str]:
    """For each of these fields the one change that helps, where there is one."""
    for name in names:
        values = _values(broken, name)
        fit = [value for value in values if broken.mended({**broken.given, name: value})]
        if fit:
            yield f"write `{name}: {' | '.join(map(_bare, fit[:_MOST_VALUES]))}`"
        elif not values and name in broken.given and _may_be_dropped(broken, name):
            yield f"drop `{name}`"


def _values(broken: Broken, name: str) -> list[Json]:
    """All that a field may be, where those are few; or else the limit that it should keep to."""
    field = broken.fields[name]
    values = [False, True] if field.get("type") == "boolean" else list(field.get("enum", ()))
    if not values:
        errors = (leaf for leaf in broken.leaves if list(leaf.absolute_path) == [name])
        values = [leaf.validator_value for leaf in errors if str(leaf.validator) in _LIMITS]
    return values if len(values) <= _MOST_TRIED else []


def _may_be_dropped(broken: Broken, name: str) -> bool:
    """Not where it has a default, which would be sent; nor where the rule minds but its size."""
    rest = {key: value for key, value in broken.given.items() if key != name}
    errors = [leaf for leaf in broken.leaves if name in list(leaf.absolute_path)[:1]]
    unwanted = all(map(_minds_presence, errors))
    return unwanted and "default" not in broken.fields[name] and broken.mended(rest)


def _minds_presence(leaf: ValidationError) -> bool:
    """`false`, `not`, or a list that must be empty."""
    empty = leaf.validator == "maxItems" and leaf.validator_value == 0
    is_none = empty or str(leaf.validator) in {"None", "not"}
    return is_none and len(leaf.absolute_path) == 1


def _bare(value: Json) -> str:
    return value if isinstance(value, str) else show(value)
