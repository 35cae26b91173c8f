"""A hostile network between the adapters and the API: `python -m tests.proofs.hostile_network`.

In: how dense the offsets are, how many campaigns. Out: figures. A TCP proxy of ours stands between the
real adapters and the sandbox and does to each exchange what networks do; every outcome is held against
the table of the design's section 7 and against the sandbox's charge log. Then whole campaigns go through
it with the real command line.

One thing no client can see or prevent, since the API has no idempotency key: a middlebox that delivers
one request twice. It is counted apart, as are files that came with a length that the network made up or
took away.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.proofs import figures
from tests.proofs.hostile_commands import play_commands
from tests.proofs.hostile_downloads import play_downloads
from tests.proofs.hostile_exchanges import play_creates, play_polls
from tests.proofs.hostile_stage import staged
from tests.proofs.hostile_tls import play_connections, play_encrypted

if TYPE_CHECKING:
    from tests.proofs.hostile_commands import Commands
    from tests.proofs.hostile_downloads import Downloads
    from tests.proofs.hostile_exchanges import Creates, Polls


@dataclass(frozen=True)
class Came:
    """What all of it came to. Every create is one attempt: plain, unconnected, encrypted."""

    creates: tuple[Creates, ...]
    polls: Polls
    downloads: Downloads
    commands: Commands
    seconds: float

    @property
    def wrong(self) -> list[str]:
        others = self.polls.wrong + self.downloads.wrong + self.commands.wrong
        return [said for part in self.creates for said in part.wrong] + others

    @property
    def well(self) -> bool:
        """Counts that must be 0, and that something was tried at all."""
        never = (
            *(part.unsafe for part in self.creates),
            self.polls.ended_wrongly,
            self.downloads.torn,
            self.commands.bought_twice + self.commands.lost + self.commands.torn,
        )
        tried = (self.creates[0].in_doubt_and_charged, self.downloads.resumed_by_range)
        return not any(never) and not self.wrong and all(tried)

    def figures(self) -> dict[str, Any]:
        creates, polls, downloads = self.creates, self.polls, self.downloads
        behaviours = set().union(*(part.behaviours for part in creates))
        return {
            "behaviours": len(behaviours),
            "cases": sum(part.cases for part in creates) + polls.cases + downloads.cases,
            "wrong": len(self.wrong),
            "may_go_again_though_charged": sum(part.unsafe for part in creates),
            "torn_files": downloads.torn,
            "creates": self._creates(),
            "polls": _counts(polls),
            "downloads": _counts(downloads),
            "commands": _counts(self.commands),
            "seconds": round(self.seconds),
        }

    def _creates(self) -> dict[str, Any]:
        def together(name: str) -> int:
            return sum(part.classes[name] for part in self.creates)

        return {
            "cases": sum(part.cases for part in self.creates),
            "of_these_over_tls": self.creates[2].cases,
            "not_sent": together("NotSent"),
            "accepted": together("Accepted"),
            "in_doubt": together("InDoubt"),
            "in_doubt_and_charged": sum(part.in_doubt_and_charged for part in self.creates),
            "charged_twice_by_the_network": sum(part.charged_twice_by_the_network for part in self.creates),
        }


def _counts(part: Polls | Downloads | Commands) -> dict[str, int]:
    return {name: value for name, value in vars(part).items() if name != "wrong"}


def hostile_network(folder: Path, *, every: int, campaigns: int, seed: int = 1) -> Came:
    """All of it; truncated at `every` so many bytes, files at every fourth of these."""
    start = time.monotonic()
    with staged(folder) as stage:
        creates = play_creates(stage, every=every)
        unconnected = play_connections(stage)
        encrypted = play_encrypted(stage, every=every)
        polls = play_polls(stage, every=every)
        downloads = play_downloads(stage, every=4 * every)
    commands = play_commands(folder, range(seed, seed + campaigns))
    return Came((creates, unconnected, encrypted), polls, downloads, commands, time.monotonic() - start)


def main() -> int:
    words = figures.words(__doc__)
    words.add_argument("--every", type=int, default=1, help="bytes from one offset to the next")
    words.add_argument("--campaigns", type=int, default=25)
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        came = hostile_network(Path(folder), every=given.every, campaigns=given.campaigns, seed=given.seed)
    for said in came.wrong[:20]:
        print(said)  # noqa: T201 - what went wrong, before the figures
    typed = f"--every {given.every} --campaigns {given.campaigns} --seed {given.seed}"
    command = f"python -m tests.proofs.hostile_network {typed}"
    return figures.tell("hostile_network", command, came.figures(), well=came.well, record=given.record)


if __name__ == "__main__":
    raise SystemExit(main())
