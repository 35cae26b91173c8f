"""Rewrites the generated part of schemas/jobfile.schema.json from schemas/models.

    python tests/regenerate.py

In: the two of them, from disk. Out: the text of the job file's schema as it should be, which main()
writes and a test compares with what is committed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kiejobs.core.editor import editor_schema

SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"
JOBFILE = SCHEMAS / "jobfile.schema.json"


def main() -> None:
    JOBFILE.write_text(regenerated(), encoding="utf-8")
    sys.stdout.write(f"wrote {JOBFILE}\n")


def regenerated() -> str:
    schema = editor_schema(json.loads(JOBFILE.read_text(encoding="utf-8")), models())
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def models() -> dict[str, dict]:
    """The request schema of each model we ship, under the model's id."""
    folder = SCHEMAS / "models"
    files = {path.relative_to(folder).with_suffix(""): path for path in folder.rglob("*.json")}
    return {
        id_.as_posix(): json.loads(path.read_text(encoding="utf-8")) for id_, path in files.items()
    }


if __name__ == "__main__":
    main()
