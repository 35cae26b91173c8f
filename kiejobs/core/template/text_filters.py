"""The filters that make texts and numbers: `{{ name | upper }}`, `{{ x | round(1) }}`.

In: the environment, a value, what stands in the brackets. Out: a text or a number, its size looked
at before it is made. Touches nothing.

They do what jinja2's filters of the same name do, and mostly let those do it. A text is never made of
a list by accident: that is an error, with `join` as the way out.
"""
# ruff: noqa: FBT001, FBT002 - what stands in the brackets is jinja2's, positions and all

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from jinja2 import filters as jinja
from jinja2.runtime import Undefined

from kiejobs.core.template.operators import percent
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.template.environment import PromptEnvironment as Env

MAX_COLUMNS: Final = 1_000
"""Columns, levels of indentation, characters to strip: what nobody needs more of."""


def small(number: int) -> int:
    """A width or a count that can't blow anything up. Raises TemplateProblem."""
    if number > MAX_COLUMNS:
        raise TemplateProblem(f"{number} is too wide, {MAX_COLUMNS} is the most")
    return number


def _upper(env: Env, value: Any) -> str:
    return env.text(value).upper()


def _lower(env: Env, value: Any) -> str:
    return env.text(value).lower()


def _title(env: Env, value: Any) -> str:
    return jinja.do_title(env.text(value))


def _capitalize(env: Env, value: Any) -> str:
    return env.text(value).capitalize()


def _trim(env: Env, value: Any, chars: str | None = None) -> str:
    small(len(chars or ""))
    return env.text(value).strip(chars)


def replace(env: Env, value: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = env.text(value), env.text(old), env.text(new)
    env.meter.room(len(text) + text.count(old) * max(len(new) - len(old), 0))
    return text.replace(old, new, -1 if count is None else count)


def _center(env: Env, value: Any, width: int = 80) -> str:
    return env.text(value).center(small(width))


def _indent(
    env: Env, value: Any, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    text = env.text(value)
    pad = width if isinstance(width, str) else " " * small(width)
    env.meter.room(len(text) + (len(text.splitlines()) + 2) * len(pad))
    return jinja.do_indent(text, pad, first, blank)


def _wordwrap(
    env: Env, value: Any, width: int = 79, break_long_words: bool = True, wrapstring: str = "\n"
) -> str:
    text = env.text(value)
    env.meter.room(len(text) * (1 + len(wrapstring)))
    return jinja.do_wordwrap(env, text, max(small(width), 1), break_long_words, wrapstring)


def _truncate(
    env: Env,
    value: Any,
    length: int = 255,
    killwords: bool = False,
    end: str = "...",
    leeway: int = 5,
) -> str:
    wide = max(length, len(end))
    return jinja.do_truncate(env, env.text(value), wide, killwords, end, max(leeway, 0))


def _format(env: Env, value: Any, *args: Any, **kwargs: Any) -> str:
    return percent(env.meter, env.text(value), kwargs or args)


def _urlencode(env: Env, value: Any) -> str:
    return quote(env.text(value), safe="/")


def _tojson(env: Env, value: Any, indent: int | None = None) -> str:
    """Sorted like jinja2's, so that another order of keys in the file buys nothing anew."""
    env.meter.examine(value)
    step = None if indent is None else min(small(indent), 8)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False, indent=step)


def _int(_env: Env, value: Any, default: int = 0, base: int = 10) -> int:
    return jinja.do_int(value, default, base)


def _float(_env: Env, value: Any, default: float = 0.0) -> float:
    return jinja.do_float(value, default)


def _abs(_env: Env, value: Any) -> Any:
    return abs(value)


def _round(_env: Env, value: Any, precision: int = 0, method: Any = "common") -> float:
    if not -20 <= precision <= 20:
        raise TemplateProblem("`round` takes a precision from -20 to 20")
    return jinja.do_round(value, precision, method)


def _default(_env: Env, value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    absent = isinstance(value, Undefined) or (boolean and not value)
    return default_value if absent else value


def _string(env: Env, value: Any) -> str:
    return env.text(value)


TEXT_FILTERS: dict[str, Callable[..., Any]] = {
    "abs": _abs,
    "capitalize": _capitalize,
    "center": _center,
    "d": _default,
    "default": _default,
    "float": _float,
    "format": _format,
    "indent": _indent,
    "int": _int,
    "lower": _lower,
    "replace": replace,
    "round": _round,
    "string": _string,
    "title": _title,
    "tojson": _tojson,
    "trim": _trim,
    "truncate": _truncate,
    "upper": _upper,
    "urlencode": _urlencode,
    "wordwrap": _wordwrap,
}
"""By the name that a template uses; each takes the environment first."""
