"""A process has ended when its last thread has, whatever the kernel calls it before."""

from __future__ import annotations

import secrets
import socket
import sys
from pathlib import Path

import pytest

from builders.half_ended import half_ended
from headrace_scheduler.executors.process import survivors
from headrace_scheduler.executors.process.survivors import Recorded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_survivor_whose_first_thread_has_ended_is_found_and_ended() -> None:
    mark = secrets.token_hex(4)
    with half_ended({survivors.MARK: mark}) as (pid, port):
        recorded = Recorded(pid, survivors.start_time(pid))
        assert survivors.is_alive(recorded)
        assert list(survivors.marked(mark.__eq__)) == [pid]
        assert survivors.end(mark.__eq__, []) == [pid]
        assert not survivors.is_alive(recorded)
        socket.create_server(("127.0.0.1", port)).close()


def test_a_recorded_one_too(tmp_path: Path) -> None:
    with half_ended() as (pid, port):
        (tmp_path / survivors.RECORD).write_text(f"{pid} {survivors.start_time(pid)}")
        assert survivors.end("".__eq__, [tmp_path]) == [pid]
        socket.create_server(("127.0.0.1", port)).close()
