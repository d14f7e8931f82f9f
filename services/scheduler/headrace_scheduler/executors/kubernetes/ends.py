"""How a Pod ended, as the result of its attempt, where no report says more: whose failure it is, and a sentence about it. Pure.

A report from the companion always counts for more (`refined` only takes away what was not the user's fault). The words that
are looked for are those of the kubelet, the scheduler and the eviction API; what is not known is told as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace_companion import pod_layout
from headrace_companion.results import Reason
from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import events_pb2 as ev

Json = Mapping[str, Any]
AttemptResult = attempts_pb2.AttemptResult
SHOWN: Final = 400
KILLED: Final = 137
DISRUPTIONS: Final = {
    "PreemptionByScheduler": "was preempted on {node} by a Pod of higher priority",
    "EvictionByEvictionAPI": "was evicted from {node}, as by a drain",
    "DeletionByTaintManager": "was removed from {node}, which has a taint or cannot be reached",
    "DeletionByPodGC": "was removed because {node} has gone",
    "TerminationByKubelet": "was ended by {node}",
}
# What the node could not do when it was offered the Pod, which may be done by another node, or later.
NOT_ADMITTED: Final = re.compile(
    r"OutOf\w+|UnexpectedAdmissionError|UnknownReason|UnexpectedPredicateFailureType|InvalidNodeInfo|NodeAffinity|NodePorts"
    r"|NodeShutdown|TopologyAffinityError|VolumeAttachmentLimitExceeded|Pod\w+NotSupported|PodFeatureUnsupported|AppArmor|Evicted"
    r"|PodOSSelectorNodeLabelDoesNotMatch|PodLevelResourcesNotAdmitted\w*|InitContainerRestartPolicyForbidden|SysctlForbidden"
)
NODE_GONE: Final = frozenset({"NodeLost", "Shutdown", "Terminated"})
STORAGE: Final = (
    (
        re.compile(r'Usage of EmptyDir volume "(?P<name>[^"]*)" exceeds the limit "(?P<most>[^"]*)"'),
        "the empty folder '{name}'",
    ),
    (re.compile(r'Container (?P<name>\S+) exceeded its local ephemeral storage limit "(?P<most>[^"]*)"'), "'{name}'"),
    (
        re.compile(r"ephemeral local storage usage exceeds the total limit of containers (?P<most>\S+?)\.?\s*$"),
        "the Pod",
    ),
)
CANNOT_START: Final = frozenset({"StartError", "ContainerCannotRun", "RunContainerError", "CreateContainerError"})


def ending(pod: Json) -> AttemptResult | None:
    """What the Pod's end means; None: it has not ended, or says nothing by which to judge."""
    if sentence := disruption(pod):
        return _of(ev.ATTEMPT_LOST, Reason.LOST, ev.PREEMPTED, sentence) if _over(pod) else None
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and (found := _by_the_node(pod, status)):
        return found
    for name, end in _terminated(status.get("containerStatuses")):
        if name == pod_layout.MAIN:
            return _main_ended(pod, end)
    if status.get("phase") == "Failed":
        ended = [(name, end) for name, end in _terminated(status.get("initContainerStatuses")) if end.get("exitCode")]
        for name, end in sorted(ended, key=lambda one: one[0] == pod_layout.COMPANION):  # it ends with what failed
            return _init_ended(pod, name, end)
        return _of(ev.ATTEMPT_LOST, Reason.LOST, ev.INFRASTRUCTURE, f"its Pod failed{_quoted(status)}")
    return None


def disruption(pod: Json) -> str:
    """Why the cluster is taking the Pod away, or has; "": it is not."""
    for one in (pod.get("status") or {}).get("conditions") or ():
        if one.get("type") == "DisruptionTarget" and one.get("status") == "True":
            said = str(one.get("message") or "").strip()
            what = DISRUPTIONS.get(str(one.get("reason")), "was taken away from {node}")
            return f"its Pod {what.format(node=_on(pod, '').strip() or 'its node')}{_detail(said)}"
    status = pod.get("status") or {}
    if status.get("reason") in NODE_GONE:
        return f"its Pod ended with its node{_on(pod)}{_detail(str(status.get('message') or ''))}"
    return ""


