"""What runs where a component has no command: its image's entry point, found out before there is a Pod. Called by the launcher.

Pull secrets are read where the scheduler's role lets it (get secrets); without that, registries are asked as anybody. A fan-out
asks once: neither registries nor the API server are asked by each of its tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes import image_names
from headrace_scheduler.executors.kubernetes.calling import ApiError, Json, KubernetesApi, Unreachable, path_of
from headrace_scheduler.executors.kubernetes.creating import Hold
from headrace_scheduler.executors.kubernetes.image_names import EntryPoint, Login
from headrace_scheduler.executors.kubernetes.images import Away, Images
from headrace_scheduler.executors.kubernetes.options import PodOptions

logger = logging.getLogger(__name__)
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
KNOWN_S: Final = 15.0  # that an answer holds for whoever asks with the same secrets
KEPT: Final = 1_000
Asked = tuple[str, str, tuple[str, ...]]  # image, Kubernetes namespace, pull secrets


@dataclass(slots=True)
class EntryPoints:
    """`patience_s`: how long a registry may be away; `clock` is monotonic."""

    api: KubernetesApi
    images: Images
    patience_s: float
    clock: Callable[[], float]
    _asked: OrderedDict[Asked, tuple[float, asyncio.Task[EntryPoint]]] = field(default_factory=OrderedDict)

    async def before(
        self, launch: port.Launch, options: PodOptions, hold: Hold, stopped: Callable[[], bool]
    ) -> tuple[str, ...]:
        """The words before the task's own; () where the component has a command. Raises Refused, and Away in the end."""
        if launch.command:
            return ()
        names = (*launch.settings.pull_secrets, *options.defaults.pull_secrets)
        waited, pause = 0.0, FIRST_PAUSE_S
        while True:
            try:
                found = await self._found((launch.image, options.namespace, names))
            except Away as away:
                if stopped() or waited >= self.patience_s:
                    raise
                hold(str(away), "image")
            else:
                return found.before(launch.args)
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE_S)

    async def close(self) -> None:
        """Nobody waits for answers any more."""
        asking = [task for _, task in self._asked.values()]
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _found(self, asked: Asked) -> EntryPoint:
        """What was answered a moment ago; whoever comes while it is asked for waits for the answer, too."""
        until, task = self._asked.get(asked, (0.0, None))
        if task is None or (task.done() and (task.exception() is not None or self.clock() >= until)):
            task = asyncio.create_task(self._ask(*asked), name=f"entry point of {asked[0]}")
            self._asked[asked] = (self.clock() + KNOWN_S, task)
            if len(self._asked) > KEPT:
                self._asked.popitem(last=False)
        return await asyncio.shield(task)

    async def _ask(self, image: str, namespace: str, names: tuple[str, ...]) -> EntryPoint:
        secrets = await pull_secrets(self.api, namespace, names)

        def logins(registry: str) -> list[Login]:
            return [login for secret in secrets for login in image_names.logins(secret, registry)]

        return await self.images.entry_point(image, logins)


async def pull_secrets(api: KubernetesApi, namespace: str, names: Iterable[str]) -> list[Json]:
    """Those that may be read."""
    found = []
    for name in dict.fromkeys(names):
        try:
            found.append(await api.get(path_of(namespace, "secrets", name)))
        except (ApiError, Unreachable) as refused:
            logger.info("the pull secret %s/%s is not read: %s", namespace, name, refused)
    return found
