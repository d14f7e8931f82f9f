"""Saying why attempts wait: from what the watch tells where that is enough, else from the Pod and the events about it.

What is said comes from `waits`. What only a person can put right ends the attempt after a while. Called by the executor.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from headrace_scheduler.executors.kubernetes.calling import ApiError, Json, KubernetesApi, Unreachable, path_of
from headrace_scheduler.executors.kubernetes.following import Following, Judgement, judge
from headrace_scheduler.executors.kubernetes.inventory import Stock, request_of
from headrace_scheduler.executors.kubernetes.register import Register
from headrace_scheduler.executors.kubernetes.waits import Wait, waiting

logger = logging.getLogger(__name__)
SOON_S: Final = 3.0  # a shorter wait is not worth an event; a task that waits says so within 5 s
LOOK_S: Final = 2.0  # of silence, before the Pod and its events are asked for
LONGER_S: Final = 10.0
AGAIN_S: Final = 5.0
LONG_S: Final = 120.0  # that an attempt has waited, from which on it is looked at less often
SELDOM_S: Final = 30.0
AT_ONCE: Final = 8
A_ROUND: Final = 8  # lookups
REST: Final = 20  # times as long as a round took is nothing asked: a cluster that is slow to answer has enough to do
AS_EVER: Final = frozenset({"", "ContainerCreating", "PodInitializing"})  # what every container waits for at first


@dataclass(slots=True)
class Explainer:
    """`give_up` ends an attempt that nobody helped."""

    api: KubernetesApi
    register: Register
    stock: Stock
    unstartable_s: float
    clock: Callable[[], float]
    spawn: Callable[[Coroutine[Any, Any, None], str], None]
    give_up: Callable[[Following], None]
    _waiting: dict[Any, Following] = field(default_factory=dict)
    _lookups: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _rests_until: float = 0.0  # monotonic: no lookups before

    def waits(self, of: Following, found: Json | None) -> None:
        """Its Pod is there and user code does not run; FOUND: the Pod, where it is at hand."""
        self._waiting[of.attempt] = of
        if found is None:
            return
        if (found.get("spec") or {}).get("nodeName"):
            if not of.placed:
                of.placed, of.wait, of.stuck_since = True, None, 0.0  # whatever kept it from a node is over
            if _hindered(found):
                self._note(of, waiting(found))
        elif _refused(found):
            self._note(of, self._why(found, ()))

    def look(self) -> None:
        """Every half second: say what is known, look where nothing is, and give up what nobody helps."""
        now = self.clock()
        due: list[Following] = []
        for attempt, of in list(self._waiting.items()):
            if self.register.get(attempt) is not of or judge(of, now) is not Judgement.WAITS:
                del self._waiting[attempt]
            elif of.wait is not None and of.stuck_since and now - of.stuck_since >= self.unstartable_s:
                del self._waiting[attempt]
                self.give_up(of)
            elif now - of.since >= LOOK_S:
                if now - of.since >= SOON_S:
                    self._say(of)
                if len(due) < A_ROUND and self._is_due(of, now):
                    due.append(of)
        if due and now >= self._rests_until:
            self._rests_until = math.inf
            self.spawn(self._round(due), f"explain {len(due)} Pods")

    async def _round(self, due: list[Following]) -> None:
        """Listing events costs a cluster as much as it has of them, whoever they are about."""
        began = self.clock()
        try:
            await asyncio.gather(*(self._explain(of) for of in due))
        finally:
            self._rests_until = self.clock() + REST * (self.clock() - began)

    def _say(self, of: Following) -> None:
        if of.wait is None and of.pod is not None:
            of.wait = waiting({"spec": {"nodeName": of.pod.node}})
        if of.wait is not None:
            self.register.hold(of, of.wait.detail, of.wait.resource)

    def _is_due(self, of: Following, now: float) -> bool:
        """Those on a node first: of the others the watch says most of what there is to know."""
        pause = SELDOM_S if now - of.since > LONG_S else AGAIN_S
        silence = LOOK_S if of.pod is not None and of.pod.node else LONGER_S
        return now - of.since >= silence and now - of.explained >= pause

    async def _explain(self, of: Following) -> None:
        of.explained = self.clock()
        try:
            async with self._lookups:
                pod = await self.api.get(path_of(of.namespace, "pods", of.name))
                events: list[Json] = []
                async for page in self.api.pages(
                    path_of(of.namespace, "events"), {"fieldSelector": f"involvedObject.uid={of.uid}"}
                ):
                    events += page.items
        except (ApiError, Unreachable) as away:
            logger.info("cannot see why the Pod %s/%s waits: %s", of.namespace, of.name, away)
            return
        if pod["metadata"]["uid"] == of.uid:
            self._note(of, self._why(pod, events))
            if of.wait is not None and not of.running and self.clock() - of.since >= SOON_S:
                self.register.hold(of, of.wait.detail, of.wait.resource)

    def _why(self, pod: Json, events: Any) -> Wait | None:
        return waiting(pod, events, self.stock.wait(request_of(pod)))

    def _note(self, of: Following, found: Wait | None) -> None:
        of.wait = found
        stuck = found is not None and found.stuck is not None
        of.stuck_since = (of.stuck_since or self.clock()) if stuck else 0.0


def _hindered(pod: Json) -> bool:
    """Whether a container says that it waits for more than its turn."""
    status = pod.get("status") or {}
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if ((one.get("state") or {}).get("waiting") or {}).get("reason", "") not in AS_EVER:
            return True
    return False


def _refused(pod: Json) -> bool:
    """Whether the scheduler has looked at it, and found no node."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "PodScheduled" and one.get("status") == "False" for one in conditions)
