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


@door.command(short_help="Write a job file to start from.")
@click.argument("folder", default=".")
@flag("--github", is_flag=True, help="Workflows for GitHub: plan, run, collect.")
@flag("--gitlab", is_flag=True, help="The same for GitLab.")
@verb_of("init")
def init() -> None:
    """Write a commented job file, its schema for the editor, and .gitignore into FOLDER.

    Nothing that is there is overwritten.
    """


@door.command(short_help="Tell every problem of a job file.")
@click.argument("files", metavar="JOBFILE...", nargs=-1, required=True, is_eager=True)
@o.CHOICE
@o.SINCE
@o.LOCKED
@o.BASE_URL
@flag("--sandbox", is_flag=True, help="Check for a rehearsal, which may use addresses of this machine.")
@o.POLICY
@out_flag(help="Write to FILE too, as its ending says: .json, .sarif or .txt.")
@format_flag("github", "sarif")
@o.JOB_FILE
@verb_of("validate")
def validate() -> None:
    """Tell every problem of the job files, each at its place. Needs no key and no network.

    A folder stands for the job files below it, and - for standard input.
    """


@door.command(short_help="Print the request bodies, one JSON a line.")
@o.FILES
@o.CHOICE
@o.LOCKED
@o.POLICY_DEFAULTS
@flag("--diff", "since", metavar="REV", help="What an edit since did to each of them, by git; `REV...` "
      "is where HEAD and REV parted.")  # fmt: skip
@out_flag(help="With --diff: write to FILE too, as its ending says: .json, .md or .txt.")
@format_flag("markdown", help="With --diff: what to print on stdout.")
@o.JOB_FILE
@verb_of("render")
def render() -> None:
    """Print what would be sent, one JSON a line. Needs no key and no network.

    A folder stands for the job files below it, and - for standard input.
    """


@door.command(short_help="Write down what a job file comes to now.")
@o.FILES
@o.VARIABLES
@o.POLICY_DEFAULTS
@o.CHECK_ASSETS
@o.JOB_FILE
@verb_of("lock")
def lock() -> None:
    """Write JOBFILE.lock next to each: fingerprints, and digests of models, prices, templates and images.

    A folder stands for the job files below it. `--locked` on validate, render, plan and run refuses whatever differs from it.
    """


@door.command(short_help="Show what a run would buy, and for how much.")
@o.FILES
@o.CHOICE
@o.SINCE
@o.LOCKED
@o.FOLDERS
@limit("--budget", type=o.credit_number, metavar="CREDITS", help="Compare the total with this.")
@flag("--retry", multiple=True, type=click.Choice(["failed", "gone"]),
      help="Plan anew what failed, or what the vendor no longer has.")  # fmt: skip
@flag(
    "--base",
    metavar="REV",
    help="Show what changed since in policy, prices, models, callbacks, budget, record.",
)
@flag("--detailed-exitcode", is_flag=True, help="Exit 3 when there is something to do.")
@flag("--comment", is_flag=True, help="Keep one comment on the pull request; in GitHub's and GitLab's CI.")
@flag("--storyboard", type=o.web_address, metavar="URL", help="Link this gallery in the comment.")
@out_flag(help="Write to FILE too, as its ending says: .json for `run --plan`, .md, .txt or .digest.")
@format_flag("markdown")
@o.JOB_FILE
@o.PLAN_OPTIONS
@verb_of("plan")
def plan() -> None:
    """Show what a run would do, line by line, with its price. Needs no key and no network.

    A folder stands for the job files below it: YAML that names a campaign; - is standard input. Several have one
    total and one digest.
    """


@door.command(short_help="Buy what is missing, wait, collect, report.")
@click.argument("files", metavar="[JOBFILE]...", nargs=-1)
@o.CHOICE
@o.LOCKED
@limit("--plan", "plan_file", metavar="FILE", help="Buy exactly what a plan file says, once.")
@limit("--expect", metavar="DIGEST", help="Buy only what has this digest, or what is left of it.")
@o.BUYING
@o.FOLLOWING
@flag("--listen", is_flag=True, help="Take callbacks while it runs; needs the extra `serve`.")
@o.HEARING
@o.FOLDERS
@o.REHEARSAL
@out_flag(help="Write the report to FILE too, as its ending says: .json, .md, .xml or .txt.")
@format_flag()
@o.JOB_FILE
@o.RUN_OPTIONS
@SCREEN
def run(
    *, wanted: JobFileOptions, files: tuple[str, ...], where: Locations, how: RunOptions, screen: Screen
) -> ExitCode:
    """Plan, confirm, submit, wait, collect, report. Run it again and it does only what is left.

    Several files, or those in a folder, are bought one after the other, once all of it is approved.
    """
    from kiejobs.commands import run as verb  # noqa: PLC0415 - keeps `--help` light

    if how.plan_file is not None and (how.expect is not None or how.retry):
        raise click.UsageError("--plan says it all: leave --expect and --retry out")
    if how.settings.detach and (how.settings.canary or how.listen):
        other = "--canary" if how.settings.canary else "--listen"
        raise click.UsageError(f"{other} waits for results, which --detach does not")
    if not files and how.plan_file is None:
        raise click.UsageError("say which JOBFILE, or --plan FILE")
    return verb.run(wanted, files, where, how, screen)


