"""The nouns that floors hand to one another, frozen.

In: nothing. Out: the values of the chain Source -> Document -> JobFile -> Job -> Plan ->
Submission -> Task -> Artifact -> Result. Each has one maker, named in its docstring. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from kiejobs.core.diagnostics import Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

Json: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict of such. Not checked further by mypy."""

Spot: TypeAlias = tuple[int, int]
"""Line and column of one node, both from 1."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes under the name that the person typed. Made by the system adapter."""

    name: str
    data: bytes


class YamlMap(dict[str, Any]):
    """A mapping that remembers where each key and each value stood. Made by the YAML reader.

    `spot` is where the mapping itself starts.
    """

    __slots__ = ("key_spots", "spot", "value_spots")

    def __init__(self, spot: Spot = (1, 1)) -> None:
        super().__init__()
        self.spot = spot
        self.key_spots: dict[str, Spot] = {}
        self.value_spots: dict[str, Spot] = {}

    def put(self, key: str, value: Any, key_spot: Spot, value_spot: Spot) -> None:
        self[key] = value
        self.key_spots[key] = key_spot
        self.value_spots[key] = value_spot


class YamlSeq(list[Any]):
    """A list that remembers where each item stood. Made by the YAML reader."""

    __slots__ = ("item_spots", "spot")

    def __init__(self, spot: Spot = (1, 1)) -> None:
        super().__init__()
        self.spot = spot
        self.item_spots: list[Spot] = []

    def put(self, value: Any, spot: Spot) -> None:
        self.append(value)
        self.item_spots.append(spot)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document with its places and its source lines. Made by the YAML reader."""

    name: str
    root: Any
    lines: Sequence[str]
    sha256: str

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """The place of the node at `path`, or of its nearest ancestor that exists.

        With `key` the place of the key that holds the node, rather than of its value.
        """
        spot: Spot = getattr(self.root, "spot", (1, 1))
        node = self.root
        for depth, step in enumerate(path):
            last = depth == len(path) - 1
            if isinstance(node, YamlMap) and step in node:
                spots = node.key_spots if key and last else node.value_spots
                spot, node = spots.get(str(step), spot), node[str(step)]
            elif isinstance(node, YamlSeq) and isinstance(step, int) and step < len(node):
                spot, node = node.item_spots[step], node[step]
            else:
                break
        return Place(self.name, *spot)

    def at(self, spot: Spot) -> Place:
        return Place(self.name, *spot)

    def beside(self, name: str) -> str:
        """What a file below the document's folder is called by whoever typed the document's name."""
        folder = max(self.name.rfind("/"), self.name.rfind("\\")) + 1
        return self.name[:folder] + name


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the campaign's own that a request points at. Made by the local-files adapter.

    `path` is below the job file's folder, with `/`; `sha256` of its bytes, lower-case hex; `width` and
    `height` in pixels, None where they weren't looked for. In a request's input, and so in its
    fingerprint, the file stands as `ref`: what it holds, never where it lies or was uploaded to.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    width: int | None = None
    height: int | None = None

    @property
    def ref(self) -> str:
        return f"sha256:{self.sha256}"


@dataclass(frozen=True, slots=True)
class Job:
    """One wanted generation after expansion: model and request body. Made by `expand`.

    `input` is exactly what would be sent, coerced, with the schema's defaults, in the schema's
    order. `fingerprint` is lower-case hex. `credits` is None where the price is unknown. `output`
    is a path below the output folder, with `/`, checked. `correlate`: may the attempt's id be added to
    the callback URL? `files`: the local files among the input's values, each once; they stand in
    `input` by their `ref` until they are uploaded.
    """

    number: int
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
        body: dict[str, Json] = {"model": self.model}
        if self.callback_url is not None:
            body["callBackUrl"] = self.callback_url
        body["input"] = dict(self.input)
        return body


class State(StrEnum):
    """A job's states. The API's own words are translated in its adapter and nowhere else."""

    RESERVED = "reserved"
    SUBMITTED = "submitted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One collected file: path below the output folder, digest, size, where it came from.

    `url` is without its query, which may be a signature. `expires` is UTC, or None where unknown.
    """

    path: str
    sha256: str
    bytes: int
    media_type: str
    url: str
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job went no further. `kind` is an outcome class, `code` the API's, as text."""

    kind: str
    code: str | None
    message: str
