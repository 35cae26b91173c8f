"""A campaign's provenance as an RO-Crate: `ro-crate-metadata.json` beside the files that came home.

In: a `Provenance`. Out: JSON-LD as in RO-Crate 1.1 and its profile Process Run Crate 0.5: a CreateAction
for each job that came to its end, with what it was made by (the model, kiejobs), from (the prompt and the
other fields, the picture's address), and the files that it made. Touches nothing.

Nobody is named as the agent, and the licence is left open: the journals know of neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from kiejobs.core.ledger.records import State
from kiejobs.reports.documents import json_text
from kiejobs.reports.provenance import input_files, is_url, public

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.core.ledger.records import FileRecord
    from kiejobs.reports.provenance import InputFile, Provenance

METADATA = "ro-crate-metadata.json"
_CRATE = "https://w3id.org/ro/crate/1.1"
_PROCESS = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS = {"sha256": "http://schema.org/sha256"}
"""A term that RO-Crate 1.1 does not define, and later ones do, as here."""

_LICENSE = "None is stated here: whoever publishes these files says how they may be used."
"""RO-Crate 1.1 wants one, and takes words where there is no link."""

_STATUS: dict[State | None, str] = {
    State.SUCCEEDED: "http://schema.org/CompletedActionStatus",
    State.FAILED: "http://schema.org/FailedActionStatus",
}


def export_ro_crate(provenance: Provenance) -> str:
    """The whole document. Paths are below the folder that it is put into: the output folder."""
    attempts = [one for one in provenance.attempts if one.state in _STATUS]
    by_id = {entity["@id"]: entity for entity in _entities(attempts, provenance)}
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": _ref("./"),
        "conformsTo": _ref(_CRATE),
    }
    # Each entity once: takes share their inputs, jobs their models.
    graph = [descriptor, _root(attempts, provenance), *by_id.values()]
    document = {"@context": [f"{_CRATE}/context", _TERMS], "@graph": graph}
    return json_text(document) + "\n"


def _root(attempts: list[Attempt], provenance: Provenance) -> dict[str, Json]:
    names = ", ".join(provenance.campaigns)
    files = dict.fromkeys(_path_id(file) for one in attempts for file in one.files)
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Generated media: {names}",
        "description": f"What kiejobs bought and collected for {names}, and how each file was made.",
        "datePublished": _moment(provenance.until),
        "license": _LICENSE,
        "conformsTo": _ref(_PROCESS),
        "hasPart": _one_or_many(_ref(file) for file in files),
        "mentions": _one_or_many(_ref(_action_id(one)) for one in attempts),
    }


def _entities(attempts: Iterable[Attempt], provenance: Provenance) -> Iterator[dict[str, Json]]:
    name = "Process Run Crate"
    yield {"@id": _PROCESS, "@type": "CreativeWork", "name": name, "version": "0.5"}
    for attempt in attempts:
        tool, _, version = provenance.runs[attempt.run_id].created_with.partition(" ")
        yield from (_file(file) for file in attempt.files)
        yield _action(attempt, provenance, _tool_id(tool, version))
        yield from _objects(attempt, provenance)
        software = {"@type": "SoftwareApplication"}
        yield {"@id": _model_id(attempt), **software, "name": attempt.reserved.model}
        yield {
            "@id": _tool_id(tool, version),
            **software,
            "name": tool,
            "softwareVersion": version,
        }


def _file(file: FileRecord) -> dict[str, Json]:
    return {
        "@id": _path_id(file),
        "@type": "File",
        "name": file.path,
        "contentSize": str(file.bytes),
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    }


def _action(attempt: Attempt, provenance: Provenance, tool: str) -> dict[str, Json]:
    times, failure = attempt.times, attempt.failure
    entity = {
        "@id": _action_id(attempt),
        "@type": "CreateAction",
        "name": attempt.address,
        "description": f"take {attempt.reserved.take} of request {attempt.reserved.fingerprint}",
        "identifier": attempt.task_id,
        "instrument": [_ref(_model_id(attempt)), _ref(tool)],
        "object": _one_or_many(_ref(one["@id"]) for one in _objects(attempt, provenance)),
        "result": _one_or_many(_ref(_path_id(file)) for file in attempt.files),
        "startTime": _moment(times.get("submitted", times["reserved"])),
        "endTime": _moment(times.get("settled")),
        "actionStatus": _STATUS[attempt.state],
        "error": failure.message if failure is not None else None,
    }  # fmt: skip
    return {key: value for key, value in entity.items() if value not in (None, [])}


def _objects(attempt: Attempt, provenance: Provenance) -> Iterator[dict[str, Json]]:
    """What went in: web addresses and local files as works of their own, the other fields as values."""
    files = list(input_files(attempt, provenance))
    yield from map(_input_file, files)
    whole = {file.place for file in files}
    for name, value in attempt.reserved.input.items():
        if is_url(value):
            url = public(value)
            yield {"@id": url, "@type": "CreativeWork", "name": name, "url": url}
        elif name not in whole:
            shown = public(value) if isinstance(value, str) else json_text(public(value), None)
            id_ = f"#input/{attempt.reserved.fingerprint}/{quote(name)}"
            yield {"@id": id_, "@type": "PropertyValue", "name": name, "value": shown}


def _input_file(file: InputFile) -> dict[str, Json]:
    """No part of the crate: it stays where the job file is."""
    entity = {
        "@id": f"#file/{file.sha256}",
        "@type": "MediaObject",
        "name": file.name,
        "contentSize": None if file.bytes is None else str(file.bytes),
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    }
    return {key: value for key, value in entity.items() if value is not None}


def _moment(at: str | None) -> str | None:
    """The profile takes an offset only, where a journal has `Z`."""
    return at if at is None else at.removesuffix("Z") + "+00:00"


def _path_id(file: FileRecord) -> str:
    return quote(file.path, safe="/=,")


def _action_id(attempt: Attempt) -> str:
    return f"#attempt/{attempt.attempt_id}"


def _model_id(attempt: Attempt) -> str:
    return f"urn:kiejobs:model:{quote(attempt.reserved.model)}"


def _tool_id(tool: str, version: str) -> str:
    return f"urn:kiejobs:tool:{quote(tool)}:{quote(version)}"


def _ref(id_: str) -> dict[str, str]:
    return {"@id": id_}


def _one_or_many(refs: Iterable[dict[str, str]]) -> Json:
    """A single value stands for itself: RO-Crate wants no list of one."""
    found = list(refs)
    return found[0] if len(found) == 1 else found
