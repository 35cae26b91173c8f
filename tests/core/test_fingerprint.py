"""Identity: canonical JSON, the fingerprint over it, and what may never cause a purchase."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kiejobs.core.fingerprint import FINGERPRINT_VERSION, canonical, fingerprint
from tests.support.expanding import MODEL, expanded, shipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from kiejobs.core.expand.job import Job

CORPUS = Path(__file__).resolve().parents[1] / "data" / "identity"
BASE = (CORPUS / "base.yaml").read_text(encoding="utf-8")
SAME = sorted((CORPUS / "same").glob("*.yaml"))
DIFFERS = sorted((CORPUS / "differs").glob("*.yaml"))

# --- canonical JSON --------------------------------------------------------------------------------

LARGEST = 2**53 - 1
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=12)


@given(VALUES)
def test_canonical_is_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(VALUES)
def test_canonical_reads_back_as_the_same_value(value: Any) -> None:
    # Every number of JSON is a double, says RFC 8785.
    assert json.loads(canonical(value), parse_int=float) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, None, "é\n\u2028\x7f\x1f"]}, '{"a":[true,null,"é\\n\u2028\x7f\\u001f"],"b":1}'),
        ([5, 5.0, -0.0, 1e21, 1e-7, 0.1], "[5,5,0,1e+21,1e-7,0.1]"),
        # RFC 8785 orders keys by UTF-16: a letter beyond the basic plane comes before U+FB33.
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),
    ],
)  # fmt: skip
def test_canonical_by_example(value: Any, expected: str) -> None:
    assert canonical(value) == expected.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800", {"\ud800": 1}])
def test_what_json_cannot_carry_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is all that callers rely on
        canonical(value)


# --- the fingerprint -------------------------------------------------------------------------------

# Written by hand, hashed with sha256sum. If one of these changes, everybody pays again for all that
# they have: a new FINGERPRINT_VERSION must migrate the records instead.
PINNED = {
    "identity/pour[duration=10,resolution=720p]": (
        (
            '{"input":{"duration":"10","image_url":"https://example.com/cup.webp","prompt":"Aurora '
            'espresso falls into a \\"clay\\" cup.\\n10 seconds, 35 mm.","resolution":"720p"},'
            '"model":"bytedance/v1-pro-fast-image-to-video"}'
        ),
        "42f3ad5a5608d7ec58fe28e1525f6138ecc21ca1548ce2d92c89d1417417f77a",
    ),
    "identity/steam[resolution=1080p]": (
        (
            '{"input":{"duration":"5","image_url":"https://example.com/steam.webp","nsfw_checker":true,'
            '"prompt":"晨光里的一缕白汽从Aurora的杯口升起","resolution":"1080p"},'
            '"model":"bytedance/v1-pro-fast-image-to-video"}'
        ),
        "1452cf109bbf956ba938e9242f0ccf359fca2fc2f13521c51341d8c7235cb952",
    ),
}


@pytest.mark.parametrize("address", PINNED)
def test_fingerprints_are_what_they_were_when_people_bought(address: str) -> None:
    text, pinned = PINNED[address]
    assert hashlib.sha256(text.encode()).hexdigest() == pinned
    assert {job.address: job.fingerprint for job in jobs(BASE)}[address] == pinned


def test_the_version_of_the_fingerprint_is_the_one_that_is_pinned_here() -> None:
    assert FINGERPRINT_VERSION == 1


@given(st.dictionaries(TEXTS, SCALARS, min_size=2), st.randoms())
def test_the_order_of_fields_does_not_count(fields: dict[str, Any], random: Any) -> None:
    names = list(fields)
    random.shuffle(names)
    assert fingerprint("m", {name: fields[name] for name in names}) == fingerprint("m", fields)


def test_model_and_input_both_count_and_do_not_mix() -> None:
    made = {fingerprint("a", {}), fingerprint("b", {}), fingerprint("a", {"model": "b"})}
    assert len(made) == 3


# --- edits of a job file ---------------------------------------------------------------------------


def jobs(text: str | bytes) -> list[Job]:
    return expanded(text, same_fields()).jobs


def purchases(text: str | bytes) -> set[tuple[str, int]]:
    return {(job.fingerprint, job.take) for job in jobs(text)}


def same_fields() -> dict[str, Any]:
    """Another model, which takes the very same input."""
    schema = json.loads(json.dumps(shipped().schema))
    schema["properties"]["model"]["enum"] = ["example/same-fields"]
    return schema


@pytest.mark.parametrize("edited", SAME, ids=lambda path: path.stem)
def test_an_edit_that_means_the_same_buys_nothing(edited: Path) -> None:
    assert purchases(edited.read_bytes()) == purchases(BASE)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: ("\n\n" + text + "\n\n").encode(),
        lambda text: text.replace("\n", " \n", 4).encode(),
    ],
    ids=["crlf", "cr", "bom", "no-last-line-break", "empty-lines", "blanks-at-line-ends"],
)
def test_bytes_that_an_editor_changes_buy_nothing(edit: Callable[[str], bytes]) -> None:
    assert edit(BASE) != BASE.encode()
    assert purchases(edit(BASE)) == purchases(BASE)


def test_the_name_of_the_file_buys_nothing() -> None:
    moved = expanded(BASE, name="elsewhere/other.yaml").jobs
    assert {(job.fingerprint, job.take) for job in moved} == purchases(BASE)


@pytest.mark.parametrize("edited", DIFFERS, ids=lambda path: path.stem)
def test_an_edit_that_means_something_else_buys_exactly_that(edited: Path) -> None:
    text = edited.read_text(encoding="utf-8")
    lost, new = (line.partition(": ")[2] for line in text.splitlines()[:2])
    before = {job.address: (job.fingerprint, job.take) for job in jobs(BASE)}
    gone = {address for address, bought in before.items() if bought not in purchases(text)}
    assert gone == {address for address in before if is_named(address, lost.split())}
    assert len(purchases(text) - purchases(BASE)) == int(new)


def is_named(address: str, names: list[str]) -> bool:
    """By its whole address without the campaign, or by its job."""
    own = address.partition("/")[2]
    return own in names or own.partition("[")[0] in names


def test_the_corpus_is_there() -> None:
    assert len(SAME) >= 30
    assert len(DIFFERS) >= 20
    assert len(purchases(BASE)) == 8
    assert all(job.model == MODEL for job in jobs(BASE))
