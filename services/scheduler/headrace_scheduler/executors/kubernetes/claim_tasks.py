"""The claims that tasks make and delete, and the workspaces of runs: by calls to the API, without a Pod. For the launcher."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from headrace_companion import pod_layout
from headrace_companion.results import Reason
from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes import claims, ended
from headrace_scheduler.executors.kubernetes.calling import ApiError, Json, KubernetesApi, Unreachable, path_of
from headrace_scheduler.executors.kubernetes.creating import Creation, Creator, Hold, NotCreated
from headrace_scheduler.executors.kubernetes.options import PodOptions
from headrace_scheduler.executors.task_settings import CREATE_CLAIM

logger = logging.getLogger(__name__)
KIND: Final = "persistentvolumeclaims"
REMEMBERED: Final = 10_000


@dataclass(slots=True)
class Claims:
    """`creator` waits as long as a claim needs, and says so."""

    api: KubernetesApi
    creator: Creator
    _made: OrderedDict[str, None] = field(default_factory=OrderedDict)  # runs whose workspace is there

    async def carry_out(
        self, launch: port.Launch, options: PodOptions, hold: Hold, stopped: Callable[[], bool]
    ) -> attempts_pb2.AttemptResult:
        """The result of a task that makes or deletes a claim. Raises Refused."""
        if launch.image == CREATE_CLAIM:
            return await self._create(launch, options, hold, stopped)
        name = claims.claim_to_delete(launch)
        if await self.api.delete(path_of(options.namespace, KIND, name)):
            return claims.deleted()
        return ended.refused(claims.no_such_claim(name, options.namespace), Reason.USER_ERROR)

    async def _create(
        self, launch: port.Launch, options: PodOptions, hold: Hold, stopped: Callable[[], bool]
    ) -> attempts_pb2.AttemptResult:
        body = claims.new_claim(launch, options)
        name: str = body["metadata"]["name"]
        ours = partial(claims.is_of_task, launch=launch, options=options)
        try:
            made = await self.creator.create(self._creation(options, body, ours, hold, stopped))
        except NotCreated as why:
            if why.theirs:
                return ended.refused(claims.foreign_claim(name, options.namespace), Reason.USER_ERROR)
            raise
        return claims.made(name) if made is not None else ended.canceled()

    async def workspace(
        self, launch: port.Launch, options: PodOptions, hold: Hold, stopped: Callable[[], bool]
    ) -> None:
        """The run's workspace is there from now on. Raises Refused, NotCreated."""
        run_id = launch.attempt.run_id
        if run_id in self._made:
            return
        wanted = claims.workspace_labels(run_id, options.installation)

        def ours(claim: Json) -> bool:
            return wanted.items() <= (claim["metadata"].get("labels") or {}).items()

        def needless() -> bool:  # another task has made it meanwhile
            return stopped() or run_id in self._made

        body = claims.workspace(launch, options)
        if await self.creator.create(self._creation(options, body, ours, hold, needless)) is not None:
            self._made[run_id] = None
            if len(self._made) > REMEMBERED:
                self._made.popitem(last=False)

    async def delete_workspace(self, run_id: str, installation: str, namespace: str) -> None:
        """Nothing of the run needs it any more."""
        self._made.pop(run_id, None)
        selector = f"{pod_layout.LABEL_INSTALLATION}={installation},{pod_layout.LABEL_RUN}={run_id},{claims.WORKSPACE_LABEL}=true"
        try:
            async for page in self.api.pages(path_of(namespace, KIND), {"labelSelector": selector}):
                for one in page.items:
                    metadata = one["metadata"]
                    await self.api.delete(path_of(namespace, KIND, metadata["name"]), uid=metadata["uid"])
        except (ApiError, Unreachable) as refused:
            logger.warning("the workspace of run %s in %s cannot be deleted: %s", run_id, namespace, refused)

    def _creation(
        self,
        options: PodOptions,
        body: Json,
        ours: Callable[[Json], bool],
        hold: Hold,
        stopped: Callable[[], bool],
    ) -> Creation:
        path = path_of(options.namespace, KIND)
        return Creation("volume claim", options.namespace, path, body, ours, hold, stopped)
