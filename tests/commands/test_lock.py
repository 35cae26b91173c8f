"""`kiejobs lock` and `--locked`: what a campaign depends on, and that nothing of it changes unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.adapters.project.files import read_schema
from kiejobs.adapters.project.models import bundled_prices
from kiejobs.core.fingerprint import canonical
from kiejobs.core.plan.lock import (
    Asset,
    Lock,
    LockedJob,
    LockedPrices,
    differences,
    from_bytes,
    image_name,
    to_bytes,
)
from kiejobs.core.prices.table import ModelPrice, PriceLine
from tests.support.bench import MODEL, Bench
from tests.support.judge.server import Judge
from tests.support.results import refused

Set = tuple[Bench, Judge]
A, B = "a" * 64, "b" * 64
SCHEMA = read_schema("lock.schema.json")
LOCK = Lock(
    format_version="1.0",
    campaign="tea",
    fingerprint_version=1,
    jobs={
        "tea/pour": LockedJob(fingerprint=A, take=1),
        "tea/pour#2": LockedJob(fingerprint=A, take=2),
    },
    models={"maker/model": {"schema": A}},
    prices=LockedPrices(sha256=A, credits="32", unpriced=0),
    templates={"pour.j2": A},
    vars_files={"vars.yaml": A},
    variables={"brand": "Aurora"},
    images={
        "https://example.com/a.png": Asset(sha256=A, bytes=9, media_type="image/png"),
        "https://b.example/": None,
    },
)
JOBS = """\
version: 1
campaign: tea
vars: {brand: Aurora, mood: calm}
defaults: {model: bytedance/v1-pro-fast-image-to-video}
jobs:
  pour:
    input:
      image_url: https://example.com/pot.webp?sig=do-not-write-me-down
      prompt: "{% include 'prompts/pour.j2' %}, {{ vars.brand }}, {{ vars.mood }}"
  steam:
    takes: 2
    input: {image_url: https://example.com/steam.webp, prompt: Steam rises}
"""


@pytest.fixture
def files(table: Set) -> Bench:
    """A job file with a template and variables, its vars file, nothing locked."""
    bench, _ = table
    (bench.folder / "prompts").mkdir()
    (bench.folder / "prompts/pour.j2").write_text("Tea is poured")
    (bench.folder / "tea.yaml").write_text(JOBS)
    (bench.folder / "mood.yaml").write_text("mood: merry\n")
    return bench


def lock(bench: Bench, *words: str) -> dict[str, Any]:
    assert bench.do("lock", "tea.yaml", *words).code == 0
    return json.loads((bench.folder / "tea.yaml.lock").read_bytes())


def told(bench: Bench, *words: str) -> str:
    """What `plan --locked` has against the files as they are; the test fails where it has nothing."""
    ran = bench.do("plan", "tea.yaml", "--locked", *words)
    assert ran.code == 6
    assert ran.out == "", "a refused plan shows nothing to approve"
    return ran.err


def changed(**parts: Any) -> Lock:
    return cast("Lock", {**LOCK, **parts})


def change(bench: Bench, name: str, old: str, new: str) -> None:
    path = bench.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# --- the document --------------------------------------------------------------------------------


def test_a_lock_fits_its_schema_and_reads_back_as_it_was() -> None:
    data = to_bytes(LOCK)
    assert refused("lock", json.loads(data)) == []
    assert refused("lock", {**LOCK, "campaign": ""}) == ["campaign minLength"]
    assert from_bytes(data, SCHEMA) == LOCK
    assert b"\r" not in data
    assert data.endswith(b"}\n")


def test_tables_stand_in_a_lock_only_where_there_are_some() -> None:
    assert "data_files" not in LOCK
    lock = changed(data_files={"scenes.csv": A})
    assert from_bytes(to_bytes(lock), SCHEMA) == lock
    assert refused("lock", lock) == []


def test_each_job_has_a_line_of_its_own() -> None:
    lines = to_bytes(LOCK).decode().splitlines()
    assert sum('"fingerprint": ' in line for line in lines) == len(LOCK["jobs"])


@pytest.mark.parametrize(
    "spoil",
    [
        {"format_version": "2.0"},
        {"format_version": None},
        {"jobs": {"tea/pour": {"fingerprint": "A" * 64, "take": 1}}},
        {"jobs": {"tea/pour": {"fingerprint": A, "take": True}}},
        {"jobs": []},
        {"images": {"https://example.com/a.png": {"sha256": A}}},
        {"prices": {}},
        {"variables": {"brand": 1}},
    ],
)
def test_what_is_no_lock_is_refused_in_words(spoil: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"form"):
        from_bytes(json.dumps({**LOCK, **spoil}).encode(), SCHEMA)


def test_a_later_format_may_have_more_keys() -> None:
    later = {**LOCK, "format_version": "1.7", "seal": 1}
    assert from_bytes(json.dumps(later).encode(), SCHEMA) == later


@given(st.binary(max_size=60) | st.just(b"[" * 100_000))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with them
        from_bytes(data, SCHEMA)


def test_a_lock_of_before_there_was_a_price_file_holds() -> None:
    """Prices stood in the model's schema once, and their digest was made of the same data."""
    price = bundled_prices().of(MODEL)
    assert price is not None
    digest = hashlib.sha256(canonical({MODEL: price.as_data()})).hexdigest()
    assert digest == "27aab3e319fc13ba771953d7ecc893baf6984183be592677b352ce359e77eda8"


def test_a_price_digest_tells_what_decides_a_price_and_not_where_it_is_from() -> None:
    line = PriceLine({"size": "1"}, Decimal(4))
    price = ModelPrice("m", "second", (line,), "a", "2026-10", quantity="seconds")
    same = (replace(price, source="b", date="2026-11", note="n", file="prices.yaml"),)
    others = (
        replace(price, lines=(replace(line, credits=Decimal(5)),)),
        replace(price, lines=(replace(line, given={"video": False}),)),
        replace(price, quantity="length"),
        replace(price, minimum=Decimal(5)),
        replace(price, usd_per_credit=Decimal("0.005")),
    )
    assert all(other.as_data() == price.as_data() for other in same)
    assert all(other.as_data() != price.as_data() for other in others)


def test_a_signature_is_no_part_of_an_image_name_and_yet_tells_two_apart() -> None:
    one, two = (image_name(f"https://me:pw@example.com/a.png?sig={n}") for n in (1, 2))
    assert one != two
    assert one.startswith("https://example.com/a.png sha256:")
    assert image_name("https://example.com/a.png") == "https://example.com/a.png"


# --- differences ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (changed(campaign="cup"), "the campaign is called `cup`, and was locked as `tea`"),
        (changed(fingerprint_version=2), "of version 2, the lock's of version 1"),
        (changed(models={"maker/model": {"schema": B}}), "the schema of maker/model has changed"),
        (changed(models={}), "the model maker/model is in the lock, and not in use any more"),
        (changed(prices=LockedPrices(sha256=B, credits="40", unpriced=0)), "40 credits, and 32 credits when locked"),
        (changed(prices=LockedPrices(sha256=B, credits="32", unpriced=0)), "though the sum is the same"),
        (changed(templates={"pour.j2": B}), "the template pour.j2 has changed"),
        (changed(templates={}), "the template pour.j2 is in the lock, and not in use"),
        (changed(data_files={"a.csv": A}), "the table a.csv is in use, and is not in the lock"),
        (changed(vars_files={"vars.yaml": B}), "the variables file vars.yaml has changed"),
        (changed(variables={"brand": "B"}), "--var brand has changed"),
        (changed(variables={}), "--var brand is in the lock"),
        (changed(jobs={"tea/pour": LockedJob(fingerprint=A, take=1)}), "tea/pour#2 is in the lock, and no"),
        (changed(jobs={**LOCK["jobs"], "tea/x": LockedJob(fingerprint=B, take=1)}), "tea/x is wanted, and is not"),
        (changed(jobs={**LOCK["jobs"], "tea/pour": LockedJob(fingerprint=B, take=1)}), "another request: why"),
    ],
)  # fmt: skip
def test_each_difference_is_told_once_in_words(now: Lock, words: str) -> None:
    found = list(differences(LOCK, now, lambda *_: "why", images=False))
    assert len(found) == 1
    assert words.replace("another request: why", "the locked one: why") in found[0]


