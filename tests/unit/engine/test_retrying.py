"""Retrying a run: what runs again and what stands, parallelism limits, retries of more than one append, crashes in between."""

from __future__ import annotations

import json

import pytest

from builders.specs import container, dag, dag_input, final_status, output, pipeline
from builders.worlds import SECOND, World, failed, plan_of, succeeded, values
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import RunState, retrying
from headrace_scheduler.engine import facts as f

STEP = container(outputs={"Output": "STRING"})


def taking(**inputs: str):
    return container(inputs=inputs, outputs={"Output": "STRING"})


def retried(world: World, **results) -> World:
    """WORLD, retried: attempts come to RESULTS or end well."""
    world.results = results
    world.tell(f.RetryRequested())
    return world.run()


def launched_again(world: World, before: set[str]) -> set[str]:
    return set(world.launches) - before


def looped(count: int, *, limit: int = 0, whole: bool = True):
    body = dag({"item": "NUMBER_INTEGER"}).task("first", taking(x="NUMBER_INTEGER"), {"x": dag_input("item")})
    body.task("second", taking(x="STRING"), {"x": output("first")})
    items = json.dumps(list(range(count)))
    if not whole:
        return pipeline().task("loop", taking(item="NUMBER_INTEGER"), items=items, parallelism=limit)
    return pipeline().task("loop", body, items=items, parallelism=limit)


def test_siblings_that_succeeded_stand_and_attempts_are_numbered_on():
    flow = pipeline().task("a", STEP).task("b", STEP).task("c", STEP, after=["a", "b"])
    world = World(flow, results={"b": failed()}).run()
    assert world.states == {"a": "SUCCEEDED", "b": "FAILED", "c": "SKIPPED"}
    before = set(world.launches)
    retried(world)
    assert launched_again(world, before) == {"b#2", "c#1"}
    assert set(world.states.values()) == {"SUCCEEDED"}


def test_budgets_start_afresh():
    flow = pipeline().task("a", STEP, retry={"maxRetryCount": 1, "backoffDuration": "0s"})
    world = World(flow, results={"a": failed()}).run()
    assert set(world.launches) == {"a#1", "a#2"}
    retried(world, **{"a#3": failed()})
    assert world.outcome == "SUCCEEDED"
    assert set(world.launches) == {"a#1", "a#2", "a#3", "a#4"}


def test_cached_results_are_kept():
    flow = pipeline().task("a", STEP, cache=True).task("b", STEP, after=["a"])
    world = World(flow, results={"b": failed()}, hits={"a": values({"Output": "kept"})}, enable_cache=None).run()
    assert world.rows.tasks["a"].cached
    world.hits = {}
    retried(world)
    assert world.rows.tasks["a"].cached
    assert set(world.launches) == {"b#1", "b#2"}


def test_an_exit_task_that_ran_because_of_the_failure_runs_again():
    flow = pipeline().task("work", STEP)
    told = container(inputs={"status": "TASK_FINAL_STATUS"})
    flow.task("exit", told, {"status": final_status("work")}, after=["work"], on_completion=True)
    world = World(flow, results={"work": failed()}).run()
    retried(world)
    assert world.outcome == "SUCCEEDED"
    states = [json.loads(world.launches[one].parameters["status"])["state"] for one in ("exit#1", "exit#2")]
    assert states == ["FAILED", "SUCCEEDED"]


