"""What a network may do to one exchange, and what has to be thought of it.

In: how long the request and the honest answer are. Out: cases, each a script for the proxy, with the
classes that the design's table (section 7) asks for. Touches nothing.

The same cases are played to creates, polls and downloads: `told` where the client must take the answer,
`not_told` where it must know that it has none, `not_sent` where it must know that nothing left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from tests.proofs import tcp_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.proofs.tcp_proxy import Line, Script

    Shape: TypeAlias = Callable[[bytes], bytes]
    Ending: TypeAlias = Callable[[Line], None]

TOLD, NOT_TOLD, NOT_SENT = "told", "not told", "not sent"

_ENDINGS: Mapping[str, Ending] = {"FIN": tcp_proxy.Line.end, "RST": tcp_proxy.Line.reset}
_HANDSHAKE_FAILS = b"\x15\x03\x03\x00\x02\x02\x28"  # a TLS alert
_GATEWAY = b"<html>the gateway gave up</html>"
_ONCE_MORE = b"HTTP/1.1 100 Continue\r\n\r\n"
_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Case:
    """`thinks`: what the client may make of it. `copies`: how often the server may have been asked.

    `hangs` where only the client's own patience ends it; `undetectable` where no client can see it.
    """

    behaviour: str
    script: Script
    thinks: frozenset[str]
    copies: tuple[int, ...]
    hangs: bool = field(default=False, kw_only=True)
    undetectable: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes on the wire, heads included; `framed` are the answer's by the name of its framing."""

    request: int
    framed: Mapping[str, int]


def as_it_came(answer: bytes) -> bytes:
    return answer


def in_chunks(answer: bytes) -> bytes:
    """The same answer in chunks of 40 bytes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    pieces = [body[start : start + 40] for start in range(0, len(body), 40)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    lines = [*_without(head, b"content-length"), b"transfer-encoding: chunked"]
    return b"\r\n".join([*lines, b"", chunks + b"0\r\n\r\n"])


def till_the_end(answer: bytes) -> bytes:
    """The same answer from an HTTP/1.0 server that says no length: it ends when the connection does."""
    head, _, body = answer.partition(b"\r\n\r\n")
    _, *lines = _without(head, b"content-length")
    return b"\r\n".join([b"HTTP/1.0 200 OK", *lines, b"", body])


FRAMINGS: Mapping[str, Shape] = {
    "with a length": as_it_came,
    "in chunks": in_chunks,
    "till the connection's end": till_the_end,
}


def every_case(sizes: Sizes, *, every: int, patience: float) -> Iterator[Case]:
    """All of them; offsets at `every` so many bytes, and at both ends. `patience` is the client's."""
    yield from _before_the_server(sizes, every, patience)
    yield from _lost_on_the_way(sizes, every)
    for framing, shape in FRAMINGS.items():
        yield from _truncated(framing, shape, sizes.framed[framing], every)
    yield from _slow(patience)
    yield from _doubled()
    yield from _odd_but_whole()
    yield from _not_the_answer()


def _before_the_server(sizes: Sizes, every: int, patience: float) -> Iterator[Case]:
    nothing = (0,)
    at_once = frozenset({NOT_SENT, NOT_TOLD})  # it depends on who is quicker
    for name, ending in _ENDINGS.items():
        yield Case(f"{name} as soon as it is connected", ending, at_once, nothing)
    for count in _offsets(sizes.request, every)[1:]:
        script = partial(_take_and_reset, count)
        yield Case("RST within the request", script, _only(NOT_TOLD), nothing)
    deaf_ears = partial(_ignore, seconds=2 * patience)
    yield Case("half-open: neither read nor answered", deaf_ears, _only(NOT_TOLD), nothing, hangs=True)
    yield Case("408 before a byte was read", _hang_up_early, _only(NOT_TOLD), nothing)


def _lost_on_the_way(sizes: Sizes, every: int) -> Iterator[Case]:
    """The request reaches the server, or the first bytes of it do, and no answer comes back."""
    lost = _only(NOT_TOLD)
    for count in _offsets(sizes.request, every)[1:]:
        may_be = (0, 1) if count == sizes.request else (0,)
        yield Case("torn request at the server", partial(_pass_on_some, count), lost, may_be)
    yield Case(
        "silence before the answer",
        partial(_truncate, 0, as_it_came, _hush),
        lost,
        (1,),
        hangs=True,
    )


