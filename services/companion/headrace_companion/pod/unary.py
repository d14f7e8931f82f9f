"""Unary gRPC calls over plain HTTP/2 (by `h2`), one after another on a connection.

The companion makes a handful of calls in its life, and a task waits for the first and the last of them. gRPC's library takes
longer to be loaded than all else that a companion does before user code may start, and more memory than all the rest
(docs/adr/0026). Blocking; a connection belongs to one thread at a time. Called by `calling`, which knows what to try again.
"""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

# gRPC's codes.
OK, UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 0, 2, 4, 7, 8
UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 12, 13, 14, 16
# What an answer of HTTP that is none of gRPC's means, from whatever stands between us and the server.
FOREIGN: Final = {
    b"400": INTERNAL,
    b"401": UNAUTHENTICATED,
    b"403": PERMISSION_DENIED,
    b"404": UNIMPLEMENTED,
    **dict.fromkeys((b"429", b"502", b"503", b"504"), UNAVAILABLE),
}
LARGEST: Final = 64 << 20  # bytes of an answer
DETAILS: Final = "grpc-status-details-bin"
# Such a stream was not worked on, or its server is going.
TURNED_AWAY: Final = (ErrorCodes.REFUSED_STREAM, ErrorCodes.CANCEL)


class CallFailed(Exception):  # noqa: N818 - read as a statement
    """The call's status; without any, what gRPC's libraries make of that. `details`: a google.rpc.Status, or nothing."""

    def __init__(self, code: int, message: str, details: bytes = b"") -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details


