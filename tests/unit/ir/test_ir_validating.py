"""Static validation: each problem with its place and its sentence, all at once, and what must not be a problem."""

from __future__ import annotations

import pytest

from builders.specs import (
    artifact,
    artifact_input,
    constant,
    container,
    dag,
    dag_input,
    final_status,
    output,
    pipeline,
)
from headrace_ir.problems import MAX_PROBLEMS, MAX_SHOWN, Problem, SpecError, format_problems
from headrace_ir.reading import read_spec
from headrace_ir.validating import ensure_valid, validate

T = "root.dag.tasks"


def problems(flow, edit=None):
    document, platform = flow.build(), flow.platform()
    if edit is not None:
        edit(document, platform)
    found = read_spec({"pipeline_spec": document, "platform_spec": platform} if platform else document)
    return [str(problem) for problem in validate(found)]


def two_steps():
    flow = pipeline("demo").input("lr", "NUMBER_DOUBLE", default=0.1).input_artifact("seed")
    load = container(outputs={"Output": "STRING", "rows": "LIST"}, output_artifacts={"data": "system.Dataset"})
    train = container(inputs={"text": "STRING", "lr": "NUMBER_DOUBLE"}, input_artifacts={"data": "system.Dataset"})
    flow.task("load", load)
    flow.task("train", train, {"text": output("load"), "lr": dag_input("lr"), "data": artifact("load", "data")})
    return flow


def test_a_right_pipeline_has_no_problem():
    assert problems(two_steps()) == []


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda d: d["pipelineInfo"].pop("name"), "pipelineInfo.name: required: the name of the pipeline"),
        (lambda d: d.pop("pipelineInfo"), "pipelineInfo.name: required: the name of the pipeline"),
        (
            lambda d: d["pipelineInfo"].update(name="My Pipe"),
            "pipelineInfo.name: 'My Pipe' is not a valid name: expected lower-case letters, digits and '-', not starting "
            "with '-', at most 128 characters",
        ),
        (
            lambda d: d["pipelineInfo"].update(description="x" * 1025),
            "pipelineInfo.description: is 1025 characters long; at most 1024 are kept",
        ),
        (lambda d: d.pop("schemaVersion"), "schemaVersion: required: '2.1.0'"),
        (
            lambda d: d.update(schemaVersion="2.0.0"),
            "schemaVersion: expected '2.1.0', got '2.0.0'; compile the pipeline with KFP SDK 2 or later",
        ),
        (lambda d: d.pop("root"), "root: required: the pipeline itself, a component with a 'dag'"),
        (
            lambda d: d.update(root={"executorLabel": "exec-load"}),
            "root: must be a DAG: a pipeline starts with tasks, not with an executor",
        ),
        (
            lambda d: d["components"].update(root=d["components"]["comp-load"]),
            "components.root: the name 'root' is taken by the pipeline itself; rename this component",
        ),
        (
            lambda d: d["components"]["comp-load"].update(executorLabel="exec-lod"),
            "components.comp-load.executorLabel: unknown executor 'exec-lod'; did you mean 'exec-load'?",
        ),
        (
            lambda d: d["components"]["comp-load"].pop("executorLabel"),
            "components.comp-load: expected a 'dag' or an 'executorLabel'",
        ),
        (
            lambda d: d["components"].update(empty={"dag": {"tasks": {}}}),
            "components.empty.dag.tasks: a DAG needs at least one task",
        ),
        (
            lambda d: d["components"]["comp-load"]["outputDefinitions"]["parameters"].update(Output={}),
            "components.comp-load.outputDefinitions.parameters.Output.parameterType: required: the type of the parameter",
        ),
        (
            lambda d: d["root"]["inputDefinitions"]["parameters"].update(lr={"description": "x"}),
            "root.inputDefinitions.parameters.lr.parameterType: required: the type of the parameter",
        ),
        (
            lambda d: d["root"]["inputDefinitions"]["parameters"]["lr"].update(defaultValue="0.1"),
            "root.inputDefinitions.parameters.lr.defaultValue: expected a number (NUMBER_DOUBLE), got '0.1'",
        ),
        (
            lambda d: d["root"]["inputDefinitions"]["parameters"]["lr"].update(literals=[0.1, True]),
            "root.inputDefinitions.parameters.lr.literals[1]: expected a number (NUMBER_DOUBLE), got true",
        ),
    ],
)
def test_headers_and_components(edit, expected):
    assert expected in problems(two_steps(), lambda document, _: edit(document))


