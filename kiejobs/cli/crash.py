"""The report on a bug: what happened, without anybody's key.

In: an exception. Out: the name of a file in the current folder (or in the system's temporary one).
Touches: that file.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from pathlib import Path

from kiejobs import __version__
from kiejobs.adapters.system import redact


def write_report(error: Exception) -> str:
    """The traceback and the versions. Values of variables are left out: prompts may be private."""
    lines = [
        f"kiejobs {__version__}, Python {platform.python_version()}, {platform.system()}",
        f"command: {' '.join(sys.argv[1:])}",
        "",
        *traceback.format_exception(error),
    ]
    text = redact("\n".join(lines))
    for folder in (Path.cwd, tempfile.gettempdir):
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=folder(), prefix="kiejobs-crash-", suffix=".txt", delete=False,
                encoding="utf-8",
            ) as report:  # fmt: skip
                report.write(text)
        except OSError:
            continue
        return str(report.name)
    sys.stderr.write(text)
    return "the lines above"
