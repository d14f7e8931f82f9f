"""Static validation of values, kinds and lists between tasks, of loops' items and of what a run can be given."""

from __future__ import annotations

import pytest

from builders.specs import artifact, artifact_input, container, dag, dag_input, final_status, importer, output, pipeline
from headrace_ir.parameters import check_parameters
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_ir.validating import validate

T = "root.dag.tasks"


def problems(flow, edit=None):
    document, platform = flow.build(), flow.platform()
    if edit is not None:
        edit(document)
    found = read_spec({"pipeline_spec": document, "platform_spec": platform} if platform else document)
    return [str(problem) for problem in validate(found)]


def test_a_constant_must_be_one_of_the_literals():
    step = container().input("mode", literals=["fast", "exact"]).input("n", "NUMBER_INTEGER", literals=[1.0, 2.0])
    fine = pipeline().task("a", step, {"mode": "fast", "n": 2.0})
    fine.task("b", step, {"mode": "{{$.inputs.parameters['n']}}", "n": dag_input("n")}).input("n", "NUMBER_DOUBLE")
    assert problems(fine) == []
    assert problems(pipeline().task("a", step, {"mode": "slow", "n": 3})) == [
        f'{T}.a.inputs.parameters.mode.runtimeValue.constant: expected one of "fast", "exact", got \'slow\'',
        f"{T}.a.inputs.parameters.n.runtimeValue.constant: expected one of 1, 2, got the number 3",
    ]


def test_a_default_must_be_one_of_the_literals():
    flow = pipeline().input("mode", default="slow", literals=["fast", "exact"])
    flow.task("a", container())
    path = "root.inputDefinitions.parameters.mode.defaultValue"
    assert problems(flow) == [f'{path}: expected one of "fast", "exact", got \'slow\'']


def test_parameters_and_artifacts_are_not_exchanged():
    step = container(inputs={"x": "STRING"}, input_artifacts={"d": "system.Dataset"}, outputs={"Output": "STRING"})
    flow = pipeline().input_artifact("d").task("a", step, {"x": "1", "d": artifact_input("d")})

    def edit(document):
        given = document["root"]["dag"]["tasks"]["a"]["inputs"]
        given["parameters"] = {"d": {"runtimeValue": {"constant": "s3://b/x"}}}
        given["artifacts"] = {"x": {"componentInputArtifact": "d"}}

    assert problems(flow, edit) == [
        f"{T}.a.inputs.parameters.d: the component declares 'd' as an artifact: give it under 'inputs.artifacts'",
        f"{T}.a.inputs.artifacts.x: the component declares 'x' as a parameter: give it under 'inputs.parameters'",
    ]


def test_a_list_of_artifacts_is_no_single_one():
    make = container().output_artifact("all", as_list=True).output_artifact("one")
    body = dag({"item": "STRING"})
    body.task("make", make).returns_artifact("made", ("make", "one")).returns_artifact("wrong", ("make", "all"))
    single = container(input_artifacts={"d": "system.Artifact"})
    several = container().input_artifact("d", as_list=True)
    flow = pipeline().input_artifact("given", as_list=True)
    flow.task("make", make).task("loop", body, items='["1"]')
    for name, source in {
        "a": artifact_input("given"),
        "b": artifact("make", "all"),
        "c": artifact("loop", "made"),
        "d": artifact("make", "one"),
    }.items():
        flow.task(name, single, {"d": source}).task(f"{name}s", several, {"d": source})
    message = "is a list of artifacts, but the input 'd' is declared as a single one"
    assert problems(flow) == [
        f"{T}.a.inputs.artifacts.d: 'given' {message}",
        f"{T}.b.inputs.artifacts.d: 'all' of 'make' {message}",
        f"{T}.c.inputs.artifacts.d: 'made' of 'loop' {message}",
        "components.comp-loop.dag.outputs.artifacts.wrong.artifactSelectors[0]: 'all' of 'make' is a list of artifacts, but "
        "the output 'wrong' is declared as a single one",
    ]


