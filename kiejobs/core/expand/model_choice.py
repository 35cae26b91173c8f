"""Which model each combination of a job is for, where an axis or a template says it.

In: a JobEntry whose axes have their values, a renderer. Out: the models, and for each a test of the combinations
that are for it; problems. Touches nothing: the renderer does.
Each of the models has a compiled job of its own. So types, checks, prices and kinds of output are those of its
schema, and fingerprints are those of jobs that were written out one by one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from kiejobs.core.address import address, axes_text
from kiejobs.core.expand.compiled_job import compile_templates, field_template, render_batch
from kiejobs.core.expand.row_problems import Places, RowProblems
from kiejobs.core.expand.typed_matrix import TypedMatrix
from kiejobs.core.models.spec import read_spec
from kiejobs.core.template.renderer import is_template

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from kiejobs.core.diagnostics import Diagnostic, Place
    from kiejobs.core.document.nodes import Spot
    from kiejobs.core.expand.compiled_job import Batch, FieldTemplate
    from kiejobs.core.expand.typed_matrix import AxisValue, Values
    from kiejobs.core.jobfile import JobEntry, JobFile
    from kiejobs.core.matrix.matrix import Row
    from kiejobs.core.template.renderer import Renderer

_AXIS = "model"
_UNTYPED = read_spec({"properties": {"model": {"const": ""}, "input": {"properties": {}}}})
"""A model without fields: values stay as they are written."""

_AT_ONCE = 4_000


def has_choice(jobfile: JobFile, entry: JobEntry, known: Collection[str]) -> bool:
    """Is the model given by a template, or by the axis of that name?

    Next to a `model:` that axis is one like any other; but a job's own goes over the `model:` of the defaults,
    as it does for an input field, where all that it lists are models.
    """
    if entry.model is None:
        return _AXIS in {axis.name for axis in entry.axes} | {
            key for one in entry.include for key in one.values
        }
    if is_template(entry.model):
        return True
    body = jobfile.document.root["jobs"][entry.name] or {}
    if _AXIS in body or _AXIS not in body.get("matrix", ()):
        return False
    values = next((axis.values for axis in entry.axes if axis.name == _AXIS), ())
    return len(values) > 0 and all(isinstance(one, str) and one in known for one in values)


class ModelChoice:
    """The choice of one job entry. `template` is None where an axis makes it."""

    def __init__(self, jobfile: JobFile, entry: JobEntry, renderer: Renderer) -> None:
        self.entry = entry
        self.matrix = TypedMatrix(entry, _UNTYPED) if entry.has_matrix else None
        self.template: FieldTemplate | None = None
        self._campaign = jobfile.campaign
        self._places = Places(jobfile.document, entry)
        self._renderer = renderer
        self._known: dict[object, str | None] = {}
        self._problems = RowProblems()
        if is_template(entry.model or ""):
            self.template = field_template(_AXIS, entry.model, entry.model_spot, self._places)
            compile_templates(list(filter(None, [self.template])), renderer)

    @property
    def said_by(self) -> FieldTemplate | str:
        return self.template or _AXIS

    def models(self) -> Mapping[str, Place]:
        """Those that there may be combinations for, with where each is written.

        For a template all combinations are walked; where that can't be done, `problems` say why.
        """
        document = self._places.document
        if self.template is None:
            listed = list(self.matrix.values_of(_AXIS)) if self.matrix is not None else []
            for value in listed:
                if _id(value) is None:
                    hint = f'call the axis `m`, say, and write `{_AXIS}: "{{{{ matrix.m.id }}}}"`'
                    self._wrong(f"what axis `{_AXIS}` lists must be ids of models", value.spot, hint)
            found = {_id(value): value.cell(None) or document.at(value.spot) for value in reversed(listed)}
            return {model: found[model] for model in dict.fromkeys(map(_id, listed)) if model is not None}
        models = {model: document.at(self.entry.model_spot) for model in self._rendered()}
        return {model: place for model, place in models.items() if model is not None}

    def is_for(self, model: str) -> Callable[[Row], bool]:
        def test(row: Row) -> bool:
            key = self._key(row)
            if key not in self._known:
                self._look([row])
            return self._known[key] == model

        return test

    def problems(self, *, walk: bool) -> list[Diagnostic]:
        """Of all combinations that were looked at so far; of the matrix where they can't be walked."""
        found = [] if self.matrix is None else self.matrix.problems(self._places.document, walk=walk)
        return [*(found if self.template is not None else ()), *self._problems.folded()]

    def _rendered(self) -> Iterator[str | None]:
        rows: Iterator[Row] = iter([{}] if self.matrix is None else self.matrix.rows)
        while some := list(islice(rows, _AT_ONCE)):
            self._look(some)
        return iter(list(self._known.values()))

    def _key(self, row: Row) -> object:
        """Combinations with the same key are for the same model."""
        axes = {_AXIS} if self.template is None else self.template.reads.axes
        return tuple(row.items()) if axes is None else tuple(map(row.get, sorted(axes)))

    def _look(self, rows: Sequence[Row]) -> None:
        new = {key: row for row in rows if (key := self._key(row)) not in self._known}
        values: list[Values] = [{} if self.matrix is None else self.matrix.row(row) for row in new.values()]
        made = map(self._of_axis, values) if self.template is None else self._of_template(values)
        self._known.update(zip(new, made, strict=True))

    def _of_template(self, rows: Sequence[Values]) -> Iterator[str | None]:
        batch: Batch = []
        template = self.template
        renderings = template.for_rows(rows, [{} for _ in rows], batch) if template is not None else []
        if batch:
            render_batch(batch, self._renderer)
        for values, made in zip(rows, renderings, strict=True):
            if made.problem is not None:
                axes = axes_text(tuple(one.part for one in values.values()))
                example = address(self._campaign, self.entry.name, axes)
                self._problems.add(made.problem, self.entry.name, example)
            yield None if made.problem is not None else str(made.value).strip()

    def _of_axis(self, values: Values) -> str | None:
        if _AXIS in values:
            return _id(values[_AXIS])
        hint = f"give each entry of `include` that adds a combination a `{_AXIS}`, too"
        self._wrong("a combination names no model", self.entry.spot, hint)
        return None

    def _wrong(self, message: str, spot: Spot, hint: str) -> None:
        name = self.entry.name
        self._problems.add(self._places.problem("no-model", message, spot, hint), name, name)


def _id(value: AxisValue) -> str | None:
    return value.value.strip() if isinstance(value.value, str) else None
