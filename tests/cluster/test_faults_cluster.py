"""Kubelets, the API server or connections to it go away, or the scheduler does. Runs go on and repeat nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.specs import dag, dag_input, pipeline
from cluster import faults
from cluster.bringup.places import KUBECONFIG
from cluster.conftest import Install
from cluster.faults import Gate, Wire
from cluster.installation import Installation
from cluster.standing_in import cluster_api
from headrace_scheduler.executors.kubernetes.calling import Expired, path_of

pytestmark = pytest.mark.timeout(300)
WIDE = 4


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as made:
        yield made


def begin(platform: Installation, gate: Gate) -> str:
    """A run of a few tasks side by side that have all begun, and of one after them."""
    names = [f"wide-{number}" for number in range(WIDE)]
    body = dag({"item": "STRING"}).task("one", gate.task(), {"name": dag_input("item")})
    flow = pipeline("wide").task("loop", body, items=str(names).replace("'", '"'))
    flow.task("after", gate.task(), {"name": "after"}, after=["loop"])
    run_id = platform.submit(flow.build())
    platform.until("all tasks at the gate", lambda: len(gate.begun) == WIDE, 120)
    return run_id


def ended_well(platform: Installation, gate: Gate, run_id: str) -> None:
    gate.open()
    assert platform.ended(run_id, 200) == "SUCCEEDED"
    assert set(gate.begun.values()) == {1}
    assert len(platform.pods.of(run_id)) == WIDE + 1
    leaves = [task for task in platform.tasks(run_id) if task["kind"] == "RUNTIME"]
    assert [len(task["attempts"]) for task in leaves] == [1] * (WIDE + 1)


def test_kubelets_are_restarted_under_running_tasks(on_pods: Installation, gate: Gate) -> None:
    run_id = begin(on_pods, gate)
    for node in ("node-1", "node-2"):
        faults.restart_kubelet(node)
    ended_well(on_pods, gate, run_id)


def test_the_api_server_is_restarted_under_running_tasks(on_pods: Installation, gate: Gate) -> None:
    run_id = begin(on_pods, gate)
    faults.restart_api_server()
    ended_well(on_pods, gate, run_id)


async def test_what_was_before_the_api_servers_start_has_expired(namespace: str) -> None:
    faults.restart_api_server()
    async with cluster_api(str(KUBECONFIG)) as api:
        with pytest.raises(Expired):
            await anext(api.watch(path_of(namespace, "configmaps"), {}, "1"))


def test_watches_are_dropped_again_and_again(install: Install, gate: Gate, tmp_path: Path) -> None:
    with Wire() as wire, install(KUBECONFIG=str(wire.kubeconfig(tmp_path))) as platform:
        run_id = begin(platform, gate)
        for _ in range(3):
            before = wire.accepted
            wire.cut()
            platform.until("the scheduler connected anew", lambda before=before: wire.accepted > before)
        ended_well(platform, gate, run_id)


def test_the_scheduler_is_killed_while_tasks_run_and_one_reports_meanwhile(on_pods: Installation, gate: Gate) -> None:
    run_id = begin(on_pods, gate)
    on_pods.platform.kill("scheduler")
    gate.open("wide-0")
    on_pods.platform.start_again("scheduler")
    ended_well(on_pods, gate, run_id)
