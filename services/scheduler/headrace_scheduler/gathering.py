"""When facts of attempts make a tick: at once where few are in flight, else after a while, with those that come meanwhile.

An append costs milliseconds of three processes whether it carries one attempt's end or fifty, and a thousand attempts end one by
one. Called by driving.py; what comes from people, caches and timers is never held up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from headrace_scheduler.engine.facts import AttemptEnded, AttemptHeld, AttemptLaunched, Fact

OF_ATTEMPTS: Final = (AttemptLaunched, AttemptHeld, AttemptEnded)
FEW: Final = 32  # attempts in flight, whose facts wait for nothing
LONGEST_S: Final = 0.1
ENOUGH: Final = 500  # facts for one append


def between_ticks_s(in_flight: int) -> float:
    """The more attempts are in flight, the sooner more of them have something to tell."""
    return 0.0 if in_flight < FEW else min(in_flight / 5_000, LONGEST_S)


class Gathering:
    """`tick` is called when it is time for one."""

    def __init__(self, tick: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._clock = clock
        self._facts = 0
        self._last = float("-inf")  # the last tick that had any

    def came(self, fact: Fact, in_flight: int) -> None:
        """A fact has come while so many attempts are in flight."""
        if not isinstance(fact, OF_ATTEMPTS):
            self._tick()
            return
        self._facts += 1
        rest = self._last + between_ticks_s(in_flight) - self._clock()
        if rest <= 0 or self._facts >= ENOUGH:
            self._tick()
        elif self._facts == 1:
            asyncio.get_running_loop().call_later(rest, self._tick)

    def ticked(self) -> None:
        """All that came until now is taken."""
        if self._facts:
            self._facts, self._last = 0, self._clock()
