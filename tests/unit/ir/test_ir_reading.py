"""From files and objects to packages: documents, spellings, misspelt fields, exact values."""

from __future__ import annotations

import json

import pytest
import yaml

from builders.specs import constant, container, pipeline
from headrace_ir.model import Source
from headrace_ir.problems import SpecError
from headrace_ir.reading import read_package, read_spec
from headrace_ir.validating import validate


def simple(value=5):
    flow = pipeline("demo")
    flow.task("train", container(inputs={"lr": "NUMBER_INTEGER"}), {"lr": value})
    return flow.build()


def package(*documents, name="p.yaml"):
    return read_package(yaml.safe_dump_all(documents).encode(), name)


def refusal(*documents):
    with pytest.raises(SpecError) as caught:
        package(*documents)
    return str(caught.value)


def messages(found):
    return [str(problem) for problem in validate(found)]


def test_yaml_json_and_object_give_the_same_spec():
    document = simple()
    from_yaml, from_json = package(document), read_package(json.dumps(document).encode(), "p.json")
    assert validate(from_yaml) == []
    assert from_yaml.spec == from_json.spec == read_spec(document).spec
    assert from_yaml.document == document


def test_both_documents_in_any_order_and_as_one_object():
    flow = pipeline("demo", config={"activeDeadlineSeconds": 60})
    flow.task("a", container(kubernetes={"imagePullPolicy": "Always"}))
    document, platform = flow.build(), flow.platform()
    first, second = package(document, platform), package(platform, document)
    combined = read_spec({"pipeline_spec": document, "platform_spec": platform})
    assert first.spec == second.spec == combined.spec
    assert first.document == {"pipeline_spec": document, "platform_spec": platform}
    assert read_spec({"pipeline_spec": document}).document == document
    assert dict(first.spec.kubernetes["exec-a"]) == {"imagePullPolicy": "Always"}
    assert validate(first) == []


def test_snake_case_is_read_as_camel_case():
    text = json.dumps(simple())
    for camel, snake in [
        ("pipelineInfo", "pipeline_info"),
        ("componentRef", "component_ref"),
        ("runtimeValue", "runtime_value"),
    ]:
        text = text.replace(f'"{camel}"', f'"{snake}"')
    assert read_spec(json.loads(text)).spec == read_spec(simple()).spec


def test_integers_stay_exact():
    found = package(simple(9007199254740993))
    given = found.spec.root.dag.tasks["train"].parameters["lr"]
    assert given.source is Source.CONSTANT
    assert given.value == 9007199254740993


def test_all_misspelt_fields_are_reported_at_once_with_the_nearest_name():
    document = simple()
    task = document["root"]["dag"]["tasks"]["train"]
    task["componentReff"] = task.pop("componentRef")
    task["inputs"]["parameters"]["lr"] = {"runtimeValu": {"constant": 1}}
    task["zebra"] = 1
    document["sdkVersions"] = "x"
    task_path = "root.dag.tasks.train"
    fields = (
        "'taskInfo', 'inputs', 'dependentTasks', 'cachingOptions', 'componentRef', 'triggerPolicy', 'artifactIterator'"
    )
    assert sorted(messages(read_spec(document))) == [
        f"{task_path}.componentReff: unknown field 'componentReff'; did you mean 'componentRef'?",
        f"{task_path}.inputs.parameters.lr.runtimeValu: unknown field 'runtimeValu'; did you mean 'runtimeValue'?",
        f"{task_path}.zebra: unknown field 'zebra'; the fields here are {fields}, 'parameterIterator' and 2 more",
        "sdkVersions: unknown field 'sdkVersions'; did you mean 'sdkVersion'?",
    ]


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("schemaVersion", 2.1, "schemaVersion: expected text, got the number 2.1 (put it in quotes)"),
        ("root", [], "root: expected an object with named fields, got a list"),
        ("components", [], "components: expected an object with named entries, got a list"),
        ("sdkVersion", "a\0b", "sdkVersion: the text is not valid Unicode"),
        ("deploymentSpec", "x", "deploymentSpec: expected an object with named fields, got 'x'"),
        ("defaultPipelineRoot", True, "defaultPipelineRoot: expected text, got true (put it in quotes)"),
    ],
)
def test_wrong_kinds_at_the_top(place, value, sentence):
    assert any(text.startswith(sentence) for text in messages(read_spec(simple() | {place: value})))


