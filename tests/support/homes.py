"""The three homes of a ledger, each with machines that buy by it, and the judge's books held against them.

In: a folder, a judge; for PostgreSQL a server. Out: machines, which are benches; what is on record, read without
kiejobs; `Books`. Touches: disk, processes, the database.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import psycopg

from tests.support.bench import Bench
from tests.support.gitops.clones import WHO, Origin
from tests.support.judge.tasks import accepted
from tests.support.repositories import git, hook

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.support.judge.server import Judge
    from tests.support.postgres import Postgres

BRANCH = "kiejobs-ledger"
WINDOW = 18  # jobs that the git home claims ahead, and so the most that one loss may leave in doubt
IN_FLIGHT = 4  # creates at once: the most that one loss may leave in doubt in the other homes
_UNTIL = re.compile(r'(?<="until": ")2[0-9]{3}')
_ENDED = {"submitted", "not_accepted", "rejected", "succeeded", "failed", "resolved"}


class Machine(Bench):
    """A folder somewhere that buys by a ledger. `printed` is what its last process has printed."""

    def __init__(self, folder: Path, url: str, **environment: str) -> None:
        super().__init__(folder, url)
        self._environment = {**WHO, **environment}
        self.printed = folder.with_name(f"{folder.name}.printed")

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**self._environment, **more)

    def begin(self, *typed: str, **environment: str) -> subprocess.Popen[bytes]:
        """A command whose output nobody waits for."""
        with self.printed.open("wb") as out:
            return subprocess.Popen(
                self.command(*typed),
                cwd=self.folder,
                env=self.environment(KIE_API_BASE=self.url, **environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )


Absences: TypeAlias = "Mapping[str, tuple[Callable[[], object], Callable[[], object]]]"


class Home(Protocol):
    """Where a project has its ledger. `window`: the most that one lost machine may leave in doubt."""

    window: int

    def machine(self, name: str) -> Machine: ...

    def lines(self) -> Iterable[bytes]:
        """All lines of all journals, wherever a copy of them is."""

    def run_leases_out(self) -> None:
        """As time does."""

    def absences(self) -> Absences:
        """What may befall it while a run is at work, and how that ends."""

    def lose(self, machine: Machine) -> Machine | None:
        """Its disk, and have another one instead; None where that is the ledger's own."""

    def keep(self) -> Callable[[], object]:
        """What makes it as it is now."""

    def damage(self, chance: random.Random) -> str:
        """Change something in it, as a disk, a merge or a stranger might. What, in words."""


class FolderHome:
    """All machines are one folder, which several processes work in."""

    window = IN_FLIGHT

    def __init__(self, folder: Path, judge: Judge) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        (self.folder / "kiejobs.yaml").write_text("version: 1\n")
        self._judge = judge

    def machine(self, name: str) -> Machine:
        machine = Machine(self.folder, self._judge.url)
        machine.printed = self.folder.with_name(f"{name}.printed")
        return machine

    def lines(self) -> Iterable[bytes]:
        return _lines_below(self._runs)

    def run_leases_out(self) -> None:
        """A lock ends with its process."""

    def absences(self) -> Absences:
        return {"removed": (lambda: self._runs.rename(self._away), self._put_back)}

    def lose(self, _: Machine) -> None:
        return None

    def keep(self) -> Callable[[], object]:
        copy = self.folder.with_name("kept")
        shutil.copytree(self._runs, copy, symlinks=True)

        def restore() -> None:
            shutil.rmtree(self._runs)
            shutil.copytree(copy, self._runs, symlinks=True)

        return restore

    def damage(self, chance: random.Random) -> str:
        journals = sorted(self._runs.glob("*/journal.jsonl"))
        return _spoil(chance.choice(journals), chance)

    def _put_back(self) -> None:
        """What a run has written down again is all of its journal."""
        if self._runs.exists():
            shutil.copytree(self._runs, self._away, dirs_exist_ok=True)
            shutil.rmtree(self._runs)
        self._away.rename(self._runs)

    @property
    def _runs(self) -> Path:
        return self.folder / "runs"

    @property
    def _away(self) -> Path:
        return self.folder / "away"


