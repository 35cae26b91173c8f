"""`models sync`: against the sandbox over a socket, and against a stand-in whose answers are hostile."""

from __future__ import annotations

import json
import math
import os
import pty
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from kiejobs.adapters.project.files import model_names, read_schema
from kiejobs.adapters.project.models import ModelFiles, bundled_prices
from kiejobs.core.models.changes import model_changes
from kiejobs.core.models.newer import merged
from kiejobs.core.prices.prose import SOURCE
from kiejobs.importer.page import read_page
from kiejobs.sandbox.app import Sandbox
from kiejobs.sandbox.catalogue import discovered
from tests.support.bench import KEY, Bench
from tests.support.raw_server import raw_server
from tests.support.sandbox_served import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.bench import Ran
    from tests.support.raw_server import Wire

DOCUMENT = read_schema("documents/models-sync.schema.json")
ID = "acme/clip-1"
LIST = "/api/v1/models"
PROMPT = {"type": "string", "maxLength": 100}
RESOLUTION = {"type": "string", "enum": ["720p", "1080p"], "default": "720p"}


@dataclass
class Vendor:
    """The stand-in: what it answers by path, how often at first with something else, and what it was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    first: list[tuple[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def offers(self, *models: str, **prices: str | None) -> None:
        entries = [{"model": one, "taskType": ["Text to Video"], "pricingDesc": None} for one in models]
        for entry in entries:
            entry["pricingDesc"] = prices.get("price")
        self.answers[LIST] = ok({"total": len(entries), "models": entries})

    def sells(
        self, fields: dict[str, Any], *, model: str = ID, price: str | None = None, **more: Any
    ) -> None:
        self.answers[f"{LIST}/{model}/schema"] = ok(
            {"model": model, "openapi": openapi(model, fields, **more)}
        )
        self.answers[f"{LIST}/{model}/price"] = ok({"model": model, "pricingDesc": price})

    def serve(self, wire: Wire) -> None:
        path = wire.head.split(" ")[1]
        self.asked.append(path)
        self.heads.append(wire.head)
        status, body = self.first.pop(0) if self.first else ("200 OK", self.answers.get(path, NOT_FOUND))
        wire.answer(body if isinstance(body, bytes) else json.dumps(body).encode(), status)


NOT_FOUND = {"code": 404, "msg": "Model not found", "data": None}


def ok(data: Any) -> dict[str, Any]:
    return {"code": 200, "msg": "success", "data": data}


def openapi(model: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The vendor's document of a model that takes a prompt and these fields."""
    own = {"type": "object", "required": ["prompt"], "properties": {"prompt": PROMPT, **fields}, **more}
    properties = {"model": {"type": "string", "enum": [model]}, "input": own}
    content = {"application/json": {"schema": {"type": "object", "properties": properties}}}
    return {
        "openapi": "3.1.0",
        "paths": {"/api/v1/jobs/createTask": {"post": {"requestBody": {"content": content}}}},
    }


@dataclass
class Stage:
    """A project, and a stand-in that it asks."""

    bench: Bench
    vendor: Vendor

    def sync(self, *words: str) -> Ran:
        ran = self.bench.do("models", "sync", *words, "--pace", "1ms", "--format", "json")
        if ran.out:
            assert not list(Draft202012Validator(DOCUMENT).iter_errors(ran.json))
        return ran

    def text(self, *words: str) -> Ran:
        return self.bench.do("models", "sync", *words, "--pace", "1ms")

    def file(self, name: str) -> Path:
        return self.bench.folder / name

    def job_file(self, **fields: Any) -> None:
        self.file("jobfiles").mkdir(exist_ok=True)
        jobs = {"pour": {"model": ID, "input": {"prompt": "Tea", **fields}}}
        self.file("jobfiles/tea.yaml").write_text(json.dumps({"version": 1, "campaign": "tea", "jobs": jobs}))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    vendor = Vendor()
    (tmp_path / "kiejobs.yaml").write_text("version: 1\n")
    with raw_server(vendor.serve) as server:
        yield Stage(Bench(tmp_path, server.url), vendor)


# --- the sandbox --------------------------------------------------------------------------------------


