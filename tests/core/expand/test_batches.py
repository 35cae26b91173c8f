"""What is asked of the renderer: each distinct thing once, all of it in one call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kiejobs.core.expand.expand import expand
from kiejobs.core.template.template import LocalRenderer
from tests.support.expanding import MODEL, catalogue, expanded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiejobs.core.expand.expand import Expansion
    from kiejobs.core.template.renderer import Reads, TemplateProblem, Wish


@dataclass
class Counting:
    """A renderer that keeps what it was asked."""

    inner: LocalRenderer
    read: list[Sequence[str]] = field(default_factory=list)
    rendered: list[Sequence[Wish]] = field(default_factory=list)

    def reads(self, texts: Sequence[str]) -> list[Reads | TemplateProblem]:
        self.read.append(texts)
        return self.inner.reads(texts)

    def render(self, wishes: Sequence[Wish]) -> list[str | TemplateProblem]:
        self.rendered.append(wishes)
        return self.inner.render(wishes)


def asked(jobs: str) -> tuple[Counting, Expansion]:
    jobfile = expanded(f"version: 1\ncampaign: c\ndefaults: {{model: {MODEL}}}\njobs:\n{jobs}").jobfile
    assert jobfile is not None
    shared: dict[str, Any] = {"vars": jobfile.vars, "campaign": jobfile.campaign}
    renderer = Counting(LocalRenderer(shared))
    expansion, problems = expand(jobfile, catalogue(), renderer, max_jobs=10_000)
    assert not problems.fatal
    return renderer, expansion


IMAGE = "image_url: 'https://example.com/a.webp'"


def test_a_file_without_templates_never_calls_the_renderer() -> None:
    renderer, expansion = asked(f"  a: {{matrix: {{duration: [5, 10]}}, input: {{{IMAGE}, prompt: x}}}}\n")
    assert len(expansion.jobs) == 2
    assert renderer.read == []
    assert renderer.rendered == []


def test_all_jobs_of_a_file_are_rendered_in_one_call() -> None:
    renderer, expansion = asked(
        f"  a: {{matrix: {{m: [x, y], duration: [5, 10]}}, input: {{{IMAGE}, prompt: 'a {{{{ matrix.m }}}}'}}}}\n"
        f"  b: {{takes: 3, output: 'b/{{{{ take }}}}', input: {{{IMAGE}, prompt: 'b {{{{ job }}}}'}}}}\n"
    )
    assert len(expansion.jobs) == 7
    assert len(renderer.read) == 1
    (wishes,) = renderer.rendered
    texts = [wish.text for wish in wishes]
    assert sorted(texts) == ["a {{ matrix.m }}"] * 2 + ["b {{ job }}"] + ["b/{{ take }}"] * 3


def test_an_output_is_rendered_once_for_what_it_reads() -> None:
    renderer, expansion = asked(
        "  a: {matrix: {m: [x, y], duration: [5, 10]}, "
        "output: '{{ matrix.m }}/{{ matrix.duration }}', "
        f"input: {{{IMAGE}, prompt: 'a {{{{ matrix.m }}}}'}}}}\n"
    )
    outputs = [wish for wish in renderer.rendered[0] if wish.text.startswith("{{")]
    assert len(outputs) == 4
    assert [job.output for job in expansion.jobs] == ["x/5.mp4", "x/10.mp4", "y/5.mp4", "y/10.mp4"]


def test_thousands_of_rows_are_a_few_calls() -> None:
    values = ", ".join(map(str, range(9_000)))
    jobs = f"  a: {{matrix: {{n: [{values}]}}, input: {{{IMAGE}, prompt: 'a {{{{ matrix.n }}}}'}}}}\n"
    renderer, expansion = asked(jobs)
    assert [job.input["prompt"] for job in expansion.jobs] == [f"a {n}" for n in range(9_000)]
    assert 1 < len(renderer.rendered) < 10
