"""A way to a server that can be cut: a forwarder of connections on the loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PIECE = 1 << 16


class Wire:
    """Forwards to TARGET until it is cut; `mended` lets connections through again."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._cut = False
        self.refused = threading.Event()  # somebody tried while it was cut
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def cut(self) -> None:
        self._cut = True
        for one in list(self._open):
            _end(one)

    def mend(self) -> None:
        self._cut = False

    def close(self) -> None:
        _end(self._listening)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            if self._cut:
                near.close()
                self.refused.set()
                continue
            far = socket.create_connection(self._target)
            self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                sink.sendall(piece)
        for one in (source, sink):
            _end(one)
            self._open.discard(one)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def wire_to(endpoint: str) -> Iterator[Wire]:
    host, _, port = endpoint.removeprefix("http://").partition(":")
    made = Wire((host, int(port)))
    try:
        yield made
    finally:
        made.close()
