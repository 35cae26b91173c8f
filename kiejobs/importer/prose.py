"""What a page says only in prose: limits, listed values, a default. The rules that read it are one table.

In: a field's description, in English or Chinese. Out: claims, each a keyword with its value. Touches nothing.

A sentence that speaks of several fields or things together ("in total", "combined") limits no single one
and is passed over; of several limits the widest counts, so that nothing is refused that some sentence
allows. Advice ("recommended") limits nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kiejobs.importer.openapi import by_name, items_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kiejobs.importer.openapi import Schema

MOST_CHARACTERS = 6_000
_KEPT = 2_000  # a page may refer to one description from many fields

_N = r"(-?\d{1,12}(?:\.\d{1,6})?)(?!\.?\d| ?(?:[kmg]b?|minutes?|mins?|hours?)(?![a-z])| ?分钟)"
_TO = r"\s*(?:-|(?:up )?to|through|and|~|\.{2,3})\s*"
_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNT = rf"(\d{{1,4}}|{'|'.join(_WORDS)})"
_COUNT_WORDS = {"single": 1, **{word: number for number, word in enumerate(_WORDS, 1)}}
_THINGS = (
    r"(?:(?!per |each )[a-z]{1,14}[ -]){0,3}?(?:images?|pictures?|photos?|videos?|clips?|audios?|files?|urls?|ids?"
    r"|items?|elements?|entries|frames?|references?|colou?rs?|shots?|characters? ids?|voices?|keywords?)\b"
)
_NO_UNIT = r"(?! ?(?:\d|[kmg]b|px|pixel|s\b|sec))"
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
_TWICE = re.compile(rf"\b(?:{'|'.join(_WORDS)}) \((\d{{1,2}})\)|\b(\d{{1,2}}) \((?:{'|'.join(_WORDS)})\)")
_SHORT = re.compile(r"\b(max|min)\.(?=\s)|(\bor -) (?=1\b)")
_EACH = re.compile(r"(?<!\bas )\b(?:per|each|every)\b(?! (?:request|task|call|generation|job|time)\b)")
_CLAUSES = re.compile(r",(?!\d)|[()]|\bof (?=\d[^,()]{0,40} each\b)")

_LEAST_OF = r"(?:at least|not less than|no less than|greater than or equal to|>=|≥)"
_MOST_OF = r"(?:up to|at most|no more than|exceed(?:ing)?|less than or equal to|<=|≤)"


class _Rules(NamedTuple):
    """Patterns by what their groups are: both ends, the lower one, the upper one, an exact number."""

    ends: tuple[str, str]
    both: tuple[str, ...]
    least: tuple[str, ...]
    most: tuple[str, ...]
    exact: tuple[str, ...] = ()


_LENGTHS = _Rules(
    ("minLength", "maxLength"),
    both=(rf"length\s*[:=]?\s*{_N}{_TO}{_N}{_NO_UNIT}", rf"{_N}{_TO}{_N} {_LETTERS}"),
    least=(
        rf"min(?:imum)?\.? (?:text |prompt |string )?length(?: is| of)?\s*[:=]?\s*{_N}",
        rf"(?:min(?:imum)?\.?(?: of)?:?|{_LEAST_OF}) ?{_N} {_LETTERS}",
    ),
    most=(
        rf"max(?:imum)?\.? ?(?:text |prompt |string )?length(?: is| of)?\s*[:=]?\s*{_N}(?!\s*-\s*\d)",
        rf"length (?:limit:?|(?:at most|up to|<=|\u2264)) ?{_N}\b",
        rf"{_AT_MOST} ?{_N} {_LETTERS}",
        rf"{_N}[ -]characters? (?:limit|max(?:imum)?)\b",
        rf"characters? limit(?: is| of)?:? ?{_N}",
        rf"{_N} {_LETTERS}(?: ?\(?(?:max|maximum|limit|or less|or fewer))",
    ),
)
_RANGES = _Rules(
    ("minimum", "maximum"),
    both=(
        rf"(?:range|between|from|values?|must be|supports?|integer|number|duration|length)[^.\d\[(-]{{0,40}}[\[(]?{_N}(?: ?s(?:ec(?:onds?)?)?\b)?{_TO}{_N}",
        rf"\[\s*{_N}\s*,\s*{_N}\s*\]",
        rf"{_N}{_TO}{_N} ?(?:s\b|sec|seconds|frames|steps|fps)",
        rf"(?:^|, ?)(?:[a-z\u4e00-\u9fff]{{1,15}}:? ){{0,3}}\(?{_N}{_TO}{_N}\)?(?=[.,)]|$| \(| means| (?:times|multiplier|controls?|of normal|scale)\b|x\b| ?[的倍之])",
    ),
    least=(rf"(?:\bmin(?:imum)?\.?(?: value)?(?: is| of)?\s*[:=]?\s*|{_LEAST_OF} ?){_N}", rf"{_N} ?(?:<=|≤)"),
    most=(rf"(?:\bmax(?:imum)?\.?(?: value)?(?: is| of)?\s*[:=]?\s*|{_MOST_OF} ?){_N}",),
)
_ITEMS = _Rules(
    ("minItems", "maxItems"),
    both=(
        r"\bmin(?:imum)?:? (\d{1,4}),? (?:and )?max(?:imum)?:? (\d{1,4})" + _NO_UNIT,
        rf"(?<![\d.])(\d{{1,4}})(?:{_TO})(\d{{1,4}}) {_THINGS}",
        r"\((\d{1,4})\s*-\s*(\d{1,4})\)",
        rf"(?:number|count|quantity)[^.\d]{{0,30}}\b(\d{{1,4}})(?:{_TO})(\d{{1,4}})\b",
    ),
    least=(
        rf"(?:at least|min(?:imum)?\.?(?: of)?:?) ?{_COUNT} (?:{_THINGS}|and at most)",
        rf"min(?:imum)?\.? (?:number|count|quantity)[^.\d]{{0,30}}{_COUNT}\b",
    ),
    most=(
        rf"(?:up to|at most|no more than|exceed|limit(?:ed)? (?:to|of|is)?:?|max(?:imum)?\.?(?: of)?:?|supports) ?{_COUNT} {_THINGS}",
        rf"(?:\(|^)max(?:imum)?\.?(?: of| items| count)?:? ?{_COUNT}(?=\)|\.?$)",
        rf"(?:max(?:imum)?|up to)\.? (?:number|count|quantity)[^.\d]{{0,30}}{_COUNT}\b",
        rf"(?:(?:number|quantity) of {_THINGS}|(?:{_THINGS} |^|[,\u4e00-\u9fff] ?)count)[^.\d]{{0,15}}(?:at most|exceed|<=|≤) ?{_COUNT}\b",
        rf"max(?:imum)?\.? {_THINGS}(?<=s) ?[:=] ?{_COUNT}\b{_NO_UNIT}",
        rf"{_COUNT} {_THINGS} (?:at most|max(?:imum)?|or fewer)(?=[.,;)]|$)",
    ),
    exact=(
        rf"(?:exactly|only) {_COUNT} {_THINGS}",
        r"(?:containing|^) ?(?:an? )?(single) [a-z]{1,10} ?urls?",
        r"^(1|one) [a-z]{1,10} ?urls?\b",
    ),
)
_STEP = (
    rf"(?:\bstep(?: size)?(?: of| is)?\s*[:=]?\s*|(?:steps|increments|multiples?) of |divisible by ){_N}",
)
# What -1 may be an end of; anywhere else it has a meaning of its own, and the words around it are no part of a range.
_SPAN = re.compile(
    rf"{_N}\s*(?:-|to|~|\.{{2,3}})\s*{_N}|\bbetween {_N} and {_N}|\[\s*{_N}\s*,\s*{_N}\s*\]|(?:<|>|≤|≥)=?\s*-1|-1\s*(?:<|≤)"
    rf"|(?:\bmin(?:imum)?|\bmax(?:imum)?|\bleast|\bthan|\bfrom|(?:\bnot|never|cannot|n't)(?: be| use| set| pass| it| to){{0,3}})\.?(?: value)?(?: is| of)?\s*[:=]?\s*-1|不[\u4e00-\u9fff]{{0,4}} ?-1"
)
_ASIDE = re.compile(
    r"(?:[,(|;/] ?)?(?:(?:\b(?:or|either|and|set|use|pass|equals?|values?|of|the|a|an|it|to|be|in|is|can|may|also|must)\b|[\u4e00-\u9fff]{1,8}+)[: ]*+){0,6}"
    r"(?<![a-z0-9.~-])(-1)(?![a-z0-9]|[.:]\d| (?:is |are )?(?:not|never|no longer|invalid|unsupported|excluded|\w{2,6}n't)\b| ?[不无])(?: ?\([^)]*\)|[^\d#,;|()\[]{0,80}?(?=[,;|()\[]|$|(?: or\b| and\b)[^\d#,;|]{0,30}[\d#]))? ?"
)
_ZERO = (
    r"(?:\buse|\bset(?: it)? to|\bor|\bpass|\bif|\bwhen)\s+(0)\b(?!\s*-?\s*\d)",
    r"(?<![\d.-])(0)\s*(?:for|means?|=|is|lets?|enables?|selects?|stands for|indicates?|represents?|:|\()(?:\s|(?<=\())",
)
_MARKUP = re.compile(r"[`*_]{1,3}(?=\S)|(?<=\S)[`*_]{1,3}(?=[\s.,;:)]|$)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DASHES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\uff0d", "-")
    | {"\u00a0": " ", "\uff0c": ",", "\uff1b": ";"}
)
_SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n+|;|(?<!\d)\s-\s|\s-\s(?!\d)|\u3002")

_LEAD = re.compile(
    r"(?:(?:valid|allowed|available|supported|possible|accepted|acceptable) (?:values?|options?|choices?)"
    r"|\boptions?\b|\bone of(?: the following(?: values?)?)?|must be either|choose (?:from|between)|\bvalues(?=:)"
    r")\s*(?:are|is)?\s*[:\uff1a]?\s*",
    re.IGNORECASE,
)
_WORD = r"[A-Za-z0-9_#.:+/%-]{1,40}"
_QUOTED = re.compile(rf"""[`'"\u201c\u2018]({_WORD})[`'"\u201d\u2019]""")
_BARE = re.compile(
    rf"\s*({_WORD}?)(?:\s(?:seconds?|fps|frames)\b)?(?:\s*\([^)]{{0,40}}\))?\s*(?:,\s*(?:or|and)\b|,|\||\u3001|/|\bor\b|\band\b|$)",
    re.IGNORECASE,
)
_BULLET = re.compile(rf"^\s*[-*]\s+(?:\*\*)?[`'\"]({_WORD})[`'\"](?:\*\*)?\s*[:\uff1a-]", re.MULTILINE)
_END = re.compile(r"\.(?:\s|$)|\n|;|\u3002|\uff1b|[,\uff0c]\s*(?:默认|default\b)", re.IGNORECASE)
_INTERVAL = re.compile(r"\d{1,3}(?:-|~|\.\.)\d{1,4}")
_OPEN = re.compile(
    r"\b(?:e\.g|etc|such as|for example|like|includ(?:es?|ing)|and more|and so on)\b|等(?![于待])",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\bmore (?:to come|(?:(?:are|will be) )?(?:coming|added|soon))|\bcoming soon", re.IGNORECASE
)
_NUMBERS = re.compile(
    r"\b(?:options?|allowed|supported|supports?(?: only)?|only|values?|duration|fps|either)(?: is| are)?[:.,]?\s{1,3}"
    r"(\d{1,5}(?:\s{0,3}(?:seconds\s{0,3})?(?:,\s{0,3}(?:or|and)\b|,|/|\||\bor\b|\band\b)\s{0,3}\d{1,5}){1,30})"
    r"(?=\s{0,3}(?:seconds?\b|fps\b|frames\b|[.;)]|$))",
    re.IGNORECASE,
)
_PARTS = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n\s*[-*]|;|\u3002")
_TIES = re.compile(
    r"\b(?:only|not|cannot|can't|without|with|requires?|required|either|when|if|unless|exclusive|"
    r"unsupported|at least one|instead)\b|不|仅|必须|同时|至少|需"
)
_BARS = re.compile(
    r"\b(?:not (?:be )?(?:supported?|available|allowed|made|work)|unsupported|requires?|"
    r"only (?:supported|available|allowed|works?|for|when|with|at|in))\b|不支持|不能|仅支持|仅在"
)
_CALLED = re.compile(
    r".{0,300}?(?:(?=\brequired field|\(required\)|必填)(.)|\boptional field|\(optional\)|[(\uff08]可选[)\uff09])",
    re.IGNORECASE | re.DOTALL,
)
_WHEN = re.compile(
    r"\b(?:takes? effect|effective|used|required|applies|valid|needed) (?:only )?(?:when|if) [`'\"]?(\w{1,60})[`'\"]?"
    r" (?:is|=|equals)(?: set to)? ?[`'\"]?([\w.:-]{1,40}[\w])",
    re.IGNORECASE,
)
_DEFAULT = re.compile(
    rf"(?:\bdefaults? to|\bdefault(?: value)?(?: is|:| :)|默认值?(?:为|[:\uff1a])?)\s*[`'\"\u201c]?({_WORD})", re.IGNORECASE
)  # fmt: skip

_AMOUNT = r"(\d{1,12}(?:\.\d{1,6})?)"
_CHINESE_THINGS = {"图": "images", "视频": "videos", "音频": "audios"}
_COUNTED = r"\s*[张个段条份](?:参考)?(图|视频|音频)?(?:片|像|片段|文件)?"

_CHINESE_MARKS = str.maketrans({
    "\uff1a": ": ", "\uff08": " (", "\uff09": ") ", "\u3010": "[", "\u3011": "]", "\u3001": ", ", "\uff5e": "~",
})  # fmt: skip
_CHINESE_WORDS = (
    (r"(?:可选值|可用选项|枚举值|可选(?=\s*:?\s*[a-zA-Z0-9`'\"])|取值(?=\s*:?\s*[`'\"a-zA-Z]))(?:为|是|包括|有)?\s*:?", " options: "),
    (r"(?:仅|只)支持(?=\s*[a-zA-Z0-9`'\"])(?!\s*\d+\s*[张段条份])", " options: "),
    (r"支持([^。;\n\u4e00-\u9fff]{3,100}(?:[和或][^。;\n\u4e00-\u9fff]{1,40})?)[\d两二三四五六七八九十]{1,3}种", r" options: \1; "),
    (r"^\s*(?=\d{1,3}\s*秒\s*(?:或者?|[,\uff0c]|和)\s*\d{1,3}\s*秒[\s。]*$)", " options: "), (r"时长(?=\s*:)", " duration"),
    (r"([仅只][能支持限可上传]{0,4})单(?=[张段条份])", r"\g<1>1"), (r"不支持超过", " at most "),
    (r"\s*或者?\s*", " or "), (r"(?<=[\w`'\"])\s*[和与及]\s*(?=[a-zA-Z0-9`'\"])", " and "),
    (r"(?:每|单)(?=[张段条份图]|个(?!任务|请求))", " each "),
    (r"(?:(?<![^图片像频件材,\s])数量|张数)(?=[为是不上最限得能超过多大制\s:]{0,9}\d)", " count "), (r"(?<![上下有期权无年极])限(?:制|于)?(?=\s*\d)", " at most "),
    (r"大于(?:或)?等于", " at least "), (r"小于(?:或)?等于", " at most "), (r"汉字", "字"),
    (r"(?:字符|字数?|长度)(?:数|长度)?(?:上限|限制|最多|不超过|不得超过|不能超过)(?:为|是)?\s*:?", " max length "), (r"一(?=[张个段条份])", "1"),
    (r"[两二](?=[张个段条份])", "2"), (r"三(?=[张个段条份])", "3"),
    (r"最[大多](?:数量|个数|张数)(?:为|是)?", " max count "), (r"最[小少](?:数量|个数|张数)(?:为|是)?", " min count "),
    (r"最大(?:文本|字符)?长度(?:为|是)?", " max length "), (r"最小(?:文本|字符)?长度(?:为|是)?", " min length "),
    (r"长度(?=\s*:?\s*\d)", " length "),
    (r"最大值(?:为|是)?", " maximum "), (r"最小值(?:为|是)?", " minimum "),
    (r"(?:取值|数值|有效)?范围(?:为|是|在)?|取值", " range "), (r"(?<=\d)\s*(?:表示|代表|意为)", " means "),
    (r"步长(?:为|是)?", " step "), (rf"(?:必须)?(?:是|为)?\s*{_AMOUNT}\s*的(?:整数)?倍数", r" multiples of \1 "),
    (r"(?:必须)?(?:且)?(?:仅|只)(?:能|支持|限|可)*(?:包含|上传|提供|使用)?", " only "),
    (r"(?:最多|至多|不超过|不得超过|不能超过|不大于|不多于|上限)(?:支持|为|可)*(?:上传|传入|包含|输入|填写)?", " at most "),
    (r"(?:最少|至少|下限|不少于|不小于|不低于)(?:需要|为|提供|上传)*", " at least "), (r"最[长大](?=\s*\d)", " at most "),
    (r"最[短小](?=\s*\d)", " at least "),
    (rf"(?<!\d){_AMOUNT}\s*个?(?:英文|中文)?(?:字符|字)(?:以内|之内)", r" at most \1 characters "),
    (r"必须(?:是|为|在)", " must be "), (r"(?:总|合计|共计|总共)", " total "), (r"(?:建议|推荐)", " recommended "),
    (r"介于", " between "), (rf"{_AMOUNT}\s*秒?\s*(?:到|至)\s*{_AMOUNT}", r"\1 - \2"),
    (r"(?<=\d)\s*(?:个)?(?:英文|中文)?(?:字符|字)", " characters "), (r"(?<=\d)\s*(?:\(秒\)|秒)", " seconds "), (r"(?<=\d)\s*像素", " pixels "),
)  # fmt: skip
_CHINESE = re.compile(r"[\u3001\u3010\u3011\uff08\uff09\uff1a\uff5e\u4e00-\u9fff]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_CHINESE_COUNT = re.compile(rf"(?<=\d){_COUNTED}")


@lru_cache(maxsize=_KEPT)
def claims_in(prose: str) -> Mapping[str, Any]:
    """Keywords with their values. Besides those of JSON Schema: `special`, a value with a meaning of its own;
    `eachminLength` and `eachmaxLength`, of each text of a list; `said`, what the API takes for a field that is left out;
    `seconds`, where it speaks of them; `called`, whether it calls the field required; `when`, the field and the value
    with which it is.
    """
    text = sentences(prose)
    clauses = [_of_each(sentence) for sentence in text]
    apart = [_without_special(sentence) for sentence in text]
    each = _widest(_LENGTHS, [of_each for _, of_each in clauses])
    default, when = _DEFAULT.search(prose[:MOST_CHARACTERS]), _WHEN.search(prose)
    called = _CALLED.match(prose)
    found = {
        **_widest(_LENGTHS, [of_all for of_all, _ in clauses]),
        **_widest(_RANGES, [rest for rest, _ in apart]),
        # Where each of several has a list of its own, it's open which of the lists a number counts.
        **(
            {}
            if _widest(_ITEMS, [of_each for _, of_each in clauses])
            else _widest(_ITEMS, [of_all for of_all, _ in clauses])
        ),
        **{f"each{key}": value for key, value in each.items()},
        "multipleOf": next((step for step in _numbers(_STEP, text) if step > 0), None),
        "special": next((value for _, value in apart if value is not None), None),
        "enum": _choices(in_english(prose[:MOST_CHARACTERS])) or None,
        "seconds": "second" in prose.lower() or None,
        "said": default[1].rstrip(".:") if default else None,
        "called": bool(called[1]) if called else None,
        "when": (when[1], when[2]) if when else None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _widest(rules: _Rules, text: list[str]) -> dict[str, float]:
    """The ends that some sentence states; none where the lower is above the upper."""
    least: list[float] = []
    most: list[float] = []
    for sentence in text:
        exact = _numbers(rules.exact, [sentence])
        pairs = [(one, one) for one in exact] or _pairs(rules.both, sentence)
        # An end in the sentence of a range is one of its ends.
        least += [low for low, _ in pairs] or _numbers(rules.least, [sentence])
        most += [high for _, high in pairs] or _numbers(rules.most, [sentence])
    if least and most and min(least) > max(most):
        return {}
    low, high = rules.ends
    return ({low: min(least)} if least else {}) | ({high: max(most)} if most else {})


def _without_special(sentence: str) -> tuple[str, float | None]:
    """The rest of a sentence, and -1 or 0 where it has a meaning of its own in it, like "random"."""
    # What a range holds is masked by as many marks.
    masked = _SPAN.sub(lambda found: "#" * len(found[0]), sentence)
    aside = _ASIDE.search(masked)
    if aside is None:
        return sentence, next(iter(_numbers(_ZERO, [sentence])), None)
    rest = f"{sentence[: aside.start()]} {sentence[aside.end() :]}"
    return " ".join(rest.split()).replace(" )", ")").strip(" ,|/"), -1


def _choices(text: str) -> tuple[str, ...]:
    """The values that a sentence or a list of bullets gives as all there are; empty where none does."""
    numbers = _NUMBERS.search(text)
    if numbers:
        return _distinct(re.findall(r"\d+", numbers[1]))
    bullets = _distinct(_BULLET.findall(text))
    for lead in _LEAD.finditer(text):
        rest = text[lead.end() : lead.end() + 600]
        end = _END.search(rest)
        listing = rest[: end.start()] if end else rest
        if _OPEN.search(listing) or _MORE.search(rest):
            continue
        found = _distinct(_QUOTED.findall(listing)) or _bare(listing)
        if len(found) > 1 and not any(map(_INTERVAL.fullmatch, found)):
            return found
    return bullets if len(bullets) > 1 else ()


def _bare(listing: str) -> tuple[str, ...]:
    """`a, b or c` without quotes; nothing where it is a sentence and no list."""
    found: list[str] = []
    at = 0
    while at < len(listing):
        token = _BARE.match(listing, at)
        if token is None or token.end() == at:
            return ()
        if token[1]:
            found.append(token[1])
        at = token.end()
    return _distinct(found)


def _distinct(found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:200]


def sentences(prose: str) -> list[str]:
    """Lower case, without marks of Markdown, numbers without thousands' commas."""
    text = in_english(plain_prose(prose).lower())
    text = _SHORT.sub(r"\1\2", _TWICE.sub(r"\1\2", text))
    found = (" ".join(part.split()) for part in _SENTENCES.split(text))
    alone = (_ADVICE.sub("", _OF_ALL.sub("", part)) for part in found)
    return [part for part in alone if part and not _TOGETHER.search(part)]


def _of_each(sentence: str) -> tuple[str, str]:
    """The clauses of a sentence about all together, and those about each: `max 10MB per image, up to 5 images`."""
    clauses = [one.strip() for one in _CLAUSES.split(sentence)]
    each = [one for one in clauses if _EACH.search(one)]
    if each and each[0] == clauses[0] and not any(map(str.isdigit, each[0])):
        return "", sentence  # For each shot, ...
    return (", ".join(one for one in clauses if one not in each), ", ".join(each)) if each else (sentence, "")


def plain_prose(prose: str) -> str:
    text = _MARKUP.sub("", prose[:MOST_CHARACTERS].translate(_DASHES))
    return _THOUSANDS.sub("", text)


def is_chinese(text: str) -> bool:
    return len(_HAN.findall(text)) * 10 > len(text)


def in_english(prose: str) -> str:
    """With the Chinese words of limits, counts and units replaced; the rest says nothing to anyone here."""
    if not _CHINESE.search(prose):
        return prose
    prose = prose.translate(_CHINESE_MARKS)
    for pattern, words in _CHINESE_WORDS:
        prose = re.sub(pattern, words, prose)
    return _CHINESE_COUNT.sub(lambda found: f" {_CHINESE_THINGS.get(found[1] or '', 'items')} ", prose)


def _numbers(patterns: tuple[str, ...], text: Iterable[str]) -> list[float]:
    return [
        _number(match) for sentence in text for pattern in patterns for match in re.findall(pattern, sentence)
    ]


def _pairs(patterns: tuple[str, ...], sentence: str) -> list[tuple[float, float]]:
    found = [match for pattern in patterns for match in re.findall(pattern, sentence)]
    pairs = [(_number(low), _number(high)) for low, high in found]
    return [(low, high) for low, high in pairs if low < high]


def _number(text: str) -> float:
    return _COUNT_WORDS.get(text) or (float(text) if "." in text else int(text))


def ties_in(given: Schema) -> list[tuple[str, list[str]]]:
    """Each field whose prose speaks of others in a condition, or bars a value of them; with those."""
    fields = {name: one for name, one in by_name(given).items() if name and isinstance(one, dict)}
    found = []
    for name, one in fields.items():
        prose = str(one.get("description") or "")[:MOST_CHARACTERS]
        sentences = [part for part in _PARTS.split(prose) if _TIES.search(part.lower())]
        bars = " ".join(plain_prose(part).lower() for part in sentences if _BARS.search(part.lower()))
        spoken = [one for one in fields if any(one in part and _speaks_of(part, one) for part in sentences)]
        values = {other: _listed_values(fields[other]) - _listed_values(one) for other in fields}
        barred = [one for one in fields if any(re.search(rf"\b{re.escape(v)}\b", bars) for v in values[one])]
        others = [other for other in fields if other != name and other in {*spoken, *barred}]
        if others:
            found.append((name, others))
    return found


def _speaks_of(sentence: str, name: str) -> bool:
    """A name of several words, or one in quotes: `prompt` alone is a word like any other."""
    quote = "" if "_" in name else "[`'\"\u201c\u201d]"
    return re.search(rf"{quote}(?<![\w./-]){re.escape(name)}(?![\w/]){quote}", sentence) is not None


def _listed_values(form: Schema) -> set[str]:
    texts = [one.lower() for one in items_in(form.get("enum"))[:50] if isinstance(one, str)]
    return {one for one in texts if len(one) > 2 and any(map(str.isdigit, one))}
