"""Axes whose values are the rows of a table: CSV, TSV, JSONL, JSON, YAML."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.adapters.project.local_files import LocalFolder
from kiejobs.core.diagnostics import Place
from kiejobs.core.document.nodes import Source
from kiejobs.core.table.table import read_table
from tests.support.beside import Beside
from tests.support.expanding import MODEL, SCHEMAS, Expanded, expanded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROWS = [
    {"id": "dawn", "mood": "calm", "length": "5"},
    {"id": "dusk", "mood": "wild, windy", "length": "10"},
]
CSV = 'id,mood,length\ndawn,calm,5\ndusk,"wild, windy",10\n'


def of_table(
    name: str,
    text: str | bytes,
    matrix: str = "scene: {from: NAME, key: id}",
    prompt: str = "{{ matrix.scene.mood }}",
    more: str = 'duration: "{{ matrix.scene.length }}"',
) -> Expanded:
    """A job whose scenes are a table's rows."""
    job = f"""
version: 1
campaign: tea
jobs:
  pour:
    model: {MODEL}
    matrix: {{{matrix.replace("NAME", name)}}}
    input:
      image_url: https://example.com/a.webp
      {"" if prompt is None else f"prompt: {json.dumps(prompt)}"}
      {more}
"""
    return expanded(job, data=Beside({name: text}))


def told(text: str | bytes, name: str = "scenes.csv", **more: Any) -> list[str]:
    return of_table(name, text, **more).told


def prompts(made: Expanded) -> dict[str, str]:
    return {job.address.removeprefix("tea/pour"): job.input["prompt"] for job in made.jobs}


# --- what is read ----------------------------------------------------------------------------------

FORMS = {
    "scenes.csv": CSV,
    "scenes.tsv": "id\tmood\tlength\ndawn\tcalm\t5\ndusk\twild, windy\t10\n",
    "scenes.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "scenes.json": json.dumps(ROWS),
    "scenes.yaml": "- {id: dawn, mood: calm, length: 5}\n- {id: dusk, mood: 'wild, windy', length: 10}",
    "deep/er/SCENES.CSV": CSV,
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_table_makes_the_same_jobs(name: str) -> None:
    made = of_table(name, FORMS[name])
    assert [(job.address, job.input["prompt"], job.input["duration"]) for job in made.jobs] == [
        ("tea/pour[scene=dawn]", "calm", "5"),
        ("tea/pour[scene=dusk]", "wild, windy", "10"),
    ]
    assert [job.fingerprint for job in made.jobs] == [
        job.fingerprint for job in of_table("scenes.csv", CSV).jobs
    ]


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("\ufeffid,mood\r\na,calm\r\n", "calm"),
        ("id,mood\na,calm", "calm"),
        ("\n\nid,mood\n\na,calm\n\n", "calm"),
        ('"id","mood"\n"a","two ""words"""\n', 'two "words"'),
        ('id,mood\na,"two\r\nlines"\r\n', "two\nlines"),
        ('id,mood\na,"two\nlines\n"\n', "two\nlines"),
        ("id,mood\na, blank \n", " blank "),
        ("mood,id\nÄpfel ☕,a\n", "Äpfel ☕"),
    ],
)
def test_csv_is_read_as_rfc_4180_has_it(text: str, mood: str) -> None:
    assert prompts(of_table("t.csv", text, more="")) == {"[scene=a]": mood}


def test_a_cell_is_data_and_never_a_template() -> None:
    text = 'id,mood\na,{{ vars.secret }}\nb,{% for x in y %}\nc,"{{"\n'
    made = of_table("t.csv", text, more="", prompt="{{ matrix.scene.mood }}!")
    assert list(prompts(made).values()) == ["{{ vars.secret }}!", "{% for x in y %}!", "{{!"]


def test_a_column_that_fills_a_field_is_data_too() -> None:
    matrix = "prompt: {from: NAME, key: id, column: mood}"
    made = of_table("t.csv", "id,mood\na,{{ nope }}\n", matrix, prompt=None, more="")
    assert prompts(made) == {"[prompt=a]": "{{ nope }}"}


