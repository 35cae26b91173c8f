"""Writes what a pull request to SchemaStore is made of: editors then know `*.kiejobs.yaml` without a line in the file.

    python tests/docs/schemastore.py DIR

In: our schemas, our examples. Out: below DIR, in SchemaStore's own layout: the schemas under their public address, job files
that they must accept, and the entries for its catalog. Touches DIR.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_HOST = "https://www.schemastore.org"

ENTRIES = (
    {
        "name": "kiejobs job file",
        "description": "Jobs of generative video for kiejobs, a declarative runner",
        "fileMatch": ["*.kiejobs.yaml", "*.kiejobs.yml"],
        "url": f"{_HOST}/kiejobs.json",
    },
    {
        "name": "kiejobs project",
        "description": "The project file of kiejobs: ledger, limits, policy",
        "fileMatch": ["kiejobs.yaml"],
        "url": f"{_HOST}/kiejobs-project.json",
    },
)
SCHEMAS = {"kiejobs": "jobfile.schema.json", "kiejobs-project": "policy.schema.json"}


def main() -> None:
    target = Path(sys.argv[1])
    for path, text in files().items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {target / path}\n")


def files() -> dict[str, str]:
    """By their paths in SchemaStore's repository; `catalog-entries.json` goes into its catalog by hand."""
    found = {f"src/schemas/json/{name}.json": _text(schema(name)) for name in SCHEMAS}
    for file in sorted((ROOT / "jobfiles").glob("*.yaml")):
        found[f"src/test/kiejobs/{file.name}"] = file.read_text(encoding="utf-8")
    found["catalog-entries.json"] = _text(ENTRIES)
    return found


def schema(name: str) -> dict[str, Any]:
    """One of ours, under its public address."""
    ours = json.loads((ROOT / "schemas" / SCHEMAS[name]).read_text(encoding="utf-8"))
    return {**ours, "$id": f"{_HOST}/{name}.json"}


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
