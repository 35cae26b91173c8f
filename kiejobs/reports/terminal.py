"""Text made fit for a terminal: harmless, aligned, coloured where wanted. Text in, text out; touches nothing.

Job files and answers come from strangers: an escape sequence in a prompt could repaint what a person approves.
All that is shown goes through `sanitize` once; colour is added after that, and only repeats what words say.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partialmethod
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Detail(StrEnum):
    """How much is shown: what needs attention and one line; a table's sums; a page, where lines that are alike are one; every line."""

    LINE = "line"
    SUMMARY = "summary"
    PAGE = "page"
    FULL = "full"


REHEARSED = " - a rehearsal, nothing is paid"
"""Added to headlines, so that nobody takes a rehearsal's credits for money."""

_BLANK = frozenset("\t\n\v\f\r\x85\u2028\u2029")
_JOINERS = frozenset("\u200c\u200d")  # several scripts and emoji are spelled with them
_HIDDEN = frozenset({"Cc", "Cf", "Cs"})  # controls, invisible formats (bidi among them), surrogates
_NO_WIDTH = frozenset({"Mn", "Me", "Cf"})
_MARK = re.compile(r"##(?=\w*\[)")
_COMMAND = re.compile(r"(?:^|(?<=[\r\n]))(\s*)::")
# Compiled where they are used first: most commands break no line.
_PART_OF_A_WORD = r"\w+$"
_OURS = re.compile("\x1b\\[[0-9;]*m")
_GAP = r"\S {2,}(?=\S)"
_WORD = r"( *)([^ ]+)"
_ARGUMENT = r"""( *)((?:'[^']*'|"[^"]*"|[^ ])+)"""
_PART = r"[^,/&?;\u2e80-\U0003ffff]*[,/&?;\u2e80-\U0003ffff]|.+"
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")


def sanitize(text: str) -> str:
    r"""On one line, with each character that a terminal may obey spelled out: `\x1b`, `\u202e`."""
    if text.isprintable():
        return text
    return "".join(map(_harmless, text.replace("\r\n", "\n")))


def inert(text: str) -> str:
    """With nothing that a CI server takes for a command in its log: `##[…]` anywhere, `::` where a line begins.

    All that is printed goes through it, whoever wrote it; what is written to files stays as it is.
    """
    if "##" not in text and "::" not in text:
        return text
    return _COMMAND.sub(r"\1: :", _MARK.sub("## ", text))


def is_control(char: str) -> bool:
    """May a terminal obey this character, or hide it, or fail to encode it?"""
    return char in "\u2028\u2029" or (unicodedata.category(char) in _HIDDEN and char not in _JOINERS)


def _harmless(char: str) -> str:
    if char in _BLANK:
        return " "
    return char.encode("unicode_escape").decode() if is_control(char) else char


def width(text: str) -> int:
    """How many columns the text takes: CJK two each, combining marks and our colours none."""
    if "\x1b" in text:
        text = _OURS.sub("", text)
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.category(char) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Filled with blanks up to `columns`; a wider text is not cut."""
    if text.isascii() and "\x1b" not in text:
        return text.rjust(columns) if right else text.ljust(columns)
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def shortened(text: str, columns: int) -> str:
    """Cut to at most `columns` on the screen, with `…` where something is missing. Plain text only."""
    if len(text) <= columns // 2 or width(text) <= columns:
        return text
    kept, taken = [], 0
    for char in text:
        taken += _columns(char)
        if taken >= columns:
            break
        kept.append(char)
    return "".join(kept) + "…"


def shortened_at_word(text: str, columns: int) -> str:
    """As `shortened`, after a complete word where there is one."""
    cut = shortened(text, columns)
    if cut == text:
        return text
    kept = re.sub(_PART_OF_A_WORD, "", f"{cut[:-1]}{text[len(cut) - 1]}")[: len(cut) - 1].rstrip()
    return f"{kept}…" if kept else cut


def shortened_left(text: str, columns: int) -> str:
    """As `shortened`, with the end kept."""
    return shortened(text[::-1], columns)[::-1]


def columns(rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Lines with their cells below one another, two blanks apart; `right` names columns of numbers."""
    table = [list(row) for row in rows]
    widths = [max(map(width, cells)) for cells in zip_longest(*table, fillvalue="")]
    return [
        "  ".join(pad(cell, widths[at], right=at in right) for at, cell in enumerate(row)).rstrip()
        for row in table
    ]


def fit(text: str, wide: int | None) -> str:
    """Lines of at most `wide` columns, broken between words; a shown command so that it can still be copied.

    What goes on below a line is indented, as far as its last cell where that is near. A word that is wider than a
    line is broken after a comma or a slash; a URL, and what has neither, not at all.
    """
    if wide is None:
        return text
    lines = text.split("\n")
    return "\n".join(
        line if len(line) <= wide // 2 or width(line) <= wide else _broken(line, wide) for line in lines
    )