def test_the_key_names_a_row_whatever_its_other_columns_are_called() -> None:
    text = "id,name,slug,mood\n1,One,first,calm\n2,Two,second,wild\n"
    made = of_table("t.csv", text, "scene: {from: NAME, key: slug}", more="")
    assert list(prompts(made)) == ["[scene=first]", "[scene=second]"]


def test_a_column_alone_is_a_value_and_fills_a_field_in_the_type_that_it_wants() -> None:
    matrix = "duration: {from: NAME, key: id, column: length}"
    made = of_table("t.json", json.dumps([{"id": "a", "length": 5}]), matrix,
                    prompt="{{ matrix.duration + 1 }} s", more="")  # fmt: skip
    (job,) = made.jobs
    assert job.address == "tea/pour[duration=a]"
    assert (job.input["duration"], job.input["prompt"]) == ("5", "6 s")


def test_a_table_in_defaults_is_read_once_for_all_jobs() -> None:
    files = Beside({"t.csv": "id,mood\na,calm\n"})
    made = expanded(
        f"""
version: 1
campaign: tea
defaults: {{model: {MODEL}, matrix: {{scene: {{from: t.csv, key: id}}}}}}
jobs:
  one: {{input: {{image_url: https://example.com/a.webp, prompt: "1 {{{{ matrix.scene.mood }}}}"}}}}
  two: {{input: {{image_url: https://example.com/a.webp, prompt: "2 {{{{ matrix.scene.mood }}}}"}}}}
""",
        data=files,
    )
    assert [job.address for job in made.jobs] == ["tea/one[scene=a]", "tea/two[scene=a]"]
    assert files.read_names == ["t.csv"]


# --- exclude and include ---------------------------------------------------------------------------

