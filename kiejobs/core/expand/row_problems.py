"""What goes wrong with rows: placed at once, then folded, with a count and one example address.

In: what is wrong with a row, and where; jobs, of which no two may be alike. Out: diagnostics. Touches nothing.
A mistake in one prompt hits thousands of combinations; it is one problem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from kiejobs.core.diagnostics import Diagnostic, Place
from kiejobs.core.document.nodes import YamlMap, YamlSeq

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.core.document.nodes import Document, Spot
    from kiejobs.core.expand.job import Job
    from kiejobs.core.expand.typed_matrix import Values
    from kiejobs.core.jobfile import JobEntry
    from kiejobs.core.template.renderer import TemplateProblem

_MOST_WORDINGS = 5
"""This many different messages at one place are reported; the rows of all further ones are counted."""

_MOST_CELLS = 20
"""This many cells of a data file, or local files, of those that one place in the job file points to."""

_OF_FILES = frozenset({"missing-file", "unfit-file", "file-path", "unreachable-address"})


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A diagnostic of one row; those of one job `at` one place, of one code and `fold`, are one problem."""

    diagnostic: Diagnostic
    at: Place
    fold: tuple[object, ...]
    most: int = _MOST_WORDINGS


class RowProblems:
    """Problems of all rows, folded."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, Place, object], dict[tuple[object, ...], Diagnostic]] = {}

    def add(self, problem: RowProblem, job: object, address: str) -> None:
        """`job` is its name, or what else sets its rows apart; `address` is an example of those that it hits."""
        made = problem.diagnostic
        group = self._groups.setdefault((made.code, problem.at, job), {})
        fold = problem.fold
        if fold not in group and len(group) >= problem.most:
            fold = next(reversed(group))
        known = group.get(fold)
        if known is None:
            group[fold] = replace(made, example=address)
        else:
            group[fold] = replace(known, count=known.count + 1)

    def folded(self) -> Iterator[Diagnostic]:
        for group in self._groups.values():
            yield from group.values()


class Places(NamedTuple):
    """Where the parts of one job's requests are written, and problems at these places."""

    document: Document
    entry: JobEntry

    def problem(
        self,
        code: str,
        message: str,
        spot: Spot,
        hint: str | None = None,
        *,
        also: Sequence[Spot] = (),
        cell: Place | None = None,
        fold: tuple[object, ...] = (),
    ) -> RowProblem:
        """`cell` is the place of the value in a data file, if `spot` only points there."""
        written = self.document.at(spot)
        others = tuple(map(self.document.at, also))
        made = Diagnostic(
            code,
            f"job `{self.entry.name}`: {message}",
            cell or written,
            hint,
            also=others if cell is None else (written, *others),
        )
        is_one_of_many = cell is not None or code in _OF_FILES
        most = _MOST_CELLS if is_one_of_many else _MOST_WORDINGS
        return RowProblem(made, written, (*(fold or (message,)), cell), most)

    def template_problem(self, problem: TemplateProblem, name: str, spot: Spot) -> RowProblem:
        """In the value `name`, or in a template that it pulls in."""
        if not problem.name:
            at = self.document.within(spot, problem.written) if problem.written else spot
            is_later = at == spot and problem.lineno and problem.lineno > 1
            where = f"`{name}`, its line {problem.lineno}" if is_later else f"`{name}`"
            return self.problem("template", f"{problem.message} (in {where})", at, problem.hint)
        lines = (*problem.users, (problem.name, problem.lineno or 1))
        # Other jobs may use the same template, so it's one problem, and not the job's.
        *users, place = (
            Place(self.document.sibling(file), line, 1) for file, line in lines if file is not None
        )
        place = place._replace(column=problem.column)
        written = self.document.at(spot)
        also = (written, *users)
        made = Diagnostic("template", problem.message, place, problem.hint, also=also, also_words="used by")
        return RowProblem(made, written, (problem.message, *users, place))

    def spot_of(self, name: str, values: Values, *, key: bool = False) -> Spot:
        """Where the value of an input field was written, for this row; its key with `key`."""
        return self.spot_if_written(name, values, key=key) or self.entry.spot

    def spot_if_written(self, name: str, values: Values, *, key: bool = False) -> Spot | None:
        """None where the job file is silent, so that a default is sent, or nothing."""
        written = self.entry.input
        if name in written:
            return (written.key_spots if key else written.value_spots)[name]
        return values[name].spot if name in values else None

    def spot_within(self, path: Sequence[str | int], values: Values) -> Spot:
        """Where a value inside of an input field was written, as near as is known."""
        spot, node = self.spot_of(str(path[0]), values), self.entry.input.get(str(path[0]))
        for step in path[1:]:
            if isinstance(node, YamlMap) and step in node:
                spot, node = node.value_spots[str(step)], node[str(step)]
            elif isinstance(node, YamlSeq) and isinstance(step, int):
                spot, node = node.item_spots[step], node[step]
            else:
                break
        return spot


