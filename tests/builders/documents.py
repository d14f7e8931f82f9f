"""A pipeline with every construct, and its platform document, as one object: what mutations start from."""

from __future__ import annotations

from typing import Any

from builders.specs import artifact, artifact_input, container, dag, dag_input, final_status, importer, output, pipeline

SETTINGS = {
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "secretAsEnv": [{"secretNameParameter": dag_input("who").source, "keyToEnv": [{"secretKey": "k", "envVar": "S"}]}],
    "pvcMount": [{"constant": "claim", "mountPath": "/data"}],
    "podMetadata": {"labels": {"example.com/team": "x"}},
    "nodeAffinity": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}],
    "initContainers": [{"name": "init", "image": "busybox", "env": [{"name": "A", "value": "b"}]}],
}


def rich_package() -> dict[str, Any]:
    """A pipeline with every construct, and its platform document."""
    workspace = {"size": "1Gi", "kubernetes": {"pvcSpecPatch": {"accessModes": ["ReadWriteOnce"]}}}
    flow = pipeline("rich", config={"workspace": workspace}).input("rows", "LIST", default=[1.0])
    flow.input("n", "NUMBER_INTEGER", optional=True, literals=[1.0]).input_artifact("seed", optional=True)
    flow.input("who", optional=True)
    flow.task("fetch", importer(metadata={"by": "{{$.inputs.parameters['uri']}}"}), {"uri": "s3://b/x"})
    arguments = [
        '{"IfPresent": {"InputName": "mode", "Then": ["--mode", "{{$.inputs.parameters[\'mode\']}}"]}}',
        "{{$}}",
    ]
    make = container(
        args=arguments, outputs={"Output": "LIST"}, output_artifacts={"d": "system.Dataset"}, kubernetes=SETTINGS
    )
    make.input("mode", optional=True, literals=["a", "b"]).output_artifact("parts", as_list=True)
    flow.task(
        "make", make, {"mode": "a"}, cache=True, cache_key="k", retry={"maxRetryCount": 1, "backoffDuration": "1s"}
    )
    body = dag({"item": "STRING", "rows": "LIST"}).input_artifact("d")
    use = container(inputs={"x": "STRING"}, input_artifacts={"d": "system.Dataset"}, outputs={"Output": "STRING"})
    body.task(
        "use", use, {"x": dag_input("item"), "d": artifact_input("d")}, when="inputs.parameter_values['x'] != 'a'"
    )
    body.task("alt", use, {"x": dag_input("item").field("f"), "d": artifact_input("d")}, after=["use"])
    body.returns_one_of("out", ("use", "Output"), ("alt", "Output"), type_="LIST")
    flow.task("loop", body, {"rows": output("make"), "d": artifact("make", "d")}, over="rows", parallelism=2)
    flow.task("fixed", body, {"rows": [], "d": artifact("fetch")}, items='["a"]')
    each = dag().input_artifact("part").input_artifact("parts", as_list=True, optional=True)
    each.task("look", container(input_artifacts={"d": "system.Artifact"}), {"d": artifact_input("part")})
    flow.task("each", each, {"parts": artifact("make", "parts")}, over_artifacts="parts", item="part")
    status = container(inputs={"s": "TASK_FINAL_STATUS"}, resources={"resourceCpuLimit": "1"}, env={"A": "b"})
    flow.task("exit", status, {"s": final_status("loop")}, after=["loop"], on_completion=True)
    flow.returns("all", "loop", "out", type_="LIST").returns_artifact("made", ("make", "d"))
    return {"pipeline_spec": flow.build(), "platform_spec": flow.platform()}
