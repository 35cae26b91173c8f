"""What is fuzzed: one module a target.

Each has `EXAMPLE` (a good input), `network` (may it open sockets), `prepare(room)` (once),
`inputs()` (a Hypothesis strategy of bytes) and `check(data, room)`, which raises for anything that
must not happen. A case is bytes and nothing but bytes, so that it can be kept as a file.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

TARGETS = ("yaml", "template", "receiver", "answer", "journal", "faults", "result", "tables")
_MODULES = {"yaml": "job_files"}


def target_named(name: str) -> Any:
    """The module of a target."""
    return import_module(f"{__name__}.{_MODULES.get(name, name)}")
