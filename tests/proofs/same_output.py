"""Two versions of kiejobs print the same: `python -m tests.proofs.same_output --than PYTHON`.

In: the Python of an environment that has the other version. Out: figures: how many outputs were compared, how
many differ. Touches: a temporary folder.

What is compared, byte for byte: `render` and `plan --format json` for the job files of jobfiles/, for the
valid examples, and for random matrices. Where one refuses a job file, the other must refuse it, too, with the
same exit code; words for people may differ. What a plan's document has since 0.2 is left out: its digest covers
more, and so there are `terms` and callback addresses.

Each side runs all commands in one process, since only what they print is of interest here.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.proofs.figures import tell, words
from tests.support.bench import MODEL, PACKAGE

ROOT = Path(__file__).resolve().parents[2]

_SIDE = r"""
import hashlib, io, json, os, re, sys
LATER = [
    rb'"digest": "[0-9a-f]{64}", ',
    rb' ?"callback_url": (null|"([^"\\]|\\.)*"),',
    rb', "by_job": \[[^\]]*\], "by_model": \[[^\]]*\]',
    rb'"terms": \{("budget": [^{}]*)?"models": \{[^{}]*\}\}(, )?',
]
from kiejobs.__main__ import main
folder, out = sys.argv[1], sys.stdout
sys.stderr = open(os.devnull, "w", encoding="utf-8")
for line in open(os.path.join(folder, "commands.json"), encoding="utf-8"):
    where, *arguments = json.loads(line)
    os.chdir(os.path.join(folder, where))
    raw = io.BytesIO()
    sys.stdout = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    sys.argv = ["kiejobs", *arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    text = raw.getvalue()
    for later in LATER:
        text = re.sub(later, b"", text)
    print(json.dumps([where, arguments, code, hashlib.sha256(text).hexdigest(), len(text)]), file=out)
"""


def compare(other: str, matrices: int, seed: int) -> dict[str, Any]:
    """Figures; `different` holds the first ten commands whose output differs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = [*_files(folder), *_matrices(folder, matrices, seed)]
        text = "".join(json.dumps(command) + "\n" for command in commands)
        (folder / "commands.json").write_text(text, encoding="utf-8")
        ours = _side(sys.executable, folder, {"PYTHONPATH": os.pathsep.join([PACKAGE, *sys.path])})
        theirs = _side(other, folder, {"PYTHONPATH": ""})
    pairs = list(zip(ours, theirs, strict=True))
    different = [(one, two) for one, two in pairs if one != two]
    return {
        "seed": seed,
        "compared": len(pairs),
        "accepted": sum(one[2] == 0 for one in ours),
        "bytes": sum(one[4] for one in ours),
        "differ": len(different),
        "different": different[:10],
    }


def _side(python: str, folder: Path, environment: dict[str, str]) -> list[list[Any]]:
    env = {**os.environ, **environment}
    done = subprocess.run(
        [python, "-c", _SIDE, str(folder)], stdout=subprocess.PIPE, env=env, cwd=folder, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _files(folder: Path) -> list[list[str]]:
    """The job files that come along, and the valid examples."""
    found = []
    for source in (ROOT / "jobfiles", ROOT / "tests" / "examples" / "valid"):
        shutil.copytree(source, folder / source.name)
        for file in sorted(source.glob("*.yaml")):
            found += _commands(source.name, file.name)
    return found


def _commands(where: str, file: str) -> list[list[str]]:
    return [[where, "render", file], [where, "plan", file, "--format", "json"]]


def _matrices(folder: Path, count: int, seed: int) -> list[list[str]]:
    (folder / "matrices").mkdir()
    dice = random.Random(seed)
    found = []
    for number in range(count):
        file = f"{number}.yaml"
        text = json.dumps(job_file(dice), ensure_ascii=False)
        (folder / "matrices" / file).write_text(text, encoding="utf-8")
        found += _commands("matrices", file)
    return found


# --- a random job file ---------------------------------------------------------------------------

_AXES: dict[str, list[Any]] = {
    "resolution": ["720p", "1080p"],
    "duration": [5, 10, "5", "10"],
    "mood": ["calm", "Überraschung", "a b", "x/y", "", "#1", 1, 1.5, True],
    "scene": [
        {"id": "a", "text": "one"},
        {"id": "b", "text": "two"},
        {"name": "c", "text": "three"},
    ],
    "n": [1, 2, 3, 10, -1, 0.1, 1e21],
}
_PROMPTS = (
    "a cup",
    "a cup in {{ matrix.mood }}",
    "{{ vars.brand }} {{ matrix.scene.text }} {{ matrix.n }}",
    "{% if matrix.duration == 10 %}long{% else %}short{% endif %} {{ matrix.mood | default('no') }}",
    "{% for word in ['a', 'b'] %}{{ loop.index }}{{ word }}{{ matrix.n }} {% endfor %}",
    "{{ job }} {{ campaign }} {{ vars.words | join(', ') }} {{ matrix.mood | upper }}",
    "{% set x = matrix.n * 2 %}{{ x }} {{ '%s' | format(matrix.scene.text) }}",
)


def job_file(dice: random.Random) -> dict[str, Any]:
    """One or two jobs with random axes, excludes, includes, takes and templates; most of them are valid."""
    jobs = {f"j{number}": _job(dice) for number in range(dice.choice((1, 1, 2)))}
    file: dict[str, Any] = {
        "version": 1,
        "campaign": "random",
        "vars": {"brand": "Aurora", "words": ["x", 1, 2.5]},
        "jobs": jobs,
    }
    if dice.random() < 0.3:
        axes = _axes(dice, 1)
        fields = {name: values for name, values in axes.items() if name in {"resolution", "duration"}}
        file["defaults"] = {"matrix": fields, "tags": ["t"]}  # no idle axis, as above
    return file


def _job(dice: random.Random) -> dict[str, Any]:
    axes = _axes(dice, dice.randint(0, 3))
    names = [*axes, "tone"]
    matrix: dict[str, Any] = dict(axes)
    if axes and dice.random() < 0.4:
        matrix["exclude"] = [_entry(dice, list(axes)) for _ in range(dice.randint(1, 2))]
    if dice.random() < 0.4:
        matrix["include"] = [_entry(dice, names) for _ in range(dice.randint(1, 2))]
    texts = [text for text in _PROMPTS if dice.random() < 0.9] or ["a cup"]
    suited = [text for text in texts if all(f"matrix.{n}" not in text or n in axes for n in _AXES)]
    prompt = dice.choice(suited or ["a cup"])
    for axis in axes:
        if (
            axis not in {"resolution", "duration"} and f"matrix.{axis}" not in prompt
        ):  # an idle axis is an error
            prompt += f" {{{{ matrix.{axis} }}}}" if axis != "scene" else " {{ matrix.scene.text }}"
    if any("tone" in entry for entry in matrix.get("include", ())):
        prompt += "{{ matrix.tone | default('') }}"  # as an idle axis
    job: dict[str, Any] = {
        "model": MODEL,
        "input": {"image_url": "https://example.com/a.webp", "prompt": prompt},
    }
    if matrix:
        job["matrix"] = matrix
    if dice.random() < 0.2:
        job["takes"] = dice.randint(1, 3)
    if dice.random() < 0.2:
        job["output"] = "{{ job }}/{{ axes }}-{{ take }}"
    return job


def _axes(dice: random.Random, count: int) -> dict[str, Any]:
    names = dice.sample(list(_AXES), count)
    return {name: dice.sample(_AXES[name], dice.randint(1, min(3, len(_AXES[name])))) for name in names}


def _entry(dice: random.Random, names: list[str]) -> dict[str, Any]:
    chosen = dice.sample(names, dice.randint(1, min(2, len(names))))
    return {name: dice.choice(_AXES.get(name, ["warm", "cold"])) for name in chosen}


def main() -> int:
    parser = words(__doc__)
    parser.add_argument("--than", required=True, metavar="PYTHON", help="the other environment's")
    parser.add_argument("--matrices", type=int, default=1_500)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    figures = compare(wanted.than, wanted.matrices, wanted.seed)
    command = (
        f"python -m tests.proofs.same_output --than PYTHON --matrices {wanted.matrices} --seed {wanted.seed}"
    )
    return tell("same_output", command, figures, well=not figures["differ"], record=wanted.record)


if __name__ == "__main__":
    raise SystemExit(main())
