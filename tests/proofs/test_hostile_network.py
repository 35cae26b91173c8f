"""A sparse session of `python -m tests.proofs.hostile_network`; every byte is tried by hand."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.kie.client import Patience
from kiejobs.core.ledger import outcomes
from tests.proofs.hostile_network import hostile_network
from tests.proofs.hostile_stage import staged, with_api
from tests.proofs.tcp_proxy import Line, deaf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kiejobs.adapters.kie.client import KieApi


# httpcore lets go of the socket without closing it when a handshake fails; that is not ours.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_a_network_does_nothing_charged_may_go_again_and_no_file_is_torn(
    tmp_path: Path,
) -> None:
    came = hostile_network(tmp_path, every=211, campaigns=1)
    gc.collect()
    assert came.wrong == []
    assert came.well, came.figures()


# As above.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_connecting_is_given_up_after_its_own_patience_and_not_an_answer_s(tmp_path: Path) -> None:
    patience = Patience(connect=0.2, answer=3600.0)  # who waited for that would never end
    with staged(tmp_path) as stage, deaf() as port:
        stage.proxy.script = Line.silence
        for url in (f"http://127.0.0.1:{port}", stage.url.replace("http:", "https:")):
            assert isinstance(stage.create("never sent", patience, url=url), outcomes.NotSent)
    gc.collect()
    assert stage.charges() == {}


@pytest.mark.parametrize("ending", [Line.end, Line.reset])
def test_a_kept_connection_that_dies_under_a_poll_is_no_verdict_and_the_next_poll_has_a_new_one(
    tmp_path: Path, ending: Callable[[Line], None]
) -> None:
    def answer_once(line: Line) -> None:
        line.say(line.asked(line.request()))
        line.request()
        ending(line)

    async def scene(api: KieApi) -> list[outcomes.PollOutcome]:
        return [await api.poll(task_id) for _ in range(3)]

    with staged(tmp_path) as stage:
        task_id, truth = stage.finished_task()
        stage.proxy.script = answer_once
        first, second, third = with_api(stage.url, scene)
    assert isinstance(second, outcomes.Unanswered)
    assert first == third == truth
