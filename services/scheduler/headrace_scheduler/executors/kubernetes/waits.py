"""Why a Pod does not run user code yet, as one sentence with numbers, and whether waiting can help. Pure.

Read from the Pod's conditions and container states and from the events about it; the words that are looked for are those of the
scheduler, the autoscalers, the kubelet and the volume controllers. What is free of accelerators is the caller's to add: it
knows the nodes. What needs a person ends the attempt after HEADRACE_UNSTARTABLE_AFTER_S. Called by the executor.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from headrace_companion import pod_layout
from headrace_companion.results import Reason
from headrace_protos.v1 import attempts_pb2
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.executors.kubernetes.ends import cannot_start
from headrace_scheduler.executors.kubernetes.pulls import PULLING, pull_problem

Json = Mapping[str, Any]
SHOWN: Final = 300
NONE_FREE: Final = re.compile(
    r"^0/(?P<all>\d+) nodes are available: ?(?P<why>.*?)(?:[.,] preemption: .*)?\.?\s*$", re.DOTALL
)
COUNTED: Final = re.compile(r"(?P<count>\d+) (?P<why>.*?)(?=, \d+ |\. |\.?$)")
# What the scheduler's plugins say of nodes, in people's words; `{rest}` is what follows.
NODES: Final = (
    (re.compile(r"Insufficient (?P<rest>\S+)"), "too little {rest} free"),
    (re.compile("Too many pods"), "no room for another Pod"),
    (re.compile(r"didn't match Pod's node affinity/selector"), "not what the node selector or affinity asks for"),
    (re.compile(r"had untolerated taint(?:\(s\)| (?P<rest>\{.*\}))?"), "a taint that the task does not tolerate {rest}"),
    (re.compile("had taints that the pod didn't tolerate"), "a taint that the task does not tolerate"),
    (re.compile("were unschedulable"), "been cordoned"),
    (re.compile("volume node affinity conflict|match PersistentVolume's node affinity"), "no way to the task's volume"),
    (re.compile("didn't find available persistent volumes to bind"), "no volume for the task's claim"),
    (re.compile("did not have enough free storage"), "too little storage for the task's claim"),
    (re.compile("exceed max volume count"), "no room for another volume"),
    (re.compile("ReadWriteOncePod"), "a claim that another Pod has for itself"),
    (re.compile("anti-affinity"), "a Pod that the anti-affinity keeps apart"),
    (re.compile("didn't match pod affinity rules"), "no Pod that the affinity asks for"),
    (re.compile("topology spread"), "too many Pods of that kind already"),
)  # fmt: skip
SHORT: Final = (  # the same, in a word
    (re.compile(r"Insufficient \S+/"), "accelerators"),
    (re.compile("Insufficient cpu"), "cpu"),
    (re.compile("Insufficient memory"), "memory"),
    (re.compile("Too many pods"), "pods"),
    (re.compile("volume|PersistentVolume|free storage|ReadWriteOncePod"), "volume"),
)
CLAIM: Final = re.compile(
    r'persistentvolumeclaim "(?P<name>[^"]+)" (?P<what>not found|is being deleted|bound to non-existent.*)'
)
MISSING: Final = re.compile(r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found', re.IGNORECASE)
MISSING_KEY: Final = re.compile(
    r"(?:couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) \S*/(?P<name>\S+)"
    r"|references non-existent (?P<kind2>secret|config) key: (?P<key2>\S+))"
)
ROOT: Final = re.compile(r"runAsNonRoot and image (?:will run as root|has non-numeric user \((?P<user>[^)]*)\))")
ELSEWHERE: Final = re.compile("Multi-Attach error")
VOLUME: Final = re.compile(r'volume "(?P<name>[^"]+)"')
KINDS: Final = {"secret": "secret", "configmap": "config map", "config": "config map"}


@dataclass(frozen=True, slots=True)
class Wait:
    """`stuck`: what the attempt comes to if nobody puts it right; None: waiting is all that there is to do. `resource`: a word of
    WaitingOn.resource."""

    detail: str
    stuck: attempts_pb2.AttemptResult | None = None
    resource: str = ""


def waiting(pod: Json, events: Sequence[Json] = (), accelerators: str = "") -> Wait | None:
    """None: user code's container runs or has ended. ACCELERATORS: what the task needs of them and what is free."""
    told = sorted(events, key=_time)
    if not (pod.get("spec") or {}).get("nodeName"):
        return replace(_unscheduled(pod, told, accelerators), resource=_short(pod, accelerators))
    for name, state in _states(pod):
        if name == pod_layout.MAIN and ("running" in state or "terminated" in state):
            return None
        if found := _container(pod, name, state):
            pulled = (state.get("waiting") or {}).get("reason") in PULLING
            return replace(found, resource="image" if pulled else "containers")
    return _volume(pod, told) or _preparing(pod, told)