def edited_task(task, change):
    def edit(document, _):
        change(document["root"]["dag"]["tasks"][task])

    return problems(two_steps(), edit)


def given(name, source):
    return lambda task: task["inputs"]["parameters"].update({name: source})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda t: t["componentRef"].update(name="comp-trian"),
            f"{T}.train.componentRef.name: unknown component 'comp-trian'; did you mean 'comp-train'?",
        ),
        (lambda t: t.pop("componentRef"), f"{T}.train.componentRef.name: required: the component that the task runs"),
        (
            lambda t: t.update(dependentTasks=["lod"]),
            f"{T}.train.dependentTasks[0]: unknown task 'lod'; did you mean 'load'?",
        ),
        (lambda t: t.update(dependentTasks=["train"]), f"{T}.train: the task waits for itself"),
        (
            given("lr", {"componentInputParameter": "lrr"}),
            f"{T}.train.inputs.parameters.lr.componentInputParameter: unknown input 'lrr'; did you mean 'lr'?",
        ),
        (
            given("lr", {"componentInputParameter": "seed"}),
            f"{T}.train.inputs.parameters.lr.componentInputParameter: 'seed' is an artifact: use 'componentInputArtifact' "
            "under 'inputs.artifacts'",
        ),
        (
            given("lr", {}),
            f"{T}.train.inputs.parameters.lr: has no source: expected 'componentInputParameter', 'taskOutputParameter', "
            "'runtimeValue' or 'taskFinalStatus'",
        ),
        (
            given("lr", constant("0.1").source),
            f"{T}.train.inputs.parameters.lr.runtimeValue.constant: expected a number (NUMBER_DOUBLE), got '0.1'",
        ),
        (
            given("lr", constant(None).source),
            f"{T}.train.inputs.parameters.lr.runtimeValue.constant: expected a number (NUMBER_DOUBLE), got nothing",
        ),
        (
            given("lr", output("load", "rows").source),
            f"{T}.train.inputs.parameters.lr: 'rows' of 'load' is LIST, but the input 'lr' is declared NUMBER_DOUBLE",
        ),
        (
            given("lr", output("load").source),
            f"{T}.train.inputs.parameters.lr: 'Output' of 'load' is STRING, but the input 'lr' is declared NUMBER_DOUBLE",
        ),
        (
            given("text", output("load", "output").source),
            f"{T}.train.inputs.parameters.text.taskOutputParameter.outputParameterKey: the task 'load' has no output "
            "parameter 'output'; did you mean 'Output'?",
        ),
        (
            given("text", output("load", "data").source),
            f"{T}.train.inputs.parameters.text.taskOutputParameter.outputParameterKey: 'data' of 'load' is an artifact, "
            "not a parameter",
        ),
        (
            given("text", output("lad").source),
            f"{T}.train.inputs.parameters.text.taskOutputParameter.producerTask: unknown task 'lad'; did you mean 'load'?",
        ),
        (
            given("text", {"taskOutputParameter": {}}),
            f"{T}.train.inputs.parameters.text.taskOutputParameter.producerTask: required: the name of a task in the same DAG",
        ),
        (
            given("lr", final_status("load").source),
            f"{T}.train.inputs.parameters.lr: a final status is an object; the input 'lr' is declared NUMBER_DOUBLE",
        ),
        (
            given("text", final_status("nobody").source),
            f"{T}.train.inputs.parameters.text.taskFinalStatus.producerTask: unknown task 'nobody'; the tasks here are "
            "'load', 'train'",
        ),
        (
            lambda t: t["inputs"]["artifacts"].update(data={}),
            f"{T}.train.inputs.artifacts.data: has no source: expected 'componentInputArtifact' or 'taskOutputArtifact'",
        ),
        (
            lambda t: t["inputs"]["artifacts"].update(data={"componentInputArtifact": "sed"}),
            f"{T}.train.inputs.artifacts.data.componentInputArtifact: unknown input 'sed'; did you mean 'seed'?",
        ),
        (
            lambda t: t["inputs"]["artifacts"].update(data={"componentInputArtifact": "lr"}),
            f"{T}.train.inputs.artifacts.data.componentInputArtifact: 'lr' is a parameter: use 'componentInputParameter' "
            "under 'inputs.parameters'",
        ),
        (
            lambda t: t["inputs"]["artifacts"].update(data=artifact("load", "dta").source),
            f"{T}.train.inputs.artifacts.data.taskOutputArtifact.outputArtifactKey: the task 'load' has no output artifact "
            "'dta'; did you mean 'data'?",
        ),
        (
            lambda t: t["inputs"]["artifacts"].update(data=artifact("load", "rows").source),
            f"{T}.train.inputs.artifacts.data.taskOutputArtifact.outputArtifactKey: 'rows' of 'load' is a parameter, "
            "not an artifact",
        ),
        (
            lambda t: t["inputs"]["artifacts"].update(other=artifact("load", "data").source),
            f"{T}.train.inputs.artifacts.other: unknown input 'other'; the input artifacts here are 'data'",
        ),
        (
            lambda t: t["inputs"]["parameters"].pop("lr"),
            f"{T}.train.inputs.parameters: missing input 'lr' (NUMBER_DOUBLE) of component 'comp-train'",
        ),
        (
            lambda t: t["inputs"].pop("artifacts"),
            f"{T}.train.inputs.artifacts: missing input 'data' (system.Dataset) of component 'comp-train'",
        ),
        (
            lambda t: t["inputs"]["parameters"].update(txt=t["inputs"]["parameters"].pop("text")),
            f"{T}.train.inputs.parameters.txt: unknown input 'txt'; did you mean 'text'?",
        ),
        (
            lambda t: t.update(retryPolicy={"maxRetryCount": -1}),
            f"{T}.train.retryPolicy.maxRetryCount: must be from 0 to 1,000, got -1",
        ),
        (
            lambda t: t.update(retryPolicy={"backoffFactor": -2}),
            f"{T}.train.retryPolicy.backoffFactor: must be a number above 0, got the number -2.0",
        ),
        (
            lambda t: t.update(iteratorPolicy={"parallelismLimit": -1}),
            f"{T}.train.iteratorPolicy.parallelismLimit: must be 0 (no limit) or more",
        ),
        (
            lambda t: t.update(triggerPolicy={"condition": "inputs.parameter_values['txt'] == 'a'"}),
            f"{T}.train.triggerPolicy.condition: the task has no input parameter 'txt'; did you mean 'text'?",
        ),
        (
            lambda t: t.update(triggerPolicy={"condition": "inputs.parameter_values['q'] == 'a'"}),
            f"{T}.train.triggerPolicy.condition: the task has no input parameter 'q'; the input parameters here are 'text', 'lr'",
        ),
        (
            lambda t: t["inputs"]["parameters"]["text"].update(parameterExpressionSelector="parseJson("),
            f"{T}.train.inputs.parameters.text.parameterExpressionSelector: cannot be read: ",
        ),
        (
            lambda t: t.update(triggerPolicy={"condition": "inputs.parameter_values['text'] =="}),
            f"{T}.train.triggerPolicy.condition: cannot be read: ",
        ),
    ],
)
def test_tasks(change, expected):
    found = edited_task("train", change)
    assert len(found) == 1
    assert found[0].startswith(expected)
    assert expected.endswith("cannot be read: ") or found[0] == expected


