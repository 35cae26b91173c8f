"""What a person wrote: a job file's meaning, defaults merged; and its variables.

In: a Document and the structural schema; what `--vars-file` and `--var` give. Out: a JobFile, and problems
with their places. Nothing is rendered or multiplied here; that is `expand`. Touches nothing.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from kiejobs.core.diagnostics import Diagnostic, Place, UsageProblem
from kiejobs.core.document.checked import Form, SchemaProblem, problem_at, refused_by
from kiejobs.core.document.lost_text import lost_text, misprints, unrendered
from kiejobs.core.document.nodes import Document, Json, Source, Spot, YamlMap, YamlSeq, plain_json
from kiejobs.core.document.reader import read_document
from kiejobs.core.document.tree import BadScalar, misprint
from kiejobs.core.document.tree import plain as scalar
from kiejobs.core.document.wording import CONTROL, kind_of, nearest, show, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet


DEFAULT_MAX_JOBS = 1_000
"""Guards against a slip of the matrix; raised by `limits.max_jobs` or `--max-jobs`."""

HIGHEST_MAX_JOBS = 100_000
"""What `limits.max_jobs` may be at most: a file from a stranger asks for no more. `--max-jobs` may be larger."""

_START = "start with `version: 1`, `campaign:` and `jobs:`, or run `kiejobs init`"
_DECLARE = "declare it under `vars:` in the job file"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_BEHIND_ALL = {("defaults",), ("jobs",), ("vars",)}
"""Where one is broken, what else is wrong may only follow from it."""
_PLAIN_KEYS = frozenset({"model", "input", "output"})

_NO_AXES = frozenset({"include", "exclude", "zip"})
_NO_MAP, _NO_LIST = YamlMap(), YamlSeq()
"""In the place of what a job doesn't have; nobody puts anything in."""


def how_to_allow(jobs: int) -> str:
    if jobs > HIGHEST_MAX_JOBS:
        return "add `--max-jobs NUMBER` to the command"
    return "raise `limits: {max_jobs: …}` in the file or `--max-jobs`"


@dataclass(frozen=True, slots=True)
class BudgetSetting:
    """Credits that may be spent. `per` is `campaign` (all runs of it together) or `run`."""

    credits: Decimal
    per: str


