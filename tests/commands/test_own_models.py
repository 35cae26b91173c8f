"""A project's own `schemas/models`: it wins over ours, in every verb, and never gets in the way."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.models.test_schema_check import ID, schema
from tests.docs.regenerate import models
from tests.support.bench import MODEL, Bench
from tests.support.gitops.clones import Clone, Origin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.judge.server import Judge

Set = tuple["Bench", "Judge"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder without a server: nothing here may ask anybody."""
    return Bench(tmp_path, "http://127.0.0.1:9")


def put(bench: Bench, model: str = ID, made: Any = None, folder: str = "schemas/models") -> Path:
    path = bench.folder / folder / f"{model}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(made if isinstance(made, str) else json.dumps(made or schema(), indent=1))
    return path


def job_file(bench: Bench, model: str = ID, name: str = "jobs.yaml", **given: Any) -> None:
    jobs = {"a": {"model": model, "input": {"prompt": "Tea", **given}}}
    document = {"version": 1, "campaign": "own", "jobs": jobs}
    (bench.folder / name).write_text(json.dumps(document, indent=1))


def body(bench: Bench) -> Any:
    return bench.do("render", "jobs.yaml").json["body"]


def own_video(**fields: Any) -> dict[str, Any]:
    made = schema(**fields)
    made["x-kiejobs-output"] = {"media_type": "video/mp4", "extension": ".mp4"}
    return made


# --- it is found -----------------------------------------------------------------------------------


def test_a_model_of_the_project_s_own_can_be_named(bench: Bench) -> None:
    put(bench, made=schema(seconds={"type": "integer", "enum": [4, 8], "default": 4}))
    job_file(bench)
    assert body(bench) == {"model": ID, "input": {"prompt": "Tea", "seconds": 4}}


def test_without_it_the_model_is_not_known(bench: Bench) -> None:
    job_file(bench)
    assert "unknown-model" in bench.do("validate", "jobs.yaml").err


def test_the_project_s_own_wins_over_ours(bench: Bench) -> None:
    ours = json.loads(json.dumps(models()[MODEL]))
    ours["properties"]["input"]["properties"]["mood"] = {"enum": ["calm"], "default": "calm"}
    ours["properties"]["input"]["required"] = ["prompt"]
    put(bench, MODEL, ours)
    job_file(bench, MODEL)
    assert body(bench)["input"]["mood"] == "calm"


def test_it_is_found_from_below_up_to_the_root_of_the_checkout(bench: Bench) -> None:
    put(bench)
    (bench.folder / ".git").mkdir()
    inner = Bench(bench.folder / "campaigns" / "tea", bench.url)
    inner.folder.mkdir(parents=True)
    job_file(inner)
    assert body(inner)["model"] == ID
    (inner.folder / ".git").mkdir()
    assert inner.do("validate", "jobs.yaml").code == 2


def test_a_job_file_elsewhere_brings_none_along(bench: Bench) -> None:
    other = Bench(bench.folder / "other", bench.url)
    put(other)
    job_file(other)
    ran = bench.do("validate", "other/jobs.yaml")
    assert ran.code == 2
    assert "unknown-model" in ran.err


def test_a_rehearsal_sells_it(bench: Bench) -> None:
    put(bench, made=own_video())
    job_file(bench)
    ran = bench.do("run", "jobs.yaml", "--sandbox", "--speed", "400")
    assert ran.code == 0, ran.err
    assert [path.suffix for path in (bench.folder / "rehearsal/outputs").rglob("*.*")] == [".mp4"]


def test_the_lock_holds_the_schema_in_use(bench: Bench) -> None:
    put(bench)
    job_file(bench)
    assert bench.do("lock", "jobs.yaml").code == 0
    assert bench.do("validate", "jobs.yaml", "--locked").code == 0
    put(bench, made=schema(more={"type": "string"}))
    ran = bench.do("validate", "jobs.yaml", "--locked")
    assert ran.code == 6
    assert f"the schema of {ID} has changed" in ran.err


