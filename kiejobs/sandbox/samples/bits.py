"""The bit strings that H.264 is written in.

In: numbers. Out: text of `0` and `1`, and bytes. Touches nothing.
"""

from __future__ import annotations


def u(width: int, value: int) -> str:
    """A plain number of `width` bits."""
    return format(value, f"0{width}b")


def ue(value: int) -> str:
    """An unsigned Exp-Golomb code (H.264 section 9.1)."""
    code = format(value + 1, "b")
    return "0" * (len(code) - 1) + code


def se(value: int) -> str:
    """A signed Exp-Golomb code (H.264 section 9.1.1)."""
    return ue(2 * value - 1 if value > 0 else -2 * value)


def coefficient(level: int, *, chroma: bool) -> str:
    """A block whose only coefficient is its first, of a level between 2 and 8 either way.

    CAVLC (H.264 section 9.2): coeff_token for one coefficient and no trailing one, with no
    coefficients around (luma) or for chroma DC; level_prefix; no zeros before it.
    """
    if not 2 <= abs(level) <= 8:
        raise ValueError(f"a level of {level} has no short code")
    token = "000111" if chroma else "000101"
    prefix = 2 * level - 4 if level > 0 else -2 * level - 3
    return token + "0" * prefix + "1" + "1"


def pack(bits: str) -> bytes:
    """Bits as bytes, closed by the stop bit and filled with zeros (rbsp_trailing_bits)."""
    closed = bits + "1"
    closed += "0" * (-len(closed) % 8)
    return int(closed, 2).to_bytes(len(closed) // 8, "big")
