"""Text made fit for a terminal, and JSON made fit for one."""

from __future__ import annotations

import json
import shlex
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.money import credits_text, price_text
from kiejobs.reports.documents import json_text
from kiejobs.reports.terminal import (
    Paint,
    columns,
    fit,
    moment,
    pad,
    plural,
    quoted,
    sanitize,
    shortened,
    shortened_left,
    state_words,
    table,
    width,
)
from tests.support.results import HOSTILE, harmless, uncolored

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [red] 浓缩咖啡 é", "plain [red] 浓缩咖啡 é"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J\x7f\x00", r"\x9b2J\x7f\x00"),
        ("one\ntwo\r\nthree\tfour\u2028five", "one two three four five"),
        ("abc\u202edcb\u2066\u200f", r"abc\u202edcb\u2066\u200f"),
        ("\ufeff\u200b\ud800\U000e0041", r"\ufeff\u200b\ud800\U000e0041"),
        ("👩\u200d🍳 नी\u200c", "👩\u200d🍳 नी\u200c"),
    ],
)
def test_what_could_steer_a_terminal_is_spelled_out(text: str, shown: str) -> None:
    assert sanitize(text) == shown


@given(ANY_TEXT)
def test_no_text_at_all_gets_through_that_steers_a_terminal(text: str) -> None:
    assert harmless(sanitize(text))
    assert "\n" not in sanitize(text)
    sanitize(text).encode()


def test_every_control_and_format_character_is_caught() -> None:
    kept = {"\u200c", "\u200d"}
    for code in range(0x110000):
        char = chr(code)
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in kept:
            assert char not in sanitize(char), hex(code)
            assert char == "\n" or char not in json_text(char), hex(code)


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.none() | st.integers(), max_size=3))
def test_json_text_reads_back_as_it_was_and_is_harmless(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert harmless(text)
    text.encode()


def test_json_text_leaves_other_scripts_readable() -> None:
    assert json_text({"prompt": "浓缩咖啡 👩‍🍳 café"}, None) == '{"prompt": "浓缩咖啡 👩‍🍳 café"}'
    assert json_text(HOSTILE).count("[red]泡") == 1


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("abc", 3),
        ("浓缩", 4),
        ("e\u0301", 1),
        ("\uff46", 2),
        ("a\u200db", 2),
        ("\x1b[1;31mab\x1b[0m", 2),
    ],
)
def test_width_is_what_it_takes_on_the_screen(text: str, taken: int) -> None:
    assert width(text) == taken


def test_padding_counts_columns_and_never_cuts() -> None:
    assert pad("浓缩", 6) == "浓缩  "
    assert pad("16", 5, right=True) == "   16"
    assert pad("longer", 3) == "longer"


@given(st.text(st.sampled_from("ab 浓é\u0301")), st.integers(1, 30))
def test_a_shortened_text_fits_and_says_that_it_was_cut(text: str, room: int) -> None:
    head, tail = shortened(text, room), shortened_left(text, room)
    assert max(width(head), width(tail)) <= room
    if width(text) <= room:
        assert head == tail == text
    else:
        assert head.endswith("…")
        assert text.startswith(head[:-1])
        assert tail.startswith("…")
        assert text.endswith(tail[1:])


def test_shortening_keeps_the_beginning_or_the_end() -> None:
    assert shortened("abcdefgh", 5) == "abcd…"
    assert shortened_left("abcdefgh", 5) == "…efgh"
    assert shortened("浓缩咖啡", 6) == "浓缩…"


def test_columns_stand_below_one_another() -> None:
    rows = [
        ("state", "address", "credits"),
        ("ok", "浓缩", "5"),
        ("in doubt", "a", "1,000"),
        ("x",),
    ]
    assert columns(rows, right=frozenset({2})) == [
        "state     address  credits",
        "ok        浓缩           5",
        "in doubt  a          1,000",
        "x",
    ]


def test_nothing_in_columns_is_nothing() -> None:
    assert columns([]) == []


@pytest.mark.parametrize("word", ["tea/pour[d=5]", "it's", "a b; rm -rf ~", "$(reboot)", "\x1b[2J"])
def test_a_quoted_word_is_one_word_for_a_shell(word: str) -> None:
    assert shlex.split(quoted(word)) == [sanitize(word)]


