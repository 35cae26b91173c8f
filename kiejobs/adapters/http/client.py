"""What all our HTTP clients share: who they say they are, and whom they trust.

In: nothing. Out: a User-Agent, a TLS context. Touches: the certificates on disk, once.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import httpx

from kiejobs import __version__

if TYPE_CHECKING:
    import ssl

USER_AGENT = f"kiejobs/{__version__}"
"""The API's edge turns away clients without one (observed)."""


@cache
def tls() -> ssl.SSLContext:
    """Reading the authorities takes 30 ms, so all clients share one context."""
    return httpx.create_ssl_context(trust_env=False)
