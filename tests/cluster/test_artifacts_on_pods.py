"""Artifacts of Pods: by granted ways to a store whose keys no Pod has, of any size, and only what the task has to do with."""

from __future__ import annotations

from builders.specs import artifact, container, importer, pipeline
from cluster.installation import Installation
from fixtures.fix_s3 import S3

DATA = "{{$.outputs.artifacts['data'].path}}"
INPUT = "{{$.inputs.artifacts['data'].path}}"
OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
LARGE = 20 << 20  # bytes: in parts


def writing(script: str):
    return container(["sh", "-ec", script, DATA], image="alpine").output_artifact("data", "system.Dataset")


def reading(script: str):
    read = container(["sh", "-ec", script, OUTPUT, INPUT], image="alpine")
    return read.output("Output", "STRING").input_artifact("data", "system.Dataset")


def output_of(platform: Installation, run_id: str, path: str) -> str:
    return str(platform.task(run_id, path)["outputs"]["parameters"]["Output"]["json"])


def errors(platform: Installation, run_id: str) -> dict[str, str]:
    return {task["path"]: (task.get("error") or {}).get("message", "") for task in platform.tasks(run_id)}


def test_folders_and_large_files_go_from_pod_to_pod(on_pods: Installation) -> None:
    flow = pipeline("artifacts")
    make = f'mkdir -p "$0/below" "$0/empty"; printf a > "$0/a"; dd if=/dev/zero of="$0/below/large" bs={LARGE} count=1'
    flow.task("make", writing(make))
    read = 'test -d "$1/empty"; cat "$1/a" > "$0"; wc -c < "$1/below/large" >> "$0"'
    flow.task("read", reading(read), {"data": artifact("make", "data")})
    run_id = on_pods.submit(flow.build())
    assert on_pods.ended(run_id) == "SUCCEEDED", errors(on_pods, run_id)
    assert output_of(on_pods, run_id, "read") == f'"a{LARGE}\\n"'


def test_what_belongs_to_another_namespace_is_not_given(on_pods: Installation, store: S3) -> None:
    place = f"{on_pods.namespace}/namespaces/others/run/model"
    store.bucket("headrace", {place: b"theirs"})
    flow = pipeline("foreign")
    flow.task("get", importer(), {"uri": f"s3://headrace/{place}"})
    flow.task("read", reading('cat "$1" > "$0"'), {"data": artifact("get")})
    run_id = on_pods.submit(flow.build())
    assert on_pods.ended(run_id) == "FAILED"
    said = errors(on_pods, run_id)["read"]
    assert "input artifact 'data' is not given to this task" in said
    assert "belongs to the namespace 'others', not to 'default'" in said
