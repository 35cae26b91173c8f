"""The template sandbox, by templates that a grammar makes and strangers might write.

In: templates, apart by a line with a record separator: the first is rendered, the others it may
include as `inc1.j2`, `inc2.j2`. Out: `Broken` where anything but a text or a TemplateProblem comes out,
where rendering twice differs, or where a secret or an object of Python shows. Touches: its room.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from kiejobs.adapters.project.files import IncludeFolder
from kiejobs.adapters.templates.process import ProcessRenderer, render_process
from kiejobs.core.diagnostics import KiejobsError
from kiejobs.core.template.renderer import TemplateProblem, Wish
from tests.proofs.fuzz_bytes import mutated
from tests.proofs.fuzz_guard import CANARY, Broken, no_canary
from tests.proofs.fuzz_targets import template_grammar
from tests.proofs.fuzz_targets.template_grammar import TOKENS, templates

if TYPE_CHECKING:
    from pathlib import Path

network = False
EXAMPLE = b"{{ vars.brand | upper }} {% include 'inc1.j2' %}\n\x1e\n{{ matrix.duration }}"
APART = b"\n\x1e\n"
_CONTEXT: dict[str, Any] = {
    "vars": {
        "brand": "Aurora",
        "many": [3, 1, 2],
        "map": {"a": 1, "b": [2]},
        "none": None,
        "x": 0.5,
    },
    "matrix": {"duration": 5, "scene": {"id": "pour", "image": "https://example.com/a.webp"}},
    "campaign": "espresso",
    "job": "pour",
}
_PYTHON = re.compile(r"<[\w.]+ object at|<(?:built-in |bound )?(?:function|method)|at 0x[0-9a-f]{6}|<class '")


def prepare(room: Path) -> None:
    inside = room / "inside"
    (inside / "prompts").mkdir(parents=True)
    (inside / "prompts" / "a.j2").write_text("a {{ vars.brand }}")
    (inside / "again.j2").write_text("{% include 'again.j2' %}")
    (inside / "macros.j2").write_text("{% macro m(x) %}[{{ x }}]{% endmacro %}{% set v = 1 %}")
    (inside / "form.j2").write_text(
        "{% extends 'base.j2' %}{% block body %}{{ super() }}{% block deep required %}{% endblock %}"
        "{% endblock %}"
    )
    (inside / "ring.j2").write_text("{% include 'gnir.j2' %}")
    (inside / "gnir.j2").write_text("{% from 'ring.j2' import x %}{% extends 'ring.j2' %}")
    (inside / "base.j2").write_text("{% block body %}base{% endblock %}")
    (inside / ".git").mkdir()
    (inside / ".git" / "config").write_text(f"token = {CANARY}\n")
    os.mkfifo(inside / "pipe.j2")
    links = {
        "out.j2": "../../canary.txt",
        "environ.j2": "/proc/self/environ",
        "zero.j2": "/dev/zero",
        "folder": "../..",
        "circle.j2": "circle.j2",
        "hidden.j2": ".git/config",
    }
    for name, to in links.items():
        (inside / name).symlink_to(to)


def inputs() -> Any:
    grown = st.lists(templates(), min_size=1, max_size=3).map(_joined)
    more = [template_grammar.template(number).encode("utf-8", "surrogatepass") for number in range(200)]
    return grown | grown | mutated([EXAMPLE, *_SEEDS, *more], TOKENS)


def _joined(texts: list[str]) -> bytes:
    return APART.join(text.encode("utf-8", "surrogatepass") for text in texts)


def check(data: bytes, room: Path) -> None:
    first, *others = data.decode("utf-8", "replace").split(APART.decode())
    for number, text in enumerate(others[:2], start=1):
        (room / "inside" / f"inc{number}.j2").write_text(text, encoding="utf-8", newline="")
    one = _rendered(first, room / "inside")
    two = one if len(data) % 8 else _rendered(first, room / "inside")
    if one != two and "seconds" not in f"{one}{two}":
        raise Broken(f"not the same twice: {one!r:.100} {two!r:.100}")


def _rendered(text: str, folder: Path) -> str:
    process = render_process()
    outs = []
    for _ in range(2):
        try:
            renderer = ProcessRenderer({}, IncludeFolder(folder), process)
            outs += [_told(each) for each in renderer.render([Wish(text, _CONTEXT)] * 2)]
        except KiejobsError as error:
            raise Broken(f"the process that renders failed: {error.message}") from error
    out = outs[0]
    if set(outs) != {out} and "too large" not in str(outs) and "seconds" not in str(outs):
        raise Broken(f"another rendering differs from the first: {outs!r:.300}")
    no_canary(out)
    shown = _PYTHON.search(out)
    if shown is not None and shown[0] not in text:
        raise Broken(f"an object of Python shows: {out[:200]!r}")
    out.encode()
    return out


def _told(found: str | TemplateProblem) -> str:
    if isinstance(found, str):
        return found
    return f"! {found.message} {found.hint} {found.name} {found.lineno} {found.users}"


_SEEDS = (
    b"{% for x in range(9) if x is odd %}{{ loop.index }}{{ x ~ ', ' }}{% else %}-{% endfor %}",
    b"{% set ns = namespace(n=0) %}{% for x in vars.many %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}",
    b"{% from 'macros.j2' import m %}{{ m(vars.map | tojson) }}{% import 'macros.j2' as q %}{{ q.v }}",
    b"{% extends 'base.j2' %}{% block body %}{{ super() }}!{{ self.body }}{% endblock %}",
    b"{% extends 'form.j2' %}{% block deep %}{{ super.super }}{{ self.body() }}{% endblock %}",
    b"{% include 'ring.j2' %}{% import 'macros.j2' as m with context %}{{ m.m(m) }}",
    b"{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ caller() if caller }}{% endif %}{% endmacro %}{{ f(3) }}",
    b"{% call(y) f() %}{{ y }}{% endcall %}{% filter upper %}a{% endfilter %}{% with a = 1 %}{{ a }}{% endwith %}",
    b"{{ ''.__class__.__mro__[1].__subclasses__() }}{{ vars|attr('__class__') }}{{ cycler.__init__.__globals__.os.environ }}",
    b"{{ '%s%%' % vars.x }}{{ vars.many[::-1] | map('string') | join('|') }}{{ 2 ** 62 }}{{ 7 // 2 % 3 }}",
    b"{% include ['nope.j2', '../canary.txt', 'out.j2'] ignore missing %}{% include '/etc/passwd' %}",
)
