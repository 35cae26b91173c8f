"""What `models sync` shows before it writes, and the document of it.

In: a `SyncView`. Out: text; the document of schemas/documents/models-sync.schema.json. Touches nothing.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.core.money import credits_text, money_or_null
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.model_pages.pages import check_document, model_lines, status_counts
from kiejobs.reports.models import price_document, price_range
from kiejobs.reports.terminal import Paint, few, plural, sanitize, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.prices.table import ModelPrice
    from kiejobs.reports.model_pages.pages import CheckedModel

_MOST = 20  # lines of one kind
_MOST_NAMED = 3  # models that have one note
_LONGEST = 400  # columns of the vendor's words
_WIDE = 100
_SHORT = 12  # digits of a fingerprint


@dataclass(frozen=True, slots=True)
class JobEffect:
    """One job, before and after. No fingerprint after where it can't be made any more."""

    address: str
    was: str
    now: str | None
    credits_was: Decimal | None
    credits_now: Decimal | None


@dataclass(frozen=True, slots=True)
class FileEffect:
    """One job file that uses what changes. `problems` are new errors; `jobs` those that become others."""

    file: str
    problems: tuple[str, ...] = ()
    jobs: tuple[JobEffect, ...] = ()


@dataclass(frozen=True, slots=True)
class PriceNews:
    """A price in the vendor's words. `was` is in use; `now` is set where the words are certain; `confirmed`: the same, of
    today; `kept`: what is in use was written by a person, and stays.
    """

    model: str
    text: str
    was: ModelPrice | None
    now: ModelPrice | None = None
    confirmed: bool = False
    kept: bool = False

    @property
    def is_news(self) -> bool:
        return self.now is not None and not self.kept


@dataclass(frozen=True, slots=True)
class SyncView:
    """`models` as `models check` compares them; `in_prose` prices are in words only, of which `prices` has those of
    models in use; `gone` are models in use that the vendor does not list, of which job files use `left`, which were
    listed before; `skipped` are sold by other routes.
    """

    origin: str
    models: Sequence[CheckedModel]
    prices: Sequence[PriceNews]
    in_prose: int
    files: Sequence[FileEffect]
    gone: Sequence[str]
    left: Sequence[str]
    skipped: int
    problems: Sequence[str]
    written: list[str] = field(default_factory=list)

    @property
    def is_news(self) -> bool:
        """Is there something to write?"""
        return any(one.status != "unchanged" for one in self.models) or any(
            one.is_news for one in self.prices
        )


def sync_text(view: SyncView, *, color: bool = False, full: bool = False) -> str:
    """Models, prices, job files, what is wrong; then a line that counts. `full`: all notes."""
    paint = Paint(color)
    blocks = [list(model_lines(one, paint)) for one in view.models if one.status not in {"unchanged", "new"}]
    fresh = [one.model for one in view.models if one.status == "new"]
    blocks += _section("New here", _names(fresh), paint)
    notes = [_note(*one) for one in _notes(view.models).items()]
    blocks += _section("Notes", notes if full else _cut(notes), paint)
    blocks += _section("Prices", [line for one in view.prices for line in _price(one, paint)], paint)
    blocks += _section("Job files", [line for one in view.files for line in _file(one, paint)], paint)
    never = [one for one in view.gone if one not in view.left]
    blocks += _section("Left the vendor's list, and job files use them", _names(view.left), paint)
    blocks += _section("Not in the vendor's list", _names(never), paint)
    problems = [f"  {sanitize(one)}" for one in view.problems]
    blocks += _section("Could not be read", _cut(problems), paint)
    blocks += _section("Written", [f"  {sanitize(name)}" for name in view.written], paint)
    return "\n\n".join("\n".join(block) for block in [*blocks, [_sum(view)]])


def _section(title: str, lines: Sequence[str], paint: Paint) -> list[list[str]]:
    return [[paint.bold(title), *lines]] if lines else []