@pytest.mark.parametrize("whole", [True, False])
def test_of_a_loop_only_what_failed_runs_again(whole):
    leaf = "loop[{}]/second" if whole else "loop[{}]"
    world = World(looped(5, whole=whole), results={leaf.format(1): failed(), leaf.format(3): failed()}).run()
    before = set(world.launches)
    retried(world)
    assert launched_again(world, before) == {f"{leaf.format(1)}#2", f"{leaf.format(3)}#2"}
    assert world.outcome == "SUCCEEDED"


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("whole", [True, False])
def test_a_parallelism_limit_holds_for_iterations_that_run_again(whole, crashes):
    leaf = "second" if whole else ""
    bad = {f"loop[{number}]/{leaf}".rstrip("/"): failed() for number in range(1, 7)}
    world = World(looped(8, limit=2, whole=whole), results=bad).run()
    assert world.outcome == "FAILED"
    at_work: list[int] = []

    def count(launch):
        at_work.append(len(world.state.in_flight()))
        return world_behaviour(launch)

    world_behaviour, world.behaviour, world.results = world.behaviour, count, {}
    world.tell(f.RetryRequested())
    waiting = world.rows.tasks["loop"].waiting_on
    assert (waiting.cause, waiting.detail) == (ev.PARALLELISM, "at most 2 of 8 iterations run at a time")
    while not world.state.is_terminal:
        if crashes:
            world.reload()
            world.tell()
        commands, world.commands = world.commands, []
        for command in commands:
            world.now_us += 1000
            world.tell(*world.answer(command))
        assert len(world.state.in_flight()) <= 2
    assert world.outcome == "SUCCEEDED"
    assert max(at_work) == 2
    assert {one for one in world.launches if one.endswith("#2")} == {f"{path}#2" for path in bad}
    assert world.states["loop"] == "SUCCEEDED"


def test_a_terminate_ends_iterations_that_wait_for_their_turn():
    bad = {f"loop[{number}]": failed() for number in range(6)}
    world = World(looped(6, limit=2, whole=False), results=bad).run()
    world.results = {f"loop[{number}]": None for number in range(6)}
    world.tell(f.RetryRequested())
    world.run()
    assert len(world.state.in_flight()) == 2
    world.tell(f.TerminateRequested())
    world.run()
    assert world.outcome == "CANCELED"
    assert set(world.states.values()) == {"CANCELED"}
    retried(world)
    assert world.outcome == "SUCCEEDED"


# ---- more resets than one append may carry