def test_doctor_tells_of_it(bench: Bench) -> None:
    put(bench)
    found = {c["name"]: c for c in bench.do("doctor", "--sandbox", "--format", "json").json["checks"]}
    assert found["models"]["detail"].endswith("1 of the project's own in schemas/models")
    put(bench, made="{")
    found = {c["name"]: c for c in bench.do("doctor", "--sandbox", "--format", "json").json["checks"]}
    assert not found["models"]["ok"]
    assert found["models"]["detail"].startswith("schemas/models/acme/clip-1.json:1:2: ")


def test_a_policy_s_models_hold_for_it_by_its_name(bench: Bench) -> None:
    put(bench)
    job_file(bench)
    (bench.folder / "kiejobs.yaml").write_text("version: 1\nmodels: {allow: ['bytedance/*']}\n")
    ran = bench.do("plan", "jobs.yaml")
    assert ran.code == 5
    assert ID in ran.err


def test_a_plan_says_whose_schemas_it_follows(bench: Bench) -> None:
    put(bench)
    put(bench, MODEL, models()[MODEL])
    job_file(bench)
    text = json.loads((bench.folder / "jobs.yaml").read_text())
    given = {"prompt": "Tea", "image_url": "https://example.com/a.webp"}
    text["jobs"]["b"] = {"model": MODEL, "input": given}
    (bench.folder / "jobs.yaml").write_text(json.dumps(text))
    assert bench.do("plan", "jobs.yaml").out.splitlines()[-1] == (
        f"schemas of this project: {ID}, {MODEL} (in place of the bundled one)"
    )
    assert bench.do("plan", "jobs.yaml", "--format", "markdown").out.splitlines()[-1] == (
        f"Schemas of this project's own: `{ID}`, `{MODEL}` (in place of the bundled one)."
    )
    (bench.folder / f"schemas/models/{MODEL}.json").unlink()
    assert bench.do("plan", "jobs.yaml").out.endswith(f"\nschemas of this project: {ID}\n")
    (bench.folder / f"schemas/models/{ID}.json").unlink()
    job_file(bench, MODEL, **given)
    assert "schemas of" not in bench.do("plan", "jobs.yaml").out


# --- a broken one ----------------------------------------------------------------------------------


def test_a_broken_one_is_told_with_its_place_beside_the_job_file_s_problems(bench: Bench) -> None:
    put(bench, made=schema(a={"type": "text"}))
    job_file(bench)
    text = (bench.folder / "jobs.yaml").read_text()
    (bench.folder / "jobs.yaml").write_text(text.replace('"version": 1', '"version": 1, "bugdet": 3'))
    for verb in ("validate", "plan", "render", "lock"):
        ran = bench.do(verb, "jobs.yaml")
        assert ran.code == 2
        assert "error[model-schema] schemas/models/acme/clip-1.json:25:" in ran.err
        assert '     "type": "text"' in ran.err
        assert "error[unknown-key] jobs.yaml:2:" in ran.err
        assert "unknown-model" not in ran.err
        assert ran.err.rstrip().endswith("2 errors")


def test_one_that_nobody_names_stands_in_nobody_s_way(bench: Bench) -> None:
    put(bench, made="{")
    job_file(bench, MODEL, image_url="https://example.com/a.webp")
    assert bench.do("validate", "jobs.yaml").code == 0
    assert bench.do("run", "jobs.yaml", "--sandbox", "--speed", "400").code == 0


def test_it_is_marked_for_machines_in_its_own_file(bench: Bench) -> None:
    put(bench, made=schema(a={"type": "text"}))
    job_file(bench)
    (problem,) = bench.do("validate", "jobs.yaml", "--format", "json").json["problems"]
    assert (problem["file"], problem["line"]) == ("schemas/models/acme/clip-1.json", 25)
    assert "file=schemas/models/acme/clip-1.json" in bench.do(
        "validate", "jobs.yaml", "--format", "github"
    ).out  # fmt: skip


def test_a_port_is_not_opened_on_top_of_a_broken_one(bench: Bench) -> None:
    put(bench, made="{")
    ran = bench.do("sandbox", "--port", "0")
    assert ran.code == 2
    assert "schemas/models/acme/clip-1.json:1:2" in ran.err


