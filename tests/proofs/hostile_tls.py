"""Where the network strikes before a request can leave: connecting, and TLS.

In: a stage, how dense the offsets are. Out: `Creates`. Touches loopback sockets, and a certificate that
`openssl` makes for an hour; without that program the cases that need it are left out.

A second proxy speaks TLS before the sandbox, the hostile one is between it and the client. What comes
back through it is encrypted, so that a cut may fall into the handshake, between it and the request, or
into the answer; the charge log says which of these it must have been.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import httpx

from tests.proofs.hostile_cases import NOT_SENT, NOT_TOLD, TOLD, Case
from tests.proofs.hostile_exchanges import Creates, judge_creates
from tests.proofs.hostile_stage import ALL_THE_TIME, HURRIED, Stage
from tests.proofs.tcp_proxy import Line, calm, deaf, proxying
from tests.support.raw_server import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kiejobs.core.ledger import outcomes
    from tests.proofs.hostile_exchanges import Played
    from tests.proofs.tcp_proxy import Proxy

_HELLO = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
_ANYTHING = frozenset({NOT_SENT, NOT_TOLD, TOLD})
_ALL = 10**6  # bytes; more than any answer has
_NEVER_SENT = frozenset({NOT_SENT})


def play_connections(stage: Stage) -> Creates:
    """No connection, or none with TLS: nothing is reserved, nothing is charged."""
    played: Played = []
    for behaviour, script in _HANDSHAKES.items():
        stage.proxy.script = script
        _attempt(stage, played, behaviour, _https(stage.proxy))
    _attempt(stage, played, "refused", f"http://127.0.0.1:{free_port()}")
    with deaf() as port:
        _attempt(stage, played, "neither taken nor refused", f"http://127.0.0.1:{port}")
    with _encrypted(stage) as line_up:
        if line_up is not None:
            _attempt(stage, played, "a certificate of nobody's", _https(line_up[0]))
    return judge_creates(played, stage.charges())


def _attempt(stage: Stage, played: Played, behaviour: str, url: str) -> None:
    prompt = f"unsent {len(played):05}"
    outcome = stage.create(prompt, HURRIED, url=url)
    played.append((Case(behaviour, calm, _NEVER_SENT, (0,)), prompt, outcome, stage.reserved))


def play_encrypted(stage: Stage, *, every: int) -> Creates:
    """The encrypted stream back cut off, and bent, at every so many bytes."""
    played: Played = []
    with _encrypted(stage) as line_up:
        if line_up is not None:
            for number, case in enumerate(_cases(stage, *line_up, every)):
                played.append(_play(stage, *line_up, case, f"TLS {number:07}"))
    return judge_creates(played, stage.charges())


def _cases(stage: Stage, hostile: Proxy, trusting: ssl.SSLContext, every: int) -> Iterator[Case]:
    """The length of the stream varies by a few bytes, as signatures do."""
    carried: list[int] = []
    whole = Case("TLS", lambda line: carried.append(line.relay(_ALL)), frozenset({TOLD}), (1,))
    _play(stage, hostile, trusting, whole, "how long it is")
    yield whole
    for count in range(0, carried[0] + 1, every):
        for name, ending in (("FIN", Line.end), ("RST", Line.reset)):
            script = partial(_cut, count, ending)
            yield Case(f"TLS stream truncated, {name}", script, _ANYTHING, (0, 1))
        bent = partial(_bend, count)  # where it makes a record longer, that is waited for
        yield Case("a bit of the TLS stream turned", bent, _ANYTHING, (0, 1), hangs=True)
    for count in range(0, carried[0] + 1, max(3 * every, carried[0] // 9)):
        stalls = partial(_cut, count, Line.silence)
        yield Case("TLS stream stalled", stalls, _ANYTHING, (0, 1), hangs=True)


def _play(
    stage: Stage, hostile: Proxy, trusting: ssl.SSLContext, case: Case, prompt: str
) -> tuple[Case, str, outcomes.CreateOutcome, int]:
    """The adapter's own transport, but for the authority that it trusts."""
    hostile.script = case.script
    limits = httpx.Limits(max_keepalive_connections=0)
    transport = httpx.AsyncHTTPTransport(verify=trusting, limits=limits, trust_env=False)
    patience = HURRIED if case.hangs else ALL_THE_TIME
    outcome = stage.create(prompt, patience, url=_https(hostile), transport=transport)
    hostile.settle()
    return case, prompt, outcome, stage.reserved


def _https(proxy: Proxy) -> str:
    return proxy.url.replace("http:", "https:")


def _cut(count: int, ending: Callable[[Line], None], line: Line) -> None:
    line.relay(count)
    ending(line)


def _bend(place: int, line: Line) -> None:
    line.relay(_ALL, bent=place)


def _reset(line: Line) -> None:
    line.taken(10)
    line.reset()


def _say(data: bytes, line: Line) -> None:
    line.taken(10)
    line.say(data)
    line.end()


_HANDSHAKES: dict[str, Callable[[Line], None]] = {
    "RST within the handshake": _reset,
    "FIN within the handshake": partial(_say, b""),
    "silence within the handshake": Line.silence,
    "HTTP instead of TLS": partial(_say, _HELLO),
    "a TLS alert": partial(_say, _ALERT),
}


@contextmanager
def _encrypted(stage: Stage) -> Iterator[tuple[Proxy, ssl.SSLContext] | None]:
    """A hostile proxy before a server that speaks TLS, and what vouches for that."""
    certificate = _certificate(stage.folder)
    if certificate is None:
        yield None
        return
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)

    def decrypt(line: Line) -> None:
        line.sock = ours.wrap_socket(line.sock, server_side=True)
        calm(line)

    with proxying(stage.sandbox) as front:
        front.script = decrypt
        with proxying(front.url) as hostile:
            hostile.script = partial(_cut, _ALL, Line.end)
            yield hostile, ssl.create_default_context(cafile=str(certificate))


def _certificate(folder: Path) -> Path | None:
    """For 127.0.0.1, signed by itself, its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    made, key = folder / "certificate.pem", folder / "key.pem"
    wanted = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=proof"
    names = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made))
    subprocess.run([openssl, "req", *wanted.split(), *names], check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + key.read_bytes())
    return made
