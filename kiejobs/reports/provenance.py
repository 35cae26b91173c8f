"""A campaign's provenance: a table for spreadsheets, in-toto statements, an RO-Crate's metadata.

In: attempts of a ledger, the headers of their runs. Out: CSV as in RFC 4180; JSON Lines; JSON-LD, all of them
without what may be a signature. Touches nothing.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from kiejobs.core.document.checked import dotted
from kiejobs.core.document.nodes import with_texts
from kiejobs.core.expand.job import refs_in
from kiejobs.core.ledger.manifest import job_of_attempt
from kiejobs.core.ledger.records import State
from kiejobs.core.urls import bare
from kiejobs.reports.documents import json_text
from kiejobs.reports.terminal import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger import events as e
    from kiejobs.core.ledger.events import Uploads
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.ledger.records import FileRecord


@dataclass(frozen=True, slots=True)
class Provenance:
    """Attempts in the order of reservation, and the first line of each one's journal, by run id.

    `uploads`: what is on record of local files, by the SHA-256 of their content.
    """

    attempts: Sequence[Attempt]
    runs: Mapping[str, e.RunStarted]
    uploads: Uploads = field(default_factory=dict)

    def source(self, attempt: Attempt) -> Mapping[str, Json]:
        """The job file that the attempt came from, as its journal names it; empty where it does not."""
        return self.runs[attempt.run_id].source or {}

    def tool(self, attempt: Attempt) -> tuple[str, str]:
        """What ran it, and its version."""
        name, _, version = self.runs[attempt.run_id].created_with.partition(" ")
        return name, version


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


def public(value: Json) -> Json:
    """An input's value with bare URLs: a query may be a signature."""
    return with_texts(value, lambda text: bare(text) if is_url(text) else text)


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

_SOURCE = (("job_file", "file"), ("job_file_sha256", "sha256"), ("git_commit", "git_commit"))
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def export_csv(provenance: Provenance) -> Iterator[str]:
    """Row by row; the first one names the columns."""
    fields = sorted({name for one in provenance.attempts for name in one.reserved.input})
    yield csv_row([*COLUMNS, *(f"input.{name}" for name in fields)])
    for attempt in provenance.attempts:
        cells = _cells(attempt, provenance)
        asked = attempt.reserved.input
        values = [asked.get(name) for name in fields]
        yield csv_row([*(cells[name] for name in COLUMNS), *map(public, values)])


def _cells(attempt: Attempt, provenance: Provenance) -> dict[str, Json]:
    job, source = job_of_attempt(attempt), provenance.source(attempt)
    inputs = list(input_files(attempt, provenance))
    error = job["error"] or dict.fromkeys(("class", "code", "message"))
    files = {
        name: "\n".join("" if file[name] is None else str(file[name]) for file in job["files"])
        for name in ("path", "sha256", "bytes", "media_type", "url", "url_expires")
    }
    return {
        **{name: value for name, value in job.items() if name in COLUMNS},
        "run_id": attempt.run_id,
        **{name: source.get(key) for name, key in _SOURCE},
        **{f"credits_{name}": value for name, value in job["credits"].items()},
        **job["times"],
        **files,
        **{f"error_{name}": value for name, value in error.items()},
        "input_path": "\n".join(file.path or "" for file in inputs),
        "input_sha256": "\n".join(file.sha256 for file in inputs),
    }


def csv_row(values: Sequence[Json]) -> str:
    """One row, each cell as a text that no spreadsheet runs."""
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
    definition, details = _definition(attempt, provenance), _details(attempt, provenance)
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": file.path, "digest": {"sha256": file.sha256}, "mediaType": file.media_type}
            for file in attempt.files
        ],
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": definition, "runDetails": details},
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
    times = attempt.times
    task = f"urn:kiejobs:task:{quote(attempt.task_id or '', safe='')}"
    metadata = {
        "invocationId": attempt.run_id,
        "startedOn": times.get("submitted", times["reserved"]),
        "finishedOn": times.get("settled"),
    }
    return {
        "builder": {"id": BUILDER, "version": dict([provenance.tool(attempt)])},
        "metadata": _known(metadata),
        "byproducts": [{"name": "task", "uri": task}] if attempt.task_id else [],
    }


# --- RO-Crate -------------------------------------------------------------------------------------

# JSON-LD as in RO-Crate 1.1 and its profile Process Run Crate 0.5: a CreateAction for each job that reached its
# end, with what it was made by (the model, kiejobs), from (the prompt and the other fields), and the files
# that it made. Nobody is named as the agent, and the licence is left open: the journals know of neither.

METADATA = "ro-crate-metadata.json"
_CRATE = "https://w3id.org/ro/crate/1.1"
_PROCESS = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS = {"sha256": "http://schema.org/sha256"}
"""A term that RO-Crate 1.1 does not define, and later ones do, as here."""

_ENDS = ("collected", "settled", "submitted", "reserved")
_LICENSE = "None is stated here: whoever publishes these files says how they may be used."
"""RO-Crate 1.1 wants one, and takes words where there is no link."""

_STATUS: dict[State | None, str] = {
    State.SUCCEEDED: "http://schema.org/CompletedActionStatus",
    State.FAILED: "http://schema.org/FailedActionStatus",
}


