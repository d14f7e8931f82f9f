"""Whose attempt a companion's call is about: the Launch behind it, made again from the state of the run that this replica drives.

The scheduler keeps no assignments. What is asked of a replica that does not drive the run is answered with the address of the one
that does. Called by the handlers of headrace.v1.Attempts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from headrace_protos.lifecycle import attempt_path, shard_of
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.claiming import Session
from headrace_scheduler.driving import Driver
from headrace_scheduler.executors.port import AttemptId, Launch
from headrace_servicekit import callers
from headrace_servicekit.errors import Reason, ServiceError

SOON_S = 0.05  # a Pod may ask before its UID is durable
LATER_S = 0.5
DURABLE_WITHIN_S = 5.0  # then a report takes the way through the inbox


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another replica drives the run; it is asked at `address`."""

    address: str


class Ownership:
    """`find` is what every call of a companion begins with."""

    def __init__(self, store: Any, session: Session, driver: Driver) -> None:
        self._store = store
        self._session = session
        self._driver = driver

    async def find(self, run_id: str, path: str, number: int) -> Launch | Elsewhere:
        """The attempt in flight. Raises ATTEMPT_SUPERSEDED, FORBIDDEN, UNAVAILABLE."""
        attempt = AttemptId(run_id, path, number)
        try:
            shard = shard_of(run_id, self._session.shards)
        except ValueError:
            raise ServiceError(Reason.INVALID_INPUT, f"{run_id!r} is not a run's id") from None
        if shard not in self._session.held or not self._session.confirmed:
            return await self._elsewhere(run_id)
        if not self._driver.knows(run_id):
            raise ServiceError(Reason.UNAVAILABLE, f"run {run_id} is being loaded", retry_after=LATER_S)
        found = self._driver.attempt(attempt)
        if found is None:
            name = attempt_path(path, number)
            raise ServiceError(Reason.ATTEMPT_SUPERSEDED, f"{name} of run {run_id} has ended, or never was")
        launch, handle = found
        _check_pod(attempt, handle)
        return launch

    async def durable(self, attempt: AttemptId, begin: Callable[[], bool]) -> bool:
        """Whether the attempt's end, which BEGIN tells of, was applied and stored here while its companion waits."""
        if not self._driver.holds(attempt.run_id):
            return False
        return await self._driver.ends.wait(attempt, begin, DURABLE_WITHIN_S)

    async def _elsewhere(self, run_id: str) -> Elsewhere:
        holder = await self._store.FindHolder(rs.FindHolderRequest(run_id=run_id))
        if not holder.address or holder.session_id == self._session.session_id:
            raise ServiceError(Reason.UNAVAILABLE, f"nobody drives run {run_id} for the moment", retry_after=LATER_S)
        return Elsewhere(holder.address)


def _check_pod(attempt: AttemptId, handle: str) -> None:
    """A caller over the network is the Pod that its token is bound to: it speaks for its own attempt alone."""
    caller = callers.current()
    if caller.is_local:
        return
    if not handle:
        raise ServiceError(Reason.UNAVAILABLE, "the attempt's Pod is not recorded yet", retry_after=SOON_S)
    if handle.split("/", 3)[2:3] != [caller.pod_uid]:  # namespace, name, UID, and where it publishes
        name = attempt_path(attempt.path, attempt.number)
        raise ServiceError(Reason.FORBIDDEN, f"Pod {caller.pod_name} is not the one of {name} of run {attempt.run_id}")
