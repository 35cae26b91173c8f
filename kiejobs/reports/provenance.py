"""A campaign's provenance: as a table for spreadsheets, as in-toto statements, and what all exports share.

In: attempts of a ledger, the headers of their runs. Out: a `Provenance`, and inputs without what may be a
signature; CSV as in RFC 4180; JSON Lines. Touches nothing.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from kiejobs.core.document.checked import dotted
from kiejobs.core.expand.job import refs_in
from kiejobs.core.ledger.manifest import job_of_attempt
from kiejobs.core.urls import bare
from kiejobs.reports.documents import json_text
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger import events as e
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.ledger.uploads import Uploads

_ENDS = ("collected", "settled", "submitted", "reserved")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Attempts in the order of reservation, and the first line of each one's journal, by run id.

    `uploads`: what is on record of local files, by the SHA-256 of their content.
    """

    attempts: Sequence[Attempt]
    runs: Mapping[str, e.RunStarted]
    uploads: Uploads = field(default_factory=dict)

    @property
    def campaigns(self) -> list[str]:
        """Whose attempts these are, sorted."""
        return sorted({attempt.address.partition("/")[0] for attempt in self.attempts})

    @property
    def until(self) -> str | None:
        """When the last thing happened, in UTC as text: a document needs a date that never changes."""
        return max((last_time(attempt) for attempt in self.attempts), default=None)

    def source(self, attempt: Attempt) -> Mapping[str, Json]:
        """The job file that the attempt came from, as its journal names it; empty where it does not."""
        return self.runs[attempt.run_id].source or {}


@dataclass(frozen=True, slots=True)
class InputFile:
    """A local file that a request was made with; `path` is None where nobody wrote down where it lay."""

    place: str
    sha256: str
    path: str | None = None
    bytes: int | None = None
    media_type: str | None = None

    @property
    def name(self) -> str:
        return self.path or f"sha256:{self.sha256}"


def input_files(attempt: Attempt, provenance: Provenance) -> Iterator[InputFile]:
    """The local files of a request, each with its place in the input (`image_urls[1]`)."""
    for name, value in attempt.reserved.input.items():
        for path, ref in refs_in(value, (name,)):
            sha256 = ref.removeprefix("sha256:")
            records = provenance.uploads.get(sha256, ())
            known = max(records, key=lambda one: (one.expires or "", one.path), default=None)
            facts = (known.path, known.bytes, known.media_type) if known else ()
            yield InputFile(dotted(path), sha256, *facts)


def last_time(attempt: Attempt) -> str:
    """When the last thing happened to it."""
    return next(attempt.times[name] for name in _ENDS if name in attempt.times)


def public(value: Json) -> Json:
    """An input's value with bare URLs: a query may be a signature."""
    if isinstance(value, str):
        return bare(value) if is_url(value) else value
    if isinstance(value, list):
        return [public(item) for item in value]
    if isinstance(value, dict):
        return {key: public(item) for key, item in value.items()}
    return value


def is_url(value: Json) -> bool:
    """A text that is a web address and nothing else."""
    known = isinstance(value, str) and value.startswith(("https://", "http://"))
    return known and not any(char.isspace() for char in value)


# --- CSV ------------------------------------------------------------------------------------------

# In UTF-8 with a head, lines ended by CR LF. Prompts come from strangers, and a spreadsheet takes a cell that
# begins with `=` for a formula: such cells are led by an apostrophe. Money and sizes are numbers, times are
# UTC, of several files each cell has one a line.


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
        **{name: value for name, value in job.items() if name in COLUMNS},
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


# --- in-toto --------------------------------------------------------------------------------------

# Statement v1 (in-toto.io/Statement/v1) with the predicate slsa.dev/provenance/v1, one a line. Its subjects are
# the files that came home; what has none has no statement. Nothing is signed here: that is the business of
# whoever holds a key. Names that need a URI are urn:kiejobs ones, which promise no web page.


STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:kiejobs:generation:v1"
"""externalParameters: model, input, fingerprint, fingerprintVersion, take. internalParameters: the API's
origin, and the address that the job file calls the job by."""

BUILDER = "urn:kiejobs:runner"


def export_in_toto(provenance: Provenance) -> Iterator[str]:
    """A line for each attempt that has files."""
    for attempt in provenance.attempts:
        if attempt.files:
            yield json_text(_statement(attempt, provenance), None) + "\n"


def _statement(attempt: Attempt, provenance: Provenance) -> dict[str, Json]:
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": file.path, "digest": {"sha256": file.sha256}, "mediaType": file.media_type}
            for file in attempt.files
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": _definition(attempt, provenance),
            "runDetails": _details(attempt, provenance),
        },
    }


def _definition(attempt: Attempt, provenance: Provenance) -> dict[str, Json]:
    reserved, run = attempt.reserved, provenance.runs[attempt.run_id]
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "model": reserved.model,
            "input": public(dict(reserved.input)),
            "fingerprint": reserved.fingerprint,
            "fingerprintVersion": run.fingerprint_version,
            "take": reserved.take,
        },
        "internalParameters": {"origin": run.origin, "address": attempt.address},
        "resolvedDependencies": list(_dependencies(attempt, provenance)),
    }


def _dependencies(attempt: Attempt, provenance: Provenance) -> Iterator[dict[str, Json]]:
    """The job file, the commit that it was checked out at, and what the request points at."""
    source = provenance.source(attempt)
    if source.get("file") and source.get("sha256"):
        yield {"name": source["file"], "digest": {"sha256": source["sha256"]}}
    if source.get("git_commit"):
        name = "the repository of the job file"
        yield {"name": name, "digest": {"gitCommit": source["git_commit"]}}
    for name, value in attempt.reserved.input.items():
        if is_url(value):
            yield {"name": f"input.{name}", "uri": public(value)}
    for file in input_files(attempt, provenance):
        described = {"name": file.name, "digest": {"sha256": file.sha256}}
        media = {"mediaType": file.media_type} if file.media_type else {}
        yield {**described, **media, "annotations": {"input": file.place}}


def _details(attempt: Attempt, provenance: Provenance) -> dict[str, Json]:
    tool, _, version = provenance.runs[attempt.run_id].created_with.partition(" ")
    times = attempt.times
    metadata = {
        "invocationId": attempt.run_id,
        "startedOn": times.get("submitted", times["reserved"]),
        "finishedOn": times.get("settled"),
    }
    task = f"urn:kiejobs:task:{quote(attempt.task_id or '', safe='')}"
    return {
        "builder": {"id": BUILDER, "version": {tool: version}},
        "metadata": {name: value for name, value in metadata.items() if value is not None},
        "byproducts": [{"name": "task", "uri": task}] if attempt.task_id else [],
    }
