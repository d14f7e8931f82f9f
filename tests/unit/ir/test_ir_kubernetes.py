"""Static validation of Kubernetes settings: strict fields, and what Kubernetes itself would refuse later."""

from __future__ import annotations

import pytest

from builders.specs import container, dag_input, output, pipeline
from headrace_ir.reading import read_spec
from headrace_ir.validating import validate

K = "platforms.kubernetes.deploymentSpec.executors.exec-a"
REFERENCE = {"componentInputParameter": "name"}
OBJECT = {"componentInputParameter": "object"}


def problems(settings):
    flow = pipeline().input("name").input("object", "STRUCT").task("made", container(outputs={"Output": "STRING"}))
    flow.task("a", container(inputs={"claim": "STRING"}, kubernetes=settings), {"claim": "c"})
    found = read_spec({"pipeline_spec": flow.build(), "platform_spec": flow.platform()})
    return [str(problem) for problem in validate(found)]


FINE = {
    "secretAsVolume": [{"secretName": "my-secret", "mountPath": "/a", "optional": False}],
    "secretAsEnv": [
        {"secretNameParameter": REFERENCE, "keyToEnv": [{"secretKey": "k", "envVar": "A"}]},
        {
            "secretName": "test-secret-2",
            "secretNameParameter": {"runtimeValue": {"constant": "test-secret-2"}},
            "keyToEnv": [],
        },
    ],
    "config_map_as_volume": [{"config_map_name_parameter": REFERENCE, "mount_path": "/b/"}],
    "configMapAsEnv": [
        {"configMapNameParameter": output("made").source, "keyToEnv": [{"configMapKey": "k", "envVar": "B"}]}
    ],
    "pvcMount": [
        {"constant": "data", "mountPath": "/c", "subPath": "x/y"},
        {"componentInputParameter": "name", "pvcNameParameter": REFERENCE, "mountPath": "/d"},
        {"pvcNameParameter": {"runtimeValue": {"constant": "{{$.inputs.parameters['claim']}}"}}, "mountPath": "/e"},
    ],
    "nodeSelector": {"labels": {"example.com/kind": "gpu", "zone": ""}, "nodeSelectorJson": OBJECT},
    "podMetadata": {"labels": {"team": "x"}, "annotations": {"a/b": "free text"}},
    "imagePullSecret": [{"secretNameParameter": REFERENCE}],
    "imagePullPolicy": "Always",
    "activeDeadlineSeconds": "60",
    "fieldPathAsEnv": [{"name": "P", "fieldPath": "metadata.labels['x']"}, {"name": "Q", "fieldPath": "spec.nodeName"}],
    "tolerations": [
        {"key": "gpu"},
        {"operator": "Exists"},
        {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 3},
        {"tolerationJson": OBJECT},
    ],
    "genericEphemeralVolume": [
        {"volumeName": "scratch", "mountPath": "/f", "accessModes": ["ReadWriteOnce"], "size": "1Gi"}
    ],
    "nodeAffinity": [
        {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}], "weight": 5},
        {"matchFields": [{"key": "metadata.name", "operator": "Gt", "values": ["3"]}]},
        {"nodeAffinityJson": OBJECT},
    ],
    "podAffinity": [{"topologyKey": "zone", "matchPodLabels": {"a": "b"}, "anti": True}],
    "enabledSharedMemory": {"volumeName": "shm", "size": "2Gi"},
    "emptyDirMounts": [{"volumeName": "tmp", "mountPath": "/g", "medium": "Memory", "sizeLimit": "1Gi"}],
    "securityContext": {"runAsUser": 0, "runAsGroup": 1000},
    "initContainers": [
        {
            "name": "side",
            "image": "i",
            "restartPolicy": "Always",
            "env": [{"name": "A", "value": ""}],
            "volumeMounts": [{"volumeName": "tmp", "mountPath": "/g"}],
            "resources": {"limits": {"cpu": "1"}},
        }
    ],
    "podResourceClaims": [{"resourceClaimTemplateName": "gpu"}],
}


