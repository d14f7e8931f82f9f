"""The Plan: order, effective dependencies, bindings, defaults of policies, canonical values."""

from __future__ import annotations

import json

import pytest

from builders.specs import (
    artifact,
    artifact_input,
    container,
    dag,
    dag_input,
    final_status,
    importer,
    output,
    pipeline,
)
from headrace_ir.parameters import check_parameters
from headrace_ir.plan import compile_plan
from headrace_ir.problems import SpecError
from headrace_ir.reading import read_spec
from headrace_protos.v1 import plan_pb2 as pb


def plan_of(flow, edit=None):
    document, platform = flow.build(), flow.platform()
    if edit is not None:
        edit(document)
    return compile_plan(read_spec({"pipeline_spec": document, "platform_spec": platform} if platform else document))


def step(**options):
    return container(inputs={"x": "STRING"}, outputs={"Output": "STRING"}, **options)


def test_tasks_are_in_topological_order_with_ties_by_key():
    flow = pipeline()
    flow.task("z", step(), {"x": "1"}).task("m", step(), {"x": output("z")}).task("a", step(), {"x": output("m")})
    flow.task("b", step(), {"x": "1"}).task("c", step(), {"x": "1"}, after=["z"])
    root = plan_of(flow).dags[0]
    assert [task.key for task in root.tasks] == ["b", "z", "c", "m", "a"]
    assert [list(task.dependencies) for task in root.tasks] == [[], [], [1], [1], [3]]
    assert root.tasks[3].parameter_bindings[0].task_output == pb.OutputSelector(task=1, key="Output")


def test_the_same_spec_gives_the_same_bytes_whatever_the_order_of_its_keys():
    flow = pipeline().input("lr", "NUMBER_DOUBLE", default=1.0)
    flow.task("a", step(), {"x": "1"}).task("b", step(), {"x": output("a")})
    turned = json.loads(json.dumps(flow.build(), sort_keys=True))
    first = plan_of(flow).SerializeToString(deterministic=True)
    assert compile_plan(read_spec(turned)).SerializeToString(deterministic=True) == first


def test_dependencies_by_data_status_and_platform_settings_are_implied():
    watch = container(inputs={"s": "TASK_FINAL_STATUS"}, input_artifacts={"d": "system.Dataset"})
    secret = {"secretAsEnv": [{"secretNameParameter": output("name").source}]}
    flow = pipeline()
    flow.task("work", container(output_artifacts={"d": "system.Dataset"}))
    flow.task("name", container(outputs={"Output": "STRING"}))
    flow.task("watch", watch, {"s": final_status("work"), "d": artifact("work", "d")}, on_completion=True)
    flow.task("use", container(kubernetes=secret))
    plan = plan_of(flow)
    tasks = {task.key: task for task in plan.dags[0].tasks}
    keys = list(tasks)
    assert [keys[index] for index in tasks["use"].dependencies] == ["name"]
    assert [keys[index] for index in tasks["watch"].dependencies] == ["work"]
    assert tasks["watch"].parameter_bindings[0].final_status_of == keys.index("work")
    assert tasks["watch"].artifact_bindings[0].task_output.key == "d"
    assert (tasks["watch"].strategy, tasks["watch"].is_exit_task) == (pb.ALL_COMPLETED, True)
    assert (tasks["work"].strategy, tasks["work"].is_exit_task) == (pb.ALL_SUCCEEDED, False)
    assert json.loads(plan.executors[tasks["use"].executor].platform_json) == secret


def test_a_final_status_without_a_name_means_the_only_dependency():
    flow = pipeline()
    flow.task("work", container())
    watch = container(inputs={"s": "TASK_FINAL_STATUS"})
    flow.task("watch", watch, {"s": final_status("")}, after=["work"], on_completion=True)
    assert plan_of(flow).dags[0].tasks[1].parameter_bindings[0].final_status_of == 0


