"""What all JSON documents have in common.

In: values of the core. Out: JSON-ready dicts, and JSON text that a terminal may show. Touches nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from kiejobs.core.money import money
from kiejobs.reports.terminal import is_control

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.plan.plan import FieldChange

_MARK = re.compile(r"##(\w*)\[")
FORMAT_VERSION = "1.0"
"""Of every document here; each has its schema in schemas/documents."""


def json_text(value: Json, indent: int | None = 2) -> str:
    """JSON that reads back as `value` and is harmless on a screen. Other scripts stay readable."""
    text = inert_json(json.dumps(value, ensure_ascii=False, indent=indent))
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return "".join(json.dumps(c)[1:-1] if c != "\n" and is_control(c) else c for c in text)


def inert_json(text: str) -> str:
    """The same values, with no command to a CI server in them: `##[` is in strings only, and begins no line."""
    return _MARK.sub(r"##\1\\u005b", text) if "##" in text else text


def json_rows(document: Mapping[str, Json], rows: str) -> str:
    """A document on one line, but for the list `rows`: that has a line for each entry."""
    lines = ",".join(f"\n{json_text(entry, None)}" for entry in document[rows])
    parts = []
    for key, value in document.items():
        text = f"[{lines}\n]" if key == rows else json_text(value, None)
        parts.append(f"{json_text(key, None)}: {text}")
    return f"{{{', '.join(parts)}}}\n"


def by_fields(one: Any) -> dict[str, Json]:
    """A dataclass, each field under its name; credits as decimals in text."""
    return {key: money(value) if isinstance(value, Decimal) else value for key, value in asdict(one).items()}


def diff_document(diff: Iterable[FieldChange]) -> list[dict[str, Json]]:
    return [{"field": line.field, "was": line.was, "now": line.now} for line in diff]


def attempt_document(attempt: Attempt) -> dict[str, Json]:
    """One attempt as a job of the manifest, with its run and without the request."""
    from kiejobs.core.ledger.manifest import job_of_attempt  # noqa: PLC0415 - most documents show no attempt

    job: Mapping[str, Json] = job_of_attempt(attempt)
    kept = {key: value for key, value in job.items() if key != "input"}
    return {**kept, "run_id": attempt.run_id}
