"""Provenance in standard forms, held against the standards' own libraries where there are any.

in-toto: the bindings' Statement and Provenance messages, which refuse unknown fields. RO-Crate: the
community's reader, and what the specification demands, asked here. CSV: Python's own strict reader.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance as SlsaProvenance
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from rocrate.rocrate import ROCrate

from kiejobs.core.ledger import events as e
from kiejobs.core.ledger.events import JournalRecord, Timed
from kiejobs.core.ledger.fold import fold
from kiejobs.core.ledger.records import Failure, FileRecord
from kiejobs.reports.provenance import (
    COLUMNS,
    Provenance,
    export_csv,
    export_in_toto,
    export_ro_crate,
    public,
)
from tests.support.judge.server import KEY, SIGNATURE
from tests.support.results import HOSTILE, harmless

if TYPE_CHECKING:
    from tests.support.bench import Bench
    from tests.support.judge.server import Judge

Set = tuple["Bench", "Judge"]
RUN = "20251122T073600123Z-1f0a2b"
ORIGIN = "https://api.example.com"
PICTURE = "https://me:pw@example.com/a b.png?sig=do-not-write-me-down".replace(" ", "%20")
FORMULA = '=HYPERLINK("http://evil.example","x")'


def at(second: int) -> str:
    return f"2025-11-22T07:36:{second:02d}.123Z"


def provenance(**fields: Any) -> Provenance:
    """Two jobs of one run, the first with two files, the second failed; `fields` join the inputs."""
    asked = {"prompt": "Tea", "image_url": PICTURE, **fields}
    first = e.Reserved("a" * 32, "tea/pour[d=5]", "1" * 64, 1, "maker/model", asked, None, None, "x")
    second = replace(first, attempt_id="b" * 32, address="tea/steam#2", fingerprint="2" * 64, take=2)
    files = tuple(
        FileRecord(f"tea/pour {n}.mp4", str(n) * 64, n, "video/mp4", "https://r.example/1.mp4")
        for n in (3, 4)
    )
    source = {"file": "tea.yaml", "sha256": "5" * 64, "git_commit": "6" * 40}
    told: list[e.Event] = [
        e.RunStarted(RUN, "run", "tea", ORIGIN, source, "kiejobs 0.1.0", 1),
        first,
        second,
        e.Submitted("a" * 32, "task-1"),
        e.Submitted("b" * 32, "task-2"),
        e.Succeeded("a" * 32, None, ("https://r.example/1.mp4",)),
        e.Failed("b" * 32, Failure("failed", "501", "no"), None),
        e.Collected("a" * 32, files),
    ]
    ledger = fold([JournalRecord(RUN, [Timed(at(n), event) for n, event in enumerate(told)])])
    return Provenance(list(ledger.current()), ledger.runs)


def rows(made: Provenance) -> list[dict[str, str]]:
    text = "".join(export_csv(made))
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def statements(made: Provenance) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export_in_toto(made)]


def graph(made: Provenance) -> dict[str, dict[str, Any]]:
    entities = json.loads(export_ro_crate(made))["@graph"]
    found = {entity["@id"]: entity for entity in entities}
    assert len(found) == len(entities), "each thing once"
    return found


# --- what all have in common ---------------------------------------------------------------------


@pytest.mark.parametrize("form", [export_csv, export_in_toto, export_ro_crate])
def test_the_same_journals_give_the_same_bytes_without_secrets(form: Any) -> None:
    text = "".join(form(provenance()))
    assert text == "".join(form(provenance()))
    assert "do-not-write-me-down" not in text
    assert "me:pw" not in text
    assert "https://example.com/a%20b.png" in text


@pytest.mark.parametrize("form", [export_csv, export_in_toto, export_ro_crate])
def test_nothing_in_a_prompt_steers_a_terminal(form: Any) -> None:
    text = "".join(form(provenance(prompt=HOSTILE)))
    assert harmless(text.replace("\r\n", "\n"))
    assert text.encode()


def test_urls_are_bare_wherever_they_stand() -> None:
    deep = {"a": ["https://x.example/1?k=v", "see https://x.example/1?k=v"], "b": 1}
    assert public(deep) == {"a": ["https://x.example/1", "see https://x.example/1?k=v"], "b": 1}


REF = "c" * 64


def with_files() -> Provenance:
    """The same two jobs, made with two local files, of which one's path is on record."""
    made = provenance(image_url=f"sha256:{REF}", more_urls=["https://a.example", f"sha256:{'d' * 64}"])
    told = e.Uploaded(REF, "https://up.example/1", 9, "image/png", at(1), "images/cup.png")
    return replace(made, uploads={REF: [told]})


