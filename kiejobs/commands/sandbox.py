"""`kiejobs sandbox --port N`: the imitated API on a port, for rehearsals of pipelines.

In: host, port, folder, speed, faults. Out: nothing until it is interrupted. Touches: a listening
socket; its folder, which holds the charge log.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kiejobs.adapters.project.models import ModelFiles
from kiejobs.adapters.project.root import find_root
from kiejobs.adapters.sandbox import make_sandbox, with_cards
from kiejobs.adapters.system import webhook_key
from kiejobs.core.diagnostics import ExitCode, InvalidJobFile, needs_extra

if TYPE_CHECKING:
    from decimal import Decimal

    from kiejobs.app.output import Screen


def sandbox(
    host: str,
    port: int,
    store: str | None,
    speed: float,
    sandbox_credits: Decimal | None,
    faults: str | None,
    screen: Screen,
) -> ExitCode:
    with needs_extra("serve", "serving on a port needs", "; `--sandbox` on a command needs no port"):
        from kiejobs.adapters.server import serve  # noqa: PLC0415 - not always there
    # Whoever sends a request later could only be answered that a model is not known.
    if problems := ModelFiles().check_all():
        raise InvalidJobFile(problems)
    store = store or find_root().seen("rehearsal/sandbox")
    made = make_sandbox(Path(store), speed, faults, credits_=sandbox_credits, webhook_key=webhook_key())
    app = with_cards(made, {})

    def ready(url: str) -> None:
        screen.say(f"sandbox at {url}, charge log in {store}; Ctrl-C ends it")
        screen.say(f"  KIE_API_KEY=any kiejobs run FILE --base-url {url}")

    with suppress(KeyboardInterrupt):
        serve(app, host, port, ready=ready)
    return ExitCode.DONE