def _truncated(framing: str, shape: Shape, size: int, every: int) -> Iterator[Case]:
    open_end = shape is till_the_end
    for name, ending in _ENDINGS.items():
        for count in _offsets(size, every):
            yield Case(
                f"answer {framing} truncated, {name}",
                partial(_truncate, count, shape, ending),
                _of_a_truncated(count == size, name),
                (1,),
                undetectable=open_end and name == "FIN" and count < size,
            )
    for count in _offsets(size, max(3 * every, size // 6)):
        whole = count == size and not open_end
        yield Case(
            f"answer {framing} stalled",
            partial(_truncate, count, shape, _hush),
            _only(TOLD if whole else NOT_TOLD),
            (1,),
            hangs=not whole,
        )


def _of_a_truncated(whole: bool, ending: str) -> frozenset[str]:  # noqa: FBT001 - private
    """A reset may overtake the last bytes, even where all were sent."""
    if not whole:
        return _only(NOT_TOLD)
    return _only(TOLD) if ending == "FIN" else frozenset({TOLD, NOT_TOLD})


def _slow(patience: float) -> Iterator[Case]:
    yield Case("one byte at a time, soon enough", partial(_drip, 0.0005), _only(TOLD), (1,))
    yield Case(TOO_SLOW, partial(_drip, patience / 4), _only(NOT_TOLD), (1,), hangs=True)
    yield Case(WITHOUT_END, _always_more, _only(NOT_TOLD), (0,), hangs=True)


TOO_SLOW = "one byte at a time, for longer than the patience"
WITHOUT_END = "100-continue without end"


def _doubled() -> Iterator[Case]:
    """A middlebox that sends the request twice. No client can see it, or prevent it."""
    choices: Mapping[str, Callable[[list[bytes]], bytes]] = {
        "first answer": lambda answers: answers[0],
        "second answer": lambda answers: answers[1],
        "both answers": b"".join,
    }
    for name, choose in choices.items():
        yield Case(f"delivered twice, {name}", partial(_ask_twice, choose), _only(TOLD), (2,))


def _odd_but_whole() -> Iterator[Case]:
    for name, shape in (
        ("two answers in one", lambda answer: answer + answer),
        ("100-continue before the answer", lambda answer: _ONCE_MORE + answer),
        ("garbage after the answer", lambda answer: answer + b"\x00\xff garbage"),
    ):
        yield Case(name, partial(_reshape, shape), _only(TOLD), (1,))


def _not_the_answer() -> Iterator[Case]:
    """The server took the request, and what comes back is not its answer, or not the way it was."""
    shapes: Mapping[str, Shape] = {
        "garbage before the answer": lambda answer: b"\x00\xff garbage\r\n" + answer,
        "an empty answer before the answer": lambda answer: _EMPTY + answer,
        "TLS bytes instead of an answer": lambda _: _HANDSHAKE_FAILS,
        "a gateway's 504": lambda _: _page(b"504 Gateway Timeout"),
        "a gateway's 502": lambda _: _page(b"502 Bad Gateway"),
        "a redirect": lambda _: _page(b"307 Temporary Redirect", b"location: /elsewhere\r\n"),
        "101 and another protocol": lambda _: b"HTTP/1.1 101 Go On\r\nupgrade: x\r\n\r\n\x81\x00",
        "100-continue and no more": lambda _: _ONCE_MORE,
        "a length that is too long": partial(_with_length, 7),
        "two lengths": lambda answer: answer.replace(b"\r\n", b"\r\ncontent-length: 3\r\n", 1),
        "a chunk's size that is none": lambda answer: in_chunks(answer).replace(b"\r\n28\r\n", b"\r\nzz\r\n"),
    }
    for name, shape in shapes.items():
        yield Case(name, partial(_reshape, shape), _only(NOT_TOLD), (1,))
    short = partial(_reshape, partial(_with_length, -1))
    yield Case("a length that is too short", short, _only(NOT_TOLD), (1,), undetectable=True)


# --- scripts -------------------------------------------------------------------------------------


def _take_and_reset(count: int, line: Line) -> None:
    line.taken(count)
    line.reset()


def _pass_on_some(count: int, line: Line) -> None:
    line.leave_with(line.request()[:count])
    line.reset()


def _ignore(line: Line, seconds: float) -> None:
    line.over.wait(seconds)


def _hang_up_early(line: Line) -> None:
    line.say(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    line.end()


def _truncate(count: int, shape: Shape, ending: Ending, line: Line) -> None:
    line.say(shape(line.asked(line.request()))[:count])
    ending(line)


def _hush(line: Line) -> None:
    line.silence()


def _drip(pause: float, line: Line) -> None:
    line.drip(line.asked(line.request()), pause)
    line.end()


def _always_more(line: Line) -> None:
    line.request()
    while not line.over.wait(0.05):
        line.say(_ONCE_MORE)


def _ask_twice(choose: Callable[[list[bytes]], bytes], line: Line) -> None:
    request = line.request()
    line.say(choose([line.asked(request), line.asked(request)]))
    line.end()


def _reshape(shape: Shape, line: Line) -> None:
    line.say(shape(line.asked(line.request())))
    line.end()


# --- bytes ---------------------------------------------------------------------------------------


def _page(status: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %b\r\n%bcontent-type: text/html\r\ncontent-length: %d\r\n\r\n"
    return head % (status, more, len(_GATEWAY)) + _GATEWAY


def _with_length(off_by: int, answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [*_without(head, b"content-length"), b"content-length: %d" % (len(body) + off_by)]
    return b"\r\n".join([*lines, b"", body])


def _without(head: bytes, name: bytes) -> list[bytes]:
    return [line for line in head.split(b"\r\n") if not line.lower().startswith(name + b":")]


def _offsets(size: int, every: int) -> list[int]:
    return sorted({*range(0, size, every), max(size - 1, 0), size})


def _only(thought: str) -> frozenset[str]:
    return frozenset({thought})
