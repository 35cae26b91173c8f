"""Random tables, as the standard library writes them, read back: the same values, each at its place."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kiejobs.core.diagnostics import Place
from kiejobs.core.document.nodes import Source, trimmed
from kiejobs.core.table.formats import Text, read_csv
from kiejobs.core.table.table import Table, read_table
from tests.support.beside import Beside
from tests.support.expanding import MODEL, SCHEMAS, expanded

if TYPE_CHECKING:
    from collections.abc import Sequence

# No characters that nobody can see: no table may hold them.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn"]) | st.sampled_from("\n\t,;\"' "),
    max_size=8,
)  # fmt: skip
NAMES = st.lists(
    TEXT.filter(lambda name: name == name.strip() != ""), min_size=1, max_size=4, unique=True
).filter(lambda names: not names[0].startswith("sep=") and "id" not in names)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def read(name: str, text: str) -> Table:
    table, problems = read_table(Source(name, text.encode()), "id", Place("job.yaml", 1, 1))
    assert table is not None, problems
    return table


def plain(value: Any) -> Any:
    """A line break at the end of a text never counts."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return trimmed(value) if isinstance(value, str) else value


def written_at(text: str, place: Place) -> str:
    lines = text.split("\n")[place.line - 1 :]
    return "\n".join(lines)[place.column - 1 :]


@given(st.data(), NAMES, st.sampled_from(",\t"), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]))  # fmt: skip
def test_csv_is_read_as_it_was_written(
    data: st.DataObject, names: list[str], delimiter: str, end: str, bom: str
) -> None:
    columns = ["id", *names]
    rows = data.draw(st.lists(st.tuples(*(TEXT for _ in names)), min_size=1, max_size=5))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerows([columns, *((f"row-{n}", *row) for n, row in enumerate(rows))])
    text = out.getvalue()
    table = read("t.csv" if delimiter == "," else "t.tsv", bom + text.replace("\n", end))
    assert table.columns == tuple(columns)
    assert list(table.numbers) == [f"row-{n}" for n in range(len(rows))]
    for row, (number, cells) in zip(table.rows, enumerate(rows), strict=True):
        given_cells = dict(zip(columns, (f"row-{number}", *cells), strict=True))
        assert row.values == plain(given_cells)
        for column in columns:
            stream = io.StringIO(written_at(text, table.place(row, column)), newline="\n")
            found = next(csv.reader(stream, delimiter=delimiter, strict=True))
            assert "".join(found[:1]) == given_cells[column]


CELL = st.text(st.sampled_from("abü \r,"), max_size=4)


@given(st.lists(CELL, max_size=8))
def test_a_quote_further_down_changes_nothing_about_the_rows_before(lines: list[str]) -> None:
    """Without any quote much is taken for granted."""
    text = "".join(f"{line}\n" for line in ("a,b", *lines))
    made, other = (read_csv(Text("t.csv", each), ",") for each in (text, text + '"z","z"\n'))
    assert (made.rows, made.problems) == (other.rows[:-1], other.problems)
    for row in made.rows:
        for column in (None, "a", "b"):
            assert made.place(row, column) == other.place(row, column)


@given(st.lists(st.integers(0, 9_000), min_size=1, max_size=9), st.floats(0, 1))
def test_a_place_is_a_line_and_a_column(lengths: list[int], part: float) -> None:
    text = "\n".join("x" * length for length in lengths)
    at = int(part * len(text))
    before = text[:at].split("\n")
    assert Text("t.csv", text).place(at) == Place("t.csv", len(before), len(before[-1]) + 1)


@given(st.lists(st.dictionaries(TEXT.filter(lambda key: key != "id"), JSON, max_size=4), min_size=1, max_size=5), st.sampled_from(["t.json", "t.jsonl"]), st.booleans(), st.sampled_from([None, 1, "\t"]))  # fmt: skip
def test_json_is_read_as_it_was_written(
    rows: list[dict[str, Any]], name: str, ascii_only: Any, indent: Any
) -> None:
    named: Sequence[dict[str, Any]] = [{**row, "id": n} for n, row in enumerate(rows)]
    if name.endswith("l"):
        text = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in named)
    else:
        text = json.dumps(named, ensure_ascii=ascii_only, indent=indent)
    table = read(name, text)
    assert [row.values for row in table.rows] == plain(named)
    assert list(table.numbers) == [str(n) for n in range(len(rows))]
    for row, values in zip(table.rows, named, strict=True):
        for column, value in values.items():
            at = written_at(text, table.place(row, column))
            assert json.JSONDecoder().raw_decode(at)[0] == value
        assert written_at(text, table.place(row, None)).startswith("{")


FIELDS = {
    "image_url": "https://example.com/{{ matrix.scene.id }}.webp",
    "prompt": "{{ matrix.scene.mood }} in the morning",
    "duration": "{{ matrix.scene.length }}",
}


def test_a_table_makes_the_requests_that_a_short_script_would_make() -> None:
    """`csv.DictReader`, a template for each field, a SHA-256 of the request."""
    rows = [(f"scene-{n}", f'calm, and {n} times "so"', str(5 + n % 2 * 5)) for n in range(500)]
    out = io.StringIO()
    csv.writer(out).writerows([("id", "mood", "length"), *rows])
    job = {
        "model": MODEL,
        "matrix": {"scene": {"from": "scenes.csv", "key": "id"}},
        "input": FIELDS,
    }
    jobfile = json.dumps({"version": 1, "campaign": "tea", "jobs": {"pour": job}})
    made = expanded(jobfile, data=Beside({"scenes.csv": out.getvalue()}))
    assert [(each.address, each.fingerprint) for each in made.jobs] == list(by_hand(out.getvalue()))


def by_hand(table: str) -> list[tuple[str, str]]:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    templates = {name: environment.from_string(text) for name, text in FIELDS.items()}
    schema = json.loads((SCHEMAS / "models" / f"{MODEL}.json").read_text(encoding="utf-8"))
    fields = schema["properties"]["input"]["properties"]
    silent = {name: field["default"] for name, field in fields.items() if "default" in field}
    made = []
    for row in csv.DictReader(io.StringIO(table, newline="")):
        context: dict[str, Any] = {"matrix": {"scene": row}}
        rendered = {name: template.render(context) for name, template in templates.items()}
        body = {"input": {**silent, **rendered}, "model": MODEL}
        text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        made.append((f"tea/pour[scene={row['id']}]", digest))
    return made