def test_local_files_are_told_by_path_and_content() -> None:
    first = rows(with_files())[0]
    assert first["input_path"] == "images/cup.png\n"
    assert first["input_sha256"] == f"{REF}\n{'d' * 64}"
    dependencies = statements(with_files())[0]["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert dependencies[-2:] == [
        {
            "name": "images/cup.png",
            "digest": {"sha256": REF},
            "mediaType": "image/png",
            "annotations": {"input": "image_url"},
        },
        {
            "name": f"sha256:{'d' * 64}",
            "digest": {"sha256": "d" * 64},
            "annotations": {"input": "more_urls[1]"},
        },
    ]
    found = graph(with_files())
    assert found[f"#file/{REF}"] == {
        "@id": f"#file/{REF}",
        "@type": "MediaObject",
        "name": "images/cup.png",
        "contentSize": "9",
        "encodingFormat": "image/png",
        "sha256": REF,
    }
    action = found[f"#attempt/{'a' * 32}"]
    assert {"@id": f"#file/{REF}"} in action["object"]
    assert f"#input/{'1' * 64}/image_url" not in found
    assert f"#input/{'1' * 64}/more_urls" in found


# --- CSV -----------------------------------------------------------------------------------------


def test_a_table_has_a_row_for_each_job_and_a_column_for_each_field() -> None:
    text = "".join(export_csv(provenance()))
    assert text.count("\r\n") == 3
    first, second = rows(provenance())
    assert list(first) == [*COLUMNS, "input.image_url", "input.prompt"]
    assert first["address"] == "tea/pour[d=5]"
    assert first["path"] == "tea/pour 3.mp4\ntea/pour 4.mp4"
    assert first["git_commit"] == "6" * 40
    assert first["submitted"] == at(3)
    assert (second["take"], second["state"], second["error_code"]) == ("2", "failed", "501")
    assert second["path"] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_prompt_is_taken_for_a_formula(start: str) -> None:
    row = rows(provenance(prompt=f"{start}1+1", other=FORMULA))[0]
    assert row["input.prompt"].startswith("'")
    assert row["input.other"] == f"'{FORMULA}"


def test_commas_quotes_and_breaks_come_back_as_they_were() -> None:
    prompt = 'one, "two"\nthree; 茶'
    assert rows(provenance(prompt=prompt, number=5))[0]["input.prompt"] == prompt
    assert rows(provenance(prompt=prompt, number=5))[0]["input.number"] == "5"


# --- in-toto -------------------------------------------------------------------------------------


def test_a_statement_is_one_by_the_standard_s_own_bindings() -> None:
    (made,) = statements(with_files())
    message = json_format.ParseDict(made, StatementMessage())
    Statement.copy_from_pb(message).validate()
    predicate = json_format.ParseDict(made["predicate"], SlsaProvenance())
    assert predicate.run_details.metadata.invocation_id == RUN
    assert predicate.run_details.metadata.started_on.ToJsonString() == at(3)
    assert predicate.run_details.metadata.finished_on.ToJsonString() == at(5)
    assert predicate.build_definition.build_type == "urn:kiejobs:generation:v1"


def test_the_bindings_would_refuse_a_field_that_is_none() -> None:
    (made,) = statements(provenance())
    with pytest.raises(json_format.ParseError):
        json_format.ParseDict({**made["predicate"], "more": 1}, SlsaProvenance())


