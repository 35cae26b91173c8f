"""A schema that knows more than the one that something was bought by: nothing is bought again for that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kiejobs.core.fingerprint import canonical
from kiejobs.core.models.spec import read_spec
from tests.docs.regenerate import SCHEMAS
from tests.support.bench import MODEL, Bench, judged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.judge.server import Judge

Set = tuple[Bench, "Judge"]
FIELD = {"type": "boolean", "default": False, "description": "A field of a later day."}


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Set]:
    """One job that was bought and locked."""
    bench, judge = judged(tmp_path)
    own(bench)
    bench.write({"one": "one"})
    assert bench.run().code == 0
    assert bench.do("lock", "jobs.yaml").code == 0
    yield bench, judge
    judge.close()


def own(bench: Bench, **fields: Any) -> dict[str, Any]:
    """The project's own schema of the model, with more fields."""
    schema: dict[str, Any] = json.loads((SCHEMAS / "models" / f"{MODEL}.json").read_text(encoding="utf-8"))
    schema["properties"]["input"]["properties"].update(fields)
    write(bench, schema)
    return schema


def write(bench: Bench, schema: dict[str, Any]) -> None:
    path = bench.folder / "schemas" / "models" / f"{MODEL}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema), encoding="utf-8")


def test_a_field_that_is_new_and_has_a_default_buys_nothing_again(table: Set) -> None:
    bench, judge = table
    own(bench, later=FIELD)
    assert bench.plan() == {"one": "keep"}
    assert bench.run().code == 0
    assert len(judge.creates) == 1


def test_another_value_of_the_new_field_is_another_request(table: Set) -> None:
    bench, judge = table
    own(bench, later=FIELD)
    given = {"image_url": "https://example.com/a.webp", "prompt": "one", "later": True}
    document = {
        "version": 1,
        "campaign": "judged",
        "defaults": {"model": MODEL},
        "jobs": {"one": {"input": given}},
    }
    (bench.folder / "jobs.yaml").write_text(json.dumps(document))
    assert bench.plan() == {"one": "submit"}
    assert bench.run().code == 0
    assert len(judge.creates) == 2


def test_a_description_is_no_matter_for_approvals_and_locks(table: Set) -> None:
    bench, _ = table
    bench.write({"one": "one", "two": "two"})
    assert bench.do("lock", "jobs.yaml").code == 0
    before = bench.do("plan", "jobs.yaml", "--format", "json").json["digest"]
    schema = own(bench)
    schema["properties"]["input"]["properties"]["prompt"]["description"] = "In better words."
    write(bench, schema)
    planned = bench.do("plan", "jobs.yaml", "--locked", "--format", "json")
    assert (planned.code, planned.json["digest"]) == (0, before)


def test_a_limit_is_a_matter_for_both(table: Set) -> None:
    bench, _ = table
    bench.write({"one": "one", "two": "two"})
    before = bench.do("plan", "jobs.yaml", "--format", "json").json["digest"]
    schema = own(bench)
    schema["properties"]["input"]["properties"]["prompt"]["maxLength"] = 77
    write(bench, schema)
    assert bench.do("plan", "jobs.yaml", "--format", "json").json["digest"] != before
    assert bench.do("plan", "jobs.yaml", "--locked").code == 6


def test_a_lock_from_before_holds_by_the_digest_of_the_whole_schema(table: Set) -> None:
    bench, _ = table
    path = bench.folder / "jobs.yaml.lock"
    lock = json.loads(path.read_text())
    lock["models"][MODEL]["schema"] = read_spec(own(bench)).digest
    path.write_bytes(canonical(lock))
    assert bench.do("plan", "jobs.yaml", "--locked").code == 0


def test_a_field_of_another_type_buys_nothing_again(table: Set) -> None:
    bench, judge = table
    for schema_type, choices in (("string", ["5", "10"]), ("integer", [5, 10])):
        own(bench, duration={"type": schema_type, "enum": choices, "default": choices[0]})
        assert bench.run().code == 0
        assert bench.plan() == {"one": "keep"}
    assert len(judge.creates) == 1
