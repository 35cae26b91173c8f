"""What a model makes, by what its page says of itself.

In: a request as a page describes it, its fields. Out: media type and extension, as
`x-kiejobs-output` has them. Touches nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiejobs.importer.reading.openapi import ApiRequest

Schema = dict[str, Any]

_ASKED = "output_format"
_OUTPUTS = {
    "video": ("video/mp4", ".mp4"),
    "image": ("image/png", ".png"),
    "audio": ("audio/mpeg", ".mp3"),
    "json": ("application/json", ".json"),
}
_FORMATS = {
    "png": ("image/png", ".png"),
    "jpg": ("image/jpeg", ".jpg"),
    "jpeg": ("image/jpeg", ".jpg"),
    "webp": ("image/webp", ".webp"),
    "mp4": ("video/mp4", ".mp4"),
    "mov": ("video/quicktime", ".mov"),
    "mp3": ("audio/mpeg", ".mp3"),
    "wav": ("audio/wav", ".wav"),
}
# From the surest sign to the weakest. Each tier looks at the model's id first, then at the words.
_TIERS = (
    (
        ("json", r"-to-text\b|transcri|\bocr\b"),
        (
            "audio",
            r"-to-(?:speech|dialogue|music|audio|sound)|audio-isolation|sound-effect|\btts\b",
        ),
        ("video", r"-to-video\b|\b[a-z]2v\b|video-?edit"),
        ("image", r"-to-image\b|image-?edit|remove-background"),
    ),
    (
        ("video", r"\bvideos?\b"),
        ("image", r"\bimages?\b"),
        ("audio", r"(?:music|audio|voice|speech)-+models"),
    ),
    (
        ("video", r"animate|motion|avatar|lip-?sync|storyboard"),
        ("image", r"upscale|inpaint|photo|picture"),
        ("audio", r"music|speech|voice"),
    ),
)
_SHOWN = (
    ("json", r"resultObject"),
    ("video", r"\.(?:mp4|mov|webm)\b"),
    ("image", r"\.(?:png|jpe?g|webp)\b"),
    ("audio", r"\.(?:mp3|wav|m4a)\b"),
)
_BLANKS = re.compile(r"[_\s]+")


def output_of(request: ApiRequest, fields: Schema) -> tuple[Schema, str | None]:
    """`x-kiejobs-output`, and a note where it is a guess."""
    texts = [_BLANKS.sub("-", text.lower()) for text in (request.model, request.words)]
    for tier in _TIERS:
        for text in texts:
            kind = _first(tier, text)
            if kind is not None:
                return _as_asked(kind, fields), None
    shown = _first(_SHOWN, request.answer)
    if shown is not None:
        return _as_asked(shown, fields), None
    prose = request.prose.lower()
    guess = next((kind for kind in ("video", "image", "audio") if kind in prose), "video")
    return _as_asked(guess, fields), f"nothing on the page says what it makes; taken for {guess}"


def _first(signs: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((kind for kind, sign in signs if re.search(sign, text)), None)


def _as_asked(kind: str, fields: Schema) -> Schema:
    """A field for the format says it nearer: for its default, and for each value that it takes."""
    output = _as_output(_OUTPUTS[kind])
    field = fields.get(_ASKED, {})
    forms = {
        value: _as_output(_FORMATS[value.lower()])
        for value in field.get("enum", ())
        if isinstance(value, str) and _FORMATS.get(value.lower(), ("",))[0].startswith(kind)
    }
    if not forms:
        return output
    return {**output, **forms.get(field.get("default"), {}), "by": _ASKED, "forms": forms}


def _as_output(form: tuple[str, str]) -> Schema:
    return {"media_type": form[0], "extension": form[1]}
