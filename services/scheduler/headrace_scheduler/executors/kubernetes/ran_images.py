"""Which image an attempt's Pod ran, where its node says so after the attempt's end only. Values and futures; no calls.

A kubelet tells of a container that runs up to a second after it began, and short tasks have reported by then. Called by the
executor for what its watches say of Pods that nobody follows any more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from headrace_scheduler.executors import port
from headrace_scheduler.executors.kubernetes.following import Following
from headrace_scheduler.executors.kubernetes.seen import Main, SeenPod

REMEMBERED: Final = 10_000
TOLD_WITHIN_S: Final = 5.0


class RanImages:
    """`tell` takes what became known late."""

    def __init__(self, tell: Callable[[port.Ran], None]) -> None:
        self._tell = tell
        self._answers: OrderedDict[port.AttemptId, asyncio.Future[str]] = OrderedDict()
        self._due: OrderedDict[str, port.AttemptId] = OrderedDict()  # by the Pod's uid

    def ended(self, of: Following) -> None:
        """An attempt that is not followed any more, with what is known of its Pod."""
        answer = self._answers[of.attempt] = asyncio.get_running_loop().create_future()
        if not of.uid or of.gone or (of.pod is not None and of.pod.main is not Main.WAITING):
            answer.set_result(of.pod.image_digest if of.pod is not None else "")
        else:
            self._due[of.uid] = of.attempt
        for kept in (self._answers, self._due):
            while len(kept) > REMEMBERED:
                kept.popitem(last=False)

    def saw(self, pod: SeenPod) -> None:
        """A Pod that nobody follows is there."""
        if pod.uid in self._due and pod.main is not Main.WAITING:
            self._told(self._due.pop(pod.uid), pod.image_digest)

    def gone(self, uid: str) -> None:
        """Its Pod is not there any more."""
        if uid in self._due:
            self._told(self._due.pop(uid), "")

    async def of(self, attempt: port.AttemptId) -> str:
        """The digest, "" where nobody knows or will say."""
        answer = self._answers.get(attempt)
        if answer is None:
            return ""
        await asyncio.wait([answer], timeout=TOLD_WITHIN_S)
        return answer.result() if answer.done() else ""

    def _told(self, attempt: port.AttemptId, digest: str) -> None:
        answer = self._answers.get(attempt)
        if answer is not None and not answer.done():
            answer.set_result(digest)
        if digest:
            self._tell(port.Ran(attempt, digest))
