"""Everything that people and crashes do, in any order: `python -m tests.proofs.state_machine`.

In: how many stories, of how many steps. Out: figures; where a promise is broken, the shortest story that
breaks it. A story edits the job file, plans, runs, collects, listens, rules on doubts, damages files, lets
days pass; commands are killed at any touch of the world, two go at once, the API misbehaves. Real
journals, real files, the real adapter against the sandbox, on time that jumps.

After each step the folder is held against a model of a few lines (machine_model) and against the
sandbox's charge log, which knows whose create each charge was (machine_booth).
"""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kiejobs.core.ledger.callbacks import Claim
from kiejobs.runner import FailureLimit
from tests.contracts.fakes import FakeCallbacks
from tests.proofs.figures import tell, words
from tests.proofs.machine_faults import FAULTS
from tests.proofs.machine_jobfile import EDITS
from tests.proofs.machine_life import Life, MortalJournal
from tests.proofs.machine_place import HOOK, How
from tests.proofs.machine_stage import Stage

_KILL = st.integers(-40, 40).map(lambda touch: touch if touch > 0 else None)
_TEAR = st.sampled_from((0.0, 0.3, 0.9))
_HOW = st.builds(
    How,
    retry=st.sampled_from(((), (), ("failed",), ("failed", "gone"))),
    budget=st.sampled_from((None, None, None, Decimal(16), Decimal(50))),
    canary=st.sampled_from((False, False, True)),
    most_failures=st.sampled_from((None, None, FailureLimit(1), FailureLimit(2))),
    in_flight=st.integers(1, 4),
    detach=st.sampled_from((False, False, True)),
    callback_url=st.sampled_from((None, HOOK)),
    ctrl_c=st.sampled_from((None, None, None, 0.5, 50.0)),
)
_BESIDE = st.sampled_from((None, None, None, "collect", "run"))
_LONG_ENOUGH = 600.0  # seconds to listen; a task that stalls would have it listen for ever
_PAUSES = st.sampled_from((300.0, 3600.0, 2 * 86_400.0))
_ZEROS = ("bought_twice", "lost", "over_budget", "plans_that_differ", "files_untrue")


