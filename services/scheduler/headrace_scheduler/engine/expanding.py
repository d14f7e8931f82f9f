"""Expanding open groups: their children come into being, a chunk at a time so that the first can start before the last
exists, within a loop's parallelism limit and a step's budget. Called by stepping.py.
"""

from __future__ import annotations

from headrace_protos.lifecycle import child_path, iteration_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine.beginning import stop_waiting, wait
from headrace_scheduler.engine.drafting import BUDGET, Draft
from headrace_scheduler.engine.ending import end_group, total
from headrace_scheduler.engine.indexing import TaskSpec
from headrace_scheduler.engine.rows import Row

CHUNK = 100


def go_on(draft: Draft, row: Row) -> None:
    """What an open group needs next: children, or its end."""
    count = total(draft.state, row)
    if row.created < count:
        _expand(draft, row, count)
        row = draft.state.known(row.path)
    if row.open == 0 and row.created >= count:
        end_group(draft, row)
    elif row.path in draft.state.header.turns:
        _limited(draft, row, count)
    elif row.kind == ev.LOOP and row.created >= count:
        stop_waiting(draft, row)


def _expand(draft: Draft, row: Row, count: int) -> None:
    limit = row.task.loop.limit if row.kind == ev.LOOP else 0
    made = 0
    while row.created < count and made < CHUNK and not (limit and row.open >= limit) and not draft.full:
        _create(draft, row, row.created)
        row = draft.state.known(row.path)
        made += 1
    if row.created == count:
        stop_waiting(draft, row)
    elif limit and row.open >= limit:
        _limited(draft, row, count)
    else:
        if row.path and row.waiting_on is None and count > BUDGET:
            wait(draft, row, ev.EXPANSION, f"{count} tasks are being created")
        draft.state.push_expanding(row.path)


def _limited(draft: Draft, row: Row, count: int) -> None:
    wait(draft, row, ev.PARALLELISM, f"at most {row.task.loop.limit} of {count} iterations run at a time")


def _create(draft: Draft, row: Row, number: int) -> None:
    if row.kind == ev.LOOP:
        created = _created(row.task, row.task.body_kind, number)
        draft.emit(iteration_path(row.path, number), task_created=created)
        return
    spec = draft.state.plan.dags[row.dag].tasks[number]
    created = _created(spec, spec.kind, -1)
    created.upstream.extend(spec.upstream)
    draft.emit(child_path(row.path, spec.key), task_created=created)


def _created(spec: TaskSpec, kind: ev.TaskKind.ValueType, iteration: int) -> ev.TaskCreated:
    return ev.TaskCreated(kind=kind, display_name=spec.display_name, dag=spec.dag, task=spec.index, iteration=iteration)
