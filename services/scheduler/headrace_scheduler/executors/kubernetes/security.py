"""Who a Pod's containers run as and what they may do: Pod Security's "baseline" or "restricted" (design, section 5). Pure.

Baseline: user code as its image's user, or the one that the task asks for; the companion as a user of its own. Restricted: one
user and group for all of them, the task's if it asks for one.
"""

from __future__ import annotations

from typing import Any, Final

from headrace_scheduler.executors.kubernetes.options import PodOptions, Profile
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.task_settings import TaskSettings

LOCKED: Final = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod_context(settings: TaskSettings, options: PodOptions) -> dict[str, Any]:
    """The Pod's security context. Raises Refused."""
    context: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if options.profile is Profile.RESTRICTED:
        user, group = _one_user(settings, options)
        context |= {"runAsNonRoot": True, "runAsUser": user, "runAsGroup": group, "fsGroup": group}
        context["fsGroupChangePolicy"] = "OnRootMismatch"
    return context


def main_context(settings: TaskSettings, options: PodOptions) -> dict[str, Any]:
    """The security context of user code. Raises Refused."""
    asked = settings.security_context
    if asked.get("runAsUser") == 0 and asked.get("runAsNonRoot"):
        raise Refused(
            "the task asks for user 0 and not to run as root: give another run_as_user, or leave one of them out"
        )
    return dict(LOCKED) if options.profile is Profile.RESTRICTED else {**asked, **LOCKED}


def companion_context(options: PodOptions) -> dict[str, Any]:
    """The security context of the companion, which writes to its volumes alone."""
    context: dict[str, Any] = {**LOCKED, "readOnlyRootFilesystem": True}
    if options.profile is Profile.BASELINE:
        context |= {"runAsNonRoot": True, "runAsUser": options.user, "runAsGroup": options.group}
    return context


def _one_user(settings: TaskSettings, options: PodOptions) -> tuple[int, int]:
    asked = settings.security_context
    user = asked.get("runAsUser", options.user)
    if user == 0:
        raise Refused(
            f"the task asks for user 0, but the namespace '{options.namespace}' is held to the Pod Security level "
            "'restricted': give another run_as_user, or run the pipeline in another namespace"
        )
    return user, asked.get("runAsGroup", options.group)
