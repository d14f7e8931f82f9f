"""Wide loops: what the run's trace tells in the place of a thousand iterations and more. Pure; spans.py counts here, and
splitting.py makes of it what goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from headrace_persistence.tracing.records import Part, Spent, Stretch, Task, Wide
from headrace_protos import lifecycle

SUMMARY: Final = "headrace.loop."


def iterations(tasks: Mapping[str, Task]) -> Callable[[str], int]:
    """How many iterations a loop of TASKS has."""
    return lambda loop: tasks[loop].iterations if loop in tasks else 0


def count(tasks: Mapping[str, Task], task: Task) -> None:
    """TASK has ended, inside of these loops: what it was and what its time was spent on is told of the wide ones."""
    path = task.path
    while (part := lifecycle.part_of(path, iterations(tasks))) is not None:
        loop = tasks[part[0]]
        wide = loop.wide = loop.wide or Wide()
        add_to(wide.spent, task.path, task.stretches)
        if lifecycle.parent_path(task.path) == loop.path:
            _ended(wide, part[1], task)
        path = loop.path


def _ended(wide: Wide, number: int, iteration: Task) -> None:
    part = wide.parts.setdefault(number, Part(iteration.created_us, iteration.finished_us))
    part.first_us = min(part.first_us, iteration.created_us)
    part.last_us = max(part.last_us, iteration.finished_us)
    part.ended += 1
    part.failed += iteration.span.state == "FAILED"
    wide.ended[iteration.span.state] += 1


def summary(task: Task) -> dict[str, str]:
    """What the span of a wide loop that ends says of all that was in it; {} of what is none."""
    wide = task.wide
    if wide is None:
        return {}
    told: dict[str, int] = {
        "iterations": task.iterations,
        "ended": wide.ended.total(),
        "failed": wide.ended["FAILED"],
        "traces": len(wide.parts),
        "first_start_us": min((part.first_us for part in wide.parts.values()), default=0),
        "last_end_us": max((part.last_us for part in wide.parts.values()), default=0),
    }
    told |= {f"time_us.{cause}": spent.total_us for cause, spent in sorted(wide.spent.items())}
    return {SUMMARY + name: str(figure) for name, figure in told.items()}


def add_to(spent: dict[str, Spent], path: str, told: Iterable[Stretch]) -> None:
    """Count a task's time by cause."""
    own: dict[str, int] = {}
    for one in told:
        own[one.cause] = own.get(one.cause, 0) + one.end_us - one.start_us
    for cause, spent_us in own.items():
        spent.setdefault(cause, Spent(cause)).add(path, spent_us)
