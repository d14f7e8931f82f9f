"""Resuming: what of an origin is linked and what runs, for each thing that may have changed between the two runs."""

from __future__ import annotations

import json

import pytest

from builders.specs import artifact, artifact_input, container, dag, dag_input, final_status, importer, output, pipeline
from builders.worlds import ORIGIN_ID, World, failed, succeeded, values
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import commands as c
from headrace_scheduler.engine import facts as f

STEP = container(outputs={"Output": "STRING"})


def taking(image: str = "python:3.11", **inputs: str):
    return container(image=image, inputs=inputs, outputs={"Output": "STRING"})


def chain(image: str = "python:3.11", x: str = "one"):
    """load → train → report, and aside."""
    flow = pipeline().input("x", "STRING").task("load", taking(x="STRING"), {"x": dag_input("x")})
    flow.task("train", taking(image, data="STRING"), {"data": output("load")})
    flow.task("report", taking(model="STRING"), {"model": output("train")})
    return flow.task("aside", STEP)


def resumed(origin: World, flow=None, *again: str, inputs=None, **fields) -> World:
    """The run that resumes ORIGIN, at its end."""
    flow = origin.flow if flow is None else flow
    given = origin.inputs if inputs is None else inputs
    return World(flow, inputs=given, origin=origin.as_origin(*again), **fields).run()


def ran(world: World) -> set[str]:
    return {name.partition("#")[0] for name in world.launches}


@pytest.fixture
def broken() -> World:
    """chain() whose train has failed."""
    world = World(chain(), inputs={"x": "one"}, results={"train": failed()}).run()
    assert world.outcome == "FAILED"
    return world


def test_only_what_did_not_succeed_runs(broken):
    world = resumed(broken)
    assert world.outcome == "SUCCEEDED"
    assert world.linked() == {"load", "aside"}
    assert ran(world) == {"train", "report"}
    assert world.outputs("load") == broken.outputs("load")
    assert not [one for one in world.events if one.path == "load" and one.WhichOneof("kind").startswith("attempt")]
    ends = [one.task_finished for one in world.events if one.path == "load" and one.HasField("task_finished")]
    assert [one.linked_from for one in ends] == [f"{ORIGIN_ID}/load"]
    assert json.loads(world.launches["train#1"].parameters["data"]) == broken.outputs("load")["Output"]


def test_nothing_of_a_run_that_succeeded_runs_again():
    origin = World(chain(), inputs={"x": "one"}).run()
    world = resumed(origin)
    assert world.outcome == "SUCCEEDED"
    assert ran(world) == set()
    assert world.linked() == set(world.states)


def test_a_linked_task_never_asks_the_cache(broken):
    world = World(chain(), inputs={"x": "one"}, origin=broken.as_origin(), enable_cache=True)
    world.tell()
    asked = {one.path for one in world.commands if isinstance(one, c.AskCache)}
    assert asked == {"train"}
    settled = {one.path for one in world.run().commands if isinstance(one, (c.CommitCache, c.ReleaseCache))}
    assert not settled & world.linked()


def test_a_task_that_is_named_runs_whatever_the_cache_has():
    origin = World(chain(), inputs={"x": "one"}, enable_cache=True).run()
    world = World(chain(), inputs={"x": "one"}, origin=origin.as_origin("train"), enable_cache=True)
    world.hits = {path: values({"Output": "cached"}) for path in ("load", "train", "report")}
    world.run()
    assert ran(world) == {"train"}
    assert world.linked() == {"load", "aside"}
    assert world.rows.tasks["report"].cached
    settled = {one.path for one in world.commands if isinstance(one, (c.CommitCache, c.ReleaseCache))}
    assert "train" not in settled


def test_a_new_image_runs_from_there_on(broken):
    origin = World(chain(), inputs={"x": "one"}).run()
    world = resumed(origin, chain(image="python:3.12"))
    assert ran(world) == {"train", "report"}
    assert world.linked() == {"load", "aside"}


def test_what_comes_after_a_task_that_ran_again_runs_though_its_inputs_are_equal():
    origin = World(chain(), inputs={"x": "one"}).run()
    world = resumed(origin, None, "train")
    assert world.outputs("train") == origin.outputs("train")
    assert ran(world) == {"train", "report"}


def test_a_new_parameter_runs_what_takes_it_and_what_follows():
    origin = World(chain(), inputs={"x": "one"}).run()
    world = resumed(origin, inputs={"x": "two"})
    assert ran(world) == {"load", "train", "report"}
    assert world.linked() == {"aside"}


