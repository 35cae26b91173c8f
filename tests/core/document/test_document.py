"""Reading YAML: places, YAML 1.2's scalars, and a clear word for each way to get it wrong."""

from __future__ import annotations

import gc
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kiejobs.core.document.nodes import Source, YamlMap, YamlSeq
from kiejobs.core.document.reader import FASTEST, read_document
from kiejobs.core.document.tree import MAX_PROBLEMS

if TYPE_CHECKING:
    from kiejobs.core.diagnostics import Diagnostic

PARSERS = [FASTEST, yaml.SafeLoader]


def source(text: str | bytes) -> Source:
    return Source("job.yaml", text.encode() if isinstance(text, str) else text)


def value(text: str | bytes) -> Any:
    document, problems = read_document(source(text))
    assert problems == []
    assert document is not None
    return document.root


def problem(text: str | bytes) -> Diagnostic:
    _, problems = read_document(source(text))
    assert len(problems) == 1
    return problems[0]


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1.2.3", "1.2.3"),
        ("720p", "720p"),
        ("16:9", "16:9"),
        ("=", "="),
        (".", "."),
        ("014", 14),
        ("-7", -7),
        ("+7", 7),
        ("0o14", 12),
        ("0x1F", 31),
        ("9007199254740991", 2**53 - 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ('"null"', "null"),
        ("! 12", "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("!!float 12", 12.0),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!seq [1]", [1]),
        ("!!map {a: 1}", {"a": 1}),
        ("! [1]", [1]),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, meant: object, parser: type[Any]) -> None:
    document, problems = read_document(source(f"x: {text}\n"), parser=parser)
    assert problems == []
    assert document is not None
    assert document.root["x"] == meant
    assert type(document.root["x"]) in (type(meant), YamlMap, YamlSeq)


def test_keys_are_the_text_as_written() -> None:
    assert list(value("1: a\ntrue: b\n~: c\n0x1F: d\n'e': f\non: g\n")) == [
        *("1", "true", "~", "0x1F", "e", "on")
    ]


def test_the_digest_is_of_the_bytes_and_the_lines_are_those_of_the_file() -> None:
    data = b"\xef\xbb\xbfa: 1\r\nb: 2\r\n"
    document, _ = read_document(Source("job.yaml", data))
    assert document is not None
    assert document.sha256 == hashlib.sha256(data).hexdigest()
    assert list(document.lines) == ["a: 1", "b: 2"]
    assert document.root == {"a": 1, "b": 2}


def test_line_ends_of_windows_leave_no_trace_in_block_text() -> None:
    assert value("a: |\r\n  one\r\n  two\r\nb: 1\r\n") == {"a": "one\ntwo\n", "b": 1}


def test_chinese_text_and_emoji_are_kept() -> None:
    assert value("提示: 咖啡 ☕ 倒入杯中\n") == {"提示": "咖啡 ☕ 倒入杯中"}


# --- places ---------------------------------------------------------------------------------------


def test_every_key_and_value_knows_its_line_and_column() -> None:
    text = "a: 1\njobs:\n  咖啡: {x: [10, 20]}\n  b: >-\n    text\n"
    document, _ = read_document(source(text))
    assert document is not None
    assert str(document.place(["a"])) == "job.yaml:1:4"
    assert str(document.place(["jobs"], key=True)) == "job.yaml:2:1"
    assert str(document.place(["jobs", "咖啡", "x"], key=True)) == "job.yaml:3:8"
    assert str(document.place(["jobs", "咖啡", "x", 1])) == "job.yaml:3:16"
    assert str(document.place(["jobs", "b"])) == "job.yaml:4:6"
    assert str(document.place(["jobs", "nowhere", 3])) == "job.yaml:3:3"


def test_columns_count_characters_after_a_byte_order_mark_too() -> None:
    document, _ = read_document(source("\ufeff日本: {b: 1}\n"))
    assert document is not None
    assert str(document.place(["日本", "b"])) == "job.yaml:1:9"


# --- anchors and merge keys -----------------------------------------------------------------------


def test_an_alias_is_the_same_object_with_a_place_of_its_own() -> None:
    document, _ = read_document(source("a: &a {x: 1}\nb: *a\n"))
    assert document is not None
    assert document.root["a"] is document.root["b"]
    assert str(document.place(["b"])) == "job.yaml:2:4"
    assert str(document.place(["b", "x"])) == "job.yaml:1:11"