@pytest.mark.parametrize(
    ("patch", "sentence"),
    [
        ({"cachingOptions": {"enableCache": "yes"}}, "cachingOptions.enableCache: expected true or false, got 'yes'"),
        ({"retryPolicy": {"maxRetryCount": 1.5}}, "retryPolicy.maxRetryCount: expected a whole number"),
        (
            {"retryPolicy": {"maxRetryCount": 2**40}},
            "retryPolicy.maxRetryCount: expected a whole number of at most 32 bits",
        ),
        ({"retryPolicy": {"backoffDuration": "1 minute"}}, "expected a duration such as '30s', got '1 minute'"),
        ({"retryPolicy": {"backoffDuration": "-3s"}}, "expected a duration such as '30s', got '-3s'"),
        ({"retryPolicy": {"backoffFactor": "big"}}, "retryPolicy.backoffFactor: expected a number, got 'big'"),
        (
            {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_DONE"}},
            "'ALL_UPSTREAM_TASKS_DONE' is not valid here; did you mean",
        ),
        (
            {"triggerPolicy": {"strategy": "X"}},
            "expected one of ALL_UPSTREAM_TASKS_SUCCEEDED, ALL_UPSTREAM_TASKS_COMPLETED",
        ),
        ({"dependentTasks": "train"}, "dependentTasks: expected a list, got 'train'"),
        ({"parameterIterator": {}, "artifactIterator": {}}, "only one of 'parameterIterator' and 'artifactIterator'"),
        ({"taskInfo": {"name": "a"}, "task_info": {"name": "b"}}, "given twice (as 'task_info' and as 'taskInfo')"),
        ({"inputs": {"parameters": {"": {}}}}, "a name here is empty or not valid Unicode text"),
    ],
)
def test_wrong_kinds_in_a_task(patch, sentence):
    flow = pipeline()
    flow.task("train", container(), raw=patch)
    assert any(sentence in text for text in messages(read_spec(flow.build())))


def test_a_constant_that_json_cannot_hold_is_reported():
    deep = []
    for _ in range(300):
        deep = [deep]
    found = messages(read_spec(simple(constant(deep))))
    assert any("runtimeValue.constant: the value is nested deeper than 100 levels" in text for text in found)
    for value, reason in [
        (float("inf"), "an infinite number"),
        ("a\0", "a NUL character"),
        (10**400, "beyond the range"),
    ]:
        assert any(reason in text for text in messages(read_spec(simple(value))))


def test_unknown_fields_of_executors_pass_unless_they_resemble_a_known_one():
    document = simple()
    document["deploymentSpec"]["executors"]["exec-train"]["container"] |= {"novelty": 1, "comand": ["x"]}
    path = "deploymentSpec.executors.exec-train.container.comand"
    assert messages(read_spec(document)) == [f"{path}: unknown field 'comand'; did you mean 'command'?"]


@pytest.mark.parametrize(
    ("documents", "sentence"),
    [
        ([], "the file is empty"),
        ([None, None], "the file is empty"),
        ([{}], "the file is empty"),
        (["text"], "expected a pipeline spec, got 'text'"),
        ([[1]], "expected a pipeline spec, got a list"),
        ([{"a": 1}], "neither a pipeline spec nor a platform spec"),
        (
            [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}],
            "this is an Argo Workflow (KFP v1), which is not supported",
        ),
        ([{"platforms": {"kubernetes": {}}}], "there is no pipeline spec in it"),
    ],
)
def test_files_without_a_pipeline_get_a_sentence(documents, sentence):
    assert sentence in refusal(*documents)


def test_every_document_must_be_recognised():
    assert messages(package(simple(), {}, None)) == []
    assert messages(package(simple(), {"platfroms": {}})) == [
        "document 2: neither a pipeline spec nor a platform spec ('platfroms': did you mean 'platforms'?)"
    ]
    assert messages(package(simple(), simple())) == [
        "document 2: a second pipeline spec; a file holds one (the first is document 1)"
    ]
    assert messages(package(simple(), {"platforms": {"kubernets": {}}})) == [
        "platforms.kubernets: unknown platform 'kubernets'; did you mean 'kubernetes'?"
    ]
    assert messages(package(simple(), {"platforms": {"aws": {}}})) == []


def test_inline_objects_with_strange_keys_are_reported():
    found = read_spec({"pipeline_spec": simple(), "platform_specs": {}})
    assert messages(found) == ["platform_specs: unknown field 'platform_specs'; did you mean 'platform_spec'?"]
    assert messages(read_spec({"pipeline_spec": simple(), "platform_spec": []})) == [
        "platform_spec: expected a platform spec, got a list"
    ]
    twice = read_spec({"pipeline_spec": simple(), "pipelineSpec": simple()})
    assert messages(twice) == ["pipelineSpec: unknown field 'pipelineSpec'; did you mean 'pipeline_spec'?"]
    with pytest.raises(SpecError, match="expected a pipeline spec, got nothing"):
        read_spec({"pipeline_spec": None})


def test_legacy_forms_are_mapped_while_reading():
    flow = pipeline().input("epochs", "NUMBER_INTEGER")
    step = container(inputs={"a": "NUMBER_INTEGER", "b": "NUMBER_INTEGER", "c": "STRING"})
    flow.task("s", step)
    document = flow.build()
    document["root"]["inputDefinitions"]["parameters"]["epochs"] = {"type": "INT"}
    document["components"]["comp-s"]["inputDefinitions"]["parameters"]["a"] = {"type": "DOUBLE"}
    document["root"]["dag"]["tasks"]["s"]["inputs"] = {
        "parameters": {
            "a": {"runtimeValue": {"constantValue": {"doubleValue": 0.5}}},
            "b": {"runtimeValue": {"runtimeParameter": "epochs"}},
            "c": {"runtimeValue": {"constantValue": {"stringValue": "x"}}},
        }
    }
    found = read_spec(document)
    assert validate(found) == []
    given = found.spec.root.dag.tasks["s"].parameters
    assert found.spec.root.inputs["epochs"].type == "NUMBER_INTEGER"
    assert (given["a"].value, given["c"].value) == (0.5, "x")
    assert (given["b"].source, given["b"].name) == (Source.DAG_INPUT, "epochs")


def test_deprecated_numeric_resources_become_text():
    resources = {"cpuLimit": 1.5, "memoryLimit": 2, "accelerator": {"type": "nvidia.com/gpu", "count": 2}}
    flow = pipeline()
    flow.task("a", container(resources=resources))
    found = read_spec(flow.build())
    assert validate(found) == []
    read = found.spec.executors["exec-a"].container.resources
    assert (read.cpu_limit, read.memory_limit) == ("1.5", "2G")
    assert (read.accelerator_type, read.accelerator_count) == ("nvidia.com/gpu", "2")