@door.command(short_help="Follow what was bought and bring it home.")
@o.MAYBE_FILES
@o.SELECT
@flag("--once", is_flag=True, help="Ask once; exit 8 when something is still running.")
@o.FOLLOWING
@o.FOLDERS
@o.REHEARSAL
@out_flag(help="Write the report to FILE too, as its ending says: .json, .md, .xml or .txt.")
@format_flag()
@o.JOB_FILE
@verb_of("collect")
def collect() -> None:
    """Track submitted jobs and download their results. Buys nothing, any number of times.

    With job files, or folders of them, only those of their campaigns.
    """


@door.command(short_help="Take callbacks; bring home what they tell of.")
@o.HEARING
@flag("--until-done", is_flag=True, help="End when nothing is at the API any more.")
@o.FOLLOWING
@o.FOLDERS
@o.REHEARSAL
@format_flag()
@verb_of("listen")
def listen() -> None:
    """Take the API's callbacks until Ctrl-C: end doubts, bring home what is done. Buys nothing.

    Needs the extra `serve`. Beside it, `kiejobs run --detach --public-url URL` submits.
    """


@door.command(short_help="Track submitted jobs of a shared ledger; download results.")
@flag("--drain", is_flag=True, help="End when nothing is due; exit 8 when something is still running.")
@o.FOLLOWING
@o.FOLDERS
@verb_of("worker")
def worker() -> None:
    """Track jobs that any run of the project submitted, and download their results, until Ctrl-C. Buys nothing.

    For a ledger in PostgreSQL (`ledger: postgresql` in kiejobs.yaml); needs the extra `team`. Any number of workers,
    on any machine, share the work. `kiejobs run --detach` hands it over.
    """


# --- what was bought -------------------------------------------------------------------------------


@door.command(short_help="Show what is in flight and what is in doubt.")
@o.MAYBE_FILE
@o.SELECT
@o.FOLDERS
@flag("--exit-code", is_flag=True, help="Exit 8 when something runs, 4 when in doubt.")
@flag("--expiring", type=o.duration, metavar="DURATION",
      help="Tell what the vendor throws away within that time.")  # fmt: skip
@format_flag()
@verb_of("status")
def status() -> None:
    """Show what is in flight, in doubt, not collected, and what it costs. Needs no network."""


@door.command(short_help="Say why a line of the plan is what it is.")
@click.argument("words", metavar="ADDRESS [JOBFILE]...", nargs=-1, required=True, is_eager=True,
                **o.completed("addresses"))  # fmt: skip
@o.CHOICE
@o.FOLDERS
@format_flag()
@o.JOB_FILE
@verb_of("explain")
def explain() -> None:
    """Say why a line of the plan is what it is, and what differs from what was bought.

    ADDRESS may be a job's name, or what stands behind the campaign, where only one job has it. Without a job file it
    is looked for in those of the project; a folder stands for those below it.
    """


@door.command(short_help="End a doubt: name the task, or rule it lost.")
@click.argument("address", **o.completed("doubts"))
@flag("--task", "task_id", metavar="ID", help="It is this task; checked with the API.")
@flag("--lost", is_flag=True, help="Nothing was made; it may be bought again.")
@o.FOLDERS
@o.REHEARSAL
@format_flag()
@SCREEN
def resolve(address: str, task_id: str | None, *, lost: bool, where: Locations, screen: Screen) -> ExitCode:
    """End the doubt about ADDRESS, with a task's id or with the ruling that nothing was made."""
    from kiejobs.commands import resolve as verb  # noqa: PLC0415 - keeps `--help` light

    if lost == (task_id is not None) or task_id == "":
        raise click.UsageError("say one of --task ID and --lost")
    return verb.resolve(address, task_id, where, screen)


@door.command(short_help="List runs: what each did, and how it ended.")
@o.MAYBE_FILES
@flag("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Show at most this many.")
@o.FOLDERS
@format_flag()
@verb_of("runs")
def runs() -> None:
    """List the runs on record, the latest first: id, start, command, campaign, jobs, credits, end.

    With job files, or folders of them, only those of their campaigns.
    """