def test_an_anchor_can_be_given_anew() -> None:
    assert value("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_an_alias_can_be_a_key() -> None:
    assert value("a: &a name\n*a : 1\n") == {"a": "name", "name": 1}


def test_merged_pairs_come_first_and_lose_against_written_ones() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  c: 3\n  <<: [*x, *y]\n  d: 3\n"
    document, _ = read_document(source(text))
    assert document is not None
    assert list(document.root["z"].items()) == [("a", 1), ("b", 1), ("c", 3), ("d", 3)]
    assert str(document.place(["z", "a"])) == "job.yaml:1:11"
    assert str(document.place(["z", "c"])) == "job.yaml:4:6"


def test_a_quoted_merge_key_is_a_key() -> None:
    assert value("x: {'<<': 1}") == {"x": {"<<": 1}}


# --- what is wrong, and what to do ----------------------------------------------------------------


NO_TABS = "use spaces: YAML does not take tabs for indentation"
ALIGN = "indent it like its neighbours; a value with quotes in its middle needs quotes around it all"
CLOSE = "close it, or put the text in quotes"
QUOTE = "put the entire value in quotes"
QUOTE_NUMBER = "put it in quotes if it is meant as text"
QUOTE_TAG = "drop it; a text that starts with `!` needs quotes"
INIT = "`kiejobs init` writes one to start from"
ESCAPE = 'delete it; where it is meant, write it as an escape in double quotes, like "\\u2028"'
NOTEPAD = "save it as UTF-8 (in Windows Notepad: Save as, Encoding UTF-8)"
MARKED = "put the text that holds it in quotes; where it is a comment, delete it"
MISTAKES = [
    ("a:\n\tb: 1\n", "2:1 yaml-syntax", "a tab in the indentation", NO_TABS),
    (
        "a: b: c\n",
        "1:5 yaml-syntax",
        "a second `:` in one line, or a line indented too far",
        "put a value that contains `: ` in quotes",
    ),
    ("a:\n  b: 1\n c: 2\n", "3:2 yaml-syntax", "this line does not fit the block around it", ALIGN),
    (
        "a: 'it''s\nb: 1\n",
        "1:4 yaml-syntax",
        "this quote is never closed",
        "close it; within single quotes an apostrophe is written twice",
    ),
    (
        "a: [1, 2\nb: 3\n",
        "1:4 yaml-syntax",
        "this `[` is never closed, or a comma is missing in it",
        CLOSE,
    ),
    (
        "a: {b: 1\n",
        "1:4 yaml-syntax",
        "this `{` is never closed, or a comma is missing in it",
        CLOSE,
    ),
    (
        "a: 1\nfoo\nb: 2\n",
        "2:1 yaml-syntax",
        "a key without a `:`",
        "add the `:`; a text over several lines needs `>-` or `|`, and deeper indentation",
    ),
    ("a: @x\n", "1:4 yaml-syntax", "a value can't start with `@`", QUOTE),
    ("a: *b*\n", "1:4 yaml-syntax", "`*` needs a name", QUOTE),
    (
        "a: - b\n",
        "1:4 yaml-syntax",
        "a list item is not allowed here",
        "begin the list on a line of its own; a text that starts with `- ` needs quotes",
    ),
    (
        'a: "\\q"\n',
        "1:5 yaml-syntax",
        "an escape that YAML does not know",
        "in double quotes write `\\\\` for a backslash, or use single quotes",
    ),
    ("a: {{ x }} b\n", "1:4 yaml-syntax", "a template without quotes", 'write it as "{{ x }} b"'),
    ("a: {% if x %}\n", "1:4 yaml-syntax", "a template without quotes", 'write it as "{% if x %}"'),
    (
        "a: 'x: {{ y }}' z\n",
        "1:17 yaml-syntax",
        "this line does not fit the block around it",
        ALIGN,
    ),
    ("a: {{ x }}\n", "1:4 yaml-syntax", "a template without quotes", 'write it as "{{ x }}"'),
    (
        "? [a]\n: b\n",
        "1:3 yaml-key",
        "a key must be text, not a list or a mapping",
        "write the key as text",
    ),
    (
        "a: {<<: 1}\n",
        "1:9 yaml-key",
        "`<<` takes a mapping, or a list of mappings",
        "name one with `*`",
    ),
    (
        "a: 'it's so'\n",
        "1:8 yaml-syntax",
        "the quote before this ends the text",
        "write an apostrophe in it twice, '', or put the text in double quotes",
    ),
    (
        '- [b, "c "d" e"]\n',
        "1:11 yaml-syntax",
        "the quote before this ends the text",
        'put the text in single quotes, or write `\\"` for each quote in it',
    ),
    ('a: "b" of c\n', "1:8 yaml-syntax", "this line does not fit the block around it", ALIGN),
    ("a: b\n  c #d\n  e\n", "2:5 yaml-syntax", "`#d` is a comment to YAML, which ends the text", MARKED),
    ("a: b #c\n  - d\n", "2:3 yaml-syntax", "this line does not fit the block around it", ALIGN),
    (
        "a: [b #c, d]\n",
        "1:7 yaml-syntax",
        "`#c, d]` is a comment to YAML, so the comma or bracket in it does not count",
        MARKED,
    ),
    (
        "a: {b: c #d,\n  e: f}\n",
        "1:10 yaml-syntax",
        "`#d,` is a comment to YAML, so the comma or bracket in it does not count",
        MARKED,
    ),
    (
        "a: [b, # c\n  d # e\n  f]\n",
        "1:4 yaml-syntax",
        "this `[` is never closed, or a comma is missing in it",
        CLOSE,
    ),
    ("", "1:1 yaml-empty", "the file is empty", INIT),
    ("# only this\n", "1:1 yaml-empty", "the file is empty", INIT),
    ("---\n", "1:1 yaml-empty", "the file is empty", INIT),
    (
        "a: 1\n---\nb: 2\n",
        "2:1 yaml-documents",
        "a second document begins here",
        "give each campaign a file of its own",
    ),
    (
        "a: 1\n...\nb: 2\n",
        "3:1 yaml-syntax",
        "text after the document's end",
        "a job file holds one document, no `...`",
    ),
    (
        "a: 1\nb: *c\n",
        "2:4 yaml-alias",
        "nothing is named `&c`",
        "write `&c` before a value further up; a text that starts with `*` needs quotes",
    ),
    (
        "a: &a [*a]\n",
        "1:8 yaml-alias",
        "`*a` is inside the value that it names",
        "a value can't contain itself",
    ),
    ("a: !foo 1\n", "1:4 yaml-tag", "the tag `!foo` has no meaning in a job file", QUOTE_TAG),
    ("a: !!set {b}\n", "1:4 yaml-tag", "the tag `!!set` has no meaning in a job file", QUOTE_TAG),
    ("!!date a: 1\n", "1:1 yaml-tag", "the tag `!!date` has no meaning in a job file", QUOTE_TAG),
    ("a: !!int many\n", "1:4 yaml-tag", "`many` is not what `!!int` promises", "drop the tag"),
    (
        "a: 9007199254740992\n",
        "1:4 yaml-number",
        "a whole number this large is not exact in JSON",
        QUOTE_NUMBER,
    ),
    ("a: -.inf\n", "1:4 yaml-number", "JSON has no number `-.inf`", QUOTE_NUMBER),
    ("a: .nan\n", "1:4 yaml-number", "JSON has no number `.nan`", QUOTE_NUMBER),
    ("a: 1e999\n", "1:4 yaml-number", "`1e999` is too large for a number", QUOTE_NUMBER),
    (
        "a: b\nc: x\0y\n",
        "2:5 yaml-encoding",
        "an invisible character, U+0000, is not allowed here",
        ESCAPE,
    ),
    (
        "a: one\u2028two\n",
        "1:7 yaml-encoding",
        "an invisible character, U+2028, is not allowed here",
        ESCAPE,
    ),
    (b"a: \xfc\n", "1:4 yaml-encoding", "byte 0xfc is not UTF-8", "save the file as UTF-8"),
    (
        "a: ☕\n☕: ".encode() + b"\xe9",
        "2:4 yaml-encoding",
        "byte 0xe9 is not UTF-8",
        "save the file as UTF-8",
    ),
    ("version: 1\n".encode("utf-16"), "1:1 yaml-encoding", "the file looks like UTF-16", NOTEPAD),
    (
        "version: 1\n".encode("utf-16-le"),
        "1:1 yaml-encoding",
        "the file looks like UTF-16",
        NOTEPAD,
    ),
]


@pytest.mark.parametrize(("text", "where", "message", "hint"), MISTAKES)
def test_each_mistake_is_told_with_its_place_and_what_to_do(
    text: str | bytes, where: str, message: str, hint: str
) -> None:
    found = problem(text)
    assert found.place is not None
    assert f"{found.place.line}:{found.place.column} {found.code}" == where
    assert (found.message, found.hint) == (message, hint)


@pytest.mark.parametrize(
    "text",
    [
        "\ta: 1\n", "a: b: c\n", "a:\n  b: 1\n c: 2\n", "a: 'x\n", "a: [1, 2\nb: 3\n", "a: {b: 1\n",
        "a: 1\nfoo\nb: 2\n", "a: `x`\n", "a: *b*\n", "a: - b\n", 'a: "\\q"\n', "a: }\n",
        "- a\nb: 1\n", "a: |x\n b\n", "a: !x!y 1\n", "%YAML 2.0\n---\na: 1\n", "a: 1\n...\nb: 2\n", "a: !<x\n", "%b\n", "a: [b: ? c]\n",
    ],
)  # fmt: skip
def test_both_parsers_complaints_are_reworded(text: str) -> None:
    for parser in PARSERS:
        document, problems = read_document(source(text), parser=parser)
        assert document is None
        assert [found.code for found in problems] == ["yaml-syntax"]
        assert "is not YAML" not in problems[0].message
        assert "expected" not in problems[0].message


def test_all_duplicate_keys_are_told_at_once_with_the_first_of_each() -> None:
    document, problems = read_document(source("a: 1\nb: {c: 1, c: 2}\na: 2\n<<: {}\n<<: {}\n"))
    assert [(str(p.place), p.message, [str(a) for a in p.also]) for p in problems] == [
        ("job.yaml:2:11", "duplicate key `c`", ["job.yaml:2:5"]),
        ("job.yaml:3:1", "duplicate key `a`", ["job.yaml:1:1"]),
        ("job.yaml:5:1", "duplicate key `<<`", ["job.yaml:4:5"]),
    ]
    assert {p.code for p in problems} == {"yaml-duplicate-key"}
    assert document is not None
    assert document.root == {"a": 1, "b": {"c": 1}}


def test_what_was_found_before_the_syntax_broke_is_told_too() -> None:
    document, problems = read_document(source("a: .inf\na: 1\nb: [1\n"))
    assert document is None
    assert [p.code for p in problems] == ["yaml-number", "yaml-duplicate-key", "yaml-syntax"]


@pytest.mark.parametrize(
    "text", [r"\ud800", r"x \uD83D alone", r"\ud83d\u0041", r"\ud83d\ude00 \ude00", r"\\\ud83d"]
)
def test_half_a_surrogate_pair_is_refused_by_both_parsers(text: str) -> None:
    for parser in PARSERS:
        document, problems = read_document(source(f'a: "{text}"'), parser=parser)
        assert document is None
        assert str(problems[0].place).startswith("job.yaml:1:")
        assert problems[0].message == "half a surrogate pair is no character"
        assert problems[0].hint == "write the character itself"


# --- hostile files --------------------------------------------------------------------------------


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines)


