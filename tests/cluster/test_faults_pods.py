"""A Pod is taken away in each part of an attempt, or a part of it dies, or it cannot be what its task asks for: the run has the
right end at the right cost, nothing that was committed is run again, nothing is lost, and no Pod stays behind.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from builders.specs import Pipeline, artifact, container, pipeline
from cluster import faults, simulated_loss
from cluster.bringup.kube import Object
from cluster.faults import Gate
from cluster.installation import ATTEMPT, PATH, Installation, container_state
from fixtures.fix_s3 import Server

pytestmark = pytest.mark.timeout(300)
RARE = "amd.com/gpu"  # one node has two of them, and nothing else here asks for any
ALL_OF_IT = {"accelerator": {"resourceType": RARE, "resourceCount": "2"}}
INPUT = "{{$.inputs.artifacts['data'].path}}"
ARTIFACT = "{{$.outputs.artifacts['data'].path}}"
OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
# In each part of an attempt: what is done to a Pod, and the failure class of the attempt that this ends ("": it ends none).
TAKEN = {"deleted": "INFRASTRUCTURE", "drained": "PREEMPTED", "preempted": "PREEMPTED"}
HARMS = {
    "staging": {"left-alone": "", "companion-killed": "", **TAKEN},
    "running": {"left-alone": "", "companion-killed": "", **TAKEN},
    # Whoever takes a Pod away gives it time to end: then its task has ended well. One that is torn away has no time.
    "publishing": {"left-alone": "", "companion-killed": "", **TAKEN, "drained": "", "preempted": ""},
}
NAMES = sorted(HARMS["running"])


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as made:
        yield made


# ---- what takes its time begins first, and is looked at last

FAILING: dict[str, tuple[Any, str, str]] = {
    "an image that nobody has": (
        container(["true"], image="ghcr.io/nobody/nothing:9"), "USER",
        r"the image 'ghcr.io/nobody/nothing:9' cannot be pulled on 'node-\d': it is not in its registry.*",
    ),
    "too much memory": (
        container(
            ["python", "-c", "bytearray(300_000_000)"], resources={"resourceMemoryLimit": "64Mi", "memoryLimit": 0.064}
        ),
        "OUT_OF_MEMORY", r".*memory.*",
    ),
    "too much in a folder": (
        container(
            ["sh", "-c", "head -c 20000000 /dev/zero > /scratch/x; sleep 600"], image="alpine",
            kubernetes={"emptyDirMounts": [{"volumeName": "scratch", "mountPath": "/scratch", "sizeLimit": "1Mi"}]},
        ),
        "USER", r"the empty folder 'scratch' wrote more than its limit of 1Mi to the node's disk: .*",
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def node_lost(on_pods: Installation) -> Iterator[tuple[Gate, str]]:
    """A run whose task's node has gone while it ran; the cluster takes a minute to be certain of that."""
    selected = simulated_loss.selector(on_pods.namespace)
    with Gate() as gate, simulated_loss.node_of(on_pods, selected) as lose:
        task = gate.task(kubernetes=simulated_loss.settings(selected))
        flow = pipeline("lost").task("work", task, {"name": "work"})
        run_id = on_pods.submit(flow.build(), flow.platform())
        on_pods.pod_at_work(run_id)
        lose()
        gate.open()
        yield gate, run_id


@pytest.fixture(scope="module", autouse=True)
def failing(on_pods: Installation, node_lost: object) -> dict[str, str]:
    """The runs of FAILING, under way while others run."""
    flows = {what: pipeline("failing").task("work", row[0]) for what, row in FAILING.items()}
    return {what: on_pods.submit(flow.build(), flow.platform()) for what, flow in flows.items()}


def test_an_image_that_nobody_has_is_waited_for_and_told(on_pods: Installation, failing: dict[str, str]) -> None:
    def told() -> bool:
        return "ghcr.io/nobody/nothing:9" in str(on_pods.task(failing[waits], "work").get("waiting_on", ""))

    waits = "an image that nobody has"
    on_pods.until("the image named as what the task waits for", told, 30)


# ---- Pods that are harmed


def flow_of(gate: Gate, selected: dict[str, str]) -> Pipeline:
    """One task whose output all others read, side by side, on nodes with that label; and one that reads all of theirs."""
    made = pipeline("harmed")
    write = container(["sh", "-c", 'printf kept > "$0"', ARTIFACT], image="alpine")
    made.task("first", write.output_artifact("data", "system.Dataset"))
    for name in NAMES:
        work = gate.task(
            before="echo before;",
            after='echo after; cat "$2" > "$3"',
            arguments=[INPUT, ARTIFACT],
            kubernetes={"nodeSelector": {"labels": selected}},
            resources=ALL_OF_IT if name == "preempted" else None,
        )
        work.input_artifact("data", "system.Dataset").output_artifact("data", "system.Dataset")
        made.task(name, work, {"name": name, "data": artifact("first", "data")})
    last = container(["sh", "-ec", 'out="$0"; cat "$@" > "$out"', OUTPUT], image="alpine", outputs={"Output": "STRING"})
    last.executor["container"]["args"] = [f"{{{{$.inputs.artifacts['{name}'].path}}}}" for name in NAMES]
    for name in NAMES:
        last.input_artifact(name, "system.Dataset")
    return made.task("last", last, {name: artifact(name, "data") for name in NAMES})


def states(on_pods: Installation, run_id: str) -> set[tuple[str, str]]:
    return {(task["path"], task["state"]) for task in on_pods.tasks(run_id)}


def at_work(on_pods: Installation, run_id: str) -> dict[str, Object]:
    """The Pods whose `main` runs."""
    living = [pod for pod in on_pods.living_pods(run_id) if container_state(pod, "main") == "running"]
    return {pod["metadata"]["annotations"][PATH]: pod for pod in living}


