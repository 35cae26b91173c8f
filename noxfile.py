"""The task runner's words: `nox` alone is what CI runs; `nox -s fmt` and friends are for the day.

Each session installs what it needs itself. The tests run against the built wheel.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2024.4"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

TEMPORARY = tempfile.gettempdir()
DEV = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "dev")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and the architecture's walls."""
    session.install("-q", "-e", ".", "ruff>=0.6", "import-linter>=2.1")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.install("-q", "-e", ".[media,serve]", "mypy", "types-pyyaml", "types-jsonschema")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, against the built wheel. `nox -s tests -- -k journal` picks some."""
    session.install("-q", "build", *DEV)
    made = Path(session.create_tmp()) / "dist"
    shutil.rmtree(made, ignore_errors=True)
    session.run("python", "-m", "build", "-q", "--wheel", "--outdir", str(made), ".")
    wheel = next(made.glob("kiejobs-*.whl"))
    session.install("-q", f"{wheel}[media,serve]")
    session.install("-q", "--force-reinstall", "--no-deps", str(wheel))
    # Three at once: many tests wait for processes of theirs. A file stays together.
    parallel = ("-n", "3", "--dist", "loadfile")
    # Not in nox's own temporary folder: it lies in this repository, and some tests want to be in none.
    env = {"KIEJOBS_TESTS_WHEEL": "1", "TMPDIR": TEMPORARY}
    session.run("pytest", *parallel, *session.posargs, env=env)


@nox.session
def fmt(session: nox.Session) -> None:
    """Format, and fix what can be fixed."""
    session.install("-q", "ruff>=0.6")
    session.run("ruff", "format", ".")
    session.run("ruff", "check", "--fix", ".")


@nox.session
def regenerate(session: nox.Session) -> None:
    """Write anew what is generated: the job file's schema, the reference pages."""
    session.install("-q", "-e", ".")
    session.run("python", "tests/docs/regenerate.py")
    session.run("python", "tests/docs/regenerate_docs.py")
