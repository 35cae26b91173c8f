"""The requests that an OpenAPI document describes.

In: the document as values. Out: a `Request` for each model that an operation's body names. Touches
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Request:
    """One model's request: the schema of `input` with references resolved, and the words around it."""

    model: str
    input: Mapping[str, Any]
    words: str
    notes: tuple[str, ...] = field(default=())


def requests_of(name: str, document: Mapping[str, Any]) -> tuple[list[Request], list[str]]:
    """Raises nothing: what can't be read is told in the list of problems."""
    found: list[Request] = []
    for path, operation in _operations(document):
        body = _body(operation)
        fields = body.get("properties", {})
        if not {"model", "input"} <= set(fields):
            continue
        words = f"{operation.get('summary', '')} {operation.get('tags', '')} {path}"
        found += [Request(model, fields["input"], words) for model in _models(fields["model"])]
    problems = [] if found else [f"{name}: no operation takes a `model` and an `input`"]
    return found, problems


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        if isinstance(methods, dict) and isinstance(methods.get("post"), dict):
            yield path, methods["post"]


def _body(operation: Mapping[str, Any]) -> Mapping[str, Any]:
    content = operation.get("requestBody", {}).get("content", {})
    schema: Mapping[str, Any] = content.get("application/json", {}).get("schema", {})
    return schema


def _models(schema: Mapping[str, Any]) -> list[str]:
    return [model for model in schema.get("enum", ()) if isinstance(model, str)]
