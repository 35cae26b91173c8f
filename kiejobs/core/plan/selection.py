"""Which jobs are meant: `--select 'tag:hero pour* axis:resolution=720p,state:failed'`.

In: the words of `--select` (docs/reference/selection.md). Out: a test for whatever a verb lists. Touches nothing.

A blank or another `--select` adds (union), a comma narrows (intersection); commas within brackets belong to an
address. `*` and `?` are wild; brackets are not, since addresses are made of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.document.wording import did_you_mean, likely, suggest
from kiejobs.core.ledger.records import State
from kiejobs.core.picks import NO_PICKS, Picks
from kiejobs.core.picks import WORDS as PICKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kiejobs.core.expand.job import Job
    from kiejobs.core.ledger.ledger import Attempt

_AXIS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([^\[\]]*)")
_KEYED = re.compile(r"([A-Za-z_-]+):(.*)", re.DOTALL)
_OUTER_COMMA = re.compile(r",(?![^\[]*\])")

KEYS = ("tag", "job", "axis", "state", "result", "pick", "file", "address")
OF_LEDGER = frozenset({"state", "result"})
_MAY_CHANGE = OF_LEDGER | {"pick"}
NONE: Final = "none"
"""The state where nothing was made of it: never sent, not accepted, or ruled lost."""

STATES: Final = {**{state.value: state.value for state in State}, NONE: NONE, "new": NONE}
"""What may follow `state:`, and what is meant by it."""

RESULTS: Final = {word: word for word in ("whole", "missing", "damaged", "gone")}
"""What may follow `result:`. Only what succeeded has a result."""

_WORDS: Final = {"state": STATES, "result": RESULTS, "pick": PICKS}

_KNOWN = (
    "use tag:NAME, job:NAME, axis:NAME=VALUE, state:STATE, result:RESULT, pick:yes|no|none|stale, file:NAME, "
    "or an address pattern with * and ?"
)


@dataclass(frozen=True, slots=True)
class Selectable:
    """What a selection looks at. `state`, `result`, `pick`, `file` are None where nobody knows or asks."""

    address: str
    job: str
    tags: tuple[str, ...]
    axes: tuple[tuple[str, str], ...]
    state: str | None = None
    result: str | None = None
    file: str | None = None
    pick: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One term's part; `key` is what it looks at."""

    key: str
    matches: Callable[[Selectable], bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """A union of intersections; without any term it takes everything.

    `file` is where jobs come from that don't say so themselves; `picks` what was decided on them.
    """

    terms: tuple[tuple[Part, ...], ...]
    file: str | None = None
    picks: Picks = NO_PICKS

    def takes(self, job: Selectable) -> bool:
        if not self.terms:
            return True
        known = job if job.file is not None else replace(job, file=self.file)
        return any(all(test.matches(known) for test in term) for term in self.terms)

    def takes_job(self, job: Job) -> bool:
        """Of a job file, whatever became of it: a pick of another request than it makes now is stale."""
        return self.takes(
            replace(selectable(job), pick=self.picks.word(job.address, (job.fingerprint, job.take)))
        )

    @property
    def keys(self) -> frozenset[str]:
        """What its terms look at."""
        return frozenset(test.key for term in self.terms for test in term)

    @property
    def ledger_keys(self) -> list[str]:
        """Which of `result` and `state` it looks at; these must be filled in."""
        return sorted(self.keys & OF_LEDGER)

    def without_ledger(self) -> Selection:
        """What it takes whatever became of the jobs: all that it could ever take."""
        terms = [tuple(t for t in term if t.key not in _MAY_CHANGE) for term in self.terms]
        return replace(self, terms=tuple(terms) if all(terms) else ())


def read_selection(words: Sequence[str], *, file: str | None = None) -> Selection:
    """Raises UsageProblem for what is not in the language. `file` as in `Selection`."""
    terms = [term for word in words for term in word.split()]
    return Selection(tuple(tuple(map(_test, _parts(term))) for term in terms), file)


def meant(words: Sequence[str], jobs: Sequence[Selectable], also: str = "") -> str | None:
    """`did you mean …?` for the first part of a selection that takes none of these jobs, where one is close that does.

    What `also` can be done follows, as with `suggest`.
    """
    parts = (part for word in words for term in word.split() for part in _parts(term))
    near = next(filter(None, (_mended(part, jobs) for part in parts)), [])
    return did_you_mean(near, also)


def _mended(part: str, jobs: Sequence[Selectable]) -> list[str]:
    """The part as it was probably meant; what is wild stays wild. Each takes some of the jobs."""
    test, keyed = _test(part), _KEYED.fullmatch(part)
    if any(map(test.matches, jobs)):
        return []
    lead, text = (f"{keyed[1]}:", keyed[2]) if keyed is not None else ("", part)
    head = text.replace("?", "*").partition("*")[0]
    known = {name for job in jobs for name in _names(job, test.key, with_axes="[" in head)}
    pairs = [(f"{lead}{name}{text[len(head) :]}", f"{lead}{name}*") for name in likely(head, sorted(known))]
    taking = ([word for word in pair if any(map(_test(word).matches, jobs))] for pair in pairs)
    return [words[0] for words in taking if words]


def _names(job: Selectable, key: str, *, with_axes: bool) -> Sequence[str]:
    """What a part that looks at `key` may name of a job."""
    if key == "axis":
        return [text for name, value in job.axes for text in (f"{name}=", f"{name}={value}")]
    if key == "address":
        return address_names(job.address, with_axes=with_axes)
    return {"tag": job.tags, "job": (job.job,)}.get(key, ())


def address_names(address: str, *, with_axes: bool) -> tuple[str, str]:
    """How people name a job: with its campaign and without."""
    name = address if with_axes else address.partition("#")[0].partition("[")[0]
    return name, name.partition("/")[2]


def selectable(job: Job) -> Selectable:
    return Selectable(job.address, job.name, job.tags, job.axes)


def state_of(attempt: Attempt | None) -> str:
    """The state of a purchase, `none` where there is none."""
    return NONE if attempt is None or attempt.state is None else attempt.state.value


def result_of(attempt: Attempt | None, condition: Callable[[Attempt], str | None]) -> str | None:
    """What there is of its files: `gone` where they are not complete here and not at the vendor.

    `condition` says `file_missing`, `file_damaged`, or None for complete. None where it has no result.
    """
    if attempt is None or attempt.state is not State.SUCCEEDED:
        return None
    damage = condition(attempt) if attempt.is_collected else "file_missing"
    if damage is None:
        return "whole"
    return "gone" if attempt.gone is not None else damage.removeprefix("file_")


def wild(pattern: str) -> Callable[[str], bool]:
    """A test for complete strings in which only `*` and `?` are wild."""
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    matches = re.compile(expression, re.DOTALL).fullmatch
    return lambda text: matches(text) is not None


def _parts(term: str) -> list[str]:
    """An empty part would take everything: mostly a variable that was not set."""
    parts = _OUTER_COMMA.split(term)
    if "" in parts:
        hint = "a comma joins two terms that must both hold"
        raise UsageProblem(f"`--select {term}` has an empty part", hint=hint)
    return parts


def _test(part: str) -> Part:
    keyed = _KEYED.fullmatch(part)
    if keyed is not None:
        return _by_key(keyed[1], keyed[2])
    return _by_axis(part) if _AXIS.fullmatch(part) else Part("address", _has_address(part))


def _by_key(key: str, rest: str) -> Part:
    if key not in KEYS:
        raise UsageProblem(f"`--select {key}:…` is not known", hint=suggest(key, KEYS, _KNOWN))
    if not rest:
        raise UsageProblem(f"`--select {key}:` names nothing", hint=_KNOWN)
    if key == "axis":
        return _by_axis(rest)
    if key in _WORDS:
        return _by_word(key, rest)
    matches = wild(rest)
    if key == "tag":
        return Part(key, lambda job: any(map(matches, job.tags)))
    if key == "job":
        return Part(key, lambda job: matches(job.job))
    return Part(key, _is_from(rest) if key == "file" else _has_address(rest))


def _by_axis(text: str) -> Part:
    name, equals, value = text.partition("=")
    if not name or not equals:
        hint = "write axis:NAME=VALUE, e.g. axis:resolution=720p"
        raise UsageProblem(f"`--select axis:{text}` names no value", hint=hint)
    matches = wild(value)
    return Part("axis", lambda job: any(axis == name and matches(label) for axis, label in job.axes))


def _by_word(key: str, word: str) -> Part:
    known = _WORDS[key]
    if word not in known:
        hint = suggest(word, known, f"known: {', '.join(known)}; a blank between two terms means or")
        raise UsageProblem(f"`--select {key}:{word}`: there is no such {key}", hint=hint)
    return Part(key, lambda job: getattr(job, key) == known[word])


def _is_from(pattern: str) -> Callable[[Selectable], bool]:
    """The job file's path from its project's root, or what follows its last slash."""
    matches = wild(pattern.removeprefix("./"))
    return lambda job: job.file is not None and (matches(job.file) or matches(job.file.rpartition("/")[2]))


def _has_address(pattern: str) -> Callable[[Selectable], bool]:
    """The full address, or what follows the campaign, or the job's bare name."""
    matches = wild(pattern)
    return lambda job: matches(job.address) or matches(job.address.partition("/")[2]) or matches(job.job)
