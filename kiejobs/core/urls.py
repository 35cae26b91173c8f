"""What of a URL may be written down.

In: URLs that people or the network gave. Out: the same without what may be a secret. Touches nothing.
"""

from __future__ import annotations


def bare(url: str) -> str:
    """Without query and fragment, which may be signatures or tokens, and without a user's name."""
    url = url.partition("#")[0].partition("?")[0]
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else url