def merge_bomb(levels: int) -> str:
    lines = ["a0: &a0 {k: 1}"]
    for level in range(1, levels):
        before = f"*a{level - 1}"
        lines.append(f"a{level}: &a{level} {{<<: [{before}, {before}], k{level}: {before}}}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("[" * 100_000, "yaml-depth", id="brackets"),
        pytest.param("{a: " * 100_000, "yaml-depth", id="braces"),
        pytest.param("- " * 100_000, "yaml-depth", id="dashes"),
        pytest.param("".join(" " * n + "a:\n" for n in range(2000)), "yaml-depth", id="indents"),
        pytest.param(bomb(9), "yaml-alias", id="aliases"),
        pytest.param(merge_bomb(60), "yaml-alias", id="merges"),
        pytest.param("a: " + "9" * 100_000, "yaml-number", id="digits"),
        pytest.param("\t" * 1_000_000, "yaml-syntax", id="tabs"),
        pytest.param('a: "' + '\\"' * 400_000, "yaml-syntax", id="quotes"),
        pytest.param('a: "' + '\\"' * 400_000 + "\\", "yaml-syntax", id="quotes and a backslash"),
        pytest.param(b"a" * (64 * 1024 * 1024 + 1), "yaml-size", id="size"),
    ],
)
def test_a_bomb_ends_at_once(text: str | bytes, code: str) -> None:
    assert problem(text).code == code


