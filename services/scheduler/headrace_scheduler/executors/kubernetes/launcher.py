"""From a Launch to a Pod: what may be created now, in which namespace, with what beside it. Called by the executor.

Kubernetes decides what fits; all that is bounded here is how many Pods one replica has in flight and how many create calls.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from headrace_companion.results import LOG_FILE
from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes import ended, names, pods
from headrace_scheduler.executors.kubernetes.accelerators import Offer, fitted
from headrace_scheduler.executors.kubernetes.calling import KubernetesApi, path_of
from headrace_scheduler.executors.kubernetes.claim_tasks import Claims
from headrace_scheduler.executors.kubernetes.creating import Created, Creation, Creator, NotCreated
from headrace_scheduler.executors.kubernetes.entry_points import EntryPoints
from headrace_scheduler.executors.kubernetes.following import Following
from headrace_scheduler.executors.kubernetes.images import Away
from headrace_scheduler.executors.kubernetes.namespaces import Namespaces
from headrace_scheduler.executors.kubernetes.problems import Refused
from headrace_scheduler.executors.kubernetes.register import Register
from headrace_scheduler.executors.task_settings import CLAIM_OPERATIONS

logger = logging.getLogger(__name__)
AT_ONCE: Final = 32  # create calls in flight
Spawn = Callable[[Coroutine[Any, Any, None], str], None]


@dataclass(slots=True)
class Launcher:
    """`created` is called when a Pod is there, with what was found if it was there before."""

    api: KubernetesApi
    register: Register
    namespaces: Namespaces
    creator: Creator
    spawn: Spawn
    created: Callable[[Following, Created], None]
    most: int
    offers: Callable[[], Sequence[Offer]]  # the accelerators that there are
    claims: Claims
    entry_points: EntryPoints
    _queue: OrderedDict[port.AttemptId, Following] = field(default_factory=OrderedDict)

    def launch(self, launch: port.Launch) -> None:
        """Create its Pod as soon as there is room for another one."""
        namespace = self.namespaces.of_run(launch.namespace)
        of = Following(
            launch.attempt,
            namespace,
            launch,
            name=names.pod_name(launch.attempt, launch.task_key),
            root=launch.task_root,
            log_uri=f"{launch.task_root}/{LOG_FILE}",
        )
        self.namespaces.meet(namespace)
        self.register.follow(of)
        self._queue[of.attempt] = of
        self.pump()
        if of.attempt in self._queue:
            most = f"this scheduler has {self.most} Pods in flight, as many as HEADRACE_MAX_PODS allows"
            self.register.hold(of, most, "pods")

    def pump(self) -> None:
        """Begin what there is room for."""
        while self._queue and len(self.register) - len(self._queue) < self.most:
            _, of = self._queue.popitem(last=False)
            if self.register.get(of.attempt) is of:
                self.spawn(self._begin(of), f"launch {of.name}")

    def drop(self, of: Following) -> None:
        """It is not to be created."""
        self._queue.pop(of.attempt, None)

    async def _begin(self, of: Following) -> None:
        launch = of.launch
        assert launch is not None, "an attempt keeps its launch until its Pod is there"
        try:
            await self._create(of, launch)
        except Refused as refused:
            self.register.end(of, ended.refused(str(refused), refused.reason))
        except Away as away:
            self.register.end(of, ended.broken(str(away)))
        except NotCreated as why:
            self.register.end(of, ended.broken(str(why)) if why.theirs else ended.refused(str(why)))
        except Exception as fault:
            logger.exception("%s could not be created", of.name)
            self.register.end(of, _internal(fault))

    async def _create(self, of: Following, launch: port.Launch) -> None:
        options = await self.namespaces.options(of.namespace)

        def stopped() -> bool:
            return of.canceled or self.register.get(of.attempt) is not of

        def hold(sentence: str, resource: str) -> None:
            self.register.hold(of, sentence, resource)

        if launch.image in CLAIM_OPERATIONS:
            self.register.end(of, await self.claims.carry_out(launch, options, hold, stopped))
            return
        entry = await self.entry_points.before(launch, options, hold, stopped)
        made = pods.pod(fitted(launch, self.offers()), options, entry)
        of.warnings = made.warnings
        if launch.settings.workspace_claim:
            await self.claims.workspace(launch, options, hold, stopped)
        identity = names.identity(launch.attempt, options.installation)
        found = await self.creator.create(
            Creation(
                "Pod",
                of.namespace,
                path_of(of.namespace, "pods"),
                made.body,
                lambda pod: identity.items() <= (pod["metadata"].get("labels") or {}).items(),
                hold,
                stopped,
            )
        )
        if found is not None:
            self.created(of, found)
        elif of.canceled:
            self.register.end(of, ended.canceled())


def _internal(fault: Exception) -> attempts_pb2.AttemptResult:
    return ended.broken(f"a fault of the scheduler: {type(fault).__name__}: {fault}")
