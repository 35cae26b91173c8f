"""`kiejobs models import`: pages from files and over the network, into a project, and again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bench import Bench
from tests.support.raw_server import raw_server
from tests.support.results import refused

if TYPE_CHECKING:
    from tests.support.bench import Ran
    from tests.support.raw_server import Wire

PAGES = Path(__file__).resolve().parents[1] / "data" / "pages"
GLIDE = "schemas/models/acme/glide-2.json"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder without a server: nothing here may ask the API."""
    return Bench(tmp_path, "http://127.0.0.1:9")


def take(bench: Bench, *names: str) -> list[str]:
    """Pages of ours, laid into the project."""
    for name in names:
        (bench.folder / name).write_bytes((PAGES / name).read_bytes())
    return list(names)


def imported(bench: Bench, *words: str) -> Ran:
    return bench.do("models", "import", *words)


def document(ran: Ran) -> Any:
    made = json.loads(ran.out)
    assert refused("documents/models-import", made) == []
    return made


def schema(bench: Bench, path: str = GLIDE) -> Any:
    return json.loads((bench.folder / path).read_text(encoding="utf-8"))


# --- from a page to a job --------------------------------------------------------------------------


def test_a_page_becomes_a_model_that_jobs_can_name_at_once(bench: Bench) -> None:
    ran = imported(bench, *take(bench, "discovery.json"))
    assert ran.code == 0
    assert "wrote schemas/models/tide-3.0/video.json" in ran.out
    job = {"model": "tide-3.0/video", "input": {"prompt": "Surf", "sound": False, "duration": 4}}
    jobs = {"version": 1, "campaign": "tide", "jobs": {"a": job}}
    (bench.folder / "jobs.yaml").write_text(json.dumps(jobs))
    body = bench.do("render", "jobs.yaml").json["body"]
    assert body["input"] == {
        "prompt": "Surf",
        "sound": False,
        "multi_shots": False,
        "duration": "4",
    }


def test_each_page_is_told_with_its_models_and_notes(bench: Bench) -> None:
    names = take(bench, "prose-only.md", "components.yaml")
    made = document(imported(bench, *names, "--format", "json"))
    assert made["ok"] is True
    assert [page["page"] for page in made["pages"]] == names
    models = [one["model"] for page in made["pages"] for one in page["models"]]
    assert models == ["acme/glide-2", "shore/still", "shore/moving", "shore/moving-fast"]
    assert any("prose" in note for note in made["pages"][0]["models"][0]["notes"])


def test_a_broken_page_is_told_at_its_place_and_the_others_are_imported(bench: Bench) -> None:
    (bench.folder / "broken.md").write_text("# No\n\n```yaml\nopenapi: 3.0.1\npaths: [1\n```\n")
    ran = imported(bench, "broken.md", "gone.md", *take(bench, "quirks.md"))
    assert ran.code == 2
    assert "broken.md:5:8" in ran.out
    assert "can't read gone.md" in ran.out
    assert (bench.folder / "schemas/models/quill/1.json").exists()
    assert "1 model written from 3 pages; 2 pages not fully imported" in ran.out


def test_another_folder_can_be_named(bench: Bench) -> None:
    assert imported(bench, *take(bench, "quirks.md"), "--into", "elsewhere").code == 0
    assert (bench.folder / "elsewhere/quill/1.json").exists()


def test_names_of_models_lead_nowhere_else(bench: Bench) -> None:
    ran = imported(bench, *take(bench, "hostile.yaml"), "--into", "deep/er")
    assert ran.code == 2
    written = sorted(path.relative_to(bench.folder).as_posix() for path in bench.folder.rglob("*.json"))
    assert written == ["deep/er/loop/1.json", "deep/er/loop/2.json"]
    assert "\x1b" not in ran.out


