"""The task runner's commands: `nox` alone is what CI runs; `nox -s fmt` and friends are for the day.

Everything is installed from the lock file, release by release, and the tests run against the built wheel.
Two sessions leave the lock file aside and try the lowest and the newest releases that we say we work with.
"""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nox

if TYPE_CHECKING:
    from collections.abc import Iterator

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["check"]
nox.options.reuse_existing_virtualenvs = True

LOCK = "tests/requirements.txt"
PROJECT = nox.project.load_toml("pyproject.toml")
SITE = ("python", "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-c", "docs")
WHEEL = ".[media,serve,team,timeline]"


@nox.session
def check(session: nox.Session) -> None:
    """What CI runs: style, the architecture's walls, types, all tests. One environment for all of it."""
    install_locked(session)
    with compiled(session):
        session.run("ruff", "check", ".")
        session.run("ruff", "format", "--check", ".")
        session.run("lint-imports", "--no-cache")
        session.run("mypy")
    run_tests(session)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, against the built wheel. `nox -s tests -- -k journal` picks some."""
    install_locked(session)
    run_tests(session)


@nox.session
def tests_lowest(session: nox.Session) -> None:
    """All tests, with the lowest release of every dependency that pyproject.toml allows."""
    floors = Path(session.create_tmp()) / "floors.txt"
    floors.write_text("".join(f"{floor}\n" for floor in floors_of(PROJECT["project"])))
    install_unlocked(session, "--constraint", str(floors))
    run_tests(session)


@nox.session
def tests_newest(session: nox.Session) -> None:
    """All tests, with the newest release of every dependency that pyproject.toml allows."""
    install_unlocked(session, "--upgrade")
    run_tests(session)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure kiejobs next to its peers. `nox -s benchmarks -- --record` keeps the figures for the docs."""
    install_locked(session)
    own = Path(session.create_tmp()) / "peers"
    session.run("python", "-m", "venv", str(own))
    wanted = nox.project.dependency_groups(PROJECT, "bench")
    session.run(str(own / "bin" / "python"), "-m", "pip", "install", "-q", *wanted, external=True)
    snakemake = str(own / "bin" / "snakemake")
    session.run("python", "-m", "benchmarks", "--snakemake", snakemake, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation as a site, into build/docs. It needs no server, and asks nobody for anything."""
    install_locked(session)
    session.run(*SITE, "-d", "build/doctrees", ".", "build/docs")


@nox.session
def lock(session: nox.Session) -> None:
    """Write the lock file again, with today's releases."""
    session.install("-q", "uv")
    extras = ("--extra", "media", "--extra", "serve", "--extra", "team", "--extra", "timeline")
    given = ("--group", "dev", *extras, "--python-version", "3.11")
    form = ("--universal", "--generate-hashes", "--custom-compile-command", "nox -s lock")
    session.run("uv", "pip", "compile", "-q", "--upgrade", *given, *form, "pyproject.toml", "-o", LOCK)


@nox.session
def fmt(session: nox.Session) -> None:
    """Format, and fix what can be fixed."""
    session.install("-q", "ruff", "--constraint", LOCK)
    session.run("ruff", "format", ".")
    session.run("ruff", "check", "--fix", ".")


@nox.session
def regenerate(session: nox.Session) -> None:
    """Write again what is generated: the job file's schema, the reference pages, the drawings."""
    install_locked(session)
    session.run("python", "tests/docs/regenerate.py")
    session.run("python", "tests/docs/regenerate_docs.py")
    session.run("python", "tests/docs/drawings.py")


def install_locked(session: nox.Session) -> None:
    """The lock file's releases, hashes checked, then our wheel, built by the lock file's hatchling."""
    session.install("-q", "--require-hashes", "--requirement", LOCK)
    session.install("-q", "--no-deps", "--no-build-isolation", "--force-reinstall", ".")


def install_unlocked(session: nox.Session, *words: str) -> None:
    wanted = nox.project.dependency_groups(PROJECT, "test")
    session.install("-q", WHEEL, *wanted, *words)
    session.install("-q", "--no-deps", "--force-reinstall", ".")


@contextmanager
def compiled(session: nox.Session) -> Iterator[None]:
    """Meanwhile the tests' modules are compiled on another core: once, and not by each of those who share the tests."""
    words = (Path(session.bin) / "pytest", "--collect-only", "-qq", "-p", "no:xdist")
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):  # noqa: S603 - ours
        yield


def run_tests(session: nox.Session) -> None:
    # Four at once on two cores: many tests wait for processes. A file's tests share what they prepare, and
    # tests/conftest.py has the long ones first.
    parallel = ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder")
    # Not in nox's own temporary folder: it lies in this repository, and some tests want to be in none.
    env = {"KIEJOBS_TESTS_WHEEL": "1", "TMPDIR": tempfile.gettempdir()}
    session.run("pytest", *parallel, *session.posargs, env=env)


def floors_of(project: dict[str, Any]) -> Iterator[str]:
    """`httpx>=0.27,<1` is `httpx==0.27` at its lowest."""
    extras = project["optional-dependencies"].values()
    for requirement in itertools.chain(project["dependencies"], *extras):
        name, _, range_ = requirement.partition(">=")
        yield f"{name.partition('[')[0]}=={range_.partition(',')[0]}"
