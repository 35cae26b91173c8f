"""A plan in several formats at once, in one walk: on stdout as it comes, in files at the end.

In: a plan's lines and totals, how each format begins. Out: pieces for stdout; files. Touches: disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kiejobs.adapters.git.repository import below_root
from kiejobs.app.approve import plan_file_keys
from kiejobs.app.plan import prices_of, usd_per_credit, widest_address
from kiejobs.reports.plan.markdown import PlanMarkdown
from kiejobs.reports.plan.notes import own_schemas_markdown, own_schemas_text
from kiejobs.reports.plan.text import PlanJson, PlanText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal
    from io import StringIO

    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.load import LoadedJobFile
    from kiejobs.app.project import Workspace
    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.plan.plan import Change, FieldChange, PlanTotals

FORMS = ("text", "json", "markdown")


class PlanFormat(Protocol):
    """A format: text before the lines, for each line, and after them."""

    def begin(self) -> str: ...
    def line(self, change: Change, diff: Sequence[FieldChange] | None) -> str: ...
    def end(self, totals: PlanTotals) -> str: ...


class PlanFormats:
    """Makes a plan's words. `broken` are the rules of a policy that the lines broke, once all were seen."""

    def __init__(
        self,
        loaded: LoadedJobFile,
        wanted: JobFileOptions,
        space: Workspace,
        left: Decimal | None,
        broken: Callable[[], Sequence[Diagnostic]],
    ) -> None:
        self._loaded = loaded
        self._wanted = wanted
        self._space = space
        self._left = left
        self._broken = broken
        self._prices = prices_of(loaded, space)

    def words(self, form: str, *, color: bool) -> PlanFormat:
        """For stdout."""
        if form == "json":
            return _Json(PlanJson(self._loaded.jobfile.campaign, self._prices))
        return self._markdown() if form == "markdown" else self._text(color=color)

    def file_words(self, form: str, retry: Sequence[str]) -> PlanFormat:
        """For a file. As JSON that is a plan file, which `run --plan` takes."""
        if form == "json":
            more = plan_file_keys(self._loaded, self._wanted, retry, self._space)
            return _Json(PlanJson(self._loaded.jobfile.campaign, self._prices, more))
        return self.words(form, color=False)

    def _text(self, *, color: bool) -> PlanFormat:
        loaded, space = self._loaded, self._space
        table = PlanText(
            color,
            widest_address(loaded),
            usd_per_credit(loaded),
            space.flag,
            rehearsal=space.sandbox,
            prices=self._prices,
        )
        return _Text(table, loaded, self._left)

    def _markdown(self) -> PlanFormat:
        loaded, space = self._loaded, self._space
        comment = PlanMarkdown(
            loaded.jobfile.campaign,
            below_root(self._wanted.file) or self._wanted.file,
            usd_per_credit(loaded),
            space.flag,
            rehearsal=space.sandbox,
            prices=self._prices,
        )
        return _Markdown(comment, loaded.own_schemas, self._left, self._broken)


class _Text:
    def __init__(self, table: PlanText, loaded: LoadedJobFile, left: Decimal | None) -> None:
        self._table = table
        self._campaign = loaded.jobfile.campaign
        self._own = own_schemas_text(loaded.own_schemas)
        self._left = left

    def begin(self) -> str:
        return f"{self._table.header()}\n"

    def line(self, change: Change, diff: Sequence[FieldChange] | None) -> str:
        return f"{self._table.line(change, diff or ())}\n"

    def end(self, totals: PlanTotals) -> str:
        left = self._left
        sums = self._table.footer(totals, campaign=self._campaign, budget_left=left)
        return f"{sums}\n{self._own}"


class _Json:
    def __init__(self, document: PlanJson) -> None:
        self.begin = document.header
        self.line = document.line
        self.end = document.footer


class _Markdown:
    def __init__(
        self,
        comment: PlanMarkdown,
        own: Mapping[str, bool],
        left: Decimal | None,
        broken: Callable[[], Sequence[Diagnostic]],
    ) -> None:
        self._comment = comment
        self._own = own_schemas_markdown(own)
        self._left = left
        self._broken = broken

    def begin(self) -> str:
        return ""

    def line(self, change: Change, diff: Sequence[FieldChange] | None) -> str:
        self._comment.add(change, diff or ())
        return ""

    def end(self, totals: PlanTotals) -> str:
        return self._comment.text(totals, self._left, self._broken()) + self._own


def told_at_once(
    shown: PlanFormat,
    kept: Sequence[tuple[PlanFormat, StringIO]],
    lines: Iterable[tuple[Change, Sequence[FieldChange] | None]],
    totals: Callable[[], PlanTotals],
) -> Iterator[str]:
    """What goes to stdout, piece by piece; beside it the same lines go into the texts of `kept`."""
    for words, text in kept:
        text.write(words.begin())
    yield shown.begin()
    for change, diff in lines:
        for words, text in kept:
            text.write(words.line(change, diff))
        yield shown.line(change, diff)
    for words, text in kept:
        text.write(words.end(totals()))
    yield shown.end(totals())
