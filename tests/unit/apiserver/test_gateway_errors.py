"""Errors in KFP's three shapes."""

from __future__ import annotations

import json

import pytest

from headrace_apiserver.gateway.errors import HTTP_STATUS, full_text, gateway_error, rpc_error, upload_error
from headrace_servicekit.errors import CODES, Reason, ServiceError


def test_the_sample_of_an_unknown_run():
    status, body = rpc_error(ServiceError(Reason.NOT_FOUND, "Run nope not found"), "GetRun")
    assert status == 404
    assert json.loads(body) == {
        "code": 5,
        "message": "Failed to get a run: ResourceNotFoundError: Run nope not found",
        "details": [{"@type": "type.googleapis.com/google.rpc.Status", "code": 5, "message": "Run nope not found"}],
    }


@pytest.mark.parametrize(
    ("reason", "rpc", "status", "text"),
    [
        (Reason.INVALID_INPUT, "CreateRun", 400, "Failed to create a run: Invalid input error: x"),
        (Reason.ALREADY_EXISTS, "CreateExperiment", 409, "Already exist error: x"),
        (Reason.WRONG_STATE, "TerminateRun", 400, "Failed to terminate a run"),
        (Reason.WRONG_STATE, "DeleteExperiment", 409, "x"),
        (Reason.NOT_IMPLEMENTED, "ListRecurringRuns", 501, "Failed to list recurring runs: x"),
        (Reason.UNAVAILABLE, "GetRun", 503, "UnavailableServerError: x"),
        (Reason.INTERNAL, "Authorize", 500, "Failed to authorize: InternalServerError: x"),
    ],
)
def test_each_reason_has_its_status_and_tag(reason, rpc, status, text):
    got, body = rpc_error(ServiceError(reason, "x"), rpc)
    assert got == status
    assert text in json.loads(body)["message"]


def test_every_code_that_a_reason_has_is_mapped():
    assert set(CODES.values()) <= set(HTTP_STATUS)


def test_details_join_the_text_unless_it_says_them():
    error = ServiceError(Reason.INVALID_SPEC, "2 problems:\n  a: b", details=[("a", "b"), ("c", "d"), ("", "zzz")])
    assert full_text(error) == "2 problems:\n  a: b\nc: d\nzzz"


def test_an_error_before_any_handler_has_no_details():
    assert gateway_error(5, "Not Found") == (404, b'{"code": 5, "message": "Not Found"}')


def test_an_upload_error_has_the_upload_shape():
    status, body = upload_error(ServiceError(Reason.INVALID_SPEC, "wrong"))
    assert status == 400
    assert json.loads(body) == {"error_message": "wrong", "error_details": "Invalid input error: wrong"}


def test_a_lone_surrogate_in_a_message_is_no_second_error():
    assert rpc_error(ServiceError(Reason.INVALID_INPUT, "\ud800"), "GetRun")[0] == 400
