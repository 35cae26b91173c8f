"""A campaign's provenance as in-toto statements with SLSA provenance, one for each job, one a line.

In: a `Provenance`. Out: JSON Lines: Statement v1 (in-toto.io/Statement/v1) with the predicate
slsa.dev/provenance/v1. Its subjects are the files that came home; what has none has no statement.
Touches nothing. Nothing is signed here: that is the business of whoever holds a key.

Names that need a URI are urn:kiejobs ones, which promise no web page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from kiejobs.reports.documents import json_text
from kiejobs.reports.export.provenance import input_files, is_url, public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt
    from kiejobs.reports.export.provenance import Provenance

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
            yield json_text(statement(attempt, provenance), None) + "\n"


def statement(attempt: Attempt, provenance: Provenance) -> dict[str, Json]:
    """One attempt with files."""
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
    task = (
        [{"name": "task", "uri": f"urn:kiejobs:task:{quote(attempt.task_id, safe='')}"}]
        if attempt.task_id
        else []
    )
    return {
        "builder": {"id": BUILDER, "version": {tool: version}},
        "metadata": {name: value for name, value in metadata.items() if value is not None},
        "byproducts": task,
    }