@contextmanager
def sandbox(store: Path) -> Iterator[str]:
    models = ["bytedance/v1-pro-fast-image-to-video", "kling/v2-1-master-text-to-video"]
    schemas = {one: ModelFiles()[one] for one in models}
    with serving(Sandbox(schemas, store, prices=bundled_prices(), speed=math.inf, api_key=KEY)) as url:
        yield url


def test_the_sandbox_sells_what_is_known(tmp_path: Path) -> None:
    with sandbox(tmp_path / "store") as url:
        bench = Bench(tmp_path, url)
        ran = bench.do("models", "sync", "--check", "--pace", "1ms")
        refused = bench.do("models", "sync", "--check", KIE_API_KEY="another-key")
    assert (ran.code, ran.out) == (0, f"2 models compared with {url}: 2 unchanged\n")
    assert refused.code == 5
    assert "/api/v1/models: the API answers 401: Unauthorized" in refused.err


def test_the_time_left_follows_the_speed_of_a_rehearsal(tmp_path: Path) -> None:
    names = [f"acme/clip-{number}" for number in range(21)]
    ran = Bench(tmp_path, "").do(
        "models", "sync", *names, "--sandbox", "--speed", "1000", "--pace", "10s", "--check"
    )
    assert ran.code == 1
    assert "asked about 20 of 21 models; 0 s left\n" in ran.err


def test_what_the_sandbox_says_of_bundled_models_is_read_as_it_is_known() -> None:
    for model in sorted(model_names())[::5]:
        known = ModelFiles()[model]
        document = discovered("schema", model, {model: known}, bundled_prices(), {}).body
        text = json.dumps(json.loads(document)["data"]["openapi"])
        (made,) = read_page("answer", text, imported="2026-11-30", choice=model).models
        assert model_changes(known, merged(made.schema, dict(known))[0]) == []


# --- what changes ---------------------------------------------------------------------------------------


def test_a_new_model_and_its_price_are_written_once_somebody_agrees(stage: Stage) -> None:
    stage.vendor.offers(ID)
    stage.vendor.sells(
        {"resolution": RESOLUTION},
        price="5 credits ($0.025) per video at 720p, 9 credits per video at 1080p.",
    )
    assert stage.sync("--check").code == 3
    assert stage.sync().code == 2, "no terminal to confirm on"
    assert not stage.file("schemas").exists()
    ran = stage.sync("--yes")
    assert ran.code == 0
    assert ran.json["written"] == [f"schemas/models/{ID}.json", "prices.yaml"]
    assert [one["status"] for one in ran.json["models"]] == ["new"]
    shown = stage.bench.do("models", "show", ID, "--format", "json").json
    assert shown["price"]["credits"] == [
        {"when": {"resolution": "720p"}, "given": {}, "credits": "5"},
        {"when": {"resolution": "1080p"}, "given": {}, "credits": "9"},
    ]
    again = stage.sync("--check")
    assert (again.code, again.json["changes"], again.json["models"][0]["status"]) == (0, False, "unchanged")


def test_what_it_means_for_the_job_files_is_shown_before(stage: Stage) -> None:
    stage.vendor.sells({"resolution": RESOLUTION, "mood": {"type": "string"}}, price="5 credits per video.")
    assert stage.sync(ID, "--yes").code == 0
    stage.job_file(mood="calm")
    newer = {"resolution": {**RESOLUTION, "default": "1080p"}, "mood": {"type": "string"}}
    stage.vendor.sells(newer, price="7 credits per video.")
    ran = stage.sync(ID, "--check")
    assert ran.code == 3
    (effect,) = ran.json["job_files"]
    (job,) = effect["jobs"]
    assert (effect["file"], effect["problems"], job["address"]) == ("jobfiles/tea.yaml", [], "tea/pour")
    assert job["credits"] == {"was": "5", "now": "7"}
    assert job["fingerprint"]["was"] != job["fingerprint"]["now"]
    text = stage.text(ID, "--check").out
    assert "another request" in text
    assert "7 credits, was 5" in text
    stage.vendor.sells({"resolution": RESOLUTION}, price="5 credits per video.")
    (effect,) = stage.sync(ID, "--check").json["job_files"]
    assert "`mood`" in effect["problems"][0]


