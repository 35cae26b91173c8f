"""Axes of numbers and of files, and axes that are walked together."""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.adapters.project.files import DataFolder
from kiejobs.core.matrix.axis_values import BadValues, files_matching, is_match
from tests.support.beside import Beside
from tests.support.expanding import MODEL, Expanded, expanded

if TYPE_CHECKING:
    from pathlib import Path

    from kiejobs.core.matrix.load_axes import DataFiles


def of_matrix(matrix: str, prompt: str, files: DataFiles | None = None, more: str = "") -> Expanded:
    job = f"""
version: 1
campaign: tea
jobs:
  pour:
    model: {MODEL}
    matrix: {{{matrix}}}
    input: {{image_url: https://example.com/a.webp, prompt: {json.dumps(prompt)}{more}}}
"""
    return expanded(job, data=files)


def prompts(made: Expanded) -> dict[str, str]:
    return {job.address.removeprefix("tea/pour"): job.input["prompt"] for job in made.jobs}


# --- range -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("[1, 3]", ["1", "2", "3"]),
        ("[1, 10, 4]", ["1", "5", "9"]),
        ("{from: 1, to: 9, step: 4}", ["1", "5", "9"]),
        ("{from: 3, to: 1, step: -1}", ["3", "2", "1"]),
        ("[0.1, 0.5, 0.1]", ["0.1", "0.2", "0.3", "0.4", "0.5"]),
        ("['0.1', 0.3, '0.10']", ["0.1", "0.2", "0.3"]),
        ("[-0.5, 0.5, 0.5]", ["-0.5", "0", "0.5"]),
        ("[7, 7]", ["7"]),
    ],
)
def test_a_range_has_both_its_ends_and_exact_decimals(written: str, numbers: list[str]) -> None:
    made = of_matrix(f"n: {{range: {written}}}", "{{ matrix.n }}")
    assert prompts(made) == {f"[n={number}]": number for number in numbers}


def test_a_range_fills_a_field_in_the_type_that_it_wants_and_templates_count_on_it() -> None:
    made = of_matrix("duration: {range: [5, 10, 5]}", "{{ matrix.duration + 1 }}")
    assert [(job.input["duration"], job.input["prompt"]) for job in made.jobs] == [
        ("5", "6"),
        ("10", "11"),
    ]


def test_a_range_makes_the_same_jobs_as_its_numbers_written_out() -> None:
    one = of_matrix("duration: {range: [5, 10, 5]}", "{{ matrix.duration }}").jobs
    other = of_matrix("duration: [5, 10]", "{{ matrix.duration }}").jobs
    assert [(job.address, job.fingerprint) for job in one] == [
        (job.address, job.fingerprint) for job in other
    ]


def test_exclude_and_include_find_numbers_of_a_range() -> None:
    matrix = "n: {range: [1, 4]}, exclude: [{n: 2}, {n: '3'}], include: [{n: 4, x: four}, {n: 9}]"
    made = of_matrix(matrix, "{{ matrix.n }} {{ matrix.x | default('-') }}")
    assert prompts(made) == {"[n=1]": "1 -", "[n=4]": "4 four", "[n=9]": "9 -"}


@pytest.mark.parametrize("wanted", ["5", "0", "1.5", "true", "x", "1e400", "{a: 1}"])
def test_an_exclude_of_no_number_of_a_range_is_useless(wanted: str) -> None:
    made = of_matrix(f"n: {{range: [1, 4]}}, exclude: [{{n: {wanted}}}]", "{{ matrix.n }}")
    assert made.codes[0] in {"useless-exclude", "yaml-number"}


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("[1, 5, 0]", "has a step of 0"),
        ("[5, 1]", "leads from 5 to 1, which a step of 1 never reaches"),
        ("[1, x]", "has `x` for a number"),
        ("[1, 1e300]", "has a number that is too long"),
        ("[1, '1e999999999']", "has a number that is too long"),
        ("[0, 1, 0.0000000000001]", "has a number that is too long"),
        ("[1, 'NaN']", "has `NaN` for a number"),
    ],
)
def test_a_range_of_nothing_is_told(written: str, words: str) -> None:
    assert words in of_matrix(f"n: {{range: {written}}}", "x").only("axis-range").message