@pytest.mark.parametrize("parser", [yaml.SafeLoader, FASTEST])
@pytest.mark.parametrize("before", ["", "a: ", "- ", "# [[\n", "a: '[['\nb: "])
def test_the_depth_of_brackets_is_found_whatever_the_parser_says_of_it(
    before: str, parser: type[Any]
) -> None:
    """libyaml hands over no bracket at all where there are more than it takes."""
    document, (found,) = read_document(source(before + "[" * 5_000), parser=parser)
    assert document is None
    assert (found.code, found.message) == ("yaml-depth", "nested more than 64 levels deep")
    assert found.place is not None
    assert found.place.line == before.count("\n") + 1
    assert found.place.column - len(before.rpartition("\n")[2]) in {64, 65}


def test_nesting_is_fine_up_to_the_limit() -> None:
    assert value("[" * 64 + "]" * 64)
    assert problem("[" * 65 + "]" * 65).message == "nested more than 64 levels deep"


def test_aliases_are_fine_where_they_add_little() -> None:
    scenes = "\n".join(f"s{number}: *base" for number in range(10_000))
    assert len(value(f"base: &base {{a: [1, 2, 3], b: 4}}\n{scenes}")) == 10_001


def test_reading_stops_after_a_thousand_problems() -> None:
    document, problems = read_document(source("a: 1\n" * 5_000))
    assert document is None
    assert len(problems) == MAX_PROBLEMS