class GitHome:
    """Each machine is a clone as CI makes it. What a lost one had and the branch has not is gone."""

    window = WINDOW

    def __init__(self, folder: Path, judge: Judge, jobs: Sequence[str]) -> None:
        self.folder = folder
        self._judge = judge
        self._machines: list[Machine] = []
        self.origin = Origin(folder, judge.url, **{job: job for job in jobs})
        first = self.origin.clone("setup")
        (first.folder / "kiejobs.yaml").write_text("version: 1\nledger: git\n")
        self.commit = first.keep("the ledger is on a branch")
        first.push()

    def machine(self, name: str) -> Machine:
        self.origin.clone(name, "--depth=1", source=f"file://{self.origin.path}")
        machine = Machine(self.folder / name, self._judge.url)
        self._machines.append(machine)
        return machine

    def lines(self) -> Iterable[bytes]:
        with suppress(AssertionError):  # no branch yet
            names = git(self.origin.path, "ls-tree", "-r", "--name-only", BRANCH).splitlines()
            given = "".join(f"{BRANCH}:{name}\n" for name in names if name.endswith(".jsonl"))
            yield from git(self.origin.path, "cat-file", "--batch", given=given).encode().splitlines()
        for machine in self._machines:
            yield from _lines_below(machine.folder / ".git" / "kiejobs" / "runs")

    def run_leases_out(self) -> None:
        """As a thousand years do."""
        there = self.origin.clone(f"later{len(list(self.folder.iterdir()))}", f"--branch={BRANCH}")
        for claim in there.folder.glob("runs/*/claim.json"):
            claim.write_text(_UNTIL.sub("1020", claim.read_text()))
            there.git("add", str(claim))
        there.git("commit", "--quiet", "--allow-empty", "-m", "later")
        there.push()

    def absences(self) -> Absences:
        path, away = self.origin.path, self.folder / "away.git"
        return {
            "vanished": (lambda: path.rename(away), lambda: away.rename(path)),
            "refusing": (
                lambda: hook(path, "pre-receive", "echo 'closed today' >&2; exit 1"),
                (path / "hooks" / "pre-receive").unlink,
            ),
        }

    def lose(self, machine: Machine) -> Machine:
        self._machines.remove(machine)
        shutil.rmtree(machine.folder)
        return self.machine(f"{machine.folder.name}-again")

    def keep(self) -> Callable[[], object]:
        tip = git(self.origin.path, "rev-parse", BRANCH)
        return lambda: git(self.origin.path, "update-ref", f"refs/heads/{BRANCH}", tip)

    def damage(self, chance: random.Random) -> str:
        """Pushed by hand."""
        there = self.origin.clone(f"edit{len(list(self.folder.iterdir()))}", f"--branch={BRANCH}")
        found = sorted(
            path for path in there.folder.glob("runs/*/*") if chance.random() < 0.2 or path.suffix == ".jsonl"
        )
        what = _spoil(chance.choice(found), chance)
        there.git("add", "--all")
        there.git("commit", "--quiet", "--allow-empty", "-m", "by hand")
        there.push()
        return what

    def is_untouched(self, machine: Machine) -> bool:
        """A checkout as it was made, and a `main` that has no commit of ours."""
        status = git(machine.folder, "status", "--porcelain")
        heads = {git(machine.folder, "rev-parse", "HEAD"), git(self.origin.path, "rev-parse", "main")}
        return status == "" and heads == {self.commit}


