"""The YAML reader and all of `validate` and `render`, by job files that nobody should write.

In: a job file's bytes. Out: `Broken` where a secret shows in what is told; whatever the commands raise
besides their own problems goes through. Touches: its room.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from kiejobs.app.options import JobFileOptions
from kiejobs.app.output import Screen
from kiejobs.commands.render import render
from kiejobs.commands.validate import validate
from kiejobs.core.diagnostics import ExitCode, KiejobsError
from tests.proofs.fuzz_bytes import mutated
from tests.proofs.fuzz_guard import Broken, no_canary
from tests.proofs.fuzz_targets import template, template_grammar

network = False
_REPO = Path(__file__).parents[3]
_FOLDERS = ("jobfiles", "tests/examples/valid", "tests/examples/invalid")
_LARGEST_SEED = 20_000
_SEEDS = [p.read_bytes() for f in _FOLDERS for p in sorted((_REPO / f).glob("*.yaml"))]
SEEDS = [seed for seed in _SEEDS if len(seed) < _LARGEST_SEED]
EXAMPLE = (_REPO / "jobfiles" / "matrix.yaml").read_bytes()
TOKENS = (
    *(
        b"&a ",
        b"*a",
        b"<<: *a",
        b"<<: [*a, *a]",
        b"[" * 70,
        b"{a: " * 70,
        b"- " * 70,
        b"? ",
        b": ",
        b"- ",
    ),
    *(
        b"!!float ",
        b"!!binary ",
        b"!!python/object/apply:os.system [id]",
        b"!x ",
        b"%YAML 1.1\n",
        b"---\n",
    ),
    *(
        b"| \n",
        b">-\n",
        b'"',
        b"'",
        b"#",
        b"\t",
        b"  ",
        b"...",
        b"@",
        b"`",
        b"9" * 400,
        b"0x" + b"f" * 99,
    ),
    *(
        b".inf",
        b".nan",
        b"-.5e-999",
        b"1e400",
        b"0o7",
        b"~",
        b"null",
        b"on",
        b"2026-11-22",
        b"12:30",
    ),
    *(
        b'"\\ud800"',
        b'"\\x00"',
        b"'{% include \"../canary.txt\" %}'",
        b"\xf0\x9f\x8e\xac",
        b"\xc2\xa0",
    ),
    *(
        b"matrix:",
        b"include:",
        b"exclude:",
        b"takes: ",
        b"output: ",
        b"vars:",
        b"defaults:",
        b"max_jobs: ",
    ),
    *(
        b"model: ",
        b"tags: ",
        b"prompt: ",
        b"jobs:",
        b"x-a: ",
        b"callBackUrl: ",
        b"credits: ",
        b"version: ",
    ),
)
_MODELS = ("bytedance/v1-pro-fast-image-to-video", "../../canary.txt", "nope", "", 7)


def prepare(room: Path) -> None:
    template.prepare(room)
    os.chdir(room / "inside")
    for found in (_REPO / "tests" / "examples" / "valid").glob("*.j2"):
        (room / "inside" / found.name).write_bytes(found.read_bytes())


def inputs() -> Any:
    return mutated(SEEDS, TOKENS) | _built().map(_dumped)


def _dumped(value: Any) -> bytes:
    """With the dumper in C where there is one: the one in Python would take most of the time."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text.encode("utf-8", "surrogatepass")


def _built() -> Any:
    """Job files with the right skeleton, and anything at all in its places."""
    text = template_grammar.templates() | st.text(max_size=20)
    scalar = st.one_of(
        *(st.none(), st.booleans(), st.integers(-9, 2**70), st.floats(), text, st.dates()),
        st.sampled_from(("720p", "1080p", "5", 10, "https://example.com/a.webp", "x" * 30_000)),
    )
    small = st.recursive(scalar, lambda inner: _some_of(inner) | st.lists(inner, max_size=3), max_leaves=5)
    matrix = st.fixed_dictionaries(
        {},
        optional={
            "resolution": st.lists(scalar, max_size=3) | small,
            "duration": st.sampled_from(([5, 10], ["5"], list(range(3000)))),
            "scene": st.lists(_some_of(scalar), max_size=3),
            "exclude": st.lists(_some_of(scalar), max_size=3) | small,
            "include": st.lists(_some_of(scalar), max_size=3) | small,
        },
    )
    job = st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(_MODELS),
            "input": st.fixed_dictionaries({}, optional={"prompt": text, "image_url": text | small}),
            "matrix": matrix,
            "takes": st.sampled_from((1, 2, 10**9, "2", -1, 2.5)),
            "output": text | st.sampled_from(("../x", "/etc/x", "{{ axes }}", "a/../../b", "~root", "a\0b")),
            "callBackUrl": text,
            "tags": small,
        },
    )
    parts = {
        "version": st.sampled_from((1, "1", 2, None)),
        "campaign": st.sampled_from(("tea", "", "a b", "../x", "x" * 500)),
        "vars": _some_of(small),
        "defaults": job,
        "jobs": st.dictionaries(st.sampled_from(("a", "b", "c d", "")), job, max_size=3),
        "limits": st.sampled_from(({"max_jobs": 10}, {"max_jobs": 10**30}, {})),
        "budget": small,
    }
    return st.fixed_dictionaries({}, optional=parts) | st.fixed_dictionaries(parts)


def _some_of(inner: Any) -> Any:
    return st.dictionaries(
        st.sampled_from(("a", "b", "id", "name", "resolution", "brand")), inner, max_size=3
    )


def check(data: bytes, room: Path) -> None:
    file = room / "inside" / "case.yaml"
    file.write_bytes(data)
    code = judged(JobFileOptions(file=file.name, max_jobs=200))
    if code is ExitCode.DONE:
        said, _ = _told(lambda screen: render(JobFileOptions(max_jobs=200), [file.name], screen))
        for line in said.splitlines():
            json.loads(line)


def judged(wanted: JobFileOptions) -> ExitCode:
    """What `validate` ends with, once as text and once as JSON; they must agree."""
    ends = []
    for form in ("text", "json"):

        def run(screen: Screen, form: str = form) -> None:
            ends.append(validate(wanted, [wanted.file], replace(screen, form=form)))

        said, error = _told(run)
        if error is None and form == "json":
            json.loads(said)
        if error is not None:
            ends.append(error.exit_code)
    if ends[0] != ends[1]:
        raise Broken(f"text says {ends[0]}, JSON says {ends[1]}")
    return ends[0]


def _told(run: Any) -> tuple[str, KiejobsError | None]:
    """What a command wrote on stdout, and what it raised on purpose. No secret in either."""
    out, err = io.StringIO(), io.StringIO()
    error = None
    try:
        run(Screen(out, err, False, False, False, None, lambda _line: None))  # noqa: FBT003 - six flags
    except KiejobsError as raised:
        error = raised
    no_canary(out.getvalue(), err.getvalue(), str(error), error and error.hint)
    (out.getvalue() + err.getvalue() + str(error)).encode()
    return out.getvalue(), error
