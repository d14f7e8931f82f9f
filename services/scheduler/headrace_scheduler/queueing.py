"""The steps that wait to be appended, in their order, and what one append takes of them. No I/O; called by driving.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from headrace_scheduler.drives import Advance, Drive

BATCH_BYTES = 4_000_000  # of events in one append, more or less: a message has a limit


class Steps:
    """Steps of many runs; those of one run stay in their order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Drive, Advance]] = deque()
        self.events = 0  # of all that wait

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, drive: Drive, step: Advance) -> None:
        """STEP comes last."""
        self._waiting.append((drive, step))
        self.events += len(step.events)

    def take(self, most_events: int, held: Callable[[Drive], bool]) -> list[tuple[Drive, Advance]]:
        """The first ones, as many as one append may carry, at least one; those of runs that are no longer HELD are left out."""
        batch: list[tuple[Drive, Advance]] = []
        count = size = 0
        while self._waiting and count < most_events and size < BATCH_BYTES:
            drive, step = self._waiting.popleft()
            self.events -= len(step.events)
            if held(drive):
                batch.append((drive, step))
                count, size = count + len(step.events), size + step.size
        return batch

    def forget(self, drive: Drive) -> None:
        """Steps of the run that were taken after one that was refused are nothing any more."""
        self._waiting = deque(one for one in self._waiting if one[0] is not drive)
        self.events = sum(len(step.events) for _, step in self._waiting)
