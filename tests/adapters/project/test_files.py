"""Files of a project: what is read from where, and what is not."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from kiejobs.adapters.project.files import (
    LARGEST_TEMPLATE,
    DataFolder,
    IncludeFolder,
    model_names,
    read_schema,
    read_source,
)
from kiejobs.adapters.project.root import git_commit
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.document.nodes import Source
from kiejobs.core.template.renderer import TemplateProblem

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.j2").write_text("secret")
    inside = tmp_path / "jobs"
    (inside / "prompts").mkdir(parents=True)
    (inside / "prompts" / "steam.j2").write_text("\ufeffsteam", encoding="utf-8")
    return inside


def test_an_include_comes_from_below_the_job_file(folder: Path) -> None:
    include = IncludeFolder(folder)
    assert include("prompts/steam.j2") == "steam"
    assert include("prompts/../prompts/steam.j2") == "steam"
    assert include("prompts/nothing.j2") is None
    assert refusal(include("prompts")) == "the template `prompts` is a folder"


def refusal(found: str | TemplateProblem | None) -> str:
    """Why there is none: what is there and can't be read is an error, whatever a template says of missing ones."""
    assert isinstance(found, TemplateProblem), found
    return found.message


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../secret.j2", "outside the job file's folder"),
        ("prompts/../../secret.j2", "outside the job file's folder"),
        ("/etc/passwd", "outside the job file's folder"),
        ("x\0y", "no path"),
        ("a" * 5000, "File name too long"),
        ("", "is a folder"),
    ],
)
def test_nothing_is_included_from_elsewhere(folder: Path, name: str, why: str) -> None:
    assert why in refusal(IncludeFolder(folder)(name))
    assert "is outside" in refusal(IncludeFolder(folder)(str(folder.parent / "secret.j2")))


def test_links_are_followed_before_they_are_judged(folder: Path) -> None:
    (folder / "out.j2").symlink_to(folder.parent / "secret.j2")
    (folder / "up").symlink_to(folder.parent)
    (folder / "loop.j2").symlink_to(folder / "loop.j2")
    (folder / "in.j2").symlink_to(folder / "prompts" / "steam.j2")
    (folder / "gone.j2").symlink_to(folder / "nothing.j2")
    include = IncludeFolder(folder)
    assert "is outside" in refusal(include("out.j2"))
    assert "is outside" in refusal(include("up/secret.j2"))
    assert re.search(r"can't be read|leads nowhere", refusal(include("loop.j2")))  # as Python has it
    assert "leads nowhere" in refusal(include("gone.j2"))
    assert include("in.j2") == "steam"


def test_an_include_is_text_of_a_bearable_size(folder: Path) -> None:
    (folder / "big.j2").write_bytes(b"x" * (LARGEST_TEMPLATE + 1))
    (folder / "bytes.j2").write_bytes(b"\xff\xfe")
    os.mkfifo(folder / "pipe.j2")
    include = IncludeFolder(folder)
    assert "is a pipe" in refusal(include("pipe.j2"))
    told = [include(name) for name in ("big.j2", "bytes.j2")]
    assert [one.message for one in told if isinstance(one, TemplateProblem)] == [
        "the template `big.j2` is larger than 1,000,000 bytes",
        "byte 0xff is not UTF-8",
    ]


def test_an_include_that_is_not_utf_8_says_where(folder: Path) -> None:
    """And not that it isn't there: `ignore missing` would leave its words out."""
    (folder / "windows.j2").write_bytes("a\n\ncafé".encode("cp1252"))
    told = IncludeFolder(folder)("windows.j2")
    assert isinstance(told, TemplateProblem)
    assert (told.message, told.name, told.lineno, told.column) == (
        "byte 0xe9 is not UTF-8", "windows.j2", 3, 4,
    )  # fmt: skip


def test_a_control_character_in_an_include_is_told_where_it_is(folder: Path) -> None:
    (folder / "p.j2").write_bytes("\ufeffa\r\n\tcaf\u00e9 \x1b[1m".encode())
    told = IncludeFolder(folder)("p.j2")
    assert isinstance(told, TemplateProblem)
    assert (told.message, told.name, told.lineno, told.column) == (
        "an invisible character, U+001B, is not allowed here", "p.j2", 2, 7,
    )  # fmt: skip


