"""Through a web proxy, and with a company's own authority: what buys, what is refused, what is never shown."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING

import anyio
import pytest

from kiejobs.adapters.http.client import AddressRule
from kiejobs.adapters.http.fetch import page_text
from kiejobs.adapters.http.proxy import proxy_for
from kiejobs.adapters.kie.client import KieApi, Patience
from kiejobs.adapters.storage.download import FileArtifacts
from kiejobs.adapters.system import Secret, redact
from kiejobs.core.diagnostics import UsageProblem
from kiejobs.core.ledger import outcomes
from kiejobs.core.ledger.records import FileRecord
from tests.support.authority import Authority
from tests.support.judge.replies import video
from tests.support.judge.server import KEY
from tests.support.judge.wire import Reply, Request, Wire
from tests.support.raw_server import raw_server
from tests.support.web_proxy import WebProxy, web_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.bench import Bench
    from tests.support.judge.server import Judge

API = "https://api.kie.test"  # no name server knows it; only the proxy does
HERE = "93.184.216.34"  # an address out in the world; nothing is ever sent there but through the proxy
PASSWORD = "pass-4f1c9d"
BODY = {"model": "vendor/model", "input": {"prompt": "tea"}}
ACCEPTED = json.dumps({"code": 200, "msg": "success", "data": {"taskId": "a" * 32}}).encode()


@pytest.fixture(autouse=True)
def _no_network_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test says."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


class World:
    """A server that answers as it is told, the proxy that leads there, and what was asked of the server."""

    def __init__(self, wire: Wire, proxy: WebProxy, requests: list[Request]) -> None:
        self.wire = wire
        self.proxy = proxy
        self.requests = requests


@pytest.fixture
def world(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    requests: list[Request] = []

    def answer(request: Request) -> Reply:
        requests.append(request)
        if request.method == "POST":
            return Reply(ACCEPTED)
        if request.path.startswith("/inside"):
            return Reply(b"", "302 Found", {"Location": "https://10.0.0.1/secret.mp4"})
        return Reply(video("one"), headers={"Content-Type": "video/mp4"})

    wire = Wire(answer)
    certificate = authority.server("api.kie.test", HERE, "files.kie.invalid", "docs.kie.example")
    with web_proxy(f"http://127.0.0.1:{wire.port}", certificate) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        yield World(wire, proxy, requests)
    wire.close()


# --- a purchase ----------------------------------------------------------------------------------------


def test_a_campaign_is_bought_through_a_tunnel_that_nobody_can_read(
    table: tuple[Bench, Judge], authority: Authority
) -> None:
    bench, judge = table
    bench.write({"pour": "tea", "steam": "steam"})
    with web_proxy(judge.url, authority.server("api.kie.test")) as proxy:
        proxy.login = "Proxy-Authorization: Basic b21hcjpwYXNzLTRmMWM5ZA=="  # omar and PASSWORD
        given = proxy.url.replace("://", f"://omar:{PASSWORD}@")
        network = {"HTTPS_PROXY": given, "SSL_CERT_FILE": str(authority.file)}
        ran = bench.run("--base-url", API, **network)
        checked = bench.do("doctor", "--base-url", API, **network)
        proxy.login = "another login"
        denied = bench.do("doctor", "--base-url", API, **network)
    assert ran.code == 0, ran.err
    assert bench.accepted_tasks() == bench.known_tasks()
    assert len(bench.accepted_tasks()) == 2
    assert set(proxy.lines) == {"CONNECT api.kie.test:443 HTTP/1.1"}
    assert b"createTask" not in proxy.carried
    assert f"HTTPS_PROXY {proxy.url} for {API}" in checked.out
    assert f"SSL_CERT_FILE {authority.file}" in checked.out
    assert denied.code == 1
    assert f"the proxy {proxy.url} (HTTPS_PROXY) failed: HTTP 407" in denied.out
    assert "check its address and login" in denied.out
    written = [path.read_text() for path in bench.folder.glob("runs/**/*.json*")]
    for text in (ran.out, ran.err, checked.out, checked.err, denied.out, denied.err, *written):
        assert PASSWORD not in text
        assert "omar" not in text


class Reserve:
    """Counts reservations, and notes what the world had seen by then."""

    def __init__(self, look: Callable[[], object] = lambda: None) -> None:
        self.seen: list[object] = []
        self._look = look

    async def __call__(self) -> None:
        self.seen.append(self._look())


def create(base: str, reserve: Reserve) -> outcomes.CreateOutcome:
    async def go() -> outcomes.CreateOutcome:
        api = KieApi(base, Secret(KEY))
        try:
            return await api.create(BODY, reserve)
        finally:
            await api.close()

    return anyio.run(go)


async def ask(base: str, times: int) -> list[str]:
    """For the balance; what went wrong."""
    api = KieApi(base, Secret(KEY), patience=Patience(connect=5.0, poll=5.0))
    answers = [await api.balance() for _ in range(times)]
    await api.close()
    return [one.message for one in answers if isinstance(one, outcomes.Unanswered)]


def test_the_tunnel_is_there_before_the_reservation_and_the_request_after_it(world: World) -> None:
    reserve = Reserve(lambda: (world.proxy.lines.copy(), len(world.requests)))
    assert create(API, reserve) == outcomes.Accepted("a" * 32)
    assert reserve.seen == [(["CONNECT api.kie.test:443 HTTP/1.1"], 0)]
    assert len(world.requests) == 1


def test_a_proxy_may_want_tls_itself(
    table: tuple[Bench, Judge], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, judge = table
    certificate = authority.server("api.kie.test", "127.0.0.1")
    with web_proxy(judge.url, certificate, scheme="https") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        found = anyio.run(ask, API, 1)
    assert found == []
    assert proxy.lines == ["CONNECT api.kie.test:443 HTTP/1.1"]


def test_a_proxy_that_refuses_is_a_request_that_was_not_sent(world: World) -> None:
    world.proxy.refusal = f"403 {PASSWORD}"
    reserve = Reserve()
    failed = f"the proxy {world.proxy.url} (HTTPS_PROXY) failed: HTTP 403"
    assert create(API, reserve) == outcomes.NotSent(failed)
    assert not reserve.seen


# httpcore lets go of the socket without closing it when the handshake fails; that is not ours.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_authority_that_nobody_named_is_not_trusted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    reserve = Reserve()
    outcome = create(API, reserve)
    gc.collect()
    assert isinstance(outcome, outcomes.NotSent)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.message
    assert not reserve.seen
    assert not world.requests


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("world")
def test_tunnels_whose_tls_fails_take_no_connection_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    found = anyio.run(ask, API, 12)
    gc.collect()
    assert len([one for one in found if "CERTIFICATE_VERIFY_FAILED" in one]) == 12


@pytest.mark.parametrize(
    ("status", "why"), [("200", None), ("407 No", "HTTP 407"), ("nonsense", "its answer is no HTTP")]
)
def test_a_proxy_s_answer_in_words(status: str, why: str | None, world: World) -> None:
    world.proxy.refusal = None if status == "200" else status
    outcome = create(API, Reserve())
    failed = outcomes.NotSent(f"the proxy {world.proxy.url} (HTTPS_PROXY) failed: {why}")
    assert outcome == (failed if why else outcomes.Accepted("a" * 32))


def test_a_proxy_that_hangs_up_is_a_request_that_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda wire: wire.reset()) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        outcome = create(API, Reserve())
    assert isinstance(outcome, outcomes.NotSent)
    assert outcome.message.startswith(f"the proxy {server.url} (HTTPS_PROXY) failed: ")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_nobody_answers_at_is_named_with_its_variable_and_without_its_login(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", f"{scheme}://omar:{PASSWORD}@127.0.0.1:9")
    for base in ("http://api.kie.test", API):
        (failed,) = anyio.run(ask, base, 1)
        assert failed.startswith(f"the proxy {scheme}://127.0.0.1:9 (all_proxy) failed: ")
        assert PASSWORD not in failed


def test_authorities_may_be_in_a_folder_too(
    world: World, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(authority.directory))
    assert create(API, Reserve()) == outcomes.Accepted("a" * 32)
    assert world.requests


def test_no_create_goes_through_a_proxy_in_the_clear(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", world.proxy.url)
    reserve = Reserve()
    outcome = create("http://api.kie.test", reserve)
    assert isinstance(outcome, outcomes.NotSent)
    assert "such a proxy may send a request twice" in outcome.message
    assert not reserve.seen
    assert not world.proxy.asked


def test_a_run_says_so_before_anything_is_bought(table: tuple[Bench, Judge], authority: Authority) -> None:
    bench, judge = table
    bench.write({"pour": "tea"})
    with web_proxy(judge.url, authority.server("api.kie.test")) as proxy:
        refused = bench.run(HTTP_PROXY=proxy.url)
        checked = bench.do("doctor", HTTP_PROXY=proxy.url)
        bought = bench.run(HTTP_PROXY=proxy.url, NO_PROXY="127.0.0.1")
    assert refused.code == 2
    assert "plain HTTP and goes through HTTP_PROXY" in refused.err
    assert "add 127.0.0.1 to NO_PROXY" in refused.err
    assert checked.code == 1
    assert "may send a request twice" in checked.out
    assert bought.code == 0
    assert len(bench.accepted_tasks()) == 1
    assert all(line.startswith("GET http://127.0.0.1") for line in proxy.lines), "the doctor only asked"


# --- results: addresses of strangers ---------------------------------------------------------------------


def fetch(url: str, root: Path, *only: tuple[str, ...]) -> outcomes.CollectOutcome:
    async def go() -> outcomes.CollectOutcome:
        artifacts = FileArtifacts(root, AddressRule(private_too=False, only=only))
        try:
            return await artifacts.collect(url, "tea/pour.mp4", key="k", media_type="video/mp4")
        finally:
            await artifacts.close()

    return anyio.run(go)


def test_a_result_comes_through_the_proxy(world: World, tmp_path: Path) -> None:
    assert isinstance(fetch(f"https://{HERE}/a.mp4", tmp_path), FileRecord)
    assert world.proxy.lines == [f"CONNECT {HERE}:443 HTTP/1.1"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://10.0.0.1/a.mp4", "at a private address"),
        ("https://localhost/a.mp4", "at a private address"),
        ("https://169.254.169.254/latest", "at a private address"),
        ("http://10.0.0.1/a.mp4", "at a private address"),
        (f"http://{HERE}/a.mp4", "plain HTTP"),
        ("https://files.kie.invalid/a.mp4", "a name without an address here"),
    ],
)
def test_the_proxy_is_never_asked_for_what_may_be_private(
    url: str, why: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", world.proxy.url)
    outcome = fetch(url, tmp_path)
    assert isinstance(outcome, outcomes.NotCollected)
    assert why in outcome.message
    assert not world.proxy.asked


def test_a_redirect_into_the_private_is_not_followed(world: World, tmp_path: Path) -> None:
    outcome = fetch(f"https://{HERE}/inside.mp4", tmp_path)
    assert isinstance(outcome, outcomes.NotCollected)
    assert "10.0.0.1 is at a private address" in outcome.message
    assert world.proxy.lines == [f"CONNECT {HERE}:443 HTTP/1.1"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_hosts_that_the_policy_names_are_resolved_by_the_proxy(
    scheme: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", world.proxy.url)
    found = fetch(f"{scheme}://files.kie.invalid/a.mp4", tmp_path, ("*.kie.invalid",))
    assert isinstance(found, FileRecord)
    assert len(world.proxy.asked) == 1


def test_a_page_that_was_typed_is_looked_up_by_the_proxy(world: World) -> None:
    with pytest.raises(UsageProblem, match="is not UTF-8"):  # it is a video, and came
        page_text("https://docs.kie.example/page.md")
    assert world.proxy.lines == ["CONNECT docs.kie.example:443 HTTP/1.1"]


def test_who_has_another_name_s_certificate_is_not_asked(world: World, tmp_path: Path) -> None:
    """The proxy leads elsewhere than this machine would have gone: what is there must prove its name."""
    outcome = fetch("https://8.8.8.8/a.mp4", tmp_path)
    assert isinstance(outcome, outcomes.NotCollected)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.message
    assert not world.requests


# --- which proxy -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "url", "variable"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.example", "HTTPS_PROXY"),
        ({"https_proxy": "p:1"}, "https://a.example", "https_proxy"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://a.example", None),
        ({"http_proxy": "http://p:1"}, "http://a.example", "http_proxy"),
        ({"ALL_PROXY": "http://p:1"}, "http://a.example", "ALL_PROXY"),
        ({"all_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "https://a.example", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example"}, "https://a.example", None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "b.example, .example"}, "https://x.a.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.example"}, "https://a.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example"}, "https://badexample", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://a.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example:8443"}, "https://a.example:8443", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example:8443"}, "https://a.example", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "A.Example:443"}, "https://a.example.", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "https://10.2.3.4", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "https://11.2.3.4", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "[::1],::2"}, "https://[::2]:8443", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": " ,:443,"}, "https://a.example", "HTTPS_PROXY"),
    ],
)
def test_which_proxy_a_request_goes_through(
    environment: dict[str, str], url: str, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(url)
    assert (proxy.variable if proxy else None) == variable


@pytest.mark.parametrize(
    "value", ["socks5://omar:pass-4f1c9d@p:1", "http://omar:pass-4f1c9d/7@p:1", "http://omar:99/pass-4f1c9d@p", "http://", "http://p:x"]
)  # fmt: skip
def test_a_proxy_that_can_t_be_used_is_never_passed_over(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(UsageProblem, match="ALL_PROXY") as raised:
        proxy_for(API)
    assert PASSWORD not in raised.value.message


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_authorities_that_are_not_there_are_said(name: str, table: tuple[Bench, Judge]) -> None:
    bench, _ = table
    bench.write({"pour": "tea"})
    ran = bench.run(**{name: "/nowhere/at/all"})
    assert ran.code == 2
    assert f"{name}: /nowhere/at/all" in ran.err
    assert "unset it to trust the bundled ones" in ran.err
    assert bench.journals() == []
    found = bench.do("doctor", "--json", **{name: "/nowhere/at/all"}).json["checks"]
    (failed,) = (check for check in found if not check["ok"])
    assert (failed["name"], failed["detail"][: len(name)]) == ("tls", name)
    assert [check["name"] for check in found if check["hint"]] == ["tls"]


def test_a_proxy_s_password_is_cut_out_of_reports_on_bugs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", f"http://omar:{PASSWORD}@p:1")
    assert PASSWORD not in redact(f"no route to http://omar:{PASSWORD}@p:1")