# ---- no node yet


def _unscheduled(pod: Json, events: Sequence[Json], accelerators: str) -> Wait:
    held = _condition(pod, "PodScheduled")
    said = str(held.get("message") or "")
    if held.get("reason") == "SchedulingGated":
        gates = ", ".join(f"'{one.get('name')}'" for one in pod["spec"].get("schedulingGates") or ())
        return Wait(f"it is held back by the scheduling gate {gates}")
    if found := CLAIM.search(said):
        return _claim(found)
    if node := (pod.get("status") or {}).get("nominatedNodeName"):
        return Wait(f"it waits on '{node}' for Pods of lower priority to end, which it replaces")
    if "unbound immediate PersistentVolumeClaims" in said:
        return Wait(f"the storage of a claim is not there yet{_last(events, 'FailedBinding', 'ProvisioningFailed')}")
    if not said:
        wanted = pod["spec"].get("schedulerName", "default-scheduler")
        return Wait(f"it waits for the scheduler '{wanted}' to choose a node")
    sentence = _no_node(said)
    if accelerators:
        sentence = f"{accelerators}; {sentence}"
    return Wait(f"{sentence}{_scaling(events)}")


def _short(pod: Json, accelerators: str) -> str:
    """What keeps it from a node, in a word: what most nodes have too little of."""
    held = _condition(pod, "PodScheduled")
    said = str(held.get("message") or "")
    if held.get("reason") == "SchedulingGated":
        return "gate"
    if CLAIM.search(said) or "PersistentVolumeClaims" in said:
        return "volume"
    lacking: Counter[str] = Counter()
    for one in COUNTED.finditer(said.partition("available: ")[2].partition("preemption: ")[0]):
        for pattern, resource in SHORT:
            if pattern.search(one["why"]):
                lacking[resource] += int(one["count"])
                break
    if lacking:
        return lacking.most_common(1)[0][0]
    return "accelerators" if accelerators else "nodes"


def _no_node(said: str) -> str:
    """`0/5 nodes are available: 3 Insufficient cpu, 2 …` in people's words."""
    found = NONE_FREE.match(said)
    if found is None:
        return f"no node takes it: {_plain(said)}"
    if found["all"] == "0":
        return "the cluster has no nodes"
    counted = [(int(one["count"]), one["why"]) for one in COUNTED.finditer(found["why"])]
    if not counted:
        return f"none of the {found['all']} nodes takes it: {_plain(found['why'])}"
    return f"none of the {found['all']} nodes takes it: {', '.join(_nodes(count, why) for count, why in counted)}"


def _nodes(count: int, why: str) -> str:
    """`3 have too little cpu free`."""
    for pattern, words in NODES:
        if found := pattern.search(why):
            rest = found.groupdict().get("rest") or ""
            text = words.format(rest=rest).strip()
            verb = ("is" if count == 1 else "are") if words.startswith("not ") else ("has" if count == 1 else "have")
            return f"{count} {verb} {text}"
    return f"of {count} the scheduler says '{why.removeprefix('node(s) ').strip()}'"