def test_interfaces_and_values_are_canonical():
    made = container(image="img", args=["{{$}}"], env={"A": "1"}, resources={"resourceCpuLimit": "500m"})
    made.input("n", "NUMBER_INTEGER", default=1.0, literals=[1.0, 2.0]).input("s", "STRUCT", optional=True)
    made.input("u", "LIST", default=None).input_artifact("d", "system.Dataset", as_list=True, optional=True)
    made.output("Output", "BOOLEAN").output_artifact("m", "system.Model")
    flow = pipeline("demo", defaultPipelineRoot="s3://b/root")
    flow.task("a", made, {"n": 2.0, "s": {"b": [1.0, 2.5, None], "a": "ü"}})

    def edit(document):
        document["components"]["comp-a"]["outputDefinitions"]["artifacts"]["m"]["metadata"] = {"k": 1.0}

    plan = plan_of(flow, edit)
    (task,) = plan.dags[0].tasks
    n, s, u = task.parameters
    assert (n.type, n.default_json, n.optional, list(n.literals_json)) == (pb.NUMBER_INTEGER, "1", True, ["1", "2"])
    assert (s.HasField("default_json"), s.optional) == (False, True)
    assert (u.HasField("default_json"), u.optional) == (False, True)
    assert [binding.constant_json for binding in task.parameter_bindings] == ["2", '{"b":[1,2.5,null],"a":"ü"}']
    (data,) = task.artifacts
    assert (data.schema_title, data.schema_version, data.is_list, data.optional) == (
        "system.Dataset",
        "0.0.1",
        True,
        True,
    )
    assert task.output_artifacts[0].metadata_json == '{"k":1}'
    assert task.output_parameters[0].type == pb.BOOLEAN
    made_container = plan.executors[task.executor].container
    assert (made_container.image, list(made_container.args), made_container.env[0].name) == ("img", ["{{$}}"], "A")
    assert made_container.resources.cpu_limit == "500m"
    assert (plan.version, plan.pipeline_name, plan.default_pipeline_root) == (1, "demo", "s3://b/root")


def test_policies_have_their_defaults():
    flow = pipeline()
    flow.task("a", container(), cache=True, cache_key="k", retry={"maxRetryCount": 2})
    full = {"maxRetryCount": 3, "backoffDuration": "1.5s", "backoffFactor": 1.5, "backoffMaxDuration": "0s"}
    flow.task("b", container(), retry=full, when="1 == 1")
    a, b = plan_of(flow).dags[0].tasks
    assert a.retry == pb.RetryPolicy(max_retries=2, backoff_factor=2.0, max_backoff_seconds=3600)
    assert b.retry == pb.RetryPolicy(max_retries=3, backoff_seconds=1.5, backoff_factor=1.5, max_backoff_seconds=0)
    assert (a.cache.enabled, a.cache.key, b.cache.enabled) == (True, "k", False)
    assert (a.condition, b.condition) == ("", "1 == 1")
    assert not plan_of(pipeline().task("c", container())).dags[0].tasks[0].HasField("retry")


def loop_body():
    body = dag({"item": "STRING"})
    body.task("a", step(), {"x": dag_input("item")})
    return body.returns("out", "a", type_="LIST")


def test_loops_keep_their_items_and_limit():
    flow = pipeline().input("rows", "LIST")
    flow.task("a", loop_body(), items="[1.0, {}]", parallelism=2)
    flow.task("b", loop_body().input("rows", "LIST"), {"rows": dag_input("rows")}, over="rows")
    over = dag().input_artifact("item").input_artifact("all", as_list=True)
    over.task("t", container(input_artifacts={"d": "system.Artifact"}), {"d": artifact_input("item")})
    flow.input_artifact("all", as_list=True)
    flow.task("c", over, {"all": artifact_input("all")}, over_artifacts="all")
    a, b, c = plan_of(flow).dags[0].tasks
    assert a.iterator == pb.Iterator(raw_json="[1,{}]", item_input="item", parallelism_limit=2)
    assert b.iterator == pb.Iterator(input_parameter="rows", item_input="item")
    assert c.iterator == pb.Iterator(input_artifact="all", item_input="item")


def test_the_output_of_one_iteration_has_its_producers_type():
    """The SDK declares it as the LIST of all iterations already."""
    flow = pipeline()
    flow.task("loop", loop_body(), items="[1]")
    flow.returns("all", "loop", "out", type_="LIST")
    plan = plan_of(flow)
    assert plan.dags[1].outputs[0].type == pb.STRING
    assert plan.dags[0].tasks[0].output_parameters[0].type == pb.STRING
    assert plan.dags[0].outputs[0].type == pb.LIST


