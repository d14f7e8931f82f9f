"""When facts of attempts make a tick: at once where few are in flight, else after a while, with those that come meanwhile.

An append costs milliseconds of three processes whether it carries one attempt's end or fifty, and a thousand attempts end one by
one. Called by driving.py; what comes from people, caches and timers is never held up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from headrace_scheduler.engine.facts import AttemptEnded, AttemptHeld, AttemptLaunched, Fact

T = TypeVar("T")
OF_ATTEMPTS: Final = (AttemptLaunched, AttemptHeld, AttemptEnded)
FEW: Final = 32  # attempts in flight, whose facts wait for nothing
LONGEST_S: Final = 0.2
LONGEST_BUSY_S: Final = 0.5
REST: Final = 4  # times as long as an append took
ENOUGH: Final = 500  # facts for one append


def between_ticks_s(in_flight: int, append_s: float) -> float:
    """The more attempts are in flight, the sooner more of them have something to tell; where appends take long, the machines
    that make them have too much to do, and fewer ones help.
    """
    if in_flight < FEW:
        return 0.0
    return max(min(in_flight / 5_000, LONGEST_S), min(REST * append_s, in_flight / 500, LONGEST_BUSY_S))


class Gathering:
    """`tick` is called when it is time for one."""

    def __init__(self, tick: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._clock = clock
        self._facts = 0
        self._last = float("-inf")  # the last tick that had any
        self._append_s = 0.0  # that the last append took

    def came(self, fact: Fact, in_flight: int) -> None:
        """A fact has come while so many attempts are in flight."""
        if not isinstance(fact, OF_ATTEMPTS):
            self._tick()
            return
        self._facts += 1
        rest = self._last + between_ticks_s(in_flight, self._append_s) - self._clock()
        if rest <= 0 or self._facts >= ENOUGH:
            self._tick()
        elif self._facts == 1:
            asyncio.get_running_loop().call_later(rest, self._tick)

    def ticked(self) -> None:
        """All that came until now is taken."""
        if self._facts:
            self._facts, self._last = 0, self._clock()

    async def timed(self, append: Awaitable[T]) -> T:
        """The answer of an append."""
        began = self._clock()
        answer = await append
        self._append_s = self._clock() - began
        return answer
