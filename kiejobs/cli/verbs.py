"""The verbs: each is its flags and its help; its work is in `kiejobs.commands`.

In: parsed flags. Out: an exit code. Touches nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kiejobs.cli import options as o
from kiejobs.cli.command_group import SCREEN, door, verb_of
from kiejobs.cli.options import flag, format_flag, limit, out_flag

if TYPE_CHECKING:
    from kiejobs.app.options import JobFileOptions, Locations, RunOptions
    from kiejobs.app.output import Screen
    from kiejobs.core.diagnostics import ExitCode

# --- from a job file to its videos -----------------------------------------------------------------


@door.command(short_help="Create a job file to start from.")
@click.argument("folder", default=".")
@flag("--github", is_flag=True, help="Add workflows for GitHub: plan, run, collect.")
@flag("--gitlab", is_flag=True, help="Add pipelines for GitLab: plan, run, collect.")
@verb_of("init")
def init() -> None:
    """Create a commented job file, its schema for the editor, and .gitignore in FOLDER.

    Existing files are not overwritten.
    """


@door.command(short_help="Report every error in a job file.")
@click.argument("files", metavar="JOBFILE...", nargs=-1, required=True, is_eager=True)
@o.CHOICE
@o.SINCE
@o.LOCKED
@o.BASE_URL
@flag("--sandbox", is_flag=True, help="Validate for a rehearsal, which may use addresses of this machine.")
@o.POLICY
@out_flag(help="Also write to FILE, in the format of its extension: .json, .sarif or .txt.")
@format_flag("github", "sarif")
@o.JOB_FILE
@verb_of("validate")
def validate() -> None:
    """Report every error in the job files, with file, line and column. Needs no key and no network.

    A folder means all job files below it; - means standard input.
    """


@door.command(short_help="Print the request bodies as JSON lines.")
@o.FILES
@o.CHOICE
@o.LOCKED
@o.POLICY_DEFAULTS
@flag("--diff", "since", metavar="REV", help="Show how each request changed since this git revision; `REV...` "
      "means the merge base of HEAD and REV.")  # fmt: skip
@out_flag(help="With --diff: also write to FILE, in the format of its extension: .json, .md or .txt.")
@format_flag("markdown", help="With --diff: output format on stdout.")
@o.JOB_FILE
@verb_of("render")
def render() -> None:
    """Print each request that would be sent, one JSON object per line. Needs no key and no network.

    A folder means all job files below it; - means standard input.
    """


@door.command(short_help="Write a lock file of the resolved inputs.")
@o.FILES
@o.VARIABLES
@o.POLICY_DEFAULTS
@o.CHECK_ASSETS
@o.JOB_FILE
@verb_of("lock")
def lock() -> None:
    """Write JOBFILE.lock next to each job file: fingerprints, and digests of models, prices, templates and images.

    A folder means all job files below it. With --locked, validate, render, plan and run refuse anything that differs
    from the lock.
    """


@door.command(short_help="Show what a run would buy, and at what price.")
@o.FILES
@o.CHOICE
@o.SINCE
@o.LOCKED
@o.FOLDERS
@limit("--budget", type=o.credit_number, metavar="CREDITS", help="Compare the total with this budget.")
@flag("--retry", multiple=True, type=click.Choice(["failed", "gone"]),
      help="Plan again what failed, or what the vendor no longer has.")  # fmt: skip
@flag("--base", metavar="REV",
      help="Also show changes since REV in policy, prices, models, callbacks, budget, ledger.")  # fmt: skip
@flag("--detailed-exitcode", is_flag=True, help="Exit with 3 if changes are pending.")
@flag("--comment", is_flag=True,
      help="Create or update one comment on the pull request (GitHub and GitLab CI).")  # fmt: skip
@flag("--storyboard", type=o.web_address, metavar="URL", help="Link this gallery in the comment.")
@o.DETAIL
@out_flag(
    help="Also write to FILE, in the format of its extension: .json for `run --plan`, .md, .txt or .digest."
)
@format_flag("markdown")
@o.JOB_FILE
@o.PLAN_OPTIONS
@verb_of("plan")
def plan() -> None:
    """Show what a run would do with each job, and the price. Needs no key and no network.

    A folder means all job files below it (YAML that names a campaign); - means standard input. Several job files have
    one total and one digest.
    """


@door.command(short_help="Submit missing jobs, wait, download, report.")
@click.argument("files", metavar="[JOBFILE]...", nargs=-1)
@o.CHOICE
@o.LOCKED
@limit("--plan", "plan_file", metavar="FILE", help="Buy exactly what this plan file contains, once.")
@limit(
    "--expect", metavar="DIGEST", help="Refuse to buy unless the plan has this digest, or is the rest of it."
)
@o.BUYING
@o.FOLLOWING
@flag("--listen", is_flag=True, help="Receive callbacks during the run; needs the extra `serve`.")
@o.HEARING
@o.FOLDERS
@o.REHEARSAL
@o.DETAIL
@out_flag(help="Also write the report to FILE, in the format of its extension: .json, .md, .xml or .txt.")
@format_flag()
@o.JOB_FILE
@o.RUN_OPTIONS
@SCREEN
def run(
    *, wanted: JobFileOptions, files: tuple[str, ...], where: Locations, how: RunOptions, screen: Screen
) -> ExitCode:
    """Plan, confirm, submit, wait, download, report. Run it again to continue: it does only what is left.

    A folder means all job files below it. Several job files are approved together, then run in order.
    """
    from kiejobs.commands import run as verb  # noqa: PLC0415 - keeps `--help` light

    if how.plan_file is not None and (how.expect is not None or how.retry):
        raise click.UsageError(
            "--plan can't be combined with --expect or --retry: the plan file contains both"
        )
    if how.settings.detach and (how.settings.canary or how.listen):
        other = "--canary" if how.settings.canary else "--listen"
        raise click.UsageError(f"{other} can't be combined with --detach, which doesn't wait for results")
    if not files and how.plan_file is None:
        raise click.UsageError("name a JOBFILE, or a plan with --plan FILE")
    return verb.run(wanted, files, where, how, screen)


@door.command(short_help="Track submitted jobs and download their results.")
@o.MAYBE_FILES
@o.SELECT
@flag("--once", is_flag=True, help="Poll once; exit with 8 if a job is still running.")
@o.FOLLOWING
@o.FOLDERS
@o.REHEARSAL
@o.DETAIL
@out_flag(help="Also write the report to FILE, in the format of its extension: .json, .md, .xml or .txt.")
@format_flag()
@o.JOB_FILE
@verb_of("collect")
def collect() -> None:
    """Track submitted jobs and download their results. Buys nothing; can be repeated.

    With job files or folders: only the jobs of their campaigns.
    """


@door.command(short_help="Receive callbacks; download what is done.")
@o.HEARING
@flag("--until-done", is_flag=True, help="Stop when no job is running at the API.")
@o.FOLLOWING
@o.FOLDERS
@o.REHEARSAL
@format_flag()
@verb_of("listen")
def listen() -> None:
    """Receive the API's callbacks until Ctrl-C: resolve doubts, download what is done. Buys nothing.

    Needs the extra `serve`. Submit jobs with `kiejobs run --detach --public-url URL`.
    """


@door.command(short_help="Track submitted jobs of a shared ledger; download results.")
@flag("--drain", is_flag=True, help="Stop when nothing is due; exit with 8 if a job is still running.")
@o.FOLLOWING
@o.FOLDERS
@verb_of("worker")
def worker() -> None:
    """Track all submitted jobs of the project and download their results, until Ctrl-C. Buys nothing.

    For a ledger in PostgreSQL (`ledger: postgresql` in kiejobs.yaml); needs the extra `team`. Any number of workers
    on any machines share the work. Submit jobs with `kiejobs run --detach`.
    """


# --- what was bought -------------------------------------------------------------------------------


@door.command(short_help="Show what is running, in doubt or not downloaded.")
@o.CAMPAIGNS
@o.SELECT
@o.FOLDERS
@flag("--exit-code", is_flag=True, help="Exit with 8 if a job is running, with 4 if a job is in doubt.")
@flag("--expiring", type=o.duration, metavar="DURATION",
      help="List results that the vendor deletes within this time.")  # fmt: skip
@format_flag()
@verb_of("status")
def status() -> None:
    """Show which jobs are running, in doubt or not downloaded, and what was spent. Needs no network.

    With campaigns, job files or folders: each of these campaigns, and all of them together.
    """


@door.command(short_help="Explain why the plan does what it does with a job.")
@click.argument("words", metavar="ADDRESS [JOBFILE]...", nargs=-1, required=True, is_eager=True,
                **o.completed("addresses"))  # fmt: skip
@o.CHOICE
@o.FOLDERS
@format_flag()
@o.JOB_FILE
@verb_of("explain")
def explain() -> None:
    """Explain why the plan does what it does with ADDRESS, and how its request differs from the one bought.

    ADDRESS can be shortened to a job's name, or to the part after the campaign, if that is unique. Without a job file,
    all job files of the project are searched; a folder means all job files below it.
    """


@door.command(short_help="Resolve a job in doubt: assign its task, or rule it lost.")
@click.argument("address", **o.completed("doubts"))
@flag("--task", "task_id", metavar="ID", help="Assign the task with this id; the API is asked about it.")
@flag("--lost", is_flag=True, help="Rule that no task was made; the job can be bought again.")
@o.FOLDERS
@o.REHEARSAL
@format_flag()
@SCREEN
def resolve(address: str, task_id: str | None, *, lost: bool, where: Locations, screen: Screen) -> ExitCode:
    """Resolve the doubt about ADDRESS: assign the id of its task, or rule that no task was made."""
    from kiejobs.commands import resolve as verb  # noqa: PLC0415 - keeps `--help` light

    if lost == (task_id is not None) or task_id == "":
        raise click.UsageError("add --task ID or --lost, but not both")
    return verb.resolve(address, task_id, where, screen)


@door.command(short_help="List runs: what each did and how it ended.")
@o.CAMPAIGNS
@flag("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Show at most this many.")
@o.FOLDERS
@format_flag()
@verb_of("runs")
def runs() -> None:
    """List the recorded runs, latest first: id, start, command, campaign, jobs, credits, end.

    With campaigns, job files or folders: only the runs of these campaigns.
    """


@door.command(short_help="Show the results of a run.")
@o.RUNS
@o.SELECT
@o.FOLDERS
@o.DETAIL
@out_flag(help="Write to FILE, in the format of its extension: .json, .md, .xml or .txt.")
@format_flag("junit", "markdown")
@verb_of("report")
def report() -> None:
    """Show the results of each RUN: a run id, a unique part of one, or `latest` (the default).

    A campaign or a job file means its latest run; a folder means all job files below it.
    """


@door.command(short_help="Pick or reject results; the choice is kept in git.")
@click.argument("addresses", metavar="[ADDRESS]...", nargs=-1, **o.completed("addresses"))
@flag("--reject", is_flag=True, help="Reject instead of picking.")
@flag("--note", metavar="TEXT", help="Reason, in one line.")
@flag("--undo", is_flag=True, help="Remove the decision.")
@flag("--from", "exported", metavar="FILE", help="Import decisions that a gallery exported.")
@flag("--take", type=click.IntRange(min=1), metavar="N", help="Only this take of each address.")
@o.FOLDERS
@o.PICK_OPTIONS
@verb_of("pick")
def pick() -> None:
    """Record in picks.yaml, next to the job file, which results were chosen. Buys nothing, deletes nothing.

    ADDRESS is an address or a pattern, as in --select. A pick belongs to the newest purchase under its address; if that
    is replaced, the pick is reported as stale.
    """


@door.command(short_help="Show spending by job, tag or model, and what is left.")
@click.argument("files", metavar="[JOBFILE]...", nargs=-1, is_eager=True)
@flag("--by", type=click.Choice(["job", "campaign", "tag", "model", "month", "pick"]), default="job",
      show_default=True, help="What to group purchases by.")  # fmt: skip
@flag("--since", type=o.moment, metavar="DATE|DURATION",
      help="Only purchases since this date or within this time, in UTC: 2026-11-01, 7d.")  # fmt: skip
@o.VARIABLES
@o.FOLDERS
@flag("--format", "form", type=click.Choice(["text", "json", "csv", "focus"]), default="text",
      show_default=True, help="Output format on stdout; focus is FOCUS 1.2 as CSV, for finance tools.")  # fmt: skip
@o.JOB_FILE
@verb_of("costs")
def costs() -> None:
    """Show what purchases cost, per result and per pick, what runs would add, and what budgets leave.

    With job files: only their campaigns; otherwise everything that was bought. Needs no key and no network.
    """


@door.command(short_help="Check downloaded results against the job file.")
@click.argument("files", metavar="[JOBFILE]...", nargs=-1, is_eager=True)
@o.SELECT
@flag("--again", is_flag=True, help="Check every file again, even if it was checked before.")
@o.FOLDERS
@out_flag(help="Write to FILE, in the format of its extension: .json, .xml or .txt.")
@format_flag("junit")
@o.JOB_FILE
@verb_of("check")
def check() -> None:
    """Check downloaded results: length, size, sound, black or frozen parts, cuts, loudness, frames, duplicates.

    With job files: only their campaigns; otherwise everything that was bought. Needs the extra `media`; no key and no
    network. Buys nothing, deletes nothing. Exits with 1 if a check failed.
    """


@door.command(short_help="Create an HTML page of jobs and clips.")
@click.argument("files", metavar="[JOBFILE]...", nargs=-1, is_eager=True)
@o.GALLERY
@o.CHOICE
@o.FOLDERS
@o.JOB_FILE
@verb_of("gallery")
def gallery() -> None:
    """Create an HTML page of jobs and clips. It opens by double click, works offline and loads nothing from the web.

    Before anything is bought the page is a storyboard: prompts, pictures, prices. Without a JOBFILE it shows all job
    files below the current folder.
    """


@door.group(short_help="Show, rebuild, verify or export manifests.")
def manifest() -> None:
    """Show, rebuild, verify or export manifests: the documents of runs, derived from the journals."""


@manifest.command(name="show")
@o.RUN
@o.FOLDERS
@format_flag(help="Output format on stdout; a manifest is JSON in both.")
@verb_of("manifest")
def show() -> None:
    """Print the manifest of RUN (default: the latest)."""


@manifest.command(name="rebuild", short_help="Rebuild every manifest from the journals.")
@o.FOLDERS
@verb_of("manifest")
def rebuild() -> None:
    """Rebuild every manifest from the journals; without new events the files don't change."""


