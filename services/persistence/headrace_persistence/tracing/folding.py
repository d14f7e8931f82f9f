"""What is shown of a very wide run: of each wide group some tasks, and one span that stands for the others. Pure; for
messages.py.

Shown are the first ones, those that failed or go on, the longest, and those on the critical path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from headrace_persistence.tracing.critical import Step, end_of
from headrace_persistence.tracing.records import Span, Stretch, Task
from headrace_protos import lifecycle

WIDE: Final = 2_000  # tasks; a run with fewer is shown whole
SHOWN: Final = (100, 30, 10, 4, 2)  # of each group, the first number with which it is narrow enough
MOST_STEPS: Final = 2_000  # of a critical path
FOLDED: Final = "folded"


def chosen(tasks: Mapping[str, Task], critical: Collection[str], now_us: int) -> set[str] | None:
    """The paths that are shown; None = all."""
    if len(tasks) <= WIDE:
        return None
    children: dict[str, list[Task]] = {}
    for task in tasks.values():
        if task.path:
            children.setdefault(lifecycle.parent_path(task.path), []).append(task)
    kept: set[str] = set()
    for most in SHOWN:
        kept = {""}
        groups = [""]
        for group in groups:
            some = _some(children.get(group, []), critical, now_us, most)
            kept.update(some)
            groups.extend(some)
            if len(kept) > WIDE:
                break
        if len(kept) <= WIDE:
            return kept
    return kept


def _some(tasks: Sequence[Task], critical: Collection[str], now_us: int, most: int) -> list[str]:
    if len(tasks) <= most:
        return [one.path for one in tasks]
    few = max(most // 4, 1)
    bad = [one for one in tasks if one.span.state == "FAILED" or (one.started_us and not one.finished_us)]
    longest = sorted(tasks, key=lambda one: one.created_us - end_of(one, now_us))
    on_path = [one for one in tasks if one.path in critical]
    found = {one.path: one for one in (*tasks[:few], *bad[:few], *longest[:few], *on_path[:few])}
    return [one.path for one in sorted(found.values(), key=lambda one: one.order)]


def with_groups(steps: Sequence[Step]) -> set[str]:
    """The paths of a critical path, and the groups that they are in."""
    found: set[str] = set()
    for step in steps:
        path = step.path
        while path and path not in found:
            found.add(path)
            path = lifecycle.parent_path(path)
    return found


def stand_ins(run_id: str, tasks: Mapping[str, Task], kept: Collection[str]) -> list[Span]:
    """For each group that is shown, one span for those of its tasks that are not."""
    hidden: dict[str, list[Task]] = {}
    for task in tasks.values():
        group = lifecycle.parent_path(task.path)
        if task.path not in kept and group in kept:
            hidden.setdefault(group, []).append(task)
    return [_stand_in(run_id, tasks[group], them) for group, them in hidden.items()]


def _stand_in(run_id: str, group: Task, hidden: Sequence[Task]) -> Span:
    span = Span(
        lifecycle.span_id(run_id, group.path, group.span.number, FOLDED),
        group.span.span_id,
        f"{len(hidden):,} more",
        group.path,
        group.span.number,
        FOLDED,
        min(one.created_us for one in hidden),
    )
    if all(one.finished_us for one in hidden):
        span.end_us = max(one.finished_us for one in hidden)
    span.attributes["headrace.folded"] = str(len(hidden))
    for state, count in sorted(Counter(one.span.state or "OPEN" for one in hidden).items()):
        span.attributes[f"headrace.folded.{state.lower()}"] = str(count)
    return span


def shortened(steps: Sequence[Step]) -> list[Step]:
    """A critical path that can be sent: of a very long one the middle is one step."""
    if len(steps) <= MOST_STEPS:
        return list(steps)
    half = MOST_STEPS // 2
    first, middle, last = steps[:half], steps[half:-half], steps[-half:]
    told = f"{len(middle):,} more steps"
    stands = Stretch(FOLDED, 0, middle[0].stretch.start_us, middle[-1].stretch.end_us, told)
    return [*first, Step("", stands), *last]