TABLE = "scene: {from: NAME, key: id}, n: [1, 2]"
WORDS = "{{ matrix.scene.mood }} {{ matrix.n }} {{ matrix.tag | default('') }}"


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ("{scene: dusk}", ["[n=1,scene=dawn]", "[n=2,scene=dawn]"]),
        ("{scene: {mood: calm}}", ["[n=1,scene=dusk]", "[n=2,scene=dusk]"]),
        ("{scene: {length: 10}, n: 1}", ["[n=1,scene=dawn]", "[n=2,scene=dawn]", "[n=2,scene=dusk]"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["scenes.csv", "scenes.jsonl", "scenes.yaml"])
def test_exclude_takes_rows_by_key_or_by_a_part(entry: str, left: list[str], name: str) -> None:
    entry = entry if name != "scenes.jsonl" else entry.replace("length: 10", "length: '10'")
    made = of_table(name, FORMS[name], f"{TABLE}, exclude: [{entry}]", WORDS, "")
    assert list(prompts(made)) == left


def test_include_adds_to_a_row_by_its_key_and_brings_one_back() -> None:
    matrix = (
        f"{TABLE}, exclude: [{{scene: dusk}}], "
        "include: [{scene: dawn, tag: hero}, {scene: dusk, n: 1, tag: back}]"
    )
    made = of_table("scenes.csv", CSV, matrix, WORDS, "")
    assert prompts(made) == {
        "[n=1,scene=dawn]": "calm 1 hero",
        "[n=2,scene=dawn]": "calm 2 hero",
        "[n=1,scene=dusk]": "wild, windy 1 back",
    }


def test_include_gives_a_row_of_its_own_which_its_key_names() -> None:
    matrix = "scene: {from: NAME, key: slug}, include: [{scene: {slug: noon, id: x, mood: hot}}]"
    made = of_table("t.csv", "slug,mood\ndawn,calm\n", matrix, more="")
    assert prompts(made) == {"[scene=dawn]": "calm", "[scene=noon]": "hot"}


def test_include_may_not_give_another_row_a_name_that_is_taken() -> None:
    matrix = "scene: {from: NAME, key: id}, include: [{scene: {id: dawn, mood: hot}}]"
    problem = of_table("scenes.csv", CSV, matrix, more="").only("duplicate-value")
    assert "`include` gives" not in problem.message
    assert "has the same name as another value" in problem.message


def test_an_exclude_that_no_row_answers_to_names_what_there_is() -> None:
    assert told(CSV, matrix="scene: {from: NAME, key: id}, exclude: [{scene: noon}]") == [
        (
            'useless-exclude 7:60 job `pour`: this exclude removes nothing | axis `scene` has no "noon", '
            'only "dawn", "dusk"'
        )
    ]


@pytest.mark.parametrize(("key", "wanted"), [("007", "7"), ("1e3", "1000.0"), ("2,5", None)])
def test_a_key_that_yaml_takes_for_a_number_wants_quotes(key: str, wanted: str | None) -> None:
    table = f'id,mood\n"{key}",calm\ndusk,wild\n'
    matrix = "scene: {from: NAME, key: id}, exclude: [{scene: KEY}]"
    bare = matrix.replace("KEY", key if wanted else "2.5")
    hint = of_table("t.csv", table, bare, more="").only("useless-exclude").hint
    if wanted is None:
        assert hint == f'axis `scene` has no 2.5, only "{key}", "dusk"'
    else:
        assert hint == f'axis `scene` has no {wanted}; for its "{key}", write the quotes, too'
    quoted = of_table("t.csv", table, matrix.replace("KEY", f"'{key}'"), more="")
    assert list(prompts(quoted)) == ["[scene=dusk]"]


# --- mistakes ----------------------------------------------------------------------------------------

MISTAKES = {
    "a cell too many": (
        "id,mood\na,calm, still\n",
        [("table-syntax t.csv:2:8 the row has 3 cells, and the header 2 | a cell that holds a delimiter"
         ' needs quotes around it: "calm, then wild"')],
    ),
    "a cell too few": (
        "id,mood\na,calm\nb\n",
        [("table-syntax t.csv:3:1 the row has 1 cells, and the header 2 | an empty cell needs its"
         " delimiter, too")],
    ),
    "a quote in the middle": (
        'id,mood\na,5" wide\nb,x"\n',
        [('table-syntax t.csv:2:4 a quote in the middle of a cell | put the entire cell in quotes, and'
         ' write a quote in it twice: "5"" wide"')],
    ),
    "a quote that is never closed": (
        'id,mood\na,calm\nb,"wild\nc,x\n',
        ["table-syntax t.csv:3:3 this quote is never closed | close it, or write it twice"],
    ),
    "text behind a quote": (
        'id,mood\na,"calm" x\n',
        [('table-syntax t.csv:2:9 text behind a closing quote | put the entire cell in quotes, and write a'
         ' quote in it twice: "5"" wide"')],
    ),
    "no rows": (
        "id,mood\n",
        [("table-syntax t.csv:1:1 the table has no rows | a table has a column `id`, and a row for each"
         " value")],
    ),
    "nothing at all": (
        "",
        [("table-syntax t.csv:1:1 the table has no rows | a table has a column `id`, and a row for each"
         " value")],
    ),
    "no such column": (
        "ids,mood\na,calm\n",
        [("table-key t.csv:1:1 the table has no column `id`, which is to be its key | did you mean `ids`?"
         " | also 7:40")],
    ),
    "semicolons": (
        "id;mood\na;calm\n",
        [("table-key t.csv:1:1 the table has no column `id`, which is to be its key | its columns seem to"
         " be separated by `;`: save it with commas, or tabs as .tsv | also 7:40")],
    ),
    "tabs": (
        "id\tmood\na\tcalm\n",
        [("table-key t.csv:1:1 the table has no column `id`, which is to be its key | its columns seem to"
         " be separated by tabs: name it .tsv | also 7:40")],
    ),
    "Excel's note": (
        "sep=,\nid,mood\na,calm\n",
        [("table-syntax t.csv:1:1 `sep=` is a note to Excel, and no header | delete the line, and save the"
         " table with commas, or with tabs as .tsv")],
    ),
    "Excel's note of semicolons": (
        "sep=;\nid;mood\na;calm\n",
        [("table-syntax t.csv:1:1 `sep=` is a note to Excel, and no header | delete the line, and save the"
         " table with commas, or with tabs as .tsv")],
    ),
    "a row of nothing but delimiters": (
        "id,mood\na,calm\n,\n",
        ["table-key t.csv:3:1 the key `id` is empty | delete this row: all its cells are empty"],
    ),
    "columns": (
        "id, mood,,id\na,b,c,d\n",
        [("table-syntax t.csv:1:4 the column's name has blanks around it: ` mood` | delete the blanks: they"
         " belong to the name"),
         "table-syntax t.csv:1:10 column 3 has no name | name it, or delete it",
         "table-syntax t.csv:1:11 two columns have the name `id` | rename one"],
    ),
    "keys": (
        'id,mood\na,calm\n"",x\na,wild\nb,"two\nlines"\nb,y\n',
        [("table-key t.csv:3:1 the key `id` is empty | each row needs a `id` of its own: it is part of the"
         " address"),
         "table-key t.csv:4:1 two rows have the key `a` | rename one of them | also t.csv:2:1",
         "table-key t.csv:7:1 two rows have the key `b` | rename one of them | also t.csv:5:1"],
    ),
    "CR alone": (
        "id,mood\ra,calm\nb,wild\n",
        [("table-syntax t.csv:1:8 a line ends in CR alone | save the table with the line breaks of Windows"
         " or Unix")],
    ),
    "rows behind a mistake with quotes": (
        'id,mood\na,b,c\nd,"e" f\ng,5" wide\nh"\ni\n',
        [("table-syntax t.csv:2:5 the row has 3 cells, and the header 2 | a cell that holds a delimiter"
          ' needs quotes around it: "calm, then wild"'),
         ('table-syntax t.csv:3:6 text behind a closing quote | put the entire cell in quotes, and write a'
          ' quote in it twice: "5"" wide"'),
         ('table-syntax t.csv:4:4 a quote in the middle of a cell | put the entire cell in quotes, and write a'
          ' quote in it twice: "5"" wide"'),
         ("table-syntax t.csv:6:1 the row has 1 cells, and the header 2 | an empty cell needs its delimiter,"
          " too")],
    ),
    "Latin-1": (
        "id,mood\na,sch\xf6n\n".encode("latin-1"),
        ["table-syntax t.csv:2:6 byte 0xf6 is not UTF-8 | save the file as UTF-8"],
    ),
    "UTF-16": (
        "id,mood\na,calm\n".encode("utf-16"),
        [("table-syntax t.csv:1:1 the file looks like UTF-16 | save it as UTF-8 (in Excel: Save as, CSV"
         " UTF-8)")],
    ),
    "an invisible character": (
        "id,mood\na,ca\u2028lm\n",
        ["table-syntax t.csv:2:5 an invisible character, U+2028, is not allowed here | delete it"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_csv_is_told_at_its_place(name: str) -> None:
    text, expected = MISTAKES[name]
    assert told(text, "t.csv", more="") == expected


IN_JSON = {
    "no JSON": (
        "t.jsonl",
        '{"id": "a"}\n\n{"id": b}\n{"id"}\n',
        ["table-syntax t.jsonl:3:8 this is not JSON: expecting value",
         "table-syntax t.jsonl:4:6 this is not JSON: expecting ':' delimiter"],
    ),
    "no mapping": (
        "t.jsonl",
        '["a"]\n',
        ['table-syntax t.jsonl:1:1 a row is a mapping | like {"id": "dawn", "mood": "calm"}; one list of them is a .json file'],
    ),
    "a key twice": (
        "t.jsonl",
        '{"id": "a", "id": "b"}\n',
        ["table-syntax t.jsonl:1:1 duplicate key `id` | keep one of the two"],
    ),
    "numbers": (
        "t.jsonl",
        '{"id": 1e999}\n{"id": 9007199254740993}\n{"id": NaN}\n',
        [("table-syntax t.jsonl:1:1 `1e999` is too large for a number | put it in quotes if it is meant as"
         " text"),
         ("table-syntax t.jsonl:2:1 a whole number this large is not exact in JSON | put it in quotes if it"
         " is meant as text"),
         "table-syntax t.jsonl:3:1 JSON has no number `NaN` | put it in quotes if it is meant as text"],
    ),
    "half a character": (
        "t.jsonl",
        '{"id": "\\ud800"}\n',
        ["table-syntax t.jsonl:1:1 half a surrogate pair is no character | write the character itself"],
    ),
    "too deep": (
        "t.jsonl",
        '{"id": ' + "[" * 5000 + "]" * 5000 + "}\n",
        ["table-syntax t.jsonl:1:1 nested more than 64 levels deep"],
    ),
    "keys": (
        "t.jsonl",
        '{"id": true}\n{"mood": 1}\n{"id": [1]}\n{"id": 5}\n{"mood": "x", "id": "5"}\n{"id": " "}\n',
        ["table-key t.jsonl:1:8 the key `id` is true or false | write text or a number",
         ("table-key t.jsonl:2:1 the row has no `id`, which is the key | each row needs a `id` of its own:"
         " it is part of the address"),
         "table-key t.jsonl:3:8 the key `id` is a list | write text or a number",
         "table-key t.jsonl:5:21 two rows have the key `5` | rename one of them | also t.jsonl:4:8",
         "table-key t.jsonl:6:8 the key `id` is empty | delete this row: all its cells are empty"],
    ),
    "no key in an empty row": (
        "t.json",
        '[{"id": "a"}, {}]',
        [("table-key t.json:1:15 the row has no `id`, which is the key | each row needs a `id` of its own:"
         " it is part of the address")],
    ),
    "too deep a row of a list": (
        "t.json",
        '[{"id": "a", "x": ' + "[" * 63 + "]" * 63 + '}, {"id": "b", "x": ' + "[" * 64 + "]" * 64 + "}]",
        ["table-syntax t.json:1:148 nested more than 64 levels deep"],
    ),
    "a comma too many": (
        "t.json",
        '[{"id": "a"},]',
        ["table-syntax t.json:1:14 this is not JSON: expecting value"],
    ),
    "no list": (
        "t.json",
        ' {"id": 1}',
        [('table-syntax t.json:1:2 a table is a list of mappings | like [{"id": "dawn"}, {"id": "dusk"}];'
         " one mapping a line is a .jsonl file")],
    ),
    "a comma too few": (
        "t.json",
        '[{"id": "a"},\n {"id": "ä"} {"id": "c"}]',
        ["table-syntax t.json:2:14 a comma or a `]` is missing"],
    ),
    "an end too early": (
        "t.json",
        '[{"id": "a"}] []',
        ["table-syntax t.json:1:15 text behind the list's end | a table is one list"],
    ),
    "places": (
        "t.json",
        '[\n  {"id": "ä", "mood": "ö"}, {\n    "mood": "x", "id": "ä"},\n  {"id": null}\n]\n',
        ["table-key t.json:3:24 two rows have the key `ä` | rename one of them | also t.json:2:10",
         "table-key t.json:4:10 the key `id` is null | write text or a number"],
    ),
    "no YAML": (
        "t.yaml",
        "- {id: a\n",
        [("yaml-syntax t.yaml:1:3 this `{` is never closed, or a comma is missing in it | close it, or put"
         " the text in quotes")],
    ),
    "a mapping": (
        "t.yaml",
        "id: a\n",
        [("table-syntax t.yaml:1:1 a table is a list of mappings, not a mapping | begin each row with"
         " `- id: some-name`")],
    ),
    "rows of YAML": (
        "t.yaml",
        "- a\n- {id: x}\n- mood: y\n  id: x\n- {id: y, id: z}\n",
        ["table-syntax t.yaml:1:3 a row is a mapping, not text | like {id: dawn, mood: calm}",
         "table-key t.yaml:4:7 two rows have the key `x` | rename one of them | also t.yaml:2:8",
         ("yaml-duplicate-key t.yaml:5:11 duplicate key `id` | keep one of the two | also"
         " t.yaml:5:4")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_JSON)
def test_a_mistake_in_json_or_yaml_is_told_at_its_place(name: str) -> None:
    file, text, expected = IN_JSON[name]
    assert told(text, file, more="") == expected


def test_a_cell_that_the_schema_refuses_is_told_where_it_stands() -> None:
    text = 'id,mood,length\ndawn,"two\nlines",7\ndusk,calm,5\nnight,x,ten\n'
    made = of_table("t.csv", text)
    assert made.told == [
        (
            'invalid-field t.csv:3:8 job `pour`: `duration` must be one of 5, 10, not "7" | also'
            " 11:17 | x1 tea/pour[scene=dawn]"
        ),
        (
            'invalid-field t.csv:5:9 job `pour`: `duration` must be one of 5, 10, not "ten" | also 11:17'
            " | x1 tea/pour[scene=night]"
        ),
    ]


def test_an_empty_cell_is_told_what_it_is() -> None:
    text = "id,mood,length\ndawn,calm,\n"
    through_a_template = of_table("t.csv", text).only("invalid-field")
    assert through_a_template.hint == (
        "the cell is empty, which is an empty text: fill it, or leave the field out: "
        '`duration: "{{ matrix.scene.length | trim | default(omit, true) }}"`'
    )
    as_an_axis = "duration: {from: NAME, key: id, column: length}"
    assert of_table("t.csv", text, as_an_axis, "x", "").only("invalid-field").hint == (
        "the cell is empty, which is an empty text: fill it, or leave the field out: name the axis `x`, say, "
        'and write `duration: "{{ matrix.x | trim | default(omit, true) }}"`'
    )


def test_a_number_with_a_decimal_comma_is_told_how_to_write_it() -> None:
    schema = json.loads((SCHEMAS / "models" / f"{MODEL}.json").read_text())
    schema["properties"]["input"]["properties"]["seed"] = {"type": "number"}
    data = Beside({"t.csv": 'id,mood,n\na,calm,"1,5"\n'})
    job = f"""
version: 1
campaign: tea
jobs:
  pour:
    model: {MODEL}
    matrix: {{seed: {{from: t.csv, key: id, column: n}}}}
    input: {{image_url: https://example.com/a.webp, prompt: x}}
"""
    made = expanded(job, schema, data=data)
    assert made.only("invalid-field").hint == "write it with a point: 1.5"


def test_a_default_takes_the_place_of_an_empty_cell() -> None:
    more = "duration: \"{{ matrix.scene.length | default('10', true) }}\""
    made = of_table("t.csv", "id,mood,length\ndawn,calm,\ndusk,wild,5\n", more=more)
    assert [job.input["duration"] for job in made.jobs] == ["10", "5"]


def test_a_cell_that_fills_a_field_by_an_axis_is_told_where_it_stands() -> None:
    matrix = "duration: {from: NAME, key: id, column: length}"
    text = "id,length\na,5\nb,7\nc,8\n"
    assert of_table("t.csv", text, matrix, "x", "").told == [
        (
            'invalid-field t.csv:3:3 job `pour`: `duration` must be one of 5, 10, not "7" | also 7:14'
            " | x1 tea/pour[duration=b]"
        ),
        (
            'invalid-field t.csv:4:3 job `pour`: `duration` must be one of 5, 10, not "8" | also 7:14'
            " | x1 tea/pour[duration=c]"
        ),
    ]


def test_a_picture_that_a_cell_names_and_that_is_not_there_is_told_at_the_cell(
    tmp_path: Path,
) -> None:
    text = "id,image\na,images/cup.png\n"
    made = expanded(
        f"""
version: 1
campaign: tea
jobs:
  pour:
    model: {MODEL}
    matrix: {{scene: {{from: t.csv, key: id}}}}
    input: {{image_url: "{{{{ matrix.scene.image }}}}", prompt: x}}
""",
        data=Beside({"t.csv": text}),
        files=LocalFolder(tmp_path),
    )
    problem = made.only("missing-file")
    assert str(problem.place) == "t.csv:2:3"


def test_a_thousand_bad_cells_are_told_twenty_times_and_counted() -> None:
    text = "id,mood,length\n" + "".join(f"r{n},m{n},7\n" for n in range(999))
    problems = list(of_table("t.csv", text).problems)
    assert len(problems) == 20
    assert sum(problem.count for problem in problems) == 999


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scenes.csv", "\n\r\nid\n\n{blank}a\r\n\r\n\r\n\na\n"),
        ("scenes.jsonl", '\n\r\n\n \t\n{blank}{{"id": "a"}}\r\n \r\n\t\r\n\n  {{"id": "a"}}\n'),
    ],
)
def test_blank_lines_count(name: str, text: str) -> None:
    (only,) = told(text.format(blank="\n" * 2_000_000), name)
    column = 1 if name.endswith("csv") else 10
    assert only.startswith(f"table-key {name}:2000009:{column} two rows have the key `a`")
    assert only.endswith(f"also {name}:2000005:{8 if column == 10 else 1}")


def test_thousands_of_broken_rows_are_told_a_hundred_times() -> None:
    assert len(told("id,mood\n" + "a\n" * 5_000, "t.csv", more="")) == 100
    assert len(told("id,mood\n" + "a,b\n" * 5_000, "t.csv", more="")) == 100


def test_a_row_where_a_field_wants_one_value_says_to_take_a_column() -> None:
    problems = of_table("t.csv", CSV, "prompt: {from: NAME, key: id}", None, "").problems
    hint = "to fill it with one column of the table, add `column: mood` to the axis"
    assert {each.hint for each in problems} == {hint}


@pytest.mark.parametrize(
    ("matrix", "code"),
    [
        ("scene: {from: scenes.xlsx, key: id}", "data-file"),
        ("scene: {from: gone.csv, key: id}", "data-file"),
        ("scene: {from: scenes.csv}", "jobfile-structure"),
        ("scene: {key: id}", "jobfile-structure"),
        ("scene: {from: scenes.csv, key: id, glob: x}", "axis-source"),
        ("scene: {from: scenes.csv, key: id, column: nope}", "table-key"),
        ("scene: {form: scenes.csv, key: id}", "unknown-key"),
    ],
)
def test_a_source_that_makes_no_sense_is_told_in_the_job_file(matrix: str, code: str) -> None:
    made = of_table("scenes.csv", CSV, matrix)
    assert code in made.codes, made.told
    assert all(each.place and each.place.file == "job.yaml" for each in made.problems)


def test_templates_of_a_job_whose_table_is_broken_are_told_all_the_same() -> None:
    made = of_table("t.csv", "id,mood\na\n", prompt="{% if %}", more="")
    assert made.codes == ["template", "table-syntax"]


# --- identity --------------------------------------------------------------------------------------

WORD = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cn"]), max_size=12
) | st.sampled_from(["a,b", 'say "so"', "{{ x }}", "two\nlines", " blank ", "5", "true", "null", "1.0"])  # fmt: skip
KEYS = st.lists(st.text("abcXYZ019 ,\"'é/\n", min_size=1, max_size=8).filter(lambda key: key.strip() and key == key.rstrip("\n")), min_size=1, max_size=6, unique=True)  # fmt: skip
TABLES = KEYS.flatmap(
    lambda keys: st.tuples(*(st.fixed_dictionaries({"id": st.just(key), "mood": WORD}) for key in keys))
)  # fmt: skip


def written(rows: Sequence[dict[str, str]], form: str) -> str:
    if form in {"csv", "tsv"}:
        out = io.StringIO()
        dialect = {"delimiter": "," if form == "csv" else "\t", "lineterminator": "\r\n"}
        writer = csv.DictWriter(out, ["id", "mood"], **dialect)
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()
    if form == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return json.dumps(rows, indent=1, ensure_ascii=False)  # JSON is YAML


def identities(rows: Sequence[dict[str, str]], form: str) -> dict[str, str]:
    made = of_table(f"t.{form}", written(rows, form), more="", prompt="{{ matrix.scene.id }}: {{ matrix.scene.mood }}.")  # fmt: skip
    return {job.address: job.fingerprint for job in made.jobs}


@given(TABLES)
def test_the_same_table_in_any_form_makes_the_same_jobs(rows: Sequence[dict[str, str]]) -> None:
    made = [identities(rows, form) for form in ("csv", "tsv", "jsonl", "json", "yaml")]
    assert made == made[:1] * 5


@given(TABLES, st.randoms(use_true_random=False), st.sampled_from(["csv", "jsonl"]))
def test_rows_may_move_and_come_and_nothing_changes_for_the_others(
    rows: Sequence[dict[str, str]], random: Any, form: str
) -> None:
    moved = [*rows, {"id": "a new one", "mood": "new"}]
    random.shuffle(moved)
    was, now = identities(rows, form), identities(moved, form)
    assert was.items() <= now.items()
    assert len(now) == len(was) + 1


def test_a_table_of_an_old_mac_is_read() -> None:
    text = "id,mood,length\rdawn,calm,5\rdusk,wild,5\r"
    assert [job.input["prompt"] for job in of_table("t.csv", text).jobs] == ["calm", "wild"]


@pytest.mark.parametrize("mark", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_a_workbook_is_no_csv(mark: bytes) -> None:
    table, problems = read_table(Source("t.csv", mark + b"\0" * 300), "id", Place("j.yaml", 1, 1))
    assert table is None
    assert "workbook" in problems[0].message


def test_text_that_yaml_drops_from_a_cell_is_a_warning_at_the_cell() -> None:
    rows = b"- id: a\n  mood: calm #cozy\n- id: b\n  mood: &then wild\n- id: c # a comment\n  mood: soft\n- id: d\n  mood: warm, #fa0\n"
    table, problems = read_table(Source("t.yaml", rows), "id", Place("j.yaml", 1, 1))
    assert table is not None
    assert [(one.code, one.severity, one.place and one.place.line) for one in problems] == [
        ("lost-text", "warning", 2),
        ("lost-text", "warning", 4),
        ("lost-text", "warning", 8),
    ]


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"


@pytest.mark.parametrize(
    ("name", "data", "words", "hint"),
    [
        ("t.yaml", b"PK\x03\x04" + bytes(30), "is an .xlsx workbook", "name a text"),
        ("t.json", b"\x1f\x8b\x08", "compressed by gzip", "`gunzip` unpacks it"),
        ("t.csv", b"<html><body>", "is a web page", "sign-in page"),
        ("t.yaml", b"\xef\xbb\xbf\n<!doctype html>", "is a web page", "sign-in page"),
        ("t.csv", LFS, "is a Git LFS pointer", "`git lfs pull`"),
        ("t.jsonl", LFS, "is a Git LFS pointer", "`git lfs pull`"),
        ("t.yaml", LFS, "is a Git LFS pointer", "`git lfs pull`"),
        ("t.yaml", b"\x89PNG\r\n\x1a\n", "is a picture", "name a text"),
        ("t.csv", b'{"id": "a"}\n', "is JSON", "name it .json"),
        ("t.csv", b'[{"id": "a"}]\n', "is JSON", "name it .json"),
        ("t.jsonl", b'[{"id": "a"}]\n', "a row is a mapping", "is a .json file"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(name: str, data: bytes, words: str, hint: str) -> None:
    table, problems = read_table(Source(name, data), "id", Place("j.yaml", 1, 1))
    assert table is None
    assert words in problems[0].message
    assert hint in str(problems[0].hint)


def test_a_table_with_bars_is_no_column() -> None:
    _, problems = read_table(Source("t.csv", b"id|p\na|x\n"), "id", Place("j.yaml", 1, 1))
    assert problems[0].hint == "its columns seem to be separated by `|`: save it with commas, or tabs as .tsv"
