"""The S3-compatible server of the tests leaves nothing behind that the next one, or another user's, would stumble over."""

from __future__ import annotations

from pathlib import Path

from fixtures.fix_s3 import Server, sockets


def test_a_server_that_ended_has_left_no_socket(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        server.start()
        assert set(server.ports) & set(sockets()), "it meets over sockets elsewhere now: tell fix_s3.sockets"
    finally:
        server.stop()
    assert not set(server.ports) & set(sockets())