def _broken(line: str, wide: int) -> str:
    plain = _OURS.sub("", line)
    lead = len(plain) - len(plain.lstrip(" "))
    is_command = lead > 0 and plain[lead:].startswith("kiejobs ")
    cells = [gap.end() for gap in re.finditer(_GAP, plain) if lead < gap.end() <= wide // 3]
    hang = cells[-1] if cells else min(lead + (4 if is_command else 2), wide // 3)
    end, room = (" \\", wide - 2) if is_command else ("", wide)
    lines, taken, started = [""], 0, False
    for gap, word in re.findall(_WORD, line) if not is_command else re.findall(_ARGUMENT, line):
        for number, part in enumerate([word] if is_command else _parts(word, wide - hang)):
            blank = "" if number else gap
            if started and taken + len(blank) + width(part) > room:
                lines[-1] += end
                lines.append(" " * hang)
                taken, blank = hang, ""
            lines[-1] += blank + part
            taken += len(blank) + width(part)
            started = True
    return "\n".join(lines)


def _parts(word: str, room: int) -> list[str]:
    """A word that is wider than any line, where it may be broken; CJK is written without blanks."""
    return [word] if width(word) <= room or "://" in word else re.findall(_PART, word)


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: frozenset[int] = frozenset(),
    wide: int | None,
) -> list[str]:
    """`columns` below their heads. Where they are wider than `wide`, those with nothing in them are left out;
    where that does not help, each row is a name and what it has below it.
    """
    lines = columns([head, *rows], right=right)
    if wide is None or max(map(width, lines)) <= wide:
        return lines
    said = [at for at in range(len(head)) if not at or any(row[at] not in {"", "0", "-"} for row in rows)]
    lines = columns(
        [[row[at] for at in said] for row in (head, *rows)],
        right=frozenset(number for number, at in enumerate(said) if at in right),
    )
    if max(map(width, lines)) <= wide:
        return lines
    below = ["; ".join(f"{head[at]} {row[at]}" for at in said[1:] if row[at]) for row in rows]
    return ["", *(line for row, words in zip(rows, below, strict=True) for line in (row[0], f"  {words}"))]


def few(names: Sequence[str], most: int, comma: str = ", ") -> str:
    """`pour, steam, cup and 6 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return comma.join(names[:most]) + more


def quoted(word: str) -> str:
    """A word as it must be typed in a shell: addresses hold brackets."""
    return shlex.quote(sanitize(word))


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 job`, `4,000 jobs`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def moment(time: str | None, *, local: bool = False) -> str:
    """A journal's time for people: `2026-11-22 07:36:12 UTC`, or in the zone of this machine, `… 08:36:12 CET`."""
    found = _MOMENT.fullmatch(time or "")
    if not found:
        return sanitize(time or "an unknown time")
    if local:
        # There may be no such time, or none that the system can convert.
        with suppress(ValueError, OverflowError, OSError):
            return f"{datetime.fromisoformat(found[0]).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    return f"{found[1]} {found[2]} UTC"


# --- colour ---------------------------------------------------------------------------------------

_BOLD, _DIM = "1", "2"
_RED, _GREEN, _YELLOW, _BLUE, _CYAN = "31", "32", "33", "34", "36"
_LOUD = "1;35"

_STATUSES = {
    **dict.fromkeys(("+", "succeeded", "collected", "success"), _GREEN),
    **dict.fromkeys(("±", "-", "retrying", "not collected", "not submitted"), _YELLOW),
    **dict.fromkeys(("~", ">", "reserved", "submitting", "submitted", "running", "downloading"), _CYAN),
    **dict.fromkeys(("waiting", "queuing", "generating"), _CYAN),
    **dict.fromkeys(("!", "failed", "fail", "rejected", "gone"), _RED),
    **dict.fromkeys(("?", "in doubt"), _LOUD),
    **dict.fromkeys(("=", "ruled lost"), _DIM),
    "v": _BLUE,
}


@dataclass(frozen=True, slots=True, eq=False)
class Paint:
    """Colours text where `color` says so. Give it cleaned text only. `local`: times are those of this machine."""

    color: bool
    local: bool = False

    def moment(self, time: str | None) -> str:
        return moment(time, local=self.local)

    def _with(self, code: str | None, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code and text else text

    bold = partialmethod(_with, _BOLD)
    dim = partialmethod(_with, _DIM)
    good = partialmethod(_with, _GREEN)
    bad = partialmethod(_with, _RED)
    loud = partialmethod(_with, _LOUD)  # what costs money or may have: unknown prices, doubts
    error = partialmethod(_with, f"{_BOLD};{_RED}")
    warning = partialmethod(_with, f"{_BOLD};{_YELLOW}")
    gutter = partialmethod(_with, f"{_BOLD};{_BLUE}")

    def status(self, text: str, state: str | None = None) -> str:
        """A sign of the plan, or a state in words, as `state_words` has it; or a text that speaks of `state`."""
        return self._with(_STATUSES.get(state or text), text)


def state_words(state: str) -> str:
    """A state as people read it: `in doubt`."""
    return state.replace("_", " ")
