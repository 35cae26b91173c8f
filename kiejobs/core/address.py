"""A job's stable human name: `campaign/job[duration=5,resolution=720p]`, `#2` for the second take.

In: names and axis values. Out: addresses, labels and default file paths. Positions never enter an
address, so that inserting a value renames nothing. Touches nothing.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kiejobs.core.fingerprint import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.document.nodes import Json

_LONGEST_LABEL = 48
_KEPT_OF_A_LONG_LABEL = 32
_LONGEST_STEM = 200  # bytes; file systems take 255 for a complete name
_SAFE = frozenset("._-+")
IS_LABEL = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,47}")
"""What stays what it is, decided at once: a table may name a million rows."""


def label(value: Json) -> str | None:
    """An axis value as it is written in an address, or None where a mapping has no `id` and no `name`.

    Letters and digits of any script stay; everything else is percent-encoded, so that a label never
    holds what an address or a path is made of. A long one is cut and gets eight digits of its hash.
    """
    named = label_source(value)
    if named is None:
        return None
    text = named if isinstance(named, str) else canonical(named).decode()
    if IS_LABEL.fullmatch(text):
        return text
    text = unicodedata.normalize("NFC", text)
    encoded = "".join(char if char in _SAFE or char.isalnum() else _percent(char) for char in text)
    if len(encoded) <= _LONGEST_LABEL and encoded not in {"", ".", ".."}:
        return encoded
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{encoded[:_KEPT_OF_A_LONG_LABEL].rstrip('%.')}~{digest}"


def read_label(text: str) -> str:
    """A label as it is read: without percent-encoding. A character that a long one is cut in is left out."""
    return unquote(text, errors="ignore") if "%" in text else text


def address(campaign: str, job: str, axes: str, take: int = 1) -> str:
    """`axes` as `axes_text` makes them."""
    return f"{campaign}/{job}{f'[{axes}]' if axes else ''}{f'#{take}' if take > 1 else ''}"


def axes_text(axes: Sequence[tuple[str, str]]) -> str:
    """(name, label) pairs in any order; they are sorted by name here."""
    return ",".join(f"{name}={value}" for name, value in sorted(axes))


def default_output(campaign: str, job: str, axes: str, take: int, extension: str) -> str:
    """`<campaign>/<job>/<axes>.mp4`, below the output folder; without axes the job's name is used."""
    stem = axes or job
    if len(stem.encode()) > _LONGEST_STEM:
        stem = f"{stem[:_KEPT_OF_A_LONG_LABEL]}~{hashlib.sha256(stem.encode()).hexdigest()[:16]}"
    return f"{campaign}/{job}/{stem}{f'-take{take}' if take > 1 else ''}{extension}"


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode(errors="surrogatepass"))


def label_source(value: Json) -> Json:
    """What names an axis value in the address: itself, or a mapping's `id`, or its scalar `name`."""
    if not isinstance(value, dict):
        return value
    for key in ("id", "name"):
        if isinstance(value.get(key), str | int | float) and not isinstance(value.get(key), bool):
            return value[key]
    return None
