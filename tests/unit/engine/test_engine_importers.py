"""Importers in the engine: URI and metadata from any source, conditions, loops, and trying again."""

from __future__ import annotations

import json

from builders.specs import container, dag, dag_input, importer, output, pipeline
from builders.worlds import SECOND, START_US, World, succeeded
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine import facts as f

MAKE = container(outputs={"Output": "STRING"})
DATA = {"uri": "file:///data"}
WITH_RETRY = {"maxRetryCount": 2, "backoffDuration": "10s", "backoffFactor": 2.0}


def imports(world: World) -> dict[str, c.Import]:
    return {one.path: one for one in world.commands if isinstance(one, c.Import)}


def rest(world: World) -> None:
    """Let time pass until an importer asks again."""
    while not imports(world):
        commands, world.commands = world.commands, []
        assert world.pass_time(commands)


def asked(world: World) -> list[c.Import]:
    """Run it, keeping what importers ask for."""
    found: list[c.Import] = []
    answer = world.answer
    world.answer = lambda one: (found.append(one) if isinstance(one, c.Import) else None) or answer(one)  # type: ignore[method-assign]
    world.run()
    return found


def test_the_uri_may_come_from_another_task_and_metadata_from_inputs_at_any_depth():
    metadata = {"by": "{{$.inputs.parameters['who']}}", "deep": {"list": ["{{$.inputs.parameters['n']}}", 1]}}
    get = importer(metadata=metadata).input("who").input("n", "NUMBER_INTEGER")
    flow = pipeline().input("who").task("make", MAKE)
    flow.task("get", get, {"uri": output("make"), "who": dag_input("who"), "n": 3})
    world = World(flow, {"who": "me"}, results={"make": succeeded({"Output": "s3://b/k"})})
    (one,) = asked(world)
    assert (one.uri, one.output, one.namespace, one.pipeline_name) == ("s3://b/k", "artifact", "default", "pipeline")
    assert json.loads(one.metadata_json) == {"by": "me", "deep": {"list": [3, 1]}}


def test_each_item_of_a_loop_is_imported():
    flow = pipeline().task("get", importer(), items='["s3://b/1","s3://b/2"]', item="uri")
    assert [one.uri for one in asked(World(flow))] == ["s3://b/1", "s3://b/2"]


def test_an_importer_with_a_false_condition_is_skipped():
    flow = pipeline().input("wanted", "BOOLEAN")
    get = importer().input("wanted", "BOOLEAN")
    when = "inputs.parameter_values['wanted'] == true"
    flow.task("get", get, {"uri": "s3://b/k", "wanted": dag_input("wanted")}, when=when)
    world = World(flow, {"wanted": False})
    assert asked(world) == []
    assert (world.outcome, world.states["get"]) == ("SUCCEEDED", "SKIPPED")
    assert World(flow, {"wanted": True}).run().states["get"] == "SUCCEEDED"


def test_an_import_that_fails_is_tried_again_after_its_pauses():
    flow = pipeline().task("get", importer(), DATA, retry=WITH_RETRY)
    world = World(flow)
    world.tell()
    for number in (1, 2):
        for _ in range(2):  # an answer that comes twice counts once
            world.tell(f.Imported("get", problem="nothing there", number=number))
        assert world.states["get"] == "RUNNING"
        assert world.rows.tasks["get"].waiting_on.cause == ev.BACKOFF
        world.reload()  # another replica goes on with the same numbers
        rest(world)
    assert world.now_us == START_US + 30 * SECOND
    assert imports(world)["get"].uri == "file:///data"
    world.tell(f.Imported("get", ev.Artifact(artifact_id="a", uri="file:///data"), number=3))
    assert (world.outcome, world.states["get"]) == ("SUCCEEDED", "SUCCEEDED")
    tries = [(one.attempt, one.attempt_finished.state) for one in world.events if one.HasField("attempt_finished")]
    assert tries == [(1, ev.ATTEMPT_FAILED), (2, ev.ATTEMPT_FAILED), (3, ev.ATTEMPT_SUCCEEDED)]


def test_an_import_gives_up_when_its_policy_has_no_more():
    group = dag().task("get", importer(), DATA)
    flow = pipeline().task("group", group, retry={"maxRetryCount": 1, "backoffDuration": "0s"})
    world = World(flow)
    world.tell()
    for number in (1, 2):
        world.tell(f.Imported("group/get", problem="nothing there", number=number))
    assert (world.outcome, world.error("group/get").message) == ("FAILED", "nothing there")


def test_a_run_that_is_terminated_tries_no_import_again():
    world = World(pipeline().task("get", importer(), DATA, retry=WITH_RETRY))
    world.tell()
    world.tell(f.Imported("get", problem="nothing there"))
    world.tell(f.TerminateRequested())
    assert (world.outcome, world.states["get"]) == ("CANCELED", "CANCELED")


def test_a_retry_of_the_run_imports_again():
    world = World(pipeline().task("get", importer(), DATA, retry=WITH_RETRY))
    world.tell()
    while world.outcome == "RUNNING":
        rest(world)
        number = imports(world)["get"].number
        world.commands.clear()
        world.tell(f.Imported("get", problem="nothing there", number=number))
    assert (world.outcome, world.rows.tasks["get"].attempts) == ("FAILED", 3)
    world.commands.clear()
    world.tell(f.RetryRequested())
    assert imports(world)["get"].number == 4
    world.tell(f.Imported("get", ev.Artifact(artifact_id="a", uri="file:///data"), number=4))
    assert world.outcome == "SUCCEEDED"