def test_a_price_in_words_only_is_shown_next_to_the_one_in_use(stage: Stage) -> None:
    words = "5 credits for most, more in the evening."
    stage.vendor.sells({"resolution": RESOLUTION}, price="5 credits per video.")
    assert stage.sync(ID, "--yes").code == 0
    stage.vendor.sells({"resolution": RESOLUTION}, price=words)
    ran = stage.sync(ID, "--check")
    assert ran.code == 0
    (price,) = ran.json["prices"]
    assert (price["words"], price["now"], price["was"]["credits"]) == (
        words,
        None,
        [{"when": {}, "given": {}, "credits": "5"}],
    )
    assert "the vendor's words are not certain, so it stays" in stage.text(ID).out


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_other_prices_of_the_project_stay_as_they_are_written(stage: Stage, newline: str) -> None:
    entry = f"    per: video\n    credits: 5\n    source: {SOURCE}\n    date: 2026-10\n"
    own = (
        "# ours\nversion: 1\nmodels:\n  acme/a: # first\n    per: video\n    credits: 1\n    source: us\n    date: 2026-10\n"
        f"\n  # the clip\n  {ID}:\n{entry}\n"
        "  acme/z:\n    per: video\n    credits: 2\n    source: us\n    date: 2026-10\n"
    ).replace("\n", newline)
    stage.file("prices.yaml").write_text(own, newline="")
    stage.vendor.sells({}, price="7 credits per video.")
    assert stage.sync(ID, "--yes").code == 0
    text = stage.file("prices.yaml").read_bytes().decode()
    before, _, after = own.partition(entry.replace("\n", newline))
    assert text.startswith(before)
    assert text.endswith(after)
    assert f"    credits: 7{newline}" in text
    assert text.count("\n") == text.count(newline)


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("us", ""),
        (SOURCE, "    note: agreed\n"),
        (SOURCE, "    until: 2026-12-31\n"),
        (SOURCE, "    # agreed\n"),
    ],
)
def test_a_price_that_a_person_wrote_stays(stage: Stage, source: str, more: str) -> None:
    own = f"version: 1\nmodels:\n  {ID}:\n    per: video\n{more}    credits: 5\n    source: {source}\n    date: 2026-12\n"
    stage.file("prices.yaml").write_text(own)
    stage.vendor.sells({}, price="7 credits per video.")
    assert stage.sync(ID, "--yes").json["written"] == [f"schemas/models/{ID}.json"]
    assert stage.file("prices.yaml").read_text() == own
    ran = stage.sync(ID, "--check")
    assert (ran.code, ran.json["prices"][0]["kept"]) == (0, True)
    if not more:
        shown = stage.text(ID).out
        assert "5/video (as of 2026-12) was written by hand, so it stays; the vendor's is 7/video" in shown


def test_a_price_file_that_can_t_be_edited_is_left_to_a_person(stage: Stage) -> None:
    stage.file("prices.yaml").write_text(
        f"version: 1\nmodels:\n  {ID}: &a {{per: video, credits: 5, source: {SOURCE}, date: 2026-10}}\n  acme/b: *a\n"
    )
    stage.vendor.sells({}, price="7 credits per video.")
    ran = stage.sync(ID, "--yes")
    assert ran.code == 2
    assert "prices.yaml can't be edited in place" in ran.err
    assert "credits: 7" in ran.err
    assert not stage.file("schemas").exists()


def test_a_no_on_a_terminal_writes_nothing(stage: Stage) -> None:
    stage.vendor.sells({})
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"n\n")
        ran = subprocess.run(
            stage.bench.command("models", "sync", ID, "--pace", "1ms"),
            cwd=stage.bench.folder,
            env=stage.bench.environment(KIE_API_BASE=stage.bench.url),
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert (ran.returncode, ran.stdout) == (130, "")
    assert "New here\n  acme/clip-1\n" in ran.stderr
    assert "Write these schemas and prices into the project? [y/N]" in ran.stderr
    assert ran.stderr.endswith("Cancelled; nothing was written.\n")
    assert not stage.file("schemas").exists()


# --- answers that are none ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (
            {"code": 401, "msg": "Unauthorized: bad\x1b[31m key"},
            5,
            "the API answers 401: Unauthorized: bad [31m key",
        ),
        ({"code": 404, "msg": "Model not found", "data": None}, 1, "the API answers 404: Model not found"),
        (ok({"model": ID, "openapi": None}), 1, "the vendor has no document of it: `openapi` is null"),
        (ok({"model": "acme/other", "openapi": {}}), 1, 'the answer is about "acme/other"'),
        (ok({"model": ID, "openapi": openapi("acme/other", {})}), 1, "acme/other"),
        (ok({"model": ID, "openapi": {"openapi": "3.1.0", "paths": {}}}), 1, "no POST"),
        (b"<html>down for today</html>", 2, "not from the API"),
        (b"[" * 100_000, 2, "HTTP 200 with JSON that is cut off or broken: [[["),
        (b'{"code": 200, "data": "' + b"x" * 3_000_000 + b'"}', 2, "more than 2 MB"),
    ],
)
def test_each_refusal_is_quoted_as_what_it_is(stage: Stage, answer: Any, code: int, said: str) -> None:
    stage.vendor.answers[f"{LIST}/{ID}/schema"] = answer
    ran = stage.sync(ID, "--check")
    assert ran.code == code
    assert said in (ran.err if code != 1 else ran.json["problems"][-1])


