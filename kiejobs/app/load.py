"""From a job file's name to its expansion, or to all of its problems; the models that it may name.

In: the file's name, variables, limits. Out: `LoadedJobFile`. Touches: disk, by reading.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.files import (
    STDIN,
    DataFolder,
    IncludeFolder,
    model_names,
    read_schema,
    read_source,
)
from kiejobs.adapters.project.models import ModelFiles, prices_in_force
from kiejobs.adapters.project.root import Root, find_root, git_commit
from kiejobs.adapters.system import api_base
from kiejobs.adapters.templates.process import ProcessRenderer, render_process
from kiejobs.core.diagnostics import Diagnostic, InvalidJobFile, Problems, UsageProblem
from kiejobs.core.document.reader import read_document
from kiejobs.core.expand.expand import Catalogue, Expansion, expand
from kiejobs.core.expand.written import comments_in
from kiejobs.core.jobfile import JobFile, read_jobfile, with_variables
from kiejobs.core.models.spec import UNKNOWN, FileRule, Spec, read_spec
from kiejobs.core.template import names_only
from kiejobs.core.urls import private_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kiejobs.adapters.project.local_files import LocalFolder
    from kiejobs.app.options import JobFileOptions
    from kiejobs.core.document.nodes import Document, Json
    from kiejobs.core.expand.job import LocalFile, NoFile

_ENDS = re.compile(r"\r\n?|\n")
"""Of a template's lines, as Jinja counts them."""


@dataclass(frozen=True, slots=True)
class LoadedJobFile:
    """A job file that could be expanded; from `load` it is free of errors, and `problems` are warnings."""

    wanted: JobFileOptions
    expansion: Expansion
    problems: Problems
    folder: JobFolder
    models: KnownModels
    vars_files: Sequence[Document]

    @property
    def jobfile(self) -> JobFile:
        return self.expansion.jobfile

    @property
    def files(self) -> LocalFolder:
        """The local files that its requests point at."""
        return self.folder.files

    @property
    def own_schemas(self) -> dict[str, bool]:
        """Models that follow a schema of the project's own; does it replace a bundled one?"""
        bundled, own = model_names(), self.models.files.own
        return {model: model in bundled for model in self.expansion.spec_of if model in own}

    @property
    def source(self) -> dict[str, Json]:
        """Where the jobs come from, for the journal: from the project's root, and no absolute path."""
        document = self.jobfile.document
        path = Path(document.name)
        outside = path.name if path.is_absolute() else path.as_posix()
        name = self.folder.root.below(document.name) or outside
        return {"file": name, "sha256": document.sha256, "git_commit": git_commit(path.parent)}


class JobFolder:
    """What is read for a job file: its project, and what lies next to it. With `decode` pictures are decoded."""

    def __init__(
        self, file: str, *, decode: bool = False, root: Root | None = None, top: Path | None = None
    ) -> None:
        """Its project and how far up it may read are looked up, where they aren't given."""
        self.path = Path(file).parent
        self.root = root or find_root(file)
        self.top = top or self.root.reach(file)
        self._decode = decode
        self.has_local_files = False
        self.includes = IncludeFolder(self.path, self.top)
        self.data = DataFolder(self.path, top=self.top)

    @cached_property
    def files(self) -> LocalFolder:
        from kiejobs.adapters.project.local_files import LocalFolder  # noqa: PLC0415 - most have none

        return LocalFolder(self.path, self.top, decode=self._decode)

    def local_file(self, path: str, rule: FileRule) -> LocalFile | NoFile:
        self.has_local_files = True
        return self.files(path, rule)

    @property
    def asked(self) -> set[str]:
        """Paths from the job file's folder, of what is not there, too."""
        return self.includes.asked | self.files.asked | self.data.asked


def load(wanted: JobFileOptions, folder: JobFolder | None = None) -> LoadedJobFile:
    """Raises InvalidJobFile with all problems, or UsageProblem; `folder` still knows what was asked of it."""
    folder = folder or JobFolder(wanted.file, decode=wanted.check_assets)
    loaded, problems = try_to_load(wanted, folder)
    problems = problems.as_errors() if wanted.strict else problems
    if loaded is None or problems.fatal:
        raise InvalidJobFile(problems)
    return loaded


def load_all(wanted: JobFileOptions, names: Sequence[str]) -> list[LoadedJobFile]:
    """Several files. Raises InvalidJobFile with all problems of all of them, or UsageProblem."""
    loaded, problems = [], Problems()
    for name in names:
        try:
            loaded.append(load(replace(wanted, file=name)))
        except InvalidJobFile as invalid:
            problems += invalid.problems
    if problems:
        raise InvalidJobFile(problems)
    return loaded