def test_names_that_are_left_empty_are_asked_for():
    step = container(inputs={"x": "STRING", "s": "TASK_FINAL_STATUS"}, input_artifacts={"d": "system.Dataset"})
    flow = pipeline().task("b", container())
    flow.task("a", step, {"x": dag_input(""), "s": final_status(""), "d": artifact_input("")})
    assert problems(flow) == [
        f"{T}.a.inputs.parameters.x.componentInputParameter: required: the name of an input of the DAG around the task",
        f"{T}.a.inputs.parameters.s.taskFinalStatus.producerTask: required: the task whose final status is meant, a task "
        "in the same DAG",
        f"{T}.a.inputs.artifacts.d.componentInputArtifact: required: the name of an input of the DAG around the task",
    ]


def test_a_final_status_goes_into_an_object_or_text_or_through_a_selector():
    step = container(inputs={"s": "STRUCT", "t": "STRING", "n": "NUMBER_INTEGER"})
    flow = pipeline().task("b", container())
    flow.task("a", step, {"s": final_status("b"), "t": final_status("b"), "n": final_status("b").field("code")})
    assert problems(flow) == []


def test_legacy_values_are_judged_where_they_stand():
    flow = pipeline().input("lr", "NUMBER_DOUBLE").task("a", container(inputs={"n": "NUMBER_INTEGER", "m": "LIST"}))

    def edit(document):
        document["root"]["dag"]["tasks"]["a"]["inputs"] = {
            "parameters": {
                "n": {"runtimeValue": {"constantValue": {"stringValue": "3"}}},
                "m": {"runtimeValue": {"runtimeParameter": "lrr"}},
            }
        }

    assert problems(flow, edit) == [
        f"{T}.a.inputs.parameters.n.runtimeValue.constantValue: expected a whole number (NUMBER_INTEGER), got '3'",
        f"{T}.a.inputs.parameters.m.runtimeValue.runtimeParameter: unknown input 'lrr'; did you mean 'lr'?",
    ]


def loop(**options):
    """A loop over `rows` (a list), `one` or `many` (artifacts) into `item`, `part` or `parts`."""
    body = dag({"item": "NUMBER_INTEGER"}).input("choice", optional=True, literals=["a", "b"])
    body.input("rows", "LIST", optional=True).input("fixed", "LIST", optional=True).input("choices", optional=True)
    body.input_artifact("many", as_list=True, optional=True).input_artifact("part", optional=True)
    body.input_artifact("parts", as_list=True, optional=True)
    body.task("a", container())
    flow = pipeline().input("rows", "LIST").input_artifact("many", as_list=True)
    given = {
        "rows": dag_input("rows"),
        "many": artifact_input("many"),
        "fixed": [1, "x"],
        "choices": '["a", null, "c"]',
    }
    given |= options.pop("given", {"item": 1} if options.get("item") != "item" else {})
    return problems(flow.task("loop", body, given, **options))


P = f"{T}.loop.parameterIterator"
A = f"{T}.loop.artifactIterator"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"over": "rows", "item": "item", "given": {"item": 1}}, f"{T}.loop.inputs.parameters.item: 'item' receives the "
            "items of the loop and cannot be given besides"),
        ({"over": "fixed", "item": "item"}, f"{T}.loop.inputs.parameters.fixed.runtimeValue.constant: item 1: expected a "
            "whole number (NUMBER_INTEGER), got 'x'"),
        ({"over": "choices", "item": "choice"}, f"{T}.loop.inputs.parameters.choices.runtimeValue.constant: item 2: "
            "expected one of \"a\", \"b\", got 'c'"),
        ({"items": '["a", "c"]', "item": "choice"}, f"{P}.items.raw: item 1: expected one of \"a\", \"b\", got 'c'"),
        ({"over": "many", "item": "item"}, f"{P}.items.inputParameter: 'many' is an artifact of the task: iterate over it "
            "with 'artifactIterator'"),
        ({"over": "rows", "item": "part"}, f"{P}.itemInput: 'part' is an artifact of the component 'comp-loop', but an item "
            "is a parameter here"),
        ({"over_artifacts": "rows", "item": "part"}, f"{A}.items.inputArtifact: 'rows' is a parameter of the task: iterate "
            "over it with 'parameterIterator'"),
        ({"over_artifacts": "many", "item": "choice"}, f"{A}.itemInput: 'choice' is a parameter of the component "
            "'comp-loop', but an item is an artifact here"),
        ({"over_artifacts": "many", "item": "parts"}, f"{A}.itemInput: 'parts' is declared as a list of artifacts, but an "
            "item is a single one"),
        ({"over_artifacts": "", "item": "part"}, f"{A}.items.inputArtifact: required: the input artifact whose list is "
            "iterated over"),
        ({"over_artifacts": "many", "item": "part"}, None),
    ],
)  # fmt: skip
def test_items_of_loops(options, expected):
    assert loop(**options) == ([expected] if expected else [])


