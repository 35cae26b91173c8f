"""Markdown that strangers' text can't get out of: plans, runs and edits as comments on pull requests.

In: their views; text from anywhere. Out: documents that fit into a comment. Touches nothing. What comes from
outside is in code spans and fenced blocks only, where a forge looks for no mentions, links or HTML; escapes
would be undone before it looks. A line never begins with what a CI server takes for a command.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from kiejobs.core.diagnostics import InvalidJobFile
from kiejobs.core.money import credits_text
from kiejobs.core.picks import YES
from kiejobs.core.plan.plan import Action
from kiejobs.reports.check_results import bad_lines
from kiejobs.reports.checks import breaches_text
from kiejobs.reports.diff import SIGNS, SameEdits, both_words, cut
from kiejobs.reports.picks import count_words
from kiejobs.reports.plan import needs_a_look, prices_words, schemas_words
from kiejobs.reports.run.view import JobStatus, doubt_steps, step_lines, steps_after
from kiejobs.reports.terminal import REHEARSED, Paint, few, inert, plural, sanitize, shortened, state_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kiejobs.core.diagnostics import Diagnostic, KiejobsError
    from kiejobs.reports.diff import DiffView, FieldEdit, Group
    from kiejobs.reports.plan import Notice, PlanRow, PlansView, PlanView
    from kiejobs.reports.run.view import JobView, RunView

LIMIT = 65_536
"""Characters that GitHub takes in a comment."""

LONG = 20
"""Lines up to which a table is not folded."""

_TICKS = re.compile("`+")
_LONGEST = 240  # columns of one code span


def code(text: str, columns: int = _LONGEST) -> str:
    """`text` as a code span, on one line. Backticks become a letter that looks like them."""
    shown = shortened(_inert(sanitize(text)), columns).replace("`", "\u02cb").strip()
    return f"`{shown}`" if shown else "`\u2423`"


def cell(text: str, columns: int = _LONGEST) -> str:
    r"""A code span for a table. `\|` is a bar there, so that no backslash may precede it."""
    return code(text, columns).replace("\\|", "\\ |").replace("|", "\\|")


def fenced(lines: Iterable[str], language: str = "") -> str:
    """A block of lines as they are; they must be clean."""
    text = "\n".join(map(_inert, lines))
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def folded(summary: str, content: str) -> str:
    """Behind a line to click on; `summary` is ours."""
    return f"<details>\n<summary>{summary}</summary>\n\n{content}\n\n</details>"


def marker(kind: str, campaign: str | None, file: str | None) -> str:
    """A line that nobody sees: what a comment is of, so that the next one takes its place.

    `<!-- kiejobs plan: CAMPAIGN FILE -->`, the same for the same job file, percent-encoded where need
    be: nothing in it can end the comment.
    """
    shown = [quote(one, safe="/", errors="surrogatepass") for one in (campaign, file) if one]
    return f"<!-- kiejobs {kind}: {' '.join(shown).replace('--', '-%2D')} -->"


def fitting(texts: Iterable[str], characters: int) -> tuple[list[str], int]:
    """The first texts that fit, and how many were cut: the first that doesn't fit ends it, without holes."""
    kept: list[str] = []
    left_out_ = 0
    for text in texts:
        if left_out_ or len(text) >= characters:
            left_out_ += 1
        else:
            characters -= len(text) + 1
            kept.append(text)
    return kept, left_out_


def table(head: Sequence[str], aligned: str, rows: Iterable[str], characters: int, noun: str) -> str:
    """All rows that there is room for, folded where they are many, and how many were left out.

    `aligned` is the line below the head; `noun` names a row. Empty without rows.
    """
    kept, more = fitting(rows, characters)
    if not kept and not more:
        return ""
    text = "\n".join(["| " + " | ".join(head) + " |", aligned, *kept]) + left_out(kept, more, noun)
    count = len(kept) + more
    return text if count <= LONG else folded(f"{count:,} {noun}s", text)