@pytest.mark.parametrize(("before", "after"), [("1", "true"), ("1", '"1"'), ("[1,2]", "[2,1]"), ("null", "false")])
def test_inputs_are_equal_by_value_and_type(before, after):
    def flow(text):
        return pipeline().task("a", taking(x="STRUCT"), {"x": {"v": json.loads(text)}})

    assert ran(resumed(World(flow(before)).run(), flow(after))) == {"a"}
    assert ran(resumed(World(flow(before)).run(), flow(before))) == set()


def test_the_order_of_keys_is_no_change():
    def flow(value):
        return pipeline().task("a", taking(x="STRUCT"), {"x": value})

    origin = World(flow({"a": 1, "b": [2]})).run()
    assert ran(resumed(origin, flow({"b": [2], "a": 1}))) == set()


def test_a_task_of_another_place_or_a_new_one_runs():
    origin = World(pipeline().task("a", STEP)).run()
    world = resumed(origin, pipeline().task("b", STEP).task("a", STEP))
    assert ran(world) == {"b"}
    assert world.linked() == {"a"}


def test_a_condition_is_decided_anew_and_is_not_of_the_definition():
    def flow(condition):
        return pipeline().task("a", STEP).task("b", STEP, when=condition)

    origin = World(flow("true")).run()
    world = resumed(origin, flow("1 == 1"))
    assert ran(world) == set()
    world = resumed(origin, flow("false"))
    assert world.states["b"] == "SKIPPED"
    assert "b" not in world.linked()


def test_a_task_that_was_skipped_there_and_here_changes_nothing_after_it():
    def flow():
        made = pipeline().task("maybe", STEP, when="false")
        return made.task("after", STEP, after=["maybe"], on_completion=True)

    world = resumed(World(flow()).run(), flow())
    assert world.states == {"maybe": "SKIPPED", "after": "SUCCEEDED"}
    assert world.linked() == {"after"}


def test_a_task_that_ignored_a_failure_runs_after_it():
    flow = pipeline().task("a", STEP).task("b", STEP, after=["a"], on_completion=True)
    origin = World(flow, results={"a": failed()}).run()
    assert origin.states["b"] == "SUCCEEDED"
    world = resumed(origin)
    assert ran(world) == {"a", "b"}


def test_an_exit_task_of_a_run_in_which_nothing_changed_is_linked():
    flow = pipeline().task("work", STEP)
    told = container(inputs={"status": "TASK_FINAL_STATUS"})
    flow.task("exit", told, {"status": final_status("work")}, after=["work"], on_completion=True)
    origin = World(flow).run()
    assert ran(resumed(origin)) == set()
    assert ran(resumed(origin, None, "work")) == {"work", "exit"}


def test_importers_are_linked_too():
    flow = pipeline().task("get", importer("s3://bucket/data"), {"uri": "s3://bucket/data"})
    flow.task("use", container(input_artifacts={"data": "system.Dataset"}), {"data": artifact("get")})
    origin = World(flow).run()
    world = resumed(origin)
    assert world.linked() == {"get", "use"}
    assert not [one for one in world.commands if isinstance(one, c.Import)]


# ---- groups and loops


def looped(items, image="python:3.11"):
    body = dag({"item": "STRING"}).task("first", taking(item="STRING"), {"item": dag_input("item")})
    body.task("second", taking(image, x="STRING"), {"x": output("first")})
    return pipeline().task("loop", body, items=json.dumps(items)).task("after", STEP, after=["loop"])


def test_only_the_iterations_that_failed_run():
    origin = World(looped(["a", "b", "c"]), results={"loop[1]/second": failed()}).run()
    world = resumed(origin)
    assert world.outcome == "SUCCEEDED"
    assert ran(world) == {"loop[1]/second", "after"}
    assert {"loop[0]", "loop[2]", "loop[0]/second", "loop[1]/first"} <= world.linked()
    assert not {"loop", "loop[1]", "after"} & world.linked()


def test_a_loop_that_is_linked_whole_shows_all_its_tasks():
    origin = World(looped(["a", "b"])).run()
    world = resumed(origin)
    assert world.linked() == set(world.states) == set(origin.states)
    assert world.outputs() == origin.outputs()


