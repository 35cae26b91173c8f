"""The gallery's page: one HTML document that holds its styles, its script and its data, and asks nobody for anything.

In: the gallery's document. Out: HTML. Touches: the page's parts in the package, by reading.

The script is one inline module, its parts laid end to end: modules that import each other are refused by browsers
where a page is opened from disk. The policy of the page allows this script and these styles by their hashes and
nothing else, so strangers' text could run nothing even if it got out of where it belongs.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json

_SCRIPTS = (
    "base.js",
    "model.js",
    "grid.js",
    "tile.js",
    "filters.js",
    "picks.js",
    "panel.js",
    "player.js",
    "costs.js",
    "live.js",
    "keys.js",
    "start.js",
)
"""In this order: each uses what those before it define; the last one begins."""

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_HALF = re.compile("[\ud800-\udfff]")
_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
"""No text of the data may end its element, nor a line of it."""


def page_html(document: Mapping[str, Json], *, live: bool = False) -> str:
    """`live`: it is served by us, hears of changes and writes picks."""
    style, script = _part("gallery.css"), "".join(map(_part, _SCRIPTS))
    parts = {
        "policy": _policy(style, script, live=live),
        "title": html.escape(", ".join(document["campaigns"]) or "gallery"),
        "style": style,
        "script": script,
        "data": data_text({**document, "live": live}),
    }
    return _SLOT.sub(lambda slot: parts[slot[1]], _part("gallery.html"))


def data_text(document: Mapping[str, Json]) -> str:
    """JSON that can be part of a page; halves of characters, which UTF-8 can't hold, are spelled out."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).translate(_UNSAFE)
    return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _policy(style: str, script: str, *, live: bool) -> str:
    asks = "'self'" if live else "'none'"
    media = "'self' data: blob: file:"  # what lies next to the page, opened from disk too
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src {media}; "
        f"media-src {media}; connect-src {asks}; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _part(name: str) -> str:
    return files("kiejobs.reports.gallery").joinpath("page", name).read_text(encoding="utf-8")
