"""Several checkouts of one project on one database, and the judge who counts.

In: a database's URL. Out: benches, each in a folder of its own; doubts that were ruled on by the judge's books.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg

from tests.support.bench import Bench
from tests.support.judge.tasks import accepted

if TYPE_CHECKING:
    from pathlib import Path
    from typing import LiteralString

    from tests.support.judge.server import Judge

PROJECT = "version: 1\nledger: postgresql\n"
WINDOW = (400, 0.4)  # starts in seconds, for all together


class Checkout(Bench):
    """A folder with the project's file and its job file, which knows where the database is."""

    def __init__(self, folder: Path, url: str, database: str) -> None:
        super().__init__(folder, url)
        self.database = database
        folder.mkdir()
        (folder / "kiejobs.yaml").write_text(PROJECT)

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(KIEJOBS_LEDGER_URL=self.database, **more)

    def files(self) -> set[str]:
        return {file.name for file in self.folder.glob("outputs/**/*.mp4")}


class Team:
    """`judge` is everybody's; the account may start as fast as it likes."""

    def __init__(self, folder: Path, judge: Judge, database: str) -> None:
        self._folder = folder
        self.judge = judge
        self.database = database
        self.do("CREATE SCHEMA IF NOT EXISTS public")
        first = self.checkout("first")
        assert first.do("status").code == 0
        self.do("INSERT INTO kiejobs.accounts VALUES (%s, 'default', %s, %s)", judge.url, *WINDOW)
        self.first = first

    def checkout(self, name: str) -> Checkout:
        return Checkout(self._folder / name, self.judge.url, self.database)

    def do(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def bought(self) -> Counter[str]:
        """By the judge's books: how often each prompt was paid for."""
        return Counter(line["body"]["input"]["prompt"] for line in accepted(self._folder / "accepted.jsonl"))

    def leases_run_out(self) -> None:
        """A minute later: of what runs have reserved that died, nobody knows what came of it."""
        self.do("UPDATE kiejobs.runs SET leased_until = clock_timestamp() WHERE leased_until IS NOT NULL")

    def rule(self, checkout: Checkout) -> int:
        """End each doubt by the judge's books. How many there were."""
        doubts = checkout.do("status", "--format", "json").json["in_doubt"]
        lines = self.do("SELECT convert_from(line, 'UTF8')::json->>'task_id' FROM kiejobs.events")
        known = {task for (task,) in lines}
        unknown = {
            line["body"]["input"]["prompt"]: line["task_id"]
            for line in accepted(self._folder / "accepted.jsonl")
            if line["task_id"] not in known
        }
        for doubt in doubts:
            prompt = doubt["address"].partition("/")[2]
            ruling = ("--task", unknown[prompt]) if prompt in unknown else ("--lost",)
            assert checkout.do("resolve", doubt["address"], *ruling).code == 0
        return len(doubts)


def prompts(count: int) -> dict[str, str]:
    """Jobs whose prompts are their names."""
    return {f"shot{number:03}": f"shot{number:03}" for number in range(count)}
