"""The page's own example requests against what was made of the page.

In: a schema in our form, inputs that the page shows. Out: notes on what such an input has that the
schema refuses. Touches nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import FORMATS
from kiejobs.core.document.wording import show
from kiejobs.core.models.spec import complete, read_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jsonschema.exceptions import ValidationError

Schema = dict[str, Any]

MOST_CHARACTERS = 100_000


def against_examples(schema: Schema, examples: Iterable[Schema]) -> list[str]:
    """One note for each thing, however many examples have it."""
    spec = read_spec(schema)
    checker = Draft202012Validator(spec.input_schema, format_checker=FORMATS)
    notes: list[str] = []
    for example in examples:
        if len(str(example)) > MOST_CHARACTERS:
            notes.append("an example of the page is too large to be held against its schema")
            continue
        given = {str(name).strip(): value for name, value in example.items()}
        request = complete(spec, given)
        for error in checker.iter_errors(request):
            notes += _told(error)
    return list(dict.fromkeys(notes))[:50]


def _told(error: ValidationError) -> Iterator[str]:
    path = ".".join(str(step) for step in error.absolute_path)[:120]
    if error.validator == "unevaluatedProperties":
        schema = error.schema
        known = set(schema.get("properties", {})) if isinstance(schema, dict) else set()
        unknown = [name for name in _names(error.instance) if name not in known]
        where = f" in {path}" if path else ""
        yield f"the page's example has {', '.join(unknown)[:200]}{where}, which its schema does not know"
    elif error.validator == "required":
        yield f"the page's example lacks what its schema requires{f' in {path}' if path else ''}: {error.message[:120]}"
    elif error.instance in ("", [], None):
        yield f"the page's example leaves {path} empty; here a field without a value is left out"
    elif not path:
        yield f"the page's example breaks a rule of its own schema over several fields ({error.validator})"
    else:
        yield (
            f"the page's example has {show(error.instance)} for {path}, which its schema refuses "
            f"({error.validator}); the schema counts"
        )


def _names(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, dict) else []
