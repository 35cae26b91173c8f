"""Our words for what a page describes: titles from names, descriptions from limits.

In: names, and fields in our form. Out: short texts. Touches nothing. A description is made of nothing but the
field's form, so that it can be seen later whether it was made here or written by somebody who knows more.
"""

from __future__ import annotations

import re
from typing import Any

Schema = dict[str, Any]

_SPELLED = {
    "url": "URL", "urls": "URLs", "uri": "URI", "id": "ID", "ids": "IDs", "nsfw": "NSFW",
    "cfg": "CFG", "fps": "FPS", "hd": "HD", "api": "API", "ai": "AI", "llm": "LLM", "bbox": "Box",
}  # fmt: skip
_TYPES = {
    "image/webp": "WebP", "image/svg+xml": "SVG", "audio/mpeg": "MP3", "audio/x-wav": "WAV",
    "audio/mp4": "M4A", "video/quicktime": "MOV", "video/x-matroska": "MKV", "video/avi": "AVI",
}  # fmt: skip
_THINGS = {
    "image": ("a picture", "pictures"),
    "video": ("a video", "videos"),
    "audio": ("a sound file", "sound files"),
}
_FILES = ("a file", "files")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
IN_SECONDS = "In seconds."


def field_title(name: str) -> str:
    words = _CAMEL.sub(" ", name).replace("_", " ").replace("-", " ").split()
    spelled = [_SPELLED.get(word.lower(), word.lower()) for word in words] or [name]
    return (spelled[0][:1].upper() + " ".join(spelled)[1:])[:80]


def model_title(model: str) -> str:
    vendor, slash, rest = model.partition("/")
    shown = [vendor.replace("-", " "), rest.replace("-", " ").replace("/", " ")]
    title = f"{shown[0]}: {shown[1]}" if slash else shown[0]
    return title[:1].upper() + title[1:]


def model_description(model: str, media_type: str) -> str:
    makes = _THINGS.get(media_type.partition("/")[0], ("data", ""))[0]
    return f"The createTask request of {model}, which gives {makes}."


def field_description(form: Schema) -> str | None:
    """The form in a sentence; None where it says no more than its keywords."""
    text = _file(form) or _text(form) or _number(form) or _list(form)
    seconds = IN_SECONDS if IN_SECONDS in form.get("x-kiejobs-note", ()) else None
    return " ".join(part for part in (text, seconds) if part) or None


def _file(form: Schema) -> str | None:
    rule = form.get("x-kiejobs-file")
    if rule is None:
        return None
    exact = [one for one in rule["media_types"] if not one.endswith("/*")]
    types = list(dict.fromkeys(_TYPES.get(one, one.partition("/")[2].upper()) for one in exact))
    listed = [part for part in (", ".join(types[:-1]), *types[-1:]) if part]
    details = [" or ".join(listed)] if listed else []
    if "max_bytes" in rule:
        details.append(f"at most {rule['max_bytes'] / 2**20:g} MB")
    lead = _lead(form, {one.partition("/")[0] for one in rule["media_types"]})
    return f"{lead}{': ' if details else ''}{', '.join(details)}."


def _lead(form: Schema, kinds: set[str]) -> str:
    one, several = _THINGS.get(kinds.pop(), _FILES) if len(kinds) == 1 else _FILES
    if form.get("type") != "array":
        return f"Address of {one}"
    if form.get("maxItems") == 1:
        return f"A list with the address of {one}"
    return f"Addresses of {_counted(form)}{several}"


def _counted(form: Schema) -> str:
    least, most = form.get("minItems"), form.get("maxItems")
    if most is None:
        return f"at least {least} " if least else ""
    if least == most:
        return f"exactly {most} "
    return f"{least} to {most} " if least else f"up to {most} "


def _text(form: Schema) -> str | None:
    if form.get("type") != "string" or "enum" in form:
        return None
    least, most = form.get("minLength"), form.get("maxLength")
    if most is not None:
        return f"Text of {f'{least:,} to' if least else 'at most'} {most:,} characters."
    return f"Text of at least {least:,} characters." if least else None


def _number(form: Schema) -> str | None:
    if form.get("type") not in {"integer", "number"} or "enum" in form:
        return None
    least, most = form.get("minimum"), form.get("maximum")
    if least is None or most is None:
        return None
    whole = form["type"] == "integer" or form.get("multipleOf") == 1
    return f"A {'whole ' if whole else ''}number from {least} to {most}."


def _list(form: Schema) -> str | None:
    if form.get("type") != "array" or "maxItems" not in form:
        return None
    return f"A list of {_counted(form)}entries."
