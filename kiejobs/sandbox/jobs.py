"""The jobs API itself: take a create, report a task, report the balance, hand out a result.

In: request bodies and ids, already past the gate. Out: `Response`s, records in the observed shapes:
`param` encoded twice, `resultJson` empty until success, nulls until the end, costTime in seconds,
credits as float. Touches the charge log.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.asgi import UNKNOWN_TASK, compact, error, success
from kiejobs.sandbox.files import make_content
from kiejobs.sandbox.models import Model, credits_for, shuffled
from kiejobs.sandbox.tasks import Task, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.prices.table import PriceTable
    from kiejobs.sandbox.asgi import Response
    from kiejobs.sandbox.files import Content
    from kiejobs.sandbox.tasks import Charges, TaskOutcome, TaskStatus

_MOST_FILES = 12
_NO_FIELDS: dict[str, Any] = {"properties": {"input": {"properties": {}}}}


@dataclass(slots=True)
class Jobs:
    """One account at the service. `credits` is what it once had; what is left follows."""

    schemas: Mapping[str, Mapping[str, Any]]
    charges: Charges
    now: Callable[[], float]
    speed: float
    credits: Decimal
    base_url: str
    prices: PriceTable

    def create(self, body: Json, fate: TaskOutcome) -> tuple[Response, Task | None]:
        """Take it or refuse it. A task comes back only when it is charged, on disk.

        It is refused for the first thing in the way: model (422), fields (500), money (402). Whether
        the service looks at the credits before or after the fields is not known.
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
        return success(
            {"taskId": task.task_id, "recordId": task.task_id}, task_id=task.task_id
        ), task

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

    def record_info(self, task_id: str | None) -> Response:
        """One task. An unknown task is 422, as observed; the docs also say 404."""
        if not task_id:
            return error(400)
        task = self.charges.tasks.get(task_id)
        status = None if task is None else status_of(task, self.now(), self.speed)
        if task is None or status is None or not status.known:
            return error(422, UNKNOWN_TASK, task_id=task_id)
        return success(self.describe(task, status), task_id=task_id)

    def describe(self, task: Task, status: TaskStatus) -> dict[str, Any]:
        """The `data` of recordInfo, keys in the recorded order."""
        model = self._model(task.model)
        done, failed = status.state == "success", status.state == "fail"
        return {
            "taskId": task.task_id,
            "model": task.model,
            "state": status.state,
            "param": _param(task, model),
            "resultJson": _result(task, model, self.base_url) if done else "",
            "failCode": task.fate.fail_code if failed else None,
            "failMsg": task.fate.fail_msg if failed else None,
            "costTime": None if status.ended is None else round(status.ended - task.at),
            "completeTime": None if status.ended is None else round(status.ended * 1000),
            "createTime": round(task.at * 1000),
            "creditsConsumed": float(task.credits) if done else 0.0,
        }

    def balance(self) -> Response:
        """A float, as recorded; the docs say integer."""
        return success(float(self._left()))

    def _left(self) -> Decimal:
        """What a failed task cost is given back (documented)."""
        left = self.credits - self.charges.total
        for task in self.charges.failing:
            if status_of(task, self.now(), self.speed).state == "fail":
                left += task.credits
        return left

    def result(self, task_id: str, name: str) -> Content | None:
        """The file of a task that has succeeded, under the name that recordInfo gave it."""
        task = self.charges.tasks.get(task_id)
        if task is None or status_of(task, self.now(), self.speed).state != "success":
            return None
        _, media_type, seed = _files(task, self._model(task.model)).get(name, ("", "", ""))
        return make_content(media_type, seed) if media_type else None


# --- a task's parts of a record --------------------------------------------------------------------


def _param(task: Task, model: Model) -> str:
    """The create request as JSON text in which `input` is JSON text again."""
    kept: dict[str, Any] = {"model": task.model}
    if task.callback_url is not None:
        kept["callBackUrl"] = task.callback_url
    kept["input"] = compact(shuffled(model.filled(task.input)))
    return compact(shuffled(kept))


def _result(task: Task, model: Model, base_url: str) -> str:
    if model.output(task.input)[0] == "application/json":
        return compact({"resultObject": {"text": f"kiejobs sandbox {task.task_id}"}})
    urls: dict[str, list[str]] = {}
    for name, (key, *_) in _files(task, model).items():
        urls.setdefault(key, []).append(f"{base_url}/files/{task.task_id}/{name}")
    return compact(urls)


def _files(task: Task, model: Model) -> dict[str, tuple[str, str, str]]:
    """What a task gives, by name: the key in resultJson, the media type, the seed that sets it apart.

    Names can't be guessed from a task's id alone, as on the service's hosts. With the first and the last
    frame of a video, where they are asked for (documented).
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
