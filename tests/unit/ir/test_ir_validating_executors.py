"""Static validation of executors, importers, Kubernetes settings and the pipeline's own settings."""

from __future__ import annotations

import pytest

from builders.specs import container, importer, pipeline
from headrace_ir.reading import read_spec
from headrace_ir.validating import validate


def problems(flow, edit=None):
    document, platform = flow.build(), flow.platform()
    if edit is not None:
        edit(document, platform)
    found = read_spec({"pipeline_spec": document, "platform_spec": platform} if platform else document)
    return [str(problem) for problem in validate(found)]


E = "deploymentSpec.executors.exec-a"


@pytest.mark.parametrize(
    ("executor", "expected"),
    [
        ({}, [f"{E}: expected a 'container' or an 'importer'"]),
        (
            {"resolver": {}},
            [
                f"{E}.resolver: resolver executors are not supported: import the artifact with an importer (dsl.importer) instead"
            ],
        ),
        (
            {"customJob": {"customJob": {}}},
            [
                f"{E}.customJob: Vertex AI custom jobs are not supported: use a container executor with the job's image and "
                "command"
            ],
        ),
        ({"container": {"command": ["x"]}}, [f"{E}.container.image: required: the image that the command runs in"]),
        ({"container": {"image": "i"}}, []),
        (
            {"container": {"image": "i", "env": [{"value": "x"}, {"name": "A=B"}]}},
            [
                f"{E}.container.env[0].name: expected the name of a variable, got ''",
                f"{E}.container.env[1].name: expected the name of a variable, got 'A=B'",
            ],
        ),
        (
            {"container": {"image": "i", "resources": {"resourceCpuLimit": "2 cores", "resourceMemoryLimit": "-1Gi"}}},
            [
                f"{E}.container.resources.resourceCpuLimit: expected a quantity such as '500m', '2' or '1.5Gi', got '2 cores'",
                f"{E}.container.resources.resourceMemoryLimit: must not be negative, got '-1Gi'",
            ],
        ),
        (
            {"container": {"image": "i", "resources": {"resourceCpuLimit": "{{$.inputs.parameters['cpu']}}"}}},
            [],
        ),
        (
            {"container": {"image": "i", "resources": {"accelerator": {"resourceType": "nvidia.com/gpu"}}}},
            [f"{E}.container.resources.accelerator.resourceCount: required: how many of the accelerator a task gets"],
        ),
        (
            {"container": {"image": "i", "resources": {"accelerator": {"resourceCount": "1"}}}},
            [
                f"{E}.container.resources.accelerator.resourceType: required: the resource name, such as 'nvidia.com/gpu'"
            ],
        ),
    ],
)
def test_executors(executor, expected):
    flow = pipeline()
    flow.task("a", container(), {"cpu": "1"})

    def edit(document, _):
        document["deploymentSpec"]["executors"]["exec-a"] = executor

    assert problems(flow, edit) == expected


def test_importers():
    flow = pipeline()
    flow.task("a", importer("s3://bucket/x"), {"uri": "unused"}).task("b", importer(), {"uri": "s3://bucket/y"})
    assert problems(flow) == []

    def edit(document, _):
        executors, components = document["deploymentSpec"]["executors"], document["components"]
        executors["exec-a"]["importer"]["artifactUri"] = {}
        executors["exec-a"]["importer"].pop("typeSchema")
        executors["exec-b"]["importer"]["artifactUri"] = {"runtimeParameter": "urii"}
        components["comp-b"]["outputDefinitions"]["artifacts"]["second"] = {}

    path = "deploymentSpec.executors"
    assert problems(flow, edit) == [
        f"{path}.exec-a.importer.artifactUri: required: 'constant' (the URI) or 'runtimeParameter' (the input that holds it)",
        f"{path}.exec-a.importer.typeSchema: required: the type of the artifact, such as schemaTitle 'system.Dataset'",
        "components.comp-b: an importer has exactly one output artifact, this component declares 2",
        f"{path}.exec-b.importer.artifactUri.runtimeParameter: the task 'b' has no input 'urii'; did you mean 'uri'?",
    ]
    flow = pipeline()
    flow.task("a", importer(""), {"uri": "unused"})
    assert problems(flow) == [f"{path}.exec-a.importer.artifactUri.constant: expected a URI, got ''"]


K = "platforms.kubernetes.deploymentSpec.executors"


def test_settings_name_inputs_of_the_dag_around_the_task():
    mount = {"pvcMount": [{"componentInputParameter": "clam", "mountPath": "/x"}]}
    flow = pipeline().input("claim")
    flow.task("a", container(kubernetes=mount))
    place = f"{K}.exec-a.pvcMount[0].componentInputParameter"
    expected = f"{place}: unknown input 'clam' of the DAG around the task 'a'; did you mean 'claim'?"
    assert problems(flow) == [expected]
    mount["pvcMount"][0]["componentInputParameter"] = "claim"
    assert problems(flow) == []


def test_settings_of_an_unknown_executor():
    flow = pipeline()
    flow.task("a", container(kubernetes={}))

    def edit(_, platform):
        executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        executors["exec-aa"] = executors.pop("exec-a")

    assert problems(flow, edit) == [f"{K}.exec-aa: unknown executor 'exec-aa'; did you mean 'exec-a'?"]


P = "platforms.kubernetes.pipelineConfig"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"workspace": {"size": "10Gi", "kubernetes": {"pvcSpecPatch": {"accessModes": ["ReadWriteOnce"]}}}}, []),
        ({"workspace": {}}, [f"{P}.workspace.size: required: the size of the workspace, such as '10Gi'"]),
        (
            {"workspace": {"size": "big"}},
            [f"{P}.workspace.size: expected a quantity such as '500m', '2' or '1.5Gi', got 'big'"],
        ),
        ({"activeDeadlineSeconds": -1}, [f"{P}.activeDeadlineSeconds: must be 0 or more, got -1"]),
        (
            {"activeDeadline": 3},
            [f"{P}.activeDeadline: unknown field 'activeDeadline'; did you mean 'activeDeadlineSeconds'?"],
        ),
        (
            {"workspace": {"size": "1Gi", "kubernetes": {"pvcSpecPatch": {"accessMode": [], "storageClassName": ""}}}},
            [
                f"{P}.workspace.kubernetes.pvcSpecPatch.accessMode: unknown field 'accessMode'; did you mean 'accessModes'?",
                f"{P}.workspace.kubernetes.pvcSpecPatch.storageClassName: expected the name of a storage class, got ''",
            ],
        ),
        (
            {"workspace": {"size": "1Gi", "kubernetes": {"pvcSpecPatch": {"accessModes": []}}}},
            [
                f"{P}.workspace.kubernetes.pvcSpecPatch.accessModes: expected a list with at least one access mode, got a list"
            ],
        ),
    ],
)
def test_pipeline_settings(config, expected):
    flow = pipeline(config=config)
    flow.task("a", container())
    assert problems(flow) == expected
