"""What was measured last, kept for the documentation: `benchmarks/latest.json`.

In: results. Out: nothing. Touches: that file; the metadata of what is installed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypedDict

LATEST = Path(__file__).with_name("latest.json")

_PACKAGES = ("kiejobs", "check-jsonschema", "pre-commit", "jinja2", "jsonschema", "httpx")


class Found(TypedDict):
    """Results by name; those of growth by name and number of jobs."""

    measurements: dict[str, dict[str, Any]]
    growth: dict[str, dict[str, dict[str, Any]]]


def conditions(snakemake: str | None) -> dict[str, Any]:
    """The day, the machine, the releases."""
    releases = {name: _release(name) for name in _PACKAGES}
    if snakemake is not None:
        done = subprocess.run([snakemake, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - ours
        releases["snakemake"] = done.stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "on": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory_gb": round(memory / 1e9),
        "releases": {name: release for name, release in releases.items() if release},
    }


def keep(found: Found, under: dict[str, Any]) -> None:
    """Into the file, next to what was measured before and not now."""
    kept = json.loads(LATEST.read_text(encoding="utf-8")) if LATEST.exists() else {}
    growth = kept.get("growth", {})
    for name, points in found["growth"].items():
        growth[name] = growth.get(name, {}) | points
    releases = kept.get("conditions", {}).get("releases", {}) | under["releases"]
    document = {
        "conditions": under | {"releases": releases},
        "measurements": kept.get("measurements", {}) | found["measurements"],
        "growth": growth,
    }
    LATEST.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _release(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
