"""The Pod of one attempt as Kubernetes' API takes it: a function of the Launch and the operator's options (design, section 5).

One container `main` with the user's image under the shim, and the companion as a native sidecar. What user code is to do is not
in it: the companion asks for that. So nothing here is secret, and nothing is large. Each field costs the control plane with every
change of the Pod's status (ADR 0029), so what Kubernetes defaults to is left out. Called by the executor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from headrace_companion import pod_layout
from headrace_scheduler.engine.task_config import env_var
from headrace_scheduler.executors.kubernetes import names, security
from headrace_scheduler.executors.kubernetes.options import PodOptions
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.kubernetes.reserved import refuse_reserved
from headrace_scheduler.executors.kubernetes.volumes import SHARED, TOKEN, init_mounts, pod_volumes
from headrace_scheduler.executors.port import Launch
from headrace_scheduler.executors.task_settings import GRACE, TaskSettings

INSTALL: Final = ("/usr/lib/headrace/shim", "install")
SAFETY_S: Final = 86_400  # the shim ends user code in time; this ends a Pod in which even that went wrong
LONGEST_ENTRY_POINT: Final = 32 << 10
LONGEST_GRACE_S: Final = 86_400
PULL_POLICIES: Final = frozenset({"", "Always", "Never", "IfNotPresent"})
GONE: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
UNLABELLED: Final = frozenset({"cpu", "memory", "ephemeral-storage"})


@dataclass(frozen=True, slots=True)
class MadePod:
    """The body of the create call, and what the user should know about it."""

    body: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        name: str = self.body["metadata"]["name"]
        return name


def pod(launch: Launch, options: PodOptions, entry_point: Sequence[str] = ()) -> MadePod:
    """The Pod of an attempt. Raises Refused with a sentence where the task's settings make none.

    ENTRY_POINT: what the image says is to be run before the task's own words, where the component has no command.
    """
    spec = _spec(launch, options, entry_point)
    refuse_reserved(spec)
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.pod_name(launch.attempt, launch.task_key),
            "namespace": options.namespace,
            "labels": names.pod_labels(launch, options),
            "annotations": names.pod_annotations(launch, options),
        },
        "spec": spec,
    }
    ignored = names.reserved(launch)
    warnings = (f"the platform sets these labels and annotations itself: {', '.join(ignored)}",) if ignored else ()
    return MadePod(body, warnings)


def grace_s(settings: TaskSettings, options: PodOptions) -> int:
    """Seconds between SIGTERM and SIGKILL of user code. Raises Refused."""
    text = settings.annotations.get(GRACE, "")
    if not text:
        return options.grace_s
    if not text.isdecimal() or int(text) > LONGEST_GRACE_S:
        raise Refused(f"the annotation {GRACE} is '{text[:60]}': write seconds, at most {LONGEST_GRACE_S}")
    return int(text)


def _spec(launch: Launch, options: PodOptions, entry_point: Sequence[str]) -> dict[str, Any]:
    settings, defaults = launch.settings, options.defaults
    volumes = pod_volumes(launch, options)
    grace = grace_s(settings, options)
    extra = {
        "nodeSelector": {**defaults.node_selector, **settings.node_selector},
        "affinity": dict(settings.affinity),
        "priorityClassName": defaults.priority_class,
        "runtimeClassName": defaults.runtime_class,
        "schedulerName": defaults.scheduler_name,
        "imagePullSecrets": [{"name": one} for one in dict.fromkeys((*defaults.pull_secrets, *settings.pull_secrets))],
        "activeDeadlineSeconds": math.ceil(launch.timeout_s) + grace + SAFETY_S if launch.timeout_s > 0 else 0,
    }
    return {
        "restartPolicy": "Never",
        "serviceAccountName": options.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace + options.publish_s,
        "securityContext": security.pod_context(settings, options),
        "tolerations": _tolerations(launch, options),
        "initContainers": [
            _companion(launch, options, entry_point),
            *(_init_container(one, init_mounts(one, volumes)) for one in _checked(settings.init_containers)),
        ],
        "containers": [_main(launch, options, volumes.main)],
        "volumes": volumes.volumes,
        **{name: value for name, value in extra.items() if value},
    }


def _main(launch: Launch, options: PodOptions, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    settings = launch.settings
    if settings.pull_policy not in PULL_POLICIES:
        raise Refused(f"the image pull policy '{settings.pull_policy}' is none; write Always, Never or IfNotPresent")
    made = {
        "name": pod_layout.MAIN,
        "image": launch.image,
        "imagePullPolicy": settings.pull_policy,
        "command": [str(pod_layout.SHIM), "run"],
        "env": list({one.name: env_var(one) for one in settings.env}.values()),  # all others come with the command
        "resources": _resources(launch.settings.resources or options.defaults.resources),
        "securityContext": security.main_context(settings, options),
        "volumeMounts": mounts,
    }
    return {name: value for name, value in made.items() if value}


def _companion(launch: Launch, options: PodOptions, entry_point: Sequence[str]) -> dict[str, Any]:
    attempt = launch.attempt
    told = [
        options.scheduler_address,
        attempt.run_id,
        attempt.path,
        str(attempt.number),
        *_checked_words(launch, entry_point),
    ]
    made = {
        "name": pod_layout.COMPANION,
        "image": options.companion_image,
        "imagePullPolicy": options.companion_pull_policy,
        "restartPolicy": "Always",
        "args": [word.replace("$", "$$") for word in told],  # Kubernetes would read $(A) as a variable
        "env": [{"name": name, "value": value} for name, value in options.companion_env.items()],
        "lifecycle": {"postStart": {"exec": {"command": list(INSTALL)}}},
        "resources": _companion_resources(options),
        "securityContext": security.companion_context(options),
        "volumeMounts": [
            {"name": SHARED, "mountPath": str(pod_layout.TOP)},
            {"name": TOKEN, "mountPath": str(pod_layout.TOKEN.parent), "readOnly": True},
        ],
    }
    return {name: value for name, value in made.items() if value}


def _companion_resources(options: PodOptions) -> dict[str, dict[str, str]]:
    own = {"requests": options.companion_requests, "limits": options.companion_limits}
    chosen = options.defaults.companion_resources
    return {group: {**amounts, **chosen.get(group, {})} for group, amounts in own.items()}


def _checked_words(launch: Launch, entry_point: Sequence[str]) -> Sequence[str]:
    """Raises Refused where the image's entry point is too much for a Pod."""
    if sum(len(word.encode()) for word in entry_point) > LONGEST_ENTRY_POINT:
        raise Refused(f"the entry point of the image '{launch.image}' is too long: give the component a command")
    return entry_point


