"""RunState: everything that the engine knows of one run; settled, or an overlay over a settled one.

A step works on an overlay: reading falls through to the base, `edit` copies a row before it is changed, so that a step costs
what it touches and dropping it leaves the base as it was. `settle` merges an overlay into its base, after which only
the returned state may be used. What events mean is folding.py's; what to do next is stepping.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import TypeVar

from headrace_protos.lifecycle import RUN_FINAL, TASK_FINAL, child_path, iteration_path, parent_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2
from headrace_protos.v1.run_store_pb2 import TaskSnapshot
from headrace_scheduler.engine.bags import EMPTY, Bag
from headrace_scheduler.engine.indexing import PlanIndex, TaskSpec
from headrace_scheduler.engine.origins import Origin
from headrace_scheduler.engine.rows import GROUPS, NO_ERROR, Header, Row, Stage
from headrace_scheduler.engine.turns import count_turns

T = TypeVar("T", bool, int)
M = TypeVar("M", ev.Values, ev.WaitingOn, ev.Error)
ENDED_WELL = frozenset({ev.TASK_SUCCEEDED, ev.TASK_SKIPPED})


class RunState:
    """A run. Made by `load` or by a step; never changed from outside."""

    __slots__ = ("_active", "_base", "_gone", "_header", "_rows", "_settled", "_timers", "plan")

    def __init__(self, plan: PlanIndex, header: Header, base: RunState | None = None) -> None:
        self.plan = plan
        self._header = header
        self._base = base
        self._rows: dict[str, Row | None] = {}  # None in an overlay: dropped
        self._active: dict[str, bool] = {}  # leaves that wait for something from outside; False in an overlay: no more
        self._timers: dict[str, int] = {}  # path → when to look again; 0 in an overlay: no more
        self._settled: dict[str, bool] = {}  # ended tasks of which the cache is to be told; False: not any more
        self._gone = False

    # ---- what callers see

    @property
    def run_id(self) -> str:
        """The run's UUID as text."""
        return self._header.run_id

    @property
    def namespace(self) -> str:
        """The namespace that the run belongs to."""
        return self._header.namespace

    @property
    def revision(self) -> int:
        """The seq of the last event that this state holds."""
        return self._header.revision

    @property
    def state(self) -> int:
        """The run's state, a number of `RunState` in events.proto."""
        return self._header.state

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self._header.state in RUN_FINAL

    @property
    def has_work(self) -> bool:
        """Whether a step with nothing but a Clock would go on at once."""
        return bool(self._header.agenda or self._header.expanding or self._header.later)

    def deadline_us(self) -> int:
        """When the run's time is over; 0: never, or it is over or does not run."""
        header, limit = self._header, self.plan.deadline_us
        if not limit or header.expired or header.state != ev.RUN_RUNNING:
            return 0
        return max(header.started_at_us, header.retried_at_us) + limit

    def in_flight(self) -> list[tuple[str, int, str]]:
        """Attempts that have not ended: path, number, the executor's handle ("" before the launch)."""
        rows = (self.row(path) for path in self.active())
        return [(row.path, row.attempts, row.handle) for row in rows if row is not None and row.in_flight]

    def open_tasks(self) -> list[str]:
        """Paths of all tasks that have not ended, those inside a group before the group."""
        opened = [row.path for row in self.rows() if row.path and row.state not in TASK_FINAL]
        return sorted(opened, key=lambda path: path.count("/") + path.count("["), reverse=True)

    def reservations(self) -> list[tuple[str, str, str]]:
        """Cache reservations that open tasks hold: path, key, token."""
        rows = (self.row(path) for path in self.active())
        return [(row.path, row.cache_key, row.cache_token) for row in rows if row is not None and row.cache_token]

    # ---- reading, for the engine's modules

    @property
    def header(self) -> Header:
        """The run's own fields; not to be changed but in an overlay."""
        return self._header

    def row(self, path: str) -> Row | None:
        """The row at PATH; None: there is none, or it is inside a group that has ended well."""
        layer: RunState | None = self
        while layer is not None:
            if path in layer._rows:
                return layer._rows[path]
            layer = layer._base
        return None

    def known(self, path: str) -> Row:
        """The row at PATH, which must be there."""
        row = self.row(path)
        assert row is not None, f"there is no task {path}"
        return row

    def rows(self) -> Iterator[Row]:
        """All rows; those of a settled state in the order of their creation."""
        layers = self._layers()
        merged: dict[str, Row | None] = dict(layers[0]._rows) if len(layers) > 1 else layers[0]._rows
        for layer in layers[1:]:
            merged.update(layer._rows)
        return (row for row in merged.values() if row is not None)

    def active(self) -> list[str]:
        """Leaves that wait for something from outside."""
        return _merged([layer._active for layer in self._layers()])

    def settling(self) -> list[str]:
        """Ended tasks of which the cache may have to be told."""
        return _merged([layer._settled for layer in self._layers()])

    def timer(self, path: str) -> int:
        """When to look at PATH again; 0: never."""
        layer: RunState | None = self
        while layer is not None:
            if path in layer._timers:
                return layer._timers[path]
            layer = layer._base
        return 0

    def timers(self) -> dict[str, int]:
        """When to look at which path again."""
        merged: dict[str, int] = {}
        for layer in self._layers():
            merged.update(layer._timers)
        return {path: at for path, at in merged.items() if at}

    def children(self, row: Row) -> Iterator[str]:
        """Paths of a group's children that have been created."""
        if row.kind == ev.LOOP:
            return (iteration_path(row.path, number) for number in range(row.created))
        return (child_path(row.path, task.key) for task in self.plan.dags[row.dag].tasks[: row.created])

    def _layers(self) -> list[RunState]:
        layers = [self]
        while layers[-1]._base is not None:
            layers.append(layers[-1]._base)
        return layers[::-1]

    # ---- changing, on an overlay

    def overlay(self) -> RunState:
        """An unsettled state over this one."""
        assert not self._gone, "this state was merged into its base; use what settle() returned"
        header = copy(self._header)
        header.agenda = header.agenda.copy()
        header.expanding = header.expanding.copy()
        header.later = header.later.copy()
        header.turns = dict(header.turns)
        return RunState(self.plan, header, self)

    def edit(self, path: str) -> Row:
        """The row at PATH, as a copy of this overlay's own."""
        row = self._rows.get(path)
        if row is None:
            row = self._rows[path] = self.known(path).clone()
        return row

    def add(self, row: Row) -> None:
        """A new row."""
        self._rows[row.path] = row

    def drop_inside(self, row: Row) -> None:
        """Forget the children of a group that has ended well: its outputs are all that is asked of it from now on."""
        waiting = [row]
        while waiting:
            group = waiting.pop()
            for path in self.children(group):
                child = self.row(path)
                if child is None:
                    continue
                self._rows[path] = None
                if child.kind in GROUPS:
                    waiting.append(child)
                else:
                    self.set_active(path, on=False)
                    self.set_settling(path, on=False)

    def set_active(self, path: str, *, on: bool) -> None:
        """Note whether a leaf waits for something from outside."""
        self._active[path] = on

    def set_settling(self, path: str, *, on: bool) -> None:
        """Note whether the cache is to be told of an ended task."""
        self._settled[path] = on

    def set_timer(self, path: str, at_us: int) -> None:
        """Look at PATH again at that time; 0 = not any more."""
        self._timers[path] = at_us
        if at_us and (not self._header.next_timer_us or at_us < self._header.next_timer_us):
            self._header.next_timer_us = at_us

    def push(self, path: str) -> None:
        """Look at PATH in this step."""
        self._header.agenda.push(path)

    def push_later(self, path: str) -> None:
        """Begin the iteration at PATH when nothing that has begun can go on: so that the first ones end early."""
        self._header.later.push(path)

    def push_expanding(self, path: str) -> None:
        """More children of the group at PATH are to be made."""
        self._header.expanding.push(path)

    def forget_work(self) -> None:
        """Nothing is to be looked at any more."""
        for agenda in (self._header.agenda, self._header.expanding, self._header.later):
            agenda.clear()

    def settle(self) -> RunState:
        """Merge this overlay, and those below it, into the settled state; that is what is returned."""
        if self._base is None:
            return self
        if self._gone:
            return self._base
        base = self._base.settle()
        for path, row in self._rows.items():
            if row is None:
                base._rows.pop(path, None)
            else:
                base._rows[path] = row
        _merge(base._active, self._active)
        _merge(base._timers, self._timers)
        _merge(base._settled, self._settled)
        base._header = self._header
        # Overlays over this one, which are ahead of what is durable, read on from the base.
        self._gone, self._base = True, base
        self._rows, self._active, self._timers, self._settled = {}, {}, {}, {}
        return base

    # ---- loading

    @classmethod
    def load(cls, plan: PlanIndex, snapshot: run_store_pb2.RunSnapshot, origin: Origin | None = None) -> RunState:
        """The state that the rows say, with the run that it resumes; nothing is decided here."""
        header = Header(
            run_id=snapshot.run_id,
            namespace=snapshot.namespace,
            name=snapshot.display_name,
            pipeline_root=snapshot.pipeline_root,
            enable_cache=snapshot.enable_cache if snapshot.HasField("enable_cache") else None,
            created_at_us=snapshot.created_at_us,
            scheduled_at_us=snapshot.scheduled_at_us,
            given=Bag.of_message(snapshot.inputs),
            revision=snapshot.revision,
            state=snapshot.state,
            started_at_us=snapshot.started_at_us,
            retried_at_us=snapshot.retried_at_us,
            origin=origin,
            refresh=frozenset(snapshot.caching.refresh),
            cache_max_age_s=snapshot.caching.max_age_s,
            exit_tasks=snapshot.run_exit_tasks,
            resetting=snapshot.resetting,
        )
        tasks, inside = _apart(snapshot)
        header.inside = _by_group(inside)
        state = cls(plan, header)
        state.add(root_row(header))
        for task in tasks:
            state.add(_row(plan, task))
        state._derive()
        return state

    def _derive(self) -> None:
        """Count what rows imply, and put on the agenda whatever may have to go on."""
        rows = [row for row in self._rows.values() if row is not None]
        for row in rows:
            if row.path:
                self._count(row)
        self._date_failures(rows)
        for row in rows:
            if row.spec is not None and row.iteration < 0:
                row.unmet = self.unmet(row)
        for row in rows:
            self.restage(row)

    def _count(self, row: Row) -> None:
        parent = self._rows.get(row.parent)
        if parent is None:
            return
        parent.created += 1
        parent.open += row.state not in TASK_FINAL
        parent.failed += row.state == ev.TASK_FAILED
        parent.canceled += row.state == ev.TASK_CANCELED
        parent.skipped += row.state == ev.TASK_SKIPPED

    def _date_failures(self, rows: list[Row]) -> None:
        """Tell groups when the first in them failed, from the inside out."""
        failed = [row for row in rows if row.path and row.state == ev.TASK_FAILED]
        for row in sorted(failed, key=lambda row: row.path.count("/") + row.path.count("["), reverse=True):
            if (parent := self._rows.get(row.parent)) is not None:
                note_failure(parent, row)

    def unmet(self, row: Row) -> int:
        """How many dependencies of a task have not ended."""
        assert row.spec is not None, "the root depends on nothing"
        if row.iteration >= 0:
            return 0
        count = 0
        for key in row.spec.upstream:
            sibling = self.row(child_path(row.parent, key))
            count += sibling is None or sibling.state not in TASK_FINAL
        return count

    def restage(self, row: Row) -> None:
        """The stage that a recorded row is in, the timers and sets that follow, and the agenda."""
        if row.state in TASK_FINAL:
            if row.cache_token and not row.cached:
                row.stage = Stage.SETTLE
                self.set_settling(row.path, on=True)
            return
        if row.kind not in GROUPS and row.unmet == 0:
            self.set_active(row.path, on=True)
        count_turns(self, row)
        if row.in_flight:
            row.stage = Stage.LAUNCH if row.attempt_state == ev.ATTEMPT_STARTING else Stage.FLIGHT
        if row.iteration >= 0 and row.state == ev.TASK_PENDING:
            self.push_later(row.path)
        elif not (row.state == ev.TASK_PENDING and row.unmet):
            self.push(row.path)


