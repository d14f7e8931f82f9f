"""KFP's Kubernetes settings in effect: what user code finds in its Pod of secrets, config maps, claims, folders and fields."""

from __future__ import annotations

import base64
import json

from builders.specs import Component, container, output, pipeline
from cluster.installation import Installation

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
CLAIM = {"access_modes": ["ReadWriteOnce"], "size": "1Mi", "storage_class_name": "immediate"}


def shell(script: str, **settings: object) -> Component:
    """What SCRIPT prints is its output."""
    command = ["sh", "-ec", f'({script}) > "$0"', OUTPUT]
    return container(command, image="alpine", outputs={"Output": "STRING"}, kubernetes=settings)


def operation(image: str) -> Component:
    made = container([], image=image, outputs={"name": "STRING"} if image.endswith("createpvc") else {})
    del made.executor["container"]["command"]
    for name, kind in (
        ("access_modes", "LIST"),
        ("size", "STRING"),
        ("storage_class_name", "STRING"),
        ("pvc_name_suffix", "STRING"),
        ("pvc_name", "STRING"),
    ):
        made.input(name, kind, optional=True)
    return made


def outputs(on_pods: Installation, flow, *names: str) -> dict[str, str]:
    for name in names:
        flow.returns(name, name)
    run_id = on_pods.submit(flow.build(), flow.platform())
    assert on_pods.ended(run_id) == "SUCCEEDED", [task.get("error") for task in on_pods.tasks(run_id)]
    held = on_pods.platform.get(f"/apis/headrace.v1/runs/{run_id}")["outputs"]["parameters"]
    return {name: json.loads(value["json"]) for name, value in held.items()}


def test_what_user_code_finds(on_pods: Installation) -> None:
    metadata = {"name": "my.secret", "namespace": on_pods.namespace}
    data = {"user": base64.b64encode(b"me").decode()}
    on_pods.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    on_pods.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"colour": "red"}})
    flow = pipeline("found")
    flow.task(
        "env",
        shell(
            'printf %s "$A-$B-$C-$D"',
            secretAsEnv=[
                {"secretName": "my.secret", "keyToEnv": [{"secretKey": "user", "envVar": "A"}]},
                {"secretName": "none", "keyToEnv": [{"secretKey": "x", "envVar": "D"}], "optional": True},
            ],
            configMapAsEnv=[{"configMapName": "my.secret", "keyToEnv": [{"configMapKey": "colour", "envVar": "B"}]}],
            fieldPathAsEnv=[{"name": "C", "fieldPath": "metadata.labels['team']"}],
            podMetadata={"labels": {"team": "ml"}},
        ),
    )
    flow.task(
        "files",
        shell(
            "cat /a/user /b/user /c/colour; stat -f -c %T /fast; id -u",
            secretAsVolume=[
                {"secretName": "my.secret", "mountPath": "/a"},
                {"secretName": "my.secret", "mountPath": "/b"},
            ],
            configMapAsVolume=[{"configMapName": "my.secret", "mountPath": "/c"}],
            emptyDirMounts=[{"volumeName": "fast", "mountPath": "/fast", "medium": "Memory", "sizeLimit": "8Mi"}],
            securityContext={"runAsUser": "1234"},
        ),
    )
    flow.task(
        "init",
        shell(
            "cat /shared/x",
            emptyDirMounts=[{"volumeName": "shared", "mountPath": "/shared"}],
            initContainers=[
                {
                    "name": "first",
                    "image": "alpine",
                    "command": ["sh", "-c", "printf first > /s/x"],
                    "volumeMounts": [{"volumeName": "shared", "mountPath": "/s"}],
                }
            ],
        ),
    )
    found = outputs(on_pods, flow, "env", "files", "init")
    assert found["env"] == "me-red-ml-"
    assert found["files"].split() == ["memeredtmpfs", "1234"]
    assert found["init"] == "first"


def test_a_claim_from_its_making_to_its_end_and_the_workspace(on_pods: Installation) -> None:
    others = claims(on_pods)
    flow = pipeline("volumes", config={"workspace": {"size": "1Mi"}})
    flow.task("make", operation("argostub/createpvc"), {**CLAIM, "pvc_name_suffix": "-data"})
    claim = {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "name"}}
    mount = [{"pvcNameParameter": claim, "mountPath": "/data"}]
    flow.task("write", shell("printf kept > /data/x; printf shared > {{$.workspace_path}}/y; echo", pvcMount=mount))
    flow.task("read", shell("cat /data/x {{$.workspace_path}}/y", pvcMount=mount), after=["write"])
    flow.task("end", operation("argostub/deletepvc"), {"pvc_name": output("make", "name")}, after=["read"])
    assert outputs(on_pods, flow, "read") == {"read": "keptshared"}
    # They are gone when the Pods are that used them, which are kept for a while.
    on_pods.until("all claims are being deleted", lambda: claims(on_pods) <= others)


def claims(on_pods: Installation) -> set[str]:
    """The names of those that stay."""
    found = on_pods.kube.list("PersistentVolumeClaim", on_pods.namespace)
    return {one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]}