def export_ro_crate(provenance: Provenance) -> str:
    """The complete document. Paths are below the folder that it is put into: the output folder."""
    attempts = [one for one in provenance.attempts if one.state in _STATUS]
    by_id = {entity["@id"]: entity for entity in _entities(attempts, provenance)}
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": _refs(["./"]),
        "conformsTo": _refs([_CRATE]),
    }
    # Each entity once: takes share their inputs, jobs their models.
    graph = [descriptor, _root(attempts, provenance), *by_id.values()]
    document = {"@context": [f"{_CRATE}/context", _TERMS], "@graph": graph}
    return json_text(document) + "\n"


def _root(attempts: list[Attempt], provenance: Provenance) -> dict[str, Json]:
    names = ", ".join(sorted({one.address.partition("/")[0] for one in provenance.attempts}))
    files = dict.fromkeys(_path_id(file) for one in attempts for file in one.files)
    last = (next(a.times[name] for name in _ENDS if name in a.times) for a in provenance.attempts)
    until = max(last, default=None)  # a date that never changes
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Generated media: {names}",
        "description": f"What kiejobs bought and collected for {names}, and how each file was made.",
        "datePublished": _moment(until),
        "license": _LICENSE,
        "conformsTo": _refs([_PROCESS]),
        "hasPart": _refs(files),
        "mentions": _refs(map(_action_id, attempts)),
    }


def _entities(attempts: Iterable[Attempt], provenance: Provenance) -> Iterator[dict[str, Json]]:
    name = "Process Run Crate"
    yield {"@id": _PROCESS, "@type": "CreativeWork", "name": name, "version": "0.5"}
    for attempt in attempts:
        tool, version = provenance.tool(attempt)
        tool_id = f"urn:kiejobs:tool:{quote(tool)}:{quote(version)}"
        for file in attempt.files:
            yield {"@id": _path_id(file), "@type": "File", "name": file.path, **_content(file)}
        yield _action(attempt, provenance, tool_id)
        yield from _objects(attempt, provenance)
        software = {"@type": "SoftwareApplication"}
        yield {"@id": _model_id(attempt), **software, "name": attempt.reserved.model}
        yield {"@id": tool_id, **software, "name": tool, "softwareVersion": version}


def _content(file: FileRecord | InputFile) -> dict[str, Json]:
    size = None if file.bytes is None else str(file.bytes)
    content = {"contentSize": size, "encodingFormat": file.media_type, "sha256": file.sha256}
    return _known(content)


def _action(attempt: Attempt, provenance: Provenance, tool: str) -> dict[str, Json]:
    times, failure = attempt.times, attempt.failure
    entity = {
        "@id": _action_id(attempt),
        "@type": "CreateAction",
        "name": attempt.address,
        "description": f"take {attempt.reserved.take} of request {attempt.reserved.fingerprint}",
        "identifier": attempt.task_id,
        "instrument": _refs([_model_id(attempt), tool]),
        "object": _refs(one["@id"] for one in _objects(attempt, provenance)),
        "result": _refs(map(_path_id, attempt.files)),
        "startTime": _moment(times.get("submitted", times["reserved"])),
        "endTime": _moment(times.get("settled")),
        "actionStatus": _STATUS[attempt.state],
        "error": failure.message if failure is not None else None,
    }
    return _known(entity)


def _objects(attempt: Attempt, provenance: Provenance) -> Iterator[dict[str, Json]]:
    """What went in: web addresses and local files as works of their own, the other fields as values."""
    files = list(input_files(attempt, provenance))
    for file in files:  # no part of the crate: it stays where the job file is
        id_ = f"#file/{file.sha256}"
        yield {"@id": id_, "@type": "MediaObject", "name": file.name, **_content(file)}
    whole = {file.place for file in files}
    for name, value in attempt.reserved.input.items():
        if is_url(value):
            url = public(value)
            yield {"@id": url, "@type": "CreativeWork", "name": name, "url": url}
        elif name not in whole:
            shown = public(value) if isinstance(value, str) else json_text(public(value), None)
            id_ = f"#input/{attempt.reserved.fingerprint}/{quote(name)}"
            yield {"@id": id_, "@type": "PropertyValue", "name": name, "value": shown}


def _moment(at: str | None) -> str | None:
    """The profile takes an offset only, where a journal has `Z`."""
    return at if at is None else at.removesuffix("Z") + "+00:00"


def _known(entity: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in entity.items() if value not in (None, [])}


def _path_id(file: FileRecord) -> str:
    return quote(file.path, safe="/=,")


def _action_id(attempt: Attempt) -> str:
    return f"#attempt/{attempt.attempt_id}"


def _model_id(attempt: Attempt) -> str:
    return f"urn:kiejobs:model:{quote(attempt.reserved.model)}"


def _refs(ids: Iterable[str]) -> Json:
    """A single value is itself: RO-Crate wants no list of one."""
    found = [{"@id": id_} for id_ in ids]
    return found[0] if len(found) == 1 else found


FORMS: dict[str, tuple[str, Callable[[Provenance], Iterable[str]]]] = {
    "csv": ("provenance.csv", export_csv),
    "in-toto": ("provenance.intoto.jsonl", export_in_toto),
    "ro-crate": (METADATA, export_ro_crate),
}
"""What the file is called where only a folder is named, and what writes it."""