def left_out(kept: Sequence[str], count: int, noun: str) -> str:
    left = plural(count, f"more {noun}" if kept else noun)
    return f"\n\n*{left} left out: too long for a comment.*" if count else ""


def _inert(text: str) -> str:
    """No command in a log, no marker."""
    return inert(text).replace("<!--", "<! --")


# --- a plan ---------------------------------------------------------------------------------------

_ADDRESS = 160
_DETAIL = 120
_PRICES = 400
_BROKEN = 4_000  # characters for rules of a policy
_PLAN_ROWS = 28_000  # for the table
_PLAN_DIFFS = 16_000  # for what differs
_GUARDS = 6_000  # for changes to what guards the spending
_CHOICE = 6_000  # for what people decided
_DOUBTS = 5_000  # for what is in doubt
_DOUBTED = 10  # jobs of it
_PLAN = 60_000  # for all of one plan
_MARGIN = 500  # for what is added on the way
_SOME = 10  # files that are named
_BEWARE = "\u26a0\ufe0f "


def plan_markdown(view: PlanView) -> str:
    """What a merge would buy. What is done already is counted and not listed."""
    mark = REHEARSED if view.rehearsal else ""
    heading = f"### kiejobs plan: {code(view.campaign)}{mark}"
    digest = f"Digest: `{view.totals.digest}`" if view.submits else ""
    parts = [f"{marker('plan', view.campaign, view.file)}\n{heading}", *_plan_parts(view, digest=digest)]
    return _document(parts)


def plans_markdown(plans: PlansView, place: str = ".", commit: str | None = None) -> str:
    """Several files' plans as one comment, its marker with the project's `place` in the repository.

    First what no cut reaches: the total, what the policy refuses, which files have no plan. Then what there is room
    for; the rest is counted.
    """
    whole, mark = plans.whole, REHEARSED if plans.whole.rehearsal else ""
    top = [
        f"{marker('plan', None, place)}\n### kiejobs plan{mark}",
        _headline(plans),
        _guards(whole),
        "\n".join(map(_notice, whole.notices)) if len(plans.views) > 1 else "",
        _refusing(plans.views),
        *_without_plan(plans.refused),
    ]
    digest = f"Digest over all: `{whole.totals.digest}`" if whole.submits and not plans.refused else ""
    board = f"[Storyboard]({plans.storyboard})" if plans.storyboard else ""
    bottom = [board, digest, f"<sub>Planned at {code(commit)}.</sub>" if commit else ""]
    room = LIMIT - len(_document([*top, *bottom])) - _MARGIN
    return _document([*top, *_sections(plans.views, room), *bottom])


def _headline(plans: PlansView) -> str:
    whole, count = plans.whole, len(plans.views)
    if not count and not plans.refused:
        return "**Nothing to buy**: there is no job file to plan."
    buys = f"+{plural(whole.submits, 'job')}, {whole.price}" if whole.submits else "Nothing to buy"
    return f"**{'; '.join([buys, *whole.counts])}** in {plural(count, 'job file')}{f'; {plans.shared}' if plans.shared else ''}"


def _refusing(views: Sequence[PlanView]) -> str:
    names = [code(view.file, _DETAIL) for view in views if view.broken]
    if not names:
        return ""
    return f"\u26d4 **Policy**: a run would refuse {few(names, _SOME)}, and buy nothing."


def _without_plan(refused: Sequence[tuple[str, KiejobsError]]) -> Iterator[str]:
    if not refused:
        return
    yield f"\u274c **No plan** for {few([code(name, _DETAIL) for name, _ in refused], _SOME)}: a run would buy nothing."
    lines = [line for name, error in refused[:_SOME] for line in _why(name, error)]
    kept, more = fitting((shortened(line, _ADDRESS * 2) for line in lines), _BROKEN)
    yield fenced(kept, "text") + left_out(kept, more, "line")


def _why(name: str, error: KiejobsError) -> Iterator[str]:
    if not isinstance(error, InvalidJobFile):
        yield f"{sanitize(name)}: {sanitize(error.message)}"
        return
    for problem in error.problems:
        yield f"{sanitize(str(problem.place or name))}: {sanitize(problem.message)}"


