"""The jobs API itself: take a create, report a task, report the balance, hand out a result.

In: bodies and ids past the gate; schemas (`{model, callBackUrl, input}`) and prices as data. Out: `Response`s in
the observed shapes: `param` encoded twice and without defaults, `resultJson` empty until success, nulls until the
end, costTime in seconds, credits as float and in full from the first poll on. Touches: the charge log. It reads schemas and prices on its own, sharing nothing with
what kiejobs checks before it sends, so that the two can disagree and a test can see it.
"""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.prices.table import NO_PRICES, PriceTable
from kiejobs.sandbox.asgi import UNKNOWN_TASK, compact, error, success
from kiejobs.sandbox.files import Content, make_content
from kiejobs.sandbox.tasks import Charges, Task, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TypeAlias

    from jsonschema.exceptions import ValidationError

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.prices.table import ModelPrice, PriceLine
    from kiejobs.sandbox.asgi import Request, Response
    from kiejobs.sandbox.tasks import TaskOutcome, TaskStatus

    Draw: TypeAlias = Callable[[Any, Task, str, int], bytes | None]

PLENTY = Decimal(10_000)
"""Credits of an account without a setting of its own."""

_MOST_FILES = 12
_FLAGS = {"success": 1, "fail": 3}  # documented; 0 while it runs
_NO_FIELDS: dict[str, Any] = {"properties": {"input": {"properties": {}}}}


@dataclass(eq=False)
class JobsApi:
    """One account at the service. `schemas` maps model ids to their schemas; `store` is its memory.

    `now` in epoch seconds; `speed`: simulated seconds in a real one. `base_url`: where result URLs point.
    `credits`: what the account has at the very beginning of the store, or, where it `refills`, now. `prices`: what
    tasks cost. `draw` makes a task's file, as its media type and its number, or leaves it to the samples.
    """

    schemas: Mapping[str, Mapping[str, Any]]
    store: Path
    _: KW_ONLY
    now: Callable[[], float] = time.time
    speed: float = 1.0
    base_url: str = "http://sandbox.invalid"
    credits: Decimal = PLENTY
    refills: bool = False
    prices: PriceTable = NO_PRICES
    draw: Draw | None = None

    def __post_init__(self) -> None:
        self.charges = Charges(self.store)
        self._before = self._spent() if self.refills else Decimal(0)
        self.base_url = self.base_url.rstrip("/")

    def create(self, body: Json, fate: TaskOutcome) -> tuple[Response, Task | None]:
        """A task only when it is charged, on disk; refused for model (422), fields (500) or money (402).

        Whether the service looks at the credits before or after the fields is not known.
        """
        name = body.get("model") if isinstance(body, dict) else None
        if not isinstance(name, str) or name not in self.schemas:
            return error(422), None
        model = self._model(name)
        problem = model.problem(body.get("input"))
        if problem is not None:
            return error(500, problem), None
        price = credits_for(self.prices.of(name), model.filled(body["input"]))
        if self._left() < price:
            return error(402), None
        task = self.charges.append(partial(self._task, body, price, fate))
        ids = {"taskId": task.task_id, "recordId": task.task_id}
        return success(ids, task_id=task.task_id), task

    def _task(self, body: dict[str, Any], price: Decimal, fate: TaskOutcome, seq: int) -> Task:
        callback = body.get("callBackUrl")
        return Task(
            seq=seq,
            at=round(self.now(), 3),
            task_id=uuid.uuid4().hex,
            model=body["model"],
            input=body["input"],
            callback_url=callback if isinstance(callback, str) and callback else None,
            credits=price if fate.charge is None else Decimal(fate.charge),
            speed=self.speed,
            fate=fate,
        )

    def _model(self, name: str) -> Model:
        """A model that is no longer on offer still has tasks; it is then one without fields."""
        return Model(name, self.schemas.get(name, _NO_FIELDS))

    def record_info(self, request: Request, _: TaskOutcome) -> Response:
        """One task. An unknown task is 422, as observed; the docs also say 404."""
        task_id = request.query.get("taskId")
        if not task_id:
            return error(400)
        task = self.charges.tasks.get(task_id)
        status = None if task is None else status_of(task, self.now(), self.speed)
        if task is None or status is None or not status.known:
            return error(422, UNKNOWN_TASK, task_id=task_id)
        return success(self.describe(task, status), task_id=task_id)

    def describe(self, task: Task, status: TaskStatus) -> dict[str, Any]:
        """The `data` of recordInfo, keys in the recorded order. `response` is documented, its place a guess."""
        model = self._model(task.model)
        done, failed = status.state == "success", status.state == "fail"
        param, result = _param(task, model), _result(task, model, self.base_url) if done else {}
        return {
            "taskId": task.task_id,
            "model": task.model,
            "state": status.state,
            "param": param,
            "resultJson": compact(result) if done else "",
            "failCode": task.fate.fail_code if failed else None,
            "failMsg": task.fate.fail_msg if failed else None,
            "costTime": None if status.ended is None else round(status.ended - task.at),
            "completeTime": None if status.ended is None else round(status.ended * 1000),
            "createTime": round(task.at * 1000),
            "creditsConsumed": 0.0 if failed else float(task.credits),
            "operationType": task.model,
            "successFlag": _FLAGS.get(status.state, 0),
            "paramJson": param,
            **({"response": result} if done else {}),
        }

    def balance(self, _request: Request, _: TaskOutcome) -> Response:
        """A float, as recorded; the docs say integer."""
        return success(float(self._left()))

    def _left(self) -> Decimal:
        """Never more than it was filled with: what was given back since may have been spent before."""
        return min(self.credits - (self._spent() - self._before), self.credits)

    def _spent(self) -> Decimal:
        """What a failed task cost is given back (documented)."""
        now, failing = self.now(), self.charges.failing
        back = (one.credits for one in failing if status_of(one, now, self.speed).state == "fail")
        return self.charges.total - sum(back, Decimal(0))

    def result(self, task_id: str, name: str) -> Content | None:
        """The file of a task that has succeeded, under the name that recordInfo gave it."""
        task = self.charges.tasks.get(task_id)
        if task is None or status_of(task, self.now(), self.speed).state != "success":
            return None
        files = _files(task, self._model(task.model))
        if name not in files:
            return None
        _, media_type, seed = files[name]
        drawn = self.draw(self, task, media_type, list(files).index(name)) if self.draw else None
        return make_content(media_type, seed) if drawn is None else Content(media_type, drawn)


