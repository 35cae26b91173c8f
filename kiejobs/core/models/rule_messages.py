"""A broken rule in a sentence that names the fields which don't go together.

In: a `Rule`, and what of a request it saw. Out: one `SchemaProblem`. Touches nothing.

Which field is to blame is read from the errors of the rule: what a `then` finds fault with doesn't go
with what its `if` looked at. Where the form of a rule tells nothing (`not`), those are named without
which it would hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kiejobs.core.document.schema_errors import SchemaProblem, in_words
from kiejobs.core.document.wording import show
from kiejobs.core.models.rule_hints import Broken, ways_out
from kiejobs.core.models.rules import fields_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jsonschema.exceptions import ValidationError

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.rules import FieldRule

_MISSING = re.compile(r"'(.*)' is a required property|'(.*)' is a dependency of '.*'")
_PLAIN = {
    "const", "enum", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "maxItems",
    "minItems", "maxLength", "minLength", "multipleOf",
}  # fmt: skip
_SHORT = 20


@dataclass(frozen=True, slots=True)
class _Parties:
    """Who is at odds: `blamed` and `others` are in the request, `missing` are not."""

    blamed: tuple[str, ...]
    others: tuple[str, ...]
    missing: tuple[str, ...]


def broken_rule(
    rule: FieldRule,
    given: Mapping[str, Json],
    rules: Sequence[FieldRule],
    fields: Mapping[str, Mapping[str, Json]],
) -> SchemaProblem:
    """The rule, which `given` breaks, in words. `rules` and `fields` are the model's."""
    leaves = list(_leaves(rule.validator.iter_errors(given)))
    parties = _parties(rule, given, leaves)
    why = rule.title or next(_limits(leaves), None)
    message = _message(parties, given) + (f": {why}" if why else "")
    near = [each for each in rules if set(each.fields) <= set(rule.fields)]
    broken = Broken(near, given, leaves, fields)
    if parties.missing and not parties.blamed:
        hint = ", or ".join(ways_out(broken, (*parties.missing, *parties.others))) or None
        return SchemaProblem((), "needed", message, hint, at_key=True, others=parties.others)
    named = (*parties.blamed, *parties.others)
    ways = [*ways_out(broken, named)]
    if parties.missing:
        ways.append(f"add {_listed([f'`{name}`' for name in parties.missing], 'or')}")
    hint = ", or ".join(ways) or None
    return SchemaProblem(named[:1], "conflict", message, hint, others=named[1:])


# --- who is at odds ------------------------------------------------------------------------------


def _parties(
    rule: FieldRule, given: Mapping[str, Json], leaves: Sequence[ValidationError]
) -> _Parties:
    named = {str(leaf.absolute_path[0]) for leaf in leaves if leaf.absolute_path}
    missing = {name for leaf in leaves for name in _missing(leaf)}
    blamed = [name for name in rule.fields if name in named and name in given]
    asked = fields_named(rule.schema.get("if", {})) or set()
    others = [name for name in rule.fields if name in asked and name in given]
    if not blamed and not missing:
        blamed, others = [], [n for n in given if rule.holds(_without(given, n))] or [*given]
        blamed = [others.pop()] if others else []
    elif not others:
        others = [name for name in given if name not in blamed]
    return _Parties(
        tuple(blamed),
        tuple(name for name in others if name not in blamed),
        tuple(name for name in rule.fields if name in missing),
    )


def _leaves(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _missing(error: ValidationError) -> Iterator[str]:
    found = _MISSING.fullmatch(error.message)
    if found is not None and not error.absolute_path:
        yield found[1] or found[2]


def _limits(leaves: Iterable[ValidationError]) -> Iterator[str]:
    """What a rule without a title demands of a value, where that is easily said."""
    for leaf in leaves:
        if leaf.absolute_path and str(leaf.validator) in _PLAIN:
            yield from (problem.message for problem in in_words(leaf))


def _without(given: Mapping[str, Json], name: str) -> dict[str, Json]:
    return {key: value for key, value in given.items() if key != name}


# --- words ---------------------------------------------------------------------------------------


def _message(parties: _Parties, given: Mapping[str, Json]) -> str:
    others = _listed([_named(name, given[name]) for name in parties.others], "and")
    if parties.missing and not parties.blamed:
        names = _listed([f"`{name}`" for name in parties.missing], "or")
        needs = f"; {others} {'need' if parties.others[1:] else 'needs'} it" if others else ""
        return f"{'one of ' if parties.missing[1:] else ''}{names} is missing{needs}"
    blamed = _listed([_named(name, given[name]) for name in parties.blamed], "and")
    if not blamed:
        return "the input is refused"
    if not others:
        return f"{blamed} {'do not go together' if parties.blamed[1:] else 'is refused'}"
    return f"{blamed} {'do' if parties.blamed[1:] else 'does'} not go with {others}"


def _named(name: str, value: Json) -> str:
    """`duration: 10`; the name alone where the value is long or an address."""
    if isinstance(value, str):
        plain = 0 < len(value) <= _SHORT and "/" not in value and "\n" not in value
        return f"`{name}: {value}`" if plain else f"`{name}`"
    return f"`{name}`" if isinstance(value, list | dict) else f"`{name}: {show(value)}`"


def _listed(words: Sequence[str], last: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
