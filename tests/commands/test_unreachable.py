"""Addresses that the API can't reach: an error before anything is bought, unless the API is at such a place itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bench import Bench

if TYPE_CHECKING:
    from pathlib import Path

VENDOR = "https://api.kie.ai"
HOME = "http://localhost:3000/a.png"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Where nothing is bought."""
    return Bench(tmp_path, VENDOR)


def job(bench: Bench, url: str, **more: Any) -> None:
    document = {"j": {"input": {"image_url": url, "prompt": "x"}, **more}}
    bench.write({}, defaults={"model": "bytedance/v1-pro-fast-image-to-video"})
    text = (bench.folder / "jobs.yaml").read_text()
    (bench.folder / "jobs.yaml").write_text(
        text.replace('"jobs": {}', f'"jobs": {document}'.replace("'", '"'))
    )


@pytest.mark.parametrize("verb", [("validate",), ("plan",), ("run", "--yes"), ("render",), ("lock",)])
def test_a_file_at_a_private_address_is_an_error_where_the_api_is_the_vendors(
    bench: Bench, verb: tuple[str, ...]
) -> None:
    job(bench, HOME)
    ran = bench.do(*verb, "jobs.yaml")
    assert ran.code == 2, ran.err
    assert "error[unreachable-address]" in ran.err
    assert "`image_url` points at localhost, which the API can't reach" in ran.err


@pytest.mark.parametrize("way", [("--sandbox",), ("--base-url", "http://127.0.0.1:9")])
@pytest.mark.parametrize("verb", ["validate", "plan"])
def test_it_is_fine_for_a_rehearsal_and_for_an_api_at_such_an_address(
    bench: Bench, verb: str, way: tuple[str, ...]
) -> None:
    job(bench, HOME, callBackUrl="http://localhost:8788/")
    ran = bench.do(verb, "jobs.yaml", *way)
    assert (ran.code, "unreachable" in ran.err) == (0, False), ran.err
    bench.url = "http://10.0.0.7"
    assert bench.do("validate", "jobs.yaml").code == 0


@pytest.mark.parametrize("verb", ["validate", "plan"])
def test_a_callback_url_that_nobody_can_call_is_a_warning_and_strict_makes_it_an_error(
    bench: Bench, verb: str
) -> None:
    job(bench, "https://example.com/a.webp", callBackUrl="http://192.168.0.7:8788/{{ job }}", takes=2)
    ran = bench.do(verb, "jobs.yaml")
    assert (ran.code, ran.err.count("warning[unreachable-address]")) == (0, 1), ran.err
    ran = bench.do(verb, "jobs.yaml", "--strict")
    assert (ran.code, ran.err.count("error[unreachable-address]")) == (2, 1), ran.err


def test_addresses_from_a_table_and_in_a_list_are_looked_at_each_at_its_place(bench: Bench) -> None:
    (bench.folder / "s.csv").write_text("id,image\na,https://example.com/a.webp\nb,http://10.1.2.3/b.webp\n")
    matrix = {"s": {"from": "s.csv", "key": "id"}}
    job(bench, "{{ matrix.s.image }}", matrix=matrix)
    ran = bench.do("validate", "jobs.yaml")
    assert "error[unreachable-address]" in ran.err
    assert "s.csv:3:3" in ran.err
    assert ran.err.count("error[") == 1