def _claim(found: re.Match[str]) -> Wait:
    if found["what"] == "not found":
        sentence = f"the claim '{found['name']}' does not exist: make it, or mount another one"
        return Wait(sentence, _user(sentence))
    return Wait(f"the claim '{found['name']}' {_plain(found['what'])}")


def _scaling(events: Sequence[Json]) -> str:
    """What an autoscaler does about it."""
    for one in reversed(events):
        said = _plain(str(one.get("message") or ""))
        match one.get("reason"):
            case "TriggeredScaleUp":
                return f"; a node is being added for it ({said.removeprefix('pod triggered scale-up: ')})"
            case "Nominated":
                return f"; a node is being made for it ({said})"
            case "NotTriggerScaleUp":
                return f"; the autoscaler adds no node: {said.partition(': ')[2] or said}"
    return ""


# ---- on a node


def _container(pod: Json, name: str, state: Json) -> Wait | None:
    """What a container's state says that is more than that it is being made."""
    waits = state.get("waiting") or {}
    reason, said = str(waits.get("reason") or ""), str(waits.get("message") or "")
    who = _who(name)
    if reason in PULLING:
        return _pull(pod, name, reason, said)
    if reason == "CreateContainerConfigError":
        return _config(who, said)
    if reason in ("CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError"):
        sentence = (
            cannot_start(pod, said) if name == pod_layout.MAIN else f"{who} does not start{_on(pod)}: {_plain(said)}"
        )
        return Wait(sentence, _platform(sentence))
    if reason == "CrashLoopBackOff":
        sentence = f"{who} keeps ending{_on(pod)}{_last_end(pod, name)}"
        return Wait(sentence, _platform(sentence) if name == pod_layout.COMPANION else _user(sentence))
    if "running" in state and name not in (pod_layout.MAIN, *_sidecars(pod)):
        return Wait(f"{who} runs{_on(pod)}")
    return None


def _pull(pod: Json, name: str, reason: str, said: str) -> Wait:
    image = _image(pod, name)
    problem, theirs = pull_problem(reason, said)
    ours = name == pod_layout.COMPANION
    sentence = f"the {'companion' if ours else 'image'} {'image ' if ours else ''}'{image}' cannot be pulled{_on(pod)}: {problem}"
    if ours:
        sentence += " (the operator sets it by HEADRACE_COMPANION_IMAGE)"
    return Wait(
        sentence,
        _user(sentence, Reason.ENVIRONMENT) if theirs and not ours else _platform(sentence, Reason.ENVIRONMENT),
    )


def _config(who: str, said: str) -> Wait:
    sentence = _missing(said)
    if sentence is None and (found := ROOT.search(said)):
        user = f"has the user '{found['user']}', which is no number" if found["user"] else "runs as root"
        sentence = f"the task may not run as root, but its image {user}: give a run_as_user other than 0"
    sentence = sentence or f"{who} cannot be made: {_plain(said)}"
    return Wait(sentence, _user(sentence))


def _missing(said: str) -> str | None:
    """The sentence about a secret or config map, or a key of one, that is not there."""
    if found := MISSING.search(said):
        return f"the {KINDS[found['kind'].lower()]} '{found['name']}' does not exist: create it, or make it optional"
    if found := MISSING_KEY.search(said):
        kind = KINDS[(found["kind"] or found["kind2"]).lower()]
        key, name = found["key"] or found["key2"], found["name"]
        return (
            f"the {kind}{f' {chr(39)}{name}{chr(39)}' if name else ''} has no key '{key}': add it, or make it optional"
        )
    return None