class Values(Protocol):
    """An axis' values by position: a tuple, or what `matrix` makes of data."""

    def __len__(self) -> int: ...
    def __getitem__(self, position: int, /) -> Json: ...
    def __iter__(self) -> Iterator[Json]: ...


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension, with the spots of its values. `source`, if they aren't listed: one spot, no values yet."""

    name: str
    values: Values
    spots: tuple[Spot, ...]
    source: YamlMap | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One exclude or include entry, with the place of each key."""

    values: Mapping[str, Json]
    spot: Spot
    key_spots: Mapping[str, Spot]


class JobEntry(NamedTuple):
    """One entry under `jobs:`, defaults merged beneath. `zipped`: names of axes, or lists of them.

    `checks` as written: they are of the result, and never of the request.
    `vars` are all that its templates read, None where the job and the defaults add none to those of the file;
    `own_vars` are those that they add, as written.
    """

    name: str
    spot: Spot
    model: str | None
    model_spot: Spot
    input: YamlMap
    axes: tuple[Axis, ...]
    zipped: YamlSeq
    exclude: tuple[Entry, ...]
    include: tuple[Entry, ...]
    tags: tuple[str, ...]
    takes: int
    output: str | None
    output_spot: Spot
    callback_url: str | None
    callback_spot: Spot
    correlate: bool
    vars: Mapping[str, Json] | None
    own_vars: YamlMap
    checks: Json = None

    @property
    def may_choose(self) -> bool:
        """Could an axis or a template say its model?"""
        return self.model is None or "{" in self.model or any(axis.name == "model" for axis in self.axes)

    @property
    def has_matrix(self) -> bool:
        """Without one it makes one job, or its takes."""
        return bool(self.axes or self.zipped or self.exclude or self.include)

    @property
    def zip_groups(self) -> Sequence[YamlSeq]:
        """The names of axes that each group walks together."""
        return [self.zipped] if any(isinstance(item, str) for item in self.zipped) else self.zipped

    @property
    def product_size(self) -> int:
        """How many rows its axes make before exclude and include, by their lengths alone."""
        if not self.axes:
            return 0 if self.include else 1
        group_of = {name: number for number, group in enumerate(self.zip_groups) for name in group}
        sizes = {group_of.get(axis.name, axis.name): len(axis.values) for axis in self.axes}
        return math.prod(sizes.values())


@dataclass(frozen=True, slots=True)
class JobFile:
    """One campaign. `vars` are plain values; `max_jobs` is the limit that holds where no flag does."""

    document: Document
    campaign: str
    vars: Mapping[str, Json]
    budget: BudgetSetting | None
    max_jobs: int
    entries: tuple[JobEntry, ...]


def read_jobfile(document: Document, structure: Mapping[str, Any]) -> tuple[JobFile | None, list[Diagnostic]]:
    """The job file, None where it is too broken to go on; and what the schema refuses.

    What is broken is left out (a job, the budget, ...), so that the rest is still checked in full. A misspelt key
    is broken under its right name, too.
    """
    form = Form(structure, "a job file", code="jobfile-structure", start=_START)
    lost = list(lost_text(document, _texts_of(document.root)))
    refused = list(refused_by(form, _without_plain_jobs(document.root)))
    broken = set(map(_part, refused))
    for part in tuple(broken):
        if len(part) == 1:
            broken.add((nearest(part[0], structure["properties"]) or part[0],))
    found = [*lost, *(problem_at(document, problem, form) for problem in refused)]
    jobs = document.root.get("jobs") if isinstance(document.root, YamlMap) else None
    if not isinstance(jobs, YamlMap) or not broken.isdisjoint(_BEHIND_ALL):
        return None, found
    return _assemble(document, broken), found


def _texts_of(root: Json) -> Iterator[tuple[Json, Spot]]:
    """The parts that may become a request, or say where its result goes, with their spots."""
    root = root if isinstance(root, YamlMap) else _NO_MAP
    jobs = root.get("jobs")
    bodies = [*(jobs.values() if isinstance(jobs, YamlMap) else ()), root.get("defaults"), root]
    for body in bodies:
        for key in ("input", "matrix", "vars", "output", "campaign", "callBackUrl", "tags"):
            if isinstance(body, YamlMap) and key in body:
                yield body[key], body.value_spots[key]


def _without_plain_jobs(root: Json) -> Json:
    """The file as the schema has to see it: a check of a job takes longer than all else that is done with it.

    The first job stays, for what the schema says of having any.
    """
    jobs = root.get("jobs") if isinstance(root, YamlMap) else None
    if not isinstance(jobs, YamlMap):
        return root
    first = next(iter(jobs), None)
    seen = {name: body for name, body in jobs.items() if name == first or not _is_plain_job(name, body)}
    return {**root, "jobs": seen}


def _is_plain_job(name: str, body: Json) -> bool:
    """Surely fine. A job that isn't plain may be."""
    return (
        _PLAIN_NAME.fullmatch(name) is not None
        and type(body) is YamlMap
        and body.keys() <= _PLAIN_KEYS
        and type(body.get("input", body)) is YamlMap
        and all(body[key] and type(body[key]) is str for key in body if key != "input")
    )


def _part(problem: SchemaProblem) -> tuple[str, ...]:
    """What is broken by it: `(key,)`, or `("jobs", name)`; `()` of the file itself."""
    inside_a_job = len(problem.path) > 1 and problem.path[0] == "jobs"
    return tuple(map(str, problem.path[: 2 if inside_a_job else 1]))


def _assemble(document: Document, broken: set[tuple[str, ...]]) -> JobFile:
    root: YamlMap = document.root
    sound = {key: value for key, value in root.items() if (key,) not in broken}
    budget = sound.get("budget")
    defaults, jobs = root.get("defaults"), root["jobs"]
    bodies = {name: body if body is not None else YamlMap() for name, body in jobs.items()}
    made, variables = _MatrixParts(), plain_json(sound.get("vars", {}))
    return JobFile(
        document=document,
        campaign=str(root.get("campaign", "?")),
        vars=variables,
        budget=BudgetSetting(Decimal(str(budget["credits"])), budget.get("per", "campaign"))
        if budget is not None
        else None,
        max_jobs=HIGHEST_MAX_JOBS  # a broken limit is reported, and not that it is exceeded
        if ("limits",) in broken
        else int(sound.get("limits", {}).get("max_jobs", DEFAULT_MAX_JOBS)),
        entries=tuple(
            _entry(name, jobs.key_spots[name], _over(defaults, body) if defaults else body, made, variables)
            for name, body in bodies.items()
            if ("jobs", name) not in broken
        ),
    )


