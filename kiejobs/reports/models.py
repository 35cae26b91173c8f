"""`models list` and `models show`: which models there are, and what one takes and costs.

In: specs, where they came from, their prices. Out: what a field takes, as `text, up to 10,000 characters`; text
of at most 80 columns; the documents of schemas/documents/models-{list,show}.schema.json. Touches nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kiejobs.core.document.checked import KIND_WORDS
from kiejobs.core.models.descriptions import field_description
from kiejobs.core.money import credits_text, money, money_or_null
from kiejobs.reports.documents import FORMAT_VERSION
from kiejobs.reports.terminal import Paint, columns, few, fit, plural, sanitize, shortened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kiejobs.core.document.nodes import Json
    from kiejobs.core.models.spec import Spec
    from kiejobs.core.prices.table import ModelPrice

    Field = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelView:
    """`file` is the project's own, None for a bundled model; `price` is None where none is known."""

    spec: Spec
    file: str | None = None
    price: ModelPrice | None = None

    @property
    def title(self) -> str:
        return str(self.spec.schema.get("title", self.spec.model))

    @property
    def description(self) -> str:
        return str(self.spec.schema.get("description", ""))

    @property
    def kind(self) -> str:
        """What it makes, in a word: video, image, audio, json, ...; `file` where nobody says."""
        kind, _, form = self.spec.media_type.partition("/")
        if kind != "application":
            return kind
        return "file" if form == "octet-stream" else form

    @property
    def origin(self) -> str:
        return "bundled" if self.file is None else "project"

    @property
    def sources(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.spec.schema.get("x-kiejobs-source", ())
        return found

    @property
    def dated(self) -> str | None:
        """When the latest of its sources was read."""
        return max((str(one["date"]) for one in self.sources if "date" in one), default=None)

    @property
    def rules(self) -> list[str]:
        """What holds between fields, in the schema's own words."""
        rules = self.spec.input_schema.get("allOf", ())
        return [rule["title"] for rule in rules if isinstance(rule, dict) and "title" in rule]


def notes_of(field: Mapping[str, Any]) -> Iterator[str]:
    """What was decided about a field when its page was read."""
    yield from (str(note) for note in field.get("x-kiejobs-note", ()))
    note = field.get("x-kiejobs-file", {}).get("note")
    if note is not None:
        yield str(note)


# --- what a field takes ---------------------------------------------------------------------------

_BOUNDS = {"exclusiveMinimum": "more than", "exclusiveMaximum": "less than", "multipleOf": "in steps of"}
WIDE = 80
_MANY = 12
_LONGEST = 60  # columns of one value


def kind_words(kind: Json) -> str:
    """A JSON type as people call it."""
    return KIND_WORDS.get(str(kind), sanitize(str(kind)))


def value_words(value: Json) -> str:
    """One value, as it would be written in a job file: text without quotes unless it needs them."""
    is_plain = isinstance(value, str) and value.strip()
    text = value if is_plain else json.dumps(value, ensure_ascii=False)
    return shortened(sanitize(text), _LONGEST)


def values_words(values: Iterable[Json], most: int | None = _MANY) -> str:
    """`720p, 1080p`; of very many the first, or all where `most` is None."""
    names = [value_words(value) for value in values]
    return few(names, len(names) if most is None else most)


def size_words(count: int) -> str:
    """Bytes, as `10 MB`."""
    return f"{count / 2**20:g} MB" if count >= 2**20 / 10 else f"{count:,} bytes"


def field_words(field: Field, most: int | None = _MANY) -> str:
    """All that it takes, without its default; `most` as in `values_words`."""
    return ", ".join(filter(None, _parts(field, most)))


def _parts(field: Field, most: int | None) -> Iterator[str]:
    if "const" in field:
        yield value_words(field["const"])
    elif "enum" in field:
        yield values_words(field["enum"], most)
    elif "anyOf" in field or "oneOf" in field:
        shared = {"type": field["type"]} if "type" in field else {}
        branches = sorted(field.get("anyOf") or field["oneOf"], key=lambda one: "const" in one)
        yield " or ".join(field_words({**shared, **one}, most) for one in branches)
    elif field.get("type") == "array":
        yield from _list(field, most)
    else:
        yield _one(field)
        yield from _limits(field)
    yield from _file(field.get("x-kiejobs-file", {}))


def _one(field: Field) -> str:
    if "x-kiejobs-file" in field:
        return "a file, by URL or path"
    if field.get("format") == "uri":
        return "a URL"
    return kind_words(field["type"]) if "type" in field else "anything"


def _list(field: Field, most: int | None) -> Iterator[str]:
    items = field.get("items", {})
    of = (
        ("x-kiejobs-file" in field and "a list of files, by URL or path")
        or (items.get("format") == "uri" and "a list of URLs")
        or (items.get("type") == "object" and "a list of mappings")
    )
    yield of or "a list"
    yield _span(field.get("minItems"), field.get("maxItems"), "entries")
    if items and not of:
        yield f"each {field_words(items, most)}"


def _limits(field: Field) -> Iterator[str]:
    yield _span(field.get("minLength"), field.get("maxLength"), "characters")
    yield _span(field.get("minimum"), field.get("maximum"), "")
    for name, words in _BOUNDS.items():
        if name in field:
            yield f"{words} {_number(field[name])}"
    if "pattern" in field:
        yield f"like {sanitize(field['pattern'])}"


def _span(least: Any, most: Any, unit: str) -> str:
    """`3 to 20,000 characters`, `up to 9 entries`, `from 4`."""
    if least is None and most is None:
        return ""
    if least == most:
        words = f"exactly {_number(most)}"
    elif least is None:
        words = f"up to {_number(most)}"
    else:
        words = f"from {_number(least)}" if most is None else f"{_number(least)} to {_number(most)}"
    return f"{words} {unit}".rstrip()


def _file(rule: Field) -> Iterator[str]:
    kinds = (kind.partition("/") for kind in rule.get("media_types", ()))
    yield values_words([f"any {first}" if last == "*" else last for first, _, last in kinds])
    if "max_bytes" in rule:
        yield f"at most {size_words(rule['max_bytes'])}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"


# --- list ------------------------------------------------------------------------------------------


def list_text(models: Sequence[ModelView], *, color: bool = False) -> str:
    """A line for each, and how many there are."""
    paint = Paint(color)
    rows: list[tuple[str, ...]] = [("model", "makes", "as of", "from", "credits")]
    for one in models:
        known = map(sanitize, (one.spec.model, one.kind, one.dated or "-"))
        origin = "retired" if one.spec.retired else one.origin
        rows.append((*known, origin, price_range(one.price)))
    head, *lines = columns(rows)
    return "\n".join([paint.dim(head), *lines, "", plural(len(models), "model")])


def list_document(models: Sequence[ModelView]) -> dict[str, Json]:
    return {"format_version": FORMAT_VERSION, "models": [_outline(one) for one in models]}


def price_range(price: ModelPrice | None) -> str:
    """`16-72/video`, `6/second`, `unknown`."""
    if price is None or not price.lines:
        return "unknown"
    known = sorted(line.credits for line in price.lines)
    span = "-".join(dict.fromkeys(map(credits_text, (known[0], known[-1]))))
    return f"{span}/{sanitize(price.unit).replace('characters', 'chars')}"


# --- show ------------------------------------------------------------------------------------------


def show_text(model: ModelView, *, color: bool = False, wide: int | None = None) -> str:
    """Everything about one model, for reading; `wide` is columns, None for what reads well."""
    paint = Paint(color)
    sources = [
        "; ".join(str(one[key]) for key in ("page", "facts", "date") if key in one) for one in model.sources
    ]
    blocks = [
        _head(model, paint),
        ["Fields (* is needed)", *_fields(model.spec.fields, model.spec.required, paint)],
        *_section("Rules", model.rules),
        ["Price", *_price(model.price)],
        *_section("Sources", sources),
    ]
    blocks = [[paint.bold(block[0]), *block[1:]] for block in blocks]
    return fit("\n\n".join("\n".join(block) for block in blocks), min(wide or WIDE, WIDE))


def _head(model: ModelView, paint: Paint) -> list[str]:
    makes = f"{sanitize(model.kind)} ({sanitize(model.spec.media_type)}, {sanitize(model.spec.extension)})"
    where = "bundled" if model.file is None else f"this project, {sanitize(model.file)}"
    facts = [("makes", makes), ("from", where), ("as of", sanitize(model.dated or "unknown"))]
    if model.spec.retired:
        facts.append(("gone", f"not in the vendor's catalogue of {sanitize(model.spec.retired)}"))
    return [
        sanitize(model.spec.model),
        sanitize(model.title),
        *(["", sanitize(model.description)] if model.description else []),
        "",
        *(f"{paint.dim(name.ljust(5))}  {value}" for name, value in facts),
    ]


def _fields(
    fields: Mapping[str, Field], required: Collection[str], paint: Paint, depth: int = 1
) -> Iterator[str]:
    """Each with those within it."""
    indent = "  " * depth
    for name, field in fields.items():
        gone = " (deprecated)" if field.get("deprecated") is True else ""
        yield f"{indent}{paint.good(sanitize(name))}{' *' if name in required else ''}{gone}"
        default = f"; default {value_words(field['default'])}" if "default" in field else ""
        texts = [f"{field_words(field, most=None)}{default}"]
        if field.get("description", "") != field_description(dict(field)):
            texts.append(str(field.get("description", "")))
        texts += [f"note: {note}" for note in notes_of(field)]
        for text in filter(None, texts):
            yield f"{indent}    {sanitize(text)}"
        inner = field.get("items", field)
        part = inner.get("properties", {}), inner.get("required", ())
        yield from _fields(*part, paint, depth + 2)


def _section(title: str, entries: Sequence[str]) -> Iterator[list[str]]:
    if entries:
        yield [title, *(f"  - {sanitize(entry)}" for entry in entries)]


def _price(price: ModelPrice | None) -> list[str]:
    if price is None:
        return ["  unknown: the plan reports it, and a budget can't cover it"]
    names = list(dict.fromkeys(name for line in price.lines for name in line.fields))
    rows = [[*names, "credits"]]
    for line in price.lines:
        wanted = {name: "given" if there else "not given" for name, there in line.given.items()}
        wanted |= {name: sanitize(value) for name, value in line.when.items()}
        rows.append([*(wanted.get(name, "any") for name in names), credits_text(line.credits)])
    table = columns(rows, right=frozenset({len(names)}))
    per = f"for each {sanitize(price.unit)}"
    if price.quantity is not None:
        per += f", as many as `{sanitize(price.quantity)}` says"
    if price.unstated:
        per += ", and a request doesn't say how many"
    if price.minimum is not None:
        per += f", at least {credits_text(price.minimum)}"
    if price.usd_per_credit is not None:
        per += f"; a credit is {money(price.usd_per_credit)} USD"
    until = f", until {price.until}" if price.until else ""
    after = [f"as of {price.date}{until}: {price.source}"]
    after += [f"from this project's {price.file}"] if price.file is not None else []
    after += [f"note: {price.note}"] if price.note else []
    return [f"  {line}" for line in (per, *table, *map(sanitize, after))]


def show_document(model: ModelView) -> dict[str, Json]:
    spec = model.spec
    return {
        "format_version": FORMAT_VERSION,
        **_outline(model),
        "extension": spec.extension,
        "description": model.description,
        "schema_sha256": spec.digest,
        "fields": [_field(model, name) for name in spec.fields],
        "rules": model.rules,
        "sources": [dict(one) for one in model.sources],
    }


def _outline(model: ModelView) -> dict[str, Json]:
    return {
        "model": model.spec.model,
        "title": model.title,
        "kind": model.kind,
        "media_type": model.spec.media_type,
        "from": model.origin,
        "file": model.file,
        "dated": model.dated,
        "retired": model.spec.retired,
        "price": price_document(model.price),
    }


def _field(model: ModelView, name: str) -> dict[str, Json]:
    field = model.spec.fields[name]
    return {
        "name": name,
        "required": name in model.spec.required,
        "takes": field_words(field, most=None),
        "has_default": "default" in field,
        "default": field.get("default"),
        "notes": list(notes_of(field)),
        "schema": dict(field),
    }


def price_document(price: ModelPrice | None) -> Json:
    if price is None:
        return None
    return {
        "unit": price.unit,
        "quantity": price.quantity,
        "unstated": price.unstated,
        "minimum": money_or_null(price.minimum),
        "credits": [
            {"when": dict(line.when), "given": dict(line.given), "credits": money(line.credits)}
            for line in price.lines
        ],
        "usd_per_credit": money_or_null(price.usd_per_credit),
        **{name: getattr(price, name) for name in ("source", "date", "until", "file", "note")},
    }
