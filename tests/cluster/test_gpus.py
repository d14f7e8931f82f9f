"""Accelerators on real nodes: found by product and profile, explained where there are none, shared by more than there are.

The cluster has four NVIDIA-H100-80GB-HBM3 and two slices 1g.10gb on node-1, two NVIDIA-A100-SXM4-40GB and two MI300X on node-2
(bringup/hardware.py); they are stand-ins, and everything around them is real.
"""

from __future__ import annotations

import json
from typing import Any

from builders.specs import container, dag, dag_input, pipeline
from cluster.bringup.kube import Object
from cluster.conftest import Install
from cluster.installation import PATH, Installation, container_state
from corpus import driving

H100 = "NVIDIA-H100-80GB-HBM3"
A100 = "NVIDIA-A100-SXM4-40GB"


def on(accelerator: str, count: int = 1, seconds: float = 0) -> Any:
    """A component that asks for these, says what it was given, and works for so long."""
    script = f'echo "given $NVIDIA_VISIBLE_DEVICES"; sleep {seconds}'
    resources = {"accelerator": {"resourceType": accelerator, "resourceCount": str(count)}}
    return container(["sh", "-c", script], image="alpine", inputs={"x": "STRING"}, resources=resources)


def limits(pod: Object) -> dict[str, str]:
    main = next(one for one in pod["spec"]["containers"] if one["name"] == "main")
    found: dict[str, str] = main["resources"]["limits"]
    return found


def waits_for(platform: Installation, run_id: str, path: str) -> str:
    return str(platform.task(run_id, path).get("waiting_on", {}).get("detail", ""))


def test_two_of_a_product_a_slice_and_what_there_is_not(on_pods: Installation) -> None:
    flow = pipeline("gpus")
    flow.task("pair", on("A100", 2), {"x": "1"})
    flow.task("slice", on("MIG 1g.10gb"), {"x": "1"})
    flow.task("none", on("B200"), {"x": "1"})
    run_id = on_pods.submit(flow.build())

    def two_have_ended() -> bool:
        return {task["path"] for task in on_pods.tasks(run_id) if task["state"] == "TASK_SUCCEEDED"} >= {
            "pair",
            "slice",
        }

    on_pods.until("the two that can run", two_have_ended, 90)
    pods = {pod["metadata"]["annotations"][PATH]: pod for pod in on_pods.pods.of(run_id)}
    assert limits(pods["pair"]) == {"nvidia.com/gpu": "2"}
    assert limits(pods["slice"]) == {"nvidia.com/mig-1g.10gb": "1"}
    assert pods["pair"]["spec"]["nodeName"] == "node-2"
    assert pods["slice"]["spec"]["nodeName"] == "node-1"
    assert len(on_pods.log(run_id, "pair").removeprefix("given ").strip().split(",")) == 2
    on_pods.until("the third to say why", lambda: "B200" in waits_for(on_pods, run_id, "none"), 30)
    said = waits_for(on_pods, run_id, "none")
    assert "asks for 1 × B200, which no node has. The cluster has " in said
    for has in (f"4 × {H100}", f"2 × {A100}", f"2 × {H100} MIG 1g.10gb", "2 × AMD_Instinct_MI300X_OAM"):
        assert has in said
    used = json_of(on_pods, "runs", "usage", run_id)["tasks"]
    assert {path: times[0]["accelerator"] for path, times in used.items()} == {
        "none": "B200",
        "pair": A100,
        "slice": f"{H100} MIG 1g.10gb",
    }
    for path in ("pair", "slice"):
        assert 0 < used[path][0]["used_s"] <= used[path][0]["asked_s"]
    assert used["none"][0]["used_s"] == 0
    driving.command("runs", "terminate", run_id, "--endpoint", on_pods.platform.url)
    assert on_pods.ended(run_id) == "CANCELED"


def test_a_request_that_a_fixed_cluster_cannot_meet_is_refused(install: Install) -> None:
    with install(HEADRACE_CLUSTER_FIXED="true") as platform:
        platform.until("the nodes to be known", lambda: nodes_known(platform))
        file = platform.folder / "none.yaml"
        file.write_text(json.dumps(pipeline("none").task("none", on("H10O", 2), {"x": "1"}).build()))
        said = driving.command("run", str(file), "--no-wait", "--endpoint", platform.platform.url)
        assert said.code == 2
        assert "asks for 2 × H10O, which no node has. The cluster has " in said.stderr
        assert f"did you mean {H100}?" in said.stderr


def nodes_known(platform: Installation) -> bool:
    """Not while the scheduler has only begun."""
    said = driving.command("nodes", "-o", "json", "--endpoint", platform.platform.url)
    return said.code == 0 and bool(json.loads(said.stdout))


def test_eight_on_four_run_four_at_a_time_and_the_others_say_so(on_pods: Installation) -> None:
    flow = pipeline("eight")
    body = dag({"item": "STRING"}).task("train", on("H100", seconds=4), {"x": dag_input("item")})
    flow.task("loop", body, items=json.dumps([str(one) for one in range(8)]))
    run_id = on_pods.submit(flow.build())
    most = 0
    sentences: set[str] = set()

    def over() -> bool:
        nonlocal most
        living = on_pods.living_pods(run_id)
        most = max(most, sum(container_state(pod, "main") == "running" for pod in living))
        sentences.update(task.get("waiting_on", {}).get("detail", "") for task in on_pods.tasks(run_id))
        return bool(on_pods.platform.get(f"/apis/headrace.v1/runs/{run_id}")["state"] == "RUN_SUCCEEDED")

    on_pods.until("all eight", over, 150)
    assert most == 4
    assert any(one.startswith(f"needs 1 × H100; 0 of 4 × {H100} free") for one in sentences), sentences
    pods = on_pods.pods.of(run_id)
    assert [pod["spec"]["nodeName"] for pod in pods] == ["node-1"] * 8
    totals = json_of(on_pods, "runs", "usage", run_id)["total"]
    assert len(totals) == 1, totals
    (total,) = totals
    assert (total["accelerator"], total["attempts"]) == (H100, 8)
    assert total["used_s"] >= 8 * 4
    assert total["asked_s"] > total["used_s"] + 4 * 4, "four of them waited for four others"


def test_nodes_are_shown_with_what_is_in_use(on_pods: Installation) -> None:
    flow = pipeline("busy").task("busy", on("MI300X", 2, seconds=600), {"x": "1"})
    run_id = on_pods.submit(flow.build())
    pod = on_pods.pod_at_work(run_id)
    assert (limits(pod), pod["spec"]["nodeName"]) == ({"amd.com/gpu": "2"}, "node-2")
    shown = {node["name"]: node for node in json_of(on_pods, "nodes")}
    kinds = {one["resource"]: one for one in shown["node-2"]["accelerators"]}
    assert (kinds["amd.com/gpu"]["count"], kinds["amd.com/gpu"]["used"]) == (2, 2)
    assert kinds["amd.com/gpu"]["memory"] == 192 * 2**30
    assert (kinds["nvidia.com/gpu"]["product"], kinds["nvidia.com/gpu"]["used"]) == (A100, 0)
    assert {one["mig"] for one in shown["node-1"]["accelerators"]} == {"", "1g.10gb"}
    driving.command("runs", "terminate", run_id, "--endpoint", on_pods.platform.url)
    assert on_pods.ended(run_id) == "CANCELED"


def json_of(platform: Installation, *arguments: str) -> Any:
    said = driving.command(*arguments, "-o", "json", "--endpoint", platform.platform.url)
    assert said.code == 0, said.stderr
    return json.loads(said.stdout)
