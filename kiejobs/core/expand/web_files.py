"""The files on the web that a campaign's requests point at.

In: an expansion. Out: their addresses, each with the rule that it must obey. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.core.models.file_fields import FileRule, files_of

if TYPE_CHECKING:
    from kiejobs.core.expand.expansion import Expansion


def wanted_files(expansion: Expansion) -> dict[str, FileRule]:
    """Each file on the web that any request of the campaign points at, in the order of the jobs."""
    specs, found = expansion.spec_of, dict[str, FileRule]()
    for job in expansion.jobs:
        for url, rule in files_of(specs[job.model], job.input):
            if url.lower().startswith(("http://", "https://")):
                found[url] = found[url] & rule if url in found else rule
    return found