def test_undeclared_inputs_of_the_sdk_are_no_problem():
    extra = {"pipelinechannel--x-Output": constant("x").source, "cpu_limit": constant("2").source}
    assert edited_task("train", lambda task: task["inputs"]["parameters"].update(extra)) == []


def test_a_string_takes_anything_and_numbers_mix():
    flow = pipeline().input("n", "NUMBER_INTEGER").input("f", "NUMBER_DOUBLE").input("o", "STRUCT")
    step = container(inputs={"text": "STRING", "x": "NUMBER_DOUBLE", "n": "NUMBER_INTEGER", "s": "TASK_FINAL_STATUS"})
    flow.task("a", step, {"text": dag_input("o"), "x": dag_input("n"), "n": dag_input("f"), "s": dag_input("o")})
    flow.task("b", step, {"text": [1], "x": 1, "n": 2.0, "s": {}})
    flow.task("c", step, {"text": None, "x": dag_input("o").field("x"), "n": 1, "s": {}})
    assert problems(flow) == []


def test_optional_and_defaulted_inputs_may_be_left_out():
    step = container().input("a", optional=True).input("b", default="x").input_artifact("d", optional=True)
    step.input("config", "TASK_CONFIG")
    flow = pipeline()
    flow.task("a", step)
    flow.task("b", step, {"a": None})
    assert problems(flow) == []