def test_images_are_compared_only_where_they_were_fetched() -> None:
    now = changed(images={})
    assert list(differences(LOCK, now, lambda *_: None, images=False)) == []
    assert len(list(differences(LOCK, now, lambda *_: None, images=True))) == 2


def test_an_image_that_was_never_fetched_is_no_promise() -> None:
    now = changed(
        images={
            **LOCK["images"],
            "https://b.example/": Asset(sha256=B, bytes=1, media_type="image/png"),
        }
    )
    found = list(differences(LOCK, now, lambda *_: None, images=True))
    assert len(found) == 1
    assert "was not fetched when it was locked" in found[0]


# --- the verb ------------------------------------------------------------------------------------


def test_a_lock_names_all_that_the_jobs_depend_on_and_no_secret(files: Bench) -> None:
    made = lock(files, "--vars-file", "mood.yaml", "--var", "brand=Borealis")
    assert refused("lock", made) == []
    assert sorted(made["jobs"]) == ["tea/pour", "tea/steam", "tea/steam#2"]
    assert list(made["models"]) == [MODEL]
    assert list(made["templates"]) == ["prompts/pour.j2"]
    assert list(made["vars_files"]) == ["mood.yaml"]
    assert made["variables"] == {"brand": "Borealis"}
    assert set(made["images"].values()) == {None}
    assert made["prices"]["credits"] == "48"
    text = (files.folder / "tea.yaml.lock").read_text()
    assert "do-not-write-me-down" not in text
    assert str(files.folder) not in text


