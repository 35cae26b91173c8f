"""Bytes made worse: what a disk, an editor, a merge or a stranger might do to a file.

In: good inputs, and the tokens that mean something in their language. Out: Hypothesis strategies of
bytes, which shrink to few and simple changes. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST = 2 * 2**20  # bytes of a case: as much as the adapter takes of an answer
_ODD = (
    *(b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\xaf", b"\xe2\x80\xa8"),
    *(b"\r", b"\n", b"\r\n", b"\t", b"\x1b[2J", b"\x7f", b"\xc2\x85", b"%00", b"..", b"/", b"\\"),
)


def mutated(seeds: Sequence[bytes], tokens: Sequence[bytes], most: int = 6) -> Any:
    """One of `seeds` after up to `most` changes."""
    pieces = st.sampled_from([*tokens, *_ODD]) | st.binary(max_size=8)
    spot = st.integers(0, 2**16)
    change = st.one_of(
        st.tuples(st.just(_put), spot, pieces, st.just(1)),
        st.tuples(st.just(_put), spot, pieces, st.sampled_from([2, 70, 5_000, 100_000])),
        st.tuples(st.just(_over), spot, pieces, st.just(1)),
        st.tuples(st.just(_cut), spot, st.just(b""), st.integers(1, 64)),
        st.tuples(st.just(_end), spot, st.just(b""), st.just(1)),
        st.tuples(st.just(_again), spot, st.just(b""), st.integers(1, 400)),
        st.tuples(st.just(_splice), spot, st.sampled_from(list(seeds)), st.integers(0, 2**16)),
        st.tuples(st.just(_line_away), spot, st.just(b""), st.integers(0, 2**16)),
    )
    return st.builds(_changed, st.sampled_from(list(seeds)), st.lists(change, max_size=most))


def _changed(data: bytes, changes: Sequence[Any]) -> bytes:
    for do, spot, piece, number in changes:
        data = do(data, spot % (len(data) + 1), piece, number)[:_MOST]
    return data


def _put(data: bytes, at: int, piece: bytes, times: int) -> bytes:
    return data[:at] + piece * min(times, 1 + _MOST // (len(piece) + 1)) + data[at:]


def _over(data: bytes, at: int, piece: bytes, _number: int) -> bytes:
    return data[:at] + piece + data[at + len(piece) :]


def _cut(data: bytes, at: int, _piece: bytes, length: int) -> bytes:
    return data[:at] + data[at + length :]


def _end(data: bytes, at: int, _piece: bytes, _number: int) -> bytes:
    return data[:at]


def _again(data: bytes, at: int, _piece: bytes, length: int) -> bytes:
    return data[: at + length] + data[at:]


def _splice(data: bytes, at: int, other: bytes, start: int) -> bytes:
    return data[:at] + other[start % (len(other) + 1) :]


def _line_away(data: bytes, at: int, _piece: bytes, to: int) -> bytes:
    """A line moved to another place, or gone where there is but one."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    line = lines.pop(at % len(lines))
    lines.insert(to % (len(lines) + 1), line)
    return b"".join(lines)
