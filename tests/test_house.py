"""The size of the house, and how far one job travels through it: what may grow only on purpose."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.proofs.short_trip import HOUSE, house, trip

if TYPE_CHECKING:
    from pathlib import Path

MOST_IN_A_ROOM = 21  # twenty modules and the face


def test_the_house_keeps_its_size() -> None:
    size = house()
    assert size["modules"] <= 250
    assert size["lines"] <= 48_900
    assert size["fullest_room"] <= MOST_IN_A_ROOM


def test_one_job_takes_a_short_trip() -> None:
    taken = trip()
    assert (taken["exit_code"], taken["bought"]) == (0, 1)
    assert taken["files"] <= 110
    assert taken["functions"] <= 970


@pytest.mark.parametrize(
    "face",
    sorted(HOUSE.rglob("__init__.py")),
    ids=lambda face: face.parent.relative_to(HOUSE.parent).as_posix(),
)
def test_a_folder_says_what_it_is_and_shows_one_to_six_names(face: Path) -> None:
    if face.parent == HOUSE:
        return
    sentence, _, names = (ast.get_docstring(ast.parse(face.read_text())) or "").partition("\n\nFace: ")
    assert sentence.endswith(".")
    shown = re.findall(r"`(\w+)`", names)
    assert 1 <= len(shown) <= 6
    assert set(shown) <= set(_names_in(face.parent))


def _names_in(folder: Path) -> list[str]:
    """Its modules, and what they define."""
    modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules]
    defined = [node.name for tree in trees for node in tree.body if hasattr(node, "name")]
    return [*(path.stem for path in modules), *defined]
