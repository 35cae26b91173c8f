"""`kiejobs models list` and `kiejobs models show MODEL`: which models there are, what one takes and costs.

In: words to choose by, a model's id. Out: tables, or documents. Touches: disk, by reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiejobs.app.load import KnownModels
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile, UsageProblem
from kiejobs.core.document.wording import shorten, suggest
from kiejobs.reports.diagnostics import diagnostics_text
from kiejobs.reports.models import ModelView, list_document, list_text, show_document, show_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kiejobs.app.output import Screen
    from kiejobs.core.diagnostics import Problems

_ALL = "`kiejobs models list` shows all"


def models_list(words: Sequence[str], screen: Screen) -> ExitCode:
    """Exit 2 where a schema of the project's own, or its prices, can't be read: the others are shown.

    A model is shown where each word is a part of its id, or says what it makes or where it is from.
    Raises UsageProblem where none is.
    """
    known = KnownModels()
    models = [one for one in _views(known) if all(_fits(one, word) for word in words)]
    if words and not models and not known.problems():
        raise UsageProblem(f"no model fits `{shorten(' '.join(words))}`", hint=_ALL)
    screen.answer(list_document, list_text, models)
    return _concluded(known.problems(), screen)


def models_show(model: str, screen: Screen) -> ExitCode:
    """Raises UsageProblem for a model that is not known, InvalidJobFile where its schema is broken."""
    known = KnownModels()
    catalogue = known.catalogue()
    spec = catalogue.spec(model)
    if spec is None and model not in catalogue.models:
        hint = suggest(model, catalogue.models) or _ALL
        raise UsageProblem(f"the model `{shorten(model)}` is not known", hint=hint)
    if spec is None:
        raise InvalidJobFile(known.problems())
    view = ModelView(spec, known.files.own.get(model), catalogue.prices.of(model))
    screen.answer(show_document, show_text, view)
    return _concluded(known.problems(), screen)


def _views(known: KnownModels) -> Iterator[ModelView]:
    catalogue = known.catalogue()
    for model in catalogue.models:
        spec = catalogue.spec(model)
        if spec is not None:
            yield ModelView(spec, known.files.own.get(model), catalogue.prices.of(model))


def _concluded(problems: Problems, screen: Screen) -> ExitCode:
    if problems:
        screen.say(diagnostics_text(problems, problems.lines, color=screen.color_err))
    return ExitCode.INVALID if problems.fatal else ExitCode.DONE


def _fits(model: ModelView, word: str) -> bool:
    return word.lower() in model.spec.model.lower() or word in {model.kind, model.origin}
