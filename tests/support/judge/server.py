"""A server that speaks the vendor's API by its own lights: the judge in our tests.

In: requests; how to misbehave stands in the prompts themselves, so that the order in which jobs arrive
does not matter: `steam [create=429*2,drop_after] [polls=3] [end=fail]`. Out: answers, and the oracle:
`accepted.jsonl`, one line a task, synced before the reply leaves. The log is its memory too: run as a
program it can be killed and started again on its port. It shares no code with kiejobs.

  create=…  a list of what befalls the creates of this request, in order; then they work (CREATES in judge.replies)
  null=N    that many polls find no record        polls=N  that many find it running (default 1)
  end=…     success, fail, never, held (until `let_go`), called (until its callback), strange, no_urls, empty,
            failed (a word that the API never said), value (no file, but JSON), object (the file's address in a value), text (a result that is no JSON)
  poll=…    a list of what befalls its polls (POLLS in judge.replies)
  file=…    a list of what befalls its downloads: 500, cut, page, type, short, gone, 404, old (only a
            link that was made anew is taken)
  still=…   with a last frame next to it, and a list of what befalls its downloads: 500
  call=…    a list of the callbacks that it makes: ok, forged, unsigned; twin (a second task for the same
            create, paid too), other (an earlier task), nobody (no task at all)
  url=…     a result address of somebody else's   credits=N  what recordInfo says was charged
"""

from __future__ import annotations

import argparse
import json
import os
import random
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.judge.calls import Calls
from tests.support.judge.replies import CREATES, DOT, PAGE, POLLS, download, envelope, video
from tests.support.judge.tasks import Task, accepted, listed, state_of, words_of
from tests.support.judge.uploads import UPLOAD, UploadHost
from tests.support.judge.wire import DROP, Reply, Request, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

KEY = "judge-key-7d1e"
SIGNATURE = "sig=do-not-write-me-down"
CREATE = "/api/v1/jobs/createTask"
RECORD = "/api/v1/jobs/recordInfo"
CREDIT = "/api/v1/chat/credit"
LINK = "/api/v1/common/download-url"

_PRICES = {("720p", "5"): 16.0, ("720p", "10"): 36.0, ("1080p", "5"): 36.0, ("1080p", "10"): 72.0}


