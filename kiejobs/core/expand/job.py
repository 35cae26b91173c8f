"""A job: one wanted generation, ready to be sent; and the local files that it points at.

In: nothing. Out: `Job`, `LocalFile`. Touches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from kiejobs.core.diagnostics import Place
    from kiejobs.core.document.nodes import Json


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