@door.command(short_help="Tell what a run came to.")
@o.RUNS
@o.SELECT
@o.FOLDERS
@out_flag(help="Write to FILE, as its ending says: .json, .md, .xml or .txt.")
@format_flag("junit", "markdown")
@verb_of("report")
def report() -> None:
    """Show the result of each RUN: an id, any part of one that no other has, or `latest`, which is also the default.

    A job file, or a folder of them, stands for the latest run of its campaign.
    """


@door.command(short_help="Choose results, or reject them; the choice goes into git.")
@click.argument("addresses", metavar="[ADDRESS]...", nargs=-1, **o.completed("addresses"))
@flag("--reject", is_flag=True, help="Reject them.")
@flag("--note", metavar="TEXT", help="Why, in a line.")
@flag("--undo", is_flag=True, help="Take back what was decided.")
@flag("--from", "exported", metavar="FILE", help="Take in what a gallery exported.")
@flag("--take", type=click.IntRange(min=1), metavar="N", help="Only this take of each address.")
@o.FOLDERS
@o.PICK_OPTIONS
@verb_of("pick")
def pick() -> None:
    """Write into picks.yaml, next to the job file, which results were chosen. Buys nothing, deletes nothing.

    ADDRESS is an address or a pattern, as --select takes them. A pick is of the purchase that is the newest under its
    address: when another one replaces that, the pick is stale and says so.
    """


@door.command(short_help="Show what was spent, on what, and what limits leave.")
@click.argument("files", metavar="[JOBFILE]...", nargs=-1, is_eager=True)
@flag("--by", type=click.Choice(["job", "campaign", "tag", "model", "month", "pick"]), default="job",
      show_default=True, help="What to group purchases by.")  # fmt: skip
@flag(
    "--since",
    type=o.moment,
    metavar="DATE|DURATION",
    help="Only what was bought since, in UTC: 2026-11-01, 7d.",
)
@o.VARIABLES
@o.FOLDERS
@flag("--format", "form", type=click.Choice(["text", "json", "csv", "focus"]), default="text",
      show_default=True, help="What to print on stdout; focus is FOCUS 1.2 as CSV, for finance tools.")  # fmt: skip
@o.JOB_FILE
@verb_of("costs")
def costs() -> None:
    """Show what purchases cost, for each result and each pick, what runs would add, and what limits leave.

    Of the campaigns of the job files that are named, or of all that was bought. Needs no key and no network.
    """


@door.command(short_help="Check downloaded results against the job file.")
@click.argument("files", metavar="[JOBFILE]...", nargs=-1, is_eager=True)
@o.SELECT
@flag("--again", is_flag=True, help="Look at every file again, also where the result is known.")
@o.FOLDERS
@out_flag(help="Write to FILE, as its ending says: .json, .xml or .txt.")
@format_flag("junit")
@o.JOB_FILE
@verb_of("check")
def check() -> None:
    """Check downloaded results: length, size, sound, black or frozen parts, cuts, loudness, frames, duplicates.

    Of the job files' campaigns, or of all that was bought. Needs the extra `media`; no key and no network. Buys
    nothing, deletes nothing; exits with 1 where a check failed.
    """


@door.command(short_help="Show jobs and their clips on a page.")
@click.argument("files", metavar="[JOBFILE]...", nargs=-1, is_eager=True)
@o.GALLERY
@o.CHOICE
@o.FOLDERS
@o.JOB_FILE
@verb_of("gallery")
def gallery() -> None:
    """Write a page that shows jobs and their clips: it opens by double click, offline, and asks nobody for anything.

    Before anything is bought it is the storyboard: prompts, pictures, prices. Without a JOBFILE it shows all job
    files below the current folder.
    """


@door.group(short_help="Show, rebuild or verify the runs' documents.")
def manifest() -> None:
    """The runs' documents: a projection of the journals, which are the truth."""


@manifest.command(name="show")
@o.RUN
@o.FOLDERS
@verb_of("manifest")
def show() -> None:
    """Print the manifest of RUN (the latest, where not named)."""


@manifest.command(name="rebuild")
@o.FOLDERS
@verb_of("manifest")
def rebuild() -> None:
    """Write every manifest anew from the journals; the same bytes where nothing happened."""


@manifest.command(name="verify")
@o.FOLDERS
@flag("--decode", is_flag=True, help="Open each video too; needs the extra `media`.")
@format_flag()
@verb_of("manifest")
def verify() -> None:
    """Check that journals are unbroken, manifests true to them, and collected files whole."""


