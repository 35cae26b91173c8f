"""`kiejobs models sync [MODEL...]`: the vendor's models of today into the project's schemas and prices.

In: models' ids, or none for all that the vendor lists. Out: what changes, for models and for job files; then, once a
person or `--yes` agrees, schemas below `schemas/models` and `prices.yaml`. Touches: the vendor's discovery routes, with
the key; disk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from kiejobs.adapters.kie.client import CREATE_PATH
from kiejobs.adapters.kie.discovery import AGAIN, PATH, Discovery, KeptAnswers
from kiejobs.app.catalogue.effects import effects
from kiejobs.app.catalogue.files import (
    newer_prices,
    prices_by_hand,
    schema_bytes,
    why_not_ours,
    write_prices,
    write_schema,
)
from kiejobs.app.load import KnownModels
from kiejobs.app.project import discovery_transport, open_workspace, require_key
from kiejobs.core.diagnostics import Cancelled, ExitCode, InvalidJobFile, SpendingStopped, UsageProblem
from kiejobs.core.document.wording import shorten
from kiejobs.core.ledger.outcomes import Unanswered
from kiejobs.core.models.changes import model_changes
from kiejobs.core.models.newer import merged
from kiejobs.core.models.spec import IS_ID, read_spec
from kiejobs.core.prices.prose import is_complete, price_in
from kiejobs.core.prices.table import PriceTable, aged_prices
from kiejobs.importer.page import read_page
from kiejobs.reports.model_pages.pages import CheckedModel
from kiejobs.reports.models_sync import PriceNews, SyncView, sync_document, sync_text
from kiejobs.reports.terminal import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from kiejobs.adapters.system import Secret
    from kiejobs.app.options import Locations
    from kiejobs.app.output import Screen
    from kiejobs.app.project import Workspace
    from kiejobs.core.prices.table import ModelPrice

_KEY = {"401", "403"}
_LATER = {"429", "455"}
_SILENT = 5  # models in a row
_NO_DOCUMENT = "the vendor has no document of it: `openapi` is null"
_LONGEST_TITLE = 200  # characters
_EACH = 20  # models between two lines of progress


@dataclass(slots=True)
class _Said:
    """What the vendor says: documents and prices by model, and what is wrong. `listed`: None where the list was not asked for."""

    documents: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    prices: dict[str, str | None] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    skipped: int = 0
    listed: set[str] | None = None


def models_sync(
    names: Sequence[str], where: Locations, pace: float, screen: Screen, *, yes: bool, check: bool
) -> ExitCode:
    """Exit 0 where all is up to date (then), 3 with `check` where it is not, 1 where a model could not be read or, with
    `check`, one in use has left the list; 5 where the key is refused, 2 where the vendor can't be asked to the end.
    """
    for name in names:
        if not IS_ID.fullmatch(name):
            raise UsageProblem(
                f"`{shorten(name)}` is not a model's id", hint="`kiejobs models list` shows ids"
            )
    space = open_workspace(where)
    known = KnownModels(space.root)
    known.catalogue()
    if known.problems().fatal:
        raise InvalidJobFile(known.problems())
    kept = KeptAnswers(space.root.path, space.origin)
    if check and kept.complete:  # a check looks at what the API answers now
        kept.forget()
    said = anyio.run(_ask, names, space, require_key(space), kept, pace, screen)
    view, schemas, prices = _compared(said, names, known, space)
    if view.is_news and not check:
        text = newer_prices(space.root, tuple(prices)) if prices.models else None
        _confirm(view, screen, yes=yes)
        view.written.extend(write_schema(space.root, model, schema) for model, schema in schemas.items())
        view.written.extend([] if text is None else [write_prices(space.root, text)])
    (kept.finish if check else kept.forget)()
    if view.written and not yes and screen.form == "text":
        screen.say(f"wrote {plural(len(view.written), 'file')}")
    else:
        screen.answer(sync_document, partial(sync_text, full=screen.verbose), view)
    if view.problems or (check and view.left):
        return ExitCode.SOME_FAILED
    return ExitCode.CHANGES_PENDING if check and view.is_news else ExitCode.DONE


def _confirm(view: SyncView, screen: Screen, *, yes: bool) -> None:
    """Raises Cancelled where the answer is no, UsageProblem where there is no terminal."""
    if yes:
        return
    screen.say(sync_text(view, color=screen.color_err, full=screen.verbose))
    if screen.ask is None:
        raise UsageProblem("no terminal to confirm on", hint="add --yes, or --check to write nothing")
    if not screen.ask("Write these schemas and prices into the project?"):
        raise Cancelled("Cancelled; nothing was written.")


# --- asking -----------------------------------------------------------------------------------------


async def _ask(
    names: Sequence[str], space: Workspace, key: Secret, kept: KeptAnswers, pace: float, screen: Screen
) -> _Said:
    """Raises SpendingStopped, or UsageProblem where asking on makes no sense; what was answered is kept."""
    said = _Said()
    discovery = Discovery(
        space.base, key, space.clock(), kept, pace=pace, transport=discovery_transport(space)
    )
    try:
        models = list(dict.fromkeys(names)) or await _listed(discovery, said)
        silent = 0
        for number, model in enumerate(models):
            if number and number % _EACH == 0 and not screen.quiet:
                left = pace * (len(models) - number) / space.clock().speed
                screen.say(f"asked about {number} of {len(models)} models; {left:.0f} s left")
            silence = await _one(discovery, model, said)
            silent = 0 if silence is None else silent + 1
            if silence is not None and silent == min(_SILENT, len(models)):
                raise _stopped(silence, model)
    finally:
        await discovery.close()
    return said


async def _listed(discovery: Discovery, said: _Said) -> list[str]:
    found = await discovery.offers()
    if isinstance(found, Unanswered):
        raise _stopped(found, PATH)
    offers, said.problems = found
    said.listed = {offer.model for offer in offers}
    said.titles = {offer.model: offer.title for offer in offers}
    said.skipped = sum(offer.other for offer in offers)
    said.prices = {offer.model: offer.price for offer in offers if offer.price is not None}
    return [offer.model for offer in offers if not offer.other]


async def _one(discovery: Discovery, model: str, said: _Said) -> Unanswered | None:
    """Its document, and its price where the list did not say it; comes back with what is no answer about the model."""
    document = await discovery.schema(model)
    if isinstance(document, Unanswered):
        return _passed_over(document, model, said)
    said.documents[model] = document
    if model not in said.prices and _is_job(document):
        price = await discovery.price(model)
        if isinstance(price, Unanswered):
            return _passed_over(price, f"price of {model}", said)
        said.prices[model] = price
    return None


def _passed_over(unanswered: Unanswered, what: str, said: _Said) -> Unanswered | None:
    """Raises where the next question would have the same answer."""
    if not unanswered.by_edge and unanswered.code in _KEY | _LATER:
        raise _stopped(unanswered, what)
    said.problems.append(_words(unanswered, what))
    return unanswered if unanswered.by_edge or unanswered.code in AGAIN else None


def _stopped(unanswered: Unanswered, what: str) -> SpendingStopped | UsageProblem:
    if unanswered.code in _KEY and not unanswered.by_edge:
        return SpendingStopped(_words(unanswered, what), hint="check KIE_API_KEY")
    hint = "`kiejobs models sync` continues where it stopped: answers are kept for a day"
    return UsageProblem(_words(unanswered, what), hint=hint)


def _words(unanswered: Unanswered, what: str) -> str:
    is_refused = unanswered.code not in {None, "200"} and not unanswered.by_edge
    code = f"the API answers {unanswered.code}: " if is_refused else ""
    return f"{what}: {code}{unanswered.message}"


# --- comparing --------------------------------------------------------------------------------------


def _compared(
    said: _Said, names: Sequence[str], known: KnownModels, space: Workspace
) -> tuple[SyncView, dict[str, dict[str, Any]], PriceTable]:
    """For people; the schemas to write; the prices to write."""
    today = space.clock().now().date()
    schemas: dict[str, dict[str, Any]] = {}
    checked: list[CheckedModel] = []
    here = {*names, *known.files.names}
    for model, document in said.documents.items():
        if model not in here and not _is_job(document):
            said.skipped += 1
            continue
        again = model in (said.listed or ())
        found = _NO_DOCUMENT if document is None else _model(model, document, known, space, again=again)
        if isinstance(found, str):
            said.problems.append(f"{model}: {found}")
            continue
        entry, schema = found
        checked.append(entry)
        if entry.status != "unchanged":
            schemas[model] = schema
    mine = prices_by_hand(space.root)
    priced = [replace(one, kept=one.model in mine) for one in _prices(said, schemas, known, today)]
    news = {one.model: one.now for one in priced if one.now is not None and not one.kept}
    changed, used = effects(space.root, schemas, PriceTable(news))
    gone = () if said.listed is None else sorted((set(known.files.own) | used) - said.listed)
    left = tuple(one for one in gone if one in used and _was_listed(one, known))
    view = SyncView(
        origin=space.origin,
        models=checked,
        prices=[one for one in priced if one.now or one.model in {*names, *used}],
        in_prose=sum(one.now is None for one in priced),
        files=changed,
        gone=tuple(gone),
        left=left,
        skipped=said.skipped,
        problems=said.problems,
    )
    return view, schemas, PriceTable(news)


def _was_listed(model: str, known: KnownModels) -> bool:
    """Is its schema made of what the vendor says, of a model that was still sold?"""
    schema = known.files.get(model, {})
    return "x-kiejobs-source" in schema and "x-kiejobs-retired" not in schema


def _is_job(document: dict[str, Any] | None) -> bool:
    """Is it sold by createTask?"""
    paths = (document or {}).get("paths")
    return isinstance(paths, dict) and any(str(path).endswith(CREATE_PATH) for path in paths)


def _model(
    model: str, document: dict[str, Any], known: KnownModels, space: Workspace, *, again: bool
) -> tuple[CheckedModel, dict[str, Any]] | str:
    """How it changes, with its newer schema; or why there is none. `again`: it is sold, even if it was retired."""
    today = space.clock().now().date()
    page = f"{space.origin}{PATH}/{model}/schema"
    try:
        text = json.dumps(document, ensure_ascii=False)
        reading = read_page(page, text, imported=today.isoformat(), choice=model)
    except RecursionError:
        return "its document is nested too deeply"
    made = next((one for one in reading.models if one.model == model), None)
    if made is None:
        others = ", ".join(one.model for one in reading.models)
        return f"its document is about {others}" if others else "; ".join(reading.problems)
    before, own = known.files.get(model), known.files.own.get(model)
    if before is None and own is not None:
        return f"the schema in use is broken: `kiejobs models show {model}`"
    old = {key: value for key, value in (before or {}).items() if not again or key != "x-kiejobs-retired"}
    newer, kept = merged(made.schema, old) if old else (made.schema, [])
    notes = (*made.notes, *kept)
    if why := why_not_ours(schema_bytes(newer), model, page):
        return why
    if before is None:
        return CheckedModel(model, page, known=False, notes=notes), newer
    return CheckedModel(model, page, tuple(model_changes(before, newer)), own, notes=notes), newer


def _prices(
    said: _Said, schemas: dict[str, dict[str, Any]], known: KnownModels, today: date
) -> list[PriceNews]:
    """Those that are other than in use; and those in words that nobody can calculate with, without a price."""
    found = []
    table = known.catalogue().prices
    for model in said.documents:
        text = said.prices.get(model)
        spec = read_spec(schemas[model]) if model in schemas else known.spec(model)
        if text is None or spec is None:
            continue
        title = f"{said.titles.get(model, '')} {_summary(said.documents[model])}"
        was, now = table.of(model), price_in(text, spec, today.isoformat(), title)
        if now is not None and was is not None and _agree(now, was):
            is_old = any(one.old or one.ended for one in aged_prices(table, [model], today))
            found += [PriceNews(model, text, was, now, confirmed=True)] if is_old else []
        elif now is not None and is_complete(now, spec):
            found.append(PriceNews(model, text, was, now))
        else:
            found.append(PriceNews(model, text, was))
    return found


def _summary(document: dict[str, Any] | None) -> str:
    paths = (document or {}).get("paths")
    for path in paths.values() if isinstance(paths, dict) else ():
        post = path.get("post") if isinstance(path, dict) else None
        if isinstance(post, dict):
            return str(post.get("summary"))[:_LONGEST_TITLE]
    return ""


def _agree(now: ModelPrice, was: ModelPrice) -> bool:
    """Do both ask the same for each request that the newer one speaks of?"""
    if now.unstated or was.unstated:
        return bool(now.as_data() == was.as_data())
    for line in now.lines:
        request: dict[str, Any] = dict(line.when)
        for price in (now, was):
            if price.quantity is not None:
                request.setdefault(price.quantity, 100)
        if now.credits(request) != was.credits(request):
            return False
    return True
