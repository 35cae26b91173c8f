"""A vendor's price in prose, as data where it is certain.

In: a sentence or two; the model's spec. Out: a `ModelPrice`, or None: then a person has to read it. Touches nothing.

Certain is a text of which each word is known here: amounts in credits, all for one unit, each with its conditions
(resolution, seconds, sound, a listed value) on the same side. Its dollars must fit its credits, and all values of the
fields that it speaks of must have a price (`is_complete`). What it says of other sellers and of larger top-ups is no price,
where it says so in one of the known forms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING, Any

from kiejobs.core.prices.table import ModelPrice, PriceLine, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.models.spec import Spec

SOURCE = "the vendor's models API"
_USD = Decimal("0.005")
_CENT = Decimal("0.006")  # dollars are rounded to a cent, mostly
_LONGEST = 2_000  # characters
_MOST = 40  # amounts
_NOT_HERE = re.compile(
    r"[,(\u2014\u2013~-]?\s*(?:(?:roughly|about|just|a smooth)\s+)?~?\d{1,2} ?% (?:below|cheaper than|less than) "
    r"(?:the )?(?:official(?: price| pricing| rate)?|fal(?:\.ai)?|replicate|competitors)\b\)?"
    r"|high-tier top-ups(?: \(\+\d+% bonus\))?(?: bring effective pricing down to [^\n]*?| (?:include|get) \+?\d+% bonus[^\n]*?)?"
    r"(?:\.(?=\s|$)|$)"
    r"|effective pricing is approximately \d+% lower than the above rates\b",
    re.MULTILINE,
)
_NAME = re.compile(r"(?:for )?([a-z][\w. -]{1,50}?)(?:,| costs?\b| is priced at\b|:| —)")
_WORD = re.compile(r"[a-z]+|\d+")
_PLAIN_WORDS = {"api", "v", "pricing"}
_TOKEN = re.compile(
    r"(?P<vague>(?:about|approximately) )?(?P<credits>\d{1,6}(?:\.\d{1,4})?) credits?\b"
    r"|\(?\s*[~≈=]?\s*(?:us )?\$\s?(?P<usd>\d{1,4}(?:\.\d{1,6})?)\s*\)?"
    r"|(?P<rate>per (?:video )?second|/ ?s(?:ec(?:ond)?)?\b|1 second of video)"
    r"|per (?P<unit>image|video|clip)\b"
    r"|(?P<seconds>\d{1,3})(?:[ -]?s(?:ec(?:onds?)?)?\b)(?P<clip> (?:video|clip))?"
    r"|(?P<size>\d{3,4} ?p|\d ?k)\b"
    r"|(?P<sound>with audio|no[- ]audio|without audio|with sound|no sound|without sound)"
    r"|(?P<glue>(?:generating|costs?|while|and|for|at|or|an?|the|now|just|is)\b|[,;:.—\u2013]|\s+)"
    r"|(?P<word>[a-z][\w-]{0,40})"
    r"|(?P<odd>.)"
)
_SOUND = re.compile(r"audio|sound")
_LENGTH = "duration"
_COUNTS = re.compile(
    r"(?!.*(?:steps|frames|seconds))(?:.*_)?(?:n|num|number|counts?|quantity|qty|amount|batch|images|videos|outputs|samples|variations|copies|results)(?:_.*)?"
)
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(slots=True)
class _Amount:
    """Credits, with the text around them. `unit` is second, image or video; `vague`: stated as approximate."""

    credits: Decimal
    when: dict[str, str]
    vague: bool
    unit: str | None = None
    usd: Decimal | None = None

    @property
    def is_certain(self) -> bool:
        """Do its dollars fit? "About 6 credits ($0.03)" are six: there the dollars must be the same."""
        off = None if self.usd is None else abs(self.credits * _USD - self.usd)
        return self.credits > 0 and (off == 0 if self.vague else off is None or off <= _CENT)


def price_in(text: str, spec: Spec, date: str, title: str = "") -> ModelPrice | None:
    """The model's price as the text has it, with `date`; None where a word of it is not understood.

    `title` is what the vendor calls the model: the text may begin with words of it, or of its id.
    """
    amounts = _amounts(text, spec, f"{spec.model} {title}") if len(text) <= _LONGEST else None
    units = {one.unit for one in amounts or ()}
    unit = units.pop() if len(units) == 1 else None
    if not amounts or unit is None or not all(one.is_certain for one in amounts):
        return None
    if any(_is_count(name, form) for name, form in spec.fields.items()):
        return None
    lines = tuple(PriceLine(one.when, one.credits) for one in amounts)
    length = spec.fields.get(_LENGTH)
    if unit == "second" and length is not None and not _counts(length):
        return None
    quantity = _LENGTH if unit == "second" and length is not None else None
    unstated = unit == "second" and length is None  # the length of an input, say
    return ModelPrice(spec.model, unit, lines, SOURCE, date, quantity, usd_per_credit=_USD, unstated=unstated)


def is_complete(price: ModelPrice, spec: Spec) -> bool:
    """Is there exactly one line for each choice of the fields that they speak of?"""
    lines = price.lines
    names = list(dict.fromkeys(name for line in lines for name in line.when))
    wanted = set(product(*(_values(spec.fields[name]) for name in names)))
    had = [tuple(line.when.get(name) for name in names) for line in lines]
    return set(had) == wanted and len(had) == len(wanted)


def _amounts(text: str, spec: Spec, names: str) -> list[_Amount] | None:
    """In the text's order; None where a word of it is not understood."""
    text = _NOT_HERE.sub("", text.lower().replace("\uff1a", ":")).strip()
    begins = _NAME.match(text)
    if begins and set(_WORD.findall(begins[1])) <= {*_WORD.findall(names.lower()), *_PLAIN_WORDS}:
        text = text[begins.end() :]
    parts: list[_Amount | tuple[str, str]] = []
    unit: str | None = None
    for kind, value in _tokens(text):
        amounts = [part for part in parts if isinstance(part, _Amount)]
        if kind in {"credits", "vague"}:
            parts.append(_Amount(Decimal(value), {}, kind == "vague"))
        elif kind == "usd":
            if not amounts or amounts[-1].usd is not None:
                return None
            amounts[-1].usd = Decimal(value)
        elif kind in {"rate", "unit"}:
            one = "second" if kind == "rate" else value.replace("clip", "video")
            if amounts and amounts[-1].unit is None:
                amounts[-1].unit = one
            elif amounts or unit not in {None, one}:
                return None
            else:
                unit = one
        else:
            named = _condition(kind, value, spec)
            if named is None:
                return None
            parts.append(named)
            unit = unit or ("video" if kind == "clip" else None)
    return _joined(parts, unit)