class Connection:
    """One connection to one server. After a failure that is not the call's own it `is_over`."""

    def __init__(self, address: str, within_s: float) -> None:
        """`host:port`, or `unix:` and a path. Raises CallFailed."""
        self.is_over = False
        self.idle_since = time.monotonic()
        self._until = self.idle_since + within_s
        self._authority = "localhost" if address.startswith("unix:") else address.removeprefix("dns:///")
        try:
            self._socket = _connected(address, within_s)
        except (OSError, ValueError) as error:
            raise CallFailed(UNAVAILABLE, f"{address} cannot be reached: {error}") from None
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._http.initiate_connection()

    def close(self) -> None:
        self.is_over = True
        self._socket.close()

    @property
    def is_usable(self) -> bool:
        """Between two calls: whether the server has not ended it, as far as is known here."""
        if self.is_over:
            return False
        try:
            while not self.is_over and select.select([self._socket], [], [], 0)[0]:
                self._until = time.monotonic() + 1.0
                self._received()
        except (OSError, ProtocolError):
            self.is_over = True
        if self.is_over:
            self.close()
        return not self.is_over

    def call(self, path: str, request: bytes, metadata: dict[str, str], within_s: float) -> bytes:
        """The answer. Raises CallFailed."""
        self._until = time.monotonic() + within_s
        try:
            answer = self._call(path, request, metadata, within_s)
        except BaseException as failed:
            self.close()  # what would come next belongs to this call
            match failed:
                case TimeoutError():
                    raise CallFailed(DEADLINE_EXCEEDED, f"no answer within {within_s:g} s") from None
                case ProtocolError():
                    raise CallFailed(UNAVAILABLE, f"the server does not keep to HTTP/2: {failed}") from None
                case OSError():
                    raise CallFailed(UNAVAILABLE, f"the connection broke: {failed.strerror or failed}") from None
            raise
        self.idle_since = time.monotonic()
        return answer.message()

    def _call(self, path: str, request: bytes, metadata: dict[str, str], within_s: float) -> _Answer:
        stream = self._http.get_next_available_stream_id()
        self._http.send_headers(stream, list(self._headers(path, metadata, within_s)))
        answer, body = _Answer(stream), memoryview(struct.pack(">BI", 0, len(request)) + request)
        while not answer.is_whole:
            body = self._send_what_fits(stream, body)
            for event in self._received():
                answer.take(event)
                if isinstance(event, DataReceived) and event.flow_controlled_length:
                    self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if body:  # answered before it was asked to the end
            with contextlib.suppress(ProtocolError):  # the server has ended it already
                self._http.reset_stream(stream, ErrorCodes.CANCEL)
        self._send()
        return answer

    def _send_what_fits(self, stream: int, body: memoryview) -> memoryview:
        """What has to wait until the server has room."""
        while (
            body and (room := min(self._http.local_flow_control_window(stream), self._http.max_outbound_frame_size)) > 0
        ):
            piece, body = body[:room], body[room:]
            self._http.send_data(stream, bytes(piece), end_stream=not body)
        self._send()
        return body

    def _headers(self, path: str, metadata: dict[str, str], within_s: float) -> Iterator[tuple[str, str]]:
        yield from {":method": "POST", ":scheme": "http", ":path": path, ":authority": self._authority}.items()
        yield from {"te": "trailers", "content-type": "application/grpc", "user-agent": "headrace-companion"}.items()
        yield "grpc-timeout", f"{max(1, int(within_s * 1000))}m"
        yield from metadata.items()

    def _send(self) -> None:
        """Everything that is due."""
        data = self._http.data_to_send()
        if data:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)

    def _received(self) -> list[Event]:
        """What the server says next, at least a part of something."""
        self._socket.settimeout(self._left())
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed it")
        events = self._http.receive_data(data)
        self.is_over = self.is_over or any(isinstance(event, ConnectionTerminated) for event in events)
        return events

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Answer:
    """One call's headers, message and trailers, as they come."""

    def __init__(self, stream: int) -> None:
        self.is_whole = False
        self._stream = stream
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()
        self._reset: int | None = None

    def take(self, event: Event) -> None:
        if isinstance(
            event, ConnectionTerminated
        ):  # h2 takes nothing more of it, whatever the server still wanted to answer
            if not self.is_whole:
                raise ConnectionResetError("the server turned the call away")
        elif getattr(event, "stream_id", None) == self._stream:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case ResponseReceived() | TrailersReceived():
                self._headers |= {bytes(name): bytes(value) for name, value in event.headers}
            case DataReceived():
                self._body += event.data
                if len(self._body) > LARGEST + 5:
                    raise CallFailed(RESOURCE_EXHAUSTED, f"the answer has more than {LARGEST} bytes")
            case StreamReset() if not self.is_whole:
                self._reset = event.error_code
                self.is_whole = True
            case StreamEnded():
                self.is_whole = True

    def message(self) -> bytes:
        """The message, or CallFailed with what the server said."""
        code = self._code()
        if code != OK:
            said = unquote(self._headers.get(b"grpc-message", b"").decode("ascii", "replace"), errors="replace")
            raise CallFailed(code, said or f"the call ended with code {code}", self._details())
        if (
            len(self._body) < 5
            or self._body[0] != 0
            or struct.unpack_from(">I", self._body, 1)[0] != len(self._body) - 5
        ):
            raise CallFailed(INTERNAL, "the answer is not one message")
        return bytes(self._body[5:])

    def _code(self) -> int:
        status = self._headers.get(b"grpc-status", b"")
        if status.isdigit():
            return int(status)
        if self._reset is not None:
            return UNAVAILABLE if self._reset in TURNED_AWAY else INTERNAL
        return FOREIGN.get(self._headers.get(b":status", b""), UNKNOWN)

    def _details(self) -> bytes:
        text = self._headers.get(DETAILS.encode(), b"").split(b",")[0]
        try:
            return base64.b64decode(text + b"=" * (-len(text) % 4))
        except ValueError:
            return b""


def _connected(address: str, within_s: float) -> socket.socket:
    if address.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(within_s)
        try:
            made.connect(address.removeprefix("unix:"))
        except OSError:
            made.close()
            raise
        return made
    host, _, port = address.removeprefix("dns:///").rpartition(":")
    made = socket.create_connection((host.strip("[]"), int(port)), within_s)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
