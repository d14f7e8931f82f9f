"""The companion's own gRPC: calls at a real server of the usual library, and at one that misbehaves.

Answers and errors of every kind, large messages both ways, binary trailers, deadlines, servers that end, go or talk nonsense.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import hpack
import pytest

from headrace_companion.pod import unary
from headrace_companion.pod.unary import CallFailed, Connection

PATH = "/headrace.test/Call"
WITHIN_S = 60.0
DETAILS = bytes(range(256)) * 3


class Handler(grpc.GenericRpcHandler):
    """Answers as `answer` does."""

    def __init__(self) -> None:
        self.answer = lambda request, context: request

    def service(self, details):
        if details.method != PATH:
            return None
        return grpc.unary_unary_rpc_method_handler(self.answer)


@contextlib.contextmanager
def served(address):
    handler = Handler()
    server = grpc.server(
        ThreadPoolExecutor(4),
        handlers=[handler],
        options=[("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", -1)],
    )
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield handler, address if address.startswith("unix:") else f"127.0.0.1:{port}", server
    finally:
        server.stop(None).wait()


@pytest.fixture(params=["unix", "tcp"])
def peer(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    with served(f"unix:{folder}/s" if request.param == "unix" else "127.0.0.1:0") as (handler, address, server):
        yield handler, address, server


@pytest.fixture
def handler(peer):
    return peer[0]


@pytest.fixture
def connection(peer):
    made = Connection(peer[1], WITHIN_S)
    yield made
    made.close()


def call(connection, request=b"", within_s=WITHIN_S, path=PATH, **metadata):
    return connection.call(path, request, metadata, within_s)


@pytest.mark.parametrize("size", [0, 1, 16_384, 65_535, 65_536, 20 << 20])
def test_messages_of_any_size_go_and_come(connection, size):
    request = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    for _ in range(3):
        assert call(connection, request) == request
    assert connection.is_usable


def test_metadata_and_deadline_arrive(handler, connection):
    seen = []

    def answer(request, context):
        seen.append((dict(context.invocation_metadata()), context.time_remaining()))
        return b"yes"

    handler.answer = answer
    assert call(connection, authorization="Bearer " + "x" * 3000) == b"yes"
    metadata, remaining = seen[0]
    assert metadata["authorization"] == "Bearer " + "x" * 3000
    assert 0 < remaining <= WITHIN_S


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_refusals_come_with_code_message_and_details(handler, connection, code):
    def answer(request, context):
        context.set_trailing_metadata(((unary.DETAILS, DETAILS), ("other", "text")))
        context.abort(code, "näme: 100 % wrong")

    handler.answer = answer
    for _ in range(2):
        with pytest.raises(CallFailed) as failed:
            call(connection, b"x" * 100)
        assert (failed.value.code, failed.value.message) == (code.value[0], "näme: 100 % wrong")
        assert failed.value.details == DETAILS
    assert connection.is_usable  # that was the call's end, not the connection's


def test_a_method_that_is_not_there(connection):
    with pytest.raises(CallFailed) as failed:
        call(connection, path="/headrace.test/None")
    assert failed.value.code == unary.UNIMPLEMENTED


def test_a_request_that_the_server_does_not_take(handler, connection):
    with pytest.raises(CallFailed) as failed:
        call(connection, b"x" * (65 << 20))
    assert failed.value.code == unary.RESOURCE_EXHAUSTED


def test_an_answer_that_is_too_large(handler, connection):
    handler.answer = lambda request, context: b"x" * (65 << 20)
    with pytest.raises(CallFailed) as failed:
        call(connection)
    assert failed.value.code == unary.RESOURCE_EXHAUSTED
    assert not connection.is_usable


def test_a_deadline(handler, connection):
    ended = threading.Event()
    handler.answer = lambda request, context: ended.wait() or b""
    with pytest.raises(CallFailed) as failed:
        call(connection, within_s=0.1)
    ended.set()
    assert failed.value.code == unary.DEADLINE_EXCEEDED


def test_a_server_that_has_ended_is_known_before_the_next_call(peer, connection):
    call(connection)
    peer[2].stop(None).wait()
    assert not connection.is_usable


def test_a_server_that_ends_during_a_call(peer, connection):
    peer[0].answer = lambda request, context: (peer[2].stop(None) and threading.Event().wait(0.5)) or b""
    with pytest.raises(CallFailed) as failed:
        call(connection)
    assert failed.value.code in (unary.UNAVAILABLE, 1)  # CANCELLED, as the usual library has it


def test_nobody_listens(tmp_path):
    with pytest.raises(CallFailed) as failed:
        Connection(f"unix:{tmp_path}/none", WITHIN_S)
    assert failed.value.code == unary.UNAVAILABLE
    with pytest.raises(CallFailed, match="cannot be reached"):
        Connection("no port here", WITHIN_S)


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def message(data):
    return struct.pack(">BI", 0, len(data)) + data


def block(*headers):
    """Headers that refer to none that were said before."""
    return hpack.Encoder().encode(headers)


HEAD = block((":status", "200"), ("content-type", "application/grpc"))
DONE = block(("grpc-status", "0"))
PADDING = bytes((4,)), b"\0" * 4
ANSWER = frame(1, 4, 1, HEAD) + frame(0, 0, 1, message(b"a")) + frame(1, 5, 1, DONE)


@pytest.fixture
def told(tmp_path):
    """What a server of ours says, whatever it is asked; how the first call at it ends."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"{tmp_path}/s")
    listener.listen()
    threads = []

    def ask(said):
        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.recv(1 << 16)
                with contextlib.suppress(OSError):
                    peer.sendall(said)
                    peer.shutdown(socket.SHUT_WR)
                    while peer.recv(1 << 16):
                        pass

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        connection = Connection(f"unix:{tmp_path}/s", WITHIN_S)
        try:
            return call(connection, b"asked")
        finally:
            connection.close()

    yield ask
    for thread in threads:
        thread.join()
    listener.close()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(ANSWER, id="plain"),
        pytest.param(
            frame(1, 0, 1, HEAD[:3]) + frame(9, 0, 1, HEAD[3:9]) + frame(9, 4, 1, HEAD[9:]) + ANSWER[9 + len(HEAD) :],
            id="headers that continue",
        ),
        pytest.param(
            frame(1, 4 | 8 | 32, 1, PADDING[0] + b"\0" * 5 + HEAD + PADDING[1])
            + frame(0, 8, 1, PADDING[0] + message(b"a") + PADDING[1])
            + frame(1, 5, 1, DONE),
            id="padding and priority",
        ),
        pytest.param(
            frame(4, 0, 0, struct.pack(">HI", 5, 1 << 15)) + frame(6, 0, 0, b"12345678") + ANSWER, id="settings"
        ),
        pytest.param(frame(99, 255, 7, b"what") + ANSWER, id="a frame of the future"),
        pytest.param(ANSWER + frame(7, 0, 0, struct.pack(">II", 1, 0)), id="its last answer"),
        pytest.param(
            frame(1, 4, 1, HEAD)
            + frame(0, 0, 1, message(b"a")[:3])
            + frame(0, 0, 1, message(b"a")[3:])
            + frame(1, 5, 1, DONE),
            id="in pieces",
        ),
    ],
)
def test_all_that_a_server_may_say(told, said):
    assert told(said) == b"a"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", unary.UNAVAILABLE),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", unary.UNAVAILABLE),
        (frame(3, 0, 1, struct.pack(">I", 7)), unary.UNAVAILABLE),
        (frame(3, 0, 1, struct.pack(">I", 2)), unary.INTERNAL),
        (frame(7, 0, 0, struct.pack(">II", 0, 0)), unary.UNAVAILABLE),
        (
            frame(7, 0, 0, struct.pack(">II", 1, 0)) + ANSWER,
            unary.UNAVAILABLE,
        ),  # asked again elsewhere: all calls may be
        (frame(1, 5, 1, block((":status", "503"))), unary.UNAVAILABLE),
        (frame(1, 5, 1, block((":status", "401"))), unary.UNAUTHENTICATED),
        (frame(1, 5, 1, block((":status", "418"))), unary.UNKNOWN),
        (frame(1, 4, 1, HEAD) + frame(1, 5, 1, DONE), unary.INTERNAL),  # no message
        (frame(1, 4, 1, HEAD) + frame(0, 0, 1, b"\1\0\0\0\0") + frame(1, 5, 1, DONE), unary.INTERNAL),  # compressed
        (frame(1, 4, 1, HEAD) + frame(0, 1, 1, message(b"a")), unary.UNKNOWN),  # no trailers
        (frame(1, 4, 1, b"\x80"), unary.UNAVAILABLE),
        (frame(1, 0, 1, HEAD) + frame(0, 0, 1, b""), unary.UNAVAILABLE),
        (ANSWER[:-3], unary.UNAVAILABLE),
        (b"\xff\xff\xff\0\0\0\0\0\1", unary.UNAVAILABLE),
    ],
)
def test_what_is_no_answer(told, said, code):
    with pytest.raises(CallFailed) as failed:
        told(said)
    assert failed.value.code == code
