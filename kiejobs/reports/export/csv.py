"""A campaign's provenance as a table for spreadsheets: CSV as in RFC 4180, a row for each job.

In: a `Provenance`. Out: lines of CSV in UTF-8, with a head, ended by CR LF. Touches nothing.

Prompts come from strangers, and a spreadsheet takes a cell that begins with `=` for a formula: such cells
are led by an apostrophe. Money and sizes are numbers, times are UTC, of several files each cell has one
a line.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from kiejobs.core.ledger.manifest import job_of_attempt
from kiejobs.reports.documents import json_text
from kiejobs.reports.export.provenance import input_files, public
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.reports.export.provenance import Provenance

COLUMNS = (
    "address", "take", "state", "model", "fingerprint", "task_id", "attempt_id", "run_id",
    "job_file", "job_file_sha256", "git_commit",
    "credits_planned", "credits_charged", "reserved", "submitted", "settled", "collected",
    "path", "sha256", "bytes", "media_type", "url", "url_expires",
    "error_class", "error_code", "error_message", "input_path", "input_sha256",
)  # fmt: skip
"""The columns that are always there; after them one `input.FIELD` for each field of any request."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def export_csv(provenance: Provenance) -> Iterator[str]:
    """Row by row; the first one names the columns."""
    fields = sorted({name for one in provenance.attempts for name in one.reserved.input})
    yield _row([*COLUMNS, *(f"input.{name}" for name in fields)])
    for attempt in provenance.attempts:
        cells = _cells(attempt, provenance)
        asked = attempt.reserved.input
        values = [asked.get(name) for name in fields]
        yield _row([*(cells[name] for name in COLUMNS), *map(public, values)])


def _cells(attempt: Attempt, provenance: Provenance) -> dict[str, Json]:
    job, source = job_of_attempt(attempt), provenance.source(attempt)
    inputs = list(input_files(attempt, provenance))
    error = job["error"] or {"class": None, "code": None, "message": None}
    files = {
        name: "\n".join("" if file[name] is None else str(file[name]) for file in job["files"])
        for name in ("path", "sha256", "bytes", "media_type", "url", "url_expires")
    }
    return {
        **{name: job[name] for name in ("address", "take", "state", "model", "fingerprint")},
        **{name: job[name] for name in ("task_id", "attempt_id")},
        "run_id": attempt.run_id,
        "job_file": source.get("file"),
        "job_file_sha256": source.get("sha256"),
        "git_commit": source.get("git_commit"),
        **{f"credits_{name}": value for name, value in job["credits"].items()},
        **job["times"],
        **files,
        **{f"error_{name}": value for name, value in error.items()},
        "input_path": "\n".join(file.path or "" for file in inputs),
        "input_sha256": "\n".join(file.sha256 for file in inputs),
    }


def _row(values: list[Json]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return line.getvalue()


def _cell(value: Json) -> str:
    """As a text that neither a terminal nor a spreadsheet obeys."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json_text(value, None)
    if text.startswith(_FORMULA):
        text = f"'{text}"
    return "\n".join(map(sanitize, text.split("\n")))