# --- a task's parts of a record --------------------------------------------------------------------


def _param(task: Task, model: Model) -> str:
    """The create request as JSON text in which `input` is JSON text again."""
    kept: dict[str, Any] = {"model": task.model}
    if task.callback_url is not None:
        kept["callBackUrl"] = task.callback_url
    kept["input"] = compact(shuffled(model.filled(task.input, echo=True)))
    return compact(shuffled(kept))


def _result(task: Task, model: Model, base_url: str) -> dict[str, Json]:
    if model.output(task.input)[0] == "application/json":
        return {"resultObject": {"text": f"kiejobs sandbox {task.task_id}"}}
    urls: dict[str, list[str]] = {}
    for name, (key, *_) in _files(task, model).items():
        urls.setdefault(key, []).append(f"{base_url}/files/{task.task_id}/{name}")
    return dict(urls)


def _files(task: Task, model: Model) -> dict[str, tuple[str, str, str]]:
    """What a task gives, by name: the key in resultJson, the media type, the seed that sets it apart.

    Names can't be guessed from a task's id, as on the service's hosts. Stills are documented.
    """
    fields, (media_type, extension) = model.filled(task.input), model.output(task.input)
    files: dict[str, tuple[str, str, str]] = {}
    for number in range(count_of(fields)):
        stem = hashlib.sha256(f"{task.task_id}:{task.at}{number or ''}".encode()).hexdigest()[:16]
        seed = f"{task.task_id}-{number + 1}" if number else task.task_id
        files[stem + extension] = ("resultUrls", media_type, seed)
    if fields.get("return_last_frame") is True:
        stem = next(iter(files)).partition(".")[0]
        for which in ("first", "last"):
            name = f"{stem}-{which}.png"
            files[name] = (f"{which}FrameUrl", "image/png", f"{task.task_id}-{name}")
    return files


def count_of(request_input: Mapping[str, Json]) -> int:
    """How many files a task gives: one, unless pictures are asked for by number."""
    wanted = str(request_input.get("num_images", request_input.get("n", "")))
    return min(int(wanted), _MOST_FILES) if re.fullmatch(r"[1-9][0-9]?", wanted) else 1


# --- what the service knows of a model, and what it charges ------------------------------------------

UNLISTED = Decimal(0)
"""What a task costs that the table of prices has no price for: a rehearsal's account is not drained by guesses."""

_TOO_LONG = "The text length cannot exceed the maximum limit"
_OUT_OF_RANGE = "Value must be within the specified range"
_EMPTY = "This field is required"

_TEXTS = {
    "enum": "{} is not within the range of allowed options",
    "const": "{} is not within the range of allowed options",
    "maxLength": _TOO_LONG,
    "minLength": _EMPTY,
    "type": _EMPTY,  # no text was ever seen for a wrong type; this one is the vaguest of theirs
    "minItems": _EMPTY,
}
_MISSING = re.compile(r"'(.*)' is a required property|'(.*)' is a dependency of '.*'")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_CLOSING = ("unevaluatedProperties", "additionalProperties")


