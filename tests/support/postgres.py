"""A real PostgreSQL for tests: in a folder of its own, on a loopback port, as a user that is not root.

In: Debian's programs, from PATH or where Debian puts them. Out: databases by URL; a server that can be killed and
started again on its port. Touches: a temporary folder, processes.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEBIAN = "/usr/lib/postgresql"
_MEMORY = Path("/dev/shm")
_ROOM = 2 * 2**30  # bytes
_READY = "ready to accept connections"
_MOST_STARTS = 200  # a killed postmaster's children hold its memory until they notice


def programs() -> dict[str, str] | None:
    """`initdb` and `postgres`; None where this machine has none."""
    newest = sorted(Path(_DEBIAN).glob("*/bin"), key=lambda one: float(one.parent.name), reverse=True)
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(str, newest)])
    found = {name: shutil.which(name, path=path) for name in ("initdb", "postgres")}
    return {name: str(file) for name, file in found.items()} if all(found.values()) else None


class Postgres:
    """A server. `password` is asked of everybody who comes."""

    password = "pw-5b1c-of-the-ledger"

    def __init__(self, folder: Path, found: dict[str, str]) -> None:
        self._folder = folder
        self._programs = found
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[str] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._user = _unprivileged()
        if self._user is not None:
            shutil.chown(folder, self._user.pw_uid, self._user.pw_gid)
        secret = folder / "password"
        secret.write_text(self.password)
        words = ("-U", "kiejobs", "-A", "scram-sha-256", "--pwfile", str(secret))
        self._run("initdb", "-D", str(folder / "data"), "-E", "UTF8", "--locale=C", "--no-sync", *words)
        self.start()

    def start(self) -> None:
        """Until it takes connections."""
        for _ in range(_MOST_STARTS):
            process = self._popen(
                "postgres", "-D", str(self._folder / "data"), "-p", str(self.port),
                "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}",
                "-c", "max_connections=60", "-c", "logging_collector=off", "-c", "lc_messages=C",
            )  # fmt: skip
            assert process.stderr is not None
            if any(_READY in line for line in process.stderr):
                self._process = process
                return
            process.communicate()
        raise AssertionError("PostgreSQL does not start")

    def kill(self) -> None:
        """As a power cut would: nobody is let go in peace."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """At once: what it has is thrown away."""
        self._end(signal.SIGQUIT)

    def set(self, name: str, value: str) -> None:
        """A setting of the server's, at once."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
            connection.execute("SELECT pg_reload_conf()")
            while connection.execute(f"SHOW {name}".encode()).fetchone() != (value,):
                pass

    def database(self) -> str:
        """The URL of a new, empty one."""
        name = f"ledger{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def url(self, database: str, port: int | None = None) -> str:
        return f"postgresql://kiejobs:{self.password}@127.0.0.1:{port or self.port}/{database}"

    def _end(self, signum: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.communicate()
            self._process = None

    def _run(self, name: str, *words: str) -> None:
        process = self._popen(name, *words)
        _, err = process.communicate()
        assert process.returncode == 0, err

    def _popen(self, name: str, *words: str) -> subprocess.Popen[str]:
        user, setpriv = self._user, shutil.which("setpriv")
        dies_with_us = (setpriv, "--pdeathsig", "QUIT", "--") if setpriv else ()
        return subprocess.Popen(
            [*dies_with_us, self._programs[name], *words],
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
        )


def _unprivileged() -> pwd.struct_passwd | None:
    """Who it runs as where we are root, which PostgreSQL refuses to be."""
    if os.getuid() != 0:
        return None
    known = {one.pw_name: one for one in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


@contextmanager
def serving(found: dict[str, str]) -> Iterator[Postgres]:
    # In memory where there is room: it syncs every commit. A socket's path must be short.
    is_roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    folder = Path(tempfile.mkdtemp(prefix="kiejobs-pg-", dir=_MEMORY if is_roomy else "/tmp"))
    server = None
    try:
        server = Postgres(folder, found)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