def _entry(
    name: str, spot: Spot, body: YamlMap, made: _MatrixParts, variables: Mapping[str, Json]
) -> JobEntry:
    matrix, own = body.get("matrix", _NO_MAP), body.get("vars", _NO_MAP)
    return JobEntry(
        name=name,
        spot=spot,
        model=body.get("model"),
        model_spot=body.value_spots.get("model", spot),
        input=body.get("input", _NO_MAP),
        axes=tuple(made.axes(matrix)) if matrix else (),
        zipped=matrix.get("zip", _NO_LIST),
        exclude=made.entries(matrix, "exclude"),
        include=made.entries(matrix, "include"),
        tags=tuple(body.get("tags", ())),
        takes=int(body.get("takes", 1)),  # 2.0 is an integer in JSON Schema
        output=body.get("output"),
        output_spot=body.value_spots.get("output", spot),
        callback_url=body.get("callBackUrl"),
        callback_spot=body.value_spots.get("callBackUrl", spot),
        correlate=bool(body.get("correlate", True)),
        checks=plain_json(body["checks"]) if "checks" in body else None,
        vars={**variables, **plain_json(own)} if own else None,
        own_vars=own,
    )


def _over(defaults: YamlMap, body: YamlMap) -> YamlMap:
    """The defaults with the job on top; its own axis replaces a default field of that name, and vice versa."""
    merged = _beneath(defaults, body)
    if "checks" in defaults and "checks" in body:
        from kiejobs.core.checks import layered  # noqa: PLC0415 - most jobs have none

        merged["checks"] = layered(defaults["checks"], body["checks"])
    for key, other_key in (("input", "matrix"), ("matrix", "input")):
        if lower := defaults.get(key):
            own, other = body.get(key, _NO_MAP), body.get(other_key, _NO_MAP)
            filled_otherwise = set(other) - set(own) - (_NO_AXES if key == "matrix" else set())
            merged.put(key, _beneath(lower, own, filled_otherwise), own.spot, own.spot)
    if lower := defaults.get("vars"):
        own = body.get("vars", _NO_MAP)
        merged.put("vars", _beneath(lower, own), own.spot, own.spot)
    return merged


def _beneath(lower: YamlMap, upper: YamlMap, without: AbstractSet[str] = frozenset()) -> YamlMap:
    """`lower`, less some keys, with `upper` on top, key by key; order and places carried along."""
    merged = YamlMap(upper.spot)
    for layer in (lower, upper):
        merged.update(layer)
        merged.key_spots.update(layer.key_spots)
        merged.value_spots.update(layer.value_spots)
    for key in without & lower.keys():
        del merged[key]
    return merged


class _MatrixParts:
    """What matrices are made of. A list that many jobs have from `defaults` is made into values once: it is known
    by itself, since the document holds it as long as it is read.
    """

    def __init__(self) -> None:
        self._axes: dict[tuple[str, int], Axis] = {}
        self._entries: dict[int, tuple[Entry, ...]] = {}

    def axes(self, matrix: YamlMap) -> Iterator[Axis]:
        for name, values in matrix.items():
            if name in _NO_AXES:
                continue
            if isinstance(values, YamlMap):
                yield Axis(name, (), (matrix.key_spots[name],), values)
                continue
            key = (name, id(values))
            if key not in self._axes:
                plain = tuple(map(plain_json, values))
                self._axes[key] = Axis(name, plain, tuple(values.item_spots))
            yield self._axes[key]

    def entries(self, matrix: YamlMap, key: str) -> tuple[Entry, ...]:
        if key not in matrix:
            return ()
        written = matrix[key]
        if id(written) not in self._entries:
            spots = zip(written, written.item_spots, strict=True)
            self._entries[id(written)] = tuple(
                Entry(plain_json(item), spot, item.key_spots) for item, spot in spots
            )
        return self._entries[id(written)]