@dataclass(frozen=True, slots=True)
class Model:
    """One model on offer."""

    name: str
    schema: Mapping[str, Any]

    @property
    def _fields(self) -> Mapping[str, Mapping[str, Any]]:
        fields: Mapping[str, Mapping[str, Any]] = self.schema["properties"]["input"]["properties"]
        return fields

    def output(self, request_input: Mapping[str, Json]) -> tuple[str, str]:
        """Media type and extension of a request's files: the model's, or those that a field asks for."""
        kind = self.schema.get("x-kiejobs-output", {})
        wanted = self.filled(request_input).get(kind.get("by"))
        asked = kind.get("forms", {}).get(wanted, {}) if isinstance(wanted, str) else {}
        form = {"media_type": "video/mp4", "extension": ".mp4", **kind, **asked}
        return form["media_type"], form["extension"]

    def problem(self, request_input: Json) -> str | None:
        """The first thing that is wrong, in the service's words. Unknown fields are passed over (observed)."""
        if not isinstance(request_input, dict):
            return "input is required"
        known = self.filled(request_input, echo=True)
        required = self.schema["properties"]["input"].get("required", ())
        for name in self._fields:
            problem = self._field_problem(name, known, required=name in required)
            if problem is not None:
                return problem
        return self._request_problem(known)

    def _field_problem(self, name: str, known: Mapping[str, Json], *, required: bool) -> str | None:
        if name not in known:
            return f"{name} is required" if required else None
        if known[name] is None or known[name] == "":
            return _EMPTY if required else None
        validator: Any = Draft202012Validator(self.schema)
        validator = validator.evolve(schema=self._fields[name])
        wrong = next(iter(validator.iter_errors(known[name])), None)
        return None if wrong is None else _said(name, wrong)

    def _request_problem(self, known: Mapping[str, Json]) -> str | None:
        """What only several fields together get wrong. Empty ones are left out, those left out have defaults."""
        fields: dict[str, Json] = {}
        for name, field in self._fields.items():
            if known.get(name) not in (None, ""):
                fields[name] = known[name]
            elif "default" in field:
                fields[name] = field["default"]
        request = {"model": self.name, "input": fields}
        for wrong in Draft202012Validator(self.schema).iter_errors(request):
            if wrong.validator not in _CLOSING:
                return _of_several(wrong)
        return None

    def filled(self, request_input: Mapping[str, Json], *, echo: bool = False) -> dict[str, Json]:
        """As it is made and charged: with defaults, a boolean without one as false. As an `echo`: without these; a number
        that came as text is one (both observed).
        """
        kept: dict[str, Json] = {}
        for name, field in self._fields.items():
            kind = field.get("type")
            if name in request_input:
                kept[name] = value = request_input[name]
                if kind in {"integer", "number"} and isinstance(value, str) and _NUMBER.fullmatch(value):
                    kept[name] = float(value) if "." in value else int(value)
            elif not echo and ("default" in field or kind == "boolean"):
                kept[name] = field.get("default", False)
        return kept


def _of_several(wrong: ValidationError) -> str:
    """Which field the service would name is not known; here it is the one that is to blame."""
    while wrong.context:
        wrong = wrong.context[0]
    missing = _MISSING.fullmatch(wrong.message)
    if missing is not None:
        return f"{missing[1] or missing[2]} is required"
    path = [step for step in wrong.absolute_path if isinstance(step, str)]
    return _said(path[1] if len(path) > 1 else "input", wrong)


def _said(name: str, wrong: ValidationError) -> str:
    return _TEXTS.get(str(wrong.validator), _OUT_OF_RANGE).format(name)


def credits_for(price: ModelPrice | None, kept: Mapping[str, Json]) -> Decimal:
    """What a request costs whose input the service keeps like this."""
    if price is None or price.unstated:
        return UNLISTED
    for line in price.lines:
        if _is_about(line, kept):
            if price.quantity is None:
                return line.credits
            units = _units(kept.get(price.quantity), price.unit)
            return UNLISTED if units is None else line.credits * max(units, price.minimum or units)
    return UNLISTED


def _is_about(line: PriceLine, kept: Mapping[str, Json]) -> bool:
    return all(_listed(kept.get(name)) == wanted for name, wanted in line.when.items()) and all(
        there == (kept.get(name) not in (None, "", [], {})) for name, there in line.given.items()
    )


def _units(value: Json, unit: str) -> Decimal | None:
    if unit == "1000 characters":
        return Decimal(len(value)) / 1000 if isinstance(value, str) else None
    written = _listed(value)
    is_number = written is not None and _NUMBER.fullmatch(written)
    return Decimal(written) if is_number and written is not None else None


def _listed(value: Json) -> str | None:
    """A value as the list of prices writes it, which has no quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int | float) else None


def shuffled(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The same fields in another order, as a hash map gives them back (observed in `param`)."""
    pairs = sorted(fields.items(), key=lambda pair: hashlib.sha256(pair[0].encode()).digest())
    if pairs == list(fields.items()):
        pairs.reverse()
    return dict(pairs)
