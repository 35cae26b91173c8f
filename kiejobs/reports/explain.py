"""One line of the plan, explained: why it is so, what was bought before, what would change it.

In: an `ExplainView`. Out: text; the document of schemas/documents/explain.schema.json. Touches nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kiejobs.core.money import money_or_null, price_text
from kiejobs.core.plan.plan import Action
from kiejobs.reports.diff import diff_lines
from kiejobs.reports.documents import FORMAT_VERSION, attempt_document, diff_document
from kiejobs.reports.picks import decision_document
from kiejobs.reports.plan import price_entry, prices_words
from kiejobs.reports.run.view import doubt_steps
from kiejobs.reports.terminal import Paint, columns, quoted, sanitize, shortened, state_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.job import LocalFile
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.plan.plan import Change, FieldChange
    from kiejobs.core.prices.table import AgedPrice
    from kiejobs.reports.picks import Decision

_LONGEST = 160

_WHY = {
    "new": "nothing was bought for this address, and this request was never bought",
    "input_changed": "the request differs from what was bought under this address",
    "retry_failed": "it failed before, and you asked for another try",
    "retry_gone": "its result is gone at the vendor, and you asked to buy it again",
    "result_gone": "it was bought and made, but its result is no longer available",
    "in_flight": "it was submitted and has not settled",
    "in_doubt": "it was sent and the answer is unknown; nothing is bought here until it is resolved",
    "file_missing": "it was bought and made, but its file is not here",
    "file_damaged": "it was bought and made, but its file is not what was collected",
    "done": "it was bought, and its files are here and complete",
    "failed": "it failed, and is not bought again automatically",
    "moved_from": "the same request was bought under a name that is no longer wanted",
    "no_longer_wanted": "it was bought, and the job file no longer has it",
}

_BUYS = "`run` would buy it for {price}."
_NEXT: dict[str, tuple[str, tuple[str, ...]]] = {
    "retry_failed": (_BUYS, ("{this} --retry failed{flag}",)),
    "retry_gone": (_BUYS, ("{this} --retry gone{flag}",)),
    Action.SUBMIT: (_BUYS, ("{this}{flag}",)),
    "in_doubt": ("Look for it in the vendor's task log, then resolve it: with its task id, or as lost.", ()),
    "result_gone": (
        "Nothing would be bought. `collect` asks for it again; buy the same again with:",
        ("kiejobs collect{flag}", "{this} --retry gone{flag}"),
    ),
    "failed": (
        "Nothing would be bought. Change the input, or buy the same again with:",
        ("{this} --retry failed{flag}",),
    ),
    Action.HOLD: (
        "Another run is submitting it now; look again when that has ended.",
        ("kiejobs status{flag}",),
    ),
    Action.RESUME: ("`run` or `collect` would wait for it, at no cost.", ("kiejobs collect{flag}",)),
    Action.COLLECT: (
        "`run` or `collect` would fetch the file again, at no cost.",
        ("kiejobs collect{flag}",),
    ),
    Action.ADOPT: ("`run` would record its new address, at no cost.", ("{this}{flag}",)),
    Action.ORPHAN: ("Nothing would be done: it is reported, and never deleted.", ()),
    Action.KEEP: ("Nothing would be done. To buy another one, write `takes: 2` in the job file.", ()),
}
"""What `run` would do with a line, and the commands that change something about it: by reason or action."""


@dataclass(frozen=True, slots=True)
class ExplainView:
    """One line of the plan: the fields that differ, and the attempts under its address, oldest first.

    `inputs` are the local files that the request points at, `price` is what its model costs. `decision` is what
    was picked of it. `file` is the job file, None for standard input, and `flag` is added, in commands shown.
    """

    change: Change
    diff: Sequence[FieldChange]
    history: Sequence[Attempt]
    inputs: Sequence[LocalFile] = ()
    price: AgedPrice | None = None
    file: str | None = None
    flag: str = ""
    decision: Decision | None = None

    @property
    def attempts(self) -> list[Attempt]:
        """The address's, and the one that the line is about where that has another address."""
        one = self.change.attempt
        return [*self.history, *([one] if one is not None and one not in self.history else [])]


def explain_text(view: ExplainView, *, color: bool = False, local: bool = False) -> str:
    paint = Paint(color, local)
    change = view.change
    message, commands = _next(view)
    lines = [paint.bold(sanitize(change.address)), *_why(change, view.diff, paint), "", message]
    lines += [f"    {command}" for command in commands]
    lines += ["", *_identity(change, view.price), *_inputs(view.inputs), ""]
    if view.decision is not None:
        lines += [f"  {shortened(sanitize(view.decision.text), _LONGEST)}", ""]
    return "\n".join([*lines, *_history(change, view.attempts, paint)])


