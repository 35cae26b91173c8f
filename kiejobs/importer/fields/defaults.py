"""A field's default, where it may be sent.

In: a field in our form, the page's default. Out: `default`, or nothing with a note. Touches nothing.

A default is always sent. So one that the field itself refuses is left out, except where it only differs
in case from one that is listed; and an empty one says no more than leaving the field out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.document.wording import FORMATS, show
from kiejobs.core.models.spec import coerce

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]


def default_of(form: Schema, given: Any, note: Callable[[str], None]) -> Schema:
    if given is None:
        return {}
    value = coerce(form, given)
    if value in ("", [], {}):
        note("its default is empty; where a job file is silent it is left out")
        return {}
    if fits(form, value):
        if value != given or type(value) is not type(given):
            note(f"its default {show(given)} is read as {show(value)}")
        return {"default": value}
    same = [one for one in form.get("enum", ()) if str(one).lower() == str(value).lower()]
    if len(same) == 1:
        note(f"its default {show(given)} is listed as {show(same[0])}, and so it is sent")
        return {"default": same[0]}
    note(f"its default {show(given)} is none that the field takes; nothing is sent for it")
    return {}


def fits(form: Schema, value: Any) -> bool:
    return Draft202012Validator(form, format_checker=FORMATS).is_valid(value)