def test_a_git_lfs_pointer_is_no_text(folder: Path) -> None:
    (folder / "p.j2").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n")
    told = IncludeFolder(folder)("p.j2")
    assert isinstance(told, TemplateProblem)
    assert (told.name, told.written, told.hint) == (None, "p.j2", "`git lfs pull` fetches it")
    with pytest.raises(UsageProblem, match="is a Git LFS pointer") as refused:
        read_source(str(folder / "p.j2"))
    assert refused.value.hint == told.hint


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 11)
    assert read_source(str(tmp_path / "big"), most=11).data == b"x" * 11
    for name, most, words in (
        ("nothing", 10, "No such file"),
        ("", 2**20, "directory"),
        ("big", 10, "larger"),
    ):
        with pytest.raises(UsageProblem, match=words):
            read_source(str(tmp_path / name), most=most)


def test_a_link_that_leads_out_of_its_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "jobs" / ".git").mkdir(parents=True)
    (tmp_path / "jobs" / ".git" / "config").write_bytes(b"token")
    (tmp_path / "secret").write_bytes(b"secret")
    targets = ("../secret", "/proc/self/environ", "/dev/zero", ".git/config")
    for number, target in enumerate(targets):
        link = tmp_path / "jobs" / f"{number}.yaml"
        link.symlink_to(target)
        with pytest.raises(UsageProblem, match="leads out"):
            read_source(str(link))


def test_a_link_within_its_folder_is_as_good_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_bytes(b"x")
    (tmp_path / "two.yaml").symlink_to("one.yaml")
    (tmp_path / "round.yaml").symlink_to("round.yaml")
    assert read_source(str(tmp_path / "two.yaml")).data == b"x"
    with pytest.raises(UsageProblem, match="can't read"):
        read_source(str(tmp_path / "round.yaml"))


def test_a_file_without_an_end_is_not_read_to_its_end() -> None:
    with pytest.raises(UsageProblem, match="larger"):
        read_source("/dev/zero", most=2**20)


def test_what_is_hidden_is_included_by_no_template(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("token")
    (tmp_path / ".env").write_text("token")
    (tmp_path / "link.j2").symlink_to(".git/config")
    load = IncludeFolder(tmp_path)
    assert all("is hidden" in refusal(load(name)) for name in (".env", ".git/config", "link.j2"))


@pytest.mark.parametrize("head", [b"\xff", b"ref: secret\n", b"token\n", b"ref: a\0b\n"])
def test_what_is_no_commit_is_not_told_as_one(tmp_path: Path, head: bytes) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "secret").write_text("token")
    (tmp_path / ".git" / "HEAD").write_bytes(head)
    assert git_commit(tmp_path) is None


def test_models_are_files_and_each_can_be_read() -> None:
    names = model_names()
    assert "bytedance/v1-pro-fast-image-to-video" in names
    for name in names:
        assert read_schema(f"models/{name}.json")["type"] == "object"


def test_the_commit_is_read_from_gits_files(tmp_path: Path) -> None:
    assert git_commit(tmp_path / "jobs") in {None, git_commit(tmp_path)}
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_commit(tmp_path) is None, "no commit yet"
    (git / "packed-refs").write_text(f"# pack-refs\n{'b' * 40} refs/heads/main\n")
    assert git_commit(tmp_path) == "b" * 40
    (git / "refs/heads/main").write_text(f"{'a' * 40}\n")
    assert git_commit(tmp_path / "deeper") == "a" * 40
    (git / "HEAD").write_text(f"{'c' * 40}\n")
    assert git_commit(tmp_path) == "c" * 40


def test_a_name_is_found_in_either_of_its_forms(folder: Path) -> None:
    """Two forms of one text look the same; which one a folder has is its maker's choice."""
    (folder / "cafe\u0301.j2").write_bytes(b"x")
    assert IncludeFolder(folder)("caf\u00e9.j2") == "x"
    (folder / "th\u00e9.csv").write_bytes(b"id\n1\n")
    assert isinstance(DataFolder(folder).read("the\u0301.csv", 99), Source)


def test_line_ends_of_a_template_do_not_count_in_its_digest(folder: Path) -> None:
    digests = []
    for text in (b"a\nb\n", b"a\r\nb\r\n"):
        (folder / "t.j2").write_bytes(text)
        include = IncludeFolder(folder)
        include("t.j2")
        digests.append(include.read["t.j2"])
    assert digests[0] == digests[1]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "jobs.yaml")
    with pytest.raises(UsageProblem, match="is a pipe"):
        read_source(str(tmp_path / "jobs.yaml"))
