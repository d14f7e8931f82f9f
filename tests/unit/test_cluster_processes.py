"""The cluster's programs are stopped when their ports are free."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from builders.half_ended import half_ended
from cluster.bringup import processes
from headrace_scheduler.executors.process.survivors import start_time

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_program_whose_first_thread_has_ended_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "DIR", tmp_path)
    pid = processes.spawn("true", ["true"])
    os.waitpid(pid, 0)
    assert processes.pid_of("true") is None
    with half_ended() as (pid, port):
        (tmp_path / "half.pid").write_text(f"{pid} {start_time(pid)}")
        assert processes.pid_of("half") == pid
        processes.stop("half")
        socket.create_server(("127.0.0.1", port)).close()
