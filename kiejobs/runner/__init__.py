"""The only concurrent room: one task group; one job, one coroutine, told straight through."""

from kiejobs.runner.pace import Rate
from kiejobs.runner.run import RunEnd, Runner
from kiejobs.runner.settings import Settings
from kiejobs.runner.spending import FailureLimit, Spending, Stop

__all__ = ["FailureLimit", "Rate", "RunEnd", "Runner", "Settings", "Spending", "Stop"]
