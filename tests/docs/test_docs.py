"""What is on paper, held to what is true: pages run, links lead somewhere, generated parts are fresh."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from kiejobs.adapters.project.models import read_price_file
from kiejobs.adapters.project.root import PROJECT_FILE
from kiejobs.adapters.sandbox import required_faults
from kiejobs.app.load import load
from kiejobs.app.options import JobFileOptions
from kiejobs.app.project import policy_at
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile
from kiejobs.core.document.nodes import Source, plain_json
from kiejobs.core.document.reader import read_document
from kiejobs.core.models.spec import read_spec
from kiejobs.core.prices import table as prices
from tests.docs import drawings, terminal_picture
from tests.docs.pages import LANGUAGES, ROOT, Block, Page, pages
from tests.docs.reference import cli, diagnostics, outcomes
from tests.docs.regenerate import SCHEMAS
from tests.docs.regenerate_docs import REGIONS, regenerated
from tests.docs.sessions import Ids, Session, commands
from tests.support.pictures import picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = {page.name: page for page in pages()}
TELLING = [page for page in PAGES.values() if any(b.language == "console" for b in page.snippets)]
REGENERATE = "run `nox -s regenerate`, or `python tests/docs/regenerate_docs.py`"
UPDATE = "see `python tests/docs/update_docs.py`"

_PICTURE = re.compile(r"\bimages/[\w-]+\.png\b")
"""A local file of a job file: each is drawn, no two alike."""
_OUR_FILE = re.compile(r"`(?:python )?((?:kiejobs|tests|schemas/documents)/[a-z_/0-9.]+)(?: \[PAGE…\])?`")
"""A path without a name to fill in, such as `CODE.yaml`."""

BASE = {
    "version": 1,
    "campaign": "tea",
    "jobs": {
        "pour": {
            "model": "bytedance/v1-pro-fast-image-to-video",
            "input": {"image_url": "https://example.com/teapot.webp", "prompt": "Tea is poured"},
        }
    },
}


def each(language: str) -> list[Any]:
    """The hand-written blocks of one language, as parameters named by page and line."""
    return [
        pytest.param(page, block, id=f"{page.name}:{block.first}")
        for page in PAGES.values()
        for block in page.snippets
        if block.language == language
    ]


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", TELLING, ids=lambda page: page.name)
def test_the_commands_of_a_page_print_what_the_page_shows(page: Page, tmp_path: Path) -> None:
    told = list(Session(tmp_path, page).follow())
    for tell in told:
        where = f"{page.name}:{tell.command.line}: $ {tell.command.text}"
        printed = "\n".join(tell.lines)
        assert tell.fits, f"{where}\nprints\n{printed}\n({UPDATE})"
    for tell, then in zip(told, [*told[1:], None], strict=True):
        asked = then is not None and then.command.text == "echo $?"
        where = f"{page.name}:{tell.command.line}"
        assert tell.code == 0 or asked, f"{where}: fails; show it with `echo $?`"


def test_a_page_that_shows_something_else_would_be_noticed() -> None:
    short, long = "run 20260101T000000Z-abcdef", "run 20261122T084452123Z-6bf52e"
    assert Ids().fit((short, "..."), (long, "x"))
    assert Ids().fit((long,), (short,))
    assert not Ids().fit(("3 jobs: 3 succeeded",), ("3 jobs: 2 succeeded, 1 failed",))
    assert not Ids().fit((), ("something",))
    assert not Ids().fit(("something",), ())


def test_an_id_of_a_page_means_the_same_real_one_all_along() -> None:
    ids, page, real, other = Ids(), "a" * 32, "b" * 32, "c" * 32
    assert not ids.fit((page, page), (real, other))
    assert ids.fit((page, page), (real, real))
    assert not ids.fit((page,), (other,))
    assert ids.in_command(f"resolve --task {page}") == f"resolve --task {real}"
    assert ids.in_page(real) == page


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_block_says_what_it_is_for(page: Page) -> None:
    unknown = [b.first for b in page.blocks if b.language not in LANGUAGES]
    assert unknown == []
    for block in page.snippets:
        if block.language == "console":
            assert commands(block), f"{page.name}:{block.first} has no command"


@pytest.mark.parametrize(("page", "block"), each("yaml"))
def test_a_yaml_block_is_what_it_says(page: Page, block: Block, tmp_path: Path) -> None:
    for other in page.snippets:
        if other.language in {"jinja", "csv"} and other.file is not None:
            (tmp_path / other.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / other.file).write_text(other.text, encoding="utf-8")
    for height, path in enumerate(sorted({*_PICTURE.findall(block.text)}), start=1):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(picture(size=(4, height)))
    file = tmp_path / "snippet.yaml"
    file.write_text(block.text, encoding="utf-8")
    if block.file == PROJECT_FILE:
        assert policy_at(str(file)).file == str(file)
        return
    if (block.file or "").endswith(prices.FILE):
        assert not read_price_file(str(file), None).problems
        return
    if block.words[:1] == ("fragment",):
        file.write_text(json.dumps(laid_over(BASE, values(block))), encoding="utf-8")
    if "faults" in (block.file or ""):
        assert required_faults(str(file)).rules
        assert not list(Draft202012Validator(faults_schema()).iter_errors(values(block)))
    elif "invalid" in block.words:
        with pytest.raises(InvalidJobFile) as refused:
            load(JobFileOptions(file=str(file)))
        codes = [word for word in block.words if word not in {"invalid", block.file}]
        assert [problem.code for problem in refused.value.problems] == codes
    elif ".github" in (block.file or ""):
        assert set(yaml.safe_load(block.text)) >= {"name", "jobs"}
    else:
        assert len(load(JobFileOptions(file=str(file))).expansion.jobs) > 0


@pytest.mark.parametrize(("page", "block"), each("json"))
def test_a_json_block_parses(page: Page, block: Block) -> None:
    del page
    value = json.loads(block.text)
    if block.file is not None and block.file.startswith("schemas/models/"):
        spec = read_spec(value)
        assert f"schemas/models/{spec.model}.json" == block.file
        Draft202012Validator.check_schema(value)


@pytest.mark.parametrize(("page", "block"), each("python"))
def test_a_python_block_is_python_and_its_page_is_run(page: Page, block: Block) -> None:
    ast.parse(block.text)
    assert page in TELLING


def values(block: Block) -> Any:
    document, problems = read_document(Source("block", block.text.encode()))
    assert document is not None, problems
    return plain_json(document.root)


def faults_schema() -> Any:
    return json.loads((SCHEMAS / "faults.schema.json").read_text(encoding="utf-8"))


def laid_over(base: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A whole job file with the fragment in it: at the top, or in its job."""
    top = json.loads((SCHEMAS / "jobfile.schema.json").read_text(encoding="utf-8"))["properties"]
    if set(part) <= set(top):
        return {**base, **part}
    return {**base, "jobs": {"pour": {**base["jobs"]["pour"], **part}}}


