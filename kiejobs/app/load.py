"""From a job file's name to its expansion, or to all of its problems.

In: the file's name, variables, limits. Out: `LoadedJobFile`. Touches: disk, by reading.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.local_files import LocalFolder
from kiejobs.adapters.project.tables import DataFolder
from kiejobs.adapters.system import IncludeFolder, git_commit, read_schema, read_source
from kiejobs.app.known_models import KnownModels
from kiejobs.core.diagnostics import InvalidJobFile, Problems, UsageProblem
from kiejobs.core.document.reader import read_document
from kiejobs.core.expand.expand import Expansion, expand
from kiejobs.core.jobfile.jobfile import JobFile, read_jobfile
from kiejobs.core.jobfile.variables import given_variables
from kiejobs.core.template.template import Templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.core.document.nodes import Document, Json


_ENDS = re.compile(r"\r\n?|\n")
"""Of a template's lines, as Jinja counts them."""


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


@dataclass(frozen=True, slots=True)
class LoadedJobFile:
    """A job file that is free of errors; `problems` may hold warnings, `lines` those that they stand in.

    `templates`, `vars_files` and `data_files` are what was read beside it: names as written, with their
    SHA-256; `files` has read the local files that its requests point at. `own_schemas` are models whose
    schema is the project's own, each with whether there is a bundled one too.
    """

    document: Document
    jobfile: JobFile
    expansion: Expansion
    problems: Problems
    lines: Mapping[str, Sequence[str]]
    templates: Mapping[str, str]
    vars_files: Mapping[str, str]
    data_files: Mapping[str, str]
    files: LocalFolder
    own_schemas: Mapping[str, bool]

    @property
    def source(self) -> dict[str, Json]:
        """Where the jobs come from, for the journal: no absolute path."""
        path = Path(self.document.name)
        name = path.name if path.is_absolute() else path.as_posix()
        commit = git_commit(path.parent)
        return {"file": name, "sha256": self.document.sha256, "git_commit": commit}


class JobFolder:
    """What lies beside a job file and is read for it; it knows what was asked of it."""

    def __init__(self, file: str, *, decode: bool = False) -> None:
        """With `decode` pictures are decoded, else only looked at."""
        folder = Path(file).parent
        self.includes = IncludeFolder(folder)
        self.files = LocalFolder(folder, decode=decode)
        self.data = DataFolder(folder)

    @property
    def asked(self) -> set[str]:
        """Paths below the job file's folder, of what is not there, too."""
        return self.includes.asked | self.files.asked | self.data.asked


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What became of a job file, errors or not. `expansion` is None where it could not be multiplied."""

    document: Document | None
    expansion: Expansion | None
    problems: Problems
    lines: Mapping[str, Sequence[str]]
    vars_files: Mapping[str, str]
    own_schemas: Mapping[str, bool]


def load(wanted: JobFileOptions, beside: JobFolder | None = None) -> LoadedJobFile:
    """Raises InvalidJobFile with all problems, UsageProblem where the file can't be read.

    `beside` is for those who want to know what was asked of it, whatever is raised.
    """
    beside = beside or JobFolder(wanted.file, decode=wanted.check_assets)
    tried = try_to_load(wanted, beside)
    if tried.document is None or tried.expansion is None or tried.problems.fatal:
        raise InvalidJobFile(tried.problems, tried.lines)
    return LoadedJobFile(
        document=tried.document,
        jobfile=tried.expansion.jobfile,
        expansion=tried.expansion,
        problems=tried.problems,
        lines=tried.lines,
        templates=beside.includes.read,
        vars_files=tried.vars_files,
        data_files=beside.data.digests,
        files=beside.files,
        own_schemas=tried.own_schemas,
    )


def try_to_load(wanted: JobFileOptions, beside: JobFolder) -> LoadResult:
    """Raises UsageProblem where a file can't be read, InvalidJobFile for variables that are no YAML."""
    problems = Problems()
    source = read_source(wanted.file)
    document, found = read_document(source)
    problems.extend(found)
    if document is None:
        text = source.data.decode("utf-8", "replace")
        return LoadResult(None, None, problems, {source.name: text.splitlines()}, {}, {})
    given = [_vars_file(name) for name in wanted.vars_files]
    models = KnownModels(problems)
    expansion = _expand(document, wanted, given, beside, models)
    lines = _lines((document, *given), models.lines, beside.includes, problems)
    digests = dict(zip(wanted.vars_files, (one.sha256 for one in given), strict=True))
    own = models.own_of(expansion.spec_of) if expansion is not None else {}
    return LoadResult(document, expansion, problems, lines, digests, own)


def _expand(
    document: Document,
    wanted: JobFileOptions,
    given: Sequence[Document],
    beside: JobFolder,
    models: KnownModels,
) -> Expansion | None:
    problems = models.problems
    structure = read_schema("jobfile.structure.json")
    jobfile = read_jobfile(document, structure, problems)
    if jobfile is None:
        return None
    variables = given_variables(jobfile.vars, given, variables_of(wanted), problems)
    jobfile = replace(jobfile, vars={**jobfile.vars, **variables})
    includes = beside.includes
    # By the work that is done: a machine that is busy with other things makes no template slow.
    templates = Templates(includes, peek=includes.peek, clock=time.thread_time)
    return expand(
        jobfile,
        models.catalogue(),
        templates,
        problems,
        max_jobs=wanted.max_jobs,
        files=beside.files,
        data=beside.data,
    )


def _lines(
    read: Sequence[Document],
    schemas: Mapping[str, Sequence[str]],
    includes: IncludeFolder,
    problems: Problems,
) -> dict[str, Sequence[str]]:
    """Of the job file, which was read first, and of whatever else problems stand in."""
    lines = {**schemas, **problems.lines, **{one.name: one.lines for one in read}}
    folder = read[0].beside("")
    for problem in problems:
        name = problem.place.file if problem.place else read[0].name
        if name not in lines:
            lines[name] = _ENDS.split(includes.peek(name.removeprefix(folder)) or "")
    return lines


def campaign_of(file: str) -> str:
    """A job file's campaign, without expanding it. Raises as `load` does."""
    document, found = read_document(read_source(file))
    campaign = document.root.get("campaign") if document and isinstance(document.root, dict) else 0
    if not isinstance(campaign, str):
        problems = Problems()
        problems.extend(found)
        if not problems:
            raise UsageProblem(f"{file} has no `campaign:`")
        raise InvalidJobFile(problems, {file: document.lines if document else []})
    return campaign


def variables_of(wanted: JobFileOptions) -> dict[str, str]:
    """`--var`s by name; of two with one name the later one. Raises UsageProblem."""
    given: dict[str, str] = {}
    for text in wanted.variables:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageProblem(f"--var {text}: write it as name=value")
        given[key] = value
    return given


def _vars_file(name: str) -> Document:
    document, found = read_document(read_source(name))
    if document is None or found:
        problems = Problems()
        problems.extend(found)
        lines: Sequence[str] = document.lines if document else []
        raise InvalidJobFile(problems, {name: lines})
    return document