@pytest.mark.parametrize("written", ["[1, 999999999999]", "[0, 1000, 0.000000000001]"])
def test_a_huge_range_is_refused_at_once(written: str) -> None:
    problem = of_matrix(f"n: {{range: {written}}}", "{{ matrix.n }}").only("too-many-jobs")
    assert "more than 100,000 values; at most 1,000 jobs are allowed" in problem.message


# --- zip -------------------------------------------------------------------------------------------


def test_zipped_axes_are_walked_together_and_both_stand_in_the_address() -> None:
    made = of_matrix("a: [x, y], b: [1, 2], zip: [a, b]", "{{ matrix.a }}{{ matrix.b }}")
    assert prompts(made) == {"[a=x,b=1]": "x1", "[a=y,b=2]": "y2"}


def test_a_group_stands_where_the_first_of_its_axes_stands() -> None:
    matrix = "a: [x, y], n: [1, 2], b: [p, q], zip: [b, a]"
    made = of_matrix(matrix, "{{ matrix.a }}{{ matrix.b }}{{ matrix.n }}")
    assert list(prompts(made).values()) == ["xp1", "xp2", "yq1", "yq2"]


def test_several_groups_are_combined_with_one_another() -> None:
    matrix = "a: [x, y], b: [p, q], c: [1, 2], d: [3, 4], zip: [[a, b], [c, d]]"
    made = of_matrix(matrix, "{{ matrix.a }}{{ matrix.b }}{{ matrix.c }}{{ matrix.d }}")
    assert list(prompts(made).values()) == ["xp13", "xp24", "yq13", "yq24"]


def test_exclude_and_include_work_on_zipped_axes() -> None:
    matrix = (
        "a: [x, y, z], b: [1, 2, 3], zip: [a, b], exclude: [{a: y}, {a: z, b: 3}],"
        " include: [{b: 1, t: hit}, {a: y, b: 9, t: own}]"
    )
    made = of_matrix(matrix, "{{ matrix.a }}{{ matrix.b }} {{ matrix.t }}")
    assert prompts(made) == {"[a=x,b=1]": "x1 hit", "[a=y,b=9]": "y9 own"}


def test_an_exclude_of_values_that_never_meet_removes_nothing() -> None:
    matrix = "a: [x, y], b: [1, 2], zip: [a, b], exclude: [{a: x, b: 2}]"
    assert of_matrix(matrix, "{{ matrix.a }}").codes == ["useless-exclude"]


def test_all_kinds_of_axes_are_walked_together() -> None:
    files = Beside({"t.csv": "id\na\nb\n", "p/1.png": "", "p/2.png": ""})
    matrix = "s: {from: t.csv, key: id}, n: {range: [1, 2]}, f: {glob: p/*}, zip: [s, n, f]"
    made = of_matrix(matrix, "{{ matrix.s.id }}{{ matrix.n }}{{ matrix.f }}", files)
    assert list(prompts(made).values()) == ["a1p/1.png", "b2p/2.png"]


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ("a: [1, 2], b: [1, 2, 3], zip: [a, b]", "but `a` has 2, `b` has 3"),
        ("a: [1, 2], zip: [a, bb]", "`zip` names `bb`, which is not an axis"),
        ("a: [1, 2], zip: [a, a]", "`zip` names the axis `a` twice"),
        ("a: [1, 2], b: [1, 2], zip: [[a, b], [b, a]]", "`zip` names the axis `b` twice"),
        ("a: [1, 2], zip: [a]", "`zip` walks two axes or more together"),
        ("a: [1], b: [2], zip: [a, [b, a]]", "`zip` has both names and lists of them"),
    ],
)
def test_axes_that_can_t_be_zipped_are_told(matrix: str, words: str) -> None:
    made = of_matrix(matrix, "x")
    assert set(made.codes) == {"axis-zip"}
    assert any(words in problem.message for problem in made.problems)