def test_a_link_leads_no_file_out_of_the_folder(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (bench.folder / "schemas/models").mkdir(parents=True)
    (bench.folder / "schemas/models/quill").symlink_to(outside)
    ran = imported(bench, *take(bench, "quirks.md"), "--into", "schemas/models")
    assert ran.code == 2
    assert "schemas/models/quill is a symbolic link, and nothing is written through one" in ran.out
    assert list(outside.iterdir()) == []


# --- again -----------------------------------------------------------------------------------------


def test_the_same_page_again_changes_nothing(bench: Bench) -> None:
    (page,) = take(bench, "prose-only.md")
    imported(bench, page)
    before = (bench.folder / GLIDE).stat().st_mtime_ns
    assert "unchanged" in imported(bench, page).out
    assert (bench.folder / GLIDE).stat().st_mtime_ns == before


def test_what_is_there_is_only_overwritten_by_force(bench: Bench) -> None:
    (page,) = take(bench, "prose-only.md")
    imported(bench, page)
    made = schema(bench)
    made["properties"]["input"]["properties"]["prompt"]["maxLength"] = 9
    (bench.folder / GLIDE).write_text(json.dumps(made))
    ran = imported(bench, page)
    assert ran.code == 2
    assert "it is there already; --force overwrites it" in ran.out
    assert schema(bench) == made
    forced = imported(bench, page, "--force")
    assert forced.code == 0
    assert "note: prompt: at most 1,200 characters now, was 9" in forced.out
    assert schema(bench)["properties"]["input"]["properties"]["prompt"]["maxLength"] == 1200


def test_what_people_wrote_outlives_the_next_import(bench: Bench) -> None:
    (page,) = take(bench, "prose-only.md")
    imported(bench, page)
    made = schema(bench)
    rule = {"title": "a caption needs a prompt", "dependentRequired": {"caption": ["prompt"]}}
    request = made["properties"]["input"]
    request["allOf"] = [rule]
    request["properties"]["prompt"] |= {"title": "Scene", "description": "What is seen."}
    request["properties"]["prompt"]["examples"] = ["A kite"]
    request["properties"]["n"] = {"type": "integer", "maximum": 2, "x-kiejobs-source": "tried it"}
    request["required"] = ["prompt", "n", "pictures"]
    request["properties"]["own"] = {"type": "string", "x-kiejobs-source": "tried it"}
    request["properties"]["stale"] = {"type": "string"}
    made["x-kiejobs-output"] = {"media_type": "video/quicktime", "extension": ".mov"}
    made["x-kiejobs-source"].append({"facts": "n", "page": "tried it", "date": "2026-11"})
    (bench.folder / GLIDE).write_text(json.dumps(made))
    text = (bench.folder / page).read_text(encoding="utf-8")
    (bench.folder / page).write_text(text.replace("1,200", "1,500"), encoding="utf-8")
    ran = imported(bench, page, "--force")
    assert ran.code == 0
    assert "stale: is gone" in ran.out
    assert "n: kept as it is, since it names a source of its own" in ran.out
    again = schema(bench)
    fields = again["properties"]["input"]["properties"]
    assert again["properties"]["input"]["allOf"] == [rule]
    assert fields["prompt"]["title"] == "Scene"
    assert fields["prompt"]["description"] == "What is seen."
    assert fields["prompt"]["examples"] == ["A kite"]
    assert fields["prompt"]["maxLength"] == 1500
    assert fields["n"]["maximum"] == 2
    assert again["properties"]["input"]["required"] == ["prompt", "n", "pictures"]
    assert "own" in fields
    assert "stale" not in fields
    assert again["x-kiejobs-output"]["extension"] == ".mov"
    assert [source["page"] for source in again["x-kiejobs-source"]] == [
        "tried it",
        "the vendor's page for acme/glide-2 (OpenAPI 3.0.1)",
    ]


def test_a_bundled_model_s_rules_outlive_the_first_import_too(bench: Bench) -> None:
    """No prose gives them: without them 10 seconds at 1080P would be sent, and fail."""
    name = "hailuo/2-3-image-to-video-standard"
    text = {"type": "string"}
    fields = {
        "prompt": text,
        "image_url": text,
        "duration": {"enum": ["6", "10"], "default": "6"},
        "resolution": {"enum": ["768P", "1080P"], "default": "768P"},
    }
    schema_ = {"properties": {"model": {"const": name}, "input": {"properties": fields}}}
    post = {"requestBody": {"content": {"application/json": {"schema": schema_}}}}
    page = {"openapi": "3.1.0", "paths": {"/api/v1/jobs/createTask": {"post": post}}}
    (bench.folder / "page.json").write_text(json.dumps(page))
    ran = imported(bench, "page.json")
    assert "overrides the bundled model" in ran.out
    made = schema(bench, f"schemas/models/{name}.json")["properties"]["input"]
    assert [rule["title"] for rule in made["allOf"]] == ["10 seconds are not made at 1080P"]
    assert "nsfw_checker" not in made["properties"]


def test_a_description_that_was_made_here_is_made_anew(bench: Bench) -> None:
    (page,) = take(bench, "prose-only.md")
    imported(bench, page)
    text = (bench.folder / page).read_text(encoding="utf-8")
    (bench.folder / page).write_text(text.replace("1,200", "1,500"), encoding="utf-8")
    imported(bench, page, "--force")
    prompt = schema(bench)["properties"]["input"]["properties"]["prompt"]
    assert prompt["description"] == "Text of 3 to 1,500 characters."


def test_two_pages_for_one_model_are_told_even_by_force(bench: Bench) -> None:
    (page,) = take(bench, "prose-only.md")
    (bench.folder / "twin.md").write_text(
        (bench.folder / page).read_text(encoding="utf-8").replace("1,200", "9"), encoding="utf-8"
    )
    ran = imported(bench, page, "twin.md", "--force")
    assert ran.code == 2
    assert "prose-only.md was imported for it just now" in ran.out
    assert schema(bench)["properties"]["input"]["properties"]["prompt"]["maxLength"] == 1200


def test_where_the_parts_of_a_page_disagree_a_model_is_chosen(bench: Bench) -> None:
    text = (PAGES / "discovery.json").read_text(encoding="utf-8")
    document = json.loads(text)["data"]["openapi"]
    post = document["paths"]["/api/v1/jobs/createTask"]["post"]
    post["summary"] = "A clip"
    body = post["requestBody"]["content"]["application/json"]
    body["example"] = {"model": "tide-9/video", "input": {}}
    (bench.folder / "page.json").write_text(json.dumps(document))
    ran = imported(bench, "page.json")
    assert ran.code == 2
    assert "tide-9/video (the example); they disagree: choose one with --model" in ran.out
    assert imported(bench, "page.json", "--model", "tide-9/video").code == 0
    assert (bench.folder / "schemas" / "models" / "tide-9" / "video.json").exists()
    assert bench.do("models", "check", "page.json", "--model", "tide-9/video").code == 0


def test_a_file_that_is_no_schema_is_left_alone(bench: Bench) -> None:
    (bench.folder / GLIDE).parent.mkdir(parents=True)
    (bench.folder / GLIDE).write_text("mine")
    ran = imported(bench, *take(bench, "prose-only.md"), "--force")
    assert ran.code == 2
    assert (bench.folder / GLIDE).read_text() == "mine"


# --- over the network ------------------------------------------------------------------------------


def test_a_page_is_fetched_without_the_key(bench: Bench) -> None:
    body = (PAGES / "quirks.md").read_bytes()

    def script(wire: Wire) -> None:
        if "GET /old" in wire.head:
            wire.answer(b"", "302 Found", "Location: /quirks.md")
        else:
            wire.answer(body)

    with raw_server(script) as server:
        ran = imported(bench, f"{server.url}/old?token=s3cret")
        heads = [head for head, _ in server.requests]
    assert ran.code == 0, ran.out
    assert (bench.folder / "schemas/models/quill/1.json").exists()
    assert len(heads) == 2
    assert all("authorization" not in head.lower() for head in heads)
    assert "s3cret" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        ("404 Not Found", b"", "the host answered HTTP 404"),
        ("200 OK", b"\xff\xfe", "is not UTF-8"),
        ("200 OK", b"x" * 17_000_000, "so it is no page"),
        ("200 OK", b"# hello", "no OpenAPI document"),
    ],
)
def test_what_is_no_page_is_told(bench: Bench, status: str, body: bytes, told: str) -> None:
    with raw_server(lambda wire: wire.answer(body, status)) as server:
        ran = imported(bench, f"{server.url}/page.md")
    assert ran.code == 2
    assert told in ran.out


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://nowhere.invalid/x", "http://[::1"])
def test_a_host_that_is_not_there_is_told(bench: Bench, url: str) -> None:
    ran = imported(bench, url)
    assert ran.code == 2
    assert "problem" in ran.out


def test_other_schemes_are_files_that_are_not_there(bench: Bench) -> None:
    ran = imported(bench, "file:///etc/passwd")
    assert ran.code == 2
    assert "can't read" in ran.out
