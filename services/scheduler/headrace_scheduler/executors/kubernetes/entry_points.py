"""What runs where a component has no command: its image's entry point, found out before there is a Pod. Called by the launcher.

Pull secrets are read where the scheduler's role lets it (get secrets); without that, registries are asked as anybody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes import image_names
from headrace_scheduler.executors.kubernetes.calling import ApiError, Json, KubernetesApi, Unreachable, path_of
from headrace_scheduler.executors.kubernetes.creating import Hold
from headrace_scheduler.executors.kubernetes.image_names import Login
from headrace_scheduler.executors.kubernetes.images import Away, Images
from headrace_scheduler.executors.kubernetes.options import PodOptions

logger = logging.getLogger(__name__)
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0


@dataclass(slots=True)
class EntryPoints:
    """`patience_s`: how long a registry may be away."""

    api: KubernetesApi
    images: Images
    patience_s: float

    async def before(
        self, launch: port.Launch, options: PodOptions, hold: Hold, stopped: Callable[[], bool]
    ) -> tuple[str, ...]:
        """The words before the task's own; () where the component has a command. Raises Refused, and Away in the end."""
        if launch.command:
            return ()
        names = (*launch.settings.pull_secrets, *options.defaults.pull_secrets)
        secrets = await pull_secrets(self.api, options.namespace, names)

        def logins(registry: str) -> list[Login]:
            return [login for secret in secrets for login in image_names.logins(secret, registry)]

        waited, pause = 0.0, FIRST_PAUSE_S
        while True:
            try:
                found = await self.images.entry_point(launch.image, logins)
            except Away as away:
                if stopped() or waited >= self.patience_s:
                    raise
                hold(str(away), "image")
            else:
                return found.before(launch.args)
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE_S)


async def pull_secrets(api: KubernetesApi, namespace: str, names: Iterable[str]) -> list[Json]:
    """Those that may be read."""
    found = []
    for name in dict.fromkeys(names):
        try:
            found.append(await api.get(path_of(namespace, "secrets", name)))
        except (ApiError, Unreachable) as refused:
            logger.info("the pull secret %s/%s is not read: %s", namespace, name, refused)
    return found