def try_to_load(
    wanted: JobFileOptions, folder: JobFolder, models: KnownModels | None = None
) -> tuple[LoadedJobFile | None, Problems]:
    """All problems, and what there is in spite of them; with other `models` than the project's, where they are given.
    Raises UsageProblem, InvalidJobFile for variables.
    """
    source = read_source(wanted.file)
    if not names_only.is_enough(source.data.decode("utf-8", "replace")):
        render_process().start()  # it comes up while the rest is read
    document, found = read_document(source)
    if document is None:
        return None, Problems(found, {source.name: source.lines})
    given = list(map(_vars_file, wanted.vars_files))
    words = variables_of(wanted) if wanted.variables else {}
    jobfile, refused = _read_jobfile(document, given, words)
    problems = Problems([*found, *refused])
    if jobfile is None:
        return None, _with_lines(problems, (document, *given), folder)
    models = models or KnownModels(folder.root)
    for entry in jobfile.entries:
        models.spec(entry.model or "")
    outside = not wanted.sandbox and private_host(api_base(wanted.base_url)) is None
    catalogue = replace(models.catalogue(), public_only=outside)
    problems += models.problems()
    expansion, of_jobs = expand(
        jobfile,
        catalogue,
        ProcessRenderer({"vars": jobfile.vars, "campaign": jobfile.campaign}, folder.includes),
        sound=not problems.fatal,
        max_jobs=wanted.max_jobs,
        files=folder.local_file,
        data=folder.data,
    )
    problems += of_jobs + _later(models.problems(), problems)
    if folder.includes.read:
        problems += Problems(_comments_of_includes(document, folder))
    problems = _with_lines(problems, (document, *given), folder)
    problems = _of_stdin(problems) if wanted.file == STDIN else problems
    return LoadedJobFile(wanted, expansion, problems, folder, models, given), problems


def _of_stdin(problems: Problems) -> Problems:
    """A job file from standard input has no folder: what it names is looked for from the current one."""

    def said(text: str) -> str:
        return text.replace("the job file's folder", "the current folder")

    worded = [replace(one, message=said(one.message), hint=said(one.hint or "") or None) for one in problems]
    return Problems(worded, problems.lines)


def _comments_of_includes(document: Document, folder: JobFolder) -> Iterator[Diagnostic]:
    for name in folder.includes.read:
        text = folder.includes.peek(name)
        if isinstance(text, str):
            yield from comments_in(text, document.sibling(name))


def _later(now: Problems, before: Problems) -> Problems:
    """Of schemas that were asked for by an axis or a template."""
    known = set(before)
    return Problems([one for one in now if one not in known], now.lines)


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
    source = read_source(name)
    document, found = read_document(source)
    if document is None or found:
        raise InvalidJobFile(Problems(found, {name: source.lines}))
    return document


def _read_jobfile(
    document: Document, given: Sequence[Document], words: Mapping[str, str]
) -> tuple[JobFile | None, list[Diagnostic]]:
    """With the variables that were given in the place of its own."""
    jobfile, refused = read_jobfile(document, read_schema("jobfile.structure.json"))
    if jobfile is None or not (given or words):
        return jobfile, refused
    jobfile, unknown = with_variables(jobfile, given, words)
    return jobfile, [*refused, *unknown]


def _with_lines(problems: Problems, read: Sequence[Document], folder: JobFolder) -> Problems:
    """With the lines of the job file, which was read first, and of the templates that they are in."""
    lines = dict(problems.lines)
    for document in read:
        lines[document.name] = document.lines
    below = posixpath.dirname(read[0].name) or "."
    for problem in problems:
        name = problem.place.file if problem.place else read[0].name
        if name not in lines:
            text = folder.includes.peek(posixpath.relpath(name, below))
            lines[name] = _ENDS.split(text) if isinstance(text, str) else []
    return Problems(problems, lines)


class KnownModels:
    """The models that there are schemas for, each read when it is first asked for."""

    def __init__(self, root: Root | None = None) -> None:
        self._root = root
        self.files = ModelFiles(root)
        self._known: dict[str, Spec | None] = {}
        self._of_prices = Problems()

    def catalogue(self) -> Catalogue:
        """With the prices in force. Raises UsageProblem where the project's prices can't be read."""
        known = Catalogue(self.files.names, self.spec)
        prices, self._of_prices = prices_in_force(known, self._root)
        return replace(known, prices=prices)

    def problems(self) -> Problems:
        """What is wrong with the project's own prices, and with those of its schemas that were asked for."""
        return self.files.problems() + self._of_prices

    def spec(self, model: str) -> Spec | None:
        """None for a model that is not known, or whose schema is broken."""
        if model not in self._known:
            schema = self.files.get(model)
            self._known[model] = None if schema is None else read_spec(schema)
        return self._known[model]

    def media_type(self, model: str) -> str:
        """What the files of a model are; anything, where the model is not known any more."""
        spec = self.spec(model)
        return spec.media_type if spec else UNKNOWN


def media_types(root: Root) -> Callable[[str], str]:
    """Says what the files of a model are; what was paid for is downloaded whatever became of the schemas."""
    try:
        return KnownModels(root).media_type
    except UsageProblem:
        return lambda _model: UNKNOWN
