"""One job entry made ready for multiplying: its matrix, and its values with templates anywhere inside.

In: a JobEntry, its Spec and TypedMatrix, what its templates read. Out: `Drafts` of its rows, whose templates wait
to be rendered together. Touches nothing: the renderer does.
A value is rendered once for each distinct tuple of what it reads, worth a factor of six on a usual matrix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from kiejobs.core.address import address
from kiejobs.core.document.nodes import plain_json, texts_in, trimmed
from kiejobs.core.models.spec import typed
from kiejobs.core.template.renderer import NOTHING, OMIT, TemplateProblem, Wish, is_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json, Spot
    from kiejobs.core.expand.row_problems import Places, RowProblem
    from kiejobs.core.expand.typed_matrix import AxisValue, TypedMatrix, Values
    from kiejobs.core.jobfile import JobEntry
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.models.validator import RequestChecker
    from kiejobs.core.template.renderer import Reads, Renderer

_REMEMBERED = 100_000
"""Renderings of one value that are kept: a table may have a million rows."""

_CELL = re.compile(r"\{\{-?\s*matrix\.(\w+)(?:\.(\w+)|\[\s*['\"]([^'\"\\]+)['\"]\s*\])?\s*-?\}\}")


# --- one value with templates in it ----------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Rendering:
    """What a value becomes for some rows: empty until it is rendered, then a value or a problem."""

    value: Json = None
    problem: RowProblem | None = None


Batch: TypeAlias = "list[tuple[FieldTemplate, Mapping[str, Any], Rendering]]"
"""What some thousand rows want rendered, with the names that it may read."""


@dataclass(slots=True, eq=False)
class FieldTemplate:
    """A value as written, and where. `texts` are the templates in it, each once.

    `reads` is what they may read, once they are compiled; `broken` why one of them can't be. `known` are its
    renderings, by all that rows differ in for it.
    """

    name: str
    value: Json
    spot: Spot
    places: Places
    texts: tuple[str, ...]
    reads: Reads = NOTHING
    broken: RowProblem | None = None
    known: dict[object, Rendering] = field(default_factory=dict)

    def for_rows(
        self,
        rows: Sequence[Values],
        contexts: Sequence[dict[str, Any]],
        batch: Batch,
        more: Sequence[Mapping[str, Any]] = (),
    ) -> list[Rendering]:
        """One for each row. `contexts` are what all templates of a row may read, each filled by the first of
        them; `more` what this one may read besides.
        """
        if self.broken is not None:
            return [Rendering(problem=self.broken)] * len(rows)
        if len(self.known) >= _REMEMBERED:
            self.known.clear()
        keys = self._keys(rows, more)
        for at, key in enumerate(keys):
            if key not in self.known:
                self.known[key] = Rendering()
                names = contexts[at]
                if not names:
                    seen = {name: value.seen for name, value in rows[at].items()}
                    entry = self.places.entry
                    names.update(job=entry.name, matrix=seen)
                    if entry.vars is not None:
                        names["vars"] = entry.vars
                batch.append((self, {**names, **more[at]} if more else names, self.known[key]))
        return list(map(self.known.__getitem__, keys))

    def _keys(self, rows: Sequence[Values], more: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Rows with the same key read the same."""
        axes, names = self.reads.axes, self.reads.names
        read: list[list[Any]] = [[row.get(axis) for row in rows] for axis in axes or ()]
        if axes is None:
            read = [[tuple(row.items()) for row in rows]]
        if more:
            read += [[one[name] for one in more] for name in more[0] if names is None or name in names]
        return list(zip(*read, strict=True)) if read else [()] * len(rows)

    def failed(self, problem: TemplateProblem) -> RowProblem:
        return self.places.template_problem(problem, self.name, self.spot)


def compile_templates(templates: Sequence[FieldTemplate], renderer: Renderer) -> None:
    """All in one call."""
    texts = list(dict.fromkeys(text for template in templates for text in template.texts))
    known = dict(zip(texts, renderer.reads(texts), strict=True))
    for template in templates:
        for found in map(known.__getitem__, template.texts):
            if isinstance(found, TemplateProblem):
                template.broken = template.failed(found)
                break
            template.reads |= found


def render_batch(batch: Batch, renderer: Renderer) -> None:
    """All in one call."""
    wishes = [Wish(text, names) for template, names, _ in batch for text in template.texts]
    results = iter(renderer.render(wishes))
    for template, _, waiting in batch:
        rendered = dict(zip(template.texts, results, strict=False))
        problems = (one for one in rendered.values() if isinstance(one, TemplateProblem))
        problem = next(problems, None) or _stray_omit(template.name, rendered.values())
        if problem is None:
            waiting.value = _filled(template.value, rendered)
        else:
            waiting.problem = template.failed(problem)


