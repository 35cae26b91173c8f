"""The requests of one job entry, or of several that are alike, each joined from parts that are made once.

In: a compiled job, its rows' renderings, a reader of local files, prices. Out: a `Request` for each row; one in
which anything is wrong is made and checked in full, to report it. Touches nothing: the reader does.

A field comes from one axis value, one rendering, or the job file alone. What it is by itself is found out once
(type, verdict, files, canonical JSON); a rule across fields or a price once for each choice of its fields.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from operator import and_, attrgetter
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

from kiejobs.core.expand.compiled_job import Rendering, input_of
from kiejobs.core.expand.job_checks import file_problems, request_problems
from kiejobs.core.fingerprint import canonical_member, fingerprint
from kiejobs.core.models.spec import complete, extension_of, typed
from kiejobs.core.template.renderer import OMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.expand.compiled_job import CompiledJob, Drafts
    from kiejobs.core.expand.job import LocalFile, NoFile
    from kiejobs.core.expand.job_checks import LengthWarnings
    from kiejobs.core.expand.row_problems import RowProblem
    from kiejobs.core.expand.typed_matrix import AxisValue
    from kiejobs.core.models.rules import FieldRule
    from kiejobs.core.models.spec import Path, Spec
    from kiejobs.core.prices.table import PriceTable

Answer = TypeVar("Answer")

_Source: TypeAlias = "Rendering | AxisValue | tuple[str, str]"
"""What a field's value comes from; a text of the job file is itself, with the field's name."""

PlacesFiles: TypeAlias = "Callable[[Spec, dict[str, Json]], tuple[dict[str, Json], tuple[LocalFile, ...], list[tuple[Path, NoFile]]]]"
"""`place_files` with its reader."""

_FEW = 4
"""Jobs that are made sooner than their parts."""

_MOST_HELD = 4_000_000
"""Bytes of canonical JSON that are kept to be joined again; then all is forgotten, and made again."""

_OVERHEAD = 400
"""Bytes that a part takes in addition to its canonical JSON, and what is known of it."""


class Request(NamedTuple):
    """What is sent for one row, and what follows from it alone. `is_long`: does a text hardly fit?"""

    input: dict[str, Json]
    files: tuple[LocalFile, ...]
    fingerprint: str
    credits: Decimal | None
    extension: str
    is_long: bool


@dataclass(slots=True, eq=False)
class _Part:
    """A field with one value; `canonical` is `"name":value`. Not `sound`: something is wrong with it.

    Not frozen, as `AxisValue`: there are thousands, and they would take three times as long to make.
    """

    value: Json
    canonical: bytes
    sound: bool
    files: tuple[LocalFile, ...]
    is_long: bool


_VALUE, _CANONICAL, _IS_SOUND, _FILES, _IS_LONG = map(
    attrgetter, ("value", "canonical", "sound", "files", "is_long")
)


class Requests:
    """Those of one job entry, or of such as are alike."""

    def __init__(
        self, job: CompiledJob, files: PlacesFiles, prices: PriceTable, lengths: LengthWarnings
    ) -> None:
        self._job = job
        self._place_files = files
        self._prices = prices
        self._lengths = lengths
        self._forms: dict[tuple[str, ...], _Form | None] = {}
        self._parts: dict[object, _Part] = {}
        self._held = 0
        self._end = b"},%b}" % canonical_member("model", job.spec.model)

    def of(self, made: Drafts) -> list[tuple[Request, Sequence[RowProblem]]]:
        """For each row, with what is wrong with it."""
        if self._job.matrix is None and len(made.rows) < _FEW:
            return [self._whole(made, at) for at in range(len(made.rows))]
        return [
            self._whole(made, at) if request is None else (request, ())
            for at, request in enumerate(self._joined(made))
        ]

    def _joined(self, made: Drafts) -> Sequence[Request | None]:
        """From parts; None where anything is wrong, or where the schema needs the complete request."""
        nothing: list[Request | None] = [None] * len(made.rows)
        names = tuple(made.rows[0])
        if names not in self._forms:
            self._forms[names] = self._form(names)
        form = self._forms[names]
        if form is None:
            return nothing
        columns = [self._column(name, form, made) for name in form.names]
        if all(map(_IS_SOUND, chain(*map(set, columns)))):
            return self._requests(form, columns)
        sound = [at for at, parts in enumerate(zip(*columns, strict=True)) if all(map(_IS_SOUND, parts))]
        some = self._requests(form, [[column[at] for at in sound] for column in columns])
        for at, request in zip(sound, some, strict=True):
            nothing[at] = request
        return nothing

    def _requests(self, form: _Form, columns: Sequence[Sequence[_Part]]) -> list[Request | None]:
        """Those of rows whose parts are all sound; None where a rule is broken."""
        inputs = [
            dict(zip(form.names, values, strict=True))
            for values in zip(*[map(_VALUE, column) for column in columns], strict=True)
        ]
        texts = map(b",".join, zip(*[map(_CANONICAL, columns[at]) for at in form.order], strict=True))
        marks = [hashlib.sha256(b'{"input":{%b%b' % (text, self._end)).hexdigest() for text in texts]
        held = [True] * len(inputs)
        for rule in form.rules:
            held = list(map(and_, held, rule.answers(columns, inputs)))
        of_row = zip(
            inputs,
            _files(columns),
            marks,
            form.price.answers(columns, inputs),
            form.extension.answers(columns, inputs),
            _long(columns),
            strict=True,
        )
        requests = map(Request._make, of_row)
        return [request if is_held else None for request, is_held in zip(requests, held, strict=True)]

    def _whole(self, made: Drafts, at: int) -> tuple[Request, list[RowProblem]]:
        """The row's request, and what is wrong with it."""
        job, values = made.jobs[at], made.rows[at]
        written, wrong = input_of(made, at)
        request, local, no_file = self._place_files(job.spec, complete(job.spec, written))
        refused = job.checker.problems(request)
        if refused:
            failed = bool(wrong)
            wrong += request_problems(job, values, refused, request, failed_to_render=failed)
        if no_file:
            wrong += file_problems(job, values, no_file)
        try:
            mark = fingerprint(job.spec.model, request)
        except ValueError:
            mark, spot = "0" * 64, job.entry.spot
            message = "the request holds text or a number that JSON can't carry exactly"
            hint = "look for a broken \\u escape, or a number that is too large"
            wrong.append(job.places.problem("invalid-text", message, spot, hint))
        extension = extension_of(job.spec, request)
        credits_ = self._prices.price(job.spec.model, request)
        return Request(request, local, mark, credits_, extension, is_long=True), wrong

    def _form(self, names: Sequence[str]) -> _Form | None:
        """How requests of rows with these values are joined; None where they can't be taken apart."""
        job, spec, rules, prices = self._job, self._job.spec, self._job.checker.rules, self._prices
        filled = [name for name in names if name in spec.fields]
        fields = [name for name in spec.fields if name in {*job.input, *filled, *spec.defaults}]
        is_plain = all(map(str.isascii, fields)) and job.input.keys().isdisjoint(filled)
        if rules is None or not fields or not is_plain or not set(fields) >= {*job.input, *spec.required}:
            return None
        differing = {*filled, *job.fields, *(job.input if job.matrix is None else ())}
        constants = [name for name in fields if name not in differing]
        of_price = prices.fields(spec.model)
        by = () if spec.output_by is None else (spec.output_by,)
        return _Form(
            fields,
            {name: self._constant(name) for name in constants},
            order=sorted(range(len(fields)), key=fields.__getitem__),
            rules=[_Question(rule.fields, fields, _holds(rule)) for rule in rules],
            price=_Question(of_price, fields, lambda given: prices.price(spec.model, given)),
            extension=_Question(by, fields, lambda given: extension_of(spec, given)),
        )

    def _constant(self, name: str) -> _Part:
        written, spec = self._job.input, self._job.spec
        is_default = name not in written
        value = spec.defaults[name] if is_default else typed(spec, name, written[name])
        return self._part(name, value)

    def _column(self, name: str, form: _Form, made: Drafts) -> list[_Part]:
        if name in form.constants:
            return [form.constants[name]] * len(made.rows)
        if self._held >= _MOST_HELD:
            self._parts.clear()
            self._forms.clear()
            self._held = 0
        of_rows = made.fields.get(name) or self._written(name, made)
        for one in dict.fromkeys(of_rows):  # in order: of two equal numbers the first is shown
            if one not in self._parts:
                self._parts[one] = self._part_from(name, one)
        return list(map(self._parts.__getitem__, of_rows))

    def _written(self, name: str, made: Drafts) -> Sequence[_Source]:
        if self._job.matrix is None:
            values = [job.input[name] for job in made.jobs]
            return [(name, one) if isinstance(one, str) else Rendering(one) for one in values]
        values = [row[name] for row in made.rows]
        if not self._job.fills:
            return values
        return [fills.get(name, value) for fills, value in zip(made.fills, values, strict=True)]

    def _part_from(self, name: str, source: _Source) -> _Part:
        if isinstance(source, tuple):
            return self._part(name, typed(self._job.spec, name, source[1]))
        if isinstance(source, Rendering) and (source.problem is not None or source.value == OMIT):
            return _Part(None, b"", sound=False, files=(), is_long=False)
        return self._part(name, typed(self._job.spec, name, source.value))

    def _part(self, name: str, value: Json) -> _Part:
        spec, checker = self._job.spec, self._job.checker
        files: tuple[LocalFile, ...] = ()
        no_file, text = False, b""
        if name in spec.file_fields:
            placed, files, wrong = self._place_files(spec, {name: value})
            value, no_file = placed[name], bool(wrong)
        try:  # noqa: SIM105 - of each value: `suppress` takes as long as making the text
            text = canonical_member(name, value)
        except ValueError:  # what JSON can't carry
            pass
        self._held += len(text) + _OVERHEAD
        sound = bool(text) and not no_file and checker.takes(name, value)
        return _Part(value, text, sound, files, self._lengths.is_near(spec.model, name, value))