def test_a_statement_names_files_request_job_file_and_commit() -> None:
    (made,) = statements(provenance())
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    assert [one["digest"]["sha256"][0] for one in made["subject"]] == ["3", "4"]
    definition = made["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["input"]["prompt"] == "Tea"
    assert definition["externalParameters"]["fingerprint"] == "1" * 64
    digests = [one.get("digest") for one in definition["resolvedDependencies"]]
    assert digests == [{"sha256": "5" * 64}, {"gitCommit": "6" * 40}, None]
    assert made["predicate"]["runDetails"]["builder"]["version"] == {"kiejobs": "0.1.0"}


# --- RO-Crate ------------------------------------------------------------------------------------


def test_a_crate_has_what_the_specification_demands() -> None:
    found = graph(provenance())
    descriptor, root = found["ro-crate-metadata.json"], found["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert {"name", "description", "datePublished", "license"} <= set(root)
    assert root["@type"] == "Dataset"
    assert all(entity.get("@type") and entity.get("@id") for entity in found.values())


def test_every_reference_leads_somewhere() -> None:
    found = graph(provenance())
    outside = {"https://w3id.org/ro/crate/1.1"}

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            return {value["@id"]} if set(value) == {"@id"} else set()
        return {name for item in value for name in references(item)} if isinstance(value, list) else set()

    named = {name for entity in found.values() for value in entity.values() for name in references(value)}
    assert named - outside <= set(found)
    assert set(found) - named <= {"ro-crate-metadata.json"}, "nothing stands alone"


def test_files_and_actions_say_how_they_came_about() -> None:
    found = graph(provenance())
    file = found["tea/pour%203.mp4"]
    assert file["@type"] == "File"
    assert (file["contentSize"], file["encodingFormat"]) == ("3", "video/mp4")
    assert file["sha256"] == "3" * 64
    done, failed = found["#attempt/" + "a" * 32], found["#attempt/" + "b" * 32]
    assert [found[one["@id"]]["name"] for one in done["instrument"]] == ["maker/model", "kiejobs"]
    assert [found[one["@id"]].get("value") for one in done["object"]] == ["Tea", None]
    assert done["startTime"] == at(3).replace("Z", "+00:00")
    assert "agent" not in done
    assert failed["actionStatus"].endswith("FailedActionStatus")
    assert failed["error"] == "no"


# --- the command line ----------------------------------------------------------------------------


def test_a_real_campaign_in_all_forms(table: Set) -> None:
    bench, _ = table
    bench.write({"a": FORMULA, "b": "b", "c": "c [create=422]"})
    assert bench.run().code == 1
    bench.write({"d": "d"}, campaign="other")
    assert bench.run().code == 0
    texts = {}
    for form, name in (("csv", "t.csv"), ("in-toto", "p.intoto.jsonl"), ("ro-crate", "crate")):
        ran = bench.do("manifest", "export", "--format", form, "--campaign", "judged", "-o", name)
        assert ran.code == 0
        path = bench.folder / name
        path = path / "ro-crate-metadata.json" if path.is_dir() else path
        texts[form] = path.read_bytes().decode()
        assert KEY not in texts[form]
        assert SIGNATURE not in texts[form]
        assert str(bench.folder) not in texts[form]
    table_ = list(csv.DictReader(io.StringIO(texts["csv"], newline=""), strict=True))
    assert [row["state"] for row in table_] == ["succeeded", "succeeded", "rejected"]
    assert table_[0]["input.prompt"] == f"'{FORMULA}"
    for line in texts["in-toto"].splitlines():
        made = json.loads(line)
        Statement.copy_from_pb(json_format.ParseDict(made, StatementMessage())).validate()
        for subject in made["subject"]:
            data = (bench.folder / "outputs" / subject["name"]).read_bytes()
            assert subject["digest"]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_crate_goes_beside_its_files_and_others_can_read_it(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a", "b": "b"})
    assert bench.run().code == 0
    assert bench.do("manifest", "export", "--format", "ro-crate").code == 0
    crate = ROCrate(bench.folder / "outputs")
    assert {entity.type for entity in crate.data_entities} == {"File"}
    assert all((bench.folder / "outputs" / entity.id).is_file() for entity in crate.data_entities)
    actions = [entity for entity in crate.contextual_entities if entity.type == "CreateAction"]
    assert {action["name"] for action in actions} == {"judged/a", "judged/b"}
    assert {action["result"].type for action in actions} == {"File"}


def test_runs_are_named_by_the_beginning_of_their_ids(table: Set) -> None:
    bench, _ = table
    bench.write({"a": "a"})
    assert bench.run().code == 0
    bench.write({"a": "a", "b": "b"})
    assert bench.run().code == 0
    runs = [path.parent.name for path in bench.journals()]
    for named, jobs in (((), 2), ((runs[0],), 1), (runs, 2)):
        ran = bench.do("manifest", "export", "--format", "csv", *named)
        assert len(list(csv.reader(io.StringIO(ran.out)))) == 1 + jobs
    assert bench.do("manifest", "export", "--format", "csv", "1999").code == 2


def test_where_nothing_was_bought_there_is_nothing_to_tell(table: Set) -> None:
    bench, _ = table
    assert bench.do("manifest", "export", "--format", "csv").code == 2
    bench.write({"a": "a"})
    assert bench.run().code == 0
    ran = bench.do("manifest", "export", "--format", "csv", "--campaign", "nobody")
    assert ran.code == 2
    assert "for `nobody`" in ran.err
