"""One job entry made ready for multiplying: its matrix, and its values with templates anywhere inside.

In: a TypedMatrix, what its templates read. Out: `Draft`s of its rows, whose templates wait for their
`Batch`; afterwards what they were rendered to. Touches nothing: the renderer does.

A value is rendered once for each distinct tuple of what it reads, which is worth a factor of six on a
usual matrix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from kiejobs.core.address import address, axes_text
from kiejobs.core.document.nodes import plain_json, trimmed
from kiejobs.core.template.renderer import NOTHING, TemplateProblem, Wish, is_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json, Spot
    from kiejobs.core.expand.row_problems import Places, RowProblem
    from kiejobs.core.expand.typed_matrix import AxisValue, Labels, TypedMatrix, Values
    from kiejobs.core.models.validator import RequestChecker
    from kiejobs.core.template.renderer import Reads, Renderer

_CELL = re.compile(r"\{\{-?\s*matrix\.(\w+)(?:\.(\w+)|\[\s*['\"]([^'\"\\]+)['\"]\s*\])?\s*-?\}\}")


# --- one value as written --------------------------------------------------------------------------


@dataclass(slots=True)
class Rendering:
    """What a value becomes for some rows: empty until its batch is rendered, then a value or a problem."""

    value: Json = None
    problem: RowProblem | None = None


@dataclass(slots=True, eq=False)
class FieldTemplate:
    """A value as written, and where. `texts` are the templates in it, each once.

    `reads` is what they may read, once they are compiled. `ready` is what it becomes for all rows, where
    there is nothing to render, or a text can't be compiled.
    """

    name: str
    value: Json
    spot: Spot
    places: Places
    texts: tuple[str, ...]
    reads: Reads = NOTHING
    ready: Rendering | None = None

    def for_row(
        self, values: Values, names: Mapping[str, Any], batch: Batch, more: Iterable[str] = ()
    ) -> Rendering:
        """`names` are what its templates may read; by those in `more` rows differ beside their values."""
        if self.ready is not None:
            return self.ready
        axes = self.reads.axes
        known = tuple(values.items()) if axes is None else tuple(map(values.get, axes))
        asked = self.reads.names
        others = tuple(names[name] for name in more if asked is None or name in asked)
        return batch.ask((self, known, others), self, names)

    def filled(self, rendered: Mapping[str, str | TemplateProblem]) -> Rendering:
        for text in self.texts:
            found = rendered[text]
            if isinstance(found, TemplateProblem):
                return self.failed(found)
        return Rendering(_filled(self.value, rendered))

    def failed(self, problem: TemplateProblem) -> Rendering:
        return Rendering(problem=self.places.template_problem(problem, self.name, self.spot))


def field_template(name: str, value: Json, spot: Spot, places: Places) -> FieldTemplate:
    """Not compiled yet."""
    plain = plain_json(value)
    texts = tuple(dict.fromkeys(filter(is_template, _texts(plain))))
    ready = None if texts else Rendering(plain)
    return FieldTemplate(name, plain, spot, places, texts, ready=ready)


def compile_templates(templates: Iterable[FieldTemplate], renderer: Renderer) -> None:
    """All in one call; where there are none, the renderer is not called."""
    waiting = [template for template in templates if template.texts]
    texts = list(dict.fromkeys(text for template in waiting for text in template.texts))
    known = dict(zip(texts, renderer.reads(texts) if texts else (), strict=True))
    for template in waiting:
        for found in map(known.__getitem__, template.texts):
            if isinstance(found, TemplateProblem):
                template.ready = template.failed(found)
                break
            template.reads |= found


def _texts(value: Json) -> Iterator[str]:
    """Every text in a value, at any depth; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _filled(value: Json, rendered: Mapping[str, Any]) -> Json:
    """The value with what its templates were rendered to."""
    if isinstance(value, dict):
        return {key: _filled(item, rendered) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, rendered) for item in value]
    if isinstance(value, str) and value in rendered:
        return trimmed(rendered[value])
    return value


class Batch:
    """What some thousand rows want rendered: each distinct thing once, all of it in one call."""

    def __init__(self) -> None:
        self._asked: dict[tuple[object, ...], tuple[FieldTemplate, Rendering]] = {}
        self._wishes: list[Wish] = []

    def ask(
        self, key: tuple[object, ...], template: FieldTemplate, names: Mapping[str, Any]
    ) -> Rendering:
        """The same for the same key."""
        if key in self._asked:
            return self._asked[key][1]
        self._wishes += [Wish(text, names) for text in template.texts]
        waiting = Rendering()
        self._asked[key] = (template, waiting)
        return waiting

    def render(self, renderer: Renderer) -> None:
        """Without templates the renderer is not called."""
        results = iter(renderer.render(self._wishes) if self._wishes else ())
        for template, waiting in self._asked.values():
            of_template = islice(results, len(template.texts))
            made = template.filled(dict(zip(template.texts, of_template, strict=True)))
            waiting.value, waiting.problem = made.value, made.problem


