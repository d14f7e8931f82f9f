"""The attempts that this replica follows, and what it has told of them. Values and a queue; no calls to the cluster.

Shared by the parts of the executor, which all run on one event loop.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes.following import Following

REMEMBERED: Final = 10_000


class Register:
    """`ended_pod` is called with each attempt that has ended, while its Pod may still be there."""

    def __init__(self, ended_pod: Callable[[Following], None]) -> None:
        self.facts: asyncio.Queue[port.ExecutorFact] = asyncio.Queue()
        self._ended_pod = ended_pod
        self._following: dict[port.AttemptId, Following] = {}
        self._by_uid: dict[str, Following] = {}
        self._ended: OrderedDict[port.AttemptId, port.Finished] = OrderedDict()

    def __len__(self) -> int:
        return len(self._following)

    def __iter__(self) -> Iterator[Following]:
        return iter(list(self._following.values()))

    def get(self, attempt: port.AttemptId) -> Following | None:
        return self._following.get(attempt)

    def of_uid(self, uid: str) -> Following | None:
        return self._by_uid.get(uid)

    def ended(self, attempt: port.AttemptId) -> port.Finished | None:
        """What was told of an attempt that ended lately."""
        return self._ended.get(attempt)

    def follow(self, of: Following) -> None:
        """From now on."""
        self._following[of.attempt] = of
        if of.uid:
            self._by_uid[of.uid] = of

    def created(self, of: Following, name: str, uid: str) -> None:
        """Its Pod is there: that is the first thing to tell, before anything that the Pod does."""
        of.name, of.uid, of.launch = name, uid, None
        self._by_uid[uid] = of
        self._tell_launched(of, port.Launched(of.attempt, str(of.handle), warnings=of.warnings, log_uri=of.log_uri))

    def runs(self, of: Following) -> None:
        """User code's container runs: whatever it waited for is over."""
        if of.running or of.pod is None or not of.pod.node or self._following.get(of.attempt) is not of:
            return
        of.running, of.held = True, ""
        handle, node = str(of.handle), of.pod.node
        more = (of.warnings, of.log_uri, of.accelerator, of.pod.image_digest)
        self._tell_launched(of, port.Launched(of.attempt, handle, node, *more))

    def _tell_launched(self, of: Following, fact: port.Launched) -> None:
        of.launched = fact
        self.facts.put_nowait(fact)

    def hold(self, of: Following, sentence: str, resource: str = "") -> None:
        """Why it does not run yet, once for each sentence."""
        if sentence and sentence != of.held:
            of.held, of.held_for = sentence, resource
            self.facts.put_nowait(port.Held(of.attempt, sentence, resource))

    def tell_again(self, attempt: port.AttemptId) -> bool:
        """For a run that was loaded again and may have missed it; whether there is anything to tell."""
        found = self._ended.get(attempt)
        if found is not None:
            self.facts.put_nowait(found)
            return True
        of = self._following.get(attempt)
        if of is not None and of.launched is not None:
            self.facts.put_nowait(of.launched)
        return of is not None

    def end(self, of: Following, result: attempts_pb2.AttemptResult) -> None:
        """It has ended, and is not followed any more."""
        if self._following.get(of.attempt) is not of:
            return
        if of.uid:
            self.runs(of)  # where it ran, if that is known
        self.forget(of)
        self.told_end(of.attempt, result)
        self._ended_pod(of)

    def told_end(self, attempt: port.AttemptId, result: attempts_pb2.AttemptResult) -> None:
        self._ended[attempt] = fact = port.Finished(attempt, result)
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self.facts.put_nowait(fact)

    def forget(self, of: Following) -> None:
        """Another replica follows it, or nobody has to."""
        if self._following.get(of.attempt) is of:
            del self._following[of.attempt]
        if of.uid and self._by_uid.get(of.uid) is of:
            del self._by_uid[of.uid]