def keep_little(row: Row) -> None:
    """Of a group that has ended well its outputs are all that anybody asks for; there may be very many."""
    row.inputs, row.outputs = EMPTY, row.outputs.kept()


def root_row(header: Header) -> Row:
    """The root DAG's row: the run itself."""
    row = Row("", "", None, ev.DAG, 0, inputs=header.given)
    if header.state in (ev.RUN_RUNNING, ev.RUN_CANCELING):
        row.state = ev.TASK_RUNNING
    elif header.state in RUN_FINAL:
        row.state = {
            ev.RUN_SUCCEEDED: ev.TASK_SUCCEEDED,
            ev.RUN_FAILED: ev.TASK_FAILED,
            ev.RUN_CANCELED: ev.TASK_CANCELED,
        }[ev.RunState.ValueType(header.state)]
    return row


def note_failure(parent: Row, row: Row) -> None:
    """Keep when the first descendant of a group failed, after a child has failed, or is reset."""
    at = row.failed_at_us or row.finished_at_us
    if not parent.failed:
        parent.failed_at_us = 0
    elif not parent.failed_at_us or at < parent.failed_at_us:
        parent.failed_at_us = at


def new_row(path: str, parent: str, spec: TaskSpec, kind: int, iteration: int) -> Row:
    """A row as it is at its creation."""
    dag = spec.target_dag if kind in (ev.DAG, ev.LOOP_ITERATION) else -1
    return Row(path, parent, spec, kind, dag, iteration)


