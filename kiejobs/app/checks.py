"""Results held against their checks: which checks they have, what is known already, what is looked at now.

In: a workspace, attempts that have files, job files. Out: `CheckResult`s by address and take. Touches: results, by
reading, in a process of its own; what the checks found, next to the results.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import ExitStack, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kiejobs.adapters.media.installed import HAS_MEDIA
from kiejobs.adapters.media.process import media_process
from kiejobs.adapters.project.files import read_schema, read_source
from kiejobs.adapters.storage.check_results import CheckRecord, CheckStore
from kiejobs.app.picks import pick_book
from kiejobs.app.records import is_of
from kiejobs.core import checks as c
from kiejobs.core.diagnostics import InvalidJobFile, Problems, UsageProblem
from kiejobs.core.document.reader import read_document
from kiejobs.core.jobfile import read_jobfile
from kiejobs.core.ledger.records import State
from kiejobs.core.picks import YES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kiejobs.app.project import Workspace
    from kiejobs.app.records import Results
    from kiejobs.core.checks import CheckResult
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.ledger.ledger import Attempt, Ledger

_KINDS = {"video", "image", "audio"}
_LARGEST_PICTURE = 64 * 2**20  # bytes
_REF = re.compile(r"sha256:([0-9a-f]{64})")
_SAMPLE = b"kiejobs sandbox "  # the note in a sample file: see `sandbox.files`
_NOTED = 256  # bytes at either end of a file that hold the note


class Checked(NamedTuple):
    """`failed`: of the results, what failed that its job file states. `samples`: how many are sample files of a
    rehearsal, which is not reported.
    """

    results: Results
    failed: Results
    samples: int = 0


def checked(
    space: Workspace,
    ledger: Ledger,
    attempts: Iterable[Attempt],
    *,
    again: bool = False,
    files: Sequence[str] = (),
) -> Checked:
    """The same, once what is not known yet was looked at. `files`: job files that have the checks.

    Without them each run's own file has, as it is now. Nothing where the extra `media` is missing.
    """
    if not HAS_MEDIA:
        return Checked({}, {})
    examination = _Examination(space, ledger, again=again, files=files)
    for attempt in attempts:
        if attempt.state is State.SUCCEEDED and attempt.files:
            examination.look(attempt)
    return examination.end()


def judged(space: Workspace, addresses: Iterable[str]) -> dict[str, str]:
    """Which stated checks their newest results have failed, in words; nothing on those that a person has picked."""
    ledger = space.ledger()
    newest = {address: ledger.newest(address) for address in addresses}
    failed = checked(space, ledger, filter(None, newest.values())).failed
    if not failed:
        return {}
    book = pick_book(space, ledger)
    return {
        address: "; ".join(f"{one.name}: {one.why}" for one in failed[attempt.address, attempt.reserved.take])
        for address, attempt in newest.items()
        if attempt and (attempt.address, attempt.reserved.take) in failed and book.word(attempt) != YES
    }


def has_failed(found: Results) -> bool:
    return any(one.verdict == c.FAILED for several in found.values() for one in several)


class _Examination:
    def __init__(self, space: Workspace, ledger: Ledger, *, again: bool, files: Sequence[str]) -> None:
        self._space, self._ledger, self._again = space, ledger, again
        self._store = CheckStore(space.checks)
        self._known = self._store.read()
        self._made: dict[tuple[str, int], CheckRecord] = {}
        self._found: dict[tuple[str, int], Sequence[CheckResult]] = {}
        self._duplicable: dict[tuple[str, int], c.Check] = {}
        self._stated: dict[tuple[str, int], frozenset[str]] = {}
        self._samples = 0
        self._written_in = lru_cache(written_in)
        self._given = [checks for file in files for checks in [self._written_in(file, is_needed=True)]]

    def look(self, attempt: Attempt) -> None:
        """Nothing for what has no checks, or is a value, or not here."""
        kind = attempt.files[0].media_type.partition("/")[0]
        written = self._written(attempt)
        if kind not in _KINDS or written is False:
            return
        key = (attempt.address, attempt.reserved.take)
        self._stated[key] = frozenset(written if isinstance(written, dict) else ())
        digest = hashlib.sha256(json.dumps([c.VERSION, written], sort_keys=True).encode()).hexdigest()
        known = self._known.get(key)
        is_known = known is not None and is_of(known, attempt) and known.digest == digest
        if known is not None and is_known and not self._again:
            self._found[key] = known.results
            self._expect(key, attempt, written, kind)
            return
        answer = self._examined(attempt, written, kind)
        if answer is None:
            return
        found = tuple(c.CheckResult(*one) for one in answer["results"])
        files = tuple(file.sha256 for file in attempt.files)
        self._found[key] = found
        self._made[key] = CheckRecord(
            *key, attempt.reserved.fingerprint, files, digest, found, answer["signature"]
        )
        self._expect(key, attempt, written, kind)

    def _expect(self, key: tuple[str, int], attempt: Attempt, written: Json, kind: str) -> None:
        """A near duplicate can only be found once all have been looked at."""
        if "not_duplicate" in str(written):
            for check in c.wanted(written, attempt.reserved.input, kind):
                if check.name == "not_duplicate":
                    self._duplicable[key] = check

    def _examined(self, attempt: Attempt, written: Json, kind: str) -> dict[str, Any] | None:
        with ExitStack() as stack:
            if self._space.condition(attempt) is not None:
                return None  # not here, or not what was bought
            paths = [stack.enter_context(self._space.folder.on_disk(file)) for file in attempt.files]
            if not all(path.is_file() for path in paths):
                return None  # moved away on purpose
            if _is_sample(paths[0]):
                self._samples += 1
                return None
            asked = {
                "files": [str(path.absolute()) for path in paths],
                "kind": kind,
                "request": attempt.reserved.input,
                "written": written,
                "pictures": self._pictures(attempt) if "frame_matches" in str(written) else {},
            }
            answer: dict[str, Any] = media_process().ask("examine", asked)
        if "error" in answer:
            checks, why = c.wanted(written, attempt.reserved.input, kind), "it does not decode"
            return {"results": c.verdicts(checks, f"{why} ({answer['error']})"), "signature": None}
        return answer

    def _written(self, attempt: Attempt) -> Json:
        campaign, _, rest = attempt.address.partition("/")
        job = re.split(r"[\[#]", rest, maxsplit=1)[0]
        for checks in self._given or [self._written_in(self._file_of(attempt) or "")]:
            if (campaign, job) in checks:
                return checks[campaign, job]
        return None

    def _file_of(self, attempt: Attempt) -> str | None:
        run = self._ledger.runs.get(attempt.run_id)
        return self._space.root.seen(run.source["file"]) if run and run.source else None

    def _pictures(self, attempt: Attempt) -> dict[str, str]:
        """Local files that the request points at, where they still hold what was sent."""
        file = self._file_of(attempt)
        found: dict[str, str] = {}
        for digest in _REF.findall(json.dumps(dict(attempt.reserved.input))) if file else ():
            for upload in self._ledger.uploads.get(digest, ()):
                path = (Path(file or "").parent / upload.path).resolve()
                with suppress(OSError):
                    is_ours = path.is_relative_to(self._space.root.reach(file or "").resolve())
                    is_small = is_ours and path.stat().st_size <= _LARGEST_PICTURE
                    if is_small and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
                        found[f"sha256:{digest}"] = str(path)
        return found

    def end(self) -> Checked:
        if self._duplicable:
            self._compare()
        failed = {
            key: [one for one in found if one.verdict == c.FAILED and one.name in self._stated[key]]
            for key, found in self._found.items()
        }
        if self._made:
            try:
                self._store.write(self._made.values())
            except OSError as error:
                message = f"can't save the check results: {error.strerror or error}"
                raise UsageProblem(message) from error
        return Checked(self._found, {key: found for key, found in failed.items() if found}, self._samples)

    def _compare(self) -> None:
        """With all results of their campaigns that were ever asked about."""
        names = {f"{key[0]}\n{key[1]}": record for key, record in {**self._known, **self._made}.items()}
        signatures = {name: record.signature for name, record in names.items() if record.signature}
        for key, check in self._duplicable.items():
            name, campaign = f"{key[0]}\n{key[1]}", f"{key[0].partition('/')[0]}/"
            if name not in signatures:
                continue
            others = {other: text for other, text in signatures.items() if other.startswith(campaign)}
            answer = media_process().ask("compare", {"signatures": others, "asked": [name]})
            likeness, other = answer.get(name, (None, ""))
            if likeness is not None:
                self._replace(key, c.duplicate(check, likeness, other.partition("\n")[0]))

    def _replace(self, key: tuple[str, int], result: CheckResult) -> None:
        found = tuple(result if one.name == result.name else one for one in self._found[key])
        self._found[key] = found
        record = self._made.get(key) or self._known[key]
        self._made[key] = record._replace(results=found)


def written_in(file: str, *, is_needed: bool = False) -> dict[tuple[str, str], Json]:
    """`checks:` by campaign and job. Of a file that is not needed and has problems nothing."""
    try:
        source = read_source(file)
    except UsageProblem:
        if is_needed:
            raise
        return {}
    document, found = read_document(source)
    jobfile = None
    if document is not None:
        jobfile, refused = read_jobfile(document, read_schema("jobfile.structure.json"))
        found += refused
    if is_needed and (found or jobfile is None):
        raise InvalidJobFile(Problems(found, {file: source.lines}))
    if jobfile is None:
        return {}
    return {(jobfile.campaign, entry.name): entry.checks for entry in jobfile.entries}


def _is_sample(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(_NOTED)
        stream.seek(max(0, path.stat().st_size - _NOTED))
        return _SAMPLE in head or _SAMPLE in stream.read()
