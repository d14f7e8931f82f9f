"""Unary gRPC calls over plain HTTP/2, one after another on a connection, with the standard library alone.

The companion makes a handful of calls in its life, and a task waits for the first and the last of them. The usual library takes
longer to be loaded than everything else that a companion does before user code may start, and more memory than all the rest
(docs/adr/0026). Blocking; a connection belongs to one thread at a time. Called by `calling`, which knows what to try again.
"""

from __future__ import annotations

import base64
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from headrace_companion.pod import hpack

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
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
TABLE_SIZE, PUSH, WINDOW, FRAME_SIZE = 1, 2, 4, 5
WIDEST: Final = (1 << 31) - 1
USUAL_WINDOW: Final = 65_535
USUAL_FRAME: Final = 16_384
LARGEST_FRAME: Final = 1 << 20  # that we take
OUR_SETTINGS: Final = ((TABLE_SIZE, 0), (PUSH, 0), (WINDOW, WIDEST), (FRAME_SIZE, LARGEST_FRAME))
DETAILS: Final = "grpc-status-details-bin"
OF_CANCEL: Final = 8  # HTTP/2's own code for a stream that nobody wants any more
TURNED_AWAY: Final = (7, OF_CANCEL)  # such a stream was not worked on, or its server is going


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
        self._got = bytearray()
        self._stream = -1
        self._room = USUAL_WINDOW  # bytes that the server takes of us, on all streams
        self._stream_room = 0
        self._first_room = USUAL_WINDOW  # of a stream, as it opens
        self._frame_size = USUAL_FRAME
        self._taken = 0  # bytes of answers that the server may not send again before we say so
        settings = b"".join(struct.pack(">HI", *one) for one in OUR_SETTINGS)
        self._due = PREFACE + _frame(SETTINGS, 0, 0, settings) + _window(WIDEST - USUAL_WINDOW)

    def close(self) -> None:
        self.is_over = True
        self._socket.close()

    @property
    def is_usable(self) -> bool:
        """Between two calls: whether the server has not ended it, as far as is known here."""
        if self.is_over:
            return False
        self._until = time.monotonic() + 1.0
        try:
            while select.select([self._socket], [], [], 0)[0]:
                self._take(*self._next())
        except (OSError, CallFailed):
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
                case hpack.Garbled():
                    raise CallFailed(INTERNAL, str(failed)) from None
                case OSError():
                    raise CallFailed(UNAVAILABLE, f"the connection broke: {failed.strerror or failed}") from None
            raise
        self.idle_since = time.monotonic()
        return answer.message()

    def _call(self, path: str, request: bytes, metadata: dict[str, str], within_s: float) -> _Answer:
        self._stream += 2
        self._stream_room = self._first_room
        if self._taken:
            self._due += _window(self._taken)
            self._taken = 0
        self._due += _frame(HEADERS, END_HEADERS, self._stream, hpack.encode(self._headers(path, metadata, within_s)))
        answer, body = _Answer(), memoryview(struct.pack(">BI", 0, len(request)) + request)
        while not answer.is_whole:
            body = self._send_what_fits(body)
            kind, flags, stream, payload = self._next()
            if stream == self._stream and kind in (DATA, HEADERS, RST_STREAM):
                answer.take(kind, flags, self._block(flags, payload) if kind == HEADERS else payload)
            self._take(kind, flags, stream, payload)
        if body:  # answered before it was asked to the end
            self._due += _frame(RST_STREAM, 0, self._stream, struct.pack(">I", OF_CANCEL))
        self._send()
        return answer

    def _send_what_fits(self, body: memoryview) -> memoryview:
        """What has to wait until the server has room."""
        while body and (room := min(self._room, self._stream_room, self._frame_size)) > 0:
            piece, body = body[:room], body[room:]
            self._room -= len(piece)
            self._stream_room -= len(piece)
            self._due += _frame(DATA, 0 if body else END_STREAM, self._stream, bytes(piece))
        self._send()
        return body

    def _headers(self, path: str, metadata: dict[str, str], within_s: float) -> Iterator[tuple[str, bytes]]:
        told = {":method": "POST", ":scheme": "http", ":path": path, ":authority": self._authority, "te": "trailers"}
        told |= {"content-type": "application/grpc", "user-agent": "headrace-companion"}
        told |= {"grpc-timeout": f"{max(1, int(within_s * 1000))}m", **metadata}
        return ((name, text.encode("ascii")) for name, text in told.items())

    def _block(self, flags: int, payload: bytes) -> bytes:
        """A whole block of headers, with what continues it."""
        block = _unpadded(flags, payload)
        if flags & PRIORITY:
            block = block[5:]
        while not flags & END_HEADERS:
            kind, flags, _, payload = self._next()
            if kind != CONTINUATION:
                raise hpack.Garbled("the server's headers break off")
            block += payload
        return block

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """What is the connection's, whatever is called."""
        if kind == DATA:
            self._taken += len(payload)
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload) - 5, 6):
                self._set(*struct.unpack_from(">HI", payload, at))
            self._due += _frame(SETTINGS, ACK, 0, b"")
        elif kind == PING and not flags & ACK:
            self._due += _frame(PING, ACK, 0, payload)
        elif kind == WINDOW_UPDATE:
            (more,) = struct.unpack(">I", payload)
            if stream == 0:
                self._room += more
            elif stream == self._stream:
                self._stream_room += more
        elif kind == GOAWAY:
            self.is_over = True
            if struct.unpack_from(">I", payload)[0] & WIDEST < self._stream:
                raise ConnectionResetError("the server turned the call away")

    def _set(self, setting: int, value: int) -> None:
        if setting == WINDOW:
            self._stream_room += value - self._first_room
            self._first_room = value
        elif setting == FRAME_SIZE:
            self._frame_size = value

    def _send(self) -> None:
        """Everything that is due."""
        if self._due:
            data, self._due = self._due, b""
            self._socket.settimeout(self._left())
            self._socket.sendall(data)

    def _next(self) -> tuple[int, int, int, bytes]:
        """The next frame: its kind, flags, stream and payload."""
        head = self._exactly(9)
        size = int.from_bytes(head[:3], "big")
        if size > LARGEST_FRAME:
            raise ConnectionError("a frame is too large")
        return head[3], head[4], int.from_bytes(head[5:9], "big") & WIDEST, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        while len(self._got) < size:
            self._socket.settimeout(self._left())
            piece = self._socket.recv(1 << 18)
            if not piece:
                raise ConnectionError("the server closed it")
            self._got += piece
        data = bytes(self._got[:size])
        del self._got[:size]
        return data

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Answer:
    """One call's headers, message and trailers, as they come."""

    def __init__(self) -> None:
        self.is_whole = False
        self._headers: dict[str, bytes] = {}
        self._body = bytearray()
        self._reset: int | None = None

    def take(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == RST_STREAM:
            (self._reset,) = struct.unpack(">I", payload)
            self.is_whole = True
            return
        if kind == HEADERS:
            self._headers |= hpack.decode(payload)
        else:
            self._body += _unpadded(flags, payload)
        if len(self._body) > LARGEST + 5:
            raise CallFailed(RESOURCE_EXHAUSTED, f"the answer has more than {LARGEST} bytes")
        self.is_whole = bool(flags & END_STREAM)

    def message(self) -> bytes:
        """The message, or CallFailed with what the server said."""
        code = self._code()
        if code != OK:
            said = unquote(self._headers.get("grpc-message", b"").decode("ascii", "replace"), errors="replace")
            raise CallFailed(code, said or f"the call ended with code {code}", self._details())
        if (
            len(self._body) < 5
            or self._body[0] != 0
            or struct.unpack_from(">I", self._body, 1)[0] != len(self._body) - 5
        ):
            raise CallFailed(INTERNAL, "the answer is not one message")
        return bytes(self._body[5:])

    def _code(self) -> int:
        status = self._headers.get("grpc-status", b"")
        if status.isdigit():
            return int(status)
        if self._reset is not None:
            return UNAVAILABLE if self._reset in TURNED_AWAY else INTERNAL
        return FOREIGN.get(self._headers.get(":status", b""), UNKNOWN)

    def _details(self) -> bytes:
        text = self._headers.get(DETAILS, b"").split(b",")[0]
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


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _window(more: int) -> bytes:
    return _frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", more))


def _unpadded(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
