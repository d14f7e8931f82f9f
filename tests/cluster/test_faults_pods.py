"""A Pod is taken away, or a part of it dies: the task has the right end, at the right cost, and no Pod stays behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from builders.specs import container, pipeline
from cluster import faults, simulated_loss
from cluster.faults import Gate
from cluster.installation import ATTEMPT, Installation, container_state
from fixtures.fix_s3 import Server

pytestmark = pytest.mark.timeout(300)
SETTINGS = {"HEADRACE_UNSTARTABLE_AFTER_S": "15", "HEADRACE_KEEP_PODS_S": "5"}


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as made:
        yield made


def begin(on_pods: Installation, gate: Gate, **more: object) -> str:
    """A run of one task that has begun."""
    run_id = on_pods.submit(pipeline("one").task("work", gate.task(**more), {"name": "work"}).build())  # type: ignore[arg-type]
    on_pods.until("the task at the gate", lambda: gate.begun["work"] == 1, 90)
    return run_id


def attempts(on_pods: Installation, run_id: str, path: str = "work") -> list[str]:
    return [one["state"].removeprefix("ATTEMPT_") for one in on_pods.task(run_id, path)["attempts"]]


def no_pod_stays(on_pods: Installation, run_id: str) -> None:
    on_pods.until("the run's Pods removed", lambda: not on_pods.living_pods(run_id), 60)


def test_a_pod_that_is_deleted_is_a_lost_attempt_and_the_next_one_has_the_next_number(
    on_pods: Installation, gate: Gate
) -> None:
    run_id = begin(on_pods, gate)
    pod = on_pods.pod_at_work(run_id)
    on_pods.kube.delete("Pod", pod["metadata"]["name"], on_pods.namespace, gracePeriodSeconds=0)
    gate.open()
    assert on_pods.ended(run_id) == "SUCCEEDED"
    assert attempts(on_pods, run_id) == ["LOST", "SUCCEEDED"]
    assert [pod["metadata"]["labels"][ATTEMPT] for pod in on_pods.pods.of(run_id)] == ["1", "2"]
    assert gate.begun["work"] == 2
    no_pod_stays(on_pods, run_id)


def test_a_drain_costs_none_of_the_user_s_retries(on_pods: Installation, gate: Gate) -> None:
    run_id = begin(on_pods, gate)
    faults.evict(on_pods.kube, on_pods.pod_at_work(run_id))
    gate.open()
    assert on_pods.ended(run_id) == "SUCCEEDED"
    assert attempts(on_pods, run_id) == ["LOST", "SUCCEEDED"]
    first = on_pods.task(run_id, "work")["attempts"][0]
    assert first["error"]["failure_class"] == "PREEMPTED", first


def test_a_pod_of_higher_priority_takes_the_accelerators_and_gives_them_back(on_pods: Installation, gate: Gate) -> None:
    name = f"urgent-{on_pods.namespace}"
    on_pods.kube.create(
        {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": {"name": name}, "value": 1000}
    )
    try:
        run_id = begin(on_pods, gate, resources={"accelerator": {"resourceType": "amd.com/gpu", "resourceCount": "2"}})
        simulated_loss.run_urgent(on_pods, name, "amd.com/gpu")
        gate.open()
        assert on_pods.ended(run_id) == "SUCCEEDED"
        assert attempts(on_pods, run_id) == ["LOST", "SUCCEEDED"]
        first = on_pods.task(run_id, "work")["attempts"][0]
        assert first["error"]["failure_class"] == "PREEMPTED", first
    finally:
        on_pods.kube.delete("PriorityClass", name)


def test_a_companion_that_is_killed_goes_on_where_it_was(on_pods: Installation, gate: Gate) -> None:
    run_id = begin(on_pods, gate)
    pod = on_pods.pod_at_work(run_id)
    faults.kill_container(pod, "companion")
    on_pods.kube.wait("Pod", pod["metadata"]["name"], on_pods.namespace, restarted)
    gate.open()
    assert on_pods.ended(run_id) == "SUCCEEDED"
    assert attempts(on_pods, run_id) == ["SUCCEEDED"]
    assert gate.begun["work"] == 1


def restarted(seen: dict | None) -> bool:
    statuses = (seen or {}).get("status", {}).get("initContainerStatuses", [])
    return any(one["restartCount"] and "running" in one["state"] for one in statuses)


def test_a_task_that_is_killed_for_memory_says_so(on_pods: Installation) -> None:
    greedy = container(
        ["python", "-c", "bytearray(300_000_000)"], resources={"resourceMemoryLimit": "64Mi", "memoryLimit": 0.064}
    )
    run_id = on_pods.submit(pipeline("greedy").task("work", greedy).build())
    assert on_pods.ended(run_id) == "FAILED"
    task = on_pods.task(run_id, "work")
    assert task["attempts"][0]["error"]["failure_class"] == "OUT_OF_MEMORY", task
    assert "memory" in task["error"]["message"]


def test_an_image_that_nobody_has_is_waited_for_and_told_and_then_fails(on_pods: Installation) -> None:
    missing = container(["true"], image="ghcr.io/nobody/nothing:9")
    run_id = on_pods.submit(pipeline("missing").task("work", missing).build())

    def told() -> bool:
        return "ghcr.io/nobody/nothing:9" in str(on_pods.task(run_id, "work").get("waiting_on", ""))

    on_pods.until("the image named as what the task waits for", told, 30)
    assert on_pods.ended(run_id) == "FAILED"
    assert "ghcr.io/nobody/nothing:9" in on_pods.task(run_id, "work")["error"]["message"]
    no_pod_stays(on_pods, run_id)


def test_user_code_that_ignores_sigterm_is_ended_after_its_grace(on_pods: Installation, gate: Gate) -> None:
    run_id = begin(on_pods, gate, before="trap '' TERM;")
    terminate(on_pods, run_id)
    assert on_pods.ended(run_id) == "CANCELED"
    no_pod_stays(on_pods, run_id)


def terminate(on_pods: Installation, run_id: str) -> None:
    from corpus import driving

    said = driving.command("runs", "terminate", run_id, "--endpoint", on_pods.platform.url)
    assert said.code == 0, said.stderr


def test_a_store_that_is_away_while_outputs_are_published_is_waited_for(
    on_pods: Installation, gate: Gate, store_server: Server
) -> None:
    run_id = begin(on_pods, gate)
    store_server.stop()
    try:
        gate.open()
        pod = on_pods.pod_at_work(run_id)
        on_pods.until("the user's code to end", lambda: faults.user_code_ended(pod))
        assert container_state(on_pods.living_pods(run_id)[0], "main") == "running"
    finally:
        store_server.start()
    assert on_pods.ended(run_id, 200) == "SUCCEEDED"
    assert attempts(on_pods, run_id) == ["SUCCEEDED"]
    assert gate.begun["work"] == 1


def test_a_pod_that_is_lost_while_it_publishes_runs_again(
    on_pods: Installation, gate: Gate, store_server: Server
) -> None:
    run_id = begin(on_pods, gate)
    store_server.stop()
    try:
        gate.open()
        pod = on_pods.pod_at_work(run_id)
        on_pods.until("the user's code to end", lambda: faults.user_code_ended(pod))
        on_pods.kube.delete("Pod", pod["metadata"]["name"], on_pods.namespace, gracePeriodSeconds=0)
    finally:
        store_server.start()
    assert on_pods.ended(run_id, 200) == "SUCCEEDED"
    assert attempts(on_pods, run_id) == ["LOST", "SUCCEEDED"]


def test_a_node_that_is_gone_has_lost_its_pods_and_another_one_takes_them(on_pods: Installation, gate: Gate) -> None:
    selected = simulated_loss.selector(on_pods.namespace)
    with simulated_loss.node_of(on_pods, selected) as lose:
        task = gate.task(kubernetes=simulated_loss.settings(selected))
        flow = pipeline("lost").task("work", task, {"name": "work"})
        run_id = on_pods.submit(flow.build(), flow.platform())
        on_pods.pod_at_work(run_id)
        lose()
        gate.open()
        assert on_pods.ended(run_id, 240) == "SUCCEEDED"
    assert attempts(on_pods, run_id) == ["LOST", "SUCCEEDED"]
    assert gate.begun["work"] == 1