def test_a_model_with_a_bad_answer_is_passed_over(stage: Stage) -> None:
    names = [f"acme/clip-{number}" for number in range(8)]
    bad = {names[1]: b'{"code": 200, "da', names[2]: b"<html>login</html>", names[4]: ok({"openapi": None})}
    stage.vendor.offers(*names)
    for name in names:
        stage.vendor.sells({}, model=name)
    stage.vendor.answers |= {f"{LIST}/{name}/schema": answer for name, answer in bad.items()}
    ran = stage.sync("--yes")
    assert (ran.code, len(ran.json["written"])) == (1, 5)
    assert [one.partition(":")[0] for one in ran.json["problems"]] == names[1:3]
    again = stage.sync("--check")
    assert (again.code, again.json["changes"]) == (1, False), (
        "a model that was not looked at is not up to date"
    )
    stage.vendor.answers |= {f"{LIST}/{name}/schema": b"<html>login</html>" for name in names[3:]}
    stopped = stage.sync("--check")
    assert (stopped.code, stopped.out) == (2, "")
    assert f"{names[5]}: HTTP 200 from a proxy" in stopped.err


def test_how_a_document_was_read_is_shown(stage: Stage) -> None:
    odd = {"mode": {"type": "string", "enum": ["a", "b"], "default": "zz"}, "own\x1b[31m name": PROMPT}
    stage.vendor.offers(ID, "acme/clip-2", "acme/other")
    for name in (ID, "acme/clip-2"):
        stage.vendor.sells(odd, model=name)
    stage.vendor.sells({}, model="acme/other")
    said = 'mode: its default "zz" is none that the field takes; nothing is sent for it'
    notes = {one["note"]: one["models"] for one in stage.sync("--check").json["notes"]}
    assert notes[said] == [ID, "acme/clip-2"]
    assert any("own" in note for note in notes), "what is left out is named"
    assert f"\n  {ID}, acme/clip-2: {said}\n" in stage.text("--check").out
    stage.vendor.sells({f"f{number}": odd["mode"] for number in range(30)})
    assert "\n    and 13 more\n" in stage.text("--check").out
    assert "f29: its default" in stage.text("--check", "-v").out