def _checked(containers: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
    """Raises Refused where an init container cannot be one."""
    taken = {pod_layout.MAIN, pod_layout.COMPANION}
    for one in containers:
        name = one.get("name", "")
        if not name:
            raise Refused("an init container has no name")
        if name in taken:
            raise Refused(
                f"the init container '{name}' has a name that another container of the Pod has; give it another"
            )
        if not one.get("image"):
            raise Refused(f"the init container '{name}' has no image")
        if one.get("restartPolicy") not in (None, "Always"):
            raise Refused(
                f"the init container '{name}' has the restart policy '{one['restartPolicy']}'; write Always or none"
            )
        taken.add(name)
    return containers


def _init_container(given: Mapping[str, Any], mounts: list[dict[str, Any]]) -> dict[str, Any]:
    made = {**given, "volumeMounts": mounts, "securityContext": dict(security.LOCKED)}
    if "resources" in made:
        made["resources"] = _resources(given["resources"])
    return {name: value for name, value in made.items() if value}


def _resources(given: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """As Kubernetes takes them: it knows k for a thousand, and not the K that KFP's SDK also lets through."""
    return {
        group: {name: _plain(text) for name, text in amounts.items()} for group, amounts in given.items() if amounts
    }


def _plain(text: str) -> str:
    return f"{text[:-1]}k" if text.endswith("K") else text


def _tolerations(launch: Launch, options: PodOptions) -> list[dict[str, Any]]:
    """The task's and the operator's, then those of the taints that GPU nodes have, then how long a node may be out of sight."""
    made = [dict(one) for one in (*launch.settings.tolerations, *options.defaults.tolerations)]
    named = {one.get("key") or "" for one in made}
    own: list[dict[str, Any]]
    own = [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in _taints(launch.settings.resources)]
    patience = options.unreachable_s
    own += [{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": patience} for key in GONE]
    # Without a key a toleration is for every taint.
    return made + [one for one in own if one["key"] not in named and "" not in named]


def _taints(resources: Mapping[str, Mapping[str, str]]) -> list[str]:
    """By custom a node with accelerators is tainted with their resource's name; one with slices by that of the whole."""
    found: dict[str, None] = {}
    for name in resources.get("limits", {}):
        if name not in UNLABELLED and "/" in name:
            found[name] = None
            if "/mig-" in name:
                found[f"{name.partition('/')[0]}/gpu"] = None
    return list(found)