def test_what_was_bought_comes_home_whatever_became_of_the_schema(table: Set) -> None:
    bench, _ = table
    put(bench, made=own_video())
    job_file(bench)
    assert bench.run("--detach").code == 0
    put(bench, made="{")
    assert bench.do("collect", "--poll", "50ms").code == 0
    assert bench.job("a")["state"] == "succeeded"


# --- what a stranger could try ---------------------------------------------------------------------


def test_links_that_lead_out_are_not_followed(bench: Bench, tmp_path: Path) -> None:
    project = Bench(tmp_path / "project", bench.url)
    project.folder.mkdir()
    (tmp_path / "secret.json").write_text('{"token": "hidden words"}')
    put(project).unlink()
    (project.folder / "schemas/models/acme/clip-1.json").symlink_to(tmp_path / "secret.json")
    job_file(project)
    ran = project.do("validate", "jobs.yaml")
    assert ran.code == 2
    assert "is a link that leads out of its folder" in ran.err
    assert "hidden words" not in ran.err


@pytest.mark.parametrize("part", ["schemas", "schemas/models"])
@pytest.mark.parametrize("where", ["outside", "project/.git"])
def test_the_folder_itself_must_not_lead_out(bench: Bench, tmp_path: Path, part: str, where: str) -> None:
    project = Bench(tmp_path / "project", bench.url)
    project.folder.mkdir()
    put(Bench(tmp_path / where, ""), folder="models" if part == "schemas" else "")
    (project.folder / part).parent.mkdir(exist_ok=True)
    (project.folder / part).symlink_to(tmp_path / where)
    job_file(project)
    ran = project.do("validate", "jobs.yaml")
    assert ran.code == 2
    assert ran.err.startswith("error: schemas/models is a link that leads out of the project")


def test_a_link_within_the_project_is_followed(bench: Bench) -> None:
    real = put(bench, folder="shared/models")
    (bench.folder / "schemas").mkdir()
    (bench.folder / "schemas/models").symlink_to(bench.folder / "shared/models")
    job_file(bench)
    assert bench.do("validate", "jobs.yaml").code == 0
    shutil.rmtree(bench.folder / "shared/models")
    assert not real.exists()
    assert "unknown-model" in bench.do("validate", "jobs.yaml").err


def test_hidden_files_are_no_models(bench: Bench) -> None:
    put(bench, ".acme/clip-1")
    put(bench, "acme/.clip-1")
    listed = bench.do("doctor", "--sandbox").out
    assert "0 of the project's own" in listed


def test_one_that_is_too_large_is_told(bench: Bench) -> None:
    put(bench, made=json.dumps(schema()) + " " * 600_000)
    job_file(bench)
    ran = bench.do("validate", "jobs.yaml")
    assert ran.code == 2
    assert "error[model-schema] schemas/models/acme/clip-1.json:1:1: " in ran.err
    assert "larger than" in ran.err


# --- what changed ----------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    made = Origin(tmp_path, "http://127.0.0.1:9").clone("mine")
    put(made)
    put(made, MODEL, models()[MODEL])
    job_file(made, name="own.yaml")
    job_file(made, MODEL, name="theirs.yaml", image_url="https://example.com/a.webp")
    (made.folder / "jobs.yaml").unlink()
    made.keep("models and job files")
    made.push()
    return made


def looked_at(clone: Clone) -> list[str]:
    ran = clone.do("validate", ".", "--changed-since", "origin/main", "--format", "json")
    return [found["file"] for found in ran.json]


def test_a_changed_schema_touches_the_job_files_that_name_its_model(clone: Clone) -> None:
    assert looked_at(clone) == []
    put(clone, made=schema(more={"type": "string"}))
    assert looked_at(clone) == ["own.yaml"]
    clone.keep("changed")
    assert looked_at(clone) == ["own.yaml"]


def test_so_does_one_that_is_new_or_gone(clone: Clone) -> None:
    clone.git("rm", "--quiet", "-r", "schemas/models")
    assert looked_at(clone) == ["own.yaml", "theirs.yaml"]
    clone.keep("gone")
    clone.push()
    assert looked_at(clone) == []
    put(clone)
    assert looked_at(clone) == ["own.yaml"]