def _stray_omit(name: str, rendered: Iterable[str | TemplateProblem]) -> TemplateProblem | None:
    """It means something only where it is all that a field's template prints."""
    for text in rendered:
        if isinstance(text, str) and OMIT in text.lower() and (text.strip() != OMIT or name == "output"):
            hint = "where a part of a text is left out, write `''` for it"
            if text.strip() == OMIT:
                hint = "drop the line of `output` for its usual name, or write a name"
            return TemplateProblem(
                "`omit` leaves out a complete optional field; it can't be part of a text", hint
            )
    return None


def field_template(name: str, value: Json, spot: Spot, places: Places) -> FieldTemplate | None:
    """Not compiled yet; None where there is nothing to render."""
    if value is None or (isinstance(value, str) and not is_template(value)):
        return None
    texts = tuple(dict.fromkeys(filter(is_template, texts_in(value))))
    return FieldTemplate(name, value, spot, places, texts) if texts else None


def _filled(value: Json, rendered: Mapping[str, Any]) -> Json:
    """The value with what its templates were rendered to; `OMIT` for nothing, which lists and mappings drop."""
    if isinstance(value, dict):
        filled = {key: _filled(item, rendered) for key, item in value.items()}
        return {key: item for key, item in filled.items() if item != OMIT}
    if isinstance(value, list):
        kept = [item for item in (_filled(item, rendered) for item in value) if item != OMIT]
        return kept if kept or not value else OMIT  # a list of nothing is none
    if isinstance(value, str) and value in rendered:
        text: str = rendered[value]
        return OMIT if text.strip() == OMIT else trimmed(text)
    return value


# --- one job entry ---------------------------------------------------------------------------------


class CompiledJob(NamedTuple):
    """What is needed to turn each row of one job entry into jobs. Without a `matrix` it has one row.

    `input` holds the values as written, `fields` the templates in it; `fills` those of values that are listed
    in the matrix and fill the field of their axis' name. Jobs of one row are `alike` that write the same fields.
    `says_model` is the template or the axis that does; None where the entry is for one model.
    """

    entry: JobEntry
    spec: Spec
    matrix: TypedMatrix | None
    checker: RequestChecker
    places: Places
    input: Mapping[str, Json]
    fields: Mapping[str, FieldTemplate]
    fills: Mapping[AxisValue, FieldTemplate]
    output: FieldTemplate | None
    callback: FieldTemplate | None
    place: Place
    alike: tuple[object, ...]
    says_model: FieldTemplate | str | None

    @property
    def templates(self) -> list[FieldTemplate]:
        """Those of all rows alike, without `fills`."""
        model = self.says_model if isinstance(self.says_model, FieldTemplate) else None
        return [*self.fields.values(), *filter(None, (self.output, self.callback, model))]

    def cell_of(self, name: str, values: Values) -> Place | None:
        """Where in a data file the value of an input field was written, if it was written there.

        A field that is nothing but `{{ matrix.AXIS.COLUMN }}` was written in that column.
        """
        axis, column = name, None
        if name in self.input:
            written = self.input[name]
            found = _CELL.fullmatch(written.strip()) if isinstance(written, str) else None
            axis, column = (found[1], found[2] or found[3]) if found else ("", None)
        return values[axis].cell(column) if axis in values else None


@dataclass(frozen=True, slots=True)
class Drafts:
    """Rows of one job that have values for the same names, or of jobs that are alike, column by column; `outputs` by take.

    `labels` are a row's axes as (name, label), sorted by name, and `axes` the text that they make. `fills` are
    its values for fields of their names, where these have templates.
    """

    jobs: Sequence[CompiledJob]
    rows: Sequence[Values]
    labels: Sequence[tuple[tuple[str, str], ...]]
    axes: Sequence[str]
    fields: Mapping[str, Sequence[Rendering]]
    fills: Sequence[Mapping[str, Rendering]]
    callback: Sequence[Rendering] | None
    outputs: Sequence[Sequence[Rendering | None]]