def _volume(pod: Json, events: Sequence[Json]) -> Wait | None:
    """What the newest event about a volume says, as long as nothing came after it."""
    for one in reversed(events):
        said = str(one.get("message") or "")
        match one.get("reason"):
            case "FailedMount" | "FailedMapVolume" | "FailedPrepareDynamicResources":
                if sentence := _missing(said):
                    return Wait(sentence, _user(sentence), "volume")
                return Wait(f"a volume cannot be mounted{_on(pod)}: {_plain(said)}", resource="volume")
            case "FailedAttachVolume":
                if ELSEWHERE.search(said):
                    return Wait(
                        f"{_volume_named(said)} is still attached to another node, and can be attached to one alone",
                        resource="volume",
                    )
                return Wait(f"{_volume_named(said)} cannot be attached{_on(pod)}: {_plain(said)}", resource="volume")
            case "FailedCreatePodSandBox":
                sentence = f"the node{_on(pod, '')} cannot make the Pod's network or sandbox: {_plain(said)}"
                return Wait(sentence, resource="containers")
            case "SuccessfulAttachVolume" | "Pulling" | "Pulled" | "Created" | "Started":
                return None
    return None


def _preparing(pod: Json, events: Sequence[Json]) -> Wait:
    """Nothing is wrong: it is being made."""
    pulling = ""
    for one in events:
        image = re.search(r'image "([^"]+)"', str(one.get("message") or ""))
        if one.get("reason") == "Pulling" and image:
            pulling = image[1]
        elif one.get("reason") == "Pulled":
            pulling = ""
    if pulling:
        return Wait(f"the image '{pulling}' is being pulled{_on(pod)}", resource="image")
    return Wait(f"its containers are being made{_on(pod)}", resource="containers")


# ---- reading


def _states(pod: Json) -> Iterator[tuple[str, Json]]:
    """All containers in the order in which they start, with their states."""
    status = pod.get("status") or {}
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield str(one.get("name")), one.get("state") or {}


def _sidecars(pod: Json) -> set[str]:
    return {str(one["name"]) for one in pod["spec"].get("initContainers") or () if one.get("restartPolicy") == "Always"}


def _image(pod: Json, name: str) -> str:
    spec = pod["spec"]
    every = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    return next((str(one.get("image")) for one in every if one.get("name") == name), "")


def _condition(pod: Json, kind: str) -> Json:
    every = (pod.get("status") or {}).get("conditions") or ()
    return next((one for one in every if one.get("type") == kind and one.get("status") != "True"), {})


def _last_end(pod: Json, name: str) -> str:
    for one in (pod.get("status") or {}).get("initContainerStatuses") or ():
        if one.get("name") == name:
            end = (one.get("lastState") or {}).get("terminated") or {}
            return f": {end.get('reason', 'Error')}, exit code {end.get('exitCode', '?')}, {one.get('restartCount', 0)} times"
    return ""


def _last(events: Sequence[Json], *reasons: str) -> str:
    said = next((str(one.get("message")) for one in reversed(events) if one.get("reason") in reasons), "")
    return f": {_plain(said)}" if said else ""


def _volume_named(said: str) -> str:
    found = VOLUME.search(said)
    return f"the volume '{found['name']}'" if found else "a volume"


def _who(name: str) -> str:
    if name == pod_layout.MAIN:
        return "user code's container"
    return "the companion" if name == pod_layout.COMPANION else f"the init container '{name}'"


def _on(pod: Json, preposition: str = " on") -> str:
    node = pod["spec"].get("nodeName")
    return f"{preposition} '{node}'" if node else ""


def _plain(said: str) -> str:
    return " ".join(said.split()).rstrip(".")[:SHOWN]


def _time(event: Json) -> str:
    """When it was last seen: the texts of Kubernetes' times sort as the times do."""
    series = event.get("series") or {}
    found = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(found or (event.get("metadata") or {}).get("creationTimestamp") or "")


def _user(sentence: str, reason: Reason = Reason.LAUNCH) -> attempts_pb2.AttemptResult:
    return _failed(sentence, reason, ev.USER)


def _platform(sentence: str, reason: Reason = Reason.LAUNCH) -> attempts_pb2.AttemptResult:
    return _failed(sentence, reason, ev.INFRASTRUCTURE)


def _failed(sentence: str, reason: Reason, kind: ev.FailureClass.ValueType) -> attempts_pb2.AttemptResult:
    error = ev.Error(reason=reason, message=sentence, failure_class=kind)
    return attempts_pb2.AttemptResult(state=ev.ATTEMPT_FAILED, error=error)
