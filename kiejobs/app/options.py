"""The values that a command's flags are gathered into, a field for each flag; nothing here is slow to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from kiejobs.core.plan.policy import Policy
    from kiejobs.runner import Settings


@dataclass(frozen=True, slots=True)
class JobFileOptions:
    """Which job file, what the command line changes in it, and what it is held against first: its lock, say.

    `base_url` and `sandbox` say which API its requests are meant for, as in `Locations`.
    """

    file: str = ""
    select: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    vars_files: tuple[str, ...] = ()
    max_jobs: int | None = None
    locked: bool = False
    check_assets: bool = False
    strict: bool = False
    base_url: str | None = None
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Locations:
    """The flags that say where to work. Folders are None where not given; `directory` is where `-C` led."""

    runs: str | None = None
    outputs: str | None = None
    base_url: str | None = None
    sandbox: bool = False
    speed: float = 20.0
    sandbox_credits: Decimal | None = None
    faults: str | None = None
    policy: Policy | None = None
    files_elsewhere: bool = False
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen. `public_url` is how the API reaches it, None where that is the same."""

    host: str
    port: int
    public_url: str | None


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The flags that say what to plan of which files, and what to end with.

    `since`: no plan of a file that did not change; `base`: what guards the spending and changed is shown.
    """

    retry: tuple[str, ...] = ()
    budget: Decimal | None = None
    since: str | None = None
    base: str | None = None
    detailed_exitcode: bool = False
    comment: bool = False
    storyboard: str | None = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The flags that say how to run.

    `listen` says whether to listen at `ear`; its public URL is what creates carry whose jobs name none of their
    own. `max_failures` is a number, and whether it is a share of the jobs in percent. `plan_file` and `expect`
    say what was approved elsewhere.
    """

    settings: Settings
    ear: ListenAddress
    listen: bool
    yes: bool
    budget: Decimal | None
    retry: tuple[str, ...]
    max_failures: tuple[Decimal, bool] | None
    plan_file: str | None
    expect: str | None
    allow_behind: bool


@dataclass(frozen=True, slots=True)
class PickOptions:
    """The flags that say what was decided. `exported` is the file of a gallery's export; `take` narrows patterns."""

    reject: bool = False
    note: str | None = None
    undo: bool = False
    exported: str | None = None
    take: int | None = None


@dataclass(frozen=True, slots=True)
class GalleryOptions:
    """The flags that say what kind of gallery to make of what. `out` is a folder, of a `single_file` a file."""

    out: str | None = None
    copy: bool = False
    single_file: bool = False
    picks: bool = False
    serve: bool = False
    host: str = "127.0.0.1"
    port: int = 0
