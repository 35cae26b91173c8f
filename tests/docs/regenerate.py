"""Rewrites schemas/jobfile.schema.json, from schemas/jobfile.structure.json and schemas/models, and schemas/prices.json.

    python tests/docs/regenerate.py

In: the two of them and schemas/prices.yaml, from disk. Out: the text of the job file's schema as it should be, and of the
prices as a program reads them fastest, which main() writes and tests compare with what is committed.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kiejobs.core.document.nodes import Source, plain_json
from kiejobs.core.document.reader import read_document
from tests.docs.editor_schema import GENERATED, editor_schema

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
JOBFILE = SCHEMAS / "jobfile.schema.json"
STRUCTURE = SCHEMAS / "jobfile.structure.json"
PRICES = SCHEMAS / "prices.json"


def main() -> None:
    JOBFILE.write_text(regenerated(), encoding="utf-8")
    PRICES.write_text(prices(), encoding="utf-8")
    sys.stdout.write(f"wrote {JOBFILE} and {PRICES}\n")


def regenerated() -> str:
    structure = json.loads(STRUCTURE.read_text(encoding="utf-8"))
    schema = editor_schema(structure | {"$id": "urn:kiejobs:schema:jobfile"}, models())
    lines: dict[str, str] = {}
    text = json.dumps(_folded(schema, lines), indent=2, ensure_ascii=False) + "\n"
    return re.sub(r'"@line [0-9]+@"', lambda mark: lines[mark[0]], text)


def prices() -> str:
    source = Source("prices.yaml", PRICES.with_suffix(".yaml").read_bytes())
    document, found = read_document(source, exact=True)
    if document is None:
        raise SystemExit(f"{source.name}: {found}")
    return json.dumps(plain_json(document.root), indent=1, ensure_ascii=False) + "\n"


def _folded(node: Any, lines: dict[str, str]) -> Any:
    """With a mark in place of each generated part, which then takes one line: people don't read them,
    and a model that changes is a line that changes. `lines` gets what the marks stand for.
    """
    if isinstance(node, dict) and node.get("$comment") == GENERATED and "$defs" not in node:
        return _mark(node, lines)
    if isinstance(node, dict) and node.get("$comment") == GENERATED:
        return {**node, "$defs": {name: _mark(part, lines) for name, part in node["$defs"].items()}}
    if isinstance(node, dict):
        return {key: _folded(value, lines) for key, value in node.items()}
    return [_folded(item, lines) for item in node] if isinstance(node, list) else node


def _mark(node: Any, lines: dict[str, str]) -> str:
    mark = f"@line {len(lines)}@"
    lines[json.dumps(mark)] = json.dumps(node, ensure_ascii=False)
    return mark


def models() -> dict[str, dict]:
    """The request schema of each model we ship, under the model's id."""
    folder = SCHEMAS / "models"
    files = {path.relative_to(folder).with_suffix(""): path for path in folder.rglob("*.json")}
    return {id_.as_posix(): json.loads(path.read_text(encoding="utf-8")) for id_, path in files.items()}


if __name__ == "__main__":
    main()