# --- one job entry ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CompiledJob:
    """What is needed to turn each row of one job entry into jobs.

    `fills` are the templates of values that stand in the matrix and fill the field of their axis' name.
    """

    matrix: TypedMatrix
    checker: RequestChecker
    places: Places
    fields: Mapping[str, FieldTemplate]
    fills: Mapping[AxisValue, FieldTemplate]
    output: FieldTemplate | None
    callback: FieldTemplate | None

    @property
    def templates(self) -> list[FieldTemplate]:
        """Those of all rows alike, without `fills`."""
        ends = [one for one in (self.output, self.callback) if one is not None]
        return [*self.fields.values(), *ends]

    @property
    def reads(self) -> Reads:
        """What its templates may read, all together."""
        found = NOTHING
        for template in (*self.templates, *self.fills.values()):
            found |= template.reads
        return found

    def cell_of(self, name: str, values: Values) -> Place | None:
        """Where in a data file the value of an input field was written, if it was written there.

        A field that is nothing but `{{ matrix.AXIS.COLUMN }}` was written in that column.
        """
        axis, column = name, None
        if name in self.fields:
            written = self.fields[name].value
            found = _CELL.fullmatch(written.strip()) if isinstance(written, str) else None
            axis, column = (found[1], found[2] or found[3]) if found else ("", None)
        return values[axis].cell(column) if axis in values else None


@dataclass(frozen=True, slots=True)
class Draft:
    """One row whose templates wait for their batch. `fills` are its values for fields of their names.

    `takes` are the addresses of its jobs, each with the `output` as written, if there is one.
    """

    job: CompiledJob
    values: Values
    labels: Labels
    fields: Mapping[str, Rendering]
    fills: Mapping[str, Rendering]
    callback: Rendering | None
    takes: tuple[tuple[str, Rendering | None], ...]


def compiled_job(matrix: TypedMatrix, checker: RequestChecker, places: Places) -> CompiledJob:
    """Its templates are still to be compiled."""
    entry = matrix.entry

    def written(name: str, value: Json, spot: Spot) -> FieldTemplate:
        return field_template(name, value, spot, places)

    def optional(name: str, text: str | None, spot: Spot) -> FieldTemplate | None:
        return None if text is None else written(name, text, spot)

    return CompiledJob(
        matrix,
        checker,
        places,
        fields={
            name: written(name, value, entry.input.value_spots[name])
            for name, value in entry.input.items()
        },
        fills={
            value: written(f"matrix.{name}", value.value, value.spot)
            for name, value in matrix.listed()
            if name in matrix.spec.fields
        },
        output=optional("output", entry.output, entry.output_spot),
        callback=optional("callBackUrl", entry.callback_url, entry.callback_spot),
    )


def draft(job: CompiledJob, values: Values, campaign: str, batch: Batch) -> Draft:
    """Asks the batch for all that the row's templates are to become."""
    entry, fields, labels = job.matrix.entry, job.matrix.spec.fields, job.matrix.labels(values)
    seen = {name: value.seen for name, value in values.items()}
    names: dict[str, Any] = {"job": entry.name, "matrix": seen}
    takes: list[tuple[str, Rendering | None]] = []
    for take in range(1, entry.takes + 1):
        own, output = address(campaign, entry.name, labels, take), None
        if job.output is not None:
            more = {"take": take, "axes": axes_text(labels), "address": own}
            output = job.output.for_row(values, {**names, **more}, batch, more)
        takes.append((own, output))
    return Draft(
        job,
        values,
        labels,
        {name: one.for_row(values, names, batch) for name, one in job.fields.items()},
        {
            # What comes from data is data, and never rendered.
            name: job.fills[value].for_row(values, names, batch)
            if value.data is None
            else Rendering(value.value)
            for name, value in values.items()
            if name in fields
        },
        None if job.callback is None else job.callback.for_row(values, names, batch),
        tuple(takes),
    )


def input_of(made: Draft) -> tuple[dict[str, Json], list[RowProblem]]:
    """The input as written for a row, before coercion. A field that failed to render is not in it."""
    written: dict[str, Json] = {}
    problems: list[RowProblem] = []
    for name, rendering in (*made.fields.items(), *made.fills.items()):
        if rendering.problem is not None:
            problems.append(rendering.problem)
        elif name in written and _differ(made.job, name, written[name], rendering.value):
            problems.append(_set_twice(made.job, name))
        else:
            written[name] = rendering.value
    return written, problems


def _differ(job: CompiledJob, name: str, one: Json, other: Json) -> bool:
    return bool(job.matrix.typed(name, one) != job.matrix.typed(name, other))


def _set_twice(job: CompiledJob, name: str) -> RowProblem:
    """An axis named like an input field fills that field, as if its value were written there."""
    message = f"`{name}` is filled by the axis of that name and also set in `input`"
    hint = f"remove one of them; for a single value write `matrix: {{{name}: [value]}}`"
    spot = job.matrix.entry.input.value_spots[name]
    return job.places.problem("field-set-twice", message, spot, hint)
