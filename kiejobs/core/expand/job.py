"""A job: one wanted generation, ready to be sent; and the local files that it points at.

In: a request as written, its spec, a reader of local files. Out: `Job`, `LocalFile`; the request with
`sha256:...` in the place of paths, and what is wrong with them. Touches nothing: the reader does.

What is no address in a field that takes a file is a path from the job file's folder. Paths come with strangers'
branches: what one may look like is decided here, and how far it may lead by the reader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import dropwhile
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from kiejobs.core.document.wording import shorten, show
from kiejobs.core.models.spec import UNKNOWN, beyond_limits, files_in, too_large, wrong_type
from kiejobs.core.urls import bare, private_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from decimal import Decimal

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.spec import FileRule, Path, Spec

NO_DIGEST = f"sha256:{'0' * 64}"
"""Used in place of a file: what is wrong with it is reported once, not by the schema again."""

_REF = re.compile(r"sha256:[0-9a-f]{64}")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_WEB = frozenset({"http", "https"})
_ON_THE_WEB = ("https://", "http://")
_LONGEST = 1000
_ODD = re.compile(r"[\x00-\x1f\x7f]")
_BELOW = "a file is named by its path from the job file's folder, such as `images/cup.png`"
_OUTSIDE = (
    "write the file's path from the job file's folder, and it is uploaded; or an address that is reachable from "
    "outside. For an API on this machine: --sandbox, --base-url or KIE_API_BASE"
)
_NO_COLON = re.compile(r"(https?)[;.]?//(\S+)", re.IGNORECASE)
_WRAPPED = re.compile(r"[<\"'(\[]+(https?://[^\s>\"')\]]+)[>\"')\]]+", re.IGNORECASE)
_LIKE_A_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}(?::[0-9]+)?/.+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the campaign's own that a request points at. Made by the local-files adapter.

    `path` is from the job file's folder, with `/`; `sha256` of its bytes, lower-case hex; `width` and
    `height` in pixels and the length in `seconds`, None where they weren't looked for. In a request's input, and so in its
    fingerprint, the file is its `ref`: its content, never where it lies or was uploaded to.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None

    @property
    def ref(self) -> str:
        return f"sha256:{self.sha256}"


class Job(NamedTuple):
    """One wanted generation after expansion: model and request body. Made by `expand`.

    Like all that is made for each of a hundred thousand jobs, it is a named tuple: a frozen dataclass takes
    three times as long to make.

    `input` is exactly what would be sent, coerced, with the schema's defaults, in the schema's
    order. `fingerprint` is lower-case hex. `credits` is None where the price is unknown. `output`
    is a path below the output folder, with `/`, checked. `correlate`: may the attempt's id be added to
    the callback URL? `files`: the local files among the input's values, each once; they are in
    `input` by their `ref` until they are uploaded.
    """

    address: str
    fingerprint: str
    take: int
    campaign: str
    name: str
    model: str
    input: Mapping[str, Json]
    axes: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    credits: Decimal | None
    output: str
    callback_url: str | None
    place: Place
    correlate: bool = True
    files: tuple[LocalFile, ...] = ()

    @property
    def body(self) -> dict[str, Json]:
        """The request as sent: `model`, `callBackUrl` where there is one, `input`."""
        called = {} if self.callback_url is None else {"callBackUrl": self.callback_url}
        return {"model": self.model, **called, "input": dict(self.input)}


# --- local files -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoFile:
    """Why a value gives no file that may be sent; `why` goes on after the name of its field."""

    code: str
    why: str
    hint: str | None = None
    is_blank: bool = False


LocalFiles: TypeAlias = "Callable[[str, FileRule], LocalFile | NoFile]"
"""A path from the job file's folder, `..` at its beginning only, and what the model takes -> the file.

A file beyond what the model takes need not be read; one that is handed back has still to be judged.
"""


def no_files(path: str, _rule: FileRule) -> NoFile:
    """The reader of a job file that has no folder."""
    return NoFile("missing-file", f"points at no file: {shorten(path)}")


def place_files(
    spec: Spec, request: dict[str, Json], read: LocalFiles, *, public_only: bool = False
) -> tuple[dict[str, Json], tuple[LocalFile, ...], list[tuple[Path, NoFile]]]:
    """The request whose paths have become references, their files, and what gives none."""
    placed = request
    files: dict[str, LocalFile] = {}
    wrong: list[tuple[Path, NoFile]] = []
    for name in spec.file_fields:
        value = request.get(name)
        is_usual = isinstance(value, str) and value.startswith(_ON_THE_WEB)
        if value is None or (is_usual and not (public_only and private_host(value))):
            continue  # as in nearly every one of a hundred thousand requests
        for path, text, rule in files_in(spec, name, value):
            found: LocalFile | NoFile | None = None
            if not is_address(text, rule):
                found = _file(text, rule, read)
            elif public_only:
                found = _unreachable(text)
            if isinstance(found, NoFile):
                wrong.append((path, found))
                placed = _put(placed, path, NO_DIGEST)
            elif found is not None:
                files[found.path] = found
                placed = _put(placed, path, found.ref)
    return placed, tuple(files.values()), wrong


def _file(text: str, rule: FileRule, read: LocalFiles) -> LocalFile | NoFile:
    path = path_of(text, rule)
    if isinstance(path, NoFile):
        return path
    found = read(path, rule)
    if isinstance(found, NoFile):
        return _with_guess(found, text)
    return unfit(found, rule) or found


def _unreachable(url: str) -> NoFile | None:
    host = private_host(url)
    if host is None:
        return None
    why = f"points at {shorten(host)}, which the API can't reach: {shorten(bare(url))}"
    return NoFile("unreachable-address", why, _OUTSIDE)


def _put(value: Json, path: Path, text: str) -> Json:
    """A copy of a value with `text` where `path` leads."""
    if not path:
        return text
    copied = value.copy()
    copied[path[0]] = _put(value[path[0]], path[1:], text)
    return copied


def refs_in(value: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The references of local files in a request's value, with the paths that lead there."""
    if isinstance(value, str) and _REF.fullmatch(value):
        yield path, value
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from refs_in(item, (*path, number))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from refs_in(item, (*path, name))


