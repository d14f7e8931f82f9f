"""Rows as persistence keeps them, in memory: a plain projection of a run's events, for tests of the engine that load.

Deliberately literal (one assignment for each column that run_store.proto's snapshots show) and independent of folding.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from headrace_protos.lifecycle import RUN_FINAL, TASK_FINAL, parent_path
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs


@dataclass
class Rows:
    """One run's rows; `append` is what a transaction does."""

    run: rs.RunSnapshot
    tasks: dict[str, rs.TaskSnapshot] = field(default_factory=dict)

    def append(self, events: tuple[ev.Event, ...]) -> None:
        for event in events:
            assert event.seq == self.run.revision + 1, "the run's sequence has no gaps"
            self.run.revision = event.seq
            getattr(self, "_" + str(event.WhichOneof("kind")))(event)

    def snapshot(self) -> rs.RunSnapshot:
        """What LoadRuns gives: all tasks but those inside groups that ended well."""
        made = rs.RunSnapshot()
        made.CopyFrom(self.run)
        for path, task in self.tasks.items():
            parent = self.tasks.get(parent_path(path))
            if parent is None or parent.state not in (ev.TASK_SUCCEEDED, ev.TASK_SKIPPED):
                made.tasks.append(task)
            elif made.state in RUN_FINAL or made.resetting:  # as for a retry
                made.inside.add(
                    path=path,
                    kind=task.kind,
                    dag=task.dag,
                    task=task.task,
                    iteration=task.iteration,
                    attempts=task.attempts,
                )
        return made

    def states(self) -> dict[str, str]:
        return {path: ev.TaskState.Name(task.state).removeprefix("TASK_") for path, task in self.tasks.items()}

    # the run

    def _run_started(self, event: ev.Event) -> None:
        self.run.state, self.run.started_at_us = ev.RUN_RUNNING, event.time_us
        self.run.inputs.CopyFrom(event.run_started.inputs)

    def _run_terminating(self, event: ev.Event) -> None:
        self.run.state, self.run.terminating = ev.RUN_CANCELING, True
        self.run.run_exit_tasks = event.run_terminating.run_exit_tasks
        self.run.resetting = False

    def _run_retried(self, event: ev.Event) -> None:
        self.run.state, self.run.terminating = ev.RUN_RUNNING, False
        self.run.retried_at_us, self.run.run_exit_tasks = event.time_us, False
        self.run.resetting = event.run_retried.more

    def _run_finished(self, event: ev.Event) -> None:
        assert all(task.state in TASK_FINAL for task in self.tasks.values()), "no task is open when the run ends"
        self.run.state = event.run_finished.state

    # tasks

    def _task_created(self, event: ev.Event) -> None:
        assert event.path not in self.tasks, f"{event.path} is created once"
        new = event.task_created
        self.tasks[event.path] = rs.TaskSnapshot(
            path=event.path,
            kind=new.kind,
            dag=new.dag,
            task=new.task,
            iteration=new.iteration,
            state=ev.TASK_PENDING,
            created_at_us=event.time_us,
        )

    def _task_waiting(self, event: ev.Event) -> None:
        task = self.tasks[event.path]
        assert task.state in (ev.TASK_PENDING, ev.TASK_READY, ev.TASK_RUNNING)
        if task.state == ev.TASK_PENDING:
            task.state = ev.TASK_READY
        task.waiting_on.CopyFrom(event.task_waiting.waiting_on)

    def _task_started(self, event: ev.Event) -> None:
        task, started = self.tasks[event.path], event.task_started
        assert task.state in (ev.TASK_PENDING, ev.TASK_READY), f"{event.path} starts once"
        task.state = ev.TASK_RUNNING
        task.inputs.CopyFrom(started.inputs)
        task.iteration_count = started.iteration_count
        task.cache_key, task.cache_token = started.cache_key, started.cache_token
        task.started_at_us = event.time_us
        task.ClearField("waiting_on")

    def _task_finished(self, event: ev.Event) -> None:
        task, finished = self.tasks[event.path], event.task_finished
        assert task.state not in TASK_FINAL, f"{event.path} ends once"
        assert finished.state in TASK_FINAL
        task.state = finished.state
        task.outputs.CopyFrom(finished.outputs)
        task.error.CopyFrom(finished.error)
        if finished.HasField("inputs"):
            task.inputs.CopyFrom(finished.inputs)
        task.cache_key = finished.cache_key or task.cache_key
        task.cached = bool(finished.cached_from)
        task.linked = bool(finished.linked_from)
        task.finished_at_us, task.retry_at_us = event.time_us, 0
        task.ClearField("waiting_on")

    def _task_reset(self, event: ev.Event) -> None:
        task = self.tasks[event.path]
        assert task.state in TASK_FINAL, f"{event.path} is reset after it has ended"
        for name in ("outputs", "error", "waiting_on", "cached", "linked", "finished_at_us", "retry_at_us"):
            task.ClearField(name)
        task.user_failures = task.infrastructure_failures = task.preemptions = 0
        if event.task_reset.HasField("created"):
            assert event.task_reset.attempts == task.attempts, "it is known what is inside"
            task.attempt_state, task.handle, task.node, task.attempt_started_at_us = 0, "", "", 0
        task.state = ev.TASK_RUNNING if event.task_reset.reopen else ev.TASK_PENDING
        if not event.task_reset.reopen:
            for name in ("inputs", "iteration_count", "started_at_us", "cache_key", "cache_token"):
                task.ClearField(name)

    # attempts

    def _attempt_started(self, event: ev.Event) -> None:
        task = self.tasks[event.path]
        assert event.attempt == task.attempts + 1, "attempt numbers only grow"
        assert task.state == ev.TASK_RUNNING
        task.attempts, task.attempt_state = event.attempt, ev.ATTEMPT_STARTING
        task.handle, task.node, task.retry_at_us, task.attempt_started_at_us = "", "", 0, event.time_us
        task.ClearField("waiting_on")

    def _attempt_launched(self, event: ev.Event) -> None:
        task = self.tasks[event.path]
        launched = event.attempt_launched
        assert task.attempts == event.attempt
        assert task.attempt_state == ev.ATTEMPT_STARTING or (
            task.attempt_state == ev.ATTEMPT_RUNNING and launched.node and not task.node
        ), "launched once, and once on a node"
        task.attempt_state, task.handle, task.node = ev.ATTEMPT_RUNNING, launched.handle, launched.node

    def _attempt_finished(self, event: ev.Event) -> None:
        task, finished = self.tasks[event.path], event.attempt_finished
        assert task.attempts == event.attempt
        assert task.attempt_state in (ev.ATTEMPT_STARTING, ev.ATTEMPT_RUNNING)
        task.attempt_state, task.retry_at_us = finished.state, finished.retry_at_us
        if finished.state == ev.ATTEMPT_SUCCEEDED:
            return
        if finished.error.failure_class == ev.PREEMPTED:
            task.preemptions += 1
        elif finished.state != ev.ATTEMPT_FAILED or finished.error.failure_class == ev.INFRASTRUCTURE:
            task.infrastructure_failures += 1
        else:
            task.user_failures += 1
