"""ServiceError and its form on the wire: every reason, retry times, details, other people's statuses, sizes."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import code_pb2

from headrace_protos.v1 import errors_pb2
from headrace_servicekit.errors import CODES, Reason, ServiceError, code_of, from_status, to_status

REASONS = errors_pb2.ErrorReason.values()


def crossed(error: ServiceError) -> ServiceError:
    return from_status(code_of(error.reason), "", to_status(error).SerializeToString())


def test_every_reason_has_a_code():
    assert set(CODES) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS, ids=Reason.Name)
def test_every_reason_survives_the_wire(reason):
    error = crossed(
        ServiceError(reason, "näme: the thing", retry_after=1.5, details=[("root.dag", "unknown"), ("x", "y")])
    )
    assert (error.reason, error.message, error.retry_after) == (reason, "näme: the thing", 1.5)
    assert error.details == (("root.dag", "unknown"), ("x", "y"))


def test_without_retry_and_details_there_are_none():
    error = crossed(ServiceError(Reason.NOT_FOUND, "no run 1"))
    assert (error.retry_after, error.details) == (None, ())


def test_what_is_too_large_in_a_stream_exhausts_a_resource():
    assert code_of(Reason.TOO_LARGE) == code_pb2.INVALID_ARGUMENT
    assert code_of(Reason.TOO_LARGE, streaming=True) == code_pb2.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("code", list(grpc.StatusCode), ids=lambda code: code.name)
def test_a_foreign_status_becomes_the_nearest_reason(code):
    error = from_status(code.value[0], "said", None)
    assert error.message == "said"
    assert Reason.Name(error.reason)


def test_a_stopped_server_is_unavailable():
    assert from_status(code_pb2.CANCELLED, "", None).reason == Reason.UNAVAILABLE


@pytest.mark.parametrize("trailer", [b"\xff\xff\xff", b"", b"\x08\x05"])
def test_a_broken_trailer_falls_back_to_the_code(trailer):
    assert from_status(code_pb2.NOT_FOUND, "gone", trailer).reason == Reason.NOT_FOUND


def test_an_unknown_reason_of_a_newer_server_falls_back_to_the_code():
    status = to_status(ServiceError(Reason.WRONG_STATE, "later"))
    raw = status.SerializeToString().replace(b"WRONG_STATE", b"WRONG_STARS")
    assert from_status(code_pb2.FAILED_PRECONDITION, "", raw).reason == Reason.WRONG_STATE


def test_the_trailer_fits_into_what_default_clients_accept():
    error = ServiceError(
        Reason.INVALID_SPEC, "x" * 100_000, details=[(f"place {number}", "é" * 200) for number in range(1000)]
    )
    status = to_status(error)
    assert len(status.SerializeToString()) < 6_000
    shown = crossed(error).details
    assert shown[-1].description == f"and {1000 - len(shown) + 1} more"


def test_lone_surrogates_do_not_break_the_answer():
    assert crossed(ServiceError(Reason.INVALID_INPUT, "bad \ud800", details=[("\udfff", "\ud800")])).message == "bad ?"
