"""What a proof came to: printed as JSON, and kept where asked for.

In: a proof's figures and whether they are as promised. Out: JSON on stdout, an exit code. Touches:
`tests/proofs/latest/NAME.json`, with `--record`.
"""

from __future__ import annotations

import argparse
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiejobs import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "latest"


def words(description: str | None) -> argparse.ArgumentParser:
    """The words of a proof's command line; each adds its own to `--record`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--record", action="store_true", help="keep the figures for the docs")
    return parser


def tell(name: str, command: str, figures: Mapping[str, Any], *, well: bool, record: bool) -> int:
    """Print the figures, keep them where asked for; the exit code: 0 as promised, 1 not.

    `name` is the program's own (`kill_points`), `command` what was typed, arguments included.
    """
    document = {
        "proof": name,
        "command": command,
        "as_promised": well,
        "figures": dict(figures),
        "on": f"{datetime.now(UTC):%Y-%m-%d}",
        "with": f"kiejobs {__version__}, Python {platform.python_version()}",
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    print(text, end="")  # noqa: T201 - a proof's answer
    if record:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    return 0 if well else 1
