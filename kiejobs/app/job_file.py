"""What can be known of a job file without expanding it: its name, its options, its campaign.

In: words of the command line, a job file. Out: options, names. Touches: disk, by reading.
"""

from __future__ import annotations

from dataclasses import dataclass

from kiejobs.adapters.project.files import read_source
from kiejobs.core.diagnostics import InvalidJobFile, Problems, UsageProblem


@dataclass(frozen=True, slots=True)
class JobFileOptions:
    """Which job file, what the command line changes in it, and what it is held against first.

    `locked`: against its lock; `check_assets`: its files are looked at, too.
    """

    file: str
    select: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    vars_files: tuple[str, ...] = ()
    max_jobs: int | None = None
    locked: bool = False
    check_assets: bool = False


def campaign_of(file: str) -> str:
    """A job file's campaign. Raises InvalidJobFile or UsageProblem where it can't be read."""
    from kiejobs.core.document.reader import read_document  # noqa: PLC0415 - behind a job file

    source = read_source(file)
    document, found = read_document(source)
    campaign = document.root.get("campaign") if document and isinstance(document.root, dict) else 0
    if isinstance(campaign, str):
        return campaign
    if found:
        raise InvalidJobFile(Problems(found, {file: source.lines}))
    raise UsageProblem(f"{file} has no `campaign:`")


def variables_of(wanted: JobFileOptions) -> dict[str, str]:
    """`--var`s by name; of two with one name the later one. Raises UsageProblem."""
    given: dict[str, str] = {}
    for text in wanted.variables:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageProblem(f"--var {text}: write it as name=value")
        given[key] = value
    return given
