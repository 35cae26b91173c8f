"""The adapter on the real service's recordings, and our request beside the vendor's example."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kiejobs.adapters.kie.client import request_bytes
from kiejobs.core.ledger import outcomes
from tests.support.replay import played_back

API = Path(os.environ["KIEJOBS_SHARED"]) / "api"
RECORDINGS = [
    json.loads(line)
    for line in (API / "recordings.jsonl").read_text(encoding="utf-8").splitlines()
    if line.strip()
]


@pytest.mark.parametrize("number", range(len(RECORDINGS)))
def test_the_adapter_reads_a_recording_as_what_it_is(number: int) -> None:
    recorded = RECORDINGS[number]
    answer = json.loads(recorded["response_body"])
    data = answer.get("data")
    for outcome in played_back(recorded):
        match outcome:
            case outcomes.Accepted(task_id=task_id):
                assert task_id == data["taskId"]
            case outcomes.StillRunning(api_state=state, note=note):
                assert (state, note) == (data["state"], None)
            case outcomes.TaskSucceeded(urls=urls):
                assert list(urls) == json.loads(data["resultJson"])["resultUrls"]
            case outcomes.TaskRecord(model=model, input=sent):
                param = json.loads(data["param"])
                assert (model, sent) == (param["model"], json.loads(param["input"]))
            case Decimal():
                assert outcome == Decimal(str(data))
            case _:
                pytest.fail(f"{recorded['url']} came out as {outcome}")


def test_what_was_sent_is_recognised_in_what_recordinfo_says() -> None:
    """Each recorded create with a later record: the check behind `resolve --task` accepts it."""
    from kiejobs.core.ledger.uploads import mismatch  # noqa: PLC0415 - beside what it is used for
    from tests.core.ledger.test_task_match import attempt_of  # noqa: PLC0415

    sent = {
        json.loads(r["response_body"])["data"]["taskId"]: json.loads(r["request_body"])
        for r in RECORDINGS
        if r["url"].endswith("/createTask")
    }
    seen = 0
    for recorded in RECORDINGS:
        for outcome in played_back(recorded):
            if isinstance(outcome, outcomes.TaskRecord) and outcome.task_id in sent:
                body = sent[outcome.task_id]
                attempt = attempt_of(body["model"], body["input"])
                assert mismatch(attempt, outcome.model, outcome.input, uploads={}) is None
                seen += 1
    assert seen > 3


def test_a_job_file_that_says_the_example_renders_the_example(tmp_path: Path) -> None:
    page = (API / "v1-pro-fast-image-to-video.zh.md").read_text(encoding="utf-8")
    found = re.search(r"--data '\n(\{.*?\n\})\n'", page, re.DOTALL)
    assert found is not None
    example: dict[str, Any] = json.loads(found[1])
    jobfile = {
        "version": 1,
        "campaign": "example",
        "jobs": {
            "one": {
                "model": example["model"],
                "callBackUrl": example["callBackUrl"],
                # Left to the schema's defaults where the page's example has just those.
                "input": {key: example["input"][key] for key in ("image_url", "prompt")},
            }
        },
    }
    file = tmp_path / "example.yaml"
    file.write_text(json.dumps(jobfile), encoding="utf-8")
    command = [sys.executable, "-m", "kiejobs", "render", str(file)]
    done = subprocess.run(command, capture_output=True, check=True)
    body = json.loads(done.stdout)["body"]
    wanted = json.dumps(example, ensure_ascii=False, separators=(",", ":")).encode()
    assert request_bytes(body) == wanted
