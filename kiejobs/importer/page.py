"""A vendor's page, as models that job files can name.

In: a page's name and text. Out: for each model its request schema as schemas/models holds it, what had to be
decided, what the page's own examples have that the schema refuses; and what could not be read. Touches
nothing. A page is a stranger's text: sizes, depths and references are bounded, nothing is fetched.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from kiejobs.core.document.checked import formats
from kiejobs.core.document.wording import show
from kiejobs.core.models.descriptions import model_description, model_title
from kiejobs.core.models.spec import complete, read_spec
from kiejobs.importer.facts import facts_of
from kiejobs.importer.openapi import by_name, fields_in, mapping, requests_of
from kiejobs.importer.prose import is_chinese
from kiejobs.importer.settle import Settled
from kiejobs.importer.shapes import one_shape
from kiejobs.importer.text import documents_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonschema.exceptions import ValidationError

    from kiejobs.importer.facts import FieldFact
    from kiejobs.importer.openapi import ApiRequest, Schema

MOST_VALUES = 100_000
"""Of all requests of a page together, references written out."""

MOST_NOTES = 200
MOST_CHARACTERS = 100_000
"""Of an example that is held against the schema."""

_FACTS = "fields, enums, defaults, limits, file types and sizes"
_ASKED = "output_format"
_USUAL = {"video": "mp4", "image": "png", "audio": "mp3", "json": "json"}
_FORMATS = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp",
    "mp4": "video/mp4", "mov": "video/quicktime", "mp3": "audio/mpeg", "wav": "audio/wav",
    "json": "application/json",
}  # fmt: skip
# From the surest sign to the weakest. Each tier looks at the model's id first, then at the words.
_TIERS = (
    {
        "json": r"-to-text\b|transcri|\bocr\b",
        "audio": r"-to-(?:speech|dialogue|music|audio|sound)|audio-isolation|sound-effect|\btts\b",
        "video": r"-to-video\b|\b[a-z]2v\b|video-?edit",
        "image": r"-to-image\b|image-?edit|remove-background",
    },
    {"video": r"\bvideos?\b", "image": r"\bimages?\b", "audio": r"(?:music|audio|voice|speech)-+models"},
    {"video": r"animate|motion|avatar|lip-?sync|storyboard", "image": r"upscale|inpaint|photo|picture",
     "audio": r"music|speech|voice"},
)  # fmt: skip
_SHOWN = {
    "json": r"resultObject", "video": r"\.(?:mp4|mov|webm)\b", "image": r"\.(?:png|jpe?g|webp)\b",
    "audio": r"\.(?:mp3|wav|m4a)\b",
}  # fmt: skip


_RESULT = re.compile(r"resultJson[^{\[]{1,200}?(?=\{)")
_ADDRESSES = re.compile(r"https?://|[uU]rls?\"")


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """One model of a page. `notes` say what the page left open, and how it was read; `examples` are inputs; `facts` is
    what the schema was settled from.
    """

    model: str
    schema: dict[str, Any]
    notes: tuple[str, ...] = ()
    examples: tuple[Schema, ...] = ()
    chinese: bool = False
    facts: tuple[FieldFact, ...] = ()


@dataclass(frozen=True, slots=True)
class PageReading:
    """What a page gave. `problems` keep something from being imported; each begins with its place."""

    name: str
    models: tuple[ImportedModel, ...] = ()
    problems: tuple[str, ...] = ()


def read_page(name: str, text: str, *, imported: str, choice: str | None = None) -> PageReading:
    """Every model that the page describes, or `choice` among those that it names. `imported` is the date to write
    down, like 2026-11-22.
    """
    documents, problems = documents_of(name, text)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    models: dict[str, ImportedModel] = {}
    left = MOST_VALUES
    for document in documents:
        requests, more = requests_of(name, document, choice)
        problems += more
        for request in requests:
            left -= request.size
            made: ImportedModel | str = "its schema is nested too deeply"
            with suppress(RecursionError):
                made = _model(request, digest, imported) if left >= 0 else "the page is too large"
            if isinstance(made, str):
                problems.append(f"{name}: {request.model}: {made}")
            else:
                _take(models, made)
    return PageReading(name, tuple(models.values()), tuple(dict.fromkeys(problems)))


def _take(models: dict[str, ImportedModel], made: ImportedModel) -> None:
    """Of two descriptions of one model the first counts."""
    known = models.setdefault(made.model, made)
    note = "the page describes it a second time, and otherwise; the first counts"
    if known.schema["properties"] != made.schema["properties"] and note not in known.notes:
        models[made.model] = replace(known, notes=(*known.notes, note))


def _model(request: ApiRequest, digest: str, imported: str) -> ImportedModel | str:
    """The model, or why there is none. Raises RecursionError."""
    notes = list(request.notes)
    node, rules = one_shape(request.input, notes.append)
    facts = facts_of(node, request.examples, request.prose)
    fields, required, conditions = Settled(facts, notes.append).request()
    if not fields:
        return "its `input` has no fields"
    output, guess = _output_of(request, fields)
    notes += [guess] if guess else []
    schema = _schema(request.model, fields, required, [*rules, *conditions], output)
    form = f"OpenAPI {request.version}" if request.version else "headings and tables"
    page = {"page": f"the vendor's page for {request.model} ({form})", "sha256": digest, "date": imported}
    schema["x-kiejobs-source"] = [{"facts": _FACTS, **page}]
    notes += _against_examples(schema, request.examples)
    told = [" ".join(text.split())[:400] for text in dict.fromkeys(notes)][:MOST_NOTES]
    words = " ".join(str(mapping(one).get("description", "")) for one in fields_in(request.input).values())
    return ImportedModel(
        request.model, schema, tuple(told), request.examples, is_chinese(words), tuple(facts)
    )


def _schema(model: str, fields: Schema, required: list[str], rules: list[Schema], output: Schema) -> Schema:
    outcome = "Where the API posts the outcome once the task is over. Without it there is only polling."
    input_ = _object(required, fields, **({"allOf": rules} if rules else {}))
    properties = {
        "model": {"title": "Model", "description": "Names the model; this request takes no other.",
                  "type": "string", "enum": [model], "default": model},
        "callBackUrl": {"title": "Callback address", "description": outcome, "type": "string", "format": "uri"},
        "input": {"title": "Input", "description": "What to generate.", **input_},
    }  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kiejobs:model:{model}",
        "title": model_title(model),
        "description": model_description(model, output["media_type"]),
        **_object(["model", "input"], properties),
        "x-kiejobs-output": output,
    }


def _object(required: list[str], properties: Schema, **rules: Any) -> Schema:
    closed = {"unevaluatedProperties": False}
    return {"type": "object", "required": required, "properties": properties, **rules, **closed}


def _output_of(request: ApiRequest, fields: Schema) -> tuple[Schema, str | None]:
    """`x-kiejobs-output`, by what the page says of itself; and a note where it is a guess."""
    shown = f"{request.prose}\n{request.answer}"
    if _gives_a_value(shown) or ("resultObject" in shown and "resultUrls" not in shown):
        return _as_asked("json", fields), None
    texts = [re.sub(r"[_\s]+", "-", text.lower()) for text in (request.model, request.words)]
    looks = [(tier, text) for tier in _TIERS for text in texts]
    looks += [(_SHOWN, request.answer)]
    for kind in (kind for signs, text in looks for kind, sign in signs.items() if re.search(sign, text)):
        return _as_asked(kind, fields), None
    guess = next((kind for kind in ("video", "image", "audio") if kind in request.prose.lower()), "video")
    return _as_asked(guess, fields), f"nothing on the page says what it makes; taken for {guess}"


def _gives_a_value(text: str) -> bool:
    """Does the page show a result (`resultJson`) that is no file?"""
    for place in list(_RESULT.finditer(text))[:20]:
        shown = text[place.end() : place.end() + 5_000].replace("\\n", " ").replace("\\", "")
        with suppress(ValueError, RecursionError):
            result, _ = json.JSONDecoder().raw_decode(shown)
            if result and not _ADDRESSES.search(json.dumps(result)):
                return True
    return False


def _as_asked(kind: str, fields: Schema) -> Schema:
    """A field for the format says it nearer: for its default, and for each value that it takes."""
    output = _output(_USUAL[kind])
    field = fields.get(_ASKED, {})
    names = [one for one in field.get("enum", ()) if _FORMATS.get(str(one).lower(), "").startswith(kind)]
    forms = {name: _output(name.lower()) for name in names}
    if not forms:
        return output
    return {**output, **forms.get(str(field.get("default")), {}), "by": _ASKED, "forms": forms}


def _output(name: str) -> Schema:
    return {"media_type": _FORMATS[name], "extension": ".jpg" if name == "jpeg" else f".{name}"}


def _against_examples(schema: Schema, examples: Iterable[Schema]) -> list[str]:
    """One note for each thing, however many examples have it."""
    spec = read_spec(schema)
    checker = Draft202012Validator(spec.input_schema, format_checker=formats())
    notes: list[str] = []
    for example in examples:
        if len(str(example)) > MOST_CHARACTERS:
            notes.append("an example of the page is too large to be held against its schema")
            continue
        request = complete(spec, by_name(example))
        notes += map(_refusal, checker.iter_errors(request))
    return list(dict.fromkeys(notes))[:50]


def _refusal(error: ValidationError) -> str:
    path = ".".join(str(step) for step in error.absolute_path)[:120]
    where = f" in {path}" if path else ""
    if error.validator == "unevaluatedProperties":
        known = mapping(error.schema).get("properties", {})
        unknown = ", ".join(str(name) for name in mapping(error.instance) if name not in known)
        return f"the page's example has {unknown[:200]}{where}, which its schema does not know"
    if error.validator == "required":
        return f"the page's example lacks what its schema requires{where}: {error.message[:120]}"
    if error.instance in ("", [], None):
        return f"the page's example leaves {path} empty; here a field without a value is left out"
    if not path:
        return f"the page's example breaks a rule of its own schema over several fields ({error.validator})"
    refused = f"which its schema refuses ({error.validator}); the schema counts"
    return f"the page's example has {show(error.instance)} for {path}, {refused}"