@manifest.command(name="verify", short_help="Verify journals, manifests and downloaded files.")
@o.FOLDERS
@flag("--decode", is_flag=True, help="Also decode each video; needs the extra `media`.")
@format_flag()
@verb_of("manifest")
def verify() -> None:
    """Verify that journals are unbroken, manifests match them, and collected files are complete."""


@manifest.command(name="export", short_help="Export how each file was made, in standard formats.")
@click.argument("run_ids", metavar="[RUN]...", nargs=-1, **o.completed("run_ids"))
@flag("--format", "form", type=click.Choice(["csv", "ro-crate", "in-toto", "edl", "otio"]), required=True,
      help="A table, an RO-Crate, in-toto statements with SLSA provenance; or the picked clips for a video editor.")  # fmt: skip
@flag("--campaign", metavar="NAME", help="Only files of this campaign.")
@flag("--out", "-o", metavar="FILE|DIR",
      help="Where to write; - means stdout. A crate is written to the outputs folder.")  # fmt: skip
@o.FOLDERS
@verb_of("manifest")
def export() -> None:
    """Export how each file was made, by whom and from what, in standard formats.

    With RUNs: only their files; otherwise everything that was bought.
    """


@door.group(short_help="Show, verify or move the record of purchases.")
def ledger() -> None:
    """Show, verify or move the record of purchases. A project has one: in a folder, on a git branch, or in PostgreSQL."""