def test_a_loop_has_one_iterator():
    flow = pipeline().task("a", container(), raw={"parameterIterator": {}, "artifactIterator": {}})
    assert f"{T}.a.artifactIterator: only one of 'parameterIterator' and 'artifactIterator' can be given" in problems(
        flow
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"maxRetryCount": 3, "backoffDuration": "0.5s", "backoffFactor": 1.5, "backoffMaxDuration": "1s"}, None),
        ({"maxRetryCount": 1001}, "maxRetryCount: must be from 0 to 1,000, got 1001"),
        ({"backoffFactor": 0}, "backoffFactor: must be a number above 0, got the number 0.0"),
        ({"backoffDuration": "soon"}, "backoffDuration: expected a duration such as '30s', got 'soon'"),
        ({"backoffMaxDuration": "-1s"}, "backoffMaxDuration: expected a duration such as '30s', got '-1s'"),
    ],
)
def test_retry_policies(policy, expected):
    found = problems(pipeline().task("a", container(), retry=policy))
    assert found == ([f"{T}.a.retryPolicy.{expected}"] if expected else [])


U = "deploymentSpec.executors.exec-a.importer"


@pytest.mark.parametrize(
    ("uri", "type_", "expected"),
    [
        ("gs://b/x", "system.Dataset", None),
        ("https://host/x.csv", "system.Dataset", None),
        ("{{$.inputs.parameters['uri']}}/x", "system.Dataset", None),
        ("oci://image", "system.Model", None),
        (
            "/data/x",
            "system.Dataset",
            "'/data/x' is not a URI; expected one such as 's3://bucket/data' or 'file:///data/x'",
        ),
        (
            "http://[x",
            "system.Dataset",
            "'http://[x' is not a URI; expected one such as 's3://bucket/data' or 'file:///data/x'",
        ),
        (
            "htps://host/x",
            "system.Dataset",
            "cannot import 'htps://host/x': its scheme is none of file://, gs://, http://, https://, minio://, oci://, "
            "s3://; did you mean 'https'?",
        ),
        (
            "oci://image",
            "system.Dataset",
            "cannot import 'oci://image': oci:// holds models, so import it as system.Model",
        ),
    ],
)
def test_uris_of_importers(uri, type_, expected):
    fixed = pipeline().task("a", importer(uri, type_=type_), {"uri": "unused"})
    assert problems(fixed) == ([f"{U}.artifactUri.constant: {expected}"] if expected else [])
    given = pipeline().task("a", importer(type_=type_), {"uri": uri})
    if "{{$" not in uri:
        place = f"{T}.a.inputs.parameters.uri.runtimeValue.constant"
        assert problems(given) == ([f"{place}: {expected}"] if expected else [])


def test_the_input_of_an_importer_is_text():
    flow = pipeline().input("n", "NUMBER_INTEGER").task("a", importer(), {"uri": dag_input("n")})

    def edit(document):
        document["components"]["comp-a"]["inputDefinitions"]["parameters"]["uri"] = {"parameterType": "NUMBER_INTEGER"}

    place = f"{U}.artifactUri.runtimeParameter"
    assert problems(flow, edit) == [f"{place}: 'uri' is declared NUMBER_INTEGER; a URI is a STRING"]


