"""Terminating a run with its exit tasks: which run, what they are told, what ends at once, and ending them too."""

from __future__ import annotations

import json

import pytest

from builders.specs import container, dag, dag_input, final_status, pipeline
from builders.worlds import World, failed, lost, preempted, succeeded
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine import facts as f

STEP = container(outputs={"Output": "STRING"})
TOLD = container(inputs={"status": "TASK_FINAL_STATUS"})
WITH_EXITS = f.TerminateRequested(run_exit_tasks=True)


def guarded():
    """work → late; exit (told of work) → report, which depends on the exit task."""
    flow = pipeline().task("work", STEP).task("late", STEP, after=["work"])
    flow.task("exit", TOLD, {"status": final_status("work")}, after=["work"], on_completion=True)
    return flow.task("report", STEP, after=["exit"])


def working(flow, **fields) -> World:
    """Until `work` is in flight and nothing else moves."""
    return World(flow, results={"work": None, **fields}).run()


def test_exit_tasks_run_before_the_end_and_are_told_of_the_cancellation():
    world = working(guarded())
    world.tell(WITH_EXITS)
    world.run()
    assert world.outcome == "CANCELED"
    assert world.states == {"work": "CANCELED", "late": "CANCELED", "exit": "SUCCEEDED", "report": "CANCELED"}
    status = json.loads(world.launches["exit#1"].parameters["status"])
    assert status["state"] == "CANCELLED"
    assert status["pipelineTaskName"] == "work"


def test_without_the_flag_they_do_not_run():
    world = working(guarded())
    world.tell(f.TerminateRequested())
    world.run()
    assert world.outcome == "CANCELED"
    assert set(world.states.values()) == {"CANCELED"}


def test_a_run_that_has_not_begun_has_no_open_group():
    world = World(guarded())
    world.tell(WITH_EXITS)
    assert world.outcome == "CANCELED"
    assert world.states == {}


def test_an_exit_task_that_runs_already_goes_on():
    world = World(guarded(), results={"exit": None, "report": None}).run()
    assert world.states["exit"] == "RUNNING"
    world.tell(WITH_EXITS)
    assert world.states["exit"] == "RUNNING"
    assert world.states["report"] == "CANCELED"
    world.tell(f.AttemptEnded("exit", 1, succeeded()))
    assert world.outcome == "CANCELED"
    assert world.states["exit"] == "SUCCEEDED"


def test_an_exit_task_that_hangs_is_ended_by_a_second_terminate():
    world = working(guarded(), exit=None)
    world.tell(WITH_EXITS)
    world.run()
    assert world.outcome == "CANCELING"
    assert world.states["exit"] == "RUNNING"
    world.reload()  # a takeover changes nothing: exit tasks still run
    assert world.state.header.exit_tasks
    assert not [one for one in world.commands if isinstance(one, c.CancelAttempt)]
    world.tell(WITH_EXITS)
    assert world.states["exit"] == "RUNNING"
    world.tell(f.TerminateRequested())
    world.run()
    assert world.outcome == "CANCELED"
    assert world.states["exit"] == "CANCELED"


def test_a_terminate_without_exit_tasks_is_not_softened():
    world = working(guarded())
    world.tell(f.TerminateRequested(), WITH_EXITS)
    world.run()
    assert world.outcome == "CANCELED"
    assert world.states["exit"] == "CANCELED"


def test_exit_tasks_of_inner_groups_run_if_the_group_was_open():
    body = dag().task("work", STEP)
    body.task("tidy", STEP, after=["work"], on_completion=True)
    flow = pipeline().task("open", body)
    closed = dag().task("never", STEP)
    closed.task("tidy", STEP, after=["never"], on_completion=True)
    flow.task("closed", closed, after=["open"])
    flow.task("exit", TOLD, {"status": final_status("open")}, after=["open"], on_completion=True)
    world = World(flow, results={"open/work": None}).run()
    world.tell(WITH_EXITS)
    world.run()
    assert world.outcome == "CANCELED"
    assert world.states["open/tidy"] == world.states["exit"] == "SUCCEEDED"
    assert world.states["closed"] == world.states["open"] == "CANCELED"
    assert "closed/tidy" not in world.states
    assert json.loads(world.launches["exit#1"].parameters["status"])["state"] == "CANCELLED"


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (lost(), "CANCELED"),
        (preempted(), "CANCELED"),
        (preempted(ev.ATTEMPT_FAILED), "CANCELED"),
        (failed(kind=ev.INFRASTRUCTURE), "CANCELED"),
        (failed(), "FAILED"),
    ],
)
def test_an_attempt_that_ends_by_itself_while_the_run_is_ended(ended, state):
    """What the platform took away would have been tried again but for the end of the run; user code's failure is its own."""
    world = working(guarded())
    world.tell(f.TerminateRequested())
    world.tell(f.AttemptEnded("work", 1, ended))
    world.run()
    assert world.outcome == "CANCELED"
    assert world.states["work"] == state


def test_everything_inside_an_exit_task_runs():
    inside = dag().task("first", STEP).task("second", STEP, after=["first"])
    flow = pipeline().task("work", STEP).task("exit", inside, after=["work"], on_completion=True)
    world = working(flow)
    world.tell(WITH_EXITS)
    world.run()
    assert world.outcome == "CANCELED"
    assert world.states["exit/first"] == world.states["exit/second"] == world.states["exit"] == "SUCCEEDED"


def test_exit_tasks_that_were_not_created_yet_are():
    flow = pipeline()
    for number in range(2100):  # more than one step may create
        flow.task(f"work-{number:04}", STEP)
    flow.task("z-exit", STEP, after=["work-0000"], on_completion=True)
    world = World(flow)
    world.take()
    assert "z-exit" not in world.states
    world.tell(WITH_EXITS)
    world.run()
    assert world.outcome == "CANCELED"
    assert world.states["z-exit"] == "SUCCEEDED"
    assert sum(state == "CANCELED" for state in world.states.values()) == 2100


def test_an_exit_task_is_tried_again_as_its_policy_says():
    flow = pipeline().task("work", STEP)
    flow.task("exit", STEP, after=["work"], on_completion=True, retry={"maxRetryCount": 1, "backoffDuration": "0s"})
    world = World(flow, results={"work": None, "exit#1": failed()}).run()
    world.tell(WITH_EXITS)
    world.run()
    assert world.outcome == "CANCELED"
    assert world.states["exit"] == "SUCCEEDED"
    assert [one.attempt for one in world.events if one.HasField("attempt_started") and one.path == "exit"] == [1, 2]


def test_a_history_tells_the_two_terminates_apart():
    world = working(guarded(), exit=None)
    world.tell(WITH_EXITS)
    world.run()
    world.tell(f.TerminateRequested())
    told = [one.run_terminating.run_exit_tasks for one in world.events if one.HasField("run_terminating")]
    assert told == [True, False]
    assert ev.RunState.Name(world.state.state) == "RUN_CANCELING"


def test_a_run_that_was_ended_before_it_began_has_its_inputs_when_it_is_retried():
    taking = container(inputs={"x": "STRING"}, outputs={"Output": "STRING"})
    flow = pipeline().input("x", "STRING", default="as declared").task("work", taking, {"x": dag_input("x")})
    world = World(flow)
    world.tell(f.TerminateRequested())
    assert world.outcome == "CANCELED"
    world.tell(f.RetryRequested())
    assert world.run().outcome == "SUCCEEDED"
    assert world.launches["work#1"].parameters["x"] == '"as declared"'
