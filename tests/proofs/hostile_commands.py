"""The real command line through the proxy: `run` while the network is hostile, `run` again in calm.

In: a folder, seeds. Out: `Commands`. Touches that folder, loopback sockets, processes. The judge is the
sandbox's charge log: what was asked for once is charged once at most, and each charge is of a task that
a manifest knows or whose job is in doubt.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.adapters.sandbox import make_sandbox
from kiejobs.core.diagnostics import ExitCode
from tests.proofs.hostile_cases import FRAMINGS
from tests.proofs.tcp_proxy import Line, Proxy, calm, proxying
from tests.support.bench import Bench
from tests.support.sandbox_served import read_charges, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_SPEED = 1000.0
_JOBS = 8


@dataclass
class Commands:
    """`struck` are the connections that something was done to."""

    campaigns: int = 0
    jobs: int = 0
    connections: int = 0
    struck: int = 0
    charges: int = 0
    known: int = 0
    in_doubt: int = 0
    in_doubt_and_charged: int = 0
    bought_twice: int = 0
    lost: int = 0
    torn: int = 0
    wrong: list[str] = field(default_factory=list)


def play_commands(folder: Path, seeds: range) -> Commands:
    """A campaign a seed; each in a folder and with a sandbox of its own."""
    found = Commands()
    for seed in seeds:
        place = folder / f"campaign{seed}"
        place.mkdir()
        _campaign(place, random.Random(seed), found)
    return found


def _campaign(folder: Path, chance: random.Random, found: Commands) -> None:
    sandbox = make_sandbox(folder / "store", _SPEED, None)
    with serving(sandbox) as url, proxying(url) as proxy:
        sandbox.move_to(proxy.url, _nobody_listens)
        bench = Bench(folder, proxy.url)
        bench.write({f"j{n}": f"shot {n}" for n in range(_JOBS)})
        hostile = _Hostile(chance)
        proxy.script = hostile
        bench.run()
        found.connections += hostile.connections
        found.struck += hostile.struck
        _again_in_calm(bench, proxy, found)
        proxy.settle()
    _judge(bench, found)


def _again_in_calm(bench: Bench, proxy: Proxy, found: Commands) -> None:
    """Until nothing is left to do but what only a person may decide; it says so by its exit code."""
    proxy.script = calm
    ran = [bench.run() for _ in range(2)]
    doubts = set(bench.states().values()) == {"succeeded", "in_doubt"}
    expected = ExitCode.IN_DOUBT if doubts else ExitCode.DONE
    if ran[-1].code != expected:
        found.wrong.append(f"exit code {ran[-1].code} in calm: {bench.states()}, {ran[-1].err[-500:]}")


def _judge(bench: Bench, found: Commands) -> None:
    charges = read_charges(bench.folder / "store")
    states, known = bench.states(), bench.known_tasks()
    prompts = [f"j{str(task.input['prompt']).split()[1]}" for task in charges]
    in_doubt = {job for job, state in states.items() if state == "in_doubt"}
    found.campaigns += 1
    found.jobs += _JOBS
    found.charges += len(charges)
    found.known += len(known)
    found.in_doubt += len(in_doubt)
    found.in_doubt_and_charged += len(in_doubt & set(prompts))
    found.bought_twice += len(prompts) - len(set(prompts))
    found.lost += sum(
        task.task_id not in known and job not in in_doubt for task, job in zip(charges, prompts, strict=True)
    )
    found.torn += bench.do("manifest", "verify").code != 0
    if len(states) != _JOBS:
        found.wrong.append(f"{_JOBS} jobs, and the manifests know {states}")


class _Hostile:
    """Strikes half of all connections, whichever they are: creates, polls, downloads."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.connections = self.struck = 0

    def __call__(self, line: Line) -> None:
        self.connections += 1
        if self._chance.random() < 0.5:
            calm(line)
            return
        self.struck += 1
        self._chance.choice(_STRIKES)(self._chance, line)


def _reset_at_once(_chance: random.Random, line: Line) -> None:
    line.reset()


def _reset_within_the_request(chance: random.Random, line: Line) -> None:
    line.taken(chance.randint(1, 100))
    line.reset()


def _torn_request(chance: random.Random, line: Line) -> None:
    request = line.request()
    line.leave_with(request[: chance.randint(1, len(request))])
    line.reset()


def _truncated(chance: random.Random, line: Line) -> None:
    shape = chance.choice([FRAMINGS["with a length"], FRAMINGS["in chunks"]])
    answer = shape(line.asked(line.request()))
    line.say(answer[: chance.randrange(len(answer))])
    chance.choice([Line.end, Line.reset])(line)


def _garbage(_chance: random.Random, line: Line) -> None:
    line.say(b"\x00\xff garbage\r\n" + line.asked(line.request()))
    line.end()


_STRIKES: list[Callable[[random.Random, Line], None]] = [
    _reset_at_once,
    _reset_within_the_request,
    _torn_request,
    _truncated,
    _truncated,
    _garbage,
]


async def _nobody_listens(_url: str, _body: bytes, _headers: dict[str, str]) -> None:
    """No callbacks here."""