def test_a_job_drops_the_zip_of_the_defaults() -> None:
    made = expanded(
        f"""
version: 1
campaign: tea
defaults:
  model: {MODEL}
  matrix: {{a: [1, 2], b: [3, 4], zip: [a, b]}}
  input: {{image_url: https://example.com/a.webp, prompt: "{{{{ job }}}}{{{{ matrix }}}}"}}
jobs:
  one: {{input: {{prompt: "one {{{{ matrix.a }}}}{{{{ matrix.b }}}}"}}}}
  two: {{matrix: {{zip: []}}, input: {{prompt: "two {{{{ matrix.a }}}}{{{{ matrix.b }}}}"}}}}
"""
    )
    assert [job.input["prompt"][-2:] for job in made.jobs] == ["13", "24", "13", "14", "23", "24"]


@given(st.integers(1, 4), st.integers(1, 3), st.permutations(["a", "b", "c"]))
def test_zipped_rows_are_what_zip_and_product_make(two: int, one: int, order: list[str]) -> None:
    axes = {"a": two, "b": two, "c": one}
    written = ", ".join(f"{name}: {list(range(axes[name]))}" for name in order)
    made = of_matrix(f"{written}, zip: [a, b]", "{{ matrix.a }}{{ matrix.b }}{{ matrix.c }}")
    expected = [f"{n}{n}{m}" for n, m in itertools.product(range(two), range(one))]
    assert sorted(prompts(made).values()) == sorted(expected)


# --- glob ------------------------------------------------------------------------------------------

PICTURES = Beside(
    dict.fromkeys(
        ["images/b.webp", "images/a.webp", "images/a.png", "images/old/c.webp", "images/old/x/d.webp"], ""
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("images/*.webp", ["images/a.webp", "images/b.webp"]),
        ("./images/*.webp", ["images/a.webp", "images/b.webp"]),
        ("images/?.*", ["images/a.png", "images/a.webp", "images/b.webp"]),
        ("images/[!a]*", ["images/b.webp"]),
        ("**/*.png", ["images/a.png"]),
        ("images/**/*.webp", ["images/a.webp", "images/b.webp", "images/old/c.webp", "images/old/x/d.webp"]),
        ("images/old/**", ["images/old/c.webp", "images/old/x/d.webp"]),
        ("*/*/*", ["images/old/c.webp"]),
        ("images/a.png", ["images/a.png"]),
    ],
)  # fmt: skip
def test_a_glob_is_the_sorted_names_of_files(pattern: str, names: list[str]) -> None:
    found = files_matching(pattern, lambda folder: PICTURES.entries(folder, pattern))
    assert list(found) == names
    assert all(is_match(pattern, name) for name in names)


def test_a_glob_finds_names_in_either_normal_form() -> None:
    """A composed letter in one of them may be two characters in the other."""
    composed, apart = "caf\u00e9", "cafe\u0301"
    for pattern, name in ((f"{composed}*.png", f"{apart}1.png"), (f"{apart}*.png", f"{composed}1.png")):
        assert list(files_matching(pattern, lambda _, name=name: ([name], []))) == [name]
        assert is_match(pattern, name)


def test_a_glob_makes_the_same_jobs_as_its_names_written_out() -> None:
    one = of_matrix('f: {glob: "images/*.webp"}', "{{ matrix.f }}", PICTURES).jobs
    other = of_matrix("f: [images/a.webp, images/b.webp]", "{{ matrix.f }}").jobs
    assert [job.address for job in one] == [
        "tea/pour[f=images%2Fa.webp]",
        "tea/pour[f=images%2Fb.webp]",
    ]
    assert [(job.address, job.fingerprint) for job in one] == [
        (job.address, job.fingerprint) for job in other
    ]


def test_exclude_takes_a_file_by_its_name() -> None:
    made = of_matrix('f: {glob: "images/*"}, exclude: [{f: images/a.png}]', "{{ matrix.f }}", PICTURES)
    assert list(prompts(made).values()) == ["images/a.webp", "images/b.webp"]


def test_a_file_s_name_is_data_and_never_a_template() -> None:
    made = of_matrix('prompt: {glob: "*"}', "x", Beside({"{{ nope }}": ""}), more="")
    assert made.codes == ["field-set-twice"]
    made = of_matrix('f: {glob: "*"}', "{{ matrix.f }}", Beside({"{{ nope }}": ""}))
    assert list(prompts(made).values()) == ["{{ nope }}"]