# --- what `--vars-file` and `--var` put in the place of its variables ---------------------------------


def with_variables(
    jobfile: JobFile, files: Sequence[Document], words: Mapping[str, str]
) -> tuple[JobFile, list[Diagnostic]]:
    """The command line's word is the last: it goes over those of jobs and defaults, too. Raises UsageProblem."""
    own = [entry.vars for entry in reversed(jobfile.entries) if entry.vars is not None]
    declared: dict[str, Json] = {}
    for layer in (*own, jobfile.vars):
        declared |= layer
    given, found = given_variables(declared, files, words)

    def over(variables: Mapping[str, Json]) -> dict[str, Json]:
        return {**variables, **{name: given[name] for name in given if name in variables}}

    entries = [
        entry if entry.vars is None else entry._replace(vars=over(entry.vars)) for entry in jobfile.entries
    ]
    return replace(jobfile, vars=over(jobfile.vars), entries=tuple(entries)), found


def given_variables(
    declared: Mapping[str, Json], files: Sequence[Document], words: Mapping[str, str]
) -> tuple[dict[str, Json], list[Diagnostic]]:
    """The files in order, then the words, which win. Raises UsageProblem for one not of its variable's kind."""
    given: dict[str, Json] = {}
    found: list[Diagnostic] = []
    for file in files:
        found += _problems(file, declared)
        whole = [(file.root, (1, 1))]
        found += [*lost_text(file, whole), *misprints(file, whole)]
        values = plain_json(file.root) if isinstance(file.root, dict) else {}
        for name, value in values.items():
            found += unrendered(f"the variable `{name}`", value, file.place((name,)))
        given |= values
    for name in words.keys() & declared.keys():
        given[name] = _value(name, words[name], declared[name])
        found += unrendered(f"--var {name}", given[name], None)
        if (odd := CONTROL.search(words[name])) is not None:
            message = f"--var {name} has a control character, U+{ord(odd[0]):04X}"
            found.append(Diagnostic("invalid-text", message, None, "delete it where it comes from"))
    found += [_unknown(name, declared, None) for name in words if name not in declared]
    return given, found


def _problems(file: Document, declared: Mapping[str, Json]) -> Iterator[Diagnostic]:
    if not isinstance(file.root, dict):
        message = f"variables are a mapping, not {kind_of(file.root)}"
        hint = "write one on each line: `brand: Aurora`"
        yield Diagnostic("variables-structure", message, file.place(()), hint)
        return
    for name in file.root:
        if name not in declared:
            yield _unknown(name, declared, file.place((name,), key=True))


def _unknown(name: str, declared: Mapping[str, Json], place: Place | None) -> Diagnostic:
    message = f"the job file has no variable `{name}`"
    return Diagnostic("unknown-variable", message, place, suggest(name, declared) or _DECLARE)


def _value(name: str, word: str, declared: Json) -> Json:
    """What a word means where the file has `declared`: `5` is a number where the file has one, else text."""
    if declared is None or isinstance(declared, str):
        return word
    if isinstance(declared, list | dict):
        return _collection(name, word, declared)
    try:
        value = scalar(word)
    except BadScalar as bad:
        raise UsageProblem(f"--var {name}: {bad.message}") from bad
    if kind_of(value) != kind_of(declared):
        raise _misfit(name, word, declared)
    if misprint(word, value) is not None:
        kind, shown = ("it", show(value)) if isinstance(value, bool) else ("the number", value)
        hint = f'where {word} is a text, put the variable\'s value in the job file in quotes, `{name}: "{show(declared)}"`'
        raise UsageProblem(f"--var {name}={word}: write {kind} as {shown}", hint=hint)
    return value


def _collection(name: str, word: str, declared: Json) -> Json:
    document, found = read_document(Source(f"--var {name}", word.encode(errors="surrogatepass")))
    if document is None or found or kind_of(document.root) != kind_of(declared):
        raise _misfit(name, word, declared)
    return plain_json(document.root)


def _misfit(name: str, word: str, declared: Json) -> UsageProblem:
    message = f"--var {name}={word[:80]}: the job file has {kind_of(declared)} there"
    return UsageProblem(message, hint=f"in the file it is {show(declared)}; write it the same way")
