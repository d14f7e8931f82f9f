"""The one error that crosses services, and its form on the wire.

`ServiceError` <-> google.rpc.Status with an ErrorInfo (and RetryInfo, BadRequest) in the standard status-details
trailer. Only the table and pure conversions live here, without gRPC's library; `interceptors` applies them to calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from headrace_protos.v1 import errors_pb2
from headrace_protos.v1.errors_pb2 import ErrorReason

DOMAIN: Final = "headrace.v1"
STATUS_TRAILER: Final = "grpc-status-details-bin"
# Default gRPC clients refuse metadata above 8 KB, the trailer travels in base64: what is longer is cut, and says so.
LONGEST_MESSAGE: Final = 1_500
LONGEST_DETAILS: Final = 3_500

Reason = ErrorReason  # `Reason.NOT_FOUND`; the values are ints of the proto enum


class Detail(NamedTuple):  # one problem of several: where it is, and what is wrong there
    field: str
    description: str


class ServiceError(Exception):
    """A call failed for REASON; MESSAGE is for people: what is wrong, with its name, and what to do next."""

    def __init__(
        self,
        reason: ErrorReason.ValueType,
        message: str,
        *,
        retry_after: float | None = None,
        details: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.reason, self.message, self.retry_after = reason, message, retry_after
        self.details = tuple(Detail(*detail) for detail in details)


CODES: Final[dict[ErrorReason.ValueType, int]] = {
    errors_pb2.ERROR_REASON_UNSPECIFIED: code_pb2.UNKNOWN,
    errors_pb2.INVALID_INPUT: code_pb2.INVALID_ARGUMENT,
    errors_pb2.INVALID_SPEC: code_pb2.INVALID_ARGUMENT,
    errors_pb2.INVALID_PARAMETERS: code_pb2.INVALID_ARGUMENT,
    errors_pb2.NOT_FOUND: code_pb2.NOT_FOUND,
    errors_pb2.ALREADY_EXISTS: code_pb2.ALREADY_EXISTS,
    errors_pb2.WRONG_STATE: code_pb2.FAILED_PRECONDITION,
    errors_pb2.SESSION_LOST: code_pb2.ABORTED,
    errors_pb2.REVISION_CONFLICT: code_pb2.ABORTED,
    errors_pb2.ATTEMPT_SUPERSEDED: code_pb2.FAILED_PRECONDITION,
    errors_pb2.FORBIDDEN: code_pb2.PERMISSION_DENIED,
    errors_pb2.UNAUTHENTICATED: code_pb2.UNAUTHENTICATED,
    errors_pb2.TOO_LARGE: code_pb2.INVALID_ARGUMENT,
    errors_pb2.DEADLINE: code_pb2.DEADLINE_EXCEEDED,
    errors_pb2.UNAVAILABLE: code_pb2.UNAVAILABLE,
    errors_pb2.NOT_IMPLEMENTED: code_pb2.UNIMPLEMENTED,
    errors_pb2.STORAGE_FULL: code_pb2.RESOURCE_EXHAUSTED,
    errors_pb2.INTERNAL: code_pb2.INTERNAL,
    errors_pb2.OUT_OF_RANGE: code_pb2.OUT_OF_RANGE,
}
# What a status without our ErrorInfo means (gRPC itself, or a server that is not ours, made it): the first reason of its code.
FOREIGN: Final = {
    **{code: reason for reason, code in reversed(CODES.items())},
    code_pb2.RESOURCE_EXHAUSTED: Reason.TOO_LARGE,
    code_pb2.CANCELLED: Reason.UNAVAILABLE,  # a stopping server cancels its streams; our own cancels are never mapped
    code_pb2.UNKNOWN: Reason.INTERNAL,
    code_pb2.ABORTED: Reason.INTERNAL,
}


def code_of(reason: ErrorReason.ValueType, *, streaming: bool = False) -> int:
    """gRPC's number for REASON: too large a request stream exhausts a resource, too large a value is a wrong argument."""
    return code_pb2.RESOURCE_EXHAUSTED if streaming and reason == Reason.TOO_LARGE else CODES[reason]


def to_status(error: ServiceError, *, streaming: bool = False) -> status_pb2.Status:
    """ERROR as the message that the trailer carries."""
    code = code_of(error.reason, streaming=streaming)
    status = status_pb2.Status(code=code, message=_cut(error.message, LONGEST_MESSAGE))
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=Reason.Name(error.reason), domain=DOMAIN))
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(error.retry_after * 1000))
        status.details.add().Pack(retry)
    if error.details:
        status.details.add().Pack(_bad_request(error.details))
    return status


def from_status(code: int, message: str, trailer: bytes | None) -> ServiceError:
    """The error that a call ended with; TRAILER is the content of STATUS_TRAILER."""
    reason = FOREIGN.get(code, Reason.INTERNAL)
    status = status_pb2.Status()
    with suppress(DecodeError):  # a trailer that is no status of ours says nothing more than its code
        status.ParseFromString(trailer or b"")
    info, retry, bad = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
    retry_after = None
    for packed in status.details:
        if packed.Unpack(info) and info.domain == DOMAIN and info.reason in Reason.keys():  # noqa: SIM118  # not a dict
            reason = Reason.Value(info.reason)
        elif packed.Unpack(retry):
            retry_after = retry.retry_delay.ToMilliseconds() / 1000
        else:
            packed.Unpack(bad)
    details = [(one.field, one.description) for one in bad.field_violations]
    return ServiceError(reason, status.message or message, retry_after=retry_after, details=details)


def _bad_request(details: Sequence[Detail]) -> error_details_pb2.BadRequest:
    kept, room = error_details_pb2.BadRequest(), LONGEST_DETAILS
    for index, detail in enumerate(details):
        field, description = _cut(detail.field, 300), _cut(detail.description, 500)
        room -= len(field.encode()) + len(description.encode()) + 8
        if room < 0:
            kept.field_violations.add(field="", description=f"and {len(details) - index} more")
            break
        kept.field_violations.add(field=field, description=description)
    return kept


def _cut(text: str, longest: int) -> str:
    raw = text.encode(errors="replace")
    return raw.decode() if len(raw) <= longest else raw[: longest - 4].decode(errors="ignore") + " …"