def test_cycles_of_tasks_are_shown():
    flow = pipeline()
    step = container(inputs={"x": "STRING"}, outputs={"Output": "STRING"})
    flow.task("a", step, {"x": output("c")}).task("b", step, {"x": output("a")}).task(
        "c", step, {"x": "1"}, after=["b"]
    )
    flow.task("d", step, {"x": output("c")})
    (found,) = problems(flow)
    assert found == "root.dag.tasks: a cycle: these tasks wait for each other: b → c → a → b"


def test_a_final_status_and_platform_settings_are_dependencies_too():
    watch = container(inputs={"s": "TASK_FINAL_STATUS"}, outputs={"Output": "STRING"})
    secret = {"secretAsEnv": [{"secretNameParameter": output("watch").source, "keyToEnv": []}]}
    flow = pipeline()
    flow.task("work", container(kubernetes=secret)).task("watch", watch, {"s": final_status("work")})
    (found,) = problems(flow)
    assert "a cycle: these tasks wait for each other" in found


def test_platform_settings_name_unknown_outputs():
    secret = {"secretAsEnv": [{"secretNameParameter": output("nobody").source, "keyToEnv": []}]}
    flow = pipeline()
    flow.task("work", container(kubernetes=secret))
    place = "platforms.kubernetes.deploymentSpec.executors.exec-work.secretAsEnv[0].secretNameParameter"
    assert problems(flow) == [
        f"{place}.taskOutputParameter.producerTask: unknown task 'nobody'; the tasks here are 'work'"
    ]


def test_cycles_of_components_are_shown():
    inner, outer = dag(), dag()
    inner.task("again", outer)
    outer.task("in", inner)
    flow = pipeline()
    flow.task("start", outer)
    assert problems(flow) == [
        "components: a cycle: these components contain each other: comp-in → comp-start → comp-in"
    ]


def test_long_chains_need_no_recursion():
    flow = pipeline()
    step = container(inputs={"x": "STRING"}, outputs={"Output": "STRING"})
    for number in range(3000):
        flow.task(f"t{number}", step, {"x": output(f"t{number - 1}") if number else "x"})
    assert problems(flow) == []


def test_outputs_of_dags():
    inner = dag({"x": "STRING"})
    inner.task("a", container(outputs={"Output": "LIST"}, output_artifacts={"m": "system.Model"}))
    inner.returns("text", "a", type_="NUMBER_INTEGER").returns("lost", "b").returns("key", "a", "Outputt")
    inner.returns_artifact("model", ("a", "n")).returns_artifact("none")
    inner.output("forgotten").output_artifact("gone")
    inner.returned["extra"] = inner.returned["text"]
    inner.returned["nothing"] = {}
    inner.returned_artifacts["more"] = {"artifactSelectors": [{"producerSubtask": "a", "outputArtifactKey": "m"}]}
    flow = pipeline()
    flow.task("inner", inner, {"x": "1"})
    out = "components.comp-inner.dag.outputs"
    define = "components.comp-inner.outputDefinitions"
    assert sorted(problems(flow)) == sorted(
        [
            f"{out}.parameters.text.valueFromParameter: 'Output' of 'a' is LIST, but the output 'text' is declared "
            "NUMBER_INTEGER",
            f"{out}.parameters.lost.valueFromParameter.producerSubtask: unknown task 'b'; the tasks here are 'a'",
            f"{out}.parameters.key.valueFromParameter.outputParameterKey: the task 'a' has no output parameter 'Outputt'; "
            "did you mean 'Output'?",
            f"{out}.parameters.extra: 'extra' is not declared in outputDefinitions.parameters; the declared output "
            "parameters here are 'text', 'lost', 'key', 'forgotten'",
            f"{out}.parameters.nothing: 'nothing' is not declared in outputDefinitions.parameters; the declared output "
            "parameters here are 'text', 'lost', 'key', 'forgotten'",
            f"{out}.parameters.nothing: has no source: expected 'valueFromParameter' or 'valueFromOneof'",
            f"{out}.artifacts.model.artifactSelectors[0].outputArtifactKey: the task 'a' has no output artifact 'n'; "
            "the output artifacts here are 'm'",
            f"{out}.artifacts.none: has no source: expected 'artifactSelectors'",
            f"{out}.artifacts.more: 'more' is not declared in outputDefinitions.artifacts; the declared output artifacts "
            "here are 'model', 'none', 'gone'",
            f"{define}.parameters.forgotten: the output 'forgotten' has no source in "
            "components.comp-inner.dag.outputs.parameters",
            f"{define}.artifacts.gone: the output 'gone' has no source in components.comp-inner.dag.outputs.artifacts",
        ]
    )


