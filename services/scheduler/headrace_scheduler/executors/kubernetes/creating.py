"""Creating an object for an attempt, however long the cluster takes to accept it. What a refusal means is `refusals`'.

A create call whose answer was lost is made again: the name is the attempt's, and what lies there is ours if its labels say
so. Called by the executor, one coroutine for each attempt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from headrace_scheduler.executors.kubernetes.calling import ApiError, Json, KubernetesApi, Unreachable, uid_of
from headrace_scheduler.executors.kubernetes.refusals import Meaning, Refusal, meaning

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0
SPOKEN_S: Final = 1.0  # of pauses, before it is worth saying


class NotCreated(Exception):  # noqa: N818 - it says what became of the object
    """It will not be created. `theirs`: an object of that name is there and is not the attempt's."""

    def __init__(self, sentence: str, *, theirs: bool = False) -> None:
        super().__init__(sentence)
        self.theirs = theirs


Hold = Callable[[str, str], None]  # the sentence, and a word of WaitingOn.resource


@dataclass(frozen=True, slots=True)
class Created:
    """The object's UID; `found`: it was there already, like this."""

    uid: str
    found: Json | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """What is created, and who is asked and told about it."""

    kind: str  # for people
    namespace: str
    path: str  # of the collection
    body: Json
    ours: Callable[[Json], bool]
    hold: Hold
    stopped: Callable[[], bool]


class Creator:
    """Creates with a bound on calls in flight. `stuck_s`: how long somebody has to put right what a person must."""

    def __init__(self, api: KubernetesApi, at_once: int, stuck_s: float) -> None:
        self._api = api
        self._calls = asyncio.Semaphore(at_once)
        self._stuck_s = stuck_s

    async def create(self, wanted: Creation) -> Created | None:
        """None: it was stopped before the object was there. Raises NotCreated."""
        pause, stuck = FIRST_PAUSE_S, 0.0
        while not wanted.stopped():
            try:
                async with self._calls:
                    if wanted.stopped():
                        return None
                    return Created(uid_of(await self._api.create(wanted.path, wanted.body)))
            except Unreachable as away:
                found = Meaning(Refusal.STUCK, f"the Kubernetes API does not answer: {away}")
                stuck = 0.0  # nothing that the task could be failed for
            except ApiError as error:
                found = meaning(
                    error.status, {"reason": error.reason, "message": str(error)}, wanted.kind, wanted.namespace
                )
            if found.kind is Refusal.NEVER:
                raise NotCreated(found.sentence)
            if found.kind is Refusal.EXISTS:
                there = await self._there(wanted)
                if isinstance(there, Created):
                    return there
                found = there
            if pause > SPOKEN_S or found.kind is Refusal.WAIT:
                wanted.hold(found.sentence, "quota" if found.kind is Refusal.WAIT else "cluster")
            await asyncio.sleep(pause)
            stuck = stuck + pause if found.kind is Refusal.STUCK else 0.0
            if stuck > self._stuck_s:
                raise NotCreated(found.sentence)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        return None

    async def _there(self, wanted: Creation) -> Created | Meaning:
        """Whose the object of that name is."""
        name = wanted.body["metadata"]["name"]
        try:
            held = await self._api.get(f"{wanted.path}/{name}")
        except (ApiError, Unreachable) as away:
            return Meaning(Refusal.AGAIN, str(away))  # it has just gone, or nobody knows
        if not wanted.ours(held):
            raise NotCreated(f"a {wanted.kind} named '{name}' is there already, and is not of this task", theirs=True)
        if "deletionTimestamp" in held["metadata"]:
            return Meaning(Refusal.AGAIN, f"the {wanted.kind} '{name}' of this task is still being deleted")
        return Created(held["metadata"]["uid"], held)