def test_a_model_that_is_listed_again_is_not_retired_any_more(stage: Stage) -> None:
    stage.vendor.offers(ID)
    stage.vendor.sells({})
    assert stage.sync("--yes").code == 0
    path = stage.file(f"schemas/models/{ID}.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "x-kiejobs-retired": "2026-10-01"}))
    assert stage.sync(ID, "--check").code == 0, "whether it is listed was not asked"
    assert stage.sync("--check").code == 3
    assert "is in the vendor's list again; retired as of 2026-10-01 until now" in stage.text("--yes").out
    assert "x-kiejobs-retired" not in json.loads(path.read_text())
    assert stage.sync("--check").code == 0


def test_a_model_that_job_files_use_left_the_list(stage: Stage) -> None:
    stage.vendor.offers(ID, "acme/clip-2")
    for name in (ID, "acme/clip-2"):
        stage.vendor.sells({}, model=name)
    assert stage.sync("--yes").code == 0
    stage.vendor.offers("acme/clip-2")
    assert stage.sync("--check").code == 0, "no job file uses it"
    stage.job_file()
    ran = stage.sync("--check")
    assert (ran.code, ran.json["left"], ran.json["changes"]) == (1, [ID], False)
    stage.vendor.offers()
    assert stage.sync("--check").code == 2, "a list of nothing is no answer"


def test_too_many_questions_are_asked_again_and_then_kept_for_the_next_time(stage: Stage) -> None:
    busy = ("200 OK", {"code": 429, "msg": "Too many requests"})
    stage.vendor.offers(ID, "acme/clip-2")
    stage.vendor.sells({})
    stage.vendor.sells({}, model="acme/clip-2")
    stage.vendor.first = [("429 Too Many Requests\r\nRetry-After: 0", {"code": 429, "msg": "x"})]
    stage.vendor.first += [
        ("200 OK", stage.vendor.answers[LIST]),
        ("200 OK", stage.vendor.answers[f"{LIST}/{ID}/schema"]),
    ]
    stage.vendor.first += [busy] * 5
    ran = stage.sync("--check")
    assert ran.code == 2
    assert "the API answers 429: Too many requests" in ran.err
    assert "continues where it stopped" in ran.err
    asked = len(stage.vendor.asked)
    assert stage.sync("--check").code == 3
    assert stage.vendor.asked[asked:] == [
        f"{LIST}/{ID}/price",
        *(f"{LIST}/acme/clip-2/{it}" for it in ("schema", "price")),
    ]
    stage.sync("--check")
    assert stage.vendor.asked[asked + 3] == LIST, "a check asks again"
    asked = len(stage.vendor.asked)
    assert (stage.sync("--yes").code, len(stage.vendor.asked)) == (0, asked), "the sync after it does not"
    stage.sync("--yes")
    assert stage.vendor.asked[asked] == LIST, "what was written is forgotten"


def test_hostile_documents_lead_nowhere(stage: Stage) -> None:
    fields = {
        "picture": {"$ref": "file:///etc/passwd"},
        "other": {"$ref": "https://example.invalid/schema.json"},
        "same": {
            "$ref": "#/paths/~1api~1v1~1jobs~1createTask/post/requestBody/content/application~1json/schema"
        },
    }
    stage.vendor.offers(ID, "acme/song", "../../etc/cron", "/abs", "acme/../../x", "a\nb", ID)
    stage.vendor.sells(fields)
    song = {"openapi": "3.1.0", "paths": {"/api/v1/generate": {"post": {}}}}
    stage.vendor.answers[f"{LIST}/acme/song/schema"] = ok({"model": "acme/song", "openapi": song})
    ran = stage.sync("--yes")
    assert (ran.code, len(ran.json["problems"])) == (1, 4)
    assert [
        path.relative_to(stage.bench.folder).as_posix() for path in stage.file("schemas").rglob("*.json")
    ] == [f"schemas/models/{ID}.json"]
    assert "root:" not in stage.file(f"schemas/models/{ID}.json").read_text()
    about = {f"{LIST}/{what}" for what in (f"{ID}/schema", f"{ID}/price", "acme/song/schema")}
    assert set(stage.vendor.asked) == {LIST, *about}


def test_nothing_is_written_through_a_link(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    stage.file("schemas/models").mkdir(parents=True)
    stage.file("schemas/models/acme").symlink_to(elsewhere)
    stage.vendor.sells({})
    ran = stage.sync(ID, "--yes")
    assert (ran.code, list(elsewhere.iterdir())) == (2, [])
    assert "symbolic link" in ran.err


# --- the key --------------------------------------------------------------------------------------------


def test_the_key_goes_to_the_base_alone(stage: Stage) -> None:
    stage.vendor.first = [("302 Found\r\nLocation: https://example.invalid/", b"")]
    ran = stage.sync(ID)
    assert (ran.code, len(stage.vendor.asked)) == (2, 1), "no redirect is followed"
    assert f"Bearer {KEY}" in stage.vendor.heads[0]
    plain = stage.bench.do("models", "sync", ID, "--base-url", "http://example.invalid")
    assert plain.code == 2
    assert "would get the key without TLS" in plain.err
    none = stage.bench.do("models", "sync", ID, KIE_API_KEY="")
    assert (none.code, "KIE_API_KEY is not set" in none.err) == (5, True)
