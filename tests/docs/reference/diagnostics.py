"""The list of diagnostic codes, from the places that give them, with a real example of each.

In: the source of kiejobs; tests/data/diagnostics/CODE.yaml, one file that provokes each code. Out:
Markdown. Touches both, by reading.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import kiejobs
from kiejobs.adapters.project.files import read_schema, read_source
from kiejobs.adapters.project.models import read_price_file
from kiejobs.adapters.sandbox import required_faults
from kiejobs.app.load import KnownModels, load
from kiejobs.app.options import JobFileOptions
from kiejobs.app.project import policy_at
from kiejobs.core.diagnostics import InvalidJobFile, Problems
from kiejobs.core.picks import read_picks
from kiejobs.reports.diagnostics import diagnostics_text

if TYPE_CHECKING:
    from collections.abc import Iterator

MEANINGS = read_schema("diagnostics.json")

EXAMPLES = Path(__file__).resolve().parents[2] / "data" / "diagnostics"

WITHOUT_EXAMPLE = {
    "file-unreadable": "it takes a repository",
    "field-conflict": "of the models that come with kiejobs none has such a rule yet",
    "matrix-too-large": "an example would fill pages",
    "model-schema": "it takes two files; "
    "[Keep models up to date](../how-to/keep-models-up-to-date.md#a-schema-of-your-own) shows them",
    "policy-rule": "it takes two files; [Set a policy](../how-to/set-a-policy.md) shows them",
    "unknown-variable": "it takes a word of the command line, or two files",
    "variables-structure": "it takes two files",
    "yaml-size": "an example would fill disks",
}
"""Why there is none."""

_MAKERS = {
    "Diagnostic",
    "RowProblem",
    "NoFile",
    "BadScalar",
    "add",
    "fatal",
    "_tell",
    "_diagnostic",
    "problem",
}
_NAMES = {"code", "CODE", "KEY", "SYNTAX", "_CODES"}


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


def problems_of(name: str) -> Problems:
    """What kiejobs says to the example of a code."""
    source = read_source(str(EXAMPLES / f"{name}.yaml"))
    try:
        if name == "fault":
            required_faults(source.name)
        elif name == "policy-structure":
            policy_at(source.name)
        elif name.startswith("picks-"):
            return Problems(
                read_picks(source, read_schema("picks.schema.json"))[1], {source.name: source.lines}
            )
        elif name.startswith("price-"):
            return read_price_file(source.name, KnownModels().catalogue()).problems
        else:
            return load(JobFileOptions(file=source.name)).problems
    except InvalidJobFile as invalid:
        return invalid.problems
    return Problems()


def _chapter(name: str) -> Iterator[str]:
    known = MEANINGS.get(name, {"meaning": "Not explained yet."})
    yield f"## {name}\n\n{known['meaning']}\n"
    if name in WITHOUT_EXAMPLE:
        yield f"No example: {WITHOUT_EXAMPLE[name]}.\n"
        return
    text = (EXAMPLES / f"{name}.yaml").read_bytes().decode("utf-8", "replace")
    problems = problems_of(name)
    told = diagnostics_text(problems, problems.lines).replace(f"{EXAMPLES}/{name}.yaml", "tea.yaml")
    told = told.replace(f"{EXAMPLES}/", "")
    yield f"```yaml\n{text}```\n\n```text\n{told}\n```\n"


def _codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code":
            yield from _literals(node.value)
        elif isinstance(node, ast.Call) and node.args:
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
