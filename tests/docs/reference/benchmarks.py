"""The latest benchmarks, as tables.

In: `benchmarks/latest.json`, which `python -m benchmarks --record` writes. Out: Markdown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.docs.reference.markdown import code, table

LATEST = Path(__file__).resolve().parents[3] / "benchmarks" / "latest.json"


def latest() -> dict[str, Any]:
    return dict(json.loads(LATEST.read_text(encoding="utf-8")))


def figures() -> str:
    """Medians and ratios, a row for each measurement."""
    head = ("measurement", "kiejobs", "peer", "ratio of processor time", "goal")
    return table(head, [_row(result) for result in latest()["measurements"].values()])


def commands() -> str:
    """What was run for each."""
    rows = [
        (
            result["title"],
            _command(result["ours"]["command"]),
            _command(result["peer"]["command"]) if result["peer"] else "not measured",
            str(result["rounds"]),
        )
        for result in latest()["measurements"].values()
    ]
    return table(("measurement", "kiejobs", "peer", "rounds"), rows)


def growth() -> str:
    """One row for each number of jobs."""
    plan, validate = latest()["growth"]["plan"], latest()["growth"]["validate"]
    rows = [
        (
            f"{int(jobs):,}",
            _used(plan[jobs]["ours"]),
            _used(plan[jobs]["peer"]) if plan[jobs]["peer"] else "not measured",
            _used(validate[jobs]["ours"]) if jobs in validate else "not measured",
        )
        for jobs in sorted(plan, key=int)
    ]
    return table(("jobs", "`kiejobs plan`", "`plain_plan.py`", "`kiejobs validate`"), rows)


def conditions() -> str:
    """When, on what, with which releases."""
    under = latest()["conditions"]
    releases = ", ".join(f"{name} {release}" for name, release in under["releases"].items())
    return (
        f"Measured on {under['on']}: {under['system']}, {under['processors']} processors, "
        f"{under['memory_gb']} GB of memory, Python {under['python']}; {releases}.\n"
    )


def _row(result: dict[str, Any]) -> tuple[str, ...]:
    peer, ratio = result["peer"], result["ratio"]
    return (
        result["title"],
        _used(result["ours"]),
        _used(peer) if peer else f"not measured: {result['missing']}",
        f"**{_number(ratio['median'])}** ({_number(ratio['least'])} to {_number(ratio['most'])})"
        if ratio
        else "",
        _goal(result["goal"]),
    )


def _used(figures: dict[str, Any]) -> str:
    return f"{figures['cpu_s']:.2f} s, {figures['memory_mb']:,} MB"


def _number(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.3f}"


def _goal(goal: dict[str, Any]) -> str:
    parts = [f"at most {_number(goal['ratio'])}"] if goal["ratio"] else []
    parts += [f"at most {goal['memory_mb']} MB"] if goal["memory_mb"] else []
    return ", ".join(parts)


def _command(text: str) -> str:
    return ", less ".join(map(code, text.split(", less ")))
