"""As fast as the API lets us, and no faster: `python -m tests.proofs.pace`.

In: how many creates. Out: figures. Against the sandbox, which lets 20 creates through in any 10 s:
`run --detach` twice, one after the other, so that the second has to go on at the first one's pace; and
once more while the API refuses for a while, twice. In real time, over a socket, some seven minutes.

The oracle is the sandbox's request log: when it took or refused what. The pace that is allowed is 18
creates in 10.5 s, the first 18 of them at once.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.proofs.figures import tell, words
from tests.proofs.served import Served
from tests.support.bench import MODEL, Bench

if TYPE_CHECKING:
    from collections.abc import Sequence

CREATE = "/api/v1/jobs/createTask"
COUNT, SECONDS = 18, 10.5
_ONE_BURST = 30.0  # seconds; the pauses within one are 10.5 and 21 s
_A_LITTLE = 0.25  # seconds that a window may be longer than 10.5 s and still count as full speed


def refusing(creates: int) -> list[dict[str, Any]]:
    """An API that refuses for a while at a third of the way, and at two thirds, politely."""
    first, second = creates // 3, 2 * creates // 3
    return [
        {"on": "create", "when": {"nth": [*range(first, first + 10)]}, "do": {"code": 429}},
        {
            "on": "create",
            "when": {"nth": [*range(second, second + 6)]},
            "do": {"code": 429, "http_status": 429, "retry_after": 5},
        },
    ]


@dataclass(frozen=True)
class Figures:
    """`share`: of the allowed pace, from the first create to the last.

    For each burst of refusals, in seconds from its first one: `paused` until the next create was taken,
    `recovered` until creates went at full speed again.
    """

    creates: int
    refused: int
    most_in_ten_seconds: int
    seconds: float
    share: float
    paused: tuple[float, ...]
    recovered: tuple[float, ...]


def read(store: Path) -> Figures:
    """What the sandbox's request log says of the creates."""
    lines = map(json.loads, (store / "requests.jsonl").read_text().splitlines())
    creates = [
        (datetime.fromisoformat(line["at"]).timestamp(), line["code"])
        for line in lines
        if line["path"] == CREATE
    ]
    taken = [at for at, code in creates if code == 200]
    refused = [at for at, code in creates if code == 429]
    bursts = _bursts(refused)
    seconds = taken[-1] - taken[0]
    allowed = (len(taken) - 1) // COUNT * SECONDS
    return Figures(
        creates=len(taken),
        refused=len(refused),
        most_in_ten_seconds=most_in(taken, 10.0),
        seconds=round(seconds, 1),
        share=round(allowed / seconds, 3),
        paused=tuple(round(min(t for t in taken if t > at) - at, 1) for at in bursts),
        recovered=tuple(round(_until_full_speed(taken, at) - at, 1) for at in bursts),
    )


def most_in(times: Sequence[float], seconds: float) -> int:
    """The most of them in any span that is open at its end."""
    return max(sum(1 for at in times if start <= at < start + seconds) for start in times)


def _bursts(refused: Sequence[float]) -> list[float]:
    """The first refusal of each burst."""
    firsts: list[float] = []
    last = float("-inf")
    for at in refused:
        if at - last > _ONE_BURST:
            firsts.append(at)
        last = at
    return firsts


def _until_full_speed(taken: Sequence[float], burst: float) -> float:
    after = [at for at in taken if at > burst]
    full = (
        first
        for first, last in zip(after, after[COUNT - 1 :], strict=False)
        if last - first <= SECONDS + _A_LITTLE
    )
    return next(full, float("inf"))


@dataclass(frozen=True)
class Verdict:
    """Both stories, and whether they are as promised."""

    undisturbed: Figures
    disturbed: Figures

    @property
    def well(self) -> bool:
        calm, shaken = self.undisturbed, self.disturbed
        recovered = len(shaken.recovered) == 2 and max(shaken.recovered) < 120
        paused = min(shaken.paused, default=0.0) >= 5.0
        held = max(calm.most_in_ten_seconds, shaken.most_in_ten_seconds) <= 20
        return calm.refused == 0 and calm.share >= 0.95 and held and paused and recovered


def real(folder: Path, creates: int, rules: Sequence[dict[str, Any]] = ()) -> Figures:
    """Two runs of the real command line, one after the other, half of the creates each."""
    folder.mkdir(parents=True)
    server = Served(folder / "store", speed=1.0, rules=rules)
    try:
        bench = Bench(folder, server.url)
        (folder / "jobs.yaml").write_text(json.dumps(_campaign(creates)))
        for half in ("first", "second"):
            process = bench.start("run", "jobs.yaml", "--yes", "--detach", "--select", f"job:{half}")
            process.communicate()
            assert process.returncode == 0
    finally:
        server.die()
    return read(server.store)


def _campaign(creates: int) -> dict[str, Any]:
    half = creates // 2
    return {
        "version": 1,
        "campaign": "pace",
        "defaults": {
            "model": MODEL,
            "input": {
                "image_url": "https://example.com/a.webp",
                "prompt": "Shot {{ matrix.shot }}",
            },
        },
        "jobs": {
            "first": {"matrix": {"shot": list(range(half))}},
            "second": {"matrix": {"shot": list(range(half, creates))}},
        },
    }


def main() -> None:
    line = words(__doc__)
    line.add_argument("--creates", type=int, default=300)
    given = line.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        verdict = Verdict(
            real(folder / "undisturbed", given.creates),
            real(folder / "disturbed", given.creates, refusing(given.creates)),
        )
    command = f"python -m tests.proofs.pace --creates {given.creates}"
    raise SystemExit(tell("pace", command, asdict(verdict), well=verdict.well, record=given.record))


if __name__ == "__main__":
    main()
