"""The Kubernetes namespaces in which tasks run: which one a run's means, what its Pods must obey, and the watch of its Pods.

A namespace is looked at when the first task of it comes, or is known from before; nothing here reads the cluster whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from headrace_companion import pod_layout
from headrace_scheduler.executors.kubernetes.calling import ApiError, KubernetesApi, Query, Unreachable, path_of
from headrace_scheduler.executors.kubernetes.options import SHARDS, PodOptions, Profile
from headrace_scheduler.executors.kubernetes.watching import Sink, Watcher

logger = logging.getLogger(__name__)
DEFAULT: Final = "default"  # of a run: the installation's own
ENFORCED: Final = "pod-security.kubernetes.io/enforce"
PROFILE_S: Final = 60.0  # a label that was changed holds from then on


def selector(installation: str, held: frozenset[int] | None) -> Query:
    """What selects this replica's Pods; HELD: the shards it drives, None = not known yet."""
    text = f"{pod_layout.LABEL_INSTALLATION}={installation}"
    if held is not None and len(held) < SHARDS:
        text += f",{pod_layout.LABEL_SHARD} in ({','.join(map(str, sorted(held)))})"
    return {"labelSelector": text}


@dataclass(slots=True)
class Namespace:
    """One of them, watched."""

    name: str
    options: PodOptions
    watcher: Watcher
    task: asyncio.Task[None]
    profile_at: float
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Namespaces:
    """All that this replica has met."""

    def __init__(
        self, api: KubernetesApi, options: PodOptions, sink: Callable[[str], Sink], clock: Callable[[], float]
    ) -> None:
        self._api = api
        self._options = options
        self._sink = sink
        self._clock = clock
        self._held: frozenset[int] | None = None
        self._met: dict[str, Namespace] = {}

    def of_run(self, namespace: str) -> str:
        """The Kubernetes namespace of a run's."""
        return self._options.namespace if namespace in ("", DEFAULT) else namespace

    def meet(self, name: str) -> Namespace:
        """The namespace, watched from now on."""
        found = self._met.get(name)
        if found is None:
            path = path_of(name, "pods")
            watcher = Watcher(
                self._api, path, lambda: selector(self._options.installation, self._held), self._sink(name)
            )
            task = asyncio.create_task(watcher.run(), name=f"Pods of {name}")
            options = replace(self._options, namespace=name)
            found = self._met[name] = Namespace(name, options, watcher, task, float("-inf"))
        return found

    async def options(self, name: str) -> PodOptions:
        """What Pods of this namespace must obey."""
        met = self.meet(name)
        now = self._clock()
        async with met.asking:  # whoever comes meanwhile waits for the answer, too
            if now - met.profile_at > PROFILE_S:
                met.options = replace(met.options, profile=await self._profile(name, met.options.profile))
                met.profile_at = now
        return met.options

    async def _profile(self, name: str, before: Profile) -> Profile:
        try:
            found = await self._api.get(f"/api/v1/namespaces/{name}")
        except (ApiError, Unreachable) as unknown:
            logger.warning(
                "the Pod Security level of namespace %s cannot be read, taking %s: %s", name, before, unknown
            )
            return before
        enforced = (found["metadata"].get("labels") or {}).get(ENFORCED, "")
        return Profile.RESTRICTED if enforced == Profile.RESTRICTED else Profile.BASELINE

    def hold(self, held: frozenset[int]) -> None:
        """The shards that this replica drives are these now; watches of others begin anew."""
        before, self._held = self._held, held
        if selector("", before) == selector("", held):
            return
        for met in self._met.values():
            met.task.cancel()
            met.task = asyncio.create_task(met.watcher.run(), name=f"Pods of {met.name}")

    def all(self) -> list[Namespace]:
        return list(self._met.values())

    async def close(self) -> None:
        for met in self._met.values():
            met.task.cancel()
        await asyncio.gather(*(met.task for met in self._met.values()), return_exceptions=True)