def _notes(models: Sequence[CheckedModel]) -> dict[str, list[str]]:
    """How models that change were read: each note once, with the models that it is of."""
    notes: dict[str, list[str]] = {}
    for one in models:
        for note in one.notes if one.status != "unchanged" else ():
            notes.setdefault(note, []).append(one.model)
    return notes


def _note(note: str, models: Sequence[str]) -> str:
    return f"  {sanitize(few(models, _MOST_NAMED))}: {sanitize(note)}"


def _names(models: Sequence[str]) -> list[str]:
    return _wrapped(", ".join(map(sanitize, models)))


def _price(one: PriceNews, paint: Paint) -> Iterator[str]:
    was = f"{price_range(one.was)} (as of {sanitize(one.was.date)})" if one.was else "no price here"
    name = sanitize(one.model)
    if one.now is None:
        yield f"  {name}: {was}; the vendor's words are not certain, so it stays:"
        yield from _wrapped(sanitize(shortened(" ".join(one.text.split()), _LONGEST)), "    ")
    elif one.kept:
        yield f"  {name}: {was} was written by hand, so it stays; the vendor's is {price_range(one.now)}"
    elif one.confirmed:
        yield f"  {name}: {price_range(one.now)}, as before"
    else:
        yield f"  {name}: {paint.good(price_range(one.now))}, was {was}"


def _file(one: FileEffect, paint: Paint) -> Iterator[str]:
    yield f"  {sanitize(one.file)}"
    yield from _cut([f"    {paint.error('error')}: {sanitize(problem)}" for problem in one.problems])
    yield from _cut([f"    {sanitize(job.address)}: {_job(job)}" for job in one.jobs])


def _job(job: JobEffect) -> str:
    if job.now is None:
        return "can't be made any more"
    words = []
    if job.now != job.was:
        words.append(f"another request ({job.was[:_SHORT]} -> {job.now[:_SHORT]}): a run would buy it again")
    if job.credits_now != job.credits_was:
        words.append(f"{credits_text(job.credits_now)} credits, was {credits_text(job.credits_was)}")
    return "; ".join(words)


def _sum(view: SyncView) -> str:
    parts = status_counts(view.models)
    prices = sum(one.is_news for one in view.prices)
    parts += [f"{plural(prices, 'new price')}"] if prices else []
    parts += [f"{plural(view.in_prose, 'price')} in words only"] if view.in_prose else []
    parts += [f"{view.skipped} not sold as jobs"] if view.skipped else []
    parts += [plural(len(view.problems), "problem")] if view.problems else []
    return f"{plural(len(view.models), 'model')} compared with {view.origin}: {', '.join(parts) or 'nothing'}"


def _cut(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _MOST
    return [*lines[:_MOST], *([f"    and {more:,} more"] if more > 0 else [])]


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, _WIDE, initial_indent=indent, subsequent_indent=indent)


def sync_document(view: SyncView) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "origin": view.origin,
        "changes": view.is_news,
        "models": check_document(view.models, ())["models"],
        "notes": [{"note": note, "models": models} for note, models in _notes(view.models).items()],
        "prices": [
            {
                "model": one.model,
                "words": one.text,
                "was": price_document(one.was),
                "now": price_document(one.now),
                "kept": one.kept,
            }
            for one in view.prices
        ],
        "prices_in_words_only": view.in_prose,
        "job_files": [
            {"file": one.file, "problems": list(one.problems), "jobs": list(map(_job_document, one.jobs))}
            for one in view.files
        ],
        "not_listed": list(view.gone),
        "left": list(view.left),
        "problems": list(view.problems),
        "written": list(view.written),
    }


def _job_document(job: JobEffect) -> Json:
    return {
        "address": job.address,
        "fingerprint": {"was": job.was, "now": job.now},
        "credits": {"was": money_or_null(job.credits_was), "now": money_or_null(job.credits_now)},
    }