def test_everything_that_can_be_set():
    assert problems(FINE) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"toleration": []}, "toleration: unknown field 'toleration'; did you mean 'tolerations'?"),
        ({"secretAsEnv": {}}, "secretAsEnv: expected a list, got an object"),
        ({"nodeSelector": "x"}, "nodeSelector: expected an object with named fields, got 'x'"),
        ({"podMetadata": {"label": {}}}, "podMetadata.label: unknown field 'label'; did you mean 'labels'?"),
        ({"imagePullPolicy": 3}, "imagePullPolicy: expected text, got the number 3 (put it in quotes)"),
        (
            {"imagePullPolicy": "Sometimes"},
            "imagePullPolicy: expected one of Always, Never, IfNotPresent, got 'Sometimes'",
        ),
        ({"activeDeadlineSeconds": "soon"}, "activeDeadlineSeconds: expected a whole number, got 'soon'"),
        ({"activeDeadlineSeconds": -1}, "activeDeadlineSeconds: must be 0 (none) or more"),
        (
            {"secretAsVolume": [{"mountPath": "/a"}]},
            "secretAsVolume[0].secretNameParameter: required: the name of the secret",
        ),
        (
            {"imagePullSecret": [{"secretNameParameter": {}}]},
            "imagePullSecret[0].secretNameParameter: has no source for the name of the secret: expected "
            "'componentInputParameter', 'taskOutputParameter' or 'runtimeValue' with a constant",
        ),
        (
            {"configMapAsVolume": [{"configMapName": "My_Map", "mountPath": "/a"}]},
            "configMapAsVolume[0].configMapName: expected the name of a config map (lower-case letters, digits, '-', '.'), "
            "got 'My_Map'",
        ),
        (
            {"pvcMount": [{"pvcNameParameter": {"runtimeValue": {"constant": 3}}, "mountPath": "/a"}]},
            "pvcMount[0].pvcNameParameter.runtimeValue.constant: expected the name of a volume claim (lower-case letters, "
            "digits, '-', '.'), got the number 3",
        ),
        (
            {"pvcMount": [{"constant": "a"}]},
            "pvcMount[0].mountPath: required: where the volume is mounted, such as '/data'",
        ),
        (
            {"pvcMount": [{"constant": "a", "mountPath": "data"}]},
            "pvcMount[0].mountPath: expected an absolute path without ':', got 'data'",
        ),
        (
            {"pvcMount": [{"constant": "a", "mountPath": "/a"}, {"constant": "b", "mountPath": "/a/"}]},
            "pvcMount[1].mountPath: '/a/' is mounted already, by pvcMount[0]",
        ),
        (
            {"pvcMount": [{"constant": "a", "mountPath": "/a", "subPath": "../b"}]},
            "pvcMount[0].subPath: expected a path within the volume, got '../b'",
        ),
        (
            {"pvcMount": [{"constant": "a", "componentInputParameter": "name", "mountPath": "/a"}]},
            "pvcMount[0].componentInputParameter: only one of 'constant' and 'componentInputParameter' can be given",
        ),
        (
            {"secretAsEnv": [{"secretName": "s", "keyToEnv": [{"envVar": "A=B"}]}]},
            [
                "secretAsEnv[0].keyToEnv[0].secretKey: required: the key whose value the variable gets",
                "secretAsEnv[0].keyToEnv[0].envVar: expected the name of a variable, got 'A=B'",
            ],
        ),
        (
            {"fieldPathAsEnv": [{"name": "", "fieldPath": "metadata.label['x']"}]},
            [
                "fieldPathAsEnv[0].name: expected the name of a variable, got ''",
                "fieldPathAsEnv[0].fieldPath: expected a field of the Pod such as 'metadata.name', \"metadata.labels['x']\" "
                "or 'spec.nodeName', got 'metadata.label['x']'",
            ],
        ),
        (
            {"genericEphemeralVolume": [{"volumeName": "A", "mountPath": "/a", "accessModes": ["ReadWriteOne"]}]},
            [
                "genericEphemeralVolume[0].volumeName: expected the name of a volume (lower-case letters, digits, '-'), "
                "got 'A'",
                "genericEphemeralVolume[0].size: required: the size of the volume, such as '10Gi'",
                "genericEphemeralVolume[0].accessModes[0]: unknown access mode 'ReadWriteOne'; did you mean "
                "'ReadWriteOnce'?",
            ],
        ),
        (
            {"emptyDirMounts": [{"mountPath": "/a", "sizeLimit": "big", "medium": "Disk"}]},
            [
                "emptyDirMounts[0].volumeName: required: the name of the volume",
                "emptyDirMounts[0].sizeLimit: expected a quantity such as '500m', '2' or '1.5Gi', got 'big'",
                "emptyDirMounts[0].medium: expected 'Memory' or nothing, got 'Disk'",
            ],
        ),
        (
            {
                "emptyDirMounts": [{"volumeName": "v", "mountPath": "/a"}],
                "enabledSharedMemory": {"volumeName": "v", "size": "0"},
            },
            [
                "enabledSharedMemory.volumeName: the volume 'v' exists already, by emptyDirMounts[0]",
                "enabledSharedMemory.size: must be above 0, got '0'",
            ],
        ),
        (
            {"podMetadata": {"labels": {"a b": "x", "c": "y z"}, "annotations": {"/d": "free text"}}},
            [
                "podMetadata.labels.a b: expected a name such as 'team' or 'example.com/team', at most 63 characters after "
                "the '/', got 'a b'",
                "podMetadata.labels.c: a label's value is at most 63 letters, digits, '-', '_' and '.', got 'y z'",
                "podMetadata.annotations./d: expected a name such as 'team' or 'example.com/team', at most 63 characters "
                "after the '/', got '/d'",
            ],
        ),
        (
            {"nodeSelector": {"nodeSelectorJson": {"runtimeValue": {"constant": {"zone": 3}}}}},
            "nodeSelector.nodeSelectorJson.runtimeValue.constant.zone: expected text, got the number 3",
        ),
        (
            {"nodeSelector": {"nodeSelectorJson": {"runtimeValue": {"constant": []}}}},
            "nodeSelector.nodeSelectorJson.runtimeValue.constant: expected an object of labels and their values, got a list",
        ),
        (
            {"tolerations": [{}]},
            "tolerations[0].key: required: the taint's key (operator 'Exists' without a key tolerates every taint)",
        ),
        (
            {
                "tolerations": [
                    {"key": "a", "operator": "Exist", "value": "b", "effect": "Never", "tolerationSeconds": 1}
                ]
            },
            [
                "tolerations[0].operator: unknown: 'Exist'; did you mean 'Exists'?",
                "tolerations[0].effect: unknown: 'Never'; the effects here are 'NoSchedule', 'PreferNoSchedule', 'NoExecute'",
                "tolerations[0].tolerationSeconds: has a meaning with effect 'NoExecute' only",
            ],
        ),
        (
            {"tolerations": [{"operator": "Exists", "value": "b"}]},
            "tolerations[0].value: operator 'Exists' takes no value",
        ),
        (
            {"tolerations": [{"tolerationJson": {"runtimeValue": {"constant": "x"}}}]},
            "tolerations[0].tolerationJson.runtimeValue.constant: expected a toleration or a list of them, got 'x'",
        ),
        (
            {"nodeAffinity": [{"weight": 0, "matchExpressions": [{"operator": "In"}, {"key": "a"}]}]},
            [
                "nodeAffinity[0].weight: must be from 1 to 100, got 0",
                "nodeAffinity[0].matchExpressions[0].key: required: the label that is compared",
                "nodeAffinity[0].matchExpressions[0].values: operator 'In' needs at least one value",
                "nodeAffinity[0].matchExpressions[1].operator: required: one of In, NotIn, Exists, DoesNotExist, Gt, Lt",
            ],
        ),
        (
            {
                "nodeAffinity": [
                    {"matchFields": [{"key": "a", "operator": "Gt", "values": ["x"]}]},
                    {"matchFields": [{"key": "a", "operator": "Exists", "values": ["x"]}]},
                    {"nodeAffinityJson": {"runtimeValue": {"constant": 1}}},
                ]
            },
            [
                "nodeAffinity[0].matchFields[0].values: operator 'Gt' needs exactly one whole number",
                "nodeAffinity[1].matchFields[0].values: operator 'Exists' takes no values",
                "nodeAffinity[2].nodeAffinityJson.runtimeValue.constant: expected an object, got the number 1",
            ],
        ),
        (
            {"podAffinity": [{"matchPodExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}]},
            [
                "podAffinity[0].topologyKey: required: a node label such as 'kubernetes.io/hostname'",
                "podAffinity[0].matchPodExpressions[0].operator: unknown: 'Gt'; the operators here are 'In', 'NotIn', "
                "'Exists', 'DoesNotExist'",
            ],
        ),
        (
            {"securityContext": {"runAsUser": 0, "runAsNonRoot": True, "runAsGroup": -1}},
            [
                "securityContext.runAsGroup: must be 0 or more",
                "securityContext: runAsUser is 0 (root) and runAsNonRoot is true; only one of them can hold",
            ],
        ),
        (
            {
                "initContainers": [
                    {"name": "main"},
                    {"name": "b", "image": "i"},
                    {"name": "b", "image": "i"},
                    {"image": "i"},
                ]
            },
            [
                "initContainers[0].name: 'main' is a container of the platform's own; choose another name",
                "initContainers[0].image: required: the image that the container runs",
                "initContainers[2].name: another init container is called 'b' already",
                "initContainers[3].name: required: a name of its own",
            ],
        ),
        (
            {
                "initContainers": [
                    {
                        "name": "A",
                        "image": "i",
                        "env": [{}],
                        "volumeMounts": [{"mountPath": "x"}],
                        "restartPolicy": "Never",
                        "resources": {"limits": {"cpu": "much"}},
                    }
                ]
            },
            [
                "initContainers[0].name: expected the name of a container (lower-case letters, digits, '-'), got 'A'",
                "initContainers[0].env[0].name: expected the name of a variable, got ''",
                "initContainers[0].volumeMounts[0].volumeName: required: the volume that is mounted",
                "initContainers[0].volumeMounts[0].mountPath: expected an absolute path without ':', got 'x'",
                "initContainers[0].restartPolicy: expected 'Always' (it then runs beside the task) or nothing, got 'Never'",
                "initContainers[0].resources.limits.cpu: expected a quantity such as '500m', '2' or '1.5Gi', got 'much'",
            ],
        ),
        (
            {"podResourceClaims": [{}]},
            "podResourceClaims[0].resourceClaimTemplateName: required: the name of a resource claim template",
        ),
    ],
)
def test_settings_that_kubernetes_would_refuse(settings, expected):
    assert problems(settings) == [f"{K}.{text}" for text in ([expected] if isinstance(expected, str) else expected)]


def test_snake_case_settings_are_judged_alike():
    settings = {"pvc_mount": [{"constant": "a", "mount_path": "x"}]}
    assert problems(settings) == [f"{K}.pvcMount[0].mountPath: expected an absolute path without ':', got 'x'"]


def test_names_come_from_text():
    flow = pipeline().input("n", "NUMBER_INTEGER").input("labels", "STRUCT")
    settings = {
        "imagePullSecret": [{"secretNameParameter": dag_input("n").source}],
        "nodeSelector": {"nodeSelectorJson": dag_input("labels").source},
        "tolerations": [{"tolerationJson": dag_input("n").source}],
    }
    flow.task("a", container(kubernetes=settings))
    found = read_spec({"pipeline_spec": flow.build(), "platform_spec": flow.platform()})
    assert [str(problem) for problem in validate(found)] == [
        f"{K}.imagePullSecret[0].secretNameParameter.componentInputParameter: 'n' is NUMBER_INTEGER; a name here must be "
        "a STRING",
        f"{K}.tolerations[0].tolerationJson.componentInputParameter: 'n' is NUMBER_INTEGER; expected a STRUCT, or a "
        "LIST of tolerations",
    ]