@ledger.command(name="show", short_help="Show where the ledger is and what it holds.")
@o.FOLDERS
@format_flag()
@verb_of("ledger")
def ledger_show() -> None:
    """Show where the ledger is, how many purchases it has, and which runs are active."""


@ledger.command(name="verify", short_help="Verify journals, their copies and manifests.")
@o.FOLDERS
@format_flag()
@verb_of("ledger")
def ledger_verify() -> None:
    """Verify that journals are unbroken, that all copies are the same, and that manifests match them."""


@ledger.command(name="move", short_help="Move the ledger to another home.")
@flag("--to", required=True, metavar="folder|git|postgresql", help="New home.")
@o.FOLDERS
@verb_of("ledger")
def ledger_move() -> None:
    """Move every journal to another home, compare them all, and mark the old home.

    After that, a checkout that still uses the old home refuses to buy and reports where the ledger is.
    """


@door.command(short_help="Check key, API, balance, clock, folders.")
@o.FOLDERS
@o.REHEARSAL
@format_flag()
@verb_of("doctor")
def doctor() -> None:
    """Check the setup: key, API, balance, clock, folders, versions."""


@door.command(short_help="Serve an imitation of the API on a port.")
@flag("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@flag("--port", type=click.IntRange(0, 65535), default=8787, show_default=True,
      help="Port to listen on; 0 for any free port.")  # fmt: skip