class Story(RuleBasedStateMachine):
    """`counts` are of all stories told."""

    counts: ClassVar[Counter[str]] = Counter()
    journal_of: ClassVar[type[MortalJournal]] = MortalJournal

    def __init__(self) -> None:
        super().__init__()
        self.counts["stories"] += 1
        self.stage = Stage(self.counts, self.journal_of)
        self.house, self.model = self.stage.house, self.stage.model
        self.booth, self.promises = self.stage.booth, self.stage.promises

    def teardown(self) -> None:
        self.stage.close()

    # --- what people do, and what befalls them ---------------------------------------------------

    @initialize(faults=FAULTS, callback_url=st.sampled_from((None, HOOK)), kill=_KILL)
    def first_run(self, faults: Any, callback_url: str | None, kill: int | None) -> None:
        how = How(callback_url=callback_url)
        self.stage.go(faults, self.house.run, how, Life(kill))

    @rule(kinds=st.lists(st.sampled_from(EDITS), min_size=1, max_size=3), data=st.data())
    def edit(self, kinds: list[str], data: st.DataObject) -> None:
        for kind in kinds:
            self.stage.write(self.stage.wants.edited(kind, data.draw))

    @rule(how=_HOW, faults=FAULTS, kill=_KILL, tear=_TEAR, beside=_BESIDE, listens=st.booleans())
    def run(
        self,
        how: How,
        faults: Any,
        kill: int | None,
        tear: float,
        beside: str | None,
        listens: bool,  # noqa: FBT001
    ) -> None:
        life = Life(kill, tear)
        other = {None: None, "collect": self.house.collect, "run": self.house.run}[beside]
        if how.callback_url and listens:
            how = replace(how, hears=FakeCallbacks())
        self.stage.go(faults, self.house.run, how, life, other)
        undisturbed = not faults and not life.dead and other is None
        if undisturbed and how.is_whole and self.stage.wants.budget is None:
            assert not self.promises.unfinished(self.stage.wants.rows())

    @rule(how=_HOW, kill=st.integers(1, 60), tear=_TEAR)
    def run_and_die(self, how: How, kill: int, tear: float) -> None:
        self.stage.go([], self.house.run, how, Life(kill, tear))

    @precondition(lambda self: self.model.tries)
    @rule(faults=FAULTS, kill=_KILL, tear=_TEAR)
    def collect(self, faults: Any, kill: int | None, tear: float) -> None:
        self.stage.go(faults, self.house.collect, How(), Life(kill, tear))

    @precondition(lambda self: self.model.tries)
    @rule(kill=_KILL, data=st.data())
    def listen(self, kill: int | None, data: st.DataObject) -> None:
        claims = data.draw(st.lists(self._claim(), min_size=1, max_size=3))
        ends = [] if kill else self.promises.ended_by(claims)
        how = How(hears=FakeCallbacks(*claims), ctrl_c=_LONG_ENOUGH)
        self.stage.go([], self.house.collect, how, Life(kill))
        self.counts["callbacks"] += len(claims)
        assert not [one for one in ends if one.state == "doubt"], "a callback ended no doubt"

    def _claim(self) -> st.SearchStrategy[Claim]:
        """Right ones, late ones, forged ones; for nobody, of no task."""
        charges = self.booth.charges
        attempts = st.sampled_from([*self.model.tries, "0" * 32])
        forged = st.builds(Claim, attempts, st.sampled_from([*charges, "f" * 32]), signed=st.booleans())
        right = [Claim(c.attempt_id or "", task, signed=False) for task, c in charges.items()]
        return st.sampled_from(right) | forged if right else forged

    @precondition(lambda self: self.model.doubts())
    @rule(data=st.data())
    def resolve_with_a_task(self, data: st.DataObject) -> None:
        """The right one; or one that is nobody's, or somebody else's."""
        one = data.draw(st.sampled_from(self.model.doubts_ruled_on()), "doubt")
        charges = self.booth.charges
        own = [t for t, c in charges.items() if c.attempt_id == one.reserved.attempt_id]
        others = [*charges, "f" * 32]
        task_id = data.draw(st.sampled_from(own or others) | st.sampled_from(others), "task")
        expected = self.promises.is_evidence(one, task_id)
        assert self.stage.rule(one.address, task_id) == expected, "told otherwise by recordInfo"

    @precondition(lambda self: self.model.doubts())
    @rule(data=st.data(), honest=st.booleans())
    def resolve_as_lost(self, data: st.DataObject, honest: bool) -> None:  # noqa: FBT001
        one = data.draw(st.sampled_from(self.model.doubts_ruled_on()), "doubt")
        if honest and self.promises.was_charged(one):
            return
        self.promises.write_off(one)
        assert self.stage.rule(one.address, None)

    @precondition(lambda self: self.stage.files())
    @rule(data=st.data(), delete=st.booleans())
    def meddle(self, data: st.DataObject, delete: bool) -> None:  # noqa: FBT001
        self.stage.meddle(data.draw(st.sampled_from(self.stage.files()), "file"), delete=delete)

    @rule(seconds=_PAUSES)
    def time_passes(self, seconds: float) -> None:
        self.stage.moment.passed += seconds

    # --- what must hold --------------------------------------------------------------------------

    @invariant()
    def promises_hold(self) -> None:
        self.counts["steps"] += 1
        outputs = self.house.outputs
        assert not self.promises.broken, self.promises.broken
        assert self.promises.lost(self.house) == [], "charged, and neither known nor in doubt"
        assert self.promises.untrue(self.stage.files(), outputs) == [], "not what the API made"
        assert self.promises.spoilt(outputs) == [], "overwritten"
        for retry in ((), ("failed", "gone")):
            said, expected = self.stage.plans(retry)
            assert said == expected, f"the plan differs, with retry {retry}"


def told(
    story: type[Story], examples: int, steps: int, *, again: bool = False, shrink: bool = True
) -> Counter[str]:
    """Tell so many stories, with `again` the same every time.

    Raises what breaks a promise: with `shrink` the shortest story that does, which takes minutes.
    """
    story.counts = Counter()
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=again,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(story, settings=how)
    return story.counts


class Forgetful(MortalJournal):
    """A journal that is broken on purpose: it syncs no reservation, and a death loses what was not."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._life.at_death.append(self._lose)

    def _lose(self) -> None:
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        while lines and b'"type": "reserved"' in lines[-1]:
            lines.pop()
        if lines:
            self.path.write_bytes(b"".join(lines))


class ForgetfulStory(Story):
    """The machine is to find out."""

    journal_of = Forgetful


def main() -> None:
    line = words(__doc__)
    line.add_argument("--examples", type=int, default=2000)
    line.add_argument("--steps", type=int, default=40)
    given = line.parse_args()
    broken = 0
    try:
        told(Story, given.examples, given.steps)
    except Exception:  # noqa: BLE001 - the story is told, then the figures
        traceback.print_exc()
        broken = 1
    zeros = dict.fromkeys(_ZEROS, None if broken else 0)
    figures = {**zeros, "stories_that_break_a_promise": broken, **Story.counts}
    asked = f"--examples {given.examples} --steps {given.steps}"
    command = f"python -m tests.proofs.state_machine {asked}"
    raise SystemExit(tell("state_machine", command, figures, well=not broken, record=given.record))


if __name__ == "__main__":
    main()
