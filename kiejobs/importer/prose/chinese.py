"""Limits in Chinese prose, in the English words that the readers of prose know.

In: prose, lower case. Out: the same with the Chinese words of limits, counts and units replaced. Touches
nothing.

Only what tells a limit is put into English; the rest stays as it is and says nothing to anyone here.
"""

from __future__ import annotations

import re

_N = r"(\d{1,12}(?:\.\d{1,6})?)"
_THINGS = {"图": "images", "视频": "videos", "音频": "audios"}
_COUNTED = r"\s*[张个段条份](?:参考)?(图|视频|音频)?(?:片|像|片段|文件)?"

_WORDS = (
    (r"[\uff1a]", ": "),
    (r"[\uff08]", " ("),
    (r"[\uff09]", ") "),
    (r"[\u3010]", "["),
    (r"[\u3011]", "]"),
    (r"[\u3001]", ", "),
    (r"[\uff5e]", "~"),
    (r"一(?=[张个段条份])", "1"),
    (r"[两二](?=[张个段条份])", "2"),
    (r"三(?=[张个段条份])", "3"),
    (r"最大(?:文本|字符)?长度(?:为|是)?", " max length "),
    (r"最小(?:文本|字符)?长度(?:为|是)?", " min length "),
    (r"最大值(?:为|是)?", " maximum "),
    (r"最小值(?:为|是)?", " minimum "),
    (r"(?:取值|数值|有效)?范围(?:为|是|在)?|取值", " range "),
    (r"(?<=-1)\s*(?:表示|代表|意为|则|即|为)", " means "),
    (r"(?<![\d.])0\s*(?:表示|代表|意为)", "0 means "),
    (r"步长(?:为|是)?", " step "),
    (rf"(?:必须)?(?:是|为)?\s*{_N}\s*的(?:整数)?倍数", r" multiples of \1 "),
    (r"(?:必须)?(?:且)?(?:仅|只)(?:能|支持|限|可)*(?:包含|上传|提供|使用)?", " only "),
    (r"(?:最多|至多|不超过|不得超过|不能超过|不大于|不多于|上限)(?:支持|为|可)*(?:上传|传入|包含)?", " at most "),
    (r"(?:最少|至少|不少于|不小于|不低于)(?:需要|为|提供|上传)*", " at least "),
    (r"最[长大](?=\s*\d)", " at most "),
    (r"最[短小](?=\s*\d)", " at least "),
    (rf"(?<!\d){_N}\s*个?(?:字符|字)(?:以内|之内)", r" at most \1 characters "),
    (r"(?:总|合计|共计|总共)", " total "),
    (r"(?:建议|推荐)", " recommended "),
    (r"介于", " between "),
    (rf"{_N}\s*(?:到|至)\s*{_N}", r"\1 - \2"),
    (r"(?<=\d)\s*(?:个)?(?:英文|中文)?(?:字符|字)", " characters "),
    (r"(?<=\d)\s*秒", " seconds "),
)  # fmt: skip
_CHINESE = re.compile(r"[\u3001\u3010\u3011\uff08\uff09\uff1a\uff5e\u4e00-\u9fff]")
_TABLE = tuple((re.compile(pattern), words) for pattern, words in _WORDS)
_THING = re.compile(rf"(?<=\d){_COUNTED}")


def in_english(prose: str) -> str:
    """`prose` as it is where no Chinese stands in it."""
    if not _CHINESE.search(prose):
        return prose
    for pattern, words in _TABLE:
        prose = pattern.sub(words, prose)
    return _THING.sub(lambda found: f" {_THINGS.get(found[1] or '', 'items')} ", prose)