@pytest.mark.parametrize(
    ("value", "usd", "text", "in_a_sentence"),
    [
        (None, "0.005", "unknown", "an unknown price"),
        ("16", None, "16", "16 credits"),
        ("1", None, "1", "1 credit"),
        ("16.50", "0.005", "16.5", "16.5 credits ($0.08)"),
        ("33", "0.005", "33", "33 credits ($0.17)"),
        ("320", "0.005", "320", "320 credits ($1.60)"),
        ("1E+6", "0.005", "1,000,000", "1,000,000 credits ($5,000.00)"),
        ("0.5", "0.005", "0.5", "0.5 credits (under $0.01)"),
        ("0", "0.005", "0", "0 credits"),
    ],
)
def test_credits_in_words(value: str | None, usd: str | None, text: str, in_a_sentence: str) -> None:
    amount = None if value is None else Decimal(value)
    rate = None if usd is None else Decimal(usd)
    assert credits_text(amount) == text
    assert price_text(amount, rate) == in_a_sentence


def test_counts_and_times_in_words() -> None:
    assert [plural(1, "job"), plural(4000, "job"), plural(0, "job is", "jobs are")] == [
        "1 job",
        "4,000 jobs",
        "0 jobs are",
    ]
    assert moment("2026-11-22T07:36:12.123Z") == "2026-11-22 07:36:12 UTC"
    assert moment(None) == "an unknown time"
    assert moment("\x1b[2J") == r"\x1b[2J"


def test_colour_is_there_only_when_it_is_wanted() -> None:
    plain, painted = Paint(color=False), Paint(color=True)
    for sign in "+±~?v=!>-":
        assert plain.status(sign) == sign
        assert painted.status(sign) != sign
        assert uncolored(painted.status(sign)) == sign
    assert painted.status(state_words("in_doubt")) == "\x1b[1;35min doubt\x1b[0m"
    assert painted.status("a state of tomorrow") == "a state of tomorrow"
    assert painted.bold("") == ""


# --- as wide as the terminal ---------------------------------------------------------------------

WORDS = st.text(alphabet="abc,/[]=浓缩'#", min_size=1, max_size=30)


@given(
    st.lists(st.lists(WORDS, min_size=1, max_size=12), max_size=4), st.integers(40, 120), st.integers(0, 9)
)
def test_lines_are_broken_between_words_and_nothing_is_lost(
    lines: list[list[str]], wide: int, lead: int
) -> None:
    text = "\n".join(" " * lead + "  ".join(words) for words in lines)
    fitted = fit(text, wide)
    assert "".join(fitted.split()) == "".join(text.split())
    assert all(width(line) <= wide for line in fitted.split("\n"))
    assert fit(text, None) == text
    for words in lines:
        command = fit(f"    kiejobs {' '.join(words)}", wide).replace(" \\\n", "")
        assert "".join(command.split()) == "".join(["kiejobs", *words])


def test_a_command_that_is_broken_can_still_be_copied() -> None:
    command = (
        "kiejobs run tea.yaml --select 'tea/pour[duration=5,resolution=720p]' --vars-file 'with blanks.yaml'"
    )
    fitted = fit(f"Next:\n    {command}", 60).split("\n")
    assert fitted[0] == "Next:"
    assert all(line.endswith(" \\") for line in fitted[1:-1])
    assert shlex.split("\n".join(fitted[1:]).replace("\\\n", "")) == shlex.split(command)
    assert max(map(len, fitted)) <= 60


def test_a_table_is_narrowed_then_turned_where_it_does_not_fit() -> None:
    head, rows = ("name", "sum", "held"), [("a" * 30, "1", "0"), ("b", "22", "0")]
    right = frozenset({1, 2})
    assert table(head, rows, right=right, wide=None)[0] == "name" + " " * 28 + "sum  held"
    assert table(head, rows, right=right, wide=36)[2] == "b" + " " * 32 + "22"
    assert table(head, rows, right=right, wide=20) == ["", "a" * 30, "  sum 1", "b", "  sum 22"]
