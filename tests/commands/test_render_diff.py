"""`render --diff REV`, with real repositories: what an edit did to each request."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.bench import MODEL, Ran
from tests.support.expanding import SCHEMAS
from tests.support.gitops.clones import Clone, Origin

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = "https://example.com/a.webp"
LOOK = "one lamp, deep shadows, fine grain, and nobody in the room says a single word"


def job_file(prompts: dict[str, str], **more: Any) -> str:
    jobs = {name: {"input": {"prompt": prompt}} for name, prompt in prompts.items()}
    defaults = {"model": MODEL, "input": {"image_url": IMAGE}, **more.pop("defaults", {})}
    text = {"version": 1, "campaign": "c", **more, "defaults": defaults, "jobs": jobs}
    return json.dumps(text, indent=1)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A job file with a template and variables, committed; `base` is a tag."""
    made = Origin(tmp_path, "http://127.0.0.1:9").clone("mine")
    folder = made.folder / "jobfiles"
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts" / "look.j2").write_text(f"{{{{ vars.brand }}}}: {LOOK}")
    (folder / "vars.yaml").write_text("brand: Borealis\n")
    write(made, {"a": "{% include 'prompts/look.j2' %}", "b": "b"})
    made.keep("job files")
    made.git("tag", "base")
    return made


def write(clone: Clone, prompts: dict[str, str], **more: Any) -> None:
    text = job_file(prompts, vars={"brand": "Aurora"}, **more)
    (clone.folder / "jobfiles" / "tea.yaml").write_text(text)


def diff(clone: Clone, *words: str, since: str = "base") -> Ran:
    return clone.do("render", "jobfiles/tea.yaml", "--diff", since, *words)


