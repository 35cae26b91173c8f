"""What all tests share: a workplace with a judge; property tests are not timed, since a busy machine
proves nothing.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from kiejobs.adapters.system import PROXIES
from tests.support import postgres as database_server
from tests.support.bench import Bench, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.judge.server import Judge
    from tests.support.postgres import Postgres

for _name in (*PROXIES, "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(_name, None)  # all servers are on the loopback, whatever network this machine is in
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background jobs ignore it, and so would ours
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it: what is not a terminal has no width

settings.register_profile("kiejobs", deadline=None)
settings.load_profile("kiejobs")

LONG = ("docs", "gallery", "proofs", "gitops", "benchmarks", "commands", "adapters")
"""Folders whose tests take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: where several processes share them, none works on while the others are done."""
    here = Path(__file__).parent
    rank = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.relative_to(here).parts[0], len(LONG)))


@pytest.fixture
def table(tmp_path: Path) -> Iterator[tuple[Bench, Judge]]:
    """A folder of its own, and the judge's server beside it."""
    bench, judge = judged(tmp_path)
    with judge:
        yield bench, judge


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A database server of this process's own."""
    found = database_server.programs()
    if found is None:
        pytest.skip("PostgreSQL's server is not installed here")
    with database_server.serving(found) as server:
        yield server