def body():
    made = dag({"item": "NUMBER_INTEGER"}).input_artifact("one")
    return made.task("a", container(inputs={"x": "NUMBER_INTEGER"}), {"x": dag_input("item")})


L = f"{T}.loop.parameterIterator"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"items": "[1, 2]"}, None),
        ({"items": "[]"}, None),
        ({"items": "[1, 'x'"}, f"{L}.items.raw: expected a JSON array as text, got '[1, 'x''"),
        ({"items": '{"a": 1}'}, f"{L}.items.raw: expected a JSON array as text, got '{{\"a\": 1}}'"),
        ({"items": '[1, "x"]'}, f"{L}.items.raw: item 1: expected a whole number (NUMBER_INTEGER), got 'x'"),
        (
            {"items": "[]", "item": "itm"},
            f"{L}.itemInput: the component 'comp-loop' has no input 'itm'; did you mean 'item'?",
        ),
        ({"items": "[]", "item": ""}, f"{L}.itemInput: required: the input that receives one item"),
        ({"over": "rows"}, None),
        ({"over": "text"}, None),
        ({"over": "count"}, f"{L}.items.inputParameter: expected a list to iterate over, 'count' is NUMBER_INTEGER"),
        ({"over": "made"}, None),
        ({"over": "fixed"}, None),
        ({"over": "json"}, None),
        ({"over": "wrong"}, f"{L}.items.inputParameter: expected a list to iterate over, 'wrong' is the number 3"),
        ({"over": "broken"}, f"{L}.items.inputParameter: expected a list to iterate over, 'broken' is 'abc'"),
        ({"over": "row"}, f"{L}.items.inputParameter: the task has no input parameter 'row'; did you mean 'rows'?"),
        (
            {"raw": {"parameterIterator": {"itemInput": "item"}}},
            f"{L}.items: required: 'raw' (a JSON array) or the input that holds the items",
        ),
        ({"over_artifacts": "all", "item": "one"}, None),
        (
            {"over_artifacts": "al", "item": "one"},
            f"{T}.loop.artifactIterator.items.inputArtifact: the task has no input artifact 'al'; did you mean 'all'?",
        ),
    ],
)
def test_loops(options, expected):
    flow = (
        pipeline()
        .input("rows", "LIST")
        .input("text")
        .input("count", "NUMBER_INTEGER")
        .input_artifact("all", as_list=True)
        .input_artifact("single")
    )
    flow.task("make", container(outputs={"Output": "LIST"}))
    inputs = {name: dag_input(name) for name in ("rows", "text", "count")}
    inputs |= {
        "made": output("make"),
        "all": artifact_input("all"),
        "fixed": [1],
        "json": "[1]",
        "wrong": 3,
        "broken": "abc",
    }
    component = body().input_artifact("all", as_list=True)
    if not options.get("over_artifacts"):
        inputs["one"] = artifact_input("single")
    elif options.get("item") == "one":
        inputs["item"] = 1
    if options.get("item") in ("", "itm"):
        inputs["item"] = 1
    flow.task("loop", component, inputs, **options)
    assert problems(flow) == ([expected] if expected else [])


def test_the_list_of_a_loop_is_known_to_be_a_list():
    loop = body().returns("out", "a", type_="LIST")
    loop.tasks["a"][0].output("Output", "NUMBER_INTEGER")
    loop.input_artifacts.clear()
    flow = pipeline()
    flow.task("loop", loop, items="[1]")
    flow.task(
        "sum",
        container(inputs={"xs": "LIST", "n": "NUMBER_INTEGER"}),
        {"xs": output("loop", "out"), "n": output("loop", "out")},
    )
    assert problems(flow) == [
        f"{T}.sum.inputs.parameters.n: 'out' of 'loop' is LIST, but the input 'n' is declared NUMBER_INTEGER"
    ]


