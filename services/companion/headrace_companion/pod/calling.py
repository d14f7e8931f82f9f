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
from typing import Any, Final, Protocol, TypeVar

import grpc

from headrace_protos.v1 import access_pb2, assignments_pb2, attempts_pb2, attempts_pb2_grpc
from headrace_servicekit.errors import STATUS_TRAILER, Reason, ServiceError, from_status
from headrace_servicekit.tokens import TokenFile

logger = logging.getLogger(__name__)
CALL_S: Final = 20.0
PAUSES: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before the next try; the last one again and again
SAY_AFTER: Final = 5  # tries without an answer, then every so many
PASSING: Final = frozenset(
    {Reason.UNAVAILABLE, Reason.DEADLINE, Reason.INTERNAL, Reason.UNAUTHENTICATED, Reason.SESSION_LOST}
)
OPTIONS: Final = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
]
T = TypeVar("T")


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
    _stubs: dict[str, Any] = field(default_factory=dict)
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
        metadata = [("authorization", f"Bearer {self.token.read()}")] if self.token is not None else []
        try:
            return getattr(self._stub(address), method)(request, timeout=CALL_S, metadata=metadata)
        except grpc.RpcError as failed:
            error = _error(failed)
        if error.reason in PASSING:
            raise error
        raise GaveUp(str(error))

    def _stub(self, address: str) -> Any:
        with self._lock:
            if address not in self._stubs:
                channel = grpc.insecure_channel(address, options=OPTIONS)
                self._stubs[address] = attempts_pb2_grpc.AttemptsStub(channel)
            return self._stubs[address]


def _error(failed: Any) -> ServiceError:
    """What a call ended with; gRPC's errors are calls too."""
    trailers = dict(failed.trailing_metadata() or ())
    return from_status(failed.code(), failed.details() or "", trailers.get(STATUS_TRAILER))
