"""An event loop whose clock jumps to the next timer, so that hours pass in a moment."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

STEP_SECONDS = 1e-8
"""What each turn of the loop takes; it calls timers that are nearly due, which may set others."""

LONGEST_SECONDS = 1e6
"""A program that waits for longer waits for ever."""


class JumpingSelector(selectors.SelectSelector):
    """Waits for nothing: instead, the clock goes on by as much."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready at once, which is what other threads have sent."""
        ready = super().select(0)
        self.now += STEP_SECONDS
        if not ready:
            assert timeout is not None, "nothing will ever happen again"
            self.now += timeout
            assert self.now < LONGEST_SECONDS, "it goes on for ever"
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own, which begins at 0."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._jumping.now


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine with a simulated clock; whoever wants to know the time asks `now`."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)


def now() -> float:
    """The time of the running loop."""
    return asyncio.get_running_loop().time()
