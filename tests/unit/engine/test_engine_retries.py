"""Retries as the policy says them (kfp-semantics 6.4): a cap for each wait, fractions, fresh folders, whose policy counts."""

from __future__ import annotations

import pytest

from builders.specs import container, dag, pipeline
from builders.worlds import SECOND, World, failed
from headrace_protos.v1 import events_pb2 as ev

STEP = container(outputs={"Output": "STRING"})


def waits(world: World, path: str = "a") -> list[float]:
    """The pauses between a task's attempts, in seconds."""
    finished = [one for one in world.events if one.HasField("attempt_finished") and one.path == path]
    return [(one.attempt_finished.retry_at_us - one.time_us) / SECOND for one in finished[:-1]]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"maxRetryCount": 2}, [0.0, 0.0]),
        ({"maxRetryCount": 2, "backoffDuration": "10s"}, [10.0, 20.0]),  # the factor is 2 where none is given
        ({"maxRetryCount": 3, "backoffDuration": "0.25s", "backoffFactor": 1.5}, [0.25, 0.375, 0.5625]),
        ({"maxRetryCount": 3, "backoffDuration": "10s", "backoffMaxDuration": "15s"}, [10.0, 15.0, 15.0]),
        ({"maxRetryCount": 2, "backoffDuration": "3000s"}, [3000.0, 3600.0]),  # the cap is an hour where none is given
        ({"maxRetryCount": 2, "backoffDuration": "8s", "backoffFactor": 0.5}, [8.0, 4.0]),
    ],
)
def test_each_wait_is_capped_by_itself(policy, expected):
    world = World(pipeline().task("a", STEP, retry=policy), results={"a": failed()}).run()
    assert waits(world) == pytest.approx(expected)
    assert world.states["a"] == "FAILED"


def test_each_attempt_publishes_to_a_folder_of_its_own():
    world = World(
        pipeline().task("a", STEP, retry={"maxRetryCount": 2}), results={"a#1": failed(), "a#2": failed()}
    ).run()
    roots = [world.launches[f"a#{number}"].task_root for number in (1, 2, 3)]
    assert world.outcome == "SUCCEEDED"
    assert len(set(roots)) == 3
    assert [root.rpartition("/")[2] for root in roots] == ["1", "2", "3"]


def test_tasks_of_one_component_keep_their_own_policies():
    flow = pipeline().task("a", STEP, retry={"maxRetryCount": 1}).task("b", STEP, retry={"maxRetryCount": 3})
    world = World(flow.task("c", STEP), results={"a": failed(), "b": failed(), "c": failed()}).run()
    attempts = {path: world.rows.tasks[path].attempts for path in ("a", "b", "c")}
    assert attempts == {"a": 2, "b": 4, "c": 1}


def test_the_nearest_policy_counts():
    inner = dag().task("own", STEP, retry={"maxRetryCount": 0}).task("inherits", STEP)
    outer = dag().task("inner", inner, retry={"maxRetryCount": 2}).task("from-outer", STEP)
    flow = pipeline().task("outer", outer, retry={"maxRetryCount": 1})
    world = World(flow, behaviour=lambda launch: failed()).run()
    attempts = {path: row.attempts for path, row in world.rows.tasks.items() if row.attempts}
    assert attempts == {"outer/inner/own": 1, "outer/inner/inherits": 3, "outer/from-outer": 2}


def test_every_iteration_has_its_own_budget():
    body = dag({"item": "STRING"}).task("a", STEP)
    flow = pipeline().task("loop", body, items='["x","y"]', retry={"maxRetryCount": 1})
    results = {"loop[0]/a#1": failed(), "loop[1]/a": failed()}
    world = World(flow, results=results).run()
    assert {path: world.rows.tasks[path].attempts for path in ("loop[0]/a", "loop[1]/a")} == {
        "loop[0]/a": 2,
        "loop[1]/a": 2,
    }
    assert world.states["loop[0]/a"] == "SUCCEEDED"


def test_a_first_attempt_that_took_hours_is_tried_again():
    world = World(pipeline().task("a", STEP, retry={"maxRetryCount": 1}), results={"a#1": None})
    world.tell()
    for command in list(world.commands):
        world.tell(*world.answer(command))
    start = next(one for one in world.commands if hasattr(one, "launch"))
    world.tell(*world.answer(start))
    world.now_us += 3 * 3600 * SECOND
    world.commands.clear()
    world.tell(world.end(start, failed()))
    assert world.rows.tasks["a"].state == ev.TASK_RUNNING
    assert world.run().outcome == "SUCCEEDED"