def test_the_same_file_gives_the_same_bytes_however_it_is_called(files: Bench) -> None:
    lock(files)
    first = (files.folder / "tea.yaml.lock").read_bytes()
    again = files.do("lock", str(files.folder / "tea.yaml"))
    assert "unchanged" in again.err
    change(files, "tea.yaml", "version: 1", "# a comment\nversion: 1")
    lock(files)
    assert (files.folder / "tea.yaml.lock").read_bytes() == first


@pytest.mark.parametrize("verb", ["plan", "render", "validate", "run"])
def test_a_missing_lock_is_told_with_what_makes_one(files: Bench, verb: str) -> None:
    ran = files.do(verb, "tea.yaml", "--locked")
    assert ran.code == 2
    assert "kiejobs lock tea.yaml" in ran.err


@pytest.mark.parametrize("verb", ["plan", "render", "validate"])
def test_what_is_as_locked_goes_through(files: Bench, verb: str) -> None:
    lock(files, "--var", "brand=Borealis")
    assert files.do(verb, "tea.yaml", "--locked", "--var", "brand=Borealis").code == 0


@pytest.mark.parametrize("verb", ["plan", "render", "validate", "run"])
def test_an_edited_prompt_is_refused(table: Set, files: Bench, verb: str) -> None:
    lock(files)
    change(files, "tea.yaml", "Steam rises", "Steam falls")
    ran = files.do(verb, "tea.yaml", "--locked", *(["--yes"] if verb == "run" else []))
    assert ran.code == 6
    assert "tea/steam#2 is another request than the locked one" in ran.err
    assert "tea/pour" not in ran.err
    assert table[1].creates == []


def test_a_broken_lock_is_no_reason_to_let_anything_through(files: Bench) -> None:
    (files.folder / "tea.yaml.lock").write_text("{}")
    ran = files.do("run", "tea.yaml", "--locked", "--yes")
    assert ran.code == 2
    assert "can't be read as a lock" in ran.err


def test_a_comment_is_no_difference_and_neither_is_a_selection(files: Bench) -> None:
    lock(files)
    change(files, "tea.yaml", "version: 1", "# a comment\nversion: 1")
    assert files.do("plan", "tea.yaml", "--locked", "--select", "job:steam").code == 0


def test_a_changed_template_is_named_with_the_job_that_it_changes(files: Bench) -> None:
    lock(files)
    (files.folder / "prompts/pour.j2").write_text("Tea is spilled")
    found = told(files)
    assert "the template prompts/pour.j2 has changed" in found
    assert "tea/pour is another request" in found


def test_other_variables_are_told(files: Bench) -> None:
    lock(files, "--vars-file", "mood.yaml")
    assert "mood.yaml is in the lock, and not in use any more" in told(files)
    (files.folder / "mood.yaml").write_text("mood: sad\n")
    assert "mood.yaml has changed" in told(files, "--vars-file", "mood.yaml")


def test_what_was_bought_says_which_field_differs(files: Bench) -> None:
    lock(files)
    assert files.do("run", "tea.yaml", "--yes", "--poll", "50ms", "--rate", "99/1s").code == 0
    change(files, "tea.yaml", "Steam rises", "Steam falls")
    assert 'prompt: "Steam rises" -> "Steam falls"' in told(files)


def test_without_the_flag_nobody_looks_at_a_lock(files: Bench) -> None:
    lock(files)
    change(files, "tea.yaml", "Steam rises", "Steam falls")
    assert files.do("plan", "tea.yaml").code == 0


def test_every_file_is_looked_at_before_validate_refuses(files: Bench) -> None:
    lock(files)
    change(files, "tea.yaml", "Steam rises", "Steam falls")
    files.write({"a": "a"})
    assert files.do("lock", "jobs.yaml").code == 0
    ran = files.do("validate", "--locked", "tea.yaml", "jobs.yaml")
    assert ran.code == 6
    assert "jobs.yaml is valid" in ran.err


def test_a_table_that_changed_is_told_even_where_the_jobs_are_the_same(files: Bench) -> None:
    jobs = JOBS.replace("  steam:\n", "  steam:\n    matrix: {cup: {from: cups.csv, key: id}}\n")
    (files.folder / "tea.yaml").write_text(jobs.replace("Steam rises", '"{{ matrix.cup.id }}"'))
    table = files.folder / "cups.csv"
    table.write_text("id\nwhite\nblack\n")
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    assert lock(files)["data_files"] == {"cups.csv": digest}
    assert files.do("validate", "tea.yaml", "--locked").code == 0
    table.write_text("id\nblack\nwhite\n")
    words = told(files)
    assert "the table cups.csv has changed" in words
    assert "another request" not in words