def _sections(views: Sequence[PlanView], room: int) -> Iterator[str]:
    """What is to be done by each file, all by the same measure; in one line those that want nothing."""
    busy = [view for view in views if view.totals.pending or view.broken or view.doubts or view.choice]
    quiet = [code(view.file, _DETAIL) for view in views if view not in busy]
    idle = f"Nothing to do: {few(quiet, _SOME)}." if quiet else ""
    room -= len(idle)
    share = room / len(busy) / _PLAN if busy else 1.0
    plain = (replace(view, guards=()) for view in busy)  # they are at the top
    sections = (
        _document([f"#### {code(view.file)}: {code(view.campaign)}", *_plan_parts(view, min(share, 1.0))])
        for view in plain
    )
    kept, more = fitting(sections, room)
    yield from (text.rstrip("\n") for text in kept)
    yield left_out(kept, more, "plan").lstrip("\n")
    yield idle


def _plan_parts(view: PlanView, share: float = 1.0, digest: str = "") -> list[str]:
    """`share` is how much of a comment there is for it."""
    buys = f"+{plural(view.submits, 'job')}, {view.price}" if view.submits else "Nothing to buy"
    listed = [row for row in view.rows if row.change.action is not Action.KEEP]
    head, aligned = (" ", "job", "reason", "credits"), "| :-: | :-- | :-- | --: |"
    blocks = ("\n".join(_plan_diff(rows)) for rows in _same_edits(view.rows))
    own = (
        f"Schemas of this project's own: {schemas_words(view.own_schemas, code)}." if view.own_schemas else ""
    )
    return [
        f"**{'; '.join([buys, *view.counts])}**",
        f"{_jobs(view)}{_prices(view)}",
        _guards(view),
        "\n".join(map(_notice, view.notices)),
        _broken(view.broken, int(_BROKEN * share)),
        table(head, aligned, map(_plan_row, listed), int(_PLAN_ROWS * share), "line"),
        _differences(blocks, int(_PLAN_DIFFS * share), "edit", "What differs:"),
        _choice(view, int(_CHOICE * share)),
        _in_doubt(view, int(_DOUBTS * share)) if view.doubts else "",
        digest,
        own,
    ]


def _jobs(view: PlanView) -> str:
    """What became of the number of jobs, against what earlier runs know."""
    count, new = view.totals.actions, view.reasons[Action.SUBMIT, "new"]
    orphans = count[Action.ORPHAN]
    wanted = sum(count.values()) - orphans
    known = wanted - new + orphans
    if not known:
        return f"{plural(wanted, 'job')}, none of them known from an earlier run."
    edits = (
        (new, "new"),
        (view.reasons[Action.SUBMIT, "input_changed"], "changed"),
        (count[Action.ADOPT], "moved"),
        (orphans, "no longer wanted"),
    )
    edited = ", ".join(f"{number:,} {words}" for number, words in edits if number)
    return f"{plural(wanted, 'job')} now, {known:,} before: {edited or 'the same'}."


def _prices(view: PlanView) -> str:
    if not (view.prices and view.submits):
        return ""
    mark = _BEWARE if needs_a_look(view.prices) else ""
    return f" {mark}Prices: {code(prices_words(view.prices), _PRICES)}."


def _guards(view: PlanView) -> str:
    """What guards the spending and changed: never cut without a count."""
    kept, more = fitting((f"- {_BEWARE}{code(line)}" for line in view.guards), _GUARDS)
    if not kept and not more:
        return ""
    since = f"**{plural(len(view.guards), 'change')} to what guards the spending**, since {code(view.base or '')}:"
    return "\n".join([since, "", *kept]) + left_out(kept, more, "change")


def _notice(one: Notice) -> str:
    mark = _BEWARE if one.is_loud or one.command else ""
    where = ", see below" if one.command else ""
    return f"- {mark}**{one.title}**{one.message}{where}."


