"""The proofs and their latest figures, as a table.

In: `tests/proofs/latest/*.json`, which the proofs write with `--record`. Out: Markdown.
"""

from __future__ import annotations

import json
from typing import Any

from tests.docs.reference.markdown import code, table
from tests.proofs.figures import FOLDER


def proofs() -> str:
    """One row each, in the order of `_PROOFS`. KeyError where one has never been recorded."""
    latest = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.iterdir()}
    broken = [name for name, document in latest.items() if not document["as_promised"]]
    assert not broken, f"not as promised: {broken}"
    assert set(latest) == set(_PROOFS), "a proof without a row, or a row without a proof"
    return table(
        ("what is done", "what came of it", "command"),
        [_row(name, latest[name]) for name in _PROOFS],
    )


def _row(name: str, document: dict[str, Any]) -> tuple[str, str, str]:
    title, shown = _PROOFS[name]
    came = "; ".join(f"{label} {_value(document['figures'], path)}" for path, label in shown)
    link = f"[{title}](../../tests/proofs/{name}.py)"
    return link, f"{came} ({document['on']})", code(document["command"])


def _value(figures: Any, path: str) -> str:
    for step in path.split("."):
        figures = figures[int(step)] if isinstance(figures, list) else figures[step]
    if isinstance(figures, bool | str):
        return str(figures)
    return f"**{figures:,}**" if path.rpartition(".")[2] in _DECISIVE else f"{figures:,}"


_DECISIVE = {
    "bought_twice", "lost", "torn", "torn_files", "wrong", "may_go_again_though_charged", "bought",
    "left_without_a_file", "manifests_that_differ", "plans_that_differ", "crashes_and_hangs",
    "events_lost", "tasks_lost", "files_outside", "secrets", "checkouts_touched", "bought_on_damage",
}  # fmt: skip
"""What has to be 0."""

_Row = tuple[str, tuple[tuple[str, str], ...]]

