"""The job file's reference, where the program itself knows best: keys, limits, filters.

In: schemas/jobfile.schema.json, the template sandbox's tables and bounds. Out: Markdown. Touches
schemas/, by reading.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jinja2.sandbox import MAX_RANGE

from kiejobs.adapters.templates import worker
from kiejobs.core import jobfile
from kiejobs.core.document import reader as yaml_reader
from kiejobs.core.document import tree as yaml_tree
from kiejobs.core.matrix import axis_values
from kiejobs.core.matrix import load_axes as data_axes
from kiejobs.core.table import formats as table_text
from kiejobs.core.template import environment as template_sandbox
from kiejobs.core.template.filters import LIST_FILTERS, TESTS, TEXT_FILTERS
from kiejobs.core.template.renderer import Limits
from tests.docs.reference.markdown import Schema, code, codes, kind, resolved, table
from tests.docs.regenerate import STRUCTURE

if TYPE_CHECKING:
    from collections.abc import Iterator


def top_keys() -> str:
    """What may stand at the top of a job file."""
    schema = _schema()
    return table(("key", "value", "meaning"), _rows(schema, schema, required=True))


def job_keys() -> str:
    """What may stand in a job, and in `defaults`."""
    schema = _schema()
    return table(("key", "value", "meaning"), _rows(schema["$defs"]["job"], schema))


def check_keys() -> str:
    """The checks of a result, with their thresholds."""
    schema = _schema()
    rows = []
    for name, check in schema["$defs"]["checks"]["properties"].items():
        rows.append((code(name), "", check["description"]))
        fields = {key: field for key, field in check["properties"].items() if key not in {"severity", "off"}}
        rows += [
            (
                code(f"{name}.{key}"),
                code(json.dumps(field["default"])) if "default" in field else "",
                field["description"],
            )
            for key, field in fields.items()
        ]
    return table(("key", "default", "meaning"), rows)


def limits() -> str:
    """How much a job file and its templates may do."""
    template = Limits()
    rows = (
        ("size of the file", f"{yaml_reader.MAX_BYTES // 2**20} MB"),
        ("levels of nesting", f"{yaml_tree.MAX_DEPTH}"),
        ("values that aliases may add", f"{yaml_tree.MAX_ALIASED:,}"),
        (
            "jobs, unless `limits.max_jobs` or `--max-jobs` says more",
            f"{jobfile.DEFAULT_MAX_JOBS:,}",
        ),
        ("`limits.max_jobs`; `--max-jobs` has no ceiling", f"{jobfile.HIGHEST_MAX_JOBS:,}"),
        ("size of a table", f"{table_text.MAX_BYTES // 2**20} MB"),
        ("rows of a table", f"{table_text.MAX_ROWS:,}"),
        ("characters of a row of a table", f"{table_text.MAX_ROW:,}"),
        ("columns of a table", f"{table_text.MAX_COLUMNS:,}"),
        (
            "numbers of a `range`",
            f"{data_axes.ALWAYS_MADE:,}, or as many as `--max-jobs`",
        ),
        ("files and folders that a `glob` looks at", f"{axis_values.MOST_SEEN:,}"),
        ("seconds of processor time for one template", f"{template.seconds:g}"),
        ("seconds of it for all slow templates of a file", f"{template.seconds_together:g}"),
        ("memory of the process that renders", f"{template.memory // 2**20} MB"),
        ("templates that one template includes", f"{worker.MOST_INCLUDES:,}"),
        ("characters that a template prints", f"{template_sandbox.MAX_TEXT:,}"),
        ("numbers in a template's `range`", f"{MAX_RANGE:,}"),
    )
    return table(("what", "at most"), rows)


def filters() -> str:
    """The filters and tests that templates may use; there are no others."""
    rows = (
        ("filters for texts and numbers", codes(sorted(TEXT_FILTERS))),
        ("filters for lists and mappings", codes(sorted(LIST_FILTERS))),
        ("tests", codes(sorted(name for name in TESTS if name.isalpha()))),
    )
    return table(("kind", "names"), rows)


def _schema() -> Schema:
    """Without what is generated into it: that is the models' pages' business."""
    found: Schema = json.loads(STRUCTURE.read_text(encoding="utf-8"))
    return found


def _rows(
    schema: Schema, root: Schema, *, required: bool = False, prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    for name, given in schema["properties"].items():
        field = resolved(given, root)
        needed = " (required)" if required and name in schema.get("required", ()) else ""
        yield code(prefix + name) + needed, _kind(field, root), field["description"]
        if name in {"budget", "limits", "matrix"}:
            yield from _rows(field, root, prefix=f"{name}.")


def _kind(field: Schema, root: Schema) -> str:
    types = field.get("type")
    if types == ["object", "boolean"]:
        return "mapping, or `false`"
    if types == "object":
        return "mapping"
    if types == "array":
        return "list"
    return kind(field, root)
