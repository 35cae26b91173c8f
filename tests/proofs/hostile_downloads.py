"""Every case played to downloads: a hostile try, then calm ones until the file is there.

In: a stage, how dense the offsets are. Out: `Downloads`. Touches the stage's output folder. The judge is
the SHA-256 of the file as the sandbox makes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiejobs.core.ledger.records import FileRecord
from tests.proofs.hostile_cases import TOLD, TOO_SLOW, WITHOUT_END, Case
from tests.proofs.hostile_exchanges import cases_of, measured
from tests.proofs.tcp_proxy import calm

if TYPE_CHECKING:
    from tests.proofs.hostile_stage import Stage

_MAY_LAST = {TOO_SLOW, WITHOUT_END}
_MOST_TRIES = 4  # as many as a run makes of one download


@dataclass
class Downloads:
    """`torn`: under a final name, and not what the sandbox made; where the network hid how long the
    file is, that is counted apart.
    """

    cases: int = 0
    whole_at_once: int = 0
    resumed_by_range: int = 0
    fetched_anew: int = 0
    torn: int = 0
    torn_where_its_length_was_hidden: int = 0
    wrong: list[str] = field(default_factory=list)


def play_downloads(stage: Stage, *, every: int) -> Downloads:
    """All cases but those in which bytes keep coming: a download has half an hour for that."""
    _, told = stage.finished_task()
    [url] = told.urls
    whole = stage.collect(url, "whole.mp4")
    assert isinstance(whole, FileRecord), whole
    downloads = _Downloading(stage, url, whole.sha256)
    sizes = measured(stage, lambda: stage.collect(url, "sizes.mp4"))
    cases = (case for case in cases_of(sizes, every) if case.behaviour not in _MAY_LAST)
    for number, case in enumerate(cases):
        downloads.play(case, f"case{number}.mp4")
    return downloads.found


class _Downloading:
    """One file, fetched under many names."""

    def __init__(self, stage: Stage, url: str, sha256: str) -> None:
        self._stage, self._url, self._sha256 = stage, url, sha256
        self.found = Downloads()

    def play(self, case: Case, path: str) -> None:
        self.found.cases += 1
        self._stage.proxy.script = case.script
        outcome = self._stage.collect(self._url, path, hurried=case.hangs)
        self._stage.proxy.settle()
        if isinstance(outcome, FileRecord):
            self.found.whole_at_once += 1
            self._judge(case, path)
            return
        if (self._stage.output / path).exists():
            self._say(case, f"a file under its final name, after {outcome}")
        if case.thinks == {TOLD}:
            self._say(case, f"not taken: {outcome}")
        self._fetch_the_rest(case, path)

    def _fetch_the_rest(self, case: Case, path: str) -> None:
        stage = self._stage
        part = stage.part(path)
        stage.proxy.script, stage.proxy.seen = calm, []
        tries = (stage.collect(self._url, path) for _ in range(_MOST_TRIES))
        if not any(isinstance(outcome, FileRecord) for outcome in tries):
            self._say(case, "never came, in calm")
            return
        stage.proxy.settle()
        self._judge(case, path)
        ranges = [f"bytes={part}-".encode() in request for request in stage.proxy.seen]
        if ranges[0] != bool(part):
            self._say(case, f"{part} bytes were there, and the rest was not what it asked for")
        self.found.resumed_by_range += ranges[-1]
        self.found.fetched_anew += not ranges[-1]

    def _judge(self, case: Case, path: str) -> None:
        data = (self._stage.output / path).read_bytes()
        if hashlib.sha256(data).hexdigest() == self._sha256:
            return
        if case.undetectable:
            self.found.torn_where_its_length_was_hidden += 1
            return
        self.found.torn += 1
        self._say(case, f"torn: {len(data)} bytes under its final name")

    def _say(self, case: Case, what: str) -> None:
        self.found.wrong.append(f"download, {case.behaviour}: {what}")
