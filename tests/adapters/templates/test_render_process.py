"""The process that renders: hostile templates end, the key is out of reach, nothing passes in silence."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.adapters.templates.process import (
    PROGRAM,
    ProcessRenderer,
    RenderProcess,
    import_paths,
    resident_memory,
)
from kiejobs.core.diagnostics import KiejobsError
from kiejobs.core.template.filters import FILTERS, TESTS
from kiejobs.core.template.renderer import Limits, TemplateProblem, Wish
from tests.support.templates import CONTEXT, INCLUDED, LOOP, TOO_MUCH, grow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KILLER = (
    "{% set n = namespace(s=[1], t=[1]) %}{% for i in range(60) %}"
    "{% set n.s = [n.s, n.s] %}{% set n.t = [n.t, n.t] %}{% endfor %}{{ n.s == n.t }}"
)
"""It compares without end and without once coming back to Python."""

SLOW = LOOP * 2 + "{% endfor %}" * 2
HOARDING = grow("'aa'", "n.s ~ n.s")
SMALL = Limits(seconds=0.2, seconds_together=0.8, killed_after=0.4, memory=160 * 2**20)
"""Enough for whatever means no harm: a process that has just come up takes 25 MB."""

TOO_LARGE = "the template makes something too large"


class Included:
    """Templates in memory; `asked` are those that were used, `looked_at` those that were only seen."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.looked_at: list[str] = []

    def __call__(self, name: str) -> str | None:
        self.asked.append(name)
        return INCLUDED.get(name)

    def peek(self, name: str) -> str | None:
        self.looked_at.append(name)
        return INCLUDED.get(name)


@pytest.fixture(scope="module")
def process() -> Iterator[RenderProcess]:
    made = RenderProcess(limits=SMALL)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def attacked() -> Iterator[ProcessRenderer]:
    """One for all attacks: their seconds don't add up."""
    process = RenderProcess(limits=replace(SMALL, seconds_together=10_000))
    yield ProcessRenderer(CONTEXT, Included(), process)
    process.stop()


def renderer(process: RenderProcess, includes: Included | None = None) -> ProcessRenderer:
    return ProcessRenderer(CONTEXT, includes or Included(), process)


def outcome(process: RenderProcess, text: str) -> Any:
    (found,) = ProcessRenderer({}, Included(), process).render([Wish(text, {})])
    return found


# --- hostile templates ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_template_that_does_too_much_is_stopped(attacked: ProcessRenderer, name: str) -> None:
    (found,) = attacked.render([Wish(TOO_MUCH[name], {})])
    assert isinstance(found, TemplateProblem)
    assert not re.search("object at|Traceback|site-packages|Errno|/lib/", found.message)


def test_a_tuple_of_tuples_without_end_is_no_way_out(process: RenderProcess) -> None:
    """Hashing it may overflow the stack of C, which no Python notices."""
    nested = "{% set n = namespace(s=(1,)) %}" + LOOP + "{% set n.s = (n.s,) %}{% endfor %}"
    found = renderer(process).render([Wish(nested + "{{ {n.s: 1} | length }}", {}), Wish("ok", {})])
    assert found[0] == "1" or isinstance(found[0], TemplateProblem)
    assert found[1] == "ok"


def test_a_slow_template_says_its_place() -> None:
    """However busy the machine is: nothing but its own time ends it here."""
    process = RenderProcess(limits=replace(SMALL, killed_after=3_600))
    found = outcome(process, "one\n" + SLOW)
    process.stop()
    assert (found.message, found.lineno) == (SMALL.too_slow().message, 2)


def test_what_a_job_file_gets_is_limited() -> None:
    process = RenderProcess()
    texts = (SLOW, "{{ ('a' * 6 * 10**8) | length }}", "after")
    slow, large, after = (outcome(process, text) for text in texts)
    process.stop()
    assert slow.message == "the template takes longer than 1 seconds"
    assert (large.message, after) == (TOO_LARGE, "after")


