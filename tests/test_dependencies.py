"""What we depend on: within bounds, and fixed for development and CI by a lock file that goes anywhere."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (REPOSITORY / "tests" / "requirements.txt").read_text(encoding="utf-8")
PROJECT = PYPROJECT["project"]
SHIPPED = [
    Requirement(line) for line in chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
]
GROUPS = [
    Requirement(line)
    for name, group in PYPROJECT["dependency-groups"].items()
    if name != "bench"  # has an environment of its own, which is not locked
    for line in group
    if isinstance(line, str)
]


def locked() -> list[tuple[Requirement, list[str]]]:
    """Each release of the lock file, with its hashes."""
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^\s*#.*\n", "", LOCK).strip())
    found = [re.split(r"\s+\\\n\s+--hash=", entry) for entry in entries]
    return [(Requirement(first), hashes) for first, *hashes in found]


@pytest.mark.parametrize("wanted", SHIPPED, ids=str)
def test_each_dependency_has_a_floor_and_a_ceiling(wanted: Requirement) -> None:
    assert [bound.operator for bound in wanted.specifier] in ([">=", "<"], ["<", ">="])


@pytest.mark.parametrize("wanted", [*SHIPPED, *GROUPS], ids=str)
def test_the_lock_file_has_a_release_within_the_bounds(wanted: Requirement) -> None:
    found = [pin for pin, _ in locked() if canonicalize_name(pin.name) == canonicalize_name(wanted.name)]
    assert found, "run `nox -s lock`"
    for pin in found:
        (version,) = (bound.version for bound in pin.specifier)
        assert wanted.specifier.contains(version), "run `nox -s lock`"


def test_each_release_of_the_lock_file_is_fixed_by_its_hashes() -> None:
    for pin, hashes in locked():
        assert [bound.operator for bound in pin.specifier] == ["=="]
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)


def test_the_lock_file_names_no_host_and_no_path() -> None:
    assert "://" not in LOCK
    assert not re.search(r"(?m)^-|@ |(?:^|\s)/", LOCK)
