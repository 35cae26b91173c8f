"""The group that all verbs hang from, and what their options are made into.

In: parsed options. Out: the values that commands take. Touches nothing.
"""

# ruff: noqa: PLC0415 - imports inside a function keep `--help` light

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kiejobs import __version__

if TYPE_CHECKING:
    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.app.project import Locations

FILE = click.argument("file", metavar="JOBFILE")
MAYBE_FILE = click.argument("file", metavar="[JOBFILE]", required=False)
RUN = click.argument("run_id", metavar="[RUN]", required=False)
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_HELP, no_args_is_help=True)
@click.version_option(__version__, prog_name="kiejobs")
def door() -> None:
    """Declarative YAML jobs for paid generative video: never pay twice, never lose a taskId.

    Write what you want in a job file, look at the plan, run it. Every flag can also be set by
    KIEJOBS_<FLAG>; the key comes from KIE_API_KEY.
    """


def wanted(file: str, choice: dict[str, Any]) -> JobFileOptions:
    """Which job file, and what the command line changes in it."""
    from kiejobs.app.job_file import JobFileOptions

    return JobFileOptions(
        file=file,
        select=choice.get("select", ()),
        variables=choice.get("variables", ()),
        vars_files=choice.get("vars_files", ()),
        max_jobs=choice.get("max_jobs"),
        locked=choice.get("locked", False),
        check_assets=choice.get("check_assets", False),
    )


def where(rest: dict[str, Any]) -> Locations:
    """Which folders and which API."""
    from kiejobs.app.project import Locations

    names = (
        "runs",
        "outputs",
        "base_url",
        "sandbox",
        "speed",
        "faults",
        "policy",
        "files_elsewhere",
    )
    return Locations(**{name: rest[name] for name in names if name in rest})