def test_an_importer_to_the_workspace_needs_one():
    def edit(document):
        document["deploymentSpec"]["executors"]["exec-a"]["importer"]["downloadToWorkspace"] = True

    flow = pipeline().task("a", importer("s3://b/x"), {"uri": "unused"})
    place = f"{U}.downloadToWorkspace"
    expected = f"{place}: needs a workspace: give 'pipelineConfig.workspace.size' in the platform document"
    assert problems(flow, edit) == [expected]
    flow = pipeline(config={"workspace": {"size": "1Gi"}}).task("a", importer("s3://b/x"), {"uri": "unused"})
    assert problems(flow, edit) == []


R = "deploymentSpec.executors.exec-a.container.resources"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"resourceCpuRequest": "500m", "resourceCpuLimit": "1", "resourceMemoryLimit": "1.5Gi"}, None),
        (
            {"resourceCpuRequest": "2", "resourceCpuLimit": "1500m"},
            "resourceCpuRequest: '2' is above the limit of '1500m'",
        ),
        (
            {"resourceMemoryRequest": "1Gi", "resourceMemoryLimit": "1G"},
            "resourceMemoryRequest: '1Gi' is above the limit of '1G'",
        ),
        (
            {"accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "0.5"}},
            "accelerator.resourceCount: expected a whole number, got '0.5'",
        ),
        (
            {"resourceCpuLimit": "{{$.inputs.parameters['cpus']}}"},
            "resourceCpuLimit: names the input parameter 'cpus', which the task 'a' does not have; there are no input "
            "parameters here",
        ),
    ],
)
def test_resources(resources, expected):
    flow = pipeline().task("a", container(resources=resources))
    assert problems(flow) == ([f"{R}.{expected}"] if expected else [])


def test_if_present_and_concat_are_read():
    args = [
        '{"Concat": ["--a=", {"IfPresent": {"InputName": "x", "Then": "{{$.inputs.parameters[\'x\']}}", "Else": "0"}}]}',
        '{"IfPresent": {"InputName": "d", "Then": ["--d"]}}',
    ]
    made = container(args=args).input("x", optional=True).input_artifact("d", optional=True)
    assert problems(pipeline().task("a", made)) == []
    path = "deploymentSpec.executors.exec-a.container.args"
    wrong = {
        '{"IfPresent": {"InputName": "xx", "Then": "1"}}': "names the input 'xx', which the task 'a' does not have; the inputs "
        "here are 'd', 'x'",
        '{"Concat": [1]}': "expected text, IfPresent or Concat, got 1",
        '{"Concat": ["a"}': "begins like IfPresent or Concat but is not JSON: Expecting ',' delimiter: line 1 column 16 "
        "(char 15)",
        '{"IfPresent": {"InputName": "x"}}': "IfPresent needs 'InputName' and 'Then', and may have 'Else'; nothing more",
    }
    for text, expected in wrong.items():
        made.executor["container"]["args"] = [text]
        assert problems(pipeline().task("a", made)) == [f"{path}[0]: {expected}"]


def test_a_placeholder_of_the_wrong_kind_says_the_right_one():
    made = container(args=["{{$.inputs.parameters['d']}}", "{{$.outputs.artifacts['o'].uri}}"])
    made.input_artifact("d", optional=True).output("o")
    path = "deploymentSpec.executors.exec-a.container.args"
    assert problems(pipeline().task("a", made)) == [
        f"{path}[0]: names the input parameter 'd', which the task 'a' does not have; 'd' is one of its artifacts: write "
        "{{$.inputs.artifacts['d']}}",
        f"{path}[1]: names the output artifact 'o', which the task 'a' does not have; 'o' is one of its parameters: write "
        "{{$.outputs.parameters['o']}}",
    ]


def test_no_run_can_be_given_a_final_status():
    flow = pipeline().input("status", "TASK_FINAL_STATUS").task("a", container())
    path = "root.inputDefinitions.parameters.status.parameterType"
    assert problems(flow) == [
        f"{path}: 'status' is a TASK_FINAL_STATUS, which no run can be given: make it optional, or leave it out"
    ]
    flow = pipeline().input("status", "TASK_FINAL_STATUS", optional=True).task("a", container())
    plan = compile_plan(read_spec(flow.build()))
    assert check_parameters(plan, {}) == ({"status": None}, [])
    _, found = check_parameters(plan, {"status": {}})
    assert found == ["parameter 'status' is declared TASK_FINAL_STATUS, which only a task's input can be"]


