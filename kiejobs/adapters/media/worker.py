"""What runs in the process for media: it examines results and draws cards, one at a time.

In: JSON lines on stdin, each `[verb, argument]`. Out: a JSON line for each. Touches: the files that it is given,
its own limits. Whoever takes longer than `SECONDS`, or more than `MEMORY`, ends the process; so does the end of
stdin.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys

SECONDS = 60.0  # that one file, or one card, may take
MEMORY = 4 * 2**30  # bytes


def main() -> None:
    """Until stdin ends."""
    _limit_memory()
    os.nice(10)  # whoever polls and buys comes first
    answers = sys.stdout
    sys.stdout = sys.stderr  # decoders that have something to say don't say it among the answers
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        verb, argument = json.loads(line)
        try:
            answer = _DO[verb](argument)
        except Exception as error:  # noqa: BLE001 - a hostile file makes decoders raise all there is
            answer = {"error": type(error).__name__}
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _limit_memory() -> None:
    import resource  # noqa: PLC0415 - not on every system

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _examine(task: dict[str, object]) -> object:
    from kiejobs.adapters.media.examine import examined  # noqa: PLC0415 - whoever draws cards doesn't need it

    return examined(task)


def _compare(asked: dict[str, object]) -> object:
    from kiejobs.adapters.media.examine import likest  # noqa: PLC0415 - as above

    return likest(asked["signatures"], asked["asked"])  # type: ignore[arg-type] # it is what the parent sends


def _draw(card: dict[str, object]) -> object:
    from kiejobs.adapters.media.cards import draw_card  # noqa: PLC0415 - whoever checks doesn't need it

    return draw_card(card)


def _still(asked: dict[str, object]) -> object:
    from kiejobs.adapters.media.stills import drawn  # noqa: PLC0415 - as above

    return drawn(str(asked["kind"]), str(asked["path"]))


_DO = {"examine": _examine, "compare": _compare, "draw": _draw, "still": _still}
