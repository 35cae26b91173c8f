"""From a job file's name to its expansion, or to all of its problems.

In: the file's name, variables, limits. Out: `LoadedJobFile`. Touches: disk, by reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import DataFolder, IncludeFolder, git_commit, read_source
from kiejobs.adapters.project.local_files import LocalFolder
from kiejobs.adapters.project.schemas import read_schema
from kiejobs.adapters.templates.process import ProcessRenderer, render_process
from kiejobs.app.job_file import variables_of
from kiejobs.app.known_models import KnownModels
from kiejobs.core.diagnostics import InvalidJobFile, Problems
from kiejobs.core.document.reader import read_document
from kiejobs.core.expand.expand import Expansion, expand
from kiejobs.core.jobfile import JobFile, given_variables, read_jobfile
from kiejobs.core.template.renderer import is_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kiejobs.app.job_file import JobFileOptions
    from kiejobs.core.diagnostics import Diagnostic
    from kiejobs.core.document.nodes import Document, Json
    from kiejobs.core.expand.expand import Catalogue


_ENDS = re.compile(r"\r\n?|\n")
"""Of a template's lines, as Jinja counts them."""


@dataclass(frozen=True, slots=True)
class LoadedJobFile:
    """A job file that could be expanded; from `load` it is free of errors, and `problems` are warnings.

    `folder` has read the files next to it. `vars_files` are named as written, with their SHA-256.
    `own_schemas` are models whose schema is the project's own, each with whether there is a bundled one
    too.
    """

    expansion: Expansion
    problems: Problems
    folder: JobFolder
    vars_files: Mapping[str, str]
    own_schemas: Mapping[str, bool]

    @property
    def jobfile(self) -> JobFile:
        return self.expansion.jobfile

    @property
    def files(self) -> LocalFolder:
        """The local files that its requests point at."""
        return self.folder.files

    @property
    def source(self) -> dict[str, Json]:
        """Where the jobs come from, for the journal: no absolute path."""
        document = self.jobfile.document
        path = Path(document.name)
        name = path.name if path.is_absolute() else path.as_posix()
        return {"file": name, "sha256": document.sha256, "git_commit": git_commit(path.parent)}


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


def load(wanted: JobFileOptions, folder: JobFolder | None = None) -> LoadedJobFile:
    """Raises InvalidJobFile with all problems, UsageProblem where the file can't be read.

    `folder` is for those who want to know what was asked of it, whatever is raised.
    """
    loaded, problems = try_to_load(
        wanted, folder or JobFolder(wanted.file, decode=wanted.check_assets)
    )
    if loaded is None or problems.fatal:
        raise InvalidJobFile(problems)
    return loaded


def try_to_load(wanted: JobFileOptions, folder: JobFolder) -> tuple[LoadedJobFile | None, Problems]:
    """All problems, and what there is in spite of them: None where it could not be multiplied.

    Raises UsageProblem where a file can't be read, InvalidJobFile for variables that are no YAML.
    """
    source = read_source(wanted.file)
    if is_template(source.data.decode("utf-8", "replace")):
        render_process().start()  # it comes up while the rest is read
    document, found = read_document(source)
    if document is None:
        return None, Problems(found, {source.name: source.lines})
    given = [_vars_file(name) for name in wanted.vars_files]
    jobfile, refused = _read_jobfile(document, given, variables_of(wanted))
    problems = Problems([*found, *refused])
    if jobfile is None:
        return None, _with_lines(problems, (document, *given), folder)
    models = KnownModels()
    catalogue = models.catalogue(entry.model for entry in jobfile.entries)
    problems += models.problems()
    sound = not problems.fatal
    expansion, of_jobs = _expand(jobfile, catalogue, wanted.max_jobs, folder, sound=sound)
    problems = _with_lines(problems + of_jobs, (document, *given), folder)
    vars_files = {file.name: file.sha256 for file in given}
    own_schemas = models.own_of(expansion.spec_of)
    return LoadedJobFile(expansion, problems, folder, vars_files, own_schemas), problems


def _read_jobfile(
    document: Document, given: Sequence[Document], words: Mapping[str, str]
) -> tuple[JobFile | None, list[Diagnostic]]:
    """With the variables that were given in the place of its own."""
    jobfile, refused = read_jobfile(document, read_schema("jobfile.structure.json"))
    if jobfile is None or not (given or words):
        return jobfile, refused
    variables, unknown = given_variables(jobfile.vars, given, words)
    return replace(jobfile, vars={**jobfile.vars, **variables}), [*refused, *unknown]


def _expand(
    jobfile: JobFile,
    catalogue: Catalogue,
    max_jobs: int | None,
    folder: JobFolder,
    *,
    sound: bool,
) -> tuple[Expansion, Problems]:
    shared = {"vars": jobfile.vars, "campaign": jobfile.campaign}
    return expand(
        jobfile,
        catalogue,
        ProcessRenderer(shared, folder.includes),
        sound=sound,
        max_jobs=max_jobs,
        files=folder.files,
        data=folder.data,
    )


def _with_lines(problems: Problems, read: Sequence[Document], folder: JobFolder) -> Problems:
    """With the lines of the job file, which was read first, and of the templates that they are in."""
    lines = {**problems.lines, **{document.name: document.lines for document in read}}
    below = read[0].sibling("")
    for problem in problems:
        name = problem.place.file if problem.place else read[0].name
        if name not in lines:
            lines[name] = _ENDS.split(folder.includes.peek(name.removeprefix(below)) or "")
    return Problems(problems, lines)


def _vars_file(name: str) -> Document:
    source = read_source(name)
    document, found = read_document(source)
    if document is None or found:
        raise InvalidJobFile(Problems(found, {name: source.lines}))
    return document
