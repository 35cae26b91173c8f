"""Which models a request is for.

In: the schema of `model`, the page's examples, the operation. Out: ids that are safe as paths, notes,
problems. Touches nothing.

The rule: what `enum` lists, else `const`, else `default`, else the schema's examples, else what the
examples of whole requests name, else what the discovery API was asked about, else what prose says it must be. One case goes against `enum`: it names one model, while the example of
the request names another one that the operation is called after. Then a page was copied and its enum
forgotten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kiejobs.core.models.schema_check import IS_ID

Schema = dict[str, Any]

MOST_MODELS = 50

_MUST_BE = re.compile(
    r"(?:[Mm]ust be|[Ff]ormat:|必须使用|必须为|必须是) ?[`'\"]([^`'\"\s]{1,100})[`'\"]"
)
_ODD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class ModelIds:
    models: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def model_ids(
    schema: Any, examples: list[Schema], operation: Schema, asked: str | None = None
) -> ModelIds:
    """The models, with what is odd about their names. `asked` is what the discovery API was asked about."""
    shown = [body["model"].strip() for body in examples if isinstance(body.get("model"), str)]
    listed = listed_models(schema) or shown or _told(schema, asked)
    notes: list[str] = []
    copied = _copied(listed, shown, operation)
    if copied is not None:
        notes.append(
            f"the schema names the model {listed[0]}, the example of the request and the operation "
            f"itself name {copied}; taken for {copied}"
        )
        listed = [copied]
    elif shown and not set(shown) & set(listed):
        notes.append(
            f"the example of the request names the model {shown[0][:80]}; the schema's counts"
        )
    names = list(dict.fromkeys(listed))[:MOST_MODELS]
    odd = [text for text in names if not IS_ID.fullmatch(text)]
    problems = [f"`{text[:80]}` is no name for a model" for text in odd]
    if not names:
        problems.append("nothing says which model `model` stands for")
    return ModelIds(tuple(text for text in names if text not in odd), tuple(notes), tuple(problems))


def listed_models(schema: Any) -> list[str]:
    """The models that the schema of `model` names, from the surest place that names any."""
    schema = schema if isinstance(schema, dict) else {}
    sources = (
        schema.get("enum"),
        [schema.get("const")],
        [schema.get("default")],
        schema.get("examples"),
        [schema.get("example")],
    )
    for source in sources:
        listed = source if isinstance(source, list) else []
        found = [text.strip() for text in listed if isinstance(text, str)]
        if found:
            return found
    return []


def _told(schema: Any, asked: str | None) -> list[str]:
    """What is left to go by: the question, or prose like "Must be `vendor/model`"."""
    prose = schema.get("description") if isinstance(schema, dict) else None
    found = _MUST_BE.findall(prose[:2_000]) if isinstance(prose, str) else []
    return [asked.strip()] if asked else list(dict.fromkeys(found))


def _copied(listed: list[str], shown: list[str], operation: Schema) -> str | None:
    """The model that a page is about after all, where its enum was copied from another page."""
    others = set(shown)
    if len(listed) != 1 or len(others) != 1 or others == set(listed):
        return None
    (other,) = others
    calls = {_slug(operation.get(key)) for key in ("operationId", "summary")} - {""}
    return other if _slug(other) in calls and _slug(listed[0]) not in calls else None


def _slug(text: object) -> str:
    return _ODD.sub("-", str(text or "").lower()).strip("-")