@pytest.mark.parametrize(
    ("again", "runs"),
    [
        (["loop[0]/second"], {"loop[0]/second", "after"}),
        (["loop[1]"], {"loop[1]/first", "loop[1]/second", "after"}),
        (["loop/second"], {"loop[0]/second", "loop[1]/second", "after"}),
        (["loop"], {"loop[0]/first", "loop[0]/second", "loop[1]/first", "loop[1]/second", "after"}),
        (["after", "loop[1]/second"], {"loop[1]/second", "after"}),
        (["after"], {"after"}),
    ],
)
def test_from_any_task_or_loop_item_on(again, runs):
    origin = World(looped(["a", "b"])).run()
    assert ran(resumed(origin, None, *again)) == runs


def test_more_items_run_and_so_does_what_follows_the_loop():
    origin = World(looped(["a", "b"])).run()
    world = resumed(origin, looped(["a", "b", "c"]))
    assert ran(world) == {"loop[2]/first", "loop[2]/second", "after"}


def test_fewer_items_are_a_change_of_the_loop():
    origin = World(looped(["a", "b"])).run()
    world = resumed(origin, looped(["a"]))
    assert ran(world) == {"after"}
    assert {"loop[0]", "loop[0]/first"} <= world.linked()


def test_a_group_whose_upstream_ran_again_runs_whole():
    body = dag().task("inner", STEP)
    flow = pipeline().task("a", STEP).task("group", body, after=["a"])
    origin = World(flow).run()
    assert ran(resumed(origin, None, "a")) == {"a", "group/inner"}
    assert resumed(origin).linked() == {"a", "group", "group/inner"}


def test_a_group_with_one_task_less_is_changed():
    def flow(*keys):
        body = dag()
        for key in keys:
            body.task(key, STEP)
        return pipeline().task("group", body).task("after", STEP, after=["group"])

    world = resumed(World(flow("one", "two")).run(), flow("one"))
    assert ran(world) == {"after"}
    assert world.linked() == {"group/one"}


# ---- chains of runs, crashes, retries


def test_results_are_told_to_be_those_of_the_run_that_made_them(broken):
    second = World(chain(), inputs={"x": "one"}, origin=broken.as_origin(), results={"report": failed()}).run()
    third = resumed(second)
    ends = {one.path: one.task_finished.linked_from for one in third.events if one.HasField("task_finished")}
    assert ends == {
        "load": f"{ORIGIN_ID}/load",
        "aside": f"{ORIGIN_ID}/aside",
        "train": f"{ORIGIN_ID}/train",
        "report": "",
    }


def test_links_are_events_and_survive_every_crash():
    origin = World(looped(["a", "b", "c"]), results={"loop[2]/first": failed()}).run()
    world = World(origin.flow, origin=origin.as_origin())
    while not world.state.is_terminal:
        world.reload()
        world.tell()
        commands, world.commands = world.commands, []
        for command in commands:
            world.now_us += 1000
            world.tell(*world.answer(command))
    assert world.outcome == "SUCCEEDED"
    assert ran(world) == {"loop[2]/first", "loop[2]/second", "after"}


def test_what_was_linked_stands_though_the_origin_is_gone(broken):
    world = World(chain(), inputs={"x": "one"}, origin=broken.as_origin(), results={"train": None}).run()
    world.origin = None  # deleted
    world.results = {}
    world.reload()
    world.tell(f.AttemptEnded("train", 1, succeeded({"Output": "model"})))
    world.run()
    assert world.outcome == "SUCCEEDED"
    assert world.linked() == {"load", "aside"}
    assert "load#1" not in world.launches


def test_a_resumed_run_that_was_cut_short_links_on_when_it_is_retried():
    origin = World(looped(["a", "b"])).run()
    world = World(origin.flow, origin=origin.as_origin("loop[0]"), results={"loop[0]/first": None}).run()
    world.tell(f.TerminateRequested())
    world.run()
    assert world.outcome == "CANCELED"
    world.results = {}
    world.tell(f.RetryRequested())
    world.run()
    assert world.outcome == "SUCCEEDED"
    assert {"loop[1]", "loop[1]/first"} <= world.linked()
    assert ev.TaskState.Name(world.rows.tasks["loop[0]/first"].state) == "TASK_SUCCEEDED"
    assert "loop[0]/first#2" in world.launches


# ---- what a definition is made of


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ({"command": ["echo"]}, {"command": ["echo"]}, False),
        ({"command": ["echo"]}, {"command": ["true"]}, True),
        ({}, {"args": ["more"]}, True),
        ({}, {"env": {"A": "1"}}, True),
        ({}, {"resources": {"resourceCpuLimit": "2"}}, True),
        ({}, {"outputs": {"Output": "STRING", "More": "STRING"}}, True),
        ({}, {"kubernetes": {"imagePullPolicy": "Always"}}, True),
    ],
)
def test_a_change_of_the_definition_runs_the_task_again(before, after, again):
    def flow(**settings):
        return pipeline().task("a", container(**{"outputs": {"Output": "STRING"}, **settings}))

    assert ran(resumed(World(flow(**before)).run(), flow(**after))) == ({"a"} if again else set())


