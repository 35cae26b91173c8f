"""The jobs API itself: take a create, tell a task, tell the balance, hand out a result.

In: request bodies and ids, already past the gate. Out: `Response`s. Touches the charge log.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.answers import UNKNOWN_TASK, error, success
from kiejobs.sandbox.service.content import make_content
from kiejobs.sandbox.service.models import Model
from kiejobs.sandbox.service.records import file_names, frame_names, record
from kiejobs.sandbox.service.tasks import Task, standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.prices.table import PriceTable
    from kiejobs.sandbox.asgi import Response
    from kiejobs.sandbox.faults.fate import TaskOutcome
    from kiejobs.sandbox.service.charges import Charges
    from kiejobs.sandbox.service.clock import SandboxClock
    from kiejobs.sandbox.service.content import Content
    from kiejobs.sandbox.service.tasks import TaskStatus

UNLISTED = Decimal(10)
"""What a task costs that the table of prices has no price for."""


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
        """In credits, of the request as the service keeps it."""
        price = self.prices.price(model.name, model.filled(request_input))
        return UNLISTED if price is None else price

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
        failed = (t for t in self.charges.failing if self.standing(t).state == "fail")
        return self.credits - self.charges.total + sum((t.credits for t in failed), Decimal(0))

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