def _choice(view: PlanView, characters: int) -> str:
    """What people picked and rejected, and which picks this plan would replace."""
    if not view.choice:
        return ""
    picked = {one.pick.address for one in view.choice if one.word == YES}
    replaced = [row.change.address for row in view.rows if row.change.spends]
    again = [code(address, _ADDRESS) for address in replaced if address in picked]
    lines = [f"**Picks**: {count_words(one.word for one in view.choice) or 'notes only'}."]
    lines += [f"{_BEWARE}Replaces what was picked: {few(again, _SOME)}."] if again else []
    rows = (f"| {cell(one.pick.address, _ADDRESS)} | {cell(one.text, _CELL)} |" for one in view.choice)
    return "\n\n".join([*lines, table(("job", "choice"), "| :-- | :-- |", rows, characters, "decision")])


def _in_doubt(view: PlanView, characters: int) -> str:
    flag = sanitize(view.flag)
    blocks = []
    for step in doubt_steps(view.doubts[:_DOUBTED], flag):
        heading = shortened(f"# {sanitize(step.address or '')}: {step.message}", _ADDRESS * 2)
        blocks.append("\n".join([heading, *step.commands]))
    kept, _ = fitting(blocks, characters)
    more = view.totals.in_doubt - len(kept)
    status = code(f"kiejobs status{flag}")
    rest = f"\n\n*{more:,} more in doubt: {status} shows them all.*" if more > 0 else ""
    return (
        "In doubt: look for the request in the vendor's task log. `--task` with the id that you "
        f"find there, `--lost` where nothing was made.\n\n{fenced(kept, 'sh')}{rest}"
    )


def _broken(breaches: Sequence[Diagnostic], characters: int) -> str:
    if not breaches:
        return ""
    lines = breaches_text(breaches).split("\n")
    kept, more = fitting((shortened(line, _ADDRESS * 2) for line in lines), characters)
    rules = fenced(kept, "text") + left_out(kept, more, "rule")
    return f"\u26d4 **Policy**: a run would refuse this plan and buy nothing.\n\n{rules}"


def _plan_row(row: PlanRow) -> str:
    change = row.change
    why = f"{row.reason}<br>{cell(row.remark, _DETAIL)}" if row.remark else row.reason
    price = credits_text(change.credits) if change.spends else ""
    return f"| {change.sign} | {cell(change.address, _ADDRESS)} | {why} | {price} |"


def _same_edits(rows: Iterable[PlanRow]) -> Iterable[Sequence[PlanRow]]:
    edits = SameEdits()
    groups: dict[object, list[PlanRow]] = {}
    for row in rows:
        if row.diff:
            groups.setdefault(edits.key(row.diff), []).append(row)
    return groups.values()


def _plan_diff(rows: Sequence[PlanRow]) -> Iterator[str]:
    yield from _headings([row.change.address for row in rows])
    for field in rows[0].diff or ():
        name = shortened(sanitize(field.field), _DETAIL)
        was, now = both_words(field)
        yield from (f"- {name}: {was}", f"+ {name}: {now}")


# --- a run, for a comment or a step's summary -----------------------------------------------------

_RUN_ROWS = 36_000  # characters for the table
_STEPS = 12_000  # for what there is to do
_CELL = 200
_STEP = 400

_RUN_SIGNS = {
    **dict.fromkeys(JobStatus, "\u23f3"),
    **dict.fromkeys((JobStatus.FAILED, JobStatus.REJECTED, JobStatus.GONE), "\u274c"),
    JobStatus.SUCCEEDED: "\u2705",
    JobStatus.IN_DOUBT: "\u2753",
}


def report_markdown(view: RunView) -> str:
    """The totals, a line for each job (what is well comes last), what there is to do."""
    campaign = view.manifest["campaign"]
    of = f" of {code(campaign)}" if campaign else ""
    mark = REHEARSED if view.rehearsal else ""
    unfit = view.unfit if view.checks else frozenset[str]()
    jobs = sorted(view.jobs, key=lambda job: job.status is JobStatus.SUCCEEDED and job.address not in unfit)
    head = (" ", "job", "state", "credits", "task, files")
    aligned = "| :-: | :-- | :-- | --: | :-- |"
    parts = [
        f"{marker('report', campaign, view.file)}\n### kiejobs run{of}{mark}",
        f"**{view.summary}**",
        *view.choice,
        *view.bought_summary,
        table(head, aligned, (_run_row(job, view) for job in jobs), _RUN_ROWS, "job"),
        _steps(view),
        f"Run {code(run_id)}" if (run_id := view.manifest["run_id"]) else "",
    ]
    return _document(parts)


