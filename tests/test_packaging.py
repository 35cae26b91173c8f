"""What is handed out: the package, its schemas, its door."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points, files, metadata
from pathlib import Path

import pytest

import kiejobs
from kiejobs.adapters.project.files import model_names, read_schema, schema_folder

REPOSITORY = Path(__file__).parent.parent
HEAVY = {"httpx", "jinja2", "jsonschema", "rich", "yaml", "anyio"}


def test_the_tests_run_against_the_wheel_where_they_were_told_to() -> None:
    from_source = Path(kiejobs.__file__).is_relative_to(REPOSITORY / "kiejobs")
    assert from_source == (os.environ.get("KIEJOBS_TESTS_WHEEL") is None)


def test_the_schemas_come_along_with_the_package() -> None:
    there = {path.relative_to(schema_folder()) for path in schema_folder().rglob("*.json")}
    ours = REPOSITORY / "schemas"
    assert there == {path.relative_to(ours) for path in ours.rglob("*.json")}
    if os.environ.get("KIEJOBS_TESTS_WHEEL") is not None:
        assert schema_folder().parent == Path(kiejobs.__file__).parent
    for model in model_names():
        assert read_schema(f"models/{model}.json")["type"] == "object"


def test_the_samples_of_the_sandbox_come_along_too() -> None:
    folder = Path("sandbox", "samples")
    there = sorted((Path(kiejobs.__file__).parent / folder).glob("sample.*"))
    ours = sorted((REPOSITORY / "kiejobs" / folder).glob("sample.*"))
    assert [path.name for path in there] == [path.name for path in ours]
    assert [path.read_bytes() for path in there] == [path.read_bytes() for path in ours]
    assert len(there) == 6


def test_nothing_but_the_package_is_installed() -> None:
    installed = {path.parts[0] for path in files("kiejobs") or ()}
    assert not {"benchmarks", "tests", "docs"} & installed


def test_it_says_that_it_is_typed() -> None:
    assert (Path(kiejobs.__file__).parent / "py.typed").is_file()


def test_the_metadata_says_version_licence_and_python() -> None:
    found = metadata("kiejobs")
    assert found["Version"] == kiejobs.__version__
    assert found["License-Expression"] == "MIT"
    assert found["Requires-Python"] == ">=3.11"
    assert {"media", "serve"} <= set(found.get_all("Provides-Extra") or ())


def test_the_console_script_is_the_door() -> None:
    scripts = [entry for entry in entry_points(group="console_scripts") if entry.name == "kiejobs"]
    assert [entry.value for entry in scripts] == ["kiejobs.__main__:main"]


@pytest.mark.parametrize(("words", "needs_click"), [(["--help"], False), (["plan", "--help"], True)])
def test_help_imports_nothing_heavy(words: list[str], *, needs_click: bool) -> None:
    loaded = _loaded_by(words, Path.cwd())
    assert ("click" in loaded) is needs_click
    assert not HEAVY & loaded


@pytest.mark.parametrize(
    ("line", "heavy"),
    [("kiejobs pl", HEAVY), ("kiejobs run --fi", HEAVY), ("kiejobs models show k", HEAVY - {"yaml"})],
)
def test_a_tab_imports_only_what_it_offers(
    line: str, heavy: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_KIEJOBS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", line)
    assert not heavy & _loaded_by([], Path.cwd())


@pytest.mark.parametrize("verb", ["status", "report", "manifest show", "manifest verify", "collect"])
def test_verbs_of_the_ledger_import_nothing_that_reads_job_files(verb: str, tmp_path: Path) -> None:
    loaded = _loaded_by(verb.split(), tmp_path)
    rooms = {".".join(name.split(".")[:3]) for name in loaded if name.startswith("kiejobs.core.")}
    assert "kiejobs.core.ledger" in rooms
    assert not {f"kiejobs.core.{room}" for room in ("expand", "matrix", "table", "template")} & rooms
    assert not {"jinja2", "jsonschema", "yaml"} & loaded


def test_status_in_an_empty_folder_imports_what_it_shows(tmp_path: Path) -> None:
    """It is what people type most, and what every start of kiejobs costs at least."""
    loaded = _loaded_by(["status"], tmp_path)
    assert not (HEAVY | {"asyncio", "filelock", "logging", "secrets", "shutil", "xml"}) & loaded
    rooms = {".".join(name.split(".")[1:3]) for name in loaded if name.startswith("kiejobs.")}
    assert {room for room in rooms if room.startswith("core.")} == {
        "core.diagnostics", "core.document", "core.ledger", "core.money",
    }  # fmt: skip
    reports = {name for name in loaded if name.startswith("kiejobs.reports.")}
    assert reports == {f"kiejobs.reports.{name}" for name in ("documents", "run", "run.status", "terminal")}
    assert {name for name in rooms if name.startswith("commands.")} == {"commands.status"}


def test_validate_imports_neither_ledger_nor_git(tmp_path: Path) -> None:
    """Nor what other verbs show of a job file; most starts in CI are of this one."""
    (tmp_path / "job.yaml").write_text(
        "version: 1\ncampaign: c\njobs: {a: {model: bytedance/v1-lite-text-to-video, input: {prompt: x}}}\n"
    )
    loaded = _loaded_by(["validate", "job.yaml"], tmp_path)
    assert "kiejobs.core.expand.expand" in loaded
    assert not {"anyio", "httpx", "jinja2", "rich", "filelock", "xml"} & loaded
    rooms = {".".join(name.split(".")[1:3]) for name in loaded if name.startswith("kiejobs.")}
    assert not {"adapters.git", "adapters.ledger", "core.matrix", "core.table", "runner"} & rooms
    unread = {
        "core.ledger.events", "core.plan.lock", "core.plan.request_diff", "reports.checks",
        "reports.diff", "reports.markdown",
    }  # fmt: skip
    assert not {f"kiejobs.{name}" for name in unread} & loaded


def _loaded_by(words: list[str], folder: Path) -> set[str]:
    """The modules that are there when a command has ended."""
    program = (
        "import sys\n"
        f"sys.argv = ['kiejobs', *{words!r}]\n"
        "from kiejobs.__main__ import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print('loaded', *sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(kiejobs.__file__).parents[1])},
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_face_of_the_library_imports_nothing_at_all() -> None:
    program = "import sys; before = set(sys.modules); import kiejobs; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kiejobs"]


def test_python_m_kiejobs_is_the_same_door() -> None:
    command = [sys.executable, "-P", "-m", "kiejobs", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"kiejobs, version {kiejobs.__version__}"