def test_retries_caching_and_order_are_not_of_the_definition():
    origin = World(pipeline().task("a", STEP).task("b", STEP)).run()
    flow = pipeline().task("b", STEP, cache=True, retry={"maxRetryCount": 3}).task("a", STEP, after=["b"])
    assert ran(resumed(origin, flow)) == set()


def test_a_platform_setting_that_takes_another_value_runs_the_task_again():
    secret = {"secretAsEnv": [{"secretNameParameter": {"componentInputParameter": "secret"}, "keyToEnv": []}]}

    def flow():
        made = pipeline().input("secret", "STRING").input("other", "STRING", default="x")
        return made.task("a", container(kubernetes=secret))

    origin = World(flow(), inputs={"secret": "one", "other": "x"}).run()
    assert origin.outcome == "SUCCEEDED", origin.error()
    assert ran(resumed(origin, flow(), inputs={"secret": "one", "other": "y"})) == set()
    assert ran(resumed(origin, flow(), inputs={"secret": "two", "other": "x"})) == {"a"}


def test_large_values_are_compared_by_their_digests(broken):
    flow = pipeline().input("x", "STRING").task("a", taking(x="STRING"), {"x": dag_input("x")})
    origin = World(flow, inputs={"x": "y" * 50_000}).run()
    assert origin.outcome == "SUCCEEDED"
    assert ran(resumed(origin)) == set()
    assert ran(resumed(origin, inputs={"x": "z" * 50_000})) == {"a"}


def test_root_artifacts_are_compared_by_what_they_are():
    read = container(input_artifacts={"data": "system.Dataset"})
    flow = pipeline().input_artifact("data", "system.Dataset").task("read", read, {"data": artifact_input("data")})
    origin = World(flow, root_artifacts={"data": "s3://bucket/one"}).run()
    assert origin.outcome == "SUCCEEDED"
    assert ran(resumed(origin, root_artifacts={"data": "s3://bucket/one"})) == set()
    assert ran(resumed(origin, root_artifacts={"data": "s3://bucket/two"})) == {"read"}


def test_a_loop_that_is_linked_costs_five_events_an_iteration():
    """Created and ended: the leaf; and opened too: the iteration. As many again as the loop is long, never more."""
    counts = []
    for items in (50, 100):
        body = dag({"item": "NUMBER_INTEGER"}).task("work", taking(x="NUMBER_INTEGER"), {"x": dag_input("item")})
        origin = World(pipeline().task("loop", body, items=json.dumps(list(range(items))))).run()
        world = resumed(origin)
        assert len(world.linked()) == 2 * items + 1
        counts.append(len(world.events))
    assert counts[1] - counts[0] == 5 * 50


def test_what_belongs_to_one_run_is_made_again():
    """The workspace, by an input, by the command or by an importer; volumes."""
    made = container(image="argostub/createpvc", outputs={"name": "STRING"})
    made.input("size", "STRING").input("access_modes", "LIST")
    flow = pipeline(config={"workspace": {"size": "1Gi"}})
    flow.task("claim", made, {"size": "1Gi", "access_modes": ["ReadWriteOnce"]})
    flow.task("given", taking(x="STRING"), {"x": "{{$.workspace_path}}/data"})
    flow.task("named", container(["cat", "/kfp-workspace/data"], outputs={"Output": "STRING"}))
    flow.task("plain", STEP)
    origin = World(flow, results={"claim": succeeded({"name": "claim-1"})}).run()
    assert origin.outcome == "SUCCEEDED", origin.error()
    world = resumed(origin, results={"claim": succeeded({"name": "claim-2"})})
    assert world.linked() == {"plain"}


def test_a_task_config_is_compared_as_it_was_made():
    made = container(inputs={"config": "TASK_CONFIG"}, outputs={"Output": "STRING"}, env={"A": "1"})
    flow = pipeline().task("a", made)
    document = flow.build()
    for component in document["components"].values():
        component["taskConfigPassthroughs"] = [{"field": "ENV", "applyToTask": True}]
    plan = compile_plan(read_spec(document))
    origin = World(plan).run()
    assert "config" in origin.rows.tasks["a"].inputs.parameters
    assert resumed(origin).linked() == {"a"}
