"""What a watch says of a Pod, reduced to what decides something: a few hundred bytes of the ten thousand that came. Pure.

A scheduler that follows thousands of Pods keeps these and no Pod. Called by the executor for every line of a watch.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final

from headrace_companion import pod_layout
from headrace_scheduler.executors.kubernetes import names
from headrace_scheduler.executors.port import AttemptId

OVER: Final = frozenset({"Succeeded", "Failed"})


class Main(IntEnum):
    """How far user code's container is."""

    WAITING = 0
    RUNNING = 1
    ENDED = 2


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A Pod of this installation as it was last seen. Times in microseconds since the epoch, 0 = not yet or not known."""

    namespace: str
    name: str
    uid: str
    attempt: AttemptId | None  # None: its labels name none
    shard: int
    node: str
    over: bool  # all its containers have ended for good
    deleting: bool
    main: Main
    exit_code: int | None  # of main
    created_us: int
    scheduled_us: int
    started_us: int
    ended_us: int
    image_digest: str = ""  # of main's image, where the kubelet tells one that its registry knows


def read(pod: dict[str, Any]) -> SeenPod:
    """What matters of a Pod as the API gives it."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    main, started, ended, code = _main(status)
    shard = (metadata.get("labels") or {}).get(pod_layout.LABEL_SHARD, "")
    return SeenPod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        attempt=names.attempt_of(metadata),
        shard=int(shard) if shard.isdecimal() else -1,
        node=(pod.get("spec") or {}).get("nodeName", ""),
        over=status.get("phase") in OVER,
        deleting="deletionTimestamp" in metadata,
        main=main,
        exit_code=code,
        created_us=time_us(metadata.get("creationTimestamp")),
        scheduled_us=_scheduled(status),
        started_us=started,
        ended_us=ended,
        image_digest=_image_digest(status),
    )


def _main(status: dict[str, Any]) -> tuple[Main, int, int, int | None]:
    """How far `main` is, when it started and when it ended, and how."""
    for one in status.get("containerStatuses") or ():
        if one.get("name") != pod_layout.MAIN:
            continue
        state = one.get("state") or {}
        if "terminated" in state:
            end = state["terminated"]
            return Main.ENDED, time_us(end.get("startedAt")), time_us(end.get("finishedAt")), end.get("exitCode")
        if "running" in state:
            return Main.RUNNING, time_us(state["running"].get("startedAt")), 0, None
    return Main.WAITING, 0, 0, None


def _image_digest(status: dict[str, Any]) -> str:
    """`docker.io/library/python@sha256:…` → the digest; an id without a repository names no image of a registry."""
    for one in status.get("containerStatuses") or ():
        if one.get("name") == pod_layout.MAIN:
            found = str(one.get("imageID") or "").partition("@")[2]
            return sys.intern(found) if found.startswith("sha256:") else ""
    return ""


def _scheduled(status: dict[str, Any]) -> int:
    for one in status.get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "True":
            return time_us(one.get("lastTransitionTime"))
    return 0


@lru_cache(maxsize=4096)
def time_us(text: str | None) -> int:
    """A time as Kubernetes writes it (whole seconds, or with micros)."""
    if not text:
        return 0
    try:
        return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e6)
    except ValueError:
        return 0