@flag("--store", metavar="DIR",
      help="Folder for the charge log.  [default: rehearsal/sandbox of the project]")  # fmt: skip
@o.REHEARSAL
@verb_of("sandbox")
def sandbox() -> None:
    """Serve an imitation of the API on a port, until Ctrl-C. Needs the extra `serve`."""


@door.command(short_help="Print the completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL, e.g. eval "$(kiejobs completion bash)"."""
    from kiejobs.cli.completion import script  # noqa: PLC0415 - as above

    click.echo(script(shell), nl=False)


# --- models ----------------------------------------------------------------------------------------


@door.group(short_help="List, show, import, check or sync models.")
def models() -> None:
    """List, show, import, check or sync models. Each model is a JSON Schema; the project's own take precedence over ours."""


@models.command(name="list", short_help="List the models and their prices.")
@click.argument("words", metavar="[WORD]...", nargs=-1, **o.completed("models"))
@format_flag()
@verb_of("models")
def models_list() -> None:
    """List the models: what each makes, when its facts were read, what it costs.

    A WORD is a part of a model's id, what it makes (video, image, audio), or `project`. Only models that match all
    words are listed.
    """


@models.command(name="show", short_help="Show a model's fields, limits and prices.")
@click.argument("model", **o.completed("models"))
@format_flag()
@verb_of("models")
def models_show() -> None:
    """Show what MODEL takes: fields, limits, defaults, rules between fields, prices, sources."""


@models.command(name="import", short_help="Import models from the vendor's pages.")
@click.argument("pages", metavar="PAGE...", nargs=-1, required=True)
@flag("--into", metavar="DIR", help="Target folder.  [default: schemas/models of the project]")
@flag("--force", is_flag=True, help="Overwrite existing models.")
@flag("--model", metavar="ID", help="Import only this model of those that a page names.")
@format_flag()
@verb_of("models")
def models_import() -> None:
    """Import model schemas into this project from the vendor's pages.

    PAGE is a file or an http(s) URL: the vendor's Markdown, or an OpenAPI document as YAML or JSON. What
    can't be imported is reported with its place (exit 2); the other pages are still imported.
    """


@models.command(name="sync", short_help="Update models and prices from the vendor's API.")
@click.argument("names", metavar="[MODEL]...", nargs=-1, **o.completed("models"))
@flag("--check", is_flag=True, help="Write nothing; exit with 3 if something changed.")
@flag("--yes", is_flag=True, help="Don't ask before writing; for CI.")
@flag("--pace", type=o.duration, default="1s", show_default=True, help="Time between two requests.")
@o.STAND_IN
@format_flag()
@verb_of("models_sync")
def models_sync() -> None:
    """Update this project's model schemas and prices from the vendor's API.

    Shows what changes for models, prices and job files, then asks before it writes. Without a MODEL it updates all
    that the vendor lists. An interrupted sync continues where it stopped.
    """


@models.command(name="check", short_help="Report what newer vendor pages change.")
@click.argument("pages", metavar="PAGE...", nargs=-1, required=True)
@flag("--model", metavar="ID", help="Check only this model of those that a page names.")
@format_flag("markdown")
@verb_of("models")
def models_check() -> None:
    """Report what newer vendor pages change about the models in use; write nothing.

    PAGE is what `models import` takes. Exits with 0 if nothing changed, 3 if something did, 1 if that breaks job
    files, 2 if a page can't be read.
    `models sync` asks the vendor's API instead.
    """
