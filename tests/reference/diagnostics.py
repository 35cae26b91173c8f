"""The list of diagnostic codes, from the places that give them, with a real example of each.

In: the source of kiejobs; tests/data/diagnostics/CODE.yaml, one file that provokes each code. Out:
Markdown. Touches both, by reading.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import kiejobs
from kiejobs.adapters.system import read_source
from kiejobs.commands.loading import Wanted, load
from kiejobs.core.errors import InvalidJobFile, Problems
from kiejobs.reports.diagnostics import diagnostics_text
from kiejobs.sandbox.fault_file import read_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EXAMPLES = Path(__file__).resolve().parent.parent / "data" / "diagnostics"

MEANINGS = {
    "axis-value": "A value of an axis can't be named in an address: a mapping without `id` or `name`.",
    "duplicate-request": "Two jobs would buy the very same request. `takes` says that this is meant.",
    "duplicate-row": "Two `include` entries make rows with the same address.",
    "duplicate-value": 'An axis has a value twice, counted after coercion: `5` and `"5"` are one.',
    "empty-job": "`exclude` leaves nothing of a job.",
    "exclude-key": "An `exclude` entry names something that is not an axis.",
    "fault": "A fault file for the sandbox has a mistake.",
    "field-set-twice": "An axis fills a field that `input` sets to something else.",
    "invalid-field": "A value that the model's schema refuses.",
    "invalid-text": "A request that JSON can't carry exactly, such as half a surrogate pair.",
    "jobfile-structure": "The file has not the form of a job file: a wrong type, a missing key.",
    "matrix-too-large": "Working the matrix out would take too long: millions of combinations "
    "against many `exclude` and `include` entries.",
    "missing-field": "The model needs a field that neither `input` nor an axis gives.",
    "no-model": "A job names no model, and `defaults` names none either.",
    "output-collision": "Two jobs would write the same file.",
    "output-path": "`output` gives a path that would leave the output folder, or no system takes.",
    "template": "A template can't be read, or can't be rendered for some combination.",
    "too-many-jobs": "The file makes more jobs than `limits.max_jobs`, or the default, allows.",
    "unknown-field": "A field that the model doesn't have. The API would ignore it, and charge.",
    "unknown-key": "A key that a job file doesn't have.",
    "unknown-model": "There is no schema for this model.",
    "useless-exclude": "An `exclude` entry removes nothing, so it says something else than was meant.",
    "yaml-alias": "An alias without its anchor, one that contains itself, or aliases that blow the "
    "file up.",
    "yaml-depth": "Nested deeper than any job file needs to be.",
    "yaml-documents": "A second document begins. One file is one campaign.",
    "yaml-duplicate-key": "A key is there twice in one mapping.",
    "yaml-empty": "There is nothing in the file.",
    "yaml-encoding": "The file is not UTF-8, or holds characters that nobody can see.",
    "yaml-key": "A key that is not text.",
    "yaml-number": "A number that JSON can't hold, or not exactly.",
    "yaml-size": "The file is larger than 64 MB, or holds more values than it may.",
    "yaml-syntax": "This is not YAML. A template without quotes is the usual reason.",
    "yaml-tag": "A tag that has no meaning here, or a value that is not what its tag promises.",
}

WITHOUT_EXAMPLE = {
    "invalid-text": "a guard behind other guards: no file is known that gets there",
    "matrix-too-large": "an example would fill pages",
    "yaml-size": "an example would fill disks",
}
"""Why there is none."""

_MAKERS = {"Diagnostic", "Slip", "BadScalar", "add", "fatal"}
_NAMES = {"code", "CODE", "_CODES"}


def diagnostics() -> str:
    """A chapter for each code."""
    return "\n".join("\n".join(_chapter(name)) for name in sorted(used_codes()))


def used_codes() -> set[str]:
    """Every code that some place in kiejobs gives."""
    package = Path(kiejobs.__file__).parent
    found: set[str] = set()
    for path in package.rglob("*.py"):
        found |= set(_codes_in(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def problems_of(name: str) -> tuple[Problems, Mapping[str, Sequence[str]]]:
    """What kiejobs says to the example of a code, and the lines it stands in."""
    source = read_source(str(EXAMPLES / f"{name}.yaml"))
    try:
        if name == "fault":
            read_faults(source)
        else:
            load(Wanted(file=source.name))
    except InvalidJobFile as invalid:
        return invalid.problems, invalid.lines
    return Problems(), {}


def _chapter(name: str) -> Iterator[str]:
    yield f"## {name}\n\n{MEANINGS.get(name, 'Not explained yet.')}\n"
    if name in WITHOUT_EXAMPLE:
        yield f"No example: {WITHOUT_EXAMPLE[name]}.\n"
        return
    text = (EXAMPLES / f"{name}.yaml").read_bytes().decode("utf-8", "replace")
    problems, lines = problems_of(name)
    told = diagnostics_text(problems, lines).replace(f"{EXAMPLES}/{name}.yaml", "tea.yaml")
    yield f"```yaml\n{text}```\n\n```text\n{told}\n```\n"


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            if _name(node.func) in _MAKERS:
                yield from _literals(node.args[0])
            elif _is_lookup(node.func):
                yield from _literals(node.args[-1])
        elif isinstance(node, ast.Assign) and any(_name(t) in _NAMES for t in node.targets):
            yield from _literals(node.value)


def _is_lookup(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and _name(function.value) == "_CODES"


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _literals(node: ast.expr) -> Iterator[str]:
    """Texts that look like a code, in a literal, a choice or a table."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        is_code = node.value.replace("-", "").isalpha() and "-" in node.value
        if (is_code and node.value.islower()) or node.value in {"template", "fault"}:
            yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _literals(value)
