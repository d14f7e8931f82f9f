"""How a Pod ended, and whose failure that is: statuses as the kubelet, the scheduler and the eviction API write them."""

from __future__ import annotations

from typing import Any

import pytest

from builders.pods import OPTIONS, task
from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.executors.kubernetes import ends
from headrace_scheduler.executors.kubernetes.pods import pod
from headrace_scheduler.executors.task_settings import TaskSettings

Json = dict[str, Any]


def seen(status: Json, *, limit: str = "", node: str = "n1") -> Json:
    """The Pod of a task, with this status."""
    resources = {"limits": {"memory": limit}} if limit else {}
    body = pod(task(TaskSettings(resources=resources), timeout_s=5), OPTIONS).body
    return {**body, "spec": {**body["spec"], "nodeName": node}, "status": status}


def ended(name: str = "main", **end: Any) -> Json:
    key = "containerStatuses" if name == "main" else "initContainerStatuses"
    return {key: [{"name": name, "state": {"terminated": {"exitCode": 1, "reason": "Error", **end}}}]}


def disrupted(why: str, message: str = "", **status: Any) -> Json:
    held = {"type": "DisruptionTarget", "status": "True", "reason": why, "message": message}
    return {"phase": "Failed", "conditions": [held]} | status


LOST, FAILED = ev.ATTEMPT_LOST, ev.ATTEMPT_FAILED
CASES: list[tuple[str, Json, tuple[int, str, int, int, str]]] = [
    (
        "a user's exit code",
        {"phase": "Failed", **ended(exitCode=3)},
        (FAILED, "UserError", ev.USER, 3, "user code ended with exit code 3"),
    ),
    (
        "out of memory, with a limit",
        {"phase": "Failed", **ended(exitCode=137, reason="OOMKilled")},
        (
            FAILED, "OutOfMemory", ev.OUT_OF_MEMORY, 137,
            "user code used more memory than its limit of 2Gi and was killed: raise the limit, or use less",
        ),
    ),
    (
        "the companion out of memory",
        {"phase": "Failed", **ended(exitCode=143), **ended("companion", exitCode=137, reason="OOMKilled")},
        (
            LOST, "Lost", ev.INFRASTRUCTURE, 143,
            "the companion used more memory than its limit of 512Mi and was killed: raise the limit, or use less",
        ),
    ),
    (
        "killed, nobody knows by whom",
        {"phase": "Failed", **ended(exitCode=137)},
        (
            LOST, "Lost", ev.INFRASTRUCTURE, 137,
            "its container was killed on 'n1' and its companion did not report: nothing is known of its outputs",
        ),
    ),
    (
        "exit code 0 without a report",
        {"phase": "Succeeded", **ended(exitCode=0, reason="Completed")},
        (
            LOST, "Lost", ev.INFRASTRUCTURE, 0,
            "its container ended on 'n1' and its companion did not report: nothing is known of its outputs",
        ),
    ),
    (
        "preempted",
        disrupted("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"),
        (
            LOST, "Lost", ev.PREEMPTED, 0,
            "its Pod was preempted on 'n1' by a Pod of higher priority: default-scheduler: preempting to accommodate a higher "
            "priority pod",
        ),
    ),
    (
        "drained",
        disrupted("EvictionByEvictionAPI", "Eviction API: evicting", **ended(exitCode=143)),
        (
            LOST, "Lost", ev.PREEMPTED, 0,
            "its Pod was evicted from 'n1', as by a drain: Eviction API: evicting",
        ),
    ),
    (
        "tainted",
        disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
        (
            LOST, "Lost", ev.PREEMPTED, 0,
            "its Pod was removed from 'n1', which has a taint or cannot be reached: Taint manager: deleting due to "
            "NoExecute taint",
        ),
    ),
    (
        "the node is low on memory",
        disrupted("TerminationByKubelet", "The node was low on resource: memory. ", reason="Evicted"),
        (LOST, "Lost", ev.PREEMPTED, 0, "its Pod was ended by 'n1': The node was low on resource: memory"),
    ),
    (
        "its own storage limit",
        {"phase": "Failed", "reason": "Evicted", "startTime": "2026-11-21T14:00:00Z",
         "message": 'Container main exceeded its local ephemeral storage limit "1Gi". '},
        (
            FAILED, "Resources", ev.USER, 0,
            "user code wrote more than its limit of 1Gi to the node's disk: ask for more, or write to a volume",
        ),
    ),
    (
        "the limit of a folder",
        {"phase": "Failed", "reason": "Evicted", "message": 'Usage of EmptyDir volume "tmp" exceeds the limit "5Mi". '},
        (
            FAILED, "Resources", ev.USER, 0,
            "the empty folder 'tmp' wrote more than its limit of 5Mi to the node's disk: ask for more, or write to a volume",
        ),
    ),
    (
        "the limit of all containers",
        {"phase": "Failed", "reason": "Evicted",
         "message": "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. "},
        (
            FAILED, "Resources", ev.USER, 0,
            "the Pod wrote more than its limit of 2Gi to the node's disk: ask for more, or write to a volume",
        ),
    ),
    (
        "a node under pressure that does not take it",
        {"phase": "Failed", "reason": "Evicted", "message": "The node had condition: [DiskPressure]. "},
        (
            LOST, "Launch", ev.INFRASTRUCTURE, 0,
            "the node 'n1' did not take its Pod: Evicted: The node had condition: [DiskPressure]",
        ),
    ),
    (
        "no CPU left when it came",
        {"phase": "Failed", "reason": "OutOfcpu",
         "message": "Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 0, capacity: 1000"},
        (
            LOST, "Launch", ev.INFRASTRUCTURE, 0,
            "the node 'n1' did not take its Pod: OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu, requested: "
            "2000, used: 0, capacity: 1000",
        ),
    ),
    (
        "a device plugin that is restarting",
        {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "Allocate failed due to no healthy devices present"},
        (
            LOST, "Launch", ev.INFRASTRUCTURE, 0,
            "the node 'n1' did not take its Pod: UnexpectedAdmissionError: Allocate failed due to no healthy devices present",
        ),
    ),
    (
        "a node that shut down",
        {"phase": "Failed", "reason": "Terminated", "message": "Pod was terminated in response to imminent node shutdown."},
        (
            LOST, "Lost", ev.PREEMPTED, 0,
            "its Pod ended with its node on 'n1': Pod was terminated in response to imminent node shutdown",
        ),
    ),
    (
        "the safety net of its time-out",
        {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the deadline"},
        (FAILED, "TimedOut", ev.TIMEOUT, 0, "its Pod was still there after 86435 s and was ended"),
    ),
    (
        "the wrong processor",
        {"phase": "Failed", **ended(exitCode=128, reason="StartError", message="exec /headrace/bin/shim: exec format error")},
        (
            FAILED, "Launch", ev.INFRASTRUCTURE, 128,
            "the image 'python:3.11' does not start on 'n1': it is for another kind of processor than the node's",
        ),
    ),
    (
        "noexec",
        {"phase": "Failed", **ended(exitCode=128, reason="StartError", message="exec: permission denied: unknown")},
        (
            FAILED, "Launch", ev.INFRASTRUCTURE, 128,
            "the image 'python:3.11' does not start on 'n1': its user may not run the command: exec: permission denied: unknown",
        ),
    ),
    (
        "an init container of the user's",
        {"phase": "Failed", **ended("fetch", exitCode=2, message="no such host\n")},
        (FAILED, "UserError", ev.USER, 2, "the init container 'fetch' ended with exit code 2: no such host"),
    ),
    (
        "an init container of the user's, and the companion after it",
        {"phase": "Failed", "initContainerStatuses": [
            {"name": "companion", "state": {"terminated": {"exitCode": 143}}},
            {"name": "fetch", "state": {"terminated": {"exitCode": 2}}},
        ]},
        (FAILED, "UserError", ev.USER, 2, "the init container 'fetch' ended with exit code 2"),
    ),
    (
        "the companion before user code",
        {"phase": "Failed", **ended("companion", exitCode=1, message="no token")},
        (LOST, "Launch", ev.INFRASTRUCTURE, 1, "the companion ended with exit code 1: no token"),
    ),
    (
        "what nobody has thought of",
        {"phase": "Failed", "reason": "Sunspots", "message": "try again."},
        (LOST, "Lost", ev.INFRASTRUCTURE, 0, "its Pod failed: Sunspots try again"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("status", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_end_of_a_pod(status, expected):
    found = ends.ending(seen(status, limit="2Gi"))
    assert found is not None
    error = found.error
    assert (found.state, error.reason, error.failure_class, error.exit_code, error.message) == expected


def test_out_of_memory_without_a_limit_is_the_nodes():
    found = ends.ending(seen(ended(exitCode=137, reason="OOMKilled")))
    assert found.error.message == (
        "user code was killed because the node 'n1' had no memory left: ask for the memory that it needs"
    )


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"phase": "Pending"},
        {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]},
        disrupted("EvictionByEvictionAPI", phase="Running"),
    ],
)
def test_a_pod_that_has_not_ended(status):
    assert ends.ending(seen(status)) is None


def test_a_pod_that_somebody_deleted():
    running = seen({"phase": "Running"})
    found = ends.deleted(running)
    assert (found.state, found.error.failure_class) == (LOST, ev.INFRASTRUCTURE)
    assert found.error.message == "its Pod was deleted on 'n1' by somebody else"
    assert ends.deleted(seen(ended(exitCode=143))).error.failure_class == ev.INFRASTRUCTURE
    assert ends.deleted(seen(disrupted("EvictionByEvictionAPI", phase="Running"))).error.failure_class == ev.PREEMPTED
    assert ends.deleted(seen(ended(reason="OOMKilled"))).error.failure_class == ev.OUT_OF_MEMORY


def test_a_lost_node():
    found = ends.node_lost("n1", 60.4)
    assert (found.state, found.error.failure_class) == (LOST, ev.PREEMPTED)
    assert found.error.message == "its node 'n1' has not been ready for 60 s"


def reported(state: int, reason: str, kind: int) -> attempts_pb2.AttemptResult:
    return attempts_pb2.AttemptResult(
        state=state,
        error=ev.Error(reason=reason, message="exit code 143", failure_class=kind, exit_code=143, log_tail="x"),
    )


def test_who_was_ended_by_the_cluster_did_not_fail():
    failed = reported(FAILED, "UserError", ev.USER)
    sentence = ends.disruption(seen(disrupted("EvictionByEvictionAPI", phase="Running")))
    found = ends.refined(failed, sentence)
    assert (found.state, found.error.failure_class, found.error.message) == (LOST, ev.PREEMPTED, sentence)
    assert found.error.log_tail == "x"
    assert ends.refined(failed, "") == failed


def test_who_was_only_told_to_end_learns_who_took_its_pod_away():
    told = reported(LOST, "Lost", ev.INFRASTRUCTURE)
    found = ends.refined(told, "its Pod was evicted from 'n1', as by a drain")
    assert (found.state, found.error.failure_class) == (LOST, ev.PREEMPTED)
    assert found.error.message == "its Pod was evicted from 'n1', as by a drain"
    assert ends.refined(told, "") == told


def test_who_was_only_told_to_end_learns_what_its_node_has_to_say():
    over = 'Usage of EmptyDir volume "tmp" exceeds the limit "5Mi". '
    by_node = ends.by_the_node(seen({"phase": "Failed", "reason": "Evicted", "message": over}))
    told = reported(LOST, "Lost", ev.INFRASTRUCTURE)
    found = ends.refined(told, "", by_node=by_node)
    assert (found.state, found.error.reason, found.error.failure_class) == (FAILED, "Resources", ev.USER)
    assert found.error.message.startswith("the empty folder 'tmp' wrote more than its limit of 5Mi")
    assert found.error.log_tail == "x"
    done = attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED)
    assert ends.refined(done, "", by_node=by_node) == done
    assert ends.by_the_node(seen({"phase": "Running"})) is None


def test_success_and_other_failures_stay_what_they_are():
    done = attempts_pb2.AttemptResult(state=ev.ATTEMPT_SUCCEEDED)
    late = reported(FAILED, "TimedOut", ev.TIMEOUT)
    assert ends.refined(done, "evicted") == done
    assert ends.refined(late, "evicted") == late


def test_a_process_that_the_kernel_killed_for_its_memory():
    sentence = ends.out_of_memory(seen(ended(exitCode=137, reason="OOMKilled"), limit="1Gi"))
    found = ends.refined(reported(FAILED, "UserError", ev.USER), "", sentence)
    assert (found.error.reason, found.error.failure_class) == ("OutOfMemory", ev.OUT_OF_MEMORY)
    assert found.error.message.startswith("user code used more memory than its limit of 1Gi")
    assert ends.out_of_memory(seen(ended())) == ""