_PROOFS: dict[str, _Row] = {
    "kill_points": (
        "SIGKILL at each system call that touches disk or network, then again",
        (("points", "points"), ("charged", "charged"), ("bought_twice", "bought twice"),
         ("lost", "lost"), ("in_doubt", "in doubt"), ("in_doubt_charged", "of these charged")),
    ),
    "upload_kills": (
        "The same from the first upload's connection to the last reservation, by jobs with local files",
        (("points", "points"), ("charged", "charged"), ("bought_twice", "bought twice"),
         ("lost", "lost"), ("in_doubt", "in doubt"), ("in_doubt_charged", "of these charged"),
         ("kills", "kills"), ("uploaded_again", "uploads made again")),
    ),
    "random_kills": (
        "SIGKILL at random moments of one campaign, 5 % faults of every class",
        (("points", "kills"), ("jobs", "jobs"), ("charged", "charged"),
         ("bought_twice", "bought twice"), ("lost", "lost"),
         ("in_doubt_of_kills", "in doubt by kills"), ("of_these_charged", "of these charged"),
         ("in_doubt_of_faults", "in doubt by faults"), ("of_those_charged", "of those charged"),
         ("left_without_a_file", "left without a file")),
    ),
    "chaos": (
        "The same by the books of a server that shares no code",
        (("kills", "kills"), ("jobs", "jobs"), ("accepted", "charged"),
         ("bought_twice", "bought twice"), ("lost", "lost"),
         ("doubts_of_kills", "in doubt by kills"), ("doubts_of_faults", "by faults")),
    ),
    "power_cut": (
        "Each state that a disk may be left in after each write, sync, rename and unlink of a run",
        (("operations", "operations"), ("states", "states"), ("events_lost", "events lost"),
         ("bought_twice", "bought twice"), ("tasks_lost", "lost"), ("torn_files", "torn"),
         ("refused", "refused"), ("in_doubt_at_most", "in doubt at most")),
    ),
    "hostile_network": (
        "A proxy that refuses, resets, truncates at each byte, stalls, drips, doubles, half-opens",
        (("cases", "cases"), ("wrong", "wrong class"),
         ("may_go_again_though_charged", "may go again though charged"),
         ("creates.not_sent", "creates not sent"), ("creates.in_doubt", "in doubt"),
         ("creates.in_doubt_and_charged", "of these charged"),
         ("creates.charged_twice_by_the_network", "doubled by the network"), ("torn_files", "torn"),
         ("downloads.torn_where_its_length_was_hidden", "torn where no true length was sent")),
    ),
    "state_machine": (
        "Plan, run, kill, collect, resolve, edit, callback in any order, against a model",
        (("stories", "stories"), ("commands", "commands"), ("kills", "kills"),
         ("callbacks", "callbacks"), ("charges", "charged"), ("bought_twice", "bought twice"),
         ("lost", "lost"), ("plans_that_differ", "plans that differ")),
    ),
    "pace": (
        "300 creates against 20 in any 10 s, in real time",
        (("undisturbed.refused", "429"), ("undisturbed.share", "share of 18 per 10.5 s"),
         ("disturbed.refused", "with bursts of 429"),
         ("disturbed.recovered.0", "seconds until full speed")),
    ),
    "full_disk": (
        "Each write, sync and rename refused: once, for a while, from there on; read-only folders",
        (("refused", "refusals"), ("charged", "charged"), ("bought_twice", "bought twice"),
         ("lost", "lost"), ("torn", "torn"), ("in_doubt", "in doubt"),
         ("in_doubt_charged", "of these charged"),
         ("told_on_the_screen_only", "ids only on the screen")),
    ),
    "clock": (
        "The clock set forwards and back by hours, within commands and between them, with kills",
        (("commands", "commands"), ("hours_spanned", "hours"), ("charged", "charged"),
         ("bought_twice", "bought twice"), ("lost", "lost"), ("in_doubt", "in doubt"),
         ("plans_that_differ", "plans that differ")),
    ),
    "stories": (
        "Folder home: from elsewhere in the repository, after the record was removed, damaged or ignored, during a run",
        (("stories", "stories"), ("runs", "runs"), ("refused", "refused"),
         ("requests", "requests"), ("charged", "charged"), ("bought_twice", "bought twice"),
         ("mended", "bought after the advice of a refusal")),
    ),
    "lost_runners": (
        "Git home: fresh clones that are killed while they buy, and deleted; then one that goes on",
        (("lost_runners", "lost runners"), ("jobs", "jobs"), ("charged", "charged"), ("bought_twice", "bought twice"),
         ("lost", "lost"), ("in_doubt", "in doubt"), ("in_doubt_charged", "of these charged"),
         ("in_doubt_at_most", "by one runner at most"), ("checkouts_touched", "checkouts touched")),
    ),
    "racing_clones": (
        "Git home: two clones that run one job file at once, in every other round with SIGKILL",
        (("rounds", "rounds"), ("kills", "kills"), ("jobs", "jobs"), ("charged", "charged"),
         ("bought_twice", "bought twice"), ("lost", "lost"), ("in_doubt", "in doubt"),
         ("checkouts_touched", "checkouts touched")),
    ),
    "two_folders": (
        "PostgreSQL home: two folders under SIGKILL, connections that are cut, a database that is killed",
        (("kills", "kills"), ("cuts", "cut connections"), ("database_kills", "database kills"), ("jobs", "jobs"),
         ("charged", "charged"), ("bought_twice", "bought twice"), ("lost", "lost"), ("in_doubt", "in doubt"),
         ("most_at_once", "creates in any 10 s, at most")),
    ),
    "three_homes": (
        "All homes: two buyers under SIGKILL, lost disks, a home that goes away or refuses, clocks off, damaged ledgers",
        tuple(
            (f"{home}.{figure}", f"{label}: {name}" if home == "folder" else name)
            for figure, label in (
                ("kills", "kills"), ("disks_lost", "disks lost"), ("absences", "absences"), ("charged", "charged"),
                ("bought_twice", "bought twice"), ("lost", "lost"), ("in_doubt", "in doubt"), ("damages", "damages"),
                ("refused", "refused"), ("bought_on_damage", "bought again on a damaged ledger"),
            )
            for home, name in (("folder", "folder"), ("git", "git"), ("postgresql", "PostgreSQL"))
        ),
    ),
    "shared_database": (
        "PostgreSQL home: two folders buy, workers download elsewhere; SIGKILL for all of them and for the database",
        (("kills", "kills"), ("of_workers", "of these workers"), ("database_kills", "database kills"),
         ("outages", "of these outages"), ("jobs", "jobs"), ("charged", "charged"),
         ("bought_twice", "bought twice"), ("lost", "lost"), ("in_doubt", "in doubt"),
         ("left_without_a_file", "left without a file")),
    ),
    "many_jobs": (
        "A dead run's jobs resumed: planned, followed, downloaded",
        (("jobs", "jobs"), ("bought", "bought"), ("home", "home"), ("plan.seconds", "s to plan"),
         ("status.seconds", "s for status"), ("run.memory", "MB at most")),
    ),
    "fuzz": (
        "Hostile YAML, templates, callbacks, answers, journals, fault files, results",
        (("inputs.yaml", "YAML"), ("inputs.template", "templates"), ("inputs.receiver", "callbacks"),
         ("inputs.answer", "answers"), ("inputs.journal", "journals"),
         ("crashes_and_hangs", "crashes and hangs"),
         ("files_outside", "files outside"), ("secrets", "secrets shown"),
         ("slowest_s", "slowest, s"), ("peak_mb", "MB at most")),
    ),
}  # fmt: skip
