"""Limits that a page tells only in prose.

In: a field's description. Out: facts in numbers and listed values; never the words themselves. Touches
nothing.

Read sentence by sentence. One that speaks of several fields or things together ("in total", "combined")
limits no single one and is passed over; of several limits the widest counts, so that nothing is refused
that some sentence allows. Advice ("recommended") limits nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from kiejobs.importer.prose.chinese import in_english

MOST_CHARACTERS = 6_000

_KEPT = 2_000  # a page may refer to one description from many fields

_N = r"(-?\d{1,12}(?:\.\d{1,6})?)"
_TO = r"\s*(?:-|to|and|~|\.{2,3})\s*"
_COUNT = r"(\d{1,4}|one|two|three|four|five|six|seven|eight|nine|ten)"
_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
_THINGS = (
    r"(?:[a-z]{1,14}[ -]){0,3}?(?:images?|pictures?|photos?|videos?|clips?|audios?|files?|urls?|ids?"
    r"|items?|elements?|entries|frames?|references?|colou?rs?|shots?|characters? ids?|voices?|keywords?)\b"
)
_LETTERS = r"(?:[a-z-]{1,12} ){0,2}(?:characters|chars|letters)\b"

_AT_MOST = (
    r"(?:up to|at most|(?:no|not) (?:more|longer) than|under|fewer than|less than|exceed(?:s|ing)?|limited to|limit(?: is| of)?:?|within|<=|\u2264"
    r"|max(?:imum)?\.?(?: of)?:?)"
)

_TOGETHER = re.compile(r"\b(?:combined|total|sum|altogether|together|ignored)\b")
_OF_ALL = re.compile(r",\s*(?:and )?(?:with )?(?:an? |the )?(?:combined|total|sum)\b.*")
_ADVICE = re.compile(
    r"[^,(]{0,200}\b(?:recommend\w*|suggest(?:ed|ion)|ideal(?:ly)?|typical(?:ly)?|best results?)\b[^,)]*"
)
_TWICE = re.compile(r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten) \((\d{1,2})\)")
_SHORT = re.compile(r"\b(max|min)\.(?=\s)")
_CONDITION = re.compile(r"\b(?:per|each|every) (?:image|video|file|picture|item|shot)\b")

_MAX_LENGTH = (
    rf"max(?:imum)?\.? ?(?:text |prompt |string )?length(?: is| of)?\s*[:=]?\s*{_N}(?!\s*-\s*\d)",
    rf"{_AT_MOST} ?{_N} {_LETTERS}",
    rf"{_N}[ -]characters? (?:limit|max(?:imum)?)\b",
    rf"characters? limit(?: is| of)?:? ?{_N}",
    rf"{_N} {_LETTERS}(?: ?\(?(?:max|maximum|limit|or less|or fewer))",
)
_MIN_LENGTH = (
    rf"min(?:imum)?\.? (?:text |prompt |string )?length(?: is| of)?\s*[:=]?\s*{_N}",
    rf"(?:min(?:imum)?\.?(?: of)?:?|at least|>=|≥) ?{_N} {_LETTERS}",
)
_LENGTHS = (
    rf"length\s*[:=]?\s*{_N}{_TO}{_N}",
    rf"{_N}{_TO}{_N} {_LETTERS}",
)
_RANGES = (
    rf"(?:range|between|from|values?|must be|supports?|integer|number|duration|length)[^.\d\[(-]{{0,40}}[\[(]?{_N}(?: ?s\b)?{_TO}{_N}",
    rf"\[\s*{_N}\s*,\s*{_N}\s*\]",
    rf"{_N}{_TO}{_N} ?(?:s\b|sec|seconds|frames|steps|fps)",
    rf"^(?:[a-z]{{1,15}} ){{0,3}}\(?{_N}{_TO}{_N}\)?(?=[.,)]|$)",
)
_MINIMUM = (
    rf"\bmin(?:imum)?\.?(?: value)?(?: is| of)?\s*[:=]?\s*{_N}",
    rf"(?:at least|not less than|no less than|greater than or equal to|>=|≥) ?{_N}",
    rf"{_N} ?(?:<=|≤)",
)
_MAXIMUM = (
    rf"\bmax(?:imum)?\.?(?: value)?(?: is| of)?\s*[:=]?\s*{_N}",
    rf"(?:up to|at most|no more than|exceed(?:ing)?|less than or equal to|<=|≤) ?{_N}",
)
_STEP = (
    rf"\bstep(?: size)?(?: of| is)?\s*[:=]?\s*{_N}",
    rf"(?:steps|increments|multiples?) of {_N}",
    rf"divisible by {_N}",
)
_SPECIAL = (
    r"(?:\buse|\bset(?: it)? to|\bor|\bpass)\s+(-1|0)\b(?!\s*-?\s*\d)",
    r"(?<![\d.-])(-1|0)\s*(?:for|means?|=|is|lets?|enables?|selects?|stands for|indicates?|represents?|:|\()(?:\s|(?<=\())",
)
_MOST_ITEMS = (
    rf"(?:up to|at most|no more than|exceed|limit(?:ed)? (?:to|of|is)?:?|max(?:imum)?\.?(?: of)?:?|supports) ?{_COUNT} {_THINGS}",
    rf"(?:\(|^)max(?:imum)?\.?(?: of| items| count)?:? ?{_COUNT}(?=\)|\.?$)",
    rf"(?:max(?:imum)?|up to)\.? (?:number|count|quantity)[^.\d]{{0,30}}{_COUNT}\b",
)
_LEAST_ITEMS = (rf"(?:at least|min(?:imum)?\.?(?: of)?:?) ?{_COUNT} (?:{_THINGS}|and at most)",)
_ITEMS = (
    r"\bmin(?:imum)?:? (\d{1,4}),? (?:and )?max(?:imum)?:? (\d{1,4})(?! ?(?:\d|[kmg]b|px|pixel|s\b|sec))",
    rf"\b(\d{{1,4}})(?:{_TO})(\d{{1,4}}) {_THINGS}",
    r"\((\d{1,4})\s*-\s*(\d{1,4})\)",
    rf"(?:number|count|quantity)[^.\d]{{0,30}}\b(\d{{1,4}})(?:{_TO})(\d{{1,4}})\b",
)
_EXACT_ITEMS = (
    rf"(?:exactly|only) {_COUNT} {_THINGS}",
    r"(?:containing|^) ?(?:an? )?(single) [a-z]{1,10} ?urls?",
    r"^(1|one) [a-z]{1,10} ?urls?\b",
)

_MARKUP = re.compile(r"[`*_]{1,3}(?=\S)|(?<=\S)[`*_]{1,3}(?=[\s.,;:)]|$)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DASHES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\uff0d", "-")
    | {"\u00a0": " ", "\uff0c": ",", "\uff1b": ";"}
)
_SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n+|;|(?<!\d)\s-\s|\s-\s(?!\d)|\u3002")


@dataclass(frozen=True, slots=True)
class ValueRange:
    """Either end may be open."""

    least: float | None = None
    most: float | None = None

    def __bool__(self) -> bool:
        return self.least is not None or self.most is not None


@lru_cache(maxsize=_KEPT)
def length_told(prose: str) -> ValueRange:
    """How long a text may be, in characters."""
    pairs, least, most = [], [], []
    for sentence in sentences(prose):
        pairs += _pairs(_LENGTHS, sentence)
        least += _numbers(_MIN_LENGTH, sentence)
        most += _numbers(_MAX_LENGTH, sentence)
    return _widest(pairs, least, most)


@lru_cache(maxsize=_KEPT)
def range_told(prose: str) -> ValueRange:
    """From where to where a number may go."""
    pairs, least, most = [], [], []
    for sentence in sentences(prose):
        found = _pairs(_RANGES, sentence)
        pairs += found
        if not found:
            least += _numbers(_MINIMUM, sentence)
            most += _numbers(_MAXIMUM, sentence)
    return _widest(pairs, least, most)


@lru_cache(maxsize=_KEPT)
def items_told(prose: str) -> ValueRange:
    """How many items a list may have."""
    pairs, least, most = [], [], []
    for sentence in sentences(prose):
        if _CONDITION.search(sentence):
            continue
        exact = _numbers(_EXACT_ITEMS, sentence)
        pairs += [(number, number) for number in exact] or _pairs(_ITEMS, sentence)
        least += _numbers(_LEAST_ITEMS, sentence)
        most += _numbers(_MOST_ITEMS, sentence)
    if pairs and most:
        pairs, least = [], least or [min(low for low, _ in pairs)]
    return _widest(pairs, least, most)


@lru_cache(maxsize=_KEPT)
def step_told(prose: str) -> float | None:
    """The step that a number goes in."""
    found = [step for one in sentences(prose) for step in _numbers(_STEP, one) if step > 0]
    return found[0] if found else None


@lru_cache(maxsize=_KEPT)
def special_told(prose: str) -> float | None:
    """-1 or 0, where the prose gives it a meaning of its own, like "random"."""
    found = [value for one in sentences(prose) for value in _numbers(_SPECIAL, one)]
    return found[0] if found else None


def sentences(prose: str) -> list[str]:
    """Lower case, without marks of Markdown, numbers without thousands' commas."""
    text = in_english(plain_prose(prose).lower())
    text = _SHORT.sub(r"\1", _TWICE.sub(r"\1", text))
    found = (" ".join(part.split()) for part in _SENTENCES.split(text))
    alone = (_ADVICE.sub("", _OF_ALL.sub("", part)) for part in found)
    return [part for part in alone if part and not (_TOGETHER.search(part))]


def plain_prose(prose: str) -> str:
    text = _MARKUP.sub("", prose[:MOST_CHARACTERS].translate(_DASHES))
    return _THOUSANDS.sub("", text)


# --- reading ---------------------------------------------------------------------------------------


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _numbers(patterns: tuple[str, ...], sentence: str) -> list[float]:
    found = [match for pattern in patterns for match in _compiled(pattern).findall(sentence)]
    return [_number(text) for text in found]


def _pairs(patterns: tuple[str, ...], sentence: str) -> list[tuple[float, float]]:
    found = [match for pattern in patterns for match in _compiled(pattern).findall(sentence)]
    pairs = [(_number(low), _number(high)) for low, high in found]
    return [(low, high) for low, high in pairs if low < high]


def _number(text: str) -> float:
    if text in _WORDS:
        return _WORDS[text]
    if text == "single":
        return 1
    return float(text) if "." in text else int(text)


def _widest(pairs: list[tuple[float, float]], least: list[float], most: list[float]) -> ValueRange:
    lows = least + [low for low, _ in pairs]
    highs = most + [high for _, high in pairs]
    found = ValueRange(min(lows, default=None), max(highs, default=None))
    if found.least is not None and found.most is not None and found.least > found.most:
        return ValueRange()
    return found