def deleted(pod: Json) -> AttemptResult:
    """The Pod was deleted, and not by us; POD is what was seen of it last."""
    found = ending(pod)
    if found is not None and found.error.failure_class in (ev.OUT_OF_MEMORY, ev.PREEMPTED, ev.TIMEOUT):
        return found
    if sentence := disruption(pod):
        return _of(ev.ATTEMPT_LOST, Reason.LOST, ev.PREEMPTED, sentence)
    return _of(ev.ATTEMPT_LOST, Reason.LOST, ev.INFRASTRUCTURE, f"its Pod was deleted{_on(pod)} by somebody else")


def node_lost(node: str, seconds: float) -> AttemptResult:
    """Nothing has been heard of the Pod's node for so long."""
    sentence = f"its node '{node}' has not been ready for {seconds:.0f} s"
    return _of(ev.ATTEMPT_LOST, Reason.LOST, ev.PREEMPTED, sentence)


def by_the_node(pod: Json) -> AttemptResult | None:
    """What the node says of a Pod that it has ended by itself, as for its limits; None: it has not, or does not say why."""
    status = pod.get("status") or {}
    return _by_the_node(pod, status) if status.get("phase") == "Failed" else None


def told_to_end(result: AttemptResult) -> bool:
    """Whether the companion saw that its task was asked to end, and not by whom."""
    return result.state == ev.ATTEMPT_LOST and result.error.reason == Reason.LOST


def refined(
    result: AttemptResult, taken_away: str, out_of_memory: str = "", by_node: AttemptResult | None = None
) -> AttemptResult:
    """A report in the light of what the Pod's status says: who was ended by the cluster did not fail. Success stays success."""
    explained = told_to_end(result) and (bool(taken_away) or by_node is not None)
    failed = result.state == ev.ATTEMPT_FAILED and result.error.reason == Reason.USER_ERROR
    if not (explained or failed):
        return result
    made = AttemptResult()
    made.CopyFrom(result)
    if explained and by_node is not None:
        made.state = by_node.state
        made.error.MergeFrom(by_node.error)
    elif taken_away:
        made.state = ev.ATTEMPT_LOST
        made.error.reason, made.error.failure_class, made.error.message = Reason.LOST, ev.PREEMPTED, taken_away
    elif out_of_memory:
        made.error.reason, made.error.failure_class = Reason.OUT_OF_MEMORY, ev.OUT_OF_MEMORY
        made.error.message = out_of_memory
    return made


def out_of_memory(pod: Json) -> str:
    """The sentence about a `main` that the kernel ended for its memory; "": it was not."""
    for name, end in _terminated((pod.get("status") or {}).get("containerStatuses")):
        if name == pod_layout.MAIN and end.get("reason") == "OOMKilled":
            return _memory(pod, pod_layout.MAIN, "user code")
    return ""


def _by_the_node(pod: Json, status: Json) -> AttemptResult | None:
    """What the kubelet says of the whole Pod."""
    reason, said = str(status.get("reason") or ""), str(status.get("message") or "")
    if reason == "DeadlineExceeded":
        seconds = (pod.get("spec") or {}).get("activeDeadlineSeconds", 0)
        return _of(
            ev.ATTEMPT_FAILED, Reason.TIMED_OUT, ev.TIMEOUT, f"its Pod was still there after {seconds} s and was ended"
        )
    for pattern, whose in STORAGE if reason == "Evicted" else ():
        if found := pattern.search(said):
            return _of(ev.ATTEMPT_FAILED, Reason.RESOURCES, ev.USER, _storage(found.groupdict(), whose))
    if reason == "Evicted" and status.get("startTime") and "had condition" not in said:
        return _of(ev.ATTEMPT_LOST, Reason.LOST, ev.PREEMPTED, f"its Pod was evicted{_on(pod)}{_detail(said)}")
    if NOT_ADMITTED.fullmatch(reason):
        sentence = f"the node{_on(pod, '')} did not take its Pod: {reason}{_detail(said)}"
        return _of(ev.ATTEMPT_LOST, Reason.LAUNCH, ev.INFRASTRUCTURE, sentence)
    return None


def _storage(found: Mapping[str, str], whose: str) -> str:
    name = found.get("name", "")
    if name == pod_layout.MAIN:
        whose = "user code"
    return (
        f"{whose.format(name=name)} wrote more than its limit of {found['most']} to the node's disk: ask for more, or write to "
        "a volume"
    )


