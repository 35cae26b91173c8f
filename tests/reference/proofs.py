"""The proofs and their latest figures, as a table.

In: `tests/proofs/latest/*.json`, which the proofs write with `--record`. Out: Markdown.
"""

from __future__ import annotations

import json
from typing import Any

from tests.proofs.figures import FOLDER
from tests.reference.markdown import code, table


def proofs() -> str:
    """One row each, in the order of `_PROOFS`. KeyError where one has never been recorded."""
    latest = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.iterdir()}
    broken = [name for name, document in latest.items() if not document["as_promised"]]
    assert not broken, f"not as promised: {broken}"
    assert set(latest) == set(_PROOFS), "a proof without a row, or a row without a proof"
    return table(
        ("what is done", "what came of it", "command"),
        [_row(name, latest[name]) for name in _PROOFS],
    )


def _row(name: str, document: dict[str, Any]) -> tuple[str, str, str]:
    title, shown = _PROOFS[name]
    came = "; ".join(f"{label} {_value(document['figures'], path)}" for path, label in shown)
    link = f"[{title}](../../tests/proofs/{name}.py)"
    return link, f"{came} ({document['on']})", code(document["command"])


def _value(figures: Any, path: str) -> str:
    for step in path.split("."):
        figures = figures[int(step)] if isinstance(figures, list) else figures[step]
    if isinstance(figures, bool | str):
        return str(figures)
    return f"**{figures:,}**" if path.rpartition(".")[2] in _DECISIVE else f"{figures:,}"


_DECISIVE = {
    "bought_twice", "lost", "torn", "torn_files", "wrong", "may_go_again_though_charged", "bought",
    "left_without_a_file", "manifests_that_differ", "plans_that_differ", "findings", "crashes",
}  # fmt: skip
"""What has to be 0."""

_Row = tuple[str, tuple[tuple[str, str], ...]]

_PROOFS: dict[str, _Row] = {
    "kill_points": (
        "SIGKILL at each system call that touches disk or network, then once more",
        (("points", "points"), ("charged", "charged"), ("bought_twice", "bought twice"),
         ("lost", "lost"), ("in_doubt", "in doubt"), ("in_doubt_charged", "of these charged")),
    ),
    "random_kills": (
        "SIGKILL at random moments of one campaign, 5 % faults of every class",
        (("points", "kills"), ("jobs", "jobs"), ("charged", "charged"),
         ("bought_twice", "bought twice"), ("lost", "lost"),
         ("in_doubt_of_kills", "in doubt by kills"), ("of_these_charged", "of these charged"),
         ("in_doubt_of_faults", "in doubt by faults"), ("of_those_charged", "of those charged"),
         ("left_without_a_file", "left without a file")),
    ),
    "chaos": (
        "The same by books of a server that shares no code",
        (("kills", "kills"), ("jobs", "jobs"), ("accepted", "charged"),
         ("bought_twice", "bought twice"), ("lost", "lost"),
         ("doubts_of_kills", "in doubt by kills"), ("doubts_of_faults", "by faults")),
    ),
}  # fmt: skip
