"""Write what the commands of the cases print now: `python -m tests.cases.update [NAME…]`.

In: names of cases, none for all. Out: the files `stdout`, `stderr` and `exit` of each, and the names of those
that changed. Touches `tests/cases/`. Read the difference before you commit it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.cases.case import keep, names, play


def main() -> None:
    for name in sys.argv[1:] or names():
        with tempfile.TemporaryDirectory() as folder:
            if keep(name, play(name, Path(folder))):
                sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
