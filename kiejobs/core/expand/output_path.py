"""Where a job's file may go: always below the output folder.

In: the rendered `output:` template. Out: a relative path with `/`, or UnsafePath. Job files come from
strangers, so this is the first of two guards; the artifact store refuses links on the way as well.
Touches nothing.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST_PART = 220  # bytes: 255 less what an extension, `beside` and a partial file's ending take
_LONGEST_PATH = 1_000
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")
_UNFIT = frozenset('<>"|?*')  # what Windows takes in no name
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{n}{d}" for n in ("COM", "LPT") for d in range(1, 10))}


class UnsafePath(ValueError):
    """The path would leave the output folder or can't be a file's name everywhere."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def safe_output(text: str, extension: str) -> str:
    """The path below the output folder; a leading `outputs/` is taken as that folder itself.

    `extension` (with its dot) is added where the text has none. Raises UnsafePath.
    """
    path = unicodedata.normalize("NFC", text.strip())
    parts = path.split("/")
    if parts[0] == "outputs" and len(parts) > 1:
        parts = parts[1:]
    if path.startswith(("/", "~")) or "\\" in path or ":" in path:
        hint = "write a path with `/` below the output folder, like `{{ job }}/{{ axes }}`"
        raise UnsafePath(f"`output` must be a relative path: {path[:80]!r}", hint)
    for part in parts:
        _check_part(part, path)
    if len(path.encode(errors="surrogatepass")) > _LONGEST_PATH:
        raise UnsafePath("`output` gives a path of more than 1,000 bytes")
    stem, dot, ending = parts[-1].rpartition(".")
    if not (stem and _EXTENSION.fullmatch(dot + ending)):
        parts[-1] += extension  # `v1.5` and `.hidden` end in no extension
    if parts[-1].endswith(".part"):
        raise UnsafePath("`output` ends in .part, which is kept for files that are not whole yet")
    return "/".join(parts)


def _check_part(part: str, path: str) -> None:
    if part in {"", ".", ".."}:
        hint = "`..` and empty parts are not allowed; the file stays below the output folder"
        raise UnsafePath(f"`output` has a part {part!r} in {path[:80]!r}", hint)
    if any(unicodedata.category(char) in {"Cc", "Cs", "Cf"} for char in part):
        raise UnsafePath(f"`output` has a control character in {path[:80]!r}")
    if part != part.strip() or part.endswith("."):
        raise UnsafePath(
            f"`output` has a part that begins or ends in a blank, or ends in a dot: {part!r}"
        )
    unfit = sorted(_UNFIT.intersection(part))
    if unfit:
        shown = f"`{unfit[0]}`"
        raise UnsafePath(f"`output` has a {shown}, which some systems take in no name: {part!r}")
    if part.partition(".")[0].upper() in _RESERVED:
        raise UnsafePath(f"`output` has a part that some systems reserve: {part!r}")
    if len(part.encode(errors="surrogatepass")) > _LONGEST_PART:
        raise UnsafePath(f"`output` has a part of more than {_LONGEST_PART} bytes: {part[:40]!r}…")
