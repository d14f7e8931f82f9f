"""The time of a run by cause: of all tasks together, and what of it lay on the critical path. Pure; called by messages.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headrace_persistence.tracing.critical import Step, told
from headrace_persistence.tracing.records import Task


@dataclass(slots=True)
class Spent:
    """Microseconds for one cause."""

    cause: str
    total_us: int = 0
    critical_us: int = 0
    tasks: int = 0
    most: str = ""  # the path of the task for which it was most
    most_us: int = 0


def by_cause(tasks: Mapping[str, Task], path: Sequence[Step], now_us: int) -> list[Spent]:
    """What lay on the critical path first, then the rest; of the last try of a run that was retried."""
    found: dict[str, Spent] = {}
    for task in _of_last_try(tasks):
        own: dict[str, int] = {}
        for one in told(task, now_us):
            own[one.cause] = own.get(one.cause, 0) + one.end_us - one.start_us
        for cause, spent_us in own.items():
            spent = found.setdefault(cause, Spent(cause))
            spent.total_us += spent_us
            spent.tasks += 1
            if spent_us > spent.most_us:
                spent.most, spent.most_us = task.path, spent_us
    for step in path:
        cause = step.stretch.cause
        found.setdefault(cause, Spent(cause)).critical_us += step.stretch.end_us - step.stretch.start_us
    return sorted(found.values(), key=lambda one: (-one.critical_us, -one.total_us, one.cause))


def _of_last_try(tasks: Mapping[str, Task]) -> Iterable[Task]:
    root = tasks.get("")
    return [one for one in tasks.values() if root is not None and one.path and one.created_us >= root.created_us]
