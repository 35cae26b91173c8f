"""What a model makes, by what its page says of itself.

In: the model's id, the operation's words, the fields. Out: media type and extension, as
`x-kiejobs-output` has them. Touches nothing.
"""

from __future__ import annotations

import re
from typing import Any

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
# From the surest sign to the weakest; each looks at the model's id, then at the operation's words.
_SIGNS = (
    ("json", r"(?:speech|audio|video|image)-to-text|transcri|\bocr\b"),
    (
        "audio",
        r"text-to-(?:speech|dialogue|music|audio|sound)|audio-isolation|voice-?clon|sound-effect|\btts\b",
    ),
    ("video", r"-?to-?video\b|[a-z]2v\b|video-edit|video-upscale|\bvideo\b"),
    (
        "image",
        r"-?to-?image\b|image-edit|image-upscale|remove-background|\bimage\b|inpaint|upscale",
    ),
    ("video", r"video models|animate|motion|avatar|lip-?sync"),
    ("image", r"image\s+models|photo|picture"),
    ("audio", r"(?:music|audio|voice|speech) models|music|speech"),
)


def output_of(model: str, words: str, prose: str, fields: Schema) -> tuple[Schema, str | None]:
    """`x-kiejobs-output`, and a note where it is a guess."""
    for text in (model, words):
        flat = re.sub(r"[_\s]+", "-", text.lower()) + " " + re.sub(r"\s+", " ", text.lower())
        for kind, sign in _SIGNS:
            if re.search(sign, flat):
                return _as_asked(kind, fields), None
    guess = next((kind for kind in ("video", "image", "audio") if kind in prose.lower()), "video")
    return _as_asked(guess, fields), f"nothing on the page says what it makes; taken for {guess}"


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