def test_one_of_keeps_the_order_of_its_selectors():
    group = dag({"x": "STRING"})
    group.task("no", step(), {"x": dag_input("x")}, when="inputs.parameter_values['x'] == 'a'")
    group.task("yes", container(outputs={"Output": "STRING"}, output_artifacts={"m": "system.Model"}))
    group.returns_one_of("out", ("yes", "Output"), ("no", "Output")).returns_artifact("m", ("yes", "m"), as_list=True)
    flow = pipeline()
    flow.task("group", group, {"x": "1"})
    text, model = plan_of(flow).dags[1].outputs
    assert [(selector.task, selector.key) for selector in text.selectors] == [(1, "Output"), (0, "Output")]
    assert (model.is_artifact, model.is_list, len(model.selectors)) == (True, True, 1)


def test_inputs_of_groups_are_optional_but_those_of_the_pipeline_keep_their_word():
    inner = dag({"x": "STRING"}).input_artifact("d")
    inner.task("a", step(), {"x": dag_input("x")})
    flow = pipeline().input("x", optional=True).input("y").input_artifact("d")
    flow.task("inner", inner, {"x": dag_input("x"), "d": artifact_input("d")})
    plan = plan_of(flow)
    root, group = plan.dags
    assert [parameter.optional for parameter in root.parameters] == [True, False]
    assert root.artifacts[0].optional is False
    assert group.parameters[0].optional is True
    assert (root.tasks[0].parameters[0].optional, root.tasks[0].artifacts[0].optional) == (True, True)
    assert group.tasks[0].parameters[0].optional is False


def test_shared_components_and_executors_are_one_template():
    shared, inner = step(), dag({"x": "STRING"})
    inner.task("a", shared, {"x": dag_input("x")})
    flow = pipeline()
    flow.task("a", shared, {"x": "1"}).task("b", inner, {"x": "1"}).task("c", inner, {"x": "2"})
    plan = plan_of(flow)
    assert [template.component for template in plan.dags] == ["root", "comp-b"]
    assert [task.dag for task in plan.dags[0].tasks[1:]] == [1, 1]
    assert [executor.label for executor in plan.executors] == ["exec-a"]
    assert plan.dags[1].tasks[0].executor == plan.dags[0].tasks[0].executor == 0


def test_importers_by_constant_and_by_input():
    flow = pipeline().input("where")
    flow.task("a", importer("s3://b/x", metadata={"n": 1.0}, reimport=True), {"uri": "unused"})
    flow.task("b", importer(), {"uri": dag_input("where")})
    plan = plan_of(flow)
    first, second = (plan.executors[task.executor].importer for task in plan.dags[0].tasks)
    assert (first.constant, first.metadata_json, first.reimport) == ("s3://b/x", '{"n":1}', True)
    assert (first.type.name, first.type.schema_title) == ("artifact", "system.Dataset")
    assert second.input_parameter == "uri"


def test_settings_and_what_has_no_effect():
    config = {"activeDeadlineSeconds": 60, "workspace": {"size": "1Gi"}}
    flow = pipeline(config=config)
    flow.task("a", container())

    def edit(document):
        executor = document["deploymentSpec"]["executors"]["exec-a"]["container"]
        executor["lifecycle"] = {"preCacheCheck": {"command": ["x"]}}
        document["components"]["comp-a"]["singlePlatformSpecs"] = [{"platform": "aws"}]

    plan = plan_of(flow, edit)
    assert plan.config.active_deadline_seconds == 60
    assert json.loads(plan.config.platform_json) == config
    assert list(plan.warnings) == [
        "components.comp-a.singlePlatformSpecs: has no effect; platform settings are read from the platform document only",
        "deploymentSpec.executors.exec-a.container.lifecycle: a pre-cache check has no effect",
    ]


def test_an_invalid_pipeline_has_no_plan():
    with pytest.raises(SpecError, match=r"schemaVersion: expected '2\.1\.0'"):
        compile_plan(read_spec(pipeline(schemaVersion="3").task("a", container()).build()))


def test_run_parameters_are_checked_against_the_plan():
    flow = pipeline().input("lr", "NUMBER_DOUBLE").input("n", "NUMBER_INTEGER", default=3.0).input("o", optional=True)
    plan = plan_of(flow.task("a", container()))
    assert check_parameters(plan, {"lr": 1}) == ({"lr": 1, "n": 3, "o": None}, [])
    _, problems = check_parameters(plan, {"lrr": 1, "n": "3"})
    assert problems == [
        "parameter 'lrr' is unknown: did you mean 'lr'?",
        "parameter 'lr' (NUMBER_DOUBLE) is missing: give it a value",
        "parameter 'n' expects NUMBER_INTEGER, got STRING \"3\"",
    ]