def test_the_default_pipeline_root_is_a_uri():
    flow = pipeline(defaultPipelineRoot="/data").task("a", container())
    assert problems(flow) == ["defaultPipelineRoot: expected a URI such as 's3://bucket/folder', got '/data'"]


def test_outputs_of_importers_are_known_to_their_consumers():
    flow = pipeline().task("i", importer("s3://b/x"), {"uri": "unused"})
    flow.task("a", container(input_artifacts={"d": "system.Dataset"}), {"d": artifact("i", "artefact")})
    flow.task("b", container(inputs={"x": "STRING"}), {"x": output("i", "artifact")})
    place = "taskOutputArtifact.outputArtifactKey"
    assert problems(flow) == [
        f"{T}.a.inputs.artifacts.d.{place}: the task 'i' has no output artifact 'artefact'; did you mean 'artifact'?",
        f"{T}.b.inputs.parameters.x.taskOutputParameter.outputParameterKey: 'artifact' of 'i' is an artifact, not a parameter",
    ]


def claim(**given):
    make = container(image="argostub/createpvc", outputs={"name": "STRING"})
    make.input("access_modes", "LIST").input("size").input("pvc_name", optional=True)
    make.input("pvc_name_suffix", optional=True)
    return problems(pipeline().task("a", make, {"access_modes": ["ReadWriteOnce"], "size": "1Gi"} | given))


V = f"{T}.a.inputs.parameters"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"pvc_name_suffix": "-data", "pvc_name": None}, None),
        ({"pvc_name": "{{$.pipeline_job_name}}", "size": "{{$.inputs.parameters['pvc_name']}}"}, None),
        (
            {"pvc_name": "a", "pvc_name_suffix": "-b"},
            f"{V}.pvc_name_suffix: only one of 'pvc_name' and 'pvc_name_suffix' can be given",
        ),
        (
            {"pvc_name": "My Claim"},
            f"{V}.pvc_name.runtimeValue.constant: expected the name of a claim (lower-case letters, digits, '-', '.'), got "
            "'My Claim'",
        ),
        (
            {"access_modes": ["ReadWriteMost"]},
            f"{V}.access_modes.runtimeValue.constant[0]: unknown access mode 'ReadWriteMost'; did you mean 'ReadWriteMany'?",
        ),
        ({"size": "0"}, f"{V}.size.runtimeValue.constant: must be above 0, got '0'"),
        ({"size": 3}, None),
    ],
)
def test_volume_claims(given, expected):
    assert claim(**given) == ([expected] if expected else [])


def test_names_of_outputs_and_artifacts_can_be_names_of_files():
    made = container(outputs={"../x": "STRING"}, output_artifacts={"a/b": "system.Dataset"})
    made.input_artifact("..", optional=True)
    path = "components.comp-a"
    expected = "expected a name of at most 200 characters without '/', because files are called after it"
    assert problems(pipeline().task("a", made)) == [
        f"{path}.outputDefinitions.parameters.../x: {expected}",
        f"{path}.outputDefinitions.artifacts.a/b: {expected}",
        f"{path}.inputDefinitions.artifacts...: {expected}",
    ]


def test_nothing_is_mounted_in_place_of_the_workspace():
    mounts = [{"volumeName": name, "mountPath": path} for name, path in (("a", "/kfp-workspace/x"), ("b", "/kfp-work"))]
    config = {"workspace": {"size": "1Gi"}}
    flow = pipeline(config=config).task("a", container(kubernetes={"emptyDirMounts": mounts}))
    place = "platforms.kubernetes.deploymentSpec.executors.exec-a.emptyDirMounts[0].mountPath"
    assert problems(flow) == [f"{place}: '/kfp-workspace/x' is where the pipeline's workspace is mounted"]


def test_the_pipelines_own_outputs_have_their_producers_types():
    flow = pipeline().task("a", container(outputs={"Output": "STRING"})).returns("all", "a", type_="LIST")
    assert problems(flow) == [
        "root.dag.outputs.parameters.all.valueFromParameter: 'Output' of 'a' is STRING, but the output 'all' is declared LIST"
    ]
