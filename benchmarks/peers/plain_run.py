"""What a user would write instead of `kiejobs run`: create, poll and store with httpx, in one file.

In: the API's base, how many jobs, a folder. Out: `outputs/shot-N.mp4`, `journal.jsonl`. Touches: the network, that
folder. It keeps what such a script can't do without when money is at stake: a synced journal line before and after
each create, and files that are complete under their names. No retries, no budget, no way to go on after a crash.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import httpx

MODEL = "bytedance/v1-pro-fast-image-to-video"
IMAGE = "https://example.com/a.webp"


class PlainRun:
    """`at_once` jobs, each from its create to its file; a poll every `poll` seconds."""

    def __init__(self, client: httpx.AsyncClient, folder: Path, at_once: int, poll: float) -> None:
        self.client, self.outputs, self.poll = client, folder / "outputs", poll
        self.places = asyncio.Semaphore(at_once)
        self.outputs.mkdir(parents=True, exist_ok=True)
        self.journal = (folder / "journal.jsonl").open("a", encoding="utf-8")

    def note(self, **event: Any) -> None:
        self.journal.write(json.dumps(event) + "\n")
        self.journal.flush()
        os.fsync(self.journal.fileno())

    async def job(self, number: int) -> None:
        async with self.places:
            fields = {"prompt": f"Shot {number}", "image_url": IMAGE}
            self.note(event="reserved", job=number, model=MODEL, input=fields)
            body = {"model": MODEL, "input": fields}
            created = await self.ask("POST", "/api/v1/jobs/createTask", json=body)
            task_id = created["taskId"]
            self.note(event="submitted", job=number, task_id=task_id)
            while True:
                params = {"taskId": task_id}
                record = await self.ask("GET", "/api/v1/jobs/recordInfo", params=params)
                if record["state"] in {"success", "fail"}:
                    break
                await asyncio.sleep(self.poll)
            self.note(event=record["state"], job=number, charged=record["creditsConsumed"])
            url = json.loads(record["resultJson"])["resultUrls"][0]
            digest = await self.store(url, self.outputs / f"shot-{number}.mp4")
            self.note(event="collected", job=number, sha256=digest)

    async def ask(self, method: str, path: str, **content: Any) -> Any:
        answer = (await self.client.request(method, path, **content)).raise_for_status().json()
        if answer["code"] != 200:
            raise RuntimeError(f"{path}: {answer['code']} {answer['msg']}")
        return answer["data"]

    async def store(self, url: str, path: Path) -> str:
        partial, digest = path.with_name(f"{path.name}.part"), hashlib.sha256()
        async with self.client.stream("GET", url) as answer:
            answer.raise_for_status()
            with partial.open("wb") as stream:
                async for chunk in answer.aiter_bytes():
                    digest.update(chunk)
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
        partial.replace(path)
        return digest.hexdigest()


async def run(base: str, jobs: int, folder: Path, at_once: int, poll: float) -> None:
    headers = {"Authorization": f"Bearer {os.environ.get('KIE_API_KEY', 'any')}"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as client:
        plain = PlainRun(client, folder, at_once, poll)
        await asyncio.gather(*map(plain.job, range(jobs)))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--base-url", default="http://127.0.0.1:8787")
    words.add_argument("--jobs", type=int, default=400)
    words.add_argument("--folder", type=Path, default=Path())
    words.add_argument("--at-once", type=int, default=16)
    words.add_argument("--poll", type=float, default=0.5, help="seconds")
    given = words.parse_args()
    asyncio.run(run(given.base_url, given.jobs, given.folder, given.at_once, given.poll))


if __name__ == "__main__":
    main()