def test_a_large_file_is_read_and_leaves_the_garbage_collector_on() -> None:
    scene = "  s{0}: {{image: https://example.com/{0}.webp, seed: {0}, prompt: a cup number {0}}}\n"
    text = "jobs:\n" + "".join(scene.format(number) for number in range(30_000))
    assert len(value(text)["jobs"]) == 30_000  # a quadratic reader takes minutes
    assert gc.isenabled()


YAML_PIECES = st.sampled_from(
    [
        *(
            "a",
            "b: ",
            "- ",
            "\n",
            "  ",
            "[",
            "]",
            "{",
            "}",
            ",",
            "'",
            '"',
            "|",
            ">",
            "&a ",
            "*a",
            "!",
        ),
        *(
            "!!int ",
            "<<: ",
            "? ",
            "---",
            "...",
            "#",
            "%",
            "\t",
            "\r\n",
            "1",
            ".inf",
            "0x",
            "é",
            "\ufeff",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(YAML_PIECES).map("".join)))
@example("%YAML 1.99999999999999999999\n---\n")
@example("%TAG ! x\n---\n!a 1")
def test_any_text_is_read_or_told_about(text: str) -> None:
    document, problems = read_document(source(text.encode("utf-8", "replace")))
    assert document is not None or problems
    assert all(p.place is not None and p.message for p in problems)


@settings(max_examples=200, deadline=None)
@given(st.binary())
def test_any_bytes_are_read_or_told_about(data: bytes) -> None:
    document, problems = read_document(Source("job.yaml", data))
    assert document is not None or problems


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text("ab: -#'\"{1é\n"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1), PLAIN, min_size=1), st.booleans())
def test_what_a_yaml_writer_wrote_is_read_back(written: dict[str, Any], flow: bool) -> None:  # noqa: FBT001 - drawn
    text = yaml.safe_dump(written, allow_unicode=True, default_flow_style=flow)
    assert value(text) == written


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1), PLAIN, min_size=1), st.booleans())
def test_all_stands_where_the_parser_saw_it(written: dict[str, Any], flow: bool) -> None:  # noqa: FBT001 - drawn
    own = json.loads(json.dumps(written))  # no list is in it twice, to be dumped as an alias
    text = yaml.safe_dump(own, allow_unicode=True, default_flow_style=flow)
    assert _spots(value(text)) == _marks(yaml.compose(text, Loader=yaml.SafeLoader))


def _spots(found: Any) -> Any:
    if isinstance(found, YamlSeq):
        return list(zip(found.item_spots, map(_spots, found), strict=True))
    if isinstance(found, YamlMap):
        return {key: (found.key_spots[key], found.value_spots[key], _spots(found[key])) for key in found}
    return None


def _marks(node: Any) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [(_spot(item), _marks(item)) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {key.value: (_spot(key), _spot(item), _marks(item)) for key, item in node.value}
    return None


def _spot(node: Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