def compiled_job(
    entry: JobEntry,
    spec: Spec,
    matrix: TypedMatrix | None,
    checker: RequestChecker,
    places: Places,
    says_model: FieldTemplate | str | None = None,
) -> CompiledJob:
    """Its templates are still to be compiled."""
    written, fields, fills = plain_json(entry.input), {}, {}
    for name, value in written.items():
        template = field_template(name, value, entry.input.value_spots[name], places)
        if template is not None:
            fields[name] = template
    for name, listed in matrix.listed() if matrix is not None else ():
        if name in spec.fields:
            template = field_template(f"matrix.{name}", listed.value, listed.spot, places)
            if template is not None:
                fills[listed] = template
    output = field_template("output", entry.output, entry.output_spot, places)
    callback = field_template("callBackUrl", entry.callback_url, entry.callback_spot, places)
    place = places.document.at(entry.spot)
    is_alone = matrix is not None or output is not None or callback is not None
    alike = (entry.name, spec.model) if is_alone else (spec.model, entry.takes, *written, None, *fields)
    parts = written, fields, fills, output, callback, place, alike
    return CompiledJob(entry, spec, matrix, checker, places, *parts, says_model)


def drafts(jobs: Sequence[CompiledJob], rows: Sequence[Values], campaign: str, batch: Batch) -> Drafts:
    """Puts into the batch all that the rows' templates are to become. `jobs`: that of each row."""
    job, count = jobs[0], len(rows)
    labels, axes = ([()] * count, [""] * count) if job.matrix is None else _labels(job.matrix, rows)
    contexts: list[dict[str, Any]] = [{} for _ in rows]
    outputs: list[Sequence[Rendering | None]] = []
    for take in range(1, job.entry.takes + 1):
        name = job.entry.name
        more = [
            {"take": take, "axes": text, "address": address(campaign, name, text, take)}
            for text in (axes if job.output is not None else ())
        ]
        made = None if job.output is None else job.output.for_rows(rows, contexts, batch, more)
        outputs.append(made or [None] * count)
    return Drafts(
        jobs,
        rows,
        labels,
        axes,
        _fields(jobs, rows, contexts, batch),
        [_fills(job, *row, batch) for row in zip(rows, contexts, strict=True)] if job.fills else [{}] * count,
        job.callback.for_rows(rows, contexts, batch) if job.callback is not None else None,
        outputs,
    )


def _fields(
    jobs: Sequence[CompiledJob], rows: Sequence[Values], contexts: Sequence[dict[str, Any]], batch: Batch
) -> Mapping[str, Sequence[Rendering]]:
    if jobs[0] is jobs[-1]:
        return {name: one.for_rows(rows, contexts, batch) for name, one in jobs[0].fields.items()}
    return {
        name: [one.fields[name].for_rows([{}], [contexts[at]], batch)[0] for at, one in enumerate(jobs)]
        for name in jobs[0].fields
    }


def _labels(
    matrix: TypedMatrix, rows: Sequence[Values]
) -> tuple[list[tuple[tuple[str, str], ...]], list[str]]:
    columns = [[row[name] for row in rows] for name in matrix.names if name in rows[0]]
    if not columns:
        return [()] * len(rows), [""] * len(rows)
    parts = [[value.part for value in column] for column in columns]
    texts = [[value.text for value in column] for column in columns]
    return list(zip(*parts, strict=True)), list(map(",".join, zip(*texts, strict=True)))


def _fills(
    job: CompiledJob, values: Values, context: dict[str, Any], batch: Batch
) -> Mapping[str, Rendering]:
    return {
        name: job.fills[value].for_rows([values], [context], batch)[0]
        for name, value in values.items()
        if value in job.fills
    }


def input_of(made: Drafts, at: int) -> tuple[dict[str, Json], list[RowProblem]]:
    """The input as written for a row, before coercion. A field that failed to render is not in it."""
    job, written = made.jobs[at], dict(made.jobs[at].input)
    problems: list[RowProblem] = []
    for name, column in made.fields.items():
        written[name], problem = column[at].value, column[at].problem
        if problem is not None:
            problems.append(problem)
            del written[name]
    for name, value in made.rows[at].items():
        rendered = made.fills[at].get(name)
        if rendered is not None and rendered.problem is not None:
            problems.append(rendered.problem)
        elif name in job.spec.fields:
            filled = value.value if rendered is None else rendered.value
            own = typed(job.spec, name, written.get(name))
            if name in written and own != typed(job.spec, name, filled):
                problems.append(_set_twice(job, name))
            else:
                written[name] = filled
    return {name: value for name, value in written.items() if value != OMIT}, problems


def _set_twice(job: CompiledJob, name: str) -> RowProblem:
    """An axis named like an input field fills that field, as if its value were written there."""
    message = f"`{name}` is filled by the axis of that name and also set in `input`"
    hint = f"remove one of them; for a single value write `matrix: {{{name}: [value]}}`"
    spot = job.entry.input.value_spots[name]
    return job.places.problem("field-set-twice", message, spot, hint)