def document(clone: Clone, *words: str, since: str = "base") -> dict[str, Any]:
    ran = diff(clone, "--format", "json", *words, since=since)
    assert ran.code == 0, ran.err
    schema = json.loads((SCHEMAS / "documents" / "render-diff.schema.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(ran.json)) == []
    found: dict[str, Any] = ran.json
    return found


def edits(clone: Clone, *words: str, since: str = "base") -> dict[str, str]:
    found = document(clone, *words, since=since)["edits"]
    return {edit["address"]: edit["edit"] for edit in found}


def test_nothing_that_differs_is_nothing_to_tell(clone: Clone) -> None:
    ran = diff(clone)
    commit = clone.git("rev-parse", "base")[:12]
    assert ran.out == f"c: 2 unchanged since base ({commit})\n"
    assert (ran.code, ran.err) == (0, "")


def test_an_edit_of_a_template_is_told_word_by_word(clone: Clone) -> None:
    look = clone.folder / "jobfiles" / "prompts" / "look.j2"
    look.write_text(look.read_text().replace("one lamp", "two lamps").replace("single", "loud"))
    assert "[-one lamp-]{+two lamps+}, deep" in diff(clone).out
    assert "[-single -]{+loud +}word" in diff(clone).out
    found = document(clone)
    assert found["totals"]["changed"] == found["totals"]["unchanged"] == 1
    (edit,) = found["edits"]
    assert [line["field"] for line in edit["fields"]] == ["prompt"]
    assert edit["fields"][0]["was"] == f"Aurora: {LOOK}"
    assert edit["fingerprint"]["was"] != edit["fingerprint"]["now"]


def test_each_kind_of_edit_is_known(clone: Clone) -> None:
    write(clone, {"a": "{% include 'prompts/look.j2' %}!", "new": "n", "renamed": "b"})
    found = document(clone)
    kinds = {edit["address"]: edit["edit"] for edit in found["edits"]}
    assert kinds == {"c/a": "changed", "c/new": "added", "c/renamed": "moved"}
    assert [edit["moved_from"] for edit in found["edits"]] == [None, None, "c/b"]
    write(clone, {"a": "{% include 'prompts/look.j2' %}"})
    assert edits(clone) == {"c/b": "gone"}


def test_another_request_may_take_an_address_over(clone: Clone) -> None:
    """Only an address that nothing has any more is one that a request moved from."""
    write(clone, {"b": "{% include 'prompts/look.j2' %}", "c": "b"})
    assert edits(clone) == {"c/b": "changed", "c/c": "added", "c/a": "gone"}


def test_short_values_are_told_as_they_were_and_are(clone: Clone) -> None:
    write(clone, {"a": "{% include 'prompts/look.j2' %}", "b": "bb"}, defaults={"takes": 2})
    ran = diff(clone)
    assert 'prompt: "b" -> "bb"' in ran.out
    assert edits(clone) == {"c/a#2": "added", "c/b": "changed", "c/b#2": "added"}


def test_the_same_edit_of_many_jobs_is_told_once(clone: Clone) -> None:
    scenes = {f"s{number}": f"{number} times: {LOOK}" for number in range(12)}
    write(clone, scenes)
    clone.keep("scenes")
    write(clone, {name: text.replace("lamp", "candle") for name, text in scenes.items()})
    ran = diff(clone, since="HEAD")
    assert ran.out.count("[-lamp-]{+candle+}") == 1
    assert "  ±  … and 6 more, in the same words" in ran.out
    assert "c: 12 changed since HEAD" in ran.out


def test_the_same_edit_of_many_short_texts_is_told_once(clone: Clone) -> None:
    scenes = {f"s{number}": f"Scene {number} by a lamp" for number in range(12)}
    write(clone, scenes)
    clone.keep("scenes")
    write(clone, {name: text.replace("lamp", "candle") for name, text in scenes.items()})
    ran = diff(clone, since="HEAD")
    assert ran.out.count("prompt: ") == 1
    assert "prompt: Scene 0 by a [-lamp-]{+candle+}\n" in ran.out


def test_a_short_text_without_a_common_word_is_told_whole_for_many(clone: Clone) -> None:
    write(clone, {"x": "calm"}, defaults={"takes": 2})
    clone.keep("calm")
    write(clone, {"x": "wild"}, defaults={"takes": 2})
    assert 'prompt: "calm" -> "wild"\n' in diff(clone, since="HEAD").out


def test_a_selection_narrows_both_sides(clone: Clone) -> None:
    write(clone, {"a": "other", "new": "n"})
    assert edits(clone, "--select", "job:a") == {"c/a": "changed"}
    assert edits(clone, "--select", "job:new", "--select", "job:b") == {
        "c/new": "added",
        "c/b": "gone",
    }


def test_a_callback_url_is_part_of_what_is_sent_and_buys_nothing(clone: Clone) -> None:
    prompts = {"a": "{% include 'prompts/look.j2' %}", "b": "b"}
    write(clone, prompts, defaults={"callBackUrl": "https://hooks.example.com/x"})
    (first, _) = document(clone)["edits"]
    assert [line["field"] for line in first["fields"]] == ["callBackUrl"]
    assert first["fingerprint"]["was"] == first["fingerprint"]["now"]


def test_variables_are_read_as_they_were(clone: Clone) -> None:
    words = ("--vars-file", "jobfiles/vars.yaml")
    assert edits(clone, *words) == {}
    (clone.folder / "jobfiles" / "vars.yaml").write_text("brand: Cirrus\n")
    assert edits(clone, *words) == {"c/a": "changed"}
    assert edits(clone, *words, "--var", "brand=Dusk") == {}
    (clone.folder / "new.yaml").write_text("brand: Eos\n")
    found = document(clone, "--vars-file", "new.yaml")
    assert found["edits"][0]["fields"][0]["was"].startswith("Aurora")
    elsewhere = clone.folder.parent / "else.yaml"
    elsewhere.write_text("brand: Fall\n")
    assert edits(clone, "--vars-file", str(elsewhere)) == {}


def test_a_local_image_is_read_as_it_was(clone: Clone) -> None:
    image = clone.folder / "jobfiles" / "cup.png"
    picture = (SCHEMAS.parent / "tests/examples/valid/images/cup.png").read_bytes()
    image.write_bytes(picture)
    write(clone, {"a": "a"}, defaults={"input": {"image_url": "./cup.png"}})
    clone.keep("an image")
    assert edits(clone, since="HEAD") == {}
    image.write_bytes(picture + b"\0")
    ran = diff(clone, since="HEAD")
    assert ran.code == 0, ran.err
    assert 'image_url: "cup.png (sha256:' in ran.out


# --- revisions -------------------------------------------------------------------------------------


def test_a_revision_is_taken_as_it_is_and_with_dots_where_it_parted(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "-b", "theirs")
    write(clone, {"a": "{% include 'prompts/look.j2' %}", "b": "theirs"})
    clone.keep("their edit")
    clone.git("checkout", "--quiet", "main")
    write(clone, {"a": "mine", "b": "b"})
    clone.keep("my edit")
    assert edits(clone, since="theirs") == {"c/a": "changed", "c/b": "changed"}
    assert edits(clone, since="theirs...") == {"c/a": "changed"}
    assert edits(clone, since="HEAD") == {}


@pytest.mark.parametrize(
    "revision",
    [
        "--upload-pack=touch pwned",
        "-x",
        "",
        "...",
        "nowhere",
        "base:jobfiles",
        "base\nx",
        "base; ls",
    ],
)
def test_a_word_that_is_no_revision_is_refused(clone: Clone, revision: str) -> None:
    ran = clone.do("render", "jobfiles/tea.yaml", f"--diff={revision}")
    assert ran.code == 2
    assert "git knows no commit" in ran.err
    assert ran.out == ""
    assert not (clone.folder / "pwned").exists()


def test_outside_of_a_repository_there_is_nothing_to_compare(tmp_path: Path) -> None:
    alone = Clone(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "tea.yaml").write_text(job_file({"a": "a"}))
    ran = alone.do("render", "tea.yaml", "--diff", "HEAD")
    assert ran.code == 2
    assert "is not in a git repository" in ran.err


def test_where_there_was_no_file_every_job_is_added(clone: Clone) -> None:
    (clone.folder / "jobfiles" / "new.yaml").write_text(job_file({"a": "a"}))
    ran = clone.do("render", "jobfiles/new.yaml", "--diff", "base")
    assert ran.code == 0
    assert "  +  c/a" in ran.out
    assert "There was no such job file then." in ran.out


def test_a_file_below_the_top_and_one_called_from_elsewhere_are_the_same(clone: Clone) -> None:
    write(clone, {"a": "other", "b": "b"})
    inside = Clone(clone.folder / "jobfiles", clone.url)
    assert inside.do("render", "tea.yaml", "--diff", "base").out == diff(clone).out
    outside = Clone(clone.folder.parent, clone.url)
    assert outside.do("render", "mine/jobfiles/tea.yaml", "--diff", "base").out == diff(clone).out


# --- a file that was not valid ---------------------------------------------------------------------


def test_jobs_that_could_not_be_rendered_are_unclear_and_the_others_are_told(clone: Clone) -> None:
    write(clone, {"a": "{{ vars.brnd }}", "b": "b", "c": "c"})
    clone.keep("broken")
    write(clone, {"a": "{{ vars.brand }}", "b": "bb", "c": "c"})
    ran = diff(clone, since="HEAD")
    assert ran.code == 0
    assert "error[template] HEAD:jobfiles/tea.yaml:" in ran.err
    assert "`vars.brnd` is not defined" in ran.err
    assert "kiejobs-" not in ran.err
    assert "It was not valid then: 1 problem." in ran.out
    found = document(clone, since="HEAD")
    kinds = {edit["address"]: edit["edit"] for edit in found["edits"]}
    assert kinds == {"c/a": "unclear", "c/b": "changed"}
    assert found["problems"][0]["file"] == "HEAD:jobfiles/tea.yaml"


def test_jobs_of_a_matrix_that_made_no_sense_are_unclear(clone: Clone) -> None:
    write(clone, {"a": "a"}, defaults={"matrix": {"duration": [5, 5]}})
    clone.keep("broken")
    write(clone, {"a": "a"}, defaults={"matrix": {"duration": [5, 10]}})
    assert set(edits(clone, since="HEAD").values()) == {"unclear"}


@pytest.mark.parametrize("text", ["jobs: [", "- a\n", "version: 1\n", ""])
def test_of_a_file_that_was_no_job_file_nothing_is_told(clone: Clone, text: str) -> None:
    (clone.folder / "jobfiles" / "tea.yaml").write_text(text)
    clone.keep("no job file")
    write(clone, {"a": "a"})
    assert edits(clone, since="HEAD") == {"c/a": "unclear"}


def test_a_file_that_is_not_valid_now_is_refused_as_ever(clone: Clone) -> None:
    write(clone, {"a": "{{ vars.brnd }}"})
    ran = diff(clone)
    assert (ran.code, ran.out) == (2, "")
    assert "error[template] jobfiles/tea.yaml" in ran.err


# --- what strangers put there ----------------------------------------------------------------------


def test_links_of_an_old_tree_lead_nowhere_else(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    folder = clone.folder / "jobfiles"
    links = {"out.j2": "../../secret.txt", "abs.j2": str(tmp_path / "secret.txt"), "in.j2": "t.j2"}
    (folder / "t.j2").write_text("inside")
    for name, to in links.items():
        (folder / name).symlink_to(to)
    (folder / ".hidden.j2").write_text("hidden")
    write(clone, {name[:-3]: f"{name} {{% include '{name}' ignore missing %}}" for name in links})
    clone.keep("links")
    for name in links:
        (folder / name).unlink()
        (folder / name).write_text("now")
    found = {edit["address"]: edit for edit in document(clone, since="HEAD")["edits"]}
    was = {name: edit["fields"][0]["was"] for name, edit in found.items()}
    assert was == {"c/out": "out.j2 ", "c/abs": "abs.j2 ", "c/in": "in.j2 inside"}


def test_no_filter_and_no_hook_of_the_repository_is_run(clone: Clone) -> None:
    clone.git("config", "filter.evil.smudge", "touch pwned; cat")
    clone.git("config", "diff.evil.textconv", "touch pwned; cat")
    clone.git("config", "core.fsmonitor", "touch pwned")
    (clone.folder / ".gitattributes").write_text("* filter=evil diff=evil\n")
    clone.keep("attributes")
    (clone.folder / "pwned").unlink(missing_ok=True)
    write(clone, {"a": "other", "b": "b"})
    assert edits(clone, since="HEAD") == {"c/a": "changed"}
    assert not (clone.folder / "pwned").exists()


def test_nothing_is_left_behind_and_nothing_in_the_repository_changes(clone: Clone, tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    write(clone, {"a": "other", "b": "b"})
    before = clone.git("status", "--porcelain")
    ran = clone.do("render", "jobfiles/tea.yaml", "--diff", "base", TMPDIR=str(room))
    assert ran.code == 0
    assert list(room.iterdir()) == []
    assert clone.git("status", "--porcelain") == before


def test_too_many_files_beside_the_job_file_are_refused(clone: Clone) -> None:
    blob = clone.git("hash-object", "-w", "jobfiles/vars.yaml")
    tree = "".join(f"100644 blob {blob}\tf{number}\n" for number in range(20_001))
    commit = clone.git("commit-tree", "-m", "many", _tree(clone, tree))
    ran = clone.do("render", "jobfiles/tea.yaml", "--diff", commit)
    assert ran.code == 0  # none of them lies beside it
    (clone.folder / "tea.yaml").write_text(job_file({"a": "a"}))
    ran = clone.do("render", "tea.yaml", "--diff", commit)
    assert ran.code == 2
    assert "20,001 files" in ran.err


def test_what_is_shown_steers_no_terminal_and_no_comment(clone: Clone) -> None:
    nasty = "\u202e ::error::x @everyone [x](https://example.com) ```\n::set-output\n"
    write(clone, {"a": "a" * 60, "b": "b"})
    clone.keep("before")
    write(clone, {"a": "a" * 60 + nasty, "b": "b"})
    for form in ("text", "json", "markdown"):
        ran = diff(clone, "--format", form, since="HEAD")
        assert ran.code == 0
        assert "\u202e" not in ran.out
        assert not any(line.lstrip().startswith("::") for line in ran.out.splitlines())


def test_what_an_earlier_commit_held_steers_no_terminal_and_no_ci_log_either(clone: Clone) -> None:
    """ESC is refused today, and quoted where it was bought then; so are a job's name and a commit's words."""
    nasty = "\x1b[31m red\n::error::x\n##[group]y"
    write(clone, {"a": nasty, "b": "b"})
    clone.git("add", "-A")
    clone.git("commit", "-qm", f"words {nasty}")
    write(clone, {"a": "plain", "b": "\n::add-mask::b"})
    for form in ("text", "json", "markdown"):
        ran = diff(clone, "--format", form, since="HEAD")
        said = ran.out + ran.err
        assert "\x1b" not in said
        assert "##[" not in said
        assert not any(line.lstrip().startswith("::") for line in said.splitlines())


# --- formats ---------------------------------------------------------------------------------------


def test_files_are_written_beside_what_is_shown(clone: Clone) -> None:
    write(clone, {"a": "other", "new": "b"})
    ran = diff(clone, "-o", "d.md", "-o", "d.json", "-o", "d.txt")
    folder = clone.folder
    assert (folder / "d.txt").read_text() == ran.out
    assert (folder / "d.md").read_text() == diff(clone, "--format", "markdown").out
    assert json.loads((folder / "d.json").read_text()) == document(clone)
    comment = (folder / "d.md").read_text()
    assert comment.startswith("<!-- kiejobs render: c jobfiles/tea.yaml -->\n### kiejobs render: `c`\n")
    assert "- prompt: " in comment
    assert "| > | `c/new` | moved<br>from `c/b` |" in comment


def test_files_go_with_a_diff_only(clone: Clone) -> None:
    ran = clone.do("render", "jobfiles/tea.yaml", "-o", "x.json")
    assert ran.code == 2
    assert "--out goes with --diff" in ran.err


def test_a_comment_of_a_thousand_edits_fits(clone: Clone) -> None:
    many = {f"s{number}": f"{number} {number * 7919} {LOOK} " * 8 for number in range(900)}
    write(clone, many)
    clone.keep("many")
    write(clone, {name: f"{text} {name * 3}" for name, text in many.items()})
    ran = diff(clone, "--format", "markdown", since="HEAD")
    assert len(ran.out) < 65_536
    assert "left out: too long for a comment" in ran.out


def _tree(clone: Clone, listing: str) -> str:
    done = subprocess.run(
        ["git", "mktree"],
        cwd=clone.folder,
        input=listing,
        env=clone.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