def _main_ended(pod: Json, end: Json) -> AttemptResult:
    code, reason = int(end.get("exitCode") or 0), end.get("reason")
    if reason == "OOMKilled":
        sentence = _memory(pod, pod_layout.MAIN, "user code")
        return _of(ev.ATTEMPT_FAILED, Reason.OUT_OF_MEMORY, ev.OUT_OF_MEMORY, sentence, code)
    if reason in CANNOT_START:
        return _of(
            ev.ATTEMPT_FAILED, Reason.LAUNCH, ev.INFRASTRUCTURE, cannot_start(pod, str(end.get("message") or "")), code
        )
    for name, other in _terminated((pod.get("status") or {}).get("initContainerStatuses")):
        if name == pod_layout.COMPANION and other.get("reason") == "OOMKilled":
            return _of(ev.ATTEMPT_LOST, Reason.LOST, ev.INFRASTRUCTURE, _memory(pod, name, "the companion"), code)
    if code and code != KILLED:
        return _of(ev.ATTEMPT_FAILED, Reason.USER_ERROR, ev.USER, f"user code ended with exit code {code}", code)
    how = "was killed" if code else "ended"
    sentence = f"its container {how}{_on(pod)} and its companion did not report: nothing is known of its outputs"
    return _of(ev.ATTEMPT_LOST, Reason.LOST, ev.INFRASTRUCTURE, sentence, code)


def _init_ended(pod: Json, name: str, end: Json) -> AttemptResult:
    code = int(end.get("exitCode") or 0)
    if name == pod_layout.COMPANION:
        what = f"ended with exit code {code}{_detail(str(end.get('message') or ''))}"
        sentence = _memory(pod, name, "the companion") if end.get("reason") == "OOMKilled" else f"the companion {what}"
        return _of(ev.ATTEMPT_LOST, Reason.LAUNCH, ev.INFRASTRUCTURE, sentence, code)
    if end.get("reason") == "OOMKilled":
        sentence = _memory(pod, name, f"the init container '{name}'")
        return _of(ev.ATTEMPT_FAILED, Reason.OUT_OF_MEMORY, ev.OUT_OF_MEMORY, sentence, code)
    sentence = f"the init container '{name}' ended with exit code {code}{_detail(str(end.get('message') or ''))}"
    return _of(ev.ATTEMPT_FAILED, Reason.USER_ERROR, ev.USER, sentence, code)


def cannot_start(pod: Json, said: str) -> str:
    """The sentence about a `main` that the container runtime could not start."""
    image = next((str(one.get("image")) for one in _containers(pod) if one.get("name") == pod_layout.MAIN), "")
    if "exec format error" in said:
        return f"the image '{image}' does not start{_on(pod)}: it is for another kind of processor than the node's"
    if "permission denied" in said:
        return f"the image '{image}' does not start{_on(pod)}: its user may not run the command{_detail(said)}"
    return f"the image '{image}' does not start{_on(pod)}{_detail(said)}"


def _memory(pod: Json, name: str, whose: str) -> str:
    limits = (
        next((one for one in _containers(pod) if one.get("name") == name), {}).get("resources", {}).get("limits", {})
    )
    if limit := limits.get("memory"):
        return f"{whose} used more memory than its limit of {limit} and was killed: raise the limit, or use less"
    return f"{whose} was killed because the node{_on(pod, '')} had no memory left: ask for the memory that it needs"


def _containers(pod: Json) -> Iterator[Json]:
    spec = pod.get("spec") or {}
    yield from spec.get("containers") or ()
    yield from spec.get("initContainers") or ()


def _terminated(statuses: Any) -> Iterator[tuple[str, Json]]:
    """The containers that have ended, by name."""
    for one in statuses or ():
        end = (one.get("state") or {}).get("terminated")
        if end is not None:
            yield str(one.get("name")), end


def _over(pod: Json) -> bool:
    status = pod.get("status") or {}
    return status.get("phase") in ("Failed", "Succeeded") or any(
        name == pod_layout.MAIN for name, _ in _terminated(status.get("containerStatuses"))
    )


def _on(pod: Json, preposition: str = " on") -> str:
    node = (pod.get("spec") or {}).get("nodeName")
    return f"{preposition} '{node}'" if node else ""


def _quoted(status: Json) -> str:
    return _detail(" ".join(str(status[name]) for name in ("reason", "message") if status.get(name)))


def _detail(said: str) -> str:
    plain = " ".join(said.split()).rstrip(".")[:SHOWN]
    return f": {plain}" if plain else ""


def _of(
    state: ev.AttemptState.ValueType,
    reason: Reason,
    failure_class: ev.FailureClass.ValueType,
    message: str,
    exit_code: int = 0,
) -> AttemptResult:
    error = ev.Error(reason=reason, message=message, failure_class=failure_class, exit_code=exit_code)
    return AttemptResult(state=state, error=error)
