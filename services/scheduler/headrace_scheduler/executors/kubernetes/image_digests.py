"""Which content a tag names now, asked of its registry: part of what a cached result depends on. Called by the executor.

A registry that does not answer is not asked again for a while, because tasks wait meanwhile; then the tag alone counts.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace_scheduler.executors.kubernetes import image_names
from headrace_scheduler.executors.kubernetes.calling import KubernetesApi
from headrace_scheduler.executors.kubernetes.entry_points import pull_secrets
from headrace_scheduler.executors.kubernetes.image_names import Login
from headrace_scheduler.executors.kubernetes.images import Away, Images

logger = logging.getLogger(__name__)
KNOWN_S: Final = 15.0  # that a tag is taken for what it was
AWAY_S: Final = 60.0
KEPT: Final = 1_000


@dataclass(slots=True)
class ImageDigests:
    """`secrets`: for pulling, beside those that a task names; `clock` is monotonic."""

    api: KubernetesApi
    images: Images
    secrets: Sequence[str]
    clock: Callable[[], float]
    _kept: OrderedDict[tuple[str, str, tuple[str, ...]], tuple[float, str]] = field(default_factory=OrderedDict)

    async def digest(self, image: str, namespace: str, secrets: Sequence[str], ran: str = "") -> str:
        """`sha256:…`, or "" where nobody knows. SECRETS are in this Kubernetes namespace. RAN: as the port says; a node may call
        an image by the digest of its own variant.
        """
        found = await self._known(image, namespace, secrets)
        if not ran or not found or ran == found:
            return found
        return found if await self._holds(image, namespace, (*secrets, *self.secrets), ran) else ran

    async def _known(self, image: str, namespace: str, secrets: Sequence[str]) -> str:
        key = (image, namespace, tuple(secrets))  # what one may see is nobody else's
        kept = self._kept.get(key)
        if kept is not None and self.clock() < kept[0]:
            return kept[1]
        found = await self._ask(image, namespace, (*secrets, *self.secrets))
        self._kept[key] = (self.clock() + (KNOWN_S if found else AWAY_S), found)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    async def _ask(self, image: str, namespace: str, names: Sequence[str]) -> str:
        try:
            return await self.images.digest(image, await self._logins(namespace, names))
        except (Away, ValueError) as unknown:
            logger.info("what the image %s is now is not known: %s", image, unknown)
            return ""

    async def _holds(self, image: str, namespace: str, names: Sequence[str], digest: str) -> bool:
        try:
            return digest in await self.images.variants(image, await self._logins(namespace, names))
        except (Away, ValueError) as unknown:
            logger.info("which variants the image %s has is not known: %s", image, unknown)
            return False

    async def _logins(self, namespace: str, names: Sequence[str]) -> Callable[[str], list[Login]]:
        held = await pull_secrets(self.api, namespace, names)
        return lambda registry: [login for secret in held for login in image_names.logins(secret, registry)]
