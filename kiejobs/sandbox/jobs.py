"""The jobs API itself: take a create, tell a task, tell the balance, hand out a result.

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
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.asgi import UNKNOWN_TASK, compact, error, success
from kiejobs.sandbox.files import make_content
from kiejobs.sandbox.models import Model, credits_for, shuffled
from kiejobs.sandbox.tasks import Task, standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.prices.table import PriceTable
    from kiejobs.sandbox.asgi import Response
    from kiejobs.sandbox.clock import SandboxClock
    from kiejobs.sandbox.fault_script import TaskOutcome
    from kiejobs.sandbox.files import Content
    from kiejobs.sandbox.tasks import Charges, TaskStatus

_MOST_FILES = 12


@dataclass(slots=True)
class Jobs:
    """One account at the service. `credits` is what it once had; what is left follows."""

    schemas: Mapping[str, Mapping[str, Any]]
    charges: Charges
    clock: SandboxClock
    speed: float
    credits: Decimal
    base_url: str
    prices: PriceTable

    def create(self, body: Json, fate: TaskOutcome) -> tuple[Response, Task | None]:
        """Take it or refuse it. A task comes back only when it is charged, on disk."""
        refusal = self._refusal(body)
        if refusal is not None:
            return refusal, None
        task = self.charges.append(lambda seq: self._task(seq, body, fate))
        ids = {"taskId": task.task_id, "recordId": task.task_id}
        return success(ids, task_id=task.task_id), task

    def _refusal(self, body: Json) -> Response | None:
        """The first thing in the way: model (422), fields (500), money (402); nothing is charged.

        Whether the service looks at the credits before or after the fields is not known.
        """
        name = body.get("model") if isinstance(body, dict) else None
        if not isinstance(name, str) or name not in self.schemas:
            return error(422)
        model = self._model(name)
        problem = model.problem(body.get("input"))
        if problem is not None:
            return error(500, problem)
        short = self._left() < self._price(model, body["input"])
        return error(402) if short else None

    def _task(self, seq: int, body: dict[str, Any], fate: TaskOutcome) -> Task:
        callback = body.get("callBackUrl")
        price = self._price(self._model(body["model"]), body["input"])
        return Task(
            seq=seq,
            at=round(self.clock.now(), 3),
            task_id=uuid.uuid4().hex,
            model=body["model"],
            input=body["input"],
            callback_url=callback if isinstance(callback, str) and callback else None,
            credits=price if fate.charge is None else Decimal(fate.charge),
            speed=self.speed,
            fate=fate,
        )

    def _price(self, model: Model, request_input: Mapping[str, Json]) -> Decimal:
        return credits_for(self.prices.of(model.name), model.filled(request_input))

    def _model(self, name: str) -> Model:
        """A model that is no longer on offer still has tasks; it is then one without fields."""
        return Model(name, self.schemas.get(name, {"properties": {"input": {"properties": {}}}}))

    def find(self, task_id: str) -> Task | None:
        return self.charges.tasks.get(task_id)

    def record_info(self, task_id: str | None) -> Response:
        """One task. An unknown task is 422, as observed; the docs also say 404."""
        if not task_id:
            return error(400)
        task = self.find(task_id)
        stands = None if task is None else self.standing(task)
        if task is None or stands is None or not stands.known:
            return error(422, UNKNOWN_TASK, task_id=task_id)
        return success(self.describe(task, stands), task_id=task_id)

    def standing(self, task: Task) -> TaskStatus:
        return standing(task, self.clock.now(), self.speed)

    def describe(self, task: Task, stands: TaskStatus) -> dict[str, Any]:
        return record(task, self._model(task.model), stands, self.base_url)

    def balance(self) -> Response:
        """A float, as recorded; the docs say integer."""
        return success(float(self._left()))

    def _left(self) -> Decimal:
        """What a failed task cost is given back (documented)."""
        left = self.credits - self.charges.total
        for task in self.charges.failing:
            if self.standing(task).state == "fail":
                left += task.credits
        return left

    def result(self, task_id: str, name: str) -> Content | None:
        """The file of a task that has succeeded, under the name that recordInfo gave it."""
        task = self.find(task_id)
        if task is None or self.standing(task).state != "success":
            return None
        model = self._model(task.model)
        names = file_names(task, model)
        if name in frame_names(task, model).values():
            return make_content("image/png", f"{task.task_id}-{name}")
        if name not in names:
            return None
        number = names.index(name)
        seed = f"{task.task_id}-{number + 1}" if number else task.task_id
        return make_content(model.output(task.input).media_type, seed)


# --- a task as recordInfo has it -------------------------------------------------------------------


def record(task: Task, model: Model, stands: TaskStatus, base_url: str) -> dict[str, Any]:
    """The `data` of recordInfo, keys in the recorded order."""
    done = stands.state == "success"
    failed = stands.state == "fail"
    return {
        "taskId": task.task_id,
        "model": task.model,
        "state": stands.state,
        "param": _param(task, model),
        "resultJson": _result(task, model, base_url) if done else "",
        "failCode": task.fate.fail_code if failed else None,
        "failMsg": task.fate.fail_msg if failed else None,
        "costTime": None if stands.ended is None else round(stands.ended - task.at),
        "completeTime": None if stands.ended is None else round(stands.ended * 1000),
        "createTime": round(task.at * 1000),
        "creditsConsumed": float(task.credits) if done else 0.0,
    }


def _param(task: Task, model: Model) -> str:
    """The create request as JSON text in which `input` is JSON text again."""
    kept: dict[str, Any] = {"model": task.model}
    if task.callback_url is not None:
        kept["callBackUrl"] = task.callback_url
    kept["input"] = compact(shuffled(model.filled(task.input)))
    return compact(shuffled(kept))


def _result(task: Task, model: Model, base_url: str) -> str:
    if model.output(task.input).media_type == "application/json":
        return compact({"resultObject": {"text": f"kiejobs sandbox {task.task_id}"}})
    at = f"{base_url}/files/{task.task_id}"
    frames = {key: [f"{at}/{name}"] for key, name in frame_names(task, model).items()}
    urls = [f"{at}/{name}" for name in file_names(task, model)]
    return compact({"resultUrls": urls, **frames})


def frame_names(task: Task, model: Model) -> dict[str, str]:
    """The first and the last frame of a video, where they are asked for (documented)."""
    if model.filled(task.input).get("return_last_frame") is not True:
        return {}
    stem = file_names(task, model)[0].partition(".")[0]
    return {"firstFrameUrl": f"{stem}-first.png", "lastFrameUrl": f"{stem}-last.png"}


def file_names(task: Task, model: Model) -> list[str]:
    """Names that can't be guessed from the task id alone, as on the service's hosts."""
    extension = model.output(task.input).extension
    return [
        hashlib.sha256(f"{task.task_id}:{task.at}{number or ''}".encode()).hexdigest()[:16]
        + extension
        for number in range(count_of(model.filled(task.input)))
    ]


def count_of(request_input: Mapping[str, Json]) -> int:
    """How many files a task gives: one, unless pictures are asked for by number."""
    wanted = str(request_input.get("num_images", request_input.get("n", "")))
    return min(int(wanted), _MOST_FILES) if re.fullmatch(r"[1-9][0-9]?", wanted) else 1