MANY = 250
PART = 200  # events


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Appends small enough for a test."""
    monkeypatch.setattr(retrying, "BUDGET", PART)


def failed_loop() -> World:
    body = dag({"item": "NUMBER_INTEGER"}).task("work", taking(x="NUMBER_INTEGER"), {"x": dag_input("item")})
    flow = pipeline().task("loop", body, items=json.dumps(list(range(MANY))))
    flow.task("after", STEP, after=["loop"], on_completion=True)
    return World(flow, behaviour=lambda launch: failed()).run()


@pytest.mark.usefixtures("parts")
def test_a_big_retry_comes_in_several_appends_and_survives_a_crash_between_them():
    world = failed_loop()
    assert world.outcome == "FAILED"
    taken = world.take(f.RetryRequested())
    assert taken.more
    assert len(taken.events) == PART
    assert not taken.commands
    assert world.rows.run.resetting
    world.state = RunState.load(world.plan, world.rows.snapshot())
    for _ in range(5):
        taken = world.take()
        assert not taken.more or len(taken.events) == PART
        if not world.rows.run.resetting:
            break
    assert not world.rows.run.resetting
    told = [one.run_retried.more for one in world.events if one.HasField("run_retried")]
    assert told == [True, False]
    resets = [one.path for one in world.events if one.HasField("task_reset")]
    assert len(resets) == len(set(resets)) == 2 * MANY + 2
    assert {ev.TaskState.Name(one.state) for one in world.rows.tasks.values()} <= {"TASK_PENDING", "TASK_RUNNING"}


@pytest.mark.usefixtures("parts")
def test_a_terminate_between_two_parts_of_a_retry_ends_the_run():
    world = failed_loop()
    world.take(f.RetryRequested())
    world.tell(f.TerminateRequested())
    world.run()
    assert world.outcome == "CANCELED"
    assert not world.rows.run.resetting
    assert set(world.states.values()) == {"FAILED", "CANCELED"}


# ---- time


def test_the_deadline_counts_from_the_retry_also_after_a_takeover():
    plan = plan_of(pipeline().task("a", STEP))
    plan.config.active_deadline_seconds = 100
    world = World(plan, results={"a": failed()}).run()
    world.now_us += 1000 * SECOND
    world.results = {"a": None}
    at = world.now_us
    world.tell(f.RetryRequested())
    world.run()
    assert world.outcome == "RUNNING"
    assert world.state.deadline_us() == at + 100 * SECOND
    world.reload()
    assert world.state.deadline_us() == at + 100 * SECOND
    world.now_us = at + 100 * SECOND
    world.tell()
    world.run()
    assert world.outcome == "FAILED"
    assert world.error().reason == "DeadlineExceeded"


# ---- groups that ended well after something that failed


def exit_group():
    """work, then whatever became of it a group: first → second, and a loop over what first put out."""
    each = dag({"item": "STRING"}).task("deep", taking(x="STRING"), {"x": dag_input("item")})
    inside = dag({"given": "LIST"}).task("first", STEP).task("second", STEP, after=["first"])
    inside.task("each", each, {"given": dag_input("given")}, over="given", item="item")
    each.input("given", "LIST")
    flow = pipeline().task("work", container(outputs={"Output": "LIST"}))
    maker = container(inputs={"items": "LIST"}, outputs={"Output": "LIST"})
    maker.inputs["items"]["isOptional"] = True
    flow.task("tidy", maker, {"items": output("work")}, after=["work"], on_completion=True)
    return flow.task("exit", inside, {"given": output("tidy")}, after=["tidy", "work"], on_completion=True)


def items_of(count: int):
    return succeeded({"Output": [f"v{number}" for number in range(count)]})


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("count", [0, 2, 5])
def test_an_exit_task_that_is_a_group_runs_again_whole(count, crashes):
    """Its loop has as many items as before, fewer or more."""
    world = World(exit_group(), results={"work": failed(), "tidy": items_of(3)}).run()
    assert world.outcome == "FAILED"
    assert world.states["exit"] == world.states["exit/each[2]/deep"] == "SUCCEEDED"
    world.results = {"work": items_of(1), "tidy": items_of(count)}
    before = set(world.launches)
    world.tell(f.RetryRequested())
    while crashes and not world.state.is_terminal:
        world.reload()
        world.tell()
        commands, world.commands = world.commands, []
        for command in commands:
            world.now_us += 1000
            world.tell(*world.answer(command))
    world.run()
    assert world.outcome == "SUCCEEDED"
    again = launched_again(world, before)
    deep = {f"exit/each[{number}]/deep#{2 if number < 3 else 1}" for number in range(count)}
    assert again == {"work#2", "tidy#2", "exit/first#2", "exit/second#2"} | deep
    for number in range(count, 3):
        assert world.states[f"exit/each[{number}]"] == world.states[f"exit/each[{number}]/deep"] == "SKIPPED"
    assert world.rows.tasks["exit/each"].iteration_count == count
    assert set(world.states.values()) <= {"SUCCEEDED", "SKIPPED"}


def test_a_group_that_does_not_open_again_leaves_nothing_open():
    inside = dag().task("first", STEP)
    told = dag({"status": "TASK_FINAL_STATUS"}).task("again", inside)
    flow = pipeline().task("work", STEP)
    flow.task(
        "exit",
        told,
        {"status": final_status("work")},
        after=["work"],
        on_completion=True,
        when="inputs.parameter_values['status'].state == 'FAILED'",
    )
    world = World(flow, results={"work": failed()}).run()
    assert world.states["exit/again/first"] == "SUCCEEDED"
    retried(world)
    assert world.outcome == "SUCCEEDED"
    assert {path: state for path, state in world.states.items() if path != "work"} == {
        "exit": "SKIPPED",
        "exit/again": "SKIPPED",
        "exit/again/first": "SKIPPED",
    }


def test_a_group_that_failed_takes_its_inputs_again_where_something_before_it_runs_again():
    body = dag({"x": "STRING"}).task("use", taking(x="STRING"), {"x": dag_input("x")}).task("bad", STEP)
    body.inputs["x"]["isOptional"] = True
    body.inputs["x"]["defaultValue"] = "none"
    flow = pipeline().task("work", STEP).task("group", body, {"x": output("work")}, on_completion=True)
    world = World(flow, results={"work": failed(), "group/bad": failed()}).run()
    assert json.loads(world.launches["group/use#1"].parameters["x"]) == "none"
    retried(world, work=succeeded({"Output": "made"}))
    assert world.outcome == "SUCCEEDED"
    assert json.loads(world.launches["group/use#2"].parameters["x"]) == "made"
    assert "group/bad#2" in world.launches


def test_a_terminate_ends_a_group_that_was_put_back_and_what_is_in_it():
    world = World(exit_group(), results={"work": failed(), "tidy": items_of(2)}).run()
    world.results = {"work": None}
    world.tell(f.RetryRequested())
    world.run()
    assert world.states["exit"] == world.states["exit/each[1]/deep"] == "PENDING"
    world.tell(f.TerminateRequested())
    world.run()
    assert world.outcome == "CANCELED"
    assert set(world.states.values()) == {"CANCELED"}
    retried(world, work=items_of(1), tidy=items_of(1))
    assert world.outcome == "SUCCEEDED"
    assert world.states["exit/each[1]/deep"] == "SKIPPED"
    assert "exit/each[0]/deep#2" in world.launches


@pytest.mark.usefixtures("parts")
def test_a_group_is_put_back_in_parts_and_survives_a_crash_between_them():
    body = dag({"item": "NUMBER_INTEGER"}).task("work", taking(x="NUMBER_INTEGER"), {"x": dag_input("item")})
    inside = dag().task("loop", body, items=json.dumps(list(range(MANY)))).task("after", STEP, after=["loop"])
    flow = pipeline().task("work", STEP).task("exit", inside, after=["work"], on_completion=True)
    world = World(flow, results={"work": failed()}).run()
    assert world.states["exit"] == "SUCCEEDED"
    world.results = {}
    world.reload()
    assert world.take(f.RetryRequested()).more
    while world.rows.run.resetting:
        world.reload()
        assert len(world.take().events) <= PART + 2100
    world.run()
    assert world.outcome == "SUCCEEDED"
    resets = [one.path for one in world.events if one.HasField("task_reset")]
    assert len(resets) == len(set(resets)) == 2 * MANY + 4
    assert {one.attempts for path, one in world.rows.tasks.items() if path.endswith("work")} == {2}


def test_a_group_that_was_put_back_and_did_not_open_is_put_back_again():
    """In the first retry the loop has no list to go over; in the second it has."""
    body = dag({"item": "STRING"}).task("use", taking(x="STRING"), {"x": dag_input("item")}).input("given", "LIST")
    flow = pipeline().task("work", STEP)
    flow.task("make", container(outputs={"Output": "LIST"}), after=["work"], on_completion=True)
    flow.task("loop", body, {"given": output("make")}, over="given", after=["work"], on_completion=True)
    world = World(flow, results={"work": failed(), "make": items_of(2)}).run()
    assert world.states["loop[1]/use"] == "SUCCEEDED"
    retried(world, work=failed(), make=failed())
    states = {path: state for path, state in world.states.items() if path.startswith("loop")}
    assert states.pop("loop") == "FAILED"
    assert set(states.values()) == {"SKIPPED"}
    assert len(states) == 4
    retried(world, make=items_of(2))
    assert world.outcome == "SUCCEEDED"
    assert set(world.states.values()) == {"SUCCEEDED"}
    assert "loop[0]/use#2" in world.launches
