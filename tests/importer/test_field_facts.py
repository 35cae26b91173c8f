"""What a page claims of its fields, as a list of facts, and what facts that differ come to."""

from __future__ import annotations

from kiejobs.importer.facts import FieldFact, facts_of
from kiejobs.importer.settle import Settled


def test_each_claim_is_one_fact_with_its_place_and_source() -> None:
    shot = {"type": "object", "properties": {"text": {"type": "string", "description": "最多 80 字符"}}}
    seconds = {"type": "integer", "maximum": 12, "description": "Between 4 and 15"}
    input_ = {"properties": {"shots": {"type": "array", "items": shot}, "seconds": seconds}}
    found = {(*one.path, one.key): (one.value, one.source) for one in facts_of(input_, [{"seconds": 5}], "")}
    expected = {
        ("properties",): ("seconds", "schema"),
        ("seconds", "maximum"): (15, "English"),
        ("seconds", "minimum"): (4, "English"),
        ("seconds", "example"): (5, "example"),
        ("shots", "items"): ("[]", "schema"),
        ("shots", "[]", "text", "maxLength"): (80, "Chinese"),
    }
    assert expected.items() <= found.items()


def test_the_schema_counts_more_than_prose_and_examples_more_than_a_limit_of_prose() -> None:
    notes: list[str] = []
    facts = [
        FieldFact((), "properties", "seconds"),
        FieldFact(("seconds",), "type", "integer"),
        FieldFact(("seconds",), "maximum", 12),
        FieldFact(("seconds",), "maximum", 15, "English"),
        FieldFact(("seconds",), "minimum", 4, "English"),
        FieldFact(("seconds",), "example", 2, "example"),
    ]
    fields, required, rules = Settled(facts, notes.append).request()
    assert fields == {"seconds": {"title": "Seconds", "type": "integer", "maximum": 12}}
    assert (required, rules) == ([], [])
    assert notes == [
        "seconds: prose says maximum 15, the schema 12; the schema counts",
        "seconds: minimum 4 from the page's prose is passed over: the page itself shows 2",
    ]
