"""Which nodes are there and which are lost: a node that has not been ready for a minute has lost its Pods.

The one thing that is read of the cluster as a whole (a ClusterRole for nodes, reading only). Without that right, Pods of lost
nodes are noticed when the cluster deletes them. Called by the executor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from headrace_scheduler.executors.kubernetes.calling import Json, KubernetesApi
from headrace_scheduler.executors.kubernetes.inventory import Stock
from headrace_scheduler.executors.kubernetes.watching import Watcher

LOST_S: Final = 60.0
PATH: Final = "/api/v1/nodes"


def ready(node: Json) -> bool:
    """Whether its kubelet says that it can run Pods."""
    for one in (node.get("status") or {}).get("conditions") or ():
        if one.get("type") == "Ready":
            return bool(one.get("status") == "True")
    return False


class Nodes:
    """`stock` is told of every node that is there or has changed, and of those that are not there any more."""

    def __init__(self, api: KubernetesApi, clock: Callable[[], float], stock: Stock) -> None:
        self._clock = clock
        self._stock = stock
        self._watcher = Watcher(api, PATH, dict, self)
        self._task: asyncio.Task[None] | None = None
        self._names: dict[str, str] = {}
        self._bad_since: dict[str, float] = {}

    def begin(self) -> None:
        self._task = asyncio.create_task(self._watcher.run(), name="nodes")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def lost(self) -> dict[str, float]:
        """Nodes that have been away for too long, and for how many seconds."""
        now = self._clock()
        return {name: now - since for name, since in self._bad_since.items() if now - since >= LOST_S}

    # ---- Sink

    def present(self) -> set[str]:
        return set(self._names)

    def changed(self, found: Json) -> None:
        name = found["metadata"]["name"]
        self._names[found["metadata"]["uid"]] = name
        self._stock.node_seen(found)
        if ready(found):
            self._bad_since.pop(name, None)
        else:
            self._bad_since.setdefault(name, self._clock())

    def gone(self, uid: str, last: Json | None) -> None:
        name = self._names.pop(uid, "")
        if name and name not in self._names.values():
            self._stock.node_gone(name)
            self._bad_since.setdefault(name, self._clock())