class Judge:
    """Serves from its making until `close`. `changed` is told about each request."""

    def __init__(
        self,
        log: Path,
        *,
        port: int = 0,
        limit: tuple[int, float] | None = None,
        chaos: random.Random | None = None,
        hook_key: str | None = None,
    ) -> None:
        self.requests: list[Request] = []
        self.tasks: dict[str, Task] = {}
        self.let_go = threading.Event()
        self.balance = 60.62
        self.failure, self.failure_code = "the scene was flagged", "500"
        self.calls = Calls(hook_key)
        self.host = UploadHost(self.let_go)
        self._log = log
        self._limit = limit
        self._chaos = chaos
        self._taken: list[float] = []
        self._seen: Counter[str] = Counter()
        self._changed = threading.Condition()
        for line in accepted(log):
            self.tasks[line["task_id"]] = Task(line["task_id"], line["body"], {})
        self._wire = Wire(self._answer, port)
        self.port = self._wire.port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.let_go.set()
        self.calls.close()
        self._wire.close()

    def wait_until(self, holds: Callable[[], bool], seconds: float = 240.0) -> None:
        with self._changed:
            assert self._changed.wait_for(holds, seconds), "the judge waited in vain"

    def wait_a_little(self, seconds: float = 0.05) -> None:
        """Until the next request, or not much longer."""
        with self._changed:
            self._changed.wait(seconds)

    def calm(self) -> None:
        """No more faults at random."""
        self._chaos = None

    def sent(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    @property
    def creates(self) -> list[Request]:
        return self.sent(CREATE)

    def _answer(self, request: Request) -> Reply:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        if request.path.startswith("/files/"):
            return self._file(request)
        if request.path.startswith("/uploads/"):
            return self.host.file(request.path)
        if not request.headers.get("user-agent"):
            return CREATES["403"]
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return CREATES["401"]
        return self._api(request)

    def _api(self, request: Request) -> Reply:
        if (request.method, request.path) == ("POST", CREATE):
            return self._create(request)
        if (request.method, request.path) == ("GET", RECORD):
            return self._record(request.query.get("taskId", ""))
        if (request.method, request.path) == ("GET", CREDIT):
            return envelope(200, "success", self.balance)
        if (request.method, request.path) == ("POST", LINK):
            return self._link(json.loads(request.body)["url"])
        if (request.method, request.path) == ("POST", UPLOAD):
            return self.host.answer(request, self.url)
        return Reply(PAGE, "404 Not Found")

    def _create(self, request: Request) -> Reply:
        body = json.loads(request.body)
        fault = self._befalls("create", body, ("drop", "drop_kept", "429", "html_kept", "cut_kept"))
        if fault == "" and self._is_too_often(request.at):
            fault = "429"
        name, kept, _ = fault.partition("_kept")
        if kept or name in {"", "slow"}:
            task_id = self._accept(body, request.headers)
            self._call_back(body, task_id)
            done = envelope(200, "success", {"taskId": task_id, "recordId": task_id})
        else:
            done = DROP
        self._dawdle(name)
        if name == "odd":
            return envelope(200, "success", {"task_id": task_id, "said": KEY})
        if name == "same":
            self.tasks[next(iter(self.tasks))].called = True
            return envelope(200, "success", {"taskId": next(iter(self.tasks))})
        if name == "cut":
            return Reply(done.body, done.status, done.headers, sent=20)
        return CREATES.get(name, done)

    def _call_back(self, body: dict[str, Any], task_id: str) -> None:
        def name(kind: str) -> str:
            if kind == "other":
                return next(iter(self.tasks))
            made = {"nobody": lambda: "f" * 32, "twin": lambda: self._accept(body, {})}
            found = made.get(kind, lambda: task_id)()
            self.tasks[task_id].called |= kind == "ok"
            return found

        kinds = listed(words_of(body).get("call", ""))
        if kinds and "callBackUrl" in body:
            self.calls.expect(body["callBackUrl"], kinds, name)

    def _dawdle(self, fault: str) -> None:
        if fault == "hang":
            self.let_go.wait()
        elif fault == "die":
            os._exit(9)
        elif fault == "slow":
            self.let_go.wait(0.3)

    def _accept(self, body: dict[str, Any], headers: dict[str, str]) -> str:
        """On disk before anybody hears of it."""
        task_id = uuid.uuid4().hex
        line = json.dumps({"task_id": task_id, "body": body, "at": time.time()})
        with self._changed:
            with self._log.open("a", encoding="utf-8") as log:
                log.write(line + "\n")
                log.flush()
                os.fsync(log.fileno())
            self.tasks[task_id] = Task(task_id, body, headers)
            self._changed.notify_all()
        return task_id

    def _is_too_often(self, at: float) -> bool:
        if self._limit is None:
            return False
        count, seconds = self._limit
        with self._changed:
            self._taken = [t for t in self._taken if t > at - seconds]
            if len(self._taken) >= count:
                return True
            self._taken.append(at)
        return False

    def _record(self, task_id: str) -> Reply:
        task = self.tasks.get(task_id)
        if task is None:
            return envelope(422, "recordInfo is null")
        fault = self._befalls("poll", task.body, ("html", "500", "drop", "429"))
        if fault:
            return POLLS[fault]
        task.asked += 1
        if task.asked <= int(task.words.get("null", "0")):
            return envelope(422, "recordInfo is null")
        return envelope(200, "success", self._data(task))

    def _data(self, task: Task) -> dict[str, Any]:
        given = task.body["input"]
        state = state_of(task, self.let_go.is_set())
        if state == "success" and self.host.lacks(given, self.url):
            state = "fail"
        charged = _PRICES.get((given.get("resolution"), given.get("duration")), 16.0)
        param = {**task.body, "input": json.dumps({**given, "nsfw_checker": False})}
        return {
            "taskId": task.task_id,
            "model": task.body["model"],
            "state": state,
            "param": json.dumps(param),
            "resultJson": self._result(task) if state == "success" else "",
            "failCode": self.failure_code if state == "fail" else None,
            "failMsg": self.failure if state == "fail" else None,
            "costTime": 3 if state in {"success", "fail"} else None,
            "creditsConsumed": 0.0 if state == "fail" else float(task.words.get("credits", charged)),
        }

    def _result(self, task: Task) -> str:
        end = task.words.get("end")
        if end == "empty":
            return ""
        if end == "value":
            return json.dumps({"character_id": "c-77", "echo": KEY})
        if end == "object":
            url = f"{self.url}/files/{task.task_id}.mp4?{SIGNATURE}"
            return json.dumps({"resultObject": {"video": {"url": url}, "seed": 7}})
        if end == "text":
            return f"see {KEY} in our mail"
        url = task.words.get("url") or f"{self.url}/files/{task.task_id}.mp4?{SIGNATURE}"
        frame = {"lastFrameUrl": [url.replace(".mp4", ".png")]} if "still" in task.words else {}
        return json.dumps({"resultUrls": [] if end == "no_urls" else [url], **frame})

    def _file(self, request: Request) -> Reply:
        name, _, kind = request.path.removeprefix("/files/").partition(".")
        task = self.tasks.get(name)
        if task is None or SIGNATURE not in "&".join(f"{k}={v}" for k, v in request.query.items()):
            return Reply(PAGE, "404 Not Found")
        if kind == "png":
            fault = self._befalls("still", task.body, ())
            return Reply(PAGE, "500 Oops") if fault else Reply(DOT, headers={"Content-Type": "image/png"})
        data = video(task.task_id)
        fault = self._befalls("file", task.body, ("cut", "500"))
        if fault == "old":
            fault = "" if request.query.get("made") == "anew" else "gone"
        return download(data, fault, request.headers.get("range", ""))

    def _link(self, url: str) -> Reply:
        """A link to a result of its own, made anew."""
        if not url.startswith(f"{self.url}/files/"):
            return envelope(422, "url is wrong")
        return envelope(200, "success", f"{url.partition('?')[0]}?{SIGNATURE}&made=anew")

    def _befalls(self, kind: str, body: dict[str, Any], at_random: Sequence[str]) -> str:
        """The next fault of this kind for this request; empty for none."""
        key = kind + json.dumps([body["model"], body["input"]], sort_keys=True)
        with self._changed:
            number = self._seen[key]
            self._seen[key] += 1
            if self._chaos is not None and self._chaos.random() < 0.08:
                return self._chaos.choice(at_random)
        faults = listed(words_of(body).get(kind, ""))
        return faults[number] if number < len(faults) else ""


def main() -> None:
    """Serve until killed: `python -m tests.support.judge.server --log FILE --port N [--chaos SEED]`."""
    words = argparse.ArgumentParser()
    words.add_argument("--log", type=Path, required=True)
    words.add_argument("--port", type=int, default=0)
    words.add_argument("--chaos", type=int)
    given = words.parse_args()
    chaos = random.Random(given.chaos) if given.chaos is not None else None
    judge = Judge(given.log, port=given.port, chaos=chaos)
    print(judge.port, flush=True)  # noqa: T201 - how its starter learns the port
    threading.Event().wait()


if __name__ == "__main__":
    main()
