"""How far one job travels through the code: `python -m tests.proofs.short_trip`.

In: nothing. Out: figures: in how many of our files something ran while one job was bought in the sandbox, how many
functions were entered (bodies of classes and comprehensions count as Python counts them), by room; how many
modules and lines there are. Touches: a temporary folder.

It is a plain installation's: without the extra `media`, which draws results and checks them. The profiler looks at calls in all threads of the process that buys; what renders templates is another process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import kiejobs
from tests.proofs.figures import tell, words
from tests.support.bench import MODEL, PACKAGE

HOUSE = Path(kiejobs.__file__).parent

JOB_FILE = f"""version: 1
campaign: trip
jobs:
  pour:
    model: {MODEL}
    input: {{image_url: https://example.com/cup.webp, prompt: A cup of tea}}
"""

_BUY = """
import json, os, sys, threading
import kiejobs
house = os.path.dirname(kiejobs.__file__) + os.sep
for extra in ("av", "numpy", "PIL"):
    sys.modules[extra] = None  # a plain installation: without the extra that draws and checks results
entered = set()
def profile(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(house) and code.co_name != "<module>":
        entered.add((code.co_filename[len(house):], code.co_firstlineno, code.co_name))
from kiejobs.__main__ import main
sys.argv = ["kiejobs", "run", "trip.yaml", "--sandbox", "--yes"]
threading.setprofile(profile)
sys.setprofile(profile)
try:
    main()
except SystemExit as end:
    code = end.code
sys.setprofile(None)
with open("entered.json", "w", encoding="utf-8") as file:
    json.dump({"code": code, "entered": sorted(entered)}, file)
"""


def trip() -> dict[str, Any]:
    """`files` and `functions` entered, and both by room."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "trip.yaml").write_text(JOB_FILE, encoding="utf-8")
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([PACKAGE, *sys.path])}
        subprocess.run([sys.executable, "-c", _BUY], cwd=folder, env=env, capture_output=True, check=True)
        found = json.loads((folder / "entered.json").read_text(encoding="utf-8"))
        manifests = list(folder.glob("rehearsal/runs/*/manifest.json"))
        bought = [json.loads(path.read_text(encoding="utf-8")) for path in manifests]
    states = [job["state"] for run in bought for job in run["jobs"].values()]
    files = {file for file, _, _ in found["entered"]}
    return {
        "exit_code": found["code"],
        "bought": states.count("succeeded"),
        "files": len(files),
        "functions": len(found["entered"]),
        "files_by_room": dict(sorted(Counter(map(_room, files)).items())),
        "functions_by_room": dict(sorted(Counter(_room(e[0]) for e in found["entered"]).items())),
    }


def house() -> dict[str, Any]:
    """Modules and lines in all, and the modules of the fullest folder that is not `commands`."""
    modules = sorted(HOUSE.rglob("*.py"))
    rooms = Counter(path.parent.relative_to(HOUSE).as_posix() for path in modules)
    rooms.pop("commands", None)
    return {
        "modules": len(modules),
        "lines": sum(path.read_bytes().count(b"\n") for path in modules),
        "fullest_room": max(rooms.values()),
    }


def _room(file: str) -> str:
    return file.rpartition(os.sep)[0].replace(os.sep, "/") or "."


def main() -> int:
    parser = words(__doc__)
    wanted = parser.parse_args()
    figures = {**trip(), **house()}
    well = figures["exit_code"] == 0 and figures["bought"] == 1
    command = "python -m tests.proofs.short_trip"
    return tell("short_trip", command, figures, well=well, record=wanted.record)


if __name__ == "__main__":
    raise SystemExit(main())