@contextmanager
def away(server: Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


def harm(on_pods: Installation, found: dict[str, Object], take: Callable[[], None]) -> None:
    """All of it at once."""
    on_pods.kube.delete("Pod", found["deleted"]["metadata"]["name"], on_pods.namespace, gracePeriodSeconds=0)
    faults.evict(on_pods.kube, found["drained"])
    take()
    faults.kill_container(found["companion-killed"], "companion")


def harmed(on_pods: Installation, run_id: str, phase: str, found: dict[str, Object]) -> bool:
    """Whether it has reached the Pods."""
    seen = {pod["metadata"]["uid"]: pod for pod in on_pods.living_pods(run_id)}
    now = {path: seen.get(pod["metadata"]["uid"]) for path, pod in found.items()}
    if phase == "publishing":  # which goes on
        taken = all("deletionTimestamp" in (now[path] or {})["metadata"] for path in ("drained", "preempted"))
    else:
        taken = now["drained"] is None and now["preempted"] is None
    return taken and faults.nothing_runs(found["deleted"]) and restarted(now["companion-killed"])


def restarted(seen: Object | None) -> bool:
    statuses = (seen or {}).get("status", {}).get("initContainerStatuses", [])
    return any(one["restartCount"] and "running" in one["state"] for one in statuses)


@pytest.mark.parametrize("phase", HARMS)
def test_pods_that_are_harmed(on_pods: Installation, gate: Gate, store_server: Server, phase: str) -> None:
    with (
        simulated_loss.shut(on_pods) as (selected, begin),
        simulated_loss.urgency(on_pods, RARE) as take,
        ExitStack() as store,
    ):
        flow = flow_of(gate, selected)
        run_id = on_pods.submit(flow.build(), flow.platform())
        on_pods.until("the first task", lambda: ("first", "TASK_SUCCEEDED") in states(on_pods, run_id))
        if phase == "staging":
            store.enter_context(away(store_server))
        begin()
        on_pods.until("all Pods", lambda: at_work(on_pods, run_id).keys() == set(NAMES), 90)
        found = at_work(on_pods, run_id)
        if phase != "staging":
            on_pods.until("all at the gate", lambda: gate.begun.keys() == set(NAMES))
        if phase == "publishing":
            store.enter_context(away(store_server))
            gate.open()
            on_pods.until("the end of all user code", lambda: all(map(faults.user_code_ended, found.values())))
        assert bool(gate.begun) == (phase != "staging")
        harm(on_pods, found, take)
        on_pods.until("the harm done", lambda: harmed(on_pods, run_id, phase, found), 90)
        store.close()
        gate.open()
        assert on_pods.ended(run_id, 200) == "SUCCEEDED"
    ended_as_told(on_pods, run_id, HARMS[phase])
    begun = Counter({name: 2 if kind and phase != "staging" else 1 for name, kind in HARMS[phase].items()})
    assert gate.begun == begun


def ended_as_told(on_pods: Installation, run_id: str, harms: dict[str, str]) -> None:
    """The attempts of each task and their Pods, and what came of them."""
    tasks = {task["path"]: task for task in on_pods.tasks(run_id)}
    attempts = {
        path: [one["state"].removeprefix("ATTEMPT_") for one in task["attempts"]] for path, task in tasks.items()
    }
    told = {name: ["LOST", "SUCCEEDED"] if kind else ["SUCCEEDED"] for name, kind in harms.items()}
    assert attempts == {"first": ["SUCCEEDED"], **told, "last": ["SUCCEEDED"]}
    kinds = {name: tasks[name]["attempts"][0].get("error", {}).get("failure_class", "") for name in harms}
    assert kinds == harms
    pods = Counter(
        (pod["metadata"]["annotations"][PATH], pod["metadata"]["labels"][ATTEMPT]) for pod in on_pods.pods.of(run_id)
    )
    assert pods == Counter((path, str(number + 1)) for path, ends in attempts.items() for number in range(len(ends)))
    assert json.loads(tasks["last"]["outputs"]["parameters"]["Output"]["json"]) == "kept" * len(harms)
    assert on_pods.log(run_id, "companion-killed") == "before\nafter\n"
    no_pod_stays(on_pods, run_id)


def no_pod_stays(on_pods: Installation, run_id: str) -> None:
    on_pods.until("the run's Pods removed", lambda: not on_pods.living_pods(run_id), 60)


# ---- what has begun first


@pytest.mark.parametrize("what", FAILING)
def test_a_task_that_fails_says_why(on_pods: Installation, failing: dict[str, str], what: str) -> None:
    _, kind, sentence = FAILING[what]
    assert on_pods.ended(failing[what]) == "FAILED"
    task = on_pods.task(failing[what], "work")
    assert [one["error"]["failure_class"] for one in task["attempts"]] == [kind], task["attempts"]
    assert re.fullmatch(sentence, task["error"]["message"]), task["error"]["message"]
    no_pod_stays(on_pods, failing[what])


def test_a_node_that_is_gone_has_lost_its_pods_and_another_one_takes_them(
    on_pods: Installation, node_lost: tuple[Gate, str]
) -> None:
    gate, run_id = node_lost
    assert on_pods.ended(run_id, 240) == "SUCCEEDED"
    first, second = on_pods.task(run_id, "work")["attempts"]
    assert (first["state"], first["error"]["failure_class"]) == ("ATTEMPT_LOST", "PREEMPTED")
    assert second["state"] == "ATTEMPT_SUCCEEDED"
    assert gate.begun["work"] == 1
    no_pod_stays(on_pods, run_id)
