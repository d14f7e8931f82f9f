"""The time of a run by cause: of all tasks together, and what of it lay on the critical path. Pure; called by messages.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headrace_persistence.tracing.critical import Step, told
from headrace_persistence.tracing.parts import add_to
from headrace_persistence.tracing.records import Spent
from headrace_persistence.tracing.spans import Tracer


def by_cause(tracer: Tracer, path: Sequence[Step], now_us: int) -> list[Spent]:
    """What lay on the critical path first, then the rest; of the last try of a run that was retried."""
    found = {cause: replace(spent) for cause, spent in tracer.spent.items()}
    root = tracer.tasks.get("")
    for task in tracer.tasks.values():
        if task.path and not task.finished_us and root is not None and task.created_us >= root.created_us:
            add_to(found, task.path, told(task, now_us))
    for step in path:
        cause = step.stretch.cause
        found.setdefault(cause, Spent(cause)).critical_us += step.stretch.end_us - step.stretch.start_us
    return sorted(found.values(), key=lambda one: (-one.critical_us, -one.total_us, one.cause))
