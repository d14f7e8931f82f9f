"""gRPC-web's frames, read and written without a look at what is in them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

import headrace_apiserver
from headrace_apiserver.gateway.grpc_web import failed, framed, is_grpc_web, seconds, unframed
from headrace_servicekit.errors import Reason, ServiceError

FRAME = b"\0\0\0\0\x03abc"


@pytest.mark.parametrize("text", [False, True])
def test_a_request_is_one_frame(text):
    assert unframed(base64.b64encode(FRAME) if text else FRAME, text=text) == b"abc"


@pytest.mark.parametrize(
    ("body", "text", "reason", "said"),
    [
        (b"", False, Reason.INVALID_INPUT, "the body is not one gRPC-web frame: a flag, a length, a message"),
        (FRAME + b"x", False, Reason.INVALID_INPUT, "the body is not one gRPC-web frame: a flag, a length, a message"),
        (FRAME[:-1], False, Reason.INVALID_INPUT, "the body is not one gRPC-web frame: a flag, a length, a message"),
        (b"%%%", True, Reason.INVALID_INPUT, "the body is not the base64 of a gRPC-web frame"),
        (
            b"\x01" + FRAME[1:],
            False,
            Reason.NOT_IMPLEMENTED,
            "compressed gRPC-web frames are not read; send them as they are",
        ),
    ],
)
def test_what_is_no_frame_is_refused(body, text, reason, said):
    with pytest.raises(ServiceError) as error:
        unframed(body, text=text)
    assert (error.value.reason, error.value.message) == (reason, said)


def test_an_answer_is_a_frame_and_trailers():
    assert framed(b"abc", trailers={"grpc-status": "0"}) == FRAME + b"\x80\0\0\0\x10grpc-status: 0\r\n"


def test_a_failure_is_trailers_alone():
    told = failed(ServiceError(Reason.NOT_FOUND, "no artifact é\n100%"))
    assert told[0] == 0x80
    assert told[5:] == b"grpc-status: 5\r\ngrpc-message: no artifact %C3%A9%0A100%25\r\n"


@pytest.mark.parametrize(
    ("header", "outcome"), [("5S", 5.0), ("100m", 0.1), ("1H", 3600.0), ("", None), ("soon", None), ("-1S", None)]
)
def test_timeouts(header, outcome):
    assert seconds(header) == outcome


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("application/grpc-web+proto", True), ("application/grpc-web", True), ("application/grpc-web-text+proto", True),
        ("application/grpc", False), ("application/json", False), ("", False),
    ],
)  # fmt: skip
def test_content_types(kind, outcome):
    assert is_grpc_web(kind) is outcome


def test_the_apiserver_reads_none_of_the_messages():
    """Its code knows the service's descriptor, for the names of its methods, and no message."""
    sources = Path(headrace_apiserver.__file__).parent.rglob("*.py")
    users = [path.name for path in sources if "ml_metadata" in path.read_text().replace("/ml_metadata", "")]
    assert users == ["forwarding.py"]