class _Question(Generic[Answer]):
    """What depends on some fields of a request, asked once for each choice of theirs."""

    def __init__(
        self, fields: Sequence[str], known: Sequence[str], ask: Callable[[Mapping[str, Json]], Answer]
    ) -> None:
        self._at = [known.index(name) for name in fields if name in known]
        self._ask = ask
        self._answers: dict[tuple[_Part, ...], Answer] = {}

    def answers(
        self, columns: Sequence[Sequence[_Part]], inputs: Sequence[Mapping[str, Json]]
    ) -> list[Answer]:
        """One for each row."""
        if not inputs:
            return []
        chosen = [columns[at] for at in self._at]
        choices: Sequence[tuple[_Part, ...]] = list(zip(*chosen, strict=True)) or [()] * len(inputs)
        for choice, request in dict(zip(choices, inputs, strict=True)).items():
            if choice not in self._answers:
                self._answers[choice] = self._ask(request)
        return list(map(self._answers.__getitem__, choices))


@dataclass(frozen=True, slots=True)
class _Form:
    """How the requests of rows with the same names are joined.

    `names` are the fields in the schema's order, `order` that of canonical JSON; `constants` are the parts that
    are the same in all rows, since the job file alone says them.
    """

    names: Sequence[str]
    constants: Mapping[str, _Part]
    order: Sequence[int]
    rules: Sequence[_Question[bool]]
    price: _Question[Decimal | None]
    extension: _Question[str]


def _holds(rule: FieldRule) -> Callable[[Mapping[str, Json]], bool]:
    return lambda request: rule.holds(rule.given(request))


def _long(columns: Sequence[Sequence[_Part]]) -> Sequence[bool]:
    if not any(map(_IS_LONG, chain(*map(set, columns)))):
        return [False] * len(columns[0])
    return [any(map(_IS_LONG, parts)) for parts in zip(*columns, strict=True)]


def _files(columns: Sequence[Sequence[_Part]]) -> list[tuple[LocalFile, ...]]:
    """The local files of each row, each once, in the order of the fields."""
    if not any(map(_FILES, chain(*map(set, columns)))):
        return [()] * len(columns[0])
    return [
        tuple({file.path: file for part in parts for file in part.files}.values())
        for parts in zip(*columns, strict=True)
    ]