def _run_row(job: JobView, view: RunView) -> str:
    sign = _RUN_SIGNS[job.status]
    credits_ = "" if job.charged is None else credits_text(job.charged)
    came = [job.job["task_id"], *(file["path"] for file in job.job["files"]), job.error, job.note]
    came += [job.decision.text] if job.decision else []
    came += bad_lines(view.checks.get(job.address, ()))
    cells = "<br>".join(cell(text, _CELL) for text in came if text)
    state = state_words(job.status)
    return f"| {sign} | {cell(job.address, _ADDRESS)} | {state} | {credits_} | {cells} |"


def _steps(view: RunView) -> str:
    lines = list(step_lines(steps_after(view), Paint(color=False)))[1:]  # the first is blank
    kept, more = fitting((shortened(line, _STEP) for line in lines), _STEPS)
    rest = ["", "...; `kiejobs report` shows the rest"] if more else []
    return fenced([*kept, *rest], "text") if kept else ""


# --- an edit --------------------------------------------------------------------------------------

_EDIT_ROWS = 20_000  # characters for the table
_EDIT_DIFFS = 36_000  # for what differs
_LINE = 2_000


def diff_markdown(view: DiffView, file: str) -> str:
    """`file` is the job file's name below the root."""
    when = f"{code(view.revision, 60)} (`{view.commit[:12]}`)"
    rows = [
        f"| {SIGNS[edit.kind]} | {cell(edit.address, _ADDRESS)} | {edit.kind}"
        f"{f'<br>from {cell(edit.source, _ADDRESS)}' if edit.source else ''} |"
        for edit in view.others
    ]
    blocks = ("\n".join(_group(group)) for group in view.groups)
    parts = [
        f"{marker('render', view.campaign, file)}\n### kiejobs render: {code(view.campaign)}",
        f"**{view.counts}** since {when}",
        "\n".join(f"- {line}" for line in view.remarks),
        _differences(blocks, _EDIT_DIFFS, "edit", "What differs:"),
        table((" ", "job", "edit"), "| :-: | :-- | :-- |", rows, _EDIT_ROWS, "job"),
    ]
    return _document(parts)


def _group(group: Group) -> Iterator[str]:
    yield from _headings(group.addresses)
    for one in group.shown:
        was, now = _both(one)
        name = shortened(sanitize(one.change.field), _ADDRESS)
        yield from (f"- {name}: {shortened(was, _LINE)}", f"+ {name}: {shortened(now, _LINE)}")


def _both(one: FieldEdit) -> tuple[str, str]:
    if one.pieces is None:
        return both_words(one.change)
    pieces = list(cut(one.pieces))
    was, now = ("".join(text for sign, text in pieces if sign != other) for other in "+-")
    return was, now


# --- what they have in common ---------------------------------------------------------------------


def _document(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


_FIRST = 3  # jobs of those that were edited in the same words


def _headings(addresses: Sequence[str]) -> Iterator[str]:
    for address in addresses[:_FIRST]:
        yield f"@@ {shortened(sanitize(address), _ADDRESS)} @@"
    more = len(addresses) - _FIRST
    if more > 0:
        yield f"@@ and {more:,} more, in the same words @@"


def _differences(blocks: Iterable[str], characters: int, noun: str, title: str) -> str:
    kept, more = fitting(blocks, characters)
    if not kept and not more:
        return ""
    text = fenced(kept, "diff") + left_out(kept, more, noun)
    many = plural(len(kept) + more, noun)
    return text if text.count("\n") <= LONG else folded(f"{title} {many}", text)