# --- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", drawings.DRAWINGS)
def test_a_drawing_shows_what_the_program_says(name: str) -> None:
    stale = f"docs/explanation/{name} is stale: run `python tests/docs/drawings.py`"
    assert (drawings.FOLDER / name).read_text(encoding="utf-8") == drawings.DRAWINGS[name](), stale


def test_the_picture_of_a_terminal_shows_the_plan_as_it_is(tmp_path: Path) -> None:
    """Its times and ids are another run's; the plan is the same until the example or the table of prices changes."""
    shutil.copytree(ROOT / "jobfiles", tmp_path / "jobfiles")
    words = [sys.executable, "-P", "-m", "kiejobs", "plan", "jobfiles/espresso.yaml", "--sandbox"]
    plan = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    shown = terminal_picture.lines_of(terminal_picture.PICTURE.read_text(encoding="utf-8"))
    stale = "docs/terminal.svg is stale: run `python tests/docs/terminal_picture.py`"
    lines = [line for line in plan.splitlines() if line and not line.startswith("prices:")]
    assert [line for line in lines if line not in shown] == [], stale
    assert any(re.fullmatch(r"█+░+ [1-7]/8  \d:\d\d, about \d+ s left", line) for line in shown)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_links_lead_somewhere(page: Page) -> None:
    assert list(broken(page)) == []


