"""What of a URL may be written down, and what a callback URL carries.

In: URLs that people or the network gave. Out: the same without what may be a secret. Touches nothing.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

_ATTEMPT = re.compile(r"[0-9a-f]{32}")


def attempt_in(query: str) -> str | None:
    """The attempt id in a callback URL's query; None where there is not just one of our kind."""
    fields = parse_qsl(query, keep_blank_values=True)
    found = [value for name, value in fields if name == "attempt"]
    return found[0] if len(found) == 1 and _ATTEMPT.fullmatch(found[0]) else None


def has_attempt(url: str) -> bool:
    """Does its query name an `attempt` already, whatever that is?"""
    fields = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return any(name == "attempt" for name, _ in fields)


def bare(url: str) -> str:
    """Without query and fragment, which may be signatures or tokens, and without a user's name."""
    url = url.partition("#")[0].partition("?")[0]
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else url
