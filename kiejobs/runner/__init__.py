"""The only concurrent room: one task group; one job, one coroutine, from top to bottom.

Face: `Runner`, `RunEnd`, `World`, `Settings`, `Budget`, `StopReason`.
"""

from kiejobs.runner.limits import Budget, FailureLimit, Rate, Settings, StopReason, World
from kiejobs.runner.run import RunEnd, Runner

__all__ = ["Budget", "FailureLimit", "Rate", "RunEnd", "Runner", "Settings", "StopReason", "World"]