def _apart(snapshot: run_store_pb2.RunSnapshot) -> tuple[list[TaskSnapshot], list[TaskSnapshot]]:
    """Tasks that get rows, and what is only kept for a retry: between two steps of one, also what has not been reset yet in a
    group that has. Its rows are what they were before the group began anew.
    """
    inside = list(snapshot.inside)
    if not snapshot.resetting:
        return list(snapshot.tasks), inside
    tasks: list[TaskSnapshot] = []
    put_back: set[str] = set()
    for task in snapshot.tasks:
        is_inside = task.state in TASK_FINAL and parent_path(task.path) in put_back
        (inside if is_inside else tasks).append(task)
        if task.kind in GROUPS and (is_inside or task.state == ev.TASK_PENDING):
            put_back.add(task.path)
    return tasks, inside


def _by_group(tasks: Iterable[TaskSnapshot]) -> dict[str, list[TaskSnapshot]]:
    found: dict[str, list[TaskSnapshot]] = {}
    for task in tasks:
        found.setdefault(parent_path(task.path), []).append(task)
    return found


def _row(plan: PlanIndex, task: TaskSnapshot) -> Row:
    row = new_row(task.path, parent_path(task.path), plan.dags[task.dag].tasks[task.task], task.kind, task.iteration)
    row.state = task.state
    row.inputs = Bag.of_message(_own(ev.Values(), task.inputs)) if task.HasField("inputs") else EMPTY
    row.outputs = Bag.of_message(_own(ev.Values(), task.outputs)) if task.HasField("outputs") else EMPTY
    row.iteration_count = task.iteration_count
    row.attempts = task.attempts
    row.user_failures = task.user_failures
    row.infrastructure_failures = task.infrastructure_failures
    row.preemptions = task.preemptions
    row.attempt_state = task.attempt_state
    row.handle, row.node = task.handle, task.node
    row.retry_at_us = task.retry_at_us
    waits = task.HasField("waiting_on") and task.waiting_on.cause
    row.waiting_on = _own(ev.WaitingOn(), task.waiting_on) if waits else None
    row.error = _own(ev.Error(), task.error) if task.HasField("error") else NO_ERROR
    row.cached = task.cached
    row.linked = task.linked
    row.cache_key = task.cache_key
    row.cache_token = task.cache_token
    row.started_at_us = task.started_at_us
    row.finished_at_us = task.finished_at_us
    if row.kind in GROUPS and row.state in ENDED_WELL:
        keep_little(row)
    return row


def _own(copy_of: M, part: M) -> M:
    """PART on its own: a part of a message keeps the whole of it, and a snapshot may have 100,000 tasks."""
    copy_of.CopyFrom(part)
    return copy_of


def _merged(layers: list[dict[str, bool]]) -> list[str]:
    if len(layers) == 1:
        return list(layers[0])
    merged: dict[str, bool] = {}
    for layer in layers:
        merged.update(layer)
    return [path for path, on in merged.items() if on]


def _merge(target: dict[str, T], changes: dict[str, T]) -> None:
    for path, value in changes.items():
        if value:
            target[path] = value
        else:
            target.pop(path, None)
