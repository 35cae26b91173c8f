"""The only concurrent room: one task group; one job, one coroutine, told straight through."""

from kiejobs.runner.budget import FailureLimit, Spending, Stop
from kiejobs.runner.rate_limit import Rate
from kiejobs.runner.run import RunEnd, Runner
from kiejobs.runner.settings import Settings

__all__ = ["FailureLimit", "Rate", "RunEnd", "Runner", "Settings", "Spending", "Stop"]
