"""Pods that nobody follows: those of attempts that have ended, and those that nobody here knows. Called by the executor.

A Pod whose attempt has ended stays for a while, for whoever wants to look at it, unless it still runs. One of a run that the
platform does not know is said once, and deleted after an hour.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from headrace_scheduler.executors.kubernetes.calling import ApiError, KubernetesApi, Unreachable, path_of
from headrace_scheduler.executors.kubernetes.seen import SeenPod
from headrace_scheduler.executors.port import AttemptId

logger = logging.getLogger(__name__)
UNKNOWN_S: Final = 3600.0
SETTLED_S: Final = 20.0  # that a Pod must have been nobody's before anything is done about it
LINGERS_S: Final = 60.0  # that a Pod may need to end after its attempt has
AT_ONCE: Final = 8
# Which of these runs have ended (True) or are still driven (False); those that are not named are not known.
Runs = Callable[[frozenset[str]], Awaitable[dict[str, bool]]]


class Fate(Enum):
    """What becomes of a Pod that nobody follows."""

    STAYS = "stays"
    GOES = "goes"
    ASK = "ask"  # whether its run is known


@dataclass(slots=True)
class Stray:
    """A Pod that nobody follows. Times are monotonic."""

    namespace: str
    name: str
    uid: str
    attempt: AttemptId | None  # None: its labels name none
    over: bool
    since: float  # when that was first so here
    ended: bool = False  # its attempt ended here, or its run did
    age_s: float = 0.0  # of the Pod at `since`
    asked: bool = False


def fate(of: Stray, now: float, keep_s: float) -> Fate:
    """What to do about it now."""
    alone = now - of.since
    if of.ended:
        return Fate.GOES if alone >= (keep_s if of.over else min(keep_s, LINGERS_S)) else Fate.STAYS
    if alone < SETTLED_S:
        return Fate.STAYS
    if not of.asked:
        return Fate.ASK
    return Fate.GOES if of.age_s + alone >= UNKNOWN_S else Fate.STAYS


class Reaper:
    """`drives`: whether this replica drives the run of an attempt, so that it follows all that are in flight of it."""

    def __init__(
        self,
        api: KubernetesApi,
        keep_s: float,
        runs: Runs,
        drives: Callable[[AttemptId], bool],
        clock: Callable[[], float],
    ) -> None:
        self._api = api
        self._keep_s = keep_s
        self._runs = runs
        self._drives = drives
        self._clock = clock
        self._strays: dict[str, Stray] = {}
        self._of: dict[AttemptId | None, dict[str, Stray]] = {}  # the same by their attempts

    def __len__(self) -> int:
        return len(self._strays)

    def ended(self, namespace: str, name: str, uid: str, attempt: AttemptId, *, over: bool) -> None:
        """The Pod of an attempt that has ended."""
        self._know(Stray(namespace, name, uid, attempt, over, self._clock(), ended=True))

    def saw(self, pod: SeenPod, now_us: int) -> None:
        """A Pod that nobody follows is there."""
        of = self._strays.get(pod.uid)
        if of is None:
            age = max(0.0, (now_us - pod.created_us) / 1e6) if pod.created_us else 0.0
            of = Stray(pod.namespace, pod.name, pod.uid, pod.attempt, pod.over, self._clock(), age_s=age)
            self._know(of)
        of.over = pod.over

    def _know(self, of: Stray) -> None:
        self.gone(of.uid)
        self._strays[of.uid] = of
        self._of.setdefault(of.attempt, {})[of.uid] = of

    def gone(self, uid: str) -> None:
        """It is not there any more."""
        of = self._strays.pop(uid, None)
        if of is not None:
            same = self._of[of.attempt]
            del same[uid]
            if not same:
                del self._of[of.attempt]

    def present(self, namespace: str) -> set[str]:
        return {of.uid for of in self._strays.values() if of.namespace == namespace}

    def find(self, attempt: AttemptId) -> list[Stray]:
        """Pods of an attempt that nobody follows."""
        return list(self._of.get(attempt, {}).values())

    async def reap(self) -> None:
        """Once: delete what is due, and ask about what is not known."""
        now = self._clock()
        fates = [(of, fate(of, now, self._keep_s)) for of in self._strays.values()]
        await self._ask([of for of, what in fates if what is Fate.ASK])
        due = [of for of, what in fates if what is Fate.GOES]
        for begin in range(0, len(due), AT_ONCE):
            await asyncio.gather(*(self.delete(of) for of in due[begin : begin + AT_ONCE]))

    async def _ask(self, unknown: list[Stray]) -> None:
        if not unknown:
            return
        known = await self._runs(frozenset(of.attempt.run_id for of in unknown if of.attempt is not None))
        for of in unknown:
            if of.attempt is not None and of.attempt.run_id in known:
                # Whoever drives the run follows what is in flight of it.
                of.ended = known[of.attempt.run_id] or self._drives(of.attempt)
                if not of.ended:
                    of.since = self._clock()
                continue
            of.asked = True
            logger.warning(
                "the Pod %s/%s is of a run that this platform does not know (%s): it is deleted after an hour",
                *(of.namespace, of.name, of.attempt.run_id if of.attempt is not None else "its labels name none"),
            )

    async def delete(self, of: Stray) -> None:
        """Now. What cannot be deleted is tried again."""
        try:
            await self._api.delete(path_of(of.namespace, "pods", of.name), uid=of.uid)
        except (ApiError, Unreachable) as refused:
            logger.warning("the Pod %s/%s cannot be deleted yet: %s", of.namespace, of.name, refused)
            return
        self.gone(of.uid)