# --- what a text means ---


def is_address(text: str, rule: FileRule) -> bool:
    """Is it for the API to follow? What is malformed in it is reported by the schema."""
    scheme = _SCHEME.match(text.lstrip(" \t\ufeff\u200b"))
    return scheme is not None and scheme[1].lower() in _WEB | rule.schemes


def path_of(text: str, rule: FileRule) -> str | NoFile:
    """The path from the job file's folder that a text names, in its shortest form: up first, then down."""
    scheme = _SCHEME.match(text)
    if scheme is not None and "\\" not in text:
        return _no_scheme(scheme[1], text, rule)
    if not text.strip():
        return NoFile(
            "missing-file", "is empty", "write a URL, or a path such as `images/cup.png`", is_blank=True
        )
    parts = [part for part in text.split("/") if part not in {"", "."}]
    below = list(dropwhile("..".__eq__, parts))
    straight = "write the shortest path: `..` at its beginning only"
    is_hidden = any(part.startswith(".") for part in below)
    refused = (
        ("\\" in text, "holds a backslash", "write paths with `/`, on every system"),
        (_ODD.search(text) or len(text) > _LONGEST, "is no path", _BELOW),
        (text.startswith(("/", "~")), "is not a path from the job file's folder", _BELOW),
        (".." in below, "leads down and up again", straight),
        (is_hidden, "points into what is hidden", "give it a name without the dot"),
        (not below or text.endswith("/"), "points at a folder, not at a file", _BELOW),
    )
    for is_so, why, hint in refused:
        if is_so:
            return NoFile("file-path", f"{why}: {show(text)}", hint)
    return "/".join(parts)


def _no_scheme(scheme: str, text: str, rule: FileRule) -> NoFile:
    taken = sorted({"https", *rule.schemes})
    hint = f"an address begins with {' or '.join(f'`{one}://`' for one in taken)}; {_BELOW}"
    if scheme.lower() == "file":
        hint = _BELOW
    elif scheme.lower() == "sha256":
        hint = f"digests are computed, not written; {_BELOW}"
    return NoFile("invalid-field", f"is neither an http(s) URL nor a path: {show(text)}", hint)


def _with_guess(found: NoFile, text: str) -> NoFile:
    """Was an address meant, or more than one file?"""
    if found.code == "missing-file" and any(mark in text for mark in "*?["):
        return replace(found, hint='a pattern is a matter for an axis: `{glob: "…"}`')
    if (no_colon := _NO_COLON.match(text)) is not None:
        return replace(
            found, hint=f"write the `:` of an address: {shorten(f'{no_colon[1]}://{no_colon[2]}', 300)}"
        )
    if wrapped := _WRAPPED.fullmatch(text):
        return replace(found, hint=f"write it as {shorten(wrapped[1], 300)}")
    if found.code != "missing-file" or not _LIKE_A_HOST.fullmatch(text):
        return found
    guess = f"if that is an address, write `https://{shorten(text, 60)}`"
    return replace(found, hint=f"{found.hint}; {guess}" if found.hint else guess)


# --- is a file one that the model takes? ---


def unfit(file: LocalFile, rule: FileRule) -> NoFile | None:
    """None where the file may be sent.

    What is neither picture nor video nor sound never is, whatever a schema is silent about: job files come
    from strangers, and files next to them may be private.
    """
    media_type = None if file.media_type == UNKNOWN else file.media_type
    wrong = too_large(rule, file.bytes) or wrong_type(rule, media_type)
    if wrong is None and media_type is None:
        wrong = "it is neither a picture nor video nor sound, by its first bytes"
    wrong = wrong or beyond_limits(rule, file.width, file.height, file.seconds)
    size = (
        f"{file.width} x {file.height} pixels" if file.width is not None and file.height is not None else None
    )
    return None if wrong is None else cannot_be_sent(file.path, wrong, size)


def cannot_be_sent(path: str, wrong: str, size: str | None = None) -> NoFile:
    """A file that is there, and not as the model takes it."""
    shown = f"{shorten(path)} ({size})" if size else shorten(path)
    return NoFile("unfit-file", f"points at {shown}, which can't be sent: {wrong}")