def broken(page: Page) -> Iterator[str]:
    for line, target in page.links:
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        path = (page.path.parent / file).resolve() if file else page.path
        if not path.exists():
            yield f"{page.name}:{line}: no {target}"
        elif anchor and anchor not in anchors(path):
            yield f"{page.name}:{line}: no heading for {target}"


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_our_files_that_a_page_names_are_there(page: Page) -> None:
    named = {name for _, line in page.prose for name in _OUR_FILE.findall(line)}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def anchors(path: Path) -> set[str]:
    """The anchors of another page, those of its generated part included."""
    return Page(path).anchors


def test_every_page_can_be_reached_from_the_readme() -> None:
    known, new = set(), {ROOT / "README.md"}
    while new:
        known |= new
        linked = {
            (path.parent / target.partition("#")[0]).resolve()
            for path in new
            for _, target in Page(path).links
            if not target.startswith(("https://", "#"))
        }
        new = {path for path in linked if path.suffix == ".md"} - known
    # The index is where a reader of docs/ begins; nothing needs to lead there.
    assert {page.path for page in PAGES.values()} - known <= {ROOT / "docs" / "index.md"}


# --- what is generated -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_generated_parts_are_fresh(page: Page) -> None:
    assert regenerated(page) == page.text, f"{page.name} is stale: {REGENERATE}"


def test_the_page_that_help_prints_is_what_click_would_say() -> None:
    """On a narrower screen click says it itself."""
    shown = [
        subprocess.run(
            [sys.executable, "-P", "-m", "kiejobs", flag],
            env={**os.environ, "COLUMNS": columns},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for flag, columns in (("--help", "80"), ("-h", "200"), ("--help", "60"))
    ]
    assert shown == [cli.help_page(80), cli.help_page(80), cli.help_page(60)], REGENERATE


def test_every_generated_part_is_on_some_page() -> None:
    shown = {name for name in REGIONS for page in PAGES.values() if f": {name} -->" in page.text}
    assert shown == set(REGIONS)


def test_every_diagnostic_code_is_explained_and_none_is_made_up() -> None:
    used, told = diagnostics.used_codes(), set(diagnostics.MEANINGS)
    where = "schemas/diagnostics.json"
    assert used - told == set(), f"say in {where} what these codes mean, then {REGENERATE}"
    assert told - used == set(), f"nothing gives these codes any more; take them out of {where}"


@pytest.mark.parametrize("code", sorted(set(diagnostics.MEANINGS) - set(diagnostics.WITHOUT_EXAMPLE)))
def test_the_example_of_a_code_provokes_it_and_no_other(code: str) -> None:
    problems = diagnostics.problems_of(code)
    assert {problem.code for problem in problems} == {code}


def test_every_exit_code_is_explained() -> None:
    assert set(outcomes.EXIT_CODES) == set(ExitCode)


# --- setting up ------------------------------------------------------------------------------------


def test_the_readme_sets_up_by_the_very_commands_that_ci_runs() -> None:
    setup = [block for block in PAGES["README.md"].snippets if block.words == ("setup",)]
    lines = [line for block in setup for line in block.lines]
    assert len(lines) == 2
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in ci if line in lines] == lines


def test_pages_name_no_place_but_public_ones() -> None:
    for page in PAGES.values():
        for word in (str(ROOT), "/tmp/", "/root/", "/home/"):
            assert word not in page.text, f"{page.name} names {word}"
