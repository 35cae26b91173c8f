"""How kiejobs reaches people: the wheel in an environment of its own, release workflow, container, manual page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

import kiejobs
from tests.docs import llms, man_page, schemastore

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
WORKFLOWS = ROOT / ".github" / "workflows"
RELEASE = WORKFLOWS / "release.yml"
CONTAINER = (ROOT / "Containerfile").read_text(encoding="utf-8")
PINNED = re.compile(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def run(*words: str | Path, folder: Path) -> str:
    done = subprocess.run([*map(str, words)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with our wheel; what it depends on is this one's."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "rehearsal", "runs"))
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=source)
    (wheel,) = folder.glob("*.whl")
    fresh = folder / "fresh"
    run(sys.executable, "-m", "venv", fresh, folder=folder)
    python = fresh / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, folder=folder)
    (site,) = fresh.glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return fresh


def test_the_wheel_rehearses_on_its_own(installed: Path, tmp_path: Path) -> None:
    """What `uvx kiejobs` and `pipx run kiejobs` start is this console script, in such an environment."""
    program = installed / "bin" / "kiejobs"
    assert run(program, "--version", folder=tmp_path) == f"kiejobs, version {kiejobs.__version__}\n"
    run(program, "init", ".", folder=tmp_path)
    (first,) = (tmp_path / "jobfiles").glob("*.yaml")
    run(program, "run", first, "--sandbox", "--speed", "1000", folder=tmp_path)
    assert list(tmp_path.glob("rehearsal/outputs/**/*.mp4"))


def test_the_wheel_brings_its_schemas_and_its_manual_page(installed: Path) -> None:
    assert (installed / "share" / "man" / "man1" / "kiejobs.1").read_text() == man_page.man_page()
    (package,) = installed.glob("lib/python3*/site-packages/kiejobs")
    assert (package / "schemas" / "jobfile.schema.json").is_file()
    assert not list(package.parent.glob("tests"))


# --- the release and the site --------------------------------------------------------------------------------------


def test_actionlint_finds_nothing_in_our_workflows(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "release.yml"
    shutil.copytree(WORKFLOWS, workflow.parent)
    run("git", "init", "--quiet", ".", folder=tmp_path)
    run(PROGRAMS / "actionlint", "-no-color", "-shellcheck", PROGRAMS / "shellcheck", folder=tmp_path)
    workflow.write_text(workflow.read_text().replace("needs: test", "needs: tests"))
    slip = subprocess.run(
        [PROGRAMS / "actionlint"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "tests" in slip.stdout


def test_what_the_release_uses_is_pinned_and_may_do_nothing_but_its_work() -> None:
    jobs = jobs_of("release.yml")
    assert writes(jobs) == {
        "build": [],
        "test": [],
        "attest": ["id-token", "attestations"],
        "publish": ["id-token"],
    }
    assert [jobs[name].get("needs") for name in jobs] == [None, "build", "test", "attest"]
    assert all("run" not in step for name in ("attest", "publish") for step in jobs[name]["steps"])


def test_what_publishes_the_site_may_do_nothing_else() -> None:
    assert writes(jobs_of("docs.yml")) == {"build": [], "deploy": ["pages", "id-token"]}


def jobs_of(name: str) -> dict[str, Any]:
    """All that they use is pinned, and nothing is allowed but what each job says."""
    text = (WORKFLOWS / name).read_text(encoding="utf-8")
    used = [line.strip(" -") for line in text.splitlines() if "uses:" in line]
    assert used
    assert all(PINNED.fullmatch(line) for line in used)
    assert "secrets." not in text
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    jobs: dict[str, Any] = workflow["jobs"]
    return jobs


def writes(jobs: dict[str, Any]) -> dict[str, list[str]]:
    return {name: [k for k, v in job["permissions"].items() if v == "write"] for name, job in jobs.items()}


def test_the_release_is_tested_on_every_python_that_we_say_it_works_with() -> None:
    tested = yaml.safe_load(RELEASE.read_text(encoding="utf-8"))["jobs"]["test"]["strategy"]["matrix"]
    said = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text("utf-8")
    )
    assert tested["python-version"] == said


# --- the container ---------------------------------------------------------------------------------------


def test_the_container_runs_as_nobody_special_and_takes_no_secret() -> None:
    steps = re.findall(r"(?m)^([A-Z]+) (.*)$", CONTAINER.replace("\\\n", " "))
    assert [words for name, words in steps if name == "USER"] == ["kiejobs"]
    names = [name for name, _ in steps]
    assert "RUN" not in names[names.index("USER") :]
    assert dict(steps)["ENTRYPOINT"] == '["kiejobs"]'
    given = " ".join(words for name, words in steps if name in {"ARG", "ENV"})
    assert not re.search(r"(?i)key|token|secret|password", given)


def test_what_the_container_copies_is_there_and_is_what_the_wheel_is_made_of(tmp_path: Path) -> None:
    copied = [
        words.split()[:-1]
        for words in re.findall(r"(?m)^COPY (.*)$", CONTAINER)
        if not words.startswith("--")
    ]
    source = tmp_path / "source"
    source.mkdir()
    for name in (name for words in copied for name in words):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
        assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, folder=source)
    assert list(tmp_path.glob("*.whl"))


# --- what is generated -----------------------------------------------------------------------------------


def test_the_manual_page_is_what_the_help_says() -> None:
    assert man_page.PAGE.read_text(encoding="utf-8") == man_page.man_page(), "tests/docs/man_page.py"


def test_the_manual_page_can_be_read(tmp_path: Path) -> None:
    program = shutil.which("mandoc") or shutil.which("man")
    if program is None:
        pytest.skip("neither mandoc nor man is installed here")
    words = ["-T", "utf8", "-W", "warning"] if Path(program).name == "mandoc" else ["--warnings", "-l"]
    text = re.sub(r".\x08", "", run(program, *words, man_page.PAGE, folder=tmp_path))
    for said in ("KIEJOBS(1)", "kiejobs models import", "--files-elsewhere", "EXIT STATUS"):
        assert said in text.replace("\u2010", "-")


def test_llms_txt_is_what_the_index_says_and_its_links_lead_somewhere() -> None:
    text = llms.PAGE.read_text(encoding="utf-8")
    assert text == llms.llms(), "tests/docs/llms.py"
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 30
    assert all((ROOT / link).is_file() for link in links)


def test_what_schemastore_takes_accepts_our_job_files() -> None:
    files = schemastore.files()
    schema = json.loads(files["src/schemas/json/kiejobs.json"])
    checks = validator_for(schema)(schema)
    examples = [text for path, text in files.items() if path.startswith("src/test/kiejobs/")]
    assert examples
    for text in examples:
        checks.validate(yaml.safe_load(text))
    for entry in json.loads(files["catalog-entries.json"]):
        assert set(entry) == {"name", "description", "fileMatch", "url"}
        name = str(entry["url"]).rpartition("/")[2]
        assert json.loads(files[f"src/schemas/json/{name}"])["$id"] == entry["url"]
