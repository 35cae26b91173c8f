"""A job file's meaning: what a person wrote, with defaults merged beneath each job.

In: a Document and the structural schema. Out: a JobFile, and problems with their places. Nothing is
rendered or multiplied here; that is `expand`. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from kiejobs.core.document.checked import Form, problem_at, refused_by
from kiejobs.core.document.nodes import Document, YamlMap, YamlSeq, plain_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Json, Spot
    from kiejobs.core.document.schema_errors import SchemaProblem

DEFAULT_MAX_JOBS = 1_000
"""Guards against a slip of the matrix; raised by `limits.max_jobs` or `--max-jobs`."""

_START = "start with `version: 1`, `campaign:` and `jobs:`, or run `kiejobs init`"
_NO_AXES = frozenset({"include", "exclude", "zip"})


@dataclass(frozen=True, slots=True)
class BudgetSetting:
    """Credits that may be spent. `per` is `campaign` (all runs of it together) or `run`."""

    credits: Decimal
    per: str


class Values(Protocol):
    """An axis' values by position: a tuple, or `DataValues`, which have names too."""

    def __len__(self) -> int: ...
    def __getitem__(self, position: int, /) -> Json: ...
    def __iter__(self) -> Iterator[Json]: ...


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension: its name, its values, and where each stood.

    `source` is where the values come from, if they aren't listed; it has one spot, and no values until
    its data is read.
    """

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


@dataclass(frozen=True, slots=True)
class JobEntry:
    """One entry under `jobs:`, with the defaults merged beneath it, not yet multiplied.

    `zipped` as written: names of axes, or lists of them.
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


@dataclass(frozen=True, slots=True)
class JobFile:
    """One campaign. `vars` are plain values; `max_jobs` is the limit that holds where no flag does."""

    document: Document
    campaign: str
    vars: Mapping[str, Json]
    budget: BudgetSetting | None
    max_jobs: int
    entries: tuple[JobEntry, ...]


def read_jobfile(
    document: Document, structure: Mapping[str, Any]
) -> tuple[JobFile | None, list[Diagnostic]]:
    """The job file, None where its structure is too broken to go on; and what the schema refuses.

    What is broken is left out (a job, the budget, ...), so that the rest is still checked in full.
    """
    form = Form(structure, "a job file", code="jobfile-structure", start=_START)
    refused = list(refused_by(form, document.root))
    broken = set(map(_part, refused))
    found = [problem_at(document, problem, form) for problem in refused]
    jobs = document.root.get("jobs") if isinstance(document.root, YamlMap) else None
    if not isinstance(jobs, YamlMap) or not broken.isdisjoint({("defaults",), ("jobs",)}):
        return None, found
    return _assemble(document, broken), found


def _part(problem: SchemaProblem) -> tuple[str, ...]:
    """What is broken by it: `(key,)`, or `("jobs", name)`; `()` of the file itself."""
    inside_a_job = len(problem.path) > 1 and problem.path[0] == "jobs"
    return tuple(map(str, problem.path[: 2 if inside_a_job else 1]))


def _assemble(document: Document, broken: set[tuple[str, ...]]) -> JobFile:
    root: YamlMap = document.root
    sound = {key: value for key, value in root.items() if (key,) not in broken}
    defaults = root.get("defaults", YamlMap())
    return JobFile(
        document=document,
        campaign=str(root.get("campaign", "?")),
        vars=plain_json(sound.get("vars", {})),
        budget=_budget(sound.get("budget")),
        max_jobs=int(sound.get("limits", {}).get("max_jobs", DEFAULT_MAX_JOBS)),
        entries=tuple(
            _entry(name, body if body is not None else YamlMap(), root, defaults)
            for name, body in root["jobs"].items()
            if ("jobs", name) not in broken
        ),
    )


def _budget(written: Mapping[str, Json] | None) -> BudgetSetting | None:
    if written is None:
        return None
    return BudgetSetting(Decimal(str(written["credits"])), written.get("per", "campaign"))


def _entry(name: str, body: YamlMap, root: YamlMap, defaults: YamlMap) -> JobEntry:
    spot = root["jobs"].key_spots[name]
    merged = _beneath(defaults, body)
    wishes = (body.get("input", YamlMap()), body.get("matrix", YamlMap()))
    lower_input, lower_matrix = _yielding(defaults, *wishes)
    matrix = _beneath(lower_matrix, wishes[1])
    return JobEntry(
        name=name,
        spot=spot,
        model=merged.get("model"),
        model_spot=merged.value_spots.get("model", spot),
        input=_beneath(lower_input, wishes[0]),
        axes=tuple(_axes(matrix)),
        zipped=matrix.get("zip", YamlSeq()),
        exclude=_entries(matrix.get("exclude")),
        include=_entries(matrix.get("include")),
        tags=tuple(merged.get("tags", ())),
        takes=int(merged.get("takes", 1)),  # 2.0 is a whole number, says JSON Schema
        output=merged.get("output"),
        output_spot=merged.value_spots.get("output", spot),
        callback_url=merged.get("callBackUrl"),
        callback_spot=merged.value_spots.get("callBackUrl", spot),
        correlate=bool(merged.get("correlate", True)),
    )


def _yielding(
    defaults: YamlMap, own_input: YamlMap, own_matrix: YamlMap
) -> tuple[YamlMap, YamlMap]:
    """The defaults' input and matrix without the fields that the job itself fills the other way.

    A job's own axis `duration` replaces a default field of that name, and its own field a default
    axis: the job's word counts, whichever form it has.
    """
    lower_input: YamlMap = defaults.get("input", YamlMap())
    lower_matrix: YamlMap = defaults.get("matrix", YamlMap())
    gone_fields = set(own_matrix) - set(own_input)
    gone_axes = set(own_input) - set(own_matrix) - _NO_AXES
    return _without(lower_input, gone_fields), _without(lower_matrix, gone_axes)


def _without(mapping: YamlMap, keys: set[str]) -> YamlMap:
    kept = YamlMap(mapping.spot)
    for key, value in mapping.items():
        if key not in keys:
            kept.put(key, value, mapping.key_spots[key], mapping.value_spots[key])
    return kept


def _beneath(lower: YamlMap, upper: YamlMap) -> YamlMap:
    """`lower` with `upper` on top, key by key; order and places carried along."""
    merged = YamlMap(upper.spot)
    for layer in (lower, upper):
        for key, value in layer.items():
            merged.put(key, value, layer.key_spots[key], layer.value_spots[key])
    return merged


def _axes(matrix: YamlMap) -> Iterator[Axis]:
    for name, values in matrix.items():
        if name in _NO_AXES:
            continue
        if isinstance(values, YamlMap):
            yield Axis(name, (), (matrix.key_spots[name],), values)
        else:
            yield Axis(name, tuple(plain_json(value) for value in values), tuple(values.item_spots))


def _entries(written: YamlSeq | None) -> tuple[Entry, ...]:
    if written is None:
        return ()
    return tuple(
        Entry(plain_json(item), spot, item.key_spots)
        for item, spot in zip(written, written.item_spots, strict=True)
    )