# --- no two jobs alike -----------------------------------------------------------------------------


class DuplicateJobs:
    """Finds jobs that would buy the same request, or write the same file, as an earlier one."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, int], Job] = {}
        self._files: dict[str, tuple[int, Job]] = {}
        self._folders: dict[str, tuple[int, Job]] = {}
        self._both: set[str] = set()

    def check(self, job: Job, places: Places) -> list[RowProblem]:
        """Asked of jobs without problems only: what a broken row would do doesn't count."""
        first = self._requests.setdefault((job.fingerprint, job.take), job)
        if first is not job:
            return [_same_request(job, first, places)]
        first = self._same_file(job)
        return [] if first is job else [_same_file(job, first, places)]

    def _same_file(self, job: Job) -> Job:
        """The first job that is in the way of this one's file; the job itself where none is."""
        # Some file systems take `Cup.mp4` and `cup.mp4` for the same file.
        path, own = job.output.casefold(), (len(self._requests), job)
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            self._enter(folder, own)
        first = self._files.setdefault(path, own)
        if path in self._folders:
            self._both.add(path)
        if first is own and not self._both:
            return job
        in_the_way = [self._files.get(folder, own) for folder in _folders_of(path)]
        return min([first, self._folders.get(path, own), *in_the_way], key=itemgetter(0))[1]

    def _enter(self, folder: str, own: tuple[int, Job]) -> None:
        """A folder that no file is in yet; `_both` are those whose name a file has as well."""
        for each in (folder, *_folders_of(folder)):
            self._folders.setdefault(each, own)
            if each in self._files:
                self._both.add(each)


def _folders_of(path: str) -> list[str]:
    """Those that it lies in, the nearest first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts) - 1, 0, -1)]


def _same_request(job: Job, first: Job, places: Places) -> RowProblem:
    axes = _differing(job, first)
    if len(axes) == 1 and not job.files:  # which may have two names for one content
        message = (
            f"axis `{axes[0]}` makes no difference between `{first.address}` and `{job.address}`: "
            "they are the same request"
        )
        hint = f"read what differs of `matrix.{axes[0]}` in a template, drop one, or write `takes: 2` to buy it twice"
    else:
        message = f"the same request is wanted twice: `{first.address}` and `{job.address}`"
        hint = "vary the input, drop one of them, or write `takes: 2` to buy it twice"
    if job.files:
        hint += "; files of the same content are the same file, whatever their names"
    spot = places.entry.spot
    return places.problem("duplicate-request", message, spot, hint, fold=("duplicate",))


def _differing(job: Job, first: Job) -> list[str]:
    """The axes in which two rows of the same job differ; none for those of different jobs."""
    if job.address.partition("[")[0] != first.address.partition("[")[0]:
        return []
    one, other = dict(job.axes), dict(first.axes)
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def _same_file(job: Job, first: Job, places: Places) -> RowProblem:
    names, files = f"`{first.address}` and `{job.address}`", f"`{first.output}` and `{job.output}`"
    lacking = "an axis or `{{ take }}`" if job.axes or job.take > 1 else "`{{ job }}`"
    message, hint = f"{names} would write the same file `{job.output}`", f"put {lacking} into `output`"
    alike = next((axis for axis in _differing(job, first) if _reads_axis(places.entry.output, axis)), None)
    if job.output.casefold() != first.output.casefold():
        message = f"{names} would write {files}: one is a file where the other needs a folder"
        hint = "rename one of the two: no file can have the name of a folder"
    elif job.output != first.output:
        message = (
            f"{names} would write {files}, which are the same file where names ignore case (macOS, Windows)"
        )
        hint = "spell one of them so that they differ in more than their case"
    elif alike is not None:
        message += f": `output` makes the same text of both values of axis `{alike}`"
        hint = "rename one of the two values, or put what differs into `output`"
    return places.problem("output-collision", message, places.entry.spot, hint, fold=("duplicate",))


def _reads_axis(output: str | None, axis: str) -> bool:
    """Do the templates of `output` name it, or all axes?"""
    one = rf"\bmatrix\s*(?:\.\s*|\[\s*['\"]){re.escape(axis)}(?!\w)"
    return re.search(rf"\{{[{{%].*?(?:{one}|\baxes\b|\baddress\b)", output or "", re.DOTALL) is not None
