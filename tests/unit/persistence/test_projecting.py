"""Events to changes: several events of a task are one row; what cannot follow is refused with a sentence."""

from __future__ import annotations

import datetime

import pytest

from builders.runevents import created, event, finished, numbered, started, task_life, values
from headrace_persistence import columns
from headrace_persistence.moves import STAY, TASK_STEPS, compose, fixed, packed
from headrace_persistence.projecting import RefusedError, RunRow, project
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev

ROW = RunRow(7, "r", 4, ev.RUN_RUNNING, datetime.date(2026, 1, 1), (0,) * 7)


def read(moves: int, state: int) -> int:
    """As SQL reads it."""
    return (moves >> (4 * state)) & 15


def test_a_whole_life_is_one_new_row() -> None:
    change = project(ROW, numbered([created("a"), *task_life("a")], 4))
    assert (change.revision, len(change.events)) == (10, 6)
    tasks = columns.new_tasks([change])
    assert columns.changed_tasks([change])["run"] == []
    assert (tasks["path"], tasks["state"], tasks["attempts"]) == (["a"], [ev.TASK_SUCCEEDED], [1])
    assert tasks["outputs"] == [values(y="2").SerializeToString()]
    attempts = columns.new_attempts([change])
    assert (attempts["number"], attempts["state"]) == ([1], [ev.ATTEMPT_SUCCEEDED])


def test_events_of_a_task_that_exists_are_one_guarded_update() -> None:
    change = project(ROW, numbered(task_life("a"), 4))
    rows = columns.changed_tasks([change])
    (moves,) = rows["moves"]
    allowed = {state: read(moves, state) for state in range(8) if read(moves, state)}
    assert allowed == {ev.TASK_PENDING: ev.TASK_SUCCEEDED, ev.TASK_READY: ev.TASK_SUCCEEDED}
    assert columns.new_tasks([change])["run"] == []


def test_moves_are_the_transition_table() -> None:
    for (kind, wanted), step in TASK_STEPS.items():
        for state in range(1, 8):
            targets = {t for s, k, t in lifecycle.TASK_TRANSITIONS if (s, k) == (state, kind)}
            if wanted:
                targets &= {wanted}
            assert read(packed(compose(STAY, step)), state) in (targets or {0})
    assert read(fixed(2, 5), 2) == 5
    assert read(fixed(2, 5), 3) == 0


def test_a_run_counts_its_tasks_and_tells_its_history() -> None:
    ends = event(run_finished=ev.RunFinished(state=ev.RUN_FAILED, error=ev.Error(reason="TaskFailed")))
    change = project(ROW, numbered([ends], 4))
    rows = columns.runs([change], {7: [0, 0, 0, 1, 0, 2, 0]})
    assert rows["task_counts"] == ["{0,0,0,1,0,2,0}"]
    assert rows["moves"] == [fixed(ev.RUN_RUNNING, ev.RUN_FAILED)]
    assert rows["finished_at_us"] == [ends.time_us]


def test_failures_are_counted_by_who_pays() -> None:
    user = ev.AttemptFinished(state=ev.ATTEMPT_FAILED, error=ev.Error(failure_class=ev.USER))
    lost = ev.AttemptFinished(state=ev.ATTEMPT_LOST)
    preempted = ev.AttemptFinished(state=ev.ATTEMPT_FAILED, error=ev.Error(failure_class=ev.PREEMPTED))
    events = [event("a", n, attempt_finished=one) for n, one in enumerate((user, lost, preempted), 1)]
    task = project(ROW, numbered(events, 4)).tasks["a"]
    assert (task.user_failures, task.infrastructure_failures, task.preemptions) == (1, 1, 1)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([ev.Event(seq=9, time_us=1)], "event 9: expected 5, the next in the run's sequence"),
        ([ev.Event(seq=5, time_us=1)], "event 5: a kind that this release does not know"),
        ([ev.Event(seq=5, run_terminating=ev.RunTerminating())], "event 5 (run_terminating): it has no time"),
        (
            numbered([event(run_started=ev.RunStarted())], 4),
            "event 5: run_started is not allowed where the run is RUNNING",
        ),
        (
            numbered([event(run_created=ev.RunCreated())], 4),
            "event 5: run_created comes with the delivery of the run, not by an append",
        ),
        (numbered([created("a"), created("a")], 4), "event 6: task a exists already"),
        (numbered([event("a", task_created=ev.TaskCreated())], 4), "event 5: task a has no kind"),
        (
            numbered([finished("a"), started("a")], 4),
            "event 6: task_started of task a is not allowed after what came before it",
        ),
        (numbered([finished("a", ev.TASK_RUNNING)], 4), "event 5: task_finished of task a names no final state"),
        (
            numbered([event("a", attempt_started=ev.AttemptStarted())], 4),
            "event 5: attempt_started of task a names no attempt",
        ),
        (
            numbered([event("a", 1, attempt_started=ev.AttemptStarted()) for _ in range(2)], 4),
            "event 6: attempt a#1 has started already",
        ),
        (
            numbered(
                [
                    event("a", 2, attempt_started=ev.AttemptStarted()),
                    event("a", 1, attempt_started=ev.AttemptStarted()),
                ],
                4,
            ),
            "event 6: attempt numbers of task a only grow",
        ),
        (
            numbered([event("a", 1, attempt_finished=ev.AttemptFinished())], 4),
            "event 5: attempt_finished of attempt a#1 names no final state",
        ),
        (
            numbered(
                [
                    event("a", 1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_LOST)),
                    event("a", 1, attempt_launched=ev.AttemptLaunched()),
                ],
                4,
            ),
            "event 6: attempt_launched of attempt a#1 is not allowed after what came before it",
        ),
    ],
)
def test_refused(events: list[ev.Event], message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        project(ROW, events)
    assert str(refused.value) == message
