"""The scheduler as a companion sees it: blocking calls that are tried until somebody answers. Thread-safe.

Who drives the run may change at any time: an answer may send us to another replica, and where that one is gone we begin
again at the service's address.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from headrace_companion.pod.unary import CallFailed, Connection
from headrace_protos.v1 import access_pb2, assignments_pb2, attempts_pb2
from headrace_servicekit.errors import Reason, ServiceError, from_status
from headrace_servicekit.tokens import TokenFile

logger = logging.getLogger(__name__)
CALL_S: Final = 20.0
PAUSES: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before the next try; the last one again and again
SAY_AFTER: Final = 5  # tries without an answer, then every so many
PASSING: Final = frozenset(
    {Reason.UNAVAILABLE, Reason.DEADLINE, Reason.INTERNAL, Reason.UNAUTHENTICATED, Reason.SESSION_LOST}
)
ATTEMPTS: Final = attempts_pb2.DESCRIPTOR.services_by_name["Attempts"].full_name
ANSWERS: Final[dict[str, Any]] = {
    "Assign": attempts_pb2.AssignResponse,
    "Report": attempts_pb2.ReportResponse,
    "Access": access_pb2.AccessResponse,
}
IDLE_S: Final = 60.0  # what lies between may have forgotten a connection on which nothing came for longer


class GaveUp(Exception):  # noqa: N818 - read as a statement
    """The scheduler does not want anything of this attempt any more, or never did."""


class _Answer(Protocol):
    @property
    def ask(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which attempt this Pod is."""

    run_id: str
    path: str
    number: int


@dataclass
class Scheduler:
    """`token` is None on a socket of this machine."""

    address: str
    attempt: Attempt
    token: TokenFile | None = None
    sleep: Callable[[float], None] = time.sleep
    _idle: dict[str, list[Connection]] = field(default_factory=dict)
    _holder: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def assign(self) -> assignments_pb2.Assignment:
        """What to do. Raises GaveUp."""
        request = attempts_pb2.AssignRequest(**self._named())
        answer: attempts_pb2.AssignResponse = self._until_answered("Assign", request)
        return answer.assignment

    def report(self, result: attempts_pb2.AttemptResult) -> None:
        """Returns once it is acknowledged. Raises GaveUp."""
        self._until_answered("Report", attempts_pb2.ReportRequest(result=result, **self._named()))

    def access(self, wants: Sequence[access_pb2.Want]) -> Sequence[access_pb2.Way]:
        """One question for ways, whose answer may be that nobody answers: ServiceError. Raises GaveUp."""
        answer: access_pb2.AccessResponse = self._ask("Access", access_pb2.AccessRequest(wants=wants, **self._named()))
        return answer.ways

    def _named(self) -> dict[str, Any]:
        return {"run_id": self.attempt.run_id, "path": self.attempt.path, "attempt": self.attempt.number}

    def _until_answered(self, method: str, request: Any) -> Any:
        tries = 0
        while True:
            try:
                return self._ask(method, request)
            except ServiceError as away:
                tries += 1
                if tries % SAY_AFTER == 0:
                    logger.warning("the scheduler does not answer %s, trying again: %s", method, away)
                self.sleep(away.retry_after or PAUSES[min(tries, len(PAUSES)) - 1])

    def _ask(self, method: str, request: Any) -> Any:
        """At the replica that drives the run, as far as we know."""
        for _ in range(3):
            address = self._holder or self.address
            try:
                answer: _Answer = self._call(address, method, request)
            except ServiceError:
                self._holder = ""
                raise
            if not answer.ask or answer.ask == address:
                return answer
            self._holder = answer.ask
        raise ServiceError(Reason.UNAVAILABLE, "the replicas of the scheduler send us to one another")

    def _call(self, address: str, method: str, request: Any) -> Any:
        metadata = {"authorization": f"Bearer {self.token.read()}"} if self.token is not None else {}
        try:
            answer = self._answer(address, f"/{ATTEMPTS}/{method}", request.SerializeToString(), metadata)
        except CallFailed as failed:
            error = from_status(failed.code, failed.message, failed.details)
        else:
            return ANSWERS[method].FromString(answer)
        if error.reason in PASSING:
            raise error
        raise GaveUp(str(error))

    def _answer(self, address: str, path: str, request: bytes, metadata: dict[str, str]) -> bytes:
        connection = self._connection(address)
        try:
            return connection.call(path, request, metadata, CALL_S)
        finally:
            with self._lock:
                self._idle.setdefault(address, []).append(connection)

    def _connection(self, address: str) -> Connection:
        """One that nobody uses, the last one first, or another."""
        while True:
            with self._lock:
                idle = self._idle.get(address)
                connection = idle.pop() if idle else None
            if connection is None:
                return Connection(address, CALL_S)
            if time.monotonic() - connection.idle_since < IDLE_S and connection.is_usable:
                return connection
            connection.close()
