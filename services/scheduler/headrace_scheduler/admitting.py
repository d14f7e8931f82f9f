"""Admission: which waiting tasks may start, given what there is and what is in use. Pure accounting, no I/O.

Called by driving.py with the Admit commands of each tick and the attempts that ended. First come, first served over all runs;
a task that does not fit lets smaller ones pass until it has waited `PATIENCE_US`, then nothing passes it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from headrace_scheduler.executors.port import Inventory, Request

PATIENCE_US = 30_000_000
LOOKED_AT = 1_000  # of those in line, each time that there may be room: more than ever start at once
Key = tuple[str, str]  # run id, task path


@dataclass(slots=True)
class Waiting:
    """A task in the queue: since when (microseconds)."""

    request: Request
    since_us: int


class Admission:
    """The ledger of one replica: grants by task, and the queue in order of arrival."""

    def __init__(self, inventory: Sequence[Inventory], default_cpu: float) -> None:
        self._nodes = tuple(inventory)
        self._default_cpu = default_cpu
        self._granted: dict[Key, Request] = {}
        self._queue: OrderedDict[Key, Waiting] = OrderedDict()
        self._untold: OrderedDict[Key, None] = OrderedDict()  # the last ones of the queue, which were not told so
        self._used = Request()

    def ask(self, key: Key, request: Request, now_us: int) -> bool:
        """Queue the task unless it fits at once; True = granted. Asking again changes nothing."""
        if key in self._granted:
            return True
        waiting = self._queue.get(key)
        if waiting is None:
            waiting = Waiting(self._accounted(request), now_us)
            if not self._blocked(now_us) and self._fits(waiting.request):
                self._grant(key, waiting.request)
                return True
            self._queue[key] = waiting
            self._untold[key] = None
        return False

    def hold(self, key: Key, request: Request) -> None:
        """Account an attempt that is in flight already (after a load), whether it fits or not."""
        if key not in self._granted:
            self._grant(key, self._accounted(request))

    def free(self, key: Key) -> None:
        """The task has ended, or does not want to start any more."""
        self._leave(key)
        request = self._granted.pop(key, None)
        if request is not None:
            self._used = _minus(self._used, request)

    def free_run(self, run_id: str) -> None:
        """The run is not driven here any more."""
        for key in [key for key in (*self._granted, *self._queue) if key[0] == run_id]:
            self.free(key)

    def admit(self, now_us: int) -> list[Key]:
        """Grant what fits now, in order; the granted keys."""
        if not self._queue or self._full():
            return []
        granted: list[Key] = []
        for key, waiting in islice(self._queue.items(), LOOKED_AT):
            if self._fits(waiting.request):
                self._grant(key, waiting.request)
                granted.append(key)
            elif now_us - waiting.since_us > PATIENCE_US or self._full():
                break
        for key in granted:
            self._leave(key)
        return granted

    def untold(self, now_us: int, after_us: int) -> list[tuple[Key, str, str]]:
        """Tasks that have waited longer than `after_us` and were not told why, each with the sentence and what is short; told
        from now on.
        """
        late: list[tuple[Key, str, str]] = []
        place = len(self._queue) - len(self._untold)
        for key in self._untold:
            waiting = self._queue[key]
            if now_us - waiting.since_us < after_us:
                break
            place += 1
            late.append((key, self._sentence(waiting.request, place), self._short(waiting.request)))
        for key, *_ in late:
            del self._untold[key]
        return late

    @property
    def waiting(self) -> int:
        """How many tasks wait."""
        return len(self._queue)

    @property
    def used(self) -> Request:
        """What the granted tasks hold together."""
        return self._used

    def _leave(self, key: Key) -> None:
        self._queue.pop(key, None)
        self._untold.pop(key, None)

    def _accounted(self, request: Request) -> Request:
        if request.cpu > 0:
            return request
        return Request(self._default_cpu, request.memory, request.accelerators, request.accelerator_type)

    def _grant(self, key: Key, request: Request) -> None:
        self._granted[key] = request
        self._used = _plus(self._used, request)

    def _blocked(self, now_us: int) -> bool:
        """Whether the head of the queue has waited so long that nobody may pass it."""
        head = next(iter(self._queue.values()), None)
        return head is not None and now_us - head.since_us > PATIENCE_US

    def _fits(self, request: Request) -> bool:
        total = self._total()
        return (
            (total.cpu is None or self._used.cpu + request.cpu <= total.cpu + 1e-9)
            and (total.memory is None or self._used.memory + request.memory <= total.memory)
            and (total.accelerators is None or self._used.accelerators + request.accelerators <= total.accelerators)
        )

    def _full(self) -> bool:
        """Whether not even the smallest task would fit: spares a walk over a long queue."""
        total = self._total()
        return total.cpu is not None and self._used.cpu + 0.01 > total.cpu

    def _total(self) -> Inventory:
        if len(self._nodes) == 1:
            return self._nodes[0]
        cpus = [node.cpu for node in self._nodes]
        memories = [node.memory for node in self._nodes]
        accelerators = [node.accelerators for node in self._nodes]
        return Inventory(
            node="all",
            cpu=None if None in cpus else sum(c for c in cpus if c is not None),
            memory=None if None in memories else sum(m for m in memories if m is not None),
            accelerators=None if None in accelerators else sum(a for a in accelerators if a is not None),
        )

    def _short(self, request: Request) -> str:
        """What there is too little of; "" where others are before it alone."""
        total, used = self._total(), self._used
        if total.accelerators is not None and request.accelerators > total.accelerators - used.accelerators:
            return "accelerators"
        if total.memory is not None and request.memory > total.memory - used.memory:
            return "memory"
        return "cpu" if total.cpu is not None and request.cpu > total.cpu - used.cpu + 1e-9 else ""

    def _sentence(self, request: Request, place: int) -> str:
        total = self._total()
        parts = []
        if total.cpu is not None:
            parts.append(f"needs {request.cpu:g} cores, {max(total.cpu - self._used.cpu, 0):g} of {total.cpu:g} free")
        if request.memory and total.memory is not None:
            free = max(total.memory - self._used.memory, 0)
            parts.append(f"needs {_mib(request.memory)} MiB, {_mib(free)} of {_mib(total.memory)} MiB free")
        if request.accelerators and total.accelerators is not None:
            free_accelerators = max(total.accelerators - self._used.accelerators, 0)
            parts.append(f"needs {request.accelerators} accelerators, {free_accelerators} of {total.accelerators} free")
        return "; ".join(parts) + f"; number {place} in line"


def _mib(amount: int) -> int:
    return amount // (1024 * 1024)


def _plus(a: Request, b: Request) -> Request:
    return Request(a.cpu + b.cpu, a.memory + b.memory, a.accelerators + b.accelerators)


def _minus(a: Request, b: Request) -> Request:
    return Request(max(a.cpu - b.cpu, 0.0), a.memory - b.memory, a.accelerators - b.accelerators)