@pytest.mark.parametrize(
    "pattern",
    ["*.gif", "../*.webp", "/etc/*", "images/../*", ".git/*", "images//a", "a\\b", "C:/x", "a**/b", "", "x" * 501],
)  # fmt: skip
def test_a_pattern_that_is_no_good_is_told(pattern: str) -> None:
    with pytest.raises(BadValues):
        files_matching(pattern, lambda folder: PICTURES.entries(folder, pattern))


def test_a_pattern_may_lead_up_first() -> None:
    seen: list[str] = []

    def entries(folder: str) -> tuple[list[str], list[str]]:
        seen.append(folder)
        return (["b.webp"], ["c"]) if folder == "../../images/" else (["a.webp", "x.gif"], ["images", "d"])

    found = files_matching("../../images/*.webp", entries)
    assert list(found) == ["../../images/b.webp"]
    assert seen == ["../../", "../../images/"]
    assert is_match("../../images/*.webp", "../../images/z.webp")
    assert not is_match("../../images/*.webp", "../images/z.webp")
    assert not is_match("../../images/*.webp", "images/z.webp")
    assert not is_match("*/*.webp", "../z.webp")


def test_files_without_end_are_not_looked_at_without_end() -> None:
    endless = ["a", "b"], ["x", "y"]
    with pytest.raises(BadValues, match="more than 100,000 files"):
        files_matching("**/*.webp", lambda _folder: endless)


def test_many_stars_are_matched_in_no_time() -> None:
    name = "a" * 200 + "b"
    assert not is_match("*a" * 100, name)
    assert not is_match("**/" * 15 + "*a", "a/" * 30 + "b")


def test_a_folder_shows_neither_hidden_files_nor_links_that_lead_out(tmp_path: Path) -> None:
    folder = tmp_path / "campaign"
    (folder / "images" / ".hidden").mkdir(parents=True)
    for name in ("images/a.webp", "images/.b.webp", "images/.hidden/c.webp", "../out.webp"):
        (folder / name).write_text("")
    (folder / "images" / "in.webp").symlink_to("a.webp")
    (folder / "images" / "out.webp").symlink_to("../../out.webp")
    (folder / "images" / "secret.webp").symlink_to(".b.webp")
    (folder / "images" / "loop").symlink_to(folder)
    (folder / "images" / "round").symlink_to("round")
    data = DataFolder(folder)
    found = list(files_matching("**/*", lambda at: data.entries(at, "**/*")))
    assert found == ["images/a.webp", "images/in.webp"]


@pytest.mark.parametrize("name", ["../t.csv", "link.csv", ".t.csv", "/etc/passwd.csv", "gone.csv", "a"])
def test_a_table_is_read_from_below_the_folder_only(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "campaign"
    (folder / "a").mkdir(parents=True)
    for path in (tmp_path / "t.csv", folder / ".t.csv"):
        path.write_text("id\nsecret\n")
    (folder / "link.csv").symlink_to(tmp_path / "t.csv")
    told = DataFolder(folder).read(name, 100)
    assert isinstance(told, tuple)
    assert "secret" not in str(told)


def test_a_pipe_is_no_table_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv")
    assert DataFolder(tmp_path).read("t.csv", 100) == (f"`{tmp_path}/t.csv` is no file", None)


def test_a_table_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x" * 101)
    told = f"`{tmp_path}/t.csv` is larger than 0 MB", "split it into several tables"
    assert DataFolder(tmp_path).read("t.csv", 100) == told


def test_an_include_brings_back_a_row_of_a_table_by_its_key_whatever_that_is_called() -> None:
    data = Beside({"t.csv": b"scene,mood\ndawn,calm\ndusk,wild\n"})
    matrix = "s: {from: t.csv, key: scene}, exclude: [{s: dusk}], include: [{s: dusk, light: low}]"
    made = of_matrix(matrix, "{{ matrix.s.mood }} {{ matrix.light | default('-') }}", data)
    assert prompts(made) == {"[s=dawn]": "calm -", "[s=dusk]": "wild low"}