def explain_document(view: ExplainView) -> dict[str, Json]:
    change = view.change
    message, commands = _next(view)
    return {
        "format_version": FORMAT_VERSION,
        "address": change.address,
        "action": change.action.value,
        "sign": change.sign,
        "reason": change.reason,
        "why": _words(change),
        "detail": change.detail,
        "fingerprint": change.fingerprint,
        "take": change.take,
        "model": change.model,
        "credits": money_or_null(change.credits),
        "diff": diff_document(view.diff),
        "history": list(map(attempt_document, view.attempts)),
        "inputs": list(map(asdict, view.inputs)),
        "pick": view.decision and decision_document(view.decision),
        "price": view.price and price_entry(view.price),
        "next": {"message": message, "commands": list(commands)},
    }


def _words(change: Change) -> str:
    return _WHY.get(change.reason.partition(" ")[0], change.reason)


def _why(change: Change, diff: Sequence[FieldChange], paint: Paint) -> Iterator[str]:
    yield f"  {paint.status(change.sign)} {sanitize(change.reason)}: {sanitize(_words(change))}"
    if change.detail:
        yield f"    {paint.dim(shortened(sanitize(change.detail), _LONGEST))}"
    yield from (f"    {line}" for line in diff_lines(diff, paint))


def _next(view: ExplainView) -> tuple[str, Sequence[str]]:
    change, flag = view.change, view.flag
    run = f"kiejobs run {quoted(view.file) if view.file else 'FILE'}"
    words = {
        "this": f"{run} --select {quoted(change.address)}",
        "flag": flag,
        "price": price_text(change.credits),
    }
    message, commands = _NEXT.get(change.reason) or _NEXT[change.action]
    shown = [command.format_map(words) for command in commands]
    if change.reason == "in_doubt" and change.attempt:
        shown = [line for step in doubt_steps([change.attempt], flag) for line in step.commands]
    if view.file is None and any("{this}" in command for command in commands):
        message += " `run` doesn't read standard input: write the job file to FILE first."
    return message.format_map(words), shown


def _identity(change: Change, aged: AgedPrice | None) -> list[str]:
    rows = [(name, sanitize(str(getattr(change, name)))) for name in ("fingerprint", "model", "take")]
    if aged is not None:
        rows.append(("price", f"{price_text(change.price)}; {prices_words([aged])}"))
        if aged.price is not None and aged.price.note:
            rows.append(("", shortened(sanitize(aged.price.note), _LONGEST)))
    return [f"  {line}" for line in columns(rows)]


def _inputs(files: Sequence[LocalFile]) -> list[str]:
    rows = []
    for file in files:
        pixels = f"{file.width} x {file.height} pixels, " if file.width and file.height else ""
        length = f"{file.seconds:.1f} s, " if file.seconds is not None else ""
        look = f"{sanitize(file.media_type)}, {pixels}{length}{file.bytes:,} bytes"
        rows.append((sanitize(file.path), f"{file.ref[:19]}  {look}"))
    return ["", "  local files:", *(f"    {line}" for line in columns(rows))] if rows else []


def _history(change: Change, attempts: Sequence[Attempt], paint: Paint) -> Iterator[str]:
    yield "  attempts, oldest first:" if attempts else "  never attempted"
    for attempt in attempts:
        yield from (f"    {line}" for line in _attempt(attempt, change, paint))


def _attempt(attempt: Attempt, change: Change, paint: Paint) -> Iterator[str]:
    state = paint.status(state_words(attempt.state or "not made"))
    paid = "" if attempt.charged is None else f", {price_text(attempt.charged)}"
    task = f", task {sanitize(attempt.task_id)}" if attempt.task_id else ""
    yield f"{paint.moment(attempt.times.get('reserved'))}  {state}{paid}{task}"
    same = ", the same as now" if attempt.key == (change.fingerprint, change.take) else ""
    name = "" if attempt.address == change.address else f"; as {sanitize(attempt.address)}"
    request = f"request {sanitize(attempt.reserved.fingerprint[:12])}{same}"
    yield paint.dim(f"  {request}; run {sanitize(attempt.run_id)}{name}")
    if (failure := attempt.failure) is not None:
        message = ": ".join(filter(None, (failure.code, failure.message)))
        yield paint.dim(f"  {shortened(sanitize(message), _LONGEST)}")
    if attempt.unused is not None:
        yield paint.dim(f"  the API answered: {shortened(sanitize(attempt.unused.answer), 500)}")
    yield from (paint.dim(f"  {sanitize(file.path)}") for file in attempt.files)