def test_only_the_template_that_ended_the_process_is_to_blame(process: RenderProcess) -> None:
    texts = ("a{{ job }}", KILLER, "b{{ job }}", KILLER, "c{{ job }}")
    wishes = [Wish(text, {"job": number}) for number, text in enumerate(texts)]
    using = ProcessRenderer({}, Included(), process)
    found = using.render(wishes)
    assert [found[0], found[2], found[4]] == ["a0", "b2", "c4"]
    pid = process.pid
    (again,) = using.render([Wish(KILLER, {})])
    for problem in (found[1], found[3], again):
        assert isinstance(problem, TemplateProblem)
        assert problem.message == SMALL.too_slow().message
    assert process.pid == pid  # it was not tried again


def test_a_file_of_killers_is_given_up(process: RenderProcess) -> None:
    texts = [f"{{# {number} #}}{KILLER}" for number in range(50)]
    using = ProcessRenderer({}, Included(), process)
    found = using.render([Wish(text, {}) for text in [*texts, "{{ job }}"]])
    words = [each.message for each in found if isinstance(each, TemplateProblem)]
    assert words == [SMALL.too_slow().message] * 2 + [SMALL.too_slow_together().message] * 49
    (after,) = using.reads(["{{ 1 }}"])
    assert isinstance(after, TemplateProblem)
    assert outcome(process, "the next file") == "the next file"


def test_slow_templates_of_a_file_add_up(process: RenderProcess) -> None:
    wishes = [Wish(f"{{# {number} #}}{SLOW}", {}) for number in range(50)]
    words = [str(each) for each in ProcessRenderer({}, Included(), process).render(wishes)]
    assert words[0] == SMALL.too_slow().message
    assert words[-40:] == [SMALL.too_slow_together().message] * 40


@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_needs_a_file(attacked: ProcessRenderer, name: str) -> None:
    values = ("'a b'", "['a']", "2")
    found = attacked.render([Wish(f"{{{{ {value} | {name} }}}}", {}) for value in values])
    assert not re.search(r"Errno|\.py|import", str([str(each) for each in found]))


@pytest.mark.parametrize("name", [name for name in TESTS if name.isalpha()])
def test_no_test_needs_a_file(attacked: ProcessRenderer, name: str) -> None:
    (found,) = attacked.render([Wish(f"{{{{ ['é'] | select('{name}') | list | tojson }}}}", {})])
    assert not re.search(r"Errno|\.py|import", str(found))


# --- where the system can't limit memory ----------------------------------------------------------


def watched(memory_of: Callable[[int], int | None] = resident_memory) -> RenderProcess:
    """Slow to be killed for its time, so that it is its memory that ends it."""
    limits = Limits(seconds=600, seconds_together=10_000, killed_after=600, memory=SMALL.memory)
    return RenderProcess(limits=limits, watched=True, memory_of=memory_of)


@pytest.mark.parametrize("text", [HOARDING, "{{ ('a' * 10**9) | length }}" + SLOW])
def test_a_template_that_hoards_is_seen_and_ended(text: str) -> None:
    process = watched()
    hoarding, after = outcome(process, text), outcome(process, "after")
    process.stop()
    assert isinstance(hoarding, TemplateProblem)
    assert (hoarding.message, after) == (TOO_LARGE, "after")


def test_one_that_takes_long_and_holds_little_is_let_be() -> None:
    looked: list[int] = []

    def little(pid: int) -> int:
        looked.append(pid)
        return SMALL.memory

    limits = replace(SMALL, seconds=0.3, killed_after=3_600)
    process = RenderProcess(limits=limits, watched=True, memory_of=little)
    found = outcome(process, SLOW)
    assert set(looked) == {process.pid}
    process.stop()
    assert found.message == "the template takes longer than 0.3 seconds"


def test_memory_that_nothing_can_measure_refuses() -> None:
    process = watched(lambda _pid: None)
    with pytest.raises(KiejobsError, match="how much memory"):
        outcome(process, SLOW)
    assert process.pid is None


def test_the_memory_of_a_process_is_known_while_it_is_there() -> None:
    assert (resident_memory(os.getpid()) or 0) > 2**20
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert resident_memory(ended.pid) is None


def test_a_system_that_cannot_limit_processor_time_refuses() -> None:
    with pytest.raises(KiejobsError, match="can't be rendered on this system"):
        outcome(RenderProcess(system="nt"), "{{ 1 }}")


# --- what is out of its reach ---------------------------------------------------------------------