class PostgresHome:
    """Machines share a database. `starts` in `seconds`: the account's window, for all of them together."""

    window = IN_FLIGHT

    def __init__(
        self, folder: Path, judge: Judge, server: Postgres, starts: int = 18, seconds: float = 10.5
    ) -> None:
        self.folder = folder
        self.url = server.database()
        self._server = server
        self._judge = judge
        assert self.machine("setup").do("status").code == 0
        account = "INSERT INTO kiejobs.accounts VALUES (%s, 'default', %s, %s)"
        self.do(account, judge.url, starts, seconds)

    def machine(self, name: str, url: str | None = None) -> Machine:
        folder = self.folder / name
        folder.mkdir()
        (folder / "kiejobs.yaml").write_text("version: 1\nledger: postgresql\n")
        return Machine(folder, self._judge.url, KIEJOBS_LEDGER_URL=url or self.url)

    def lines(self) -> Iterable[bytes]:
        return [bytes(line) for (line,) in self.do("SELECT line FROM kiejobs.events")]

    def run_leases_out(self) -> None:
        """As an hour does."""
        self.do("UPDATE kiejobs.runs SET leased_until = leased_until - interval '1 hour'")

    def absences(self) -> Absences:
        return {
            "killed": (self._server.kill, self._server.start),
            "read-only": (lambda: self._let_read_only("on"), lambda: self._let_read_only("off")),
        }

    def lose(self, machine: Machine) -> Machine:
        shutil.rmtree(machine.folder)
        return self.machine(f"{machine.folder.name}-again")

    def _let_read_only(self, value: str) -> None:
        name = self.url.rpartition("/")[2]
        self._ask_server(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
        self._ask_server(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def _ask_server(self, query: str) -> None:
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as connection:
            connection.execute(query.encode())

    def keep(self) -> Callable[[], object]:
        """A copy of the database, made as the server makes them."""
        name = self.url.rpartition("/")[2]

        def copy(source: str, target: str) -> None:
            self._ask_server(f"DROP DATABASE IF EXISTS {target}")
            self._ask_server(f"CREATE DATABASE {target} TEMPLATE {source}")

        copy(name, f"{name}_kept")
        return lambda: copy(f"{name}_kept", name)

    def damage(self, chance: random.Random) -> str:
        ((count,),) = self.do("SELECT count(*) FROM kiejobs.events")
        offset = chance.randrange(count)
        ((row, line),) = self.do("SELECT id, line FROM kiejobs.events ORDER BY id LIMIT 1 OFFSET %s", offset)
        query, values = chance.choice(
            (
                ("UPDATE kiejobs.events SET line = %s WHERE id = %s", (_worse(bytes(line), chance), row)),
                ("UPDATE kiejobs.events SET seq = seq + 1000 WHERE id = %s", (row,)),
                ("DELETE FROM kiejobs.events WHERE id = %s", (row,)),
                ("UPDATE kiejobs.runs SET seq = seq + %s", (chance.choice((-1, 1, 100)),)),
                ("UPDATE kiejobs.reservations SET state = 'void'", ()),
                ("DELETE FROM kiejobs.reservations", ()),
                ("UPDATE kiejobs.manifests SET body = %s", (_worse(b"{}", chance),)),
            )
        )
        self.do(query, *values)
        return f"{query} {row}"

    def do(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


# --- damage ------------------------------------------------------------------------------------------


def _spoil(path: Path, chance: random.Random) -> str:
    """A file that is another one, or none, or no file."""
    data = path.read_bytes()
    path.unlink()
    what = chance.choice(
        ("bytes", "bytes", "bytes", "bytes", "empty", "UTF-16", "a link", "gone", "a folder")
    )
    if what == "bytes":
        path.write_bytes(_worse(data, chance))
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "UTF-16":
        path.write_bytes(data.decode().encode("utf-16"))
    elif what == "a link":
        path.symlink_to(chance.choice(("nowhere", "/etc/hostname", "manifest.json")))
    elif what == "a folder":
        path.mkdir()
        (path / "inside").write_bytes(data)
    return f"{path.name}: {what}"


def _worse(data: bytes, chance: random.Random) -> bytes:
    at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    odd = chance.choice((b"\0", b"\xff", b"\r", b"\n", b"{}\n", b"\x1b[2J", b"null\n", b'"', bytes(4096)))
    changed = (
        data[:at],
        data[:at] + data[to:],
        data[:at] + odd + data[at:],
        data[:at] + odd * (to - at) + data[to:] if len(odd) == 1 else odd + data,
        data[:to] + data[at:],
        data[at:] + data[:at],
        data[:at] + bytes(one ^ 1 for one in data[at : at + 1]) + data[at + 1 :],
    )
    return chance.choice(changed)


# --- books -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Books:
    """What the judge sold, held against what a ledger has. Jobs are known by their prompts.

    `lost`: paid, and neither is the task on record nor its job open. `open_`: reserved, and no outcome on record.
    """

    paid: Counter[str]
    lost: set[str]
    open_: set[str]
    unknown: dict[str, str]
    """Tasks that were paid and are not on record, by job."""

    @property
    def twice(self) -> int:
        return sum(count - 1 for count in self.paid.values())


def books(judge_log: Path, home: Home) -> Books:
    """As they are now. Nobody may be buying."""
    sold = [(line["task_id"], line["body"]["input"]["prompt"]) for line in accepted(judge_log)]
    tasks, started, ended = set(), {}, set()
    for event in map(json.loads, filter(_is_event, home.lines())):
        if event["type"] == "reserved":
            started[event["attempt_id"]] = event["input"]["prompt"]
        elif event["type"] in _ENDED:
            ended.add(event["attempt_id"])
        tasks.add(event.get("task_id"))
    open_ = {prompt for attempt, prompt in started.items() if attempt not in ended}
    unknown = {prompt: task for task, prompt in sold if task not in tasks}
    return Books(Counter(prompt for _, prompt in sold), set(unknown) - open_, open_, unknown)


def rule(machine: Machine, found: Books) -> int:
    """End each doubt by the judge's books. How many there were.

    A job may have two: what a clone had reserved, and died before others saw it, is there besides what was sent.
    """
    unknown = dict(found.unknown)
    status = machine.do("status", "--format", "json")
    assert status.code == 0, status.err
    doubts = status.json["in_doubt"]
    for doubt in doubts:
        job = doubt["address"].partition("/")[2]
        ruling = ("--task", unknown.pop(job)) if job in unknown else ("--lost",)
        ran = machine.do("resolve", doubt["address"], *ruling)
        assert ran.code == 0, ran.err
    return len(doubts)


# --- kills -------------------------------------------------------------------------------------------


def killed(process: subprocess.Popen[bytes], judge: Judge, chance: random.Random, most: int) -> bool:
    """SIGKILL some creates later, and some moments after that. Whether it was still alive."""
    until = len(judge.creates) + chance.randrange(most + 1)
    while process.poll() is None and len(judge.creates) < until:
        judge.wait_a_little()
    with suppress(subprocess.TimeoutExpired):
        process.wait(chance.choice((0.0, 0.003, 0.01, 0.1, 0.5)))
        return False
    process.kill()
    process.wait()
    return True


def finished(process: subprocess.Popen[bytes]) -> int:
    """Its exit code; the time is a net for what hangs."""
    return process.wait(timeout=240)


def _lines_below(runs: Path) -> Iterable[bytes]:
    for journal in runs.glob("*/journal.jsonl"):
        yield from journal.read_bytes().splitlines()


def _is_event(line: bytes) -> bool:
    """Not one that a kill has torn, nor what git says between two files."""
    return line.startswith(b"{") and line.endswith(b"}")
