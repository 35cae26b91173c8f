"""Rewrites what tests/examples expects, from what kiejobs says now.

    python tests/examples/update.py

In: the job files below tests/examples. Out: beside each valid one its requests as `.jsonl`, beside each
invalid one its problems as `.txt`. Read the difference before you commit it: a changed fingerprint buys
again, and a changed message should be clearer than the old one.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from kiejobs.adapters.project.files import DataFolder, IncludeFolder
from kiejobs.adapters.project.local_files import LocalFolder
from kiejobs.adapters.templates.process import ProcessRenderer
from tests.support.expanding import Expanded, expanded

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def main() -> None:
    for source in sorted(EXAMPLES.glob("*/*.yaml")):
        beside, text = expectation(source)
        beside.write_bytes(text.encode())
        sys.stdout.write(f"{source.relative_to(EXAMPLES)}: {len(text.splitlines())} lines\n")


def expectation(source: Path) -> tuple[Path, str]:
    """The file beside a job file, and what should stand in there."""
    if source.parent.name == "valid":
        return source.with_suffix(".jsonl"), requests(source)
    return source.with_suffix(".txt"), problems(source)


def requests(source: Path) -> str:
    """One `{"address", "fingerprint", "take", "body"}` a line, as `kiejobs render` prints them."""
    made = _expanded(source)
    return "".join(
        json.dumps(
            {
                "address": job.address,
                "fingerprint": job.fingerprint,
                "take": job.take,
                "body": job.body,
            },
            ensure_ascii=False,
        )
        + "\n"
        for job in made.jobs
    )


def problems(source: Path) -> str:
    """One problem a line, `CODE line:column message | hint | xCOUNT example`."""
    return "".join(f"{line}\n" for line in _expanded(source).told)


def _expanded(source: Path) -> Expanded:
    folder = source.parent
    return expanded(
        source.read_bytes(),
        renderer=partial(ProcessRenderer, includes=IncludeFolder(folder)),
        files=LocalFolder(folder),
        data=DataFolder(folder, Path()),
    )


if __name__ == "__main__":
    main()