@manifest.command(name="export")
@click.argument("run_ids", metavar="[RUN]...", nargs=-1, **o.completed("run_ids"))
@flag("--format", "form", type=click.Choice(["csv", "ro-crate", "in-toto", "edl", "otio"]), required=True,
      help="A table, an RO-Crate, in-toto statements with SLSA provenance; picked clips for an editing program.")  # fmt: skip
@flag("--campaign", metavar="NAME", help="Only this campaign's.")
@flag("--out", "-o", metavar="FILE|DIR", help="Where to; - is stdout. A crate goes to the outputs.")
@o.FOLDERS
@verb_of("manifest")
def export() -> None:
    """Tell how each file was made, by whom and from what, in forms that others have tools for.

    Of the runs that are named, or of all that was bought.
    """


@door.group(short_help="Show, verify or move the record of what was bought.")
def ledger() -> None:
    """The record of what was bought: a project has one, in a folder, on a branch of git, or in PostgreSQL."""


@ledger.command(name="show")
@o.FOLDERS
@format_flag()
@verb_of("ledger")
def ledger_show() -> None:
    """Show where the ledger is, how many purchases it has, and which runs are at work."""


@ledger.command(name="verify")
@o.FOLDERS
@format_flag()
@verb_of("ledger")
def ledger_verify() -> None:
    """Check that journals are unbroken, the same wherever they are kept, and manifests true to them."""


@ledger.command(name="move")
@flag("--to", required=True, metavar="folder|git|postgresql", help="Where to.")
@o.FOLDERS
@verb_of("ledger")
def ledger_move() -> None:
    """Move every journal to another home, compare all of them, and mark the old home.

    A checkout that still uses the old home refuses then, and says where the ledger went.
    """


@door.command(short_help="Check key, API, balance, clock, folders.")
@o.FOLDERS
@o.REHEARSAL
@format_flag()
@verb_of("doctor")
def doctor() -> None:
    """Check that everything is in place: key, API, balance, clock, folders, versions."""


@door.command(short_help="Serve the imitated API on a port.")
@flag("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@flag("--port", type=click.IntRange(0, 65535), default=8787, show_default=True,
      help="Port to listen at; 0 for any that is free.")  # fmt: skip
@flag("--store", metavar="DIR", help="Folder of the charge log.  [default: rehearsal/sandbox of the project]")
@o.REHEARSAL
@verb_of("sandbox")
def sandbox() -> None:
    """Serve the imitated API on a port, until Ctrl-C. Needs the extra `serve`."""


@door.command(short_help="Print the script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL, e.g. eval "$(kiejobs completion bash)"."""
    from kiejobs.cli.completion import script  # noqa: PLC0415 - as above

    click.echo(script(shell), nl=False)


# --- models ----------------------------------------------------------------------------------------


@door.group(short_help="The models that job files can name; take in new ones.")
def models() -> None:
    """The models that job files can name: each is a JSON Schema, the project's own before ours."""


@models.command(name="list")
@click.argument("words", metavar="[WORD]...", nargs=-1, **o.completed("models"))
@format_flag()
@verb_of("models")
def models_list() -> None:
    """List the models: what each makes, when its facts were read, what it costs.

    A WORD is a part of a model's id, what it makes (video, image, audio), or `project`: those that all
    words fit are listed.
    """


@models.command(name="show")
@click.argument("model", **o.completed("models"))
@format_flag()
@verb_of("models")
def models_show() -> None:
    """Show what MODEL takes: fields, limits, defaults, rules between fields, prices, sources."""


@models.command(name="import")
@click.argument("pages", metavar="PAGE...", nargs=-1, required=True)
@flag("--into", metavar="DIR", help="Folder to write to.  [default: schemas/models of the project]")
@flag("--force", is_flag=True, help="Overwrite a model that is there already.")
@format_flag()
@verb_of("models")
def models_import() -> None:
    """Turn the vendor's pages into model schemas of this project.

    PAGE is a file or an http(s) URL: the vendor's Markdown, or an OpenAPI document as YAML or JSON. What
    can't be imported is told with its place (exit 2); the other pages are imported all the same.
    """


@models.command(name="check")
@click.argument("pages", metavar="PAGE...", nargs=-1, required=True)
@format_flag("markdown")
@verb_of("models")
def models_check() -> None:
    """Tell what newer pages of the vendor's change about the models in use; write nothing.

    PAGE is what `models import` takes. Exits with 0 where nothing changed, 3 where it did, 1 where that
    breaks job files, 2 where a page can't be read.
    """
