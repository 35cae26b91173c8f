"""What a shell offers where a word is typed, and the scripts by which it asks.

In: COMP_LINE, the command up to the cursor. Out: models, addresses, selections, run ids; nothing where a file is
meant: then the shell completes it as it always does. Touches: job files and the ledger, by reading.

A shell's word is not always ours: bash breaks at `:` and `=`, so the complete line is asked for and only what follows
the break is answered.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from click import Group, Option
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    split_arg_string,
)

from kiejobs.core.diagnostics import KiejobsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import click

    from kiejobs.app.project import Workspace
    from kiejobs.core.plan.selection import Selectable

_MOST = 500  # addresses; of more than that the jobs are offered, with a wildcard
_CURSOR = "\0"
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")

_BASH = """\
_kiejobs_completion() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        [[ -n $line ]] && COMPREPLY+=("$line")
    done < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_PART="$2" COMP_WORD="${COMP_WORDS[COMP_CWORD]}" \\
        _KIEJOBS_COMPLETE=bash_complete "${1/#\\~/$HOME}" 2> /dev/null)
}
complete -o default -o nosort -F _kiejobs_completion kiejobs 2> /dev/null ||
    complete -o default -F _kiejobs_completion kiejobs
"""

_ZSH = """\
#compdef kiejobs

