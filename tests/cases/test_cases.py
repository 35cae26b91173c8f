"""Whole commands print what their case says. After a change of wording: `python -m tests.cases.update`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cases.case import kept, names, play

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", names())
def test_the_commands_print_what_the_case_says(name: str, tmp_path: Path) -> None:
    played, case = play(name, tmp_path), kept(name)
    assert played.stdout == case.stdout
    assert played.stderr == case.stderr
    assert played.exit == case.exit


def test_there_is_a_case_for_each_exit_code_that_a_command_can_promise() -> None:
    promised = {code for name in names() for code in kept(name).exit.split()}
    assert promised >= {str(code) for code in range(9)}