def test_placeholders_name_what_the_task_has():
    args = [
        "{{$.inputs.parameters['x']}} {{$.inputs.parameters['pipelinechannel--y']}} {{$}} {{$.pipeline_job_name}}",
        "{{$.inputs.artifacts['d'].path}} {{$.outputs.parameters['Output'].output_file}} {{$.outputs.artifacts['m'].uri}}",
        '{"IfPresent": {"InputName": "x", "Then": ["{{$.inputs.parameters[\'x\']}}"]}}',
    ]
    made = container(args=args, outputs={"Output": "STRING"}, output_artifacts={"m": "system.Model"})
    made.input("x", optional=True).input_artifact("d")
    flow = pipeline().input_artifact("d")
    flow.task("a", made, {"d": artifact_input("d"), "pipelinechannel--y": "{{$.inputs.parameters['x']}}"})
    assert problems(flow) == []

    def edit(document, _):
        executor = document["deploymentSpec"]["executors"]["exec-a"]["container"]
        executor["args"] = ["{{$.inputs.parameters['xx']}}", "{{$.outputs.artifacts['mm'].path}}"]
        executor["env"] = [{"name": "A", "value": '{{$.inputs.artifacts["e"].uri}}'}]
        given = document["root"]["dag"]["tasks"]["a"]["inputs"]["parameters"]
        given["x"] = {"runtimeValue": {"constant": "1 {{$.inputs.parameters['pipelinechannel--z']}}"}}

    path = "deploymentSpec.executors.exec-a.container"
    assert problems(flow, edit) == [
        f"{path}.args[0]: names the input parameter 'xx', which the task 'a' does not have; the input parameters here are "
        "'pipelinechannel--y', 'x'",
        f"{path}.args[1]: names the output artifact 'mm', which the task 'a' does not have; the output artifacts here are 'm'",
        f"{path}.env[0].value: names the input artifact 'e', which the task 'a' does not have; the input artifacts here are 'd'",
        f"{T}.a.inputs.parameters.x.runtimeValue.constant: names the input parameter 'pipelinechannel--z', which the task 'a' "
        "does not have; did you mean 'pipelinechannel--y'?",
    ]


def test_thousands_of_problems_do_not_take_for_ever():
    flow = pipeline()
    step = container(inputs={"x": "STRING"}, outputs={"Output": "STRING"})
    for number in range(800):
        flow.task(f"task-{number:05}", step, {"x": output(f"tusk-{number:05}"), "y": 1})
    found = problems(flow)
    assert len(found) == MAX_PROBLEMS
    assert "unknown task 'tusk-00000'; did you mean 'task-00000'?" in found[0]


def test_everything_is_reported_at_once_and_can_be_raised():
    def edit(document, _):
        document["schemaVersion"] = "1"
        document["rooot"] = {}
        document["root"]["dag"]["tasks"]["train"]["componentRef"]["name"] = "x"
        document["root"]["dag"]["tasks"]["load"]["dependentTasks"] = ["y"]

    assert len(problems(two_steps(), edit)) == 4
    document = two_steps().build()
    ensure_valid(read_spec(document))
    edit(document, None)
    with pytest.raises(SpecError) as caught:
        ensure_valid(read_spec(document))
    assert len(caught.value.problems) == 4
    assert str(caught.value).startswith(
        "4 problems in this pipeline:\n  rooot: unknown field 'rooot'; did you mean 'root'?\n"
    )


def test_the_text_of_problems():
    one = [Problem("root", "required")]
    assert format_problems(one) == "root: required"
    assert format_problems(one, "flow.yaml") == "flow.yaml: root: required"
    many = [Problem(f"p{number}", "wrong") for number in range(MAX_SHOWN + 2)]
    lines = format_problems(many, "flow.yaml").splitlines()
    assert lines[0] == f"{MAX_SHOWN + 2} problems in flow.yaml:"
    assert lines[-1] == "  … and 2 more"
    assert len(lines) == MAX_SHOWN + 2