_kiejobs_completion() {
    local line
    local -a values shown
    for line in "${(@f)$(COMP_LINE="${(j: :)words[1,CURRENT]}" _KIEJOBS_COMPLETE=zsh_complete ${(Q)words[1]} 2> /dev/null)}"; do
        [[ -n $line ]] || continue
        values+=("${line%%$'\\t'*}")
        shown+=("${line/$'\\t'/  -- }")
    done
    (( $#values )) && compadd -l -V kiejobs -d shown -a values || _files
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _kiejobs_completion "$@"
else
    compdef _kiejobs_completion kiejobs
fi
"""

_FISH = """\
function __kiejobs_completion
    set -l words (commandline -opc)
    set -l lines (env COMP_LINE=(commandline -cp | string collect) _KIEJOBS_COMPLETE=fish_complete $words[1] 2> /dev/null)
    if test -n "$lines"
        printf '%s\\n' $lines
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command kiejobs --no-files --arguments '(__kiejobs_completion)'
"""


class _Asked(ShellComplete):
    """One line for each value, what it means behind a tab."""

    def source(self) -> str:
        return self.source_template

    def get_completion_args(self) -> tuple[list[str], str]:
        *words, last = split_arg_string(os.environ.get("COMP_LINE", "") + _CURSOR)
        return words[1:], last.removesuffix(_CURSOR)

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        items: list[CompletionItem[str]] = []
        _unhide(self.cli)
        with suppress(KiejobsError, OSError):
            items = super().get_completions(args, incomplete)
        return [item for item in items if item.type == "plain" and item.value.startswith(incomplete)]

    def format_completion(self, item: CompletionItem[str]) -> str:
        return f"{item.value}\t{item.help}" if item.help else item.value


def _unhide(command: click.Command) -> None:
    """Help lists the flags that every command takes once; a shell offers them behind each."""
    for option in command.params:
        if isinstance(option, Option):
            option.hidden = False
    for each in command.commands.values() if isinstance(command, Group) else ():
        _unhide(each)


class _Bash(_Asked):
    name = "bash"
    source_template = _BASH

    def format_completion(self, item: CompletionItem[str]) -> str:
        """What bash replaces is the part of the word behind its last break; nothing is quoted for us."""
        if os.environ.get("COMP_WORD", "")[:1] in {"'", '"'}:
            return item.value
        incomplete = self.get_completion_args()[1]
        part = "".join(split_arg_string(os.environ.get("COMP_PART", "")))
        kept = len(incomplete) - len(part) if incomplete.endswith(part) else 0
        return _SPECIAL.sub(r"\\\g<0>", item.value[kept:])


class _Zsh(_Asked):
    name = "zsh"
    source_template = _ZSH


class _Fish(_Asked):
    name = "fish"
    source_template = _FISH


for _shell in (_Bash, _Zsh, _Fish):
    add_completion_class(_shell)


def script(shell: str) -> str:
    """What a person's shell reads as it starts."""
    return {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell]


# --- values --------------------------------------------------------------------------------------------


def models(_context: click.Context, _incomplete: str) -> Iterable[str]:
    from kiejobs.adapters.project.models import ModelFiles  # noqa: PLC0415 - each value reads what it needs

    return sorted(ModelFiles().names)


def run_ids(context: click.Context, _incomplete: str) -> Iterable[CompletionItem[str]]:
    """The latest first, which has a name of its own."""
    from kiejobs.app.records import LATEST  # noqa: PLC0415 - as above

    records = [record for record in _workspace(context).store.read().records if record.header]
    yield from [CompletionItem(LATEST)] if records else []
    for record in reversed(records):
        yield CompletionItem(record.run_id, help=record.header.campaign if record.header else None)


def doubts(context: click.Context, _incomplete: str) -> Iterable[str]:
    """Addresses that can be ruled on."""
    ledger = _workspace(context).ledger()
    return (one.address for one in ledger.current() if ledger.in_doubt_at(one.address))


def addresses(context: click.Context, incomplete: str) -> Iterable[str]:
    """Of the files before it, or of all campaigns here; behind an address there are only files."""
    if not all(Path(word).exists() for word in context.params.get("words") or ()):
        return ()
    return _few(_jobs(context), incomplete, ending="")


def selections(context: click.Context, incomplete: str) -> Iterable[str]:
    """What may follow the last blank, or the last comma that is not within brackets."""
    from kiejobs.core.picks import WORDS as PICKS  # noqa: PLC0415 - as above
    from kiejobs.core.plan.selection import KEYS, RESULTS, STATES  # noqa: PLC0415 - as above

    typed = re.split(r"(?:\s|,(?![^\[]*\]))", incomplete)[-1]
    before = incomplete[: len(incomplete) - len(typed)]
    jobs = list(_jobs(context))
    known = {
        "tag": (tag for job in jobs for tag in job.tags),
        "job": (job.job for job in jobs),
        "axis": (f"{name}={value}" for job in jobs for name, value in job.axes),
        "state": STATES,
        "result": RESULTS,
        "pick": PICKS,
        "file": (job.file for job in jobs if job.file),
    }
    keyed = [f"{key}:{value}" for key in KEYS if key in known for value in dict.fromkeys(known[key])]
    return [before + one for one in (*keyed, *_few(jobs, typed, ending="*"))]


def _few(jobs: Iterable[Selectable], typed: str, ending: str) -> list[str]:
    """The addresses, or where they are too many the beginning that those of a job have in common."""
    found = dict.fromkeys(job.address for job in jobs if job.address.startswith(typed))
    if len(found) > _MOST:
        found = dict.fromkeys(address.partition("[")[0].partition("#")[0] + ending for address in found)
    return list(found)[:_MOST]


def _jobs(context: click.Context) -> Iterator[Selectable]:
    """Of the job files that the line names, without any of those in the usual places; then of the ledger."""
    from kiejobs.app.load import JobFolder, try_to_load  # noqa: PLC0415 - as above
    from kiejobs.app.options import JobFileOptions  # noqa: PLC0415 - as above
    from kiejobs.app.select import read_off, usual_files  # noqa: PLC0415 - as above
    from kiejobs.core.plan.selection import selectable  # noqa: PLC0415 - as above

    space = _workspace(context)
    for file in _named() or usual_files(space.root):
        with suppress(KiejobsError, OSError):
            loaded, _ = try_to_load(JobFileOptions(file), JobFolder(file))
            jobs = loaded.expansion.jobs if loaded else ()
            yield from (replace(selectable(job), file=file) for job in jobs)
    yield from (read_off(one.address) for one in space.ledger().current())


def _workspace(context: click.Context) -> Workspace:
    from kiejobs.app.options import Locations  # noqa: PLC0415 - as above
    from kiejobs.app.project import open_workspace  # noqa: PLC0415 - as above

    given = context.params
    where = Locations(
        runs=given.get("runs"), base_url=given.get("base_url"), sandbox=bool(given.get("sandbox"))
    )
    return open_workspace(where, next(iter(_named()), ""))


def _named() -> list[str]:
    """Job files on the line; behind a flag that lacks its value click knows no argument."""
    words = split_arg_string(os.environ.get("COMP_LINE", ""))
    return [word for word in words if word.endswith((".yaml", ".yml")) and Path(word).is_file()]