def _joined(parts: Sequence[_Amount | tuple[str, str]], unit: str | None) -> list[_Amount] | None:
    """Each amount with its conditions: those after it, or those before it, or the latest of the first one's field too."""
    amounts = [part for part in parts if isinstance(part, _Amount)]
    if not amounts or len(amounts) > _MOST:
        return None
    after = isinstance(parts[0], _Amount) or not isinstance(parts[-1], _Amount)
    scope = None if isinstance(parts[0], _Amount) or not after else parts[0][0]
    left, shared = list(amounts), dict[str, str]()
    last: _Amount | None = None
    for part in parts:
        if isinstance(part, _Amount):
            last = left.pop(0)
            last.when |= shared
            last.unit = last.unit or unit
            continue
        name, value = part
        if name == scope:
            shared = {name: value}
            continue
        target = last if after else next(iter(left), None)
        if target is None or name in target.when:
            return None
        target.when[name] = value
    return amounts


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for token in _TOKEN.finditer(text):
        kind = str(token.lastgroup)
        if kind == "clip":
            yield "clip", token["seconds"]
        elif token["vague"]:
            yield "vague", token["credits"]
        elif kind != "glue":
            yield kind, token[kind]


def _condition(kind: str, value: str, spec: Spec) -> tuple[str, str] | None:
    """The field that it is about, and its value; None where no field, or more than one, can be meant."""
    if kind in {"seconds", "clip"}:
        names = ["duration"] if value in _values(spec.fields.get("duration", {})) else []
    elif kind == "sound":
        names = [
            name
            for name, form in spec.fields.items()
            if form.get("type") == "boolean" and _SOUND.search(name)
        ]
        value = "true" if value.startswith("with ") else "false"
    elif kind == "odd":
        return None
    else:
        plain = value.replace(" ", "")
        known = {
            (name, one) for name, form in spec.fields.items() for one in _values(form) if one.lower() == plain
        }
        return known.pop() if len(known) == 1 else None
    return (names[0], value) if len(names) == 1 else None


def _values(form: Mapping[str, Any]) -> list[str]:
    """All that a field can be, where they are listed or few."""
    if form.get("type") == "boolean":
        return ["true", "false"]
    return [as_text(value) or "" for value in form.get("enum", ())]


def _is_count(name: str, form: Mapping[str, Any]) -> bool:
    if not _COUNTS.fullmatch(_INNER_CAPITAL.sub("_", name).lower()):
        return False
    values = _values(form)
    return any(map(str.isdecimal, values)) if values else form.get("type") not in ("array", "object")


def _counts(form: Mapping[str, Any]) -> bool:
    """Does it hold a number of seconds, whatever it is?"""
    if "enum" in form:
        return all(value.isdecimal() for value in _values(form))
    return form.get("type") in {"integer", "number"} and form.get("minimum", -1) >= 0
