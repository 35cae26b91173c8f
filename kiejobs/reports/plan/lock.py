"""What `lock`, `--locked` and `--check-assets` have to say, for people.

In: a lock, differences in words, what is wrong with files. Out: text. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.urls import bare
from kiejobs.reports.paint import Paint
from kiejobs.reports.terminal import plural, sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.core.plan.lock_file import Lock

_MOST = 50  # lines; of 4,000 jobs that changed together the first ones say it


def locked_text(path: str, lock: Lock, *, written: bool) -> str:
    """What is in the lock, and what is not."""
    said = f"{'wrote' if written else 'unchanged:'} {sanitize(path)}: {_content(lock)}"
    open_ = [name for name, asset in lock.images.items() if asset is None]
    if open_:
        said += f"\n{plural(len(open_), 'image')} not fetched; --check-assets locks the bytes too"
    return said


def changes_text(found: Sequence[str], *, color: bool = False) -> str:
    """One line for each difference, the first ones where there are many."""
    return _lines("locked", found, color=color)


def assets_text(wrong: Mapping[str, str], *, color: bool = False) -> str:
    """One line for each file that can't be used."""
    return _lines("file", [f"{_shown(url)}: {why}" for url, why in wrong.items()], color=color)


def _content(lock: Lock) -> str:
    counted = (
        (lock.jobs, "job"),
        (lock.models, "model"),
        (lock.templates, "template"),
        (lock.data_files, "table"),
        (lock.vars_files, "variables file"),
        (lock.variables, "variable"),
        (lock.images, "image"),
    )
    return ", ".join(plural(len(things), noun) for things, noun in counted if things)


def _lines(lead: str, found: Sequence[str], *, color: bool) -> str:
    paint = Paint(color)
    lines = [f"{paint.error(lead)}: {sanitize(line)}" for line in found[:_MOST]]
    if len(found) > _MOST:
        lines.append(f"... and {len(found) - _MOST:,} more")
    return "\n".join(lines)


def _shown(url: str) -> str:
    return bare(url)[:200]
