"""When facts of attempts make a step: at once where few are in flight, else after a while, with those that come meanwhile.

An append costs milliseconds of three processes whether it carries one attempt's end or fifty, and a thousand attempts end one by
one. Called by driving.py; what comes from people, caches and timers is never held up, and takes along what its run has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
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
    """`release` is called with the runs whose facts have waited long enough."""

    def __init__(self, release: Callable[[Iterable[str]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._release = release
        self._clock = clock
        self._runs: dict[str, None] = {}  # that have facts which wait
        self._facts = 0
        self._last = float("-inf")  # when any were released
        self._timer: asyncio.TimerHandle | None = None
        self._append_s = 0.0  # that the last append took

    def came(self, run_id: str, fact: Fact, in_flight: int) -> None:
        """A fact has come for a run while so many attempts are in flight."""
        if not isinstance(fact, OF_ATTEMPTS):
            self._release((run_id,))
            return
        self._runs[run_id] = None
        self._facts += 1
        rest = self._last + between_ticks_s(in_flight, self._append_s) - self._clock()
        enough = min(ENOUGH, in_flight)  # where all have told something, there is nobody to wait for
        if rest <= 0 or self._facts >= enough:
            self._all()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(rest, self._all)

    def _all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        runs, self._runs = self._runs, {}
        self._facts, self._last, self._timer = 0, self._clock(), None
        self._release(runs)

    async def timed(self, append: Awaitable[T]) -> T:
        """The answer of an append."""
        began = self._clock()
        answer = await append
        self._append_s = self._clock() - began
        return answer
