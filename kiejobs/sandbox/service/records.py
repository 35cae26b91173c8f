"""A task as recordInfo tells it, and as a callback does.

In: a task, its model, where it stands. Out: JSON values in the observed shapes: `param` encoded
twice, `resultJson` empty until success, nulls until the end, costTime in seconds, credits as float.
Touches nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from kiejobs.sandbox.answers import compact
from kiejobs.sandbox.service.models import shuffled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.sandbox.service.models import Model
    from kiejobs.sandbox.service.tasks import Task, TaskStatus

_MOST_FILES = 12
_ELSEWHERE = "https://forged.invalid/result.mp4"


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
    stems = (
        hashlib.sha256(f"{task.task_id}:{task.at}{number or ''}".encode()).hexdigest()[:16]
        for number in range(count_of(model.filled(task.input)))
    )
    return [stem + extension for stem in stems]


def count_of(request_input: Mapping[str, Json]) -> int:
    """How many files a task gives: one, unless pictures are asked for by number."""
    wanted = str(request_input.get("num_images", request_input.get("n", "")))
    return min(int(wanted), _MOST_FILES) if re.fullmatch(r"[1-9][0-9]?", wanted) else 1


def callback_body(data: dict[str, Any]) -> dict[str, Any]:
    """The callback around a record, in the newer documented shape."""
    failed = data["state"] == "fail"
    result = {"resultJson": None} if failed else {}
    word = "failed" if failed else "completed successfully"
    return {
        "code": 501 if failed else 200,
        "msg": f"Playground task {word}.",
        "data": {**data, **result, "updateTime": data["completeTime"]},
    }


def forged_body(data: dict[str, Any]) -> dict[str, Any]:
    """A callback that claims success too early and names a result on a foreign host."""
    result = compact({"resultUrls": [_ELSEWHERE]})
    claim = {**data, "state": "success", "resultJson": result, "completeTime": data["createTime"]}
    return callback_body(claim)
