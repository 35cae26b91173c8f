"""Writes the drawings of the documentation again, below docs/explanation.

    python tests/docs/drawings.py

In: what the program itself says: contracts, folders, events, plans, the latest benchmarks. Out: SVG files, which a test
compares with what is committed. Touches these.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.docs import benchmark_chart, flow, house, protocol, states

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "explanation"
DRAWINGS = {
    "flow.svg": flow.drawing,
    "house.svg": house.drawing,
    "performance.svg": benchmark_chart.drawing,
    "protocol.svg": protocol.drawing,
    "states.svg": states.drawing,
}


def main() -> None:
    for name, drawing in DRAWINGS.items():
        (FOLDER / name).write_text(drawing(), encoding="utf-8")
        sys.stdout.write(f"wrote docs/explanation/{name}\n")


if __name__ == "__main__":
    main()