def test_neither_key_nor_environment_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIE_API_KEY", "key-to-be-kept")
    process = RenderProcess()
    assert outcome(process, "{{ 1 }}") == "1"
    try:
        inside = Path(f"/proc/{process.pid}")
        assert (inside / "environ").read_bytes() == b""
        assert b"key-to-be-kept" not in (inside / "cmdline").read_bytes()
        assert (inside / "cwd").readlink() == Path("/")
        assert len(list((inside / "fd").iterdir())) == 3
    finally:
        process.stop()


TRIES = """
import os, socket
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
ways = (
    lambda: open(f"/proc/{os.getppid()}/environ"),
    lambda: open("/tmp/written-by-a-template", "w"),
    socket.socket,
    os.pipe,
)
from kiejobs.adapters.templates.worker import limit_process, say
say({"limited": limit_process(2**29)})
say([tried(way) for way in ways])
"""


def test_whoever_got_out_of_the_sandbox_could_open_nothing() -> None:
    program = PROGRAM.partition("from ")[0] + f"exec({TRIES!r})"
    process = RenderProcess(program=program)
    process.start_for("whoever")
    assert process.receive() == ["OSError"] * 4
    process.stop()


def test_it_ends_with_whoever_started_it() -> None:
    arguments = (json.dumps(import_paths()), json.dumps(astuple(Limits())))
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={}, check=False)
    assert (done.returncode, done.stdout) == (0, b'{"limited": true}\n')


def test_ctrl_c_is_not_for_it(process: RenderProcess) -> None:
    assert outcome(process, "{# by Jinja #}before") == "before"
    pid = process.pid
    assert pid is not None
    assert os.getpgid(pid) != os.getpgrp()
    os.kill(pid, signal.SIGINT)
    assert outcome(process, "{# by Jinja #}after") == "after"
    assert process.pid == pid


# --- includes -------------------------------------------------------------------------------------


def test_what_is_included_is_asked_for_when_it_is_used(process: RenderProcess) -> None:
    includes = Included()
    using = renderer(process, includes)
    text = "{% include 'prompts/pour.j2' if vars.brand else 'macros.j2' %}"
    using.reads([text])
    assert (includes.asked, sorted(includes.looked_at)) == ([], ["macros.j2", "prompts/pour.j2"])
    assert using.render([Wish(text, {})]) == ["Pour Aurora for 5s"]
    assert includes.asked == ["prompts/pour.j2"]


def test_two_job_files_share_a_process_and_nothing_else(process: RenderProcess) -> None:
    one = ProcessRenderer({"vars": {"x": 1}}, Included(), process)
    two = ProcessRenderer({"vars": {"x": 2}}, Included(), process)
    wish = Wish("{{ vars.x }}", {})
    assert one.render([wish]) + two.render([wish]) + one.render([wish]) == ["1", "2", "1"]


def test_more_wishes_than_a_pipe_holds(process: RenderProcess) -> None:
    names = [{"matrix": {"n": number, "text": "é" * 500}} for number in range(2_000)]
    found = renderer(process).render([Wish("{{ matrix.n }}{{ matrix.text }}", each) for each in names])
    assert found == [f"{number}{'é' * 500}" for number in range(2_000)]


# --- a guard that can't look refuses --------------------------------------------------------------

READY = "import sys; print('{\"limited\": true}', flush=True); "


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("raise SystemExit(3)", "can't be started"),
        ("print('[]')", "can't be started"),
        ("print('no JSON')", "makes no sense"),
        ("import sys; sys.stdin.read()", "no answer within"),
        (READY + "sys.stdin.readline(); print('{}', flush=True); sys.stdin.read()", "makes no sense"),
        (READY + "print('[', flush=True); sys.stdin.read()", "makes no sense"),
        (READY + "sys.stdout.write('x' * 17 * 2**20); sys.stdin.read()", "has no end"),
        (READY + "sys.stdin.read()", "no answer within"),
    ],
)  # fmt: skip
def test_a_process_that_does_not_work_is_an_error(program: str, why: str) -> None:
    process = RenderProcess(program=program, silence=1)
    with pytest.raises(KiejobsError, match=why):
        ProcessRenderer({}, Included(), process).reads(["{{ 1 }}"])
    assert process.pid is None


def test_an_interpreter_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KiejobsError, match="No such file"):
        outcome(RenderProcess(python="/nowhere/python"), "{{ 1 }}")
